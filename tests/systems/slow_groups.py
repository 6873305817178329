"""The partition of the slow tests into groups, of which continuous integration runs one a day."""

import zlib

import pytest

SLOW = pytest.StashKey[list[str]]()
"""The node ids of all slow tests that were collected."""
GROUPS = 20
MINUTES = 5
"""No test of a group begins later than this, so that a group takes less than 6 minutes."""


def group_of(node: str) -> int:
    """Return the group of a slow test from its node id; the cases of one function share their group.

    A checksum spreads the functions over the groups, so that a new test needs no entry anywhere.
    """
    return zlib.crc32(node.partition("[")[0].encode()) % GROUPS
