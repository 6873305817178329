"""Finite linear networks whose whole law is known: their moments close, so that mean and covariance obey equations."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from scipy.integrate import solve_ivp

import isthmus as im

POINTS = np.array([[1.8, 0.0], [-0.6, 0.0], [0.4, 0.0], [-0.3, 0.0], [0.7, 0.0]])
"""The first one dominates, so that an average over random signs of points is known from few of them."""
WEIGHTS = np.array([0.25, 0.2, 0.15, 0.3, 0.1])
RATES = 1.5, 0.6
ENCODER = np.array([[1.0, 0.6, 0.0], [0.6, 0.8, 0.0], [0.0, 0.0, 0.3]])
"""Covariance of (a, w_1, w_2)."""
DECODER = np.array([[0.9, 0.0, 0.5], [0.0, 3.0, 0.0], [0.5, 0.0, 1.1]])
"""Covariance of (c_1, c_2, u): along the second axis there are no points, and c_2 is noise."""
SOURCES = ("encoder", "decoder", "batches", "sample", "steps", "shuffled")
SINGLE = POINTS[:, :, None] * POINTS[:, None, :]


def problem(memory=None):
    """Return the problem with d = 2 and k = 1, without biases, under momentum with this memory where there is one."""
    with_bias = lambda covariance: np.pad(covariance, (0, 1))
    law = im.Law(
        im.GaussianNeurons(1, 2, covariance=with_bias(ENCODER)), im.GaussianNeurons(2, 1, covariance=with_bias(DECODER))
    )
    rates = dict(zip(("encoder_rate", "decoder_rate"), RATES, strict=True))
    rates |= {} if memory is None else {"optimizer": im.Momentum(memory)}
    return im.Problem(im.Data(POINTS, WEIGHTS), law, "linear", train_biases=False, **rates)


class Moments:
    """The equations of the second moments of neurons, or of neurons and their averages under momentum, and of the data.

    A neuron z, θ or (θ, m), moves by ż = Az, with A a function of the moments of the other neurons: so moments close.
    """

    def __init__(self, memory):
        self.memory = memory
        self.width = 3 if memory is None else 6
        self.size = self.width**2

    def start(self):
        """Return the state at the start: moments of encoder, decoder and data."""
        second = np.einsum("n,nij->ij", WEIGHTS, SINGLE)
        resting = [np.pad(moments, (0, self.width - 3)) for moments in (ENCODER, DECODER)]
        return np.concatenate([*(moments.ravel() for moments in resting), second.ravel()])

    def parts(self, state):
        width, size = self.width, self.size
        sides = state[:size].reshape(width, width), state[size : 2 * size].reshape(width, width)
        return (*sides, state[2 * size :].reshape(2, 2))

    def generators(self, state, second):
        """Return A of encoder and decoder for a second moment of the data."""
        encoder, decoder, _ = self.parts(state)
        a, b = encoder[:1, 1:3], decoder[:2, 2:3]
        defect = (jnp.eye(2) - b @ a) @ second
        pull, push = b.T @ defect, defect @ a.T
        zeros, eye = jnp.zeros, jnp.eye(3)
        unit = (
            jnp.block([[zeros((1, 1)), pull], [pull.T, zeros((2, 2))]]),
            jnp.block([[zeros((2, 2)), push], [push.T, zeros((1, 1))]]),
        )
        if self.memory is None:
            return tuple(rate * one for rate, one in zip(RATES, unit, strict=True))
        return tuple(
            jnp.block([[zeros((3, 3)), rate * eye], [one / self.memory, -eye / self.memory]])
            for rate, one in zip(RATES, unit, strict=True)
        )

    def noise(self, state, deviation):
        """Return what a deviation of the second moment of the data adds to A."""
        own = self.parts(state)[2]
        pairs = zip(self.generators(state, own + deviation), self.generators(state, own), strict=True)
        return tuple(one - other for one, other in pairs)

    def excess(self, state, second):
        """Return C, of steps z ← z + εAz + ε²Cz: under momentum neurons move by the new m."""
        if self.memory is None:
            return (jnp.zeros((3, 3)),) * 2
        lower = (one[3:] for one in self.generators(state, second))
        return tuple(jnp.pad(rate * one, ((0, 3), (0, 0))) for rate, one in zip(RATES, lower, strict=True))

    def moved(self, state, by):
        """Return AM + MAᵀ of both sides, and 0 for the data."""
        moves = [g @ m + m @ g.T for g, m in zip(by, self.parts(state)[:2], strict=True)]
        return jnp.concatenate([*(move.ravel() for move in moves), jnp.zeros(4)])

    def squares(self, state, by):
        """Return AMAᵀ of both sides: what a step of size ε adds to the moments at second order, over ε²."""
        pairs = zip(by, self.parts(state)[:2], strict=True)
        return jnp.concatenate([*((g @ m @ g.T).ravel() for g, m in pairs), jnp.zeros(4)])

    def flow(self, state):
        """Return the velocity of the state."""
        return self.moved(state, self.generators(state, self.parts(state)[2]))

    def acceleration(self, state, second):
        """Return what −2 times a neuron's modified drift makes of the moments: dv/dt along the flow, less excess."""
        along = lambda state: self.moved(state, self.generators(state, second))
        bent = jax.jvp(along, (state,), (along(state),))[1] - 2 * self.squares(state, self.generators(state, second))
        return bent - 2 * self.moved(state, self.excess(state, second))

    def risk(self, state, second):
        encoder, decoder, _ = self.parts(state)
        defect = jnp.eye(2) - decoder[:2, 2:3] @ encoder[:1, 1:3]
        return jnp.trace(defect @ second @ defect.T) / 2

    def drawn(self):
        """Return the covariances that draws of neurons and points make of the state, by source."""
        size = self.size
        covariances = np.zeros((len(SOURCES), len(self.start()), len(self.start())))
        second = np.einsum("n,nij->ij", WEIGHTS, SINGLE)
        for index, moments in enumerate((ENCODER, DECODER)):
            moments = np.pad(moments, (0, self.width - 3))
            fourth = np.einsum("ac,bd->abcd", moments, moments) + np.einsum("ad,bc->abcd", moments, moments)
            place = slice(index * size, (index + 1) * size)
            covariances[index, place, place] = fourth.reshape(size, size)
        centred = SINGLE - second
        covariances[3, 2 * size :, 2 * size :] = np.einsum("n,nij,nkl->ijkl", WEIGHTS, centred, centred).reshape(4, 4)
        return covariances


def exact(times, memory=None):
    """Return the risk, (T,), and of each source the variance and the shift at scale 1, (T,) each.

    With m the mean of the deviation at second order and P the covariance at first order,

        Ṗ = JP + PJᵀ + Q,    ṁ = Jm + ½ D²f : P + (what noise and steps add),    β = ∇R·m + ½ D²R : P .

    Under momentum the drift of batches in random order isn't that of 'shuffled'.
    """
    system = Moments(memory)
    second = np.einsum("n,nij->ij", WEIGHTS, SINGLE)
    start, covariances = system.start(), system.drawn()
    size, count = len(start), len(SOURCES)
    centred, weights = jnp.asarray(SINGLE - second), jnp.asarray(WEIGHTS)

    @jax.jit
    def slope(packed):
        state, mean, spread = jnp.split(packed, [size, size + count * size])
        mean, spread = mean.reshape(count, size), spread.reshape(count, size, size)
        jacobian = jax.jacfwd(system.flow)(state)
        along = lambda state, direction: jax.jvp(system.flow, (state,), (direction,))[1]
        bend = lambda direction, axis: jax.jvp(lambda state: along(state, direction), (state,), (axis,))[1]
        bends = jax.vmap(lambda spread: jax.vmap(bend)(spread, jnp.eye(size)).sum(axis=0))(spread)  # D²f : P
        of_points = lambda function, seconds: jax.vmap(partial(function, state))(seconds)
        kicks = of_points(system.noise, centred)
        noise, ito = of_points(system.moved, kicks), weights @ of_points(system.squares, kicks)
        alone = of_points(system.acceleration, jnp.asarray(SINGLE))
        together = system.acceleration(state, system.parts(state)[2])
        more = len(weights) * weights**2 @ alone - together
        added = jnp.zeros((count, size)).at[2].set(ito).at[4].set(-together / 2).at[5].set(-more / 2)
        mean = mean @ jacobian.T + bends / 2 + added
        drawn = jnp.zeros((count, size, size)).at[2].set((noise * weights[:, None]).T @ noise)
        spread = jnp.einsum("ij,sjk->sik", jacobian, spread)
        spread = spread + spread.transpose(0, 2, 1) + drawn
        return jnp.concatenate([system.flow(state), mean.ravel(), spread.ravel()])

    packed = np.concatenate([start, np.zeros(count * size), covariances.ravel()])
    found = solve_ivp(lambda _, y: np.asarray(slope(y)), (0, times[-1]), packed, "DOP853", times, rtol=1e-7, atol=1e-9)

    def measured(state, on_sample):
        return system.risk(state, system.parts(state)[2] if on_sample else jnp.asarray(second))

    @jax.jit
    def told(packed):
        state, mean, spread = jnp.split(packed, [size, size + count * size])
        mean, spread = mean.reshape(count, size), spread.reshape(count, size, size)
        results = [measured(state, False)]
        for on_sample in (False, True):
            of = lambda state, on_sample=on_sample: measured(state, on_sample)
            gradient, hessian = jax.grad(of)(state), jax.hessian(of)(state)
            results.append(jnp.einsum("a,sab,b->s", gradient, spread, gradient))
            results.append(mean @ gradient + jnp.einsum("ab,sab->s", hessian, spread) / 2)
        return results

    columns = [told(jnp.asarray(column)) for column in found.y.T]
    limit, variance, shift, own_variance, own_shift = (np.array(part) for part in zip(*columns, strict=True))
    law = {name: (variance[:, index], shift[:, index]) for index, name in enumerate(SOURCES)}
    return limit, law | {"own_sample": (own_variance[:, 3], own_shift[:, 3])}
