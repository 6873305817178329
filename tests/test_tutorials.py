"""Tutorials are kept without outputs, name only what is public, and run from top to bottom."""

import ast
import json
import re
import subprocess
import sys

import pytest

import isthmus as im
from building import checks, notebooks

PATHS = sorted(notebooks.TUTORIALS.glob("*.ipynb"))
LONGEST = 600
"""Seconds on a machine that is busy with other tests; each takes about one minute alone."""


def test_there_are_four():
    assert {path.stem for path in PATHS} == {"paper", "table", "width", "torch_network"}


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
def test_it_is_kept_without_outputs_and_names_what_is_public(path):
    assert notebooks.complaints(path) == []
    cells = notebooks.code(path)
    assert len(cells) > 5
    for cell in cells:
        ast.parse(cell)
        assert list(checks.unknown(cell)) == []
        assert set(re.findall(r"\bim\.([A-Za-z_]\w*)", cell)) <= set(im.__all__)


def test_outputs_that_are_kept_are_found(tmp_path):
    notebook = json.loads(PATHS[0].read_text(encoding="utf-8"))
    cell = next(cell for cell in notebook["cells"] if cell["cell_type"] == "code")
    cell["execution_count"] = 1
    (tmp_path / "run.ipynb").write_text(json.dumps(notebook), encoding="utf-8")
    assert notebooks.complaints(tmp_path / "run.ipynb") == [f"run.ipynb keeps outputs of cell {cell['id']}: clear them"]


@pytest.mark.slow
@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
def test_it_runs_from_top_to_bottom(path, tmp_path):
    pytest.importorskip("nbconvert")
    pytest.importorskip("ipykernel")
    if "torch" in path.stem:
        pytest.importorskip("torch")
    command = [sys.executable, "-m", "nbconvert", "--execute", "--to", "notebook", str(path)]
    subprocess.run([*command, "--output-dir", str(tmp_path)], check=True, capture_output=True, timeout=LONGEST)
    cells = json.loads((tmp_path / path.name).read_text(encoding="utf-8"))["cells"]
    outputs = [output for cell in cells if cell["cell_type"] == "code" for output in cell["outputs"]]
    assert not [one for one in outputs if one["output_type"] == "error" or one.get("name") == "stderr"]
    assert sum("image/png" in one.get("data", {}) for one in outputs) >= 1
