"""The command `isthmus bottleneck`: what it prints and leaves, and what it refuses in one line."""

import json

import numpy as np
import pytest
from commands import contents, refused, run

import isthmus as im

STUDY = """
activation = "linear"
horizon = 2.0
particles = 32
replicates = 2
[data]
source = "points.npy"
"""
FLAGS = ("--max-latent-dim", 1, "--splits", 2, "--quiet", "--out", "out")


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    """The folder of a finished tiny study, and what the command printed."""
    folder = tmp_path_factory.mktemp("bottleneck")
    np.save(folder / "points.npy", im.manifold_stream(3, seed=3).draw(24, seed=3).points)
    (folder / "study.toml").write_text(STUDY)
    return folder, run("bottleneck", "study.toml", *FLAGS, "--json", folder=folder)


def test_it_prints_json_and_leaves_its_files(ran):
    folder, (code, out, err) = ran
    assert (code, err) == (0, "")
    result = im.load_result(folder / "out")
    assert json.loads(out) == result.summary() | {"folder": "out"}
    names = ("risk_against_k", "network_over_pca")
    figures = {f"figures/{name}.{kind}" for name in names for kind in ("png", "svg")}
    assert contents(folder / "out").keys() == {"study.toml", "results.nc", "report.html"} | figures
    assert (result.study.max_latent_dim, result.study.splits, result.study.horizon) == (1, 2, 2.0)


def test_it_is_told_in_words_without_json(ran):
    folder, _ = ran
    code, out, _ = run("bottleneck", "out/study.toml", "--quiet", "--out", "out", folder=folder)
    words = " ".join(out.split())
    assert code == 0 and "Report: out/report.html" in out and "Mean risk" in words
    assert all(" ".join(verdict.split()) in words for verdict in im.load_result(folder / "out").verdicts())


def test_the_example_is_a_study_file(tmp_path):
    code, out, err = run("bottleneck", "--example", folder=tmp_path)
    assert (code, err, out) == (0, "", im.BottleneckStudy.example_toml())
    assert im.BottleneckStudy.from_toml(out) == im.BottleneckStudy()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--data", "wine", "--max-latent-dim", 14), "--max-latent-dim must be at most the rank of the training data"),
        (("--data", "wine", "--method", "optimum"), "must have a weight decay or bounded neurons"),
        (("--data", "wine", "--method", "best"), "--method must be 'horizon' or 'optimum', but it is 'best'"),
        (("--stop", "best"), "--stop must be 'validation' or 'horizon', but it is 'best'"),
        (("--splits", 1), "--splits must be at least 2, but it is 1"),
        (("--set", "held_out=0"), "'held_out' must be above 0, but it is 0"),
    ],
)  # fmt: skip
def test_bad_input_is_refused_before_a_folder_is_made(arguments, message, tmp_path):
    assert message in refused("bottleneck", *arguments, folder=tmp_path)
    assert not list(tmp_path.iterdir())
