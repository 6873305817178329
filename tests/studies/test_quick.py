"""Quick studies: cheaper where they can be, and never against what was asked for."""

from typing import ClassVar

import pytest

import isthmus as im
from isthmus.studies.study import Study


class Quickened(im.TrackingStudy):
    """A study with cheap values of every kind: counts, lists, tables, and a tolerance, of which more is cheaper."""

    QUICK: ClassVar = {"runs": 8, "horizon": 20.0, "widths": (32, 128), "data.max_points": 100, "rtol": 1e-3}


def test_every_value_is_the_cheap_one_where_nothing_was_said():
    quick = Quickened().quick()
    assert (quick.runs, quick.horizon, quick.widths, quick.data.max_points, quick.rtol) == (
        8,
        20.0,
        (32, 128),
        100,
        1e-3,
    )
    others = {"runs", "horizon", "widths", "data", "rtol"}
    assert quick.model_dump(exclude=others) == Quickened().model_dump(exclude=others)


def test_what_is_cheaper_already_stays():
    given = {"runs": 4, "horizon": 10.0, "widths": (8, 16), "rtol": 1e-2, "data": {"source": "wine", "max_points": 50}}
    study = Quickened(**given)
    assert study.quick() == study


def test_what_is_dearer_becomes_cheap_and_the_rest_of_its_table_stays():
    quick = Quickened(data={"source": "wine", "max_points": 150, "seed": 7}, runs=1000).quick()
    assert quick.runs == 8
    assert quick.data.model_dump(exclude_unset=True) == {"source": "wine", "max_points": 100, "seed": 7}


def test_what_is_to_be_kept_is_kept():
    quick = Quickened(runs=1000).quick(keep=["runs", "data.max_points"])
    assert (quick.runs, quick.data.max_points, quick.horizon) == (1000, None, 20.0)


def test_a_value_that_would_break_a_rule_is_left_out():
    quick = Quickened(step_sizes=[0.3], horizon=30.0).quick()
    assert (quick.horizon, quick.runs) == (30.0, 8)  # 20 is no multiple of 0.3


def test_quick_of_quick_is_quick():
    assert Quickened().quick().quick() == Quickened().quick()


@pytest.mark.parametrize(
    "kind",
    [im.TrackingStudy, im.ExpressivityStudy, im.BottleneckStudy, im.WidthStudy, im.PredictionStudy],
    ids=lambda kind: kind.__name__,
)
def test_every_study_has_a_quick_form_all_of_whose_values_take_effect(kind: type[Study]):
    usual, quick = kind(), kind().quick()
    assert kind.QUICK
    for key, value in kind.QUICK.items():
        found, before = quick, usual
        for part in key.split("."):
            found, before = getattr(found, part), getattr(before, part)
        assert found == value and found != before, key
