"""Mathematics in the words of a page: LaTeX and plain formulas become MathML."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache

from latex2mathml.converter import convert
from markupsafe import Markup, escape

LATEX = re.compile(r"\$([^$]+)\$")
CODE = re.compile(r"`([^`]+)`")
LETTER = r"(?<![\w.])[A-Za-zα-ωΑ-Ω]"
PLAIN = re.compile(
    rf"{LETTER}(?:_[NED0-9])?\([tT0]\)"  # R_N(t), R(0)
    rf"|(?:{LETTER}|(?<![\w.])10)\^[−-]?(?:\d+/\d+|[\d.]*\d)"  # N^−0.86, ε^1/2, 10^−7
    rf"|{LETTER}_[NED0-9](?!\w)"  # R_N
)
"""Formulas that stand in plain sentences: a letter with an index or an argument, and powers."""
POWER = re.compile(r"\^(.+)$")


def sentence(text: str) -> Markup:
    """Return a plain sentence as HTML, with its formulas set as mathematics, and as code what stands in backticks."""
    return _replaced(CODE, text, lambda found: Markup("<code>{}</code>").format(found[1]), _formulas)


def _formulas(text: str) -> Markup:
    return _replaced(PLAIN, text, lambda found: mathml(plain_latex(found[0])), _words)


def _words(text: str) -> Markup:
    """Return words as HTML; what stands on both sides of an equals sign stays on one line."""
    return escape(text.replace(" = ", "\u00a0=\u00a0"))


def caption(text: str) -> Markup:
    """Return a text with formulas between dollar signs as HTML."""
    return _replaced(LATEX, text, lambda found: mathml(found[1]), sentence)


@cache
def mathml(latex: str, display: str = "inline") -> Markup:
    """Return LaTeX as a MathML element, in the line or on its own."""
    for sign, safe in (("&", ""), ("<", r"\lt "), (">", r"\gt ")):  # within \text the converter escapes nothing
        latex = latex.replace(sign, safe)
    return Markup(convert(latex, display=display))


def plain_latex(plain: str) -> str:
    """Return a plain formula as LaTeX: whatever follows ^ is one exponent."""
    return POWER.sub(r"^{\1}", plain).replace("−", "-")


def _replaced(
    pattern: re.Pattern[str], text: str, found: Callable[[re.Match[str]], Markup], rest: Callable[[str], Markup]
) -> Markup:
    """Return a text whose matches are replaced in one way, and what lies between them in another."""
    parts, end = [], 0
    for match in pattern.finditer(text):
        parts += [rest(text[end : match.start()]), found(match)]
        end = match.end()
    return Markup("").join([*parts, rest(text[end:])])
