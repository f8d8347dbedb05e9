"""A folder in Hugging Face's layout is loaded as it is meant, or refused."""

import json
from pathlib import Path

import numpy as np
import pytest
from small_bert import LONGEST, VOCABULARY, random_tensors, write_small_bert

import tlcourse as tl
from tlcourse.errors import (
    DamagedFile,
    TLCourseError,
    UserInputError,
    WeightsUnavailable,
)
from tlcourse.models import bert_folder

SENTENCES = ["good film", "The actors were awful .", ""]


def features(folder, **options):
    model = tl.load_pretrained_model(folder, **options)
    return model.extract_features(SENTENCES, cache=False)


def changed(folder, change=lambda tensors: tensors, **config):
    """Write a small BERT, its tensors or its config.json changed."""
    return write_small_bert(folder / "small", change(random_tensors()), config)


def refused(folder, kind=TLCourseError):
    with pytest.raises(kind) as caught:
        tl.load_pretrained_model(folder)
    return str(caught.value)


@pytest.fixture(scope="module")
def plain(small_bert_folder):
    return features(small_bert_folder)


def prefixed(tensors):
    extras = {"cls.bias": np.zeros(5, np.float32)}
    return {f"bert.{name}": tensor for name, tensor in tensors.items()} | extras


def with_old_names(tensors):
    old = {".weight": ".gamma", ".bias": ".beta"}
    return {
        name.replace(end, old[end]) if "Norm" in name else name: tensor
        for name, tensor in tensors.items()
        for end in old
        if name.endswith(end)
    }


def without_second_sentences(tensors):
    name = "embeddings.token_type_embeddings.weight"
    return tensors | {name: tensors[name][:1].copy()}


def with_float16(tensors):
    return {name: tensor.astype(np.float16) for name, tensor in tensors.items()}


@pytest.mark.parametrize(
    "change", [prefixed, with_old_names, without_second_sentences, with_float16]
)
def test_other_forms_are_the_same_network(tmp_path, plain, change):
    tolerance = 0.02 if change is with_float16 else 0
    found = features(changed(tmp_path, change))
    np.testing.assert_allclose(found, plain, atol=tolerance)


@pytest.mark.parametrize(
    ("config", "least"),
    [
        ({"hidden_act": "relu"}, 0.01),
        ({"hidden_act": "gelu_new"}, 1e-6),
        ({"num_attention_heads": 2}, 0.01),
        ({"layer_norm_eps": 0.1}, 0.001),
    ],
)
def test_settings_are_those_of_config_json(tmp_path, plain, config, least):
    model = tl.load_pretrained_model(changed(tmp_path, **config))
    # With the cache: other settings are another network.
    found = model.extract_features(SENTENCES)
    assert np.abs(found - plain).max() > least
    np.testing.assert_allclose(
        found, model.network(model.tokenize(SENTENCES)), atol=1e-4
    )


@pytest.mark.parametrize(("lower_case", "token"), [(None, "good"), (False, "Good")])
def test_text_is_lower_cased_unless_the_tokenizer_does_not(tmp_path, lower_case, token):
    folder = write_small_bert(tmp_path / "small", lower_case=lower_case)
    assert tl.load_pretrained_model(folder).tokens("Good")[1] == token


@pytest.mark.parametrize(("chosen", "used"), [(8, 8), (1000, LONGEST)])
def test_as_many_tokens_are_used_as_in_training_or_as_fit(tmp_path, chosen, used):
    folder = write_small_bert(tmp_path / "small")
    text = json.dumps({"max_seq_length": chosen})
    (folder / "sentence_bert_config.json").write_text(text, encoding="utf-8")
    with pytest.warns(UserWarning, match=f"the {used} tokens"):
        assert len(tl.load_pretrained_model(folder).tokens("good " * 100)) == used


@pytest.mark.parametrize("name", ["minilm2", "", 7, None, ["minilm"], "x" * 5000])
def test_a_name_that_is_neither_known_nor_a_folder_gets_the_list(name):
    assert "Known: efficientnet_lite0" in refused(name, UserInputError)


def test_missing_folders_and_files_are_named(tmp_path):
    assert "config.json and no vocab.txt and no model.safe" in refused(tmp_path)
    folder = write_small_bert(tmp_path / "small")
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    assert "can run any program" in refused(folder)


@pytest.mark.parametrize(
    ("config", "word"),
    [
        ({"model_type": "roberta"}, "roberta"),
        ({"model_type": None, "architectures": ["RobertaModel"]}, "RobertaModel"),
        ({"is_decoder": True}, "decoder"),
        ({"position_embedding_type": "relative_key"}, "relative_key"),
        ({"hidden_act": "silu"}, "silu"),
        ({"hidden_size": None}, "hidden_size"),
        ({"num_hidden_layers": 0}, "num_hidden_layers"),
        ({"num_attention_heads": 5}, "num_attention_heads"),
        ({"layer_norm_eps": "small"}, "layer_norm_eps"),
        ({"intermediate_size": 96}, "(96, 32)"),
    ],
)
def test_settings_of_another_network_are_refused(tmp_path, config, word):
    assert word in refused(changed(tmp_path, **config))


@pytest.mark.parametrize(
    ("name", "content"),
    [
        *(("config.json", content) for content in (b"", b"{", b"[1]", b"\xff\xfe")),
        ("tokenizer_config.json", b"{"),
        ("sentence_bert_config.json", b'{"max_seq_length": "long"}'),
        ("model.safetensors", b"Dear Sir or Madam, " * 100),
    ],
)
def test_a_damaged_file_is_named(tmp_path, name, content):
    folder = write_small_bert(tmp_path / "small")
    (folder / name).write_bytes(content)
    assert name in refused(folder)


@pytest.mark.parametrize("value", [None, np.nan])
def test_a_tensor_that_cannot_be_used_is_named(tmp_path, value):
    name = "encoder.layer.1.output.dense.bias"

    def change(tensors):
        tensor = tensors.pop(name)
        return tensors if value is None else tensors | {name: tensor * value}

    assert name in refused(changed(tmp_path, change), DamagedFile)


def test_fewer_rows_than_tokens_are_refused(tmp_path):
    folder = write_small_bert(tmp_path / "small")
    text = "\n".join([*VOCABULARY, "one", "two"])
    (folder / "vocab.txt").write_text(text, encoding="utf-8")
    assert f"{len(VOCABULARY) + 2} tokens" in refused(folder, DamagedFile)


@pytest.fixture
def pack(tmp_path, monkeypatch):
    """MiniLM's files, in a folder of `TLCOURSE_PACKS`."""
    source, folder = Path(bert_folder.location("minilm")), tmp_path / "packs" / "minilm"
    folder.mkdir(parents=True)
    for file in bert_folder.FILES:
        (folder / file).symlink_to(source / file)
    monkeypatch.setenv("TLCOURSE_PACKS", str(folder.parent))
    return folder


def test_minilm_in_a_pack_goes_before_its_package(pack):
    assert bert_folder.find_folder("minilm") == pack
    assert bert_folder.is_whole("minilm")


@pytest.mark.parametrize("name", ["config.json", "vocab.txt"])
def test_one_changed_byte_of_minilm_is_noticed(pack, name):
    content = bytearray((pack / name).read_bytes())
    content[len(content) // 2] ^= 1
    (pack / name).unlink()
    (pack / name).write_bytes(content)
    assert "SHA-256" in refused("minilm", DamagedFile)
    assert not bert_folder.is_whole("minilm")


def test_minilm_that_is_not_here_is_told_with_what_brings_it(monkeypatch, no_packs):
    monkeypatch.setattr(bert_folder, "find_spec", lambda name: None)
    message = refused("minilm", WeightsUnavailable)
    assert "tlcourse fetch minilm" in message and "TLCOURSE_PACKS" in message


@pytest.mark.parametrize("use", ["extract_features", "copy_network"])
def test_weights_that_change_after_loading_are_not_taken_for_the_loaded(tmp_path, use):
    folder = write_small_bert(tmp_path / "bert")
    model = tl.load_pretrained_model(folder)
    write_small_bert(folder, random_tensors(seed=1))
    with pytest.raises(DamagedFile, match="have changed since they were loaded"):
        model.copy_network() if use == "copy_network" else model.extract_features("a")
