"""The checks of lesson 07: with the right answer, and with the wrong ones that people really give."""

import numpy as np
import pytest
from answers import assert_odd_answers_are_refused, assert_right, assert_wrong, check

import tlcourse as tl
from tlcourse.exercises.lesson_07 import TEXT, WANTED
from tlcourse.models.bert_folder import is_whole

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not is_whole("minilm"), reason="minilm is not here: tlcourse fetch minilm"
    ),
]


@pytest.fixture(scope="module")
def lesson():
    """The names of the lesson; the probe learned from fewer sentences than there."""

    class Names:
        model = tl.load_pretrained_model("minilm")
        films, tweets = (
            tl.load_dataset("reviews", domain=domain) for domain in ("films", "tweets")
        )
        learned = films.train.sample(per_class=100)
        rows, asked = (
            model.extract_features(learned.sentences),
            model.extract_features(WANTED)[0],
        )
        lengths = np.linalg.norm(rows, axis=1)
        order = np.argsort(-(rows @ asked / lengths))
        some = films.train.sample(per_class=20)
        probe = tl.train_classifier(
            model.extract_features(some.sentences), some.labels, films.class_names
        )

    return Names


def test_7_1_right(lesson):
    assert_right(
        check("7.1", len(lesson.model.tokens(TEXT)), lesson.model), "[CLS]", "##"
    )


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (lambda tokens, ids: tokens, "These are the tokens themselves"),
        (lambda tokens, ids: len(tokens) - 2, "leaves out [CLS] and [SEP]"),
        (lambda tokens, ids: len(tokens) - 3, "Punctuation is a token, too"),
        (lambda tokens, ids: 1, "That would be words"),
        (lambda tokens, ids: len(TEXT), "These are the characters"),
        (lambda tokens, ids: int(ids.max()), "the largest id"),
        (lambda tokens, ids: 99, "does not read 99 tokens"),
        (lambda tokens, ids: "many", "you gave 'many'; expected a whole number"),
        (lambda tokens, ids: len(tokens) + 0.9, "expected a whole number"),
        (lambda tokens, ids: len(tokens) + 1, "tokens there"),
        (lambda tokens, ids: -len(tokens), "tokens there"),
        (lambda tokens, ids: ids, "an array of shape"),
    ],
)
def test_7_1_wrong(lesson, answer, words):
    assert_wrong(
        check(
            "7.1",
            answer(lesson.model.tokens(TEXT), lesson.model.tokenize(TEXT)),
            lesson.model,
        ),
        words,
    )


def test_7_1_odd_answers(lesson):
    assert_right(check("7.1", np.float64(len(lesson.model.tokens(TEXT))), lesson.model))
    assert_odd_answers_are_refused(
        "7.1", lesson.model, others=[0.5, 36, "7", tuple(TEXT)]
    )
    assert_wrong(check("7.1", 7, None), "cannot read")


def test_7_2_right(lesson):
    answer = lesson.learned.sentences[lesson.order[0]]
    assert_right(
        check("7.2", answer, lesson.model, lesson.learned),
        "Cosine",
        "about the same subject",
    )


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (lambda names: int(names.order[0]), "That is its index"),
        (
            lambda names: names.learned.sentences[:1],
            "expected one sentence out of learned.sentences",
        ),
        (lambda names: WANTED, "That is the sentence itself"),
        (lambda names: "A film about cameras.", "not in learned.sentences"),
        (lambda names: names.learned.sentences[names.order[-1]], "farthest away"),
        (lambda names: names.learned.sentences[names.order[1]], "the second nearest"),
        (
            lambda names: names.learned.sentences[names.order[50]],
            "there is a nearer one",
        ),
    ],
)
def test_7_2_wrong(lesson, answer, words):
    assert_wrong(check("7.2", answer(lesson), lesson.model, lesson.learned), words)


def test_7_2_odd_answers(lesson):
    near = lesson.learned.sentences[lesson.order[0]]
    others = [
        [near],
        near.encode(),
        f"{near} ",
        near.upper(),
        0.5,
        lesson.rows,
        float(lesson.order[0]),
        {"nearest": near},
    ]
    assert_odd_answers_are_refused("7.2", lesson.model, lesson.learned, others=others)


def test_7_2_other_sentences_to_choose_from(lesson):
    for learned in (
        lesson.films.test,
        lesson.films.train,
        lesson.tweets.train.sample(per_class=100),
    ):
        assert_wrong(
            check("7.2", learned.sentences[0], lesson.model, learned),
            "`learned` is not the lesson's",
        )


def test_7_2_the_largest_product_is_not_the_nearest(lesson):
    stretched = (
        np.where(np.arange(len(lesson.rows)) == lesson.order[50], 100.0, 1.0)[:, None]
        * lesson.rows
    )

    class Model:
        @staticmethod
        def extract_features(sentences):
            return lesson.asked[None] if isinstance(sentences, str) else stretched

    answer = lesson.learned.sentences[lesson.order[50]]
    assert_wrong(
        check("7.2", answer, Model, lesson.learned), "Divide by the length of each row"
    )


@pytest.fixture(scope="module")
def scores(lesson):
    def score(split):
        return lesson.probe.score(
            lesson.model.extract_features(split.sentences), split.labels
        )

    larger = float(np.mean(lesson.tweets.test.labels))
    return {
        "tweets": score(lesson.tweets.test),
        "tweets' train": score(lesson.tweets.train),
        "films": score(lesson.films.test),
        "larger": max(larger, 1 - larger),
    }


def test_7_3_right(lesson, scores):
    answer = {"probe": scores["tweets"], "always the same": scores["larger"]}
    verdict = check("7.3", answer, lesson.model, lesson.probe)
    assert_right(
        verdict,
        "better than" if scores["tweets"] > scores["larger"] else "no better than",
    )


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (
            lambda s: {"probe": s["tweets"], "always the same": None},
            "'always the same' is still None",
        ),
        (lambda s: s["tweets"], "expected a dictionary"),
        (
            lambda s: {"probe": 100 * s["tweets"], "always the same": s["larger"]},
            "As a percentage",
        ),
        (
            lambda s: {"probe": s["larger"], "always the same": s["tweets"]},
            "The two are exchanged",
        ),
        (
            lambda s: {"probe": s["tweets"], "always the same": 1 - s["larger"]},
            "the rarer side",
        ),
        (lambda s: {"probe": s["tweets"], "always the same": 0.5}, "equally frequent"),
        (
            lambda s: {"probe": s["films"], "always the same": s["larger"]},
            "its accuracy on films",
        ),
        (
            lambda s: {"probe": s["tweets' train"], "always the same": s["larger"]},
            "the tweets' train split",
        ),
        (
            lambda s: {"probe": 0.123, "always the same": s["larger"]},
            "Not so for 'probe'",
        ),
    ],
)
def test_7_3_wrong(lesson, scores, answer, words):
    assert_wrong(check("7.3", answer(scores), lesson.model, lesson.probe), words)


def test_7_3_odd_answers(lesson, scores):
    right = {"probe": scores["tweets"], "always the same": scores["larger"]}
    others = [
        {name: value + step for name, value in right.items()}
        for step in (0.9, -0.05, np.nan)
    ]
    others += [
        list(right.values()),
        right | {"films": 0.5},
        dict.fromkeys(right, True),
        dict.fromkeys(right, 0.0),
    ]
    assert_odd_answers_are_refused("7.3", lesson.model, lesson.probe, others=others)
