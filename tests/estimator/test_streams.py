"""Streams: rows one by one, a mean and unit that move, and networks that are no worse than PCA of the stream."""

import copy
import warnings
from typing import Any

import jax
import numpy as np
import pytest
from sklearn.datasets import load_wine, make_swiss_roll
from sklearn.decomposition import IncrementalPCA
from sklearn.preprocessing import StandardScaler

import isthmus as im
from isthmus._precision import computing_in
from isthmus.core.optimizers import Adam, Momentum
from isthmus.core.scaling import Scaling
from isthmus.dynamics.evaluation import reconstructed
from isthmus.dynamics.learner import Memory
from isthmus.estimator.carrying import carried, carried_memory
from isthmus.estimator.reservoir import FEWEST_ROWS, MOST_ROWS, Reservoir
from isthmus.estimator.running import Running

RANDOM = np.random.default_rng(0)
GAUSS = RANDOM.standard_normal((240, 8)) @ (RANDOM.standard_normal((8, 8)) * np.geomspace(1, 0.1, 8)[:, None])
WINE = load_wine().data[RANDOM.permutation(178), :8]
TABLES = {  # of 8 columns each, for which programs are compiled once
    "wine": StandardScaler().fit_transform(WINE),
    "wine as it comes": WINE,
    "swiss roll": make_swiss_roll(200, random_state=0)[0] @ RANDOM.standard_normal((3, 8)),
    "gaussian": GAUSS[:200],
}
DOUBLE = np.dtype(float)


def fed(model, points, first, size):
    """Return the model after the first rows and then batches of a size."""
    for begin, end in [(0, first), *((row, row + size) for row in range(first, len(points), size))]:
        model.partial_fit(points[begin:end])
    return model


def explained(model, points):
    left = points - model.inverse_transform(model.transform(points))
    return 1 - (left**2).sum() / ((points - points.mean(axis=0)) ** 2).sum()


def incremental(points, k, first, size):
    """Return what IncrementalPCA explains that gets the same batches, or several at once where they are too small."""
    pca, waiting = IncrementalPCA(k), points[:0]
    for begin, end in [(0, first), *((row, row + size) for row in range(first, len(points), size))]:
        waiting = np.concatenate([waiting, points[begin:end]])
        if len(waiting) >= k:
            pca.partial_fit(waiting)
            waiting = points[:0]
    return explained(pca, points)


def quiet(points, first):
    return np.concatenate([points.mean(axis=0) + 1e-3 * (points[:first] - points.mean(axis=0)), points[first:]])


def far_off(points, first):
    return np.concatenate([points[:first] + 50 * points.std(), points[first:]])


def half_constant(points, first):
    changed = points.copy()
    changed[:first, ::2] = 0.0
    return changed


def loud(points, first):
    return np.concatenate([points[:first], 300 * points[first:]])


def drifting(points, first):
    return points + np.linspace(0, 2, len(points))[:, None] * points.std()


@pytest.mark.parametrize(
    ("table", "first", "size"),
    [("wine", 50, 7), ("wine as it comes", 3, 1), ("swiss roll", 10, 100), ("gaussian", 50, 7)],
)
def test_a_stream_explains_what_incremental_pca_explains(table, first, size):
    points = TABLES[table]
    model = fed(im.MeanFieldAutoencoder(2, width=64, random_state=0), points, first, size)
    assert explained(model, points) > 0.95 * incremental(points, 2, first, size)
    np.testing.assert_allclose(model.mean_, points.mean(axis=0), rtol=1e-12, atol=1e-12 * points.std())
    assert model.unit_ == pytest.approx(np.sqrt(points.var(axis=0).sum()), rel=1e-12)
    assert model.score(points) == pytest.approx(explained(model, points), rel=1e-9)


@pytest.mark.parametrize(
    ("change", "first", "size"),
    [(quiet, 20, 1), (far_off, 30, 30), (half_constant, 20, 1), (loud, 30, 30), (drifting, 20, 1), (drifting, 30, 30)],
)
def test_a_beginning_unlike_the_rest_does_no_harm(change, first, size):
    points = change(TABLES["wine"], first)
    model = fed(im.MeanFieldAutoencoder(2, width=64, random_state=0), points, first, size)
    assert explained(model, points) > 0.95 * incremental(points, 2, first, size)


@pytest.mark.parametrize("factor", [1e-6, 1e6])
def test_the_unit_and_offset_of_a_stream_do_not_matter(factor):
    wanted, other = (
        fed(im.MeanFieldAutoencoder(2, width=64, random_state=0), points, 20, 10)
        for points in (GAUSS, 1e5 * factor + factor * GAUSS)
    )
    assert other.score(1e5 * factor + factor * GAUSS) == pytest.approx(wanted.score(GAUSS), rel=1e-5)


def test_float32_explains_the_same():
    models = [
        fed(im.MeanFieldAutoencoder(2, width=64, random_state=0), points, 20, 10)
        for points in (GAUSS, GAUSS.astype(np.float32))
    ]
    assert models[1].encoder_.bias.dtype == np.float32 and models[1].transform(GAUSS[:2]).dtype == np.float64
    assert models[1].score(GAUSS) == pytest.approx(models[0].score(GAUSS), abs=1e-3)


@pytest.mark.parametrize("activation", ["tanh", "relu", "linear"])
def test_outputs_do_not_jump_as_mean_and_unit_move(activation):
    model = im.MeanFieldAutoencoder(2, activation=activation, width=64, random_state=0).partial_fit(GAUSS[:200])
    latents, restored = model.transform(GAUSS), model.inverse_transform(model.transform(GAUSS))
    moved = copy.deepcopy(model).set_params(step_size=1e-12)
    for row in GAUSS[200:]:
        moved.partial_fit(1 + 1.2 * row[None])
    shift = np.linalg.norm(moved.mean_ - model.mean_) / model.unit_
    assert shift > 0.1 and moved.unit_ > 1.05 * model.unit_ and moved.n_iter_ == model.n_iter_ + 40
    np.testing.assert_allclose(moved.transform(GAUSS), latents, atol=1e-7)
    jump = moved.inverse_transform(moved.transform(GAUSS)) - restored
    assert np.sqrt((jump**2).sum(axis=1).mean()) < 0.01 * shift * model.unit_


@pytest.fixture(scope="module")
def linear():
    """A network whose decoder makes constants without an error."""
    return im.MeanFieldAutoencoder(2, activation="linear", width=64, random_state=0).partial_fit(GAUSS)


def velocity(network, units, points):
    with computing_in(DOUBLE):
        return [np.asarray(leaf) for leaf in jax.tree.leaves(network.velocity(units.precisely(points)))]


@pytest.mark.parametrize("shift", [0.0, 0.3])
@pytest.mark.parametrize("optimizer", [Momentum(1.0), Adam()])
def test_the_memory_of_an_optimizer_is_that_of_the_same_past_in_the_new_units(optimizer, shift, linear):
    before = Scaling(linear.mean_, linear.unit_)
    after = Scaling(linear.mean_ + shift * linear.unit_ * RANDOM.standard_normal(8), 1.7 * linear.unit_)
    network = linear.autoencoder_
    there = carried(network, before, after, GAUSS)
    np.testing.assert_allclose(
        after.undone(reconstructed(there, after.precisely(GAUSS))),
        before.undone(reconstructed(network, before.precisely(GAUSS))),
        atol=1e-7,
    )
    now, wanted = velocity(network, before, GAUSS), velocity(there, after, GAUSS)
    exact = range(8) if shift == 0 else range(6)  # the share of q in the motion of the decoder's features is left out
    averages = now if isinstance(optimizer, Momentum) else [*now, *(part**2 for part in now), *np.array([0.5, 0.1])]
    memory = Memory(averages, 3)
    found = carried_memory(memory, optimizer, network, before, after)
    assert found.steps == 3 and len(found.averages) == len(averages)
    for place in exact:
        np.testing.assert_allclose(found.averages[place], wanted[place], atol=1e-6)
        if len(averages) > 8 and (place != 2 or shift == 0):  # of a sum the sum of squares
            np.testing.assert_allclose(found.averages[8 + place], wanted[place] ** 2, atol=1e-6)
    assert carried_memory(memory, optimizer, network, before, before) is memory


@pytest.mark.parametrize("optimizer", ["sgd", "momentum", "adam"])
def test_a_stream_goes_on_as_if_it_had_never_been_saved(optimizer, tmp_path):
    begin = im.MeanFieldAutoencoder(2, width=64, optimizer=optimizer, batch_size=4, random_state=0)
    for stop in (2, 60):  # waiting, and in training
        model = copy.deepcopy(begin)
        for row in GAUSS[:stop]:
            model.partial_fit(row[None], sample_weight=[1 + row[0] ** 2])
        model.save(tmp_path / "stream.npz")
        loaded = im.MeanFieldAutoencoder.load(tmp_path / "stream.npz")
        for one in (model, loaded):
            for row in GAUSS[stop : stop + 40]:
                one.partial_fit(row[None], sample_weight=[1 + row[0] ** 2])
        assert model.n_iter_ == loaded.n_iter_ > 30 and model.unit_ == loaded.unit_
        np.testing.assert_array_equal(loaded.transform(GAUSS), model.transform(GAUSS))


def test_weights_count_beside_those_of_other_calls():
    weights = np.exp(RANDOM.standard_normal(100))
    for factor in (1e-300, 1e300):
        model = im.MeanFieldAutoencoder(2, width=64, random_state=0)
        for row, weight in zip(GAUSS[:100], weights, strict=True):
            model.partial_fit(row[None], sample_weight=[factor * weight])
        mean = np.average(GAUSS[:100], axis=0, weights=weights)
        np.testing.assert_allclose(model.mean_, mean, atol=1e-12)
        spread = np.average(((GAUSS[:100] - mean) ** 2).sum(axis=1), weights=weights)
        assert model.unit_ == pytest.approx(np.sqrt(spread), rel=1e-12)


def test_rows_that_do_not_vary_are_waited_for_without_end():
    model = im.MeanFieldAutoencoder(2, width=64, random_state=0)
    for _ in range(30):
        model.partial_fit(np.tile(GAUSS[0], (50, 1)))
    assert model.n_iter_ == 0 and len(model._stream.kept.rows) == 1
    assert model.score(GAUSS[:1]) == 1.0
    model.partial_fit(GAUSS[1:2])
    assert model.n_iter_ == 0 and explained(model, GAUSS[:2]) == pytest.approx(1)  # one direction is not enough
    fed(model, GAUSS[2:], 1, 1)
    assert model.n_iter_ == 238 and explained(model, GAUSS[1:]) > 0.9 * incremental(GAUSS, 2, 20, 20)


def test_a_fitted_network_goes_on_with_the_mean_and_unit_of_all_rows():
    cases: list[dict[str, Any]] = [{"horizon": 2.0}, {}]
    for options in cases:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model = im.MeanFieldAutoencoder(2, width=64, random_state=0, **options).fit(GAUSS[:200])
        before = explained(model, GAUSS)
        np.testing.assert_allclose(model.partial_fit(GAUSS[200:202]).mean_, GAUSS[:202].mean(axis=0), atol=1e-12)
        assert explained(model, GAUSS) > 0.98 * before
        fed(model, 5 + 10 * GAUSS[202:], 1, 1)
        points = np.concatenate([GAUSS[:202], 5 + 10 * GAUSS[202:]])
        np.testing.assert_allclose(model.mean_, points.mean(axis=0), atol=1e-12)
        assert model.unit_ == pytest.approx(np.sqrt(points.var(axis=0).sum()), rel=1e-12)
        assert explained(model, points) > 0.95 * incremental(points, 2, 20, 20)


@pytest.mark.parametrize(("dim", "offset", "scale"), [(5, 0.0, 1.0), (40, 1e9, 1e-3), (60, 0.0, 1e-150)])
def test_what_is_known_of_all_rows_is_what_they_have(dim, offset, scale):
    rows = np.round(RANDOM.standard_normal((400, dim)) * np.geomspace(1, 0.1, dim), 3)
    weights = RANDOM.uniform(size=400)
    known = Running.empty(dim, 3)
    points = offset + 2.0**-10 * rows if offset else scale * rows
    rows = points - offset
    for first in range(0, 400, 11):
        known = known.with_rows(points[first : first + 11], weights[first : first + 11])
    mean = np.average(rows, axis=0, weights=weights)
    unit = np.sqrt(np.average(((rows - mean) / scale) ** 2 @ np.ones(dim), weights=weights)) * scale
    np.testing.assert_allclose(known.origin + known.shift - offset, mean, atol=1e-12 * scale + 1e-16 * offset)
    assert known.spread == pytest.approx(unit, rel=1e-12) and known.count == 400
    spectrum = known.spectrum(DOUBLE)
    wanted = np.linalg.eigvalsh(np.cov(rows.T / unit, aweights=weights, bias=True))[::-1]
    np.testing.assert_allclose(spectrum.variances[:3], wanted[:3], rtol=1e-9 if dim < 38 else 0.02)
    assert len(known.factor) <= 2 * min(dim, 38)


def test_kept_rows_stand_for_all_rows():
    kept, random = Reservoir.empty(1, DOUBLE), np.random.default_rng(0)
    total = squares = 0.0
    for number in range(300):
        rows, weights = random.standard_normal((30, 1)) + number / 100, np.exp(random.standard_normal(30))
        kept = kept.with_rows(rows, weights, random)
        total, squares = total + weights.sum(), squares + weights @ rows[:, 0] ** 2
    rows, weights = kept.sample()
    assert len(rows) == MOST_ROWS and weights.sum() == pytest.approx(1)
    assert kept.share_of(total) == pytest.approx(1, abs=0.1)
    assert weights @ rows[:, 0] ** 2 == pytest.approx(squares / total, rel=0.15)
    few, weights = kept.sample(100)
    np.testing.assert_array_equal(few, rows[:100])
    assert weights @ few[:, 0] ** 2 == pytest.approx(squares / total, rel=0.5)
    wide = Reservoir.empty(10**6, np.dtype(np.float32)).with_rows(
        np.zeros((40, 10**6), np.float32), np.ones(40), random
    )
    assert wide.rows.shape == (FEWEST_ROWS, 10**6) and wide.rows.dtype == np.float32
