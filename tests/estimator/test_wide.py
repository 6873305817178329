"""Tables with more columns than rows, or many of both: nothing of size d × d, and the numbers that small ones have."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from sklearn.decomposition import PCA

import isthmus as im
from isthmus.core.leading import leading_components, projected, second_moments_times, squares_outside
from isthmus.core.principal import principal_components
from isthmus.core.scaling import scaling
from isthmus.estimator import span
from isthmus.estimator.coordinates import Coordinates
from isthmus.estimator.span import Span

pytestmark = pytest.mark.filterwarnings("ignore:the learning curve")  # runs too short to learn anything

QUICK = {"width": 16, "horizon": 2.0, "batch_size": 8, "records": 2, "random_state": 0}


def curved(rows, columns, dtype=np.float64, noise=0.1):
    random = np.random.default_rng(0)
    mixed = np.tanh(1.5 * random.standard_normal((rows, 2)) @ random.standard_normal((2, 6)))
    return (mixed @ random.standard_normal((6, columns)) + noise * random.standard_normal((rows, columns))).astype(
        dtype
    )


def equal(count):
    return np.full(count, 1 / count)


WIDE = curved(40, 300)


@pytest.fixture(scope="module")
def fitted():
    return im.MeanFieldAutoencoder(2, width=32, cv=3, random_state=0).fit(WIDE)


def test_a_wide_table_is_learned_in_its_span(fitted):
    assert fitted._coordinates.axes.shape == (300, 39) and fitted._network.dim == 39
    assert fitted.n_iter_ > 0 and fitted.risk_ < 0.9 * fitted.pca_risk_
    assert fitted.score(WIDE) == pytest.approx(1 - 2 * fitted.risk_, rel=1e-6)
    assert fitted.pca_risk_ == pytest.approx((1 - PCA(2).fit(WIDE).explained_variance_ratio_.sum()) / 2, rel=1e-9)
    np.testing.assert_allclose(fitted.mean_, WIDE.mean(axis=0))


def test_its_measures_are_those_of_all_columns(fitted):
    scaled = (WIDE - fitted.mean_) / fitted.unit_
    assert fitted.encoder_.incoming.shape == fitted.decoder_.outgoing.shape == (32, 300)
    latents = fitted.transform(WIDE)
    np.testing.assert_allclose(fitted.autoencoder_.encode(scaled), latents, atol=1e-5)
    found = fitted.inverse_transform(latents)
    np.testing.assert_allclose(
        np.asarray(fitted.autoencoder_.decode(latents)) * fitted.unit_ + fitted.mean_, found, atol=1e-4
    )
    by_feature = fitted.reconstruction_error(WIDE, per_feature=True)
    np.testing.assert_allclose(by_feature, (WIDE - found) ** 2, rtol=1e-4, atol=1e-8)
    np.testing.assert_allclose(by_feature.sum(axis=1), fitted.reconstruction_error(WIDE))


def test_rows_outside_the_span_count_with_all_that_they_have(fitted):
    other = WIDE[:4] + np.random.default_rng(1).standard_normal((4, 300))
    found = fitted.inverse_transform(fitted.transform(other))
    np.testing.assert_allclose(fitted.reconstruction_error(other), ((other - found) ** 2).sum(axis=1), rtol=1e-6)
    assert (fitted.predict(other) == -1).all()


def test_what_is_made_of_it_computes_the_same(fitted, tmp_path):
    latents, found = fitted.transform(WIDE), fitted.inverse_transform(fitted.transform(WIDE))
    fitted.save(tmp_path / "model.npz")
    loaded = im.MeanFieldAutoencoder.load(tmp_path / "model.npz")
    np.testing.assert_array_equal(loaded.transform(WIDE), latents)
    assert loaded.score(WIDE) == fitted.score(WIDE)
    plain = fitted.to_numpy()
    assert plain.encoder["incoming"].shape == (32, 39)
    plain.save(tmp_path / "plain.npz")
    for one in (plain, type(plain).load(tmp_path / "plain.npz")):
        np.testing.assert_allclose(one.transform(WIDE), latents, atol=1e-9)
        np.testing.assert_allclose(one.inverse_transform(latents), found, atol=1e-9)
    assert fitted.resized(64, WIDE).risk_ == pytest.approx(fitted.risk_, rel=1e-5)
    assert fitted.diagnose(WIDE, compare=False).width == 32


def test_it_goes_to_torch_and_onnx(fitted):
    latents, found = fitted.transform(WIDE), fitted.inverse_transform(fitted.transform(WIDE))
    torch = pytest.importorskip("torch")
    module = fitted.to_torch()
    np.testing.assert_allclose(module(torch.tensor(WIDE)).detach(), found, atol=1e-9)
    runtime = pytest.importorskip("onnxruntime")
    for part, given, wanted in (("autoencoder", WIDE, found), ("decoder", latents, found), ("encoder", WIDE, latents)):
        session = runtime.InferenceSession(fitted.to_onnx(part).SerializeToString())
        given = {session.get_inputs()[0].name: given}
        np.testing.assert_allclose(session.run(None, given)[-1], wanted, atol=1e-9)


def test_a_file_with_other_axes_is_refused(fitted, tmp_path):
    broken = im.MeanFieldAutoencoder.load(_saved(fitted, tmp_path))
    broken._coordinates = Coordinates(broken._coordinates.scaling, broken._coordinates.axes[:-1])
    with pytest.raises(ValueError, match=r"'axes' must have shape \(300, r\)"):
        broken.save(tmp_path / "broken.npz")


def _saved(model, folder):
    model.save(folder / "model.npz")
    return folder / "model.npz"


def test_it_trains_for_a_given_horizon_and_goes_on():
    X = curved(20, 90)
    model = im.MeanFieldAutoencoder(2, **QUICK).fit(X, validation=curved(25, 90)[20:])
    assert model._coordinates.axes.shape == (90, 19) and len(model.validation_curve_) == 3
    assert model.training_curve_[0] == pytest.approx(model.pca_risk_, rel=0.02)
    stopped = im.MeanFieldAutoencoder(2, **QUICK | {"early_stopping": True}).fit(X)
    learning = np.delete(X, stopped.held_out_, axis=0)
    np.testing.assert_allclose(stopped.mean_, learning.mean(axis=0), atol=1e-12)
    assert stopped.unit_ == pytest.approx(np.sqrt(learning.var(axis=0).sum()), rel=1e-12)
    before = model.score(X)
    assert model.partial_fit(X).score(X) == pytest.approx(before, abs=0.05)


def test_a_result_that_is_pca_keeps_the_components_alone():
    X = np.random.default_rng(2).standard_normal((12, 80))
    model = im.MeanFieldAutoencoder(2, random_state=0).fit(X)
    assert model.n_iter_ == 0 and model._coordinates.axes.shape == (80, 2)
    pca = PCA(2).fit(X)
    assert model.score(X) == pytest.approx(pca.explained_variance_ratio_.sum(), rel=1e-9)
    np.testing.assert_allclose(np.abs(model.components_ @ pca.components_.T), np.eye(2), atol=1e-9)


@pytest.mark.parametrize(
    ("X", "k"),
    [(WIDE[:2], 2), (WIDE[:3], 2), (WIDE[:5], 8), (np.repeat(WIDE[:2], 6, axis=0), 3), (np.full((4, 60), 0.1), 2)],
    ids=["two rows", "three rows", "k above the rank", "duplicates", "constant"],
)
def test_what_pca_reconstructs_is_reconstructed(X, k):
    for horizon, scale in (("auto", 1e-200), ("auto", 1e140), (2.0, 1.0)):
        model = im.MeanFieldAutoencoder(k, **QUICK | {"horizon": horizon}).fit(X * scale)
        assert model.score(X * scale) == pytest.approx(1, abs=1e-9)
        np.testing.assert_allclose(model.inverse_transform(model.transform(X * scale)), X * scale, rtol=1e-6)
        np.testing.assert_allclose(model.components_ @ model.components_.T, np.eye(k), atol=1e-9)


def test_leading_directions_are_principal_ones():
    points = curved(400, 120, noise=0.5) * np.linspace(1, 0.2, 120) + 3
    weights = np.random.default_rng(3).random(400)
    weights[:9] = 0
    weights /= weights.sum()
    units = scaling(points, weights)
    variances, directions = principal_components(points, weights, units)
    found, axes = leading_components(points, weights, units, 60, 3)
    np.testing.assert_allclose(found[:3], variances[:3], rtol=1e-10)
    np.testing.assert_allclose(np.abs(axes[:, :3].T @ directions[:, :3]), np.eye(3), atol=1e-6)
    np.testing.assert_allclose(axes.T @ axes, np.eye(60), atol=1e-12)
    assert found.sum() > 0.9 * variances[:60].sum()
    exact = curved(400, 120, noise=0.0)
    few, axes = leading_components(exact, equal(400), scaling(exact, equal(400)), 60, 3)
    assert len(few) == axes.shape[1] == 6


def test_products_are_those_of_scaled_points():
    points, weights = curved(70, 500, np.float32), equal(70)
    units = scaling(points, weights)
    scaled, axes = units.precisely(points), np.linalg.qr(np.random.default_rng(4).standard_normal((500, 5)))[0]
    inside = projected(points, units, axes)
    np.testing.assert_allclose(inside, scaled @ axes, atol=1e-12)
    np.testing.assert_allclose(
        squares_outside(points, units, axes, inside), ((scaled - inside @ axes.T) ** 2).sum(axis=1), rtol=1e-10
    )
    np.testing.assert_allclose(
        second_moments_times(points, weights, units, axes), scaled.T @ (weights[:, None] * (scaled @ axes)), atol=1e-12
    )


def test_many_rows_and_columns_are_learned_along_leading_directions(monkeypatch):
    monkeypatch.setattr(span, "EXACT_UP_TO", 50)
    monkeypatch.setattr(span, "LEADING", 24)
    X = curved(120, 90, noise=0.3)
    model = im.MeanFieldAutoencoder(2, width=32, cv=2, random_state=0).fit(X)
    assert model._coordinates.axes.shape == (90, 24) and model.n_iter_ > 0
    pca = 1 - PCA(2).fit(X).explained_variance_ratio_.sum()
    assert model.pca_risk_ == pytest.approx(pca / 2, rel=1e-9) and model.risk_ < 0.95 * model.pca_risk_
    assert model.score(X) == pytest.approx(1 - 2 * model.risk_, rel=1e-6)
    rows = Span.of(X, equal(120), 2).rows
    assert rows.outside is not None and rows.spectrum(equal(120), 2).pca_residual == pytest.approx(pca, rel=1e-9)


IN_A_PROCESS = """
import resource, sys
import numpy as np
import isthmus as im

rows, columns = 40, 250_000  # whose square no machine holds
options = {"width": 512, "random_state": 0, "horizon": 1.0}
im.MeanFieldAutoencoder(2, **options).fit(np.random.default_rng(0).standard_normal((rows, 60)).astype(np.float32))
X = np.empty((rows, columns), np.float32)
random = np.random.default_rng(0)
for row in X:
    row[:] = random.standard_normal(columns)
peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
before = peak()
model = im.MeanFieldAutoencoder(2, **options).fit(X)
model.inverse_transform(model.transform(X[:4])), model.score(X), model.predict(X)
print(1 + (peak() - before) / X.nbytes)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no resource limits")
def test_memory_is_a_few_times_the_table():
    environment = os.environ | {"PYTHONPATH": str(Path(im.__file__).parents[1]), "PYTHONWARNINGS": "ignore"}
    command = [sys.executable, "-c", IN_A_PROCESS]
    answer = subprocess.run(command, capture_output=True, text=True, env=environment, check=True)
    assert float(answer.stdout) < 6, answer.stdout
