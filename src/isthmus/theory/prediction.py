"""The predicted law of the risk curve of one kind of network: Gaussian to leading order, with its curvature terms."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
from scipy.stats import norm

from isthmus import _checks
from isthmus._display import Summary
from isthmus._words import counted, number
from isthmus.core.sobol import sobol_normals
from isthmus.dynamics.results import fall

DRAWS = 1 << 14
"""Curves from which quantiles of the sup-gap are taken."""
COMPARABLE = 0.6
"""From this ratio of shift to fluctuation on, leading order is not to be trusted: `benchmarks/warning.py` chose it."""
SOURCES = {
    "encoder": ("initial encoder neurons", "a wider network"),
    "decoder": ("initial decoder neurons", "a wider network"),
    "batches": ("batches", "smaller steps"),
    "steps": ("the step size", "smaller steps"),
    "sample": ("the sample of points", "a larger sample"),
}
"""Of each source of noise, its name and what makes it smaller."""


@dataclass(frozen=True, repr=False)
class Noise(Summary):
    """What one source does to the risk: a Gaussian curve, and curvature terms known by equally likely samples.

    Attributes:
        kernel: covariance of the Gaussian curve, shape (T, T).
        curvatures: shape (samples, T).
        kernel_error: the standard error of the diagonal of the kernel, shape (T,), None where it isn't estimated.

    """

    kernel: np.ndarray
    curvatures: np.ndarray
    kernel_error: np.ndarray | None = None

    def _lines(self) -> list[tuple[str, object]]:
        spread, shift = np.sqrt(np.diagonal(self.covariance)).max(), np.abs(self.shift).max()
        return [
            ("fluctuation", f"standard deviation at most {number(float(spread))}"),
            ("shift", f"at most {number(float(shift))}, of {counted(len(self.curvatures), 'sample')}"),
            ("known at", counted(len(self.kernel), "time")),
        ]

    def scaled(self, scale: float) -> Noise:
        """Return the noise at a scale 1/N, ε/B or 1/n."""
        return Noise(
            scale * self.kernel,
            scale * self.curvatures,
            None if self.kernel_error is None else scale * self.kernel_error,
        )

    @property
    def shift(self) -> np.ndarray:
        """The mean, shape (T,)."""
        return self.curvatures.mean(axis=0)

    @property
    def shift_error(self) -> np.ndarray:
        """The standard error of the mean as it is known, shape (T,)."""
        count = len(self.curvatures)
        return self.curvatures.std(axis=0, ddof=1) / math.sqrt(count) if count > 1 else np.zeros(len(self.kernel))

    @property
    def covariance(self) -> np.ndarray:
        """The covariance of both together, shape (T, T); they are uncorrelated."""
        centred = self.curvatures - self.shift
        return self.kernel + centred.T @ centred / max(1, len(centred) - 1)


@dataclass(frozen=True, repr=False)
class Prediction(Summary):
    """The law of the risk curve of one kind of network, at the times of the `FiniteWidthLaw` it came from.

    Attributes:
        times: shape (T,).
        limit: the mean-field risk R(t), shape (T,).
        noises: by source: 'encoder' and 'decoder' (initial neurons), 'batches', 'steps' (their size, a shift only)
            and 'sample'.
        unknown_shifts: sources whose mean shift isn't known, and is left out.

    Example:
        >>> import numpy as np
        >>> import isthmus as im
        >>> from isthmus.theory.prediction import Noise
        >>> encoder = Noise(kernel=np.diag([0.04, 0.01]), curvatures=np.full((2, 2), 0.05))
        >>> law = im.Prediction(np.array([0.0, 1.0]), limit=np.array([1.0, 0.5]), noises={"encoder": encoder})
        >>> law.mean.tolist(), law.std.tolist()
        ([1.05, 0.55], [0.2, 0.1])

    """

    times: np.ndarray
    limit: np.ndarray
    noises: dict[str, Noise]
    unknown_shifts: tuple[str, ...] = ()

    def _lines(self) -> list[tuple[str, object]]:
        largest = max(self.covariances, key=lambda name: self.source_std(name).max())
        return [
            ("risk", f"{fall(self.times, self.mean)} on average"),
            ("mean field", fall(self.times, self.limit)),
            ("spread", f"standard deviation at most {number(float(self.std.max()))}, most by {SOURCES[largest][0]}"),
            ("sup-gap", f"90 % within {number(self.gap_quantile(0.9))}"),
            *([("warning", self.warning)] if self.warning else []),
        ]

    def _curve(self) -> tuple[np.ndarray, np.ndarray]:
        return self.times, self.mean

    @property
    def shifts(self) -> dict[str, np.ndarray]:
        """The parts of the mean shift β(t) by source, each of shape (T,)."""
        return {name: noise.shift for name, noise in self.noises.items()}

    @property
    def covariances(self) -> dict[str, np.ndarray]:
        """The parts of the covariance by source, each of shape (T, T)."""
        return {name: noise.covariance for name, noise in self.noises.items() if name != "steps"}

    @property
    def shift(self) -> np.ndarray:
        """β(t), shape (T,)."""
        return np.sum(list(self.shifts.values()), axis=0)

    @property
    def shift_error(self) -> np.ndarray:
        """The standard error of β(t) as it is known, shape (T,)."""
        return np.sqrt(np.sum([noise.shift_error**2 for noise in self.noises.values()], axis=0))

    @property
    def mean(self) -> np.ndarray:
        """E R_N(t) = R(t) + β(t), shape (T,)."""
        return self.limit + self.shift

    @property
    def covariance(self) -> np.ndarray:
        """Cov(R_N(t), R_N(t′)), shape (T, T)."""
        return np.sum(list(self.covariances.values()), axis=0)

    @property
    def std(self) -> np.ndarray:
        """The standard deviation of R_N(t), shape (T,)."""
        return np.sqrt(np.diagonal(self.covariance))

    @property
    def std_error(self) -> np.ndarray:
        """The standard error of the standard deviation as kernels are known, shape (T,), 0 without errors of these."""
        errors = [noise.kernel_error for noise in self.noises.values() if noise.kernel_error is not None]
        square = np.sum([error**2 for error in errors], axis=0) if errors else np.zeros(len(self.times))
        return np.divide(np.sqrt(square), 2 * self.std, out=np.zeros(len(self.times)), where=self.std > 0)

    def source_std(self, source: str) -> np.ndarray:
        """Return the standard deviation that one source alone would make, shape (T,)."""
        name = _checks.choice("source", source, tuple(self.covariances))
        return np.sqrt(np.diagonal(self.covariances[name]))

    def band(self, confidence: float) -> tuple[np.ndarray, np.ndarray]:
        """Return the ends between which R_N(t) lies with this probability, at each time for itself."""
        half = norm.ppf((1 + _confidence(confidence)) / 2) * self.std
        return self.mean - half, self.mean + half

    @cached_property
    def deviations(self) -> np.ndarray:
        """Draws of the curve R_N(t) − R(t), shape (draws, T)."""
        kernel = np.sum([noise.kernel for noise in self.noises.values()], axis=0)
        values, vectors = np.linalg.eigh(kernel)
        curves = _normals(len(self.times)) @ (vectors * np.sqrt(np.maximum(values, 0))).T
        random = np.random.default_rng(1)
        for noise in self.noises.values():
            curves += noise.curvatures[random.integers(len(noise.curvatures), size=len(curves))]
        return curves

    @cached_property
    def gaps(self) -> np.ndarray:
        """Draws of the sup-gap max_t |R_N(t) − R(t)|, in increasing order."""
        return self.gaps_over(np.ones(len(self.times), dtype=bool))

    def gaps_over(self, selection: np.ndarray) -> np.ndarray:
        """Return draws of the largest |R_N(t) − R(t)| over the times selected by a mask (T,), in increasing order."""
        return np.sort(np.abs(self.deviations[:, selection]).max(axis=1))

    def gap_quantile(self, confidence: float) -> float:
        """Return the quantile of the sup-gap max_t |R_N(t) − R(t)|."""
        return float(np.quantile(self.gaps, _confidence(confidence)))

    @property
    def shift_ratio(self) -> float:
        """√ mean_t (β(t)/std(t))²: how far this network is from leading order, at which it would be 0.

        Times at which nothing fluctuates are left out.
        """
        shift, std = self.shift, self.std
        moving = std > 1e-12 * max(float(std.max()), float(np.abs(self.limit).max()))
        if not moving.any():
            return math.inf if shift.any() else 0.0
        return float(np.sqrt(np.mean((shift[moving] / std[moving]) ** 2)))

    @property
    def warning(self) -> str | None:
        """Why the prediction is not to be trusted to a few per cent, or None."""
        said = []
        if self.shift_ratio > COMPARABLE:
            name, remedy = SOURCES[max(self.shifts, key=lambda name: np.abs(self.shifts[name]).max())]
            said.append(
                f"The bias is {number(self.shift_ratio, 2)} standard deviations (root mean square over time), most of "
                f"it from {name}; the leading-order prediction may be off. Take {remedy}, or simulate."
            )
        if self.unknown_shifts:
            sources = " and ".join(SOURCES[name][0] for name in self.unknown_shifts)
            said.append(f"The bias by {sources} isn't known for this optimizer, and is left out of the mean.")
        return " ".join(said) or None


def centred(values: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return values (..., n) less their mean under weights (n,)."""
    return values - (values @ weights)[..., None]


def covariance(values: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return the covariance over the last axis, (T, T), of values (T, n) under weights (n,)."""
    deviations = centred(values, weights)
    return (deviations * weights) @ deviations.T


def _confidence(confidence: float) -> float:
    return _checks.real("confidence", confidence, above=0, below=1)


@lru_cache(maxsize=1)  # the search for a width asks for the same at every width
def _normals(dim: int) -> np.ndarray:
    normals = sobol_normals(dim, DRAWS, np.random.default_rng(0))
    normals.flags.writeable = False
    return normals
