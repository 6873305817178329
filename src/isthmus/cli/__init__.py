"""The command line: parse, call, print; no mathematics.

Heavy imports wait inside the commands, so that ``--version`` and ``--help`` answer at once.
"""

from isthmus.cli import bottleneck, optimum, predict, report, tracking, width
from isthmus.cli.app import app, main, program

__all__ = ["app", "bottleneck", "main", "optimum", "predict", "program", "report", "tracking", "width"]
