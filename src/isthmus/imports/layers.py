"""From a chain of layers, wherever it was read, to an autoencoder of two measures with the same outputs."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, NoReturn

import numpy as np

from isthmus import _checks
from isthmus._errors import ArgumentError
from isthmus._precision import computing_in
from isthmus.core.activations import ACTIVATIONS, Activation, activation_pair
from isthmus.core.autoencoder import Autoencoder
from isthmus.core.neurons import NeuronMeasure

Given = str | Activation | tuple[str | Activation, str | Activation] | None
"""What a caller names as the activation of a network, None for what is read."""
BIASES = np.array([0.0, 1.0, -1.0, 3.0, -3.0])
"""Of a neuron that carries a constant; the one with the largest |φ| is taken."""
PROBES = 16
"""Random points at which outputs are compared."""
SAME = 2e-5
"""Difference of outputs, relative to 1 and the largest, that may be rounding: some know φ in single precision only.

That by which GELU differs from its approximation by tanh is larger.
"""


def imported(package: str, what: str, install: str) -> Any:
    """Return the package of a framework, or say how to get it."""
    try:
        return importlib.import_module(package)
    except ImportError:
        raise ArgumentError(f"{what} need the package {package}: pip install {install}.") from None


class Linear(NamedTuple):
    """x ↦ W x + b, W of shape (outputs, inputs); ``parameters`` are the objects that hold them where they were read."""

    name: str
    weight: np.ndarray
    bias: np.ndarray
    parameters: tuple[Any, Any] = (None, None)


class Affine(NamedTuple):
    """x ↦ scale × x + shift, entry by entry."""

    name: str
    scale: np.ndarray | float
    shift: np.ndarray | float


class Nonlinear(NamedTuple):
    """An activation under the name it has on the shelf, None where it has none, or whatever else acts on one input."""

    name: str
    kind: str
    activation: str | None


Layer = Linear | Affine | Nonlinear


class Side(NamedTuple):
    """Encoder or decoder: two linear layers about an activation."""

    into: Linear
    between: Nonlinear | None
    out: Linear

    @property
    def width(self) -> int:
        """The number of neurons N."""
        return len(self.into.weight)


def sides_of(layers: Sequence[Layer], argument: str) -> tuple[Side, Side]:
    """Return encoder and decoder of a chain of layers, refused where it is another.

    What acts entry by entry beside a linear layer becomes part of it.
    """
    chain = _folded(list(layers), argument)
    linear = [place for place, layer in enumerate(chain) if isinstance(layer, Linear)]
    if len(linear) != 4:
        given = _checks.described(f"one with {len(linear)}: {_shown(chain)}")
        _checks.refuse(argument, "have two linear layers in the encoder and two in the decoder", given)
    places = ((0, linear[0], "begin with a linear layer"), (linear[3] + 1, len(chain), "end with a linear layer"))
    for first, last, rule in (*places, (linear[1] + 1, linear[2], "have a bottleneck without an activation")):
        if last > first:
            _refuse_layer(argument, rule, chain[first])
    first, second, third, fourth = (chain[place] for place in linear)
    between = [chain[place + 1 : after] for place, after in zip(linear[::2], linear[1::2], strict=True)]
    for inner in between:
        if len(inner) > 1:
            unknown = [layer for layer in inner if isinstance(layer, Nonlinear) and layer.activation is None]
            _refuse_layer(argument, "have one activation between two linear layers", [*unknown, inner[1]][0])
    sides = tuple(
        Side(into, inner[0] if inner else None, out)  # pyright: ignore[reportArgumentType]
        for into, inner, out in zip((first, third), between, (second, fourth), strict=True)
    )
    return sides[0], sides[1]


def autoencoder_of(
    layers: Sequence[Layer], forward: Callable[[np.ndarray], np.ndarray], argument: str, activation: Given
) -> Autoencoder:
    """Return the autoencoder with the outputs of a chain of layers.

    Args:
        layers: the chain.
        forward: what computes its outputs, shape (n, d), from points, shape (n, d); both are compared.
        argument: under which the chain was given.
        activation: used in place of what was read, where it is given.

    """
    encoder, decoder = sides_of(layers, argument)
    given = (None, None) if activation is None else activation_pair(activation)
    pair = [_activation(side.between, chosen, argument) for side, chosen in zip((encoder, decoder), given, strict=True)]
    if encoder.into.weight.shape[1] != decoder.out.weight.shape[0]:
        shape = _checks.described(f"one from {encoder.into.weight.shape[1]} to {decoder.out.weight.shape[0]}")
        _checks.refuse(argument, "return as many features as it takes", shape)
    network = Autoencoder(_measure(encoder, pair[0]), _measure(decoder, pair[1]), *pair)
    points = np.random.default_rng(0).standard_normal((PROBES, network.dim)).astype(encoder.into.weight.dtype)
    with computing_in(points.dtype):
        ours, theirs = np.asarray(network.reconstruct(points)), forward(points)
    if theirs.shape != ours.shape or not np.isfinite(theirs).all():
        _checks.refuse(argument, f"return outputs of shape (n, {network.dim})", _checks.described("one that doesn't"))
    allowed = SAME * max(1.0, float(np.abs(theirs).max()))
    apart = float(np.abs(ours - theirs).max())
    if apart > allowed:
        given = _checks.described(f"one whose outputs differ from those of its layers by {apart:.2g}")
        _checks.refuse(argument, "do what its layers say", given, "is the activation the one that was given?")
    return network


def _folded(chain: list[Layer], argument: str) -> list[Layer]:
    """Return a chain in which what acts entry by entry is part of the linear layer before it, or after it."""
    for after in (True, False):
        folded: list[Layer] = []
        for layer in chain if after else reversed(chain):
            if isinstance(layer, Affine) and folded and isinstance(folded[-1], Linear):
                folded[-1] = _joined(folded[-1], layer, after=after)
            else:
                folded.append(layer)
        chain = folded if after else folded[::-1]
    left = next((layer for layer in chain if isinstance(layer, Affine)), None)
    if left is not None:
        _refuse_layer(argument, "be made of linear layers and activations", left)
    return chain


def _joined(layer: Linear, affine: Affine, *, after: bool) -> Linear:
    """Return a linear layer with something that acts entry by entry before or after it, in the layer's precision."""
    weight, bias = layer.weight.astype(float), layer.bias.astype(float)
    if after:
        weight = weight * np.broadcast_to(affine.scale, bias.shape)[:, None]
        bias = bias * affine.scale + affine.shift
    else:
        bias = bias + weight @ np.broadcast_to(affine.shift, weight.shape[1:])
        weight = weight * affine.scale
    dtype = layer.weight.dtype
    return Linear(layer.name, weight.astype(dtype), bias.astype(dtype))


def _activation(layer: Nonlinear | None, given: Activation | None, argument: str) -> Activation:
    """Return the activation that stands between two linear layers."""
    if given is not None:
        return given
    if layer is None or layer.activation in ACTIVATIONS:
        return ACTIVATIONS["linear" if layer is None else str(layer.activation)]
    hint = 'if it acts on each number for itself, pass activation=im.Activation("name", function)'
    return _refuse_layer(argument, f"have activations of the shelf, {', '.join(ACTIVATIONS)}", layer, hint)


def _measure(side: Side, phi: Activation) -> NeuronMeasure:
    """Return the uniform measure on the neurons of a side; what is added to its outputs becomes one more neuron."""
    w, b, v, added = side.into.weight, side.into.bias, side.out.weight.T, side.out.bias
    if np.any(added):
        values = phi.of(BIASES.astype(w.dtype))
        best = int(np.abs(values).argmax())
        w, b = np.vstack([w, np.zeros_like(w[:1])]), np.append(b, BIASES[best].astype(b.dtype))
        v = np.vstack([v, added / values[best]])
    return NeuronMeasure.of(len(w) * v, w, b)


def _refuse_layer(argument: str, rule: str, layer: Layer, hint: str = "") -> NoReturn:
    kind = layer.kind if isinstance(layer, Nonlinear) else type(layer).__name__
    _checks.refuse(argument, rule, _checks.described(f"one with {kind} in '{layer.name}'"), hint)


def _shown(chain: Sequence[Layer]) -> str:
    """Return a chain of layers in few letters: 30→64, Tanh, 64→2, …"""
    words = (f"{x.weight.shape[1]}→{x.weight.shape[0]}" if isinstance(x, Linear) else x.kind for x in chain)  # pyright: ignore
    return ", ".join(words) if chain else "nothing"
