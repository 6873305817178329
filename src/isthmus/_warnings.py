"""Warnings point to the line that called Isthmus, through scikit-learn too."""

from __future__ import annotations

import sys
import warnings

BETWEEN = {"isthmus", "joblib", "sklearn"}
"""The packages whose frames may lie between a warning and the line that is at fault."""
_SAID: set[tuple[str, int, str]] = set()
"""Where which warnings were given that are given once. Python forgets its own list whenever a filter changes."""


def warn(message: str, category: type[Warning], *, once: bool = False) -> None:
    """Warn at the innermost line that is of none of the packages in `BETWEEN`.

    Args:
        message: what is said.
        category: the class of the warning.
        once: whether one line says it once only, as where folds are fitted one after the other.

    """
    level, frame = 1, sys._getframe(1)
    while frame.f_back is not None and frame.f_globals.get("__name__", "").partition(".")[0] in BETWEEN:
        level, frame = level + 1, frame.f_back
    place = frame.f_code.co_filename, frame.f_lineno, message
    if once and place in _SAID:
        return
    warnings.warn(message, category, stacklevel=level + 1)
    if once:
        _SAID.add(place)
