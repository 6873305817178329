"""What stands on the page of a public name, and in the tables that list them."""

from __future__ import annotations

import inspect
import textwrap
from collections.abc import Iterable, Iterator
from typing import Any

from docutils import nodes
from sphinx.util.docutils import SphinxDirective

import isthmus
from building.docstrings import as_restructured_text, escaped
from building.facts import documented, public_place, summary
from building.reference import SOURCE, document


class Written(SphinxDirective):
    """A directive whose content is made as reStructuredText."""

    has_content = True

    def text(self) -> str:
        """Return what is parsed in its place."""
        raise NotImplementedError

    def run(self) -> list[nodes.Node]:
        """Return the nodes."""
        fenced = ["```{eval-rst}", *self.text().splitlines(), "```"]
        parent = nodes.container()
        self.content = type(self.content)(fenced, source=self.get_source_info()[0])
        self.state.nested_parse(self.content, self.content_offset, parent)
        return parent.children

    @property
    def names(self) -> list[str]:
        """The names in its content."""
        return [name for line in self.content for name in line.split()]


class Summaries(Written):
    """``{summaries}`` with public names as its content: a table of links and first sentences."""

    def text(self) -> str:
        """Return the table."""
        return table((name, summary(public_place(name).docstring)) for name in self.names)


class Shelf(Summaries):
    """``{shelf}``: the same, and the pages of these names stand below this page."""

    def text(self) -> str:
        """Return the table and the list of pages."""
        inside = [one for one in documented() if one.partition(".")[0] in self.names]
        pages = "\n".join(f"   /{document(name)}" for name in inside)
        return f"{super().text()}\n\n.. toctree::\n   :hidden:\n\n{pages}"


class Entry(Written):
    """``{entry} NAME``: signature, docstring and members of a public name."""

    has_content = False
    required_arguments = 1

    def text(self) -> str:
        """Return the directive that says so."""
        name = self.arguments[0]
        value = getattr(isthmus, name, None)
        if inspect.isclass(value):
            more = "show-inheritance" if issubclass(value, Exception) else "inherited-members"
            return f".. autoclass:: isthmus.{name}\n   :members:\n   :{more}:"
        if inspect.isfunction(value) or "." in name:
            return f".. autofunction:: isthmus.{name}"
        text = as_restructured_text(inspect.cleandoc(public_place(name).docstring or ""))
        if inspect.ismodule(value):
            return f".. py:module:: isthmus.{name}\n\n{text}"
        return f".. py:data:: isthmus.{name}\n\n{textwrap.indent(text, '   ')}"


def table(rows: Iterable[tuple[str, str]]) -> str:
    """Return names, which become links, and what is said of each, as a table."""
    lines = [f"   * - ``{name}``\n     - {escaped(said)}" for name, said in rows]
    return "\n".join([".. list-table::", "   :class: summary", "", *lines])


def process_docstring(app: Any, what: str, name: str, value: Any, options: Any, lines: list[str]) -> None:
    """Make a docstring into what Napoleon reads; a study file's keys are listed with what they mean.

    Sources stand at the end of the page, and a class has a table of its members.
    """
    text = "\n".join(lines)
    if name.removeprefix("isthmus.") in documented():
        text = SOURCE.sub("", text)
    if what == "class" and hasattr(value, "model_fields"):
        keys = [f"    {key}: {field.description or ''}" for key, field in value.model_fields.items()]
        head, mark, tail = text.partition("\nRaises:")
        text = "\n".join([head, "", "Attributes:", *keys, "", mark + tail])
    # Napoleon takes what stands before a colon in the first line of a property for its type: an empty one goes first.
    made = ["\\"] * (what in ("attribute", "property")) + as_restructured_text(text).splitlines()
    if what == "class" and (rows := list(_members(value))):
        short = name.removeprefix("isthmus.")
        made += ["", ".. rubric:: Members", "", *table((f"{short}.{one}", said) for one, said in rows).splitlines(), ""]
    lines[:] = made


def _members(value: type) -> Iterator[tuple[str, str]]:
    """Yield the public methods and properties of a class with their first sentences, as they stand in the code."""
    seen = set()
    for base in value.__mro__:
        for name, part in vars(base).items() if base.__module__.startswith("isthmus") else ():
            if not name.startswith("_") and name not in seen and (inspect.isroutine(part) or hasattr(part, "__get__")):
                seen.add(name)
                if not skip_member(None, "class", name, getattr(value, name), False, None):
                    yield name, summary(inspect.getdoc(getattr(value, name)))


def skip_member(app: Any, what: str, name: str, value: Any, skip: bool, options: Any) -> bool | None:
    """Leave out what other packages define, and the fields of named tuples, which the class describes."""
    doc = inspect.getdoc(value) or ""
    home = getattr(inspect.unwrap(value) if callable(value) else getattr(value, "fget", None), "__module__", "isthmus")
    of_others = name == "model_config" or not str(home).startswith("isthmus")  # pydantic's own, in every study
    if doc.startswith("Alias for field number") or of_others:
        return True
    return None
