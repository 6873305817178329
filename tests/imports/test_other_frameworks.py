"""Graphs of ONNX and models of Keras as ours, where these packages are there."""

import os

import numpy as np
import pytest

import isthmus as im

D, K = 5, 2


def graph(bias=True, activation="Tanh", at_the_end=()):
    """Return an ONNX model of the shape that exporters write: Gemm, φ, Gemm, MatMul, Add, φ, Gemm."""
    onnx = pytest.importorskip("onnx")
    random = np.random.default_rng(0)
    constants, nodes, before = [], [], "x"

    def node(kind, *inputs, **options):
        nonlocal before
        made = f"y{len(nodes)}"
        nodes.append(onnx.helper.make_node(kind, [before, *inputs], [made], **options))
        before = made

    def constant(*shape):
        name = f"c{len(constants)}"
        constants.append(onnx.numpy_helper.from_array(random.standard_normal(shape), name))
        return name

    node("Gemm", constant(7, D), constant(7), transB=1)
    node(activation)
    node("Gemm", constant(7, K), *([constant(K)] if bias else []))
    node("MatMul", constant(K, 4))
    node("Add", constant(4))
    node(activation)
    node("Gemm", constant(D, 4), *([constant(D)] if bias else []), transB=1, alpha=0.5)
    for kind in at_the_end:
        node(kind)
    port = lambda name: onnx.helper.make_tensor_value_info(name, onnx.TensorProto.DOUBLE, ["n", D])
    made = onnx.helper.make_graph(nodes, "autoencoder", [port("x")], [port(before)], constants)
    return onnx.helper.make_model(made, opset_imports=[onnx.helper.make_opsetid("", 20)])


@pytest.mark.parametrize(("kind", "name"), [("Tanh", "tanh"), ("Relu", "relu"), ("Gelu", "gelu"), ("Erf", "erf")])
def test_a_graph_of_onnx(kind, name, double):
    """ONNX's own evaluator knows the error function in single precision only."""
    model, points = graph(activation=kind), np.random.default_rng(1).standard_normal((6, D))
    network = im.from_onnx(model)
    [theirs] = pytest.importorskip("onnx.reference").ReferenceEvaluator(model).run(None, {"x": points})
    np.testing.assert_allclose(network.reconstruct(points), theirs, atol=1e-6 if kind in ("Gelu", "Erf") else 1e-13)
    assert (network.encoder_activation.name, network.encoder.width, network.decoder.width) == (name, 8, 5)


def test_an_exported_estimator_comes_back(double, tmp_path):
    pytest.importorskip("onnx")
    points = im.load_data("wine", max_points=40).points
    model = im.MeanFieldAutoencoder(2, width=12, horizon=1.0, random_state=0).fit(points)
    path = tmp_path / "model.onnx"
    path.write_bytes(model.to_onnx().SerializeToString())
    expected = model.inverse_transform(model.transform(points))
    np.testing.assert_allclose(im.from_onnx(path).reconstruct(points), expected, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"at_the_end": ["Sigmoid"]}, "'model' must end with a linear layer, but it is one with Sigmoid"),
        ({"activation": "Selu"}, "'model' must have activations of the shelf, .* one with Selu"),
    ],
)
def test_what_does_not_fit_in_onnx_is_named(options, complaint):
    with pytest.raises(im.ArgumentError, match=complaint):
        im.from_onnx(graph(**options))


@pytest.fixture(scope="module")
def keras():
    os.environ.setdefault("KERAS_BACKEND", "torch")  # that of JAX breaks our strict rules of ranks
    return pytest.importorskip("keras")


@pytest.mark.filterwarnings("ignore")
def test_a_model_of_keras(keras):
    layers = keras.layers
    encoder = keras.Sequential([keras.Input((D,)), layers.Dense(7, "tanh"), layers.Dense(K)])
    decoder = keras.Sequential([keras.Input((K,)), layers.Dense(4), layers.Activation("gelu"), layers.Dense(D)])
    model, points = keras.Sequential([encoder, decoder]), np.random.default_rng(1).standard_normal((6, D))
    network = im.from_keras(model)
    points = points.astype(np.float32)
    np.testing.assert_allclose(network.reconstruct(points), model.predict(points, verbose=0), atol=1e-5)
    assert (network.encoder_activation.name, network.decoder_activation.name) == ("tanh", "gelu")
    assert (network.encoder.width, network.decoder.width) == (7, 4)  # Keras begins with biases of 0
    with pytest.raises(im.ArgumentError, match="'model' must have activations of the shelf, .* one with silu"):
        im.from_keras(keras.Sequential([encoder, layers.Dense(4, "silu"), layers.Dense(D)]))
    approximate = layers.Activation(lambda s: keras.activations.gelu(s, approximate=True))
    approximate.activation.__name__ = "gelu"
    with pytest.raises(im.ArgumentError, match="'model' must do what its layers say"):
        im.from_keras(keras.Sequential([encoder, layers.Dense(4), approximate, layers.Dense(D)]))
    with pytest.raises(im.ArgumentError, match="'model' must have two linear layers .* one with 2"):
        im.from_keras(encoder)


def test_what_is_not_there_is_said(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "keras", None)
    with pytest.raises(im.ArgumentError, match="Models of Keras need the package keras: pip install keras"):
        im.from_keras(None)
