"""An autoencoder written in torch as an `Autoencoder`. It needs the package torch (extra ``torch``)."""

from __future__ import annotations

import importlib
import operator
from typing import Any

import numpy as np

from isthmus import _checks
from isthmus.core.autoencoder import Autoencoder
from isthmus.imports.layers import Affine, Given, Layer, Linear, Nonlinear, autoencoder_of, imported

FUNCTIONS = ("tanh", "erf", "relu", "softplus", "gelu", "sigmoid")
"""Activations that have the same name here and among torch's functions."""
MODULES = {
    "Tanh": "tanh",
    "ReLU": "relu",
    "LeakyReLU": "leaky_relu",
    "Softplus": "softplus",
    "GELU": "gelu",
    "Sigmoid": "sigmoid",
}
"""The names of torch's modules, and of their activations here."""
OURS: dict[str, tuple[tuple[str, object], ...]] = {
    "softplus": (("beta", 1.0),),
    "gelu": (("approximate", "none"),),
    "leaky_relu": (("negative_slope", 0.01),),
}
"""Options under which a function of torch is the activation of its name here."""
DOES_NOTHING = ("Identity", "Flatten", "Dropout")
ARITHMETIC = (operator.add, operator.sub, operator.mul, operator.truediv)


def from_torch(module: Any, decoder: Any = None, *, activation: Given = None) -> Autoencoder:
    r"""Return a torch autoencoder of two layers on each side as an `Autoencoder` with the same outputs, to rounding.

    V φ(W x + b) + c, with the rows of W as incoming weights and N times the columns of V as outgoing ones, is the mean
    over N neurons; c ≠ 0 is one neuron more, with w = 0. The forward pass is traced, so that layers may be of an
    ``nn.Sequential``, or named parts, and activations modules or functions; the outputs of both are compared at random
    points.

    Args:
        module: an ``nn.Module`` from (n, d) to (n, d), Linear, φ, Linear, Linear, φ, Linear, or its encoder alone. It
            may return other things of the chain too, as latents. What acts entry by entry before and after, such as a
            scaling, becomes part of the layers. Dropout must be off (``module.eval()``).
        decoder: the decoder, where ``module`` is the encoder.
        activation: an `Activation`, or a pair, that stands for what isn't on the shelf.

    Raises:
        ArgumentError: where it is another network; the message names the layer that doesn't fit.

    Example:
        >>> import isthmus as im
        >>> from torch import nn
        >>> encoder = nn.Sequential(nn.Linear(13, 64), nn.Tanh(), nn.Linear(64, 2))
        >>> decoder = nn.Sequential(nn.Linear(2, 64), nn.Tanh(), nn.Linear(64, 13, bias=False))
        >>> network = im.from_torch(encoder, decoder)
        >>> network.latent_dim, network.encoder.width, network.decoder.width
        (2, 65, 64)

    """
    torch = imported_torch()
    parts = [module] if decoder is None else [module, decoder]
    chains = [_chain(torch, part, name) for part, name in zip(parts, ("module", "decoder"), strict=False)]

    def forward(points: np.ndarray) -> np.ndarray:
        values = points
        for part, (_, output) in zip(parts, chains, strict=True):
            values = _outputs(torch, part, values, output)
        return values

    return autoencoder_of([layer for layers, _ in chains for layer in layers], forward, "module", activation)


def imported_torch() -> Any:
    """Return the package torch."""
    return imported("torch", "Modules of torch", "'isthmus[torch]'")


def torch_layers(module: Any, decoder: Any = None) -> list[Layer]:
    """Return the layers of a module, and of its decoder where this is another, in their order."""
    torch = imported_torch()
    layers, _ = _chain(torch, module, "module")
    return layers if decoder is None else [*layers, *_chain(torch, decoder, "decoder")[0]]


def _chain(torch: Any, module: Any, argument: str) -> tuple[list[Layer], int | None]:
    """Return the layers of a module, and which of its outputs is the last one's; None where it is the only one."""
    _checks.instance(argument, module, torch.nn.Module)
    try:
        graph = importlib.import_module("torch.fx").symbolic_trace(module).graph
    except Exception as error:
        what = _checks.described(f"one that raises {type(error).__name__}: {' '.join(str(error).split())}")
        hint = "pass its parts, from_torch(encoder, decoder)"
        _checks.refuse(argument, "have a forward pass that torch.fx can trace", what, hint)
    node, layers = next(node for node in graph.nodes if node.op == "placeholder"), []
    while users := [user for user in node.users if user.op != "output"]:
        if len(users) > 1:
            uses = _checks.described(f"one that uses '{node.name}' in {', '.join(user.name for user in users)}")
            _checks.refuse(argument, "be a chain of layers", uses)
        layer = _layer(torch, module, node, users[0], argument)
        layers += [] if layer is None else [layer]
        node = users[0]
    [returned] = next(one for one in graph.nodes if one.op == "output").args
    if returned is node:
        return layers, None
    several = list(returned) if isinstance(returned, tuple | list) else []
    if node not in several:
        _checks.refuse(argument, "return what its last layer makes", _checks.described(f"one that returns {returned}"))
    return layers, several.index(node)


def _layer(torch: Any, module: Any, before: Any, node: Any, argument: str) -> Layer | None:
    """Return the layer of a node after another one; None for one that does nothing."""
    if node.op == "call_module":
        return _module_layer(module.get_submodule(node.target), str(node.target), argument)
    kind = node.target if isinstance(node.target, str) else getattr(node.target, "__name__", str(node.target))
    others = [one for one in node.all_input_nodes if one is not before]
    if node.target in ARITHMETIC and all(one.op == "get_attr" for one in others):
        return _affine(torch, module, before, node)
    if kind == "flatten":
        return None
    options = [(name, node.kwargs.get(name, usual)) for name, usual in OURS.get(kind, ())]
    fits = kind in FUNCTIONS and not others and tuple(options) == OURS.get(kind, ())
    return Nonlinear(node.name, kind, kind if fits else None)


def _module_layer(layer: Any, name: str, argument: str) -> Layer | None:
    kind = type(layer).__name__
    if kind == "Linear":
        weight = _array(layer.weight, name, argument)
        bias = np.zeros(len(weight), weight.dtype) if layer.bias is None else _array(layer.bias, name, argument)
        return Linear(name, weight, bias, (layer.weight, layer.bias))
    if kind in DOES_NOTHING and not (kind == "Dropout" and layer.training and layer.p > 0):
        return None
    activation = MODULES.get(kind)
    fits = all(getattr(layer, option) == value for option, value in OURS.get(activation or "", ()))
    return Nonlinear(name, " ".join(repr(layer).split()), activation if fits else None)


def _affine(torch: Any, module: Any, before: Any, node: Any) -> Layer:
    """Return what sums and products with constants do to each entry."""

    def at(value: float) -> Any:
        given = (
            torch.tensor(value, dtype=torch.float64) if one is before else _constant(module, one) for one in node.args
        )
        return np.asarray(node.target(*given), float)

    zero = at(0.0)
    if not np.isfinite(zero).all():  # a quotient by what comes in
        return Nonlinear(node.name, node.target.__name__, None)
    return Affine(node.name, at(1.0) - zero, zero)


def _constant(module: Any, one: Any) -> Any:
    """Return a constant of a graph: a number, or a buffer."""
    if not hasattr(one, "target"):
        return one
    value = module
    for name in one.target.split("."):
        value = getattr(value, name)
    return value.detach().cpu().double()


def _array(parameter: Any, name: str, argument: str) -> np.ndarray:
    if str(parameter.dtype) not in ("torch.float32", "torch.float64"):
        kind = _checks.described(f"{parameter.dtype} in '{name}'")
        _checks.refuse(argument, "be in single or double precision", kind, "use module.float()")
    return parameter.detach().cpu().numpy().copy()


def _outputs(torch: Any, module: Any, points: np.ndarray, output: int | None) -> np.ndarray:
    """Return what a module makes of points, or one of its outputs."""
    device = next((one.device for one in module.parameters()), "cpu")
    with torch.no_grad():
        made = module(torch.as_tensor(points, device=device))
    return np.asarray((made if output is None else made[output]).cpu())
