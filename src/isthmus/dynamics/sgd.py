"""Stochastic gradient descent of finite networks in the mean-field scaling."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import ArrayLike

from isthmus import _checks
from isthmus._bars import with_bar
from isthmus._errors import Status
from isthmus._precision import Precision, computing_in, floating
from isthmus._words import counted
from isthmus.core.autoencoder import FEW_WEIGHTS, Autoencoder, Velocity
from isthmus.core.optimizers import Motion
from isthmus.core.problem import Problem
from isthmus.dynamics.batches import Batches, Sampling, check_sampling
from isthmus.dynamics.field import VectorField
from isthmus.dynamics.integrators import moved
from isthmus.dynamics.parallel import Progress, check_number_of_jobs, run_jobs
from isthmus.dynamics.results import TrainingRuns
from isthmus.dynamics.step_plan import Group, StepPlan, StepSize, plan_steps

EXPLOSION = 1e4
"""A run counts as diverged where its risk is not finite or this many times larger than that of x̂ = 0."""
NOISE = np.uint32(2**32 - 1)
"""What the key of the noise is folded with; no step has this number."""


@with_bar
def train(
    problem: Problem,
    times: ArrayLike,
    width: int | tuple[int, int],
    step_size: StepSize,
    *,
    batch_size: int = 1,
    sampling: Sampling | None = None,
    runs: int = 1,
    first_run: int = 0,
    seed: int = 0,
    start: Autoencoder | None = None,
    snapshot_times: ArrayLike | None = None,
    dtype: Precision | Any = "float32",
    workers: int | None = None,
    progress: Progress | None = None,
    throw: bool = True,
) -> TrainingRuns:
    r"""Train finite autoencoders by minibatch SGD and return the risk of each run at the given times.

    θ_i ← θ_i − ε N_E ξ_E(t) ∂ℓ_B/∂θ_i,   ω_j ← ω_j − ε N_D ξ_D(t) ∂ℓ_B/∂ω_j,   t = ε × steps,

    with ℓ_B the risk on a minibatch of B points, plus the penalty of weight decay, and outputs that carry 1/N
    (arXiv:2606.07120); at a temperature τ each step adds √(2εξτ) times a standard normal to every parameter, and an
    optimizer with memory moves neurons by its averages. Neurons start as
    independent draws from the initial law. The recorded risk is that on all data, or, for a stream, on the
    problem's fixed sample of ``population_points`` fresh points, on which no step is taken.

    Args:
        problem: data, law, activations and rates.
        times: shape (T,), non-negative and increasing; multiples of a constant step size.
        width: N, or (N_E, N_D).
        step_size: ε, or a function of time; then steps that would pass a recorded time end there.
        batch_size: B.
        sampling: 'with_replacement' (the default for data), 'without_replacement' (a fresh random order each
            epoch; a last batch that isn't full is dropped), or 'one_pass' (each point at most once; the only
            choice, and the default, for a stream).
        runs: independent runs.
        first_run: the number of the first of them, so that many runs can be computed in parts.
        seed: of initial neurons and batches. Run r of a width starts from the same neurons whatever the number
            of runs, the step size, the batch size and the precision.
        start: the network that every run starts from, in place of draws from the law.
        snapshot_times: those of ``times`` at which to keep the networks; the last one if left out, none if ().
        dtype: 'float32' or 'float64', whatever the type of the data.
        workers: threads; runs go side by side. The result doesn't depend on it.
        progress: True for a bar, or called as ``progress(done, total)`` after each run.
        throw: raise `NumericalError` where a run diverges; otherwise the status of the result says it.

    Raises:
        ArgumentError: where an argument breaks its rule.
        NumericalError: where a run diverges; the message names the run, the time and a remedy.

    Example:
        >>> import isthmus as im
        >>> data = im.load_data("digits", max_points=64)
        >>> problem = im.Problem(data, im.aligned_law(data, latent_dim=2))
        >>> runs = im.train(problem, times=[0.0, 1.0, 2.0], width=32, step_size=0.1, batch_size=4, runs=3)
        >>> runs.risk.shape, runs.encoder.outgoing.shape
        ((3, 3), (3, 32, 2))

    """
    _checks.instance("problem", problem, Problem)
    grid = _checks.times("times", times)
    widths = check_width(width)
    plan = plan_steps(problem, grid, step_size)
    batch_size = _checks.integer("batch_size", batch_size, minimum=1)
    chosen = check_sampling(problem, sampling, batch_size, plan.number_of_steps)
    _check_noise_batch(problem, batch_size, chosen)
    runs = _checks.integer("runs", runs, minimum=1)
    first_run = _checks.integer("first_run", first_run, 0, 2**31 - 1)
    seed = _checks.seed("seed", seed)
    precision = floating("dtype", dtype)
    kept = _checks.subset_of_times("snapshot_times", grid[-1] if snapshot_times is None else snapshot_times, grid)
    _checks.flag("throw", throw)
    check_memory_of_networks(problem, "width", width, widths, precision)
    check_number_of_jobs("runs", runs, 8 * len(grid))
    _checks.memory("batch_size", batch_size, batch_size * problem.dim * precision.itemsize)
    if start is not None:
        _checks.instance("start", start, Autoencoder)
        if (start.dim, start.latent_dim) != (problem.dim, problem.latent_dim):
            shape = _checks.described(f"of dimensions {(start.dim, start.latent_dim)}")
            _checks.refuse("start", f"have the problem's dimensions {(problem.dim, problem.latent_dim)}", shape)
    if start is not None and (start.encoder.width, start.decoder.width) != widths:
        shape = _checks.described(f"of widths {(start.encoder.width, start.decoder.width)}")
        _checks.refuse("start", f"be of the width {widths}", shape)
    with computing_in(precision):
        batches = Batches.of(problem, batch_size, chosen, precision)
        steps = plan.in_precision(precision)
    job = partial(_one_run, problem, widths, start, steps.groups(kept, batch_size), len(grid), batches, seed, precision)
    results = run_jobs(lambda index: job(first_run + index), runs, workers, progress)
    risk = np.stack([risk for risk, _ in results])
    diverged_at = _divergence(problem, grid, risk)
    status = _status(diverged_at, step_size, first_run)
    if throw:
        status.raise_if_failed()
    snapshots = jax.tree.map(lambda *leaves: np.stack(leaves), *(networks for _, networks in results))
    how = (step_size, batch_size, chosen, problem.optimizer.in_words)
    return TrainingRuns(grid, risk, widths, grid[kept], snapshots, diverged_at, status, *how)


def _check_noise_batch(problem: Problem, batch_size: int, sampling: Sampling) -> None:
    """Refuse batches that don't lead to the limit of an optimizer into which their noise enters."""
    if not problem.optimizer.limit_depends_on_batches:
        return
    wanted = problem.optimizer.noise_batch
    full = sampling == "without_replacement" and batch_size == problem.population.size
    if wanted is None and not full:
        given = _checks.described(f"with batches of {batch_size}, {sampling.replace('_', ' ')}")
        hint = "set Adam(batch_size=...), or train with all points at once, sampling='without_replacement'"
        _checks.refuse("optimizer", "have a batch size, since its limit depends on it", given, hint)
    if wanted is not None and wanted != batch_size:
        _checks.refuse("batch_size", f"be {wanted}, that of the problem's optimizer", batch_size)
    if wanted is not None and sampling == "without_replacement":
        _checks.refuse("sampling", "be with replacement, or one pass, for Adam(batch_size=...)", sampling)


def check_width(width: int | tuple[int, int]) -> tuple[int, int]:
    """Return (N_E, N_D) from one width or a pair."""
    pair = width if isinstance(width, tuple | list) else (width, width)
    if len(pair) != 2:
        _checks.refuse("width", "be one width or a pair (encoder, decoder)", width)
    return _checks.integer("width", pair[0], minimum=1), _checks.integer("width", pair[1], minimum=1)


def check_memory_of_networks(
    problem: Problem, name: str, value: object, widths: tuple[int, int], dtype: np.dtype
) -> None:
    """Refuse widths, given as the ``value`` of an argument, of which not one network fits in memory."""
    _checks.memory(name, value, sum(widths) * (problem.dim + problem.latent_dim + 2) * dtype.itemsize)


def run_keys(seed: int, run: int) -> tuple[jax.Array, jax.Array]:
    """Return the key of a run's initial neurons, and that of its batches."""
    initial, batches = jax.random.split(jax.random.fold_in(jax.random.key(seed), run))
    return initial, batches


def _one_run(
    problem: Problem,
    widths: tuple[int, int],
    given: Autoencoder | None,
    groups: list[Group],
    records: int,
    batches: Batches,
    seed: int,
    dtype: np.dtype,
    run: int,
) -> tuple[np.ndarray, Autoencoder | None]:
    """Return the risk at the recorded times, (T,), and the networks that are kept, (S, ...)."""
    initial_key, batch_key = run_keys(seed, run)
    if given is None:
        start = problem.draw(initial_key, widths, dtype)
    else:
        start = problem.autoencoder(given.encoder, given.decoder).in_precision(dtype)
    risk, snapshots = np.full(records, np.nan), []
    with computing_in(dtype):
        state = (start, problem.optimizer.step_start(at_rest(start)), batches.first_order())
        found = []
        for group in groups:
            drawn = batches.draws_of(batch_key, group.plan)
            state, risks = _train(state, batch_key, batches, group.plan, drawn, problem.motion)
            found.append(risks)
            if group.is_kept:
                snapshots.append(jax.tree.map(np.asarray, state[0]))
        for group, risks in zip(groups, found, strict=True):
            recorded = group.plan.record >= 0
            risk[group.plan.record[recorded]] = np.asarray(risks, float)[recorded]
    return risk, jax.tree.map(lambda *leaves: np.stack(leaves), *snapshots) if snapshots else None


@partial(jax.jit, static_argnames="motion")
def _train(
    state: tuple, key: jax.Array, batches: Batches, plan: StepPlan, drawn: jax.Array, motion: Motion
) -> tuple[tuple, jax.Array]:
    """Take the steps of some chunks; return the state, and the risk at the end of those that record it, (chunks,)."""

    def take_step(offset: jax.Array, state: tuple, chunk: StepPlan, place: jax.Array) -> tuple:
        network, averages, order = state
        step = chunk.first + offset
        points, weights, order = batches.batch(key, step, drawn[place, offset], order)
        sizes = chunk.sizes[offset], chunk.encoder_steps[offset], chunk.decoder_steps[offset]
        own = jax.random.fold_in(noise_key, step)
        return (*sgd_step(VectorField(points, weights, motion), network, averages, sizes, own), order)

    def take_chunk(state: tuple, given: tuple[StepPlan, jax.Array]) -> tuple[tuple, jax.Array]:
        chunk, place = given
        state = jax.lax.fori_loop(0, chunk.counts, partial(take_step, chunk=chunk, place=place), state)
        nothing = jnp.zeros((), batches.points.dtype)
        measured = lambda: state[0].risk(batches.points, batches.weights)
        return state, jax.lax.cond(chunk.record >= 0, measured, lambda: nothing)

    noise_key = jax.random.fold_in(key, NOISE)
    return jax.lax.scan(take_chunk, state, (plan, jnp.arange(len(drawn), dtype=np.int32)))


def at_rest(network: Autoencoder) -> Velocity:
    """Return a velocity of 0 for each neuron of a network."""
    nothing = lambda leaf: np.zeros(leaf.shape, leaf.dtype)
    return Velocity(*jax.tree.map(nothing, (network.encoder, network.decoder)))


def sgd_step(
    field: VectorField,
    network: Autoencoder,
    averages: Any,
    sizes: tuple[jax.Array, jax.Array, jax.Array],
    noise_key: jax.Array,
) -> tuple[Autoencoder, Any]:
    """Return the network and the optimizer's averages after a step on the batch that the field is over.

    Sizes are ε, εξ_E and εξ_D. A step of size 0 changes nothing.
    """
    size, encoder_size, decoder_size = sizes
    optimizer, temperature = field.motion.optimizer, field.motion.temperature
    if optimizer.has_averages:
        update, averages = optimizer.step(size, averages, field.velocity_at_rates(network, (1.0, 1.0)))
        update = update.scaled(encoder_size, decoder_size)
    else:  # sizes enter early, where they cost nothing
        update = field.velocity_at_rates(network, (encoder_size, decoder_size))
    if temperature > 0:
        scales = jnp.sqrt(2 * temperature * encoder_size), jnp.sqrt(2 * temperature * decoder_size)
        update = jax.tree.map(jnp.add, update, field.noise(network, noise_key, scales))
    late = len(field.points) == 1 or network.decoder.outgoing.size > FEW_WEIGHTS
    return moved(_after(network, update) if late else network, 1.0, update), averages


def _after(network: Autoencoder, update: Velocity) -> Autoencoder:
    """Return the network as it is, with outgoing weights of the decoder that aren't known before the encoder's update.

    They are read on the way to that update. The compiler would change them before, and so copy them at each step, which
    takes a fifth of the time of a wide network. Adding 0 changes no number.
    """
    decoder = network.decoder
    nothing = 0 * update.encoder.bias[0]
    return network.with_measures(network.encoder, replace(decoder, outgoing=decoder.outgoing + nothing))


def _divergence(problem: Problem, times: np.ndarray, risk: np.ndarray) -> np.ndarray:
    """Return the first recorded time at which each run has diverged, NaN where it hasn't."""
    population = problem.population
    limit = EXPLOSION * float(population.weights @ (population.points**2).sum(axis=1)) / 2
    bad = ~np.isfinite(risk) | (risk > np.maximum(limit, EXPLOSION * risk[:, :1]))
    return np.where(bad.any(axis=1), times[bad.argmax(axis=1)], np.nan)


def _status(diverged_at: np.ndarray, step_size: StepSize, first_run: int) -> Status:
    diverged = np.flatnonzero(~np.isnan(diverged_at))
    if len(diverged) == 0:
        return Status()
    first = int(diverged[np.argmin(diverged_at[diverged])])
    named = "the step-size schedule" if callable(step_size) else f"the step size {step_size:g}"
    remedy = "try a quarter of it" if callable(step_size) else f"try at most {step_size / 4:g}"
    return Status(
        ok=False,
        message=(
            f"{named} made run {first_run + first} diverge at t = {diverged_at[first]:g} ({len(diverged)} of "
            f"{counted(len(diverged_at), 'run')} diverged); {remedy}, or larger batches"
        ),
    )
