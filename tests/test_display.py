"""What objects say of themselves: few lines, a small curve, tables; a bar where one is asked for."""

import dataclasses
import html.parser
import inspect
import io
import re
import sys
import warnings

import jax.numpy as jnp
import numpy as np
import pytest
from invented import invented
from small_objects import POINTS, systems
from sound import BOTTLENECK, EXPRESSIVITY, TRACKING, bottleneck, expressivity

import isthmus as im
from isthmus import _bars
from isthmus._display import LONGEST, MOST_LINES, Summary, sparkline
from isthmus.dynamics.parallel import Stages
from isthmus.estimator.activity import Activity
from isthmus.estimator.curvature import Curvature
from isthmus.estimator.ensemble import Ensemble
from isthmus.estimator.limit import DIVERGED, Distance
from isthmus.theory.noise_sources import Sources


@pytest.fixture(scope="module")
def shown():
    """Everything that a person may look at, by name."""
    made = systems()
    problem = made["problem"]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", im.TrivialLimitWarning)
        still = im.Problem(made["data"], im.independent_law(3, 1))
        streamed = im.Problem(made["stream"], im.independent_law(3, 1), population_points=8, weight_decay=0.1)
    runs, certificate = made["runs"], made["optimum"].certificate
    random = np.random.default_rng(0)
    estimate = im.FiniteWidthEstimate(
        runs.times, made["path"].risk, dataclasses.replace(runs, risk=random.random((4, 3))),
        random.random((4, 3)), np.eye(3), np.ones(3), np.ones(3),
    )  # fmt: skip
    ensemble = Ensemble(runs.times, np.ones(3), 1 + 0.1 * random.random((4, 3)), np.ones((2, 3)))
    distance = Distance(runs.times, np.array([1.0, 0.5, 0.5]), np.ones(3), np.zeros(3), ensemble)
    diagnosis = im.Diagnosis(
        8, distance, None, Activity((2.8, 3.1), (4, 4), np.array([0.9])), Curvature(-0.1, 4.0, 0.0, 0.0), 2.0, 0.1, 0.1,
        stability_limit=2.0, objective=0.5, decline=0.01, lowest_curvature=-0.1, horizon=10.0,
    )  # fmt: skip
    law = made["law"]
    sources = Sources(1.0, law.noises, law.influence, law.weights)
    return made | {
        "noise": made["law"].noises["encoder"],
        "influence": made["law"].influence,
        "sources": sources,
        "observed law": im.ObservedLaw(runs.times, np.ones((3, 1)), np.zeros((3, 1)), sources),
        "observed": im.ObservedPrediction(runs.times, (1,), made["prediction"]),
        "certificate": dataclasses.replace(certificate, curvature=1e-9, known_optimum=0.25, proven=True),
        "estimate": estimate,
        "expressivity": made["optimum"].expressivity,
        "model": im.MeanFieldAutoencoder(2, width=8),
        "diagnosis": diagnosis,
        "distance": distance,
        "ensemble": ensemble,
        "distance alone": dataclasses.replace(distance, ensemble=None, not_simulated=DIVERGED),
        "sampled": im.SampledNeurons(lambda key, count: None, 1, 2),
        "gradient descent": im.GradientDescent(),
        "momentum": im.Momentum(0.5),
        "adam": im.Adam(),
        "status": im.Status(ok=False, message="too stiff"),
        "studies": TRACKING,
        "bottleneck study": BOTTLENECK,
        "expressivity study": EXPRESSIVITY,
        "bottleneck": im.BottleneckResult(BOTTLENECK, bottleneck()),
        "expressivity result": im.ExpressivityResult(EXPRESSIVITY, expressivity()),
        "law of neurons": problem.law,
        "measure": made["network"].encoder,
        "measures of runs": made["runs"].encoder,
        "still": still,
        "streamed": streamed,
        "resized": im.resize(made["network"], 4, POINTS),
        "saddle": im.saddle(still, neurons=64),
        "no saddle": im.saddle(problem),
        "result": invented(),
        "activation": im.Activation("sine", jnp.sin, jnp.cos, jnp.sin, smooth=True),
    }


def test_everything_fits_on_a_few_lines(shown):
    for name, value in shown.items():
        lines = repr(value).splitlines()
        assert len(lines) <= MOST_LINES and max(map(len, lines)) <= LONGEST, f"{name}:\n{value!r}"
        assert "array(" not in repr(value) and "0x" not in repr(value), name


def test_the_whole_shelf_was_looked_at(shown):
    """Whatever isn't shown above says of itself what one of those does that are."""
    classes = {one for name in im.__all__ if inspect.isclass(one := getattr(im, name))}
    seen = {type(value) for value in shown.values()}
    unseen = {one.__name__ for one in classes - seen if not issubclass(one, Exception)}
    assert unseen == {"PredictionResult", "PredictionStudy", "WidthResult", "WidthStudy"}
    for kind in ("Result", "Study"):
        assert len({getattr(im, f"{name}{kind}").__repr__ for name in ("Prediction", "Width", "Tracking")}) == 1


def test_completion_shows_our_names_only(shown):
    for name, value in shown.items():
        others = [base for base in type(value).__mro__ if not base.__module__.startswith("isthmus")]
        theirs = {part for base in others for part in vars(base) if not part.startswith("_")}
        if name != "model":  # which is one of scikit-learn's
            assert theirs.isdisjoint(dir(value)), name
    assert {"runs", "data", "from_toml", "quick", "problem"} <= set(dir(TRACKING))


def test_a_study_is_shown_as_it_would_be_asked_for():
    study = im.TrackingStudy(data={"source": "wine"}, law={"latent_dim": 3}, widths=range(8, 200, 8), runs=2)
    assert eval(repr(study), vars(im)) == study
    assert "runs=2" in repr(study) and "horizon" not in repr(study)
    many = repr(im.TrackingStudy(data={"source": "wine"}, widths=range(1, 1000)))
    assert len(many.splitlines()) == MOST_LINES and many.endswith("[...]")


def test_what_a_person_wants_first_is_said(shown):
    path = repr(shown["path"])
    assert path.startswith("MeanFieldPath\n") and "1.00 at t = 0, 0.250 at t = 1 (3 times)" in path and "ok" in path
    alone = dataclasses.replace(shown["path"], errors={"time_steps": np.zeros(3), "particles": np.full(3, np.nan)})
    assert "error      not known from 1 replicate" in repr(alone)
    runs = im.TrainingRuns(
        *(getattr(shown["runs"], field.name) for field in dataclasses.fields(im.TrainingRuns)[:7]), 0.1, 8
    )
    assert "2 runs of width 8, SGD, step size 0.1, batches of 8" in repr(runs)
    assert "2 runs of width 8, gradient flow" in repr(shown["runs"])
    heavy = im.Problem(im.load_data("wine", max_points=8), latent_dim=1, optimizer=im.Momentum(1.0))
    assert "1 run of width 4, SGD with momentum, step size 0.1" in repr(im.train(heavy, [0.0, 0.1], 4, 0.1))
    assert "1 run of width 4, flow of SGD with momentum" in repr(im.gradient_flow(heavy, [0.0, 0.1], 4))
    assert "13 → 2" not in repr(shown["problem"]) and "3 → 1 → 3, tanh, tanh" in repr(shown["problem"])
    assert "stands still" in repr(shown["still"]) and "weight decay 0.1" in repr(shown["streamed"])
    assert "encoder  8 neurons, tanh, from R^3 to R^1" in repr(shown["network"])
    assert "2 times 8 neurons" in repr(shown["measures of runs"])
    assert "γ = " in repr(shown["saddle"]) and "moves" in repr(shown["no saddle"])
    assert shown["result"].answer()[:60] in repr(shown["result"])
    assert repr(shown["activation"]) == "Activation('sine')"
    assert "8 of the encoder, 8 of the decoder" in repr(shown["optimum"])
    prediction, law = shown["prediction"], shown["law"]
    assert "risk        1.25 at t = 0, 0.500 at t = 1 (3 times) on average" in repr(prediction)
    assert f"90 % within {prediction.gap_quantile(0.9):.3g}" in repr(prediction) and "warning" not in repr(prediction)
    assert "warning" in repr(law.at(8, 1.0)) and "most by batches" in repr(law.at(8, 1.0, 2))
    proven, searched = repr(shown["certificate"]), repr(shown["optimum"].certificate)
    assert "at most 0, proven" in proven and "known optimum    0.250" in proven and "by a search" in searched
    assert "4 runs of width 8, gradient flow" in repr(shown["estimate"]) and "±" in repr(shown["estimate"])
    diagnosis = repr(shown["diagnosis"])
    assert "moving; another 10 of time would gain 20\u00a0%" in diagnosis and "3 of 8 carry the encoder" in diagnosis
    assert "at most 0.500 from infinite width, 80\u00a0% of networks within 0." in diagnosis
    assert "step size × curvature is 0.400, stable below 2.00" in diagnosis
    assert "mean    0.500 to 1.25, in the limit 0.250 to 1.00" in repr(shown["observed"])
    assert "some networks like it diverge" in repr(shown["distance alone"])
    assert repr(shown["stream"]) == "Stream('gaussian', in 3 dimensions)"
    assert repr(shown["sampled"]) == "SampledNeurons(<lambda>, outputs=1, inputs=2)"


class Tags(html.parser.HTMLParser):
    def __init__(self):
        super().__init__()
        self.open, self.points = [], []

    def handle_starttag(self, tag, attributes):
        self.open.append(tag)
        if tag == "polyline":
            self.points = [tuple(map(float, pair.split(","))) for pair in dict(attributes)["points"].split()]

    def handle_startendtag(self, tag, attributes):
        self.handle_starttag(tag, attributes)
        self.open.pop()

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def parsed(text):
    tags = Tags()
    tags.feed(text)
    assert tags.open == []
    return tags


def test_notebooks_show_a_table_and_a_curve(shown):
    for value in shown.values():
        if isinstance(value, Summary):
            parsed(value._repr_html_())
    points = parsed(shown["path"]._repr_html_()).points
    assert len(points) == 3
    x, y = np.array(points).T
    np.testing.assert_allclose(np.diff(x), np.diff(x)[0])
    np.testing.assert_allclose(
        (y[1] - y[0]) / (y[2] - y[0]), (1.0 - 0.5) / (1.0 - 0.25), atol=0.02
    )  # downwards is down
    assert "&lt;b&gt;" in _Odd()._repr_html_() and "<b>x" not in _Odd()._repr_html_()


class _Odd(Summary):
    def _lines(self):
        return [("name", "<b>x"), ("long", "y" * 300)]


def test_small_curves_leave_out_what_is_not_there():
    assert repr(_Odd()).splitlines()[-1].endswith("…")
    times = np.arange(4.0)
    assert len(parsed(sparkline(times, np.array([1.0, np.nan, 2.0, np.inf]))).points) == 2
    assert sparkline(times, np.full(4, np.nan)) == ""
    assert len(parsed(sparkline(np.arange(5000.0), np.arange(5000.0))).points) <= 120
    assert {y for _, y in parsed(sparkline(times, np.ones(4))).points} == {34.0}


def test_tables_hold_the_numbers(shown):
    path, runs, law = shown["path"], shown["runs"], shown["law"]
    np.testing.assert_array_equal(path.to_xarray().replicate_risk, path.replicate_risk)
    assert list(path.to_pandas().columns) == ["risk", "error_particles", "error_time_steps"]
    np.testing.assert_array_equal(path.to_pandas().risk, path.risk)
    np.testing.assert_array_equal(path.to_pandas().index, path.times)
    np.testing.assert_array_equal(runs.to_xarray().risk, runs.risk)
    assert runs.to_pandas().shape == (3, 2) and runs.to_xarray().attrs["width"] == [8, 8]
    found, prediction = law.to_pandas(8, 0.1, 4), law.at(8, 0.1, 4)
    np.testing.assert_allclose(found["std"], prediction.std)
    np.testing.assert_allclose(found["std_batches"] ** 2, law.sources(8, 0.1, 4)["batches"])
    np.testing.assert_allclose(law.to_xarray(8).source_variance.sum("source"), law.at(8).std ** 2)


def small_training(**options):
    return im.train(systems()["problem"], [0.0, 0.5], 4, 0.25, runs=3, **options)


def test_a_bar_is_shown_where_it_is_asked_for(capsys):
    small_training(progress=True)
    assert re.fullmatch(r"train █{24} 3/3, \d+ s\n", capsys.readouterr().err)
    for nothing in (False, None):
        small_training(progress=nothing)
        assert capsys.readouterr().err == ""
    seen = []
    small_training(progress=lambda done, total: seen.append((done, total)))
    assert seen == [(1, 3), (2, 3), (3, 3)]


def shown_functions():
    """Return the functions and methods of the shelf that may be told of ``progress``, by name."""
    found = {}
    for name in im.__all__:
        value = getattr(im, name)
        if inspect.isfunction(value):
            found[name] = value
        elif inspect.isclass(value):
            found |= {f"{name}.{part}": method for part, method in vars(value).items() if inspect.isfunction(method)}
    default = lambda function: getattr(inspect.signature(function).parameters.get("progress"), "default", "not taken")
    return {name: function for name, function in found.items() if default(function) is None}


def test_whatever_takes_long_shows_a_bar():
    wrapped = _bars.with_bar(lambda progress: None).__code__
    found = shown_functions()
    assert {"train", "track", "predict_finite_width", "estimate_finite_width", "Saddle.calibrated"} <= found.keys()
    assert [name for name, function in found.items() if function.__code__ is not wrapped] in ([], ["solve_optimum"])


def test_a_bar_over_several_stages_never_goes_back():
    seen = []
    stages = Stages(lambda *at: seen.append(at))
    inside = Stages(stages.next())
    for stages_of in (inside, inside, stages):
        stage = stages_of.next()
        stage(1, 2)
        stage(2, 2)
    assert seen == [(1, 2), (2, 2), (3, 4), (4, 4), (5, 6), (6, 6)]
    assert Stages(None).next() is None


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_a_bar_moves_in_a_terminal(monkeypatch):
    monkeypatch.setattr(sys, "stderr", Terminal())
    now = [0.0]
    with _bars.Bar("track", lambda: now[0]) as bar:
        bar("mean-field path", 1, 1)
        now[0] = 0.05
        bar("runs", 0, 3)  # too soon for another picture
        now[0] = 2.0
        bar("runs", 1, 3)
    pictures = sys.stderr.getvalue().split("\r")[1:]
    assert [re.search(r"(\d/\d), (\d) s( \(.*\))?", picture).groups() for picture in pictures] == [
        ("1/1", "0", None), ("2/4", "2", " (runs)"), ("2/4", "2", " (runs)"),
    ]  # fmt: skip
    assert pictures[1].count("█") == 12 and sys.stderr.getvalue().endswith("\n")


def test_a_bar_ends_where_the_task_fails(monkeypatch):
    monkeypatch.setattr(sys, "stderr", Terminal())

    @_bars.with_bar
    def task(*, progress):
        progress(1, 2)
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        task(progress=True)
    assert "1/2" in sys.stderr.getvalue()
    assert sys.stderr.getvalue().endswith("\n")
