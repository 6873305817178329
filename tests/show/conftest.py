"""Results of invented studies whose figures and pages are looked at."""

import numpy as np
import pytest
import xarray as xr
from invented import invented

import isthmus as im
from isthmus.studies.tracking_result import TrackingResult


@pytest.fixture(scope="module")
def images():
    """Images, labels, two widths in no order, two step sizes, k = 2."""
    return invented()


@pytest.fixture(scope="module")
def table():
    """A table, for a single width and step size, k = 1: nothing has a rate, and the gap of the draw doesn't fade."""
    result = invented(images=False, latent_dim=1, widths=(8,), relaxing=False)
    study = im.TrackingStudy(**result.study.model_dump() | {"step_sizes": [0.5]})
    data = result.dataset.sel(step_size=[0.5])
    rates = {name: xr.full_like(data[name], np.nan) for name in ("width_rate", "flow_width_rate", "step_rate")}
    return TrackingResult(study, data.assign(rates).assign_attrs(study=study.to_toml()))


@pytest.fixture(scope="module")
def unlabelled(images):
    """The same as images, without labels, k = 3."""
    latent = xr.concat([images.dataset.latent, images.dataset.latent.isel(axis=[0])], "axis")
    return TrackingResult(images.study, images.dataset.drop_vars(["latent", "label"]).assign(latent=latent))
