"""Lessons 06 to 08: what the answers are compared with."""

from functools import lru_cache

import numpy as np

import tlcourse as tl

from ..training.evaluation import keras_outputs
from .table import (
    AnyAnswer,
    Network,
    Shares,
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

TEXT, QUERY = "Unputdownable!", "The camera work is beautiful."
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
    products = features @ model.extract_features(QUERY)[0]
    cosines = products / np.linalg.norm(features, axis=1)
    cosines = cosines / np.linalg.norm(model.extract_features(QUERY)[0])
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
    error = np.sqrt(right * (1 - right) / len(tweets))
    size = "inside the noise" if abs(right - majority) < 2 * error else "larger"
    details = {"probe": right, "majority": majority, "tweets": len(tweets)}
    details |= {"error": error, "size": size}
    yield "right", {PROBE: right, ALWAYS: majority}, details
    yield "exchanged", {PROBE: majority, ALWAYS: right}
    yield "films", near(answer[PROBE], accuracy(films))


# --- 08, Speech ---

SAMPLES, FRAME, STEP = 32_000, 512, 160  # of two seconds; as in features/log_mel.py
ONE_WORD = 0.013  # of 86: another processor may decide one of them otherwise
NEEDED, LEAK, CHANCE = 0.6, 0.93, 0.05  # accuracies on the other voice
WORDS, BANDS = 86, 32


@rows("8.1", whole_number())
def number_of_frames(answer):
    last = (SAMPLES - FRAME) // STEP
    yield "right", last + 1
    yield "one less", last
    yield "with silence", last + 1 + SAMPLES // 2 // STEP
    yield "window", last + 2
    yield "no overlap", answer in (SAMPLES // STEP, SAMPLES // STEP + 1)
    yield "frame length", answer in (SAMPLES // FRAME, SAMPLES // FRAME + 1)


@rows("8.2", share())
def accuracy_with_noise(answer, noise):
    carlo, paola = _voices()
    right = _nearest_is_right(_features(carlo), _features(paola, noise))
    clean = _nearest_is_right(_features(carlo), _features(paola))
    yield "right", abs(answer - right) <= ONE_WORD, {"clean": clean}
    yield "clean", clean
    yield "exchanged", _nearest_is_right(_features(carlo, noise), _features(paola))


@rows("8.3", Network())
def spectrogram_to_word(network, spectrograms):
    taken = tuple(network.input_shape)
    yield "input", len(taken) != 4 or taken[2:] != (BANDS, 1), {"taken": taken}
    classes = len(spectrograms)
    few = np.array_split(np.asarray(spectrograms), classes // 4)  # for memory
    probabilities = np.concatenate([keras_outputs(network, part) for part in few])
    yield (
        "shape",
        probabilities.shape[1:] != (WORDS,),
        {"shape": ("n", *probabilities.shape[1:])},
    )
    sums = probabilities.sum(axis=1)
    yield "probabilities", probabilities.min() < 0 or np.abs(sums - 1).max() > 1e-3
    accuracy = np.mean(probabilities.argmax(axis=1) == np.arange(classes))
    details = {"accuracy": accuracy, "needed": NEEDED}
    yield "leak", accuracy > LEAK, details
    yield "right", accuracy >= NEEDED, details
    yield "chance", accuracy < CHANCE, details
    yield "otherwise", True, details


@lru_cache(maxsize=1)
def _voices():
    """Carlo's and Paola's words, as waveforms."""
    words = tl.load_dataset("words")
    splits = (words.train.recordings, words.test.recordings)
    return [[tl.audio.read_audio(path) for path in split] for split in splits]


def _features(waveforms, noise=np.zeros_like):
    model = tl.load_pretrained_model("speech_embedding")
    heard = [waveform + noise(waveform) for waveform in waveforms]
    return model.extract_features(heard, sample_rate=model.sample_rate, cache=False)


def _nearest_is_right(known, asked):
    known, asked = (
        x / np.linalg.norm(x, axis=1, keepdims=True) for x in (known, asked)
    )
    return np.mean((asked @ known.T).argmax(axis=1) == np.arange(len(asked)))
