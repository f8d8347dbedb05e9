"""Make three tiny BERTs with random weights in the layouts that are met in real life, and what PyTorch makes of text.

    python tests/tiny_bert/build.py    (torch, transformers and safetensors, as for data/minilm/build_expected.py)

plain        as sentence-transformers saves it: no prefix, a buffer `embeddings.position_ids`, gelu, lower case,
             cut to 24 tokens by sentence_bert_config.json
pretraining  as bert-base-uncased comes: prefix `bert.`, LayerNorm.gamma and LayerNorm.beta, a head `cls.`, gelu_new
cased        float16 weights, case and accents kept, relu, no pooler, other places of the special tokens

expected.npz holds the arrays of data/minilm/expected_tokens.npz, each behind the folder's name and a slash.
"""

import json
import sys
from pathlib import Path

import numpy as np

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parents[1] / "data" / "minilm"), str(HERE.parents[1] / "data")]
from build_expected import reference  # noqa: E402
from build_tools import save_arrays  # noqa: E402

SEED = 20
WORDS = "the film was good bad not very a boat sea Ünder Café ünder cafe The Film it so ##s ##ly ##ed un ##able".split()
LETTERS = [
    *"abcdefghijklmnopqrstuvwxyz",
    *(f"##{letter}" for letter in "abcdefghijklmnopqrstuvwxyz"),
    *".,!?'-[]#映画",
]
SENTENCES = (
    "The film was good, not very bad.",
    "",
    "Ünder the Café, a cafe!",
    "unfilmable boats, goodly seas - it's so [MASK]ed 映画 ЯЯ",
    "the film was good and very bad and not so good and the boat was a boat and the sea a sea, a good film",
    "a film " * 30,
)


def vocabulary(specials: list[str], unused: int) -> list[str]:
    """120 lines: the specials first or behind some unused ones, then words and letters, then more unused ones."""
    unused_tokens = [f"[unused{number}]" for number in range(120)]
    lines = ["[PAD]", *unused_tokens[:unused], *specials, *WORDS, *LETTERS]
    return lines + unused_tokens[unused : unused + 120 - len(lines)]


FOLDERS = {
    "plain": (24, "gelu", True, vocabulary(["[UNK]", "[CLS]", "[SEP]", "[MASK]"], 3)),
    "pretraining": (
        40,
        "gelu_new",
        True,
        vocabulary(["[UNK]", "[CLS]", "[SEP]", "[MASK]"], 3),
    ),
    "cased": (40, "relu", False, vocabulary(["[MASK]", "[SEP]", "[CLS]", "[UNK]"], 0)),
}


def build(
    name: str, longest: int, activation: str, lower: bool, words: list[str]
) -> dict:
    """Write one folder; return what PyTorch computes with it."""
    import torch
    from safetensors.torch import save_file
    from transformers import BertConfig, BertForPreTraining

    torch.manual_seed(SEED)
    config = BertConfig(
        vocab_size=len(words),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=64,
        hidden_act=activation,
        max_position_embeddings=40,
        type_vocab_size=2,
        layer_norm_eps=1e-12 if name != "cased" else 1e-5,
    )
    network = BertForPreTraining(config)
    for parameter in (
        network.parameters()
    ):  # as they start, attention is nearly even and every bias 0: nothing shows
        torch.nn.init.normal_(parameter, std=0.3)
    for module in network.modules():
        if isinstance(module, torch.nn.LayerNorm):
            torch.nn.init.uniform_(module.weight, 0.5, 1.5)
    state = {
        key: tensor.detach().contiguous()
        for key, tensor in network.state_dict().items()
    }
    folder = HERE / name
    folder.mkdir(exist_ok=True)
    save_file(
        LAYOUTS[name](state), folder / "model.safetensors", metadata={"format": "pt"}
    )
    about = config.to_dict()
    kept = (
        "attention_probs_dropout_prob",
        "hidden_act",
        "hidden_dropout_prob",
        "hidden_size",
        "initializer_range",
    )
    kept += (
        "intermediate_size",
        "layer_norm_eps",
        "max_position_embeddings",
        "model_type",
        "num_attention_heads",
    )
    kept += ("num_hidden_layers", "pad_token_id", "type_vocab_size", "vocab_size")
    head = "BertForMaskedLM" if name == "pretraining" else "BertModel"
    write(
        folder / "config.json",
        {"architectures": [head], **{key: about[key] for key in kept}},
    )
    write(
        folder / "tokenizer_config.json",
        {"do_lower_case": lower, "model_max_length": 40},
    )
    if name == "plain":
        write(
            folder / "sentence_bert_config.json",
            {"max_seq_length": longest, "do_lower_case": False},
        )
    (folder / "vocab.txt").write_text(
        "\n".join(words) + "\n", encoding="utf-8", newline="\n"
    )
    return reference(folder, SENTENCES, longest, attended=0)


def plain(state: dict) -> dict:
    import torch

    return without_prefix(state) | {"embeddings.position_ids": torch.arange(40)[None]}


def pretraining(state: dict) -> dict:
    """The decoder's weight is the table of words once more, so it is left out, as in bert-base-uncased."""
    old = {"LayerNorm.weight": "LayerNorm.gamma", "LayerNorm.bias": "LayerNorm.beta"}
    renamed = {}
    for key, tensor in state.items():
        for new_name, old_name in old.items():
            key = key.replace(new_name, old_name)
        if not key.startswith("cls.predictions.decoder"):
            renamed[key] = tensor
    return renamed


def cased(state: dict) -> dict:
    return {
        key: tensor.half()
        for key, tensor in without_prefix(state).items()
        if not key.startswith("pooler")
    }


def without_prefix(state: dict) -> dict:
    return {
        key.removeprefix("bert."): tensor
        for key, tensor in state.items()
        if key.startswith("bert.")
    }


LAYOUTS = {"plain": plain, "pretraining": pretraining, "cased": cased}


def write(file: Path, content: dict) -> None:
    file.write_text(
        json.dumps(content, indent=2) + "\n", encoding="utf-8", newline="\n"
    )


def main() -> None:
    arrays = {}
    for name, settings in FOLDERS.items():
        arrays |= {
            f"{name}/{key}": np.asarray(array)
            for key, array in build(name, *settings).items()
        }
    save_arrays(HERE / "expected.npz", **arrays)
    for file in sorted(HERE.rglob("*.*")):
        print(f"{file.relative_to(HERE)}: {file.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
