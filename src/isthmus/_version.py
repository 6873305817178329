"""The version, alone in its file so that ``isthmus --version`` imports nothing else."""

__version__ = "0.2.0"
"""The version of Isthmus."""
