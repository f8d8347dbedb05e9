"""The exercises of lesson 08, The misuse lab."""

import numpy as np

from ..blocks import batch_norms, find_blocks
from ..errors import GuardError
from ..guards import assert_head_trained, assert_loss_fits
from .core import NotYet, exercise
from .reading import share

CLASSES, CUT = 10, "block6c"
VERDICTS = ("batch norm", "loss", "new head", "nothing")
COLLEAGUES = {"Ada": "loss", "Ben": "nothing", "Cleo": "batch norm", "Dora": "new head"}
MEANT = ("block7a", "head")  # what is to learn in 8.2, beside the last layer
HIGHEST_RATE = 1e-2
TESTED, NEAR = 300, 0.012  # cells in the larger test of 8.3; what another order of the cells may change


def networks_of_colleagues(model) -> dict:
    """Name → a compiled network for ten signs, about to be trained by `fit`; three of the four have a mistake."""
    return {name: _network(model, fault) for name, fault in COLLEAGUES.items()}


def _network(model, fault: str):
    import keras

    copy = model.copy_network()
    last = keras.layers.Dense(CLASSES, None if fault == "loss" else "softmax", name="last")
    network = keras.Model(copy.get_layer(model.blocks[CUT][-1]).output, last(copy.output))
    if fault != "new head":  # as after a training
        last.bias.assign(np.linspace(-0.1, 0.1, CLASSES))
    for layer in network.layers:
        layer.trainable = fault == "batch norm" or not isinstance(layer, keras.layers.BatchNormalization)
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
def who_should_wait(answer) -> str:
    if not isinstance(answer, dict) or set(answer) != set(COLLEAGUES):
        raise NotYet(f"Expected a dictionary with a verdict for each of {', '.join(COLLEAGUES)}, and nothing else.")
    unknown = [verdict for verdict in answer.values() if verdict not in VERDICTS]
    if unknown:
        raise NotYet(f"{unknown[0]!r} is no verdict. The verdicts: {', '.join(map(repr, VERDICTS))}.")
    wrong = [name for name, fault in COLLEAGUES.items() if answer[name] != fault]
    if not wrong:
        return "Three of four would have trained without a word from Keras."
    if all(answer[name] == "nothing" for name in wrong):
        raise NotYet(
            f"A guard has something to say about {' and '.join(wrong)}. frozen_report asks all three questions."
        )
    if any(COLLEAGUES[name] == "nothing" for name in wrong):
        raise NotYet("One of those whom you want to stop may go on: no guard says a word about that network.")
    raise NotYet(f"There is something about {wrong[0]}, but not that. What does the guard say, word for word?")


@exercise(
    "8.2",
    "mend it",
    "the network, compiled and ready for fit",
    "Ask frozen_report what is wrong, mend one thing, and ask again. The rate it cannot judge; you can.",
    "head.set_weights(head_weights) gives it a trained head; tl.unfreeze and tl.freeze see to the flags; then compile.",
    "patient.get_layer('new_head').set_weights(head_weights); tl.freeze(patient, up_to='block6d'); "
    "patient.compile(keras.optimizers.Adam(5e-4), loss='sparse_categorical_crossentropy').",
)
def mended(answer) -> str:
    import keras

    if not isinstance(answer, keras.Model):
        raise NotYet(f"You gave a {type(answer).__name__}; expected the network, after you have mended it.")
    parts = find_blocks(answer)
    inside = [layer for layers in parts.blocks.values() for layer in layers]
    if any(norm.trainable for norm in batch_norms(inside)):
        raise NotYet("Its batch norms would still move in fit. tl.freeze and tl.unfreeze keep them frozen.")
    learning = {block for block, layers in parts.blocks.items() if any(layer.trainable_weights for layer in layers)}
    if not learning:
        raise NotYet("Nothing of the pretrained blocks would learn any more: block7a and what is behind it should.")
    if learning != set(MEANT):
        raise NotYet(f"{', '.join(sorted(learning))} would learn; only block7a and the block called head should.")
    if not answer.layers[-1].trainable_weights:
        raise NotYet("The last layer, new_head, is frozen: it should learn, too.")
    if not answer.compiled:
        raise NotYet("It is not compiled (or its flags were changed afterwards). Compile it, last of all.")
    for guard in (assert_loss_fits, assert_head_trained):
        try:
            guard(answer)
        except GuardError as error:
            raise NotYet(f"A guard still speaks: {error}") from error
    rate = float(answer.optimizer.learning_rate)
    if rate > HIGHEST_RATE:
        raise NotYet(f"Its learning rate is {rate:g}. On that scale the pretrained weights are gone after a few steps.")
    if rate == 0:
        raise NotYet("Its learning rate is 0, so nothing would happen at all.")
    count = sum(weight.shape.num_elements() for weight in answer.trainable_weights)
    return f"{count:,} numbers may learn, and no guard speaks."


@exercise(
    "8.3",
    "a larger test",
    "a share, the mean of what is reported less what is true",
    "It is the loop of the lesson with another number in it. Which one?",
    "flattery(tested=300, draw=…) for many draws, and the mean of them.",
    "np.mean([flattery(tested=300, draw=draw) for draw in range(200)]).",
)
def larger_test(answer, correct) -> str:
    correct = np.asarray(correct, bool)
    expected = {size: _flattery(correct, size) for size in (100, TESTED)}
    number = float(np.asarray(answer))
    if number < 0:
        raise NotYet("It is negative: reported less true, and not the other way round.")
    value = share(number)
    if abs(value - expected[TESTED]) <= NEAR and abs(value - expected[TESTED]) < abs(value - expected[100]):
        return (
            f"About {100 * expected[TESTED]:.1f} points with {TESTED} cells, {100 * expected[100]:.1f} with 100. A "
            "larger test flatters less, and flatters all the same."
        )
    if abs(value - expected[100]) <= NEAR:
        raise NotYet("That is what a test of 100 cells flatters by. Give tested=300.")
    if abs(value - correct.mean(axis=1).max()) < 0.06:
        raise NotYet("That is an accuracy. How much more was reported than was true?")
    raise NotYet(f"{value:.1%} is not it. The mean of flattery(tested=300, draw=draw) over many draws.")


def _flattery(correct: np.ndarray, tested: int, draws: int = 300) -> float:
    """What the best by a test of so many cells is reported to be, less what it is on the other cells; the mean."""
    found = []
    for draw in range(draws):
        order = np.random.default_rng(draw).permutation(correct.shape[1])
        reported, true = (correct[:, cells].mean(axis=1) for cells in (order[:tested], order[tested:]))
        best = reported.argmax()
        found.append(reported[best] - true[best])
    return float(np.mean(found))
