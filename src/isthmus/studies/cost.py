"""About how long the parts of a tracking study take on one core: operations over measured rates, and compilation."""

from __future__ import annotations

from typing import NamedTuple

from isthmus.studies.tracking import TrackingStudy

VELOCITY = 10
"""Operations of a velocity for each neuron, point and dimension: five products of matrices."""
PULLBACK = 48
"""Operations of pulling one recorded time back through a step, for each neuron, point and dimension."""
FLOW_EVALUATIONS = 230
"""Velocities of a gradient flow, as a rule."""
PATH_EVALUATIONS = 360
"""Velocities of a mean-field path, as a rule."""
LAW_STEPS = 100
"""Steps of the linearised path, as a rule."""
SECOND_ORDER_EVALUATIONS = 55
"""Velocities for each step and sample of the mean shift."""
SECOND_ORDER_PARTICLES = 128
"""Particles of each of these velocities."""
TRAINING_RATE, FLOW_RATE, PATH_RATE, PULLBACK_RATE, SECOND_ORDER_RATE = 1.7e10, 2.6e10, 1.3e10, 4e10, 3.2e10
"""Operations a second of each part on one core of a common x86-64 processor of 2023."""
STEP = 3e-6
"""Seconds that a step of SGD takes beyond its operations."""
COMPILING = {"path": 5.0, "law": 20.0, "sgd": 2.5, "flow": 3.0}
"""Seconds of compilation."""


class Cost(NamedTuple):
    """What the cost of a study depends on.

    Attributes:
        size: points × dimension.
        study: the study.

    """

    size: int
    study: TrackingStudy

    @classmethod
    def of(cls, study: TrackingStudy) -> Cost:
        """Return the cost of a study, whose data are read for their size."""
        return cls(study.problem.population.size * study.problem.dim, study)

    @property
    def path(self) -> float:
        """Seconds of the mean-field path: all replicates, and one solve with finer time steps."""
        solves = self.study.replicates + 2
        operations = VELOCITY * self.study.particles * self.size * PATH_EVALUATIONS * solves
        return COMPILING["path"] + operations / PATH_RATE

    @property
    def law(self) -> float:
        """Seconds of the law of finite networks."""
        study = self.study
        pulls = PULLBACK * study.law_particles * self.size * len(study.times) * LAW_STEPS / 2
        velocities = SECOND_ORDER_EVALUATIONS * LAW_STEPS * study.law_samples
        shifts = VELOCITY * SECOND_ORDER_PARTICLES * self.size * velocities
        return COMPILING["law"] + pulls / PULLBACK_RATE + shifts / SECOND_ORDER_RATE

    def training(self, width: int, step_size: float) -> float:
        """Seconds of one run of SGD."""
        operations = VELOCITY * width * self.study.problem.dim * self.study.batch_size
        return self.study.horizon / step_size * (STEP + operations / TRAINING_RATE)

    def flow(self, width: int) -> float:
        """Seconds of one gradient flow."""
        return VELOCITY * width * self.size * FLOW_EVALUATIONS / FLOW_RATE

    def compiling(self, compile_key: str) -> float:
        """Seconds that the first block of a compile key takes to compile."""
        return COMPILING[compile_key.split("-")[0]]
