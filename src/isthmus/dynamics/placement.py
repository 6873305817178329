"""Where neurons live: on one device, or spread over a mesh of devices, which may belong to several processes."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec

from isthmus import _checks

AXIS = "neurons"
SPREAD, COPIED = PartitionSpec(AXIS), PartitionSpec()


class Placement:
    """One device, or the first ``devices`` of all processes' devices, among which neurons are divided evenly.

    Every device has all points. Sums over neurons (the outputs of encoder and decoder, and the pull on the latents) are
    added up across devices; nothing else is exchanged.
    """

    def __init__(self, devices: int | None) -> None:
        self.mesh: Mesh | None = None
        if devices is not None:
            count = _checks.integer("devices", devices, 1, jax.device_count(), "the number of devices")
            if jax.process_count() > 1 and count != jax.device_count():
                _checks.refuse("devices", f"be all {jax.device_count()} where there are several processes", devices)
            self.mesh = jax.make_mesh((count,), (AXIS,), (AxisType.Auto,), devices=jax.devices()[:count])

    def __hash__(self) -> int:
        return hash(self.mesh)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Placement) and self.mesh == other.mesh

    def check(self, neurons: int) -> None:
        """Refuse a number of neurons that can't be divided evenly."""
        if self.mesh is not None and neurons % self.mesh.size:
            _checks.refuse("particles", f"be a multiple of the number of devices {self.mesh.size}", neurons)

    def place(self, tree: Any, *, spread: bool) -> Any:
        """Return NumPy arrays as arrays on the devices, divided along their leading axis or copied to each."""
        mesh = self.mesh
        if mesh is None:
            return jax.tree.map(jnp.asarray, tree)
        sharding = NamedSharding(mesh, SPREAD if spread else COPIED)

        def place(leaf: Any) -> jax.Array:
            array = np.asarray(leaf)
            return jax.make_array_from_callback(array.shape, sharding, lambda index: array[index])

        return jax.tree.map(place, tree)

    def fetch(self, tree: Any) -> Any:
        """Return arrays on the devices as NumPy arrays, whole in every process."""
        if self.mesh is None or jax.process_count() == 1:
            return jax.tree.map(np.asarray, tree)
        from jax.experimental import multihost_utils

        return jax.tree.map(np.asarray, multihost_utils.process_allgather(tree, tiled=True))

    def on_mesh(self, function: Callable[..., Any], ins: Any, outs: Any) -> Callable[..., Any]:
        """Return a function of neurons that sums over them across devices, which it does along its keyword ``axis``.

        Each of the arguments and results is `SPREAD` over the devices or `COPIED` to each.
        """
        if self.mesh is None:
            return function
        local = partial(function, axis=AXIS)
        # Scans over blocks carry values whose variation over devices JAX can't infer; the sums are all there is.
        return jax.shard_map(local, mesh=self.mesh, in_specs=ins, out_specs=outs, check_vma=False)


ONE_DEVICE = Placement(None)
