import numpy as np
import pytest
from linear import Example, OneNumber
from scipy.integrate import solve_ivp

import isthmus as im


def test_the_closed_system_has_the_known_numbers():
    np.testing.assert_allclose(im.linear_closure(Example.problem(), Example.times), Example.risk, atol=6e-9)


def test_it_ends_at_pca():
    assert im.linear_closure(Example.problem(), [0.0, 30.0])[-1] == pytest.approx(Example.limit, abs=1e-10)


@pytest.mark.parametrize(("variance", "start"), [(2.0, 0.5), (0.7, 0.1), (1.0, 0.9)])
def test_one_dimension_reduces_to_one_number(variance, start):
    system = OneNumber(variance, start)
    times = np.linspace(0, 3, 7)
    np.testing.assert_allclose(im.linear_closure(system.problem, times), system.risk(times), atol=1e-9)


def test_rates_enter_the_closed_system():
    rate = lambda t: 1 / (1 + t)
    slowed = im.linear_closure(Example.problem(encoder_rate=rate, decoder_rate=rate), Example.times)
    # The same rate on both sides is a change of time, from t to log(1 + t).
    np.testing.assert_allclose(slowed, im.linear_closure(Example.problem(), np.log1p(Example.times)), atol=1e-8)
    frozen = im.linear_closure(Example.problem(encoder_rate=0.0, decoder_rate=0.0), [0.0, 50.0])
    assert frozen[1] == frozen[0]


def test_the_moment_equations_are_those_of_neurons():
    """Independent route: 40 neurons moved one by one, against their moments alone."""
    from isthmus.dynamics.closures import moment_flow

    random = np.random.default_rng(0)
    a, w, c, u = (random.standard_normal(shape) for shape in ((40, 1), (40, 2), (40, 2), (40, 1)))
    sigma = np.array([[1.5, 0.3], [0.3, 0.5]])
    join = lambda v, w: np.hstack([v, w]).T @ np.hstack([v, w]) / len(v)
    times = np.array([0.0, 0.2, 0.5])

    def velocity(_, state):
        a, w, c, u = (part.reshape(40, -1) for part in np.split(state, [40, 120, 200]))
        big_a, big_b = a.T @ w / 40, c.T @ u / 40
        defect = (np.eye(2) - big_b @ big_a) @ sigma
        # −N ∂R/∂θ_i of R = ½ tr (I − BA)Σ(I − BA)ᵀ
        return np.concatenate(
            [
                (w @ (big_b.T @ defect).T).ravel(),
                (a @ (big_b.T @ defect)).ravel(),
                (u @ (defect @ big_a.T).T).ravel(),
                (c @ (defect @ big_a.T)).ravel(),
            ]
        )

    def risk(state):
        a, w, c, u = (part.reshape(40, -1) for part in np.split(state, [40, 120, 200]))
        defect = np.eye(2) - (c.T @ u / 40) @ (a.T @ w / 40)
        return np.trace(defect @ sigma @ defect.T) / 2

    start = np.concatenate([part.ravel() for part in (a, w, c, u)])
    path = solve_ivp(velocity, (0, 0.5), start, "DOP853", times, rtol=1e-11, atol=1e-12)
    moments = moment_flow(join(a, w), join(c, u), sigma, times, 1e-11)
    np.testing.assert_allclose(moments, [risk(state) for state in path.y.T], rtol=1e-8)


def test_it_refuses_what_does_not_close():
    data = im.load_data("wine")
    with pytest.raises(im.ArgumentError, match="'activation' must be 'linear'"):
        im.linear_closure(im.Problem(data, im.aligned_law(data, 1)), [1.0])
    biased = im.Problem(data, im.aligned_law(data, 1, activation="linear"), activation="linear")
    with pytest.raises(im.ArgumentError, match="'encoder' must have no bias"):
        im.linear_closure(biased, [1.0])


def test_biases_that_would_arise_are_refused():
    neurons = im.GaussianNeurons(1, 1, mean=[1.0, 1.0, 0.0], covariance=np.diag([1.0, 1.0, 0.0]))
    off_centre, law = im.Data([[1.0], [3.0]]), im.Law(neurons, neurons)
    with pytest.raises(im.ArgumentError, match="set train_biases=False, or centre the data"):
        im.linear_closure(im.Problem(off_centre, law, activation="linear"), [1.0])
    fixed = im.Problem(off_centre, law, activation="linear", train_biases=False)
    exact = im.linear_closure(fixed, [0.0, 0.05, 0.2])
    path = im.solve_mean_field(fixed, [0.0, 0.05, 0.2], particles=1 << 14)
    np.testing.assert_allclose(path.risk, exact, rtol=1e-3, atol=1e-4)
