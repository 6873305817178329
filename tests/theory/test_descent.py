"""Descents and Hessians of the objective: against minima known in advance, and against differences by hand."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import isthmus as im
from isthmus._precision import computing_in
from isthmus.core.frame import in_axes
from isthmus.theory.hessian import derivatives, measure_of, rows_of, with_best_outgoing
from isthmus.theory.landscape import Landscape
from isthmus.theory.newton import Function, Quadratic, newton
from isthmus.theory.quasi_newton import descended
from isthmus.theory.starts import start_from

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
    problem = two_latents(weight_decay=(0.1, 0.2))
    with computing_in(DOUBLE):
        landscape = Landscape.of(problem, None)
        start = in_axes(start_from(problem, 0, 0, 3), landscape.basis)
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


class Differentiated(Function):
    """A function with its gradient and Hessian by automatic differentiation, which counts how often it needs them."""

    def __init__(self, function):
        self._function, self.hessians = function, 0
        self._value, self._slope, self._hessian = (
            jax.jit(f) for f in (function, jax.grad(function), jax.hessian(function))
        )

    def value(self, point):
        return float(self._value(point))

    def slope(self, point):
        return np.asarray(self._slope(point))

    def derivatives(self, point):
        self.hessians += 1
        return self.value(point), self.slope(point), np.asarray(self._hessian(point))


def test_newtons_method_follows_a_bent_valley_to_its_end():
    valley = lambda x: (100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2).sum()
    high = lambda x: jnp.cosh(x).sum() + 1e8  # where the last gains are lost in the digits of the value
    with computing_in(DOUBLE):
        found = newton(Differentiated(valley), np.full(6, -0.5), iterations=100)
        beside = newton(Differentiated(high), np.full(6, 0.05), iterations=100)
    np.testing.assert_allclose(found, 1.0, atol=1e-9)
    np.testing.assert_allclose(beside, 0.0, atol=1e-9)


def test_corrected_steps_need_fewer_hessians_along_a_bent_valley(monkeypatch):
    """A thin curved valley that falls slowly: each straight step leaves it, and a correction leads back."""
    valley = lambda x: 1e2 * (x[0] ** 2 + x[1] ** 2 - 1) ** 2 + 0.1 * (1 - x[0])
    with computing_in(DOUBLE):
        corrected, straight = Differentiated(valley), Differentiated(valley)
        found = newton(corrected, np.array([-0.6, 0.8]), iterations=500)
        monkeypatch.setattr("isthmus.theory.newton.CORRECTIONS", 0)
        beside = newton(straight, np.array([-0.6, 0.8]), iterations=500)
    lowest = np.roots([4e2, 0, -4e2, -0.1])  # of the derivative along the axis of the valley's end
    for point in (found, beside):
        np.testing.assert_allclose(point, [lowest.max(), 0], atol=1e-9)
    assert corrected.hessians < 0.75 * straight.hessians


def test_newtons_method_leaves_a_saddle_at_which_the_gradient_is_zero():
    hill = lambda x: x[0] ** 2 - x[1] ** 2 + x[1] ** 4
    with computing_in(DOUBLE):
        found = newton(Differentiated(hill), np.array([0.4, 0.0]), iterations=50)
    np.testing.assert_allclose(np.abs(found), [0.0, np.sqrt(0.5)], atol=1e-8)


@pytest.mark.parametrize("seed", range(6))
def test_a_step_in_a_ball_is_the_best_of_a_fine_grid(seed):
    """Curvatures of any sign; the last two seeds have no slope along the direction of least curvature."""
    random = np.random.default_rng(seed)
    axes = np.linalg.qr(random.standard_normal((2, 2)))[0]
    curvatures = np.array([-1.0, 0.5]) if seed % 2 else np.array([0.3, 2.0])
    hessian, radius = axes * curvatures @ axes.T, random.uniform(0.1, 3)
    gradient = axes[:, 1] * 0.4 if seed >= 4 else random.standard_normal(2)
    units = np.array([0.5, 2.0]) if seed in (2, 3) else np.ones(2)
    model = Quadratic(hessian, gradient, units)
    step, foretold = model.lowest(radius)
    sizes, angles = np.meshgrid(np.linspace(0, radius, 400), np.linspace(0, 2 * np.pi, 1500))
    grid = units[:, None] * np.stack([(sizes * np.cos(angles)).ravel(), (sizes * np.sin(angles)).ravel()])
    lowest = (gradient @ grid + (grid * (hessian @ grid)).sum(axis=0) / 2).min()
    assert np.linalg.norm(step / units) <= radius * (1 + 1e-6)
    surprise = random.standard_normal(2)
    back = model.correction(gradient + hessian @ step + surprise, step)
    assert surprise @ back + back @ hessian @ back / 2 < 0
    assert -lowest <= foretold * (1 + 1e-6) and foretold == pytest.approx(-lowest, rel=1e-3)


def test_the_best_outgoing_weights_are_a_ridge_regression():
    problem = two_latents(weight_decay=(0.1, 0.02))
    with computing_in(DOUBLE):
        landscape = Landscape.of(problem, None)
        start = in_axes(start_from(problem, 0, 0, 4), landscape.basis)
        best = with_best_outgoing(landscape.field, start, 0.0)
        decoder, latents = start.decoder, np.asarray(start.encode(landscape.field.points))
        features = np.maximum(latents @ decoder.incoming.T + decoder.bias, 0) * decoder.masses
        matrix = features.T @ features / 5 + 0.02 * np.diag(decoder.masses)
        expected = np.linalg.solve(matrix, features.T @ np.asarray(landscape.field.points) / 5)
        slope = jax.grad(lambda outgoing: landscape.field.objective(with_outgoing(best, outgoing)))(
            best.decoder.outgoing
        )
        assert landscape.objective(best) < landscape.objective(start)
    np.testing.assert_allclose(best.decoder.outgoing, expected, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(slope, 0, atol=1e-12)


def with_outgoing(network, outgoing):
    decoder = network.decoder
    return network.with_measures(
        network.encoder, im.NeuronMeasure(decoder.masses, outgoing, decoder.incoming, decoder.bias)
    )


def test_a_light_and_large_neuron_is_no_stiffer_than_others():
    """In the variables √m(1, v, w, b) the Hessian of a neuron that acts as ReLU stays bounded as its mass goes to 0."""
    problem = two_latents(weight_decay=(0.1, 0.2))
    largest = []
    with computing_in(DOUBLE):
        landscape = Landscape.of(problem, None)
        start = in_axes(start_from(problem, 0, 0, 2), landscape.basis)
        for mass in (1e-2, 1e-4, 1e-6):
            parts = [
                np.concatenate([part[:1], part[1:] / np.sqrt(mass)]) for part in jax.tree.leaves(start.encoder)[1:]
            ]
            encoder = im.NeuronMeasure.of(*parts, [1 - mass, mass])
            network = start.with_measures(encoder, start.decoder)
            largest.append(np.linalg.eigvalsh(derivatives(landscape.field, network, 0.3)[2])[-1])
    assert max(largest) < 2 * min(largest)


def two_latents(weight_decay, activation=("gelu", "relu")):
    """Return a small problem of two latents and two activations, one of them with a kink unless told otherwise."""
    points = np.random.default_rng(0).standard_normal((5, 3))
    law = im.Law(im.GaussianNeurons(2, 3), im.GaussianNeurons(3, 2))
    return im.Problem(im.Data(points), law, activation, weight_decay=weight_decay)
