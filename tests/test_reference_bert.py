"""BERT agrees, token by token, with PyTorch's reference implementation."""

from pathlib import Path

import numpy as np
import pytest

import tlcourse as tl
from tlcourse.cards import bundled_file
from tlcourse.features.text import token_states
from tlcourse.models.bert_folder import is_whole
from tlcourse.training.evaluation import keras_outputs

TINY = Path(__file__).resolve().parent / "tiny_bert"
TOLERANCE = 1e-3
NETWORKS = ("minilm", "plain", "pretraining", "cased")

pytestmark = pytest.mark.filterwarnings(
    "ignore::tlcourse.models.wordpiece.TruncationWarning"
)


def read_table(name):
    """The arrays that PyTorch computed."""
    is_minilm = name == "minilm"
    path = TINY / "expected.npz"
    path = bundled_file("minilm", "expected_tokens.npz") if is_minilm else path
    with np.load(path, allow_pickle=False) as archive:
        start = "" if is_minilm else f"{name}/"
        keys = [key for key in archive.files if key.startswith(start)]
        return {key.removeprefix(start): archive[key] for key in keys}


@pytest.fixture(scope="module", params=NETWORKS)
def table(request):
    return read_table(request.param) | {"name": request.param}


@pytest.fixture(scope="module")
def model(table):
    name = table["name"]
    if name == "minilm" and not is_whole(name):
        pytest.skip("minilm is not here: tlcourse fetch minilm")
    folder = name if name == "minilm" else TINY / name
    return tl.load_pretrained_model(folder)


def test_the_tokens_are_the_references(model, table):
    ids = model.tokenizer.ids(table["sentences"].tolist())
    assert np.array_equal(np.concatenate(ids), table["ids"])
    assert np.array_equal(np.cumsum([0, *map(len, ids)]), table["offsets"])


def test_every_token_has_the_references_numbers(model, table):
    ids = model.tokenizer.ids(table["sentences"].tolist())
    states = token_states(model._engine(model.shape.layers), ids, None)
    found = np.concatenate(states)[table["rows"]]
    assert np.abs(found - table["values"]).max() < TOLERANCE


def test_the_features_are_the_references_averages(model, table):
    sentences = table["sentences"].tolist()
    by_onnx = model.extract_features(sentences, cache=False)
    by_keras = keras_outputs(model.network, model.tokenize(sentences))
    for found in (by_onnx, by_keras):
        assert np.abs(found - table["means"]).max() < TOLERANCE


def test_the_attention_is_the_references(model, table):
    found = model.attentions(str(table["sentences"][table["attended"]]))
    assert np.abs(found - table["attentions"]).max() < TOLERANCE
