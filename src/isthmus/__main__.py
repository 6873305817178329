"""``python -m isthmus`` is ``isthmus``."""

from isthmus.cli import program

if __name__ == "__main__":
    program()
