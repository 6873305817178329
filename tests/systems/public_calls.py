"""Every public function and class with arguments that are right, and for each argument values that are wrong."""

from calls import Call
from method_calls import calls_of_methods
from small_objects import systems
from solver_calls import calls_of_solvers
from stated_calls import calls_of_what_is_stated
from study_calls import calls_of_studies


def calls() -> list[Call]:
    """Return every public call with what is wrong for each of its arguments."""
    objects = systems()
    parts = calls_of_what_is_stated, calls_of_solvers, calls_of_studies, calls_of_methods
    return [call for part in parts for call in part(objects)]


RETURNED = {
    "Autoencoder", "BottleneckResult", "Certificate", "Diagnosis", "ExpressivityResult", "FiniteWidthEstimate",
    "PredictionResult", "Resized",
    "Saddle", "Status", "TrackingResult", "WidthResult",
}  # fmt: skip
"""What is returned, never made by hand, and has no method that takes an argument of the kinds above."""
STUDIES = {"BottleneckStudy", "ExpressivityStudy", "PredictionStudy", "TrackingStudy", "WidthStudy"}
"""Descriptions, whose every key is tried as TOML."""
FRAMEWORKS = {"from_keras", "from_onnx", "from_torch", "torch"}
"""What needs a package that may not be there, and is tried in tests/imports."""
WITHOUT_ARGUMENTS = {"GradientDescent"}
