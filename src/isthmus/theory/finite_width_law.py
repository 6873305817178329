"""The law of all finite networks of a problem, read at any width, step size and batch size."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeVar

import numpy as np
from numpy.typing import ArrayLike

from isthmus import _checks
from isthmus._bars import with_bar
from isthmus._display import Shown, Summary
from isthmus._errors import NumericalError
from isthmus._words import number
from isthmus.core.autoencoder import Autoencoder
from isthmus.core.data import Data
from isthmus.dynamics.batches import Sampling
from isthmus.dynamics.parallel import Progress, Stages
from isthmus.dynamics.results import MeanFieldPath, fall
from isthmus.theory.influence import LinearisedPath
from isthmus.theory.leading_order import smoothing_bias
from isthmus.theory.noise_sources import Influence, MeasuredOn, Sources
from isthmus.theory.observed_law import ObservedLaw, observed_law
from isthmus.theory.prediction import Noise, Prediction

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

LARGEST_WIDTH = 1 << 40

Network = ParamSpec("Network")
Result = TypeVar("Result")


def _read(
    name: str, at: Callable[Concatenate[Any, Network], Prediction], of: Callable[[Prediction], Result], text: str
) -> Callable[Concatenate[Any, Network], Result]:
    """Return a method with the arguments of ``at`` that reads something off the prediction."""

    def method(self: Any, *args: Network.args, **kwargs: Network.kwargs) -> Result:
        return of(at(self, *args, **kwargs))

    return _signed(method, name, inspect.signature(at), text)


def _read_at_confidence(
    name: str, at: Callable[Concatenate[Any, Network], Prediction], of: Callable[[Prediction, float], Result], text: str
) -> Callable[Concatenate[Any, float, Network], Result]:
    """Return a method with a confidence before the arguments of ``at``."""

    def method(self: Any, confidence: float, *args: Network.args, **kwargs: Network.kwargs) -> Result:
        return of(at(self, *args, **kwargs), confidence)

    itself, *network = inspect.signature(at).parameters.values()
    confidence = inspect.Parameter("confidence", inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation="float")
    return _signed(method, name, inspect.Signature([itself, confidence, *network]), text)


def _signed(method: Any, name: str, signature: inspect.Signature, text: str) -> Any:
    """Return a method that shows its name, its arguments and what it does."""
    method.__name__, method.__qualname__, method.__doc__ = name, f"FiniteWidthLaw.{name}", text
    method.__signature__ = signature.replace(return_annotation=inspect.Signature.empty)
    return method


@dataclass(frozen=True, repr=False)
class FiniteWidthLaw(Summary):
    """The leading-order law of the risk of all finite networks of a problem, at any width, step size and batch size.

    Every method that asks about a network takes the arguments of `at`.

    Attributes:
        times: shape (T,).
        path: the mean-field path R(t).
        influence: the influence functions of neurons and points.
        noises: at scale 1 by source: 'encoder', 'decoder', 'batches', 'steps', 'shuffled' (what remains of batches in
            random order), 'sample' and 'own_sample' (the risk measured on the population, or on the sample).
        weights: the weights of the points, shape (n,).
        only_batches: the batch size whose noise is in the limit (Adam), empty where it may be any.
        linearised: the path of particles behind it, of which `influence_of` asks; a law from a file has none.

    Example:
        >>> import isthmus as im
        >>> data = im.load_data("wine", max_points=32)
        >>> problem = im.Problem(data, im.aligned_law(data, latent_dim=2))
        >>> law = im.predict_finite_width(problem, [0.0, 1.0], particles=32, samples=2)
        >>> width = law.width_for(tolerance=0.05, confidence=0.9)
        >>> law.gap_quantile(0.9, width) <= 0.05 < law.gap_quantile(0.9, width - 1)
        True
        >>> sorted(law.sources(width=100, step_size=0.1, batch_size=8))
        ['batches', 'decoder', 'encoder']

    """

    times: np.ndarray
    path: MeanFieldPath
    influence: Influence
    noises: dict[str, Noise]
    weights: np.ndarray
    only_batches: tuple[int | None, ...] = ()
    one_pass_is_fresh: bool = False
    linearised: LinearisedPath | None = None

    plot = Shown("plots.law")
    plot_sources = Shown("plots.law_sources")
    plot_influence = Shown("cloud_plots.influence_of")

    def _lines(self) -> list[tuple[str, object]]:
        wide = " and ".join(f"{number(self.gap_quantile(0.9, width))} at N = {width:,}" for width in (64, 1024))
        return [
            ("mean field", fall(self.times, self.path.risk)),
            ("sup-gap", f"90 % of gradient flows within {wide}"),
            ("known of", f"{len(self.weights):,} points and {self.influence.neurons.encoder.width:,} particles a side"),
            ("ask", "band, gap_quantile, sources, width_for, step_size_for, plot"),
        ]

    def _curve(self) -> tuple[np.ndarray, np.ndarray]:
        return self.times, self.path.risk

    def at(
        self,
        width: float | tuple[float, float],
        step_size: float = 0.0,
        batch_size: int | None = None,
        *,
        sampling: Sampling | None = None,
        sample_size: int | None = None,
        measured_on: MeasuredOn = "population",
    ) -> Prediction:
        """Return the law of one kind of network.

        Args:
            width: N, a pair (N_E, N_D), or ``math.inf`` for no fluctuation of initial neurons.
            step_size: of SGD, in mean-field time; 0 for gradient flow.
            batch_size: points in a batch; None for full batches.
            sampling: how batches are drawn, as in `train`.
            sample_size: n, where the training set is a sample of the population; None where it is the population.
            measured_on: whether the risk is taken on the 'population', or on the 'sample' itself.

        Raises:
            ArgumentError: where there are batches at step size 0, or an argument breaks its rule.

        """
        horizon, fresh = float(self.times[-1]), self.one_pass_is_fresh
        sources = Sources(horizon, self.noises, self.influence, self.weights, self.only_batches, fresh)
        return sources.predicted(
            self.times, self.path.risk, width, step_size, batch_size, sampling, sample_size, measured_on
        )

    mean = _read("mean", at, lambda law: law.mean, "Return E R_N(t), shape (T,).")
    std = _read("std", at, lambda law: law.std, "Return the standard deviation of R_N(t), shape (T,).")
    covariance = _read("covariance", at, lambda law: law.covariance, "Return Cov(R_N(t), R_N(t′)), shape (T, T).")
    sources = _read(
        "sources",
        at,
        lambda law: {name: np.diagonal(part).copy() for name, part in law.covariances.items()},
        "Return the variance that each source makes, shape (T,), by name.",
    )
    band = _read_at_confidence(
        "band",
        at,
        Prediction.band,
        "Return the ends between which R_N(t) lies with probability ``confidence``, at each time for itself.",
    )
    gap_quantile = _read_at_confidence(
        "gap_quantile", at, Prediction.gap_quantile, "Return the quantile of the sup-gap max_t |R_N(t) − R(t)|."
    )

    def to_xarray(self, *network: Any, **options: Any) -> xr.Dataset:
        """Return what is predicted of one kind of network as a labelled dataset over time.

        Args:
            network, options: the arguments of `at`.

        """
        import xarray as xr

        law = self.at(*network, **options)
        parts = np.array([np.diagonal(part) for part in law.covariances.values()])
        values = {"mean_field_risk": law.limit, "mean": law.mean, "std": law.std}
        sources = {"source_variance": (("source", "time"), parts)}
        places = {"time": self.times, "source": list(law.covariances)}
        return xr.Dataset({name: ("time", value) for name, value in values.items()} | sources, places)

    def to_pandas(self, *network: Any, **options: Any) -> pd.DataFrame:
        """Return R(t), the mean, the standard deviation, and that of each source, with a row for each time.

        Args:
            network, options: the arguments of `at`.

        """
        found = self.to_xarray(*network, **options)
        parts = np.sqrt(found.source_variance.transpose("time", "source").to_pandas()).add_prefix("std_")
        return found.drop_dims("source").to_dataframe().join(parts)

    def width_for(
        self,
        tolerance: float,
        confidence: float = 0.9,
        step_size: float = 0.0,
        batch_size: int | None = None,
        *,
        sampling: Sampling | None = None,
        sample_size: int | None = None,
        measured_on: MeasuredOn = "population",
    ) -> int:
        """Return the smallest width of both sides whose sup-gap is within the tolerance with this confidence.

        Args:
            tolerance, confidence: the sup-gap must be at most the tolerance with this probability.
            step_size, batch_size, sampling, sample_size, measured_on: as in `at`.

        Raises:
            NumericalError: where no width suffices, since batches and steps alone exceed the tolerance.

        """
        tolerance = _checks.real("tolerance", tolerance, above=0)
        options = {"sampling": sampling, "sample_size": sample_size, "measured_on": measured_on}
        gap = lambda width: self.at(width, step_size, batch_size, **options).gap_quantile(confidence)
        floor = gap(math.inf)
        if floor > tolerance:
            raise NumericalError(
                f"no width brings the sup-gap within {tolerance:g}: at step size {step_size:g} steps, batches and "
                f"sample alone contribute {number(floor)}; take smaller steps (see step_size_for) or larger batches"
            )
        upper = 1
        while gap(upper) > tolerance:
            upper *= 2
            if upper > LARGEST_WIDTH:
                raise NumericalError(f"no width up to {LARGEST_WIDTH:,} brings the sup-gap within {tolerance:g}")
        lower = upper // 2
        while upper - lower > 1:
            middle = (lower + upper) // 2
            lower, upper = (middle, upper) if gap(middle) > tolerance else (lower, middle)
        return upper

    def step_size_for(
        self,
        tolerance: float,
        confidence: float,
        width: float | tuple[float, float],
        batch_size: int,
        *,
        sampling: Sampling | None = None,
        sample_size: int | None = None,
        measured_on: MeasuredOn = "population",
    ) -> float:
        """Return the largest step size, to a part in a thousand, whose sup-gap is within the tolerance.

        Whether steps so large are stable is another question: see what `train` says.

        Args:
            tolerance, confidence: the sup-gap must be at most the tolerance with this probability.
            width, batch_size, sampling, sample_size, measured_on: as in `at`.

        Raises:
            NumericalError: where no step size suffices, since the width alone exceeds the tolerance.

        """
        tolerance = _checks.real("tolerance", tolerance, above=0)
        options = {"sampling": sampling, "sample_size": sample_size, "measured_on": measured_on}
        gap = lambda size: self.at(width, size, batch_size if size else None, **options).gap_quantile(confidence)
        floor = gap(0.0)
        if floor > tolerance:
            raise NumericalError(
                f"no step size brings the sup-gap within {tolerance:g}: the width alone contributes {number(floor)}; "
                "take a wider network (see width_for)"
            )
        lower, upper = 0.0, 1e-3
        while gap(upper) <= tolerance and upper < 1e6:
            lower, upper = upper, 2 * upper
        while upper - lower > 1e-3 * upper:
            middle = (lower + upper) / 2
            lower, upper = (middle, upper) if gap(middle) <= tolerance else (lower, middle)
        return lower

    def influence_of(self, neurons: Autoencoder) -> tuple[np.ndarray, np.ndarray]:
        """Return what the mass of any initial neuron does to R(t), shapes (T, N_E) and (T, N_D), in closed form.

        I(θ; t) = ∂R(t)/∂m along the ideal path of the neuron in the fields of the limit, less its mean over the law's
        own particles. The first call solves once backwards; then each neuron costs a solve of its own path.

        Args:
            neurons: of encoder and decoder at time 0, such as `Problem.draw` returns; their masses don't matter.

        Raises:
            ArgumentError: where neurons act on one another by more than the latents, the outputs and the pull on the
                latents: with Adam, at a temperature, and under a law that corrects all neurons together.

        """
        _checks.instance("neurons", neurons, Autoencoder)
        behind = self._behind()
        found = behind.influence_of(neurons)
        return found[0] - behind.means[0], found[1] - behind.means[1]

    @with_bar
    def smoothing_bias(self, *, workers: int | None = None, progress: Progress | None = None) -> float | None:
        """Return the relative error of the standard deviation that neurons make, since kinks are smoothed.

        It goes as h², and is 4/3 of what changes from the scale h to h/2, by few particles: a lasting error,
        beside which a network's own terms of order 1/N fall. None where no activation has kinks.

        Args:
            workers: threads.
            progress: True for a bar, or called as ``progress(done, total)``.

        Raises:
            ArgumentError: where the law is from a file.

        """
        _checks.function("progress", progress, optional=True)
        behind = self._behind()
        return smoothing_bias(behind.problem, self.times, behind.settings, workers, Stages(progress))

    @with_bar
    def of(
        self,
        function: str | Callable[[Autoencoder], Any],
        points: Data | ArrayLike | None = None,
        times: ArrayLike | None = None,
        *,
        workers: int | None = None,
        progress: Progress | None = None,
    ) -> ObservedLaw:
        """Return the law of another function F of the networks, such as their latents, by the same linearisation.

        F_N(t) ≈ F(t) + ζ(t) + β(t), as for the risk. It costs about two solves of the particles for each value at each
        time, and the samples of the curvature terms.

        Args:
            function: 'latents' f(x), 'reconstructions' g(f(x)), or 'risk', at the points given; or a function of an
                `Autoencoder` that returns an array of any shape, and computes with jax.numpy.
            points: shape (m, d), or `Data`, in the units of the problem's points; for a name only.
            times: shape (T,); by default those of the law for one value, and the last of them for several.
            workers: threads.
            progress: True for a bar, or called as ``progress(done, total)``.

        Raises:
            ArgumentError: where an argument breaks its rule, or the law is from a file.
            NumericalError: where the time steps fail.

        """
        grid = self.times if times is None else _checks.times("times", times)
        _checks.function("progress", progress, optional=True)
        behind = self._behind()
        asked = function, points, grid, times is None
        return observed_law(behind.problem, behind.settings, *asked, workers, progress)

    def _behind(self) -> LinearisedPath:
        """Return the path of particles behind the law."""
        if self.linearised is None:
            _checks.refuse("law", "be computed in this session", _checks.described("one from a file"))
        return self.linearised
