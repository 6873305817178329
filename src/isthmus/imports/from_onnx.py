"""An autoencoder in an ONNX graph as an `Autoencoder`. It needs the package onnx (extra ``onnx``)."""

from __future__ import annotations

import os
from typing import Any

import numpy as np

from isthmus import _checks
from isthmus.core.autoencoder import Autoencoder
from isthmus.imports.layers import Affine, Given, Layer, Linear, Nonlinear, autoencoder_of, imported

ACTIVATIONS = {
    "Tanh": "tanh",
    "Erf": "erf",
    "Relu": "relu",
    "LeakyRelu": "leaky_relu",
    "Softplus": "softplus",
    "Gelu": "gelu",
    "Sigmoid": "sigmoid",
}
"""ONNX's operators, and the names of these activations here."""
ARITHMETIC = {"Add": np.add, "Sub": np.subtract, "Mul": np.multiply, "Div": np.divide}
DOES_NOTHING = ("Identity", "Flatten")


def from_onnx(model: Any, *, activation: Given = None) -> Autoencoder:
    """Return the autoencoder in an ONNX graph as an `Autoencoder` with the same outputs, like `from_torch`.

    Args:
        model: an ``onnx.ModelProto``, or the path of a file. Its graph is a chain of Gemm, MatMul, Add, Sub, Mul and
            Div with constants, and one operator for each activation; its last output is compared.
        activation: an `Activation`, or a pair, that stands for what isn't on the shelf.

    Raises:
        ArgumentError: where it is another network; the message names the node that doesn't fit.

    Example:
        >>> import isthmus as im
        >>> from sklearn.datasets import load_wine
        >>> model = im.MeanFieldAutoencoder(2, width=16, horizon=1.0, random_state=0).fit(load_wine().data)
        >>> im.from_onnx(model.to_onnx()).latent_dim
        2

    """
    onnx = imported("onnx", "Graphs of ONNX", "'isthmus[onnx]'")
    if isinstance(model, str | os.PathLike):
        model = onnx.load(_checks.path("model", model))
    _checks.instance("model", model, onnx.ModelProto)
    graph = model.graph
    constants = {one.name: onnx.numpy_helper.to_array(one) for one in graph.initializer}
    inputs = [one.name for one in graph.input if one.name not in constants]
    name, layers = inputs[0], []
    while users := [node for node in graph.node if name in node.input]:
        if len(users) > 1:
            uses = _checks.described(f"one that uses '{name}' in {', '.join(node.op_type for node in users)}")
            _checks.refuse("model", "be a chain of layers", uses)
        layers += _layers(onnx, users[0], constants, name)
        name = users[0].output[0]
    if name not in [one.name for one in graph.output]:
        _checks.refuse("model", "return what its last layer makes", _checks.described(f"one that doesn't, '{name}'"))
    evaluator = imported("onnx.reference", "Graphs of ONNX", "'isthmus[onnx]'").ReferenceEvaluator(model)
    forward = lambda points: np.asarray(evaluator.run([name], {inputs[0]: points})[0])
    return autoencoder_of(layers, forward, "model", activation)


def _layers(onnx: Any, node: Any, constants: dict[str, np.ndarray], before: str) -> list[Layer]:
    """Return what a node does to what comes before it."""
    kind, name = node.op_type, node.name or node.output[0]
    given = [constants[one] for one in node.input if one in constants]
    options = {one.name: onnx.helper.get_attribute_value(one) for one in node.attribute}
    if kind in DOES_NOTHING:
        return []
    if len(given) < len(node.input) - 1:
        return [Nonlinear(name, kind, None)]
    if kind in ("MatMul", "Gemm") and node.input[0] == before and not options.get("transA"):
        matrix = given[0] if options.get("transB") else given[0].T
        bias = given[1] if len(given) > 1 else np.zeros(len(matrix), matrix.dtype)
        bias = np.broadcast_to(options.get("beta", 1.0) * bias, len(matrix)).astype(matrix.dtype)
        return [Linear(name, (options.get("alpha", 1.0) * matrix).astype(matrix.dtype), bias)]
    if kind in ARITHMETIC:
        at = lambda value: ARITHMETIC[kind](*(value if one == before else constants[one] for one in node.input))
        with np.errstate(divide="ignore", invalid="ignore"):
            zero = np.asarray(at(0.0), float)
        if np.isfinite(zero).all():
            return [Affine(name, at(1.0) - zero, zero)]
    return [Nonlinear(name, kind, ACTIVATIONS.get(kind))]
