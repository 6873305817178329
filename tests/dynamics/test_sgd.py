import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from linear import Example

import isthmus as im
from isthmus._precision import computing_in
from isthmus.dynamics.batches import Batches
from isthmus.dynamics.closures import moment_flow
from isthmus.dynamics.sgd import run_keys
from isthmus.dynamics.step_plan import LONGEST_CHUNK, plan_steps

SINGLE, DOUBLE = np.dtype(np.float32), np.dtype(np.float64)
STANDARD_ERRORS = 5


@pytest.fixture(scope="module")
def digits():
    data = im.load_data("digits", max_points=64)
    return im.Problem(data, im.aligned_law(data, 2))


@pytest.fixture(scope="module")
def weighted():
    data = im.load_data("digits", max_points=16)
    heavy = im.Data(data.points, np.arange(1.0, 17.0), center=True)
    return im.Problem(heavy, im.aligned_law(heavy, 2))


def exact_flow(problem, width, run, seed, times):
    """Return the exact gradient flow of the initial network of a run of a linear problem."""
    start = problem.draw(run_keys(seed, run)[0], (width, width), DOUBLE)
    with computing_in(DOUBLE):
        moments = [np.asarray(side.second_moments()) for side in (start.encoder, start.decoder)]
    points = problem.population.points
    return moment_flow(*moments, points.T @ points / len(points), np.asarray(times), 1e-10)


def test_gradient_flow_is_the_exact_one_of_each_network():
    problem = Example.problem()
    flows = im.gradient_flow(problem, Example.times, 16, runs=3, seed=4, dtype="float64", rtol=1e-9)
    exact = [exact_flow(problem, 16, run, 4, Example.times) for run in range(3)]
    np.testing.assert_allclose(flows.risk, exact, rtol=1e-6)


def test_sgd_at_small_steps_follows_the_exact_flow_within_standard_errors():
    problem, times, step_size = Example.problem(), [0.0, 0.1, 0.2, 0.4], 5e-4
    exact = np.array([exact_flow(problem, 64, run, 0, times) for run in range(32)])

    def difference(step_size):
        runs = im.train(problem, times, 64, step_size, batch_size=4, runs=32, dtype="float64")
        return runs.risk - exact

    fine, coarse = difference(step_size), difference(4 * step_size)
    mean, error = fine.mean(0), fine.std(0, ddof=1) / np.sqrt(32) + 1e-12
    # The drift of first order in the step size, from the difference of the two sizes, is no part of the noise.
    drift = (coarse.mean(0) - mean) / 3
    assert np.all(np.abs(mean - drift) < STANDARD_ERRORS * 2 * error)
    assert fine.std(0)[1:].max() < 0.05


@pytest.mark.slow
def test_the_effect_of_steps_falls_with_their_size(digits):
    times = [0.0, 8.0, 16.0]
    flow = im.gradient_flow(digits, times, 32, runs=24, rtol=1e-5).risk
    gaps = []
    for step_size in (0.32, 0.08, 0.02):
        runs = im.train(digits, times, 32, step_size, batch_size=4, runs=24)
        np.testing.assert_allclose(runs.risk[:, 0], flow[:, 0], rtol=1e-5)
        gaps.append(np.abs(runs.risk - flow).max(1).mean())
    slope = np.polyfit(np.log([0.32, 0.08, 0.02]), np.log(gaps), 1)[0]
    assert 0.35 < slope < 1.1  # between gradient noise, 1/2, and the drift of the steps, 1


def test_a_full_batch_without_replacement_is_gradient_descent(weighted, double):
    times, step_size = np.array([0.0, 0.5, 1.0]), 0.25
    runs = im.train(
        weighted, times, (6, 4), step_size, batch_size=16, sampling="without_replacement", runs=2, dtype="float64"
    )
    points, weights = jnp.asarray(weighted.population.points), jnp.asarray(weighted.population.weights)
    risk_and_slope = jax.jit(jax.value_and_grad(lambda network: network.risk(points, weights)))
    for run in range(2):
        network = jax.tree.map(jnp.asarray, weighted.draw(run_keys(0, run)[0], (6, 4), DOUBLE))
        risks = [risk_and_slope(network)[0]]
        for _ in range(2):
            for _ in range(2):
                _, slope = risk_and_slope(network)
                step = lambda p, g, n: p - step_size * n * g
                network = im.Autoencoder(
                    im.NeuronMeasure(
                        network.encoder.masses,
                        *(
                            step(getattr(network.encoder, k), getattr(slope.encoder, k), 6)
                            for k in ("outgoing", "incoming", "bias")
                        ),
                    ),
                    im.NeuronMeasure(
                        network.decoder.masses,
                        *(
                            step(getattr(network.decoder, k), getattr(slope.decoder, k), 4)
                            for k in ("outgoing", "incoming", "bias")
                        ),
                    ),
                    network.encoder_activation,
                    network.decoder_activation,
                )
            risks.append(risk_and_slope(network)[0])
        np.testing.assert_allclose(runs.risk[run], risks, rtol=1e-10)
        np.testing.assert_allclose(runs.encoder.incoming[run], network.encoder.incoming, rtol=1e-8)


@pytest.mark.parametrize("sampling", ["with_replacement", "without_replacement"])
def test_a_batch_estimates_the_velocity_without_bias(weighted, sampling, double):
    batches = Batches.of(weighted, 3, sampling, DOUBLE)
    network = jax.tree.map(jnp.asarray, weighted.draw(jax.random.key(0), (5, 5), DOUBLE))

    def velocity(key):
        drawn = batches.draws(key, jnp.asarray(0, np.int32), 4)
        points, weights, _ = batches.batch(key, jnp.asarray(0, np.int32), drawn[0], batches.first_order())
        return network.velocity(points, weights).encoder.incoming

    samples = np.asarray(jax.lax.map(jax.jit(velocity), jax.random.split(jax.random.key(1), 20_000)))
    of_all = jax.jit(lambda network: network.velocity(weighted.population.points, weighted.population.weights))
    exact = of_all(network).encoder.incoming
    errors = samples.std(0) / np.sqrt(len(samples)) + 1e-15
    assert np.abs((samples.mean(0) - exact) / errors).max() < STANDARD_ERRORS


@pytest.mark.parametrize("size", [3, 512])
@pytest.mark.parametrize("law", ["digits", "weighted"])
def test_steps_have_the_same_draws_however_many_are_drawn(law, size, request):
    problem = request.getfixturevalue(law)
    batches, key = Batches.of(problem, size, "with_replacement", SINGLE), jax.random.key(7)
    plan = plan_steps(problem, np.array([0.5, 1.0, 3.0, 90.0]), 0.1).in_precision(SINGLE)
    whole = [np.asarray(batches.draws(key, first, LONGEST_CHUNK)) for first in plan.first]
    assert all(len(np.unique(draws)) == problem.population.size for draws in whole)
    (short, _), (long, _), *more = plan.groups(np.array([2]), size)
    assert [group.counts.tolist()[:3] for group in (short, long)] == [[5, 5, 20], [256, 256, 256]]
    drawn = np.concatenate(
        [batches.draws_of(key, group)[group.counts > 0] for group in (short, long, *(g.plan for g in more))]
    )
    assert not drawn[:3, 32:].any()  # three short chunks cost no 256 steps
    for draws, expected, count in zip(drawn, whole, plan.counts, strict=True):
        np.testing.assert_array_equal(draws[:count], expected[:count])
    if law == "digits":
        plain = jax.random.randint(jax.random.fold_in(key, plan.first[4]), (LONGEST_CHUNK, size), 0, 64, np.int32)
        np.testing.assert_array_equal(whole[4], plain)


@pytest.mark.parametrize("size", [1, 256, 512, 5000])
def test_groups_are_the_plan_with_no_more_draws_than_fit(digits, size):
    plan = plan_steps(digits, np.arange(1.0, 41.0), 0.5)
    groups = plan.groups(np.array([3]), size)
    for field in plan._fields:
        joined = np.concatenate([getattr(group.plan, field)[group.plan.counts > 0] for group in groups])
        np.testing.assert_array_equal(joined, getattr(plan, field))
    lengths = {len(group.plan.counts) for group in groups}
    assert lengths == {{1: 16, 256: 16, 512: 8, 5000: 1}[size]}
    assert sum(int((group.plan.record >= 0).sum()) for group in groups) == 40
    assert [group.plan.record.max() for group in groups if group.is_kept] == [3]


@pytest.mark.slow
def test_without_replacement_each_point_comes_once_an_epoch(digits):
    batches = Batches.of(digits, 5, "without_replacement", np.dtype(np.float32))
    order, key, seen = batches.first_order(), jax.random.key(3), []
    for step in range(24):
        points, _, order = batches.batch(key, jnp.asarray(step, np.int32), jnp.zeros(5, np.int32), order)
        seen.append([int(jnp.abs(batches.points - point[None]).sum(1).argmin()) for point in points])
    first, second = ([point for batch in seen[i : i + 12] for point in batch] for i in (0, 12))
    assert len(set(first)) == len(set(second)) == 60
    assert first != second


def test_times_are_met_exactly():
    plan = plan_steps(Example.problem(), np.array([0.0, 0.3, 0.9, 30.0]), 0.1)
    assert plan.number_of_steps == 300
    assert plan.counts.tolist() == [0, 3, 6, LONGEST_CHUNK, 291 - LONGEST_CHUNK]
    assert plan.record.tolist() == [0, 1, 2, -1, 3]
    with pytest.raises(im.ArgumentError, match=r"multiples of the step size 0.1, but it is 0.25; .* 0.2 and 0.3"):
        plan_steps(Example.problem(), np.array([0.25]), 0.1)


def test_steps_of_a_schedule_land_on_the_recorded_times():
    times = np.array([0.0, 1.0, 2.5])
    plan = plan_steps(Example.problem(), times, lambda t: 0.3 / (1 + t))
    sizes = [plan.encoder_steps[i, : plan.counts[i]] for i in range(len(plan.counts))]
    ends = np.cumsum([part.sum() for part in sizes])
    np.testing.assert_allclose(ends[plan.record >= 0], times, atol=1e-12)
    assert sizes[1][0] == 0.3 and sizes[1][1] == pytest.approx(0.3 / 1.3)


def test_a_rate_in_time_scales_the_steps():
    problem = Example.problem(encoder_rate=optax.exponential_decay(1.0, 1.0, 0.5), decoder_rate=0.0)
    plan = plan_steps(problem, np.array([2.0]), 0.5)
    np.testing.assert_allclose(plan.encoder_steps[0, :4], 0.5 * 0.5 ** np.arange(0, 2, 0.5), rtol=1e-6)
    assert not plan.decoder_steps.any()


@pytest.mark.slow
def test_one_pass_from_a_stream_measures_the_population_risk():
    stream = im.manifold_stream(dim=5, seed=2)
    law = im.aligned_law(im.Data(stream.draw(4096, seed=0).points, center=True), 1)
    problem = im.Problem(stream, law, population_points=512)
    runs = im.train(problem, [0.0, 4.0, 8.0], 256, 0.05, batch_size=8, runs=4)
    limit = im.solve_mean_field(problem, [0.0, 4.0, 8.0], particles=256)
    assert np.abs(runs.risk - limit.risk).max() < 0.05
    last = runs.at(8.0, run=2)
    assert float(last.risk(problem.population.points)) == pytest.approx(runs.risk[2, -1], rel=1e-4)


def test_runs_repeat_and_do_not_depend_on_their_company(digits):
    train = lambda **options: im.train(digits, [0.0, 2.0], 24, 0.1, batch_size=2, **options).risk
    reference = train(runs=6, seed=5, workers=3)
    np.testing.assert_array_equal(train(runs=6, seed=5, workers=1), reference)
    np.testing.assert_array_equal(train(runs=2, seed=5), reference[:2])
    assert len(np.unique(reference)) == 12
    assert np.abs(train(runs=6, seed=6) - reference).min() > 0


def test_precision_changes_rounding_only(digits):
    single, double = (im.train(digits, [0.0, 4.0], 32, 0.1, runs=3, dtype=d).risk for d in ("float32", "float64"))
    np.testing.assert_allclose(single, double, rtol=2e-5)


def test_widths_may_differ_and_networks_are_kept(digits):
    runs = im.train(digits, [0.0, 1.0, 2.0], (8, 12), 0.5, runs=2, snapshot_times=[0.0, 2.0])
    assert runs.width == (8, 12)
    assert runs.encoder.outgoing.shape == (2, 8, 2) and runs.decoder.outgoing.shape == (2, 12, 64)
    for time, column in ((0.0, 0), (2.0, 2)):
        risk = float(runs.at(time, run=1).risk(digits.population.points))
        assert risk == pytest.approx(runs.risk[1, column], rel=1e-5)
    nothing = im.train(digits, [1.0], 8, 0.5, snapshot_times=())
    assert nothing.snapshots is None
    with pytest.raises(im.ArgumentError, match="no network was kept"):
        nothing.at(1.0)


def test_a_diverging_run_is_named_with_a_remedy(digits):
    result = im.train(digits, [0.0, 500.0], 8, 100.0, runs=2, throw=False)
    assert not result.status.ok and np.all(result.diverged_at == 500.0)
    with pytest.raises(im.NumericalError, match=r"the step size 100 made run 0 diverge at t = 500 .* try at most 25"):
        im.train(digits, [0.0, 500.0], 8, 100.0, runs=2)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"width": 0}, "'width' must be an integer of at least 1, but it is 0"),
        ({"width": (4, 5, 6)}, "'width' must be one width or a pair"),
        ({"step_size": -0.1}, "'step_size' must be a finite number above 0"),
        ({"step_size": 1e-12}, "'step_size' must reach the horizon within 100,000,000 steps"),
        ({"batch_size": 0}, "'batch_size' must be an integer of at least 1"),
        ({"batch_size": 65, "sampling": "without_replacement"}, "at most the number of points 64"),
        ({"sampling": "one_pass", "batch_size": 7}, "'sampling' must use each of the 64 points at most once"),
        ({"sampling": "twice"}, "'sampling' must be one of"),
        ({"runs": 0}, "'runs' must be an integer of at least 1"),
        ({"times": [0.0, 0.25]}, "'times' must be multiples of the step size"),
        ({"dtype": int}, "'dtype' must be one of 'float32', 'float64'"),
    ],
)
def test_arguments_are_checked(digits, arguments, message):
    with pytest.raises(im.IsthmusError, match=message):
        im.train(digits, **({"times": [0.0, 1.0], "width": 4, "step_size": 0.1} | arguments))


def test_a_stream_has_only_one_pass():
    stream = im.gaussian_stream([1.0, 0.5])
    law = im.aligned_law(im.Data(stream.draw(64, seed=0).points, center=True), 1)
    with pytest.raises(im.ArgumentError, match="'sampling' must be 'one_pass' for a stream"):
        im.train(im.Problem(stream, law), [1.0], 4, 0.5, sampling="with_replacement")
