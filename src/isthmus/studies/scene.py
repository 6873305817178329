"""The moving picture of a tracking study: what its networks and the mean field look like as training goes on."""

from __future__ import annotations

import jax
import numpy as np
import xarray as xr

from isthmus.core.autoencoder import Autoencoder
from isthmus.core.data import Data
from isthmus.core.neurons import NeuronMeasure
from isthmus.studies.prediction import in_plane
from isthmus.studies.study import named
from isthmus.studies.tracking import TrackingStudy
from isthmus.studies.tracking_work import Tracked

EXAMPLES = 8
"""Points whose reconstructions are shown,"""
SCENE_POINTS = 300
"""points whose latents are shown,"""
SCENE_NEURONS = 256
"""and neurons of each layer that are shown, at every time of the scene."""
COORDINATES = ("across", "upwards", "outgoing")


def has_scene(dataset: xr.Dataset) -> bool:
    """Whether results hold a moving picture; those of earlier releases don't."""
    return "scene_latent" in dataset


def examples(points: np.ndarray) -> np.ndarray:
    """Return a few points, spread over all of them, to be shown with their reconstructions."""
    return points[:: max(1, len(points) // EXAMPLES)][:EXAMPLES]


def scene_variables(study: TrackingStudy, computed: Tracked) -> dict[str, tuple]:
    """Return latents, neurons and reconstructions of the example networks and the mean field at the scene's times.

    A neuron is shown by its two leading incoming weights (or the only one and its bias) and by the length of its
    outgoing weight: an encoder neuron in the principal directions of the data, a decoder neuron in the axes of the
    latents. Where a network has fewer neurons than another, the rest is NaN. Everything is in single precision.
    """
    data = study.problem.population
    sources = [*(computed.examples[width] for width in study.widths), computed.path]
    networks = [[source.at(time) for time in study.scene_times] for source in sources]
    points, shown = data.points[:SCENE_POINTS], examples(data.points)
    seen = [[_seen(network, points, shown) for network in path] for path in networks]
    latents = [[np.asarray(latent) for latent, _ in path] for path in seen]
    pictures = [[data.restore(np.asarray(picture)) for _, picture in path] for path in seen]
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
            np.array(pictures, np.float32),
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
    """Return the first neurons of a measure, each by its place in a plane and the length of its outgoing weight."""
    outgoing, incoming, bias = (
        np.asarray(part)[:SCENE_NEURONS] for part in (measure.outgoing, measure.incoming, measure.bias)
    )
    return np.column_stack([in_plane(project(incoming), bias), np.linalg.norm(outgoing, axis=-1)])


def _clouds(neurons: list[list[np.ndarray]]) -> np.ndarray:
    """Stack clouds of neurons, (networks, times, neurons, 3), with NaN where one has fewer than another."""
    most = max(len(path[0]) for path in neurons)
    clouds = np.full((len(neurons), len(neurons[0]), most, len(COORDINATES)), np.nan, np.float32)
    for cloud, path in zip(clouds, neurons, strict=True):
        cloud[:, : len(path[0])] = path
    return clouds
