"""Entries that are missing: left out of the loss, and filled in from those that are there.

Run it from anywhere: ``python examples/missing.py [FOLDER]``; it writes ``missing.png`` there (half a minute).
"""

import sys
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

import isthmus as im


def main(folder: Path, shares: tuple[float, ...] = (0.1, 0.3, 0.5), width: int = 128) -> np.ndarray:
    """Hide entries of a table, fit what is left, and draw the error of what is filled in beside that of the mean."""
    rows = np.asarray(im.load_data("wine", scale="features").points)
    errors = []
    for share in shares:
        hidden = np.random.default_rng(0).random(rows.shape) < share
        seen = np.where(hidden, np.nan, rows)
        model = im.MeanFieldAutoencoder(2, width=width, missing="ignore", random_state=0).fit(seen)
        filled = model.inverse_transform(model.transform(seen))
        means = np.broadcast_to(np.nanmean(seen, axis=0), rows.shape)
        errors.append([np.sqrt(np.mean((guess - rows)[hidden] ** 2)) for guess in (filled, means)])
        print(f"{share:.0%} hidden: error {errors[-1][0]:.3f} by the autoencoder, {errors[-1][1]:.3f} by the mean")
    found = np.array(errors)

    figure = Figure(figsize=(7, 4.5), layout="constrained")
    ax = figure.subplots()
    ax.plot(shares, found[:, 0], "o-", label="filled in by the autoencoder")
    ax.plot(shares, found[:, 1], "s--", color="gray", label="the mean of the column")
    ax.set(xlabel="share of entries that are hidden", ylabel="root mean square error there")
    ax.set_ylim(0, 1.1 * found.max())
    ax.legend()
    folder.mkdir(parents=True, exist_ok=True)
    figure.savefig(folder / "missing.png", dpi=150)
    return found


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "."))
