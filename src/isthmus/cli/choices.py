"""What a shell completes: the values that an option can take."""

from __future__ import annotations

from collections.abc import Callable
from typing import get_args


def completion(kind: str) -> Callable[[str], list[str]]:
    """Return what lists the values of a kind of option that go on as begun; of a pair, those of its second."""

    def completed(incomplete: str) -> list[str]:
        before, comma, begun = incomplete.rpartition(",") if kind == "activation" else ("", "", incomplete)
        return [f"{before}{comma}{value}" for value in sorted(_values(kind)) if value.startswith(begun)]

    return completed


def _values(kind: str) -> list[str]:
    """Return the values by the code that accepts them, which is imported only where a shell asks."""
    if kind == "activation":
        from isthmus.core.activations import ACTIVATIONS

        return list(ACTIVATIONS)
    from isthmus.core.scaling import Scale
    from isthmus.core.sources import SOURCES
    from isthmus.dynamics.batches import Sampling
    from isthmus.studies.specification import GENERATORS, DataSpecification, LawSpecification

    return {
        "data": [*SOURCES, *GENERATORS],
        "law": list(get_args(LawSpecification.model_fields["kind"].annotation)),
        "missing": list(get_args(DataSpecification.model_fields["missing"].annotation)),
        "sampling": list(get_args(Sampling)),
        "scale": list(get_args(Scale)),
        "separator": ["tab", "space"],
    }[kind]
