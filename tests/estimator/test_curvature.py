"""Curvatures against dense Hessians, a case by hand, and the steps of optimizers."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.flatten_util import ravel_pytree

import isthmus as im
from isthmus.core.optimizers import Motion
from isthmus.dynamics.field import VectorField
from isthmus.dynamics.integrators import moved
from isthmus.estimator.curvature import Curvature, curvature, ends_of_spectrum, relaxed

LINEAR = im.ACTIVATIONS["linear"]


def tiny(masses, activation="tanh"):
    random = np.random.default_rng(0)
    sides = [
        im.NeuronMeasure.of(
            random.standard_normal((3, o)), random.standard_normal((3, i)), random.standard_normal(3), masses
        )
        for o, i in ((1, 2), (2, 1))
    ]
    phi = im.ACTIVATIONS[activation]
    return im.Autoencoder(sides[0], sides[1], phi, phi)


def field_of(points, train_biases=True, decays=(0.0, 0.0)):
    return VectorField.of(im.Data(points), Motion(decays=decays, train_biases=train_biases), np.dtype(np.float64))


@pytest.mark.parametrize(
    ("activation", "options"),
    [
        pytest.param("tanh", {"decays": (0.1, 0.3)}, marks=pytest.mark.slow),
        ("gelu", {"train_biases": False}),
    ],
)
def test_both_ends_are_those_of_the_dense_hessian(activation, options, double):
    network = tiny([0.2, 0.3, 0.5], activation)
    field = field_of(np.random.default_rng(1).standard_normal((5, 2)), **options)
    flat, unravel = ravel_pytree(network)
    biases = float(field.motion.train_biases)
    # ravelled as masses, outgoing, incoming, bias of the encoder, then of the decoder
    moving = np.tile(np.repeat([0.0, 1.0, biases], [3, 9, 3]), 2) > 0
    sides = (network.encoder, network.decoder)
    sizes = np.concatenate(
        [
            np.concatenate([m, np.repeat(m, o), np.repeat(m, i), m])
            for m, o, i in ((side.masses, side.outputs, side.inputs) for side in sides)
        ]
    )
    hessian = np.asarray(jax.jit(jax.hessian(lambda flat: field.objective(unravel(flat))))(flat))
    scaled = (hessian / np.sqrt(np.outer(sizes, sizes)))[np.ix_(moving, moving)]
    values = np.linalg.eigvalsh(scaled)
    found = curvature(field, network)
    assert (found.lowest, found.highest) == pytest.approx((values[0], values[-1]), rel=1e-9)
    assert max(found.lowest_error, found.highest_error) < 1e-8


def test_one_linear_neuron_a_side_by_hand(double):
    """R = ½λ(1 − acuw)² has the Hessian λ ∇p∇pᵀ at p = acuw = 1, of the eigenvalues 4λ and 0."""
    one = im.NeuronMeasure.of([[1.0]], [[1.0]])
    points = np.sqrt(3.0) * np.array([[1.0], [-1.0]])
    found = curvature(field_of(points, train_biases=False), im.Autoencoder(one, one, LINEAR, LINEAR))
    assert found.highest == pytest.approx(12.0, rel=1e-12) and found.lowest == pytest.approx(0.0, abs=1e-12)


def test_a_spectrum_is_found_from_few_products():
    values = np.concatenate([[-0.3], np.linspace(0, 1, 400), [5.0]])
    turn = np.linalg.qr(np.random.default_rng(0).standard_normal((402, 402)))[0]
    products = []

    def product(vector):
        products.append(turn @ (values * (turn.T @ vector)))
        return products[-1]

    found = ends_of_spectrum(product, 402)
    assert found.lowest == pytest.approx(-0.3, abs=1e-3) and found.lowest >= -0.3 - 1e-12
    assert found.highest == pytest.approx(5.0, rel=1e-9) and len(products) < 120
    for value, error in ((found.lowest, found.lowest_error), (found.highest, found.highest_error)):
        assert np.abs(values - value).min() <= error + 1e-14  # of rounding


def test_a_flat_objective_has_no_curvature():
    found = ends_of_spectrum(np.zeros_like, 30)
    assert found == Curvature(0.0, 0.0, 0.0, 0.0)


@pytest.mark.parametrize("optimizer", [im.GradientDescent(), im.Momentum(0.4)])
def test_steps_are_stable_up_to_the_limit(optimizer, double):
    """On θ ↦ ½λθ², steps just below the limit end at 0, and just above it they explode."""
    size = 0.1
    for share, ends in ((0.97, True), (1.03, False)):
        strength = share * optimizer.stability_limit(size) / size
        theta = jnp.ones(())
        averages = () if isinstance(optimizer, im.GradientDescent) else jnp.zeros(())
        for _ in range(600):
            moved, averages = optimizer.step(jnp.asarray(size), averages, -strength * theta)
            theta = theta + size * moved
        assert (abs(float(theta)) < 1e-2) == ends


def test_adam_has_no_known_limit():
    assert im.Adam().stability_limit(0.1) is None


def test_noise_dies_out_and_deviations_do_not_grow(double):
    network, points = tiny(None, "linear"), np.random.default_rng(1).standard_normal((5, 2))
    field = field_of(points, train_biases=False)
    highest = curvature(field, network).highest
    risk_of = jax.jit(lambda network: network.risk(points))
    risk = lambda lowest: float(risk_of(relaxed(field, network, Curvature(lowest, highest, 0.0, 0.0))))
    by_hand = network.velocity(points)
    still = lambda side: dataclasses.replace(side, bias=jnp.zeros_like(side.bias))
    once = moved(network, 1 / highest, [still(by_hand.encoder), still(by_hand.decoder)])
    assert risk(-1.2 * highest) == pytest.approx(float(once.risk(points)), rel=1e-12)
    assert risk(-3.0 * highest) == pytest.approx(float(network.risk(points)), rel=1e-12)
    assert risk(0.0) < risk(-highest / 4) < risk(-1.2 * highest) < float(network.risk(points))
