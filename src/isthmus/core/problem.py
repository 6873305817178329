"""A problem: data, initial law, activations and rates, checked against one another once and for all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

import jax
import numpy as np

from isthmus import _checks
from isthmus._display import Summary
from isthmus._errors import TrivialLimitWarning
from isthmus._precision import computing_in
from isthmus._warnings import warn
from isthmus.core import rates
from isthmus.core.activations import LEFT_OUT, Activation, activation_pair
from isthmus.core.autoencoder import Autoencoder, penalty
from isthmus.core.data import Data, Stream, as_data
from isthmus.core.frame import Frame
from isthmus.core.kinks import kinks
from isthmus.core.laws import Law, aligned_law
from isthmus.core.neuron_laws import GaussianNeurons
from isthmus.core.neurons import NeuronMeasure
from isthmus.core.optimizers import GRADIENT_DESCENT, Motion, Optimizer
from isthmus.core.quadrature import Particles, Quadrature, gauss_hermite_particles, sobol_particles
from isthmus.core.rates import Rate
from isthmus.core.recorded_times import LearningCurve, Spacing, recorded_times
from isthmus.core.scaling import DOUBLE
from isthmus.core.triviality import sampled_law_is_trivial


@dataclass(frozen=True, repr=False)
class Problem(Summary):
    """Data, initial law, architecture and dynamics; independent of the solver.

    The dynamics is dθ = −ξ_E(t) (∇Ψ_E(θ) + λ_E θ) dt + √(2 ξ_E τ) dB for encoder neurons, and the same with D in place
    of E for decoder neurons; it descends the objective R + (λ_E/2) ∫|θ|²dρ + (λ_D/2) ∫|ω|²dν, with a term τ ∫ log ρ dρ
    and the like for ν at temperature τ. Stochastic gradient descent at step size ε does ε steps of the same, so that t
    = ε × steps.

    Source: arXiv:2606.07120.

    Args:
        data: `Data`, or a `Stream` for one-pass training from a population. An array or a frame of points is centred
            and scaled as by ``Data(points, center=True, scale="total")``.
        law: the initial law of the neurons; `aligned_law` with its defaults where ``latent_dim`` is given in its place.
        activation: a name, an `Activation`, or a pair (encoder, decoder) of either; by default that of an aligned law,
            and else 'tanh'.
        encoder_rate, decoder_rate: ξ_E and ξ_D, numbers or functions of time. The same function for both is a
            step-size schedule; 0 freezes one side.
        weight_decay: λ, or a pair (λ_E, λ_D): the penalty on the square of every trained parameter, per neuron; a
            network of width N has (λ/2N) Σ|θ_i|².
        temperature: τ of mean-field Langevin dynamics, the same for both sides.
        optimizer: `GradientDescent`, `Momentum` or `Adam`, in a form that has a mean-field limit.
        train_biases: False keeps each bias as the law draws it; with a law without biases there are then none at all.
        population_points: for a stream, how many points of a fixed fresh sample stand for the population
            wherever an expectation over it is taken (the mean-field flow and the recorded risk).
        population_seed: the seed of that sample.
        latent_dim: the dimension k of the bottleneck, where it isn't that of a law.

    Raises:
        ArgumentError: where dimensions disagree, or an aligned law was calibrated for another activation.

    Warns:
        TrivialLimitWarning: where the mean-field flow would never move.

    Example:
        >>> import isthmus as im
        >>> data = im.load_data("digits", max_points=100)
        >>> problem = im.Problem(data, latent_dim=2)
        >>> problem.latent_dim, problem.dim
        (2, 64)
        >>> law = im.aligned_law(data, latent_dim=3, activation=("gelu", "tanh"), strength=1.0)
        >>> [activation.name for activation in im.Problem(data, law).activations]
        ['gelu', 'tanh']

    """

    data: Data | Stream
    law: Law = LEFT_OUT
    activation: str | Activation | tuple[str | Activation, str | Activation] = LEFT_OUT
    encoder_rate: Rate = 1.0
    decoder_rate: Rate = 1.0
    weight_decay: float | tuple[float, float] = 0.0
    temperature: float = 0.0
    optimizer: Optimizer = GRADIENT_DESCENT
    train_biases: bool = True
    population_points: int = 4096
    population_seed: int = 0
    latent_dim: int = field(default=LEFT_OUT, kw_only=True)

    def __post_init__(self) -> None:
        object.__setattr__(self, "data", as_data("data", self.data))
        _checks.integer("population_points", self.population_points, minimum=1)
        _checks.seed("population_seed", self.population_seed)
        if isinstance(self.data, Stream):
            _checks.memory("population_points", self.population_points, 8 * self.population_points * self.data.dim)
        object.__setattr__(self, "law", self._law())
        activation = self.law.activations or "tanh" if self.activation is None else self.activation
        object.__setattr__(self, "activation", activation)
        object.__setattr__(self, "latent_dim", self.law.latent_dim)
        _checks.instance("train_biases", self.train_biases, bool)
        rates.check("encoder_rate", self.encoder_rate)
        rates.check("decoder_rate", self.decoder_rate)
        check_decay(self.weight_decay)
        _checks.real("temperature", self.temperature, minimum=0)
        _checks.instance("optimizer", self.optimizer, Optimizer)
        if self.temperature > 0 and self.optimizer.has_averages:
            _checks.refuse("temperature", "be 0 with an optimizer other than GradientDescent", self.temperature)
        if isinstance(self.data, Data) and self.data.has_missing and not self.data.is_centred:
            hint = "the encoder sees 0 in the place of a missing entry; use Data(points, center=True, missing='ignore')"
            _checks.refuse("data", "be centred where entries are missing", _checks.described("not"), hint)
        if self.law.dim != self.data.dim:
            _checks.refuse("law", f"have the data dimension {self.data.dim}", self.law.dim)
        pairs = self.activations, self.law.activations or self.activations
        names, calibrated = (tuple(phi.name for phi in pair) for pair in pairs)
        if names != calibrated:
            rule = f"be the one the aligned law was calibrated for, {calibrated}"
            _checks.refuse("activation", rule, names, "leave it out here, or pass it to aligned_law too")
        if self.is_trivial:
            warn(
                "The mean-field limit of this problem is trivial: the flow never leaves its initial law, while a "
                "network of width N leaves it after a time that grows as log N (isthmus.saddle(problem) gives the "
                "growth rate and the escape time). Use aligned_law(data, latent_dim) for a limit that moves.",
                TrivialLimitWarning,
            )

    def _lines(self) -> list[tuple[str, object]]:
        decay = f", weight decay {self.weight_decay}" if any(self.decays) else ""
        noise = f", temperature {self.temperature:g}" if self.temperature else ""
        return [
            ("data", repr(self.data)),
            (
                "network",
                f"{self.dim} → {self.latent_dim} → {self.dim}, {', '.join(phi.name for phi in self.activations)}",
            ),
            ("dynamics", f"{self.optimizer}{decay}{noise}"),
            ("limit", "stands still (isthmus.saddle says how it is left)" if self.is_trivial else "moves"),
        ]

    def _law(self) -> Law:
        """Return the law that was given, or the aligned one of a latent dimension."""
        if self.law is None and self.latent_dim is None:
            _checks.refuse("law", "be given, or 'latent_dim' for an aligned one", self.law)
        if self.law is not None:
            _checks.instance("law", self.law, Law)
            if self.latent_dim is not None and _checks.integer("latent_dim", self.latent_dim, 1) != self.law.latent_dim:
                _checks.refuse("latent_dim", f"be that of the law, {self.law.latent_dim}", self.latent_dim)
            return self.law
        data = Data(self.population.points, center=True) if isinstance(self.data, Stream) else self.data
        return aligned_law(data, self.latent_dim, activation="tanh" if self.activation is None else self.activation)

    @property
    def dim(self) -> int:
        """The dimension d of the data."""
        return self.data.dim

    @cached_property
    def activations(self) -> tuple[Activation, Activation]:
        """The activations of encoder and decoder."""
        return activation_pair(self.activation)

    @property
    def rates(self) -> tuple[Rate, Rate]:
        """The rates ξ_E and ξ_D."""
        return self.encoder_rate, self.decoder_rate

    @property
    def decays(self) -> tuple[float, float]:
        """The weight decays λ_E and λ_D."""
        return check_decay(self.weight_decay)

    @property
    def motion(self) -> Motion:
        """What moves neurons: rates, optimizer, temperature, weight decays, and whether biases are trained."""
        return Motion(self.rates, self.optimizer, float(self.temperature), self.decays, self.train_biases)

    @cached_property
    def population(self) -> Data:
        """The points over which expectations are taken: the data, or the fixed sample of a stream."""
        return self.population_sample(0)

    def population_sample(self, replicate: int) -> Data:
        """Return the data, or for a stream one of several independent samples of its population."""
        if isinstance(self.data, Data):
            return self.data
        return self.data.quadrature(self.population_points, self.population_seed + replicate)

    @cached_property
    def frame(self) -> Frame:
        """The population and the law in the coordinates of the span of the points.

        Raises:
            ArgumentError: where the law isn't of `GaussianNeurons`.

        """
        return self._frame_of(0, False)

    def particles(
        self,
        count: int,
        seed: int = 0,
        replicate: int = 0,
        dtype: np.dtype = DOUBLE,
        *,
        quadrature: Quadrature = "sobol",
        sample: int = 0,
        in_span: bool | None = None,
    ) -> Particles:
        """Return particles that stand for the initial law, where a flow of them starts.

        Args:
            count: of each side; a power of 2 for Sobol' points, at most so many for a tensor rule.
            seed, replicate: of the scrambling, or of the draws; replicates are independent.
            dtype: the precision of the particles.
            quadrature: 'sobol', 'gauss_hermite', or 'iid'.
            sample: which sample of a stream's population they move on.
            in_span: whether components outside the span of the points are left out, which never act on the risk; by
                default where nothing moves them.

        Raises:
            ArgumentError: where the law isn't of `GaussianNeurons` and the rule isn't 'iid', or has too many parameters
                for a tensor rule.

        """
        if quadrature == "iid":
            key = jax.random.fold_in(jax.random.key(seed), replicate)
            drawn, start = (network.in_precision(dtype) for network in self.drawn(key, (count, count)))
            return Particles(drawn, start, self.population_sample(sample), None, seed)
        # Elsewhere components outside the span of the points act (Adam) or move on their own (noise, weight decay).
        equivariant = self.optimizer.is_rotation_equivariant
        outside = self.decays[0] > 0 if in_span is None else not in_span
        frame = self._frame_of(sample, self.temperature > 0 or outside or not equivariant)
        if quadrature == "sobol":
            measures = sobol_particles(frame, count, seed, replicate, dtype)
        else:
            measures = gauss_hermite_particles(frame, count, dtype)
        drawn = self.autoencoder(*measures)
        if equivariant:
            return Particles(drawn, self.started(drawn, frame.basis), frame.data, frame, seed)
        lifted = frame.lifted(drawn, drawn, seed)
        return Particles(lifted, self.started(lifted), self.population_sample(sample), None, seed)

    @cached_property
    def _frames(self) -> dict[tuple[int, bool], Frame]:
        return {}

    def _frame_of(self, sample: int, whole: bool) -> Frame:
        """Return the coordinates of a sample of the population, completed to a basis of all where they are whole."""
        encoder, decoder = self.law.encoder, self.law.decoder
        if not (isinstance(encoder, GaussianNeurons) and isinstance(decoder, GaussianNeurons)):
            other = next(type(law).__name__ for law in (encoder, decoder) if not isinstance(law, GaussianNeurons))
            _checks.refuse(
                "problem", "have a law of Gaussian neurons (GaussianNeurons)", _checks.described(f"one with {other}")
            )
        if (sample, whole) not in self._frames:
            self._frames[sample, whole] = Frame(self.population_sample(sample), encoder, decoder, whole=whole)
        return self._frames[sample, whole]

    @property
    def quadrature(self) -> Quadrature:
        """The rule that particles come from as it is: Sobol' points where the law is Gaussian, else draws."""
        sides = (self.law.encoder, self.law.decoder)
        return "sobol" if all(isinstance(law, GaussianNeurons) for law in sides) else "iid"

    @cached_property
    def unpredictable_because(self) -> str | None:
        """Why the law of finite networks can't be predicted from this problem's limit, as 'one whose …', or None."""
        for phi in self.activations:
            found = () if phi.smooth else kinks(phi)
            if found is None:
                return f"one whose activation {phi.name} jumps"
        if self.is_trivial:
            return "one whose mean-field limit is trivial"
        return None

    @cached_property
    def is_trivial(self) -> bool:
        """Whether the flow stands still at the initial law.

        This is so where f = 0, Dg(0) = 0 and g(0) = E x. For Gaussian laws the first two are read off the
        covariance (outgoing weights that are centred and independent of the rest); a sampled law counts as trivial
        where 4,096 draws can't tell it from one (no entry beyond 5 standard errors).
        """
        encoder, decoder = self.law.encoder, self.law.decoder
        with computing_in(DOUBLE):
            if isinstance(encoder, GaussianNeurons) and isinstance(decoder, GaussianNeurons):
                noise = encoder.outgoing_is_noise and decoder.outgoing_is_noise
                return noise and bool(np.linalg.norm(self.population.mean) <= self._mean_error)
            return sampled_law_is_trivial(self.law, self.activations, self.population, self._mean_error)

    @property
    def _mean_error(self) -> float:
        """How far from 0 the mean of the population may lie and still count as 0: for a stream, by its sample."""
        share = 1e-3 if isinstance(self.data, Data) else 5 / np.sqrt(self.population_points)
        return share * float(np.sqrt(self.population.principal_variances.sum()))

    def autoencoder(self, encoder: NeuronMeasure, decoder: NeuronMeasure) -> Autoencoder:
        """Return the autoencoder with the measures ``encoder`` and ``decoder`` and the problem's activations."""
        return Autoencoder(encoder, decoder, *self.activations)

    def started(self, network: Autoencoder, basis: np.ndarray | None = None) -> Autoencoder:
        """Return where a network of drawn neurons starts: the law's correction of it, in the network's precision.

        With ``basis`` the network is in the coordinates along its columns.
        """
        correction = self.law.correction
        if correction is None:
            return network
        turned = correction if basis is None else correction.in_axes(basis)
        return turned.of(network).in_precision(np.dtype(network.encoder.bias.dtype))

    @staticmethod
    def times(
        horizon: float,
        records: int = 40,
        *,
        step_size: float | Sequence[float] | None = None,
        spacing: Spacing = "log",
        follow: LearningCurve | None = None,
    ) -> np.ndarray:
        """Return times to record a path at: 0, the horizon, and others between them, shape (T,).

        Args:
            horizon: the last time.
            records: how many times after 0; fewer where there are fewer steps.
            step_size: ε of SGD, or several: every time is then an exact multiple of each, as `train` asks for.
            spacing: 'log', from a thousandth of the horizon (or one step) on, which shows a fast start and a slow end
                alike; 'even'.
            follow: a learning curve of this problem up to the horizon, such as a `MeanFieldPath` of few particles, on
                whose bends the times then lie more densely; `recorded_times` solves for one.

        Raises:
            ArgumentError: where the horizon is no multiple of the step size, or an argument breaks its rule.

        Example:
            >>> import isthmus as im
            >>> im.Problem.times(10.0, records=5, step_size=0.01).tolist()
            [0.0, 0.01, 0.06, 0.32, 1.79, 10.0]

        """
        return recorded_times(horizon, records, step_size, spacing, follow)

    def objective(self, network: Autoencoder) -> float:
        """Return the risk on the population plus the penalty of weight decay (without an entropy)."""
        with computing_in(DOUBLE):
            network = self.autoencoder(network.encoder, network.decoder)
            risk = network.risk(self.population.points, self.population.weights)
            return float(risk + penalty(network, self.decays, self.train_biases))

    def require_gradient_flow(self, what: str) -> None:
        """Refuse temperature, momentum and Adam, for ``what`` knows gradient flow (with weight decay) only.

        Raises:
            ArgumentError: where the problem has one of them.

        """
        if not self.motion.is_gradient_flow:
            moved = f"one at temperature {self.temperature:g}" if self.temperature else f"one with {self.optimizer}"
            _checks.refuse("problem", f"use gradient descent without noise for {what}", _checks.described(moved))

    def require_predictable(self, name: str = "problem") -> None:
        """Refuse a problem, given by way of the argument ``name``, whose networks have no law that can be predicted.

        Raises:
            ArgumentError: where `unpredictable_because` says why.

        """
        if self.unpredictable_because is not None:
            rule = "be one whose networks have a law that can be predicted"
            _checks.refuse(name, rule, _checks.described(self.unpredictable_because))

    def draw(self, key: jax.Array, widths: tuple[int, int], dtype: np.dtype) -> Autoencoder:
        """Return a network of widths (N_E, N_D) whose neurons are independent draws from the initial law.

        The draw with ``key`` is made in double precision and then rounded to ``dtype``, so that both precisions have
        the same network.
        """
        return self.drawn(key, widths)[1].in_precision(dtype)

    def drawn(self, key: jax.Array, widths: tuple[int, int]) -> tuple[Autoencoder, Autoencoder]:
        """Return the network of ``key`` and ``widths`` as `draw` does, before and after the correction of the law."""
        with computing_in(DOUBLE):
            keys = jax.random.split(jax.random.fold_in(jax.random.fold_in(key, widths[0]), widths[1]))
            encoder = self.law.encoder.sample(keys[0], widths[0])
            decoder = self.law.decoder.sample(keys[1], widths[1])
            drawn = self.autoencoder(encoder, decoder)
            return drawn, self.started(drawn)


def check_decay(value: float | tuple[float, float]) -> tuple[float, float]:
    """Return (λ_E, λ_D) from one weight decay or a pair."""
    pair = value if isinstance(value, tuple | list) else (value, value)
    if len(pair) != 2:
        _checks.refuse("weight_decay", "be one number or a pair (encoder, decoder)", value)
    return _checks.real("weight_decay", pair[0], minimum=0), _checks.real("weight_decay", pair[1], minimum=0)
