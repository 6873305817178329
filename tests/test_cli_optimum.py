"""The command about the optimum: what it prints, writes and refuses."""

import json
import re
import tomllib

import pytest
from commands import Outcome, contents, refused, run

import isthmus as im

FLAGS = ("--data", "wine", "--max-points", "16", "--latent-dim", "1", "--weight-decay", "0.02,0.03", "--widths", "1,2")
TINY = (
    *FLAGS,
    "--set",
    "atoms=8",
    "--set",
    "restarts=1",
    "--set",
    "starts=64",
    "--set",
    "trainings=2",
    "--set",
    "draws=8",
)


@pytest.fixture(scope="module")
def solved(tmp_path_factory):
    folder = tmp_path_factory.mktemp("solved")
    return folder, run("optimum", *TINY, "--out", "out", "--json", "--quiet", folder=folder)


def test_it_leaves_numbers_figures_and_a_report(solved):
    folder, outcome = solved
    assert (outcome.code, outcome.err) == (0, "")
    names = ("study.toml", "results.nc", "report.html", "figures/gaps.png", "figures/atoms.svg")
    assert set(names) <= contents(folder / "out").keys()
    said = json.loads(outcome.out)
    result = im.load_result(folder / "out")
    assert result.study.weight_decay == (0.02, 0.03) and result.study.widths == (1, 2)
    assert said["objective"] == result.dataset.attrs["objective"]
    assert said["verdicts"] == result.verdicts() and said["certified"] is True
    assert "</html>" in (folder / "out" / "report.html").read_text()


def test_the_saved_study_is_run_again_to_the_same_numbers_and_in_words(solved):
    folder, _ = solved
    before = im.load_result(folder / "out").dataset
    again = run("optimum", "out/study.toml", "--out", "out", "--quiet", folder=folder)
    assert isinstance(again, Outcome) and again.code == 0
    assert im.load_result(folder / "out").dataset.identical(before)
    words = " ".join(again.out.split())
    assert "The best infinitely wide autoencoder that was found has risk" in words
    assert re.search(r"The optimum has \d+ encoder atoms?, \d+ decoder atoms? and objective", words)
    assert "Report: out/report.html" in again.out


def test_what_has_no_optimum_is_refused_in_one_line_and_leaves_nothing(tmp_path):
    message = refused("optimum", *TINY, "--weight-decay", "0", folder=tmp_path)
    assert "have a weight decay or bounded neurons" in message
    assert "--weight-decay must be numbers" in refused("optimum", *TINY, "--weight-decay", "a", folder=tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_folder_of_another_kind_of_study_is_left_alone(solved):
    folder, _ = solved
    before = contents(folder / "out")
    assert "holds another study" in refused("track", "--data", "wine", "--out", "out", "--quiet", folder=folder)
    assert contents(folder / "out") == before


def test_the_example_is_a_study_of_all_defaults(tmp_path):
    outcome = run("optimum", "--example", folder=tmp_path)
    assert im.ExpressivityStudy(**tomllib.loads(outcome.out)) == im.ExpressivityStudy()
