"""The rivals' workshop: autoencoders in torch, in the standard parameterisation and its usual start."""

from __future__ import annotations

import copy
import importlib
import sys
from collections.abc import Callable
from typing import Any

import numpy as np

Optimizers = dict[str, Callable[[Any, float], Any]]


def package(name: str) -> Any:
    """Return a module of a package of the extra ``bench``, or say how to come by it."""
    try:
        return importlib.import_module(name)
    except ImportError:
        sys.exit(f"This benchmark needs the package {name.split('.')[0]}: pip install 'isthmus[bench]'.")


def the_torch() -> Any:
    """Return the package torch."""
    return package("torch")


def optimizers() -> Optimizers:
    """Return makers of torch's optimizers, each from parameters and a learning rate."""
    optim = the_torch().optim
    return {
        "SGD": lambda parameters, rate: optim.SGD(parameters, lr=rate),
        "momentum": lambda parameters, rate: optim.SGD(parameters, lr=rate, momentum=0.9),
        "Adam": lambda parameters, rate: optim.Adam(parameters, lr=rate),
    }


def plain_autoencoder(dim: int, width: int, latent_dim: int, seed: int, activation: str = "Tanh") -> Any:
    """Return linear layers about an activation of torch, 'Tanh' or 'ReLU'.

    The start is torch's own: weights and biases uniform within ±1/√(inputs of the layer).
    """
    torch = the_torch()
    torch.manual_seed(seed)
    bend = getattr(torch.nn, activation)
    sizes = ((dim, width), (width, latent_dim), (latent_dim, width), (width, dim))
    into, out, back, last = (torch.nn.Linear(*size) for size in sizes)
    return torch.nn.Sequential(into, bend(), out, back, bend(), last)


def train_plain(network: Any, optimizer: Any, points: np.ndarray, indices: np.ndarray) -> None:
    """Take a step on each batch ``points[indices[s]]``, down the mean over the batch of ½‖x − x̂‖²."""
    torch = the_torch()
    points, indices = torch.as_tensor(points, dtype=torch.float32), torch.as_tensor(indices)
    for rows in indices:
        batch = points[rows]
        optimizer.zero_grad()
        loss = (network(batch) - batch).square().sum(dim=1).mean() / 2
        loss.backward()
        optimizer.step()


def train_while_better(
    network: Any,
    optimizer: Any,
    points: np.ndarray,
    indices: np.ndarray,
    watched: np.ndarray,
    every: int,
    patience: int,
) -> int:
    """Train on batches until ``patience`` looks at the watched points saw no gain, and keep the network of the best.

    It looks after each ``every`` steps; the number of steps of the network that is kept is returned.
    """
    best, kept, steps = np.inf, copy.deepcopy(network.state_dict()), 0
    for begun in range(0, len(indices), every):
        train_plain(network, optimizer, points, indices[begun : begun + every])
        done = min(begun + every, len(indices))
        if (seen := risk(watched, reconstructed(network, watched))) < best:
            best, kept, steps = seen, copy.deepcopy(network.state_dict()), done
        elif done - steps >= patience * every:
            break
    network.load_state_dict(kept)
    return steps


def reconstructed(network: Any, points: np.ndarray) -> np.ndarray:
    """Return x̂ of each point, shape (n, d)."""
    torch = the_torch()
    with torch.no_grad():
        return network(torch.as_tensor(points, dtype=torch.float32)).numpy().astype(float)


def risk(points: np.ndarray, reconstructions: np.ndarray, unit: float = 1.0) -> float:
    """Return ½E‖x − x̂‖² in a unit, infinite where it isn't finite."""
    value = float(((points - reconstructions) ** 2).sum(axis=1).mean() / 2 / unit)
    return value if np.isfinite(value) else np.inf


def markdown_row(cells: list[str]) -> str:
    """Return one line of a table."""
    return "| " + " | ".join(cells) + " |"


def markdown(head: list[str], rows: list[list[str]]) -> str:
    """Return a table as the documentation has it; all columns but the first are numbers, set to the right."""
    return "\n".join(map(markdown_row, [head, ["---", *["---:"] * (len(head) - 1)], *rows]))
