"""A .keras archive, checked before Keras reads it.

A .keras file describes a network by the names of classes and functions, which Keras
looks up and calls, and holds its weights as HDF5, which can refer to other files. Keras'
safe mode refuses Python code within the file; which functions of its own it calls
depends on the version (3.10 lets a file download another one). So only what `tl.export`
writes passes here: these layers, and arrays of numbers that lie in the archive itself.
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
_LAYERS = """Activation Add AveragePooling2D BatchNormalization Concatenate Conv2D Dense
DepthwiseConv2D Dropout Flatten GlobalAveragePooling2D GlobalMaxPooling2D InputLayer
MaxPooling2D Multiply Normalization ReLU Rescaling Reshape SeparableConv2D
ZeroPadding2D"""
_INITIALIZERS = "Constant GlorotUniform HeUniform Ones VarianceScaling Zeros"
# Module → the classes of it that exported networks consist of.
CLASSES: dict[str | None, set[str]] = {
    "keras": {"DTypePolicy"},
    "keras.initializers": set(_INITIALIZERS.split()),
    "keras.layers": set(_LAYERS.split()),
    "keras.src.models.functional": {"Functional"},
    "keras.src.ops.numpy": {"Flip"},
    None: {"__keras_tensor__"},
}
# Bytes; VGG16 with ImageNet's classes has 0.53 GB and 20 kB.
_LARGEST_FILE, _LARGEST_CONFIG = 1 << 30, 1 << 24
# Of a picture; no other number of a configuration is larger, unless an array has that
# many rows.
_LARGEST_SIDE = 4096
_DEEPEST = 32  # lists and dictionaries within each other; in an export a dozen


def load_network(path: Path) -> "keras.Model":
    """Load a network that `tl.export` wrote, and nothing else; it is not compiled.

    Raises
    ------
    DamagedFile
        The file is damaged, or has something in it that no export has: another layer, a
        function, a link to another file, arrays larger than the file.
    TLCourseError
        There is no room for a copy of the weights in the folder for temporary files.
    """
    import_tensorflow()
    import keras

    try:
        parts = _read(path)
        config = _checked_config(parts[CONFIG], _largest_dimension(parts[WEIGHTS]))
        network = keras.saving.deserialize_keras_object(config, safe_mode=True)
        # A copy of what was checked, wherever the path leads now.
        with tempfile.TemporaryDirectory(prefix="tlcourse-") as folder:
            network.load_weights(_copy(parts[WEIGHTS], Path(folder, WEIGHTS)))
    except TLCourseError:
        raise
    except Exception as error:  # Keras, zipfile and h5py raise a dozen kinds
        reason = str(error).strip().split("\n")[0][:200]
        raise DamagedFile(
            f"{path} cannot be loaded as a Keras file ({type(error).__name__}: "
            f"{reason}). Copy the whole folder again, or take another variant."
        ) from error
    return network


def _copy(content: bytes, path: Path) -> Path:
    try:
        path.write_bytes(content)
    except OSError as error:
        raise TLCourseError(
            f"The weights, {len(content) / 1e6:,.0f} MB, cannot be copied to "
            f"{path.parent} ({error.strerror or error}). Make room there, or set TMPDIR "
            "to another folder."
        ) from error
    return path


def _read(path: Path) -> dict[str, bytes]:
    """The archive's parts, each once and not compressed: none is larger than the file."""
    if path.stat().st_size > _LARGEST_FILE:
        raise ValueError(f"it is larger than {_LARGEST_FILE:,} bytes")
    with zipfile.ZipFile(path) as archive:
        entries = archive.infolist()
        names = sorted(entry.filename for entry in entries)
        if names != sorted((CONFIG, WEIGHTS, METADATA)):
            raise ValueError(f"it holds {', '.join(names[:5])}")
        for entry in entries:
            is_stored = entry.compress_type == zipfile.ZIP_STORED
            if not is_stored or entry.compress_size != entry.file_size:
                raise ValueError(
                    "it was compressed; Keras writes its files as they are"
                )
        if archive.getinfo(CONFIG).file_size > _LARGEST_CONFIG:
            raise ValueError(f"its {CONFIG} is larger than {_LARGEST_CONFIG:,} bytes")
        return {name: archive.read(name) for name in (CONFIG, WEIGHTS)}


def _largest_dimension(content: bytes) -> int:
    """Of all arrays of weights, which must be numbers that lie in the file itself."""
    import h5py

    largest, total, seen = 0, 0, set()
    with h5py.File(io.BytesIO(content), "r") as file:
        waiting = [file]
        while waiting:
            group = waiting.pop()
            for name in group:
                is_inside = isinstance(group.get(name, getlink=True), h5py.HardLink)
                found: Any = group[name] if is_inside else None
                address = found and h5py.h5o.get_info(found.id).addr
                if isinstance(found, h5py.Group) and address not in seen:
                    waiting.append(found)
                elif _is_plain(found) and address not in seen:
                    total += found.nbytes
                    largest = max(largest, *found.shape, 0)
                else:
                    raise ValueError(
                        f"its weights {group.name}/{name} are not numbers that lie in "
                        "the file itself"
                    )
                seen.add(address)
    if total > len(content):
        raise ValueError(f"its weights claim {total:,} bytes and have {len(content):,}")
    return largest


def _is_plain(array: Any) -> bool:
    """Whether it is an array of numbers, not compressed, all written, in this file."""
    import h5py

    return (
        isinstance(array, h5py.Dataset)
        and array.dtype.kind in "fiu"
        and array.external is None
        and not array.is_virtual
        and array.chunks is None
        and array.id.get_storage_size() == array.nbytes
    )


def _checked_config(content: bytes, largest: int) -> dict:
    """The network's configuration, which names only classes of exported networks."""
    config = json.loads(content)
    if not isinstance(config, dict) or config.get("class_name") != "Functional":
        raise ValueError(f"its {CONFIG} does not describe a network of layers")
    waiting: list[tuple[Any, int]] = [(config, 0)]
    while waiting:
        part, depth = waiting.pop()
        if depth > _DEEPEST:
            raise ValueError(f"its {CONFIG} is nested more than {_DEEPEST} deep")
        if isinstance(part, dict):
            part.pop("compile_config", None)  # of a network within a network, too
            if "class_name" in part:
                _check_class(part)
            for key, value in part.items():
                # Integers under these names say nothing of a size.
                is_free = key in ("seed", "shared_object_id") and isinstance(value, int)
                waiting += [] if is_free else [(value, depth + 1)]
        elif isinstance(part, list):
            waiting += [(value, depth + 1) for value in part]
        elif isinstance(part, int) and abs(part) > max(largest, _LARGEST_SIDE):
            raise ValueError(f"its {CONFIG} asks for {part:,} of something")
    return config


def _check_class(part: dict) -> None:
    name, module = part["class_name"], part.get("module")
    is_known = name in CLASSES.get(module, ())
    if not is_known or part.get("registered_name") not in (None, name):
        what = ".".join(str(word) for word in (module, name) if word)[:80]
        layer = f"layer {str(part['name'])[:40]!r}" if "name" in part else CONFIG
        raise ValueError(f"its {layer} has a {what}, which no exported network has")
