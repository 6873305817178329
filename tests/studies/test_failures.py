"""A job that fails takes nothing with it: what ended at the same moment is kept."""

from concurrent.futures import Executor, Future

import pytest
from toy import ToyStudy, kept, run_toy

import isthmus as im


class AtOnce(Executor):
    """An executor under which all jobs that are sent together have ended when somebody looks."""

    def submit(self, fn, /, *args, **kwargs):
        future = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except im.NumericalError as error:
            future.set_exception(error)
        return future


@pytest.mark.parametrize("number", [0, 5, 11])
def test_jobs_that_end_with_a_failing_one_are_kept(tmp_path, number):
    failing = f"draw-{number}"
    with pytest.raises(im.NumericalError, match=f"^job {failing} failed$"):
        run_toy(ToyStudy(fails=failing), executor=AtOnce(), workers=40, folder=tmp_path / "out")
    assert kept(tmp_path / "out") == sorted(f"draw-{index}" for index in range(12) if index != number)


def test_the_first_of_several_failures_is_told(tmp_path):
    """Of two that fail at once it is the first by name, whoever ended first."""

    class Both(AtOnce):
        def submit(self, fn, /, *args, **kwargs):
            future = super().submit(fn, *args, **kwargs)
            if self.sent == 3:
                future = Future()
                future.set_exception(im.NumericalError("another failed"))
            self.sent += 1
            return future

        sent = 0

    with pytest.raises(im.NumericalError, match="^job draw-0 failed$"):
        run_toy(ToyStudy(fails="draw-0"), executor=Both(), workers=40, folder=tmp_path / "out")
    assert len(kept(tmp_path / "out")) == 10
