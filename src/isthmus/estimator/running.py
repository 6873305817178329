r"""Mean, unit and principal directions of all rows of a stream so far, without keeping the rows.

With weights of sum W, mean m and covariance C of the rows so far, and W_b, m_b, C_b of the rows that arrive,

    m' = m + β (m_b − m)        C' = α C + β C_b + αβ (m_b − m)(m_b − m)ᵀ        α = W/(W + W_b), β = 1 − α.

All is in double precision about the first row, so that a large offset costs no digits. The covariance is kept as
C = FᵀF, so that nothing of size d × d is needed and no small direction is lost beside a large one: rows of F are added
for those that arrive, and once F has more than 2R rows it is replaced by its R leading singular vectors times their
singular values. That loses nothing where R = d, and what lies beyond R directions otherwise; the trace is kept apart.

Source: Ross, Lim, Lin and Yang, Incremental learning for robust visual tracking, 2008, section 2.2.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from isthmus.core.principal import filled, with_fixed_signs, with_more_directions
from isthmus.core.scaling import ROUNDING, Scaling, blocks
from isthmus.estimator.coordinates import ROUNDING_SHARE, Spectrum

SPARE_DIRECTIONS = 32
"""Directions that are kept besides 2k."""
SPARE_ENTRIES = 1 << 22
"""Numbers, at most, of which these directions consist."""
ASSUMED_ROWS = 256
"""Rows that a network was trained on, where their number isn't known."""


@dataclass(frozen=True)
class Running:
    """What is known of all rows of a stream so far.

    Attributes:
        latent_dim: k.
        count: the number of rows of positive weight.
        weight: W/2^exponent, for the sum W of their weights.
        origin: the first of them, shape (d,).
        shift: the mean less the origin, shape (d,).
        spread: (E‖x − mean‖²)^½.
        factor: F, at most 2R rows, shape (r, d).
        exponent: which keeps that sum in the range of double precision, whatever the unit of weights.

    """

    latent_dim: int
    count: int
    weight: float
    origin: np.ndarray
    shift: np.ndarray
    spread: float
    factor: np.ndarray
    exponent: int = 0

    @classmethod
    def empty(cls, dim: int, latent_dim: int) -> Running:
        """Return what is known before the first row."""
        return cls(latent_dim, 0, 0.0, np.zeros(dim), np.zeros(dim), 0.0, np.zeros((0, dim)))

    @classmethod
    def along(cls, units: Scaling, components: np.ndarray, points: np.ndarray, weights: np.ndarray) -> Running:
        """Return what PCA knows of its points: their mean, unit and variances along the components, shape (k, d)."""
        shares, weight, exponent = _normalised(weights)
        variances = np.zeros(len(components))
        for block, part in blocks(points, shares):
            variances += part @ (filled(units.precisely(block)) @ components.T) ** 2
        unit, count = float(units.unit), int((weights > 0).sum())
        known = {"origin": units.mean, "shift": units.rest + np.zeros_like(units.mean), "exponent": exponent}
        factor = unit * np.sqrt(variances)[:, None] * components
        return cls(len(components), count, weight, spread=unit if variances.any() else 0.0, factor=factor, **known)

    @classmethod
    def assumed(cls, units: Scaling, components: np.ndarray) -> Running:
        """Return what is assumed where only mean, unit and components are known, equal variances along these."""
        factor, unit = units.unit / np.sqrt(len(components)) * components, float(units.unit)
        return cls(
            len(components), ASSUMED_ROWS, float(ASSUMED_ROWS), units.mean, np.zeros_like(units.mean), unit, factor
        )

    def with_rows(self, points: np.ndarray, weights: np.ndarray) -> Running:
        """Return what is known after further rows, shape (n, d), with weights, shape (n,)."""
        known = self
        for block, part in blocks(points, weights, self._rank):
            known = known._with_block(block, part)
        return known

    def scaling(self, dtype: np.dtype) -> Scaling:
        """Return mean and unit; the unit is 1 where rows of this type differ by no more than rounding."""
        mean = self.origin + self.shift
        rounding = ROUNDING * np.finfo(dtype).eps * float(np.abs(mean).max())
        return Scaling(mean, self.spread if self.spread > rounding else 1.0)

    def spectrum(self, dtype: np.dtype) -> Spectrum:
        """Return the leading principal variances in the units of the computation, and their directions."""
        units = self.scaling(dtype)
        values, rows = _singular(self.factor / units.unit)
        clear = values**2 > ROUNDING_SHARE * (values**2).sum()
        directions = with_more_directions(with_fixed_signs(rows[clear].T), self.latent_dim)
        variances = np.zeros(directions.shape[1])
        variances[: clear.sum()] = values[clear] ** 2
        return Spectrum(units, variances, directions, self.latent_dim)

    @property
    def _rank(self) -> int:
        """R, the number of directions that are kept."""
        dim = len(self.origin)
        return min(dim, 2 * self.latent_dim + min(SPARE_DIRECTIONS, SPARE_ENTRIES // dim))

    def _with_block(self, rows: np.ndarray, weights: np.ndarray) -> Running:
        origin = self.origin if self.count else rows[0]
        shares, added, exponent = _normalised(weights)
        highest = max(exponent, self.exponent) if self.count else exponent
        added = float(np.ldexp(added, exponent - highest))
        weight = float(np.ldexp(self.weight, self.exponent - highest)) + added
        new = added / weight
        old = 1 - new
        rows = rows - origin
        mean = shares @ rows
        step = mean - self.shift
        parts = [np.sqrt(new * shares)[:, None] * (rows - mean), np.sqrt(old * new) * step[None, :]]
        spread = _norm(np.array([np.sqrt(old) * self.spread, *(_norm(part) for part in parts)]))
        factor = np.concatenate([np.sqrt(old) * self.factor, *parts])
        if len(factor) > 2 * self._rank:
            values, directions = _singular(factor)
            factor = values[: self._rank, None] * directions[: self._rank]
        known = {"weight": weight, "exponent": highest, "origin": origin, "shift": self.shift + new * step}
        return replace(self, count=self.count + len(rows), spread=spread, factor=factor, **known)


def _singular(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return singular values and right singular vectors, in rows."""
    if len(rows) > 2 * rows.shape[1]:
        rows = np.asarray(np.linalg.qr(rows, mode="r"))
    _, values, directions = np.linalg.svd(rows, full_matrices=False)
    return values, directions


def _normalised(weights: np.ndarray) -> tuple[np.ndarray, float, int]:
    """Return weights over their sum, and that sum as a number times a power of 2, which may leave double precision."""
    largest = weights.max()
    relative = weights / largest
    total = float(relative.sum())
    mantissa, exponent = np.frexp(largest)
    return relative / total, float(mantissa) * total, int(exponent)


def _norm(values: np.ndarray) -> float:
    """Return the root of the sum of squares, also where these leave the range of double precision."""
    largest = float(np.abs(values).max(initial=0.0))
    return largest * float(np.sqrt(((values / largest) ** 2).sum())) if largest > 0 else 0.0
