"""Weight decay, temperature, momentum and Adam: flow, steps, exact systems and limits of width."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from linear import Example

import isthmus as im
from isthmus._precision import computing_in
from isthmus.dynamics.field import VectorField

DOUBLE = np.dtype(np.float64)
STANDARD_ERRORS = 5


def close(problem, **options):
    """Return the risk of the particle solver, its error, and that of the closed system."""
    path = im.solve_mean_field(problem, Example.times, particles=256, replicates=2, **options)
    return path.risk, path.risk_error, im.linear_closure(problem, Example.times)


@pytest.fixture(scope="module")
def wine():
    data = im.load_data("wine", max_points=24)
    return im.Problem(data, im.aligned_law(data, 1, bias_scale=0.3))


@pytest.mark.parametrize(
    "changes",
    [
        {"weight_decay": (0.7, 0.3)},
        {"optimizer": im.Momentum(0.2)},
        {"optimizer": im.Momentum(0.1), "weight_decay": 0.5, "encoder_rate": lambda t: 1 / (1 + t)},
    ],
    ids=["decay", "momentum", "both, with a rate"],
)
def test_the_flow_is_that_of_the_closed_system(changes):
    risk, _, exact = close(Example.problem(**changes))
    plain = im.linear_closure(Example.problem(), Example.times)
    assert np.abs(exact - plain).max() > 0.02  # it matters
    np.testing.assert_allclose(risk, exact, atol=2e-5)


@pytest.mark.slow
def test_noise_agrees_with_the_closed_system_within_its_error():
    problem = Example.problem(temperature=0.3, weight_decay=0.2, decoder_rate=0.5)
    path = im.solve_mean_field(problem, Example.times, particles=2048, replicates=6)
    exact = im.linear_closure(problem, Example.times)
    assert np.abs(exact - im.linear_closure(dataclasses.replace(problem, temperature=0.0), Example.times)).max() > 0.02
    spread = path.replicate_risk.std(axis=0, ddof=1) / np.sqrt(6)
    assert np.all(np.abs(path.risk - exact) <= STANDARD_ERRORS * spread + path.errors["time_steps"] + 1e-9)
    assert path.errors["time_steps"].max() < 1e-3


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::isthmus.TrivialLimitWarning")
@pytest.mark.parametrize("train_biases", [True, False])
def test_noisy_steps_make_an_ornstein_uhlenbeck_process_of_what_is_trained(train_biases):
    """Where data pull at nothing, variances are known: σ² e^{−2λt} + (τ/λ)(1 − e^{−2λt}), λ and τ times the rate."""
    data = im.Data(1e-9 * np.array([[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0], [0.0, -1.0]]))
    neurons = im.GaussianNeurons(1, 2), im.GaussianNeurons(2, 1)
    problem = im.Problem(
        data,
        im.Law(*neurons),
        weight_decay=(0.5, 0.25),
        temperature=0.3,
        encoder_rate=2.0,
        train_biases=train_biases,
    )
    runs = im.train(problem, [1.5], (20_000, 20_000), 0.005, dtype="float64")
    flow = im.gradient_flow(problem, [1.5], (20_000, 20_000), dtype="float64", rtol=0.1, max_steps=128)
    for network in (runs.at(1.5), flow.at(1.5)):
        for measure, decay, rate in ((network.encoder, 0.5, 2.0), (network.decoder, 0.25, 1.0)):
            left = np.exp(-2 * decay * rate * 1.5)
            expected = left + 0.3 / decay * (1 - left)
            for part in (measure.outgoing, measure.incoming):
                assert np.var(part) == pytest.approx(expected, rel=STANDARD_ERRORS * np.sqrt(2 / 20_000) + 0.003)
            wanted = expected if train_biases else 1.0
            assert np.var(measure.bias) == pytest.approx(wanted, rel=STANDARD_ERRORS * np.sqrt(2 / 20_000) + 0.003)


def full_batch_network(problem, optimizer, step_size, steps, width=8):
    """Return the network after steps of an optax optimizer on N ∂(objective)/∂θ, from the start of run 0."""
    from isthmus.dynamics.sgd import run_keys

    with computing_in(DOUBLE), jax.numpy_dtype_promotion("standard"):  # optax raises β to an integer
        network = jax.tree.map(jnp.asarray, problem.draw(run_keys(0, 0)[0], (width, width), DOUBLE))
        field = VectorField.of(problem.population, problem.motion, DOUBLE)
        parts = lambda side: (side.outgoing, side.incoming, side.bias)
        trained = lambda net: (*parts(net.encoder), *parts(net.decoder))

        def objective(parameters):
            import equinox as eqx

            return field.objective(eqx.tree_at(trained, network, parameters))

        @jax.jit
        def step(parameters, state):
            gradient = jax.tree.map(lambda g: width * g, jax.grad(objective)(parameters))
            updates, state = optimizer.update(gradient, state, parameters)
            return optax.apply_updates(parameters, updates), state

        parameters = trained(network)
        state = optimizer.init(parameters)
        for _ in range(steps):
            parameters, state = step(parameters, state)
        return float(objective(parameters))


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (im.Momentum(0.5), optax.sgd(0.02, momentum=0.9)),  # lr = ε(1 − β), β = 1 − ε/τ with ε = 0.05… of τ = 0.5
        (im.Adam(0.5, 2.0, epsilon=1e-3), optax.adam(0.05, b1=0.9, b2=0.975, eps=1e-3)),
    ],
    ids=["momentum", "adam"],
)
def test_steps_are_those_of_the_familiar_optimizers_on_gradients_times_width(wine, ours, theirs):
    """An independent route: optax on N times the gradient by automatic differentiation."""
    problem = dataclasses.replace(wine, optimizer=ours, weight_decay=(0.01, 0.02))
    step_size = 0.05
    if isinstance(ours, im.Momentum):
        theirs = optax.sgd(step_size * (step_size / ours.memory), momentum=1 - step_size / ours.memory)
    runs = im.train(
        problem, [1.0], 8, step_size, batch_size=24, sampling="without_replacement", dtype="float64", workers=1
    )
    network = runs.at(1.0)
    assert problem.objective(network) == pytest.approx(full_batch_network(problem, theirs, step_size, 20), rel=1e-10)


@pytest.mark.slow
def test_the_second_moment_is_that_of_single_points(wine, double):
    problem = dataclasses.replace(wine, weight_decay=(0.3, 0.1))
    network = problem.draw(jax.random.key(1), (5, 7), DOUBLE)
    points = jnp.asarray(problem.population.points)
    weights = jnp.asarray(np.arange(1.0, 25) / np.arange(1.0, 25).sum())
    field = VectorField(points, weights, problem.motion)
    single = [field.velocity_at_rates(network, (1.0, 1.0), jnp.eye(24)[i]) for i in range(24)]
    brute = jax.tree.map(lambda *leaves: sum(w * v**2 for w, v in zip(weights, leaves, strict=True)), *single)
    ours = field.second_moment(network)
    for one, other in zip(jax.tree.leaves(ours), jax.tree.leaves(brute), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-10, atol=1e-14)


@pytest.mark.slow
def test_small_steps_of_adam_go_to_its_flow_with_an_error_of_first_order(wine):
    problem = dataclasses.replace(wine, optimizer=im.Adam(0.5, 1.0, epsilon=0.1))
    times = np.array([0.0, 0.5, 1.0, 2.0])
    flow = im.gradient_flow(problem, times, 16, dtype="float64", workers=1, rtol=1e-8).risk
    errors = []
    for size in (0.02, 0.01):
        steps = im.train(
            problem, times, 16, size, batch_size=24, sampling="without_replacement", dtype="float64", workers=1
        )
        errors.append(np.abs(steps.risk - flow).max())
    assert errors[0] < 0.03
    assert 1.7 < errors[0] / errors[1] < 2.3


@pytest.fixture(scope="module")
def noisy_adam(wine):
    problem = dataclasses.replace(wine, optimizer=im.Adam(1.0, 2.0, epsilon=0.01, batch_size=2))
    times = np.array([0.0, 0.5, 1.0, 2.0])
    return problem, times, im.solve_mean_field(problem, times, particles=512, replicates=2)


@pytest.mark.slow
def test_the_noise_of_batches_enters_the_limit_of_adam(noisy_adam):
    """Twice the limit at half a step less the one at a whole step, at large width, is the limit within noise."""
    problem, times, path = noisy_adam
    calm = dataclasses.replace(problem, optimizer=dataclasses.replace(problem.optimizer, batch_size=None))
    without = im.solve_mean_field(calm, times, particles=512, replicates=2)
    means, errors = [], []
    for size in (0.02, 0.01):
        runs = im.train(problem, times, 1024, size, batch_size=2, runs=8, seed=5)
        means.append(runs.risk.mean(axis=0))
        errors.append(runs.risk.std(axis=0, ddof=1) / np.sqrt(8))
    extrapolated = 2 * means[1] - means[0]
    error = np.hypot(2 * errors[1], errors[0])
    assert np.all(np.abs(extrapolated - path.risk) <= STANDARD_ERRORS * error + path.risk_error + 1e-3)
    assert np.abs(path.risk - without.risk).max() > 20 * error.max()  # and it matters


@pytest.mark.slow
@pytest.mark.parametrize("optimizer", [im.Momentum(0.5), im.Adam(0.5, 1.0, epsilon=0.1)], ids=["momentum", "adam"])
def test_width_4n_lies_on_width_n_as_the_limit_predicts(wine, optimizer):
    """Mean risks at N and 4N differ from the limit as 1/N: their extrapolation is the limit, within standard errors."""
    problem = dataclasses.replace(wine, optimizer=optimizer)
    times = np.array([0.0, 0.5, 1.0, 2.0])
    path = im.solve_mean_field(problem, times, particles=512, replicates=2)
    flows = [im.gradient_flow(problem, times, width, runs=48, seed=2) for width in (64, 256)]
    means = [flow.risk.mean(axis=0) for flow in flows]
    errors = [flow.risk.std(axis=0, ddof=1) / np.sqrt(48) for flow in flows]
    extrapolated = (4 * means[1] - means[0]) / 3
    error = np.hypot(4 * errors[1], errors[0]) / 3
    assert np.all(np.abs(extrapolated - path.risk) <= STANDARD_ERRORS * error + path.risk_error)
    spread = [flow.risk.std(axis=0, ddof=1)[1:].mean() for flow in flows]
    assert 1.5 < spread[0] / spread[1] < 2.7  # fluctuations as N^(−1/2)


@pytest.mark.slow
def test_weight_decay_is_predicted_at_every_width(wine):
    problem = dataclasses.replace(wine, weight_decay=0.1)
    times = np.array([0.0, 1.0, 3.0])
    law = im.predict_finite_width(problem, times, particles=128, curvature_particles=64, samples=8)
    flows = im.gradient_flow(problem, times, 256, runs=64, seed=4)
    predicted = law.at(256)
    errors = predicted.std / np.sqrt(64)
    assert np.all(np.abs(flows.risk.mean(axis=0) - predicted.mean)[1:] <= STANDARD_ERRORS * errors[1:])
    np.testing.assert_allclose(
        flows.risk.std(axis=0, ddof=1)[1:], predicted.std[1:], rtol=STANDARD_ERRORS / np.sqrt(126)
    )
    plain = im.predict_finite_width(wine, times, particles=128, curvature_particles=64, samples=8).at(256)
    assert np.abs(plain.mean - predicted.mean).max() > 10 * errors.max()


@pytest.mark.slow
def test_little_memory_knows_weight_decay(wine):
    problem = dataclasses.replace(wine, weight_decay=(0.2, 0.4))
    paths = [
        im.solve_mean_field(problem, [0.0, 2.0], particles=64, replicates=1, integrator=name)
        for name in ("adaptive", "low_memory")
    ]
    np.testing.assert_allclose(paths[0].risk, paths[1].risk, rtol=1e-5)


def test_components_outside_the_span_of_the_data_decay_too():
    data = im.load_data("digits", max_points=8)
    problem = im.Problem(data, im.aligned_law(data, 1), weight_decay=(0.5, 0.0))
    path = im.solve_mean_field(problem, [0.0, 1.0], particles=128, replicates=1, snapshot_times=[0.0, 1.0])
    outside = np.eye(64) - data.span @ data.span.T
    before, after = (np.asarray(path.at(t).encoder.incoming) @ outside for t in (0.0, 1.0))
    np.testing.assert_allclose(after, np.exp(-0.5) * before, atol=1e-6)


def test_what_has_no_limit_here_is_refused(wine):
    adam = dataclasses.replace(wine, optimizer=im.Adam(batch_size=4))
    with pytest.raises(im.ArgumentError, match="'batch_size' must be 4, that of the problem's optimizer"):
        im.train(adam, [1.0], 8, 0.1, batch_size=2)
    with pytest.raises(im.ArgumentError, match="'sampling' must be with replacement"):
        im.train(adam, [1.0], 8, 0.1, batch_size=4, sampling="without_replacement")
    with pytest.raises(im.ArgumentError, match="'optimizer' must have a batch size"):
        im.train(dataclasses.replace(wine, optimizer=im.Adam()), [1.0], 8, 0.1, batch_size=4)
    with pytest.raises(im.ArgumentError, match="'step_size' must be at most the optimizer's memory 0.05"):
        im.train(dataclasses.replace(wine, optimizer=im.Momentum(0.05)), [1.0], 8, 0.1)
    with pytest.raises(im.ArgumentError, match="'temperature' must be 0 with an optimizer"):
        dataclasses.replace(wine, optimizer=im.Momentum(0.5), temperature=0.1)
    hot = dataclasses.replace(wine, temperature=0.1)
    with pytest.raises(im.ArgumentError, match="gradient descent without noise"):
        im.couple(hot, [0.0, 1.0], 8)
    with pytest.raises(im.ArgumentError, match="gradient descent without noise for integrator"):
        im.solve_mean_field(adam, [1.0], integrator="low_memory")
    with pytest.raises(im.ArgumentError, match="'optimizer' must be GradientDescent or Momentum"):
        im.linear_closure(Example.problem(optimizer=im.Adam()), [0.0, 1.0])
    for bad in (-1.0, (0.1, 0.2, 0.3), (0.1, -0.2)):
        with pytest.raises(im.ArgumentError, match="'weight_decay' must"):
            dataclasses.replace(wine, weight_decay=bad)


@pytest.mark.slow
def test_it_works_in_single_precision(wine):
    problem = dataclasses.replace(wine, optimizer=im.Adam(0.5, 1.0, epsilon=0.1, batch_size=2), weight_decay=0.1)
    single, double = (
        im.gradient_flow(problem, [0.0, 0.5, 1.0], 32, dtype=dtype).risk for dtype in ("float32", "float64")
    )
    np.testing.assert_allclose(single, double, rtol=2e-3)


def test_the_objective_falls_as_the_energy_identity_says(wine):
    problem = dataclasses.replace(wine, weight_decay=(0.2, 0.4))
    times = np.array([0.0, 0.495, 0.5, 0.505])
    path = im.solve_mean_field(problem, times, particles=64, replicates=1, snapshot_times=times, rtol=1e-9)
    before, middle, after = (path.at(t) for t in times[1:])
    slope = (problem.objective(after) - problem.objective(before)) / 0.01
    with computing_in(DOUBLE):
        field = VectorField.of(problem.population, problem.motion, DOUBLE)
        dissipated = jax.jit(VectorField.dissipation)(field, middle)
    assert slope == pytest.approx(-float(dissipated), rel=1e-4)
