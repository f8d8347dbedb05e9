"""One rank of a training on several machines: a process of its own, started by `training` through Dask.

    TF_CONFIG=… python -m tlcourse.scale.rank FOLDER FIRST_EPOCH

TensorFlow wants to know the other ranks before it has done anything else, and cannot be told twice: hence the process.
"""

import json
import os
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..files import write_atomically

if TYPE_CHECKING:
    import keras
    import tensorflow as tf

JOB, NETWORK, INPUTS, LABELS = "job.json", "network.keras", "inputs.npy", "labels.npy"


def checkpoint_path(folder: Path, epochs: int) -> Path:
    return folder / f"after-epoch-{epochs:04}.npz"


def finished_epochs(folder: Path) -> int:
    """How many epochs the newest checkpoint has behind it; 0: there is none."""
    return max(
        (
            int(path.stem.removeprefix("after-epoch-"))
            for path in folder.glob("after-epoch-*.npz")
        ),
        default=0,
    )


def read_checkpoint(folder: Path, epochs: int) -> tuple[list[np.ndarray], list[float]]:
    """Every variable of network and optimizer, and the loss of each epoch so far."""
    with np.load(checkpoint_path(folder, epochs), allow_pickle=False) as file:
        return [
            file[f"variable-{number}"] for number in range(len(file.files) - 1)
        ], file["losses"].tolist()


def run(folder: Path, finished: int) -> None:
    """Train from here to the last epoch; rank 0 writes a checkpoint after each."""
    import tensorflow as tf

    job, (rank, ranks) = json.loads((folder / JOB).read_bytes()), _place()
    strategy = (
        tf.distribute.MultiWorkerMirroredStrategy()
        if ranks > 1
        else tf.distribute.get_strategy()
    )
    import keras

    with strategy.scope():
        network = keras.models.load_model(folder / NETWORK, compile=False)
        optimizer = keras.optimizers.Adam(job["learning_rate"])
        optimizer.build(network.trainable_variables)
    variables = [*network.variables, *optimizer.variables]
    losses: list[float] = []
    if finished:
        values, losses = read_checkpoint(folder, finished)
        for variable, value in zip(variables, values, strict=True):
            variable.assign(value)
    inputs, labels = (
        np.load(folder / name, mmap_mode="r", allow_pickle=False)
        for name in (INPUTS, LABELS)
    )
    step = _step(strategy, network, optimizer, inputs)
    for epoch in range(finished, job["epochs"]):
        order = np.random.default_rng([job["seed"], epoch]).permutation(len(labels))
        total = 0.0
        for at in range(0, len(order), job["batch_size"]):
            rows = order[at : at + job["batch_size"]]
            own = np.sort(np.array_split(rows, ranks)[rank])
            total += len(rows) * float(
                step(inputs[own], labels[own], np.float32(len(rows)))
            )
        losses.append(total / len(order))
        if rank == 0:
            _write(checkpoint_path(folder, epoch + 1), variables, losses)


def _place() -> tuple[int, int]:
    """Which rank this is, and of how many."""
    config = json.loads(os.environ.get("TF_CONFIG", "{}"))
    return (
        (config["task"]["index"], len(config["cluster"]["worker"]))
        if config
        else (0, 1)
    )


def _step(
    strategy: "tf.distribute.Strategy",
    network: "keras.Model",
    optimizer: "keras.Optimizer",
    inputs: np.ndarray,
) -> "Callable":
    """One step on a batch that the ranks share; the batch's mean loss. Keras adds the ranks' gradients up."""
    import keras
    import tensorflow as tf

    def learn(
        rows: "tf.Tensor", targets: "tf.Tensor", count: "tf.Tensor"
    ) -> "tf.Tensor":
        with tf.GradientTape() as tape:
            probabilities = network(rows, training=True)
            # Over the whole batch's count, so that the sum over the ranks is the mean over the batch.
            loss = (
                tf.reduce_sum(
                    keras.losses.sparse_categorical_crossentropy(targets, probabilities)
                )
                / count
            )
        gradients = tape.gradient(loss, network.trainable_variables)
        optimizer.apply(gradients, network.trainable_variables)
        return loss

    signature = (
        tf.TensorSpec((None, *inputs.shape[1:]), tf.float32),
        tf.TensorSpec((None,), tf.int64),
        tf.TensorSpec((), tf.float32),
    )

    @tf.function(autograph=False, input_signature=signature)
    def step(
        rows: "tf.Tensor", targets: "tf.Tensor", count: "tf.Tensor"
    ) -> "tf.Tensor":
        losses = strategy.run(learn, args=(rows, targets, count))
        return strategy.reduce(tf.distribute.ReduceOp.SUM, losses, axis=None)

    return lambda rows, targets, count: step(
        rows.astype(np.float32), targets.astype(np.int64), count
    )


def _write(path: Path, variables: list, losses: list[float]) -> None:
    values = {
        f"variable-{number}": variable.numpy()
        for number, variable in enumerate(variables)
    }
    write_atomically(
        path, lambda file: np.savez(file, losses=np.array(losses), **values)
    )


def _end_with_parent() -> None:
    """Whoever started this process holds its standard input open; a Dask worker that is killed lets go of it."""
    sys.stdin.buffer.read()
    os._exit(1)


if __name__ == "__main__":
    threading.Thread(target=_end_with_parent, daemon=True).start()
    run(Path(sys.argv[1]), int(sys.argv[2]))
