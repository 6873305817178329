"""Autoencoders of torch as ours: the same outputs to rounding, or a message that names what doesn't fit."""

import jax
import numpy as np
import pytest

import isthmus as im

torch = pytest.importorskip("torch")
nn = torch.nn
D, K = 5, 2
SHELF = {
    "tanh": nn.Tanh(),
    "relu": nn.ReLU(),
    "leaky_relu": nn.LeakyReLU(),
    "softplus": nn.Softplus(),
    "gelu": nn.GELU(),
    "sigmoid": nn.Sigmoid(),
    "linear": nn.Identity(),
}


def sequential(activation, bias=True, widths=(7, 4), dtype=torch.float64):
    torch.manual_seed(0)
    encoder = nn.Linear(D, widths[0]), activation, nn.Linear(widths[0], K, bias=bias)
    return nn.Sequential(*encoder, nn.Linear(K, widths[1]), activation, nn.Linear(widths[1], D, bias=bias)).to(dtype)


class Named(nn.Module):
    """Named parts, functions as activations, a scaling about it all, and latents beside the outputs."""

    def __init__(self, activations=(torch.tanh, nn.functional.gelu)):
        super().__init__()
        torch.manual_seed(1)
        self.into, self.bottleneck = nn.Linear(D, 6), nn.Linear(6, K)
        self.out_of, self.last = nn.Linear(K, 6), nn.Linear(6, D)
        self.register_buffer("mean", torch.randn(D))
        self.activations = activations
        self.double()

    def forward(self, x):
        z = self.bottleneck(self.activations[0](self.into((x - self.mean) / 2)))
        return {"z": z}["z"], 2 * self.last(self.activations[1](self.out_of(z))) + self.mean


def outputs(module, points):
    with torch.no_grad():
        made = module(torch.tensor(points))
    return np.asarray(made[1] if isinstance(made, tuple) else made)


def assert_same(module, network, rtol):
    points = np.random.default_rng(1).standard_normal((9, D)).astype(np.asarray(network.encoder.bias).dtype)
    theirs = outputs(module, points)
    np.testing.assert_allclose(network.reconstruct(points), theirs, atol=rtol * np.abs(theirs).max())


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("name", [*SHELF, "erf"])
def test_outputs_are_the_same(name, bias, double):
    module = Named((torch.erf, torch.erf)) if name == "erf" else sequential(SHELF[name], bias)
    network = im.from_torch(module)
    assert (network.encoder_activation.name, network.decoder_activation.name) == (name, name)
    assert (network.dim, network.latent_dim) == (D, K)
    assert_same(module, network, 3e-9 if name == "softplus" else 1e-13)  # torch's softplus is the identity from 20 on


def test_every_activation_of_the_shelf_comes_back(double):
    random = np.random.default_rng(0)
    measures = [
        im.NeuronMeasure.of(*(random.standard_normal(shape) for shape in ((6, outputs), (6, inputs), 6)))
        for outputs, inputs in ((K, D), (D, K))
    ]
    for name, phi in im.ACTIVATIONS.items():
        network = im.Autoencoder(*measures, phi, phi)
        again = im.from_torch(im.torch.as_module(network))
        assert again.encoder_activation is phi, name
        for mine, other in zip(jax.tree.leaves(network), jax.tree.leaves(again), strict=True):
            np.testing.assert_allclose(other, mine, rtol=1e-14)


def test_latents_and_widths_are_those_of_the_module(double):
    module = sequential(nn.Tanh(), bias=False)
    network = im.from_torch(module)
    points = np.ones((3, D))
    np.testing.assert_allclose(network.encode(points), outputs(module[:3], points), rtol=1e-12)
    assert (network.encoder.width, network.decoder.width) == (7, 4)
    with_constants = im.from_torch(sequential(nn.Tanh()))
    assert (with_constants.encoder.width, with_constants.decoder.width) == (8, 5)


def test_single_precision_is_kept():
    module = sequential(nn.ReLU(), dtype=torch.float32)
    network = im.from_torch(module)
    assert network.encoder.outgoing.dtype == np.float32
    assert_same(module, network, 1e-6)


def test_named_parts_functions_and_scalings(double):
    module = Named()
    network = im.from_torch(module)
    assert (network.encoder_activation.name, network.decoder_activation.name) == ("tanh", "gelu")
    assert_same(module, network, 1e-13)


def test_parts_may_come_apart_and_dropout_may_be_off(double):
    module = sequential(nn.Tanh())
    assert_same(module, im.from_torch(module[:3], module[3:]), 1e-13)
    dropped = nn.Sequential(module[0], nn.Dropout(0.5), *module[1:]).eval()
    assert_same(dropped, im.from_torch(dropped), 1e-13)


def test_an_activation_of_ones_own(double):
    module = sequential(nn.SiLU())
    assert_same(module, im.from_torch(module, activation=im.Activation("swish", jax.nn.silu)), 1e-13)
    with pytest.raises(im.ArgumentError, match="'module' must do what its layers say"):
        im.from_torch(module, activation="tanh")


def test_a_fitted_estimator_comes_back(double):
    points = im.load_data("wine", max_points=40).points
    model = im.MeanFieldAutoencoder(2, width=12, horizon=1.0, random_state=0).fit(points)
    network = im.from_torch(model.to_torch())
    np.testing.assert_allclose(
        network.reconstruct(points), model.inverse_transform(model.transform(points)), rtol=1e-9, atol=1e-9
    )


def test_it_goes_on_from_there():
    data = im.load_data("wine", max_points=32)
    module = nn.Sequential(nn.Linear(13, 8), nn.Tanh(), nn.Linear(8, 2), nn.Linear(2, 8), nn.Tanh(), nn.Linear(8, 13))
    network = im.from_torch(module)
    problem = im.Problem(data, im.aligned_law(data, 2))
    widths = network.encoder.width, network.decoder.width
    runs = im.train(problem, [0.0, 1.0], widths, 0.1, batch_size=8, start=network)
    assert (
        runs.risk[0, 0] == pytest.approx(float(network.risk(data.points)), rel=1e-5)
        and runs.risk[0, 1] < runs.risk[0, 0]
    )
    wide = im.resize(network, 40, data)
    assert wide.risk_after == pytest.approx(wide.risk_before, rel=1e-6)


class Skips(Named):
    def forward(self, x):
        return x + self.last(self.out_of(self.bottleneck(self.into(x))))


class Branches(Named):
    def forward(self, x):
        return self.last(x) if x.sum() > 0 else x


class Forgets(Named):
    def forward(self, x):
        z = self.bottleneck(torch.tanh(self.into(x)))
        self.last(torch.tanh(self.out_of(z)))
        return z


def inserted(place, layer):
    layers = list(sequential(nn.Tanh(), dtype=torch.float32))
    return nn.Sequential(*layers[:place], layer, *layers[place:])


@pytest.mark.parametrize(
    ("module", "complaint"),
    [
        (inserted(6, nn.Sigmoid()), r"'module' must end with a linear layer, but it is one with Sigmoid\(\) in '6'"),
        (inserted(0, nn.Tanh()), r"must begin with a linear layer, but it is one with Tanh\(\) in '0'"),
        (inserted(3, nn.Tanh()), r"must have a bottleneck without an activation, but it is one with Tanh\(\) in '3'"),
        (inserted(1, nn.BatchNorm1d(7)), r"must have one activation between two .* BatchNorm1d\(7"),
        (inserted(1, nn.Dropout(0.5)), r"must have one activation between two .* Dropout\(p=0.5"),
        (inserted(1, nn.Linear(7, 7)), "must have two linear layers in .* one with 5: 5→7, 7→7, Tanh"),
        (sequential(nn.SiLU()), r"must have activations of the shelf, tanh, .* SiLU\(\) in '1'; if it acts"),
        (sequential(nn.GELU(approximate="tanh")), r"one with GELU\(approximate='tanh'\) in '1'"),
        (sequential(nn.LeakyReLU(0.2)), r"one with LeakyReLU\(negative_slope=0.2"),
        (sequential(nn.Softplus(beta=2)), r"one with Softplus\(beta=2"),
        (nn.Sequential(nn.Conv1d(3, 3, 3)), "one with 0: Conv1d"),
        (sequential(nn.Tanh())[:3], "one with 2: 5→7"),
        (Skips(), "'module' must be a chain of layers, but it is one that uses 'x' in "),
        (Branches(), "must have a forward pass that torch.fx can trace, .* TraceError.*; pass its parts"),
        (Forgets(), "must return what its last layer makes|must be a chain of layers"),
        (sequential(nn.Tanh()).half(), "must be in single or double precision, but it is torch.float16 in '0'"),
        (
            nn.Sequential(*sequential(nn.Tanh())[:5], nn.Linear(4, 3).double()),
            "as many features as it takes, .* 5 to 3",
        ),
        (lambda x: x, "'module' must be an instance of Module"),
    ],
)
def test_what_does_not_fit_is_named(module, complaint):
    with pytest.raises((im.ArgumentError, im.ArgumentTypeError), match=complaint):
        im.from_torch(module)


@pytest.mark.slow
def test_an_estimator_of_it_tells_how_it_stands(tmp_path):
    points = im.load_data("wine").points.astype(np.float32)
    torch.manual_seed(0)
    module = nn.Sequential(
        nn.Linear(13, 32), nn.Tanh(), nn.Linear(32, 2), nn.Linear(2, 32), nn.Tanh(), nn.Linear(32, 13)
    )
    for layer in (module[2], module[5]):
        nn.init.zeros_(layer.bias)
    network = im.from_torch(module)
    model = im.MeanFieldAutoencoder.from_network(network, points, random_state=0)
    assert model.get_params()["activation"] == "tanh" and (model.width, model.n_components) == (32, 2)
    np.testing.assert_allclose(model.inverse_transform(model.transform(points)), outputs(module, points), atol=1e-6)
    assert model.risk_ == pytest.approx(float(network.risk(points)), rel=1e-5)
    found = model.diagnose(points)
    assert found.state == "moving" and "is stable at" in found.verdicts()[1]
    assert (found.width, found.not_compared) == (
        32,
        "this network has none, since it doesn't come from a fit; fit(X) records one",
    )
    model.save(tmp_path / "model")
    again = im.MeanFieldAutoencoder.load(tmp_path / "model")
    np.testing.assert_array_equal(again.transform(points), model.transform(points))
    before = model.score(points)
    assert model.resized(64, points).score(points) == pytest.approx(before, abs=1e-5)
    assert model.partial_fit(points).score(points) > before
    with pytest.raises(im.ArgumentError, match="'X' must have the network's 13 columns"):
        im.MeanFieldAutoencoder.from_network(network, points[:, :5])
