"""Every sentence of a tracking study, checked against numbers that are computed from raw curves by another route."""

import dataclasses
import re

import numpy as np
import pytest
from scipy.stats import kstest
from scipy.stats.mstats import hdquantiles

import isthmus as im
from isthmus._errors import Status
from isthmus.dynamics.results import MeanFieldPath
from isthmus.studies.folder import read_dataset, write_dataset
from isthmus.studies.parts import gap_draws, predicted_parts, predicted_relaxation_time
from isthmus.studies.tracking import Tracked
from isthmus.studies.tracking_jobs import numbers
from isthmus.studies.tracking_result import TrackingResult
from isthmus.theory.finite_width_law import FiniteWidthLaw
from isthmus.theory.prediction import Noise

PCA_RISK = 0.25
NUMBER = r"(−?\d[\d,]*\.?\d*(?: × 10\^−?\d+)?)"
CI = rf"{NUMBER} \(95 % CI {NUMBER} to {NUMBER}\)"


def study_of(**changes):
    values = {"widths": (64, 256, 1024), "step_sizes": (0.1, 0.2), "runs": 40, "flow_runs": 36, "predict": True}
    return im.TrackingStudy(data={"source": "wine"}, horizon=80.0, records=20, **values | changes)


def law_of(study, shift=1.2):
    """Return a law whose initial draw dies out, whose training scatters, and whose mean shift is plain."""
    times, random = study.times, np.random.default_rng(0)
    limit = 0.2 + 0.3 * np.exp(-times / 10)
    replicates = limit + 1e-6 * random.standard_normal((4, len(times)))
    nothing = np.zeros_like(times)
    path = MeanFieldPath(
        times,
        replicates.mean(axis=0),
        {"particles": np.full_like(times, 2e-6)},
        replicates,
        1024,
        times[:1],
        (),
        Status(),
    )
    draw, drift, batch = np.exp(-times), 1 - np.exp(-times / 5), 1 - np.exp(-times / 20)
    kernel = 0.02 * np.outer(draw, draw) + 0.001 * np.outer(drift, drift)
    curves = shift * (drift + 0.1 * random.standard_normal((8, 1)) * drift)
    noises = {
        "encoder": Noise(kernel, curves),
        "decoder": Noise(kernel / 2, 0 * curves),
        "batches": Noise(0.0004 * np.outer(batch, batch), nothing[None]),
        "steps": Noise(0 * kernel, 0.002 * batch[None]),
    }
    return FiniteWidthLaw(times, path, None, noises, np.ones(1))


def found(study, law, predict=True, factor=1.0, seed=1, limit=None):
    """Return what a study finds whose runs are draws from a law, scaled by a factor."""
    random = np.random.default_rng(seed)
    curves = np.stack([random.choice(law.at(width).deviations, study.runs) for width in study.widths])
    batches = [law.at(np.inf, step_size, study.batch_size).deviations for step_size in study.step_sizes]
    noise = np.stack([random.choice(one, (len(study.widths), study.runs)) for one in batches], axis=1)
    limit = law.path.risk if limit is None else limit
    risk = limit + factor * (curves[:, None] + noise)
    flow_risk = limit + factor * curves[:, : study.flow_runs]
    tables = None
    if predict:
        relaxation = predicted_relaxation_time(study, law)
        draws = gap_draws(study, law, relaxation)
        variables = predicted_parts(study, law, relaxation)
        for name, drawn in draws.items():
            dims = ("level", "width", "step_size") if drawn.ndim == 3 else ("level", "width")
            variables[f"predicted_{name}_quantile"] = (dims, np.quantile(drawn, study.levels, axis=-1))
        ratio = [[law.at(n, e, study.batch_size).shift_ratio for e in study.step_sizes] for n in study.widths]
        variables["shift_ratio"] = (("width", "step_size"), ratio)
        tables = {"variables": variables, "draws": draws, "relaxation_time": relaxation}
    return numbers(study, Tracked(law.path, tables, risk, flow_risk, {})).assign_attrs(pca_risk=PCA_RISK)


@pytest.fixture(scope="module")
def study():
    return study_of()


@pytest.fixture(scope="module")
def law(study):
    return law_of(study)


@pytest.fixture(scope="module")
def data(study, law, tmp_path_factory):
    """What is read back from a file."""
    path = tmp_path_factory.mktemp("verdicts") / "results.nc"
    write_dataset(path, found(study, law))
    return read_dataset(path).load()


@pytest.fixture(scope="module")
def text(study, data):
    findings = TrackingResult(study, data)
    return "\n".join([findings.answer(), *findings.verdicts()]).replace("\u00a0", " ")


class Raw:
    """The numbers of a study from its risk curves alone."""

    def __init__(self, data, late_from):
        self.limit = data.mean_field_risk.values
        self.risk, self.flow = data.risk.values, data.flow_risk.values
        self.late = data.time.values >= late_from
        self.widths = data.width.values

    def gap(self, late=False):
        return np.abs(self.risk - self.limit)[..., self.late if late else slice(None)].max(axis=-1)

    def flow_gap(self, late=False):
        return np.abs(self.flow - self.limit)[..., self.late if late else slice(None)].max(axis=-1)

    def step_gap(self):
        return np.abs(self.risk[:, :, : self.flow.shape[1]] - self.flow[:, None]).max(axis=-1)

    def parts(self):
        return {"draw": self.risk[:, 0, :, :1], "training": self.flow[..., self.late]}

    def fluctuation(self, part):
        return np.sqrt(self.parts()[part].var(axis=1, ddof=1).mean(axis=-1))

    def shift(self, part):
        curves = self.parts()[part]
        limit = self.limit[:1] if part == "draw" else self.limit[self.late]
        noise = curves.var(axis=1, ddof=1) / curves.shape[1]
        return np.sqrt(np.maximum((np.square(curves.mean(axis=1) - limit) - noise).mean(axis=-1), 0))


@pytest.fixture(scope="module")
def raw(data, law, study):
    squares = sum(width * np.square(law.at(width).deviations).mean(axis=0) for width in study.widths)
    late_from = study.times[np.argmax(squares < squares[0] / 4)]
    assert data.attrs["relaxation_time"] == late_from  # the law's own draws say when its rms gap has halved
    return Raw(data, late_from)


def value(word):
    """Return the number that a word is."""
    mantissa, _, power = word.replace("−", "-").replace(",", "").partition(" × 10^")
    return float(mantissa) * 10 ** float(power or 0)


def one(pattern, text):
    """Return the numbers of the only place at which a pattern stands."""
    places = re.findall(pattern.replace("NUMBER", NUMBER).replace("CI_", CI), text)
    assert len(places) == 1, (pattern, places)
    return [value(word) for word in np.atleast_1d(places[0])]


def test_the_answer(text, raw, study):
    n, gap, horizon, rate, lower, upper = one(
        r"^Yes: at N = NUMBER 90 % of the networks trained by SGD stay within NUMBER of the mean-field risk up to "
        r"t = NUMBER, and the gap falls as N\^CI_\.", text
    )  # fmt: skip
    assert (n, horizon) == (1024, study.horizon)
    assert gap == pytest.approx(np.quantile(raw.gap()[2, 0], 0.9), rel=0.005)
    assert rate == pytest.approx(slope(raw.widths, smooth(raw.gap()[:, 0], 0.9)), abs=0.006)
    assert lower < rate < upper < 0 and upper - lower == pytest.approx(4 * bootstrap(raw.gap()[:, 0], 0.9), rel=0.25)


def smooth(samples, level):
    return np.array([hdquantiles(one, [level])[0] for one in samples])


def slope(sizes, values):
    return np.polyfit(np.log(sizes), np.log(values), 1)[0]


def bootstrap(samples, level):
    """Return the standard error of a slope by drawing runs again, all widths together: another route to it."""
    random, runs = np.random.default_rng(0), samples.shape[1]
    drawn = [samples[:, random.integers(runs, size=runs)] for _ in range(400)]
    return np.std([slope([64, 256, 1024], smooth(one, level)) for one in drawn])


def test_the_mean_field_and_its_error(text, raw, data):
    start, end, horizon, pca = one(
        r"The mean-field risk falls from NUMBER to NUMBER at t = NUMBER, below the risk of PCA \(NUMBER\)\.", text
    )
    assert [start, end, horizon, pca] == pytest.approx([raw.limit[0], raw.limit[-1], 80, PCA_RISK], rel=0.005)
    error, share = one(
        r"Its numerical error is at most NUMBER \(95 %\), NUMBER % of the smallest 90 % quantile of a gap\.", text
    )
    initial = np.abs(raw.risk[:, 0, :, 0] - raw.limit[0])
    gaps = [raw.gap(), raw.flow_gap(), raw.gap(late=True), raw.flow_gap(late=True), initial]
    smallest = min(np.quantile(gap, 0.9, axis=-1).min() for gap in gaps)
    assert error == 2e-6 and share == pytest.approx(100 * 2e-6 / smallest, rel=0.05)


def test_exponents_of_sgd_and_flow(text, raw):
    for what, late in (("sup-gap", False), ("late gap", True)):
        rates = one(
            rf"The 90 % quantile of the {what} goes as N\^CI_ for SGD at ε = 0.1, N\^CI_ for SGD at ε = 0.2 and "
            r"N\^CI_ for gradient flow\.", text
        )  # fmt: skip
        samples = [raw.gap(late)[:, 0], raw.gap(late)[:, 1], raw.flow_gap(late)]
        assert rates[::3] == pytest.approx([slope(raw.widths, smooth(one, 0.9)) for one in samples], abs=0.006)


def test_what_is_the_draws(text, raw):
    counts = one(
        r"The gap is largest at t = 0, where it is the initial draw's alone, in NUMBER of NUMBER gradient flows and in "
        r"NUMBER of NUMBER SGD runs\.", text
    )  # fmt: skip
    flows, runs = (np.abs(one - raw.limit).argmax(axis=-1) == 0 for one in (raw.flow, raw.risk))
    assert counts == [flows.sum(), 108, runs.sum(), 240]
    rate, lower, upper, low, high = one(
        r"Over initial draws, the fluctuation between networks goes as N\^CI_, consistent with the predicted −1/2; "
        r"it is NUMBER to NUMBER times the predicted one\.", text
    )  # fmt: skip
    assert rate == pytest.approx(slope(raw.widths, raw.fluctuation("draw")), abs=0.006) and lower < -0.5 < upper
    ratios = raw.fluctuation("draw") * np.sqrt(raw.widths / 0.03)
    assert [low, high] == pytest.approx([ratios.min(), ratios.max()], rel=0.05)
    narrow, wide, high, low = one(
        r"Over initial draws, the mean shift is not resolved at N = NUMBER and NUMBER \(95 % CI up to NUMBER and "
        r"NUMBER; predicted 0 and 0\)\.", text
    )  # fmt: skip
    assert [narrow, wide] == [64, 256]  # at 1,024 it is resolved by chance, as it is once in twenty times
    mean = np.abs(raw.risk[:2, 0, :, 0].mean(axis=1) - raw.limit[0])
    student = mean + 2.0227 * raw.fluctuation("draw")[:2] / np.sqrt(40)  # 39 degrees of freedom
    assert [high, low] == pytest.approx(student, rel=0.05)


def test_what_is_trainings(text, raw, study, law, data):
    time, n, sgd, _, _, step_size, flow, _, _ = one(
        r"At t₁ = NUMBER the rms gap of gradient flows has fallen below half of that at t = 0\. From then on, the 90 % "
        r"quantile of the gap at N = NUMBER is CI_ for SGD at ε = NUMBER and CI_ for gradient flow\.", text
    )  # fmt: skip
    assert [n, step_size] == [1024, 0.1] and time == pytest.approx(study.times[raw.late][0], rel=1e-5)
    expected = [np.quantile(raw.gap(late=True)[2, 0], 0.9), np.quantile(raw.flow_gap(late=True)[2], 0.9)]
    assert [sgd, flow] == pytest.approx(expected, rel=0.005)
    for name, noun, symbol in (("fluctuation", "fluctuation between networks", "−1/2"), ("shift", "mean shift", "−1")):
        rate, _, _, low, high = one(
            rf"In training, from t₁ on, the {noun} goes as N\^CI_, consistent with the predicted {symbol}; it is "
            r"NUMBER to NUMBER times the predicted one\.", text
        )  # fmt: skip
        measured = getattr(raw, name)("training")
        assert rate == pytest.approx(slope(raw.widths, measured), abs=0.006)
        deviations = [law.at(width).deviations[:, raw.late] for width in study.widths]
        draws = [one.std(axis=0) if name == "fluctuation" else one.mean(axis=0) for one in deviations]
        ratios = measured / [np.sqrt(np.square(one).mean()) for one in draws]
        assert [low, high] == pytest.approx([ratios.min(), ratios.max()], rel=0.06)


def test_which_dominates_and_from_where_on(text, law, raw):
    assert "In the initial draw, the fluctuation exceeds the mean shift at every N (predicted)." in text
    (crossover,) = one(
        r"In training, the fluctuation exceeds the mean shift from about N = NUMBER on \(predicted\): the "
        r"fluctuation is the larger at N = 1,024, and the mean shift is the larger at N = 64 and 256\.", text
    )  # fmt: skip
    sides = [law.at(round(share * crossover)).deviations[:, raw.late] for share in (0.9, 1.1)]
    excess = [np.square(draws.mean(axis=0)).mean() - draws.var(axis=0).mean() for draws in sides]
    assert excess[0] > 0 > excess[1]


def test_what_sgd_adds(text, raw):
    n, step_size, flow, _, _, steps, low, high = one(
        r"At N = NUMBER and ε = NUMBER, \D+ to the gap than SGD: the 90 % quantile of the sup-gap is CI_ from gradient "
        r"flow to the mean field, and CI_ from SGD to the gradient flow from the same initial neurons\.", text
    )  # fmt: skip
    assert [n, step_size] == [1024, 0.1] and "finite width contributes more to the gap than SGD" in text
    assert flow == pytest.approx(np.quantile(raw.flow_gap()[2], 0.9), rel=0.005)
    assert steps == pytest.approx(np.quantile(raw.step_gap()[2, 0], 0.9), rel=0.005) and low < steps < high
    n, rate, _, _ = one(r"At N = NUMBER the effect of SGD scales as ε\^CI_, consistent with 1/2", text)
    gaps = smooth(raw.step_gap()[2], 0.9)
    assert n == 1024 and rate == pytest.approx(np.log2(gaps[1] / gaps[0]), abs=0.006)


def test_the_law_counts_every_network(text, raw, study, law):
    combinations, widths, tests, smallest, threshold, low, high = one(
        r"The law predicted from the mean field alone fits the runs: over NUMBER combinations of width and step size "
        r"and NUMBER widths of gradient flow, the smallest of NUMBER Kolmogorov–Smirnov p-values \(sup-gaps and late "
        r"gaps, R\(t\) within its error\) is NUMBER, where NUMBER is the threshold after Bonferroni\. Measured 90 % "
        r"quantiles are NUMBER to NUMBER times the predicted ones\.", text
    )  # fmt: skip
    values, ratios = [], []
    for i, n in enumerate(study.widths):
        networks = [(law.at(n, e, 8), raw.risk[i, j]) for j, e in enumerate(study.step_sizes)]
        for network, risk in [*networks, (law.at(n), raw.flow[i])]:
            for mask in (np.ones_like(raw.late), raw.late):
                gaps = np.abs(risk - raw.limit)[:, mask].max(axis=1)
                drawn = np.abs(network.deviations[:, mask]).max(axis=1)
                values.append(kstest(gaps, drawn).pvalue)  # of two samples: that of the law is large
                ratios.append(np.quantile(gaps, 0.9) / np.quantile(drawn, 0.9))
    assert (combinations, widths, tests) == (6, 3, 18) and threshold == pytest.approx(0.05 / 18, rel=0.02)
    assert smallest == pytest.approx(min(values), rel=0.1) and smallest > threshold
    assert [low, high] == pytest.approx([min(ratios), max(ratios)], rel=0.06)


def test_runs_that_are_not_of_the_law_do_not_fit_it(study, law):
    data = found(study, law, factor=1.8)
    text = " ".join(TrackingResult(study, data).verdicts())
    small = [(data[name] < 0.05 / 18).values.reshape(3, -1).any(axis=1) for name in data if "agreement" in name]
    assert np.any(small, axis=0).tolist() == [True, True, True]
    assert "The law predicted from the mean field alone does not fit the runs at N = 64, 256 and 1,024: over" in text


def test_a_law_is_not_blamed_for_the_error_of_the_mean_field(study, law):
    """Runs of the law, beside a mean field that is off by its own error."""
    off = 0.005 + 0 * law.times
    for error, fits in ((off, True), (0.1 * off, False)):
        moved = {"risk": law.path.risk + off, "replicate_risk": law.path.replicate_risk + off}
        path = dataclasses.replace(law.path, **moved, errors={"particles": error})
        beside = dataclasses.replace(law, path=path)
        text = " ".join(TrackingResult(study, found(study, beside, limit=law.path.risk)).verdicts())
        assert ("alone fits the runs: over" in text) == fits


def test_every_sentence_is_read_by_a_test_above(text):
    starts = """Yes: at|The mean-field risk falls|Its numerical error|The 90 % quantile of the sup-gap goes|
        The gap is largest|Over initial draws, the fluctuation|Over initial draws, the mean shift|At t₁|
        The 90 % quantile of the late gap goes|In training, from t₁ on, the fluctuation|
        In training, from t₁ on, the mean shift|In the initial draw, the fluctuation exceeds|
        In training, the fluctuation exceeds|At N = 1,024 and ε|At N = 1,024 the effect|The law predicted|At N = 64"""
    starts = [start.strip() for start in re.sub(r"\s+", " ", starts).split("|")]
    for line in text.splitlines():
        assert any(line.startswith(start) for start in starts), line
    assert len(text.splitlines()) <= len(starts)


def test_medians_where_runs_are_too_few_and_the_words_say_so(law):
    study = study_of(runs=16, flow_runs=8)
    findings = TrackingResult(study, found(study, law))
    assert findings.level == 0.5
    text = "\n".join([findings.answer(), *findings.verdicts()]).replace("\u00a0", " ")
    assert "half of the networks trained by SGD stay within" in text
    assert "Medians are reported: a 95 % CI of the 90 % quantile takes 36 of each, and there are 16 SGD runs" in text
    assert "and 8 gradient flows." in text
    few = study_of(runs=4, flow_runs=2)
    text = "\n".join(TrackingResult(few, found(few, law)).verdicts()).replace("\u00a0", " ")
    assert "A 95 % CI of a median takes 6 runs, and there are 4 SGD runs and 2 gradient flows." in text
    assert "nan" not in text.lower() and "–)" not in text


def test_what_sgd_adds_is_told_apart_only_where_intervals_are(study, law):
    data = found(study, law)
    at = {"level": 0.9, "width": 1024}
    for bounds, words in (
        ([0.01, 0.009, 0.011], "SGD contributes more to the gap than finite width"),
        ([0.007, 0.005, 0.009], "these runs don't tell whether finite width or SGD contributes more to the gap"),
        ([0.001, np.nan, np.nan], "these runs don't tell whether finite width or SGD contributes more to the gap"),
    ):
        data["flow_gap_quantile"].loc[at] = [0.006, 0.004, 0.008]
        data["step_gap_quantile"].loc[at | {"step_size": 0.1}] = bounds
        assert f"At N = 1,024 and ε = 0.1, {words}: " in "\n".join(TrackingResult(study, data).verdicts())


def test_the_answer_depends_on_the_numbers(study, law):
    data = found(study, law)
    answer = lambda data, study=study: TrackingResult(study, data).answer()

    def changed(name, values, **where):
        other = data.copy(deep=True)
        other[name].loc[where] = values
        return other

    widest = {"level": 0.9, "step_size": 0.1}
    assert answer(changed("width_rate", [-0.1, -0.3, 0.1], **widest)).startswith("Not resolved: at N = 1,024")
    assert answer(changed("width_rate", [0.2, 0.1, 0.3], **widest)).startswith("No: at N = 1,024")
    assert "no less than that risk changes (0.300)" in answer(changed("gap_quantile", 0.31, **widest, width=1024))
    assert "less than the numerical error of that risk" in answer(changed("gap_quantile", 1e-7, **widest, width=1024))
    single = study_of(widths=(64,))
    assert "takes two widths or more to see" in answer(found(single, law), single)
    assert TrackingResult(single, found(single, law)).verdicts()


def test_without_a_relaxation_time_no_late_gap_is_reported(study):
    """A draw whose gap never dies out."""
    law = law_of(study, shift=0.0)
    lasting = {name: Noise(np.full_like(noise.kernel, 0.02), noise.curvatures) for name, noise in law.noises.items()}
    frozen = FiniteWidthLaw(law.times, law.path, None, {**law.noises, "encoder": lasting["encoder"]}, law.weights)
    data = found(study, frozen)
    assert np.isnan(data.attrs["relaxation_time"]) and "late_gap" not in data and data.part.values.tolist() == ["draw"]
    text = " ".join(TrackingResult(study, data).verdicts())
    assert "never falls below half of that at t = 0" in text and "late gap is reported" in text and "t₁" not in text


def test_without_a_law_both_are_fitted_from_the_runs(study, law):
    data = found(study, law, predict=False)
    assert data.attrs["relaxation_time"] == pytest.approx(predicted_relaxation_time(study, law), rel=0.5)
    known = predicted_parts(study, law, data.attrs["relaxation_time"])["crossover"][1][1]
    assert float(data.crossover.sel(part="training")) == pytest.approx(known, rel=0.4)
    text = " ".join(TrackingResult(study, data).verdicts())
    assert "on (fitted): " in text and "predicted ones" not in text


def test_a_result_is_plain_numbers_for_json(study, data):
    summary = TrackingResult(study, data).summary()
    assert summary["answer"].startswith("Yes") and summary["level"] == 0.9
    entry = summary["late_gap_quantiles"][0]
    assert entry["width"] == 64 and entry["step_size"] == 0.1 and entry["lower"] < entry["estimate"] < entry["upper"]
