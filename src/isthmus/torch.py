r"""For loops of one's own in torch: parameter groups with which they follow the mean-field dynamics.

A layer V φ(W x + b) is the mean over N neurons of N V_i φ(⟨w_i, x⟩ + b_i). With ℓ the risk on a batch, gradient descent
θ_i ← θ_i − ε N ∂ℓ/∂θ_i of neurons is therefore

    W ← W − ε N ∂ℓ/∂W,    b ← b − ε N ∂ℓ/∂b,    V ← V − (ε/N) ∂ℓ/∂V:

a step size for incoming weights that grows with the width, and one for outgoing weights that falls with it. A loss that
is c times the risk has gradients c times as large. torch's heavy ball adds up gradients where `Momentum` averages them,
and Adam's motion doesn't depend on the size of gradients, but for its ε.
"""

from __future__ import annotations

import importlib
from typing import Any, Literal

import numpy as np

from isthmus import _checks
from isthmus.core.autoencoder import Autoencoder
from isthmus.core.optimizers import GRADIENT_DESCENT, Adam, GradientDescent, Momentum, Optimizer
from isthmus.core.problem import check_decay
from isthmus.core.scaling import Scaling
from isthmus.exports.conversion import plain_autoencoder
from isthmus.exports.torch_module import torch_module
from isthmus.imports.from_torch import imported_torch, torch_layers
from isthmus.imports.layers import Linear, sides_of

__all__ = ["as_module", "mean_field_groups", "mean_field_optimizer"]

Loss = Literal["mse", "risk"]


def __dir__() -> list[str]:
    return __all__


def mean_field_groups(
    module: Any,
    step_size: float,
    optimizer: Optimizer = GRADIENT_DESCENT,
    *,
    decoder: Any = None,
    loss: Loss = "mse",
    encoder_rate: float = 1.0,
    decoder_rate: float = 1.0,
    weight_decay: float | tuple[float, float] = 0.0,
) -> list[dict[str, Any]]:
    """Return parameters of a torch autoencoder in groups with which torch's optimizers follow the mean-field dynamics.

    With ``torch.optim.SGD(groups)``, or ``torch.optim.Adam(groups)`` for `Adam`, a step is that of `train`; time is
    step size × steps.

    Args:
        module: as in `from_torch`. Last layers have no biases, or biases 0, which are left out and stay 0.
        step_size: ε in mean-field time; the same at every width.
        optimizer: `GradientDescent`, `Momentum` or `Adam`, with memories in mean-field time, as in `Problem`.
        decoder: the decoder, where ``module`` is the encoder.
        loss: what the loop differentiates: 'mse', ``torch.nn.functional.mse_loss(module(x), x)``, the mean over all
            entries; 'risk', half the mean over points of the squared distance.
        encoder_rate, decoder_rate, weight_decay: as in `Problem`, but constant.

    Raises:
        ArgumentError: where the network doesn't fit, or its parameters are frozen, or an argument breaks its rule.

    Example:
        >>> import isthmus as im, torch
        >>> encoder = torch.nn.Sequential(torch.nn.Linear(13, 64), torch.nn.Tanh(), torch.nn.Linear(64, 2, bias=False))
        >>> decoder = torch.nn.Sequential(torch.nn.Linear(2, 64), torch.nn.Tanh(), torch.nn.Linear(64, 13, bias=False))
        >>> groups = im.torch.mean_field_groups(encoder, 0.1, decoder=decoder, loss="risk")
        >>> [group["lr"] for group in groups]
        [6.4, 0.0015625, 6.4, 0.0015625]
        >>> sgd = torch.optim.SGD(groups)

    """
    step_size = _checks.real("step_size", step_size, above=0)
    _checks.instance("optimizer", optimizer, Optimizer)
    _checks.choice("loss", loss, ("mse", "risk"))
    rates = _checks.real("encoder_rate", encoder_rate, minimum=0), _checks.real("decoder_rate", decoder_rate, minimum=0)
    decays = check_decay(weight_decay)
    sides = sides_of(torch_layers(module, decoder), "module")
    times_risk = 1.0 if loss == "risk" else 2 / sides[1].out.weight.shape[0]
    groups = []
    for name, side, rate, decay in zip(("encoder", "decoder"), sides, rates, decays, strict=True):
        incoming, outgoing = _trained(side.into), _trained(side.out)[:1]
        if side.out.bias.any():
            hint = "use Linear(..., bias=False)"
            _checks.refuse("module", "have no biases in its last layers", _checks.described(f"'{side.out.name}'"), hint)
        for kind, parameters, neurons in (("incoming", incoming, side.width), ("outgoing", outgoing, 1 / side.width)):
            options = _options(optimizer, step_size, rate, neurons, times_risk)
            decayed = {"weight_decay": decay * times_risk / neurons}
            groups.append({"name": f"{name} {kind}", "params": parameters, **options, **decayed})
    return groups


def mean_field_optimizer(module: Any, step_size: float, optimizer: Optimizer = GRADIENT_DESCENT, **options: Any) -> Any:
    """Return torch's optimizer whose steps are those of `train`: ``SGD``, or ``Adam``, over `mean_field_groups`.

    Args:
        module, step_size, optimizer: as in `mean_field_groups`.
        options: the others of `mean_field_groups`.

    Example:
        >>> import isthmus as im, torch
        >>> encoder = torch.nn.Sequential(torch.nn.Linear(13, 64), torch.nn.Tanh(), torch.nn.Linear(64, 2, bias=False))
        >>> decoder = torch.nn.Sequential(torch.nn.Linear(2, 64), torch.nn.Tanh(), torch.nn.Linear(64, 13, bias=False))
        >>> type(im.torch.mean_field_optimizer(encoder, 0.1, im.Adam(), decoder=decoder)).__name__
        'Adam'

    """
    groups = mean_field_groups(module, step_size, optimizer, **options)
    kinds = importlib.import_module("torch.optim")
    return kinds.Adam(groups) if isinstance(optimizer, Adam) else kinds.SGD(groups)


def as_module(network: Autoencoder) -> Any:
    """Return an `Autoencoder` as a torch module of two parts, encoder and decoder, which `from_torch` undoes.

    Args:
        network: in the precision that the module will have.

    Raises:
        ArgumentError: where an activation is one that isn't on the shelf.

    Example:
        >>> import isthmus as im
        >>> data = im.load_data("wine", max_points=32)
        >>> problem = im.Problem(data, im.aligned_law(data, latent_dim=2))
        >>> runs = im.train(problem, [1.0], width=16, step_size=0.1)
        >>> im.torch.as_module(runs.at(1.0))[0][0].weight.shape
        torch.Size([16, 13])

    """
    _checks.instance("network", network, Autoencoder)
    imported_torch()
    module = torch_module(plain_autoencoder(network, Scaling(np.zeros(network.dim), 1.0)))
    return importlib.import_module("torch.nn").Sequential(module.encoder, module.decoder)


def _trained(layer: Linear) -> list[Any]:
    """Return the parameters of a layer, all of which a loop must be free to move."""
    parameters = [parameter for parameter in layer.parameters if parameter is not None]
    if not parameters or not all(parameter.requires_grad for parameter in parameters[:1]):
        what = _checks.described(f"one with '{layer.name}' frozen, or behind a scaling")
        _checks.refuse("module", "have layers that are trained as they are", what)
    return parameters


def _options(optimizer: Optimizer, step_size: float, rate: float, neurons: float, times_risk: float) -> dict[str, Any]:
    """Return torch's options for parameters whose gradients are multiplied by ``neurons`` in the mean-field scaling.

    Of incoming weights it is N; outgoing ones carry the factor 1/N, which makes it 1/N.
    """
    scale = rate * neurons / times_risk
    if isinstance(optimizer, Momentum):
        share = _share("memory", step_size, optimizer.memory)
        return {"lr": step_size * share * scale, "momentum": 1 - share}
    if isinstance(optimizer, Adam):
        first = _share("mean_memory", step_size, optimizer.mean_memory)
        second = _share("square_memory", step_size, optimizer.square_memory)
        # m/(√s + δ) has no unit, so that incoming weights move by ε of it, and outgoing ones, which carry 1/N, by ε/N
        lr, epsilon = step_size * rate * min(neurons, 1.0), optimizer.epsilon * times_risk / max(neurons, 1.0)
        return {"lr": lr, "betas": (1 - first, 1 - second), "eps": epsilon}
    if isinstance(optimizer, GradientDescent):
        return {"lr": step_size * scale}
    return _checks.refuse("optimizer", "be GradientDescent, Momentum or Adam", optimizer)


def _share(name: str, step_size: float, memory: float) -> float:
    if memory < step_size:
        _checks.refuse("optimizer", f"have a {name} of at least the step size {step_size:g}", memory)
    return step_size / memory
