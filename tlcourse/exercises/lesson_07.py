"""The exercises of lesson 07, BERT to sentiment."""

from typing import TYPE_CHECKING, Any

import numpy as np

from ..datasets import load_dataset
from .core import NotYet, exercise
from .reading import describe_type, near, shares, whole_number

if TYPE_CHECKING:
    from ..datasets.core import Split
    from ..models.text import PretrainedTextModel
    from ..training.probe import LinearProbe

TEXT, WANTED = "Unputdownable!", "The camera work is beautiful."
LEARNED = 200  # sentences in `learned`
PROBE, ALWAYS = "probe", "always the same"


@exercise(
    "7.1",
    "count what it reads",
    "a whole number",
    "The network does not read words but tokens, and two of them are in every text.",
    "model.tokens(text) gives the tokens as a list.",
    "len(model.tokens(text)).",
)
def number_of_tokens(answer: "Any", model: "PretrainedTextModel") -> str:
    tokens = model.tokens(TEXT)
    if isinstance(answer, list | tuple) and list(answer) == tokens:
        raise NotYet("These are the tokens themselves. How many are they?")
    number, inside = whole_number(answer), tokens[1:-1]
    if number == len(tokens):
        pieces = sum(token.startswith("##") for token in tokens)
        return f"{' '.join(tokens)}: {number}, of which {pieces} go on with a word that was begun."
    if number == len(inside):
        raise NotYet(
            "That leaves out [CLS] and [SEP], which the network reads in every text."
        )
    if number == len(inside) - 1:
        raise NotYet(
            "Punctuation is a token, too; and [CLS] and [SEP] are read in every text."
        )
    if number in (1, 2):
        raise NotYet(
            "That would be words. A word that is not in the vocabulary falls into pieces."
        )
    if number == len(TEXT):
        raise NotYet("These are the characters. Tokens are words, or pieces of words.")
    if number == model.tokenize(TEXT).max():
        raise NotYet("That is the largest id of a token, not how many there are.")
    raise NotYet(
        f"The network does not read {number} tokens there. Ask model.tokens(text)."
    )


@exercise(
    "7.2",
    "the nearest review",
    "one sentence out of learned.sentences",
    "It is the question of the facts once more, with other sentences to choose from.",
    "Features of learned.sentences and of wanted; the cosine is their product divided by both lengths.",
    "rows, asked by extract_features; then learned.sentences[np.argmax(rows @ asked / np.linalg.norm(rows, axis=1))].",
)
def nearest_review(
    answer: "Any", model: "PretrainedTextModel", learned: "Split"
) -> str:
    films = load_dataset("reviews", domain="films").train
    sentences = learned.sentences.tolist()
    if len(sentences) != LEARNED or not set(sentences) <= set(films.sentences.tolist()):
        raise NotYet(
            f"`learned` is not the lesson's: expected {LEARNED} sentences of films.train. Run its cell again."
        )
    rows, asked = (
        model.extract_features(learned.sentences),
        model.extract_features(WANTED)[0],
    )
    lengths = np.linalg.norm(rows, axis=1)
    cosines = rows @ asked / (lengths * np.linalg.norm(asked))
    order = np.argsort(-cosines)
    if not isinstance(answer, str):
        if isinstance(answer, int | np.integer) and answer == order[0]:
            raise NotYet(
                "That is its index. Give the sentence: learned.sentences[index]."
            )
        raise NotYet(
            f"You gave {describe_type(answer)}; expected one sentence out of learned.sentences."
        )
    if answer == WANTED:
        raise NotYet("That is the sentence itself. Which of the 200 is nearest to it?")
    if answer not in sentences:
        raise NotYet(
            "That sentence is not in learned.sentences. Give it as it stands there."
        )
    index = sentences.index(answer)
    if index == order[0]:
        side = learned.label_names[index]
        return (
            f"Cosine {cosines[index]:.2f}; people rated it {side}. "
            "Similar sentences are about the same subject; their opinions may differ."
        )
    if index == order[-1]:
        raise NotYet(
            "That is the one farthest away. The nearest has the largest cosine, argmax."
        )
    if index == order[1]:
        raise NotYet("That is the second nearest.")
    if index == int(np.argmax(rows @ asked)):
        raise NotYet(
            "That is the largest product, and long rows have large ones. Divide by the length of each row."
        )
    raise NotYet(
        f"Its cosine is {cosines[index]:.2f}, and there is a nearer one with {cosines[order[0]]:.2f}."
    )


@exercise(
    "7.3",
    "better than guessing?",
    "a dictionary with two shares, 'probe' and 'always the same'",
    "probe.score wants features and labels. And how many of the tweets have the side that most have?",
    "probe.score(features of tweets.test.sentences, tweets.test.labels), and np.mean(tweets.test.labels == side).",
    "'always the same' is the larger of np.mean(tweets.test.labels == 0) and np.mean(tweets.test.labels == 1).",
)
def better_than_guessing(
    answer: "Any", model: "PretrainedTextModel", probe: "LinearProbe"
) -> str:
    values = shares(answer, (PROBE, ALWAYS))
    test = load_dataset("reviews", domain="tweets").test
    features = model.extract_features(test.sentences)
    right, larger = probe.score(features, test.labels), float(np.mean(test.labels))
    larger = max(larger, 1 - larger)
    if near(values[PROBE], right) and near(values[ALWAYS], larger):
        verdict = "better than" if right > larger else "no better than"
        return f"{right:.1%} against {larger:.1%}: on tweets the films' probe is {verdict} always saying the same."
    if near(values[PROBE], larger) and near(values[ALWAYS], right):
        raise NotYet("The two are exchanged.")
    if near(values[ALWAYS], 1 - larger):
        raise NotYet(
            "'always the same': that is the rarer side. Always answering the more frequent one is right more often."
        )
    if near(values[ALWAYS], 0.5):
        raise NotYet(
            "'always the same': half would be right if both sides were equally frequent. Count them."
        )
    films = load_dataset("reviews", domain="films").test
    if near(
        values[PROBE],
        probe.score(model.extract_features(films.sentences), films.labels),
    ):
        raise NotYet(
            "'probe': that is its accuracy on films. Give it the tweets' test sentences."
        )
    train = load_dataset("reviews", domain="tweets").train
    if near(
        values[PROBE],
        probe.score(model.extract_features(train.sentences), train.labels),
    ):
        raise NotYet(
            "'probe': that is on the tweets' train split. Score it on the test split."
        )
    wrong = [
        name
        for name, number in ((PROBE, right), (ALWAYS, larger))
        if not near(values[name], number)
    ]
    raise NotYet(
        f"Not so for {' and '.join(map(repr, wrong))}: on tweets.test, with `probe` as it was trained above?"
    )
