r"""The law of what people look at in a finite network: its latents, its reconstructions, its risk on other points.

A differentiable function F of the network has, as the risk has,

    F_N(t) ≈ F(t) + ζ(t) + β(t),    Cov ζ = K_E/N_E + K_D/N_D + (ε/B) K_S + K_P/n,

with kernels from the influence of neurons and points on F(t). The risk depends on neurons only within the span of the
points. What is asked here may depend on the rest, so particles have all components.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import ArrayLike

from isthmus import _checks
from isthmus._display import Shown, Summary
from isthmus._precision import computing_in
from isthmus._words import counted, interval, number
from isthmus.core.autoencoder import Autoencoder
from isthmus.core.data import Data
from isthmus.core.problem import Problem
from isthmus.dynamics.batches import Sampling
from isthmus.dynamics.field import VectorField, Weights
from isthmus.dynamics.mean_field import follow_replicate, half_width
from isthmus.dynamics.parallel import Progress, Stages, run_jobs
from isthmus.theory.leading_order import Settings, leading_order, particles_of
from isthmus.theory.noise_sources import Sources
from isthmus.theory.observed import Observed
from isthmus.theory.prediction import Prediction

Function = Callable[[Autoencoder], Any]
PARTICLES, REPLICATES, RTOL = 2048, 4, 1e-6
"""Of the solves of the limit, whose spread is its error."""
NAMES = ("latents", "reconstructions", "risk")
"""What may be asked for by name, at points."""
MOST_VALUES = 4096
"""Values at all times together, at most, whose law is computed: each costs about two steps a step."""


def values_in_words(shape: tuple[int, ...], times: np.ndarray) -> str:
    """Return how many values are observed, and when."""
    return f"of shape {shape} at {counted(len(times), 'time')} up to t = {times[-1]:g}"


@dataclass(frozen=True, repr=False)
class ObservedPrediction(Summary):
    """The law of a function of one kind of network, at the times of the `ObservedLaw` it came from.

    Attributes:
        times: shape (T,).
        shape: of the values at one time.
        flat: the same as a `Prediction` of all values, those of one time after another.

    Example:
        >>> import numpy as np
        >>> import isthmus as im
        >>> from isthmus.theory.prediction import Noise
        >>> encoder = Noise(kernel=np.diag([0.04, 0.01]), curvatures=np.full((2, 2), 0.05))
        >>> flat = im.Prediction(np.zeros(2), limit=np.array([1.0, 0.5]), noises={"encoder": encoder})
        >>> found = im.ObservedPrediction(np.zeros(1), (2,), flat)
        >>> found.mean.tolist(), found.std.tolist()
        ([[1.05, 0.55]], [[0.2, 0.1]])

    """

    times: np.ndarray
    shape: tuple[int, ...]
    flat: Prediction

    plot = Shown("observed_plots.observed")

    def _lines(self) -> list[tuple[str, object]]:
        extent = lambda values: interval(float(values.min()), float(values.max()))
        return [
            ("values", values_in_words(self.shape, self.times)),
            ("mean", f"{extent(self.mean)}, in the limit {extent(self.limit)}"),
            ("spread", f"standard deviation {extent(self.std)}"),
        ]

    @property
    def limit(self) -> np.ndarray:
        """F(t) in the mean-field limit, shape (T, *shape)."""
        return self._shaped(self.flat.limit)

    @property
    def shift(self) -> np.ndarray:
        """β(t), shape (T, *shape)."""
        return self._shaped(self.flat.shift)

    @property
    def shift_error(self) -> np.ndarray:
        """The standard error of β(t) as it is known, shape (T, *shape)."""
        return self._shaped(self.flat.shift_error)

    @property
    def mean(self) -> np.ndarray:
        """E F_N(t), shape (T, *shape)."""
        return self._shaped(self.flat.mean)

    @property
    def std(self) -> np.ndarray:
        """The standard deviation of F_N(t), shape (T, *shape)."""
        return self._shaped(self.flat.std)

    @property
    def covariance(self) -> np.ndarray:
        """Cov(F_N(t), F_N(t′)), shape (T, *shape, T, *shape)."""
        one = (len(self.times), *self.shape)
        return self.flat.covariance.reshape(one + one)

    def source_std(self, source: str) -> np.ndarray:
        """Return the standard deviation that one source alone would make, shape (T, *shape)."""
        return self._shaped(self.flat.source_std(source))

    def band(self, confidence: float) -> tuple[np.ndarray, np.ndarray]:
        """Return the ends between which each value lies with this probability, by itself, shapes (T, *shape)."""
        lower, upper = self.flat.band(confidence)
        return self._shaped(lower), self._shaped(upper)

    def _shaped(self, values: np.ndarray) -> np.ndarray:
        return values.reshape(len(self.times), *self.shape)


@dataclass(frozen=True, repr=False)
class ObservedLaw(Summary):
    """The leading-order law of a function of all finite networks of a problem, as `FiniteWidthLaw.of` returns it.

    Attributes:
        times: shape (T,).
        limit: F(t) in the mean-field limit, shape (T, *shape).
        limit_error: half the 95 % interval of it over independent scramblings of the particles, shape (T, *shape).
        sources: of the noise of all values, those of one time after another.

    Example:
        >>> import isthmus as im
        >>> data = im.load_data("wine", max_points=24)
        >>> problem = im.Problem(data, im.aligned_law(data, latent_dim=1))
        >>> law = im.predict_finite_width(problem, [0.0, 1.0], particles=32, samples=2)
        >>> latents = law.of("latents", data.points[:3]).at(width=100)
        >>> latents.mean.shape, bool((latents.std > 0).all())
        ((1, 3, 1), True)

    """

    times: np.ndarray
    limit: np.ndarray
    limit_error: np.ndarray
    sources: Sources

    def _lines(self) -> list[tuple[str, object]]:
        value = lambda width: number(float(self.at(width).std.max()))
        return [
            ("values", values_in_words(self.limit.shape[1:], self.times)),
            ("limit", f"known to {number(float(self.limit_error.max()), 2)}"),
            ("std", f"at most {value(64)} at N = 64 and {value(1024)} at N = 1,024"),
            ("ask", "at(width, step_size, batch_size): mean, std, band, plot"),
        ]

    def at(
        self,
        width: float | tuple[float, float],
        step_size: float = 0.0,
        batch_size: int | None = None,
        *,
        sampling: Sampling | None = None,
        sample_size: int | None = None,
    ) -> ObservedPrediction:
        """Return the law of one kind of network.

        Args:
            width, step_size, batch_size, sampling, sample_size: as in `FiniteWidthLaw.at`.

        Raises:
            ArgumentError: where there are batches at step size 0, or an argument breaks its rule.

        """
        shape = self.limit.shape[1:]
        times, limit = np.repeat(self.times, int(np.prod(shape))), self.limit.ravel()
        flat = self.sources.predicted(times, limit, width, step_size, batch_size, sampling, sample_size, "population")
        return ObservedPrediction(self.times, shape, flat)


def observed_law(
    problem: Problem,
    settings: Settings,
    function: str | Function,
    points: Data | ArrayLike | None,
    times: np.ndarray,
    last_only: bool,
    workers: int | None,
    progress: Progress | None,
) -> ObservedLaw:
    """Return the law of a function of a network, or of what is named, at points; see `FiniteWidthLaw.of`.

    With ``last_only`` several values are observed at the last of the times, and one at all of them.
    """
    asked = _function(problem, function, points, settings.dtype)
    stages = Stages(progress)
    start = particles_of(problem, settings, in_span=False)
    axes = None if start.frame is None else np.asarray(start.frame.basis.T, settings.dtype)
    with computing_in(settings.dtype):
        shape = _shape_of(asked.of_network, _lifted(start.network, axes))
    times = times[-1:] if last_only and shape else times
    count = int(np.prod(shape))
    if count * len(times) > MOST_VALUES:
        described = _checks.described(f"{count:,} values at {len(times):,} times")
        hint = "ask at fewer points or times"
        _checks.refuse("function", f"have at most {MOST_VALUES:,} values in all", described, hint)
    observed = Observed(_OnLifted(asked.function), count, (axes, asked.given))
    kept = list(range(len(times)))
    options: dict[str, Any] = {"kept": kept, "particles": PARTICLES, "seed": settings.seed, "rtol": RTOL}
    options["quadrature"] = problem.quadrature

    def followed(replicate: int) -> np.ndarray:
        """Return F(t) of one set of particles."""
        networks = follow_replicate(problem, times, replicate=replicate, **options).networks
        with computing_in(settings.dtype):
            of_each = (asked.of_network(network.in_precision(settings.dtype)) for network in networks)
            return np.stack([np.asarray(values, float) for values in of_each])

    limits = np.stack(run_jobs(followed, REPLICATES, workers, stages.next()))
    _checks.finite("function", limits)
    found = leading_order(problem, times, start, settings, workers, stages, observed, in_span=False)
    return ObservedLaw(times, limits.mean(axis=0), half_width(limits), found.sources)


class _Asked(NamedTuple):
    """What is asked of a network: a function of it and of arrays that are given, none where it is one's own."""

    function: Callable[..., Any]
    given: tuple[Any, ...] = ()

    def of_network(self, network: Autoencoder) -> Any:
        """Return the values."""
        return self.function(network, *self.given)


@dataclass(frozen=True)
class _OnLifted:
    """A function of networks in the coordinates of the data, of networks along axes: equal where the function is."""

    function: Callable[..., Any]

    def __call__(self, field: VectorField, network: Autoencoder, weights: Weights, given: Any) -> jax.Array:
        axes, points = given
        return jnp.ravel(self.function(_lifted(network, axes), *points)).astype(network.encoder.bias.dtype)


def _lifted(network: Autoencoder, axes: Any) -> Autoencoder:
    """Return a network in the coordinates of the data, differentiably, from those along axes in rows that span them."""
    if axes is None:
        return network
    products = network.encoder.incoming @ axes, network.decoder.outgoing @ axes
    return eqx.tree_at(lambda state: (state.encoder.incoming, state.decoder.outgoing), network, products)


def _function(problem: Problem, function: str | Function, points: Data | ArrayLike | None, dtype: np.dtype) -> _Asked:
    """Return the function of a network that is asked for."""
    if not isinstance(function, str):
        _checks.function("function", function)
        if points is not None:
            _checks.refuse("points", "be left out where function isn't one of the names", points)
        return _Asked(function)
    name = _checks.choice("function", function, NAMES)
    if points is None:
        _checks.refuse("points", f"be given for {name!r}", None)
    data = points if isinstance(points, Data) else Data(points, missing="ignore", name="points")
    if data.dim != problem.population.dim:
        described = _checks.described(f"of {data.dim} columns")
        _checks.refuse("points", f"have the {problem.population.dim} columns of the problem's", described)
    at = np.asarray(data.points, dtype)
    if name == "risk":
        return _Asked(Autoencoder.risk, (at, np.asarray(data.weights, dtype)))
    return _Asked(Autoencoder.encode if name == "latents" else Autoencoder.reconstruct, (at,))


def _shape_of(function: Function, network: Autoencoder) -> tuple[int, ...]:
    """Return the shape of what a function returns, which JAX must be able to follow."""
    try:
        found = jax.eval_shape(function, network)
    except jax.errors.TracerArrayConversionError:
        _checks.refuse("function", "compute with jax.numpy, so that it can be differentiated", function)
    shape = getattr(found, "shape", None)
    if shape is None or not jnp.issubdtype(found.dtype, jnp.floating):
        _checks.refuse("function", "return one array of real numbers", _checks.described(f"one that returns {found}"))
    if 0 in shape:
        _checks.refuse("function", "return at least one value", _checks.described(f"one of shape {shape}"))
    return shape
