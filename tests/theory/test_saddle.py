"""The growth rate about dead laws against closed formulas, linearised flows and simulated escapes."""

import warnings

import numpy as np
import pytest
from linear import OneNumber

import isthmus as im
from isthmus.theory.saddle import measured_escape_times


def dead(data, law, activation="tanh", **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", im.TrivialLimitWarning)
        return im.Problem(data, law, activation, **options)


@pytest.fixture(scope="module")
def surface():
    return im.Data(im.manifold_stream(4, 1, seed=1).draw(16, 0).points, center=True, scale="total")


def isotropic_rate(data, phi, a, w, c, u, train_biases):
    """Isotropic laws whose biases start at 0: γ² = κ_D λ_max(S), by quadrature in two dimensions."""
    points, n = data.points, data.size
    nodes, weights = np.polynomial.hermite_e.hermegauss(40)
    weights = weights / weights.sum()
    gram = w**2 * points @ points.T
    kernel = np.zeros((n, n))
    for i in range(n):
        for j in range(i + 1):
            si = np.sqrt(gram[i, i])
            rho = gram[i, j] / si
            rest = np.sqrt(max(gram[j, j] - rho**2, 0))
            x, y = np.meshgrid(nodes, nodes, indexing="ij")
            s, t = si * x, rho * x + rest * y
            mass = np.outer(weights, weights)
            first = (mass * phi.value(s) * phi.value(t)).sum()
            second = (mass * phi.first(s) * phi.first(t)).sum()
            kernel[i, j] = kernel[j, i] = first + a**2 * second * (
                points[i] @ points[j] + (1.0 if train_biases else 0.0)
            )
    operator = points.T @ kernel @ points / n**2
    zero = np.zeros(1)
    slope, curve = float(phi.first(zero)[0]), float(phi.second(zero)[0])
    kappa = (u**2 + c**2) * slope**2 + (c**2 * u**2 * curve**2 if train_biases else 0.0)
    return np.sqrt(kappa * np.linalg.eigvalsh(operator).max())


@pytest.mark.parametrize(
    ("name", "train_biases"),
    [("tanh", True), ("tanh", False), ("erf", False), ("softplus", True), ("sigmoid", False), ("gelu", True)],
)
def test_the_growth_rate_of_isotropic_laws_is_the_closed_formula(surface, name, train_biases):
    a, w = 0.9, 1.1
    law = im.independent_law(4, 1, outgoing_scale=a, incoming_scale=w)
    saddle = im.saddle(dead(surface, law, name, train_biases=train_biases))
    expected = isotropic_rate(surface, im.ACTIVATIONS[name], a, w, a, w, train_biases)
    assert saddle.trivial
    assert saddle.growth_rate == pytest.approx(expected, rel=0.01)


def test_the_linear_rate_is_that_of_the_closed_system():
    """Linear, no biases: with unit second moments a small cross-moment p grows as p' = 2λp."""
    with pytest.warns(im.TrivialLimitWarning):
        problem = OneNumber(variance=2.0, start=0.0).problem
    saddle = im.saddle(dead(problem.data, problem.law, "linear", train_biases=False))
    assert saddle.growth_rate == pytest.approx(4.0, rel=1e-3)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["tanh", "softplus"])
def test_a_law_that_is_nearly_dead_grows_at_the_rate(name):
    """An anisotropic law with biases, perturbed a little: the gain of the mean-field flow grows as e^(2γt)."""
    data = im.Data(im.manifold_stream(3, 1, seed=2).draw(24, 0).points, center=True, scale="total")
    random = np.random.default_rng(0)

    def side(outputs, inputs, cross):
        size = outputs + inputs + 1
        root = random.standard_normal((size, size)) / np.sqrt(size)
        covariance = root @ root.T + 0.3 * np.eye(size)
        covariance[:outputs, outputs:] = 0
        covariance[outputs:, :outputs] = 0
        covariance[:outputs, outputs:-1] = cross
        covariance[outputs:-1, :outputs] = cross.T
        covariance[-1, :-1] = covariance[:-1, -1] = 0
        return im.GaussianNeurons(outputs, inputs, covariance=covariance)

    towards = data.principal_directions[:, :1]
    state = random.bit_generator.state
    law = im.Law(side(1, 3, 0 * towards.T), side(3, 1, 0 * towards))
    random.bit_generator.state = state
    nearly = im.Law(side(1, 3, 3e-3 * towards.T), side(3, 1, 3e-3 * towards))
    saddle = im.saddle(dead(data, law, name))
    end = 4 / saddle.growth_rate
    times = np.linspace(0, end, 41)
    path = im.solve_mean_field(im.Problem(data, nearly, name), times, particles=4096, replicates=1, rtol=1e-8)
    rest = float((data.points**2).sum(axis=1).mean()) / 2
    late = slice(15, 35)
    gain = np.log(rest - path.risk[late])
    slope = np.polyfit(times[late], gain, 1)[0]
    assert slope == pytest.approx(2 * saddle.growth_rate, rel=0.03)


@pytest.mark.slow
def test_escape_grows_with_the_logarithm_of_the_width_as_predicted(surface):
    problem = dead(surface, im.independent_law(4, 1))
    saddle = im.saddle(problem)
    few, many, runs = 64, 1024, 40
    measured = []
    for width in (few, many):
        horizon = 2 * float(saddle.escape_times(width).max())
        measured.append(measured_escape_times(problem, saddle, width, runs, horizon=horizon, seed=3))
    predicted = saddle.escape_time(many) - saddle.escape_time(few)
    error = np.sqrt(sum(times.var(ddof=1) / runs for times in measured))
    assert measured[1].mean() - measured[0].mean() == pytest.approx(predicted, abs=3 * error)
    calibrated = saddle.calibrated(few, runs, seed=3)
    assert calibrated.escape_time(many) == pytest.approx(measured[1].mean(), abs=3 * error)
    assert predicted == pytest.approx(saddle.slope * np.log(many / few), rel=0.3)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["tanh", "erf", "linear"])
@pytest.mark.parametrize("train_biases", [True, False])
def test_the_slope_of_the_escape_time_is_the_predicted_one(surface, name, train_biases):
    problem = dead(surface, im.independent_law(4, 1, bias_scale=0.3), name, train_biases=train_biases)
    saddle, widths, runs = im.saddle(problem), np.array([64, 256, 1024, 4096]), 64
    means, errors = [], []
    for width in widths:
        horizon = 2 * float(saddle.escape_times(int(width)).max())
        times = measured_escape_times(problem, saddle, int(width), runs, horizon=horizon, seed=5)
        means.append(times.mean())
        errors.append(times.std(ddof=1) / np.sqrt(runs))
    decades = np.log10(widths) - np.log10(widths).mean()
    weights = decades / (decades @ decades)
    measured, error = weights @ means, np.sqrt(weights**2 @ np.square(errors))
    predicted = weights @ [saddle.escape_time(int(width)) for width in widths]
    asymptotic = saddle.slope * np.log(10)
    print(
        f"{name}, biases {'trained' if train_biases else 'fixed'}: γ={saddle.growth_rate:.3f}, escape time a decade of "
        f"the width {measured:.3f} ± {error:.3f}, predicted {predicted:.3f} (asymptotically {asymptotic:.3f})"
    )
    assert measured == pytest.approx(predicted, abs=2.5 * error)


def test_a_limit_that_moves_has_no_saddle():
    data = im.load_data("wine")
    saddle = im.saddle(im.Problem(data, im.aligned_law(data, 2)))
    assert not saddle.trivial and np.isnan(saddle.growth_rate)
    with pytest.raises(im.NumericalError, match="no saddle to escape from"):
        saddle.escape_time(100)


def test_a_law_known_by_its_sampler_alone_has_a_rate(surface):
    law = im.independent_law(4, 1)

    def side(neurons):
        def sampler(key, count):
            drawn = neurons.sample(key, count)
            return drawn.outgoing, drawn.incoming, drawn.bias

        return im.SampledNeurons(sampler, neurons.outputs, neurons.inputs)

    sampled = im.Law(side(law.encoder), side(law.decoder))
    exact = im.saddle(dead(surface, law)).growth_rate
    assert im.saddle(dead(surface, sampled)).growth_rate == pytest.approx(exact, rel=0.1)


def test_what_has_no_linear_theory_is_refused(surface):
    with pytest.raises(im.ArgumentError, match="decoder activation with a continuous slope"):
        im.saddle(dead(surface, im.independent_law(4, 1), "relu"))
    with pytest.raises(im.ArgumentError, match="constant encoder_rate"):
        im.saddle(dead(surface, im.independent_law(4, 1), encoder_rate=lambda t: 1 / (1 + t)))
    with pytest.raises(im.ArgumentError, match="'neurons' must be a power of 2"):
        im.saddle(dead(surface, im.independent_law(4, 1)), neurons=100)
