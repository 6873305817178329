"""A trained autoencoder as an ONNX graph. It needs the package onnx (extra ``onnx``)."""

from __future__ import annotations

import importlib
import math
from typing import Any

import numpy as np

from isthmus import _checks
from isthmus._errors import ArgumentError
from isthmus._version import __version__
from isthmus.exports.plain import LEAK, PlainAutoencoder

PARTS = ("autoencoder", "encoder", "decoder")
OPSET = 17
"""The version of ONNX's operators, one that runtimes of some years know."""
SIMPLE = {
    "tanh": "Tanh",
    "relu": "Relu",
    "sigmoid": "Sigmoid",
    "linear": "Identity",
}
"""Activations that are one operator."""


def onnx_graph(plain: PlainAutoencoder, part: str) -> Any:
    """Return an ``onnx.ModelProto`` with input 'points' and outputs 'latents' and 'reconstructions', or a part of it.

    The error function is taken in single precision, since onnxruntime has none in double.
    """
    try:
        onnx: Any = importlib.import_module("onnx")
    except ImportError:
        raise ArgumentError("Export to ONNX needs the package onnx: pip install 'isthmus[onnx]'.") from None
    part = _checks.choice("part", part, PARTS)
    graph = _Graph(onnx, plain.mean.dtype)
    d, k = len(plain.mean), len(plain.encoder["outgoing"])
    mean, unit = graph.constant("mean", plain.mean), graph.constant("unit", np.array(plain.unit))
    inputs, outputs = [graph.port("latents" if part == "decoder" else "points", k if part == "decoder" else d)], []
    if part != "decoder":
        centred = graph.node("Div", graph.node("Sub", "points", mean), unit)
        if plain.ignores_missing:
            zero = graph.constant("zero", np.array(0, plain.mean.dtype))
            centred = graph.node("Where", graph.node("IsNaN", centred), zero, centred)
        if plain.axes is not None:
            centred = graph.node("MatMul", centred, graph.constant("axes", plain.axes))
        graph.side("encoder", plain.encoder, plain.activations[0], centred, "latents")
        outputs.append(graph.port("latents", k))
    if part != "encoder":
        decoded = graph.side("decoder", plain.decoder, plain.activations[1], "latents")
        if plain.axes is not None:
            across = graph.constant("axes", plain.axes) if part == "decoder" else "axes"
            decoded = graph.node("MatMul", decoded, graph.node("Transpose", across, perm=[1, 0]))
        graph.node("Add", graph.node("Mul", decoded, unit), mean, output="reconstructions")
        outputs.append(graph.port("reconstructions", d))
    used = {name for node in graph.nodes for name in node.input}
    constants = [constant for constant in graph.constants if constant.name in used]
    body = onnx.helper.make_graph(graph.nodes, f"isthmus_{part}", inputs, outputs, constants)
    opset = [onnx.helper.make_opsetid("", OPSET)]
    model = onnx.helper.make_model(
        body,
        opset_imports=opset,
        ir_version=onnx.helper.find_min_ir_version_for(opset),
        producer_name="isthmus",
        producer_version=__version__,
    )
    onnx.checker.check_model(model)
    return model


class _Graph:
    """Nodes and constants of a graph as it grows."""

    def __init__(self, onnx: Any, dtype: np.dtype) -> None:
        self._onnx, self._dtype = onnx, dtype
        self.nodes: list[Any] = []
        self.constants: list[Any] = []

    def port(self, name: str, columns: int) -> Any:
        """Return an input or output of any number of rows."""
        kind = self._onnx.helper.np_dtype_to_tensor_dtype(self._dtype)
        return self._onnx.helper.make_tensor_value_info(name, kind, ["n", columns])

    def constant(self, name: str, value: np.ndarray) -> str:
        """Add a constant and return its name."""
        self.constants.append(self._onnx.numpy_helper.from_array(np.asarray(value, self._dtype), name))
        return name

    def node(self, operator: str, *inputs: str, output: str | None = None, **attributes: Any) -> str:
        """Add a node and return the name of its output."""
        output = output or f"{operator.lower()}{len(self.nodes)}"
        self.nodes.append(self._onnx.helper.make_node(operator, list(inputs), [output], **attributes))
        return output

    def side(
        self, name: str, side: dict[str, np.ndarray], activation: str, inputs: str, output: str | None = None
    ) -> str:
        """Add V φ(W x + b)."""
        incoming = self.constant(f"{name}_incoming", side["incoming"].T.copy())
        bias, outgoing = (
            self.constant(f"{name}_{part}", value)
            for part, value in (("bias", side["bias"]), ("outgoing", side["outgoing"].T.copy()))
        )
        s = self.node("Add", self.node("MatMul", inputs, incoming), bias)
        return self.node("MatMul", self._activated(name, activation, s), outgoing, output=output)

    def _activated(self, name: str, activation: str, s: str) -> str:
        if activation in SIMPLE:
            return self.node(SIMPLE[activation], s)
        if activation == "leaky_relu":  # the operator of this name takes its slope in single precision
            return self.node("Max", s, self.node("Mul", s, self.constant(f"{name}_leak", np.array(LEAK))))
        if activation == "erf":
            return self._erf(s)
        one = self.constant(f"{name}_one", np.array(1.0))
        if activation == "softplus":  # max(s, 0) + log(1 + e^−|s|)
            small = self.node("Exp", self.node("Neg", self.node("Abs", s)))
            return self.node("Add", self.node("Relu", s), self.node("Log", self.node("Add", one, small)))
        root, half = (
            self.constant(f"{name}_{word}", np.array(value))
            for word, value in (("root", 1 / math.sqrt(2)), ("half", 0.5))
        )
        share = self.node("Mul", self.node("Add", self._erf(self.node("Mul", s, root)), one), half)
        return self.node("Mul", s, share)

    def _erf(self, s: str) -> str:
        if self._dtype == np.float32:
            return self.node("Erf", s)
        single, own = (self._onnx.helper.np_dtype_to_tensor_dtype(np.dtype(kind)) for kind in (np.float32, self._dtype))
        return self.node("Cast", self.node("Erf", self.node("Cast", s, to=single)), to=own)
