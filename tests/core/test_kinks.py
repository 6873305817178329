"""Kinks of activations, found from the slope alone, and their smoothing against the mean over a normal."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import isthmus as im
from isthmus._precision import computing_in
from isthmus.core.kinks import Kink, kinks, rounded, smoothed

DOUBLE = np.dtype(np.float64)
HARD_TANH = im.Activation(
    "hard tanh",
    lambda s: jnp.clip(s, -1, 1),
    lambda s: ((s > -1) & (s < 1)).astype(s.dtype),
    jnp.zeros_like,
    smooth=False,
)
LEAKY = im.Activation(
    "leaky at 0.37",
    lambda s: jnp.where(s > 0.37, s - 0.37, 0.1 * (s - 0.37)),
    lambda s: jnp.where(s > 0.37, 1.0, 0.1).astype(s.dtype),
    jnp.zeros_like,
    smooth=False,
)
RELU = im.ACTIVATIONS["relu"]


def test_kinks_are_where_the_slope_jumps_and_by_how_much():
    assert kinks(RELU) == (Kink(0.0, 1.0),)
    assert kinks(HARD_TANH) == (Kink(-1.0, 1.0), Kink(1.0, -1.0))
    ((place, jump),) = kinks(LEAKY)
    assert place == pytest.approx(0.37, abs=1e-12) and jump == pytest.approx(0.9, abs=1e-12)


def test_what_is_steep_is_no_kink():
    steep = im.Activation(
        "steep",
        lambda s: jnp.tanh(100 * s),
        lambda s: 100 * (1 - jnp.tanh(100 * s) ** 2),
        lambda s: -20000 * jnp.tanh(100 * s) * (1 - jnp.tanh(100 * s) ** 2),
        smooth=False,
    )
    assert kinks(steep) == ()
    assert all(kinks(phi) == () for phi in im.ACTIVATIONS.values() if phi.smooth)


def test_a_jump_of_the_value_is_said():
    step = im.Activation("step", lambda s: (s > 0.3).astype(s.dtype), jnp.zeros_like, jnp.zeros_like, smooth=False)
    assert kinks(step) is None
    data = im.load_data("wine", max_points=16)
    law = im.aligned_law(data, 1)
    problem = im.Problem(data, im.Law(law.encoder, law.decoder), ("tanh", step))
    assert problem.unpredictable_because == "one whose activation step jumps"


@pytest.mark.parametrize("phi", [RELU, HARD_TANH, LEAKY], ids=lambda phi: phi.name)
def test_smoothing_is_the_mean_over_a_normal(phi):
    """And its derivatives are those of automatic differentiation."""
    scale, s, normals = 0.3, np.linspace(-2.5, 2.5, 23), np.linspace(-8, 8, 40_001)
    density = np.exp(-(normals**2) / 2)
    mean = phi.of(s[:, None] + scale * normals) @ (density / density.sum())
    smooth = smoothed(phi, scale)
    np.testing.assert_allclose(smooth.of(s), mean, atol=1e-7)
    with computing_in(DOUBLE):
        slopes = jax.vmap(jax.grad(smooth.value))(jnp.asarray(s))
        curvatures = jax.vmap(jax.grad(smooth.first))(jnp.asarray(s))
    np.testing.assert_allclose(smooth.of(s, 1), slopes, rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(smooth.of(s, 2), curvatures, rtol=1e-12, atol=1e-14)
    h = 1e-5
    np.testing.assert_allclose(smooth.of(s, 1), (smooth.of(s + h) - smooth.of(s - h)) / (2 * h), atol=1e-8)
    np.testing.assert_allclose(smooth.of(s, 2), (smooth.of(s + h, 1) - smooth.of(s - h, 1)) / (2 * h), atol=1e-8)


def test_a_smooth_activation_stays_as_it_is():
    assert smoothed(im.ACTIVATIONS["tanh"], 0.3) is im.ACTIVATIONS["tanh"]
    assert smoothed(RELU, 0.3) is smoothed(RELU, 0.3)


def test_scales_are_rounded_by_less_than_a_tenth():
    for scale in (0.003, 0.1, 0.7, 12.0):
        assert 0.9 < rounded(scale) / scale < 1.1
