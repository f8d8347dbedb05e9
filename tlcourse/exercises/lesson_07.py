"""Lesson 07, BERT to sentiment: what the answers are compared with."""

import numpy as np

import tlcourse as tl

from .answers import Anything, Shares, WholeNumber, near, unexpected
from .table import rows

TEXT, WANTED = "Unputdownable!", "The camera work is beautiful."
SENTENCES = 200  # in `learned`
PROBE, ALWAYS = "probe", "always the same"


@rows("7.1", Anything())
def number_of_tokens(answer, model):
    tokens = model.tokens(TEXT)
    yield "tokens", isinstance(answer, list | tuple) and list(answer) == tokens
    number = WholeNumber().read(answer, "a whole number")
    details = {"number": number, "tokens": " ".join(tokens)}
    details["pieces"] = sum(token.startswith("##") for token in tokens)
    yield "right", number == len(tokens), details
    yield "special tokens", number == len(tokens) - 2
    yield "punctuation", number == len(tokens) - 3
    yield "words", number in (1, 2)
    yield "characters", number == len(TEXT)
    yield "largest id", number == model.tokenize(TEXT).max()
    yield "otherwise", True, details


@rows("7.2", Anything())
def nearest_review(answer, model, learned):
    sentences = list(learned.sentences)
    films = set(tl.load_dataset("reviews", domain="films").train.sentences)
    yield "other sentences", len(sentences) != SENTENCES or not set(sentences) <= films
    features = model.extract_features(learned.sentences)
    products = features @ model.extract_features(WANTED)[0]
    cosines = products / np.linalg.norm(features, axis=1)
    cosines = cosines / np.linalg.norm(model.extract_features(WANTED)[0])
    nearest, second, *_, farthest = np.argsort(-cosines)
    yield "index", isinstance(answer, int | np.integer) and answer == nearest
    if not isinstance(answer, str):
        raise unexpected(answer, "one sentence out of learned.sentences")
    yield "itself", answer == WANTED
    yield "unknown", answer not in sentences
    index = sentences.index(answer)
    details = {"cosine": cosines[index], "best": cosines[nearest]}
    yield "right", index == nearest, details | {"label": learned.label_names[index]}
    yield "farthest", index == farthest
    yield "second", index == second
    yield "product", index == products.argmax()
    yield "otherwise", True, details


@rows("7.3", Shares(PROBE, ALWAYS))
def better_than_chance(answer, model, probe):
    def accuracy(split):
        return probe.score(model.extract_features(split.sentences), split.labels)

    tweets = tl.load_dataset("reviews", domain="tweets")
    right, positive = accuracy(tweets.test), np.mean(tweets.test.labels)
    majority = max(positive, 1 - positive)
    better = "better than" if right > majority else "no better than"
    details = {"probe": right, "majority": majority, "better": better}
    yield "right", {PROBE: right, ALWAYS: majority}, details
    yield "exchanged", {PROBE: majority, ALWAYS: right}
    yield "rarer", near(answer[ALWAYS], 1 - majority)
    yield "half", near(answer[ALWAYS], 0.5)
    films = tl.load_dataset("reviews", domain="films").test
    yield "films", near(answer[PROBE], accuracy(films))
    yield "training rows", near(answer[PROBE], accuracy(tweets.train))
