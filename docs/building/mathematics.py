"""Equations of pages as MathML, which browsers set by themselves: no script, nothing from elsewhere."""

from __future__ import annotations

from typing import Any

from latex2mathml.converter import convert

BRACKETS = {r">\langle<": ">&#x027E8;<", r">\rangle<": ">&#x027E9;<", r">\|<": ">&#x02016;<"}
"""What the converter leaves as it is after a command that sets the size, as in \\bigl\\langle."""
UNREAD = ("<mi>&</mi>", "\\")
"""What is left of LaTeX that the converter doesn't know."""
BAR = "<mo>&#x02016;</mo>"
"""The double bar of a norm, which would grow with all that stands beside it."""


def setup(app: Any) -> None:
    """Let pages have formulas between dollar signs, and equations between two of them."""
    app.add_html_math_renderer("mathml", inline_renderers=(_inline, None), block_renderers=(_displayed, None))
    app.config.html_math_renderer = "mathml"


def mathml(formula: str, display: str = "inline") -> str:
    """Return LaTeX as MathML."""
    made = convert(formula, display=display).replace(BAR, f'<mo stretchy="false">{BAR[4:]}')
    for left, bracket in BRACKETS.items():
        made = made.replace(left, bracket)
    return made


def is_read(made: str) -> bool:
    """Say whether MathML has nothing left of LaTeX."""
    return not any(mark in made for mark in UNREAD)


def _inline(translator: Any, node: Any) -> None:
    _skip(translator, node, _checked(node, "inline"))


def _displayed(translator: Any, node: Any) -> None:
    _skip(translator, node, f'<div class="equation">{_checked(node, "block")}</div>\n')


def _skip(translator: Any, node: Any, made: str) -> None:
    from docutils.nodes import SkipNode

    translator.body.append(made)
    raise SkipNode


def _checked(node: Any, display: str) -> str:
    from sphinx.util import logging

    made = mathml(node.astext(), display)
    if not is_read(made):
        logging.getLogger(__name__).warning(
            "an equation has a command that isn't known: %s", node.astext(), location=node
        )
    return made
