"""Descents and Hessians of the objective: against minima known in advance, and against differences by hand."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import isthmus as im
from isthmus._precision import computing_in
from isthmus.core.frame import in_axes
from isthmus.theory.hessian import derivatives, measure_of, rows_of
from isthmus.theory.landscape import Landscape
from isthmus.theory.optimum import start_from
from isthmus.theory.quasi_newton import descended

DOUBLE = np.dtype(np.float64)


def bent(point, sharpness):
    """Return Rosenbrock's valley with a kink along it, whose minimum is 0 at (1, …, 1), and a subgradient."""
    height = lambda x: (sharpness * jnp.abs(x[1:] - x[:-1] ** 2) + (1 - x[:-1]) ** 2).sum()
    return jax.value_and_grad(height)(point)


def smooth(point, sharpness):
    height = lambda x: (sharpness * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2).sum()
    return jax.value_and_grad(height)(point)


@pytest.mark.parametrize(("function", "sharpness", "reached"), [(smooth, 100.0, 1e-14), (bent, 3.0, 1e-4)])
def test_a_descent_reaches_the_end_of_a_bent_valley(function, sharpness, reached):
    with computing_in(DOUBLE):
        start = np.array([-1.2, 1.0])
        how = {"tolerance": 1e-9, "gain": 1e-15}
        point, value, steps = descended(function, start, sharpness, iterations=500, **how)
        _, after_three, counted = descended(function, start, sharpness, iterations=3, **how)
    assert float(value) <= reached
    np.testing.assert_allclose(point, 1.0, atol=0.05)
    assert int(steps) < 500 and int(counted) == 3
    assert float(value) < float(after_three) < float(function(start, sharpness)[0])


def test_the_hessian_by_blocks_is_that_of_differences():
    """Two latents, several atoms of unequal masses, which are normalised, and softened kinks."""
    points = np.random.default_rng(0).standard_normal((5, 3))
    law = im.Law(im.GaussianNeurons(2, 3), im.GaussianNeurons(3, 2))
    problem = im.Problem(im.Data(points), law, ("gelu", "relu"), weight_decay=(0.1, 0.2))
    with computing_in(DOUBLE):
        landscape = Landscape.of(problem, None)
        start = in_axes(start_from(problem, law, 0, 0, 3), landscape.basis)
        random = np.random.default_rng(1)
        sides = [rows_of(side) for side in (start.encoder, start.decoder)]
        sides = [rows + 0.2 * random.standard_normal(rows.shape) for rows in sides]
        sides = [np.column_stack([rows[:, 0] / np.linalg.norm(rows[:, 0]), rows[:, 1:]]) for rows in sides]
        flat, count = np.concatenate([rows.ravel() for rows in sides]), sides[0].size

        def at(flat):
            rows = flat[:count].reshape(3, -1), flat[count:].reshape(3, -1)
            return start.with_measures(measure_of(rows[0], 2), measure_of(rows[1], 3))

        value, gradients, hessian = derivatives(landscape.field, at(flat), 0.3)
        height, moves = lambda flat: landscape.objective(at(flat), 0.3), 1e-4 * np.eye(len(flat))
        slopes = [(height(flat + move) - height(flat - move)) / 2e-4 for move in moves]
        bends = [
            (height(flat + a + b) - height(flat + a - b) - height(flat - a + b) + height(flat - a - b)) / 4e-8
            for a, b in zip(moves, np.roll(moves, 1, axis=0), strict=True)
        ]
        assert value == pytest.approx(height(flat), rel=1e-12)
    np.testing.assert_allclose(np.concatenate([part.ravel() for part in gradients]), slopes, atol=2e-5)
    found = hessian[np.arange(len(flat)), np.roll(np.arange(len(flat)), 1)]
    np.testing.assert_allclose(found, bends, atol=1e-4)
    np.testing.assert_allclose(hessian, hessian.T, atol=1e-12)
    assert np.abs(bends).max() > 0.1
