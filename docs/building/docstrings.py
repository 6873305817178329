"""Docstrings as they stand in the code, in Unicode and with few marks, made into what Sphinx reads."""

from __future__ import annotations

import re
import textwrap

SECTION = re.compile(r"^(Args|Attributes|Returns|Yields|Raises|Warns|Example):$", re.MULTILINE)
MARKED = re.compile(r"(``.+?``|`[^`]+`|\*\*[^*]+\*\*)", re.DOTALL)
RELATION = re.compile(r"[=≈←≤≥]")


def as_restructured_text(docstring: str) -> str:
    """Return a docstring with its equations as literal blocks and all else escaped; sections stay for Napoleon."""
    start = SECTION.search(docstring)
    prose, sections = (docstring[: start.start()], docstring[start.start() :]) if start else (docstring, "")
    blocks = [_equation(block) if is_equation(block) else escaped(block) for block in _blocks(prose)]
    rest = [block if ">>> " in block else escaped(block) for block in _blocks(sections)]
    return "\n\n".join([*blocks, *rest])


def _blocks(text: str) -> list[str]:
    return [block.strip("\n") for block in re.split(r"\n[ \t]*\n", text) if block.strip()]


def is_equation(block: str) -> bool:
    """Say whether a block is set apart: indented, or lines of formulas with wide spaces between them."""
    lines = block.splitlines()
    if all(line.startswith(" ") for line in lines):
        return True
    return all(RELATION.search(line) for line in lines) and any("  " in line.strip() for line in lines)


def _equation(block: str) -> str:
    return "::\n\n" + textwrap.indent(textwrap.dedent(block), "    ")


def escaped(block: str) -> str:
    """Return text in which |θ|, v_ and * mean themselves; what is marked as code or strong stays so."""
    parts = MARKED.split(block)
    parts[::2] = [re.sub(r"([\\*|]|_(?=\W|$))", r"\\\1", part) for part in parts[::2]]
    return "".join(parts)
