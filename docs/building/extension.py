"""The extension that `conf.py` names."""

from __future__ import annotations

from typing import Any

from sphinx.errors import ExtensionError

from building import facts, gallery, generated, links, mathematics, notebooks, reference, shelf, signatures, sources


def setup(app: Any) -> dict[str, Any]:
    """Register directives, roles and hooks."""
    mathematics.setup(app)
    app.add_role("at", sources.At())
    app.add_directive("shelf", shelf.Shelf)
    app.add_directive("summaries", shelf.Summaries)
    app.add_directive("entry", shelf.Entry)
    app.add_directive("example", gallery.Example)
    app.connect("builder-inited", begin)
    app.connect("source-read", fill_in)
    app.connect("autodoc-process-docstring", shelf.process_docstring, priority=100)
    app.connect("autodoc-process-signature", signatures.plain_signature)
    app.connect("autodoc-skip-member", shelf.skip_member)
    app.connect("doctree-read", signatures.tidy, priority=400)
    app.connect("doctree-read", links.add_links)
    app.connect("doctree-read", links.offer_notebook)
    app.connect("html-collect-pages", sources.source_pages)
    app.connect("build-finished", notebooks.publish)
    return {"version": "1", "parallel_read_safe": False, "parallel_write_safe": True}


def begin(app: Any) -> None:
    """Write the pages of public names; end the build before it begins where pages and code don't agree."""
    found = facts.complaints()
    if found:
        raise ExtensionError("\n".join(["pages and code don't agree:", *found]))
    reference.write()


def fill_in(app: Any, document: str, content: list[str]) -> None:
    """Put in what is made from the code."""
    content[0] = generated.filled(content[0])
