"""Shapes that annotations state hold at every call in tests, and a wrong one is seen."""

import numpy as np
import pytest
from beartype.roar import BeartypeCallHintViolation
from jaxtyping import Float, TypeCheckError, jaxtyped
from shapes import shapes_checked

from isthmus.core.masked_pca import masked_pca
from isthmus.core.sobol import matched


def test_wrong_shapes_are_refused():
    points, weights, directions = np.zeros((5, 3)), np.full(5, 0.2), np.eye(3)[:, :1]
    with pytest.raises((TypeCheckError, BeartypeCallHintViolation)):
        masked_pca(points, weights[:4], directions)
    with pytest.raises((TypeCheckError, BeartypeCallHintViolation)):
        masked_pca(points, weights, directions.T)
    with pytest.raises((TypeCheckError, BeartypeCallHintViolation)):
        matched(np.zeros(8))


def test_a_broken_twin_is_seen_by_what_it_returns():
    @jaxtyped(typechecker=shapes_checked)
    def twin(normals: Float[np.ndarray, "N p"]) -> Float[np.ndarray, "N p"]:
        return matched(normals).T

    with pytest.raises((TypeCheckError, BeartypeCallHintViolation)):
        twin(np.random.default_rng(0).standard_normal((8, 2)))
