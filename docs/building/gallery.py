"""Examples that are run by the build: their code, what they print, and the pictures they draw."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import ClassVar

from docutils import nodes
from docutils.parsers.rst import directives
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective

from building.facts import DOCS, PROJECT, digest_of_code

RUNS = DOCS / "_build" / "examples"
LONGEST = 900
logger = logging.getLogger(__name__)


class Example(SphinxDirective):
    """``{example} NAME``: run ``examples/NAME.py`` in a folder and show it; with ``:short:`` without its code."""

    required_arguments = 1
    option_spec: ClassVar = {"short": directives.flag}

    def run(self) -> list[nodes.Node]:
        """Return code, output and pictures."""
        path = PROJECT / "examples" / f"{self.arguments[0]}.py"
        self.env.note_dependency(str(path))
        try:
            printed, pictures = outcome(path)
        except subprocess.SubprocessError as error:
            said = getattr(error, "stderr", None) or str(error)
            raise self.error(f"examples/{path.name} failed:\n{said}") from error
        code = path.read_text(encoding="utf-8")
        shown: list[nodes.Node] = [
            nodes.image(uri=f"/{picture.relative_to(DOCS).as_posix()}", alt=f"Drawn by examples/{path.name}")
            for picture in pictures
        ]
        caption = nodes.paragraph("", "", nodes.strong("", f"python examples/{path.name}"), nodes.Text(" prints"))
        shown += [caption, _block(printed, "none")]
        return shown if "short" in self.options else [*shown, _block(code, "python", f"examples/{path.name}")]


def outcome(path: Path) -> tuple[str, list[Path]]:
    """Run an example, unless it was run with the same code of its own and of the package; return text and pictures."""
    folder, mark = RUNS / path.stem, digest_of_code(path)
    record = folder / "outcome.json"
    if not record.is_file() or json.loads(record.read_text(encoding="utf-8"))["mark"] != mark:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        logger.info("running examples/%s", path.name)
        command = [sys.executable, str(path)]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True, timeout=LONGEST)
        record.write_text(json.dumps({"mark": mark, "printed": done.stdout}), encoding="utf-8")
    return json.loads(record.read_text(encoding="utf-8"))["printed"], sorted(folder.glob("*.png"))


def _block(text: str, language: str, name: str = "") -> nodes.Node:
    block = nodes.literal_block(text, text, language=language)
    if not name:
        return block
    caption = nodes.caption("", "", nodes.literal("", name))
    return nodes.container("", caption, block, literal_block=True, classes=["literal-block-wrapper"])
