"""The mean-field problem that an estimator's training follows: its data, units, law, optimizer and penalty."""

from __future__ import annotations

from isthmus.core.data import Data
from isthmus.core.optimizers import Motion
from isthmus.core.problem import Problem
from isthmus.estimator.judge import DOUBLE
from isthmus.estimator.start import Start


def limit_problem(start: Start, motion: Motion, weight_decay: float) -> Problem:
    """Return the problem whose path R(t) is the learning curve of an infinitely wide estimator.

    Its points are those on which the curve is measured, in the units of the computation; its law is that of neurons at
    the start, brought to PCA. Networks that `isthmus.train` trains on it are those of the estimator in law.
    """
    sample = start.sample
    return Problem(
        data=Data(sample.points.astype(DOUBLE), sample.weights),
        law=start.law,
        activation=start.activations,
        encoder_rate=motion.rates[0],
        decoder_rate=motion.rates[1],
        weight_decay=weight_decay,
        optimizer=motion.optimizer,
    )
