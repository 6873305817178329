"""Influences in closed form against the discrete adjoint, and against the exact flow of a tilted initial law."""

import equinox as eqx
import numpy as np
import pytest

import isthmus as im
from isthmus.dynamics.field import VectorField
from isthmus.dynamics.flow import flow_settings, integrate
from isthmus.dynamics.parallel import Stages
from isthmus.theory import finite_width, leading_order
from isthmus.theory.influence import Sensitivity
from isthmus.theory.leading_order import SCALE, Settings, _smoothing, smoothing_bias
from isthmus.theory.linearisation import linearised
from isthmus.theory.prediction import covariance
from isthmus.theory.trajectory import Trajectory

DOUBLE = np.dtype(np.float64)
TIMES = np.array([0.0, 0.5, 2.0, 6.0])


def test_the_closed_form_is_the_adjoint():
    """Two routes to the same numbers: derivatives by masses, and by fields along the neurons' own paths.

    Neurons without mass have an influence, too, and move nothing.
    """
    data = im.load_data("wine", max_points=12)
    options = {"encoder_rate": lambda t: 1 / (1 + t / 4), "decoder_rate": 0.7, "weight_decay": 0.01}
    problem = im.Problem(data, im.aligned_law(data, 2), optimizer=im.Momentum(0.5), **options)
    start = problem.particles(8)
    field = VectorField.of(start.population, problem.motion, DOUBLE)
    path = Trajectory(_with_ghosts(start.network, 3), field, TIMES, 1e-3, 1000)
    linear = linearised(path, 0, 1, None)
    for closed, adjoint in zip(Sensitivity(path).of(path.network), (linear.encoder, linear.decoder), strict=True):
        assert closed.shape == (4, 11)
        for ours, theirs in zip(closed, adjoint, strict=True):
            np.testing.assert_allclose(ours, theirs, rtol=1e-10, atol=1e-12 * np.abs(theirs).max())


@pytest.mark.parametrize(("name", "asked", "fresh"), [("relu", None, 16), ("tanh", None, 0), ("tanh", 8, 8)])
def test_kernels_come_from_fresh_neurons_with_an_error_for_kinks_and_where_these_are_asked_for(
    monkeypatch, name, asked, fresh
):
    data = im.load_data("wine", max_points=12)
    monkeypatch.setattr(finite_width, "FRESH", 16)
    options = {"particles": 8, "curvature_particles": 8, "samples": 2, "dtype": "float64"}
    problem = im.Problem(data, im.aligned_law(data, 2, activation=name), name)
    path = im.solve_mean_field(problem, TIMES[:2], particles=8, replicates=1)  # of which the kernels know nothing
    law = im.predict_finite_width(problem, TIMES[:2], path=path, neurons=asked, **options)
    own = covariance(law.influence.encoder, np.asarray(law.influence.neurons.encoder.masses))
    found, error = law.noises["encoder"].kernel, law.noises["encoder"].kernel_error
    if not fresh:
        np.testing.assert_allclose(found, own)
        assert error is None and not law.at(8).std_error.any()
        return
    drawn = [problem.particles(fresh, 0, 2000 + one).drawn for one in range(4)]
    kernels = np.array([np.cov(law.linearised.sensitivity.of(neurons)[0]) for neurons in drawn])
    np.testing.assert_allclose(found, kernels.mean(axis=0), rtol=1e-9)
    np.testing.assert_allclose(error, np.diagonal(kernels.std(axis=0, ddof=1) / 2), rtol=1e-9)
    assert not np.allclose(found, own) and np.all(law.at(8).std_error > 0)


def test_other_neurons_are_refused_at_once_where_their_influence_is_not_known(monkeypatch):
    data = im.load_data("wine", max_points=12)
    monkeypatch.setattr(finite_width, "solve_mean_field", lambda *_, **__: pytest.fail("the computation began"))
    for options in ({"temperature": 0.01}, {"optimizer": im.Adam(batch_size=4)}):
        problem = im.Problem(data, im.aligned_law(data, 2), **options)
        with pytest.raises(im.ArgumentError, match="problem"):
            im.predict_finite_width(problem, TIMES[:2], particles=8, curvature_particles=8, samples=2, neurons=8)
        with pytest.raises(im.ArgumentError, match="problem"):
            im.estimate_finite_width(problem, TIMES[:2], 8, influence="exact")


def curve_with_kinks():
    """Return a problem with ReLU on a curve, and times."""
    curve = im.Data(im.manifold_stream(6, 1, seed=3).draw(64, 0).points, center=True, scale="total")
    return im.Problem(curve, im.aligned_law(curve, 1, activation="relu"), "relu"), np.linspace(0, 4, 6)


def digits_in_many_dimensions():
    """Return a problem with tanh on digits, and times."""
    data = im.load_data("digits", max_points=128)
    return im.Problem(data, im.aligned_law(data, 2)), np.linspace(0, 20, 6)


@pytest.mark.slow
@pytest.mark.parametrize(("made", "few"), [(curve_with_kinks, 512), (digits_in_many_dimensions, 1024)])
def test_fresh_neurons_have_the_kernels_of_more_particles(made, few):
    """Standard deviations by initial neurons: particles' own, and of fresh neurons, beside fresh ones by 2,048."""
    problem, times = made()
    path = im.solve_mean_field(problem, times, particles=64, replicates=1, rtol=1e-3, snapshot_times=())
    options = {"path": path, "curvature_particles": 8, "samples": 2, "neurons": 2048}
    law, best = (im.predict_finite_width(problem, times, particles=count, **options) for count in (few, 2048))
    sides = ("encoder", "decoder")
    fresh, many = (np.sqrt([np.diagonal(one.noises[side].kernel) for side in sides]) for one in (law, best))
    measures, influences = ([getattr(of, side) for side in sides] for of in (law.influence.neurons, law.influence))
    kernels = [covariance(one, np.asarray(side.masses)) for one, side in zip(influences, measures, strict=True)]
    own = np.sqrt([np.diagonal(kernel) for kernel in kernels])
    errors = [law.noises[side].kernel_error / (2 * of_side**2) for side, of_side in zip(sides, fresh, strict=True)]
    for name, found in (("own", own), ("fresh", fresh)):
        print(f"{name:6}", np.round(100 * (found / many - 1), 1).tolist(), "%")
    print("error ", np.round(100 * np.max(errors), 1), "%")
    assert np.abs(fresh / many - 1).max() < 0.02 < np.abs(own / many - 1).max()
    assert np.max(errors) < 0.02


def _with_ghosts(network, count):
    random = np.random.default_rng(0)

    def side(measure):
        parts = measure.outgoing, measure.incoming, measure.bias
        more = [np.concatenate([part, random.standard_normal((count, *part.shape[1:]))]) for part in parts]
        return type(measure)(np.concatenate([measure.masses, np.zeros(count)]), *more)

    return eqx.tree_at(
        lambda network: (network.encoder, network.decoder), network, (side(network.encoder), side(network.decoder))
    )


def test_the_smoothed_kink_has_the_derivative_of_the_exact_flow():
    """ReLU: tilts of the initial law by a function of the neuron, against finite differences of the flow itself."""
    data = im.Data(im.manifold_stream(3, 1, seed=3).draw(16, 0).points, center=True, scale="total")
    problem = im.Problem(data, im.aligned_law(data, 1, activation="relu"), "relu")
    times, particles = np.array([0.0, 1.0]), problem.particles(1 << 8)
    field = VectorField.of(particles.population, problem.motion, DOUBLE)
    path = Trajectory(_smoothing(particles, SCALE)(particles.network), field, times, 1e-2, 1000)
    influences = Sensitivity(path).of(particles.network)
    settings, h = flow_settings(1e-5, None, 20_000, DOUBLE), 0.05
    for side, influence in zip(("encoder", "decoder"), influences, strict=True):
        measure = getattr(particles.network, side)
        tilt = np.tanh(np.asarray(measure.bias) * 3 + np.asarray(measure.incoming)[:, 0])
        tilt -= tilt.mean()
        risks = []
        for sign in (1, -1):
            masses = np.asarray(measure.masses) * (1 + sign * h * tilt)
            tilted = eqx.tree_at(lambda network, side=side: getattr(network, side).masses, particles.network, masses)
            risks.append(integrate(field, tilted, times, settings).risk)
        exact = (risks[0] - risks[1]) / (2 * h)
        ours = influence @ (tilt * np.asarray(measure.masses))
        np.testing.assert_allclose(ours, exact, rtol=0.02, atol=0.01 * np.abs(exact).max())


@pytest.mark.slow
def test_what_smoothing_changes_is_estimated(monkeypatch):
    """It goes as the square of the scale, and smooth activations have none of it."""
    data = im.Data(im.manifold_stream(3, 1, seed=3).draw(16, 0).points, center=True, scale="total")
    times, settings = np.array([0.0, 1.0]), Settings(64, 8, 2, 0, 1e-2, 1000, DOUBLE)
    smooth, relu = (im.Problem(data, im.aligned_law(data, 1, activation=name), name) for name in ("tanh", "relu"))
    assert smoothing_bias(smooth, times, settings, 1, Stages(None)) is None
    biases = []
    for scale in (SCALE, 4 * SCALE):
        monkeypatch.setattr(leading_order, "SCALE", scale)
        biases.append(smoothing_bias(relu, times, settings, 1, Stages(None)))
    assert 0 < biases[0] < 0.02 and 6 < biases[1] / biases[0] < 40
