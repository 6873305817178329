"""A measure over two-layer neurons: the one state of the theory, used for encoder and decoder alike."""

from __future__ import annotations

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import ArrayLike

from isthmus import _checks
from isthmus._display import Shown, Summary
from isthmus._words import counted


class NeuronMeasure(Summary, eqx.Module):
    r"""A measure Σ_i m_i δ_{(v_i, w_i, b_i)} over neurons x ↦ v_i φ(⟨w_i, x⟩ + b_i).

    A network of width N is the uniform measure, m_i = 1/N: this is where the factor 1/N of the mean-field
    scaling lives, and the only place. For an encoder the outgoing weight is in R^k and the incoming one in R^d;
    for a decoder the other way round. A velocity of a measure has the same type, with the rate of change of the
    masses in place of masses.

    Attributes:
        masses: shape (N,), non-negative, of sum 1.
        outgoing: outgoing weights v, shape (N, outputs).
        incoming: incoming weights w, shape (N, inputs).
        bias: biases b, shape (N,).

    Leading axes (of runs, or of times) may stand in front of all four alike.

    Example:
        >>> import isthmus as im
        >>> measure = im.NeuronMeasure.of(outgoing=[[1.0], [2.0]], incoming=[[1.0, 0.0], [0.0, 1.0]])
        >>> measure.width, measure.masses.tolist()
        (2, [0.5, 0.5])

    """

    masses: jax.Array
    outgoing: jax.Array
    incoming: jax.Array
    bias: jax.Array

    plot = Shown("cloud_plots.neurons")

    def _lines(self) -> list[tuple[str, object]]:
        axes = self.bias.shape[:-1]
        before = f"{' × '.join(map(str, axes))} times " if axes else ""
        return [
            ("neurons", f"{before}{counted(self.width, 'neuron')}, from R^{self.inputs} to R^{self.outputs}"),
            ("arrays", f"masses, outgoing, incoming, bias, of type {self.bias.dtype}"),
        ]

    @classmethod
    def of(
        cls,
        outgoing: ArrayLike,
        incoming: ArrayLike,
        bias: ArrayLike | None = None,
        masses: ArrayLike | None = None,
    ) -> NeuronMeasure:
        """Return the measure with these neurons, checked; without ``bias`` it is 0, without ``masses`` 1/N each.

        Raises:
            ArgumentError: where shapes disagree, an entry isn't finite, or masses are negative or don't sum to 1.

        Example:
            >>> import isthmus as im
            >>> im.NeuronMeasure.of(outgoing=[[1.0], [2.0]], incoming=[[1.0, 0.0], [0.0, 1.0]]).width
            2

        """
        v = _checks.array("outgoing", outgoing, ("N", "outputs"))
        width = len(v)
        w = _checks.array("incoming", incoming, (width, "inputs"), v.dtype)
        b = np.zeros(width, v.dtype) if bias is None else _checks.array("bias", bias, (width,), v.dtype)
        if masses is None:
            m = np.full(width, 1 / width, v.dtype)
        else:
            m = _checks.array("masses", masses, (width,), v.dtype)
            if m.min() < 0 or abs(m.sum() - 1) > 1e-5:
                rule = "be non-negative with sum 1"
                _checks.refuse("masses", rule, _checks.described(f"of minimum {m.min():g} and sum {m.sum():g}"))
        return cls(m, v, w, b)  # pyright: ignore[reportArgumentType]  (NumPy arrays serve as JAX arrays)

    @property
    def width(self) -> int:
        """The number of neurons N."""
        return self.bias.shape[-1]

    @property
    def outputs(self) -> int:
        """The dimension of the outgoing weights."""
        return self.outgoing.shape[-1]

    @property
    def inputs(self) -> int:
        """The dimension of the incoming weights."""
        return self.incoming.shape[-1]

    def chosen(self, rows: np.ndarray) -> NeuronMeasure:
        """Return the uniform measure on the neurons in these rows, each as often as it stands there."""
        parts = (np.asarray(part)[rows] for part in (self.outgoing, self.incoming, self.bias))
        return NeuronMeasure(np.full(len(rows), 1 / len(rows)), *parts)  # pyright: ignore[reportArgumentType]

    def second_moments(self) -> jax.Array:
        """Return ∫ (v, w)(v, w)ᵀ dμ of the joint vector (outgoing, incoming), shape (outputs + inputs,) twice."""
        joint = jnp.concatenate([self.outgoing, self.incoming], axis=-1)
        return (joint * self.masses[..., None]).T @ joint


def sides_in_words(network: Any) -> list[tuple[str, object]]:
    """Return what a summary says of both sides of an autoencoder."""
    sides = (
        ("encoder", network.encoder, network.encoder_activation),
        ("decoder", network.decoder, network.decoder_activation),
    )
    return [
        (name, f"{side.width:,} neurons, {phi.name}, from R^{side.inputs} to R^{side.outputs}")
        for name, side, phi in sides
    ]
