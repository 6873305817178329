"""Loops in torch take the steps of `train`, from the same start and on the same batches."""

import jax
import numpy as np
import pytest
from example_scripts import example

import isthmus as im
from isthmus._precision import DOUBLE, computing_in
from isthmus.dynamics.batches import Batches
from isthmus.dynamics.sgd import run_keys

torch = pytest.importorskip("torch")
BATCH, STEPS, SIZE = 4, 12, 0.05
OPTIMIZERS = {
    "gradient descent": im.GradientDescent(),
    "momentum": im.Momentum(memory=0.4),
    "adam": im.Adam(mean_memory=0.3, square_memory=2.0, epsilon=0.02, batch_size=BATCH),
}


@pytest.fixture(scope="module")
def data():
    return im.load_data("wine", max_points=24)


def make(data, **options):
    return im.Problem(data, im.aligned_law(data, latent_dim=2), **options)


def batches_of(problem, steps):
    """Return the batches of run 0 of `train`, in double precision."""
    with computing_in(DOUBLE):
        batches = Batches.of(problem, BATCH, "with_replacement", DOUBLE)
        key = run_keys(0, 0)[1]
        drawn = batches.draws(key, np.int32(0), steps)
        order = batches.first_order()
        return [np.asarray(batches.batch(key, np.int32(i), drawn[i], order)[0]) for i in range(steps)]


def trained_in_torch(problem, start, loss, decoder_apart=False, **options):
    module = im.torch.as_module(start)
    parts = (module[0], {"decoder": module[1]}) if decoder_apart else (module, {})
    optimizer = im.torch.mean_field_optimizer(
        parts[0], SIZE, problem.optimizer, loss=loss, weight_decay=problem.weight_decay,
        encoder_rate=problem.encoder_rate, decoder_rate=problem.decoder_rate, **parts[1], **options,
    )  # fmt: skip
    for points in batches_of(problem, STEPS):
        x = torch.tensor(points)
        optimizer.zero_grad()
        error = module(x) - x
        (error.square().mean() if loss == "mse" else error.square().sum(dim=1).mean() / 2).backward()
        optimizer.step()
    return im.from_torch(module)


@pytest.mark.parametrize("loss", ["mse", "risk"])
@pytest.mark.parametrize("kind", OPTIMIZERS)
def test_steps_are_those_of_train(kind, loss, data):
    """Both judges move the same neurons: our own steps, and torch's by automatic differentiation of its own."""
    options = {"weight_decay": (0.03, 0.01), "encoder_rate": 0.7, "decoder_rate": 1.3}
    problem = make(data, optimizer=OPTIMIZERS[kind], **options)
    with computing_in(DOUBLE):
        start = problem.draw(run_keys(0, 0)[0], (7, 5), DOUBLE)
    ours = im.train(problem, [STEPS * SIZE], (7, 5), SIZE, batch_size=BATCH, dtype="float64").at(STEPS * SIZE)
    theirs = trained_in_torch(problem, start, loss, decoder_apart=loss == "mse")
    moved = max(np.abs(a - b).max() for a, b in zip(leaves(ours), leaves(start), strict=True))
    assert moved > 0.02
    for mine, other in zip(leaves(ours), leaves(theirs), strict=True):
        np.testing.assert_allclose(other, mine, rtol=1e-10, atol=1e-11)


def leaves(network):
    return [np.asarray(leaf) for leaf in jax.tree.leaves(network)]


def test_training_goes_on_from_a_module(data):
    """`train` from a network that torch made takes the step that torch takes from it."""
    problem = make(data)
    nn = torch.nn
    encoder = nn.Sequential(nn.Linear(13, 6), nn.Tanh(), nn.Linear(6, 2, bias=False)).double()
    decoder = nn.Sequential(nn.Linear(2, 6), nn.Tanh(), nn.Linear(6, 13, bias=False)).double()
    start = im.from_torch(encoder, decoder)
    full = {"batch_size": data.size, "sampling": "without_replacement", "dtype": "float64"}
    ours = im.train(problem, [SIZE], 6, SIZE, start=start, **full).at(SIZE)
    optimizer = im.torch.mean_field_optimizer(encoder, SIZE, decoder=decoder)
    x = torch.tensor(data.points)
    torch.nn.functional.mse_loss(decoder(encoder(x)), x).backward()
    optimizer.step()
    for mine, other in zip(leaves(ours), leaves(im.from_torch(encoder, decoder)), strict=True):
        np.testing.assert_allclose(other, mine, rtol=1e-12, atol=1e-12)


def small(bias=False):
    nn = torch.nn
    encoder = nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 1, bias=bias)
    return nn.Sequential(*encoder, nn.Linear(1, 4), nn.Tanh(), nn.Linear(4, 3, bias=bias))


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (lambda _: (small(bias=True), {}), "'module' must have no biases in its last layers, but it is '2'"),
        (lambda module: (module[0], {}), "'module' must have two linear layers"),
        (lambda module: (module.requires_grad_(False), {}), "'module' must have layers that are trained"),
        (lambda module: (module, {"optimizer": im.Momentum(0.01)}), "'optimizer' must have a memory of at least the"),
        (lambda module: (module, {"optimizer": "adam"}), "'optimizer' must be an instance of Optimizer"),
        (lambda module: (module, {"loss": "mae"}), "'loss' must be one of"),
        (lambda module: (module, {"weight_decay": -1.0}), "'weight_decay' must be a finite number at least 0"),
    ],
)
def test_what_does_not_follow_a_limit_is_refused(change, complaint):
    module, options = change(small())
    with pytest.raises((im.ArgumentError, im.ArgumentTypeError), match=complaint):
        im.torch.mean_field_groups(module, 0.1, **options)


def test_biases_of_0_in_last_layers_stay_as_they_are():
    module = small(bias=True)
    for layer in (module[2], module[5]):
        torch.nn.init.zeros_(layer.bias)
    optimizer = im.torch.mean_field_optimizer(module, 0.1)
    x = torch.randn(5, 3)
    torch.nn.functional.mse_loss(module(x), x).backward()
    optimizer.step()
    assert not module[2].bias.any() and not module[5].bias.any()
    assert im.from_torch(module).encoder.width == 4


@pytest.fixture(scope="module")
def limit_of_torch():
    """A problem, its points for torch, times, and the law of its networks."""
    data, threads = im.load_data("wine"), torch.get_num_threads()
    problem, times = make(data), np.linspace(0, 4, 9)
    law = im.predict_finite_width(problem, times, particles=512, samples=32)
    torch.set_num_threads(1)  # such networks are small
    yield problem, torch.tensor(data.points, dtype=torch.float32), times, law
    torch.set_num_threads(threads)


@pytest.mark.slow
@pytest.mark.parametrize("width", [64, 256, 1024])
def test_risk_curves_of_torch_lie_within_the_predicted_band(width, limit_of_torch):
    """Batches of torch's own random numbers, in its own loop: our law says where the risk is, to 4 standard errors."""
    problem, x, times, law = limit_of_torch
    size, runs = 0.05, 64
    found = example("torch_widths").curves(problem, x, times, width, size, runs).risk
    low, high = law.band(0.9, width, size, 8)
    share = ((found >= low) & (found <= high)).mean(axis=0)
    assert (np.abs(share - 0.9) <= 4 * np.sqrt(0.9 * 0.1 / runs)).all(), share
    mean, error = law.mean(width, size, 8), found.std(axis=0, ddof=1) / np.sqrt(runs)
    assert (np.abs(found.mean(axis=0) - mean) <= 4 * error + 0.1 * np.abs(mean - law.path.risk)).all()
