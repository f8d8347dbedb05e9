"""Train a head on cached features in several processes: tf.distribute, nothing else.

Start the same script once for each process, with its own number as "index"::

    export TF_CONFIG='{"cluster": {"worker": ["127.0.0.1:2222", "127.0.0.1:2223"]},
                       "task": {"type": "worker", "index": 0}}'
    python multi_worker.py features.npz

`features.npz` holds `features` (n, d) and `labels` (n,), each 0 or 1. Without TF_CONFIG
one process trains alone. Each process prints the loss of every epoch, as JSON.

The processes connect to each other without certificates or passwords, and anybody who can
connect can run code: only on machines and networks that are yours alone.
"""

import json
import sys

import keras
import numpy as np
import tensorflow as tf

BATCH = 32  # rows of all processes together
EPOCHS = 5


def training_set(features: np.ndarray, labels: np.ndarray) -> tf.data.Dataset:
    """Batches, of which each process gets its share of the rows."""
    targets = labels[:, np.newaxis].astype(np.float32)
    dataset = tf.data.Dataset.from_tensor_slices((features, targets)).batch(BATCH)
    options = tf.data.Options()
    sharding = options.experimental_distribute
    sharding.auto_shard_policy = tf.data.experimental.AutoShardPolicy.DATA
    return dataset.with_options(options)


def main(path: str) -> None:
    strategy = tf.distribute.MultiWorkerMirroredStrategy()  # before anything else
    with np.load(path, allow_pickle=False) as file:
        dataset = training_set(file["features"], file["labels"])
    batches = strategy.experimental_distribute_dataset(dataset)
    keras.utils.set_random_seed(0)
    with strategy.scope():  # the same weights in every process
        output = keras.layers.Dense(1, activation="sigmoid")
        head = keras.Sequential(
            [keras.Input(dataset.element_spec[0].shape[1:]), output]
        )
        optimizer = keras.optimizers.SGD(0.01)
        optimizer.build(head.trainable_variables)
    cross_entropy = keras.losses.BinaryCrossentropy(reduction="sum")

    def step(rows: tf.Tensor, targets: tf.Tensor) -> tf.Tensor:
        """One process's part of a training step: its share of the loss."""
        with tf.GradientTape() as tape:
            loss = cross_entropy(targets, head(rows, training=True)) / BATCH
        gradients = tape.gradient(loss, head.trainable_variables)
        optimizer.apply(gradients)  # sums them over all processes first
        return loss

    @tf.function
    def train_on(batch: tuple) -> tf.Tensor:
        return strategy.reduce("SUM", strategy.run(step, batch), axis=None)

    losses = [np.mean([train_on(batch) for batch in batches]) for _ in range(EPOCHS)]
    processes = strategy.num_replicas_in_sync
    rounded = [round(float(loss), 6) for loss in losses]
    print(json.dumps({"processes": processes, "losses": rounded}))


if __name__ == "__main__":
    main(sys.argv[1])
