"""What the estimator is given: columns, weights, groups, validation and types, right or refused by name."""

import datetime
from functools import cache

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import xarray as xr
from scipy import sparse
from sklearn.model_selection import GroupKFold

import isthmus as im
from isthmus.estimator import folds
from isthmus.estimator.settings import Settings

pytestmark = pytest.mark.filterwarnings("ignore:the learning curve")  # runs too short to learn anything

X = np.random.default_rng(0).standard_normal((60, 4)) * [3, 2, 1, 0.5]
HOLES = np.where(X > 3, np.nan, X)
QUICK = {"width": 8, "horizon": 0.1, "step_size": 0.002, "records": 1, "random_state": 0}
REORDERED = [2, 0, 3, 1]


def quick(**changes):
    return im.MeanFieldAutoencoder(2, **QUICK | changes)


def years(table, columns):
    return pd.DataFrame(table, columns=[2020 + column for column in columns])


def days(table, columns):
    return pd.DataFrame(table, columns=pd.date_range("2024", periods=4)[columns])


def levels(table, columns):
    names = [("p", "a"), ("p", "b"), ("q", "a"), ("q", "b")]
    return pd.DataFrame(table, columns=pd.MultiIndex.from_tuples([names[column] for column in columns]))


def mixed(table, columns):
    return pd.DataFrame(table, columns=[[0, "a", None, 1.5][column] for column in columns])


def repeated(table, columns):
    return pd.DataFrame(table, columns=["aabc"[column] for column in columns])


def nameless(table, columns):
    return pd.DataFrame(table, columns=list(columns))


def strings(table, columns):
    return pd.DataFrame(table, columns=["abcd"[column] for column in columns])


def polars_frame(table, columns):
    return pl.DataFrame(table, schema=["abcd"[column] for column in columns])


def arrow_batch(table, columns):
    return pa.RecordBatch.from_arrays(
        [pa.array(part) for part in table.T], names=["abcd"[column] for column in columns]
    )


def records(table, columns):
    return strings(table, columns).to_records(index=False)


def labelled(table, columns):
    return xr.DataArray(table, dims=("row", "place"), coords={"place": [10 * column for column in columns]})


FRAMES = [
    *(years, days, levels, mixed, repeated, nameless, strings),
    *(polars_frame, arrow_batch, records, labelled),
]
ORDER = "(columns of the fit in their order, but it is .* the same in another order; column 0|in the same order)"


@pytest.mark.parametrize("frame", FRAMES)
def test_columns_in_another_order_are_refused_whatever_their_names(frame):
    whole, other = frame(X, range(4)), frame(X[:, REORDERED], REORDERED)
    model, plain = quick().fit(whole), quick().fit(X)
    np.testing.assert_allclose(model.transform(whole), plain.transform(X), rtol=1e-12)
    stream = quick().partial_fit(whole)
    stream.partial_fit(whole)
    calls = [model.transform, model.score, model.predict, model.reconstruction_error, model.diagnose]
    for call in [*calls, stream.partial_fit, stream.transform, lambda V: model.resized(4, V)]:
        with pytest.raises(ValueError, match=ORDER):
            call(other)
    with pytest.raises(im.ArgumentError, match=f"^Argument 'validation' must have the {ORDER}"):
        quick().fit(whole, validation=other)
    assert quick().fit(whole, validation=whole).risk_ == pytest.approx(plain.risk_)


@pytest.mark.parametrize("frame", [years, levels, records, arrow_batch])
def test_other_names_are_refused_and_none_are_warned_of(frame):
    model = quick().fit(frame(X, range(4)))
    with pytest.raises(
        im.ArgumentError, match="but it is a table of others; .* missing and 'other', 'v', 'w' and 'z' new"
    ):
        model.transform(pd.DataFrame(X, columns=["other", "v", "w", "z"]))
    with pytest.warns(
        UserWarning, match="X does not have valid feature names, but MeanFieldAutoencoder was fitted with"
    ):
        model.transform(X)
    with pytest.warns(UserWarning, match="validation does not have valid feature names"):
        quick().fit(frame(X, range(4)), validation=X)
    with pytest.warns(UserWarning, match="X has feature names, but MeanFieldAutoencoder was fitted without"):
        quick().fit(X).transform(frame(X, range(4)))


def test_names_are_the_same_in_every_kind_of_frame_and_after_saving(tmp_path):
    model = quick().fit(years(X, range(4)))
    assert not hasattr(model, "feature_names_in_")  # as in scikit-learn, where names aren't strings
    model.save(tmp_path / "model")
    loaded = im.MeanFieldAutoencoder.load(tmp_path / "model")
    for one in (model, loaded):
        as_strings = polars_frame(X, range(4)).rename(dict(zip("abcd", map(str, range(2020, 2024)), strict=True)))
        np.testing.assert_array_equal(one.transform(as_strings), one.transform(years(X, range(4))))
        with pytest.raises(im.ArgumentError, match="column 0 is '2022', where '2020' is wanted"):
            one.transform(years(X[:, REORDERED], REORDERED))
    model = quick().fit(strings(X, range(4)))
    assert list(model.feature_names_in_) == list("abcd")
    for frame in (polars_frame, arrow_batch, records):
        assert model.score(frame(X, range(4))) == model.score(strings(X, range(4)))
    assert not hasattr(model.fit(X), "feature_names_in_")
    assert quick().fit(nameless(X, range(4))).score(X) == model.score(X)  # numbers that count columns are no names
    with pytest.warns(UserWarning, match="X does not have valid feature names"):  # as in scikit-learn
        assert quick().fit(nameless(X, REORDERED)).score(X) == model.score(X)


def test_latents_in_another_order_and_masked_latents_are_refused():
    model = quick().set_output(transform="pandas").fit(X)
    latents = model.transform(X)
    assert model.inverse_transform(latents).shape == X.shape
    with pytest.raises(im.ArgumentError, match="'X' must have the columns of latents in their order"):
        model.inverse_transform(latents.iloc[:, ::-1])
    for hidden in (np.ma.masked_greater(latents.to_numpy(), 0), latents.where(latents < 0)):
        with pytest.raises(
            im.ArgumentError, match="^Argument 'X' must be finite, but it is missing, NaN or infinite in"
        ):
            model.inverse_transform(hidden)
    with pytest.raises(im.ArgumentTypeError, match="datetime64"):
        model.inverse_transform(np.ones((3, 2), "M8[s]"))


TYPES = {
    "dates": (X.astype("M8[s]"), "datetime64.*turn dates into numbers"),
    "durations": (X.astype("m8[h]"), "timedelta64.*turn durations into numbers"),
    "numbers in words": (X.astype(str), "turn text into numbers"),
    "the same in lists": (X.astype(str).tolist(), "turn text into numbers"),
    "words among numbers": ([[1, "2"], [3, "4"]] * 20, "turn text into numbers"),
    "bytes": (X.astype("S"), "turn text into numbers"),
    "words as objects": (X.astype(str).astype(object), "text in column"),
    "days": ([[datetime.date(2024, 1, 1), datetime.date(2024, 1, 2)]] * 20, "dates in column"),
    "ragged": ([[1.0, 2.0], [3.0]], "ragged"),
}


@pytest.mark.parametrize("name", TYPES)
def test_what_holds_no_numbers_is_refused_by_the_word_for_it(name):
    table, match = TYPES[name]
    for given in ("X", "validation"):
        with pytest.raises(im.ArgumentTypeError, match=f"^Argument '{given}' must .*{match}"):
            quick().fit(table) if given == "X" else quick().fit(X, validation=table)


def test_shapes_are_refused_in_the_words_of_scikit_learn():
    for table, match in (
        (X[0], "Expected 2D array, got 1D array instead"),
        (3.0, "Expected 2D array, got scalar array instead"),
        (X[None], "dim 3"),
        (X[:0], r"0 sample\(s\)"),
        (X[:, :0], r"0 feature\(s\)"),
        (X[:1], r"1 sample\(s\) .* minimum of 2"),
        (strings(X[:1], range(4)), r"1 sample\(s\) .* minimum of 2"),
        (X + 1j, "Complex data not supported"),
        ([1.0, 2.0], r"shape \(n, d\)"),
        ([], r"shape \(n, d\)"),
        (strings(X, range(4))["a"], "a Series of 60 entries"),
        (strings(X[:0], range(4)), "not be empty"),
    ):
        with pytest.raises(ValueError, match=match):
            quick().fit(table)
    assert quick().partial_fit(X[:1]).transform(X[:1].tolist()).shape == (1, 2)


HIDDEN = {
    "NaN": (HOLES, "columns 0 and 1"),
    "masked": (np.ma.masked_greater(X, 3), "columns 0 and 1"),
    "a frame": (strings(HOLES, range(4)), "columns 'a' and 'b'"),
    "a nullable frame": (strings(HOLES, range(4)).convert_dtypes(), "columns 'a' and 'b'"),
    "polars": (polars_frame(HOLES, range(4)), "columns 'a' and 'b'"),
    "infinity": (np.where(np.isnan(HOLES), np.inf, HOLES), "columns 0 and 1"),
    "objects": (np.where(np.isnan(HOLES), None, HOLES), "columns '?0'? and '?1'?"),
}


@pytest.mark.parametrize("name", HIDDEN)
def test_missing_entries_are_refused_with_their_columns_and_the_remedy(name):
    table, columns = HIDDEN[name]
    count = int(np.isnan(HOLES).sum())
    found = f"must be finite, but it is missing, NaN or infinite in {count} of 240 entries; they are in {columns}"
    ignored = "" if name == "infinity" else ", or leave them out of the loss by missing='ignore'"
    remedy = f"remove or impute them{ignored}\\.$"
    model = quick().fit(table.iloc[:0:-1].fillna(0.0) if isinstance(table, pd.DataFrame) else X)
    for call in (quick().fit, model.transform, model.score, model.predict, model.reconstruction_error):
        if name == "polars" and call != quick().fit:
            continue  # its names aren't those of an array
        with pytest.raises(im.ArgumentError, match=f"^Argument 'X' {found}: {remedy}"):
            call(table)
    streamed = remedy if name == "infinity" else "remove or impute them, since partial_fit"
    with pytest.raises(im.ArgumentError, match=f"^Argument 'X' {found}: {streamed}"):
        quick().partial_fit(table)
    whole = table.fillna(0.0) if isinstance(table, pd.DataFrame) else X
    if name != "polars":
        with pytest.raises(im.ArgumentError, match=f"^Argument 'validation' {found}: {remedy}"):
            quick().fit(whole, validation=table)


def test_faults_of_validation_are_called_so():
    for table, match in (
        (X[:, :3], r"have 4 columns, as X has, but it is of shape \(60, 3\)"),
        (sparse.csr_array(X[:, :3]), r"have 4 columns, as X has, but it is of shape \(60, 3\)"),
        (X * 1e200, "be at most .*, so that squares are finite"),
        (X[:0], "not be empty"),
        (sparse.csr_array(X[:0]), "not be empty"),
        (sparse.csr_array(HOLES), "be finite, but it is NaN or infinite in"),
        (X[0], r"have shape \(n, d\)"),
    ):
        with pytest.raises(im.ArgumentError, match=f"^Argument 'validation' must {match}"):
            quick().fit(X, validation=table)
    with pytest.raises(im.ArgumentError, match="^Argument 'validation' .* plus or minus infinity in .* of 240 entries"):
        quick(missing="ignore").fit(HOLES, validation=np.where(np.isnan(HOLES), -np.inf, X))


@cache
def fitted():
    return quick().fit(X)


METHODS = {
    "fit": lambda weights: quick().fit(X, sample_weight=weights).unit_,
    "partial_fit": lambda weights: quick().partial_fit(X, sample_weight=weights).unit_,
    "score": lambda weights: fitted().score(X, sample_weight=weights),
    "diagnose": lambda weights: fitted().diagnose(X, weights, compare=False).objective,
}


WEIGHTS = {
    "masked": (np.ma.masked_less(np.arange(60.0), 3), "have no masked entries"),
    "null": (pd.Series([1, None] * 30, dtype="Int64"), "be finite, but it is NaN or infinite in 30 of 60 entries"),
    "NaN": ([np.nan, *[1.0] * 59], "be finite"),
    "infinite": ([np.inf, *[1.0] * 59], "be finite"),
    "negative": ([1.0, -0.5, *[1.0] * 58], "be non-negative, but it is -0.5 in row 1"),
    "zero": (np.zeros(60), "hold a weight that is not zero, but it is zero throughout"),
    "words": (["1"] * 60, "hold numbers, but it is text"),
    "dates": (pd.Series(pd.date_range("2024", periods=60)), "hold numbers, but it is dates"),
    "few": (np.ones(3), r"have shape \(60,\), but it is of shape \(3,\)"),
    "a column": (np.ones((60, 1)), r"have shape \(60,\), but it is of shape \(60, 1\)"),
    "a negative number": (-1.0, "be a finite number above 0"),
}


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("name", WEIGHTS)
def test_weights_are_refused_alike_by_all_methods(name, method):
    weights, match = WEIGHTS[name]
    with pytest.raises((im.ArgumentError, im.ArgumentTypeError), match=f"^Argument 'sample_weight' must {match}"):
        METHODS[method](weights)


@pytest.mark.parametrize("method", METHODS)
def test_weights_of_any_kind_and_unit_count_alike(method):
    some, equal = np.random.default_rng(1).random(60), np.ones(60)
    units = [(some, some * 1e308), (equal, equal * 5e-324), (equal, equal * 1.7e308)]
    kinds = [
        *((some, pd.Series(some, index=range(60, 0, -1))), (some, pl.Series(some)), (some, some.astype(object))),
        *((equal, None), (equal, 3.0), (equal, equal > 0), (equal, pd.Series([1] * 60, dtype="Int64"))),
    ]
    pairs = {"score": units + kinds, "diagnose": units[:1]}.get(method, units)  # a diagnosis takes seconds
    for plain, weights in pairs:
        assert METHODS[method](weights) == pytest.approx(METHODS[method](plain), rel=1e-9)


def test_streams_take_weights_whose_sum_leaves_double_precision(tmp_path):
    found = []
    for weight in (1.0, 1.7e308, 5e-324):
        model = quick()
        for scale in (1.0, 3.0, 0.5):
            model.partial_fit(scale * X, sample_weight=np.full(60, weight))
            model.save(tmp_path / "stream")
            model = im.MeanFieldAutoencoder.load(tmp_path / "stream")
        found.append(model.unit_)
    np.testing.assert_allclose(found, found[0], rtol=1e-12)


GROUPS = {
    "words and numbers": [1, "b", 2.5] * 20,
    "the same as objects": np.array([1, "b", 2.5] * 20, dtype=object),
    "1 and its word": [1, "1", 2] * 20,
    "pairs": [("a", 1), ("a", 2), ("b", 1)] * 20,
    "categories": pd.Series(["x", "y", "z"] * 20, dtype="category"),
    "polars": pl.Series(["x", "y", "z"] * 20),
    "arrow": pa.array([3, 2, 1] * 20),
    "days": pd.Series(pd.date_range("2024", periods=3).tolist() * 20),
}


@pytest.mark.parametrize("name", GROUPS)
def test_groups_of_any_names_are_held_out_whole(name):
    settings = Settings.of(im.MeanFieldAutoencoder().get_params())
    weights = np.full(60, 1 / 60)
    splits = folds.splits_of(X, weights, GROUPS[name], settings, np.random.default_rng(0))
    assert sorted(np.flatnonzero(split.held_out).tolist() for split in splits) == [
        list(range(first, 60, 3)) for first in range(3)
    ]
    order = np.random.default_rng(2).permutation(60)
    numbers = folds.group_numbers(GROUPS[name], 60)
    shuffled = [list(GROUPS[name])[row] for row in order] if not isinstance(GROUPS[name], pa.Array) else numbers[order]
    np.testing.assert_array_equal(folds.group_numbers(shuffled, 60), numbers[order])
    model = im.MeanFieldAutoencoder(2, width=8, cv=GroupKFold(3), max_time=0.1, random_state=0)
    assert "held-out risk" in model.fit(X, groups=GROUPS[name]).chosen_


def test_groups_without_a_name_are_refused():
    nothing = [None, float("nan"), pd.NA, pd.NaT, np.datetime64("NaT")]
    tables = [
        np.array([1.0, np.nan] * 30),
        np.ma.masked_equal([1, 2] * 30, 1),
        pd.Series([1, None] * 30, dtype="Int64"),
    ]
    tables += [pl.Series(["a", None] * 30), pa.array([1, None] * 30), *([name, *"ab" * 29, "b"] for name in nothing)]
    for groups in tables:
        for options in ({}, {"early_stopping": True}, {"cv": GroupKFold(2)}):
            with pytest.raises(
                im.ArgumentError, match="^Argument 'groups' must name the group of every row, but it is missing"
            ):
                im.MeanFieldAutoencoder(2, width=8, **options).fit(X, groups=groups)
    for groups, match in (([1, 2], r"shape \(2,\)"), (np.ones((60, 1)), r"shape \(60, 1\)"), ([[1]] * 60, "lists")):
        with pytest.raises((im.ArgumentError, im.ArgumentTypeError), match=f"^Argument 'groups' must .*{match}"):
            im.MeanFieldAutoencoder(2, width=8).fit(X, groups=groups)


def test_too_few_groups_and_rows_are_told_apart():
    for options in ({}, {"early_stopping": True}, {"cv": 3}):
        model = im.MeanFieldAutoencoder(2, width=8, max_time=0.1, random_state=0, **options)
        assert model.fit(X, groups=["a"] * 60).chosen_ == (
            "PCA: too few groups (2 are needed) to find a better network."
        )
        assert "held-out risk" in model.fit(X, groups=["a", "b"] * 30).chosen_
        for count in (3, 9):
            for groups in (None, list("ab" * 60)[:count]):
                plain = model.set_params(n_components=1).fit(X[:count], groups=groups)
                assert plain.chosen_ == "PCA: too few rows differ (10 are needed) to find a better network."
    assert len(quick(early_stopping=True).fit(X[:9]).held_out_) == 0
    held_out = quick(early_stopping=True).fit(X, groups=["a", "b"] * 30).held_out_
    np.testing.assert_array_equal(held_out, range(held_out[0], 60, 2))
