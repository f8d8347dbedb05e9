"""Networks for text: tokens, features, the cache, BERT in Keras and in ONNX."""

import dataclasses
import subprocess
import sys

import numpy as np
import pytest
from small_bert import LAYERS, LONGEST, VOCABULARY, WIDTH
from tolerances import assert_agree

import tlcourse as tl
from tlcourse.errors import UserInputError
from tlcourse.features.engine import new_session
from tlcourse.models import bert
from tlcourse.models.bert_folder import read_shape, read_weights
from tlcourse.models.onnx_file import quantize_text
from tlcourse.models.wordpiece import TruncationWarning

SENTENCES = [
    "A lovely film.",
    "boring",
    "",
    "The story was not very good, and it was long!",
    "unwatchable plot",
    "a lovely film.",
]


@pytest.fixture(scope="module")
def shape(small_bert_folder):
    return read_shape(small_bert_folder)


@pytest.fixture(scope="module")
def weights(small_bert_folder, shape):
    return read_weights(small_bert_folder, shape)


def some_ids(count, length, seed=0):
    rng = np.random.default_rng(seed)
    return rng.integers(1, len(VOCABULARY), (count, length)).astype(np.int32)


def keras_network(shape, weights):
    network = bert.encoder(shape)
    for name, arrays in weights.items():
        network.get_layer(name).set_weights(arrays)
    return network


def states(network, layers, ids):
    """The states behind so many layers, by Keras."""
    import keras

    block = f"layer_{layers}" if layers else "embeddings"
    output = network.get_layer(f"{block}_states").output
    return np.asarray(keras.Model(network.inputs[0], output)(ids))


def test_padding_and_neighbours_change_nothing(shape, weights):
    network = keras_network(shape, weights)
    short, long = some_ids(1, 4), some_ids(5, LONGEST, seed=1)
    padded = np.pad(short, ((0, 0), (0, LONGEST - 4)))
    together = np.asarray(network(np.concatenate([padded, long])))
    assert_agree(together[:1], network(short), 1e-5)
    assert_agree(network(short), states(network, LAYERS, short).mean(axis=1), 1e-5)


@pytest.mark.parametrize("layers", range(LAYERS + 1))
@pytest.mark.parametrize("activation", ["gelu", "gelu_tanh", "relu"])
def test_onnx_computes_what_keras_computes_after_each_layer(
    weights, shape, layers, activation
):
    shape = dataclasses.replace(shape, activation=activation)
    network = keras_network(shape, weights)
    session = new_session(bert.to_onnx(weights, shape, layers))
    for count, length in ((1, 2), (3, 9), (2, LONGEST)):
        ids = some_ids(count, length)
        (found,) = session.run(None, {"token_ids": ids})
        assert_agree(found, states(network, layers, ids), 2e-5)


def test_int8_is_close_and_smaller(weights, shape):
    whole = bert.to_onnx(weights, shape, LAYERS)
    small, ids = quantize_text(whole), some_ids(3, 9)
    found, expected = (
        new_session(content).run(None, {"token_ids": ids})[0]
        for content in (small, whole)
    )
    difference = np.abs(found - expected).max() / np.abs(expected).max()
    assert len(small) < len(whole) and 1e-5 < difference < 0.1


@pytest.mark.slow
def test_it_runs_without_tensorflow(small_bert_folder):
    program = (
        "import sys, tlcourse as tl\n"
        f"model = tl.load_pretrained_model({str(small_bert_folder)!r})\n"
        "print(model.extract_features(['good', 'bad film']).shape)\n"
        "assert 'tensorflow' not in sys.modules and 'keras' not in sys.modules\n"
    )
    command = [sys.executable, "-c", program]
    run = subprocess.run(command, capture_output=True, text=True)
    assert run.stdout.strip() == f"(2, {WIDTH})", run.stderr


def test_features_are_averages_of_the_tokens_of_the_last_layer(small_bert):
    tokens = small_bert.activations(SENTENCES, list(small_bert.blocks)[-1])
    lengths = [len(small_bert.tokens(sentence)) for sentence in SENTENCES]
    assert list(map(len, tokens)) == lengths
    averages = [part.mean(axis=0, dtype=np.float32) for part in tokens]
    features = small_bert.extract_features(SENTENCES)
    assert_agree(features, averages, 1e-3)  # activations are float16
    np.testing.assert_array_equal(features[0], features[-1])  # capitals do not count


def test_looking_at_an_int8_network_does_not_change_its_features(small_bert_folder):
    model = tl.load_pretrained_model(str(small_bert_folder), precision="int8")
    before = model.extract_features(SENTENCES, cache=False)
    layer = next(layer for layer in model.network.layers if layer.weights)
    after = model.extract_features(SENTENCES, cache=False)
    np.testing.assert_array_equal(after, before)
    layer.set_weights([weight * 1.1 for weight in layer.get_weights()])
    changed = model.extract_features(SENTENCES, cache=False)
    assert not np.allclose(changed, before, atol=1e-6)


def test_long_texts_are_cut_and_one_warning_tells_the_caller(small_bert):
    with pytest.warns(TruncationWarning) as caught:
        found = small_bert.extract_features(["good " * 20_000, "bad " * 100])
    assert [warning.filename for warning in caught] == [__file__]
    expected = small_bert.extract_features("good " * (LONGEST - 2))
    assert_agree(found[:1], expected, 1e-5)


def test_pictures_and_sentences_are_not_confused(
    small_bert, bundled_model, photographs
):
    with pytest.raises(UserInputError, match="expected a str"):
        small_bert.extract_features(photographs)
    for sentences in ("A lovely film.", ["Long. " * 99]):
        with pytest.raises(UserInputError, match="minilm"):
            bundled_model.extract_features(sentences)


def test_a_sentence_has_no_augmentations_and_no_dask(small_bert):
    with pytest.raises(UserInputError, match="taken as it is"):
        small_bert.activations(SENTENCES, "layer_1", 2)
    with pytest.raises(UserInputError, match="Dask"):
        small_bert.activations(SENTENCES, "layer_1", engine="dask")


def test_tokens_are_the_networks_input(small_bert):
    tokens = ["[CLS]", "un", "##watch", "##able", "film", "!", "[SEP]"]
    assert small_bert.tokens("Unwatchable film!") == tokens
    ids = small_bert.tokenize(["good film", ""])
    assert ids.dtype == np.int32 and ids.shape == (2, 4)
    assert ids[1, 2:].tolist() == [0, 0] and ids[:, :2].all()
    with pytest.raises(UserInputError, match="sentence"):
        small_bert.tokens(["good film", "bad film"])


@pytest.mark.parametrize("precision", ["float32", "int8"])
def test_minilms_nearest_sentence_means_the_same(precision):
    model = tl.load_pretrained_model("minilm", precision=precision)
    sentences = ["The movie was wonderful.", "What a great film!", "My dog eats fish."]
    features = model.extract_features(sentences, cache=False)
    features /= np.linalg.norm(features, axis=1, keepdims=True)
    assert (features[1:] @ features[0]).argmax() == 0
