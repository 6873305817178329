"""Networks beside their ideal particles: what moves, how far apart, and at which rate in the width."""

import numpy as np
import pytest

import isthmus as im
from isthmus.theory import coupling as module


@pytest.fixture(scope="module")
def problem():
    data = im.load_data("wine", max_points=48)
    return im.Problem(data, im.aligned_law(data, 2))


def test_an_ideal_particle_that_starts_at_one_of_the_limit_stays_with_it(problem, monkeypatch):
    start = problem.particles(32)
    lifted = start.lifted(start.network)
    monkeypatch.setattr(im.Problem, "draw", lambda self, key, widths, dtype: lifted)
    coupling = im.couple(problem, [0.0, 1.0, 4.0], width=32, runs=1, particles=32, rtol=1e-9)
    # The network is then the limit's own particles, so that all three are one.
    assert coupling.supremum("encoder")[0] < 1e-12 and coupling.supremum("decoder")[0] < 1e-12
    np.testing.assert_allclose(coupling.ideal.decoder.outgoing[0], coupling.limit.decoder.outgoing, atol=1e-6)


@pytest.mark.slow
def test_distances_begin_at_0_and_fall_as_one_over_the_width(problem):
    times = np.linspace(0, 8, 5)
    widths, means = (32, 256), []
    for width in widths:
        coupling = im.couple(problem, times, width, runs=8, particles=512, seed=1)
        assert not coupling.encoder[:, 0].any() and (coupling.encoder[:, -1] > 0).all()
        means.append([coupling.supremum(side).mean() for side in ("encoder", "decoder")])
    for side in range(2):
        slope = np.polyfit(np.log(widths), np.log(np.array(means)[:, side]), 1)[0]
        assert slope == pytest.approx(-1, abs=0.25)


@pytest.mark.slow
def test_sgd_is_coupled_to_the_same_ideal_particles(problem):
    times = [0.0, 2.0]
    flow = im.couple(problem, times, 64, runs=2, particles=256)
    steps = im.couple(problem, times, 64, step_size=0.1, batch_size=4, runs=2, particles=256)
    np.testing.assert_allclose(flow.ideal.encoder.outgoing, steps.ideal.encoder.outgoing, rtol=1e-12)
    np.testing.assert_array_equal(
        steps.risk, im.train(problem, times, 64, 0.1, batch_size=4, runs=2, dtype="float64").risk
    )
    assert (steps.supremum("encoder") > flow.supremum("encoder")).all()


@pytest.mark.slow
def test_wasserstein_distances_lie_below_the_coupling_and_agree_with_each_other(problem):
    coupling = im.couple(problem, [0.0, 8.0], 64, runs=3, particles=512)
    for side in ("encoder", "decoder"):
        assert not coupling.wasserstein(side, 0.0, exact=True).any()
        exact, sliced = (coupling.wasserstein(side, 8.0, exact=flag) for flag in (True, False))
        assert (exact <= np.sqrt(getattr(coupling, side)[:, -1]) + 1e-12).all()
        assert (sliced <= exact * 1.1).all() and (sliced > 0).all()


def test_the_exact_distance_of_a_shifted_cloud_is_the_shift():
    cloud = np.random.default_rng(0).standard_normal((50, 3))
    assert module._assigned(cloud, cloud[::-1] + np.array([0.3, 0.0, 0.4])) == pytest.approx(0.5)


@pytest.mark.slow
def test_arguments_are_checked(problem):
    with pytest.raises(im.ArgumentError, match="power of 2"):
        im.couple(problem, [0.0, 1.0], 16, particles=100)
    with pytest.raises(im.ArgumentError, match="'side' must be one of 'encoder', 'decoder'"):
        im.couple(problem, [0.0, 1.0], 16, runs=1, particles=16).wasserstein("latent", 1.0)
