"""Signatures as the code has them: types by the names that it gives them, and a link to the source."""

from __future__ import annotations

import re
from typing import Any

from docutils import nodes
from sphinx import addnodes

import isthmus
from building.sources import add_source_link

ALIAS = re.compile(r"TypeAliasForwardRef\('(\w+)'\)")
"""What Sphinx shows in the place of an alias that is part of a union or a tuple."""
PRIVATE = re.compile(r", _\w+: (?:[^,()\[\]]|\[[^\]]*\])+")
"""A field that its own class alone sets."""


def plain_signature(
    app: Any, what: str, name: str, value: Any, options: Any, signature: str | None, returned: str | None
) -> tuple[str | None, str | None]:
    """Name aliases of types as the code does, and no private fields; of a study show keys and their defaults alone."""
    if what == "class" and hasattr(value, "model_fields"):
        return f"(*, {', '.join(_key(*item) for item in value.model_fields.items())})", returned
    named = [part and PRIVATE.sub("", ALIAS.sub(r"\1", part)) for part in (signature, returned)]
    return named[0], named[1]


def _key(name: str, field: Any) -> str:
    default = field.get_default(call_default_factory=True)
    plain = default is None or isinstance(default, bool | int | float | str | list | tuple)
    return f"{name}={default!r}" if plain and not field.is_required() else f"{name}=..."


def tidy(app: Any, doctree: nodes.document) -> None:
    """Do the same for properties, link to the source, and take away what Sphinx wrongly takes for references."""
    for signature in list(doctree.findall(addnodes.desc_signature)):
        if signature.get("module") == "isthmus":
            add_source_link(signature, app.env.docname)
        for annotation in signature.findall(addnodes.desc_annotation):
            text = annotation.astext()
            if ALIAS.search(text):
                annotation.children = [nodes.Text(ALIAS.sub(r"\1", text))]
    for label in doctree.findall(nodes.field_name):
        if label.astext() == "Variables":  # Sphinx's word for what docstrings call attributes
            label.children = [nodes.Text("Attributes")]
    for guess in list(doctree.findall(addnodes.pending_xref)):  # every attribute that is described, for one
        if guess.get("refdomain") == "py":
            name = guess["reftarget"].rpartition(".")[2]
            if guess["reftype"] == "class" and name in isthmus.__all__:
                guess["reftarget"] = f"isthmus.{name}"
            elif guess["reftarget"].removeprefix("isthmus.").partition(".")[0] not in isthmus.__all__:
                guess.replace_self(guess.children)
