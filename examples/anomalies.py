"""Rows that are not like the others: tumours among harmless ones, found by what the bottleneck can't hold.

Run it from anywhere: ``python examples/anomalies.py [FOLDER]``; it writes ``anomalies.png`` there (half a minute).
"""

import sys
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from sklearn.datasets import load_breast_cancer
from sklearn.metrics import roc_auc_score
from sklearn.preprocessing import StandardScaler

import isthmus as im


def main(folder: Path, width: int = 128) -> float:
    """Fit the harmless half of the rows, score the others, draw, and return how well tumours are told apart."""
    rows, harmless = load_breast_cancer(return_X_y=True)
    learned = np.flatnonzero(harmless)[::2]
    scale = StandardScaler().fit(rows[learned])
    model = im.MeanFieldAutoencoder(3, width=width, contamination=0.05, random_state=0).fit(
        scale.transform(rows[learned])
    )
    rest = np.setdiff1d(np.arange(len(rows)), learned)
    scores = -model.score_samples(scale.transform(rows[rest]))
    area = float(roc_auc_score(1 - harmless[rest], scores))
    print(f"A tumour has the larger error than a harmless row in {100 * area:.0f} % of pairs.")

    figure = Figure(figsize=(11, 4), layout="constrained")
    left, right = figure.subplots(1, 2)
    kinds = np.where(harmless[rest], "harmless", "tumour")
    model.plot_latents(scale.transform(rows[rest]), kinds, ax=right)
    bins = np.geomspace(scores.min(), scores.max(), 40)
    for mark, name in zip(*right.get_legend_handles_labels(), strict=True):
        left.hist(scores[kinds == name], bins, alpha=0.6, label=name, color=mark.get_facecolor()[0])
    left.axvline(-model.offset_, color="gray", linestyle="--", label="5 % of the rows learned lie beyond")
    left.set(xscale="log", xlabel="error of the reconstruction", ylabel="rows")
    figure.legend(*left.get_legend_handles_labels(), loc="outside lower left", ncols=3)
    folder.mkdir(parents=True, exist_ok=True)
    figure.savefig(folder / "anomalies.png", dpi=150)
    return area


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "."))
