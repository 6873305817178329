"""A scikit-learn transformer: nonlinear dimension reduction that starts at PCA."""

from __future__ import annotations

import copy
import warnings
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils import check_random_state
from sklearn.utils.validation import _check_sample_weight, check_array, check_is_fitted, validate_data

from isthmus import _checks
from isthmus._errors import NumericalError, TrivialLimitWarning
from isthmus._precision import computing_in
from isthmus.core.activations import Activation, activation_pair
from isthmus.core.autoencoder import Autoencoder
from isthmus.core.data import Data, principal_axes
from isthmus.core.neurons import NeuronMeasure
from isthmus.core.optimizers import Adam, GradientDescent, Momentum, Motion, Optimizer
from isthmus.core.pca_start import with_best_decoder
from isthmus.dynamics.host_batches import CHUNK, Learner, Memory, Sampler, Whitening, decoded, encoded
from isthmus.dynamics.sgd import EXPLOSION
from isthmus.dynamics.step_plan import LARGEST_NUMBER_OF_STEPS
from isthmus.estimator.callbacks import CallbackSupport, reporting, with_callbacks
from isthmus.estimator.diagnosis import Diagnosis, Effort, diagnosed
from isthmus.estimator.judge import DOUBLE, Judge, mean_and_covariance, set_apart
from isthmus.estimator.saving import read_model, write_model
from isthmus.estimator.start import Start
from isthmus.exports.conversion import plain_autoencoder
from isthmus.exports.onnx_graph import onnx_graph
from isthmus.exports.plain import PlainAutoencoder
from isthmus.exports.torch_module import torch_module
from isthmus.theory.resizing import resize

FLOATS = [np.float64, np.float32]
INITS = ("aligned", "independent")


class MeanFieldAutoencoder(CallbackSupport, ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):
    r"""A wide autoencoder with a bottleneck, trained by SGD in the mean-field scaling from the PCA reconstruction on.

    x̂ = g(f(x)), f: R^d → R^k and g: R^k → R^d two-layer networks of ``width`` neurons each with outputs that carry 1/N.
    Step size and horizon are in mean-field time, t = step size × steps, so that what suits one width suits all. Of all
    networks at which the learning curve is recorded, the start included, the best one is kept, and where that isn't
    better than PCA on the training data, its decoder is fitted to its latents by least squares.

    Args:
        n_components: k, the dimension of the bottleneck.
        width: N, of encoder and decoder.
        activation: a name, an `Activation`, or a pair (encoder, decoder).
        horizon: the mean-field time to train for.
        step_size: ε.
        batch_size: points in a minibatch, drawn with replacement.
        optimizer: 'sgd', 'momentum', 'adam', or an `Optimizer`; the names have memories of 1 (Adam: 1 and 10).
        init: 'aligned' starts at the PCA reconstruction; 'independent' draws all weights as independent Gaussians, the
            custom elsewhere, which warns: its infinitely wide network never moves, and it can end above PCA.
        weight_decay: λ, per neuron.
        preactivation_scale: root mean square of ⟨w, x⟩ at the start.
        records: how often the learning curve is measured, and the best network updated.
        early_stopping: measure the curve on held-out points, and stop after ``patience`` records without a gain.
        validation_fraction: of points that are held out.
        patience: records without a gain before it stops.
        random_state: seed, or a NumPy random state.
        verbose: print the curve.

    Attributes:
        encoder_, decoder_: the measures, `NeuronMeasure`.
        mean_, unit_: x ↦ (x − mean_)/unit_ are the units of the computation.
        components_: the k principal directions, shape (k, d).
        times_, training_curve_, validation_curve_: risk ½E‖x − x̂‖² at the recorded times, in units of the variance.
        pca_risk_, risk_: of PCA and of the network, on the training data (a sample of it, if it is large).
        held_out_: the rows held out by early stopping, None without it.
        n_iter_: steps taken. n_features_in_, feature_names_in_: as usual.

    Example:
        >>> import isthmus as im
        >>> from sklearn.datasets import load_wine
        >>> from sklearn.preprocessing import StandardScaler
        >>> X = StandardScaler().fit_transform(load_wine().data)
        >>> model = im.MeanFieldAutoencoder(n_components=2, width=64, horizon=20.0, random_state=0).fit(X)
        >>> model.transform(X).shape, bool(model.risk_ < model.pca_risk_)
        ((178, 2), True)

    """

    def __init__(
        self,
        n_components: int = 2,
        *,
        width: int = 512,
        activation: str | Activation | tuple[str | Activation, str | Activation] = "tanh",
        horizon: float = 200.0,
        step_size: float = 0.1,
        batch_size: int = 32,
        optimizer: str | Optimizer = "sgd",
        init: str = "aligned",
        weight_decay: float = 0.0,
        preactivation_scale: float = 0.7,
        records: int = 20,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        patience: int = 5,
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
        self.weight_decay = weight_decay
        self.preactivation_scale = preactivation_scale
        self.records = records
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.patience = patience
        self.random_state = random_state
        self.verbose = verbose

    @with_callbacks
    def fit(self, X: ArrayLike, y: object = None, sample_weight: ArrayLike | None = None) -> Self:
        """Fit the network to points, shape (n, d), with weights, shape (n,).

        Raises:
            ArgumentError: where a parameter breaks its rule.
            NumericalError: where the step size is so large that the network diverges.

        """
        del y
        points, weights = self._checked(X, sample_weight, reset=True)
        random = np.random.default_rng(check_random_state(self.random_state).randint(2**31))
        share = self.validation_fraction if self.early_stopping else 0.0
        held_out = set_apart(points, weights, share, random)
        self.held_out_ = np.flatnonzero(held_out) if self.early_stopping else None
        learning = np.where(held_out, 0.0, weights)
        learning /= learning.sum()
        learner = Learner(self._start(points, learning, random), self._motion(), int(random.integers(2**31)))
        judges = [Judge.of(points, learning, self._whitening)]
        if held_out.any():
            judges.append(Judge.of(points, np.where(held_out, weights, 0.0), self._whitening))
        steps = max(1, round(self.horizon / self.step_size))
        marks = np.unique(np.rint(np.linspace(0, steps, min(self.records, steps) + 1)).astype(int))
        sampler, best, idle, curve = Sampler(points, learning), learner.network, 0, []
        with reporting(self, X, len(marks)) as reported:
            for before, mark in zip(np.append(0, marks[:-1]), marks, strict=True):
                self._learn(learner, points, sampler, mark - before, random)
                curve.append([judge.risk(learner.network) for judge in judges])
                self._check_curve(curve, mark)
                better = curve[-1][-1] < min([np.inf, *(risks[-1] for risks in curve[:-1])])
                best, idle = (learner.network, 0) if better else (best, idle + 1)
                if reported() or (self.early_stopping and idle >= self.patience):
                    break
        self.times_ = marks[: len(curve)] * self.step_size
        self.training_curve_ = np.array([risks[0] for risks in curve])
        self.validation_curve_ = np.array([risks[1] for risks in curve]) if len(judges) > 1 else None
        self.n_iter_ = int(marks[len(curve) - 1])
        self.pca_risk_ = judges[0].pca_risk(self.components_)
        if judges[0].risk(best) > self.pca_risk_:
            best = self._mended(best, judges[0])
        self.risk_ = judges[0].risk(best)
        self._keep(best, Learner(best, self._motion(), 0).memory)
        return self

    def partial_fit(self, X: ArrayLike, y: object = None, sample_weight: ArrayLike | None = None) -> Self:
        """Take a step for each ``batch_size`` of the points; training goes on where it was, or begins.

        Mean, unit and principal directions are those of the first points.
        """
        del y
        begun = hasattr(self, "encoder_")
        points, weights = self._checked(X, sample_weight, reset=not begun)
        seed = check_random_state(self.random_state).randint(2**31)
        steps = self._memory.steps if begun else 0
        random = np.random.default_rng([seed, steps])
        network = self.autoencoder_ if begun else self._start(points, weights, random)
        learner = Learner(network, self._motion(), seed, self._memory if begun else None)
        self._learn(learner, points, Sampler(points, weights), max(1, len(points) // self.batch_size), random)
        self._keep(learner.network, learner.memory)
        self.n_iter_ = self._memory.steps
        return self

    def transform(self, X: ArrayLike) -> np.ndarray:
        """Return the latents f(x), shape (n, k)."""
        check_is_fitted(self, "encoder_")
        points = self._points(X)
        return encoded(self._network_in(points.dtype), self._whitening.of(points))

    def inverse_transform(self, X: ArrayLike) -> np.ndarray:
        """Return the reconstructions g(z) of latents, shape (n, d), in the units of the data."""
        check_is_fitted(self, "encoder_")
        latents: Any = check_array(X, dtype=FLOATS)  # pyright: ignore[reportArgumentType]
        if latents.shape[1] != self._n_features_out:
            shape = _checks.described(f"of shape {latents.shape}")
            _checks.refuse("X", f"have the {self._n_features_out} columns of latents", shape)
        return self._whitening.undone(decoded(self._network_in(latents.dtype), latents))

    def reconstruction_error(self, X: ArrayLike) -> np.ndarray:
        """Return ‖x − x̂‖² of every point, shape (n,), in the units of the data."""
        check_is_fitted(self, "encoder_")
        points = self._points(X)
        network = self._network_in(points.dtype)
        reconstructed = decoded(network, encoded(network, self._whitening.of(points)))
        return ((points - self._whitening.undone(reconstructed)) ** 2).sum(axis=1)

    def score(self, X: ArrayLike, y: object = None, sample_weight: ArrayLike | None = None) -> float:
        """Return the share of variance about ``mean_`` that is reconstructed, 1 − Σ‖x − x̂‖²/Σ‖x − mean_‖²."""
        del y
        errors = self.reconstruction_error(X)
        points = self._points(X)
        weights = _check_sample_weight(sample_weight, points, dtype=np.float64)
        if not weights.any():
            _checks.refuse("sample_weight", "hold a weight that is not zero", _checks.described("zero throughout"))
        spread = ((points - self.mean_.astype(points.dtype)) ** 2).sum(axis=1)
        return float(1 - weights @ errors / (weights @ spread))

    def resized(self, width: int, X: ArrayLike) -> Self:
        """Return the fitted estimator at another width, as `isthmus.resize` makes it from points, shape (n, d).

        Its training goes on by `partial_fit`, with an optimizer without memories of the past.
        """
        check_is_fitted(self, "encoder_")
        points = self._points(X)
        judge = Judge.of(points, np.full(len(points), 1 / len(points)), self._whitening)
        network = resize(self.autoencoder_, width, Data(judge.points, judge.weights)).autoencoder
        other = copy.copy(self).set_params(width=width)
        for name in ("times_", "training_curve_", "validation_curve_"):  # those of another width
            other.__dict__.pop(name, None)
        other._keep(network, Learner(network, self._motion(), 0).memory)
        other.risk_ = judge.risk(network)
        return other

    def diagnose(
        self,
        X: ArrayLike,
        sample_weight: ArrayLike | None = None,
        *,
        compare: bool = True,
        particles: int = 256,
        samples: int = 4,
        seed: int = 0,
        workers: int | None = None,
    ) -> Diagnosis:
        """Return how healthy the network is on the data of its fit, in numbers and in words that tell what to do.

        The learning curve's distance from the infinitely wide network's beside what is predicted of such networks
        (left out with ``compare=False``, since it takes longer than the fit), whether steps overshoot, how many neurons
        and latent dimensions work, and whether the network still moves, or rests in a minimum or at a saddle.
        ``particles`` (a power of 2) and ``samples`` are those of `isthmus.predict_finite_width`.
        """
        check_is_fitted(self, "encoder_")
        points = self._points(X)
        weights = _check_sample_weight(sample_weight, points, dtype=np.float64, ensure_non_negative=True)
        return diagnosed(self, points, weights, Effort(compare, particles, samples, seed, workers))

    def save(self, path: str | Path) -> None:
        """Write the fitted estimator to a file, without pickle, with a version and a checksum; `load` reads it.

        Raises:
            StudyFileError: where the file can't be written.
            ArgumentError: where an activation or optimizer is one that has no name.

        """
        check_is_fitted(self, "encoder_")
        write_model(self, _checks.path("path", path))

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Return the fitted estimator in a file, whose training can go on by `partial_fit`; loading runs nothing.

        Raises:
            StudyFileError: where the file is missing, damaged, of another version or something else.

        """
        return read_model(cls, _checks.path("path", path))

    def to_numpy(self) -> PlainAutoencoder:
        """Return the autoencoder in NumPy arrays, in a class that needs nothing but NumPy."""
        return plain_autoencoder(self.autoencoder_, self._whitening)

    def to_onnx(self, part: Literal["autoencoder", "encoder", "decoder"] = "autoencoder") -> Any:
        """Return an ONNX model from 'points' to 'latents' and 'reconstructions', or its encoder or decoder alone."""
        return onnx_graph(self.to_numpy(), part)

    def to_torch(self) -> Any:
        """Return a ``torch.nn.Module`` with methods ``encode`` and ``decode``."""
        return torch_module(self.to_numpy())

    @property
    def autoencoder_(self) -> Autoencoder:
        """The network, which acts on (x − mean_)/unit_."""
        check_is_fitted(self, "encoder_")
        return self._autoencoder(self.encoder_, self.decoder_)

    def _points(self, X: ArrayLike, **options: Any) -> np.ndarray:
        """Return X as an array of float32 or float64, as scikit-learn checks it."""
        validate: Any = validate_data
        points = validate(self, X, dtype=FLOATS, **({"reset": False} | options))
        _checks.finite_squares("X", points)
        return points

    @property
    def _n_features_out(self) -> int:
        return self.encoder_.outputs

    @property
    def _whitening(self) -> Whitening:
        return Whitening(self.mean_, self.unit_)

    def _network_in(self, dtype: np.dtype) -> Autoencoder:
        return self.autoencoder_.in_precision(dtype)

    def _autoencoder(self, encoder: NeuronMeasure, decoder: NeuronMeasure) -> Autoencoder:
        decay = float(self.weight_decay)
        return Autoencoder(encoder, decoder, *activation_pair(self.activation), True, (decay, decay))

    def _keep(self, network: Autoencoder, memory: Memory) -> None:
        self.encoder_, self.decoder_, self._memory = network.encoder, network.decoder, memory

    def _motion(self) -> Motion:
        optimizer = self.optimizer
        if not isinstance(optimizer, Optimizer):
            named = {"sgd": GradientDescent(), "momentum": Momentum(1.0), "adam": Adam(batch_size=self.batch_size)}
            optimizer = named[_checks.choice("optimizer", optimizer, named)]
        if self.step_size > optimizer.shortest_memory:
            _checks.refuse(
                "step_size", f"be at most the optimizer's memory {optimizer.shortest_memory:g}", self.step_size
            )
        return Motion((1.0, 1.0), optimizer, 0.0)

    def _checked(self, X: ArrayLike, sample_weight: ArrayLike | None, *, reset: bool) -> tuple[np.ndarray, np.ndarray]:
        """Return points and normalised weights, after all parameters have been checked."""
        self._check_parameters()
        points = self._points(X, reset=reset, ensure_min_samples=2)
        if self.n_components > points.shape[1]:
            rule = f"be at most the number of features, n_features = {points.shape[1]}"
            _checks.refuse("n_components", rule, self.n_components)
        size = points.shape[1] + self.n_components + 2
        _checks.memory("width", self.width, 2 * self.width * size * points.dtype.itemsize)
        _checks.memory("batch_size", self.batch_size, self.batch_size * points.shape[1] * points.dtype.itemsize)
        weights = _check_sample_weight(sample_weight, points, dtype=np.float64, ensure_non_negative=True)
        if not weights.any():
            _checks.refuse("sample_weight", "hold a weight that is not zero", _checks.described("zero throughout"))
        return points, weights / weights.sum()

    def _check_parameters(self) -> None:
        for name in ("n_components", "width", "batch_size", "records", "patience"):
            _checks.integer(name, getattr(self, name), minimum=1)
        for name in ("horizon", "step_size"):
            _checks.real(name, getattr(self, name), above=0)
        _checks.scale("preactivation_scale", self.preactivation_scale, above=0)
        steps = float(self.horizon) / float(self.step_size)
        if steps > LARGEST_NUMBER_OF_STEPS:
            rule = f"be within {LARGEST_NUMBER_OF_STEPS:,} steps of step_size {self.step_size:g}"
            _checks.refuse("horizon", rule, self.horizon)
        _checks.choice("init", self.init, INITS)
        _checks.real("weight_decay", self.weight_decay, minimum=0)
        _checks.real("validation_fraction", self.validation_fraction, above=0, below=1)
        activation_pair(self.activation)
        self._motion()
        _checks.flag("early_stopping", self.early_stopping)
        if not isinstance(self.verbose, bool | np.bool_):
            _checks.integer("verbose", self.verbose, minimum=0)
        _check_random_state(self.random_state)

    def _start(self, points: np.ndarray, weights: np.ndarray, random: np.random.Generator) -> Autoencoder:
        """Set mean, unit and principal directions, and return a network at the PCA reconstruction."""
        self.mean_, covariance = mean_and_covariance(points, weights)
        self.unit_ = float(np.sqrt(np.trace(covariance))) or 1.0
        self.components_ = principal_axes(covariance)[:, : self.n_components].T
        start = self._starting(points, weights)
        if self.init == "independent":
            warnings.warn(
                "init='independent' is a dead start: the wider the network, the longer it stays at x̂ = 0; "
                "init='aligned' starts at PCA",
                TrivialLimitWarning,
                stacklevel=3,
            )
            return self._autoencoder(*start.independent(random, self.width)).in_precision(points.dtype)
        drawn = self._autoencoder(*start.aligned(random, self.width))
        return start.correction.of(drawn).in_precision(points.dtype)

    def _starting(self, points: np.ndarray, weights: np.ndarray) -> Start:
        """Return what the start of training on these points is made from."""
        sample = Judge.of(points, weights, self._whitening)
        return Start(sample, self.components_, activation_pair(self.activation), self.preactivation_scale)

    def _mended(self, network: Autoencoder, judge: Judge) -> Autoencoder:
        """Return the network with its decoder fitted to its latents: where a run was too short to pass PCA."""
        with computing_in(DOUBLE):
            doubled = network.in_precision(DOUBLE)
            mended = with_best_decoder(doubled, judge.points.astype(DOUBLE), judge.weights)
        return mended.in_precision(judge.points.dtype)

    def _learn(
        self, learner: Learner, points: np.ndarray, sampler: Sampler, steps: int, random: np.random.Generator
    ) -> None:
        for first in range(0, int(steps), CHUNK):
            rows = sampler.rows(random, (min(CHUNK, int(steps) - first), self.batch_size))
            learner.learn(self._whitening.of(points[rows]), self.step_size)

    def _check_curve(self, curve: list[list[float]], mark: int) -> None:
        """Print where the curve has come to, and refuse to go on where it has exploded."""
        if self.verbose:
            shown = "".join(
                f"  {name} {risk:.5f}" for name, risk in zip(("training", "held out"), curve[-1], strict=False)
            )
            print(f"[{type(self).__name__}] t={mark * self.step_size:g}{shown}")
        if not np.isfinite(curve[-1][0]) or curve[-1][0] > EXPLOSION * max(curve[0][0], 1.0):
            raise NumericalError(
                f"the step size {self.step_size:g} made the network diverge at t={mark * self.step_size:g}; try at "
                f"most {self.step_size / 4:g}, or larger batches"
            )


def _check_random_state(value: object) -> None:
    try:
        check_random_state(value)
    except Exception:  # its own message shows the value, which may be anything
        _checks.refuse("random_state", "be a seed, a NumPy random state, or None", value)
