"""The two-stage recipe of Keras' own transfer-learning guide on solar cells, with the course's network.

    python keras_guide.py SEED FROZEN_EPOCHS UNFROZEN_EPOCHS [CELLS]

Source: keras.io/guides/transfer_learning (F. Chollet, 2020): random horizontal flips and rotations by up to 0.1 of a
turn inside the model, the frozen base called with training=False, average pooling, dropout 0.2, one dense layer; Adam
on the frozen model for 20 epochs, then everything unfrozen and Adam(1e-5) for 10; batches of 32, pictures cached in
memory. Two things are added: the cells are shuffled, because, unlike the guide's pictures, they lie in order, and they
carry the protocol's weights. (On the web the guide's last example stops after 2 + 1 epochs; its text has 20 and 10.)

As in the guide a part is held out to watch the training, here the 197 validation cells; ours learns from them, too.

Prints after every fifth epoch of the frozen model, and after each later one, {"epoch": …, "seconds": trained so far,
"accuracy": on the test cells, weighted}. The clock stands still while the test cells are predicted. CELLS: train on so
many only, to try the program.
"""

import sys
import time

import keras
import protocol
import solar
import tensorflow as tf
from keras_network import SIZE, network

seed, frozen_epochs, unfrozen_epochs = map(int, sys.argv[1:4])
limit = int(sys.argv[4]) if len(sys.argv) > 4 else None
keras.utils.set_random_seed(seed)
data = solar.draw(seed)
base = network()


def batches(split, shuffled: bool):
    arrays = (
        solar.cells(split, SIZE)[:limit],
        split.labels[:limit],
        split.weights[:limit],
    )
    rows = tf.data.Dataset.from_tensor_slices(arrays).cache()
    if shuffled:
        rows = rows.shuffle(len(arrays[0]), seed=seed)
    return rows.batch(32).prefetch(10)


test_cells = solar.cells(data.test, SIZE)[:limit]
start = time.perf_counter()
train, validation = (
    batches(data.train, shuffled=True),
    batches(data.validation, shuffled=False),
)
cells = keras.Input((SIZE, SIZE, 3))
x = keras.layers.RandomFlip("horizontal", seed=seed)(cells)
x = keras.layers.RandomRotation(0.1, seed=seed)(x)
x = base(x, training=False)  # preprocessing and average pooling are inside
x = keras.layers.Dropout(0.2, seed=seed)(x)
classifier = keras.Model(cells, keras.layers.Dense(1)(x))


class AskTheTestCells(keras.callbacks.Callback):
    """Accuracy on the test cells after every so many epochs and the last one, with the clock stopped."""

    stopped, epochs = 0.0, 0

    def __init__(self, every: int, last: int):
        super().__init__()
        self.every, self.last = every, last

    def on_epoch_end(self, epoch, logs=None):
        AskTheTestCells.epochs += 1
        if (epoch + 1) % self.every and epoch + 1 < self.last:
            return
        now = time.perf_counter()
        predicted = classifier.predict(test_cells, verbose=0)[:, 0] > 0
        accuracy = solar.weighted_accuracy(
            data.test.labels[:limit], predicted, data.test.weights[:limit]
        )
        protocol.say(
            {
                "epoch": self.epochs,
                "seconds": now - start - self.stopped,
                "accuracy": accuracy,
            }
        )
        AskTheTestCells.stopped += time.perf_counter() - now


for trainable, optimizer, epochs, every in (
    (False, keras.optimizers.Adam(), frozen_epochs, 5),
    (True, keras.optimizers.Adam(1e-5), unfrozen_epochs, 1),
):
    base.trainable = trainable
    classifier.compile(optimizer, keras.losses.BinaryCrossentropy(from_logits=True))
    classifier.fit(
        train,
        epochs=epochs,
        validation_data=validation,
        callbacks=[AskTheTestCells(every, epochs)],
        verbose=0,
    )
