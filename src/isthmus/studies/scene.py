"""Pictures of a tracking study: latents, neurons and reconstructions of its networks and of the mean field."""

from __future__ import annotations

import jax
import numpy as np
import xarray as xr

from isthmus.core.autoencoder import Autoencoder
from isthmus.core.data import Data
from isthmus.core.neurons import NeuronMeasure
from isthmus.studies.prediction import first_two
from isthmus.studies.study import named
from isthmus.studies.tracking import Tracked, TrackingStudy

EXAMPLES = 8
"""Points that are shown with their reconstructions."""
SNAPSHOT_POINTS = 500
"""Points whose latents are shown at the snapshot times."""
SCENE_POINTS = 300
"""Points whose latents are shown at the times of the moving picture."""
SCENE_NEURONS = 256
"""Neurons of each layer that are shown at the times of the moving picture."""
COORDINATES = ("across", "upwards", "outgoing")


def has_scene(dataset: xr.Dataset) -> bool:
    """Whether results hold a moving picture; those of earlier releases don't."""
    return "scene_latent" in dataset


def examples(points: np.ndarray) -> np.ndarray:
    """Return a few points at equal distances in the table, to be shown with their reconstructions."""
    return points[:: max(1, len(points) // EXAMPLES)][:EXAMPLES]


def pictures(study: TrackingStudy, tracked: Tracked) -> dict[str, tuple]:
    """Return the variables of all pictures: at the snapshot times, and at those of the moving picture."""
    return _snapshots(study, tracked) | _scene(study, tracked)


def _snapshots(study: TrackingStudy, tracked: Tracked) -> dict[str, tuple]:
    """Return latents at the snapshot times and reconstructions at the horizon, in the data's own units."""
    path, data, times = tracked.path, study.problem.population, study.snapshot_times
    networks = {f"N = {width}": tracked.examples[width] for width in study.widths}
    sources, names = [*networks.values(), path], [*networks, "mean field"]
    shown, points = data.points[:SNAPSHOT_POINTS], examples(data.points)
    latents = [[np.asarray(source.at(time).encode(shown)) for time in times] for source in sources]
    pca = examples(data.pca_reconstruction(study.problem.latent_dim))
    images = [points, pca, *(source.at(times[-1]).reconstruct(points) for source in sources)]
    variables: dict[str, tuple] = {
        "latent": (
            ("network", "snapshot_time", "point", "axis"),
            np.array(latents),
            named("latents of the first points"),
        ),
        "network": ("network", names, named("whose latents these are")),
        "picture": (
            ("reconstruction", "example", "feature"),
            np.stack([data.restore(np.asarray(image)) for image in images]),
            named("points and their reconstructions at the horizon, in the units of the data"),
        ),
        "reconstruction": ("reconstruction", ["original", "PCA", *names], named("whose reconstruction this is")),
    }
    if data.columns is not None:
        variables["feature"] = ("feature", list(data.columns), named("names of the features"))
    if data.labels is not None:
        variables["label"] = ("point", data.labels[:SNAPSHOT_POINTS], named("labels of the first points"))
    return variables


def _scene(study: TrackingStudy, tracked: Tracked) -> dict[str, tuple]:
    """Return latents, neurons and reconstructions of the example networks and the mean field at the scene's times.

    A neuron is shown by its two leading incoming weights (or the only one and its bias) and by the length of its
    outgoing weight: an encoder neuron in the principal directions of the data, a decoder neuron in the axes of the
    latents. Where a network has fewer neurons than another, the rest is NaN. Everything is in single precision.
    """
    data = study.problem.population
    sources = [*(tracked.examples[width] for width in study.widths), tracked.path]
    networks = [[source.at(time) for time in study.scene_times] for source in sources]
    points, shown = data.points[:SCENE_POINTS], examples(data.points)
    seen = [[_seen(network, points, shown) for network in path] for path in networks]
    latents = [[np.asarray(latent) for latent, _ in path] for path in seen]
    images = [[data.restore(np.asarray(image)) for _, image in path] for path in seen]
    moments = ("network", "scene_time")
    return {
        "scene_time": ("scene_time", study.scene_times, named("times of the moving picture")),
        "scene_latent": (
            (*moments, "scene_point", "scene_axis"),
            np.array(latents, np.float32),
            named("latents of the first points at the times of the moving picture"),
        ),
        "scene_picture": (
            (*moments, "example", "feature"),
            np.array(images, np.float32),
            named("reconstructions of a few points at the times of the moving picture, in the units of the data"),
        ),
        "scene_encoder": (
            (*moments, "scene_encoder_neuron", "neuron_coordinate"),
            _clouds([[_encoder_neurons(network, data) for network in path] for path in networks]),
            named("encoder neurons: weights on two principal directions, and length of the outgoing weight"),
        ),
        "scene_decoder": (
            (*moments, "scene_decoder_neuron", "neuron_coordinate"),
            _clouds([[_decoder_neurons(network) for network in path] for path in networks]),
            named("decoder neurons: weights on two latents, and length of the outgoing weight"),
        ),
        "neuron_coordinate": ("neuron_coordinate", list(COORDINATES), named("what is shown of a neuron")),
    }


@jax.jit
def _seen(network: Autoencoder, points: jax.Array, shown: jax.Array) -> tuple[jax.Array, jax.Array]:
    return network.encode(points), network.reconstruct(shown)


def _encoder_neurons(network: Autoencoder, data: Data) -> np.ndarray:
    directions = data.principal_directions[:, :2]
    return _neurons(network.encoder, lambda incoming: incoming @ directions)


def _decoder_neurons(network: Autoencoder) -> np.ndarray:
    return _neurons(network.decoder, lambda incoming: incoming)


def _neurons(measure: NeuronMeasure, project) -> np.ndarray:
    """Return the first neurons of a measure, each by two coordinates and the length of its outgoing weight."""
    outgoing, incoming, bias = (
        np.asarray(part)[:SCENE_NEURONS] for part in (measure.outgoing, measure.incoming, measure.bias)
    )
    return np.column_stack([first_two(project(incoming), bias), np.linalg.norm(outgoing, axis=-1)])


def _clouds(neurons: list[list[np.ndarray]]) -> np.ndarray:
    """Stack clouds of neurons, (networks, times, neurons, 3), with NaN where one has fewer than another."""
    most = max(len(path[0]) for path in neurons)
    clouds = np.full((len(neurons), len(neurons[0]), most, len(COORDINATES)), np.nan, np.float32)
    for cloud, path in zip(clouds, neurons, strict=True):
        cloud[:, : len(path[0])] = path
    return clouds
