"""Choose the dimension of the bottleneck and the width for a table: the wines, 178 rows of 13 measurements.

Run it from anywhere: ``python examples/table.py [FOLDER]``; it writes two pictures there (about two minutes).
"""

import sys
from pathlib import Path

from sklearn.datasets import load_wine
from sklearn.preprocessing import StandardScaler

import isthmus as im


def main(
    folder: Path, largest: int = 4, horizon: float = 50.0, runs: int = 32, particles: int = 128
) -> im.MeanFieldAutoencoder:
    """Say which k and which N, and fit an estimator with both."""
    rows = StandardScaler().fit_transform(load_wine().data)
    print(f"Intrinsic dimension of all rows (TwoNN): {im.intrinsic_dimension(rows):.1f}")
    study = im.BottleneckStudy(
        data={"source": "wine"}, max_latent_dim=largest, horizon=horizon, particles=particles, splits=3, replicates=2
    )
    curve = im.bottleneck_curve(study)
    print(curve.answer(), *curve.verdicts(), sep="\n")
    k = curve.suggested
    found = im.recommend_width(
        rows, tolerance=0.02, latent_dim=k, horizon=20.0, records=10, runs=runs, particles=particles
    )
    print(found.answer(), *found.verdicts(), sep="\n")
    model = im.MeanFieldAutoencoder(n_components=k, width=found.width, random_state=0).fit(rows)
    print(model.chosen_)
    folder.mkdir(parents=True, exist_ok=True)
    for name, figure in {"risk_against_k": curve.figures(), "gap_against_tolerance": found.figures()}.items():
        figure[name].savefig(folder / f"{name}.png", dpi=150)
    print(f"k={k}, N={found.width}: {model.score(rows):.3f} of the variance, PCA {1 - 2 * model.pca_risk_:.3f}")
    return model


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "."))
