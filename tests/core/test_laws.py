import warnings

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import isthmus as im
from isthmus.core.covariance import covariance_factor

STANDARD_ERRORS = 5
EXACT = ("linear", "relu", "leaky_relu", "softplus", "gelu")


@pytest.fixture(scope="module")
def digits():
    return im.load_data("digits", max_points=32)


def initial_risk(data, law, activation, particles=4096):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", im.TrivialLimitWarning)
        problem = im.Problem(data, law, activation=activation)
    path = im.solve_mean_field(problem, [0.0], particles=particles, replicates=4)
    return path.risk[0], path.risk_error[0]


def random_covariance(seed, size, rank):
    root = np.random.default_rng(seed).standard_normal((size, rank))
    return root @ root.T


@pytest.mark.parametrize("rank", [3, 7])
def test_factor_reproduces_a_covariance_that_may_be_singular(rank):
    covariance = random_covariance(0, 7, rank)
    axes = np.linalg.qr(np.random.default_rng(1).standard_normal((7, 7)))[0]
    factor = covariance_factor("covariance", covariance, axes)
    np.testing.assert_allclose(factor @ factor.T, covariance, atol=1e-12)
    assert np.abs(np.triu(axes.T @ factor, 1)).max() < 1e-7  # a rank that is lost costs half the digits


@pytest.mark.parametrize(
    ("covariance", "message"),
    [
        (np.diag([1.0, 1.0, -1.0]), "must be positive semidefinite"),
        (np.array([[1.0, 0.5, 0], [0, 1, 0], [0, 0, 1]]), "must be symmetric"),
        (np.eye(4), r"must have shape \(3, 3\), but it is of shape \(4, 4\)"),
    ],
)
def test_a_covariance_is_checked(covariance, message):
    with pytest.raises(im.ArgumentError, match=message):
        im.GaussianNeurons(1, 1, covariance=covariance)


def test_gaussian_neurons_have_their_moments(double):
    covariance = random_covariance(2, 6, 4)
    mean = np.arange(6.0)
    law = im.GaussianNeurons(outputs=2, inputs=3, mean=mean, covariance=covariance)
    count = 200_000
    drawn = law.sample(jax.random.key(0), count)
    joint = np.concatenate([drawn.outgoing, drawn.incoming, drawn.bias[:, None]], axis=1)
    sizes = np.sqrt(np.diag(covariance))
    np.testing.assert_array_less(np.abs(joint.mean(0) - mean), STANDARD_ERRORS * sizes / np.sqrt(count) + 1e-12)
    # The standard error of an entry of the sample covariance is at most √2 times the product of deviations / √n.
    error = np.abs(np.cov(joint.T) - covariance)
    np.testing.assert_array_less(error, STANDARD_ERRORS * np.sqrt(2 / count) * np.outer(sizes, sizes) + 1e-12)
    np.testing.assert_allclose(law.second_moments(), (covariance + np.outer(mean, mean))[:5, :5])


def test_leading_normals_drive_the_bottleneck_first():
    law = im.GaussianNeurons(outputs=1, inputs=3, covariance=random_covariance(4, 5, 5))
    for leading, order in (("outgoing", [0, 4, 1, 2, 3]), ("incoming", [1, 2, 3, 4, 0])):
        factor = law.factor_leading(leading)
        np.testing.assert_allclose(factor @ factor.T, law.covariance, atol=1e-12)
        assert np.abs(np.triu(factor[order], 1)).max() < 1e-12


def test_a_law_in_other_axes_is_that_of_the_coordinates():
    law = im.GaussianNeurons(2, 3, mean=np.arange(6.0), covariance=random_covariance(5, 6, 6))
    axes = np.linalg.qr(np.random.default_rng(6).standard_normal((3, 3)))[0][:, :2]
    turned = law.in_axes(incoming=axes)
    assert (turned.outputs, turned.inputs) == (2, 2)
    np.testing.assert_allclose(turned.mean[2:4], law.mean[2:5] @ axes)
    np.testing.assert_allclose(turned.covariance[2:4, 2:4], axes.T @ law.covariance[2:5, 2:5] @ axes)
    np.testing.assert_allclose(turned.covariance[:2, 2:4], law.covariance[:2, 2:5] @ axes)
    np.testing.assert_allclose(turned.covariance[4, [0, 1, 4]], law.covariance[5, [0, 1, 5]])


@pytest.mark.parametrize(
    ("activation", "strength"),
    [*((name, 0.3) for name in (*EXACT, "tanh", "erf", "sigmoid")), ("tanh", 1.0), (("tanh", "relu"), 1.0)],
)
def test_strength_is_the_fraction_of_the_pca_reconstruction(digits, activation, strength):
    law = im.aligned_law(digits, 2, activation=activation, strength=strength)
    problem = im.Problem(digits, law, activation=activation)
    start = im.solve_mean_field(problem, [0.0], particles=1 << 13, replicates=1).at(0.0)
    pca = digits.pca_reconstruction(2)
    fraction = float((np.asarray(start.reconstruct(digits.points)) * pca).sum() / (pca**2).sum())
    assert fraction == pytest.approx(strength, rel=2e-3)


@pytest.mark.parametrize(
    ("activation", "strength"), [("linear", 0.0), ("relu", 0.5), ("relu", 1.0), ("softplus", 1.0), ("gelu", 0.5)]
)
def test_where_stein_is_exact_the_initial_risk_is_too(digits, activation, strength):
    law = im.aligned_law(digits, 2, activation=activation, strength=strength)
    risk, error = initial_risk(digits, law, activation, particles=1 << 14)
    captured = digits.principal_variances[:2].sum()
    expected = digits.pca_risk(2) + (1 - strength) ** 2 * captured / 2
    # 1e-5 is for the bias of second order in the quadrature error, which replicates don't show.
    assert error < 1e-4
    assert abs(risk - expected) < 2 * error + 1e-5


def test_strength_one_starts_at_pca_as_preactivations_shrink(digits):
    pca = digits.pca_risk(2)
    excess = []
    for scale in (0.8, 0.4, 0.2):
        law = im.aligned_law(digits, 2, strength=1.0, preactivation_scale=scale)
        risk, error = initial_risk(digits, law, "tanh", particles=1 << 14)
        assert error < 3e-5
        excess.append(risk / pca - 1)
    assert 0 < excess[2] < 2e-4
    assert excess[0] > excess[1] > excess[2]
    # The excess is of fourth order in the scale: from 0.4 to 0.2 by a factor that is nearly 16.
    assert 10 < excess[1] / excess[2] < 18


def test_f_and_g_are_what_stein_says(digits, double):
    law = im.aligned_law(digits, 2, strength=0.64, preactivation_scale=0.5)
    problem = im.Problem(digits, law)
    latents = [
        np.asarray(problem.draw(jax.random.key(seed), (4096, 1), np.dtype(np.float64)).encode(digits.points[:5]))
        for seed in range(32)
    ]
    variance = 0.25 / digits.principal_variances.sum()
    components = digits.points @ digits.principal_directions[:, :2]
    slope = im.ACTIVATIONS["tanh"].mean_slope(variance * (digits.points**2).sum(1) + 0.25)[:, None]
    gain = 0.8 * (components**2).sum() / (components**2 * slope).sum()
    error = np.std(latents, axis=0) / np.sqrt(len(latents))
    np.testing.assert_array_less(np.abs(np.mean(latents, 0) - (gain * slope * components)[:5]), STANDARD_ERRORS * error)


def test_an_aligned_law_asks_for_centred_data_of_sufficient_rank(digits):
    with pytest.raises(im.ArgumentError, match=r"use Data\(points, center=True\)"):
        im.aligned_law(im.Data(digits.points + 1), 2)
    with pytest.raises(im.ArgumentError, match="'latent_dim' must be at most the data dimension 64, but it is 70"):
        im.aligned_law(digits, 70)
    flat = im.Data(np.outer(np.arange(5.0), [1, 2, 3]), center=True)
    with pytest.raises(im.ArgumentError, match="'latent_dim' must be at most the rank of the data 1, but it is 2"):
        im.aligned_law(flat, 2)
    with pytest.raises(im.ArgumentError, match="'strength' must be a finite number at least 0 and at most 1"):
        im.aligned_law(digits, 2, strength=1.5)


def test_a_pair_of_laws_must_fit():
    with pytest.raises(im.ArgumentError, match="'decoder' must have inputs equal to the encoder's outputs, 2"):
        im.Law(im.GaussianNeurons(2, 5), im.GaussianNeurons(5, 3))


def test_a_sampler_is_checked():
    law = im.SampledNeurons(lambda key, n: (jnp.ones((n, 1)), jnp.ones((n, 2)), jnp.ones(n)), outputs=1, inputs=3)
    with pytest.raises(im.ArgumentError, match="'sampler' must return arrays of shapes"):
        law.sample(jax.random.key(0), 4)


EVEN = {"s tanh s": lambda s: s * jnp.tanh(s), "square": jnp.square, "cosine": jnp.cos}


@pytest.mark.parametrize("name", EVEN)
@pytest.mark.parametrize("pair", [lambda even: even, lambda even: ("tanh", even), lambda even: (even, "relu")])
def test_even_activations_cannot_be_aligned(name, pair):
    data = im.load_data("wine")
    with pytest.raises(im.ArgumentError, match=f"^Argument 'activation' must have a mean slope .* but it is '{name}'"):
        im.aligned_law(data, 2, activation=pair(im.Activation(name, EVEN[name])))


def test_an_even_activation_with_a_linear_part_is_aligned():
    tilted = im.Activation("tilted", lambda s: s + s**2)
    data = im.load_data("wine")
    problem = im.Problem(data, im.aligned_law(data, 2, activation=tilted), activation=tilted)
    path = im.solve_mean_field(problem, [0.0, 1.0], particles=64, replicates=1)
    assert path.status.ok and path.risk[1] < path.risk[0]
