"""Lessons 06 to 08: what the answers are compared with."""

from functools import lru_cache

import numpy as np

import tlcourse as tl

from ..training.evaluation import keras_outputs
from .table import (
    AnyAnswer,
    Array,
    Network,
    Shares,
    dictionary,
    near,
    require,
    rows,
    share,
    unexpected,
    whole_number,
)

# --- 06, Digits to Kanji ---

CHANNELS = (1, 16, 32, 64)  # of the pictures, and of the three convolutions
CLASSES, LABELS, FEWER = 60, 4, 2  # labels of each class in the lesson, and in 6.2
SCRATCH, FROZEN = "from scratch", "frozen"


@rows("6.1", whole_number())
def transferred_weights(answer):
    pairs = zip(CHANNELS, CHANNELS[1:], strict=False)
    first, second, third = [(9 * below + 1) * channels for below, channels in pairs]
    right = first + second
    yield "right", right, {"second": second / right}
    yield "kernels", right - CHANNELS[1] - CHANNELS[2]
    yield "all three", right + third


@rows("6.2", Shares(SCRATCH, FROZEN))
def two_ways(answer, train, source):
    require(train, "train", "__call__")
    require(source, "source", "get_layer")
    test, few = _sixty().test, _sixty().train.sample(per_class=FEWER)

    def accuracies(split):
        scratch, frozen = (_trained(train, start, FEWER) for start in (None, source))
        return {SCRATCH: _accuracy(scratch, split), FROZEN: _accuracy(frozen, split)}

    right = accuracies(test)
    best = max(right, key=right.get)
    yield "right", right, {"best": best, "accuracy": right[best]}
    yield "training rows", accuracies(few)
    yield "exchanged", {SCRATCH: right[FROZEN], FROZEN: right[SCRATCH]}


@rows("6.3", share())
def rescued_transfer(answer, train, inverted):
    require(train, "train", "__call__")
    require(inverted, "inverted", "get_layer")
    test = _sixty().test
    before, rescued = (_trained(train, inverted, LABELS, inverted=i) for i in (0, 1))
    details = {"before": _accuracy(before, test)}
    yield "right", _accuracy(rescued, test, inverted=True), details
    yield "before", details["before"]
    yield "test not inverted", _accuracy(rescued, test)


def _sixty():
    kanji = tl.load_dataset("kanji")
    return kanji.with_classes(kanji.class_names[:CLASSES])


@lru_cache(maxsize=16)  # each takes seconds, and a learner tries more than once
def _trained(train, start, per_class, inverted=False):
    """What the lesson's `train` makes of so many labels of each class."""
    part = _sixty().train.sample(per_class=per_class)
    options = {} if start is None else {"start": start, "frozen": True}
    return train(_pixels(part, inverted), part.labels, **options)


def _accuracy(network, split, inverted=False):
    outputs = keras_outputs(network, _pixels(split, inverted))
    return np.mean(outputs.argmax(axis=1) == split.labels)


def _pixels(split, inverted):
    return 255 - np.asarray(split.images) if inverted else np.asarray(split.images)


# --- 07, BERT to sentiment ---

TEXT, WANTED = "Unputdownable!", "The camera work is beautiful."
PROBE, ALWAYS = "probe", "always the same"


@rows("7.1", AnyAnswer())
def number_of_tokens(answer, model):
    tokens = model.tokens(TEXT)
    yield "tokens", isinstance(answer, list | tuple) and list(answer) == tokens
    number = whole_number().read(answer, "a whole number")
    pieces = sum(token.startswith("##") for token in tokens)
    details = {"number": number, "tokens": " ".join(tokens), "pieces": pieces}
    yield "right", number == len(tokens), details
    yield "special tokens", number == len(tokens) - 2
    yield "otherwise", True, details


@rows("7.2", AnyAnswer())
def nearest_review(answer, model, training):
    sentences = list(training.sentences)
    features = model.extract_features(training.sentences)
    products = features @ model.extract_features(WANTED)[0]
    cosines = products / np.linalg.norm(features, axis=1)
    cosines = cosines / np.linalg.norm(model.extract_features(WANTED)[0])
    nearest = cosines.argmax()
    if not isinstance(answer, str) or answer not in sentences:
        raise unexpected(answer, "one sentence out of training.sentences")
    index = sentences.index(answer)
    details = {"cosine": cosines[index], "best": cosines[nearest]}
    yield "right", index == nearest, details | {"label": training.label_names[index]}
    yield "product", index == products.argmax()
    yield "otherwise", True, details


@rows("7.3", Shares(PROBE, ALWAYS))
def better_than_chance(answer, model, probe):
    def accuracy(split):
        return probe.score(model.extract_features(split.sentences), split.labels)

    tweets = tl.load_dataset("reviews", domain="tweets").test
    films = tl.load_dataset("reviews", domain="films").test
    right, positive = accuracy(tweets), np.mean(tweets.labels)
    majority = max(positive, 1 - positive)
    better = "better than" if right > majority else "no better than"
    details = {"probe": right, "majority": majority, "better": better}
    yield "right", {PROBE: right, ALWAYS: majority}, details
    yield "exchanged", {PROBE: majority, ALWAYS: right}
    yield "films", near(answer[PROBE], accuracy(films))


# --- 08, The misuse lab ---

NUMERALS, CUT = 10, "block6c"
COLLEAGUES = {"Ada": "loss", "Ben": "nothing", "Cleo": "batch norm", "Dora": "new head"}
FACTS = {  # verdict → what is true where that verdict is wrong
    "batch norm": "its batch norms are frozen, all of them",
    "loss": "its loss expects what its last layer outputs",
    "new head": "its head is not as it was initialised any more",
    "nothing": "a check has something to say",
}
TRAINED = ("block7a", "head", "your layers")  # in 8.2; the last: frozen_report's name
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
    last = keras.layers.Dense(NUMERALS, activation, name="last")
    network = keras.Model(copy.inputs, last(copy.output))
    if fault != "new head":  # as after training
        last.bias.assign(np.linspace(-0.1, 0.1, NUMERALS))
    for layer in network.layers:
        is_norm = isinstance(layer, keras.layers.BatchNormalization)
        layer.trainable = fault == "batch norm" or not is_norm
    network.compile(keras.optimizers.Adam(5e-4), "sparse_categorical_crossentropy")
    return network


@rows("8.1", AnyAnswer())
def who_should_wait(answer):
    verdicts = dictionary(answer, tuple(COLLEAGUES))
    yield "no verdict", not set(verdicts.values()) <= set(FACTS)
    wrong = [name for name, fault in COLLEAGUES.items() if verdicts[name] != fault]
    yield "right", not wrong
    facts = "; ".join(f"{name}: {FACTS[verdicts[name]]}" for name in wrong)
    yield "otherwise", True, {"facts": facts}


@rows("8.2", Network())
def mended(network):
    report = tl.checks.frozen_report(network)
    yield "warning", bool(report.warnings), {"warning": (*report.warnings, "")[0]}
    states = {row.block: row.state for row in report.rows}
    yield "another network", not set(TRAINED) <= set(states)
    for block, state in states.items():
        details = {"block": block, "state": state}
        if block in TRAINED:
            yield "frozen", state != "trainable", details
        else:
            yield "trainable", state != "frozen", details
    yield "not compiled", not network.compiled
    rate = float(network.optimizer.learning_rate)
    yield "rate", not 0 < rate <= HIGHEST_RATE, {"rate": rate}
    counts = {"trainable": report.trainable, "parameters": report.parameters}
    yield "right", True, counts


@rows("8.3", AnyAnswer())
def larger_test(answer, correct):
    bias = share(minimum=-1).read(answer, "one number between 0 and 1")
    expected = "an array of True and False, one row per probe"
    correct = Array().read(correct, expected, "correct")
    splits, smaller = _biases(correct, TESTED), _biases(correct, SMALLER).mean()
    right = splits.mean()
    one_split = np.abs(splits - bias).min() < EXACT and abs(bias - right) > EXACT
    yield "one split", one_split, {"low": splits.min(), "high": splits.max()}
    nearest = min(SIMILAR, right / 2, abs(bias - smaller))
    points = {"points": 100 * right, "smaller": 100 * smaller}
    yield "right", abs(bias - right) <= nearest, points
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
