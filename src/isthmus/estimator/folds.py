"""Which rows are held out to choose the horizon: parts that depend on the content of rows, never on their order."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from isthmus import _checks
from isthmus.core.scaling import row_sums
from isthmus.dynamics.sampler import content_order
from isthmus.estimator.settings import Settings
from isthmus.tables.columns import MISSING_TYPES

FOLDS = 5
"""Parts each of which is held out once."""
FEWEST_ROWS = 10
"""Different rows below which none can be held out."""
FEWEST_GROUPS = 2
"""Groups of rows below which none can be held out."""
TWICE_BELOW = 250
"""Different rows below which they are parted into folds twice over, so that the noise of one partition counts less."""
ONE_PART_FROM = 1000
"""Different rows from which on only one part is held out, and rows that it has at most."""
HELD_OUT_SHARE = 0.2
"""Share of the weight in that one part."""


class Split(NamedTuple):
    """Weights of the rows to learn from and of those held out, shape (n,) each; 0 for a row that takes no part."""

    learning: np.ndarray
    held_out: np.ndarray


def everything(weights: np.ndarray) -> Split:
    """Return the split that learns from all rows and holds out none."""
    return Split(weights, np.zeros_like(weights))


def splits_of(
    points: np.ndarray,
    weights: np.ndarray,
    groups: ArrayLike | None,
    settings: Settings,
    random: np.random.Generator,
    inside: np.ndarray | None = None,
) -> list[Split]:
    """Return what to learn from and what to hold out, as the parameters ask for it; nothing where `shortage` says why.

    Args:
        points: shape (n, d), an array or sparse.
        weights: of sum 1, shape (n,).
        groups: of rows that are held out together, None for none.
        settings: of the estimator.
        random: that chooses rows.
        inside: coordinates of the rows, by which they are ordered; the points themselves for None.

    Raises:
        ArgumentError: where ``groups`` or a splitter breaks its rule.

    """
    if settings.horizon is not None and not settings.early_stopping:
        return [everything(weights)]
    numbers = None if groups is None else group_numbers(groups, len(weights))
    if not settings.early_stopping and not (settings.cv is None or isinstance(settings.cv, int)):
        return given_splits(settings.cv, points, weights, numbers)
    keys, splits = row_keys(points), []
    if not _lacking(keys, weights, numbers):
        keys = _numbered(keys, weights, points if inside is None else inside) if numbers is None else numbers
        if settings.early_stopping:
            splits = single_split(keys, weights, settings.validation_fraction, random)
        else:
            splits = automatic_splits(keys, weights, random, settings.cv)
    return splits or ([] if settings.horizon is None else [everything(weights)])


def shortage(points: np.ndarray, weights: np.ndarray, groups: ArrayLike | None) -> str:
    """Return what there is too little of to hold rows out, '' where there is enough."""
    return _lacking(row_keys(points), weights, None if groups is None else group_numbers(groups, len(weights)))


def automatic_splits(
    keys: np.ndarray, weights: np.ndarray, random: np.random.Generator, folds: int | None = None
) -> list[Split]:
    """Return the splits of rows into ``folds`` parts, or of many rows a single one; rows of one key are never parted.

    There are two keys at the least.
    """
    distinct, group, masses = _groups(keys, weights)
    if folds is None and len(distinct) >= ONE_PART_FROM:
        return single_split(keys, weights, min(HELD_OUT_SHARE, ONE_PART_FROM / len(distinct)), random)
    count, splits = min(folds or FOLDS, len(distinct)), []
    twice = folds is None and count < len(distinct) < TWICE_BELOW
    for _ in range(2 if twice else 1):
        order = random.permutation(len(distinct))
        middles = np.empty(len(distinct))
        middles[order] = np.cumsum(masses[order]) - masses[order] / 2
        part = np.minimum((middles / masses.sum() * count).astype(int), count - 1)[group]
        splits += [_split(weights, part == number) for number in range(count)]
    return [split for split in splits if split is not None]


def single_split(keys: np.ndarray, weights: np.ndarray, share: float, random: np.random.Generator) -> list[Split]:
    """Return the split that holds out a share of the weight; there are two keys at the least."""
    distinct, group, masses = _groups(keys, weights)
    order = random.permutation(len(distinct))
    taken = 1 + int(np.searchsorted(np.cumsum(masses[order]), share * masses.sum()))
    split = _split(weights, np.isin(group, order[: min(taken, len(distinct) - 1)]))
    return [] if split is None else [split]


def given_splits(cv: Any, points: np.ndarray, weights: np.ndarray, groups: ArrayLike | None) -> list[Split]:
    """Return the splits of a splitter of scikit-learn, or of pairs (train, test) of row numbers."""
    pairs: Iterable[Any] = cv
    if hasattr(cv, "split"):
        pairs = _checks.called("cv", lambda: list(cv.split(points, None, groups)))
    splits = []
    for pair in pairs:
        rows = [np.zeros(len(weights)), np.zeros(len(weights))]
        try:
            for row, chosen in zip(rows, pair, strict=True):
                row[np.asarray(chosen)] = 1.0
        except (TypeError, ValueError, IndexError):
            _checks.refuse("cv", "give pairs (train, test) of row numbers", pair)
        splits.append(Split(rows[0] * weights, rows[1] * weights))
    usable = [split for split in splits if split.learning.any() and split.held_out.any()]
    if not usable:
        _checks.refuse("cv", "hold out a row of positive weight, and leave one to learn from", cv)
    return [Split(split.learning / split.learning.sum(), split.held_out) for split in usable]


def row_keys(points: np.ndarray) -> np.ndarray:
    """Return a number for each row that depends on its content alone, shape (n,): a hash of its bits."""
    odd = np.random.default_rng(0).integers(0, 2**63, points.shape[1], dtype=np.uint64) * np.uint64(2) + np.uint64(1)

    def hashed(values: np.ndarray, columns: Any) -> np.ndarray:
        bits = (values.astype(float) + 0.0).view(np.uint64)  # −0 becomes 0
        bits = (bits ^ (bits >> np.uint64(32))) * odd[columns]  # in round numbers the low bits are all 0
        return bits ^ (bits >> np.uint64(29))

    return row_sums(points, hashed)


def group_numbers(groups: Any, count: int) -> np.ndarray:
    """Return a number for each row, the same for rows of one group, shape (n,).

    Names may be numbers, words or anything else that can be told apart, but none may be missing. The numbers don't
    depend on the order of rows.
    """
    try:
        given = groups if isinstance(groups, list | tuple | np.ma.MaskedArray) else np.asarray(groups)
    except Exception:  # asking a stranger's object for its array may raise anything
        _checks.refuse_type("groups", f"have shape ({count},)", _checks.described("ragged or not an array"))
    shape = given.shape if isinstance(given, np.ndarray) else (len(given),)
    if shape != (count,):
        _checks.refuse("groups", f"have shape ({count},)", _checks.described(f"of shape {shape}"))
    names = list(given)
    missing = [row for row, name in enumerate(names) if _is_missing(name)]
    if missing:
        found = _checks.described(f"missing in {len(missing)} of {count} rows, first in row {missing[0]}")
        _checks.refuse("groups", "name the group of every row", found, "give these rows a group, or leave them out")
    try:
        distinct = list(dict.fromkeys(names))
    except TypeError:
        _checks.refuse_type("groups", f"be {count} names", _checks.described("lists, or objects without a hash"))
    try:
        distinct.sort()
    except TypeError:  # numbers and words
        distinct.sort(key=lambda name: (type(name).__name__, str(name)))
    numbers = {name: number for number, name in enumerate(distinct)}
    return np.array([numbers[name] for name in names])


def _is_missing(name: Any) -> bool:
    return type(name).__name__ in MISSING_TYPES or (isinstance(name, float | np.generic) and bool(name != name))


def _lacking(keys: np.ndarray, weights: np.ndarray, groups: np.ndarray | None) -> str:
    """Return what there is too little of, for keys and numbers of groups of rows."""
    present = weights > 0
    if len(np.unique(keys[present])) < FEWEST_ROWS:
        return f"too few rows differ ({FEWEST_ROWS} are needed)"
    if groups is not None and len(np.unique(groups[present])) < FEWEST_GROUPS:
        return f"too few groups ({FEWEST_GROUPS} are needed)"
    return ""


def _numbered(keys: np.ndarray, weights: np.ndarray, inside: np.ndarray) -> np.ndarray:
    """Return the number of each different row, in the order of their content, shape (n,)."""
    order = content_order(inside, weights)
    _, first, inverse = np.unique(keys[order], return_index=True, return_inverse=True)
    numbers = np.zeros(len(weights), int)
    numbers[order] = np.argsort(np.argsort(first))[inverse]
    return numbers


def _groups(keys: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the distinct keys of rows of positive weight, which of them each row has (−1: none), and their weights."""
    present = weights > 0
    distinct, inverse = np.unique(keys[present], return_inverse=True)
    group = np.full(len(keys), -1)
    group[present] = inverse
    return distinct, group, np.bincount(inverse, weights[present])


def _split(weights: np.ndarray, chosen: np.ndarray) -> Split | None:
    learning, held_out = np.where(chosen, 0.0, weights), np.where(chosen, weights, 0.0)
    if not (learning.any() and held_out.any()):
        return None
    return Split(learning / learning.sum(), held_out)
