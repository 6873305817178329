"""How many coordinates points have among their nearest neighbours: TwoNN."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from isthmus import _checks

KEPT = 0.9
"""Share of the ratios, the smallest ones, that count in full: the largest feel borders and changes of density."""
FEWEST_POINTS = 3


def intrinsic_dimension(points: ArrayLike) -> float:
    r"""Return the intrinsic dimension of points by the distances to their two nearest neighbours (TwoNN).

    Where the density is even on the scale of the second neighbour, the logarithm of μ = r₂/r₁ is exponential with rate
    m, the dimension. Of n ratios the r smallest (90 %) are used as they are, and of the others only that they are
    larger; the maximum-likelihood estimate of such a sample, made unbiased for independent ratios, is

        m = (r − 1) / (Σ_{i≤r} ln μ_i + (n − r) ln μ_r),    μ_1 ≤ … ≤ μ_n.

    It is the dimension on the scale of neighbour distances: noise of that size adds to it, and in high dimensions
    borders pull it down.

    Source: Facco, d'Errico, Rodriguez and Laio, Scientific Reports 7 (2017) 12140.

    Args:
        points: shape (n, d). Of equal points only one counts.

    Raises:
        ArgumentError: where fewer than 3 points differ, or most first and second neighbours are equally far.

    Example:
        >>> import numpy as np
        >>> import isthmus as im
        >>> random = np.random.default_rng(0)
        >>> plane = random.random((1000, 2)) @ random.standard_normal((2, 6))
        >>> round(im.intrinsic_dimension(plane))
        2

    """
    from sklearn.neighbors import NearestNeighbors

    distinct = np.unique(_checks.array("points", points, ("n", "d"), np.dtype(np.float64)), axis=0)
    if len(distinct) < FEWEST_POINTS:
        rule = f"hold at least {FEWEST_POINTS} different points"
        _checks.refuse("points", rule, _checks.described(f"of {len(distinct)}"))
    distinct = distinct - distinct.mean(axis=0)
    found = NearestNeighbors(n_neighbors=2).fit(distinct).kneighbors(return_distance=False)
    # Taken again from differences, for the search may round the distances of near neighbours.
    distances = np.sort(np.linalg.norm(distinct[found] - distinct[:, None], axis=2), axis=1)
    logs = np.sort(np.log(distances[:, 1] / distances[:, 0]))
    count = max(2, int(KEPT * len(logs)))
    total = logs[:count].sum() + (len(logs) - count) * logs[count - 1]
    if total <= 0:
        described = _checks.described("one where most are equal, as on a lattice")
        _checks.refuse("points", "have first and second neighbours at different distances", described)
    return float((count - 1) / total)
