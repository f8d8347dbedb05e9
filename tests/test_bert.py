"""BERT's encoder: Keras and LiteRT compute the same, padding changes nothing, and half as exact states are enough."""

import numpy as np
import pytest
from small_bert import LAYERS, LONGEST, VOCABULARY

import tlcourse as tl
from tlcourse.features import engines
from tlcourse.models import bert, bert_file
from tlcourse.models.bert_folder import read_shape, read_weights
from tlcourse.models.text_models import in_litert, in_tensorflow


@pytest.fixture(scope="module")
def shape(small_bert_folder):
    return read_shape(small_bert_folder)


@pytest.fixture(scope="module")
def weights(small_bert_folder, shape):
    return read_weights(small_bert_folder, shape)


@pytest.fixture(scope="module")
def network(shape, weights):
    network = bert.encoder(shape)
    for name, arrays in weights.items():
        network.get_layer(name).set_weights(arrays)
    return network


def some_ids(count, length, seed=0):
    return (
        np.random.default_rng(seed)
        .integers(1, len(VOCABULARY), (count, length))
        .astype(np.int32)
    )


def padded(ids, length):
    return np.pad(ids, ((0, 0), (0, length - ids.shape[1])))


def features(network, ids):
    return network.predict(ids, verbose=0)


# Keras


def test_features_are_the_average_of_the_last_states(network, shape):
    ids = some_ids(3, 9)
    states = in_tensorflow(network, shape, LAYERS).run(ids)
    np.testing.assert_allclose(features(network, ids), states.mean(axis=1), atol=1e-5)


def test_padding_changes_nothing(network):
    ids = some_ids(3, 9)
    np.testing.assert_allclose(
        features(network, padded(ids, 30)), features(network, ids), atol=1e-5
    )


def test_neighbours_in_a_batch_change_nothing(network):
    short, long = some_ids(1, 4), some_ids(5, 30, seed=1)
    together = features(network, np.concatenate([padded(short, 30), long]))
    np.testing.assert_allclose(together[:1], features(network, short), atol=1e-5)


def test_states_of_padding_are_zeros_behind_each_layer(network, shape):
    ids = padded(some_ids(2, 5), 8)
    for layers in range(LAYERS + 1):
        states = in_tensorflow(network, shape, layers).run(ids)
        assert states[:, :5].any(axis=-1).all() and not states[:, 5:].any()


def test_the_order_of_tokens_matters(network):
    ids = some_ids(1, 9)
    assert np.abs(features(network, ids[:, ::-1]) - features(network, ids)).max() > 0.01


def test_every_token_is_seen_by_every_other(network, shape):
    ids = some_ids(1, 9)
    other = ids.copy()
    other[0, -1] = ids[0, -1] % (len(VOCABULARY) - 1) + 1
    difference = np.abs(
        in_tensorflow(network, shape, 1).run(other)
        - in_tensorflow(network, shape, 1).run(ids)
    )
    assert (difference[0].max(axis=-1) > 1e-4).all()


@pytest.mark.parametrize("length", [2, LONGEST])
def test_the_shortest_and_the_longest_are_read(network, length):
    assert np.isfinite(features(network, some_ids(2, length))).all()


def test_its_layers_bear_the_names_of_their_blocks(network):
    blocks = {
        layer.name.rsplit("_", 1)[0]
        for layer in network.layers
        if layer.name.endswith("_states")
    }
    assert blocks == {
        "embeddings",
        *(f"layer_{number}" for number in range(1, LAYERS + 1)),
    }


def test_a_new_network_has_weights_of_its_own(shape):
    first, second = (
        bert.encoder(shape).get_layer("layer_1_wide").kernel.numpy() for _ in range(2)
    )
    assert not np.array_equal(first, second)


# LiteRT, written by hand


@pytest.mark.parametrize("layers", range(LAYERS + 1))
@pytest.mark.parametrize(("count", "length"), [(1, 2), (3, 9), (2, LONGEST)])
def test_litert_computes_what_keras_computes_at_each_cut(
    network, weights, shape, layers, count, length
):
    ids = some_ids(count, length)
    expected = in_tensorflow(network, shape, layers).run(ids)
    np.testing.assert_allclose(
        in_litert(weights, shape, layers).run(ids), expected, atol=2e-5
    )


def test_an_engine_takes_batches_of_any_size_one_after_the_other(weights, shape):
    engine = in_litert(weights, shape, LAYERS)
    first = engine.run(some_ids(3, 9))
    engine.run(some_ids(1, 2)), engine.run(some_ids(5, 17))
    assert np.array_equal(engine.run(some_ids(3, 9)), first)


def test_the_file_holds_what_is_before_the_cut_alone(weights, shape):
    sizes = [
        len(bert_file.write_bert(weights, shape, layers))
        for layers in range(LAYERS + 1)
    ]
    assert sizes == sorted(sizes) and sizes[0] < sizes[-1] / 2


def test_the_same_weights_are_the_same_engine(weights, shape):
    copies = {
        name: [array.copy() for array in arrays] for name, arrays in weights.items()
    }
    assert in_litert(weights, shape, 1) is in_litert(copies, shape, 1)


def test_other_weights_cuts_or_shapes_are_other_engines(weights, shape):
    import dataclasses

    other = {
        name: [array + 1e-6 for array in arrays] for name, arrays in weights.items()
    }
    made = [
        in_litert(weights, shape, 1),
        in_litert(other, shape, 1),
        in_litert(weights, shape, 2),
        in_litert(weights, dataclasses.replace(shape, epsilon=1e-5), 1),
    ]
    assert len({engine.key for engine in made}) == 4


def test_another_writer_makes_it_computed_again(weights, shape, monkeypatch):
    before = in_litert(weights, shape, 1).key
    monkeypatch.setattr("tlcourse.models.text_models.WRITER", bert_file.WRITER + 1)
    assert in_litert(weights, shape, 1).key != before


def test_no_more_engines_are_kept_than_for_pictures(weights, shape):
    for layers in range(LAYERS + 1):
        in_litert(weights, shape, layers)
    assert len(engines._compiled) <= engines._MOST_KEPT


# Half as exact


@pytest.mark.parametrize("block", ["embeddings", "layer_1", "layer_2"])
def test_from_half_as_exact_states_at_a_cut_come_the_features_of_the_whole(
    small_bert, block
):
    import keras

    sentences = ["good film", "the story was not very good .", "", "awful " * 30]
    states = small_bert.activations(sentences, block, cache=False)
    network = small_bert.network
    start = network.get_layer(small_bert.blocks[block][-1]).output
    found = keras.Model(start, network.output)(states.padded(range(4)))
    assert states.values.dtype == np.float16
    np.testing.assert_allclose(
        found, small_bert.extract_features(sentences, cache=False), atol=5e-3
    )


# The real one


@pytest.fixture(scope="module")
def minilm():
    return tl.load_pretrained_model("minilm")


SENTENCES = [
    "A lovely film, and well acted.",
    "I was bored.",
    "",
    "\U0001f642 שלום 你好",
    "It goes on and on. " * 60,
]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::tlcourse.models.wordpiece.TruncationWarning")
def test_of_minilm_litert_and_keras_and_padded_batches_agree(minilm):
    fast = minilm.extract_features(SENTENCES, cache=False)
    whole = minilm.network.predict(minilm.tokenize(SENTENCES), verbose=0)
    in_keras = tl.load_pretrained_model("minilm", engine="tensorflow").extract_features(
        SENTENCES, cache=False
    )
    np.testing.assert_allclose(fast, whole, atol=1e-4)
    np.testing.assert_allclose(in_keras, whole, atol=1e-4)


@pytest.mark.slow
def test_of_minilm_half_as_exact_states_lead_to_the_same_features(minilm):
    import keras

    sentences = SENTENCES[:4]
    expected = minilm.extract_features(sentences, cache=False)
    for block in ("embeddings", "layer_3", "layer_5"):
        start = minilm.network.get_layer(minilm.blocks[block][-1]).output
        states = (
            minilm.activations(sentences, block, cache=False)
            .padded(range(4))
            .astype(np.float32)
        )
        np.testing.assert_allclose(
            keras.Model(start, minilm.network.output)(states), expected, atol=3e-3
        )


def test_to_minilm_a_sentence_is_nearest_to_the_one_that_means_the_same(minilm):
    features = minilm.extract_features(
        [
            "The movie was wonderful.",
            "What a great film!",
            "The bus leaves at nine.",
            "My dog eats fish.",
        ],
        cache=False,
    )
    features /= np.linalg.norm(features, axis=1, keepdims=True)
    assert (features[1:] @ features[0]).argmax() == 0


def test_minilm_says_what_it_is(minilm):
    assert repr(minilm) == "<minilm: up to 256 tokens → 384 features, 7 blocks>"
