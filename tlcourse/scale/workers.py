"""What runs inside a Dask worker: the network, held once, and the work on one shard."""

import os
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, cast

from distributed import WorkerPlugin, get_worker

from ..errors import PictureError, TLCourseError, UserInputError
from ..features.bit_depth import BitDepth
from ..features.compute import compute_one
from ..features.engine import Engine
from ..freed_memory import keep_freed_memory
from .batches import Batch
from .shards import Layout, is_done, is_of, shard_path, write_shard

if TYPE_CHECKING:
    from distributed import Worker

SAME_EVERYWHERE = (
    "tlcourse",
    "onnxruntime",
    "pillow",
    "numpy",
)  # the last bits depend on them


def versions() -> dict[str, str]:
    return {name: metadata.version(name) for name in SAME_EVERYWHERE}


@dataclass
class Network(WorkerPlugin):
    """A frozen network in each worker, ready before the first picture; Dask brings it to workers that come later, too.

    Attributes:
        name: under which tasks find it.
        engine: from `engines`; pickled with the file's content.
        size, views, bits: of the pictures, as for `features.compute`; `bits` is that of all of them together.
        layout, out: of the shards, and the folder that they are written to.
        versions: of the packages in the process that asks.
        fault: why this worker must not compute.
    """

    name: str
    engine: Engine
    size: tuple[int, int]
    views: tuple[str, ...]
    layout: Layout
    out: str
    versions: dict[str, str]
    bits: int | None = None
    fault: str | None = None

    def setup(self, worker: "Worker") -> None:
        here = versions()
        other = [
            f"{name} {here[name]} (asked for: {wanted})"
            for name, wanted in self.versions.items()
            if here[name] != wanted
        ]
        if other:
            self.fault = (
                f"The worker {worker.address} has {', '.join(other)}; the results would not be those of one process. "
                "Install the same requirements.txt on every machine."
            )
            raise UserInputError(self.fault)
        keep_freed_memory()
        if hasattr(self.engine, "start"):
            self.engine.start()

    def compute(self, batch: Batch, address: str) -> None:
        """Write a batch's shard; pictures that cannot be read stand in it with the reason."""
        if self.fault:  # a worker that came later: Dask logs what its plugin raises, and gives it work
            raise UserInputError(self.fault)
        out = Path(self.out)
        if is_done(shard_path(out, batch.number), self.layout, len(batch.paths)):
            return  # by a worker that died before it could say so
        rows, errors, depth = [], [], BitDepth(bits=self.bits) if self.bits else None
        for path in batch.paths:
            try:
                row, error = (
                    compute_one(
                        self.engine,
                        path,
                        self.size,
                        self.views,
                        self.layout.dtype,
                        depth,
                    ),
                    None,
                )
            except PictureError as unreadable:
                row, error = None, str(unreadable)
            rows.append(row)
            errors.append(error)
        if all(errors) and not any(map(os.path.exists, batch.paths)):
            raise UserInputError(_not_seen(address, batch.paths[0], "pictures"))
        if not is_of(out, self.layout):
            raise UserInputError(_not_seen(address, out, "shards"))
        try:
            write_shard(
                shard_path(out, batch.number), self.layout, batch.names, rows, errors
            )
        except OSError as error:
            raise TLCourseError(
                f"The worker {address} cannot write to {out} ({error.strerror or error}). Make room or give it the "
                "right to write, then call again with the same out=: what is done stays done."
            ) from None


def _not_seen(address: str, path: str | Path, what: str) -> str:
    return (
        f"The worker {address} does not see {path}. The {what} must lie in a folder that every machine has under the "
        "same path, such as a network drive; out= names that of the shards, and TLCOURSE_CACHE that "
        "of all jobs which name none."
    )


def compute_batch(network: str, batch: Batch) -> None:
    """The task that Dask is given."""
    worker = get_worker()
    cast(Network, worker.plugins[network]).compute(batch, worker.address)
