"""How numbers and counts are written in every sentence, table and figure of a study."""

from __future__ import annotations

import math
from collections.abc import Sequence

DIGITS = 3
"""The number of significant digits of a number in print."""


def number(value: float, digits: int = DIGITS) -> str:
    """Return a number with so many significant digits, trailing zeros included, and a minus sign for a hyphen.

    Example:
        >>> number(0.002), number(-0.8571), number(1234.5), number(0.0)
        ('0.00200', '−0.857', '1,230', '0')

    """
    if value == 0 or not math.isfinite(value):
        return {0.0: "0", math.inf: "∞", -math.inf: "−∞"}.get(value, "–")
    exponent = math.floor(math.log10(abs(float(f"{value:.{digits - 1}e}"))))
    if not -5 <= exponent < 6:
        mantissa, power = f"{value:.{digits - 1}e}".split("e")
        return f"{mantissa} × 10^{int(power)}".replace("-", "−")
    rounded = round(value, digits - 1 - exponent)
    return f"{rounded:,.{max(0, digits - 1 - exponent)}f}".replace("-", "−")


def interval(lower: float, upper: float, digits: int = DIGITS) -> str:
    """Return the two ends of an interval: ``0.0012 to 0.0034``."""
    return f"{number(lower, digits)} to {number(upper, digits)}"


def setting(value: float) -> str:
    """Return a number that a person chose, as they would write it: 0.05, 80, 1e−06.

    Example:
        >>> setting(0.05), setting(80.0), setting(1e-6)
        ('0.05', '80', '1e−06')

    """
    return f"{value:g}".replace("-", "−")


def exponent(value: float) -> str:
    """Return an exponent as it is read: to two decimals.

    Example:
        >>> exponent(-0.8571), exponent(0.5), exponent(-1.0649)
        ('−0.86', '0.50', '−1.06')

    """
    return f"{value:.2f}".replace("-", "−") if math.isfinite(value) else "–"


def whole(count: int) -> str:
    """Return a whole number with its thousands apart: a width, say.

    Example:
        >>> whole(64), whole(1024)
        ('64', '1,024')

    """
    return f"{count:,}"


def from_width(width: float) -> str:
    """Return the first whole width from a real one on, to about two digits.

    Example:
        >>> from_width(6.2), from_width(62.1), from_width(1234.5)
        ('7', '63', '1,200')

    """
    first = math.ceil(width)
    return number(first, min(2, len(str(first))))


def percent(share: float, digits: int = 2) -> str:
    r"""Return a share as a percentage, its sign kept on the same line as its number.

    Example:
        >>> percent(0.9), percent(0.123456), percent(0.5)
        ('90\xa0%', '12\xa0%', '50\xa0%')

    """
    return f"{float(f'{100 * share:.{digits}g}'):g}\u00a0%".replace("-", "−")


def counted(count: int, noun: str, plural: str | None = None) -> str:
    """Return a count with its noun in the right number.

    Example:
        >>> counted(1, "job"), counted(1200, "run"), counted(2, "analysis", "analyses")
        ('1 job', '1,200 runs', '2 analyses')

    """
    return f"{count:,} {noun if count == 1 else plural or noun + 's'}"


def listed(items: Sequence[object]) -> str:
    """Return items as a list in a sentence.

    Example:
        >>> listed([64]), listed([64, 256]), listed([64, 256, 1024])
        ('64', '64 and 256', '64, 256 and 1024')

    """
    *before, last = map(str, items)
    return f"{', '.join(before)} and {last}" if before else last
