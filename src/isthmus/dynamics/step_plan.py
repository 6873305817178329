"""Which steps a training run takes: sizes, times and where the risk is recorded, so that times match exactly."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from isthmus import _checks
from isthmus.core import rates
from isthmus.core.problem import Problem
from isthmus.core.recorded_times import LARGEST_NUMBER_OF_STEPS

StepSize = float | Callable[[float], float]
"""A constant step size ε, or ε(t) as a function of mean-field time."""

LONGEST_CHUNK = 256
CHUNKS = 16
"""Chunks that a compiled program takes at once: it is the same one whatever the times and the step size."""
DRAWS = 1 << 20
"""Points that are drawn at once: chunks of large batches are fewer, and at least one."""


class StepPlan(NamedTuple):
    """The steps of a run in chunks, each of which ends at a recorded time or is full (NumPy or JAX arrays).

    Attributes:
        sizes: ε_s, shape (chunks, LONGEST_CHUNK), padded with 0.
        encoder_steps, decoder_steps: ε_s ξ_E(t_s) and ε_s ξ_D(t_s), of the same shape, padded with 0.
        first: the number of the first step of each chunk, shape (chunks,).
        counts: steps in each chunk, shape (chunks,).
        record: the index of the recorded time at which a chunk ends, −1 for none, shape (chunks,).

    """

    sizes: Any
    encoder_steps: Any
    decoder_steps: Any
    first: Any
    counts: Any
    record: Any

    @property
    def number_of_steps(self) -> int:
        """How many steps the run takes."""
        return int(self.counts.sum())

    def in_precision(self, dtype: np.dtype) -> StepPlan:
        """Return the plan with step sizes in ``dtype`` and numbers in 32 bits."""
        sizes = (part.astype(dtype) for part in (self.sizes, self.encoder_steps, self.decoder_steps))
        return StepPlan(*sizes, *(part.astype(np.int32) for part in (self.first, self.counts, self.record)))

    def groups(self, kept: np.ndarray, batch_size: int) -> list[Group]:
        """Return the plan in groups of at most `CHUNKS` chunks, equally many each, the last of which may be empty.

        Each of the recorded times whose indices are ``kept`` ends a group.
        """
        most = max(1, min(CHUNKS, DRAWS // (LONGEST_CHUNK * batch_size)))
        groups, first = [], 0
        for place in range(len(self.counts)):
            is_kept, next_one = self.record[place] in kept, place + 1
            if is_kept or next_one == len(self.counts) or next_one - first == most:
                record = _filled(self.record[first:next_one], most, -1)  # what fills up records nothing
                part = StepPlan._make(_filled(array[first:next_one], most) for array in self)._replace(record=record)
                groups.append(Group(part, bool(is_kept)))
                first = next_one
        return groups


class Group(NamedTuple):
    """Chunks that are taken by one call, and whether the network is kept after them."""

    plan: StepPlan
    is_kept: bool


def _filled(chunks: np.ndarray, count: int, value: int = 0) -> np.ndarray:
    """Return an array filled up to ``count`` rows."""
    filled = np.full((count, *chunks.shape[1:]), value, chunks.dtype)
    filled[: len(chunks)] = chunks
    return filled


def plan_steps(problem: Problem, times: np.ndarray, step_size: StepSize) -> StepPlan:
    """Return the steps that lead through ``times`` and record there.

    A constant step size must divide every time. Where ε is a function of time, step s goes from t_s to
    t_s + ε(t_s), and the step that would pass a recorded time is shortened to end there.
    """
    if callable(step_size):
        sizes, counts = _varying_steps(step_size, times)
    else:
        sizes, counts = _constant_steps(step_size, times)
    memory = problem.optimizer.shortest_memory
    if len(sizes) and sizes.max() > memory:
        _checks.refuse("step_size", f"be at most the optimizer's memory {memory:g}", float(sizes.max()))
    starts = np.concatenate([[0.0], np.cumsum(sizes)])[:-1]
    encoder = sizes * rates.values("encoder_rate", problem.encoder_rate, starts)
    decoder = sizes * rates.values("decoder_rate", problem.decoder_rate, starts)
    lengths, record = [], []
    for index, count in enumerate(counts):
        full, rest = divmod(int(count), LONGEST_CHUNK)
        # A segment without steps (time 0) is a chunk of its own, and only a segment's last chunk records.
        chunks = [LONGEST_CHUNK] * full + ([rest] if rest or not full else [])
        lengths += chunks
        record += [-1] * (len(chunks) - 1) + [index]
    ends = np.cumsum(lengths)
    first = ends - lengths
    padded = np.zeros((3, len(lengths), LONGEST_CHUNK))
    for chunk, (start, stop) in enumerate(zip(first, ends, strict=True)):
        padded[:, chunk, : stop - start] = sizes[start:stop], encoder[start:stop], decoder[start:stop]
    return StepPlan(padded[0], padded[1], padded[2], first, np.array(lengths), np.array(record))


def _constant_steps(step_size: float, times: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    size = _checks.real("step_size", step_size, above=0)
    _limit_steps(step_size, times[-1] / size)
    ends = np.rint(times / size)
    off = np.abs(times - ends * size) > 1e-9 * np.maximum(times, size)
    if off.any():
        wrong = float(times[off][0])
        below = np.floor(wrong / size) * size
        hint = f"the nearest are {below:.12g} and {below + size:.12g}"
        _checks.refuse("times", f"be multiples of the step size {size:g}", wrong, hint)
    return np.full(int(ends[-1]), size), np.diff(ends, prepend=0).astype(int)


def _varying_steps(step_size: Callable[[float], float], times: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    sizes, counts, now = [], [], 0.0
    for time in times:
        before = len(sizes)
        while now < time:
            size = rates.value_at("step_size", step_size, now, above=0)
            _limit_steps(size, (times[-1] - now) / size)
            # A remainder below a thousandth of a step is rounding: it joins this step.
            last = now + 1.001 * size >= time
            sizes.append(time - now if last else size)
            now = time if last else now + size
        counts.append(len(sizes) - before)
    return np.array(sizes), np.array(counts, dtype=int)


def _limit_steps(step_size: object, steps: float) -> None:
    if steps > LARGEST_NUMBER_OF_STEPS:
        rule = f"reach the horizon within {LARGEST_NUMBER_OF_STEPS:,} steps"
        _checks.refuse("step_size", rule, step_size, f"it would take {steps:.2g}")
