"""The exercises of lesson 08, The misuse lab."""

from typing import TYPE_CHECKING, Any

import numpy as np

from ..guards import frozen_report
from .core import NotYet, exercise
from .reading import array, describe, describe_type, share

if TYPE_CHECKING:
    import keras

    from ..models.vision import PretrainedModel
    from ..training.freezing import FreezeTable

CLASSES, CUT = 10, "block6c"
COLLEAGUES = {"Ada": "loss", "Ben": "nothing", "Cleo": "batch norm", "Dora": "new head"}
NOT_SO = {  # verdict → what is so where that verdict is wrong
    "batch norm": "its batch norms are frozen, all of them",
    "loss": "its loss expects what its last layer gives",
    "new head": "its head is not as it was initialised any more",
    "nothing": "a guard has something to say",
}
LEARNING = (
    "block7a",
    "head",
    "your layers",
)  # what is to learn in 8.2; the report's name for the last layer comes last
HIGHEST_RATES = {"SGD": 0.1}  # of others, most of them kin of Adam:
HIGHEST_RATE = 2e-3
TESTED, SMALLER, DRAWS = 300, 100, 200
NEAR = 0.008  # what other seeds may change in the mean, at most; share
DECIMALS = 1e-9


def networks_of_colleagues(model: "PretrainedModel") -> dict:
    """Name → a compiled network for ten signs, about to be trained by `fit`; three of the four have a mistake."""
    import keras

    behind = keras.Model(
        model.network.get_layer(model.blocks[CUT][-1]).output, model.network.output
    )
    return {name: _network(behind, fault) for name, fault in COLLEAGUES.items()}


def _network(behind: "keras.Model", fault: str) -> "keras.Model":
    """A copy of what is behind the cut, with a last layer for ten signs, and this fault."""
    import keras

    copy = keras.models.clone_model(behind)
    copy.set_weights(behind.get_weights())
    last = keras.layers.Dense(
        CLASSES, None if fault == "loss" else "softmax", name="last"
    )
    network = keras.Model(copy.inputs, last(copy.output))
    if fault != "new head":  # as after a training
        last.bias.assign(np.linspace(-0.1, 0.1, CLASSES))
    for layer in network.layers:
        layer.trainable = fault == "batch norm" or not isinstance(
            layer, keras.layers.BatchNormalization
        )
    network.compile(keras.optimizers.Adam(5e-4), "sparse_categorical_crossentropy")
    return network


@exercise(
    "8.1",
    "who should wait?",
    "a dictionary with a verdict for each of the four",
    "Each of the guards answers one question. Which of them can be asked before any training?",
    "tl.guards.frozen_report(network) asks about batch norms, the head and the loss, all three: look at its warnings.",
    "for name, network in colleagues.items(): print(name, tl.guards.frozen_report(network).warnings).",
)
def who_should_wait(answer: "Any") -> str:
    if not isinstance(answer, dict) or set(answer) != set(COLLEAGUES):
        raise NotYet(
            f"Expected a dictionary with a verdict for each of {', '.join(COLLEAGUES)}, and nothing else."
        )
    missing = [name for name, verdict in answer.items() if verdict is None]
    if missing:
        raise NotYet(f"{', '.join(missing)}: still None.")
    unknown = [
        verdict
        for verdict in answer.values()
        if not isinstance(verdict, str) or verdict not in NOT_SO
    ]
    if unknown:
        raise NotYet(
            f"{describe(unknown[0])} is no verdict. The verdicts: {', '.join(map(repr, NOT_SO))}."
        )
    wrong = [name for name, fault in COLLEAGUES.items() if answer[name] != fault]
    if not wrong:
        return "Three of four would have trained without a word from Keras."
    if all(answer[name] == "nothing" for name in wrong):
        raise NotYet(
            f"A guard has something to say about {' and '.join(wrong)}. frozen_report asks all three questions."
        )
    if "Ben" in wrong:
        raise NotYet("Ben may go on: no guard says a word about his network.")
    told = "; ".join(f"{name}: {NOT_SO[answer[name]]}" for name in wrong)
    raise NotYet(f"{told}. What does frozen_report say, word for word?")


@exercise(
    "8.2",
    "mend it",
    "the network, compiled and ready for fit",
    "Ask frozen_report what is wrong, mend one thing, and ask again. The rate it cannot judge; you can.",
    "patient.get_layer('new_head').set_weights(…), then tl.freeze with the last block that is to stay, then compile.",
    "patient.get_layer('new_head').set_weights(head_weights); tl.freeze(patient, up_to='block6d'); "
    "patient.compile(keras.optimizers.Adam(5e-4), loss='sparse_categorical_crossentropy').",
)
def mended(answer: "Any") -> str:
    import keras

    if not isinstance(answer, keras.Model):
        raise NotYet(
            f"You gave {describe_type(answer)}; expected the network, after you have mended it."
        )
    report = frozen_report(answer)
    if report.warnings:
        raise NotYet(f"frozen_report says: {report.warnings[0]}")
    _assert_blocks_learn(report)
    _assert_compiled_well(answer)
    if answer.output_shape[-1] != CLASSES:
        raise NotYet(
            f"Its last layer has {answer.output_shape[-1]} outputs; the numerals are {CLASSES} classes."
        )
    if not all(np.isfinite(weights).all() for weights in answer.get_weights()):
        raise NotYet(
            "Some of its weights are NaN or infinite. Make `patient` anew, and give it `head_weights`."
        )
    return f"{report.trainable:,} of its {report.parameters:,} parameters are trainable, and no guard warns."


def _assert_blocks_learn(report: "FreezeTable") -> None:
    """That what is meant to learn does, all of it, and nothing else."""
    states = {row.block: row.state for row in report.rows}
    if not set(LEARNING) <= set(states):
        raise NotYet(
            "That is another network than `patient`: it has no block7a, or no layer of its own at the end."
        )
    if all(states[block] == "frozen" for block in LEARNING[:-1]):
        raise NotYet(
            "block7a and the block behind it, head, are frozen. They should learn: tl.freeze(…, up_to=…)."
        )
    for block, state in states.items():
        name = "The last layer, new_head," if block == LEARNING[-1] else block
        if block in LEARNING and state != "trainable":
            raise NotYet(
                f"{name} is {'frozen' if state == 'frozen' else 'partly frozen'}, and should learn."
            )
        if block not in LEARNING and state != "frozen":
            raise NotYet(
                f"{name} would learn. Only block7a, the block behind it and the last layer should."
            )


def _assert_compiled_well(network: "keras.Model") -> None:
    """That there is a loss for labels 0 … 9, and a rate that leaves the pretrained weights where they are."""
    if not network.compiled:
        raise NotYet("It is not compiled yet. Compile it, last of all.")
    loss = network.loss
    name = (
        loss
        if isinstance(loss, str)
        else getattr(loss, "__name__", type(loss).__name__)
    )
    if name.replace("_", "").lower() != "sparsecategoricalcrossentropy":
        raise NotYet(
            f"Its loss is {name}. For labels 0, 1, … 9, one number each, take the sparse cross-entropy."
        )
    optimizer = type(network.optimizer).__name__
    rate, highest = (
        float(network.optimizer.learning_rate),
        HIGHEST_RATES.get(optimizer, HIGHEST_RATE),
    )
    if not np.isfinite(rate) or rate < 0:
        raise NotYet(f"Its learning rate is {rate:g}; expected a small number above 0.")
    if rate > highest:
        raise NotYet(
            f"The rate of its {optimizer} is {rate:g}: what is pretrained would be gone after a few steps. tl.freeze "
            "and tl.unfreeze compile with the rate that was there before."
        )
    if rate == 0:
        raise NotYet("Its learning rate is 0, so nothing would happen at all.")


@exercise(
    "8.3",
    "a larger test",
    "a share, the mean of what is reported less what is true",
    "It is the loop of the lesson with another number in it. Which one?",
    "flattery(tested=300, draw=…) for many draws, and the mean of them.",
    "np.mean([flattery(tested=300, draw=draw) for draw in range(200)]).",
)
def larger_test(answer: "Any", correct: "Any") -> str:
    if (
        isinstance(answer, list | tuple | np.ndarray)
        and np.ndim(answer) == 1
        and len(answer) > 1
    ):
        raise NotYet(f"These are {len(answer)} splits. Give their mean.")
    if isinstance(answer, float) and answer < 0:
        raise NotYet("It is negative: reported less true, and not the other way round.")
    value, correct = (
        share(answer),
        array(correct, "an array of True and False, one row per probe", "correct"),
    )
    if correct.ndim != 2 or correct.shape[1] <= TESTED:
        raise NotYet(
            f"`correct` has the shape {correct.shape}; expected one row per probe, one column per test cell."
        )
    draws, smaller = _flatteries(correct, TESTED), _flatteries(correct, SMALLER).mean()
    right = draws.mean()
    if np.abs(draws - value).min() < DECIMALS and abs(value - right) > DECIMALS:
        raise NotYet(
            f"That is one split, and the next may say {draws.min():.1%} or {draws.max():.1%}. Take the mean."
        )
    if abs(value - right) <= min(NEAR, right / 2, abs(value - smaller)):
        return (
            f"About {100 * right:.1f} points with {TESTED} cells, {100 * smaller:.1f} with {SMALLER}. A larger test "
            "flatters less, and flatters all the same."
        )
    if abs(value - smaller) <= NEAR:
        raise NotYet(
            f"That is what a test of {SMALLER} cells flatters by. Give tested={TESTED}."
        )
    if abs(value - 100 * right) <= 100 * NEAR:
        raise NotYet(
            "These seem to be percentage points. Give a share: reported less true, both between 0 and 1."
        )
    if value >= correct.mean(axis=1).min():
        raise NotYet(
            "That is an accuracy. By how much is what is reported larger than what is true?"
        )
    raise NotYet(
        f"{value:.1%} is not it. The mean of flattery(tested={TESTED}, draw=draw) over many draws."
    )


def _flatteries(correct: np.ndarray, tested: int) -> np.ndarray:
    """What the best by a test of so many cells is reported to be, less what it is on the other cells: one a draw."""
    found = []
    for draw in range(DRAWS):
        order = np.random.default_rng(draw).permutation(correct.shape[1])
        reported, true = (
            correct[:, cells].mean(axis=1) for cells in (order[:tested], order[tested:])
        )
        best = reported.argmax()
        found.append(reported[best] - true[best])
    return np.array(found)
