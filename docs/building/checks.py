"""What pages promise their reader: links that lead somewhere, and code that runs and prints what stands below it."""

from __future__ import annotations

import ast
import html
import inspect
import json
import os
import re
import subprocess
import sys
import tempfile
import textwrap
from collections.abc import Iterator
from itertools import zip_longest
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote

import isthmus
from building import notebooks
from building.facts import DOCS, PROJECT
from building.mathematics import is_read, mathml

LINK = re.compile(r"(?<!!)\[[^\]]*\]\((?!https?:)([^)\s]+)\)")
FENCED = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
APART = re.compile(rf"{FENCED.pattern}|\$\$.*?\$\$|\$[^$\n]+\$|`[^`\n]+`", re.MULTILINE | re.DOTALL)
"""What of a page isn't prose: blocks, formulas, and code in a line."""
CODE = re.compile(rf"{FENCED.pattern}|`[^`\n]+`", re.MULTILINE | re.DOTALL)
EQUATION = re.compile(r"\$\$(.+?)\$\$|\$([^$\n]+)\$", re.DOTALL)
SNIPPET = re.compile(
    r"^```python\n(?P<code>.*?)^```\n"
    r"(?:\n?prints[^\n]*\n\n(?:```\w*\n(?P<fenced>.*?)^```|(?P<apart>(?:(?:    |> |>)[^\n]*\n|\n)+)))?",
    re.MULTILINE | re.DOTALL,
)
"""Code, and what stands below it as printed: fenced, indented, or quoted."""
INDENTED = re.compile(r"(?:^    [^\n]*\n|^\n)+", re.MULTILINE)
NUMBER = re.compile(r"[-−]?\d[\d,]*(?:\.\d+)?(?:e[-+]?\d+)?|[-−]?\.\d+")
CLOSE = 0.1
"""How far, relative to itself, a printed number may lie from the one on the page: other machines round otherwise."""
LONGEST = 900
"""Seconds that the code of a page may take."""
RUNNER = """
import contextlib, io, json, sys
names, printed = {}, []
for code in json.load(sys.stdin):
    with contextlib.redirect_stdout(io.StringIO()) as said:
        exec(compile(code, "snippet", "exec"), names)
    printed.append(said.getvalue())
print(json.dumps(printed))
"""


class Snippet(NamedTuple):
    """Code of a page, and what the page says that it prints."""

    code: str
    printed: str


def pages() -> dict[str, Path]:
    """Return the pages by their names: those of the site, and those beside it that it includes."""
    beside = [PROJECT / f"{name}.md" for name in ("README", "CONTRIBUTING")]
    return {path.stem: path for path in [*beside, *sorted(DOCS.glob("*.md"))]}


def text_of(path: Path) -> str:
    """Return the prose of a page or of a notebook."""
    text = path.read_text(encoding="utf-8")
    if path.suffix != ".ipynb":
        return text
    return "\n\n".join("".join(cell["source"]) for cell in json.loads(text)["cells"] if cell["cell_type"] == "markdown")


def dead_links() -> list[str]:
    """Return the links of pages and notebooks to files and headings that aren't there."""
    found = []
    for path in [*pages().values(), *sorted(notebooks.TUTORIALS.glob("*.ipynb"))]:
        for link in LINK.findall(APART.sub("", text_of(path))):
            name, _, heading = link.partition("#")
            target = (path.parent / name).resolve() if name else path
            if not target.is_file():
                found.append(f"{path.name} links to {link}, which isn't there")
            elif heading and heading not in headings(target):
                found.append(f"{path.name} links to {link}, but {target.name} has no such heading")
    return found


def unread_equations() -> list[str]:
    """Return the equations of pages and notebooks with commands that become no MathML."""
    found = []
    for path in [*pages().values(), *sorted(notebooks.TUTORIALS.glob("*.ipynb"))]:
        for displayed, inline in EQUATION.findall(CODE.sub("", text_of(path))):
            if not is_read(mathml((displayed or inline).strip())):
                found.append(f"{path.name} has an equation with a command that isn't known: {displayed or inline}")
    return found


def dead_links_of_site(folder: Path) -> list[str]:
    """Return the links of the pages of a built site to pages and places within it that aren't there."""
    texts = {path.resolve(): path.read_text(encoding="utf-8") for path in folder.rglob("*.html")}
    places = {path: set(re.findall(r'\sid="([^"]+)"', text)) for path, text in texts.items()}
    found = []
    for path, text in texts.items():
        for link in set(re.findall(r'<a [^>]*?href="([^"]+)"', text)):
            name, _, place = unquote(html.unescape(link)).partition("#")
            if re.match(r"[a-z]+:", name) or link == "#":
                continue
            target = (path.parent / name).resolve() if name else path
            if not target.is_file() or (place and target in places and place not in places[target]):
                found.append(f"{path.relative_to(folder.resolve())} links to {link}, which isn't there")
    return sorted(found)


def headings(path: Path) -> set[str]:
    """Return the anchors of a page's headings."""
    titles = re.findall(r"^#+ (.+)$", FENCED.sub("", text_of(path)), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.strip().lower()).replace(" ", "-") for title in titles}


def snippets(path: Path) -> list[Snippet]:
    """Return the code of a page that is marked as Python."""
    found = SNIPPET.finditer(path.read_text(encoding="utf-8"))
    return [Snippet(one["code"], one["fenced"] or _flush(one["apart"] or "")) for one in found]


def _flush(text: str) -> str:
    return re.sub(r"^(?:    |> ?)", "", text, flags=re.MULTILINE)


def unknown_arguments(path: Path) -> list[str]:
    """Return the calls of public functions, in fences or indented, that name arguments which these don't have."""
    text = path.read_text(encoding="utf-8")
    blocks = [snippet.code for snippet in snippets(path)]
    blocks += [textwrap.dedent(block) for block in INDENTED.findall(FENCED.sub("", text)) if "im." in block]
    return [f"{path.name}: {said}" for block in blocks for said in unknown(block)]


def unknown(code: str) -> Iterator[str]:
    """Yield what calls of public functions in some code name that these don't have; what isn't Python says nothing."""
    try:
        tree = ast.parse(code)
    except SyntaxError:  # a line of a shell, or an equation
        return
    for call in ast.walk(tree):
        if isinstance(call, ast.Call) and ast.unparse(call.func) in [f"im.{name}" for name in isthmus.__all__]:
            name = ast.unparse(call.func).removeprefix("im.")
            known = inspect.signature(getattr(isthmus, name)).parameters
            if not any(one.kind is inspect.Parameter.VAR_KEYWORD for one in known.values()):
                yield from (
                    f"im.{name} has no argument {k.arg!r}" for k in call.keywords if k.arg and k.arg not in known
                )


def failures(path: Path) -> list[str]:
    """Run the code of a page from top to bottom, in a folder of its own; return what failed or printed other things."""
    shown = snippets(path)
    if not shown:
        return []
    environment = os.environ | {"MPLBACKEND": "Agg"}
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(
            [sys.executable, "-c", RUNNER],
            input=json.dumps([snippet.code for snippet in shown]),
            cwd=folder,
            env=environment,
            capture_output=True,
            text=True,
            timeout=LONGEST,
        )
    if done.returncode:
        return [f"{path.name}: its code fails:\n{done.stderr}"]
    printed = json.loads(done.stdout.splitlines()[-1])
    return [
        f"{path.name}: the page says\n{snippet.printed}\nbut its code prints\n{said}"
        for snippet, said in zip(shown, printed, strict=True)
        if snippet.printed and not alike(snippet.printed, said)
    ]


def alike(page: str, printed: str) -> bool:
    """Say whether two texts have the same words, however they wrap, and nearly the same numbers."""
    left, right = (re.sub(r"\s+", " ", text).strip() for text in (page, printed))
    if NUMBER.split(left) != NUMBER.split(right):
        return False
    pairs = zip_longest(NUMBER.findall(left), NUMBER.findall(right), fillvalue="nan")
    return all(abs(a - b) <= CLOSE * max(abs(a), abs(b)) for a, b in (map(_value, pair) for pair in pairs))


def _value(text: str) -> float:
    return float(text.replace(",", "").replace("−", "-"))


def complaints(run: bool = True) -> list[str]:
    """Return all that pages promise and don't keep; without ``run`` what can be told without running their code."""
    found = dead_links() + unread_equations()
    for path in pages().values():
        found += unknown_arguments(path)
    for path in sorted(notebooks.TUTORIALS.glob("*.ipynb")):
        found += notebooks.complaints(path)
    for path in pages().values() if run else ():
        found += failures(path)
    return found
