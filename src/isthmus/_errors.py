"""What can go wrong, by kind: exceptions, a warning, and the status of a computation."""

from __future__ import annotations

from dataclasses import dataclass


class IsthmusError(Exception):
    """The base of every exception that Isthmus raises on purpose."""


class ArgumentError(IsthmusError, ValueError):
    """An argument has the right type but a value that the rule in the message excludes."""


class ArgumentTypeError(IsthmusError, TypeError):
    """An argument is of a type that can't be used."""


class NumericalError(IsthmusError, ArithmeticError):
    """A computation failed; the message names where, when and a remedy."""


class StudyFileError(IsthmusError, OSError):
    """A file or folder of a study or a model can't be read, or holds something that must not be overwritten."""


class WorkerError(IsthmusError, RuntimeError):
    """A worker on which a part of a study was computed died, or can't be reached."""


class TrivialLimitWarning(UserWarning):
    """The mean-field flow of the problem stands still at its initial law, while finite networks leave it."""


class ColumnWarning(UserWarning):
    """Columns of a table may be no measurements: row numbers, identifiers, days, or -999 for what is missing."""


class InterruptedWarning(UserWarning):
    """A computation was interrupted, and what it returns is the best that it had found by then."""


def reason(error: Exception) -> str:
    """Return why a file could not be used, in the system's words, without the number of the error and the path."""
    return getattr(error, "strerror", None) or str(error)


@dataclass(frozen=True)
class Status:
    """How a computation ended: ``ok``, and a ``message`` that names a remedy where it is not."""

    ok: bool = True
    message: str = "successful"

    def raise_if_failed(self) -> None:
        """Raise `NumericalError` with the message unless the computation succeeded."""
        if not self.ok:
            raise NumericalError(self.message)
