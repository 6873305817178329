"""Steps per second of the same autoencoder: a torch loop, a hand-written JAX loop, and `isthmus.train`."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import numpy as np

import isthmus as im
from benchmarks.plain import markdown, markdown_row, the_torch
from benchmarks.rival_loops import Loop, batch_rows, first_network, isthmus_loop, jax_loop, torch_loop

STEP_SIZE = 0.01
EAGER, COMPILED, BY_HAND, OURS = "torch eager", "torch.compile", "JAX by hand", "Isthmus"


class Settings(NamedTuple):
    """What is timed, and for how long."""

    widths: tuple[int, ...] = (64, 256, 1024, 4096)
    batch_sizes: tuple[int, ...] = (1, 4, 32)
    repetitions: int = 7
    seconds: float = 0.4  # of a repetition, at width 64
    torch_share: float = 1 / 40  # of the steps
    study_widths: tuple[int, ...] = (64, 128, 256, 512, 1024, 2048)
    study_runs: int = 64
    studies: tuple[dict[str, Any], ...] = (
        {"horizon": 20.0},
        {"horizon": 100.0, "predict": False, "flow_runs": 2},  # hardly more than its networks
        {"horizon": 20.0, "step_sizes": (0.01,), "predict": False, "flow_runs": 2},  # and that at small steps
    )
    compile_torch: bool = True


QUICK = Settings((16,), (1, 2), 2, 0.002, 1 / 4, (16, 32), 4, ({"horizon": 1.0, "predict": False},), False)


def digits() -> im.Problem:
    """Return the problem of all loops."""
    data = im.load_data("digits")
    return im.Problem(data, im.aligned_law(data, latent_dim=2))


def number_of_steps(width: int, batch_size: int, settings: Settings) -> int:
    """Return how many steps of Isthmus make a repetition, whole chunks; wider networks get more time.

    Its risk on all points at the end, which `isthmus.train` measures, is then no more than a few hundredths.
    """
    guess = 1e-6 * width * (0.06 + 0.01 * batch_size)
    return 256 * max(1, round(settings.seconds * (1 + width / 1024) / guess / 256))


def loops_of(problem: im.Problem, width: int, batch_size: int, settings: Settings) -> dict[str, Loop]:
    """Return every loop, from the same network."""
    start, points = first_network(problem, width), problem.population.points
    loops = {EAGER: torch_loop(start, points)}
    if settings.compile_torch:
        loops[COMPILED] = torch_loop(start, points, compiled=True)
    return loops | {BY_HAND: jax_loop(start, points), OURS: isthmus_loop(problem, start, batch_size)}


def timed(call: Callable[[], Any]) -> float:
    """Return the seconds that a call takes."""
    begun = time.perf_counter()
    call()
    return time.perf_counter() - begun


def race(problem: im.Problem, width: int, batch_size: int, settings: Settings) -> tuple[dict, dict]:
    """Return the steps per second of each loop, one of each repetition in turn, and the seconds of its first call."""
    steps = number_of_steps(width, batch_size, settings)
    rows = batch_rows(problem, batch_size, steps)
    calls, counts, first = {}, {}, {}
    for name, loop in loops_of(problem, width, batch_size, settings).items():
        taken = rows if name in (BY_HAND, OURS) else rows[: max(100, int(settings.torch_share * steps))]
        calls[name], counts[name] = lambda loop=loop, taken=taken: loop(taken, STEP_SIZE), len(taken)
        try:
            first[name] = timed(calls[name])
        except Exception as error:  # torch.compile needs a C++ compiler, and fails in many ways without
            if name != COMPILED:
                raise
            print(f"(torch.compile does not work here: {type(error).__name__})")
            del calls[name]
    spent = {name: [] for name in calls}
    for _ in range(settings.repetitions):
        for name, call in calls.items():
            spent[name].append(timed(call))
    rates = {name: counts[name] / float(np.median(seconds)) for name, seconds in spent.items()}
    return rates, {name: first[name] - float(np.median(seconds)) for name, seconds in spent.items()}


def print_race(problem: im.Problem, settings: Settings) -> None:
    """Print the table of loops, and what compiling them took."""
    names = [EAGER, *([COMPILED] if settings.compile_torch else []), BY_HAND, OURS]
    print("Steps per second, median of repetitions in turn, and how many times the others' Isthmus takes\n")
    print(markdown(["width", "batch", *names, *(f"× {name}" for name in names[:-1])], []), flush=True)
    compiling = []
    for width in settings.widths:
        for batch_size in settings.batch_sizes:
            rates, first = race(problem, width, batch_size, settings)
            steps = [f"{rates[name]:,.0f}" if name in rates else "—" for name in names]
            times = [f"{rates[OURS] / rates[name]:.1f}" if name in rates else "—" for name in names[:-2]]
            times.append(f"{rates[OURS] / rates[BY_HAND]:.2f}")
            print(markdown_row([f"{width:,d}", str(batch_size), *steps, *times]), flush=True)
            seconds = [f"{first[name]:.1f}" if name in first else "—" for name in names[1:]]
            compiling.append([f"{width:,d}", str(batch_size), *seconds])
    print("\nSeconds that the first call took longer: compilation\n")
    print(markdown(["width", "batch", *names[1:]], compiling))


def print_workers(problem: im.Problem, settings: Settings) -> None:
    """Print runs on two threads against runs on one."""
    rows = []
    for width in settings.widths:
        steps = number_of_steps(width, 1, settings)
        arguments = (problem, [STEP_SIZE * steps], width, STEP_SIZE)
        train = partial(im.train, *arguments, runs=4, snapshot_times=())
        train(workers=2)
        spent = np.array([[timed(partial(train, workers=n)) for n in (1, 2)] for _ in range(settings.repetitions)])
        one, two = 4 * steps / np.median(spent, axis=0)
        rows.append([f"{width:,d}", f"{one:,.0f}", f"{two:,.0f}", f"{two / one:.2f}"])
    print("Steps per second of four runs, batch 1, by the number of workers\n")
    print(markdown(["width", "one worker", "two workers", "ratio"], rows))


def print_study(settings: Settings, changes: dict[str, Any]) -> None:
    """Print what share of a tracking study is the steps of its networks, which are timed alone as well."""
    study = im.TrackingStudy(
        data={"source": "digits", "max_points": 200},
        widths=settings.study_widths,
        runs=settings.study_runs,
        **changes,
    )
    step_size = study.step_sizes[0]

    def steps_alone() -> None:
        options = {"batch_size": study.batch_size, "runs": study.runs, "snapshot_times": ()}
        for width in study.widths:
            im.train(study.problem, study.times, width, step_size, **options)

    parts: dict[str, float] = {}
    last = [0.0]

    def progress(stage: str, done: int, total: int) -> None:
        del done, total
        now, name = time.perf_counter(), stage.split(",")[0]
        parts[name] = parts.get(name, 0.0) + now - last[0]
        last[0] = now

    def whole() -> None:
        last[0] = time.perf_counter()
        im.track(study, progress=progress)

    whole()  # compiled
    steps_alone()
    parts.clear()
    study_seconds, alone = timed(whole), timed(steps_alone)
    steps = len(study.widths) * study.runs * round(study.horizon / step_size)
    print(
        f"A tracking study of digits, {', '.join(f'{name}={value}' for name, value in changes.items())}: "
        f"{len(study.widths)} widths, {study.runs} runs, {steps:,d} steps of SGD\n"
    )
    rows = [[name, f"{seconds:.1f}", f"{100 * seconds / study_seconds:.0f}"] for name, seconds in parts.items()]
    rows.append(["the whole study", f"{study_seconds:.1f}", "100"])
    rows.append(["its steps of SGD alone", f"{alone:.1f}", f"{100 * alone / study_seconds:.0f}"])
    print(markdown(["part", "seconds", "% of the study"], rows))


def report(quick: bool = False) -> None:
    """Print all tables; a compilation is a real one, whatever an earlier process has left in a cache."""
    settings = QUICK if quick else Settings()
    the_torch()
    jax.config.update("jax_enable_compilation_cache", False)
    problem = digits()
    print_race(problem, settings)
    print()
    print_workers(problem, settings)
    print()
    for changes in settings.studies:
        print_study(settings, changes)
        print()
