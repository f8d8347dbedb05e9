"""A folder in Hugging Face's layout is loaded as it is meant, or refused."""

import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from small_bert import LONGEST, VOCABULARY, random_tensors, write_small_bert

import tlcourse as tl
from tlcourse.errors import DamagedFile, UserInputError, WeightsUnavailable
from tlcourse.models import bert_folder

SENTENCES = ["good film", "The actors were awful .", ""]
WORDS, TYPES = (
    f"embeddings.{name}_embeddings.weight" for name in ("word", "token_type")
)


def features(folder, **options):
    model = tl.load_pretrained_model(folder, **options)
    return model.extract_features(SENTENCES, cache=False)


def changed(folder, change=lambda tensors: tensors, **config):
    """Write a small BERT, its tensors or its config.json changed."""
    return write_small_bert(folder / "small", change(random_tensors()), config)


@pytest.fixture(scope="module")
def plain(small_bert_folder):
    return features(small_bert_folder)


# Other forms of the same network


def prefixed(tensors):
    extras = {"cls.bias": np.zeros(5, np.float32)}
    return {f"bert.{name}": tensor for name, tensor in tensors.items()} | extras


def with_old_names(tensors):
    def old(name):
        name = name.replace("Norm.weight", "Norm.gamma")
        return name.replace("Norm.bias", "Norm.beta")

    return {old(name): tensor for name, tensor in tensors.items()}


def with_position_ids(tensors):
    return tensors | {"embeddings.position_ids": np.arange(LONGEST)[None]}


def without_second_sentences(tensors):
    return tensors | {TYPES: tensors[TYPES][:1].copy()}


@pytest.mark.parametrize(
    "change", [prefixed, with_old_names, with_position_ids, without_second_sentences]
)
def test_other_names_and_extra_tensors_are_the_same_network(tmp_path, plain, change):
    np.testing.assert_array_equal(features(changed(tmp_path, change)), plain)


def test_more_rows_than_tokens_are_the_same_network(tmp_path, plain):
    def more(tensors):
        rows = np.ones((11, 32), np.float32)
        return tensors | {WORDS: np.vstack([tensors[WORDS], rows])}

    folder = changed(tmp_path, more, vocab_size=len(VOCABULARY) + 11)
    np.testing.assert_array_equal(features(folder), plain)


def test_float16_is_loaded(tmp_path, plain):
    def halved(tensors):
        return {name: tensor.astype(np.float16) for name, tensor in tensors.items()}

    np.testing.assert_allclose(features(changed(tmp_path, halved)), plain, atol=0.02)


def test_architectures_stand_for_a_missing_model_type(tmp_path, plain):
    folder = changed(tmp_path, model_type=None, architectures=["BertModel"])
    np.testing.assert_array_equal(features(folder), plain)


# Settings


@pytest.mark.parametrize("engine", ["onnx", "tensorflow"])
@pytest.mark.parametrize(
    ("config", "least"),
    [
        ({"hidden_act": "relu"}, 0.01),
        ({"hidden_act": "gelu_new"}, 1e-6),
        ({"num_attention_heads": 2}, 0.01),
        ({"layer_norm_eps": 0.1}, 0.001),
    ],
)
def test_settings_are_those_of_config_json(tmp_path, plain, engine, config, least):
    model = tl.load_pretrained_model(changed(tmp_path, **config), engine)
    # With the cache: other settings are another network.
    assert np.abs(model.extract_features(SENTENCES) - plain).max() > least


@pytest.mark.parametrize(
    ("lower_case", "token"), [(True, "good"), (None, "good"), (False, "Good")]
)
def test_text_is_lower_cased_unless_the_tokenizer_does_not(tmp_path, lower_case, token):
    folder = write_small_bert(tmp_path / "small", lower_case=lower_case)
    assert tl.load_pretrained_model(folder).tokens("Good")[1] == token


@pytest.mark.parametrize(("chosen", "used"), [(8, 8), (1000, LONGEST), (None, LONGEST)])
def test_as_many_tokens_are_used_as_in_training_or_as_fit(tmp_path, chosen, used):
    folder = write_small_bert(tmp_path / "small")
    text = json.dumps({"max_seq_length": chosen})
    (folder / "sentence_bert_config.json").write_text(text, encoding="utf-8")
    with pytest.warns(UserWarning, match=f"the {used} tokens"):
        assert len(tl.load_pretrained_model(folder).tokens("good " * 100)) == used


# Paths


def test_a_folder_is_given_as_text_or_path(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    folder = write_small_bert(tmp_path / "small")
    before = sorted(folder.iterdir())
    for path in (str(folder), folder, os.path.relpath(folder), f"{folder}/", "~/small"):
        assert tl.load_pretrained_model(path).name == "small"
    assert sorted(folder.iterdir()) == before  # nothing is written there


@pytest.mark.parametrize(
    "name", ["minilm2", "", 7, None, ["minilm"], b"minilm", "x" * 5000]
)
def test_a_name_that_is_neither_known_nor_a_folder_gets_the_list(name):
    with pytest.raises(UserInputError, match="Known: efficientnet_lite0"):
        tl.load_pretrained_model(name)


# What is refused


def refused(folder, kind=UserInputError):
    with pytest.raises(kind) as caught:
        tl.load_pretrained_model(folder)
    return str(caught.value)


def test_missing_folders_and_files_are_named(tmp_path, small_bert_folder):
    for path in (tmp_path / "nowhere", small_bert_folder / "model.safetensors"):
        assert "There is no folder" in refused(path)
    assert "config.json and no vocab.txt and no model.safe" in refused(tmp_path)
    folder = write_small_bert(tmp_path / "small")
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    assert "can run any program" in refused(folder)


@pytest.mark.parametrize(
    ("config", "word"),
    [
        ({"model_type": "roberta"}, "roberta"),
        ({"model_type": None}, "None"),
        ({"model_type": None, "architectures": ["RobertaModel"]}, "RobertaModel"),
        ({"is_decoder": True}, "decoder"),
        ({"position_embedding_type": "relative_key"}, "relative positions"),
        ({"hidden_act": "silu"}, "silu"),
        ({"hidden_act": ["gelu"]}, "hidden_act"),
    ],
)
def test_another_kind_of_network_is_refused(tmp_path, config, word):
    assert word in refused(changed(tmp_path, **config))


@pytest.mark.parametrize(
    "config",
    [
        {"hidden_size": None},
        {"hidden_size": "wide"},
        {"num_hidden_layers": 0},
        {"num_hidden_layers": True},
        {"num_attention_heads": 5},
        {"max_position_embeddings": -1},
        {"layer_norm_eps": "small"},
        {"layer_norm_eps": 1},
    ],
)
def test_sizes_that_make_no_network_are_refused(tmp_path, config):
    assert next(iter(config)) in refused(changed(tmp_path, **config), DamagedFile)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        *(("config.json", content) for content in ("", "{", "[1]", "null", "\xff\xfe")),
        ("tokenizer_config.json", "{"),
        ("sentence_bert_config.json", "{"),
        ("sentence_bert_config.json", '{"max_seq_length": "long"}'),
        ("model.safetensors", "Dear Sir or Madam, " * 100),
        ("model.safetensors", ""),
    ],
)
def test_a_damaged_file_is_named(tmp_path, name, content):
    folder = write_small_bert(tmp_path / "small")
    (folder / name).write_text(content, encoding="latin-1")
    assert name in refused(folder, DamagedFile)


@pytest.mark.parametrize("share", [0.0001, 0.5, 0.999])
def test_weights_that_were_cut_short_are_refused(tmp_path, share):
    folder = write_small_bert(tmp_path / "small")
    content = (folder / "model.safetensors").read_bytes()
    (folder / "model.safetensors").write_bytes(content[: int(share * len(content))])
    assert "model.safetensors cannot be read (" in refused(folder, DamagedFile)


def without_a_bias(tensors):
    del tensors["encoder.layer.1.output.dense.bias"]
    return tensors


def with_nan(tensors):
    tensors["encoder.layer.0.output.dense.bias"][3] = np.nan
    return tensors


@pytest.mark.parametrize(
    ("change", "config", "words"),
    [
        (without_a_bias, {}, ["encoder.layer.1.output.dense.bias"]),
        (with_nan, {}, ["NaN", "encoder.layer.0.output.dense.bias"]),
        (dict, {"intermediate_size": 96}, ["(64, 32)", "(96, 32)"]),
    ],
)
def test_a_tensor_that_does_not_fit_is_named(tmp_path, change, config, words):
    message = refused(changed(tmp_path, change, **config), DamagedFile)
    assert all(word in message for word in words)


def test_fewer_rows_than_tokens_are_refused(tmp_path):
    folder = write_small_bert(tmp_path / "small")
    text = "\n".join([*VOCABULARY, "one", "two"])
    (folder / "vocab.txt").write_text(text, encoding="utf-8")
    assert f"{len(VOCABULARY) + 2} tokens" in refused(folder, DamagedFile)


# Published networks


@pytest.fixture(scope="module")
def minilm_folder():
    return Path(bert_folder.location("minilm"))


@pytest.fixture
def packs(tmp_path, monkeypatch):
    monkeypatch.setenv("TLCOURSE_PACKS", str(tmp_path / "packs"))
    (tmp_path / "packs").mkdir()
    return tmp_path / "packs"


def test_minilm_in_a_pack_goes_before_its_package(packs, minilm_folder):
    (packs / "minilm").symlink_to(minilm_folder)
    assert bert_folder.find_folder("minilm") == packs / "minilm"
    assert bert_folder.is_whole("minilm")


@pytest.mark.parametrize("name", ["config.json", "vocab.txt"])
def test_one_changed_byte_of_minilm_is_noticed(packs, minilm_folder, name):
    (packs / "minilm").mkdir()
    for file in bert_folder.FILES:
        (packs / "minilm" / file).symlink_to(minilm_folder / file)
    content = bytearray((minilm_folder / name).read_bytes())
    content[len(content) // 2] ^= 1
    (packs / "minilm" / name).unlink()
    (packs / "minilm" / name).write_bytes(content)
    assert "SHA-256" in refused("minilm", DamagedFile)
    assert not bert_folder.is_whole("minilm")


def test_minilm_with_a_missing_file_is_refused(packs, minilm_folder):
    (packs / "minilm").mkdir()
    shutil.copy(minilm_folder / "config.json", packs / "minilm")
    assert "has no vocab.txt and no model.safetensors" in refused("minilm")


def test_a_published_network_that_is_not_here_is_told_with_what_brings_it(
    packs, monkeypatch
):
    monkeypatch.setattr(bert_folder, "find_spec", lambda name: None)
    for name in bert_folder.PUBLISHED:
        message = refused(name, WeightsUnavailable)
        assert f"tlcourse fetch {name}" in message and "TLCOURSE_PACKS" in message
