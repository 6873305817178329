"""The predicted law of finite networks against exact identities and ensembles of simulated ones."""

import math
from dataclasses import replace

import jax
import numpy as np
import pytest

import isthmus as im
from isthmus._precision import computing_in
from isthmus.core.frame import Frame
from isthmus.theory import second_order

DOUBLE = np.dtype(np.float64)
RUNS = 300


@pytest.fixture(scope="module")
def problem():
    data = im.Data(im.manifold_stream(4, 1, seed=3).draw(32, 0).points, center=True, scale="total")
    return im.Problem(data, im.aligned_law(data, 1))


@pytest.fixture(scope="module")
def times():
    return np.linspace(0, 6, 13)


@pytest.fixture(scope="module")
def told_law(problem, times):
    """A law from few particles, for what holds of every law, and the progress that was told while it was found."""
    told, times = [], times[::3]
    path = im.solve_mean_field(problem, times, particles=128, replicates=2, snapshot_times=())
    options = {"particles": 256, "curvature_particles": 32, "samples": 16, "dtype": "float64"}
    return im.predict_finite_width(problem, times, path=path, **options, progress=lambda *done: told.append(done)), told


@pytest.fixture(scope="module")
def rough_law(told_law):
    return told_law[0]


@pytest.fixture(scope="module")
def law(problem, times):
    path = im.solve_mean_field(problem, times, particles=2048, snapshot_times=())
    return im.predict_finite_width(problem, times, path=path, particles=512, dtype="float64")


def agrees(law, runs, predicted, levels=(0.5, 0.9)):
    """Hold an ensemble to a prediction: std within 4 standard errors or 5 %, quantiles likewise, means within 4."""
    count, std = len(runs.risk), runs.risk.std(axis=0, ddof=1)
    moving = std > 1e-9
    ratio = predicted.std[moving] / std[moving]
    # The curvature's own fluctuation is known from 32 samples of a skewed law only.
    leading = np.diagonal(sum(noise.kernel for noise in predicted.noises.values()))[moving] / predicted.std[moving] ** 2
    assert leading.max() > 0.95
    assert (np.abs(ratio - 1) < 0.05 + 4 / math.sqrt(2 * count) + 0.5 * (1 - leading)).all()
    error = np.sqrt(std**2 / count + predicted.shift_error**2)
    z = ((runs.risk.mean(axis=0) - predicted.mean) / error)[moving]
    assert np.abs(z).max() < 4.5
    gaps = np.abs(runs.risk - law.path.risk).max(axis=1)
    random = np.random.default_rng(0)
    for level in levels:
        error = np.quantile(gaps[random.integers(count, size=(500, count))], level, axis=1).std()
        measured = np.quantile(gaps, level)
        assert predicted.gap_quantile(level) == pytest.approx(measured, abs=0.05 * measured + 4 * error)


@pytest.mark.slow
def test_gradient_flows_have_the_predicted_law(problem, times, law):
    runs = im.gradient_flow(problem, times, 400, runs=RUNS, rtol=1e-4, snapshot_times=())
    agrees(law, runs, law.at(400))


@pytest.mark.slow
def test_unequal_widths_have_the_predicted_law(problem, times, law):
    runs = im.gradient_flow(problem, times, (200, 1000), runs=RUNS, rtol=1e-4, snapshot_times=())
    agrees(law, runs, law.at((200, 1000)))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("sampling", "size"),
    [
        ("with_replacement", 4),
        ("without_replacement", 2),
        ("without_replacement", 32),
    ],
)
def test_sgd_has_the_predicted_law(problem, times, law, sampling, size):
    step_size = 0.02
    runs = im.train(problem, times, 1000, step_size, batch_size=size, sampling=sampling, runs=RUNS, snapshot_times=())
    agrees(law, runs, law.at(1000, step_size, size, sampling=sampling))


@pytest.mark.slow
def test_one_pass_over_the_data_has_the_predicted_law(problem, times):
    """Ends in the middle of the points, so that what batches take without replacement is repaid in part only."""
    data = im.Data(im.manifold_stream(4, 1, seed=3).draw(256, 0).points, center=True, scale="total")
    problem, times = im.Problem(data, im.aligned_law(data, 1)), times[:9]
    law = im.predict_finite_width(problem, times, particles=256, samples=32)
    runs = im.train(problem, times, 2000, 0.02, batch_size=1, sampling="one_pass", runs=RUNS, snapshot_times=(), seed=5)
    predicted = law.at(2000, 0.02, 1, sampling="one_pass")
    agrees(law, runs, predicted)
    fresh = law.at(2000, 0.02, 1)
    assert predicted.std[-1] < 0.9 * fresh.std[-1]


@pytest.mark.slow
def test_step_noise_alone_has_the_predicted_law(problem, times, law):
    """With the width at infinity only batches and steps are left: simulated by steps on the particles themselves."""
    predicted = law.at(math.inf, 0.02, 2)
    assert set(predicted.covariances) == {"encoder", "decoder", "batches"}
    assert not predicted.covariances["encoder"].any()
    wide = im.train(problem, times, 8192, 0.02, batch_size=2, runs=40, snapshot_times=())
    mixed = law.at(8192, 0.02, 2)
    agrees(law, wide, mixed)
    share = np.diagonal(mixed.covariances["batches"])[-1] / mixed.std[-1] ** 2
    assert share > 0.9


def test_at_time_0_kernels_and_decoder_shift_are_the_exact_ones(problem, rough_law):
    """K_E(0,0) = Var Ψ_E and E R(ρ, ν^N) − R = (1/2N) E tr Cov_ν σ_D, over many draws of the law."""
    law = rough_law
    limit, draws = im.solve_mean_field(problem, [0.0], particles=1 << 12, replicates=1).at(0.0), 1 << 14
    with computing_in(DOUBLE):
        wide = problem.draw(jax.random.key(1), (draws, draws), DOUBLE)
        points = problem.population.points
        psi_e, psi_d = map(np.asarray, jax.jit(lambda at: limit.first_variations(points, at=at))(wide))
        latents = np.asarray(limit.encode(points))
        phi = np.tanh(np.asarray(wide.decoder.incoming) @ latents.T + np.asarray(wide.decoder.bias)[:, None])
        sigma = np.asarray(wide.decoder.outgoing)[:, None, :] * phi[:, :, None]
        trace = float(sigma.var(axis=0).sum(axis=1).mean())
    assert law.noises["encoder"].kernel[0, 0] == pytest.approx(float(np.var(psi_e)), rel=0.05)
    assert law.noises["decoder"].kernel[0, 0] == pytest.approx(float(np.var(psi_d)), rel=0.05)
    noise = law.noises["decoder"]
    assert noise.shift[0] == pytest.approx(trace / 2, abs=4 * noise.shift_error[0] + 0.01 * trace)


def test_shifts_of_a_path_that_ends_earlier_are_the_same_by_the_same_program(problem, rough_law):
    nodes = rough_law.influence.steps[::2]
    programs = second_order._values, second_order._kicked_values

    def found(steps, recorded):
        options = (problem, lambda network: network, nodes[: steps + 1], np.array(recorded), 32, 1, 0, DOUBLE, 1, None)
        return second_order.second_order(*options)

    last = len(nodes) - 1
    longer = found(last, [0, 3, last - 2, last])
    compiled = [program._cache_size() for program in programs]
    shorter = found(last - 2, [0, 3, last - 2])
    assert [program._cache_size() for program in programs] == compiled
    for name in ("encoder", "decoder", "batches"):
        values = getattr(longer, name)[0]
        assert len(np.unique(values[1:])) == 3
        np.testing.assert_array_equal(getattr(shorter, name)[0], values[:3])


@pytest.mark.slow
def test_hidden_directions_add_their_variance():
    """Data in a plane of R^5: what the decoder holds outside the plane shifts the risk, exactly known at time 0."""
    flat = im.manifold_stream(2, 1, seed=3).draw(24, 0).points
    turn = np.linalg.qr(np.random.default_rng(0).standard_normal((5, 5)))[0][:, :2]
    data = im.Data(flat @ turn.T, center=True, scale="total")
    problem = im.Problem(data, im.aligned_law(data, 1, outgoing_noise=0.5))
    assert Frame(data, problem.law.encoder, problem.law.decoder).data.dim == 2
    law = im.predict_finite_width(problem, [0.0, 4.0], particles=64, samples=32)
    runs = im.gradient_flow(problem, [0.0, 4.0], 500, runs=256, rtol=1e-5, dtype="float64", snapshot_times=())
    error = runs.risk.std(axis=0) / 16
    shift = law.at(500).shift_error
    assert (np.abs(runs.risk.mean(axis=0) - law.mean(500)) < 4 * np.sqrt(error**2 + shift**2)).all()


@pytest.mark.slow
def test_a_sample_of_the_population_has_the_predicted_law(problem, times, law):
    """Independent samples of n points, followed by the limit of the same law: what the choice of data does alone."""
    n, random, population = 400, np.random.default_rng(0), problem.population
    risks = {"population": [], "sample": []}
    for _ in range(60):
        counts = np.bincount(random.integers(population.size, size=n), minlength=population.size)
        sampled = im.Problem(im.Data(population.points, counts / n), problem.law)
        path = im.solve_mean_field(
            sampled, times[::3], particles=64, replicates=1, rtol=1e-4, snapshot_times=times[::3]
        )
        risks["sample"].append(path.risk)
        with computing_in(DOUBLE):
            risks["population"].append([float(state.risk(population.points)) for state in path.snapshots])
    for measured_on, values in risks.items():
        predicted = law.at(math.inf, sample_size=n, measured_on=measured_on)
        std = np.std(values, axis=0, ddof=1)[1:]
        np.testing.assert_allclose(predicted.std[3::3], std, rtol=4 / math.sqrt(120))


def test_widths_and_step_sizes_meet_their_tolerance_and_no_more(rough_law):
    law = rough_law
    width = law.width_for(0.02, 0.9)
    assert law.gap_quantile(0.9, width) <= 0.02 < law.gap_quantile(0.9, width - 1)
    step_size = law.step_size_for(0.02, 0.9, 2 * width, 4)
    assert (
        law.gap_quantile(0.9, 2 * width, step_size, 4) <= 0.02 < law.gap_quantile(0.9, 2 * width, 1.01 * step_size, 4)
    )
    with pytest.raises(im.NumericalError, match="no width brings the sup-gap within"):
        law.width_for(1e-4, 0.9, 0.1, 1)
    with pytest.raises(im.NumericalError, match="the width alone contributes"):
        law.step_size_for(1e-4, 0.9, 64, 1)


def test_parts_add_up_and_bands_hold_their_share(rough_law):
    law = rough_law
    network = law.at((300, 600), 0.05, 8)
    sources = law.sources((300, 600), 0.05, 8)
    np.testing.assert_allclose(sum(sources.values()), network.std**2)
    np.testing.assert_allclose(network.mean, law.path.risk + sum(network.shifts.values()))
    lower, upper = law.band(0.95, (300, 600), 0.05, 8)
    np.testing.assert_allclose((upper - lower) / 2, 1.959964 * network.std)
    np.testing.assert_allclose(network.source_std("encoder") ** 2, sources["encoder"])
    np.testing.assert_allclose(law.covariance(300)[2, 2], law.std(300)[2] ** 2)


def test_small_networks_are_warned_of(rough_law):
    law = rough_law
    assert law.at(100_000).warning is None
    text = law.at(4).warning
    assert text is not None and "Take a wider network" in text
    assert f"The bias is {law.at(4).shift_ratio:#.2g} standard deviations (root mean square" in text
    assert law.at(4).shift_ratio > law.at(100_000).shift_ratio


def test_where_noise_of_batches_is_part_of_the_limit_no_other_batches_are_asked_for(rough_law):
    """As with Adam, whose mean shift isn't known either."""
    law = replace(rough_law, only_batches=(4,))
    assert law.at(100_000, 0.01, 4).unknown_shifts == ("batches", "steps") and law.at(100).unknown_shifts == ()
    assert "by batches and the step size isn't known for this optimizer" in law.at(100_000, 0.01, 4).warning
    with pytest.raises(im.ArgumentError, match="'batch_size' must be 4, that of the problem's optimizer"):
        law.at(100, 0.01, 8)
    with pytest.raises(im.ArgumentError, match="'sampling' must be 'with_replacement'"):
        law.at(100, 0.01, 4, sampling="without_replacement")


def test_a_law_from_a_file_has_no_influence_of_other_neurons(problem, rough_law):
    neurons = problem.draw(jax.random.key(0), (4, 4), DOUBLE)
    with pytest.raises(im.ArgumentError, match="'law' must be computed in this session"):
        replace(rough_law, linearised=None).influence_of(neurons)


def test_the_influence_of_particles_is_that_of_the_law(rough_law):
    """In the coordinates of the data, and with their mean taken off."""
    encoder, decoder = rough_law.influence_of(rough_law.influence.neurons)
    np.testing.assert_allclose(encoder, rough_law.influence.encoder, atol=1e-9)
    np.testing.assert_allclose(decoder, rough_law.influence.decoder, atol=1e-9)


@pytest.mark.slow
def test_single_precision_agrees(problem, times, law):
    single = im.predict_finite_width(problem, times, path=law.path, particles=512)
    for name, noise in single.noises.items():
        other = law.noises[name]
        np.testing.assert_allclose(noise.kernel, other.kernel, atol=1e-5 * np.abs(other.kernel).max())
        np.testing.assert_allclose(noise.curvatures, other.curvatures, atol=0.02 * np.abs(other.curvatures).max())


def test_progress_counts_up(told_law):
    _, seen = told_law
    assert [done for done, _ in seen] == list(range(1, len(seen) + 1)) and seen[-1][0] == seen[-1][1]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda law: law.at(0), "'width' must be an integer of at least 1"),
        (lambda law: law.at((1, 2, 3)), "'width' must be one width or a pair"),
        (lambda law: law.at(10, -1.0), "'step_size' must be a finite number at least 0"),
        (lambda law: law.at(10, 0.0, 4), "'batch_size' must be None at step size 0"),
        (lambda law: law.at(10, 0.1, 64, sampling="without_replacement"), "at most the number of points 32"),
        (lambda law: law.at(10, 0.1, 1, sampling="one_pass"), "end when all points have been used, at t = 3.2"),
        (lambda law: law.at(10, 0.1, 1, sampling="twice"), "'sampling' must be one of"),
        (lambda law: law.at(10, sample_size=10, measured_on="moon"), "'measured_on' must be one of"),
        (lambda law: law.gap_quantile(1.0, 10), "'confidence' must be a finite number"),
        (lambda law: law.at(10).source_std("moon"), "'source' must be one of"),
    ],
)
def test_arguments_are_checked(rough_law, call, message):
    with pytest.raises((im.ArgumentError, im.ArgumentTypeError)) as caught:
        call(rough_law)
    assert message in str(caught.value)


def test_what_can_not_be_linearised_is_refused(problem, rough_law, times):
    with pytest.raises(im.ArgumentError, match="'path' must be a MeanFieldPath at the same times"):
        im.predict_finite_width(problem, times[1:], path=rough_law.path)
    with pytest.raises(im.ArgumentError, match="'curvature_particles' must be a power of 2"):
        im.predict_finite_width(problem, times, curvature_particles=100)
