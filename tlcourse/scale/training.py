"""Training on several machines: TensorFlow's ranks, launched by Dask, begun again from a checkpoint if one is lost.

Each rank computes the gradients of its share of every batch; their sum moves the same weights everywhere
(`tf.distribute.MultiWorkerMirroredStrategy`). All ranks stand or fall together, so after a loss all begin again.
"""

import hashlib
import json
import socket
import subprocess
import sys
import tempfile
import uuid
import warnings
from collections.abc import Callable
from contextlib import suppress
from os import PathLike, environ
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ..errors import TLCourseError, UserInputError
from ..files import as_path, is_untouched, write_atomically
from ..output_folder import check_clock
from .cluster import connected
from .rank import INPUTS, JOB, LABELS, NETWORK, finished_epochs, read_checkpoint
from .shards import note, read_note

if TYPE_CHECKING:
    import distributed
    import keras

BEGUN = "_begun.json"  # there as long as the folder is being prepared
ATTEMPTS = 3  # without an epoch finished in between
PATIENCE = 1  # seconds between two looks at whether all ranks are well


class Trained(NamedTuple):
    """What came of a training.

    Attributes:
        network: the one that was given, with the trained weights.
        losses: the mean loss of each epoch.
        begun_after: for each start of the ranks, how many epochs were finished then; [0] where nothing was lost.
    """

    network: object
    losses: list[float]
    begun_after: list[int]


def train(
    network: "keras.Model",
    inputs: np.ndarray,
    labels: np.ndarray,
    out: str | PathLike,
    *,
    epochs: int = 10,
    batch_size: int = 32,
    learning_rate: float = 1e-3,
    seed: int = 0,
    ranks: int | None = None,
    scheduler: str | None = None,
    say: Callable[[str], None] = print,
) -> Trained:
    """Train a Keras network on several machines, with Adam and cross-entropy; after an interruption, from where it was.

    Losses agree with those of one rank up to the order in which numbers are added. (Dropout draws differ by rank.)

    Several ranks talk over TensorFlow's gRPC, which has no authentication and listens on every address of the machine
    (0.0.0.0; TensorFlow has no setting for it): while they train, everybody who can connect can read and write files as
    their account. A warning says so. Dask's TLS does not cover it; one rank opens no port.

    Args:
        network: `keras.Model`, float32 (n, …) → probabilities (n, classes).
        inputs, labels: (n, …), such as features or activations, and whole numbers (n,) from 0.
        out: a folder that every machine has under the same path, new or of this very training: data and checkpoints.
        epochs, batch_size, learning_rate: of all ranks together.
        seed: of the order in which pictures come.
        ranks: how many; None: one for each of the cluster's workers. Each takes the whole of its worker's machine.
        scheduler: as for `extract_features`.
        say: is told when ranks are lost.

    Raises:
        UserInputError: inputs and labels do not go together; `out` is another training's.
        TLCourseError: no cluster, fewer workers than ranks, or ranks that are lost again and again.
    """
    inputs, labels = np.asarray(inputs), np.asarray(labels)
    if (
        len(inputs) != len(labels)
        or not len(inputs)
        or labels.dtype.kind not in "iu"
        or labels.min() < 0
    ):
        raise UserInputError(
            f"Inputs of shape {inputs.shape} came with labels of shape {labels.shape} and type {labels.dtype}; "
            "expected one whole number from 0 for each row."
        )
    folder = as_path(out, "out").absolute()
    settings = {
        "epochs": epochs,
        "batch_size": batch_size,
        "learning_rate": learning_rate,
        "seed": seed,
    }
    _prepare(folder, network, inputs, labels, settings)
    begun: list[int] = []
    with connected(scheduler) as client:
        while (finished := finished_epochs(folder)) < epochs:
            if begun[-ATTEMPTS:] == [finished] * ATTEMPTS:
                raise TLCourseError(
                    f"Ranks were lost {ATTEMPTS} times after epoch {finished}. Their workers' logs say why; the same "
                    "call goes on from there."
                )
            begun.append(finished)
            lost = _run_ranks(client, folder, finished, ranks)
            if lost:
                say(
                    f"{lost} All ranks begin again after epoch {finished_epochs(folder)}."
                )
    values, losses = read_checkpoint(folder, epochs)
    for variable, value in zip(
        network.variables, values, strict=False
    ):  # the optimizer's come behind them
        variable.assign(value)
    return Trained(network, losses, begun)


def _prepare(
    folder: Path,
    network: "keras.Model",
    inputs: np.ndarray,
    labels: np.ndarray,
    settings: dict,
) -> None:
    """Put what every rank reads into the folder, or find it there."""
    check_clock()
    plan = [_numbered(network.get_config()), settings]
    summary = hashlib.sha256(json.dumps(plan, sort_keys=True, default=str).encode())
    for values in (
        *(variable.numpy() for variable in network.variables),
        inputs,
        labels,
    ):
        summary.update(np.ascontiguousarray(values).data)
    job = {**settings, "fingerprint": summary.hexdigest()}
    try:
        _fill(folder, network, inputs, labels, job)
    except OSError as error:
        raise TLCourseError(
            f"What the ranks read could not be written to {folder} ({error.strerror or error}). Make room there and "
            "call again, or name another folder."
        ) from error


def _fill(
    folder: Path,
    network: "keras.Model",
    inputs: np.ndarray,
    labels: np.ndarray,
    job: dict,
) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    if read_note(folder / JOB) == job:
        return
    begun = read_note(folder / BEGUN)
    if not is_untouched(folder) and not (
        isinstance(begun, dict) and begun.keys() == job.keys()
    ):
        raise UserInputError(
            f"{folder} holds another training, or something else. Nothing is written over: name a new folder."
        )
    note(
        folder / BEGUN, job
    )  # stopped half-way the folder is not taken for somebody else's
    write_atomically(
        folder / INPUTS, lambda file: np.save(file, inputs, allow_pickle=False)
    )
    write_atomically(
        folder / LABELS, lambda file: np.save(file, labels, allow_pickle=False)
    )
    network.save(folder / NETWORK)
    note(folder / JOB, job)  # with it the folder is complete
    (folder / BEGUN).unlink()


def _numbered(config: dict) -> dict:
    """A network's configuration with numbers for its layers' names: of a network made again Keras counts them on."""
    numbers: dict[str, str] = {}

    def numbered(part: "Any") -> "Any":
        if isinstance(part, dict):
            for layer in part.get("layers", ()):
                numbers.setdefault(layer["config"]["name"], f"layer {len(numbers)}")
            return {
                key: numbered(value)
                for key, value in part.items()
                if key != "name" or "layers" not in part
            }
        if isinstance(part, list | tuple):
            return [numbered(element) for element in part]
        return numbers.get(part, part) if isinstance(part, str) else part

    return numbered(config)


def _run_ranks(
    client: "distributed.Client", folder: Path, finished: int, ranks: int | None
) -> str | None:
    """Start every rank on a worker of its own and wait for all; what was lost, or None."""
    from distributed import Event, TimeoutError, wait

    workers = list(client.nthreads())
    if ranks and len(workers) < ranks:
        raise TLCourseError(
            f"{ranks} ranks were asked for, and the cluster has {len(workers)} workers. Start more."
        )
    workers = workers[: ranks or len(workers)]
    if len(workers) > 1:
        warnings.warn(
            "TensorFlow's ranks talk without authentication, on every address of their machines: while they train, "
            "everybody who can connect can read and write files as you. Train on machines and a network that are yours "
            "alone, or with ranks=1.",
            stacklevel=3,
        )
    ports = client.run(_free_port, workers=workers)
    places = [
        f"{address.split('://')[1].rsplit(':', 1)[0]}:{ports[address]}"
        for address in workers
    ]
    stop = Event(f"stop {uuid.uuid4().hex}")
    futures = [
        client.submit(
            _run_rank,
            str(folder),
            finished,
            places,
            rank,
            stop.name,
            workers=[worker],
            pure=False,
        )
        for rank, worker in enumerate(workers)
    ]
    waiting, lost = set(futures), None
    try:
        while waiting and not lost:
            with suppress(TimeoutError):
                done, waiting = wait(
                    waiting, timeout=PATIENCE, return_when="FIRST_COMPLETED"
                )
                lost = next(
                    (
                        f"A rank was lost: {future.exception()}."
                        for future in done
                        if future.exception()
                    ),
                    None,
                )
            gone = set(workers) - set(client.nthreads())
            lost = lost or (
                f"The worker {gone.pop()} was lost." if gone and waiting else None
            )
    finally:
        stop.set()
        client.cancel(futures)
    return lost


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("", 0))
        return free.getsockname()[1]


def _run_rank(
    folder: str, finished: int, places: list[str], rank: int, stop: str
) -> None:
    """The task that Dask is given: one rank in a process of its own, ended when the others are."""
    from distributed import Event

    config = (
        {"cluster": {"worker": places}, "task": {"type": "worker", "index": rank}}
        if len(places) > 1
        else {}
    )
    command = [sys.executable, "-m", "tlcourse.scale.rank", folder, str(finished)]
    said = tempfile.TemporaryFile()  # not a pipe: nobody empties it meanwhile
    process = subprocess.Popen(
        command,
        env={**environ, "TF_CONFIG": json.dumps(config)},
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=said,
    )
    try:
        while process.poll() is None:
            with suppress(subprocess.TimeoutExpired):
                process.wait(PATIENCE)
            if Event(stop).is_set():
                return
    finally:
        process.kill()
        process.communicate()
    if process.returncode:
        said.seek(0)
        last = said.read().decode(errors="replace").strip().split("\n")[-1][-300:]
        raise TLCourseError(f"rank {rank} ended with {process.returncode} ({last})")
