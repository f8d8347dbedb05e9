"""Solar cells: what was tried to fine-tune further, chosen on training cells alone.

A quarter of a split's training cells, 492, stays out as validation; test cells are not
read. Paired differences of less than two points are noise, and one of ten arms may be
ahead by more by chance: what is clearly ahead has a place in `solar_arms`, which reads
the test cells of five splits.
"""

import numpy as np

import tlcourse as tl
from tlcourse.features.augment import FLIPS
from tlcourse.native import import_tensorflow

import_tensorflow()
import keras  # noqa: E402
import tensorflow as tf  # noqa: E402

from tlcourse.training.keras_fit import Tail  # noqa: E402
from tlcourse.training.preparation import Preparation, Settings  # noqa: E402

from .solar_arms import LITE0, LITE2, SETTINGS  # noqa: E402

SEEDS = (0, 1)
SHARE = 0.25  # of the training cells that validate
MOMENTUM = 0.98  # of the average of weights: over some 50 steps, half an epoch
ALPHA = 0.2  # of mixup's beta distribution (H. Zhang et al., "mixup", ICLR 2018)
# Network, pixels and first block that is trained → arm → epochs, whether cells are mixed
TRAININGS = {
    (LITE0, 224, "block4a"): {
        "7 epochs": (7, False),
        "mixup": (7, True),
        "21 epochs": (21, False),
    },
    (LITE0, 300, "block5a"): {"300 pixels": (4, False)},
    (LITE0, 448, "block5a"): {"448 pixels": (4, False)},
    (LITE2, 260, "block4a"): {"Lite2": (7, False)},
}
BASE = "7 epochs"
ENSEMBLES = (("7 epochs", "300 pixels"), ("7 epochs", "300 pixels", "Lite2"))


def solar_training() -> dict:
    """Each arm's weighted accuracy on the validation cells, and that less the base's."""
    scores: dict[str, list[float]] = {}
    for seed in SEEDS:
        for arm, score in arms_of_split(seed):
            scores.setdefault(arm, []).append(score)
            print(f"split {seed}: {arm}: {score:.4f}", flush=True)
    return {
        arm: {
            "accuracies": [round(score, 4) for score in each],
            "minus_base": np.subtract(each, scores[BASE]).round(4).tolist(),
        }
        for arm, each in scores.items()
    }


def arms_of_split(seed: int):
    """(arm, accuracy) of every training, of its averaged weights, of ensembles."""
    train, held = parts(seed)
    predicted: dict[str, np.ndarray] = {}
    for network, arms in TRAININGS.items():
        preparation = prepare(*network, train, held, seed)
        for arm, (epochs, is_mixed) in arms.items():
            plain, averaged = trained(preparation, epochs, is_mixed, seed)
            found = {arm: plain, f"{arm}, averaged weights": averaged}
            yield from ((name, accuracy(each, held)) for name, each in found.items())
            predicted |= found
    for several in ENSEMBLES:
        mean = np.mean([predicted[arm] for arm in several], axis=0)
        yield " and ".join(several), accuracy(mean, held)


def parts(seed: int):
    """The training cells of a split, those to train on and those that validate."""
    cells = tl.load_dataset("solar", seed=seed).train_and_validation
    rows = np.random.default_rng(seed).permutation(len(cells))
    held, train = np.split(rows, [round(SHARE * len(rows))])
    return cells.select(np.sort(train)), cells.select(np.sort(held))


def prepare(
    network: str, size: int, first_block: str, train, held, seed: int
) -> Preparation:
    return tl.prepare_fine_tuning(
        tl.load_pretrained_model(network, input_size=size),
        train.images,
        train.labels,
        first_block,
        validation=(held.images, held.labels),
        augmentations=FLIPS,
        sample_weight=train.weights,
        cache=False,
        seed=seed,
    )


def accuracy(probabilities: np.ndarray, held) -> float:
    right = probabilities.argmax(axis=1) == held.labels
    return float(np.average(right, weights=held.weights))


def trained(
    preparation: Preparation, epochs: int, is_mixed: bool, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Validation probabilities after the last step, and with averaged weights."""
    settings, rows = (
        Settings(epochs=epochs, seed=seed, **SETTINGS),
        preparation.training,
    )
    network, held = preparation.network, preparation.validation
    before = network.get_weights()
    tail = Tail(network, preparation.cut, preparation.probe.as_head())
    steps = len(rows) // settings.batch_size
    tail.reset(preparation.probe, settings, steps * epochs)
    tail.scale_down_head()
    batches = rows.training_set(settings.batch_size, seed, settings.label_smoothing)
    if is_mixed:
        tf.random.set_seed(seed)
        batches = batches.map(mixed)
    average = AverageWeights()
    tail.model.fit(
        batches, epochs=epochs, callbacks=[average], shuffle=False, verbose=0
    )
    plain = held.outputs(tail.model)
    average.apply()
    averaged = held.outputs(tail.model)
    network.set_weights(before)
    return plain, averaged


def mixed(cells, labels, weights):
    """Each cell of a batch with another one, in proportions from a beta distribution."""
    share = tf.random.gamma([2], ALPHA)
    share = share[0] / (share[0] + share[1])
    order = tf.random.shuffle(tf.range(tf.shape(cells)[0]))

    def mix(values):
        part = tf.cast(share, values.dtype)
        return part * values + (1 - part) * tf.gather(values, order)

    return mix(cells), mix(labels), mix(weights)


class AverageWeights(keras.callbacks.Callback):
    """An exponential moving average of the trained weights, step by step.

    Keras' SwapEMAWeights needs an optimizer that was built for it, which `Tail`'s is not.
    """

    def on_train_begin(self, logs=None) -> None:
        self._weights = self.model.trainable_weights
        self._mean = [weight.numpy() for weight in self._weights]

    def on_train_batch_end(self, batch, logs=None) -> None:
        for mean, weight in zip(self._mean, self._weights, strict=True):
            mean += (1 - MOMENTUM) * (weight.numpy() - mean)

    def apply(self) -> None:
        for weight, mean in zip(self._weights, self._mean, strict=True):
            weight.assign(mean)
