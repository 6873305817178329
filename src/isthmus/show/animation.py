"""The animation of a report: the figures that one slider over training time moves together, and what they mean."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from isthmus._words import counted, setting
from isthmus.show.animation_data import animation_data
from isthmus.show.gap_panel import INTERVAL
from isthmus.show.picture_plots import image_shape
from isthmus.show.tracking_captions import components
from isthmus.studies.tracking_result import TrackingResult


class Moving(NamedTuple):
    """A figure that the slider moves."""

    name: str
    heading: str
    caption: str


class Animation(NamedTuple):
    """The moving figures of one study; ``name`` begins the identifiers of what belongs to it on the page."""

    name: str
    heading: str
    networks: Sequence[str]
    step_sizes: Sequence[str]
    predicted: bool
    readout: str
    figures: Sequence[Moving]
    data: dict[str, object]


def tracking_animation(result: TrackingResult) -> Animation | None:
    """Return the animation of a tracking study, None where its results hold none."""
    data = animation_data(result)
    if data is None:
        return None
    return Animation(
        name="animation",
        heading="Training in motion",
        networks=[f"N = {width}" for width in sorted(result.study.widths)],
        step_sizes=[setting(step_size) for step_size in sorted(result.study.step_sizes)],
        predicted="predicted_std" in result.dataset,
        readout=(
            "Risk at the time of the slider: of the mean field with its numerical error (95 %), the median and 5–95 % "
            f"range of {counted(result.study.runs, 'run')} of the chosen width and step size, the predicted mean and "
            f"range, and the risk of {components(result)}."
        ),
        figures=[Moving(key, heading, caption) for key, (heading, caption) in _captions(result).items()],
        data=data,
    )


def _captions(result: TrackingResult) -> dict[str, tuple[str, str]]:
    study, sizes = result.study, result.dataset.sizes
    finest = f"one network of the chosen width, trained at step size {setting(min(study.step_sizes))},"
    dashed = " Dashed: the predicted 5–95 % range, without any training." if "predicted_std" in result.dataset else ""
    plane = "the first two latents" if sizes["axis"] > 2 else "the latents"
    labels = ", coloured by label" if "label" in result.dataset else ""
    pictures = (
        "Grey levels run over the range of each original; at the right is the mean square error of a pixel."
        if image_shape(result)
        else "Rings are the data, lines the reconstructions; each feature is scaled to its range over these points."
    )
    return {
        "risk": (
            "Risk",
            f"Median and 5–95 % range of {counted(study.runs, 'run')} of the chosen width and step size, the mean "
            f"field (black or white) and PCA (dotted).{dashed} The upright line is the time of the slider. Time is "
            "linear up to the first record after 0 and logarithmic beyond it.",
        ),
        "difference": (
            "Difference to the mean field",
            f"The same risks minus $R(t)$; the y-axis is rescaled for each width.{dashed} The grey band about zero is "
            f"the {INTERVAL} of the mean field’s numerical error.",
        ),
        "latents": (
            "Latent plane",
            f"{plane[0].upper()}{plane[1:]} of {counted(sizes['scene_point'], 'point')} in {finest} and in the mean "
            f"field{labels}. Both panels have one scale at all times.",
        ),
        "pictures": (
            "Reconstructions",
            f"{counted(sizes['example'], 'point')} of the data, and their reconstructions by {components(result)}, by "
            f"{finest} and by the mean field. {pictures}",
        ),
        "encoder": (
            "Encoder neurons",
            f"Up to {counted(sizes['scene_encoder_neuron'], 'neuron')} of {finest} and as many particles of the mean "
            "field, by their incoming weights along two principal directions $v_1$ and $v_2$ of the data (or their "
            "bias $b$). The area grows with the length of the outgoing weight.",
        ),
        "decoder": (
            "Decoder neurons",
            f"Up to {counted(sizes['scene_decoder_neuron'], 'neuron')} of the decoder, by their incoming weights from "
            "two latents (or their bias $e$). The area grows with the length of the outgoing weight.",
        ),
    }
