"""Exports compute what the estimator computes, output by output, for every activation and both precisions."""

import ast
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from sklearn.datasets import load_wine

import isthmus as im
from isthmus.exports import plain

pytestmark = pytest.mark.filterwarnings("ignore:the learning curve")  # runs too short to learn anything

X = load_wine().data  # not centred, in many units
CASES = [
    pytest.param(name, dtype, id=f"{name}-{dtype.__name__}")
    for name, dtype in [*((name, np.float64) for name in im.ACTIVATIONS), ("tanh", np.float32), ("gelu", np.float32)]
]
QUICK = {"width": 16, "horizon": 0.4, "batch_size": 8, "records": 1, "random_state": 0}


@pytest.fixture(scope="module")
def model_of():
    """Return models by activation and type, each fitted once: one program for all of a type."""
    known = {}

    def fitted(activation, dtype):
        if (activation, dtype) not in known:
            known[activation, dtype] = im.MeanFieldAutoencoder(2, activation=activation, **QUICK).partial_fit(
                X.astype(dtype)
            )
        return known[activation, dtype]

    return fitted


def agree(found, wanted, dtype, precision=None):
    """Every entry within a few hundred roundings of the largest of its column."""
    precision = dtype if precision is None else precision
    found, wanted = np.asarray(found), np.asarray(wanted)
    assert found.shape == wanted.shape and found.dtype == dtype
    assert (np.abs(found - wanted) <= 500 * np.finfo(precision).eps * np.abs(wanted).max(axis=0)).all()


@pytest.mark.parametrize(("activation", "dtype"), CASES)
def test_numpy(activation, dtype, model_of, tmp_path):
    model, points = model_of(activation, dtype), X.astype(dtype)
    latents = model.transform(points)
    exported = model.to_numpy()
    exported.save(tmp_path / "m.npz")
    for one in (exported, plain.PlainAutoencoder.load(tmp_path / "m.npz")):
        agree(one.transform(points), latents, dtype)
        agree(one.inverse_transform(latents), model.inverse_transform(latents), dtype)


def test_the_file_of_numpy_code_needs_nothing_else(model_of, tmp_path):
    source = Path(plain.__file__).read_text(encoding="utf-8")
    tree = ast.parse(source)
    modules = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    modules |= {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    assert modules <= {"__future__", "math", "collections.abc", "pathlib", "typing", "numpy"}
    model = model_of("tanh", np.float64)
    model.to_numpy().save(tmp_path / "wine.npz")
    (tmp_path / "alone.py").write_text(source, encoding="utf-8")
    code = (
        "import sys, numpy as np; from alone import PlainAutoencoder as P; m = P.load('wine.npz'); "
        "print(repr(m.transform(np.ones((1, 13))).tolist()), 'isthmus' in sys.modules)"
    )
    shown = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True
    ).stdout
    assert shown.strip().endswith("False")
    found = ast.literal_eval(shown.rsplit(" ", 1)[0])
    np.testing.assert_allclose(found, model.transform(np.ones((1, 13))), rtol=1e-10)


@pytest.mark.parametrize(("activation", "dtype"), CASES)
def test_onnx(activation, dtype, model_of):
    onnxruntime = pytest.importorskip("onnxruntime")
    model, points = model_of(activation, dtype), X.astype(dtype)
    latents = model.transform(points)
    reconstructions = model.inverse_transform(latents)

    def run(part, **inputs):
        return onnxruntime.InferenceSession(model.to_onnx(part).SerializeToString()).run(None, inputs)

    precision = np.float32 if activation in ("erf", "gelu") else dtype  # onnxruntime has no error function in double
    found = run("autoencoder", points=points)
    agree(found[0], latents, dtype, precision)
    agree(found[1], reconstructions, dtype, precision)
    agree(run("encoder", points=points[:1])[0], latents[:1], dtype, precision)
    agree(run("decoder", latents=latents)[0], reconstructions, dtype, precision)


@pytest.mark.parametrize(("activation", "dtype"), CASES)
def test_torch(activation, dtype, model_of):
    torch = pytest.importorskip("torch")
    model, points = model_of(activation, dtype), X.astype(dtype)
    module = model.to_torch()
    latents = model.transform(points)
    with torch.no_grad():
        agree(module.encode(torch.tensor(points)).numpy(), latents, dtype)
        agree(module(torch.tensor(points)).numpy(), model.inverse_transform(latents), dtype)


def test_the_torch_module_trains_and_its_weights_are_saved(model_of, tmp_path):
    torch = pytest.importorskip("torch")
    module, points = model_of("tanh", np.float32).to_torch(), torch.tensor(X.astype(np.float32))
    assert {name for name, _ in module.named_parameters()} == {
        f"{side}.{part}" for side in ("encoder", "decoder") for part in ("0.weight", "0.bias", "2.weight")
    }
    optimizer = torch.optim.Adam(module.parameters(), 1e-5)
    losses = []
    for _ in range(20):
        optimizer.zero_grad()
        loss = (((module(points) - points) / module.unit) ** 2).sum(dim=1).mean()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0]
    torch.save(module.state_dict(), tmp_path / "weights.pt")
    other = model_of("tanh", np.float32).to_torch()
    other.load_state_dict(torch.load(tmp_path / "weights.pt", weights_only=True))
    assert torch.equal(other(points), module(points))


def test_what_has_no_name_is_not_exported(model_of):
    tanh = im.ACTIVATIONS["tanh"]
    own = im.Activation("tanh", tanh.value, tanh.first, tanh.second)
    model = im.MeanFieldAutoencoder(1, activation=own, **QUICK).partial_fit(X)
    for export in (model.to_numpy, model.to_onnx, model.to_torch):
        with pytest.raises(im.ArgumentError, match="'activation' must be one of im.ACTIVATIONS to be exported"):
            export()
    with pytest.raises(im.ArgumentError, match="'part' must be one of 'autoencoder', 'encoder', 'decoder'"):
        model_of("tanh", np.float64).to_onnx("decodr")


@pytest.mark.parametrize(("package", "export"), [("onnx", "to_onnx"), ("torch", "to_torch")])
def test_a_missing_package_is_named(package, export, model_of, monkeypatch):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(im.ArgumentError, match=rf"needs the package {package}: pip install 'isthmus\[{package}\]'"):
        getattr(model_of("tanh", np.float64), export)()
