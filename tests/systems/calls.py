"""A public function with arguments that are right, and for each argument values that are wrong."""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from wrong_values import CALLBACK, WORKERS

RUN = {"workers": WORKERS, "progress": CALLBACK}
"""What is wrong for the arguments that say how a long computation runs."""


class Call(NamedTuple):
    """A public function with arguments that are right, and by argument values that are wrong."""

    name: str
    function: Callable[..., Any]
    right: dict[str, Any]
    wrong: dict[str, dict[str, Any]]

    def cases(self) -> Iterator[tuple[str, str, dict[str, Any]]]:
        """Yield each argument with the name of a wrong value and all arguments."""
        for argument, values in self.wrong.items():
            for label, value in values.items():
                yield argument, label, self.right | {argument: value}
