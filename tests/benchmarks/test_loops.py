"""All loops that are raced compute the same thing, so that their times may be compared."""

import numpy as np
import pytest

import isthmus as im
from benchmarks import loops
from benchmarks.rival_loops import (
    batch_rows,
    first_network,
    isthmus_loop,
    jax_loop,
    parameters_of,
    risk_of,
    torch_loop,
)

WIDTH, STEPS, STEP_SIZE = 24, 100, 0.1


@pytest.fixture(scope="module")
def problem():
    data = im.load_data("digits", max_points=64)
    return im.Problem(data, im.aligned_law(data, latent_dim=2))


def rival(name, start, points):
    if name == "jax":
        return jax_loop(start, points)
    pytest.importorskip("torch")
    return torch_loop(start, points)


@pytest.mark.parametrize(("name", "batch_size"), [("jax", 1), ("jax", 32), ("torch", 1), ("torch", 32)])
def test_loops_agree_after_100_steps(name, batch_size, problem):
    start, points = first_network(problem, WIDTH), problem.population.points
    rows = batch_rows(problem, batch_size, STEPS)
    ours = isthmus_loop(problem, start, batch_size)(rows, STEP_SIZE)
    theirs = rival(name, start, points)(rows, STEP_SIZE)
    for found, wanted in zip(theirs, ours, strict=True):
        np.testing.assert_allclose(found, wanted, atol=2e-5 * np.abs(wanted).max())
    risks = [risk_of(parameters, points) for parameters in (parameters_of(start), ours, theirs)]
    assert abs(risks[2] / risks[1] - 1) < 1e-5 and risks[1] < 0.98 * risks[0]


def test_the_rows_are_those_that_train_draws_over_several_chunks(problem):
    start = first_network(problem, WIDTH)
    rows = batch_rows(problem, 2, 600)
    ours = isthmus_loop(problem, start, 2)(rows, 0.01)
    theirs = jax_loop(start, problem.population.points)(rows, 0.01)
    np.testing.assert_allclose(theirs[3], ours[3], atol=1e-4 * np.abs(ours[3]).max())
    other = jax_loop(start, problem.population.points)(rows[::-1].copy(), 0.01)
    assert np.abs(other[3] - ours[3]).max() > 1e-3 * np.abs(ours[3]).max()


def test_the_risk_in_the_benchmark_is_that_of_the_library(problem):
    network, points = first_network(problem, WIDTH), problem.population.points
    assert risk_of(parameters_of(network), points) == pytest.approx(float(network.risk(points.astype(np.float32))))


@pytest.mark.slow
def test_a_race_times_every_loop(problem, capsys):
    pytest.importorskip("torch")
    settings = loops.QUICK._replace(repetitions=3, batch_sizes=(1,))
    rates, first = loops.race(problem, 16, 1, settings)
    assert set(rates) == set(first) == {loops.EAGER, loops.BY_HAND, loops.OURS} and min(rates.values()) > 0
    loops.print_race(problem, settings)
    table = [line.split("|")[1:-1] for line in capsys.readouterr().out.splitlines() if line.startswith("|")]
    assert [cell.strip() for cell in table[0][:2]] == ["width", "batch"] and len({len(line) for line in table[:3]}) == 1
    steps = dict(zip([cell.strip() for cell in table[0]], [cell.strip() for cell in table[2]], strict=True))
    ratio = float(steps[loops.OURS].replace(",", "")) / float(steps[loops.BY_HAND].replace(",", ""))
    assert float(steps["× JAX by hand"]) == pytest.approx(ratio, abs=0.01)


@pytest.mark.slow
def test_the_share_of_steps_in_a_study(capsys):
    loops.print_study(loops.QUICK, loops.QUICK.studies[0])
    lines = [line.split("|")[1:-1] for line in capsys.readouterr().out.splitlines() if line.startswith("|")]
    seconds = {line[0].strip(): float(line[1]) for line in lines[2:]}
    whole = seconds.pop("the whole study")
    alone = seconds.pop("its steps of SGD alone")
    assert sum(seconds.values()) == pytest.approx(whole, abs=0.1 * len(seconds) + 0.2 * whole) and alone < whole
