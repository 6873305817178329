"""In a scikit-learn pipeline: scale, compress, classify; the dimension is chosen by cross-validation.

Run it from anywhere: ``python examples/pipeline.py [FOLDER]``; it writes ``pipeline.png`` there (about half a minute).
"""

import sys
from pathlib import Path

from matplotlib.figure import Figure
from sklearn.datasets import load_breast_cancer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import isthmus as im


def main(folder: Path, dims: tuple[int, ...] = (1, 2, 4), width: int = 128) -> GridSearchCV:
    """Search, and print how well tumours that were held out are told apart in so few numbers."""
    rows, labels = load_breast_cancer(return_X_y=True)
    train, test, train_labels, test_labels = train_test_split(rows, labels, test_size=0.3, random_state=0)
    compress = im.MeanFieldAutoencoder(width=width, random_state=0)
    pipeline = make_pipeline(StandardScaler(), compress, LogisticRegression())
    search = GridSearchCV(pipeline, {"meanfieldautoencoder__n_components": list(dims)}, cv=3).fit(train, train_labels)
    k = search.best_params_["meanfieldautoencoder__n_components"]
    print(f"30 measurements in {k} numbers: {search.score(test, test_labels):.3f} of tumours held out are told apart")

    figure = Figure(figsize=(7, 4), layout="constrained")
    ax = figure.subplots()
    ax.errorbar(dims, search.cv_results_["mean_test_score"], search.cv_results_["std_test_score"], fmt="o-", capsize=3)
    ax.set(xlabel="numbers kept", ylabel="share told apart, by cross-validation", xticks=dims)
    folder.mkdir(parents=True, exist_ok=True)
    figure.savefig(folder / "pipeline.png", dpi=150)
    return search


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "."))
