"""A problem in words: strict descriptions that build a `Problem`, for study files and the command line."""

from __future__ import annotations

import difflib
import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin

import numpy as np
import optax
import tomli_w
from pydantic import BaseModel, ConfigDict, Field, ValidationError, ValidationInfo, field_validator, model_validator

from isthmus import _checks
from isthmus._errors import ArgumentError, IsthmusError
from isthmus.core.activations import ACTIVATIONS
from isthmus.core.data import Data, Stream
from isthmus.core.laws import Law, aligned_law, independent_law
from isthmus.core.optimizers import Adam, GradientDescent, Momentum, Optimizer
from isthmus.core.problem import Problem
from isthmus.core.rates import Rate
from isthmus.core.scaling import Scale
from isthmus.core.sources import (
    FILES,
    OF_FILES,
    SOURCES,
    gaussian_stream,
    is_file,
    load_data,
    manifold_stream,
    usual_scale,
)

Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
NonNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Count = Annotated[int, Field(ge=1)]
Seed = Annotated[int, Field(ge=0, le=_checks.LARGEST_SEED)]
Columns = str | tuple[str, ...] | None
GENERATORS = ("gaussian", "manifold")
SCALED = {
    "none": "in its own units",
    "total": "in one unit for all columns",
    "features": "scaled by feature",
    "robust": "scaled by feature, by the distance of the quartiles",
}
"""What each scaling does, in words."""
COMPARISONS = {
    "greater than or equal to": "at least",
    "less than or equal to": "at most",
    "greater than": "above",
    "less than": "below",
}
"""What a rule of pydantic's is called in the grammar of all arguments; longer ones first."""
UNIONS = {"activation": "one name or a pair", "weight_decay": "one number of at least 0 or a pair"}


def _kinds(annotation: Any) -> set[Any]:
    """Return the types of which the values of a field are made."""
    if get_origin(annotation) is Literal:
        return {str}
    inner = [one for one in get_args(annotation) if one is not ...]
    if get_origin(annotation) is Annotated:
        del inner[1:]
    return set().union(*map(_kinds, inner)) if inner else {annotation}


class Strict(BaseModel):
    """A description that knows all its keys, and refuses others."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True)

    @field_validator("*", mode="before")
    @classmethod
    def _no_other_type(cls, value: Any, about: ValidationInfo) -> Any:
        """Refuse truth values and words where there are numbers, whose type TOML tells."""
        kinds = _kinds(cls.model_fields[about.field_name or ""].annotation)
        if kinds <= {int, float, type(None)}:
            for one in value if isinstance(value, list | tuple) else [value]:
                if isinstance(one, bool | np.bool_ | str | bytes):
                    raise ValueError("a valid number" if float in kinds else "a valid integer")
        return value


class DataSpecification(Strict):
    """Where points come from: a named set, a file, or a generator."""

    source: str = Field("digits", description="a named set, 'gaussian', 'manifold', or a file of numbers")
    max_points: Count | None = Field(None, description="keep a random subset of a named set or file")
    seed: Seed = Field(0, description="of the subset, the manifold and the points drawn from a generator")
    center: bool = True
    scale: Scale | None = Field(
        None, description="'none', 'total', 'features' or 'robust'; by default what suits the source"
    )
    columns: Columns = Field(None, description="file: its features, by name or place; all by default")
    drop: Columns = Field(None, description="file: columns that are no features; by default an index without a name")
    label: str | None = Field(None, description="file: the column that colours the latents, no feature")
    header: bool | None = Field(None, description="file: whether the first line holds names")
    separator: str | None = Field(None, description="file: one character, 'tab' or 'space'")
    decimal: Literal[".", ","] | None = Field(None, description="file: the decimal mark")
    missing: Literal["refuse", "ignore"] = Field("refuse", description="'ignore' leaves missing values out of the risk")
    points: Count = Field(256, description="generator: how many points to draw")
    stream: bool = Field(False, description="generator: draw fresh points at every step (one pass)")
    variances: tuple[NonNegative, ...] = Field((), description="gaussian: the diagonal of the covariance")
    dim: Count = Field(6, description="manifold: dimension of the space")
    manifold_dim: Count = Field(1, description="manifold: its own dimension")
    curvature: Positive = Field(1.5, description="manifold: standard deviation of its frequencies")
    noise: NonNegative = Field(0.05, description="manifold: root mean square distance of the points from it")

    @field_validator("columns", "drop", "label", mode="before")
    @classmethod
    def _names_or_places(cls, value: Any, about: ValidationInfo) -> Any:
        """Take places as words, which a file reads as places where no column has such a name."""
        several = isinstance(value, list | tuple) and about.field_name != "label"
        found = [str(one) if type(one) is int else one for one in (value if several else [value])]
        if not all(isinstance(one, str | None) for one in found):
            raise ValueError("names of columns, or their places" if about.field_name != "label" else "one column")
        return tuple(found) if several else found[0]

    @model_validator(mode="after")
    def _complete(self) -> DataSpecification:
        _checks.path("data.source", self.source)
        if not is_file(self.source):
            _checks.choice("data.source", self.source, (*SOURCES, *GENERATORS, FILES))
            for key in OF_FILES:
                if (value := getattr(self, key)) is not None:
                    _checks.refuse(f"data.{key}", f"be left out for {self.source!r}, which is no file", value)
        if self.stream and self.source not in GENERATORS:
            _checks.refuse("data.stream", "be false for a finite set of points", True)
        if self.source == "gaussian" and not self.variances:
            _checks.refuse("data.variances", "be given for source='gaussian'", list(self.variances))
        return self

    @property
    def scaling(self) -> Scale:
        """The scaling that is used: the one that is set, or else what suits the source."""
        return self.scale or usual_scale(self.source)

    @property
    def described(self) -> str:
        """The name of the source, and how it is scaled where that goes without saying for no file."""
        return f"{Path(self.source).name}, {SCALED[self.scaling]}" if is_file(self.source) else self.source

    def build(self) -> Data | Stream:
        """Return the data, or the stream."""
        if self.source not in GENERATORS:
            return load_data(
                self.source,
                self.max_points,
                self.seed,
                center=self.center,
                scale=self.scaling,
                missing=self.missing,
                **{key: getattr(self, key) for key in OF_FILES},
            )
        stream = self._generator()
        if self.stream:
            return stream
        _checks.memory("data.points", self.points, 8 * self.points * stream.dim)
        points = stream.draw(self.points, self.seed).points
        return Data(points, center=self.center, scale=self.scaling, name=stream.name)

    def _generator(self) -> Stream:
        if self.source == "gaussian":
            return gaussian_stream(self.variances)
        return manifold_stream(self.dim, self.manifold_dim, curvature=self.curvature, noise=self.noise, seed=self.seed)


class LawSpecification(Strict):
    """The initial law of the neurons."""

    kind: Literal["aligned", "independent"] = "aligned"
    latent_dim: Count = Field(2, description="dimension k of the bottleneck")
    strength: float = Field(0.5, ge=0, le=1, description="aligned: fraction of the PCA reconstruction at time 0")
    preactivation_scale: Positive = Field(0.7, description="aligned: root mean square preactivation without bias")
    bias_scale: NonNegative = Field(0.5, description="standard deviation of the biases")
    outgoing_noise: NonNegative = Field(0.1, description="aligned: independent part of the outgoing weights")
    outgoing_scale: NonNegative = Field(1.0, description="independent: standard deviation of outgoing weights")
    incoming_scale: NonNegative = Field(1.0, description="independent: standard deviation of incoming weights")

    def build(self, data: Data, activation: tuple[str, str]) -> Law:
        """Return the law for these data and activations."""
        if self.kind == "independent":
            return independent_law(
                data.dim,
                self.latent_dim,
                outgoing_scale=self.outgoing_scale,
                incoming_scale=self.incoming_scale,
                bias_scale=self.bias_scale,
            )
        return aligned_law(
            data,
            self.latent_dim,
            activation=activation,
            strength=self.strength,
            preactivation_scale=self.preactivation_scale,
            bias_scale=self.bias_scale,
            outgoing_noise=self.outgoing_noise,
        )


class ScheduleSpecification(Strict):
    """A step-size schedule ξ(t) on top of the rates of encoder and decoder, in mean-field time."""

    kind: Literal["constant", "cosine", "exponential"] = "constant"
    time: Positive = Field(1.0, description="cosine: when it has decayed; exponential: when it has halved")
    final: float = Field(0.0, ge=0, le=1, description="cosine: the value it decays to")

    def build(self, rate: float) -> Rate:
        """Return ``rate`` × ξ(t)."""
        if self.kind == "cosine":
            return optax.cosine_decay_schedule(rate, self.time, self.final)  # pyright: ignore
        if self.kind == "exponential":
            return optax.exponential_decay(rate, self.time, 0.5)  # pyright: ignore
        return rate


class OptimizerSpecification(Strict):
    """The optimizer, in a form that has a mean-field limit: memories are times, not decays a step."""

    kind: Literal["sgd", "momentum", "adam"] = "sgd"
    memory: Positive = Field(1.0, description="momentum and adam: of the velocity, in mean-field time")
    square_memory: Positive = Field(10.0, description="adam: of its square")
    epsilon: Positive = Field(1e-3, description="adam: added to the root of the average square")

    def build(self, batch_size: int | None) -> Optimizer:
        """Return the optimizer; Adam's limit depends on the batch size."""
        if self.kind == "momentum":
            return Momentum(self.memory)
        if self.kind == "adam":
            return Adam(self.memory, self.square_memory, self.epsilon, batch_size)
        return GradientDescent()


class ProblemSpecification(Strict):
    """A problem in words; `build` makes the `Problem`."""

    activation: str | tuple[str, str] = Field("tanh", description="one name, or [encoder, decoder]")
    encoder_rate: NonNegative = 1.0
    decoder_rate: NonNegative = 1.0
    weight_decay: NonNegative | tuple[NonNegative, NonNegative] = Field(
        0.0, description="penalty on squared weights, one number or [encoder, decoder]"
    )
    temperature: NonNegative = Field(0.0, description="of mean-field Langevin dynamics")
    train_biases: bool = Field(True, description="false keeps biases as drawn: none with law.bias_scale = 0")
    population_points: Count = Field(4096, description="stream: points that stand for the population")
    data: DataSpecification = DataSpecification()  # pyright: ignore[reportCallIssue]
    law: LawSpecification = LawSpecification()  # pyright: ignore[reportCallIssue]
    schedule: ScheduleSpecification = ScheduleSpecification()  # pyright: ignore[reportCallIssue]
    optimizer: OptimizerSpecification = OptimizerSpecification()  # pyright: ignore[reportCallIssue]

    @model_validator(mode="after")
    def _known(self) -> ProblemSpecification:
        for name in self.activation_names:
            _checks.choice("activation", name, ACTIVATIONS)
        return self

    @property
    def activation_names(self) -> tuple[str, str]:
        """The names of the activations of encoder and decoder."""
        return (self.activation, self.activation) if isinstance(self.activation, str) else self.activation

    def build(self, batch_size: int | None = None) -> Problem:
        """Return the problem: load or draw the data, calibrate the law; the batch size is that of Adam's limit."""
        return self.on(self.data.build(), batch_size)

    def on(self, data: Data | Stream, batch_size: int | None = None) -> Problem:
        """Return the problem on other data than those of its own description."""
        if isinstance(data, Stream):
            _checks.memory("population_points", self.population_points, 8 * self.population_points * data.dim)
        sample = data if isinstance(data, Data) else data.quadrature(self.population_points, seed=0)
        return Problem(
            data,
            self.law.build(_centred(sample, data), self.activation_names),
            activation=self.activation_names,
            encoder_rate=self.schedule.build(self.encoder_rate),
            decoder_rate=self.schedule.build(self.decoder_rate),
            weight_decay=self.weight_decay,
            temperature=self.temperature,
            optimizer=self.optimizer.build(batch_size),
            train_biases=self.train_biases,
            population_points=self.population_points,
        )


def translated(error: ValidationError, model: type[BaseModel]) -> IsthmusError:
    """Return the first error of a validation as an exception in the grammar of all arguments.

    Args:
        error: what pydantic found.
        model: the description that it refused values for.

    """
    first = error.errors()[0]
    value = _checks.shown(first["input"])
    cause = first.get("ctx", {}).get("error")
    if isinstance(cause, IsthmusError):
        return cause
    path = [part for part in first["loc"] if isinstance(part, str)]  # without places in lists
    if path[0] in UNIONS:  # one of a union, whose members stand in the path
        rule = UNIONS[path[0]]
        return ArgumentError(f"Argument '{path[0]}' must be {rule} [encoder, decoder], but it is {value}.")
    name = _checks.named(".".join(path))
    if first["type"] == "extra_forbidden":
        known = _keys(model, path[:-1])
        near = difflib.get_close_matches(path[-1], known, n=1)
        where = f" of {'.'.join(path[:-1])}" if path[1:] else ""
        hint = f"Did you mean {near[0]!r}?" if near else f"Known keys{where}: {', '.join(sorted(known))}."
        return ArgumentError(f"Unknown key '{name}'. {hint}")
    if first["type"] == "too_short":
        return ArgumentError(f"Argument '{name}' must hold at least 1 value, but it is {value}.")
    rule = first["msg"].removeprefix("Input should be ").removeprefix("Value error, ")
    rule = {"int_parsing_size": "a valid integer", "model_type": "a table"}.get(first["type"], rule)
    for long, short in COMPARISONS.items():
        rule = rule.replace(long, short)
    return ArgumentError(f"Argument '{name}' must be {rule}, but it is {value}.")


def parsed_toml(text: str) -> dict[str, Any]:
    """Return what a TOML text says.

    Raises:
        ValueError: with a message of one line, where it is not TOML, or nested too deeply, or a number too long.

    """
    try:
        return tomllib.loads(text)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    except ValueError as error:
        raise ValueError(" ".join(str(error).split(";")[0].split())) from None


def commented_toml(values: BaseModel, path: str = "") -> str:
    """Return TOML with every key of a description, its value, and what it means; a key without value is a comment."""
    lines, tables = [], []
    for name, field in type(values).model_fields.items():
        value = getattr(values, name)
        if isinstance(value, BaseModel):
            heading = (type(value).__doc__ or "").splitlines()[0]
            tables.append(f"\n# {heading}\n[{path}{name}]\n{commented_toml(value, f'{path}{name}.')}")
            continue
        plain = list(value) if isinstance(value, tuple) else value
        line = f"# {name} = ..." if value is None else _one_line(name, plain)
        lines.append(f"{line}  # {field.description}\n" if field.description else f"{line}\n")
    return "".join(lines + tables)


def _one_line(name: str, value: Any) -> str:
    if isinstance(value, list):
        items = (tomli_w.dumps({"_": item}).removeprefix("_ = ").strip() for item in value)
        return f"{name} = [{', '.join(items)}]"
    return tomli_w.dumps({name: value}).strip()


def _keys(model: type[BaseModel], path: list[str]) -> list[str]:
    """Return the keys of the table at ``path`` of a model."""
    for part in path:
        inner = model.model_fields[part].annotation
        assert isinstance(inner, type) and issubclass(inner, BaseModel)
        model = inner
    return list(model.model_fields)


def _centred(sample: Data, source: Data | Stream) -> Data:
    """Return the sample, centred where it stands for a population of mean 0 and is off by its own error only."""
    return sample if isinstance(source, Data) else Data(sample.points, center=True)
