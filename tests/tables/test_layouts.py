"""What separates entries and decimals: one reading that fits every line and the names above them, or a refusal."""

import itertools

import numpy as np
import pytest

KEYS = "say separator and decimal (--separator, --decimal) where its entries are meant to be taken apart otherwise."


@pytest.mark.parametrize("separator", [";", "\t", "|"])
@pytest.mark.parametrize(
    ("beside", "word"),
    [
        (("A1", "A2", "A3", "A4"), "text ('A1' in line 2)"),
        (("01.02.2024", "02.02.2024", "03.02.2024", "04.02.2024"), "dates ('01.02.2024' in line 2)"),
        (("2024-02-01 10:00", "2024-02-01 10:05", "", ""), "dates ('2024-02-01 10:00' in line 2)"),
        (("1.234", "2.345", "4.111", "7.5"), "numbers with marks between thousands ('1.234' in line 2)"),
        (("Oslo, N", "London, UK", "x, y", "z"), "text ('Oslo, N' in line 2)"),
    ],
)
@pytest.mark.parametrize("commas", [(1, 1, 1, 1), (0, 0, 1, 0), (1, 0, 0, 0)])
def test_decimal_commas_beside_a_column_without_them(table, refusal, separator, beside, word, commas):
    values = [f"{place},5" if comma else f"{place}" for place, comma in enumerate(commas, 2)]
    lines = [f"id{separator}y", *(f"{one}{separator}{value}" for one, value in zip(beside, values, strict=True))]
    assert word in refusal(lines, decimal=",")
    if beside[0] != "1.234" or all(commas):
        said = refusal(lines)
        assert "column 'id' holds" in said or "say decimal='.' or decimal=','" in said
    found = table(lines, drop="id", decimal=",")
    np.testing.assert_array_equal(found.values[:, 0], [float(value.replace(",", ".")) for value in values])


def test_one_decimal_comma_in_a_file_tells_of_all(table):
    first = [f"{place};{place * 7 % 5}" for place in range(300)]
    for at in (0, 3, 150, 250, 299):
        lines = ["a;b", *first]
        lines[1 + at] = f"{at};0,5"
        found = table(lines, drop=())
        assert found.values[at].tolist() == [at, 0.5] and "its numbers have decimal commas" in found.notes
    column = [str(place * 7 % 11) for place in range(300)]
    np.testing.assert_array_equal(table(["x", *column, "2,5"]).values[-1], [2.5])


def test_a_decimal_comma_below_decimal_points_is_refused(refusal):
    points = [f"{place}.25" for place in range(300)]
    assert "others decimal commas ('0.25', '2,5'); say decimal" in refusal(["x", *points, "2,5"])


@pytest.mark.parametrize(
    "rows",
    [
        ["1,5,2", "2,5,3", "3,5,1"],
        ["1,5,2", "7,5,3", "3,25,1"],
        ["1,5,2", "2,3"],
        ["1,5,2"],
        ["2;3", "3;4"],
    ],
)
def test_commas_between_entries_and_before_decimals_are_refused(refusal, rows):
    said = refusal(["a,b", *rows])
    assert said.startswith(f"line 1 has {1 if ';' in rows[0] else 2} field") and said.endswith(KEYS)


@pytest.mark.parametrize(
    "lines",
    [
        ["a, b", "1,5, 2,5", "2,5, 3,5"],  # four columns below two names
        ["a;b", "1,2", "3,4"],
        ["a|b", "1;2", "3;4"],
        ["a,b,c", "1,2", "3,4", "5,6"],
        ["x", "1 2.5", "2 3"],
        ["Site,Oslo", "1,2,3,4", "2,3,4,6"],
    ],
)
def test_names_that_are_not_as_many_as_columns_are_refused(refusal, lines):
    assert refusal(lines).startswith("line 1 has ") and "where the table has" in refusal(lines)


@pytest.mark.parametrize(
    "lines",
    [
        ["x", "1,5", "2,7"],
        ["the sum", "1,50", "2,05"],
        ["1,50", "2,05", "3,00"],
        ["1,5", "-0,5"],
        ["Größe, m", "27,0", "3,05"],
    ],
)
def test_one_column_or_two_is_asked_for(table, refusal, lines):
    assert refusal(lines).startswith("its lines, such as ")
    assert table(lines, separator=";", decimal=",").values.shape[1] == 1
    if lines[0] != "x":
        return
    assert refusal(lines, separator=",") == "line 1 has 1 field, where the table has 2 columns."


def test_two_integers_between_commas_are_said_where_no_names_tell(table):
    assert table(["4,5", "2,7"]).notes[0].startswith("its commas are taken to separate two columns of integers")
    for lines, keys in ((["a,b", "4,5", "2,7"], {}), (["4,5", "2,7.5"], {}), (["4,5", "2,7"], {"separator": ","})):
        assert table(lines, **keys).notes == ()


def test_where_only_one_column_fits_all_lines_it_is_read(table):
    found = table(["Wert", "2,5", "3", "4,5"])
    np.testing.assert_array_equal(found.values, [[2.5], [3], [4.5]])
    assert found.columns == ("Wert",) and found.notes == ("its numbers have decimal commas",)


@pytest.mark.parametrize("separator", [" ", ";", "\t", ","])
@pytest.mark.parametrize("names", [("r1", "r2", "r3"), ("1", "2", "3"), ('"5"', '"3"', '"8"')])
def test_names_of_rows_below_a_line_without_a_name_for_them(table, refusal, separator, names):
    lines = [separator.join(row) for row in (("a", "b"), *((name, "1.5", "2.25") for name in names))]
    found = table(lines)
    assert found.columns == ("a", "b") and found.values.tolist() == [[1.5, 2.25]] * 3
    assert found.notes[-1] == "column '' holds the names of the rows and was left out"
    whole = [line.replace("1.5", "1").replace("2.25", "2") for line in lines]
    if separator == "," and '"' not in names[0]:
        assert refusal(whole).endswith(KEYS)  # r1,1,2 may be 1.2
        assert table(whole, decimal=".").values.tolist() == [[1, 2]] * 3
    else:
        assert table(whole).values.tolist() == [[1, 2]] * 3
    other = [line.replace(names[0], "0.5", 1) for line in lines]
    assert refusal(other).startswith("line 1 has 2 fields, where the table has 3 columns")


def test_names_of_rows_of_one_column_are_told_by_their_quotation_marks(table):
    for separator in (" ", ","):
        lines = ['"x"', *(f'"{name}"{separator}{name}.5' for name in (1, 2, 3))]
        assert table(lines).values.tolist() == [[1.5], [2.5], [3.5]]


def test_two_separators_that_fit_equally_well_are_refused(table, refusal):
    lines = ["1,2 a", "3,4 b"]
    assert refusal(lines) == "it may have commas or white space between its entries; say separator (--separator)."
    assert table(lines, separator="space", drop=1).values.tolist() == [[1.2], [3.4]]
    assert table(lines, separator=",", drop=1).values.tolist() == [[1], [3]]


TABLES = {
    "of Markdown": ["| a | b |", "|---|--:|", "| 1 | 2.5 |", "| 3 | 4 |"],
    "of Markdown, centred": ["|a|b|", "|:-:|:---|", "|1|2.5|", "|3|4|"],
    "of reStructuredText": ["+---+---+", "| a | b |", "+===+===+", "| 1 | 2.5 |", "| 3 | 4 |", "+---+---+"],
    "of Org": ["| a | b |", "|---+---|", "| 1 | 2.5 |", "| 3 | 4 |"],
    "of PostgreSQL": [" a | b ", "---+-----", " 1 | 2.5", " 3 | 4"],
    "with dashes below the names": ["a  b", "-- ---", "1  2.5", "3  4"],
    "with remarks at the end": ["a b", "1 2.5 # broken, later", "3 4#", "# 5 6"],
    "with remarks behind commas": ["a,b", "1,2.5 # see (a), not (b)", "3,4  #"],
}


@pytest.mark.parametrize("lines", TABLES.values(), ids=TABLES.keys())
def test_what_is_drawn_or_remarked_is_no_entry(table, lines):
    lines = [line.replace("4#", "4 #") for line in lines]
    found = table(lines, "table.txt")
    assert found.columns == ("a", "b") and found.values.tolist() == [[1, 2.5], [3, 4]]


def test_a_mark_in_a_text_is_no_remark(table):
    found = table(["name,a", "flat #2,1.5", '"gate 5 # 7",2', "#N/A,3"], label="name")
    assert found.labels is not None and found.labels.tolist() == ["flat #2", "gate 5 # 7", "#N/A"]
    assert np.isnan(table(["a b", "1 #N/A", "2 3"], "t.txt", missing="ignore").values).sum() == 1


def test_every_pair_of_marks_is_told_by_the_entries(table):
    """Tables of numbers with decimals are read alike however they are written, with names and without."""
    values = np.array([[1.5, 2.25, 7], [4.125, 5, 6.5], [7, 8.5, 9.75]])
    for separator, decimal, named in itertools.product(",;\t| ", ".,", (True, False)):
        if separator == decimal:
            continue
        rows = [separator.join(f"{value:g}".replace(".", decimal) for value in row) for row in values]
        found = table([separator.join("abc")] * named + rows, "table.dat")
        np.testing.assert_array_equal(found.values, values)
        assert found.columns == (("a", "b", "c") if named else None)
