"""Temperature: neurons that nothing pulls at make Ornstein–Uhlenbeck processes, and moments of linear ones close."""

import numpy as np
import pytest
from linear import correlated_neurons, gaussian_points
from scipy.integrate import solve_ivp

import isthmus as im

WIDTH = 1024


@pytest.mark.filterwarnings("ignore::isthmus.TrivialLimitWarning")
def test_free_neurons_have_the_variance_of_their_process():
    """σ² e^{−2λt} + (τ/λ)(1 − e^{−2λt}) with λ and τ times the rate, and biases that aren't trained stay."""
    data = im.Data(1e-9 * np.array([[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0], [0.0, -1.0]]))
    law = im.Law(im.GaussianNeurons(1, 2), im.GaussianNeurons(2, 1))
    rates = {"encoder_rate": 2.0, "decoder_rate": 0.5}
    problem = im.Problem(data, law, weight_decay=(0.5, 0.25), temperature=0.3, train_biases=False, **rates)
    options = {"dtype": "float64", "rtol": 2e-3, "max_steps": 128}  # few steps suffice, since the noise is additive
    flow = im.gradient_flow(problem, [0.0, 1.5], WIDTH, snapshot_times=[0.0, 1.5], **options)
    before, after = flow.at(0.0), flow.at(1.5)
    for side, decay, rate in (("encoder", 0.5, 2.0), ("decoder", 0.25, 0.5)):
        remains = np.exp(-2 * decay * rate * 1.5)
        expected = remains + 0.3 / decay * (1 - remains)
        start, end = getattr(before, side), getattr(after, side)
        weights = np.concatenate([end.outgoing, end.incoming], axis=1)
        assert np.mean(weights**2) == pytest.approx(expected, rel=5 * np.sqrt(2 / weights.size) + 0.003)
        first = np.concatenate([start.outgoing, start.incoming], axis=1)
        kept = np.mean(first * weights)  # what remains of the start
        assert kept == pytest.approx(np.sqrt(remains), abs=5 * np.sqrt((expected + remains) / weights.size))
        np.testing.assert_array_equal(end.bias, start.bias)


def test_the_closed_system_heeds_temperature_and_decay():
    """With d = k = 1 and equal sides it is ṗ = Gs − 2λp, ṡ = 4Gp + 4τ − 2λs for p = E[aw], s = E[a² + w²]."""
    variance, start, temperature, decay, rate = 2.0, 0.5, 0.3, 0.2, 0.7
    neurons = correlated_neurons(1, 1, start)
    problem = im.Problem(
        im.Data(gaussian_points([variance])),
        im.Law(neurons, neurons),
        activation="linear",
        temperature=temperature,
        weight_decay=decay,
        encoder_rate=rate,
        decoder_rate=rate,
    )
    times = np.array([0.0, 0.3, 0.8, 1.5])

    def slope(_, state):
        p, s = state
        pull = variance * p * (1 - p**2)
        return rate * np.array([pull * s - 2 * decay * p, 4 * pull * p + 4 * temperature - 2 * decay * s])

    p = solve_ivp(slope, (0, times[-1]), [start, 2.0], "DOP853", times, rtol=1e-11, atol=1e-13).y[0]
    np.testing.assert_allclose(im.linear_closure(problem, times), variance / 2 * (1 - p**2) ** 2, rtol=1e-7)
