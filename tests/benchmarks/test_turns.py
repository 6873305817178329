"""Two checkouts are compared by the same calls."""

import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parents[2]


@pytest.mark.slow
def test_a_checkout_takes_as_long_as_itself():
    command = [sys.executable, "-m", "benchmarks.turns", ".", "--quick", "--pairs", "5", "--only", "batch 4"]
    told = subprocess.run(command, cwd=HERE, capture_output=True, text=True, check=True)
    rows = [line.split(" | ") for line in told.stdout.splitlines()[2:]]
    assert [row[0] for row in rows] == ["| train, width 64, batch 4", "| train, width 1,024, batch 4"]
    for row in rows:
        middle, lowest, highest = (float(word.strip("()")) for word in row[3].replace(" to ", " ").split())
        assert lowest <= middle <= highest and 0.5 < middle < 2
    assert "differ" not in told.stderr
