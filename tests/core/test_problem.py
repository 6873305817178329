"""A problem's parts agree with one another, a limit that stands still is named, and draws repeat."""

import dataclasses
import warnings

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import isthmus as im

STANDARD_ERRORS = 5


@pytest.fixture(scope="module")
def wine():
    return im.load_data("wine")


@pytest.fixture(scope="module")
def law(wine):
    return im.aligned_law(wine, latent_dim=2)


def as_sampled(law: im.Law) -> im.Law:
    """Return the same law, known by its sampler alone."""

    def side(neurons):
        def sampler(key, count):
            drawn = neurons.sample(key, count)
            return drawn.outgoing, drawn.incoming, drawn.bias

        return im.SampledNeurons(sampler, neurons.outputs, neurons.inputs)

    return im.Law(side(law.encoder), side(law.decoder), law.activations)


def silent(*arguments, **options) -> im.Problem:
    """Return the problem, which must not warn."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return im.Problem(*arguments, **options)


def test_dimensions_must_agree(wine):
    with pytest.raises(im.ArgumentError) as caught:
        im.Problem(wine, im.independent_law(12, 2))
    assert str(caught.value) == "Argument 'law' must have the data dimension 13, but it is 12."


def test_an_aligned_law_serves_only_the_activations_it_was_calibrated_for(wine, law):
    with pytest.raises(im.ArgumentError) as caught:
        im.Problem(wine, law, activation=("tanh", "relu"))
    assert str(caught.value) == (
        "Argument 'activation' must be the one the aligned law was calibrated for, ('tanh', 'tanh'), but it is "
        "('tanh', 'relu'); leave it out here, or pass it to aligned_law too."
    )
    pair = im.aligned_law(wine, 2, activation=("tanh", "relu"))
    assert [phi.name for phi in silent(wine, pair, activation=("tanh", "relu")).activations] == ["tanh", "relu"]


def test_a_law_brings_its_activations(wine):
    sine = im.Activation("sine", jnp.sin)
    assert silent(wine, im.aligned_law(wine, 2, activation=(sine, "relu"))).activations == (
        sine,
        im.ACTIVATIONS["relu"],
    )
    with pytest.warns(im.TrivialLimitWarning):
        assert im.Problem(wine, im.independent_law(13, 2)).activation == "tanh"


def test_a_latent_dimension_stands_for_the_aligned_law(wine):
    short, long = silent(wine, latent_dim=3), silent(wine, im.aligned_law(wine, 3))
    assert (short.latent_dim, long.latent_dim) == (3, 3)
    key = jax.random.key(0)
    same = [jax.tree.leaves(one.draw(key, (4, 4), np.dtype(float))) for one in (short, long)]
    jax.tree.map(np.testing.assert_array_equal, *same)
    assert silent(wine, latent_dim=2, activation="gelu").law.activations == (im.ACTIVATIONS["gelu"],) * 2
    again = dataclasses.replace(short, weight_decay=0.1)
    assert again.law is short.law and again.decays == (0.1, 0.1)


def test_rows_of_any_unit_are_scaled_as_the_estimator_scales_them():
    rows = np.random.default_rng(0).standard_normal((30, 4)) * [1, 20, 300, 4] + 7
    problem = silent(rows, latent_dim=2)
    np.testing.assert_allclose(problem.data.points, im.Data(rows, center=True, scale="total").points)
    assert problem.data.is_centred and problem.data.principal_variances.sum() == pytest.approx(1)


def test_the_law_of_a_stream_is_that_of_its_population():
    stream = im.manifold_stream(3)
    problem = silent(stream, latent_dim=1, population_points=64)
    expected = im.aligned_law(im.Data(problem.population.points, center=True), 1)
    np.testing.assert_array_equal(problem.law.encoder.covariance, expected.encoder.covariance)


@pytest.mark.parametrize(
    ("values", "kind", "message"),
    [
        ({"data": "wine"}, im.ArgumentTypeError, r"Argument 'data' must be an array of shape .* but it is 'wine'"),
        ({"law": None}, im.ArgumentError, "Argument 'law' must be given, or 'latent_dim' for an aligned one"),
        ({"latent_dim": 3}, im.ArgumentError, "Argument 'latent_dim' must be that of the law, 2, but it is 3"),
        ({"law": None, "latent_dim": 14}, im.ArgumentError, "Argument 'latent_dim' must be at most the data dimension"),
        ({"law": "aligned"}, im.ArgumentTypeError, "Argument 'law' must be an instance of Law, but it is of type str"),
        ({"activation": "tahn"}, im.ArgumentError, r"Argument 'activation' must be one of .*did you mean 'tanh'\?"),
        ({"activation": 3}, im.ArgumentTypeError, "Argument 'activation' must be one of"),
        ({"activation": ("tanh",)}, im.ArgumentError, "Argument 'activation' must be one activation or a pair"),
        ({"population_points": 0}, im.ArgumentError, "Argument 'population_points' must be an integer of at least 1"),
        ({"population_seed": -1}, im.ArgumentError, "Argument 'population_seed' must be an integer of at least 0"),
    ],
)
def test_parts_are_checked(values, kind, message, wine, law):
    with pytest.raises(kind, match=message):
        im.Problem(**{"data": wine, "law": law, **values})


@pytest.mark.parametrize(
    "rate", [0, 0.5, np.float32(2), lambda t: jnp.exp(-t), optax.cosine_decay_schedule(1.0, 10), lambda t: 1.0]
)
def test_a_rate_is_a_number_or_a_function_of_time(rate, wine, law):
    assert silent(wine, law, encoder_rate=rate, decoder_rate=rate).encoder_rate is rate


@pytest.mark.parametrize("name", ["encoder_rate", "decoder_rate"])
@pytest.mark.parametrize(
    ("rate", "message"),
    [
        (-1, r"' must be a finite number at least 0, but it is -1\.0\."),
        (np.nan, "' must be a finite number at least 0, but it is nan"),
        ("fast", "' must be a finite number at least 0, but it is 'fast'"),
        (None, "' must be a finite number at least 0, but it is None"),
        (lambda t: t - 1, r"\(0\)' must be a finite number at least 0, but it is -1\.0"),
        (lambda t: 1 / t if t else jnp.inf, r"\(0\)' must be a finite number at least 0, but it is inf"),
        (lambda t: 1.0 if t < 5 else 0.1, r"' must be a function that JAX can trace, but it is not; use jax\.numpy"),
        (lambda t: np.exp(-t), r"' must be a function that JAX can trace, but it is not; use jax\.numpy"),
        (lambda t: jnp.ones(2), "must "),
        (lambda t: None, "must "),
    ],
)
def test_rates_are_checked(name, rate, message, wine, law):
    with pytest.raises((im.ArgumentError, im.ArgumentTypeError), match=f"Argument '{name}.*{message}"):
        im.Problem(wine, law, **{name: rate})


def test_the_independent_law_warns_where_it_is_used(wine):
    text = r"as log N \(isthmus\.saddle\(problem\) gives the growth rate and the escape time\)\. Use aligned_law"
    with pytest.warns(im.TrivialLimitWarning, match=text) as caught:
        problem = im.Problem(wine, im.independent_law(13, 2, bias_scale=0.5))
    assert problem.is_trivial
    assert [warning.filename for warning in caught] == [__file__]


def test_strength_zero_warns(wine):
    with pytest.warns(im.TrivialLimitWarning):
        im.Problem(wine, im.aligned_law(wine, 2, strength=0))


@pytest.mark.parametrize("activation", ["tanh", "relu", "sigmoid"])
def test_a_sampled_law_that_is_trivial_warns(activation, wine):
    with pytest.warns(im.TrivialLimitWarning):
        im.Problem(wine, as_sampled(im.independent_law(13, 2, bias_scale=0.5)), activation=activation)


@pytest.mark.parametrize("bias_scale", [0.0, 0.5])
def test_single_precision_changes_no_verdict(bias_scale, wine):
    data = im.Data(wine.points.astype(np.float32), center=True)
    law = im.independent_law(13, 2, bias_scale=bias_scale)
    for trivial in (law, as_sampled(law)):
        with pytest.warns(im.TrivialLimitWarning):
            im.Problem(data, trivial)
    silent(data, im.aligned_law(data, 2))


@pytest.mark.parametrize(
    "stream", [im.gaussian_stream([2.0, 1.0, 1.0]), im.manifold_stream(3)], ids=["gaussian", "manifold"]
)
@pytest.mark.parametrize("sampled", [False, True])
def test_a_population_of_mean_zero_is_centred_whatever_its_sample(sampled, stream):
    law = im.independent_law(3, 1, bias_scale=0.5)
    with pytest.warns(im.TrivialLimitWarning):
        im.Problem(stream, as_sampled(law) if sampled else law)


@pytest.mark.parametrize("activation", sorted(im.ACTIVATIONS))
@pytest.mark.parametrize("strength", [0.05, 1.0])
def test_aligned_laws_are_not_trivial(activation, strength, wine):
    law = im.aligned_law(wine, 2, activation=activation, strength=strength)
    assert not silent(wine, law, activation=activation).is_trivial


@pytest.mark.parametrize("activation", ["tanh", "relu", "gelu"])
def test_a_sampled_law_that_is_aligned_does_not_warn(activation, wine):
    law = as_sampled(im.aligned_law(wine, 2, activation=activation, strength=0.05))
    assert not silent(wine, law, activation=activation).is_trivial


def test_uncentred_data_move_any_law():
    data = im.load_data("wine", center=False)
    law = im.independent_law(13, 2, bias_scale=0.5)
    assert not silent(data, law).is_trivial
    assert not silent(data, as_sampled(law)).is_trivial
    shifted = im.Stream(lambda key, n: im.gaussian_stream([1.0, 1.0]).sample(key, n) + 0.5, dim=2)
    assert not silent(shifted, im.independent_law(2, 1, bias_scale=0.5)).is_trivial


@pytest.mark.parametrize("aligned", ["encoder", "decoder"])
def test_one_aligned_side_is_enough_to_move(aligned, wine, law):
    independent = im.independent_law(13, 2)
    sides = {"encoder": independent.encoder, "decoder": independent.decoder, aligned: getattr(law, aligned)}
    assert not silent(wine, im.Law(**sides)).is_trivial
    assert not silent(wine, as_sampled(im.Law(**sides))).is_trivial


def test_outgoing_weights_off_centre_move(wine):
    mean = np.zeros(16)
    mean[0] = 1.0
    law = im.Law(im.GaussianNeurons(2, 13, mean=mean), im.GaussianNeurons(13, 2, mean=mean))
    assert not silent(wine, law).is_trivial


def test_population_is_the_data_or_a_fixed_sample(wine, law):
    assert silent(wine, law).population is wine
    stream = im.gaussian_stream([2.0, 1.0])
    aligned = im.aligned_law(im.Data(stream.draw(50, seed=1).points, center=True), 1)

    def make(seed):
        return silent(stream, aligned, population_points=100, population_seed=seed).population.points

    np.testing.assert_array_equal(make(1), make(1))
    assert make(1).shape == (100, 2) and not np.any(make(1) == make(2))


@pytest.mark.parametrize("sampled", [False, True])
def test_a_draw_is_the_same_network_in_either_precision(sampled, wine, law):
    problem = silent(wine, as_sampled(law) if sampled else law)
    double = problem.draw(jax.random.key(3), (5, 7), np.dtype(np.float64))
    single = problem.draw(jax.random.key(3), (5, 7), np.dtype(np.float32))
    assert (double.encoder.width, double.decoder.width) == (5, 7)
    for precise, rounded in zip(jax.tree.leaves(double), jax.tree.leaves(single), strict=True):
        assert (precise.dtype, rounded.dtype) == (np.float64, np.float32)
        np.testing.assert_array_equal(rounded, precise.astype(np.float32))
    assert np.any(double.encoder.incoming != single.encoder.incoming)


def test_draws_of_other_widths_or_keys_or_sides_are_uncorrelated(wine):
    with pytest.warns(im.TrivialLimitWarning):
        problem = im.Problem(wine, im.independent_law(13, 2))
    count = 4000

    def draw(seed, widths):
        network = problem.draw(jax.random.key(seed), widths, np.dtype(np.float64))
        return network.encoder.incoming[:count], network.decoder.outgoing[:count]

    reference = draw(0, (count, count))
    others = [draw(0, (count + 1, count)), draw(0, (count, count + 1)), draw(1, (count, count))]
    parts = [reference[0], *(part for other in others for part in other), reference[1]]
    for other in parts[1:]:
        assert abs(np.mean(np.asarray(parts[0]) * np.asarray(other))) < STANDARD_ERRORS / np.sqrt(13 * count)
    np.testing.assert_array_equal(draw(0, (count, count))[0], reference[0])


def test_wider_networks_on_one_side_only_are_drawn_too(wine, law):
    network = silent(wine, law).draw(jax.random.key(0), (3, 9), np.dtype(np.float32))
    assert network.encoder.outgoing.shape == (3, 2) and network.decoder.outgoing.shape == (9, 13)
    assert network.reconstruct(np.asarray(wine.points[:4], np.float32)).shape == (4, 13)
