import pickle

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import norm

import isthmus as im
from isthmus.core.activations import activation_pair

NAMES = sorted(im.ACTIVATIONS)
POINTS = np.concatenate([np.linspace(-4, 4, 41) + 0.013, [-30.0, 30.0]])


@pytest.mark.parametrize("name", NAMES)
def test_derivatives_are_those_of_automatic_differentiation(name, double):
    phi = im.ACTIVATIONS[name]
    points = jnp.asarray(POINTS)
    first = jax.jit(jax.vmap(jax.grad(phi.value)))(points)
    second = jax.jit(jax.vmap(jax.grad(jax.grad(phi.value))))(points)
    np.testing.assert_allclose(phi.first(points), first, atol=1e-13)
    np.testing.assert_allclose(phi.second(points), second, atol=1e-13)


@pytest.mark.parametrize("name", NAMES)
def test_symmetries_are_as_stated(name, double):
    phi = im.ACTIVATIONS[name]
    points = jnp.asarray(POINTS)
    odd = np.allclose(phi.value(-points), -phi.value(points), atol=1e-14)
    homogeneous = np.allclose(phi.value(3 * points), 3 * phi.value(points), rtol=1e-14, atol=1e-14)
    assert (odd, homogeneous) == (phi.odd, phi.homogeneous)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("variance", [0.0, 0.3, 4.0])
def test_mean_slope_is_the_gaussian_integral(name, variance, double):
    phi = im.ACTIVATIONS[name]
    if variance == 0:
        expected = float(phi.first(jnp.zeros(())))  # ReLU's slope at 0 is taken as 0, as JAX does
    else:
        first = jax.jit(phi.first)
        slope = lambda s: float(first(s)) * norm.pdf(s, scale=np.sqrt(variance))
        expected = quad(slope, -20, 20, points=[0.0], epsabs=1e-10)[0]
    assert phi.mean_slope(variance) == pytest.approx(expected, abs=1e-9)


def test_mean_slope_of_erf_has_its_closed_form(double):
    variances = np.array([0.1, 1.0, 7.0])
    expected = 2 / np.sqrt(np.pi) / np.sqrt(1 + 2 * variances)
    np.testing.assert_allclose(im.ACTIVATIONS["erf"].mean_slope(variances), expected, rtol=1e-12)


@pytest.mark.parametrize("precision", [np.float32, np.float64])
@pytest.mark.parametrize("name", NAMES)
def test_precision_is_kept(name, precision, double):
    phi = im.ACTIVATIONS[name]
    points = np.asarray(POINTS, precision).reshape(-1, 1)
    for order, function in enumerate((phi.value, phi.first, phi.second)):
        on_jax = function(jnp.asarray(points))
        assert on_jax.dtype == precision
        np.testing.assert_array_equal(phi.of(jnp.asarray(points), order), on_jax)
        on_numpy = phi.of(points, order)
        assert isinstance(on_numpy, np.ndarray) and on_numpy.dtype == precision
        np.testing.assert_allclose(
            on_numpy, on_jax, rtol=1e-5 if precision == np.float32 else 1e-12, atol=32 * np.finfo(precision).eps
        )


def test_pairs_and_unknown_names():
    assert [phi.name for phi in activation_pair(("tanh", "relu"))] == ["tanh", "relu"]
    with pytest.raises(im.ArgumentError, match="must be one of .* but it is 'tahn'; did you mean 'tanh'"):
        activation_pair("tahn")


@pytest.mark.parametrize("name", NAMES)
def test_what_is_left_out_is_found(name, double):
    phi = im.ACTIVATIONS[name]
    own = im.Activation("own", phi.value)
    points = jnp.asarray(POINTS)
    np.testing.assert_allclose(own.first(points), phi.first(points), atol=1e-13)
    np.testing.assert_allclose(own.second(points), phi.second(points), atol=1e-13)
    assert own.smooth is phi.smooth


def test_smooth_means_that_the_slope_has_no_jump():
    assert im.Activation("sharp", lambda s: jnp.tanh(100 * s), odd=True).smooth
    assert im.Activation("square with a sign", lambda s: s * jnp.abs(s), odd=True).smooth
    assert im.Activation("elu", jax.nn.elu).smooth
    assert not im.Activation("selu", jax.nn.selu).smooth  # its slopes at 0 are 1.05 and 1.76
    assert not im.Activation("clipped", lambda s: jnp.clip(s, -1, 1), odd=True).smooth


@pytest.mark.parametrize(
    ("value", "more", "complaint"),
    [
        (lambda s: (s > 0).astype(s.dtype), {}, "'value' must be continuous, but it is not at -1"),
        (jnp.sin, {"first": lambda s: 1.001 * jnp.cos(s)}, "'first' must be the derivative of 'value'"),
        (jnp.sin, {"first": jnp.cos, "second": jnp.sin}, "'second' must be the derivative of 'first'"),
        (jnp.cos, {"odd": True}, "'odd' must be False"),
        (jnp.square, {"homogeneous": True}, "'homogeneous' must be False"),
        (jnp.log, {}, "'value' must be finite"),
        (jax.nn.softmax, {}, "'value' must act on each number for itself"),
        (lambda s: s.astype(jnp.float32), {}, "'value' must return numbers of the shape and the type it is given"),
        (jnp.sum, {}, r"but it is one that makes float32\[\] of float32\[257\]"),
        (np.tanh, {}, "'value' must be a function that runs, but it is one that raises TypeError"),
    ],
)
def test_what_is_not_so_is_refused(value, more, complaint):
    with pytest.raises((im.ArgumentError, im.ArgumentTypeError), match=complaint):
        im.Activation("own", value, **more)


def test_a_derived_activation_pickles_where_its_function_does():
    phi = im.Activation("sine", jax.lax.sin)
    again = pickle.loads(pickle.dumps(phi))
    assert again == phi and hash(again) == hash(phi)
