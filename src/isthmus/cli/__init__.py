"""The command line: parse, call, print; no mathematics.

Heavy imports wait inside the commands, so that ``--version`` and ``--help`` answer at once.
"""

from isthmus.cli import optimum, tracking
from isthmus.cli.app import app, main

__all__ = ["app", "main", "optimum", "tracking"]
