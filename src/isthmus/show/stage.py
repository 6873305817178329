"""The stage of a report: the figures that one slider over training time moves together, and what they mean."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from isthmus.show.picture_plots import image_shape
from isthmus.show.scene_data import tracking_scene
from isthmus.studies.scene import has_scene
from isthmus.studies.statistics import CONFIDENCE
from isthmus.studies.tracking_result import TrackingResult


class Moving(NamedTuple):
    """A figure that the slider moves."""

    name: str
    heading: str
    caption: str


class Stage(NamedTuple):
    """The moving figures of one study; ``name`` begins the identifiers of what belongs to it on the page."""

    name: str
    heading: str
    networks: Sequence[str]
    step_sizes: Sequence[str]
    predicted: bool
    readout: str
    figures: Sequence[Moving]
    scene: dict[str, Any]


def tracking_stage(result: TrackingResult, name: str = "stage") -> Stage | None:
    """Return the stage of a tracking study, None where its results hold no moving picture."""
    if not has_scene(result.dataset):
        return None
    scene = tracking_scene(result)
    assert scene is not None
    return Stage(
        name=name,
        heading="Training, as it goes on",
        networks=[f"N = {width}" for width in sorted(result.study.widths)],
        step_sizes=[f"{step_size:g}" for step_size in sorted(result.study.step_sizes)],
        predicted="predicted_std" in result.dataset,
        readout=(
            "Risks ½E‖x − x̂‖² at the time of the slider: of the mean field, of the middle and of the middle 90 % of "
            f"the {result.study.runs} runs of the chosen width and step size, and the same as predicted from the mean "
            f"field alone; and what PCA with {_components(result)} leaves over."
        ),
        figures=[Moving(key, heading, caption) for key, (heading, caption) in _captions(result).items()],
        scene=scene,
    )


def _components(result: TrackingResult) -> str:
    latent_dim = result.dataset.sizes["axis"]
    return f"{latent_dim} component{'s' if latent_dim > 1 else ''}"


def _captions(result: TrackingResult) -> dict[str, tuple[str, str]]:
    study, sizes = result.study, result.dataset.sizes
    finest = f"one network of the chosen width, trained at step size {min(study.step_sizes):g}"
    predicted = "predicted_std" in result.dataset
    band = f"the band holds the middle 90 % of its {study.runs} runs, the line in it is their median"
    red = "; red lines hold 90 % of runs as predicted from the mean field alone" if predicted else ""
    plane = "the first two latents" if sizes["axis"] > 2 else "the latents"
    labels = ", coloured by label" if "label" in result.dataset else ""
    pictures = (
        "Each column is one point, with the same grey levels down the column; at the right is the mean square error."
        if image_shape(result)
        else "Rings are the data, lines the reconstructions; every feature is scaled to its range over these points."
    )
    return {
        "risk": (
            "Risk",
            f"The risk of the mean field (dashed) and of networks of the chosen width and step size: {band}{red}. The "
            "dotted line is PCA, the upright line the time of the slider. Time is linear up to the first record after "
            "0 and logarithmic beyond it.",
        ),
        "difference": (
            "Difference to the mean field",
            f"The same risks minus R(t), on a scale of the chosen width’s own: {band}{red}. The grey band about zero "
            f"is the {100 * CONFIDENCE:g} % interval of the mean field’s own numerical error.",
        ),
        "latents": (
            "Latent plane",
            f"Where {finest}, and the mean field, put {plane} of the same {sizes['scene_point']} points{labels}. Both "
            "panels have one scale at all times.",
        ),
        "pictures": (
            "Reconstructions",
            f"{sizes['example']} points of the data, and what PCA with {_components(result)}, {finest}, and the mean "
            f"field make of them. {pictures}",
        ),
        "encoder": (
            "Encoder neurons",
            f"Up to {sizes['scene_encoder_neuron']} neurons of {finest}, and as many particles of the mean field. A "
            "dot lies at the weights of the neuron on two principal directions v₁ and v₂ of the data (or at its bias "
            "b), and its area grows with the length of its outgoing weight.",
        ),
        "decoder": (
            "Decoder neurons",
            f"The same of the decoder, up to {sizes['scene_decoder_neuron']} neurons: a dot lies at the weights of the "
            "neuron on two latents (or at its bias e), and its area grows with the length of its outgoing weight.",
        ),
    }
