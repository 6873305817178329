"""What pages say of the code, held against the code: names, docstrings, groups, examples. It needs no Sphinx."""

from __future__ import annotations

import ast
import hashlib
import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import isthmus

DOCS = Path(__file__).parent.parent
PROJECT = DOCS.parent
PACKAGE = Path(isthmus.__file__).parent
SHELF = ast.parse((PACKAGE / "__init__.pyi").read_text(encoding="utf-8"))
HOMES = {name.name: line.module or "" for line in SHELF.body if isinstance(line, ast.ImportFrom) for name in line.names}
"""The module of each public name, without the package; a public module has none."""
FENCE = r"^```\{%s\}(.*?)\n(.*?)^```$"


class Place(NamedTuple):
    """Where a name is defined: its file, the line there, the docstring, and the node of a class or function."""

    path: Path
    line: int
    docstring: str | None
    node: ast.AST

    @property
    def module(self) -> str:
        """The dotted name of its file, without the package."""
        return module_name(self.path)


def module_name(path: Path) -> str:
    """Return the dotted name of a file of the package, without the package."""
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def place(name: str) -> Place:
    """Return where ``core.autoencoder.Autoencoder.risk``, or ``core.autoencoder``, is defined; inherited names aren't.

    Raises:
        LookupError: where there is no such definition.

    """
    parts = name.split(".")
    for length in range(len(parts), 0, -1):
        for path in (
            PACKAGE.joinpath(*parts[:length]).with_suffix(".py"),
            PACKAGE.joinpath(*parts[:length], "__init__.py"),
        ):
            if path.is_file():
                return _within(path, parts[length:], name)
    raise LookupError(f"isthmus has no module for the name {name!r}")


def _within(path: Path, parts: list[str], name: str) -> Place:
    node: ast.AST = ast.parse(path.read_text(encoding="utf-8"))
    found = Place(path, 1, ast.get_docstring(node), node)  # pyright: ignore[reportArgumentType]
    for part in parts:
        found = _defined(path, found.node, part)
        if found is None:
            raise LookupError(
                f"{path.relative_to(PACKAGE.parent)} has no definition of {part!r}, for the name {name!r}"
            )
    return found


def _defined(path: Path, node: ast.AST, name: str) -> Place | None:
    """Return the definition of a name in the body of a module or class; a string below an assignment documents it."""
    body = getattr(node, "body", [])
    for statement, below in zip(body, [*body[1:], None], strict=True):
        if isinstance(statement, ast.ClassDef | ast.FunctionDef) and statement.name == name:
            return Place(path, statement.lineno, ast.get_docstring(statement), statement)
        targets = statement.targets if isinstance(statement, ast.Assign) else [getattr(statement, "target", None)]
        if any(isinstance(target, ast.Name) and target.id == name for target in targets):
            return Place(path, statement.lineno, _string(below), statement)
    return None


def _string(statement: ast.stmt | None) -> str | None:
    if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant):
        value = statement.value.value
        return value if isinstance(value, str) else None
    return None


def public_place(name: str) -> Place:
    """Return where a public name is defined, at its home and not on the shelf."""
    return place(f"{HOMES[name.partition('.')[0]]}.{name}".removeprefix("."))


def documented() -> list[str]:
    """Return the names that have a page of their own: the public ones, and those of public modules."""
    modules = [name for name in isthmus.__all__ if inspect.ismodule(getattr(isthmus, name))]
    return [*isthmus.__all__, *(f"{name}.{part}" for name in modules for part in getattr(isthmus, name).__all__)]


def summary(docstring: str | None) -> str:
    """Return the first paragraph of a docstring, in one line."""
    return " ".join((docstring or "").strip().split("\n\n")[0].split())


def digest_of_code(*paths: Path) -> str:
    """Return what tells the code of the package as it is, and some files, from any other."""
    digest = hashlib.sha256()
    for file in (*paths, *sorted(PACKAGE.rglob("*.py"))):
        digest.update(file.read_bytes())
    return digest.hexdigest()


def undocumented() -> list[str]:
    """Return the public names, and the public methods of public classes, that have no docstring of their own."""
    missing = []
    for name in isthmus.__all__:
        found = public_place(name)
        if not found.docstring:
            missing.append(name)
        methods = [part for part in getattr(found.node, "body", []) if isinstance(part, ast.FunctionDef)]
        if isinstance(found.node, ast.ClassDef):
            missing += [
                f"{name}.{method.name}"
                for method in methods
                if not method.name.startswith("_") and not ast.get_docstring(method)
            ]
    return missing


def fences(page: str, directive: str) -> Iterator[tuple[str, str]]:
    """Yield argument and content of each use of a directive on a page."""
    text = (DOCS / f"{page}.md").read_text(encoding="utf-8")
    for argument, content in re.findall(FENCE % directive, text, re.DOTALL | re.MULTILINE):
        yield argument.strip(), content


def complaints() -> list[str]:
    """Return what pages leave out of the shelf and of the examples, or name without its being there."""
    found = [f"{name} stands on the shelf without a docstring" for name in undocumented()]
    grouped = [name for _, content in fences("api", "shelf") for name in content.split()]
    found += _compared("docs/api.md", grouped, list(isthmus.__all__))
    shown = [argument for argument, _ in fences("gallery", "example")]
    return found + _compared("docs/gallery.md", shown, [path.stem for path in (PROJECT / "examples").glob("*.py")])


def _compared(page: str, shown: list[str], there: list[str]) -> list[str]:
    twice = sorted({name for name in shown if shown.count(name) > 1})
    return [
        *(f"{page} lacks {name}" for name in sorted(set(there) - set(shown))),
        *(f"{page} names {name}, which isn't there" for name in sorted(set(shown) - set(there))),
        *(f"{page} names {name} more than once" for name in twice),
    ]
