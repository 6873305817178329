"""A nonlinear autoencoder in one dimension, whose path a tensor Gauss–Hermite rule gives to rounding."""

import numpy as np
from numpy.polynomial.hermite_e import hermegauss
from scipy.integrate import solve_ivp

import isthmus as im

POINTS = np.array([-1.2, -0.7, 0.4, 1.4])
MEAN, DEVIATION = 0.8, 0.3


class Scalar:
    """d = k = 1, tanh, no biases; outgoing and incoming weight independent N(0.8, 0.3²)."""

    def __init__(self):
        covariance = np.diag([DEVIATION**2, DEVIATION**2, 0.0])
        neurons = im.GaussianNeurons(1, 1, mean=[MEAN, MEAN, 0.0], covariance=covariance)
        self.problem = im.Problem(im.Data(POINTS[:, None]), im.Law(neurons, neurons), train_biases=False)

    def risk(self, times, nodes=24):
        """Return R(t), by equations written out for scalars, apart from the library's."""
        roots, weights = hermegauss(nodes)
        weights = weights / weights.sum()
        v, w = (part.ravel() for part in np.meshgrid(MEAN + DEVIATION * roots, MEAN + DEVIATION * roots, indexing="ij"))
        mass = np.outer(weights, weights).ravel()

        def forward(state):
            a, u, c, e = state.reshape(4, -1)
            hidden = np.tanh(np.outer(POINTS, u))
            z = hidden @ (mass * a)
            top = np.tanh(np.outer(z, e))
            return a, u, c, e, hidden, z, top, top @ (mass * c) - POINTS

        def velocity(_, state):
            a, _, c, e, hidden, z, top, r = forward(state)
            q = r * ((1 - top**2) @ (mass * c * e))
            return -np.concatenate(
                [
                    q @ hidden,
                    a * ((q * POINTS) @ (1 - hidden**2)),
                    r @ top,
                    c * ((r * z) @ (1 - top**2)),
                ]
            ) / len(POINTS)

        start = np.concatenate([v, w, v, w])
        path = solve_ivp(velocity, (0, times[-1]), start, "DOP853", times, rtol=1e-11, atol=1e-13)
        return np.array([(forward(state)[-1] ** 2).mean() / 2 for state in path.y.T])
