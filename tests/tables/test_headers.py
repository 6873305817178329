"""Which first line holds names: certain in either way, or asked for with the keys that settle it."""

import numpy as np
import pandas as pd
import pytest

import isthmus as im

NORMAL = np.random.default_rng(0).standard_normal((40, 4))


def csv(array, names=None, **options) -> str:
    frame = pd.DataFrame(array)
    return (frame if names is None else frame.set_axis(names, axis=1)).to_csv(**({"index": False} | options))


AMBIGUOUS = {
    "numbers of columns": csv(NORMAL),
    "numbers of columns from 1": csv(NORMAL, range(1, 5)),
    "numbers of columns above counts": csv(np.random.default_rng(0).poisson(5, (40, 4))),
    "numbers of two columns above a toy": "0,1\n1,2\n3,4\n5,6\n",
    "years": csv(NORMAL, range(2019, 2023)),
    "years above counts": "2019,2020\n1,2\n3,4\n5,6\n",
    "years from late to early": csv(NORMAL, range(2022, 2018, -1)),
    "years above short numbers": "2019,2020,2021\n0.5,1,2\n3,1.5,1\n2,2,0.5\n",
    "identifiers": csv(NORMAL, [17, 3, 250, 8]),
    "wavelengths": csv(NORMAL, [400.5, 401.0, 401.5, 402.0]),
    "steps of ten": "10,20,30\n1,2,1\n3,1,1\n2,2,5\n",
    "rising numbers": csv(np.random.default_rng(1).random((50, 7)), [0.5, 1.3, 2.9, 4.0, 7.5, 11.25, 16.1]),
    "one column": "0\n1.5\n2.5\n",
    "infinite or a name": "inf,2\n3,4\n5,6.5\n",
    "sodium or nothing": "Na\n1.5\n2.5\n",
    "numbers, one with a word, above alike": "5,3,setosa\n4.9,3.1,setosa\n5.1,3.2,virginica\n",
}


@pytest.mark.parametrize("text", AMBIGUOUS.values(), ids=AMBIGUOUS.keys())
def test_numbers_that_may_be_names_are_asked_for(table, text):
    with pytest.raises(im.StudyFileError) as caught:
        table(text)
    said = str(caught.value)
    assert "line 1, " in said and "may hold the names of the columns or the first point; say header=True or" in said
    assert "header=False (--header or --no-header)" in said
    rows = text.count("\n")
    first = text.splitlines()[0].split(",")
    options = {"drop": 2} if "setosa" in text else {}
    named = table(text, header=True, **options)
    assert (len(named.values), named.columns) == (rows - 1, tuple(first[: named.values.shape[1]]))
    if "inf" in text:
        return
    points = table(text, header=False, missing="ignore", **options)
    assert (len(points.values), points.columns) == (rows, None)


POINTS = {
    "reals": csv(NORMAL, header=False),
    "reals of three digits": csv(NORMAL.round(3), header=False, float_format="%.3f"),
    "short numbers": "0.5,1.5,2\n1,2.5,2.5\n2,0.5,1\n",
    "counts": csv(np.random.default_rng(0).poisson(5, (40, 4)), header=False),
    "ones and zeros": "1,0,0,1\n0,1,1,0\n1,1,1,0\n",
    "a matrix of units": csv(np.eye(3), header=False),
    "a table that counts": csv(np.arange(30.0).reshape(10, 3), header=False),
    "a toy": "1,2\n3,4\n5,6\n",
    "one row": "1,2,3\n",
    "one column": "1\n2\n3\n",
    "the same row twice": "1,2\n1,2\n",
    "cumulated": csv(np.abs(NORMAL).repeat(2, axis=1).cumsum(axis=1), header=False),
    "years as data": "1999,2004\n1987,2001\n2003,2005\n",
    "large integers": "70000,120,3\n65000,110,5\n80000,200,3\n",
}


@pytest.mark.parametrize("text", POINTS.values(), ids=POINTS.keys())
def test_numbers_that_are_like_those_below_are_a_point(table, text):
    found = table(text)
    assert (len(found.values), found.columns) == (text.count("\n"), None)


NAMES = {
    "words": ("a,b,c", "1,2,3"),
    "a word above numbers": ("name,2019,2020", "5,1.5,2"),
    "a word above words": ("name,2019,2020", "Oslo,1.5,2"),
    "nothing above words": (",2019,2020", "Oslo,1.5,2"),
    "inf": ("inf,b,c", "1,2,3"),
    "nan and inf": ("nan,inf", "1,2"),
    "elements": ("Na,K,Cl", "1.5,2,3"),
    "quoted": ('"first, name","say ""b""",c', "1,2,3"),
}


@pytest.mark.parametrize(("names", "row"), NAMES.values(), ids=NAMES.keys())
def test_words_are_names(table, names, row):
    options = {"drop": 0} if "Oslo" in row else {}
    found = table([names, row, row.replace("5", "7"), row.replace("Oslo", "Rome")], **options)
    assert len(found.values) == 3 and found.columns is not None
    if "first" in names:
        assert found.columns == ("first, name", 'say "b"', "c")


def test_words_below_words_in_a_table_without_names_are_no_names(table):
    rows = ["5.1,3.5,setosa", "4.9,3.0,setosa", "6.3,3.3,virginica"]
    found = table(rows, label=2)
    assert found.values.shape == (3, 2) and found.columns is None
    assert found.labels is not None and found.labels.tolist() == ["setosa", "setosa", "virginica"]


def test_an_index_that_counts_the_rows_is_left_out_and_said(table):
    for text, name in (
        (csv(NORMAL, list("abcd"), index=True), "''"),
        (csv(NORMAL, index=True), "''"),
        (csv(NORMAL, range(2019, 2023), index=True), "''"),
        ('"","a","b","c","d"\n' + csv(pd.DataFrame(NORMAL, index=range(1, 41)), index=True, header=False), "''"),
        (csv(pd.DataFrame(NORMAL, columns=list("abcd")).rename_axis("Unnamed: 0").reset_index()), "'Unnamed: 0'"),
        (csv(NORMAL, index=True, header=False), "0"),
    ):
        found = table(text)
        np.testing.assert_array_equal(found.values, NORMAL)
        assert found.notes == (f"column {name} counts the rows and was left out",)
        assert found.columns is None or len(found.columns) == 4
    twice = table(csv(pd.DataFrame(NORMAL).add_prefix("a").rename_axis("Unnamed: 0").reset_index(), index=True))
    np.testing.assert_array_equal(twice.values, NORMAL)
    assert len(twice.notes) == 2


def test_places_are_counted_after_the_index(table):
    text = csv(NORMAL, list("abcd"), index=True)
    assert table(text, columns=[0]).columns == ("a",)
    assert table(text, drop=0).columns == ("b", "c", "d")
    kept = table(text, drop=())
    assert kept.values.shape == (40, 5) and kept.notes == (
        "column '' counts the rows: leave it out with drop (--drop)",
    )


def test_the_index_of_a_part_and_names_of_rows_are_left_out_too(table):
    shuffled = pd.DataFrame(NORMAL, columns=list("abcd")).sample(frac=0.5, random_state=0)
    found = table(shuffled.to_csv())
    np.testing.assert_array_equal(found.values, shuffled.to_numpy())
    assert found.notes == ("column '' numbers the rows and was left out",)
    named = table(['"","mpg","cyl"', '"Mazda RX4",21,6', '"Datsun 710",22.8,4'])
    assert named.columns == ("mpg", "cyl") and named.notes == ("column '' names the rows and was left out",)


@pytest.mark.parametrize("separator", [" ", ",", "\t"])
def test_names_above_rows_with_names_as_r_writes_them(table, separator):
    rows = [['"mpg"', '"cyl"'], ['"Mazda RX4"', "21", "6"], ['"Datsun 710"', "22.8", "4"]]
    found = table([separator.join(row) for row in rows])
    np.testing.assert_array_equal(found.values, [[21, 6], [22.8, 4]])
    assert found.columns == ("mpg", "cyl")
    assert found.notes[-1] == "column '' holds the names of the rows and was left out"


def test_a_named_column_that_counts_the_rows_is_kept_and_said(table):
    found = table(["id,a,b", "1,0.5,2", "2,3.5,4"])
    assert found.columns == ("id", "a", "b") and found.notes == (
        "column 'id' counts the rows: leave it out with drop (--drop)",
    )
    assert table(["a,b", "0.5,2", "3.5,4"]).notes == ()


def test_an_unnamed_column_that_is_no_count_is_kept(table):
    assert table([",a", "0.5,2", "3.5,4"]).columns == ("", "a")
    assert table(["1", "2", "3"]).values.shape == (3, 1)


def test_a_column_without_name_and_entries_is_left_out_and_one_of_missing_values_is_not(table):
    found = table(["a,,b", "0.5,,2", "3.5,,4"])
    assert found.columns == ("a", "b") and found.notes == ("column '' is empty and was left out",)
    with pytest.raises(im.StudyFileError, match="2 values are missing"):
        table(["0.5,NA,2", "3.5,NA,4"])
