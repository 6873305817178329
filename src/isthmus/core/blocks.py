"""Sums and maps over blocks of neurons or points, so that memory doesn't grow with (neurons × points)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import jax
import jax.numpy as jnp

Tree = TypeVar("Tree")

FEW_NEURONS = 4096
"""Up to so many neurons are taken at once, and points in blocks that keep a matrix of both in the cache."""
NEURONS = 1024
"""The size of blocks of neurons where there are more than a few."""
POINTS = 8192
"""The size of blocks of points where there are more than a few neurons."""
ENTRIES = 1 << 20
"""Entries of a matrix (neurons × points) that stay in the cache."""


def block_sizes(neurons: int, points: int) -> tuple[int, int]:
    """Return how many neurons and how many points are taken at once."""
    if neurons <= FEW_NEURONS:
        return neurons, _even(points, max(64, ENTRIES // neurons))
    return _even(neurons, NEURONS), _even(points, POINTS)


def _even(count: int, most: int) -> int:
    """Return the size of blocks, at most ``most``, that fill the last one best."""
    return -(-count // -(-count // most))


def summed(term: Callable[[Any], Tree], leaves: Any, block: int) -> Tree:
    """Return the sum of ``term`` over blocks of the leading axis of ``leaves``; a last block is filled up with zeros.

    The terms of rows of zeros must be 0.
    """
    blocks = _cut(leaves, block)
    if blocks is None:
        return term(leaves)
    first, rest = jax.tree.map(lambda leaf: leaf[0], blocks), jax.tree.map(lambda leaf: leaf[1:], blocks)
    add = lambda total, part: (jax.tree.map(jnp.add, total, term(part)), None)
    return jax.lax.scan(add, term(first), rest)[0]


def mapped(function: Callable[[Any], tuple[Tree, jax.Array]], leaves: Any, block: int) -> tuple[Tree, jax.Array]:
    """Return the first results of ``function`` for all rows of ``leaves``, by blocks, and the sum of the second."""
    blocks = _cut(leaves, block)
    if blocks is None:
        return function(leaves)
    one = jax.eval_shape(function, jax.tree.map(lambda leaf: leaf[0], blocks))[1]

    def step(total: jax.Array, part: Any) -> tuple[jax.Array, Tree]:
        rows, term = function(part)
        return total + term, rows

    total, rows = jax.lax.scan(step, jnp.zeros(one.shape, one.dtype), blocks)
    count = len(jax.tree.leaves(leaves)[0])
    return jax.tree.map(lambda leaf: leaf.reshape(-1, *leaf.shape[2:])[:count], rows), total


def _cut(leaves: Any, block: int) -> Any:
    """Return leaves of shape (blocks, block, ...), padded with zeros, or None where one block holds everything."""
    count = len(jax.tree.leaves(leaves)[0])
    if count <= block:
        return None
    blocks = -(-count // block)

    def cut(leaf: jax.Array) -> jax.Array:
        padding = [(0, blocks * block - count)] + [(0, 0)] * (leaf.ndim - 1)
        return jnp.pad(leaf, padding).reshape(blocks, block, *leaf.shape[1:])

    return jax.tree.map(cut, leaves)
