"""What a stream has left besides its network, in terms of JSON and plain arrays."""

from __future__ import annotations

from typing import Any

import numpy as np

from isthmus import _checks
from isthmus.core.autoencoder import Autoencoder
from isthmus.core.optimizers import Optimizer
from isthmus.dynamics.learner import Learner, Memory
from isthmus.estimator.partial import Stream
from isthmus.estimator.reservoir import Reservoir
from isthmus.estimator.running import Running
from isthmus.estimator.settings import gradient_motion

COUNTS = ("steps", "looked", "compared", "started")
SEEN = ("origin", "shift", "factor")
SEEN_NUMBERS = ("latent_dim", "count", "weight", "exponent", "spread")
KEPT = ("rows", "weights", "priorities")
WAITING = ("waiting_rows", "waiting_weights")
"""Rows of a stream that had not begun, in files of earlier releases."""


def stream_coded(stream: Stream) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Return the values and arrays of a stream, but for its optimizer."""
    values: dict[str, Any] = {name: getattr(stream, name) for name in (*COUNTS, "step_size", "begun")}
    values["memory_steps"] = None if stream.memory is None else stream.memory.steps
    arrays = {} if stream.memory is None else {f"average{i}": one for i, one in enumerate(stream.memory.averages)}
    if stream.seen is not None:
        values["seen"] = {name: getattr(stream.seen, name) for name in SEEN_NUMBERS}
        arrays |= {f"seen_{name}": getattr(stream.seen, name) for name in SEEN}
    if stream.kept is not None:
        values["threshold"] = float(stream.kept.threshold) if np.isfinite(stream.kept.threshold) else None
        arrays |= {f"kept_{name}": getattr(stream.kept, name) for name in KEPT}
    return values, arrays


def stream_decoded(values: dict[str, Any], arrays: dict[str, np.ndarray], optimizer: Optimizer) -> Stream:
    """Return the stream of which these are the values and arrays."""
    memory, seen, kept = None, None, None
    if values["memory_steps"] is not None:
        count = sum(name.startswith("average") for name in arrays)
        taken = _checks.integer("memory_steps", values["memory_steps"], minimum=0)
        memory = Memory([arrays[f"average{number}"] for number in range(count)], taken)
    if values.get("seen") is not None:
        fields: dict[str, Any] = values["seen"] | {name: arrays[f"seen_{name}"] for name in SEEN}
        seen = Running(**fields)
    if f"kept_{KEPT[0]}" in arrays:
        threshold = -np.inf if values["threshold"] is None else _checks.real("threshold", values["threshold"])
        kept = Reservoir(**{name: arrays[f"kept_{name}"] for name in KEPT}, threshold=threshold)
    if WAITING[0] in arrays:
        rows, weights = (arrays[name] for name in WAITING)
        seen = Running.empty(rows.shape[1], len(arrays["components_"])).with_rows(rows, weights)
        kept = Reservoir.empty(rows.shape[1], rows.dtype).with_rows(rows, weights, np.random.default_rng(0))
    size = None if values["step_size"] is None else _checks.real("step_size", values["step_size"], above=0)
    counts = {name: _checks.integer(name, values.get(name, 0), minimum=0) for name in COUNTS}
    begun = _checks.flag("begun", values.get("begun", WAITING[0] not in arrays))
    return Stream(optimizer, memory, step_size=size, seen=seen, kept=kept, begun=begun, **counts)


def check_stream(stream: Stream, network: Autoencoder, dim: int) -> None:
    """Refuse a stream that is not one of the network, and of rows in R^d."""
    seen, kept = stream.seen, stream.kept
    if seen is not None:
        for name, shape in zip(SEEN, ((dim,), (dim,), ("r", dim)), strict=True):
            _checks.array(name, getattr(seen, name), shape)
        _checks.integer("latent_dim", seen.latent_dim, minimum=1)
        _checks.integer("count", seen.count, minimum=0)
        _checks.integer("exponent", seen.exponent, minimum=-2000, maximum=2000)
        for name in ("weight", "spread"):
            _checks.real(name, getattr(seen, name), minimum=0)
    if kept is not None:
        rows = _checks.array("rows", kept.rows, ("n", dim))
        for name in KEPT[1:]:
            _checks.array(name, getattr(kept, name), (len(rows),))
    if stream.memory is None:
        return
    fresh = Learner(network, gradient_motion(stream.optimizer)).memory.averages
    if [np.shape(one) for one in stream.memory.averages] != [one.shape for one in fresh]:
        _checks.refuse("average", "be those of the optimizer", _checks.described("others"))
    for average in stream.memory.averages:
        _checks.finite("average", average)
