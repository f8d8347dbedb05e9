"""A .keras archive, checked before Keras reads it.

A .keras file describes a network by the names of classes and functions, which Keras looks up and calls, and holds its
weights as HDF5, which can refer to other files. Keras' safe mode refuses Python code within the file; which functions
of its own it calls depends on the version (3.10 lets a file download another one). So only what `tl.export` writes
passes here: these layers, and arrays of numbers that lie in the archive itself.
"""

import io
import json
import tempfile
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .errors import DamagedFile, TLCourseError
from .native import import_tensorflow

if TYPE_CHECKING:
    import keras

CONFIG, WEIGHTS, METADATA = "config.json", "model.weights.h5", "metadata.json"
# Module → the classes of it that exported networks consist of.
CLASSES: dict[str | None, set[str]] = {
    "keras": {"DTypePolicy"},
    "keras.initializers": {
        "Constant",
        "GlorotUniform",
        "HeUniform",
        "Ones",
        "VarianceScaling",
        "Zeros",
    },
    "keras.layers": {
        *(
            "Activation",
            "Add",
            "AveragePooling2D",
            "BatchNormalization",
            "Concatenate",
            "Conv2D",
            "Dense",
        ),
        *(
            "DepthwiseConv2D",
            "Dropout",
            "Flatten",
            "GlobalAveragePooling2D",
            "GlobalMaxPooling2D",
            "InputLayer",
        ),
        *(
            "MaxPooling2D",
            "Multiply",
            "Normalization",
            "ReLU",
            "Rescaling",
            "Reshape",
            "SeparableConv2D",
        ),
        "ZeroPadding2D",
    },
    "keras.src.models.functional": {"Functional"},
    "keras.src.ops.numpy": {"Flip"},
    None: {"__keras_tensor__"},
}
_LARGEST_FILE, _LARGEST_CONFIG = (
    1 << 30,
    1 << 24,
)  # bytes; VGG16 with ImageNet's classes has 0.53 GB and 20 kB
_LARGEST_SIDE = 4096  # of a picture; no other number of a configuration is larger, unless an array has that many rows
_DEEPEST = 32  # lists and dictionaries within each other; in an export a dozen


class _Refusal(ValueError):
    """What no export has in it."""


def load_network(path: Path) -> "keras.Model":
    """Load a network that `tl.export` wrote, and nothing else.

    Parameters
    ----------
    path : Path
        A .keras file.

    Returns
    -------
    keras.Model
        Not compiled.

    Raises
    ------
    DamagedFile
        The file is damaged, or has something in it that no export has: another layer, a function, a link to another
        file, arrays larger than the file.
    TLCourseError
        There is no room for a copy of the weights in the folder for temporary files.
    """
    import_tensorflow()
    import keras

    try:
        parts = _read(path)
        config = _checked_config(parts[CONFIG], _largest_dimension(parts[WEIGHTS]))
        network = keras.saving.deserialize_keras_object(config, safe_mode=True)
        with tempfile.TemporaryDirectory(
            prefix="tlcourse-"
        ) as folder:  # what was checked, wherever the path leads now
            weights = Path(folder, WEIGHTS)
            _copy(parts[WEIGHTS], weights)
            network.load_weights(weights)
    except TLCourseError:
        raise
    except Exception as error:  # Keras, zipfile and h5py raise a dozen kinds
        kind = "" if isinstance(error, _Refusal) else f"{type(error).__name__}: "
        reason = str(error).strip().split("\n")[0][:200]
        raise DamagedFile(
            f"{path} cannot be loaded as a Keras file ({kind}{reason}). Copy the whole folder again, or take another "
            "variant."
        ) from error
    return network


def _copy(content: bytes, path: Path) -> None:
    try:
        path.write_bytes(content)
    except OSError as error:
        raise TLCourseError(
            f"The weights, {len(content) / 1e6:,.0f} MB, cannot be copied to {path.parent} ({error.strerror or error})."
            " Make room there, or set TMPDIR to another folder."
        ) from error


def _read(path: Path) -> dict[str, bytes]:
    """The archive's parts: those that Keras writes, each once, stored as they are, so none is larger than the file."""
    if path.stat().st_size > _LARGEST_FILE:
        raise _Refusal(
            f"it has {path.stat().st_size:,} bytes; no exported network has more than {_LARGEST_FILE:,}"
        )
    with zipfile.ZipFile(path) as archive:
        entries = archive.infolist()
        names = sorted(entry.filename for entry in entries)
        if names != sorted((CONFIG, WEIGHTS, METADATA)):
            raise _Refusal(
                f"it holds {', '.join(names[:5])[:120]}; expected {CONFIG}, {WEIGHTS} and {METADATA}"
            )
        if any(
            (entry.compress_type, entry.compress_size)
            != (zipfile.ZIP_STORED, entry.file_size)
            for entry in entries
        ):
            raise _Refusal("it was compressed, and Keras writes its files as they are")
        if archive.getinfo(CONFIG).file_size > _LARGEST_CONFIG:
            raise _Refusal(f"its {CONFIG} is larger than {_LARGEST_CONFIG:,} bytes")
        return {name: archive.read(name) for name in (CONFIG, WEIGHTS)}


def _largest_dimension(content: bytes) -> int:
    """Of all arrays in a file of weights, after making sure that they are numbers which lie in the file itself."""
    import h5py

    largest, total, seen = 0, 0, set()
    with h5py.File(io.BytesIO(content), "r") as file:
        waiting = [file]
        while waiting:
            group = waiting.pop()
            for name in group:
                link, found = group.get(name, getlink=True), None
                if isinstance(link, h5py.HardLink):
                    found = group[name]
                    address = h5py.h5o.get_info(found.id).addr
                    found = None if address in seen else found
                    seen.add(address)
                if isinstance(found, h5py.Group):
                    waiting.append(found)
                elif not isinstance(found, h5py.Dataset) or not _is_plain(found):
                    raise _Refusal(
                        f"its weights {group.name}/{name} are not numbers that lie in the file itself"
                    )
                else:
                    total += found.nbytes
                    largest = max(largest, *found.shape, 0)
    if total > len(content):
        raise _Refusal(f"its weights claim {total:,} bytes and have {len(content):,}")
    return largest


def _is_plain(array: Any) -> bool:
    """Whether an HDF5 dataset is numbers, not compressed, all written, and in this file."""
    elsewhere = (
        array.external is not None or array.is_virtual or array.chunks is not None
    )
    return (
        array.dtype.kind in "fiu"
        and not elsewhere
        and array.id.get_storage_size() == array.nbytes
    )


def _checked_config(content: bytes, largest: int) -> dict:
    """The network's configuration, after making sure that it names nothing but the classes of exported networks."""
    config = json.loads(content)
    if not isinstance(config, dict) or config.get("class_name") != "Functional":
        raise _Refusal(f"its {CONFIG} does not describe a network of layers")
    waiting: list[tuple[Any, int]] = [(config, 0)]
    while waiting:
        part, depth = waiting.pop()
        if depth > _DEEPEST:
            raise _Refusal(f"its {CONFIG} is nested more than {_DEEPEST} deep")
        if isinstance(part, dict):
            part.pop("compile_config", None)  # of a network within a network, too
            if "class_name" in part:
                _check_class(part)
            waiting += [
                (value, depth + 1)
                for key, value in part.items()
                if not _is_arbitrary(key, value)
            ]
        elif isinstance(part, list):
            waiting += [(value, depth + 1) for value in part]
        elif isinstance(part, int) and abs(part) > max(largest, _LARGEST_SIDE):
            raise _Refusal(
                f"its {CONFIG} asks for {part:,} of something, and its largest array has {largest:,} rows"
            )
    return config


def _is_arbitrary(key: str, value: object) -> bool:
    """Whether it is a number that says nothing of a size; anything else under these names is checked as elsewhere."""
    return key in ("seed", "shared_object_id") and isinstance(value, int)


def _check_class(part: dict) -> None:
    name, module = part["class_name"], part.get("module")
    if name not in CLASSES.get(module, ()) or part.get("registered_name") not in (
        None,
        name,
    ):
        what = ".".join(str(word) for word in (module, name) if word)[:80]
        layer = f"layer {str(part['name'])[:40]!r}" if "name" in part else f"{CONFIG}"
        function = f" {str(part.get('config'))[:40]!r}" if name == "function" else ""
        raise _Refusal(
            f"its {layer} has a {what}{function}, which no exported network has"
        )
