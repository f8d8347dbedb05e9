"""Sentences become token ids: whatever people write, nothing crashes, and what holds no text gets a sentence."""

import threading
import warnings

import numpy as np
import pytest
from small_bert import LONGEST, VOCABULARY, write_small_bert

from tlcourse.datasets import load_dataset
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
    return tokenizer.tokens(tokenizer.ids([text])[0])


class Column:
    """What a pandas column is to us: iterable, and neither list nor array."""

    def __init__(self, values):
        self._values = values

    def __iter__(self):
        return iter(self._values)

    def __len__(self):
        return len(self._values)


# Tokens


def test_a_word_that_is_not_known_falls_into_pieces_that_are(uncased):
    assert tokens(uncased, "unwatchable film") == [
        "[CLS]",
        "un",
        "##watch",
        "##able",
        "film",
        "[SEP]",
    ]


def test_what_has_no_pieces_is_unknown(uncased):
    assert tokens(uncased, "good Ω") == ["[CLS]", "good", "[UNK]", "[SEP]"]


def test_an_uncased_network_reads_small_letters_without_accents(uncased):
    assert tokens(uncased, "GOOD Fílm") == ["[CLS]", "good", "film", "[SEP]"]


def test_a_cased_network_reads_capitals_as_they_are(vocabulary):
    cased = Tokenizer(vocabulary, lower_case=False, longest=LONGEST)
    assert tokens(cased, "Good good") == ["[CLS]", "Good", "good", "[SEP]"]


def test_punctuation_stands_alone(uncased):
    assert tokens(uncased, "good,bad!") == ["[CLS]", "good", ",", "bad", "!", "[SEP]"]


def test_a_number_that_stands_for_no_token_is_unknown(uncased):
    assert uncased.tokens([uncased.size]) == ["[UNK]"]


def test_each_ideograph_is_a_token(uncased):
    assert tokens(uncased, "世界") == ["[CLS]", "世", "界", "[SEP]"]


def test_right_to_left_text_is_read_in_its_order(uncased):
    assert tokens(uncased, "שלום") == ["[CLS]", "ש", "##ל", "##ו", "##ם", "[SEP]"]


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        " \t\n ",
        "\x00",
        "\x07\x1b",
        "\u200b",
        "\ufeff",
        "\ud800",
        "\udfff\ud800",
    ],
)
def test_what_has_nothing_to_read_has_only_the_marks_of_beginning_and_end(
    uncased, text
):
    assert tokens(uncased, text) == ["[CLS]", "[SEP]"]


@pytest.mark.parametrize(
    "text",
    [
        "good\x00 film",
        "\ud800good film",
        "good\udc00 film",
        "good\r\nfilm",
        "good\u00a0film",
    ],
)
def test_what_cannot_be_read_does_not_disturb_the_rest(uncased, text):
    assert tokens(uncased, text) == ["[CLS]", "good", "film", "[SEP]"]


def test_a_character_given_in_two_halves_is_that_character(uncased):
    assert np.array_equal(
        uncased.ids(["\ud83d\ude42"])[0], uncased.ids(["\U0001f642"])[0]
    )


def test_text_that_says_padding_is_no_padding(uncased):
    ids = uncased.ids(["good [PAD] film"])[0]
    assert len(ids) == 5 and PADDING not in ids


def test_ids_are_int32_and_of_one_dimension_each(uncased):
    assert [(ids.dtype, ids.shape) for ids in uncased.ids(["", "good film"])] == [
        (np.int32, (2,)),
        (np.int32, (4,)),
    ]


def test_a_sentence_s_ids_do_not_depend_on_its_neighbours(uncased):
    texts = ["good film", "", "a very long story " * 5, "bad"]
    together = uncased.ids(texts)
    assert all(
        np.array_equal(ids, uncased.ids([text])[0])
        for ids, text in zip(together, texts, strict=True)
    )


def test_many_texts_come_in_their_order(uncased, monkeypatch):
    monkeypatch.setattr("tlcourse.models.wordpiece.TOGETHER", 3)
    found = uncased.ids(["good " * (number % 7) for number in range(20)])
    assert [len(ids) - 2 for ids in found] == [number % 7 for number in range(20)]


def test_several_threads_may_use_it_at_once(uncased):
    texts = ["good film " * (number % 10) for number in range(500)]
    expected, found = uncased.ids(texts), []
    threads = [
        threading.Thread(target=lambda: found.append(uncased.ids(texts)))
        for _ in range(4)
    ]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    assert len(found) == 4
    assert all(
        np.array_equal(*pair)
        for one in found
        for pair in zip(one, expected, strict=True)
    )


# Long texts


def test_of_a_long_text_the_beginning_is_read_and_the_end_is_marked(uncased):
    with pytest.warns(TruncationWarning):
        ids = uncased.ids(["good " * 20_000])[0]
    assert uncased.tokens(ids) == ["[CLS]", *["good"] * (LONGEST - 2), "[SEP]"]


def test_a_text_that_just_fits_is_read_whole_and_in_silence(uncased):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert len(uncased.ids(["good " * (LONGEST - 2)])[0]) == LONGEST


def test_long_texts_are_told_once_with_their_number(uncased):
    with pytest.warns(TruncationWarning) as told:
        uncased.ids(["good " * 50, "bad", "bad " * 60])
    assert [str(warning.message) for warning in told] == [
        f"2 texts are longer than the {LONGEST} tokens that the network reads; the rest was left out."
    ]


def test_a_single_long_text_is_spoken_of_in_the_singular(uncased):
    with pytest.warns(TruncationWarning, match="^1 text is longer"):
        uncased.ids(["good " * 50])


def test_one_word_of_a_hundred_thousand_letters_is_unknown(uncased):
    assert tokens(uncased, "x" * 100_000) == ["[CLS]", "[UNK]", "[SEP]"]


# Vocabularies


@pytest.mark.parametrize(
    ("lines", "sentence"),
    [
        (VOCABULARY[1:], "its first line should be \\[PAD\\]"),
        ([*VOCABULARY[1:], "[PAD]"], "its first line should be \\[PAD\\]"),
        ([token for token in VOCABULARY if token != "[UNK]"], "it has no \\[UNK\\]"),
        (
            [token for token in VOCABULARY if token != "[SEP]"],
            "cannot be read as a vocabulary",
        ),
        ([], "cannot be read as a vocabulary"),
    ],
)
def test_what_is_no_vocabulary_of_bert_gets_a_sentence(tmp_path, lines, sentence):
    (tmp_path / "vocab.txt").write_text("\n".join(lines), encoding="utf-8")
    with pytest.raises(DamagedFile, match=sentence):
        Tokenizer(tmp_path / "vocab.txt", True, LONGEST)


def test_a_vocabulary_that_is_no_text_gets_a_sentence(tmp_path):
    (tmp_path / "vocab.txt").write_bytes(bytes(range(256)))
    with pytest.raises(DamagedFile, match="cannot be read as a vocabulary"):
        Tokenizer(tmp_path / "vocab.txt", True, LONGEST)


def test_lines_may_end_as_windows_ends_them(tmp_path, uncased):
    folder = write_small_bert(tmp_path)
    (folder / "vocab.txt").write_bytes("\r\n".join(VOCABULARY).encode())
    carried = Tokenizer(folder / "vocab.txt", True, LONGEST)
    assert np.array_equal(
        carried.ids(["unwatchable film"])[0], uncased.ids(["unwatchable film"])[0]
    )


# What holds texts


@pytest.mark.parametrize(
    "given",
    [
        ["good", "bad"],
        ("good", "bad"),
        np.array(["good", "bad"]),
        np.array(["good", "bad"], object),
        [np.str_("good"), np.str_("bad")],
        Column(["good", "bad"]),
        (text for text in ["good", "bad"]),
    ],
    ids=[
        "list",
        "tuple",
        "array",
        "object array",
        "numpy's str",
        "column",
        "generator",
    ],
)
def test_texts_may_come_in_anything_that_holds_them(given):
    found = as_sentences(given)
    assert found == ["good", "bad"] and {type(text) for text in found} == {str}


@pytest.mark.parametrize("given", ["good", np.str_("good"), np.array("good")])
def test_one_text_is_a_list_of_one(given):
    assert as_sentences(given) == ["good"]


@pytest.mark.parametrize("batch", [None, 1, 2, 4])
@pytest.mark.parametrize("labels", [False, True])
def test_texts_may_come_in_a_tf_data_dataset(batch, labels):
    import tensorflow as tf

    texts = ["good", "", "世界 \U0001f642"]
    dataset = tf.data.Dataset.from_tensor_slices(
        (texts, [0, 1, 0]) if labels else texts
    )
    assert as_sentences(dataset if batch is None else dataset.batch(batch)) == texts


def test_of_dictionaries_in_a_tf_data_dataset_the_text_is_taken():
    import tensorflow as tf

    assert as_sentences(
        tf.data.Dataset.from_tensor_slices({"text": ["good"], "label": [1]}).batch(2)
    ) == ["good"]


def test_bytes_in_a_tf_data_dataset_that_are_no_utf_8_are_read_as_far_as_they_are():
    import tensorflow as tf

    assert as_sentences(tf.data.Dataset.from_tensor_slices([b"good \xff"])) == [
        "good \ufffd"
    ]


def test_a_split_s_sentences_are_texts():
    sentences = load_dataset("reviews").test.sentences
    assert as_sentences(sentences) == sentences.tolist()


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        (None, "Texts were given as NoneType; expected a str or a list of str"),
        (b"good", "Texts were given as bytes"),
        (7, "Texts were given as int"),
        ({"good": 1}, "Texts were given as dict"),
        ({"good", "bad"}, "Texts were given as set"),
        ([], "There are no texts"),
        (np.array([]), "There are no texts"),
        (
            ["good", None],
            "Text number 1 is None, of type NoneType; expected str.* Missing texts become empty ones",
        ),
        (["good", float("nan")], "Text number 1 is nan, of type float"),
        ([b"good"], "Text number 0 is b'good', of type bytes"),
        (np.array([b"good"]), "of type bytes"),
        (np.arange(3), "Text number 0 is .*0"),
        ([["good", "bad"]], "Text number 0 is \\['good', 'bad'\\], of type list"),
        (np.array([["good"]]), "Text number 0 is an array of shape \\(1,\\)"),
        (
            np.zeros((2, 8, 8, 3), np.uint8),
            "Text number 0 is an array of shape \\(8, 8, 3\\)",
        ),
    ],
)
def test_what_is_no_text_gets_a_sentence(given, sentence):
    with pytest.raises(UserInputError, match=sentence):
        as_sentences(given)


@pytest.mark.parametrize(
    "whole", [lambda reviews: reviews, lambda reviews: reviews.train]
)
def test_a_data_set_or_split_in_place_of_its_sentences_is_told_what_to_give(whole):
    with pytest.raises(
        UserInputError, match="give the split's sentences: dataset.train.sentences"
    ):
        as_sentences(whole(load_dataset("reviews")))


def test_numbers_in_a_tf_data_dataset_get_a_sentence():
    import tensorflow as tf

    with pytest.raises(UserInputError, match="Text number 0 is 1, of type int"):
        as_sentences(tf.data.Dataset.from_tensor_slices([1, 2]))


def test_dictionaries_without_text_in_a_tf_data_dataset_get_a_sentence():
    import tensorflow as tf

    with pytest.raises(
        UserInputError,
        match='dictionaries with review; expected the texts under "text"',
    ):
        as_sentences(tf.data.Dataset.from_tensor_slices({"review": ["good"]}))


def test_a_tf_data_dataset_that_repeats_for_ever_gets_a_sentence():
    import tensorflow as tf

    with pytest.raises(UserInputError, match="repeats for ever"):
        as_sentences(tf.data.Dataset.from_tensor_slices(["good"]).repeat())
