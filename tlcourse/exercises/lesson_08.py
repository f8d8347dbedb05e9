"""Lesson 08, The misuse lab: what the answers are compared with."""

import numpy as np

import tlcourse as tl

from .answers import Anything, Array, Network, NotYet, Share, described, unexpected
from .table import rows

CLASSES, CUT = 10, "block6c"
COLLEAGUES = {"Ada": "loss", "Ben": "nothing", "Cleo": "batch norm", "Dora": "new head"}
FACTS = {  # verdict → what is true where that verdict is wrong
    "batch norm": "its batch norms are frozen, all of them",
    "loss": "its loss expects what its last layer outputs",
    "new head": "its head is not as it was initialised any more",
    "nothing": "a check has something to say",
}
TRAINED = ("block7a", "head", "your layers")  # in 8.2; the last: frozen_report's name
HIGHEST_RATES = {"SGD": 0.1}  # of others, most of them kin of Adam:
HIGHEST_RATE = 2e-3
TESTED, SMALLER, SPLITS = 300, 100, 200
SIMILAR = 0.008  # what other seeds may change in the mean, at most
EXACT = 1e-9


def networks_of_colleagues(model):
    """Name → a compiled network for ten characters; three of the four have a mistake.

    Parameters
    ----------
    model : PretrainedModel

    Returns
    -------
    dict of str to keras.Model
    """
    import keras

    cut = model.network.get_layer(model.blocks[CUT][-1]).output
    tail = keras.Model(cut, model.network.output)
    return {name: _with_fault(tail, fault) for name, fault in COLLEAGUES.items()}


def _with_fault(tail, fault):
    """A copy of the blocks behind the cut, with a new last layer, and this fault."""
    import keras

    copy = keras.models.clone_model(tail)
    copy.set_weights(tail.get_weights())
    activation = None if fault == "loss" else "softmax"
    last = keras.layers.Dense(CLASSES, activation, name="last")
    network = keras.Model(copy.inputs, last(copy.output))
    if fault != "new head":  # as after training
        last.bias.assign(np.linspace(-0.1, 0.1, CLASSES))
    for layer in network.layers:
        is_norm = isinstance(layer, keras.layers.BatchNormalization)
        layer.trainable = fault == "batch norm" or not is_norm
    network.compile(keras.optimizers.Adam(5e-4), "sparse_categorical_crossentropy")
    return network


@rows("8.1", Anything())
def who_should_wait(answer):
    names = " and ".join(COLLEAGUES)
    if not isinstance(answer, dict) or set(answer) != set(COLLEAGUES):
        raise unexpected(answer, f"a dictionary with a verdict for each of {names}")
    missing = [name for name, verdict in answer.items() if verdict is None]
    if missing:
        raise NotYet(f"{', '.join(missing)}: still None.")
    for verdict in answer.values():
        known = isinstance(verdict, str) and verdict in FACTS
        yield "no verdict", not known, {"verdict": described(verdict)}
    wrong = [name for name, fault in COLLEAGUES.items() if answer[name] != fault]
    yield "right", not wrong
    overlooked = all(answer[name] == "nothing" for name in wrong)
    yield "overlooked", overlooked, {"names": " and ".join(wrong)}
    yield "Ben", "Ben" in wrong
    facts = "; ".join(f"{name}: {FACTS[answer[name]]}" for name in wrong)
    yield "otherwise", True, {"facts": facts}


@rows("8.2", Network())
def mended(network):
    report = tl.checks.frozen_report(network)
    yield "warning", bool(report.warnings), {"warning": (*report.warnings, "")[0]}
    yield from _trained_blocks({row.block: row.state for row in report.rows})
    yield "not compiled", not network.compiled
    loss = getattr(network.loss, "__name__", type(network.loss).__name__)
    loss = network.loss if isinstance(network.loss, str) else loss
    plain = loss.replace("_", "").lower()
    yield "loss", plain != "sparsecategoricalcrossentropy", {"loss": loss}
    yield from _learning_rate(network.optimizer)
    outputs = network.output_shape[-1]
    yield "outputs", outputs != CLASSES, {"outputs": outputs}
    finite = all(np.isfinite(weights).all() for weights in network.get_weights())
    yield "not finite", not finite
    counts = {"trainable": report.trainable, "parameters": report.parameters}
    yield "right", True, counts


def _trained_blocks(states):
    """That the blocks to be trained are trainable, all of them, and nothing else is."""
    yield "another network", not set(TRAINED) <= set(states)
    yield "all frozen", all(states[block] == "frozen" for block in TRAINED[:-1])
    for block, state in states.items():
        name = "The last layer, new_head," if block == TRAINED[-1] else block
        details = {"block": name, "state": state.replace("partly", "partly frozen")}
        if block in TRAINED:
            yield "frozen", state != "trainable", details
        else:
            yield "trainable", state != "frozen", details


def _learning_rate(optimizer):
    """That the learning rate leaves the pretrained weights where they are."""
    name, rate = type(optimizer).__name__, float(optimizer.learning_rate)
    details = {"rate": rate, "optimizer": name}
    yield "no rate", not np.isfinite(rate) or rate < 0, details
    yield "large rate", rate > HIGHEST_RATES.get(name, HIGHEST_RATE), details
    yield "zero rate", rate == 0


@rows("8.3", Anything())
def larger_test(answer, correct):
    several = isinstance(answer, list | tuple | np.ndarray) and np.ndim(answer) == 1
    count = len(answer) if several else 1
    yield "several", count > 1, {"count": count}
    bias = Share(minimum=-1).read(answer, "one number between 0 and 1")
    yield "negative", bias < 0
    expected = "an array of True and False, one row per probe"
    correct = Array().read(correct, expected, "correct")
    shaped = correct.ndim == 2 and correct.shape[1] > TESTED
    yield "correct", not shaped, {"shape": correct.shape}
    splits, smaller = _biases(correct, TESTED), _biases(correct, SMALLER).mean()
    right = splits.mean()
    one_split = np.abs(splits - bias).min() < EXACT and abs(bias - right) > EXACT
    yield "one split", one_split, {"low": splits.min(), "high": splits.max()}
    nearest = min(SIMILAR, right / 2, abs(bias - smaller))
    points = {"points": 100 * right, "smaller": 100 * smaller}
    yield "right", abs(bias - right) <= nearest, points
    yield "hundred", abs(bias - smaller) <= SIMILAR
    yield "points", abs(bias - 100 * right) <= 100 * SIMILAR
    yield "accuracy", bias >= correct.mean(axis=1).min()
    yield "otherwise", True, {"answer": bias}


def _biases(correct, tested):
    """Reported less true accuracy of the best by a test of so many cells, per split."""
    biases = []
    for seed in range(SPLITS):
        order = np.random.default_rng(seed).permutation(correct.shape[1])
        reported = correct[:, order[:tested]].mean(axis=1)
        best = reported.argmax()
        biases.append(reported[best] - correct[best, order[tested:]].mean())
    return np.array(biases)
