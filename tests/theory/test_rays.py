"""The certificate where the first variation has no lower bound, since ReLU grows along a ray, against a closed form."""

import numpy as np
import pytest
from linear import correlated_neurons

import isthmus as im
from isthmus.theory.certificates import certified
from isthmus.theory.landscape import Landscape

POINTS = np.array([[1.5, 0.2], [0.5, -0.4], [-1.0, 0.3], [-0.4, -0.6], [0.8, 0.9], [-1.4, -0.2]])
DECAYS = 0.02, 0.03


@pytest.mark.parametrize("scale", [0.02, 1.5])
def test_the_gap_holds_where_relu_grows_along_a_ray(scale, double):
    """With f(x) = x_1 and no biases a decoder is A₊z₊ + A₋z₋ of penalty λ(|A₊| + |A₋|): the best one is explicit.

    The dual of the problem in the decoder is max E⟨x, η⟩ − ½E|η|² over η with |E[η z₊]|, |E[η z₋]| ≤ λ.
    """
    law = im.Law(correlated_neurons(1, 2, 0.5), correlated_neurons(2, 1, 0.5))
    problem = im.Problem(im.Data(POINTS), law, "relu", weight_decay=DECAYS, train_biases=False)
    z = np.maximum(np.stack([POINTS[:, 0], -POINTS[:, 0]]), 0)
    outgoing = scale * np.array([[0.8, 0.1], [-0.5, 0.3]])
    r = z.T @ outgoing / 2 - POINTS
    pulls = z @ r / len(POINTS)
    encoder_penalty = DECAYS[0] / 2 * 5
    objective = (r**2).sum() / 2 / len(POINTS) + DECAYS[1] / 4 * ((outgoing**2).sum() + 2) + encoder_penalty
    steepest = np.linalg.norm(pulls, axis=1).max()
    assert steepest > 1.2 * DECAYS[1]  # so that unscaled residuals aren't feasible
    scales = np.linspace(0, DECAYS[1] / steepest, 100_001)  # η = s(x − g) is dual feasible where s|p| ≤ λ
    inner, square = -(r * POINTS).sum() / len(POINTS), (r**2).sum() / len(POINTS)
    gap = objective - encoder_penalty - (scales * inner - scales**2 / 2 * square).max()

    wanted = z @ POINTS / len(POINTS)
    sizes = np.linalg.norm(wanted, axis=1)
    best = wanted * (np.maximum(0, 1 - DECAYS[1] / sizes) / (z**2).mean(axis=1))[:, None]
    least = ((z.T @ best - POINTS) ** 2).sum() / 2 / len(POINTS) + DECAYS[1] * np.linalg.norm(best, axis=1).sum()

    landscape = Landscape.of(problem, None)
    network = problem.autoencoder(
        im.NeuronMeasure.of([[2.0], [-2.0]], [[1.0, 0.0], [-1.0, 0.0]] @ landscape.basis),
        im.NeuronMeasure.of(outgoing @ landscape.basis, [[1.0], [-1.0]]),
    )
    certificate, _ = certified(network, landscape, 16, 0)
    assert landscape.objective(network) == pytest.approx(objective, rel=1e-12)
    assert 0.1 * objective < objective - encoder_penalty - least <= certificate.decoder_gap
    assert certificate.decoder_gap == pytest.approx(gap, rel=1e-6) and certificate.proven
