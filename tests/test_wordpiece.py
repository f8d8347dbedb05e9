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


# Tokens


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("unwatchable film", ["un", "##watch", "##able", "film"]),
        ("good Ω", ["good", "[UNK]"]),
        ("GOOD Fílm", ["good", "film"]),
        ("good,bad!", ["good", ",", "bad", "!"]),
        ("世界", ["世", "界"]),
        ("שלום", ["ש", "##ל", "##ו", "##ם"]),
        ("x" * 100_000, ["[UNK]"]),
        *((text, []) for text in ("", " \t\n", "\x00", "\u200b", "\ufeff", "\ud800")),
        *(
            (text, ["good", "film"])
            for text in (
                "good\x00 film",
                "\ud800good film",
                "good\udc00 film",
                "good\r\nfilm",
                "good\u00a0film",
            )
        ),
    ],
)
def test_a_text_has_these_tokens(uncased, text, expected):
    assert tokens(uncased, text) == expected


def test_a_cased_network_keeps_capitals(vocabulary):
    cased = Tokenizer(vocabulary, lower_case=False, longest=LONGEST)
    assert tokens(cased, "Good good") == ["Good", "good"]


def test_surrogates_that_belong_together_are_one_character(uncased):
    halves, whole = uncased.ids(["\ud83d\ude42", "\U0001f642"])
    np.testing.assert_array_equal(halves, whole)


def test_a_text_that_contains_pad_has_no_padding(uncased):
    (ids,) = uncased.ids(["good [PAD] film"])
    assert len(ids) == 5 and ids.dtype == np.int32 and PADDING not in ids
    assert uncased.tokens([len(uncased)]) == ["[UNK]"]


# Long texts


def test_a_long_text_is_cut_and_a_fitting_one_is_not(uncased):
    with pytest.warns(TruncationWarning, match="cut: 2") as caught:
        first, *_ = uncased.ids(["good " * 20_000, "bad", "bad " * 60])
    assert len(caught) == 1
    assert uncased.tokens(first) == ["[CLS]", *["good"] * (LONGEST - 2), "[SEP]"]
    with pytest.warns(TruncationWarning, match="cut: 1"):
        uncased.ids(["good " * 50])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert len(uncased.ids(["good " * (LONGEST - 2)])[0]) == LONGEST


# Vocabularies


@pytest.mark.parametrize(
    ("content", "word"),
    [
        ("\n".join(VOCABULARY[1:]), "PAD"),
        ("\n".join([*VOCABULARY[1:], "[PAD]"]), "PAD"),
        ("\n".join(token for token in VOCABULARY if token != "[UNK]"), "UNK"),
        ("\n".join(token for token in VOCABULARY if token != "[SEP]"), "vocabulary"),
        ("", "vocabulary"),
        (bytes(range(256)), "vocabulary"),
    ],
)
def test_what_is_no_vocabulary_of_bert_is_refused(tmp_path, content, word):
    content = content if isinstance(content, bytes) else content.encode()
    (tmp_path / "vocab.txt").write_bytes(content)
    with pytest.raises(DamagedFile, match=word):
        Tokenizer(tmp_path / "vocab.txt", True, LONGEST)


def test_lines_may_end_as_on_windows(tmp_path, uncased):
    (tmp_path / "vocab.txt").write_bytes("\r\n".join(VOCABULARY).encode())
    other = Tokenizer(tmp_path / "vocab.txt", True, LONGEST)
    assert tokens(other, "unwatchable film") == tokens(uncased, "unwatchable film")


# Containers


class Column:
    """Like a pandas column: iterable, and neither list nor array."""

    def __iter__(self):
        return iter(["good", "bad"])


@pytest.mark.parametrize(
    "texts",
    [
        ["good", "bad"],
        ("good", "bad"),
        np.array(["good", "bad"]),
        np.array(["good", "bad"], object),
        [np.str_("good"), np.str_("bad")],
        Column(),
        (text for text in ["good", "bad"]),
    ],
)
def test_texts_may_come_in_any_container(texts):
    sentences = as_sentences(texts)
    assert sentences == ["good", "bad"] and {type(text) for text in sentences} == {str}


def test_one_text_is_a_list_of_one():
    for text in ("good", np.str_("good"), np.array("good")):
        assert as_sentences(text) == ["good"]


@pytest.mark.parametrize("batch", [None, 2])
def test_texts_may_come_in_a_tf_data_dataset(batch):
    import tensorflow as tf

    texts = ["good", "", "世界 \U0001f642"]
    for content in (texts, (texts, [0, 1, 0]), {"text": texts, "label": [0, 1, 0]}):
        dataset = tf.data.Dataset.from_tensor_slices(content)
        assert as_sentences(dataset.batch(batch) if batch else dataset) == texts
    undecodable = tf.data.Dataset.from_tensor_slices([b"good \xff"])
    assert as_sentences(undecodable) == ["good \ufffd"]


@pytest.mark.parametrize(
    ("texts", "words"),
    [
        (None, "NoneType"),
        (b"good", "bytes"),
        (7, "int"),
        ({"good": 1}, "dict"),
        ({"good", "bad"}, "set"),
        ([], "no texts"),
        (["good", None], "number 1 is None"),
        (["good", float("nan")], "number 1 is nan"),
        (np.array([b"good"]), "bytes"),
        (np.arange(3), "number 0 is"),
        ([["good", "bad"]], "of type list"),
        (np.zeros((2, 8, 8, 3), np.uint8), "ndarray"),
    ],
)
def test_what_is_no_text_is_refused(texts, words):
    with pytest.raises(UserInputError, match=words):
        as_sentences(texts)


def test_a_data_set_in_place_of_its_sentences_is_told_what_to_give():
    reviews = tl.load_dataset("reviews")
    assert as_sentences(reviews.test.sentences) == reviews.test.sentences.tolist()
    for whole in (reviews, reviews.train):
        with pytest.raises(UserInputError, match="dataset.train.sentences"):
            as_sentences(whole)


def test_a_tf_data_dataset_without_texts_is_refused():
    import tensorflow as tf

    slices = tf.data.Dataset.from_tensor_slices
    for dataset, word in (
        (slices([1, 2]), "of type int"),
        (slices({"review": ["good"]}), "NoneType"),
        (slices(["good"]).repeat(), "repeats for ever"),
    ):
        with pytest.raises(UserInputError, match=word):
            as_sentences(dataset)
