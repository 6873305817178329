"""A page for each public name, written before the build from its docstring, and from where else it is spoken of."""

from __future__ import annotations

import inspect
import json
import re
import shutil
from collections.abc import Iterator
from typing import Any

import isthmus
from building import notebooks
from building.facts import DOCS, HOMES, PROJECT, documented, fences, place, public_place, summary

PAGES = DOCS / "reference"
MOST = 12
"""How many names a page lists as near its own."""
TITLE = re.compile(r"^# (.+)$", re.MULTILINE)
SECTION = re.compile(r"^### (.+)$\n(?:(?!^### ).*\n)*?```\{example\} (\w+)$", re.MULTILINE)
SOURCE = re.compile(r"^[ ]*Source: (.+?)(?=\n[ ]*\n|\Z)", re.MULTILINE | re.DOTALL)
ARXIV = re.compile(r"arXiv:(\d{4}\.\d{4,5})")
NAMED = re.compile(r"`+(?:im\.|isthmus\.)?(\w+)")
"""A name in backticks, or the first of names with dots between."""


def document(name: str) -> str:
    """Return the document of a name; a function whose name is that of a class but for capitals has a word more.

    Some systems of files take Saddle.html and saddle.html for one.
    """
    twin = any(other != name and other.lower() == name.lower() for other in documented())
    return f"{PAGES.name}/{name}-function" if twin and name.islower() else f"{PAGES.name}/{name}"


def write() -> None:
    """Write the pages anew."""
    shutil.rmtree(PAGES, ignore_errors=True)
    PAGES.mkdir()
    groups = {name: title for title, names in _groups() for name in names}
    speak = dict(_pages_that_speak())
    for name in documented():
        group = groups[name.partition(".")[0]]
        (DOCS / f"{document(name)}.md").write_text(_page(name, group, speak), encoding="utf-8")


def _groups() -> Iterator[tuple[str, list[str]]]:
    """Yield the groups of public names, in the order of their page."""
    text = (DOCS / "api.md").read_text(encoding="utf-8")
    titles = re.findall(r"^## (.+)$", text, re.MULTILINE)
    for title, (_, content) in zip(titles, fences("api", "shelf"), strict=True):
        yield title, content.split()


def _page(name: str, group: str, speak: dict[str, tuple[str, set[str]]]) -> str:
    anchor = group.lower().replace(" ", "-")
    parts = [f"# {name}", f"Public names: [{group}](../api.md#{anchor})", f"```{{entry}} {name}\n```"]
    near = _near(name)
    pages = [f"[{title}](../{target})" for target, (title, names) in speak.items() if name in names]
    if near or pages:
        parts.append("## See also")
        parts += [f"```{{summaries}}\n{' '.join(near)}\n```"] * bool(near)
        parts += [f"It is used in {', '.join(pages)}."] * bool(pages)
    if cited := references(name):
        parts += ["## References", "\n".join(f"- {one}" for one in cited)]
    return "\n\n".join(parts) + "\n"


def _near(name: str) -> list[str]:
    """Return names inside of one, those of its docstring and signature, and those that name it in theirs."""
    known = documented()
    inside = [one for one in known if one.startswith(f"{name}.")]
    found = [*_names_in(_all_text(name)), *_signature(name)]
    back = [one for one in known if name in _names_in(summary(public_place(one).docstring))]
    back += [one for one in known if name in _signature(one)]
    near = [one for one in dict.fromkeys([*inside, *found, *back]) if one in known and one != name]
    return near[:MOST]


def _signature(name: str) -> list[str]:
    """Return the words of a signature; that of a study would name its keys, and that of an error says nothing."""
    value = _value(name)
    plain = callable(value) and not hasattr(value, "model_fields") and not _is_raised(value)
    return re.findall(r"\w+", str(inspect.signature(value))) if plain else []


def _value(name: str) -> Any:
    first, _, rest = name.partition(".")
    return getattr(getattr(isthmus, first), rest) if rest else getattr(isthmus, first)


def _is_raised(value: Any) -> bool:
    return inspect.isclass(value) and issubclass(value, Exception)


def _all_text(name: str) -> str:
    """Return the docstring of a name, and of the public methods that its class defines."""
    found = public_place(name)
    parts = [found.docstring or ""]
    for node in getattr(found.node, "body", []) if inspect.isclass(_value(name)) else []:
        if not getattr(node, "name", "_").startswith("_"):
            parts.append(inspect.getdoc(getattr(_value(name), node.name)) or "")
    return "\n".join(parts)


def _names_in(text: str) -> list[str]:
    return NAMED.findall(text)


def references(name: str) -> list[str]:
    """Return what a docstring and that of its file give as their sources, and the papers that they name."""
    home = HOMES[name.partition(".")[0]]
    texts = [public_place(name).docstring or "", (place(home).docstring or "") if home else ""]
    sources = [" ".join(one.split()) for text in texts for one in SOURCE.findall(text)]
    papers = [f"arXiv:{one}" for text in texts for one in ARXIV.findall(SOURCE.sub("", text))]
    cited = [one for one in dict.fromkeys([*sources, *papers]) if not (one in papers and one in " ".join(sources))]
    return [ARXIV.sub(r"[arXiv:\1](https://arxiv.org/abs/\1)", one) for one in cited]


def _pages_that_speak() -> Iterator[tuple[str, tuple[str, set[str]]]]:
    """Yield pages, tutorials and examples as targets of links, with their titles and the public names in them."""
    for path in sorted(DOCS.glob("*.md")):
        text = path.read_text(encoding="utf-8")
        if path.stem not in ("api", "gallery", "index", "changelog", "inside", "releases"):
            yield path.name, (TITLE.findall(text)[0], _spoken(text))
    for path in sorted(notebooks.TUTORIALS.glob("*.ipynb")):
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        text = "\n".join("".join(cell["source"]) for cell in cells)
        yield f"tutorials/{path.name}", (TITLE.findall(text)[0], _spoken(text))
    for title, name in SECTION.findall((DOCS / "gallery.md").read_text(encoding="utf-8")):
        text = (PROJECT / "examples" / f"{name}.py").read_text(encoding="utf-8")
        anchor = re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-")
        yield f"gallery.md#{anchor}", (f"the example {name}", _spoken(text))


def _spoken(text: str) -> set[str]:
    return set(re.findall(r"\bim\.((?:torch\.)?\w+)", text)) | set(_names_in(text))
