"""Equations of pages as MathML, which browsers set by themselves: no script, nothing from elsewhere."""

from __future__ import annotations

from typing import Any

from docutils import nodes
from latex2mathml.converter import convert
from sphinx.util import logging

UNREAD = ("<mi>&</mi>", "<mi>\\")
"""What is left of LaTeX that the converter doesn't know."""
BAR = "<mo>&#x02016;</mo>"
"""The double bar of a norm, which would grow with all that stands beside it."""
logger = logging.getLogger(__name__)


def setup(app: Any) -> None:
    """Let pages have formulas between dollar signs, and equations between two of them."""
    app.add_html_math_renderer("mathml", inline_renderers=(_inline, None), block_renderers=(_displayed, None))
    app.config.html_math_renderer = "mathml"


def _inline(translator: Any, node: nodes.math) -> None:
    translator.body.append(_mathml(node, "inline"))
    raise nodes.SkipNode


def _displayed(translator: Any, node: nodes.math_block) -> None:
    translator.body.append(f'<div class="equation">{_mathml(node, "block")}</div>\n')
    raise nodes.SkipNode


def _mathml(node: nodes.math | nodes.math_block, display: str) -> str:
    made = convert(node.astext(), display=display).replace(BAR, f'<mo stretchy="false">{BAR[4:]}')
    if any(mark in made for mark in UNREAD):
        logger.warning("an equation has a command that isn't known: %s", node.astext(), location=node)
    return made
