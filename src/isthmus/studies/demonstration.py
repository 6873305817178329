"""The study of ``isthmus demo``: large enough to mean something, small enough for a minute on two cores."""

from __future__ import annotations

from typing import Any

DEMO: dict[str, Any] = {
    "data": {"source": "digits", "max_points": 100},
    # Steep features: the network leaves the PCA reconstruction early, before the flow becomes stiff.
    "law": {"kind": "aligned", "latent_dim": 3, "preactivation_scale": 2.0},
    "widths": [128, 384, 1024],
    "step_sizes": [0.2, 0.1],
    "batch_size": 8,
    "horizon": 100.0,
    "records": 20,
    "runs": 40,
    "flow_runs": 40,
    "particles": 512,
    "replicates": 4,
    "rtol": 1e-4,
    "law_particles": 128,
    "law_samples": 8,
}
"""Fields of `TrackingStudy`."""
