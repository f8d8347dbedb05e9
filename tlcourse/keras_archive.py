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

from .errors import DamagedFile, TLCourseError, convert_errors
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
_LARGEST_NUMBER = 1 << 16  # of units, say, in a configuration; VGG16 has 25,088
_DEEPEST = 32  # lists and dictionaries within each other; a dozen in exports


def load_network(path: Path) -> "keras.Model":
    """Load a network that `tl.export` wrote, and nothing else; it is not compiled.

    Raises
    ------
    DamagedFile
        The file is damaged, or has something in it that no export has: another layer, a
        function, a link to another file, arrays that are not in the file.
    TLCourseError
        There is no free disk space for a temporary copy of the weights.
    """
    import_tensorflow()
    import keras

    what = f"{path} cannot be loaded as a Keras file"
    cure = "Copy the whole folder again, or take another variant."
    # Keras, zipfile and h5py raise a dozen kinds of exceptions.
    with convert_errors(Exception, DamagedFile, what, cure):
        config, weights = _read(path)
        _check_config(config)
        _check_weights(weights)
        network = keras.saving.deserialize_keras_object(config, safe_mode=True)
        # A copy of what was checked: the archive itself may change meanwhile.
        with tempfile.TemporaryDirectory(prefix="tlcourse-") as folder:
            copy, what = (
                Path(folder, WEIGHTS),
                f"The weights cannot be copied to {folder}",
            )
            cure = "Free disk space there, or set TMPDIR to another folder."
            with convert_errors(OSError, TLCourseError, what, cure):
                copy.write_bytes(weights)
            network.load_weights(copy)
    return network


def _refuse_unless(is_sound: object, reason: str) -> None:
    if not is_sound:
        raise ValueError(reason)


def _read(path: Path) -> tuple[Any, bytes]:
    """Configuration and weights, each once and not compressed."""
    _refuse_unless(path.stat().st_size <= _LARGEST_FILE, "it is too large")
    with zipfile.ZipFile(path) as archive:
        entries = archive.infolist()
        names = sorted(entry.filename for entry in entries)
        expected = sorted((CONFIG, WEIGHTS, METADATA))
        _refuse_unless(names == expected, f"it holds {', '.join(names[:5])}")
        for entry in entries:
            is_stored = entry.compress_type == zipfile.ZIP_STORED
            is_whole = entry.compress_size == entry.file_size
            _refuse_unless(is_stored and is_whole, "it was compressed")
        size = archive.getinfo(CONFIG).file_size
        _refuse_unless(size <= _LARGEST_CONFIG, f"its {CONFIG} is too large")
        return json.loads(archive.read(CONFIG)), archive.read(WEIGHTS)


def _check_weights(content: bytes) -> None:
    """Refuse what is not an array of numbers that lies in the file itself."""
    import h5py

    seen = set()
    with h5py.File(io.BytesIO(content), "r") as file:
        groups = [file]
        while groups:
            group = groups.pop()
            for name in group:
                is_inside = isinstance(group.get(name, getlink=True), h5py.HardLink)
                item: Any = group[name] if is_inside else None
                address = item and h5py.h5o.get_info(item.id).addr
                is_group = isinstance(item, h5py.Group)
                is_sound = (is_group or _is_plain(item)) and address not in seen
                where = f"its weights {group.name}/{name}"
                _refuse_unless(is_sound, f"{where} are no numbers in the file itself")
                seen.add(address)
                groups += [item] if is_group else []


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


def _check_config(part: Any, depth: int = 0) -> None:
    """Refuse other classes than those of exported networks, and larger numbers.

    Settings for `compile` are removed, also of networks within networks.
    """
    is_network = depth > 0 or part["class_name"] == "Functional"
    _refuse_unless(is_network, f"its {CONFIG} does not describe a network of layers")
    _refuse_unless(depth <= _DEEPEST, f"its {CONFIG} is nested too deep")
    if isinstance(part, dict):
        part.pop("compile_config", None)
        if "class_name" in part:
            _check_class(part)
        for key, value in part.items():
            # Integers under these names say nothing of a size.
            if key not in ("seed", "shared_object_id") or not isinstance(value, int):
                _check_config(value, depth + 1)
    elif isinstance(part, list):
        for value in part:
            _check_config(value, depth + 1)
    elif isinstance(part, int):
        reason = f"its {CONFIG} asks for {part:,} of something"
        _refuse_unless(abs(part) <= _LARGEST_NUMBER, reason)


def _check_class(part: dict) -> None:
    name, module = part["class_name"], part.get("module")
    is_known = name in CLASSES.get(module, ())
    is_own = part.get("registered_name") in (None, name)
    what = ".".join(str(word) for word in (module, name) if word)[:80]
    layer = f"layer {str(part['name'])[:40]!r}" if "name" in part else CONFIG
    reason = f"its {layer} has a {what}, which no exported network has"
    _refuse_unless(is_known and is_own, reason)
