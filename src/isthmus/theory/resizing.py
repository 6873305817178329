"""Carry a trained network to another width: wider without changing what it computes, narrower at the least cost."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy.linalg import qr, solve

from isthmus import _checks
from isthmus._display import Summary
from isthmus._precision import DOUBLE, computing_in
from isthmus._words import number
from isthmus.core.activations import Activation
from isthmus.core.autoencoder import Autoencoder, features
from isthmus.core.data import Data
from isthmus.core.neurons import NeuronMeasure
from isthmus.dynamics.sgd import check_width
from isthmus.theory.atoms import apportioned
from isthmus.theory.expressivity import expressivity

RIDGE = 1e-9
"""Penalty of the regression on chosen neurons, relative to the mean square of their outputs."""


@dataclass(frozen=True, repr=False)
class Resized(Summary):
    """A network of another width, with the risks on the points before and after; the result of `resize`.

    Attributes:
        autoencoder: the network, with mass 1/N for each neuron.
        risk_before, risk_after: R = ½ E‖x − x̂‖² of the old and of the new network.
        drawn_risk: what a network of this width costs whose neurons are drawn at random from the old ones' law, on
            average and to leading order.

    Example:
        >>> import isthmus as im
        >>> encoder = im.NeuronMeasure.of(outgoing=[[1.0]], incoming=[[1.0, 0.0]])
        >>> decoder = im.NeuronMeasure.of(outgoing=[[1.0, 0.0]], incoming=[[1.0]])
        >>> network = im.Autoencoder(encoder, decoder, im.ACTIVATIONS["linear"], im.ACTIVATIONS["linear"])
        >>> resized = im.resize(network, 3, [[2.0, 1.0]], spread=0.0)
        >>> resized.risk_before, resized.risk_after
        (0.5, 0.5)

    """

    autoencoder: Autoencoder
    risk_before: float
    risk_after: float
    drawn_risk: float

    def _lines(self) -> list[tuple[str, object]]:
        sides = f"{self.autoencoder.encoder.width:,} encoder and {self.autoencoder.decoder.width:,} decoder neurons"
        risks = f"{number(self.risk_before)} before, {number(self.risk_after)} after"
        return [("network", sides), ("risk", f"{risks}; {number(self.drawn_risk)} if drawn at random")]


def resize(
    network: Autoencoder,
    width: int | tuple[int, int],
    data: Data | ArrayLike,
    *,
    spread: float = 0.1,
    seed: int = 0,
) -> Resized:
    r"""Return a network of width N, or (N_E, N_D), that computes the same as another one, as nearly as it can.

    **Wider**: neurons are split, and outgoing weights scaled, Σ over the copies of v/N being what it was, so that the
    function is the same to rounding. Copies differ by zero-sum changes of their outgoing weights, of relative size
    ``spread``, without which they would never part in training.

    **Narrower**: neurons are chosen by a QR factorisation with pivoting of their outputs over the data, and given the
    outgoing weights that reproduce the old latents, and then the old reconstructions, best in the least-squares sense.

    Source: splitting as in Net2Net, Chen, Goodfellow and Shlens (2016); subsets by QR with column pivoting, Businger
    and Golub, Numerische Mathematik 7 (1965).

    Args:
        network: with any masses.
        width: of the new network.
        data: points in the units of the network, shape (n, d), or `Data`.
        spread: of the copies of a split neuron.
        seed: of that spread.

    Raises:
        ArgumentError: where an argument breaks its rule.

    Example:
        >>> import isthmus as im
        >>> data = im.load_data("wine", max_points=64)
        >>> problem = im.Problem(data, im.aligned_law(data, latent_dim=2))
        >>> runs = im.train(problem, [4.0], width=64, step_size=0.1)
        >>> wide = im.resize(runs.at(4.0), 150, data)
        >>> wide.autoencoder.encoder.width, abs(wide.risk_after - wide.risk_before) < 1e-6
        (150, True)

    """
    _checks.instance("network", network, Autoencoder)
    widths = check_width(width)
    spread = _checks.real("spread", spread, minimum=0)
    _checks.memory("width", width, 8 * sum(widths) * (network.dim + network.latent_dim + 2))
    random = np.random.default_rng(_checks.seed("seed", seed))
    data = data if isinstance(data, Data) else Data(_checks.array("data", data, ("n", network.dim)))
    if data.dim != network.dim:
        _checks.refuse("data", f"have the dimension {network.dim} of the network", data.dim)
    points, weights = data.points.astype(DOUBLE), data.weights.astype(DOUBLE)
    inputs = np.nan_to_num(points)

    def side(measure: NeuronMeasure, phi: Activation, width: int, inputs: Any, targets: Any) -> NeuronMeasure:
        if width >= measure.width:
            return _split(measure, width, spread, random)
        return _selected(measure, phi, width, np.asarray(inputs), np.asarray(targets), weights)

    with computing_in(DOUBLE):
        old = network.in_precision(DOUBLE)
        latents = old.encode(points)
        encoder = side(old.encoder, old.encoder_activation, widths[0], inputs, latents)
        new_latents = old.with_measures(encoder, old.decoder).encode(points)
        decoder = side(old.decoder, old.decoder_activation, widths[1], new_latents, old.decode(latents))
        new = old.with_measures(encoder, decoder)
        before, after = (float(state.risk(points, weights)) for state in (old, new))
    resized = new.in_precision(np.asarray(network.encoder.bias).dtype)
    return Resized(resized, before, after, expressivity(old, data).expected_risk(widths))


def _split(measure: NeuronMeasure, width: int, spread: float, random: np.random.Generator) -> NeuronMeasure:
    """Return a uniform measure on more neurons with the same integral of everything linear in the outgoing weight."""
    masses = np.asarray(measure.masses)
    counts = apportioned(masses, width, least=1)
    source = np.repeat(np.arange(len(masses)), counts)
    copies = measure.chosen(source)
    outgoing = np.asarray(copies.outgoing) * (width * masses / counts)[source, None]
    noise = spread * np.abs(outgoing) * random.standard_normal(outgoing.shape)
    noise -= (np.add.reduceat(noise, np.cumsum(counts) - counts) / counts[:, None])[source]
    return dataclasses.replace(copies, outgoing=outgoing + noise)


def _selected(
    measure: NeuronMeasure, phi: Activation, width: int, inputs: np.ndarray, targets: np.ndarray, weights: np.ndarray
) -> NeuronMeasure:
    """Return a uniform measure on some of the neurons, with the outgoing weights that meet the targets best."""
    roots = np.sqrt(weights)[:, None]
    outputs = roots * features(measure, phi, inputs).T
    sizes = np.asarray(measure.masses) * np.linalg.norm(np.asarray(measure.outgoing), axis=1)
    factored: Any = qr(outputs * sizes, mode="r", pivoting=True)
    rows = np.sort(factored[1][:width])
    design = outputs[:, rows]
    moments = design.T @ design
    moments += RIDGE * np.trace(moments) / width * np.eye(width)
    outgoing = width * solve(moments, design.T @ (roots * targets), assume_a="pos")
    return dataclasses.replace(measure.chosen(rows), outgoing=outgoing)
