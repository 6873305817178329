"""Files with given lines, as they are read and refused."""

import pytest

import isthmus as im
from isthmus.tables.files import read_table
from isthmus.tables.table import Table


@pytest.fixture
def table(tmp_path):
    """Return a reader of lines, a text or bytes, in a file with a name."""

    def read(content, name="table.csv", **options) -> Table:
        text = content if isinstance(content, bytes | str) else "\n".join(content) + "\n"
        (tmp_path / name).write_bytes(text.encode() if isinstance(text, str) else text)
        return read_table(tmp_path / name, **options)

    return read


@pytest.fixture
def refusal(table):
    """Return what a reader says of a file that it refuses."""

    def read(content, name="table.csv", **options) -> str:
        with pytest.raises(im.StudyFileError) as caught:
            table(content, name, **options)
        start, _, reason = str(caught.value).partition(" can't be read as a table of numbers: ")
        assert start.startswith("Data file '") and start.endswith(f"{name}'") and reason.endswith(".")
        return reason

    return read
