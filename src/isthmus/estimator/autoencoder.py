"""A scikit-learn transformer: nonlinear dimension reduction that starts at PCA."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from isthmus import _checks
from isthmus._warnings import warn
from isthmus.core.activations import Activation
from isthmus.core.autoencoder import Autoencoder
from isthmus.core.data import Data
from isthmus.core.optimizers import Optimizer
from isthmus.core.points import check_observed, has_missing, normalised
from isthmus.dynamics.sampler import sample_rows
from isthmus.estimator.adoption import AdoptsNetworks
from isthmus.estimator.anomalies import AnomalyScores, Fence, offset_of
from isthmus.estimator.automatic import TrainingTable, trained_automatically
from isthmus.estimator.callbacks import CallbackSupport, reporting, with_callbacks
from isthmus.estimator.coordinates import Coordinates
from isthmus.estimator.explicit import trained_explicitly
from isthmus.estimator.fitted import FittedNetwork
from isthmus.estimator.folds import everything, shortage, splits_of
from isthmus.estimator.inputs import REMEDY, checked, checked_weights
from isthmus.estimator.partial import ScaledNetwork, Stream, advanced
from isthmus.estimator.run import FitState, Run, Watch
from isthmus.estimator.running import Running
from isthmus.estimator.samples import EvaluationSample, dominant_column
from isthmus.estimator.saving import read_model, write_model
from isthmus.estimator.settings import AUTO, Auto, Settings
from isthmus.estimator.span import Rows, Span
from isthmus.theory.resizing import resize

if TYPE_CHECKING:
    from isthmus.estimator.diagnosis import Diagnosis


class MeanFieldAutoencoder(CallbackSupport, AdoptsNetworks, FittedNetwork, AnomalyScores, BaseEstimator):
    r"""A wide autoencoder with a bottleneck, trained from the PCA reconstruction on; where PCA is better, it is PCA.

    x̂ = g(f(x)), f: R^d → R^k and g: R^k → R^d two-layer networks of ``width`` neurons each with outputs that carry 1/N.

    As it comes, training is **automatic** (``horizon='auto'``): narrower copies of the network are trained on parts of
    the rows to find the horizon at which the risk on the rows left out is lowest. The full network is then trained on
    all rows for that long, by the heavy ball with a step that follows from the curvature at the start, and the average
    of its weights is kept. If no copy beats PCA on the rows left out, the result is PCA, exactly.

    With numbers for ``horizon`` and ``step_size`` the learning curve **follows the mean-field flow**. They are in
    mean-field time, t = step size × steps, so that what suits one width suits all. Of all networks at which the curve
    is recorded, the start included, the best one is kept; where that isn't better than PCA on the training data, its
    decoder is fitted to its latents by least squares, and where that isn't enough, the result is PCA.

    Args:
        n_components: k, the dimension of the bottleneck.
        width: N, of encoder and decoder.
        activation: a name, an `Activation`, or a pair (encoder, decoder).
        horizon: the mean-field time to train for, or 'auto'.
        step_size: ε, or 'auto': from the curvature at the start.
        batch_size: points in a minibatch, drawn with replacement.
        optimizer: 'auto', 'sgd', 'momentum', 'adam', or an `Optimizer`. 'auto' is the heavy ball where horizon and
            step size are 'auto', and SGD elsewhere. The names have memories of 1 (Adam: 1 and 10).
        init: 'aligned' starts at the PCA reconstruction; 'independent' draws all weights as independent Gaussians, the
            custom elsewhere, which warns: its infinitely wide network never moves, and it can end above PCA. It needs
            a number for ``horizon``.
        missing: 'refuse' entries that are NaN, masked or null, or 'ignore' them: they are left out of the loss and of
            all scores, and the encoder sees the mean of their column in their place. Then ``transform`` and
            ``inverse_transform`` impute. `partial_fit` refuses them.
        weight_decay: λ, per neuron.
        preactivation_scale: root mean square of ⟨w, x⟩ at the start.
        records: how often the learning curve is measured; at most eight times where the horizon is 'auto'.
        cv: the rows to hold out where the horizon is 'auto': a number of folds, a splitter of scikit-learn (such as
            ``TimeSeriesSplit()`` for rows in order of time), or pairs (train, test) of row numbers. None is five folds,
            and with 1,000 different rows or more one part of at most 1,000. Equal rows are never parted.
        early_stopping: hold out one part of the rows. With a number for ``horizon`` the curve is measured there, and
            training stops after ``patience`` records without a gain.
        validation_fraction: of rows that are held out by early stopping.
        patience: records without a gain before it stops.
        contamination: the share of the training rows that `predict` calls anomalies; 'auto' draws the line by Tukey's
            rule for ‖x − x̂‖, and calls one row in a hundred an anomaly at the least.
        max_time: seconds after which training stops at what it has, None for no limit.
        random_state: seed, or a NumPy random state.
        verbose: print how training goes on.

    Attributes:
        encoder_, decoder_: the measures, `NeuronMeasure`.
        activations_: of encoder and decoder; linear ones where the result is PCA.
        mean_, unit_: x ↦ (x − mean_)/unit_ are the units of the computation.
        components_: the k principal directions, shape (k, d).
        chosen_: what was chosen and why, and whether one column holds nearly all of the variance.
        step_size_, horizon_: the size of the first step, and the mean-field time of training; 0 where it is PCA.
        times_, training_curve_: the risk ½E‖x − x̂‖² of the running network at the recorded times, in units of the
            variance.
        validation_times_, validation_curve_: the same on held-out rows: of the copies where the horizon is 'auto', of
            the network itself under early stopping. None without held-out rows.
        validation_pca_risk_: PCA's risk on the same held-out rows.
        pca_risk_, risk_: of PCA and of the network, on the training data (a sample of it, if it is large).
        held_out_: the rows held out by early stopping, None without it.
        offset_: the score below which a row is an anomaly.
        n_iter_: steps taken. n_features_in_, feature_names_in_: as usual.

    Example:
        >>> import isthmus as im
        >>> from sklearn.datasets import load_wine
        >>> from sklearn.preprocessing import StandardScaler
        >>> X = StandardScaler().fit_transform(load_wine().data)
        >>> model = im.MeanFieldAutoencoder(n_components=2, random_state=0).fit(X)
        >>> model.transform(X).shape, bool(model.risk_ < model.pca_risk_)
        ((178, 2), True)

    """

    def __init__(
        self,
        n_components: int = 2,
        *,
        width: int = 512,
        activation: str | Activation | tuple[str | Activation, str | Activation] = "tanh",
        horizon: float | Auto = AUTO,
        step_size: float | Auto = AUTO,
        batch_size: int = 32,
        optimizer: str | Optimizer = AUTO,
        init: str = "aligned",
        missing: str = "refuse",
        weight_decay: float = 0.0,
        preactivation_scale: float = 0.7,
        records: int = 20,
        cv: Any = None,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        patience: int = 5,
        contamination: float | Auto = AUTO,
        max_time: float | None = None,
        random_state: int | np.random.RandomState | None = None,
        verbose: bool = False,
    ) -> None:
        self.n_components = n_components
        self.width = width
        self.activation = activation
        self.horizon = horizon
        self.step_size = step_size
        self.batch_size = batch_size
        self.optimizer = optimizer
        self.init = init
        self.missing = missing
        self.weight_decay = weight_decay
        self.preactivation_scale = preactivation_scale
        self.records = records
        self.cv = cv
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.patience = patience
        self.contamination = contamination
        self.max_time = max_time
        self.random_state = random_state
        self.verbose = verbose

    @with_callbacks
    def fit(
        self,
        X: ArrayLike,
        y: object = None,
        sample_weight: ArrayLike | None = None,
        *,
        groups: ArrayLike | None = None,
        validation: ArrayLike | None = None,
    ) -> Self:
        """Fit the network to points, shape (n, d), with weights, shape (n,).

        Args:
            X: points, shape (n, d).
            y: ignored.
            sample_weight: shape (n,), non-negative and not all 0.
            groups: shape (n,): rows of one group are held out together.
            validation: points to evaluate on in place of held-out rows of X, shape (m, d).

        Raises:
            ArgumentError: where a parameter breaks its rule.
            NumericalError: where the step size is so large that the network diverges.

        """
        del y
        settings = self._settings()
        points, given = self._checked(X, sample_weight, settings, reset=True, ensure_min_samples=2)
        weights = normalised(given)
        held = None if validation is None else self._points(validation, name="validation")
        holes = settings.ignores_missing and any(part is not None and has_missing(part) for part in (points, held))
        if holes:
            check_observed("X", points, weights, self._columns)
        random = np.random.default_rng(check_random_state(self.random_state).randint(2**31))
        span = Span.of(points, weights, settings.n_components, holes)
        rows, held = span.rows, None if held is None else span.taken(held)
        self._check_memory(settings, rows.points)
        splits = [everything(weights)]
        if held is None:
            splits = splits_of(points, weights, groups, settings, random, rows.points)
        with reporting(self, X, None) as report:
            watch = Watch(type(self).__name__, settings.verbose, settings.max_time, report)
            if settings.horizon is None:
                lack = "" if splits else shortage(points, weights, groups)
                table = TrainingTable(rows, weights, rows.spectrum(weights, settings.n_components), splits, held, lack)
                run = trained_automatically(table, settings, random, watch)
            else:
                run = trained_explicitly(rows, splits[0], held, settings, random, watch, points.dtype)
        self._take(run, span, points.dtype)
        self.chosen_ += dominant_column(points, weights, self._scaling, self._columns)
        seen = Running.along(self._scaling, self.components_, points, given)
        self._stream = Stream(started=seen.count, begun=run.schedule is not None, seen=seen)
        self._fence = Fence(-self._offset(points, rows, weights, settings), float(self.unit_))
        return self

    def partial_fit(self, X: ArrayLike, y: object = None, sample_weight: ArrayLike | None = None) -> Self:
        """Take a step for each ``batch_size`` of the points; training goes on where it was, or begins.

        ``X`` holds rows, shape (n, d), of weights ``sample_weight``; ``y`` is not used. One row at a time is welcome.
        Mean, unit and principal directions are those of all rows so far, and the network is carried along as they move,
        without a jump. It begins once the rows so far vary in ``n_components`` directions, and is PCA until then. Where
        it is clearly worse than PCA of the rows so far, it begins anew there; with a number for ``step_size`` that
        takes more, since the number says how fast the network may move. ``step_size='auto'`` is taken from the
        curvature at a beginning.

        Raises:
            NumericalError: where the steps are so large that the network diverges; it stays as it was.

        """
        del y
        settings = self._settings()
        begun = hasattr(self, "components_")
        hint = f"{REMEDY}, since partial_fit takes no missing entries"
        points, weights = self._checked(X, sample_weight, settings, reset=not begun, holes=False, hint=hint)
        self._check_memory(settings, points)
        seed = check_random_state(self.random_state).randint(2**31)
        state = ScaledNetwork(self.autoencoder_, self._scaling, self.components_) if begun else None
        stream = self._stream if begun else Stream()
        (network, units, components), stream = advanced(state, stream, points, weights, settings, seed)
        self._begin(Coordinates(units), components, network)
        self._stream, self.n_iter_ = stream, stream.steps
        return self

    def resized(self, width: int, X: ArrayLike) -> Self:
        """Return the fitted estimator at another width, as `isthmus.resize` makes it from points ``X``, shape (n, d).

        Its training goes on by `partial_fit`, with an optimizer without memories of the past.
        """
        check_is_fitted(self, "components_")
        sample = EvaluationSample.of(self._points(X), None, self._coordinates)
        data = Data(sample.points, sample.weights, missing="ignore")
        network = resize(self._inner, width, data).autoencoder
        other = copy.copy(self).set_params(width=width)
        for name in ("times_", "training_curve_", "validation_times_", "validation_curve_"):  # those of another width
            other.__dict__.pop(name, None)
        other._network = network
        other._stream = self._stream._replace(memory=None, step_size=None)
        other.risk_ = sample.risk(network)
        return other

    def diagnose(
        self,
        X: ArrayLike,
        sample_weight: ArrayLike | None = None,
        *,
        compare: bool = True,
        particles: int = 1024,
        runs: int = 19,
        samples: int | None = None,
        seed: int = 0,
        workers: int | None = None,
    ) -> Diagnosis:
        """Return how healthy the network is on the data of its fit, in numbers and in words that tell what to do.

        The learning curve's distance from the infinitely wide network's beside that of networks like it
        (left out with ``compare=False``, since it takes longer than the fit), whether steps overshoot, how many neurons
        and latent dimensions work, and whether the network still moves, or rests in a minimum or at a saddle.

        Args:
            X: the rows of the fit, shape (n, d).
            sample_weight: their weights.
            compare: compare the learning curve with that of the infinitely wide network.
            particles: a power of 2, as in `isthmus.solve_mean_field`.
            runs: networks like it that are trained, at least 4 (95 % of others are within the largest gap of 19).
            samples: without effect, and gone in 0.4: networks are trained, where the law was taken from samples.
            seed: of the comparison.
            workers: threads of the comparison; by default one for each core.

        """
        from isthmus.estimator.diagnosis import diagnosed  # loads the theory, which a fit needs none of
        from isthmus.estimator.limit import Effort

        check_is_fitted(self, "components_")
        _checks.power_of_2("particles", particles, minimum=4)
        _checks.integer("runs", runs, minimum=4)
        if samples is not None:
            warn("samples has no effect any more and goes in 0.4; use runs", DeprecationWarning)
        points = self._points(X)
        weights = normalised(checked_weights(sample_weight, points.shape[0]))
        return diagnosed(self._fit_state(), points, weights, Effort(compare, particles, runs, seed, workers))

    def save(self, path: str | Path) -> None:
        """Write the fitted estimator to a file, without pickle, with a version and a checksum; `load` reads it.

        Raises:
            StudyFileError: where the file can't be written.
            ArgumentError: where an activation or optimizer is one that has no name.

        """
        check_is_fitted(self, "components_")
        write_model(_checks.path("path", path), self.get_params(deep=False), vars(self))

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Return the fitted estimator in a file, whose training can go on by `partial_fit`; loading runs nothing.

        Raises:
            StudyFileError: where the file is missing, damaged, of another version or something else.

        """
        return read_model(_checks.path("path", path), cls)

    def _settings(self) -> Settings:
        return Settings.of(self.get_params(deep=False))

    def _points(self, X: ArrayLike, **options: Any) -> Any:
        """Return X as finite numbers, an array of float32 or float64, or sparse: the one place where it is checked.

        Its rows are read by `isthmus.core.sparse.dense`, some at a time. What is missing is NaN, where it is ignored.
        """
        defaults: dict[str, Any] = {"reset": False, "holes": self._ignores_missing}
        return checked(self, X, **(defaults | options))

    def _checked(
        self, X: ArrayLike, sample_weight: ArrayLike | None, settings: Settings, *, reset: bool, **options: Any
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return points, and their weights as they were given."""
        points = self._points(X, reset=reset, learned=True, **options)
        if reset and settings.n_components > points.shape[1]:
            rule = f"be at most the number of features, n_features = {points.shape[1]}"
            _checks.refuse("n_components", rule, settings.n_components)
        return points, checked_weights(sample_weight, points.shape[0])

    def _check_memory(self, settings: Settings, points: np.ndarray) -> None:
        """Refuse a width, or batches, whose arrays don't fit in memory, for points in the network's coordinates."""
        columns, size = points.shape[1], points.dtype.itemsize
        numbers = 2 * settings.width * (columns + settings.n_components + 2)
        _checks.memory("width", settings.width, numbers * size)
        _checks.memory("batch_size", settings.batch_size, settings.batch_size * columns * size)

    def _offset(self, points: np.ndarray, rows: Rows, weights: np.ndarray, settings: Settings) -> float:
        """Return the score below which rows are anomalies, in units of the computation.

        It is made from the rows in training, or some of many.
        """
        chosen, chances = sample_rows(rows.points, weights)
        if settings.contamination:
            chosen, chances = np.arange(len(weights)), weights
        points = points if len(chosen) == len(weights) else points[chosen]
        return offset_of(self._sizes_and_errors(points)[1], chances, settings.contamination)

    def _take(self, run: Run, span: Span, dtype: np.dtype) -> None:
        """Keep what a fit leaves."""
        coordinates, components, network = span.placed(run)
        self._begin(coordinates, components, network.in_precision(dtype))
        self.times_, self.training_curve_ = run.times, run.training_curve
        held_out = run.validation or (None, None, None)
        self.validation_times_, self.validation_curve_, self.validation_pca_risk_ = held_out
        self.pca_risk_, self.risk_, self.chosen_ = run.pca_risk, run.risk, run.chosen
        self.held_out_, self.n_iter_ = run.held_out, run.steps
        self._schedule = run.schedule
        self.step_size_ = 0.0 if run.schedule is None else run.schedule.first
        self.horizon_ = 0.0 if run.schedule is None else run.schedule.time(run.steps)

    def _fit_state(self) -> FitState:
        """Return what a diagnosis needs to know; there is no learning curve after `partial_fit` or `resized`."""
        return FitState(
            self._settings(),
            self._inner,
            self._coordinates,
            self.components_,
            getattr(self, "_schedule", None),
            self.n_iter_,
            getattr(self, "horizon_", 0.0),
            getattr(self, "times_", None),
            getattr(self, "training_curve_", None),
            getattr(self, "held_out_", None),
        )

    def _begin(self, coordinates: Coordinates, components: np.ndarray, network: Autoencoder) -> None:
        """Keep a network and the coordinates in which it acts."""
        self.mean_, self.unit_, self.components_ = coordinates.scaling.mean, coordinates.scaling.unit, components
        self._coordinates, self._network, self._stream = coordinates, network, Stream()

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse, tags.input_tags.allow_nan = True, self._ignores_missing
        return tags
