"""Every slow test is run by continuous integration on some day."""

from collections import Counter
from pathlib import Path

import pytest
from slow_groups import GROUPS, SLOW, group_of

TESTS = Path(__file__).parent


def test_the_groups_are_a_partition_of_all_slow_tests(pytestconfig):
    """The cases of a function share a group, no group is empty or has a large part of the tests, and days run on."""
    slow = pytestconfig.stash[SLOW]
    marked = {path.name for path in TESTS.rglob("test_*.py") if "mark.slow" in path.read_text(encoding="utf-8")}
    collected = {Path(node.partition("::")[0]).name for node in slow}
    if marked - collected - {Path(__file__).name}:
        pytest.skip("only some of the tests were collected")
    functions = {node.partition("[")[0] for node in slow}
    sizes = Counter(map(group_of, functions))
    assert set(sizes) == set(range(GROUPS)) == {day % GROUPS for day in range(1, 366)}
    assert {group_of(node) for node in slow} == set(sizes) and max(sizes.values()) < 4 * len(functions) / GROUPS
