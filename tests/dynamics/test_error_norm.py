"""The error of a step is a root mean square, and of systems that share their steps that of the worst one."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from isthmus._precision import computing_in
from isthmus.dynamics.integrators import BOGACKI_SHAMPINE, TSITOURAS, Tolerances, states_at

FIELD = jax.tree_util.Partial(lambda time, state: -(state**3))
"""Its solution from y is y/√(1 + 2y²t)."""


def solved(start, method, **options):
    """Return the state at time 2 and the number of steps."""
    with computing_in(np.dtype(np.float64)):
        *_, (state, reached, steps) = states_at(
            FIELD, jnp.asarray(start), np.array([2.0]), method, Tolerances(1e-6, 1e-8, 1000), **options
        )
    assert reached
    return np.asarray(state), steps


@pytest.mark.parametrize("method", [TSITOURAS, BOGACKI_SHAMPINE], ids=["Tsitouras", "Bogacki–Shampine"])
def test_many_equal_numbers_take_the_steps_of_one(method):
    one, steps = solved(np.full(1, 4.0), method)
    many, as_many = solved(np.full(100, 4.0), method)
    np.testing.assert_allclose(many, one[0], rtol=1e-12)
    np.testing.assert_allclose(one, 4 / np.sqrt(1 + 2 * 16 * 2), rtol=3e-5)
    assert as_many == steps > 5


@pytest.mark.parametrize("shape", [(2, 1), (2, 50)])
def test_a_system_at_rest_does_not_lengthen_the_steps_of_another(shape):
    start = np.full(shape, 4.0)
    start[0] = 0.0
    both, steps = solved(start, TSITOURAS, together=True)
    alone, wanted = solved(start[1], TSITOURAS)
    np.testing.assert_allclose(both[1], alone, rtol=1e-12)
    assert steps == wanted and not both[0].any()
