"""Files from strangers: results and models are data, refused by name where they don't fit; loading one runs nothing."""

import functools
import io
import os
import pickle
import zipfile
from pathlib import Path

import h5netcdf
import h5py
import numpy as np
import pytest
import xarray as xr
from sound import SOUND, TRACKING, tracking

import isthmus as im
from isthmus._files import read_arrays, write_arrays
from isthmus.estimator.saving import KIND, VERSION
from isthmus.exports.plain import WEIGHTS, PlainAutoencoder

REQUIRED = {
    "tracking": tuple(name for name in tracking().data_vars if name != "flow_width_rate"),
    "bottleneck": ("training_risk", "held_out_risk", "error", "pca_training_risk", "pca_held_out_risk"),
    "expressivity": ("restart_objective", "best_objective", "best_risk", "drawn_risk"),
}
MAY_BE_NAN = {"flow_width_rate", "intrinsic_dimension"}
MAY_LACK_AN_END = {"gap_quantile", "flow_gap_quantile", "initial_gap_quantile", "step_gap_quantile"}


def written(dataset: xr.Dataset, folder: Path) -> Path:
    dataset.to_netcdf(folder / "results.nc", engine="h5netcdf")
    return folder


def refused(folder: Path) -> str:
    """Return the one line with which results are refused, whose folder stays as it is."""
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    with pytest.raises(im.IsthmusError) as caught:
        im.load_result(folder)
    message = str(caught.value)
    assert isinstance(caught.value, im.StudyFileError | im.ArgumentError) and message.isprintable()
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before
    return message


@pytest.mark.parametrize("kind", SOUND)
def test_sound_results_are_loaded_with_whatever_else_they_hold(kind, tmp_path):
    more = {"later": (("anything",), np.full(5, np.nan)), "words": (("letter",), ["a", "b"])}
    dataset = SOUND[kind]().assign(more).assign_attrs(another="attribute")
    loaded = im.load_result(written(dataset, tmp_path))
    xr.testing.assert_identical(loaded.dataset, dataset)
    if kind != "tracking":
        return
    (tmp_path / "results.nc").unlink()
    optional = [name for name in dataset.data_vars if name not in REQUIRED["tracking"]]
    assert im.load_result(written(dataset.drop_vars(optional), tmp_path)).study == TRACKING


def _cases() -> list[tuple[str, str, str]]:
    found = [(kind, name, "missing") for kind, names in REQUIRED.items() for name in names]
    for kind, make in SOUND.items():
        for number, name in enumerate(make().data_vars):
            ways = ["words", "complex", "turned", "one axis more", "one axis less"]
            ways += ["nan"] if name not in MAY_BE_NAN | MAY_LACK_AN_END else []
            ways += ["infinite"] if name not in MAY_BE_NAN else []
            # Every way on the first of a study, and on each of the others one way in turn.
            found += [(kind, str(name), how) for how in (ways if number == 0 else [ways[number % len(ways)]])]
    return found


def _spoiled(dataset: xr.Dataset, name: str, how: str) -> xr.Dataset:
    values = dataset[name]
    if how == "missing":
        return dataset.drop_vars(name)
    if how == "turned":
        return dataset.assign({name: (tuple(f"other_{dim}" for dim in values.dims), values.values)})
    if how == "one axis more":
        return dataset.assign({name: values.expand_dims("extra")})
    if how == "one axis less":
        return dataset.assign({name: values.isel({values.dims[0]: 0})})
    if how == "words":
        return dataset.assign({name: (values.dims, np.full(values.shape, "a"))})
    if how == "complex":
        return dataset.assign({name: values * 1j})
    bad = values.copy()
    bad.values.ravel()[-1] = np.nan if how == "nan" else np.inf
    return dataset.assign({name: bad})


@pytest.mark.filterwarnings("ignore::UserWarning")  # complex numbers are not in the standard of netCDF
@pytest.mark.parametrize(("kind", "name", "how"), _cases())
def test_results_that_do_not_fit_their_study_are_refused_by_name(kind, name, how, tmp_path):
    message = refused(written(_spoiled(SOUND[kind](), name, how), tmp_path))
    assert "results.nc" in message and ("can't be read" in message or f"'{name}'" in message)


@pytest.mark.parametrize(
    ("kind", "changes", "named"),
    [
        ("tracking", {"time": [0.0, 1.0, 2.5]}, "time"),
        ("tracking", {"time": [np.nan, 1.0, 2.0]}, "time"),
        ("tracking", {"width": [8, 17]}, "width"),
        ("tracking", {"width": ["a", "b"]}, "width"),
        ("tracking", {"step_size": [0.25]}, "step_size"),
        ("tracking", {"bound": ["lower", "estimate", "upper"]}, "bound"),
        ("bottleneck", {"latent_dim": [2, 1]}, "latent_dim"),
        ("expressivity", {"width": [1, 3]}, "width"),
        ("expressivity", {"kind": ["encoder", "decoder", "neither"]}, "kind"),
    ],
)
def test_other_coordinates_than_those_of_the_study_are_refused(kind, changes, named, tmp_path):
    assert f"'{named}'" in refused(written(SOUND[kind]().assign_coords(changes), tmp_path))


@pytest.mark.parametrize(
    ("kind", "dim"),
    [
        *(("tracking", dim) for dim in ("run", "time", "width", "bound")),
        *(("bottleneck", dim) for dim in ("split", "latent_dim")),
        *(("expressivity", dim) for dim in ("width", "kind", "draw")),
    ],
)
def test_fewer_than_the_study_has_are_refused(kind, dim, tmp_path):
    assert f"'{dim}'" in refused(written(SOUND[kind]().isel({dim: slice(0, 1)}), tmp_path))


@pytest.mark.parametrize(
    ("kind", "name", "value"),
    [
        *(("tracking", "pca_risk", value) for value in (None, "many", np.nan, np.inf, [1.0, 2.0])),
        ("expressivity", "objective", None),
        ("expressivity", "decoder_gap", np.nan),
    ],
)
def test_attributes_that_are_no_numbers_are_refused(kind, name, value, tmp_path):
    dataset = SOUND[kind]()
    dataset.attrs.pop(name)
    if value is not None:
        dataset.attrs[name] = value
    assert f"'{name}'" in refused(written(dataset, tmp_path))


STUDIES = {
    "deep": "x = " + "[" * 5000 + "]" * 5000,
    "long number": "seed = " + "9" * 5000,
    "no TOML": "widths = [8",
    "lines": '"a\\nb" = 1',
    "program": "__import__('os').mkdir('sprung')",
    "pickle": pickle.dumps(os.mkdir, protocol=0).decode("latin-1"),
    "huge": "widths = [1" + "0" * 400 + "]",
    "another study": "method = 'horizon'",
    "truth": "seed = true",
    "many steps": "horizon = 1e300",
}


@pytest.mark.parametrize("label", STUDIES)
def test_a_study_that_is_none_is_refused(label, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    refused(written(tracking().assign_attrs(study=STUDIES[label]), tmp_path))
    assert [path.name for path in tmp_path.iterdir()] == ["results.nc"]


@pytest.mark.parametrize("value", [3, 1.5, [1.0, 2.0], np.zeros(3)])
def test_a_study_that_is_no_text_is_refused(value, tmp_path):
    assert "results.nc" in refused(written(tracking().assign_attrs(study=value), tmp_path))


def test_a_file_that_would_unpack_to_more_than_memory_is_refused(tmp_path):
    with h5netcdf.File(written(tracking(), tmp_path) / "results.nc", "a") as file:
        file.dimensions["long"] = file.dimensions["wide"] = 1 << 24
        file.create_variable("bomb", ("long", "wide"), "f8", chunks=(1024, 1024), compression="gzip")
    assert (tmp_path / "results.nc").stat().st_size < 1 << 20
    assert "it would unpack to 2,097,152 GiB" in refused(tmp_path)


def test_a_pickle_in_results_is_not_run(tmp_path):
    with h5py.File(written(tracking(), tmp_path) / "results.nc", "a") as file:
        file.attrs["payload"] = np.void(pickle.dumps(_Trap(tmp_path / "sprung")))
    assert im.load_result(tmp_path).study == TRACKING
    assert not (tmp_path / "sprung").exists()


class _Trap:
    """An object that makes a folder when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> Path:
    points = np.random.default_rng(0).standard_normal((24, 3))
    path = tmp_path_factory.mktemp("model") / "model.npz"
    im.MeanFieldAutoencoder(1, width=8, horizon=0.2, batch_size=4, records=2, random_state=0).fit(points).save(path)
    return path


def _refused_model(path: Path) -> str:
    with pytest.raises(im.StudyFileError) as caught:
        im.MeanFieldAutoencoder.load(path)
    assert str(path) in str(caught.value) and "\n" not in str(caught.value)
    return str(caught.value)


def test_a_pickle_in_a_model_is_not_run(model, tmp_path):
    """Neither as an array of objects, nor as the whole file, nor beside arrays that are sound."""
    sprung = tmp_path / "sprung"
    objects = np.array([_Trap(sprung)], dtype=object)
    _, arrays = read_arrays(model, KIND, VERSION)
    with zipfile.ZipFile(model) as archive:
        header = np.load(io.BytesIO(archive.read("header.npy")))
    files = {"objects": {"mean_": objects, "header": header}, "beside": arrays | {"header": header, "more": objects}}
    for name, entries in files.items():
        with (tmp_path / f"{name}.npz").open("wb") as file:
            np.savez(file, **entries)
        _refused_model(tmp_path / f"{name}.npz")
    (tmp_path / "whole.npz").write_bytes(pickle.dumps(_Trap(sprung)))
    _refused_model(tmp_path / "whole.npz")
    parts = [f"{side}_{weight}" for side in ("encoder", "decoder") for weight in WEIGHTS]
    np.savez(tmp_path / "plain.npz", **dict.fromkeys(("mean", "unit", "activations", *parts), objects))
    with pytest.raises(ValueError, match="allow_pickle"):
        PlainAutoencoder.load(tmp_path / "plain.npz")
    assert not sprung.exists()
    np.load(tmp_path / "objects.npz", allow_pickle=True)["mean_"]
    assert sprung.exists()  # the trap works where it is sprung


NETWORK = "fitted._network"
SPOILED_ARRAYS = {
    f"{NETWORK}.encoder.outgoing": ("nan", "wider", "words", "missing", "narrower", "empty"),
    f"{NETWORK}.encoder.incoming": ("nan", "wider", "words", "missing", "narrower"),
    f"{NETWORK}.encoder.bias": ("nan", "words", "missing", "narrower"),
    f"{NETWORK}.encoder.masses": ("nan", "words", "missing", "narrower", "negative"),
    f"{NETWORK}.decoder.outgoing": ("nan", "wider", "missing"),
    f"{NETWORK}.decoder.masses": ("negative", "missing"),
    "fitted._coordinates.scaling.mean": ("nan", "narrower", "words", "missing"),
    "fitted.mean_": ("nan", "narrower", "words", "missing"),
    "fitted.components_": ("nan", "wider", "narrower", "missing"),
    "fitted.training_curve_": ("nan", "words"),
    "fitted.times_": ("words",),
}


@pytest.mark.parametrize(("name", "how"), [(name, how) for name, many in SPOILED_ARRAYS.items() for how in many])
def test_arrays_that_are_not_those_of_a_model_are_refused(name, how, model, tmp_path):
    values, arrays = read_arrays(model, KIND, VERSION)
    array = arrays[name].copy()
    if how == "missing":
        del arrays[name]
    elif how == "nan":
        array.ravel()[0] = np.nan
    elif how == "negative":
        array = -array
    arrays |= {} if how == "missing" else {name: _changed(array, how)}
    write_arrays(tmp_path / "model.npz", KIND, VERSION, values, arrays)
    _refused_model(tmp_path / "model.npz")


def _changed(array: np.ndarray, how: str) -> np.ndarray:
    if how == "wider":
        return np.concatenate([array, array], axis=1)
    if how == "narrower":
        return array[:-1]
    if how == "words":
        return array.astype("U8")
    return array[:0] if how == "empty" else array


OF_STRANGERS = {"kind": "Popen", "fields": {"args": ["true"]}}
NEGATIVE = {"kind": "Adam", "fields": {"epsilon": -1}}
STREAM, SCHEDULE = "fitted._stream.fields", "fitted._schedule.fields"


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("parameters.n_components", 0),
        ("parameters.width", "many"),
        ("parameters.activation", "os.system"),
        ("parameters.activation", {"constant": "os.system"}),
        ("parameters.optimizer", OF_STRANGERS),
        ("parameters.optimizer", NEGATIVE),
        ("parameters.cv", {"kind": "Splitter", "fields": {"name": "os.system", "values": {"dict": {}}}}),
        ("parameters.cv", {"kind": "Splitter", "fields": {"name": "train_test_split", "values": {"dict": {}}}}),
        ("parameters.cv", "many"),
        ("parameters.random_state", {"kind": "RandomNumbers", "fields": {"state": {"dict": {"state": 3}}}}),
        ("parameters.random_state", -1),
        ("parameters.step_size", True),
        ("parameters.horizon", "long"),
        ("parameters.unknown", 1),
        ("parameters.__class__", "object"),
        ("fitted.unit_", 0.0),
        ("fitted.unit_", "x"),
        ("fitted.risk_", -1.0),
        ("fitted.n_features_in_", 4),
        ("fitted.n_features_in_", True),
        ("fitted.n_iter_", -1),
        (f"{STREAM}.steps", "many"),
        (f"{STREAM}.steps", -1),
        (f"{STREAM}.step_size", "x"),
        (f"{STREAM}.optimizer", OF_STRANGERS),
        (f"{STREAM}.seen", {"tuple": []}),
        (f"{SCHEDULE}.first", 0.0),
        (f"{SCHEDULE}.longest", "x"),
        (f"{SCHEDULE}.motion.fields.optimizer", NEGATIVE),
        (f"{SCHEDULE}.motion.fields.temperature", 1.0),
        ("fitted._schedule", 3),
        ("fitted._stream", []),
        ("fitted._coordinates", None),
        ("fitted._coordinates.fields.scaling", 3),
        ("fitted._network", {"kind": "Scaling", "fields": {"mean": 0.0, "unit": 1.0}}),
        ("fitted._network.fields.encoder", 3),
        ("fitted._network.fields.encoder_activation", {"constant": "os.system"}),
        ("fitted._network.fields.encoder_activation", "tanh"),
        ("fitted.feature_names_in_", ["a"]),
        ("parameters", []),
        ("fitted", None),
    ],
)
def test_values_that_are_not_those_of_a_model_are_refused(path, value, model, tmp_path):
    values, arrays = read_arrays(model, KIND, VERSION)
    *tables, name = path.split(".")
    inside = functools.reduce(lambda table, key: table[key], tables, values)
    assert inside.get(name) != value or isinstance(value, bool)
    inside[name] = value
    write_arrays(tmp_path / "model.npz", KIND, VERSION, values, arrays)
    _refused_model(tmp_path / "model.npz")


def test_a_sound_model_is_loaded(model, tmp_path):
    """Otherwise each refusal could have another reason."""
    values, arrays = read_arrays(model, KIND, VERSION)
    write_arrays(tmp_path / "model.npz", KIND, VERSION, values, arrays)
    assert im.MeanFieldAutoencoder.load(tmp_path / "model.npz").n_features_in_ == 3
