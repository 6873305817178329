"""Tutorials as notebooks: kept without outputs, run by the build, and offered for download."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from building.facts import DOCS, digest_of_code

TUTORIALS = DOCS / "tutorials"


def cache() -> Path:
    """Return the folder that keeps what notebooks printed and drew with the code of the package as it is."""
    return DOCS / "_build" / "notebooks" / digest_of_code()[:16]


def publish(app: Any, error: Exception | None) -> None:
    """Copy the notebooks to the top folder of the site, for download."""
    for path in TUTORIALS.glob("*.ipynb") if error is None else ():
        shutil.copy(path, app.outdir)


def code(path: Path) -> list[str]:
    """Return the cells of code of a notebook."""
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    return ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]


def complaints(path: Path) -> list[str]:
    """Return what is kept in a notebook that only its reader's run should put there."""
    notebook = json.loads(path.read_text(encoding="utf-8"))
    cells = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    kept = [cell["id"] for cell in cells if cell["outputs"] or cell["execution_count"] is not None]
    return [f"{path.name} keeps outputs of cell {name}: clear them" for name in kept]
