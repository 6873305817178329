"""One autoencoder and its SGD by hand in torch and in JAX: the arithmetic of `isthmus.train`, batch by batch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import isthmus as im
from benchmarks.plain import the_torch
from isthmus.dynamics.batches import Batches
from isthmus.dynamics.sgd import run_keys
from isthmus.dynamics.step_plan import LONGEST_CHUNK

SINGLE = np.dtype(np.float32)
Loop = Callable[[np.ndarray, float], Any]
"""Takes a step on each batch of rows, at a step size, and returns the parameters a, w, b and c, u, e."""


def first_network(problem: im.Problem, width: int, seed: int = 0) -> im.Autoencoder:
    """Return the network from which run 0 of `isthmus.train` starts."""
    return problem.draw(run_keys(seed, 0)[0], (width, width), SINGLE)


def batch_rows(problem: im.Problem, batch_size: int, steps: int, seed: int = 0) -> np.ndarray:
    """Return the rows that run 0 of `isthmus.train` draws for its batches, shape (steps, B)."""
    batches, key = Batches.of(problem, batch_size, "with_replacement", SINGLE), run_keys(seed, 0)[1]
    length = min(LONGEST_CHUNK, steps)
    chunks = [batches.draws(key, np.int32(first), length) for first in range(0, steps, length)]
    return np.concatenate(chunks)[:steps]


def parameters_of(network: im.Autoencoder) -> list[np.ndarray]:
    """Return (a, w, b) of the encoder and (c, u, e) of the decoder."""
    sides = (network.encoder, network.decoder)
    return [np.asarray(leaf) for side in sides for leaf in (side.outgoing, side.incoming, side.bias)]


def risk_of(parameters: list[np.ndarray], points: np.ndarray) -> float:
    """Return ½E‖x − x̂‖² in double precision, for the comparison of loops."""
    a, w, b, c, u, e = (np.asarray(part, dtype=float) for part in parameters)
    latents = np.tanh(points @ w.T + b) @ a / len(a)
    outputs = np.tanh(latents @ u.T + e) @ c / len(c)
    return float(((outputs - points) ** 2).sum(axis=1).mean() / 2)


def torch_loop(start: im.Autoencoder, points: np.ndarray, *, compiled: bool = False) -> Loop:
    """Return the usual loop of torch: layers, a loss, backward, `torch.optim.SGD`; ``compiled`` compiles the loss."""
    torch = the_torch()
    nn, values = torch.nn, parameters_of(start)
    width, data = len(values[0]), torch.tensor(points, dtype=torch.float32)

    def side(outgoing: np.ndarray, incoming: np.ndarray) -> Any:
        into = nn.Linear(incoming.shape[1], width)
        return nn.Sequential(into, nn.Tanh(), nn.Linear(width, outgoing.shape[1], bias=False))

    encoder, decoder = side(*values[0:2]), side(*values[3:5])
    parameters = [part for one in (encoder, decoder) for part in (one[2].weight, one[0].weight, one[0].bias)]

    def loss(batch: Any) -> Any:
        reconstructed = decoder(encoder(batch) / width) / width
        return (reconstructed - batch).square().sum(dim=1).mean() / 2

    loss = torch.compile(loss) if compiled else loss

    def run(rows: np.ndarray, step_size: float) -> list[Any]:
        with torch.no_grad():
            for part, value in zip(parameters, _turned(values), strict=True):
                part.copy_(torch.tensor(value))
        optimizer = torch.optim.SGD(parameters, lr=step_size * width)
        for chosen in torch.tensor(rows, dtype=torch.int64):
            optimizer.zero_grad()
            loss(data[chosen]).backward()
            optimizer.step()
        return _turned([part.detach().numpy().copy() for part in parameters])

    return run


def _turned(parameters: list[np.ndarray]) -> list[np.ndarray]:
    """Return the parameters with outgoing weights transposed, which is how torch holds them."""
    a, w, b, c, u, e = parameters
    return [a.T, w, b, c.T, u, e]


def jax_loop(start: im.Autoencoder, points: np.ndarray) -> Loop:
    """Return a compiled loop of JAX over gradients by automatic differentiation."""
    parameters, data = [jnp.asarray(part) for part in parameters_of(start)], jnp.asarray(points, SINGLE)

    def run(rows: np.ndarray, step_size: float) -> list[Any]:
        return jax.block_until_ready(_descend(parameters, data, jnp.asarray(rows), SINGLE.type(step_size)))

    return run


@jax.jit
def _descend(parameters: list[jax.Array], points: jax.Array, rows: jax.Array, step_size: jax.Array) -> list[jax.Array]:
    width = len(parameters[0])

    def loss(parameters: list[jax.Array], batch: jax.Array) -> jax.Array:
        a, w, b, c, u, e = parameters
        latents = jnp.tanh(batch @ w.T + b[None, :]) @ a / width
        reconstructed = jnp.tanh(latents @ u.T + e[None, :]) @ c / width
        return jnp.square(reconstructed - batch).sum(axis=1).mean() / 2

    def step(s: jax.Array, parameters: list[jax.Array]) -> list[jax.Array]:
        gradient = jax.grad(loss)(parameters, points[rows[s]])
        return jax.tree.map(lambda theta, g: theta - step_size * width * g, parameters, gradient)

    return jax.lax.fori_loop(0, len(rows), step, parameters)


def isthmus_loop(problem: im.Problem, start: im.Autoencoder, batch_size: int, seed: int = 0) -> Loop:
    """Return `isthmus.train` itself, which draws its batches: rows say only how many."""
    width = start.encoder.width

    def run(rows: np.ndarray, step_size: float) -> list[Any]:
        horizon = step_size * len(rows)
        runs = im.train(problem, [horizon], width, step_size, batch_size=batch_size, seed=seed, start=start)
        return parameters_of(runs.at(horizon))

    return run
