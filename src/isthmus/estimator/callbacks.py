"""The callbacks of scikit-learn, where the installed version has them."""

from __future__ import annotations

import contextlib
import importlib
from collections.abc import Callable, Iterator
from typing import Any

from numpy.typing import ArrayLike

try:
    _callback: Any = importlib.import_module("sklearn.callback")
    CallbackSupport: Any = _callback.CallbackSupportMixin
    with_callbacks: Any = _callback.with_callbacks
except ImportError:  # scikit-learn before 1.9
    CallbackSupport, with_callbacks = object, lambda method: method


@contextlib.contextmanager
def reporting(estimator: Any, X: ArrayLike, records: int | None) -> Iterator[Callable[[], bool]]:
    """Yield a function to call after each record, which returns whether a callback wants to stop."""
    if not hasattr(estimator, "_init_callback_context"):
        yield lambda: False
        return
    context = estimator._init_callback_context(max_subtasks=records)
    context.call_on_fit_task_begin(estimator=estimator, X=X)

    def report() -> bool:
        record = context.subcontext(task_name="record")
        record.call_on_fit_task_begin(estimator=estimator, X=X)
        return bool(record.call_on_fit_task_end(estimator=estimator, X=X))

    yield report
    context.call_on_fit_task_end(estimator=estimator, X=X)
