"""``isthmus predict``: what it prints and leaves, and what it refuses before it leaves anything."""

import json

import pytest
from commands import contents, run

import isthmus as im

# The sizes of the docstring example of `predict`, so that in one session they are compiled once.
TINY_FILE = """
widths = [64, 256]
step_sizes = [0.25]
horizon = 2.0
records = 4
runs = 7
particles = 64
law_particles = 64
law_samples = 2
[data]
source = "wine"
"""
FIGURES = ("influence", "predicted_curves", "predicted_gaps", "sources")


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "study.toml").write_text(TINY_FILE)
    return tmp_path


@pytest.mark.slow
def test_it_prints_and_leaves_the_law_of_networks_that_were_not_trained(folder):
    flags = ("study.toml", "--tolerance", "0.05", "--out", "law", "--quiet")
    code, out, err = run("predict", *flags, folder=folder)
    assert (code, err) == (0, "") and "Predicted 90 % quantile of the sup-gap" in out.replace("\xa0", " ")
    written = {f"figures/{name}.{kind}" for name in FIGURES for kind in ("png", "svg")}
    assert set(contents(folder / "law")) == written | {"study.toml", "results.nc", "report.html"}
    result = im.load_result(folder / "law")
    assert result.study.tolerance == 0.05 and result.study.runs == 7
    assert " ".join(result.answer().split()) in " ".join(out.split())
    code, out, err = run("predict", *flags, "--json", folder=folder)
    assert (code, err) == (0, "") and json.loads(out) == result.summary() | {"folder": "law"}
    widths = [entry["width"] for entry in json.loads(out)["widths_for"]]
    law = im.predict(result.study).law
    assert widths == [law.width_for(0.05, 0.9), law.width_for(0.05, 0.9, 0.25, 8)]


def test_it_refuses_what_it_can_not_do_and_leaves_nothing(folder):
    for more, message in (
        (("--law", "independent"), "one whose mean-field limit is trivial"),
        (("--tolerance", "-1"), "--tolerance must be above 0"),
    ):
        code, out, err = run("predict", "study.toml", *more, "--out", "other", "--quiet", folder=folder)
        assert (code, out) == (2, "") and message in err.splitlines()[-1]
        assert not (folder / "other").exists()
