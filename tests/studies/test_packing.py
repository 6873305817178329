"""Packing: every bit comes back, and nothing but known kinds is made."""

import dataclasses
import json

import jax
import numpy as np
import pytest

import isthmus as im
from isthmus._packing import Packed
from isthmus.studies.packing import RESULTS


def there_and_back(value):
    """Pack a value, pass it through JSON, and unpack it."""
    result = RESULTS.pack(value)
    return RESULTS.unpack(Packed(json.loads(json.dumps(result.plain, allow_nan=False)), result.arrays))


def same(one, two) -> bool:
    """Whether two values have one structure, and leaves of the same bits."""
    leaves, structure = jax.tree.flatten(one)
    others, other_structure = jax.tree.flatten(two)
    return structure == other_structure and all(map(_same_leaf, leaves, others))


def _same_leaf(one, two) -> bool:
    if not isinstance(two, np.ndarray | np.generic | jax.Array | float):
        return type(one) is type(two) and one == two
    one, two = np.asarray(one), np.asarray(two)
    return (one.dtype, one.shape, one.tobytes()) == (two.dtype, two.shape, two.tobytes())


@pytest.mark.parametrize(
    "value",
    [
        *(None, True, 3, "words", 0.1, float("inf"), [1, (2, [3.5])], (), {"a": (1, None), "b": {}}),
        np.array([[1.5, np.nan]], np.float32),
        np.array(["α", "beta"]),
        np.zeros((0, 3)),
        (im.ACTIVATIONS["erf"], im.Status(False, "try again")),
    ],
)
def test_values_come_back(value):
    assert same(there_and_back(value), value)


def test_not_a_number_comes_back():
    assert np.isnan(there_and_back(float("nan")))


def test_results_of_solvers_come_back():
    data = im.load_data("wine", max_points=16)
    problem = im.Problem(data, im.aligned_law(data, 2), weight_decay=0.1)
    path = im.solve_mean_field(problem, [0.0, 0.5], particles=4, replicates=2)
    runs = im.train(problem, [0.0, 0.5], 3, 0.25, runs=2)
    for result in (path, runs):
        back = there_and_back(result)
        for field in dataclasses.fields(result):
            assert same(getattr(back, field.name), getattr(result, field.name)), field.name
    assert back.at(0.5, 1).encoder_activation is problem.activations[0]
    np.testing.assert_array_equal(back.at(0.5, 1).reconstruct(data.points), runs.at(0.5, 1).reconstruct(data.points))


@pytest.mark.parametrize("value", [object(), {1, 2}, len, im.load_data("wine", max_points=4)])
def test_other_kinds_are_not_packed(value):
    with pytest.raises(TypeError, match="can't be packed"):
        RESULTS.pack([value])


def test_an_activation_of_ones_own_has_no_name_to_be_packed_by():
    own = dataclasses.replace(im.ACTIVATIONS["tanh"])
    with pytest.raises(TypeError, match="Activation can't be packed"):
        RESULTS.pack(own)
