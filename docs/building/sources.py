"""The source code as pages with numbered lines, and links into them from names and signatures."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from docutils import nodes
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import PythonLexer
from sphinx.util.docutils import SphinxRole

from building.facts import PACKAGE, Place, module_name, place, public_place


def address(found: Place) -> str:
    """Return the address of a definition in the pages of source code, from the top folder of the site."""
    return f"code/{found.path.relative_to(PACKAGE).with_suffix('').as_posix()}.html#L-{found.line}"


def source_pages(app: Any) -> Iterator[tuple[str, dict[str, Any], str]]:
    """Yield a page for each file of the package."""
    for path in sorted(PACKAGE.rglob("*.py")):
        name = path.relative_to(PACKAGE).with_suffix("").as_posix()
        formatter = HtmlFormatter(linenos="inline", linespans="L", cssclass="highlight source")
        code = highlight(path.read_text(encoding="utf-8"), PythonLexer(), formatter)
        title = f"isthmus/{name}.py"
        yield f"code/{name}", {"title": title, "body": f"<h1>{title}</h1>{code}"}, "page.html"


class At(SphinxRole):
    """``{at}`core.autoencoder.Autoencoder.risk` ``: a link to the code that holds it; a name that isn't there warns."""

    def run(self) -> tuple[list[nodes.Node], list[nodes.system_message]]:
        """Return the link."""
        try:
            found = place(self.text)
        except LookupError as error:
            message = self.inliner.reporter.error(str(error), line=self.lineno)
            return [nodes.problematic(self.rawtext, self.rawtext)], [message]
        file = found.path.relative_to(PACKAGE).as_posix()
        name = self.text.removeprefix(module_name(found.path)).removeprefix(".") or file
        return [linked(nodes.literal(name, name), address(found), file)], []


def linked(node: nodes.Node, target: str, title: str) -> nodes.reference:
    """Return a link within the site."""
    return nodes.reference("", "", node, refuri=target, internal=True, reftitle=title)


def add_source_link(signature: Any, document: str) -> None:
    """Add a link to the code to the signature of a public name, or of a method that its own class defines."""
    first, *rest = signature["fullname"].split(".")
    try:
        home = public_place(first)
        found = place(".".join([home.module, first, *rest]))
    except (KeyError, LookupError):
        return
    target = "../" * document.count("/") + address(found)
    signature += linked(nodes.inline("", "[source]", classes=["source-link"]), target, str(found.path.name))
