"""The law of latents, reconstructions and risks elsewhere: against the law of the risk, tilts, and drawn networks."""

import dataclasses

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import isthmus as im
from isthmus._precision import computing_in
from isthmus.dynamics.field import VectorField
from isthmus.theory.leading_order import Settings, particles_of
from isthmus.theory.linearisation import linearised
from isthmus.theory.observed import Observed
from isthmus.theory.observed_law import _function
from isthmus.theory.trajectory import Trajectory, step

DOUBLE = np.dtype(np.float64)
TIMES = np.array([0.0, 0.5, 1.5])
MOVE = jax.jit(step)


@pytest.fixture(scope="module")
def problem():
    random = np.random.default_rng(0)
    points = random.standard_normal((12, 2)) @ random.standard_normal((2, 3)) + 0.3 * random.standard_normal((12, 3))
    data = im.Data(points, center=True)
    return im.Problem(data, im.aligned_law(data, 1), decoder_rate=0.7)


@pytest.fixture(scope="module")
def law(problem):
    return im.predict_finite_width(problem, TIMES, particles=16, curvature_particles=8, samples=2, dtype="float64")


@pytest.fixture(scope="module")
def latents(problem, law):
    return law.of("latents", problem.data.points[:2])


def test_of_the_risk_on_its_own_points_it_is_the_law_of_the_risk(problem, law):
    """Here points span all of space, so that both take the same particles."""
    found = law.of("risk", problem.data)
    np.testing.assert_allclose(found.limit, law.path.risk, rtol=1e-5)
    assert np.all(np.abs(found.limit - law.path.risk) <= 2 * (found.limit_error + law.path.risk_error))
    assert found.limit_error.max() < 1e-3
    for name in ("encoder", "decoder", "batches", "steps", "shuffled", "sample"):
        ours, theirs = found.sources.noises[name], law.noises[name]
        np.testing.assert_allclose(ours.kernel, theirs.kernel, rtol=1e-9, atol=1e-15)
        np.testing.assert_allclose(ours.curvatures, theirs.curvatures, rtol=1e-6, atol=1e-12)
    ours, theirs = (one.at((64, 32), 0.1, 4, sampling="without_replacement") for one in (found, law))
    np.testing.assert_allclose(ours.std, theirs.std, rtol=1e-9)
    np.testing.assert_allclose(ours.shift, theirs.shift, rtol=1e-6)


def test_the_influence_on_latents_is_that_of_finite_differences(problem):
    """Every value at every time, by a mass of either side a little changed."""
    settings = Settings(8, 8, 2, 0, 1e-3, 1000, DOUBLE)
    start, points = particles_of(problem, settings, in_span=False), np.array([[0.3, -1.0, 2.0], [1.0, 0.0, 0.0]])
    assert start.frame is not None
    at = points @ start.frame.basis
    values = lambda field, network, weights, at: jnp.ravel(network.encode(at))
    path = Trajectory(start.network, VectorField.of(start.population, problem.motion, DOUBLE), TIMES, 1e-3, 1000)
    found = linearised(path, 0, 1, None, observed=Observed(values, 2, at))

    def followed(network):
        state, seen = (network, ()), []
        with computing_in(DOUBLE):
            for node in range(len(path.nodes)):
                if node in path.recorded:
                    seen.append(np.asarray(values(None, state[0], None, at)))
                if node < len(path.nodes) - 1:
                    state = MOVE(path.field, state, path.field.weights, *path.interval(node))
        return np.concatenate(seen)

    h = 1e-5
    for side, influence in (("encoder", found.encoder), ("decoder", found.decoder)):
        pair = []
        for sign in (1, -1):
            masses = np.array(getattr(path.network, side).masses)
            masses[3] += sign * h
            pair.append(
                followed(eqx.tree_at(lambda state, side=side: getattr(state, side).masses, path.network, masses))
            )
        np.testing.assert_allclose(influence[:, 3], (pair[0] - pair[1]) / (2 * h), rtol=1e-6, atol=1e-9)


def test_at_time_0_latents_vary_as_those_of_drawn_networks(problem):
    points = np.array([[0.3, -1.0, 2.0], [1.0, 0.0, 0.0]])
    width = 1 << 14
    with computing_in(DOUBLE):
        drawn = problem.draw(jax.random.key(3), (width, 8), DOUBLE)
        terms = drawn.encoder.outgoing * np.tanh(points @ drawn.encoder.incoming.T + drawn.encoder.bias)[..., None]
    path = im.solve_mean_field(problem, [0.0], particles=8, replicates=1)
    options = {"particles": 256, "curvature_particles": 8, "samples": 2, "dtype": "float64"}
    fine = im.predict_finite_width(problem, [0.0], path=path, **options)
    found = fine.of("latents", points, [0.0]).at(width=1)
    variance = np.var(terms[..., 0], axis=1)
    np.testing.assert_allclose(found.std[0, :, 0], np.sqrt(variance), rtol=0.05)
    assert np.all(np.abs(found.shift[0]) < 1e-9)  # latents are linear in the initial law


def test_names_are_functions(problem):
    points = problem.data.points[:2]
    with computing_in(DOUBLE):
        network = problem.draw(jax.random.key(0), (8, 8), DOUBLE)
        for name, expected in (
            ("latents", network.encode(points)),
            ("reconstructions", network.reconstruct(points)),
            ("risk", network.risk(points)),
        ):
            np.testing.assert_allclose(
                _function(problem, name, points, DOUBLE).of_network(network), expected, rtol=1e-12
            )


def test_another_call_for_the_same_function_compiles_nothing(problem, law, latents):
    """At other points of the same number."""
    compiled = []
    jax.monitoring.register_event_duration_secs_listener(
        lambda event, duration, **_: compiled.append(event) if "backend_compile" in event else None
    )
    other = law.of("latents", 1.5 * problem.data.points[:2])
    assert not compiled and np.abs(other.limit - latents.limit).max() > 0.01
    jax.jit(lambda x: x + 1.2345)(1.0)
    assert compiled


@pytest.mark.slow
def test_a_function_of_ones_own_serves_as_a_name(problem, law, latents):
    points = problem.data.points[:2]
    asked = law.of(lambda network: network.encode(points))
    np.testing.assert_array_equal(asked.limit, latents.limit)
    np.testing.assert_array_equal(asked.at(8, 0.1, 2).covariance, latents.at(8, 0.1, 2).covariance)


def test_values_keep_their_shape(latents):
    assert latents.limit.shape == (1, 2, 1) and latents.times.tolist() == [1.5]
    found = latents.at((8, 16), 0.1, 4, sample_size=50)
    assert found.covariance.shape == (1, 2, 1, 1, 2, 1)
    np.testing.assert_allclose(np.sqrt(found.covariance[0, 1, 0, 0, 1, 0]), found.std[0, 1, 0])
    lower, upper = found.band(0.9)
    assert lower.shape == upper.shape == found.mean.shape == found.shift_error.shape == (1, 2, 1)
    parts = [found.source_std(name) ** 2 for name in ("encoder", "decoder", "batches", "sample")]
    np.testing.assert_allclose(np.sum(parts, axis=0), found.std**2)


@pytest.mark.parametrize(
    ("asked", "complaint"),
    [
        (("latent", [[0.0, 1.0, 2.0]]), "function"),
        (("latents",), "points"),
        (("latents", [[0.0, 1.0]]), "must have the 3 columns"),
        ((lambda network: network.encode(np.ones((1, 3))), [[0.0, 1.0, 2.0]]), "must be left out"),
        ((lambda network: np.asarray(network.encoder.bias),), "jax.numpy"),
        ((lambda network: (network.encoder.bias, 1.0),), "one array"),
        ((lambda network: jnp.argmax(network.encoder.bias),), "real numbers"),
        ((lambda network: jnp.zeros(5000),), "at most 4,096 values"),
        ((lambda network: jnp.log(-jnp.ones(2)),), "function"),
    ],
)
def test_what_cannot_be_observed_is_refused(law, asked, complaint):
    with pytest.raises(im.ArgumentError, match=complaint):
        law.of(*asked)


def test_a_law_from_a_file_has_no_path(law):
    with pytest.raises(im.ArgumentError, match="computed in this session"):
        dataclasses.replace(law, linearised=None).of("risk", [[0.0, 1.0, 2.0]])


@pytest.mark.slow
def test_latents_and_held_out_risks_of_trained_networks_follow_it():
    """300 networks by SGD in R⁶, on points of a curve, seen at points elsewhere."""
    random = np.random.default_rng(0)
    angles = random.uniform(-np.pi, np.pi, (96, 1))
    basis = np.linalg.qr(random.standard_normal((6, 4)))[0]
    curve = np.concatenate([np.cos(angles), np.sin(angles), np.cos(2 * angles), 0.5 * np.sin(2 * angles)], axis=1)
    curve = curve - curve[:64].mean(axis=0)
    data, elsewhere = (
        im.Data(curve[:64] @ basis.T, center=True),
        curve[64:] @ basis.T + 0.05 * random.standard_normal((32, 6)),
    )
    problem = im.Problem(data, im.aligned_law(data, 2))
    times, width, runs, options = [1.0, 6.0], 800, 300, {"step_size": 0.05, "batch_size": 8}
    law = im.predict_finite_width(problem, times, samples=32)
    trained = im.train(problem, times, width, runs=runs, snapshot_times=[6.0], seed=11, **options)
    networks = [trained.at(6.0, run) for run in range(runs)]
    with computing_in(np.dtype(np.float32)):
        points = elsewhere[:5].astype(np.float32)
        seen = {
            "latents": np.array([network.encode(points) for network in networks]),
            "reconstructions": np.array([network.reconstruct(points) for network in networks]),
        }
        risks = np.array([network.risk(elsewhere.astype(np.float32)) for network in networks])
    for name, values in seen.items():
        found = law.of(name, elsewhere[:5]).at(width, **options)
        ratio = found.std[0] / values.std(axis=0, ddof=1)
        assert abs(ratio.mean() - 1) < 0.06 and np.all(np.abs(ratio - 1) < 0.2), (name, ratio)
        z = (values.mean(axis=0) - found.mean[0]) / (found.std[0] / np.sqrt(runs))
        assert np.abs(z).max() < 4, (name, z)
    held = law.of("risk", elsewhere, [6.0]).at(width, **options)
    assert abs(held.std[0] / risks.std(ddof=1) - 1) < 0.15
    assert abs(risks.mean() - held.mean[0]) < 4 * held.std[0] / np.sqrt(runs)
