"""Shapes in annotations, checked at every call of the functions that state them."""

import typing

from beartype import beartype
from jaxtyping import AbstractArray


def shapes_checked(function):
    """Return a function that checks those of its annotations that state a shape.

    Others aren't checked: NumPy arrays serve as JAX arrays, and public functions refuse wrong types in their own words.
    """
    stated = {name: hint for name, hint in function.__annotations__.items() if _states_a_shape(hint)}
    function.__annotations__ = stated
    return beartype(function) if stated else function


def _states_a_shape(hint):
    if isinstance(hint, type) and issubclass(hint, AbstractArray):
        return True
    return any(_states_a_shape(part) for part in typing.get_args(hint))
