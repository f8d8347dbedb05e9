"""Batches → Dask's workers, whatever becomes of the workers."""

from collections.abc import Iterator
from itertools import islice
from typing import TYPE_CHECKING

from dask.typing import Key
from distributed import Client, Future, KilledWorker, as_completed

from ..errors import TLCourseError
from .batches import Batch
from .workers import Network, compute_batch

if TYPE_CHECKING:
    from tqdm import tqdm

AHEAD = 2  # batches that are handed to Dask for each of its threads: nobody waits, and a long list waits nowhere


def compute_all(
    client: Client, network: Network, batches: Iterator[Batch], progress: "tqdm"
) -> dict[int, dict]:
    """Have every batch computed; number → {"pictures", "why"} of those that had to be set aside.

    Raises:
        TLCourseError: what a worker raises, and where the scheduler went away.
    """
    try:
        client.register_plugin(network)
        suspects = _compute_together(client, network.name, batches, progress)
        return _compute_alone(client, network.name, suspects, progress)
    finally:
        if client.status == "running":
            client.unregister_worker_plugin(network.name)


def _compute_together(
    client: Client, network: str, batches: Iterator[Batch], progress: "tqdm"
) -> list[Batch]:
    """Keep every thread busy until nothing is left; returned are the batches with which workers died too often.

    Dask blames whatever was with a worker that died, also what only waited there.
    """
    running: dict[Key, tuple[Batch, Future]] = {}
    suspects: list[Batch] = []
    completed = as_completed()

    def hand_out() -> None:
        room = AHEAD * max(1, sum(client.nthreads().values())) - len(running)
        for batch in islice(batches, max(0, room)):
            future = client.submit(compute_batch, network, batch, pure=False)
            running[future.key] = (batch, future)
            completed.add(future)

    try:
        hand_out()
        for future in completed:
            batch, _ = running.pop(future.key)
            if _killed(future):
                suspects.append(batch)
            else:
                progress.update(len(batch.paths))
            hand_out()
    finally:
        client.cancel([future for _, future in running.values()])
    return suspects


def _compute_alone(
    client: Client, network: str, suspects: list[Batch], progress: "tqdm"
) -> dict[int, dict]:
    """One batch at a time: whoever dies now dies of this one."""
    guilty = {}
    for batch in suspects:
        future = client.submit(compute_batch, network, batch, pure=False)
        error = _killed(future)
        if error:
            why = f"{error.allowed_failures + 1} workers died of its batch, which they had to themselves"
            guilty[batch.number] = {"pictures": batch.names, "why": why}
        progress.update(len(batch.paths))
    return guilty


def _killed(future: Future) -> KilledWorker | None:
    """What Dask says of a batch with which too many workers died, or None where it is done; other errors are raised.

    The result is not fetched: it is in the shard, which outlives the worker.
    """
    error = future.exception()  # waits for the end of the task
    if future.cancelled():
        raise TLCourseError(
            "The Dask scheduler has dropped the work: it was restarted, or went away. Call again: what is done stays "
            "done."
        )
    if error is None or isinstance(error, KilledWorker):
        return error
    if isinstance(error, TLCourseError):
        raise error
    raise TLCourseError(
        f"Dask gave a batch up: {type(error).__name__}: {error}. Call again: what is done stays done."
    ) from error
