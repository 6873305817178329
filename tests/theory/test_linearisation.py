"""The linearised path against finite differences, closed systems and explicit steps."""

import dataclasses
import itertools
from functools import partial

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from linear import Example

import isthmus as im
from isthmus._precision import computing_in
from isthmus.dynamics.closures import moment_flow
from isthmus.dynamics.field import VectorField
from isthmus.dynamics.integrators import moved
from isthmus.estimator.curvature import curvature
from isthmus.estimator.pca_start import PCAStart
from isthmus.theory import trajectory
from isthmus.theory.finite_steps import step_shifts
from isthmus.theory.linearisation import linearised
from isthmus.theory.trajectory import Trajectory, step

DOUBLE = np.dtype(np.float64)


def particles(problem, count, seed=0):
    start = problem.particles(count, seed)
    return start.network, VectorField.of(start.population, problem.motion, DOUBLE)


@pytest.fixture(scope="module")
def wine():
    data = im.load_data("wine", max_points=24)
    return im.Problem(data, im.aligned_law(data, 2), encoder_rate=lambda t: 1 / (1 + t / 4), decoder_rate=0.7)


@pytest.fixture(scope="module")
def times():
    return np.array([0.0, 0.5, 2.0, 6.0])


@pytest.fixture(scope="module")
def path(wine, times):
    start, field = particles(wine, 16)
    return Trajectory(start, field, times, 1e-4, 1000)


@pytest.fixture(scope="module")
def linear(path):
    return linearised(path, 0, None, None)


MOVE = jax.jit(step)


def risks(path, start, weights=None, only_step=None, measured=None):
    """Follow the same steps from another start, or with other weights in all steps or in one."""
    field, found, state = path.field, [], (start, ())
    with computing_in(DOUBLE):
        for node in range(len(path.nodes)):
            if node in path.recorded:
                found.append(float(state[0].risk(field.points, field.weights if measured is None else measured)))
            if node < len(path.nodes) - 1:
                changed = weights is not None and only_step in (None, node)
                state = MOVE(field, state, weights if changed else field.weights, *path.interval(node))
    return np.array(found)


def assert_influence_of_masses(path, linear, drawn, started, rtol, atol):
    """Hold influences to the risks of paths from ``started(network)``, a mass of ``drawn`` a little changed."""
    h = 1e-5
    for side, influence in (("encoder", linear.encoder), ("decoder", linear.decoder)):
        for neuron in (0, 7):
            pair = []
            for sign in (1, -1):
                masses = np.array(getattr(drawn, side).masses)
                masses[neuron] += sign * h
                noisy = eqx.tree_at(lambda state, side=side: getattr(state, side).masses, drawn, masses)
                pair.append(risks(path, started(noisy)))
            np.testing.assert_allclose(influence[:, neuron], (pair[0] - pair[1]) / (2 * h), rtol, atol)


def test_the_influence_of_a_neuron_is_that_of_finite_differences(path, linear):
    assert_influence_of_masses(path, linear, path.network, lambda network: network, 1e-6, 1e-8)


def test_the_influence_of_a_point_is_that_of_finite_differences(path, linear):
    start, h, weights = path.network, 1e-5, np.array(path.field.weights)
    other = lambda point, sign: weights + sign * h * (np.arange(len(weights)) == point)
    for point in (0, 11):
        for index in (0, len(path.nodes) - 2):
            pair = [risks(path, start, other(point, sign), only_step=index) for sign in (1, -1)]
            both_halves = linear.points[:, 2 * index : 2 * index + 2, point].sum(axis=1)
            np.testing.assert_allclose(both_halves, (pair[0] - pair[1]) / (2 * h), rtol=1e-6, atol=1e-8)
        pair = [risks(path, start, measured=other(point, sign)) for sign in (1, -1)]
        np.testing.assert_allclose(linear.direct[:, point], (pair[0] - pair[1]) / (2 * h), rtol=1e-6)


def test_at_time_0_the_influence_is_the_first_variation(wine, path, linear):
    with computing_in(DOUBLE):
        start = path.network
        psi = start.first_variations(path.field.points, path.field.weights)
    np.testing.assert_allclose(linear.encoder[0], psi[0], rtol=1e-10, atol=1e-14)
    np.testing.assert_allclose(linear.decoder[0], psi[1], rtol=1e-10, atol=1e-14)


def test_on_the_closed_system_the_influence_is_the_derivative_in_the_second_moments():
    """An independent route to the same number: F depends on a linear network's masses through its moments alone."""
    problem, times = Example.problem(), np.array([0.0, 0.1, 0.3])
    problem = dataclasses.replace(problem, train_biases=False)
    start, field = particles(problem, 16)
    linear = linearised(Trajectory(start, field, times, 1e-9, 5000), 0, None, None)
    sigma = np.asarray(field.points).T @ (np.asarray(field.weights)[:, None] * np.asarray(field.points))
    moments = lambda measure, masses: (
        (joint := np.concatenate([measure.outgoing, measure.incoming], axis=1)).T @ (masses[:, None] * joint)
    )
    h, neuron = 1e-4, 3
    for side, influence in (("encoder", linear.encoder), ("decoder", linear.decoder)):
        pair = []
        for sign in (1, -1):
            masses = {name: np.full(16, 1 / 16) for name in ("encoder", "decoder")}
            masses[side][neuron] += sign * h
            pair.append(
                moment_flow(
                    moments(start.encoder, masses["encoder"]),
                    moments(start.decoder, masses["decoder"]),
                    sigma,
                    times,
                    1e-12,
                )
            )
        np.testing.assert_allclose(influence[:, neuron], (pair[0] - pair[1]) / (2 * h), rtol=1e-5, atol=1e-7)


def test_the_drift_is_that_of_explicit_steps(times, path):
    field, drifts = path.field, []
    with computing_in(DOUBLE):
        move = jax.jit(lambda s, t, h: moved(s, h, field.velocity(s, t)))
        exact = Trajectory(path.network, field, times, 1e-8, 5000).risk
        for size in (0.0125, 0.00625):
            state, found = path.network, [float(path.network.risk(field.points, field.weights))]
            for begin, end in itertools.pairwise(times):
                for step in range(round((end - begin) / size)):
                    state = move(state, jnp.asarray(begin + step * size), jnp.asarray(size))
                found.append(float(state.risk(field.points, field.weights)))
            drifts.append((np.array(found) - exact) / size)
    extrapolated = 2 * drifts[1] - drifts[0]
    np.testing.assert_allclose(
        step_shifts(path, 0).steps, extrapolated, rtol=0.03, atol=0.01 * np.abs(extrapolated).max()
    )


def test_states_that_were_not_kept_are_computed_again(path, linear, times, monkeypatch):
    monkeypatch.setattr(trajectory, "KEPT", 0)
    again = Trajectory(path.network, path.field, times, 1e-4, 1000)
    assert 1 < len(again._kept) < len(path._kept)
    for ours, theirs in zip(linearised(again, 0, 1, None), linear, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-12, atol=1e-14)


@pytest.mark.slow
def test_the_influence_does_not_blow_up_where_steps_are_at_the_border_of_stability():
    """Loose steps on a stiff problem against fine ones."""
    data = im.load_data("digits", max_points=40)
    problem, times = im.Problem(data, im.aligned_law(data, 2)), np.array([20.0, 40.0, 60.0])
    start, field = particles(problem, 32)
    spread = lambda rtol: np.std(linearised(Trajectory(start, field, times, rtol, 5000), 0, None, None).encoder, axis=1)
    loose, fine = spread(1e-2), spread(1e-6)
    np.testing.assert_allclose(loose, fine, rtol=0.1)


@pytest.fixture(scope="module")
def at_rest():
    """Digits at the PCA reconstruction, whose residual nothing stiff moves: the flow is slow, its curvature high."""
    data = im.load_data("digits", max_points=40)
    directions = np.linalg.svd(data.points, full_matrices=False)[2][:2].T
    law = dataclasses.replace(im.aligned_law(data, 2), correction=PCAStart(data.points, data.weights, directions))
    problem = im.Problem(data, law)
    frame = problem.frame
    correction = law.correction.in_axes(frame.basis)
    return problem.particles(32).drawn, correction, VectorField.of(frame.data, problem.motion, DOUBLE)


def test_steps_are_stable_where_what_is_stiff_is_at_rest(at_rest):
    """Their error alone would let the first pass at several times the border of stability."""
    drawn, correction, field = at_rest
    path = Trajectory(correction.of(drawn), field, np.array([4.0]), 1e-2, 1000)
    states = dict(path.backwards(len(path.nodes) - 1))
    sizes = np.diff(path.nodes)
    products = [size * curvature(field, states[node][0]).highest for node, size in enumerate(sizes) if node % 8 == 0]
    assert 0.8 < np.median(products) < max(products) < 1.05


def test_the_influence_through_the_pca_start_is_that_of_finite_differences(at_rest):
    """The mass of one neuron changes the correction of all, of which the path is solved anew."""
    drawn, correction, field = at_rest
    path = Trajectory(correction.of(drawn), field, np.array([0.0, 2.0, 6.0]), 1e-4, 1000)
    linear = linearised(path, 0, None, None, partial(correction.pulled_back, drawn))
    assert_influence_of_masses(path, linear, drawn, correction.of, 1e-4, 1e-7)


def test_steps_that_do_not_end_are_said(wine, times):
    with pytest.raises(im.NumericalError, match=r"reached only t = 0\.\d+ of 6 in 2 steps"):
        Trajectory(*particles(wine, 16), times[1:], 1e-6, 2)
