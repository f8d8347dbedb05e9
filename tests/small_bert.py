"""A small BERT in Hugging Face's layout, its weights random, for the tests of text."""

import json
from pathlib import Path

import numpy as np

LAYERS, WIDTH, HEADS, WIDE, LONGEST = 2, 32, 4, 64, 40
WORDS = (
    "a the film was is not very good bad great boring awful lovely i liked hated it , . ! ? and but or of story actors "
    "music plot un ##watch ##able ##s ##ed ##ing love long short best worst ever seen never again more less ll é "
    "世 界 ש ##ל ##ו ##ם Good Bad Film 1 2 3 [ ] pad"
).split()
LETTERS = [chr(code) for code in range(ord("a"), ord("z") + 1)]
SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
PIECES = [f"##{letter}" for letter in LETTERS]
VOCABULARY = list(dict.fromkeys([*SPECIAL, *WORDS, *LETTERS, *PIECES]))

CONFIG = {
    "model_type": "bert",
    "num_hidden_layers": LAYERS,
    "num_attention_heads": HEADS,
    "hidden_size": WIDTH,
    "intermediate_size": WIDE,
    "vocab_size": len(VOCABULARY),
    "max_position_embeddings": LONGEST,
    "hidden_act": "gelu",
}


def random_tensors(seed: int = 0) -> dict[str, np.ndarray]:
    """All its tensors by their names on Hugging Face; large enough to matter."""
    rng = np.random.default_rng(seed)
    normal = lambda *shape: rng.normal(0, 0.3, shape).astype(np.float32)  # noqa: E731
    found = {
        "embeddings.word_embeddings.weight": normal(len(VOCABULARY), WIDTH),
        "embeddings.position_embeddings.weight": normal(LONGEST, WIDTH),
        "embeddings.token_type_embeddings.weight": normal(2, WIDTH),
    }
    norms, denses = ["embeddings.LayerNorm"], {}
    for number in range(LAYERS):
        layer = f"encoder.layer.{number}"
        norms += [f"{layer}.attention.output.LayerNorm", f"{layer}.output.LayerNorm"]
        for part in ("self.query", "self.key", "self.value", "output.dense"):
            denses[f"{layer}.attention.{part}"] = (WIDTH, WIDTH)
        denses[f"{layer}.intermediate.dense"] = (WIDE, WIDTH)
        denses[f"{layer}.output.dense"] = (WIDTH, WIDE)
    for name in norms:
        found |= {f"{name}.weight": 1 + normal(WIDTH), f"{name}.bias": normal(WIDTH)}
    for name, shape in denses.items():
        found |= {f"{name}.weight": normal(*shape), f"{name}.bias": normal(shape[0])}
    return found


def write_small_bert(
    folder: Path,
    tensors: dict | None = None,
    config: dict | None = None,
    lower_case: bool | None = True,
) -> Path:
    """Write the folder and return it.

    Of `config`, settings that differ from `CONFIG`, None leaves one out; without
    `lower_case` there is no tokenizer_config.json.
    """
    from safetensors.numpy import save_file

    folder.mkdir(parents=True, exist_ok=True)
    settings = {**CONFIG, **(config or {})}
    settings = {name: value for name, value in settings.items() if value is not None}
    (folder / "config.json").write_text(json.dumps(settings), encoding="utf-8")
    (folder / "vocab.txt").write_text("\n".join(VOCABULARY) + "\n", encoding="utf-8")
    if lower_case is not None:
        text = json.dumps({"do_lower_case": lower_case})
        (folder / "tokenizer_config.json").write_text(text, encoding="utf-8")
    save_file(tensors or random_tensors(), folder / "model.safetensors")
    return folder
