"""Linear autoencoders whose mean-field path is known: they own their data, law, and exact risk."""

import numpy as np

import isthmus as im


def gaussian_points(variances):
    """Return 2d equally weighted points whose second moment is exactly diag(variances)."""
    scales = np.sqrt(len(variances) * np.asarray(variances, dtype=float))
    return np.concatenate([np.diag(scales), -np.diag(scales)])


def correlated_neurons(outputs, inputs, cross):
    """Return centred Gaussian neurons of unit variances without biases, with E[v_i w_i] = cross for the first ones."""
    covariance = np.eye(outputs + inputs + 1)
    covariance[-1, -1] = 0
    for i in range(min(outputs, inputs)):
        covariance[i, outputs + i] = covariance[outputs + i, i] = cross
    return im.GaussianNeurons(outputs, inputs, covariance=covariance)


class Example:
    """Σ = diag(4, 2, 1, ½), k = 2, unit second moments, cross-moments ½."""

    times = np.array([0.0, 0.05, 0.1, 0.2, 0.3, 0.5])
    risk = np.array([2.4375, 1.83406125, 1.30696108, 0.87709342, 0.77718867, 0.75058684])
    limit = 0.75

    @staticmethod
    def problem(**rates):
        data = im.Data(gaussian_points([4.0, 2.0, 1.0, 0.5]))
        law = im.Law(correlated_neurons(2, 4, 0.5), correlated_neurons(4, 2, 0.5))
        return im.Problem(data, law, activation="linear", **rates)


class OneNumber:
    """d = k = 1 with unit second moments and common cross-moment p_0: p′ = 2λp(1 − p²)√(p² + 1 − p_0²).

    The reconstruction is p²x, so R = ½λ(1 − p²)².
    """

    def __init__(self, variance=2.0, start=0.5):
        self.variance, self.start = variance, start
        data = im.Data(gaussian_points([variance]))
        law = im.Law(correlated_neurons(1, 1, start), correlated_neurons(1, 1, start))
        self.problem = im.Problem(data, law, activation="linear")

    def risk(self, times):
        from scipy.integrate import solve_ivp

        slope = lambda _, p: 2 * self.variance * p * (1 - p**2) * np.sqrt(p**2 + 1 - self.start**2)
        path = solve_ivp(slope, (0, times[-1]), [self.start], "DOP853", times, rtol=1e-12, atol=1e-14)
        return self.variance / 2 * (1 - path.y[0] ** 2) ** 2
