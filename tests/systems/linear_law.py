"""Finite linear networks whose whole law is known: their moments close, so that mean and covariance obey equations."""

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
SIZE = 9
"""Second moments of a side; those of encoder, decoder and data, (9, 9, 4), make the state."""


def problem():
    """Return the problem with d = 2 and k = 1, without biases."""
    with_bias = lambda covariance: np.pad(covariance, (0, 1))
    law = im.Law(
        im.GaussianNeurons(1, 2, covariance=with_bias(ENCODER)), im.GaussianNeurons(2, 1, covariance=with_bias(DECODER))
    )
    rates = dict(zip(("encoder_rate", "decoder_rate"), RATES, strict=True))
    return im.Problem(im.Data(POINTS, WEIGHTS), law, "linear", train_biases=False, **rates)


def parts(state):
    return state[:SIZE].reshape(3, 3), state[SIZE : 2 * SIZE].reshape(3, 3), state[2 * SIZE :].reshape(2, 2)


def generators(state, second):
    """Return K and L with which neurons of encoder and decoder move, θ̇ = Kθ, for a second moment of the data."""
    encoder, decoder, _ = parts(state)
    a, b = encoder[:1, 1:], decoder[:2, 2:]
    defect = (jnp.eye(2) - b @ a) @ second
    pull, push = b.T @ defect, defect @ a.T
    zeros = jnp.zeros
    return (
        RATES[0] * jnp.block([[zeros((1, 1)), pull], [pull.T, zeros((2, 2))]]),
        RATES[1] * jnp.block([[zeros((2, 2)), push], [push.T, zeros((1, 1))]]),
    )


def flow(state, second=None):
    """Return the velocity of the state, which is linear in the second moment of the data."""
    encoder, decoder, own = parts(state)
    k, l = generators(state, own if second is None else second)  # noqa: E741
    moves = (k @ encoder + encoder @ k.T, l @ decoder + decoder @ l.T, jnp.zeros((2, 2)))
    return jnp.concatenate([move.ravel() for move in moves])


def squares(state, second):
    """Return (K M Kᵀ, L M Lᵀ): what a step of size ε adds to the moments at second order, over ε²."""
    pairs = zip(generators(state, second), parts(state)[:2], strict=True)
    return jnp.concatenate([*((g @ m @ g.T).ravel() for g, m in pairs), jnp.zeros(4)])


def acceleration(state, second):
    """Return what −2 times a neuron's modified drift, dv/dt along the flow of these data, makes of the moments."""
    along = lambda state: flow(state, second)
    return jax.jvp(along, (state,), (along(state),))[1] - 2 * squares(state, second)


def risk(state, second):
    encoder, decoder, _ = parts(state)
    defect = jnp.eye(2) - decoder[:2, 2:] @ encoder[:1, 1:]
    return jnp.trace(defect @ second @ defect.T) / 2


SINGLE = POINTS[:, :, None] * POINTS[:, None, :]
SOURCES = ("encoder", "decoder", "batches", "sample", "steps", "shuffled")


def exact(times):
    """Return the risk, (T,), and of each source the variance and the shift at scale 1, (T,) each.

    With m the mean of the deviation at second order and P the covariance at first order,

        Ṗ = JP + PJᵀ + Q,    ṁ = Jm + ½ D²f : P + (what noise and steps add),    β = ∇R·m + ½ D²R : P .
    """
    second = np.einsum("n,nij->ij", WEIGHTS, SINGLE)
    start = np.concatenate([ENCODER.ravel(), DECODER.ravel(), second.ravel()])
    size, count = len(start), len(SOURCES)
    covariances = np.zeros((count, size, size))
    for index, (place, moments) in enumerate(((0, ENCODER), (SIZE, DECODER))):
        fourth = np.einsum("ac,bd->abcd", moments, moments) + np.einsum("ad,bc->abcd", moments, moments)
        covariances[index, place : place + SIZE, place : place + SIZE] = fourth.reshape(SIZE, SIZE)
    centred = SINGLE - second
    covariances[3, 2 * SIZE :, 2 * SIZE :] = np.einsum("n,nij,nkl->ijkl", WEIGHTS, centred, centred).reshape(4, 4)
    centred, weights = jnp.asarray(centred), jnp.asarray(WEIGHTS)

    @jax.jit
    def slope(packed):
        state, mean, spread = jnp.split(packed, [size, size + count * size])
        mean, spread = mean.reshape(count, size), spread.reshape(count, size, size)
        jacobian, bends = jax.jacfwd(flow)(state), jax.jacfwd(jax.jacfwd(flow))(state)
        noise = jax.vmap(lambda one: flow(state, one))(centred)
        ito = weights @ jax.vmap(lambda one: squares(state, one))(centred)
        alone = jax.vmap(lambda one: acceleration(state, one))(SINGLE)
        own = parts(state)[2]
        more = len(weights) * weights**2 @ alone - acceleration(state, own)
        added = jnp.zeros((count, size)).at[2].set(ito).at[4].set(-acceleration(state, own) / 2).at[5].set(-more / 2)
        mean = mean @ jacobian.T + jnp.einsum("iab,sab->si", bends, spread) / 2 + added
        drawn = jnp.zeros((count, size, size)).at[2].set((noise * weights[:, None]).T @ noise)
        spread = jnp.einsum("ij,sjk->sik", jacobian, spread)
        spread = spread + spread.transpose(0, 2, 1) + drawn
        return jnp.concatenate([flow(state), mean.ravel(), spread.ravel()])

    packed = np.concatenate([start, np.zeros(count * size), covariances.ravel()])
    found = solve_ivp(lambda _, y: np.asarray(slope(y)), (0, times[-1]), packed, "DOP853", times, rtol=1e-8, atol=1e-10)

    def measured(state, on_sample):
        return risk(state, parts(state)[2] if on_sample else jnp.asarray(second))

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
