"""Preactivations kept on kinks: quadratic models with kinks, derivatives, minima and what certifies them."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.optimize import LinearConstraint, minimize

import isthmus as im
from isthmus._precision import computing_in
from isthmus.core.frame import in_axes
from isthmus.theory.atoms import consolidated, without_room
from isthmus.theory.certificates import certified
from isthmus.theory.hessian import derivatives, rows_of, slopes
from isthmus.theory.kinked_descent import lines_beside, settled_at_kinks
from isthmus.theory.kinked_quadratic import KinkedQuadratic
from isthmus.theory.landscape import Landscape
from isthmus.theory.pairs import directions, layers
from isthmus.theory.positions import Positions
from isthmus.theory.slopes_at_kinks import SlopesAtKinks
from isthmus.theory.starts import start_from

DOUBLE = np.dtype(np.float64)


def kinked_value(step, hessian, gradient, planes, offsets, strengths):
    return gradient @ step + step @ hessian @ step / 2 + strengths @ np.maximum(offsets + planes @ step, 0)


@pytest.mark.parametrize(
    ("offset", "expected", "share"), [(-0.2, 1.0, 1.0), (0.3, 1.0, 1.0), (-1.4, 1.4, 0.6), (-3.0, 2.0, 0.0)]
)
def test_a_kink_stops_a_step_as_far_as_it_is_strong(offset, expected, share):
    """f(d) = d²/2 − 2d + (s + d)₊ falls to d = 2 before the kink, d = 1 beyond it, or rests on it."""
    found = KinkedQuadratic(np.eye(1), np.eye(1), np.ones(1)).lowest(np.array([-2.0]), np.array([offset]), np.zeros(1))
    assert found.step == pytest.approx(expected, abs=1e-9) and found.shares == pytest.approx(share, abs=1e-9)


@pytest.mark.parametrize("seed", range(4))
def test_the_minimum_of_a_kinked_quadratic_is_that_of_another_solver(seed):
    """As a quadratic programme with bounds on slacks; the last two seeds have planes twice, where σ isn't unique."""
    random = np.random.default_rng(seed)
    root, planes = random.standard_normal((6, 6)), random.standard_normal((9, 6))
    hessian, gradient = root @ root.T + 0.1 * np.eye(6), random.standard_normal(6)
    offsets, strengths = 0.5 * random.standard_normal(9), random.uniform(0.1, 3, 9)
    if seed >= 2:
        planes, offsets = np.concatenate([planes, planes]), np.concatenate([offsets, offsets])
        strengths = np.concatenate([strengths, strengths])
    parts = hessian, gradient, planes, offsets, strengths
    found = KinkedQuadratic(hessian, planes, strengths).lowest(gradient, offsets, np.full(len(offsets), 0.5))
    count = len(offsets)
    bounds = [(None, None)] * 6 + [(0, None)] * count  # d, and slacks that are at least s + ⟨a, d⟩
    above = LinearConstraint(np.column_stack([-planes, np.eye(count)]), offsets, np.inf)
    cost = lambda x: gradient @ x[:6] + x[:6] @ hessian @ x[:6] / 2 + strengths @ x[6:]
    other = minimize(
        cost,
        np.append(np.zeros(6), np.maximum(offsets, 0)),
        bounds=bounds,
        constraints=above,
        method="SLSQP",
        options={"ftol": 1e-14, "maxiter": 500},
    )
    assert kinked_value(found.step, *parts) == pytest.approx(other.fun, abs=1e-7)
    assert kinked_value(found.step, *parts) <= other.fun + 1e-9
    np.testing.assert_allclose(gradient + hessian @ found.step + planes.T @ (strengths * found.shares), 0, atol=1e-9)
    distances = offsets + planes @ found.step  # σ is 0 before a kink, 1 beyond it
    np.testing.assert_allclose(found.shares[distances < -1e-6], 0, atol=1e-6)
    np.testing.assert_allclose(found.shares[distances > 1e-6], 1, atol=1e-6)


def test_among_shares_that_are_as_good_those_nearest_to_the_given_ones_are_taken():
    near = np.array([0.2, 0.6])  # the plane stands there twice, and needs a share of .8 in all
    found = KinkedQuadratic(np.eye(1), np.ones((2, 1)), np.ones(2)).lowest(np.array([-1.0]), np.full(2, -0.2), near)
    np.testing.assert_allclose(found.shares, near, atol=2e-3)
    np.testing.assert_allclose(found.step, 0.2, atol=1e-9)


def problem_with(pair, points=12, seed=0, **settings):
    data = im.Data(im.manifold_stream(3, 1, seed=seed).draw(points, 0).points, center=True, scale="total")
    law = im.aligned_law(data, 1, activation=pair)
    return im.Problem(data, law, pair, **{"weight_decay": 0.01} | settings)


def started(problem, width=5):
    """Return the landscape of a problem, and a network that is drawn."""
    landscape = Landscape.of(problem, None)
    return landscape, in_axes(start_from(problem, 0, 0, width), landscape.basis)


def test_derivatives_with_lines_are_those_of_automatic_differentiation():
    """With lines of any slopes in place of φ on both sides, F is a polynomial."""
    problem = problem_with(("relu", "leaky_relu"), points=6)
    with computing_in(DOUBLE):
        landscape, network = started(problem, 3)
        field, random = landscape.field, np.random.default_rng(0)
        points, weights, decays = np.asarray(field.points), np.asarray(field.weights), field.motion.decays
        lines = random.uniform(-1, 2, (6, 3)), random.uniform(-1, 2, (6, 3))
        value, gradients, hessian = derivatives(field, network, 0.0, lines)
        apart = slopes(field, network, 0.0, lines)
        rows = np.stack([rows_of(network.encoder)[:, 1:], rows_of(network.decoder)[:, 1:]])

        def height(rows):
            encoder, decoder = rows
            latents = ((points @ encoder[:, 1:-1].T + encoder[None, :, -1]) * lines[0]) @ encoder[:, :1]
            outputs = ((latents @ decoder[:, 3:-1].T + decoder[None, :, -1]) * lines[1]) @ decoder[:, :3]
            penalty = decays[0] / 2 * (encoder**2).sum() + decays[1] / 2 * (decoder**2).sum()
            return weights @ ((outputs - points) ** 2).sum(axis=1) / 2 + penalty

        expected, slope = jax.jit(jax.value_and_grad(height))(jnp.asarray(rows))
        bend = np.asarray(jax.jit(jax.hessian(height))(jnp.asarray(rows))).reshape(rows.size, rows.size)
    assert value == pytest.approx(float(expected), rel=1e-12)
    kept = np.flatnonzero(np.tile(np.arange(rows.shape[2] + 1) > 0, 6))  # without √m, which homogeneous φ leave alone
    np.testing.assert_allclose(np.concatenate([part[:, 1:] for part in gradients]), slope.reshape(6, -1), atol=1e-12)
    np.testing.assert_allclose(np.concatenate(apart), np.concatenate(gradients), atol=1e-12)
    np.testing.assert_allclose(hessian[np.ix_(kept, kept)], bend, atol=1e-11)


@pytest.mark.parametrize("pair", [("relu", "relu"), ("tanh", "relu"), ("relu", "tanh")], ids="-".join)
def test_planes_are_the_derivatives_of_preactivations_and_pulls_those_of_the_objective(pair):
    problem = problem_with(pair)
    with computing_in(DOUBLE):
        landscape, network = started(problem)
        field, random = landscape.field, np.random.default_rng(1)
        positions = Positions.of(field, network, 0.0, True)
        at, step = layers(field, network, 1e-12), random.standard_normal(len(positions.moving))
        ends = [positions.at(positions.start + sign * 1e-6 * step) for sign in (1, -1)]
        for side in (0, 1):
            pairs = tuple(part.ravel() for part in np.indices(at.sides[side].preactivations.shape))
            planes = directions(field, network, at, side, pairs)[:, positions.moving]
            after, before = (layers(field, end, 0.0).sides[side].preactivations.ravel() for end in ends)
            np.testing.assert_allclose(planes @ step, (after - before) / 2e-6, atol=1e-7)
        of_latents, outputs = at.sides[0].pulls, network.decode(at.latents)
        residual = np.asarray(field.weights)[:, None] * (np.asarray(outputs) - np.asarray(field.points))
        back = np.einsum("nd,ndk->nk", residual, np.asarray(network.jacobian(at.latents)))
        np.testing.assert_allclose(of_latents, back @ rows_of(network.encoder)[:, 1:2].T, atol=1e-12)


@pytest.fixture(scope="module", params=[("relu", "relu"), ("tanh", "relu"), ("leaky_relu", "leaky_relu")], ids="-".join)
def settled(request):
    """Return the landscape of a problem, a minimum with preactivations on kinks, and the lines by which it is one."""
    problem = problem_with(request.param)
    with computing_in(DOUBLE):
        landscape, network = started(problem, 8)
        softness = landscape.softness(network, 1e-4)
        network = landscape.descended(network, softness=softness)
        network = landscape.settled(network, iterations=100, softness=softness)
        found, lines = settled_at_kinks(landscape.field, network, softness, 300, 0.0)
        network = without_room(
            consolidated(found, landscape, 0)
        )  # neurons of no mass have kinks at 0 in all directions
        return landscape, network, lines_beside(network, found, lines)


def test_a_descent_that_is_over_stays_where_it_begins():
    with computing_in(DOUBLE):
        landscape, network = started(problem_with(("relu", "relu")), 8)
        found, _ = settled_at_kinks(landscape.field, network, 1e-6, 50, 0.0, over=lambda: True)
        moved, _ = settled_at_kinks(landscape.field, network, 1e-6, 2, 0.0)
        before, after, later = (landscape.objective(each) for each in (network, found, moved))
    assert after == pytest.approx(before, rel=1e-12) and later < 0.99 * before


def test_at_a_minimum_on_kinks_the_gradient_with_its_lines_vanishes(settled):
    landscape, network, lines = settled
    with computing_in(DOUBLE):
        gradients = slopes(landscape.field, network, 0.0, lines)
        at = layers(landscape.field, network, 0.0)
    assert max(float(np.abs(part).max()) for part in gradients) < 1e-9
    pair, on = (network.encoder_activation, network.decoder_activation), 0
    for side, phi, found in zip(at.sides, pair, lines, strict=True):
        if found is None:
            continue
        down, up = (0.01 if "leaky" in phi.name else 0.0), 1.0
        assert down <= found.min() and found.max() <= up
        between = (found > down + 1e-6) & (found < up - 1e-6)
        np.testing.assert_allclose(side.preactivations[between], 0, atol=1e-12)
        np.testing.assert_array_equal(found[~between & (side.preactivations > 1e-9)], up)
        on += int(between.sum())
    assert on >= 3


def test_no_small_move_leads_below_a_minimum_on_kinks(settled):
    """F itself, without lines, at 3,000 points of several distances in all directions, and along single variables."""
    landscape, network, _ = settled
    with computing_in(DOUBLE):
        positions = Positions.of(landscape.field, network, 0.0, True)
        point, random = positions.start, np.random.default_rng(0)
        least, count = positions.value(point), len(positions.start)
        moves = np.concatenate([random.standard_normal((200, count)), np.eye(count), -np.eye(count)])
        moves /= np.linalg.norm(moves, axis=1, keepdims=True)
        for distance in (1e-2, 1e-4, 1e-6):
            assert min(positions.value(point + distance * move) for move in moves) >= least * (1 - 1e-13)


def test_the_descent_of_the_encoder_bounds_what_moving_mass_gains(settled):
    """The rate at which F falls along true mixtures with any neurons, at a network whose latents lie on kinks."""
    landscape, network, lines = settled
    random = np.random.default_rng(0)
    with computing_in(DOUBLE):
        alone, (best, _) = certified(network, landscape, 64, 0)
        known, _ = certified(network, landscape, 64, 0, lines=lines)
        least, worst = landscape.objective(network), 0.0
        encoder, mass = network.encoder, 1e-7
        parts = [np.asarray(part) for part in jax.tree.leaves(encoder)[1:]]
        size = np.sqrt(
            np.asarray(encoder.masses) @ sum(np.square(part).reshape(len(part), -1).sum(1) for part in parts)
        )
        drawn = [random.standard_normal((40, *part.shape[1:])) for part in parts]
        norms = np.sqrt(sum(np.square(part).reshape(40, -1).sum(1) for part in drawn))
        drawn = [part * (size / norms).reshape(-1, *[1] * (part.ndim - 1)) for part in drawn]
        for index in range(40 + best.width):
            source = drawn if index < 40 else [np.asarray(part) for part in jax.tree.leaves(best)[1:]]
            row = index if index < 40 else index - 40
            masses = np.append((1 - mass) * np.asarray(encoder.masses), mass)
            mixed = [np.concatenate([own, other[row : row + 1]]) for own, other in zip(parts, source, strict=True)]
            other = network.with_measures(im.NeuronMeasure(masses, *mixed), network.decoder)
            worst = max(worst, (least - landscape.objective(other)) / mass)
    for certificate in (alone, known):
        assert worst <= certificate.encoder_descent + 1e-6 * least
    assert known.stationarity < 1e-16 and known.encoder_descent < 1e-7 * least


def test_slopes_on_kinks_are_chosen_as_the_least_bound_asks(settled):
    """No slopes of 800 drawn give a smaller bound over the same neurons, and most a larger one."""
    landscape, network, _ = settled
    field, random = landscape.field, np.random.default_rng(0)
    with computing_in(DOUBLE):
        latents = np.asarray(network.encode(field.points))
        pull = np.asarray(field.weights)[:, None] * (np.asarray(network.decode(latents)) - np.asarray(field.points))
        found = SlopesAtKinks.of(field, network, latents, pull, 1e-9, (None, None))
        drawn = im.NeuronMeasure(
            np.ones(30) / 30,
            *(random.standard_normal((30, n)) for n in (1, field.points.shape[1])),
            random.standard_normal(30),
        )
        chosen = found.least([drawn])
        points, decay, phi = np.asarray(field.points), field.motion.decays[0], network.encoder_activation

        sides = [[np.asarray(part) for part in jax.tree.leaves(measure)] for measure in (network.encoder, drawn)]
        shapes = [np.asarray(phi.of(points @ w.T + b)) for _, _, w, b in sides]
        sizes = [decay / 2 * ((v**2).sum(1) + (w**2).sum(1) + b**2) for _, v, w, b in sides]

        def bound(slopes_on_kinks):
            q = found.pull(slopes_on_kinks)
            own, other = (
                (shape * (q @ side[1].T)).sum(axis=0) + size
                for side, shape, size in zip(sides, shapes, sizes, strict=True)
            )
            return sides[0][0] @ own - min(0.0, own.min(), other.min())

        others = random.uniform(*found.ends, (400, len(found.points)))
        near = np.clip(chosen + 0.01 * random.standard_normal(others.shape), *found.ends)
        values = [bound(other) for other in np.concatenate([others, near])]
    assert len(found.points) > 2 and bound(chosen) <= min(values) + 1e-12
    assert np.mean(values[:400]) > bound(chosen) + 1e-9


def test_lines_move_with_the_neurons_they_belong_to(settled):
    _, network, lines = settled
    order = np.arange(network.decoder.width)[::-1]
    turned = jax.tree.map(lambda part: np.asarray(part)[order], network.decoder)
    strange = im.NeuronMeasure(*(np.asarray(part)[:1] + 0.3 for part in jax.tree.leaves(network.decoder)))
    both = jax.tree.map(lambda *parts: np.concatenate(parts), turned, strange)
    _, moved = lines_beside(network.with_measures(network.encoder, both), network, lines)
    np.testing.assert_allclose(moved[:, :-1], lines[1][:, order], atol=1e-6)  # twins may differ by rounding
    assert np.isnan(moved[:, -1]).all()


def test_curvature_on_kinks_is_that_of_moves_which_keep_them(settled):
    """It isn't negative at a minimum, though F with lines in place of φ falls where these leave the kinks."""
    landscape, network, lines = settled
    with computing_in(DOUBLE):
        positions = Positions.of(landscape.field, network, 0.0, True)
        hessian = derivatives(landscape.field, network, 0.0, lines)[2][np.ix_(positions.moving, positions.moving)]
        kept = landscape.curvature(network, 1e-6, lines)
    values = np.linalg.eigvalsh(hessian)
    assert kept is not None and kept > -1e-9
    assert lines[0] is None or values[0] < -1e-5 * values[-1]
