"""Runge–Kutta–Chebyshev steps: their order, how far they are stable, and flows that other methods follow too."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import isthmus as im
from isthmus._precision import computing_in
from isthmus.dynamics.integrators import BOGACKI_SHAMPINE, Tolerances, states_at
from isthmus.dynamics.stabilised import MOST_STAGES, reach, stiff_states_at, stiff_step

DOUBLE = np.dtype(np.float64)
DATA = im.load_data("wine", max_points=24)
PROBLEM = im.Problem(DATA, im.aligned_law(DATA, latent_dim=2))


def decay(time, state):
    """Return the velocity of y′ = −2 t y², whose solution from 1 is 1/(1 + t²)."""
    return -2 * time * state**2


def stepped(field, time, state, size, count):
    """Return the state after a step of so many stages."""
    return state + stiff_step(field, time, state, field(time, state), size, jnp.asarray(count))[0]


def relaxing(time, state):
    """Return the velocity of 32 linear motions of rates up to 1,000, driven by cos t."""
    return -jnp.linspace(0, 1000, 32) * state + jnp.cos(time)


@pytest.mark.parametrize("count", [2, 3, 8, 20, MOST_STAGES])
def test_a_step_is_of_second_order_with_any_number_of_stages(count):
    @jax.jit
    def followed(steps):
        size = 2 / steps
        step = lambda index, state: stepped(decay, index * size, state, jnp.asarray(size), count)
        return jax.lax.fori_loop(0, steps, step, jnp.ones(1))

    with computing_in(DOUBLE):
        errors = [abs(float(followed(steps)[0]) - 1 / 5) for steps in (64, 128, 256)]
    assert np.log2(errors[0] / errors[2]) / 2 == pytest.approx(2.0, abs=0.3)


@pytest.mark.parametrize("count", [2, 5, 10, 30, MOST_STAGES])
def test_a_step_damps_every_real_curvature_within_its_reach_and_none_far_beyond(count):
    with computing_in(DOUBLE):
        zero, ones = jnp.zeros(()), jnp.ones(2000)
        falls = lambda extent: lambda _, state: -rates(extent) * state
        grown = lambda extent: np.abs(stepped(falls(extent), zero, ones, jnp.ones(()), count))
        rates = lambda extent: jnp.linspace(0, extent * reach(count), 2000)
        assert grown(1.0).max() <= 1 + 1e-9 and grown(1.0)[20:].max() < 0.99
        assert grown(1.2).max() > 1.3


def test_a_stiff_motion_takes_a_fifth_of_the_slopes_of_another_method():
    """The slopes of each are counted, and both end where the solution is."""
    calls = []

    def counted(time, state):
        jax.debug.callback(lambda: calls.append(1))
        return relaxing(time, state)

    field, stops, found = jax.tree_util.Partial(counted), np.array([10.0]), []
    with computing_in(DOUBLE):
        for method in (stiff_states_at, lambda *parts: states_at(*parts[:3], BOGACKI_SHAMPINE, parts[3])):
            calls.clear()
            *_, (state, reached, _) = method(field, jnp.zeros(32), stops, Tolerances(1e-4, 1e-6, 100_000))
            jax.effects_barrier()
            assert reached
            found.append((np.asarray(state), len(calls)))
    rates = np.linspace(0, 1000, 32)
    exact = (rates * np.cos(10) + np.sin(10) - rates * np.exp(-10 * rates)) / (rates**2 + 1)
    for state, _ in found:
        np.testing.assert_allclose(state, exact, atol=2e-4)
    assert 5 * found[0][1] < found[1][1]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_mean_field_path_is_that_of_the_other_methods(dtype):
    times, options = np.array([0.0, 1.0, 5.0, 20.0]), {"particles": 64, "replicates": 2, "dtype": dtype}
    path = im.solve_mean_field(PROBLEM, times, rtol=1e-4, integrator="stabilised", **options)
    exact = im.solve_mean_field(PROBLEM, times, rtol=1e-8 if dtype == "float64" else 1e-5, **options)
    np.testing.assert_allclose(path.risk, exact.risk, atol=3e-5)
    assert np.all(np.abs(path.replicate_risk[0] - exact.replicate_risk[0]) <= path.errors["time_steps"] + 1e-6)


def test_too_many_steps_end_early():
    field = jax.tree_util.Partial(relaxing)
    with computing_in(DOUBLE):
        ((_, reached, steps),) = stiff_states_at(field, jnp.zeros(32), np.array([10.0]), Tolerances(1e-4, 1e-6, 3))
    assert not reached and steps == 3


def test_oscillating_flows_are_refused():
    problem = im.Problem(DATA, PROBLEM.law, optimizer=im.Momentum(0.5))
    with pytest.raises(im.ArgumentError, match="stabilised"):
        im.solve_mean_field(problem, [0.0, 1.0], particles=8, integrator="stabilised")
