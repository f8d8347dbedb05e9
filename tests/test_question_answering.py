"""A BERT that answers questions: PyTorch's numbers, odd texts, long ones, damaged folders."""

import json
import subprocess
import sys
import unicodedata
import warnings
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from small_bert import LONGEST, VOCABULARY, WIDTH, random_tensors, write_small_bert

import tlcourse as tl
from tlcourse.errors import DamagedFile, UserInputError
from tlcourse.models.question_answering import AnswerSpan

TINY = Path(__file__).resolve().parent / "tiny_bert"
TOLERANCE = 1e-3
QUESTION, CONTEXT = (
    "is the film good?",
    "The film was good, and the actors were lovely.",
)


def answering_tensors(seed=0):
    """The tensors of `small_bert`, as a BERT that answers questions has them."""
    rng = np.random.default_rng(seed + 1)
    tensors = {f"bert.{name}": tensor for name, tensor in random_tensors(seed).items()}
    weight, bias = rng.normal(0, 1, (2, WIDTH)), rng.normal(0, 1, 2)
    head = {"qa_outputs.weight": weight, "qa_outputs.bias": bias}
    return tensors | {name: np.float32(tensor) for name, tensor in head.items()}


def write_answering(folder, change=lambda tensors: tensors, **config):
    config = {"architectures": ["BertForQuestionAnswering"]} | config
    return write_small_bert(folder / "answering", change(answering_tensors()), config)


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return tl.load_pretrained_model(write_answering(tmp_path_factory.mktemp("berts")))


def windows_of(model, *texts):
    return model._windows(*texts)[0]


def logits_of(model, *texts):
    """Of the tokens of each window, as an answer's first and last."""
    return model._logits(windows_of(model, *texts))


# PyTorch's numbers


@pytest.fixture(scope="module")
def expected():
    with np.load(TINY / "answering.npz", allow_pickle=False) as archive:
        return dict(archive)


@pytest.fixture(scope="module")
def tiny():
    return tl.load_pretrained_model(str(TINY / "answering"))


def test_windows_and_logits_are_the_references(tiny, expected):
    windows, logits = [], []
    for texts, (stride, _) in zip(expected["texts"], expected["settings"], strict=True):
        pair = (*map(str, texts), stride)
        windows.append(windows_of(tiny, *pair))
        logits += logits_of(tiny, *pair)
    assert list(map(len, windows)) == expected["windows"].tolist()
    windows = sum(windows, [])
    assert [len(each.token_ids) for each in windows] == expected["lengths"].tolist()
    ids = np.concatenate([window.token_ids for window in windows])
    types = np.concatenate([window.token_types for window in windows])
    np.testing.assert_array_equal(ids, expected["ids"])
    np.testing.assert_array_equal(types, expected["types"])
    assert np.abs(np.concatenate(logits) - expected["logits"]).max() < TOLERANCE


def test_answers_are_the_references(tiny, expected):
    kinds = set()
    for texts, (stride, most), span, score in zip(
        *(expected[name] for name in ("texts", "settings", "spans", "scores")),
        strict=True,
    ):
        question, context = map(str, texts)
        found = tiny.answer(question, context, most, stride)
        assert (found.start, found.end) == tuple(span)
        assert abs(found.score - score) < TOLERANCE
        kinds.add(bool(found))
    assert kinds == {True, False}  # both are among them


def test_the_contexts_tokens_have_a_type_of_their_own(tmp_path, model):
    def without_types(tensors):
        name = "bert.embeddings.token_type_embeddings.weight"
        return tensors | {name: np.repeat(tensors[name][:1], 2, axis=0)}

    other = tl.load_pretrained_model(write_answering(tmp_path, without_types))
    (found,), (plain,) = (logits_of(each, QUESTION, CONTEXT) for each in (model, other))
    assert np.abs(found - plain).max() > 0.1


# Answers


def test_an_answer_is_a_span_of_the_context(model):
    found = model.answer(QUESTION, CONTEXT)
    assert found and CONTEXT[found.start : found.end] == found.text == str(found)
    assert 0 < found.score <= 1


def test_where_there_is_no_answer_it_is_said(tiny):
    found = tiny.answer("a [SEP] boat?", "it")
    assert not found and found.score > 0.5
    assert (found.text, found.start, found.end) == ("", 0, 0)
    assert str(found) == "(no answer in this context)"


def test_answers_are_as_short_as_asked_for(model):
    context = f"{CONTEXT} " * 20
    lengths = []
    for most in (1, 2, 30, 2**70):
        text = model.answer(QUESTION, context, most).text
        lengths.append(len(model.tokens(text)) - 2)  # [CLS] and [SEP]
    assert lengths[0] == 1 and lengths[1] <= 2 and lengths[2] <= 30


def test_scores_of_all_spans_and_of_no_answer_sum_to_one(tiny):
    question, context = "a boat", "the sea"
    (logits,) = logits_of(tiny, question, context)
    (window,) = windows_of(tiny, question, context)
    first, second = logits[window.tokens]
    spans = [first.sum(), second.sum(), first[0] + second[1], logits[0].sum()]
    shares = np.exp(spans) / np.exp(spans).sum()
    assert abs(tiny.answer(question, context).score - shares.max()) < 1e-5


def test_a_span_in_two_windows_counts_once(model):
    context = "good " * 60
    found = model.answer(QUESTION, context, 3, stride=20)
    windows = windows_of(model, QUESTION, context, 20)
    spans, null = {}, []
    for window, logits in zip(
        windows, logits_of(model, QUESTION, context, 20), strict=True
    ):
        null.append(logits[0].sum())
        starts, ends = logits[window.tokens].T
        for first in range(len(starts)):
            for last in range(first, min(first + 3, len(ends))):
                key, logit = (window.first + first, last - first), starts[first]
                spans[key] = max(spans.get(key, -np.inf), logit + ends[last])
    assert len(spans) == 60 + 59 + 58
    every = np.array([*spans.values(), min(null)], np.float64)
    assert found.score == pytest.approx(np.exp(every.max()) / np.exp(every).sum(), 1e-4)


@pytest.mark.parametrize("stride", [None, 0, 1, 10])
def test_windows_cover_the_whole_context(model, stride):
    words = (VOCABULARY[5:25] * 10)[:150]
    ids, _ = model.tokenizer.characters(" ".join(words))
    covered = np.zeros(len(ids), int)
    for window in windows_of(model, "good?", " ".join(words), stride):
        part = window.token_ids[window.tokens]
        assert len(window.token_ids) <= model.window == LONGEST
        assert window.token_types.sum() == len(part) + 1  # and the last [SEP]
        np.testing.assert_array_equal(ids[window.first :][: len(part)], part)
        covered[window.first :][: len(part)] += 1
    assert covered.all() and (covered.max() > 1) == (stride != 0)


@pytest.mark.timeout(300)
def test_a_context_of_100_000_words_is_read(tiny):
    context = "the film was not good " * 20_000 + "unfilmable"
    found = tiny.answer("was it bad?", context, stride=0)
    assert context[found.start : found.end] == found.text


# Odd texts

CHARACTERS = st.one_of(
    st.sampled_from([*"the film was  not good[SEP][PAD]##é", "e\u0301", "\U0001f600"]),
    st.sampled_from(["世", "界", "İ", "ﬁ", "\u200d", "\ufe0f", "\ud83d", "\x00", "ß"]),
    st.characters(),
)
TEXTS = st.lists(CHARACTERS, min_size=1, max_size=60).map("".join)


@settings(max_examples=150, deadline=None)
@given(TEXTS)
@example("cafe\u0301")
@example("\ud83d\ude00 good film")
@example("👩\u200d👩\u200d👧 liked ❤\ufe0f it")
@example("[CLS] [SEP] [PAD] good [MASK]")
@example("世界 İstanbul שלום ﬁlm")
def test_positions_are_characters_of_the_original_text(model, context):
    try:
        found = model.answer("is it good?", context, 4)
    except UserInputError as error:
        assert "expected a text" in str(error)
        assert not len(model.tokenizer.characters(context)[0])
        return
    assert context[found.start : found.end] == found.text
    behind = context[found.end : found.end + 1]
    assert not found or not unicodedata.category(behind or "a").startswith("M")


@settings(max_examples=150, deadline=None)
@given(TEXTS)
def test_each_token_stands_where_it_is_said_to(model, text):
    ids, characters = model.tokenizer.characters(text)
    assert (characters[:, 0] < characters[:, 1]).all()
    assert (np.diff(characters[:, 0]) >= 0).all()
    for token, (start, end) in zip(
        model.tokenizer.tokens(ids), characters, strict=True
    ):
        plain = unicodedata.normalize("NFD", text[start:end].lower())
        plain = "".join(c for c in plain if unicodedata.category(c)[0] not in "MC")
        if token != "[UNK]":
            assert token.removeprefix("##").lower() in plain


def test_special_tokens_in_a_text_do_not_end_it(model):
    context = "good [SEP] bad [CLS] film"
    (window,) = windows_of(model, "a [SEP] film?", context)
    assert window.token_types.tolist() == [0] * 6 + [1] * 6
    found = model.answer("a [SEP] film?", context)
    assert context[found.start : found.end] == found.text


@pytest.mark.parametrize("name", ["question", "context"])
@pytest.mark.parametrize("text", ["", "  \n", "\u200b", "\x00", None, 7, b"a", ["a"]])
def test_what_is_no_text_or_empty_is_refused(model, name, text):
    with pytest.raises(UserInputError, match=f"{name} is .*expected a text"):
        model.answer(**{"question": QUESTION, "context": CONTEXT} | {name: text})


def test_a_question_longer_than_half_a_window_is_refused(model):
    most = (LONGEST - 3) // 2
    assert isinstance(model.answer("good " * most, CONTEXT), AnswerSpan)
    with pytest.raises(UserInputError, match=f"{most + 1} tokens; up to {most}"):
        model.answer("good " * (most + 1), CONTEXT)


@pytest.mark.parametrize(
    "options",
    [
        *({"stride": value} for value in (1000, -1, 2.5, True, "long", 10**400)),
        *({"max_answer_tokens": value} for value in (0, None, np.nan, "long", [5])),
    ],
)
def test_settings_that_make_no_windows_are_refused(model, options):
    (name,) = options
    with pytest.raises(UserInputError, match=f"{name} is .*expected a whole number"):
        model.answer(QUESTION, CONTEXT, **options)


# The folder


def test_everything_else_is_as_of_a_plain_bert(model, small_bert):
    assert isinstance(model, tl.PretrainedQuestionAnswering)
    assert not isinstance(small_bert, tl.PretrainedQuestionAnswering)
    features = model.extract_features([CONTEXT], cache=False)
    plain = small_bert.extract_features([CONTEXT], cache=False)
    np.testing.assert_allclose(features, plain, atol=1e-6)
    assert "question" in repr(model) and str(model.window) in repr(model)


@pytest.mark.parametrize("precision", ["float32", "int8"])
def test_answers_are_those_of_the_present_weights(tmp_path, precision):
    folder = write_answering(tmp_path)
    model = tl.load_pretrained_model(folder, precision=precision)
    (before,) = logits_of(model, QUESTION, CONTEXT)
    layer = model.network.get_layer("layer_2_norm")
    np.testing.assert_array_equal(logits_of(model, QUESTION, CONTEXT)[0], before)
    layer.set_weights([weight * 1.1 for weight in layer.get_weights()])
    (after,) = logits_of(model, QUESTION, CONTEXT)
    assert np.abs(after - before).max() > 0.01


def test_int8_is_close(tmp_path, model):
    small = tl.load_pretrained_model(write_answering(tmp_path), precision="int8")
    (found,), (exact,) = (logits_of(each, QUESTION, CONTEXT) for each in (small, model))
    assert np.abs(found - exact).max() > 1e-5
    assert np.corrcoef(found.ravel(), exact.ravel())[0, 1] > 0.99


def test_float16_and_a_folder_without_model_type_are_taken(tmp_path, model):
    def halved(tensors):
        return {name: np.float16(tensor) for name, tensor in tensors.items()}

    other = tl.load_pretrained_model(write_answering(tmp_path, halved, model_type=None))
    (found,), (exact,) = (logits_of(each, QUESTION, CONTEXT) for each in (other, model))
    assert np.abs(found - exact).max() < 0.05


@pytest.mark.parametrize(
    ("name", "value", "shape"),
    [
        ("qa_outputs.weight", None, r"\(2, 32\)"),
        ("qa_outputs.bias", None, r"\(2,\)"),
        ("qa_outputs.weight", np.zeros((3, WIDTH), np.float32), r"\(3, 32\)"),
        ("qa_outputs.weight", np.full((2, WIDTH), np.nan, np.float32), "finite"),
        (
            "bert.embeddings.token_type_embeddings.weight",
            np.zeros((1, WIDTH), np.float32),
            r"\(2, 32\)",
        ),
    ],
)
def test_a_folder_without_what_answers_is_refused(tmp_path, name, value, shape):
    def change(tensors):
        del tensors[name]
        return tensors if value is None else tensors | {name: value}

    folder = write_answering(tmp_path, change)
    with pytest.raises(DamagedFile, match=f"{name.removeprefix('bert.')}.*{shape}"):
        tl.load_pretrained_model(folder)


@pytest.mark.parametrize("kind", ["BertModel", "BertForMaskedLM", None, 7])
def test_other_architectures_are_plain_berts(tmp_path, kind):
    folder = write_answering(tmp_path)
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    config["architectures"] = [kind]
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    assert not hasattr(tl.load_pretrained_model(folder), "answer")


def test_it_answers_without_tensorflow_and_in_silence():
    program = (
        "import sys, tlcourse as tl\n"
        f"model = tl.load_pretrained_model({str(TINY / 'answering')!r})\n"
        "print(model.answer('a boat', 'the sea').text)\n"
        "assert 'tensorflow' not in sys.modules and 'keras' not in sys.modules\n"
    )
    command = [sys.executable, "-c", program]
    run = subprocess.run(command, capture_output=True, text=True)
    assert (run.stdout.strip(), run.stderr) == ("sea", "")


def test_no_warning_of_cut_texts_is_given(model):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert isinstance(model.answer(QUESTION, CONTEXT * 20), AnswerSpan)
