"""Files as spreadsheets, R, pandas and instruments write them: the right numbers and a word on what was assumed."""

import bz2
import gzip
import io
import lzma
import tempfile
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import isthmus as im
from isthmus.tables.files import is_table_file, read_table

NAN = np.nan
ROWS = ["0.5,1.5,2", "1,2.5,2.5", "2,0.5,1"] * 5
VALUES = np.array([[0.5, 1.5, 2], [1, 2.5, 2.5], [2, 0.5, 1]] * 5)
ABC = ["a,b,c", *ROWS]


def german(rows) -> list[str]:
    return [row.replace(",", ";").replace(".", ",") for row in rows]


def tabbed(rows) -> list[str]:
    return [row.replace(",", "\t") for row in rows]


@pytest.mark.parametrize(
    ("name", "lines"),
    [
        ("commas.csv", ABC),
        ("UPPER.CSV", ABC),
        ("semicolons.csv", [row.replace(",", ";") for row in ABC]),
        ("german.csv", german(ABC)),
        ("tabs.tsv", tabbed(ABC)),
        ("tabs.csv", tabbed(ABC)),
        ("german.txt", [row.replace(";", "\t") for row in german(ABC)]),
        ("bars.txt", [row.replace(",", "|") for row in ABC]),
        ("spaces.txt", ["  " + row.replace(",", "    ") + " " for row in ABC]),
        ("german.dat", [row.replace(";", "  ") for row in german(ABC)]),
        ("mixed.dat", ["# a b c", *(row.replace(",", "\t  ") for row in ROWS)]),
        ("after_commas.csv", [row.replace(",", ", ") for row in ABC]),
        ("quoted.csv", ['"' + row.replace(",", '","') + '"' for row in ABC]),
        ("quoted_german.csv", ['"' + row.replace(",", '","').replace(".", ",") + '"' for row in ABC]),
        ("apostrophes.csv", ["'" + row.replace(",", "','") + "'" for row in ABC]),
        ("declared.csv", ["sep=;", *(row.replace(",", ";") for row in ABC)]),
        ("blank.csv", ["", " ", *ABC[:4], "", *ABC[4:], ""]),
        ("comments.csv", ["# logger 7", "% site 2", *ABC[:4], "# restarted", *ABC[4:]]),
        ("savetxt.csv", ["# a,b,c", *ROWS]),
        ("title.csv", ["Measured in May", "", *ABC]),
        ("title_of_a_sheet.csv", ["Measured in May,,", ",,", *ABC, ",,", ",,"]),
        ("trailing.csv", [row + "," for row in ABC]),
        ("trailing_below.csv", [ABC[0], *(row + "," for row in ROWS)]),
        ("padded.csv", [row + ",,," for row in ABC]),
    ],
)
def test_dialects(table, name, lines):
    found = table(lines, name)
    np.testing.assert_array_equal(found.values, VALUES)
    assert found.columns == ("a", "b", "c")


@pytest.mark.parametrize(
    "encode",
    [
        lambda text: text.encode("utf-8-sig"),
        lambda text: text.encode("utf-16"),
        lambda text: b"\xfe\xff" + text.encode("utf-16-be"),
        lambda text: text.encode("cp1252"),
        lambda text: text.encode("utf-8").replace(b"\n", b"\r\n"),
        lambda text: text.encode("utf-8").replace(b"\n", b"\r"),
        lambda text: text.encode("utf-8").replace(b"\n", b"\r\r\n"),
        lambda text: text.encode("utf-8") + b"\x1a",
        lambda text: text.encode("utf-8").rstrip(b"\n"),
    ],
)
def test_encodings_and_ends_of_lines(table, encode):
    found = table(encode("\n".join(["größe,b,c", *ROWS]) + "\n"))
    np.testing.assert_array_equal(found.values, VALUES)
    assert found.columns == ("größe", "b", "c")


@pytest.mark.parametrize(
    ("suffix", "pack"), [(".gz", gzip.compress), (".bz2", bz2.compress), (".xz", lzma.compress), (".ZIP", None)]
)
def test_packed_files(table, refusal, suffix, pack):
    content = "\n".join(ABC).encode()
    if pack is None:
        file = io.BytesIO()
        with zipfile.ZipFile(file, "w") as archive:
            archive.writestr("t.csv", content)
        packed = file.getvalue()
    else:
        packed = pack(content)
    np.testing.assert_array_equal(table(packed, f"t.csv{suffix}").values, VALUES)
    assert "it can't be unpacked as" in refusal(b"a,b\n1,2\n", f"t.csv{suffix}")


def test_what_was_assumed_is_said(table):
    assert table(ABC).notes == ()
    assert table(tabbed(ABC), "t.tsv").notes == table(tabbed(ABC), "t.txt").notes == ()
    assert table(german(ABC)).notes == ("semicolons stand between its entries", "its numbers have decimal commas")
    assert table("ä,b\n1,2\n3,5".encode("latin-1")).notes == ("read as Windows-1252, since it is no UTF-8",)
    assert table(["Title", *ABC]).notes == ("its first line is a title",)
    assert table(["# a,b,c", *ROWS]).notes == ("the names of its columns are those of the comment above them",)


@pytest.mark.parametrize("units", ["m,s,kg", "[m],(s),kg", '"m","s","kg"'])
def test_a_line_of_units_joins_the_names(table, units):
    found = table([ABC[0], units, *ROWS])
    np.testing.assert_array_equal(found.values, VALUES)
    assert found.columns == ("a [m]", "b [s]", "c [kg]")
    assert found.notes[0].startswith("line 2 holds units: ")
    assert table([ABC[0], units, *ROWS], columns="c,a").columns == ("c [kg]", "a [m]")
    assert table([ABC[0], "m,,", *ROWS]).columns == ("a [m]", "b", "c")


@pytest.mark.parametrize(
    ("entry", "value"),
    [
        *[("1e5", 1e5), ("1E-3", 1e-3), ("1D5", 1e5), ("+1", 1), (" 7 ", 7), (".5", 0.5), ("5.", 5), ("-0", 0)],
        *[("", NAN), ("NA", NAN), ("n/a", NAN), ("#N/A", NAN), ("NaN", NAN), ("null", NAN), ("None", NAN)],
        *[("<NA>", NAN), ("?", NAN), ("-", NAN), (".", NAN), ("-999", -999), ('"3.5"', 3.5)],
    ],
)
def test_entries(table, entry, value):
    found = table(["a,b", "0.5,1", f"{entry},2", "1.5,3"], missing="ignore")
    np.testing.assert_array_equal(found.values, [[0.5, 1], [value, 2], [1.5, 3]])


def test_true_and_false_are_1_and_0(table, refusal):
    np.testing.assert_array_equal(table(["a,b", "True,1.5", "FALSE,2"]).values, [[1, 1.5], [0, 2]])
    assert "column 'a' holds numbers beside True and False ('7' in line 3)" in refusal(["a,b", "True,1.5", "7,2"])


@pytest.mark.parametrize("marker", ["", "NA", "?", "nan"])
def test_missing_values_are_refused_by_line_unless_asked_for(table, refusal, marker):
    lines = ["# log", "a,b,c", *ROWS[:2], f"1,{marker},2", f"1,2,{marker}", "1,2,3"]
    text = refusal(lines)
    assert text.startswith("2 values are missing, the first in line 5, column 'b'; missing='ignore' (--missing ignore)")
    ignored = table(lines, missing="ignore")
    assert np.isnan(ignored.values).sum() == 2 and ignored.notes == ("2 of its 15 values are missing",)
    assert table(lines, columns="a").values.shape == (5, 1)


@pytest.mark.parametrize(
    ("entry", "word"),
    [
        ("row0", "text"),
        ("5%", "percentages"),
        ("$5", "amounts of money"),
        ("5 €", "amounts of money"),
        ('"1,234.5"', "numbers with marks between thousands"),
        ("1 234", "numbers with marks between thousands"),
        ("1'234.5", "numbers with marks between thousands"),
        ("2020-01-31", "dates"),
        ("31.01.2020", "dates"),
        ("1/31/20", "dates"),
        ("2020-01-31T10:00:00", "dates"),
        ("10:05", "times of day"),
        ("1_000", "text"),
        ("0x10", "text"),
        ("#DIV/0!", "text"),
        ("1.5.2", "text"),
    ],
)
def test_what_is_no_number_is_refused_by_column_and_line(refusal, entry, word):
    text = refusal(["a,b", "1.5,2", "", f"{entry},3", "0.5,2.5"])
    assert text.startswith(f"column 'a' holds {word} ({entry.strip(chr(34))!r} in line 4); ")
    assert "drop" in text and "columns" in text and "label" in text


def test_all_columns_without_numbers_are_named_at_once(refusal):
    text = refusal(["name,a,day", "x,1.5,2020-01-01", "y,2.5,2020-01-02"])
    assert "column 'name' holds text ('x' in line 2) and column 'day' holds dates ('2020-01-01' in line 2)" in text


@pytest.mark.parametrize("entry", ["inf", "-inf", "Infinity", "1e999"])
def test_infinite_values_are_refused_unless_in_a_column_that_is_dropped(table, refusal, entry):
    lines = ["a,b", "1.5,2", f"{entry},3", "0.5,2.5"]
    assert refusal(lines, missing="ignore") == "1 value is infinite, the first in line 3, column 'a'."
    assert table(lines, drop="a").values.shape == (3, 1)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (["a,b", "1,2", "", "# x", "1,2,3"], "line 5 has 3 fields, where the table has 2 columns"),
        (["a,b", "1,2", "3,5", "7"], "line 4 has 1 field, where the table has 2 columns"),
        (["1.5,2,5", "3,1", "2,3,1", "2,2,2"], "line 2 has 2 fields, where the table has 3 columns"),
        (["a,b"], "it holds names of columns and no rows"),
        (["# only", "# comments"], "all its lines are empty or comments"),
        ([",,", ","], "all its lines are empty or comments"),
        (["a,b", '"1,2', "3,4"], "in line 2 a quotation mark is not closed"),
        (b"", "it is empty"),
        (b"\n \n", "it is empty"),
        (b"\xff\xfe\x00", "it is not text: it begins as UTF-16-LE, and goes on otherwise"),
        (bytes(range(256)), "it is not text: it holds bytes of value 0"),
        (b"a,b\n1,2\n\x01\x02,3\n", "it is not text: line 3 holds the byte 0x01"),
        (b"PK\x03\x04rest", "it is not text but a zip archive, as Excel's .xlsx and NumPy's .npz are"),
        (b"PAR1rest", "it is not text but a Parquet file"),
        (gzip.compress(b"a,b\n1,2\n", mtime=0), "it is not text but gzip data"),
        (b"\x93NUMPYrest", "it is not text but an array of NumPy (.npy)"),
        (
            ["x", "1,5", "2,7"],
            "its lines, such as '1,5', are numbers with a decimal comma or two columns; say separator",
        ),
        (["a;b", "1.234;2", "2.001;3"], "its numbers, such as '1.234', have decimals or marks between thousands; say"),
        (["a;b", "1,234;2", "2,001;3"], "its numbers, such as '1,234', have decimals or marks between thousands; say"),
        (["a,b", '"1,234",2'], "its numbers, such as '1,234', have decimals or marks between thousands; say decimal"),
        (["a;b", "1,5;2.25"], "some of its numbers have decimal points and others decimal commas ('2.25', '1,5'); say"),
        (["a;b", "1.234,5;2,5"], "column 'a' holds numbers with marks between thousands ('1.234,5' in line 2)"),
    ],
)
def test_what_is_no_table_is_refused_with_the_reason(refusal, content, reason):
    assert refusal(content).startswith(reason)


def test_keys_settle_what_is_not_certain(table, refusal):
    np.testing.assert_array_equal(table(["x", "1,5", "2,7"], separator=";").values, [[1.5], [2.7]])
    np.testing.assert_array_equal(table(["a;b", "1,234;2", "0,5;3"]).values, [[1.234, 2], [0.5, 3]])
    np.testing.assert_array_equal(table(["a;b", "1.234;2", "2.5;3"], decimal=".").values, [[1.234, 2], [2.5, 3]])
    np.testing.assert_array_equal(table(["a;b", "1,234;2"], decimal=",").values, [[1.234, 2]])
    np.testing.assert_array_equal(table(["a:b", "1:2"], separator=":").values, [[1, 2]])
    np.testing.assert_array_equal(table(["a\tb", "1\t2"], separator="tab").values, [[1, 2]])
    assert "column 'a' holds decimal commas ('1,5' in line 2)" in refusal(["a;b", "1,5;2"], decimal=".")
    assert "numbers with marks between thousands ('1.234' in line 2)" in refusal(["a;b", "1.234;2"], decimal=",")


def test_a_file_that_is_not_there_or_a_folder_is_refused(tmp_path):
    with pytest.raises(
        im.StudyFileError, match=r"none\.csv' can't be read as a table of numbers: there is no such file\.$"
    ):
        read_table(tmp_path / "none.csv")
    for name in ("wine.csv", "other.csv"):
        (tmp_path / name).write_text("a,b\n1,2\n")
    with pytest.raises(im.StudyFileError, match=r"there is no such file; did you mean 'wine\.csv'\?$"):
        read_table(tmp_path / "wien.csv")
    for name in ("folder.csv", "folder.npy", "folder.csv.gz"):
        (tmp_path / name).mkdir()
        with pytest.raises(im.StudyFileError, match="can't be read as a table of numbers: Is a directory"):
            read_table(tmp_path / name)


@pytest.mark.parametrize(
    ("options", "kind", "message"),
    [
        (
            {"missing": "drop"},
            im.ArgumentError,
            "Argument 'missing' must be one of 'refuse', 'ignore', but it is 'drop'",
        ),
        ({"decimal": ":"}, im.ArgumentError, "Argument 'decimal' must be one of '.', ',', but it is ':'"),
        ({"separator": "::"}, im.ArgumentError, "Argument 'separator' must be one character, 'tab' or 'space', but"),
        ({"separator": 5}, im.ArgumentTypeError, "Argument 'separator' must be one character"),
        ({"header": "yes"}, im.ArgumentTypeError, "Argument 'header' must be True or False, but it is 'yes'"),
        (
            {"columns": "d"},
            im.ArgumentError,
            "Argument 'columns' must name columns of the file, but it is 'd'; the col",
        ),
        ({"columns": []}, im.ArgumentError, "Argument 'columns' must hold at least 1 column, but it is empty"),
        ({"columns": 3}, im.ArgumentError, "Argument 'columns' must be at most the last column 2, but it is 3"),
        ({"columns": [True]}, im.ArgumentTypeError, "Argument 'columns' must be names of columns, or their places"),
        (
            {"drop": "a,bb"},
            im.ArgumentError,
            "Argument 'drop' must name columns of the file, but it is 'bb'; did you m",
        ),
        ({"label": "B"}, im.ArgumentError, "Argument 'label' must name columns of the file, but it is 'B'"),
    ],
)
def test_errors_name_argument_rule_and_value(table, options, kind, message):
    with pytest.raises(kind) as caught:
        table(ABC, **options)
    assert str(caught.value).startswith(message)


def test_columns_are_chosen_by_name_or_place(table, refusal):
    for chosen in ("c,a", ["c", "a"], [2, 0], ("c", 0), "2,0", np.array(["c", "a"])):
        found = table(ABC, columns=chosen)
        np.testing.assert_array_equal(found.values, VALUES[:, [2, 0]])
        assert found.columns == ("c", "a")
    for dropped in ("b", 1, ["b"], "1"):
        np.testing.assert_array_equal(table(ABC, drop=dropped).values, VALUES[:, [0, 2]])
    assert table(ABC, columns="a,b", drop="a").columns == ("b",)
    assert table(['"x, y",b', "1.5,2", "2,3"], columns="x, y").columns == ("x, y",)
    assert table(['"x, y",b,c', "1.5,2,3", "2,3,4"], columns='c,"x, y"').columns == ("c", "x, y")
    assert refusal(ABC, drop="a,b,c") == "no column is left as a feature."


def test_names_that_repeat_are_told_apart(table):
    found = table(["a,a,b", "1.5,2,3", "4,5,7"])
    assert found.columns == ("a", "a.1", "b")
    assert found.notes == ("columns with one name, 'a', were told apart by .1, .2, …",)


def test_a_label_is_no_feature(table):
    lines = ["a,b,species,grade", "1.5,2,setosa,1", "2.5,3,virginica,2"]
    found = table(lines, label="species")
    assert found.columns == ("a", "b", "grade") and found.labels is not None
    assert (found.labels.tolist(), found.notes) == (["setosa", "virginica"], ("labelled by column 'species'",))
    whole = table(lines, label="grade", drop="species").labels
    assert whole is not None and whole.dtype == np.int64 and whole.tolist() == [1, 2]
    nameless = table(["5.1,3.5,setosa", "4.9,3.0,virginica", "", "4.7,3.2,"], label=2).labels
    assert nameless is not None and nameless.tolist() == ["setosa", "virginica", ""]
    partly = table(["a,b", "1.5,3", "2.5,"], label="b").labels
    assert partly is not None and partly.tolist() == ["3.0", ""]


def test_blocks_of_rows_join_to_one_table(table, refusal, monkeypatch):
    monkeypatch.setattr("isthmus.tables.text.BLOCK_ENTRIES", 4)
    rows = [f"{i}.5,{2 * i},x{i}" if i != 5 else "NA,True,7" for i in range(9)]
    found = table(["a,b,c", *rows], label="c", drop="b", missing="ignore")
    np.testing.assert_array_equal(found.values[:, 0], [NAN if i == 5 else i + 0.5 for i in range(9)])
    assert found.labels is not None and found.labels.tolist() == [f"x{i}" if i != 5 else "7" for i in range(9)]
    assert "column 'c' holds text ('x0' in line 2)" in refusal(["a,b,c", *rows], missing="ignore")
    assert "column 'b' holds numbers beside True and False ('2' in line 3)" in refusal(["a,b,c", *rows], drop=["c"])


def test_wide_and_long_tables(table):
    values = np.random.default_rng(0).standard_normal((12, 3000)).round(3)
    for array in (values, values.T):
        text = io.StringIO()
        pd.DataFrame(array).add_prefix("g").to_csv(text, index=False)
        np.testing.assert_array_equal(table(text.getvalue().encode()).values, array)


def test_suffixes():
    yes = ["a.csv", "A.CSV", "a.tsv.gz", "a.txt", "a.dat", "a.npy", "a.NPZ", "a.parquet", "a.feather", "a.csv.zip"]
    assert all(is_table_file(Path(name)) for name in yes)
    assert not any(is_table_file(Path(name)) for name in ("a.xlsx", "a", "a.gz", ".csv", "a.zip", "csv", "a.json"))


PIECES = [*",;\t|.\"#%'- \n\r", "a", "NA", "1", "2.5", "1,5", "inf", "=", "\0", "ä"]


@settings(max_examples=150, deadline=None, derandomize=True)
@given(st.lists(st.sampled_from(PIECES), max_size=30))
def test_whatever_a_file_holds_it_is_a_table_or_refused(parts):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "t.txt"
        path.write_text("".join(parts), encoding="utf-8", newline="")
        try:
            found = read_table(path, missing="ignore")
        except im.StudyFileError:
            return
        assert found.values.ndim == 2 and found.values.size and not np.isinf(found.values).any()


numbers = st.floats(-1e12, 1e12, allow_nan=False).map(lambda value: float(f"{value:.12g}"))


@settings(max_examples=50, deadline=None, derandomize=True)
@given(
    st.integers(1, 4).flatmap(lambda d: st.lists(st.lists(numbers, min_size=d, max_size=d), min_size=1, max_size=8)),
    st.sampled_from(list(",;\t| ")),
    st.sampled_from(".,"),
    st.booleans(),
)
def test_what_is_written_is_read_where_the_keys_say_how(rows, separator, decimal, header):
    lines = [["a", "b", "c", "d"][: len(rows[0])]] if header else []
    lines += [[f"{value:.12g}".replace(".", decimal) for value in row] for row in rows]
    quoted = [[f'"{entry}"' if separator == decimal else entry for entry in line] for line in lines]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "t.csv"
        path.write_text("\n".join(separator.join(line) for line in quoted))
        keys: dict[str, Any] = {"header": header, "separator": separator, "decimal": decimal, "drop": ()}
        np.testing.assert_array_equal(read_table(path, **keys).values, rows)
