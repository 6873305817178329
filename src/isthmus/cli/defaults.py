"""Keys of a study with their defaults and meanings, read from its source.

Importing a study takes seconds, since it imports JAX; its help is to be there at once.
"""

from __future__ import annotations

import ast
import functools
import importlib.util
from pathlib import Path
from typing import Any, NamedTuple


class Key(NamedTuple):
    """What the help says of a key of a study.

    Attributes:
        default: its default, as it is written in a study file.
        meaning: its description, empty where it has none.

    """

    default: Any
    meaning: str


def keys_of(kind: str) -> dict[str, Key]:
    """Return the keys of a study by dotted name, given its module and class as in ``isthmus.studies.width:WidthStudy``.

    A default that is no plain value is left out.
    """
    module, _, name = kind.partition(":")
    return _keys(module, name, {})


def _keys(module: str, name: str, given: dict[str, Any]) -> dict[str, Key]:
    """Return the keys of a class and its bases; ``given`` are defaults that replace those of the class."""
    tree = _parsed(module)
    found = next((node for node in tree.body if isinstance(node, ast.ClassDef) and node.name == name), None)
    if found is None:
        origin = _imported_from(tree, name)
        return {} if origin is None else _keys(origin, name, given)
    keys: dict[str, Key] = {}
    for base in found.bases:
        keys |= _keys(module, ast.unparse(base), given)
    for line in found.body:
        if isinstance(line, ast.AnnAssign) and line.value and "ClassVar" not in ast.unparse(line.annotation):
            keys |= _of_line(module, ast.unparse(line.target), line.value, given)
    return keys


def _of_line(module: str, name: str, value: ast.expr, given: dict[str, Any]) -> dict[str, Key]:
    """Return the keys that a line of a class declares: one, or those of a table."""
    if not isinstance(value, ast.Call):
        return {name: Key(given.get(name, _plain(value)), "")}
    named = {str(keyword.arg): _plain(keyword.value) for keyword in value.keywords}
    function = ast.unparse(value.func)
    if function != "Field":
        return {f"{name}.{key}": about for key, about in _keys(module, function, named).items()}
    default = _plain(value.args[0]) if value.args else named.get("default")
    return {name: Key(given.get(name, default), named.get("description") or "")}


def _plain(value: ast.expr) -> Any:
    try:
        return ast.literal_eval(value)
    except ValueError:
        return None


def _imported_from(tree: ast.Module, name: str) -> str | None:
    """Return the module of ours that a module imports a name from."""
    for node in tree.body:
        if isinstance(node, ast.ImportFrom) and any(alias.name == name for alias in node.names):
            return node.module if (node.module or "").startswith("isthmus.") else None
    return None


@functools.cache
def _parsed(module: str) -> ast.Module:
    spec = importlib.util.find_spec(module)
    assert spec is not None and spec.origin is not None
    return ast.parse(Path(spec.origin).read_text(encoding="utf-8"))
