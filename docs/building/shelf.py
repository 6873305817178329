"""The public names with their docstrings, group by group."""

from __future__ import annotations

import inspect
import textwrap
from typing import Any

from docutils import nodes
from sphinx.util.docutils import SphinxDirective

import isthmus
from building.docstrings import as_restructured_text
from building.facts import public_place


class Shelf(SphinxDirective):
    """``{shelf}`` with public names as its content: the reference of each."""

    has_content = True

    def run(self) -> list[nodes.Node]:
        """Return the entries, in the order of the names."""
        text = "\n\n".join(_entry(name) for line in self.content for name in line.split())
        fenced = ["```{eval-rst}", *text.splitlines(), "```"]
        parent = nodes.container()
        self.content = type(self.content)(fenced, source=self.get_source_info()[0])
        self.state.nested_parse(self.content, self.content_offset, parent)
        return parent.children


def _entry(name: str) -> str:
    value = getattr(isthmus, name)
    if inspect.isclass(value):
        more = "show-inheritance" if issubclass(value, Exception) else "inherited-members"
        return f".. autoclass:: isthmus.{name}\n   :members:\n   :{more}:"
    if inspect.isfunction(value):
        return f".. autofunction:: isthmus.{name}"
    text = as_restructured_text(inspect.cleandoc(public_place(name).docstring or ""))
    if inspect.ismodule(value):
        parts = [f".. autofunction:: isthmus.{name}.{part}" for part in value.__all__]
        return "\n\n".join([f".. py:module:: isthmus.{name}", text, *parts])
    return f".. py:data:: isthmus.{name}\n\n{textwrap.indent(text, '   ')}"


def process_docstring(app: Any, what: str, name: str, value: Any, options: Any, lines: list[str]) -> None:
    """Make a docstring into what Napoleon reads; a study file's keys are listed with what they mean."""
    text = "\n".join(lines)
    if what == "class" and hasattr(value, "model_fields"):
        keys = [f"    {key}: {field.description or ''}" for key, field in value.model_fields.items()]
        head, mark, tail = text.partition("\nRaises:")
        text = "\n".join([head, "", "Attributes:", *keys, "", mark + tail])
    # Napoleon takes what stands before a colon in the first line of a property for its type: an empty one goes first.
    lines[:] = ["\\"] * (what in ("attribute", "property")) + as_restructured_text(text).splitlines()


def skip_member(app: Any, what: str, name: str, value: Any, skip: bool, options: Any) -> bool | None:
    """Leave out what other packages define, and the fields of named tuples, which the class describes."""
    doc = inspect.getdoc(value) or ""
    home = getattr(inspect.unwrap(value) if callable(value) else getattr(value, "fget", None), "__module__", "isthmus")
    if doc.startswith("Alias for field number") or not str(home).startswith("isthmus"):
        return True
    return None
