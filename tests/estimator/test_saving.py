"""Files of fitted estimators: the same estimator comes back, damage is found, and nothing runs on loading."""

import io
import json
import zipfile

import numpy as np
import pytest
from sklearn.datasets import load_wine
from sklearn.preprocessing import StandardScaler

import isthmus as im
from isthmus._files import read_arrays, write_arrays

pytestmark = pytest.mark.filterwarnings("ignore:the learning curve")  # runs too short to learn anything

QUICK = {"width": 16, "horizon": 2.0, "step_size": 0.1, "batch_size": 8, "records": 2}


@pytest.fixture(scope="module")
def wine():
    return StandardScaler().fit_transform(load_wine().data)


@pytest.fixture(scope="module")
def saved(wine, tmp_path_factory):
    path = tmp_path_factory.mktemp("models") / "wine.npz"
    im.MeanFieldAutoencoder(2, random_state=0, **QUICK).fit(wine).save(path)
    return path


@pytest.mark.parametrize(
    "changes",
    [
        {"random_state": 0},
        {"optimizer": im.Adam(batch_size=8), "activation": ("tanh", im.ACTIVATIONS["gelu"]), "random_state": 1},
        {"optimizer": "momentum", "random_state": np.random.RandomState(3), "n_components": np.int64(1)},
        {"early_stopping": True, "random_state": 5},
    ],
)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_what_is_loaded_is_what_was_saved_and_trains_on(wine, tmp_path, changes, dtype):
    X = wine.astype(dtype)
    model = im.MeanFieldAutoencoder(**QUICK | changes).set_output(transform="pandas").fit(X)
    model.save(tmp_path / "model.npz")
    loaded = im.MeanFieldAutoencoder.load(tmp_path / "model.npz")
    assert type(loaded) is im.MeanFieldAutoencoder
    for name, value in vars(model).items():
        if name == "random_state" and not isinstance(value, int):
            continue
        if isinstance(value, np.ndarray):
            assert getattr(loaded, name).dtype == value.dtype
            np.testing.assert_array_equal(getattr(loaded, name), value)
    fitted = {name for name in vars(model) if not name.startswith("_repr")}
    assert set(vars(loaded)) == fitted
    assert loaded.unit_ == model.unit_ and loaded.risk_ == model.risk_ and loaded.n_iter_ == model.n_iter_
    for one in (model, loaded):
        one.partial_fit(X)
    left, right = model.transform(X), loaded.transform(X)
    assert list(left.columns) == list(right.columns)
    np.testing.assert_array_equal(left, right)


def test_names_of_columns_come_back(wine, tmp_path):
    import pandas as pd

    frame = pd.DataFrame(wine, columns=[f"c{i}" for i in range(13)])
    im.MeanFieldAutoencoder(1, **QUICK).fit(frame).save(tmp_path / "m.npz")
    loaded = im.MeanFieldAutoencoder.load(tmp_path / "m.npz")
    assert list(loaded.feature_names_in_) == list(frame.columns)
    with pytest.raises(ValueError, match="feature names"):
        loaded.transform(frame[frame.columns[::-1]])


def test_an_estimator_that_was_only_fitted_in_part_is_saved_too(wine, tmp_path):
    model = im.MeanFieldAutoencoder(1, random_state=0, **QUICK).partial_fit(wine)
    model.save(tmp_path / "m.npz")
    np.testing.assert_array_equal(
        im.MeanFieldAutoencoder.load(tmp_path / "m.npz").transform(wine), model.transform(wine)
    )


def test_no_byte_can_be_changed_unseen(saved, tmp_path):
    """A file with any byte of its content changed, or cut short anywhere, is refused or reads as the same."""
    whole = saved.read_bytes()
    original = im.MeanFieldAutoencoder.load(saved)
    path, random = tmp_path / "broken.npz", np.random.default_rng(0)
    refusals = 0
    for place in random.integers(len(whole), size=300):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 0xFF]) + whole[place + 1 :])
        try:
            loaded = im.MeanFieldAutoencoder.load(path)
        except im.StudyFileError:
            refusals += 1
        else:  # padding and time stamps of the archive
            np.testing.assert_array_equal(loaded.encoder_.outgoing, original.encoder_.outgoing)
            np.testing.assert_array_equal(loaded.decoder_.outgoing, original.decoder_.outgoing)
    assert refusals > 250
    for place in random.integers(len(whole), size=50):
        path.write_bytes(whole[:place])
        with pytest.raises(im.StudyFileError, match=r"broken\.npz' is damaged"):
            im.MeanFieldAutoencoder.load(path)


def test_a_checksum_that_the_archive_itself_does_not_know_of_is_looked_at(saved, tmp_path):
    with np.load(saved) as file:
        arrays = {name: file[name] for name in file.files}
    arrays["fitted._network.encoder.bias"] += 1
    np.savez(tmp_path / "changed.npz", **arrays)
    with pytest.raises(im.StudyFileError, match="is damaged: its checksum is another one"):
        im.MeanFieldAutoencoder.load(tmp_path / "changed.npz")


class Trap:
    def __reduce__(self):
        return (pytest.fail, ("unpickled",))


def test_other_files_are_refused_by_name(tmp_path):
    path = tmp_path / "model.npz"
    refusals = {}

    def refused(match):
        with pytest.raises(im.StudyFileError, match=match):
            im.MeanFieldAutoencoder.load(path)
        refusals[match] = True

    refused(r"model\.npz' does not exist")
    path.write_bytes(b"hello")
    refused("is damaged, or no file of an Isthmus autoencoder")
    np.savez(path, a=np.zeros(3))
    refused("is damaged, or no file of")
    np.savez(path, header=np.array([Trap()], dtype=object))
    refused("is damaged, or no file of")
    np.savez_compressed(path, header=np.array("{}"))
    refused("is damaged, or no file of")
    write_arrays(path, "a cake", 1, {}, {})
    refused("is no file of an Isthmus autoencoder")
    write_arrays(path, "an Isthmus autoencoder", 99, {}, {})
    refused("is of version 99, and this release reads version 3")
    write_arrays(path, "an Isthmus autoencoder", 3, {}, {})
    refused("holds no autoencoder of this release")
    path.unlink()
    path.mkdir()
    refused("can't be read")


def test_what_can_not_be_saved_is_said(wine, tmp_path):
    tanh = im.ACTIVATIONS["tanh"]
    own = im.Activation("own", tanh.value, tanh.first, tanh.second)
    model = im.MeanFieldAutoencoder(1, activation=own, **QUICK).partial_fit(wine)
    with pytest.raises(im.ArgumentError, match="'activation' must be one of im.ACTIVATIONS to be saved"):
        model.save(tmp_path / "m.npz")
    assert not any(tmp_path.iterdir())
    with pytest.raises(im.StudyFileError, match="can't be written"):
        im.MeanFieldAutoencoder(1, **QUICK).fit(wine).save("/dev/null/m.npz")


def test_files_are_the_same_for_the_same_arrays(tmp_path):
    arrays = {"a": np.arange(3.0), "b": np.zeros((2, 0), np.float32)}
    write_arrays(tmp_path / "one", "x", 1, {"t": [1, None, "ü"]}, arrays)
    values, read = read_arrays(tmp_path / "one", "x", 1)
    assert values == {"t": [1, None, "ü"]} and set(read) == {"a", "b"} and read["b"].dtype == np.float32
    with zipfile.ZipFile(tmp_path / "one") as archive:
        header = np.load(io.BytesIO(archive.read("header.npy")))
    assert json.loads(str(header))["kind"] == "x"
