"""Missing entries: left out of the loss entry by entry, in the equations, the flow, SGD, the law and the studies."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import isthmus as im
from isthmus._precision import computing_in
from isthmus.dynamics.field import VectorField
from isthmus.studies.bottleneck_jobs import pca_risks
from isthmus.theory.linearisation import linearised
from isthmus.theory.trajectory import Trajectory, step

DOUBLE = np.dtype(np.float64)
TIMES = np.array([0.0, 1.0, 4.0])


def table(share=0.2, rows=40):
    random = np.random.default_rng(0)
    points = random.standard_normal((rows, 2)) @ random.standard_normal((2, 5)) + 7
    points += 0.2 * random.standard_normal(points.shape)
    return np.where(random.random(points.shape) < share, np.nan, points)


@pytest.fixture(scope="module")
def data():
    return im.Data(table(), center=True, scale="features", missing="ignore")


@pytest.fixture(scope="module")
def problem(data):
    return im.Problem(data, im.aligned_law(data, 2))


def entrywise_risk(network, points, weights):
    """Return ½ Σ p_i Σ_j m_ij (x_ij − x̂_ij)², entry by entry from its definition."""
    there, zeroed = jnp.asarray(~jnp.isnan(points), float), jnp.nan_to_num(points)
    latents = network.encode(zeroed)
    return (weights[:, None] * there * (network.decode(latents) - zeroed) ** 2).sum() / 2


def test_the_velocity_is_the_gradient_of_the_loss_over_the_entries_that_are_there(problem, double):
    points, weights = jnp.asarray(problem.data.points), jnp.asarray(problem.data.weights)
    network = problem.draw(jax.random.key(0), (6, 7), DOUBLE)
    risk, gradient = jax.jit(jax.value_and_grad(entrywise_risk))(network, points, weights)
    ours = jax.jit(lambda network: (network.risk(points, weights), network.velocity(points, weights)))(network)
    assert float(ours[0]) == pytest.approx(float(risk), rel=1e-13)
    velocity = ours[1]
    for side, width in (("encoder", 6), ("decoder", 7)):
        for part in ("outgoing", "incoming", "bias"):
            speed, slope = (getattr(getattr(tree, side), part) for tree in (velocity, gradient))
            np.testing.assert_allclose(speed, -width * slope, rtol=1e-10, atol=1e-13)
    of_one = jax.jit(lambda network, point: network.velocity(point).encoder.incoming)
    squares = [of_one(network, points[i : i + 1]) ** 2 for i in range(len(points))]
    moment = jax.jit(lambda network: network.second_moment(points, weights).encoder.incoming)(network)
    np.testing.assert_allclose(moment, sum(w * square for w, square in zip(weights, squares, strict=True)), rtol=1e-9)
    variations = jax.jit(lambda network: network.first_variations(points, weights))(network)
    masses = jax.jit(jax.grad(lambda network: network.risk(points, weights)))(network)
    np.testing.assert_allclose(variations[0], masses.encoder.masses, rtol=1e-9)


def alternating_least_squares(points, code, steps=2000):
    """Return the least risk of x̃ ↦ B Aᵀx̃ over the entries that are there, by solving for A and B in turn."""
    there, zeroed = ~np.isnan(points), np.nan_to_num(points)
    a, (n, d) = code.encoding.copy(), points.shape
    for _ in range(steps):
        latents = zeroed @ a
        b = np.stack([np.linalg.lstsq(latents[m], x[m], rcond=None)[0] for m, x in zip(there.T, zeroed.T, strict=True)])
        design = np.einsum("ni,jk->njik", zeroed, b).reshape(n, d, -1)[there]
        a = np.linalg.lstsq(design, zeroed[there], rcond=None)[0].reshape(d, -1)
    return (np.where(there, zeroed - zeroed @ a @ b.T, 0) ** 2).sum() / (2 * n)


def test_linear_networks_end_at_masked_least_squares():
    data = im.Data(table(0.15, 60), center=True, scale="features", missing="ignore")
    law = im.aligned_law(data, 1, activation="linear", strength=1.0, bias_scale=0.0, outgoing_noise=0.0)
    problem = im.Problem(data, law, activation="linear", train_biases=False)
    risk = im.solve_mean_field(problem, [0.0, 300.0], particles=32, replicates=2).risk
    assert risk[0] == pytest.approx(data.pca_risk(1), rel=1e-6)
    assert risk[1] == pytest.approx(alternating_least_squares(data.points, data.pca(1), 200), rel=1e-5)
    assert risk[1] < 0.999 * risk[0]


def test_both_integrators_agree(problem):
    options = {"particles": 16, "replicates": 1, "rtol": 1e-7}
    one, other = (
        im.solve_mean_field(problem, TIMES, integrator=name, **options).risk for name in ("adaptive", "low_memory")
    )
    np.testing.assert_allclose(one, other, rtol=1e-6)
    assert one[-1] < one[0]


def test_complete_data_are_not_changed_by_the_word():
    points = np.nan_to_num(table())
    plain, word = (im.Data(points, center=True, missing=missing) for missing in ("refuse", "ignore"))
    assert not word.has_missing
    np.testing.assert_array_equal(plain.points, word.points)


def test_the_influence_of_points_is_that_of_finite_differences(problem):
    np.testing.assert_array_equal(problem.frame.basis, np.eye(5))
    start, field = problem.particles(16).network, VectorField.of(problem.frame.data, problem.motion, DOUBLE)
    path = Trajectory(start, field, TIMES, 1e-4, 1000)
    linear = linearised(path, 0, None, None)
    influence = np.asarray(linear.points).sum(axis=1)[-1]
    h = 1e-5
    with computing_in(DOUBLE):
        move = jax.jit(step)
        for point in (0, 11):
            pair = []
            for sign in (1, -1):
                state, weights = (start, ()), field.weights.at[point].add(sign * h)
                for node in range(len(path.nodes) - 1):
                    state = move(field, state, weights, *path.interval(node))
                pair.append(float(field.risk(state[0])))
            assert influence[point] == pytest.approx((pair[0] - pair[1]) / (2 * h), rel=1e-6)


@pytest.mark.slow
def test_the_law_is_that_of_networks_in_training(problem):
    law = im.predict_finite_width(problem, TIMES, particles=64, samples=8)
    runs = im.train(problem, TIMES, width=256, step_size=0.05, batch_size=8, runs=400).risk
    error = runs.std(axis=0) / 20
    assert np.all(np.abs(law.mean(256, 0.05, 8) - runs.mean(axis=0)) < 4 * error + 2e-4)
    np.testing.assert_allclose(law.std(256, 0.05, 8), runs.std(axis=0), rtol=0.2)


@pytest.mark.slow
def test_a_bottleneck_study_leaves_missing_entries_out(tmp_path):
    np.savetxt(tmp_path / "holes.csv", table(), delimiter=",", header="a,b,c,d,e", comments="")
    options = {"activation": "linear", "max_latent_dim": 2, "splits": 2, "horizon": 50.0, "particles": 16}
    study = im.BottleneckStudy(
        data={"source": str(tmp_path / "holes.csv"), "missing": "ignore"}, replicates=2, rtol=1e-3, **options
    )
    result = im.bottleneck_curve(study)
    risks = result.dataset
    assert np.isfinite(risks.held_out_risk).all()
    assert np.all(risks.training_risk[:, 1] <= risks.pca_training_risk[:, 1] * 1.001)
    training, held_out = study.parts[0].training, study.parts[0].held_out
    code = training.pca(1)
    centred = held_out.points - training.mean
    left = centred - np.nan_to_num(centred) @ code.encoding @ code.directions.T
    expected = np.nansum(left**2) / len(left) / 2
    assert pca_risks(training, held_out.points, 1)[0] == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize(
    ("call", "what"),
    [
        (lambda problem: im.solve_optimum(problem), "the optimum"),
        (lambda problem: im.saddle(problem), "saddle"),
        (lambda problem: im.linear_closure(problem, [1.0]), "the closed system"),
    ],
)
def test_what_knows_of_complete_data_only_says_so(call, what, data):
    linear = im.Problem(data, im.aligned_law(data, 1, activation="linear"), activation="linear")
    with pytest.raises(im.ArgumentError, match=f"'problem' must have data without missing entries for {what}, but"):
        call(linear)


def test_what_is_missing_is_refused_unless_it_is_to_be_ignored():
    with pytest.raises(im.ArgumentError, match="leave them out of the loss by missing='ignore'"):
        im.Data(table())
    off = im.Data(table(), missing="ignore")
    with pytest.raises(im.ArgumentError, match=r"^Argument 'data' must be centred where entries are missing"):
        im.Problem(off, im.independent_law(5, 1))
    with pytest.raises(im.ArgumentError, match="without any in column 1"):
        im.Data(np.where([[False, True]], np.nan, [[1.0, 2.0], [3.0, 4.0]]), center=True, missing="ignore")
    with pytest.raises(im.ArgumentError, match="must be finite, but it is infinite in 1 of 4"):
        im.Data([[1.0, np.inf], [3.0, 4.0]], missing="ignore")
