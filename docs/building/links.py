"""Links that make themselves: from names in code to what they name, and from tutorials to their notebooks."""

from __future__ import annotations

import re
from typing import Any

from docutils import nodes
from sphinx import addnodes

import isthmus
from building.facts import DOCS, PACKAGE, place
from building.notebooks import TUTORIALS
from building.sources import address, linked

NAME = re.compile(r"^(?:isthmus\.|im\.)?([A-Za-z]\w*)((?:\.[a-z]\w*)*)(?:\(.*\))?$", re.DOTALL)
ELSEWHERE = {"CHANGELOG.md": "changelog", "CONTRIBUTING.md": "inside", "examples/": "gallery", "README.md": "index"}
"""The pages that show files from outside docs/."""


def add_links(app: Any, doctree: nodes.document) -> None:
    """Turn literals that name something into links to it, except in titles and links."""
    document = app.env.docname
    for literal in list(doctree.findall(nodes.literal)):
        if not isinstance(literal.parent, nodes.reference | nodes.title | addnodes.pending_xref):
            link = _link(literal, literal.astext(), document)
            if link is not None:
                literal.replace_self(link)


def _link(literal: nodes.literal, text: str, document: str) -> nodes.Element | None:
    up = "../" * document.count("/")
    page = ELSEWHERE.get(text) or (text[5:-3] if re.fullmatch(r"docs/\w+\.md", text) else None)
    if page and page != document and (DOCS / f"{page}.md").is_file():
        return linked(literal.deepcopy(), f"{up}{page}.html", text)
    file = text.removeprefix("isthmus/")
    if file.endswith(".py") and (PACKAGE / file).is_file():
        return linked(literal.deepcopy(), up + address(place(file[:-3].replace("/", "."))), text)
    name = NAME.match(text)
    if name and name[1] in isthmus.__all__:
        return addnodes.pending_xref(
            "",
            literal.deepcopy(),
            refdomain="py",
            reftype="obj",
            reftarget=f"isthmus.{name[1]}{name[2]}",
            refexplicit=True,
            refdoc=document,
            refwarn=False,
        )
    return None


def offer_notebook(app: Any, doctree: nodes.document) -> None:
    """Put a link to its notebook below a tutorial's title; `notebooks.publish` copies them to the top folder."""
    folder, _, name = app.env.docname.rpartition("/")
    if folder == TUTORIALS.name:
        link = linked(nodes.inline("", "this page as a notebook"), f"../{name}.ipynb", f"{name}.ipynb")
        title = next(iter(doctree.findall(nodes.title)))
        title.parent.insert(1, nodes.paragraph("", "", nodes.Text("Run it yourself: "), link, nodes.Text(".")))
