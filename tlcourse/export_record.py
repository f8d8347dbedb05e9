"""The record of an export: what is in it, and how it is checked."""

from pathlib import Path

from .errors import DamagedFile, UserInputError, printable
from .features.decoding import is_depth
from .features.resizing import MODES
from .files import read_json

FORMAT = "tlcourse export 2"
RECORD, LABELS, CARD = "record.json", "labels.txt", "MODEL_CARD.md"
VARIANTS = {"float32": "model.onnx", "int8": "model_int8.onnx"}
AGAIN = "Copy the whole folder again."
# What `tl.export` writes; its `about` adds others.
RECORDED = set(
    "format class_names classes input test files left_out backbone data training "
    "made".split()
)


def labels_text(names: list[str]) -> str:
    """The content of labels.txt: a class per line, in the order of the outputs."""
    return "\n".join(map(printable, names)) + "\n"


def read_record(folder: Path) -> dict:
    """Read the record of an export, and check its form."""
    path = folder / RECORD
    if not path.is_file():
        raise UserInputError(
            f"{folder} holds no {RECORD}; expected a folder that tl.export or `tlcourse "
            "train` wrote."
        )
    try:
        record = read_json(path, error=DamagedFile)
        names, classes = record["class_names"], record["classes"]
        sides = record["input"]["height"], record["input"]["width"]
        bits = record["input"].get("bits")
        checksums = [file["sha256"] for file in record["files"].values()]
        is_sound = (
            record["format"] == FORMAT
            and isinstance(names, list)
            and isinstance(classes, list)
            and len(names) == len(classes) > 1
            and {type(text) for text in (*names, *checksums)} == {str}
            and all(names)
            and len(set(names)) == len(names)
            and {type(label) for label in classes} in ({int}, {str}, {bool})
            and len(set(classes)) == len(classes)
            and all(isinstance(side, int) and 0 < side <= 4096 for side in sides)
            and (bits is None or is_depth(bits))
            and record["input"].get("resize", "squash") in MODES
            and isinstance(record["left_out"], dict)
        )
    except (DamagedFile, ValueError, KeyError, TypeError, AttributeError):
        is_sound = False
    if not is_sound:
        raise DamagedFile(f"{path} is not what tl.export wrote. {AGAIN}")
    return record
