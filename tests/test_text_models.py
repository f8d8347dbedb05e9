"""Sentences in, features out, by the same calls as for pictures; what is not meant for a network gets a sentence."""

import threading

import numpy as np
import pytest
from small_bert import LONGEST, WIDTH, write_small_bert

import tlcourse as tl
from tlcourse.errors import PictureError, UserInputError
from tlcourse.features import engines, rows
from tlcourse.models.wordpiece import TruncationWarning

SENTENCES = [
    "good film",
    "The film was not very good .",
    "",
    "   ",
    "awful \U0001f642 film",
    "שלום",
    "世界",
    "bad\x00\x07 plot",
    "\ud800 great",
    "un " * 30,
]
SAME = 2e-5


@pytest.fixture(autouse=True)
def empty_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("TLCOURSE_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("TLCOURSE_CACHE_GB", raising=False)
    return tmp_path / "cache"


@pytest.fixture
def own_bert(small_bert_folder):
    """A small BERT for one test, which may change it."""
    return tl.load_pretrained_model(small_bert_folder)


@pytest.fixture(scope="module")
def expected(small_bert):
    """The features by the network as a whole, everything padded to one length."""
    return small_bert.network.predict(small_bert.tokenize(SENTENCES), verbose=0)


@pytest.fixture
def computed(monkeypatch):
    """The batches that go through an engine meanwhile."""
    batches = []
    for kind in (engines.LiteRTEngine, engines.StatesEngine):

        def run(self, batch, usual=kind.run):
            batches.append(batch)
            return usual(self, batch)

        monkeypatch.setattr(kind, "run", run)
    return batches


# Features


@pytest.mark.parametrize("engine", ["auto", "litert", "tensorflow"])
def test_every_engine_gives_what_the_network_gives(small_bert_folder, expected, engine):
    model = tl.load_pretrained_model(small_bert_folder, engine)
    np.testing.assert_allclose(model.extract_features(SENTENCES), expected, atol=SAME)


def test_without_litert_tensorflow_gives_the_same(own_bert, expected, monkeypatch):
    monkeypatch.setattr(engines, "has_litert", lambda: False)
    np.testing.assert_allclose(
        own_bert.extract_features(SENTENCES), expected, atol=SAME
    )


def test_features_are_float32_one_row_a_sentence(small_bert):
    features = small_bert.extract_features(SENTENCES)
    assert (features.dtype, features.shape) == (np.float32, (len(SENTENCES), WIDTH))
    assert small_bert.feature_dim == WIDTH and np.isfinite(features).all()


def test_one_sentence_is_one_row(small_bert):
    assert small_bert.extract_features("good film").shape == (1, WIDTH)


def test_their_order_changes_nothing(small_bert):
    forwards, backwards = (
        small_bert.extract_features(s, cache=False)
        for s in (SENTENCES, SENTENCES[::-1])
    )
    assert np.array_equal(forwards, backwards[::-1])


def test_neighbours_change_nothing(small_bert):
    together = small_bert.extract_features(SENTENCES, cache=False)
    alone = np.concatenate(
        [small_bert.extract_features(sentence, cache=False) for sentence in SENTENCES]
    )
    np.testing.assert_allclose(together, alone, atol=SAME)


def test_duplicates_have_the_same_features(small_bert):
    features = small_bert.extract_features(
        ["good film", "bad", "good film"], cache=False
    )
    assert np.array_equal(features[0], features[2])


def test_the_cache_changes_nothing(small_bert):
    without = small_bert.extract_features(SENTENCES, cache=False)
    first, second = (small_bert.extract_features(SENTENCES) for _ in range(2))
    assert np.array_equal(first, without) and np.array_equal(second, without)


def test_a_second_call_computes_nothing(small_bert, computed):
    small_bert.extract_features(SENTENCES)
    before = len(computed)
    small_bert.extract_features(SENTENCES[::-1])
    assert before > 0 and len(computed) == before


def test_without_the_cache_nothing_is_kept(small_bert, empty_cache):
    small_bert.extract_features(SENTENCES, cache=False)
    assert not list(empty_cache.rglob("*.sqlite"))


def test_a_model_loaded_again_computes_nothing(small_bert, small_bert_folder, computed):
    small_bert.extract_features(SENTENCES)
    before = len(computed)
    tl.load_pretrained_model(small_bert_folder).extract_features(SENTENCES)
    assert len(computed) == before


def test_whether_the_network_was_built_does_not_matter_to_the_cache(own_bert, computed):
    own_bert.extract_features(SENTENCES)
    before = len(computed)
    own_bert.network  # noqa: B018
    own_bert.extract_features(SENTENCES)
    assert len(computed) == before


def test_after_ctrl_c_the_same_call_gives_the_same(small_bert, monkeypatch):
    usual, sentences = (
        engines.LiteRTEngine.run,
        [f"{word} film" for word in "abcdefghij"] + SENTENCES,
    )
    expected = small_bert.extract_features(sentences, cache=False)
    runs = []

    def interrupted(self, batch):
        runs.append(batch)
        if len(runs) == 3:
            raise KeyboardInterrupt
        return usual(self, batch)

    monkeypatch.setattr(engines.LiteRTEngine, "run", interrupted)
    with pytest.raises(KeyboardInterrupt):
        small_bert.extract_features(sentences)
    assert np.array_equal(small_bert.extract_features(sentences), expected)


def test_changed_weights_are_another_network(own_bert):
    before = own_bert.extract_features(SENTENCES)
    layer = own_bert.network.get_layer("layer_2_narrow")
    layer.bias.assign_add(layer.bias + 1)
    after = own_bert.extract_features(SENTENCES)
    assert np.abs(after - before).max() > 0.01
    np.testing.assert_allclose(
        after,
        own_bert.network.predict(own_bert.tokenize(SENTENCES), verbose=0),
        atol=SAME,
    )


def test_several_threads_may_ask_at_once(small_bert):
    expected, found = small_bert.extract_features(SENTENCES, cache=False), []
    ask = lambda: found.append(small_bert.extract_features(SENTENCES, cache=False))  # noqa: E731
    threads = [threading.Thread(target=ask) for _ in range(4)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    assert len(found) == 4 and all(
        np.array_equal(features, expected) for features in found
    )


def test_it_runs_without_tensorflow(small_bert_folder):
    import subprocess
    import sys

    program = (
        "import sys, tlcourse as tl\n"
        f"print(tl.load_pretrained_model({str(small_bert_folder)!r}).extract_features(['good', 'bad film']).shape)\n"
        "assert 'tensorflow' not in sys.modules and 'keras' not in sys.modules\n"
    )
    run = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=120
    )
    assert run.stdout.strip() == f"(2, {WIDTH})", run.stderr


# What holds sentences


def test_sentences_may_come_in_a_tf_data_dataset_batched_with_labels(small_bert):
    import tensorflow as tf

    texts = SENTENCES[:7]
    dataset = tf.data.Dataset.from_tensor_slices((texts, np.zeros(7))).batch(3)
    assert np.array_equal(
        small_bert.extract_features(dataset), small_bert.extract_features(texts)
    )


def test_numpy_s_text_is_text(small_bert):
    texts = SENTENCES[:7]
    assert np.array_equal(
        small_bert.extract_features(np.array(texts)), small_bert.extract_features(texts)
    )


def test_of_a_long_text_the_beginning_is_read(small_bert):
    with pytest.warns(TruncationWarning):
        features = small_bert.extract_features("good " * 20_000)
    np.testing.assert_allclose(
        features, small_bert.extract_features("good " * (LONGEST - 2)), atol=SAME
    )


def test_long_texts_are_told_once_a_call(small_bert):
    with pytest.warns(TruncationWarning) as told:
        small_bert.extract_features(["good " * 100, "bad " * 100, "film"])
    assert len(told) == 1


def test_the_warning_stands_at_the_caller_s_line(small_bert):
    with pytest.warns(TruncationWarning) as told:
        small_bert.extract_features("good " * 100)
    assert told[0].filename == __file__


@pytest.mark.parametrize(
    "wrong",
    [
        None,
        b"good",
        7,
        [],
        ["good", None],
        [float("nan")],
        {"good": 1},
        [["good"]],
        np.arange(3),
    ],
)
def test_what_is_no_text_is_refused(small_bert, wrong):
    with pytest.raises(UserInputError, match="[Tt]ext"):
        small_bert.extract_features(wrong)


def test_pictures_given_to_a_network_that_reads_get_a_sentence(small_bert, photographs):
    with pytest.raises(
        UserInputError,
        match="Text number 0 is an array of shape \\(224, 224, 3\\).*expected str",
    ):
        small_bert.extract_features(photographs)


@pytest.mark.parametrize(
    "given",
    [
        "A lovely film.",
        ["A lovely film."],
        np.array(["A lovely film."]),
        "A very long film. " * 50,
        ["Long. " * 99],
    ],
)
def test_sentences_given_to_a_network_that_sees_get_a_sentence(bundled_model, given):
    with pytest.raises(
        UserInputError,
        match="for sentences load a text model: tl.load_pretrained_model\\('minilm'\\)",
    ):
        bundled_model.extract_features(given)


def test_a_picture_s_path_that_is_not_there_says_nothing_of_sentences(bundled_model):
    with pytest.raises(PictureError) as caught:
        bundled_model.extract_features(["nowhere.jpg"])
    assert "does not exist" in str(caught.value) and "sentences" not in str(
        caught.value
    )


# Tokens


def test_tokens_are_what_the_network_reads(small_bert):
    assert small_bert.tokens("Unwatchable film!") == [
        "[CLS]",
        "un",
        "##watch",
        "##able",
        "film",
        "!",
        "[SEP]",
    ]


def test_there_is_one_token_each_in_token_features(small_bert):
    found = small_bert.token_features(SENTENCES)
    assert [len(part) for part in found] == [
        len(small_bert.tokens(sentence)) for sentence in SENTENCES
    ]


def test_features_are_the_average_of_token_features(small_bert):
    averages = [part.mean(axis=0) for part in small_bert.token_features(SENTENCES)]
    np.testing.assert_allclose(
        small_bert.extract_features(SENTENCES), averages, atol=1e-5
    )


def test_token_features_are_computed_once(small_bert, computed):
    first = small_bert.token_features(SENTENCES)
    before = len(computed)
    second = small_bert.token_features(SENTENCES)
    assert len(computed) == before and all(
        np.array_equal(*pair) for pair in zip(first, second, strict=True)
    )


def test_tokens_of_several_sentences_are_refused(small_bert):
    with pytest.raises(
        UserInputError, match="A list was given; expected one text, a str"
    ):
        small_bert.tokens(["good film", "bad film"])


def test_tokenized_sentences_are_filled_up_with_zeros(small_bert):
    ids = small_bert.tokenize(["good film", ""])
    assert (
        (ids.dtype, ids.shape) == (np.int32, (2, 4))
        and ids[1, 2:].tolist() == [0, 0]
        and ids[:, :2].all()
    )


# Blocks


def test_blocks_are_the_embeddings_and_the_layers_from_the_tokens_on(small_bert):
    assert list(small_bert.blocks) == ["embeddings", "layer_1", "layer_2"]


def test_every_layer_with_weights_is_in_one_block(small_bert):
    named = [name for names in small_bert.blocks.values() for name in names]
    with_weights = [layer.name for layer in small_bert.network.layers if layer.weights]
    assert len(set(named)) == len(named) and set(with_weights) <= set(named)


def test_the_last_layer_of_a_block_is_what_it_hands_on(small_bert):
    for block, names in small_bert.blocks.items():
        assert (
            names[-1] == f"{block}_states"
            and small_bert.network.get_layer(names[-1]).output.shape[-1] == WIDTH
        )


def test_activations_are_what_a_block_hands_on_half_as_exact(small_bert):
    found = small_bert.activations(SENTENCES, "layer_2")
    assert found.values.dtype == np.float16
    for half, whole in zip(found, small_bert.token_features(SENTENCES), strict=True):
        np.testing.assert_allclose(half, whole, atol=5e-3)


def test_activations_of_blocks_are_kept_apart(small_bert):
    first, second = (
        small_bert.activations(SENTENCES, block).values
        for block in ("layer_1", "layer_2")
    )
    assert not np.array_equal(first, second)


def test_large_activations_are_kept_in_a_file(small_bert, monkeypatch):
    small = small_bert.activations(SENTENCES, "layer_1").values
    monkeypatch.setattr(rows, "LARGE", 1000)
    large = small_bert.activations(SENTENCES, "layer_1").values
    assert isinstance(large, np.memmap) and np.array_equal(large, small)


def test_an_unknown_block_is_answered_with_the_known_ones(small_bert):
    with pytest.raises(
        UserInputError,
        match="has no block 'layer_3'. Its blocks: embeddings, layer_1, layer_2",
    ):
        small_bert.activations(SENTENCES, "layer_3")


@pytest.mark.parametrize(
    "views", [2, "mirrored", ["as is", "mirrored"], np.array([1, 2])]
)
def test_a_sentence_has_no_views(small_bert, views):
    with pytest.raises(
        UserInputError, match="views are of pictures; a sentence is taken as it is"
    ):
        small_bert.views(views)


# The model


def test_it_says_what_it_is(small_bert):
    assert (
        repr(small_bert)
        == f"<small: up to {LONGEST} tokens → {WIDTH} features, 3 blocks>"
    )


def test_a_copy_of_the_network_is_its_own(own_bert):
    copy = own_bert.copy_network()
    copy.get_layer("layer_1_wide").bias.assign_add(
        copy.get_layer("layer_1_wide").bias + 1
    )
    ids = own_bert.tokenize(SENTENCES)
    assert (
        np.abs(
            copy.predict(ids, verbose=0) - own_bert.network.predict(ids, verbose=0)
        ).max()
        > 0.001
    )


def test_the_list_names_the_networks_that_read():
    known = tl.list_pretrained_models()
    assert known["minilm"].startswith("sentences, ")


def test_an_unknown_engine_is_refused(small_bert_folder):
    with pytest.raises(UserInputError, match="There is no engine 'onnx'"):
        tl.load_pretrained_model(small_bert_folder, "onnx")


def test_two_folders_of_one_name_do_not_share_features(tmp_path, small_bert):
    from small_bert import random_tensors

    other = tl.load_pretrained_model(
        write_small_bert(tmp_path / "small", random_tensors(seed=1))
    )
    assert other.name == small_bert.name
    assert (
        np.abs(
            other.extract_features(SENTENCES) - small_bert.extract_features(SENTENCES)
        ).max()
        > 0.01
    )


def test_features_make_a_classifier(small_bert):
    sentences = [
        f"{start} {word}"
        for start in ("a", "the", "very")
        for word in ("good film", "bad plot")
    ]
    classifier = tl.train_classifier(small_bert.extract_features(sentences), [1, 0] * 3)
    assert classifier.score(small_bert.extract_features(sentences), [1, 0] * 3) == 1
