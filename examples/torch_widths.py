"""Autoencoders trained in torch beside their infinite-width limit, and the step size that serves every width.

Run it from anywhere: ``python examples/torch_widths.py [FOLDER]``; it writes ``torch_widths.png`` there (2 minutes).
"""

import sys
from pathlib import Path

import numpy as np
import torch
from matplotlib.figure import Figure

import isthmus as im

BATCH, STEPS = 8, 200
WIDTHS = (64, 256, 1024)
STEP_SIZES = {"mean-field groups": 2.0 ** np.arange(-2, 3), "one learning rate": 2.0 ** np.arange(-10, -1)}


def risk(module: torch.nn.Module, x: torch.Tensor) -> torch.Tensor:
    """Return half the mean squared distance between points and their reconstructions."""
    return (module(x) - x).square().sum(dim=1).mean() / 2


def trained(module, optimizer, x, steps: int, seed: int, every: int) -> list[float]:
    """Train in the ordinary way; return the risk at the start and after each ``every`` steps."""
    generator = torch.Generator().manual_seed(seed)
    curve = [float(risk(module, x).detach())]
    for step in range(1, steps + 1):
        optimizer.zero_grad()
        risk(module, x[torch.randint(len(x), (BATCH,), generator=generator)]).backward()
        optimizer.step()
        if step % every == 0:
            curve.append(float(risk(module, x).detach()))
    return curve


def drawn(problem: im.Problem, width: int, seed: int) -> torch.nn.Module:
    """Return a network of this width whose neurons are drawn from the initial law of the problem."""
    return im.torch.as_module(im.train(problem, [0.0], width, 0.1, seed=seed).at(0.0))


def usual(problem: im.Problem, width: int, seed: int) -> torch.nn.Module:
    """Return a network of this width as torch draws it."""
    torch.manual_seed(seed)
    d, k, linear = problem.dim, problem.latent_dim, torch.nn.Linear
    encoder = linear(d, width), torch.nn.Tanh(), linear(width, k, bias=False)
    return torch.nn.Sequential(*encoder, linear(k, width), torch.nn.Tanh(), linear(width, d, bias=False))


def curves(problem: im.Problem, x, times: np.ndarray, width: int, step_size: float, runs: int) -> im.TrainingRuns:
    """Return risks of networks of one width that torch trains in the mean-field groups."""
    every, steps = round(times[1] / step_size), round(times[-1] / step_size)
    found = []
    for seed in range(runs):
        module = drawn(problem, width, seed)
        sgd = torch.optim.SGD(im.torch.mean_field_groups(module, step_size, loss="risk"))
        found.append(trained(module, sgd, x, steps, seed, every))
    nothing = np.zeros(0), None, np.full(runs, np.nan), im.Status()
    return im.TrainingRuns(times, np.array(found), (width, width), *nothing, step_size, BATCH, "with_replacement")


def final_risks(problem: im.Problem, x, width: int, way: str, runs: int, steps: int = STEPS) -> np.ndarray:
    """Return the risk after so many steps, mean over runs, for each step size; infinite where training diverges."""
    found = []
    for step_size in STEP_SIZES[way]:
        ends = []
        for seed in range(runs):
            if way == "mean-field groups":
                module = drawn(problem, width, seed)
                sgd = torch.optim.SGD(im.torch.mean_field_groups(module, step_size, loss="risk"))
            else:
                module = usual(problem, width, seed)
                sgd = torch.optim.SGD(module.parameters(), lr=step_size)
            ends.append(trained(module, sgd, x, steps, seed, steps)[-1])
        found.append(np.mean(ends) if np.isfinite(ends).all() else np.inf)
    return np.array(found)


def main(folder: Path, runs: int = 8, seeds: int = 2, widths: tuple[int, ...] = WIDTHS) -> dict[str, np.ndarray]:
    """Train, predict, draw, and return the risks by width and step size, for each way of training."""
    torch.set_num_threads(1)  # such networks are small
    data = im.load_data("wine")
    problem, x = im.Problem(data, latent_dim=2), torch.tensor(data.points, dtype=torch.float32)
    times = np.linspace(0.0, 20.0, 11)
    limit = im.solve_mean_field(problem, times, particles=256)
    law = im.predict_finite_width(problem, times, path=limit, particles=128, samples=8)
    networks = [curves(problem, x, times, width, 0.1, runs) for width in widths]
    for one in networks:
        gaps, within = np.abs(one.risk - limit.risk).max(axis=1), law.gap_quantile(0.9, one.width, 0.1, BATCH)
        print(
            f"N = {one.width[0]:,}: 90 % of networks are to stay within {within:.3f} of the limit, and "
            f"{(gaps <= within).sum()} of {runs} do"
        )

    figure = Figure(figsize=(11, 4), layout="constrained")
    left, right = figure.subplots(1, 2)
    limit.plot(networks, law, ax=left)
    colors = [line.get_color() for line in left.get_lines() if str(line.get_label()).startswith("N = ")]
    risks = {}
    for way, line in (("mean-field groups", "o-"), ("one learning rate", "o--")):
        risks[way] = np.array([final_risks(problem, x, width, way, seeds) for width in widths])
        for width, found, color in zip(widths, risks[way], colors, strict=True):
            shown = np.where(found < 0.5, found, np.nan)
            right.plot(STEP_SIZES[way], shown, line, color=color, markersize=3, label=f"{way}, N = {width:,}")
        best = [f"{STEP_SIZES[way][found.argmin()]:g}" for found in risks[way]]
        print(f"{way}: the best step sizes are {', '.join(best)} at widths {', '.join(map(str, widths))}")
    right.set(xscale="log", xlabel="step size", ylabel=f"risk after {STEPS} steps of {BATCH} points")
    right.legend(fontsize=7, handlelength=4)
    folder.mkdir(parents=True, exist_ok=True)
    figure.savefig(folder / "torch_widths.png", dpi=150)
    print(f"picture: {folder / 'torch_widths.png'}")
    return risks


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "."))
