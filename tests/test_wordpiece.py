"""WordPiece: which tokens a text has, long texts, vocabularies, containers of texts."""

import warnings

import numpy as np
import pytest
from small_bert import LONGEST, VOCABULARY

import tlcourse as tl
from tlcourse.errors import DamagedFile, UserInputError
from tlcourse.models.bert import PADDING
from tlcourse.models.wordpiece import Tokenizer, TruncationWarning, as_sentences


@pytest.fixture(scope="module")
def vocabulary(small_bert_folder):
    return small_bert_folder / "vocab.txt"


@pytest.fixture(scope="module")
def uncased(vocabulary):
    return Tokenizer(vocabulary, lower_case=True, longest=LONGEST)


def tokens(tokenizer, text):
    """The tokens between [CLS] and [SEP]."""
    first, *inside, last = tokenizer.tokens(tokenizer.ids([text])[0])
    assert (first, last) == ("[CLS]", "[SEP]")
    return inside


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("unwatchable film", ["un", "##watch", "##able", "film"]),
        ("good Ω", ["good", "[UNK]"]),
        ("GOOD, Fílm!", ["good", ",", "film", "!"]),
        ("世界", ["世", "界"]),
        ("שלום", ["ש", "##ל", "##ו", "##ם"]),
        ("x" * 100_000, ["[UNK]"]),
        *((text, []) for text in ("", " \t\n", "\x00", "\u200b", "\ufeff", "\ud800")),
        *(("good" + gap + " film", ["good", "film"]) for gap in "\x00\udc00\r\u00a0"),
    ],
)
def test_a_text_has_these_tokens(uncased, text, expected):
    assert tokens(uncased, text) == expected


def test_a_text_that_contains_pad_has_no_padding(uncased):
    (ids,) = uncased.ids(["good [PAD] film"])
    assert len(ids) == 5 and ids.dtype == np.int32 and PADDING not in ids


def test_a_long_text_is_cut_and_a_fitting_one_is_not(uncased):
    with pytest.warns(TruncationWarning, match="cut: 2") as caught:
        first, *_ = uncased.ids(["good " * 20_000, "bad", "bad " * 60])
    assert len(caught) == 1
    assert uncased.tokens(first) == ["[CLS]", *["good"] * (LONGEST - 2), "[SEP]"]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert len(uncased.ids(["good " * (LONGEST - 2)])[0]) == LONGEST


@pytest.mark.parametrize(
    "content",
    [
        "\n".join([*VOCABULARY[1:], "[PAD]"]).encode(),
        *("\n".join(VOCABULARY).replace(t, "x").encode() for t in ("[UNK]", "[SEP]")),
        b"",
        bytes(range(256)),
    ],
)
def test_what_is_no_vocabulary_of_bert_is_refused(tmp_path, content):
    (tmp_path / "vocab.txt").write_bytes(content)
    with pytest.raises(DamagedFile, match="vocabulary"):
        Tokenizer(tmp_path / "vocab.txt", True, LONGEST)


def test_texts_may_come_in_any_container():
    texts = ["good", "bad"]
    for container in (texts, np.array(texts), np.array(texts, object), iter(texts)):
        assert as_sentences(container) == texts
    for text in ("good", np.str_("good"), np.array("good")):
        assert as_sentences(text) == ["good"]


@pytest.mark.parametrize(
    ("texts", "words"),
    [
        (None, "number 0 is None"),
        ({"good", "bad"}, "number 0"),
        ([], "no texts"),
        (["good", None], "number 1 is None"),
        ([["good", "bad"]], "number 0"),
        (np.zeros((2, 8, 8, 3), np.uint8), "number 0"),
        (tl.load_dataset("reviews").train, "dataset.train.sentences"),
    ],
)
def test_what_is_no_text_is_refused(texts, words):
    with pytest.raises(UserInputError, match=words):
        as_sentences(texts)


@pytest.mark.parametrize("batch", [None, 2])
def test_sentences_come_from_a_tf_data_dataset(batch):
    import tensorflow as tf

    texts = ["good", "", "世界 \U0001f642"]
    for content in (texts, (texts, [0, 1, 0])):
        dataset = tf.data.Dataset.from_tensor_slices(content)
        assert as_sentences(dataset.batch(batch) if batch else dataset) == texts
    numbers = tf.data.Dataset.from_tensor_slices([1, 2])
    for refused, word in ((dataset.repeat(), "for ever"), (numbers, "number 0 is 1")):
        with pytest.raises(UserInputError, match=word):
            as_sentences(refused)
