"""The best step size at each width: in mean-field time, where it stays, and in the standard parameterisation."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

import isthmus as im
from benchmarks.plain import markdown, markdown_row, optimizers, plain_autoencoder, reconstructed, risk, train_plain

LATENT_DIM = 2


class Settings(NamedTuple):
    """Step sizes are powers of 2: of exponents in these ranges, and of up to ``beyond`` more where an end is best."""

    widths: tuple[int, ...] = (64, 256, 1024, 4096)
    steps: int = 300
    batch_size: int = 32
    seeds: int = 2
    ours: tuple[tuple[str, int, int], ...] = (("SGD", -2, 4), ("momentum", -2, 3), ("Adam", -7, -1))
    plain: tuple[tuple[str, int, int], ...] = (("SGD", -5, -2), ("momentum", -6, -3), ("Adam", -12, -7))
    beyond: int = 10


QUICK = Settings((4, 16), 4, 4, 2, (("SGD", -3, -1),), (("SGD", -3, -1),), 1)

Risk = Callable[[int, float], float]
"""The training risk that a width and a step size lead to."""


def mean_field_risk(name: str, data: im.Data, settings: Settings) -> Risk:
    """Return the risk of Isthmus; memories are times, as everywhere in it."""
    optimizer = {
        "SGD": im.GradientDescent(),
        "momentum": im.Momentum(memory=8.0),
        "Adam": im.Adam(mean_memory=1.0, square_memory=10.0, batch_size=settings.batch_size),
    }[name]
    problem = im.Problem(data, im.aligned_law(data, LATENT_DIM), optimizer=optimizer)

    def risk_at(width: int, step_size: float) -> float:
        runs = im.train(
            problem,
            [step_size * settings.steps],
            width,
            step_size,
            batch_size=settings.batch_size,
            runs=settings.seeds,
            snapshot_times=(),
            throw=False,
        )
        return _mean(runs.risk[:, -1])

    return risk_at


def plain_risk(name: str, data: im.Data, settings: Settings) -> Risk:
    """Return the risk of a torch autoencoder under torch's optimizer of that name."""
    make = optimizers()[name]

    def risk_at(width: int, step_size: float) -> float:
        found = []
        for seed in range(settings.seeds):
            network = plain_autoencoder(data.dim, width, LATENT_DIM, seed)
            random = np.random.default_rng(seed)
            rows = random.integers(data.size, size=(settings.steps, settings.batch_size))
            train_plain(network, make(network.parameters(), step_size), data.points, rows)
            found.append(risk(data.points, reconstructed(network, data.points)))
        return _mean(np.array(found))

    return risk_at


def _mean(risks: np.ndarray) -> float:
    return float(risks.mean()) if np.isfinite(risks).all() else np.inf


class Optimum(NamedTuple):
    """Step sizes with their risks, and the best of them."""

    step_sizes: np.ndarray
    risks: np.ndarray

    @property
    def best(self) -> float:
        """The step size of the lowest risk."""
        return float(self.step_sizes[np.argmin(self.risks)])

    @property
    def on_edge(self) -> bool:
        """Whether it is the first or the last one, so that the optimum may lie outside."""
        return int(np.argmin(self.risks)) in (0, len(self.risks) - 1)

    def excess(self, step_size: float) -> float:
        """Return how much larger the risk at a step size is than the lowest, as a share of that."""
        at = self.risks[np.flatnonzero(self.step_sizes == step_size)[0]]
        return float(at / self.risks.min() - 1) if np.isfinite(at) else np.inf


def search(risk_at: Risk, width: int, first: int, last: int, beyond: int) -> Optimum:
    """Return the risks at 2^first, …, 2^last and at up to ``beyond`` more, below or above, until none is better."""
    risks = {exponent: risk_at(width, 2.0**exponent) for exponent in range(first, last + 1)}
    for _ in range(beyond):
        best = min(risks, key=lambda exponent: (risks[exponent], exponent))
        if best not in (ends := (min(risks), max(risks))):
            break
        further = best + (1 if best == ends[1] else -1)
        risks[further] = risk_at(width, 2.0**further)
    exponents = np.array(sorted(risks))
    return Optimum(2.0**exponents, np.array([risks[int(exponent)] for exponent in exponents]))


def searched(risk_at: Risk, widths: tuple[int, ...], first: int, last: int, beyond: int) -> list[Optimum]:
    """Return what is found at each width, the best step size of the first one among those tried at all others."""
    optima = [search(risk_at, widths[0], first, last, beyond)]
    best = round(np.log2(optima[0].best))
    return optima + [search(risk_at, width, min(first, best), max(last, best), beyond) for width in widths[1:]]


def shown(step_size: float, on_edge: bool = False) -> str:
    """Return a power of 2 as one writes it."""
    exponent = round(np.log2(step_size))
    text = f"1/{2**-exponent:,d}" if exponent < 0 else str(2**exponent)
    return text + (" (edge)" if on_edge else "")


def moved(optima: list[Optimum]) -> float:
    """Return the largest over the smallest of the best step sizes."""
    best = [optimum.best for optimum in optima]
    return max(best) / min(best)


def carried(optima: list[Optimum]) -> float:
    """Return the excess risk at the last width of the step size that is best at the first one."""
    return optima[-1].excess(optima[0].best)


def verdict(ours: dict[str, list[Optimum]], plain: dict[str, list[Optimum]], widths: tuple[int, ...]) -> str:
    """Return the one sentence that the numbers say."""

    def of(optima: dict[str, list[Optimum]]) -> str:
        moves = ", ".join(f"{name} {moved(found):g}" for name, found in optima.items())
        costs = ", ".join(
            f"{name} {100 * excess:+.0f} %" if np.isfinite(excess := carried(found)) else f"{name} diverges"
            for name, found in optima.items()
        )
        return f"moves by factors of {moves} (the step size of width {widths[0]:,d} at {widths[-1]:,d}: {costs})"

    return (
        f"From width {widths[0]:,d} to {widths[-1]:,d} the best step size in mean-field time {of(ours)}, and that of "
        f"the standard parameterisation {of(plain)}."
    )


def report(quick: bool = False) -> None:
    """Print the best step size at each width, and what they say."""
    settings = QUICK if quick else Settings()
    data = im.load_data("digits")
    print(
        f"The best step size on digits after {settings.steps} steps of {settings.batch_size} points, and its training "
        f"risk ({settings.seeds} seeds)\n"
    )
    widths = [f"width {width:,d}" for width in settings.widths]
    print(markdown(["", *widths, "moves by", "the first at the last width"], []), flush=True)
    found = []
    for title, grids, risk_of in (
        ("Isthmus", settings.ours, mean_field_risk),
        ("standard (torch)", settings.plain, plain_risk),
    ):
        optima: dict[str, list[Optimum]] = {}
        for name, first, last in grids:
            risk_at = risk_of(name, data, settings)
            optima[name] = searched(risk_at, settings.widths, first, last, settings.beyond)
            cells = [f"{shown(one.best, one.on_edge)}, {one.risks.min():.4f}" for one in optima[name]]
            excess = carried(optima[name])
            cost = f"{100 * excess:+.0f} %" if np.isfinite(excess) else "diverges"
            print(markdown_row([f"{title}, {name}", *cells, f"{moved(optima[name]):g}", cost]), flush=True)
        found.append(optima)
    print(f"\n{verdict(found[0], found[1], settings.widths)}")
