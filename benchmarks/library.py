"""The autoencoder of a library: pythae's AE, the strongest of those that install beside the pinned versions.

Tried were pythae 0.1.2, PyOD 3.6.7, autoencoders 0.6.8 and autoencodix 0.2.5, on two splits each of digits, wine,
diabetes and breast cancer. PyOD, which is still released often, is made for outliers: its bottleneck has an activation,
and as it comes batch normalisation and dropout as well. As it comes its held-out risk is above PCA's on three of the
four; with tanh and without dropout it is level with pythae's on wine, and 3 to 14 % above it on the others. The package
autoencoders collects garbage after each epoch, and took a hundred seconds for 2,000 steps on wine; autoencodix wants an
older torch. pythae's last release is of 2023, but it works beside the torch of today.

Its decoder ends in a sigmoid, which suits pixels between 0 and 1; a decoder may be passed instead, here the same
without the sigmoid. It keeps the network that is best on points set apart, looked at after each epoch.
"""

from __future__ import annotations

import contextlib
import importlib.util
import io
import logging
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.model_selection import train_test_split

from benchmarks.plain import package, the_torch


def installed() -> bool:
    """Return whether pythae can be imported."""
    return importlib.util.find_spec("pythae") is not None


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Keep back what a library logs about its training, and its bars of progress."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with contextlib.redirect_stderr(io.StringIO()):
            yield
    finally:
        logging.disable(before)


def linear_decoder(width: int, latent_dim: int, dim: int) -> Any:
    """Return the decoder of pythae, d–width–k backwards about ReLU, without the sigmoid at its end."""
    nn = the_torch().nn
    base, output = package("pythae.models.nn").BaseDecoder, package("pythae.models.base.base_utils").ModelOutput

    class Decoder(base):
        def __init__(self):
            super().__init__()
            self.layers = nn.Sequential(nn.Linear(latent_dim, width), nn.ReLU(), nn.Linear(width, dim))

        def forward(self, z, output_layer_levels=None):
            del output_layer_levels
            return output(reconstruction=self.layers(z))

    return Decoder()


def library_autoencoder(training: np.ndarray, k: int, seed: int, steps: int, batch_size: int, share: float) -> Any:
    """Return pythae's AE (its own width of 512) after about so many steps of Adam at 1e-3, the best on a share kept."""
    models, trainers = package("pythae.models"), package("pythae.trainers")
    datasets = package("pythae.data.datasets")
    torch, dim = the_torch(), training.shape[1]
    torch.manual_seed(seed)
    model = models.AE(models.AEConfig(input_dim=(dim,), latent_dim=k), decoder=linear_decoder(512, k, dim))
    fitted, watched = (
        datasets.BaseDataset(torch.as_tensor(part, dtype=torch.float32), torch.zeros(len(part)))
        for part in train_test_split(training, test_size=share, random_state=seed)
    )
    with tempfile.TemporaryDirectory() as folder, quiet():
        settings = trainers.BaseTrainerConfig(
            output_dir=folder,
            num_epochs=max(1, round(steps * batch_size / len(fitted))),
            per_device_train_batch_size=batch_size,
            per_device_eval_batch_size=len(watched),
            learning_rate=1e-3,
            seed=seed,
            no_cuda=True,
        )
        trainers.BaseTrainer(model, fitted, eval_dataset=watched, training_config=settings).train()
        return models.AE.load_from_folder(str(next(Path(folder).glob("*/final_model"))))


def library_reconstructed(model: Any, points: np.ndarray) -> np.ndarray:
    """Return x̂ of each point, shape (n, d)."""
    torch = the_torch()
    with torch.no_grad():
        return model({"data": torch.as_tensor(points, dtype=torch.float32)}).recon_x.numpy().astype(float)
