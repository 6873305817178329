"""The benchmark of the parts of automatic training."""

import importlib

import pytest

from benchmarks import recipe


@pytest.mark.parametrize("title", list(recipe.CHANGES))
def test_constants_are_changed_for_a_while(title):
    value = lambda module, name: getattr(importlib.import_module(f"isthmus.estimator.{module}"), name)
    before = {key: value(*key) for key in recipe.CHANGES[title]}
    with recipe.changed(recipe.CHANGES[title]):
        assert {key: value(*key) for key in before} == recipe.CHANGES[title]
        assert all(value(*key) != old for key, old in before.items())
    assert {key: value(*key) for key in before} == before


def test_the_first_row_is_what_the_others_are_beside(capsys):
    recipe.report(quick=True)
    lines = capsys.readouterr().out.splitlines()
    assert lines[-2].startswith("| as it comes | +0.0 | +0.0 (wine) | +0.0 (wine) |")
    assert lines[-1].startswith("| long steps only | ")
