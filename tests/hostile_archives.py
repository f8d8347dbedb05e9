"""Keras archives that try to do more than describe a network; damage to any file."""

import io
import json
import zipfile
from collections.abc import Callable, Iterator
from copy import deepcopy
from functools import partial
from pathlib import Path

import h5py
import numpy as np

CONFIG, WEIGHTS, METADATA = "config.json", "model.weights.h5", "metadata.json"
KERNEL = "layers/conv2d/vars/0"  # where Keras keeps the first convolution's weights
TOO_LARGE = 10**9  # rows of a matrix that fits into no machine's memory
MARKER, SECRET = "marker.txt", "secret.txt"
Parts = dict[str, bytes]


def archives() -> dict[str, Callable[[Parts, Path], bytes]]:
    """Name → what makes the archive of a sound one; `MARKER` must not appear."""
    made = {}
    for name, function in globals().items():
        if name.startswith("archive_"):
            made[name.removeprefix("archive_").replace("_", " ")] = function
        elif name.startswith("weights_"):
            made[name.replace("_", " ")] = partial(with_weights, function)
    return made


def read_parts(path: Path) -> Parts:
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def zipped(parts: Parts, compression: int = zipfile.ZIP_STORED) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", compression) as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    return file.getvalue()


# --- programs in the configuration ---


def with_config(parts: Parts, config: object) -> bytes:
    return zipped({**parts, CONFIG: json.dumps(config).encode()})


def with_layer(parts: Parts, layer: dict, argument: str | None = None) -> bytes:
    """The archive with another layer in place of the one that scales pixels."""
    config = json.loads(parts[CONFIG])
    old = config["config"]["layers"][1]
    nodes = deepcopy(old["inbound_nodes"])
    if argument is not None:  # called before there are any pixels
        nodes.insert(0, {"args": [], "kwargs": {"inputs": argument}})
    plain = {"module": "keras.layers", "registered_name": None, "name": old["name"]}
    layer = {**plain, "inbound_nodes": nodes, **layer}
    layer["config"] = {"name": old["name"], **layer["config"]}
    config["config"]["layers"][1] = layer
    return with_config(parts, config)


def with_setting(parts: Parts, layer: int, **settings: object) -> bytes:
    config = json.loads(parts[CONFIG])
    config["config"]["layers"][layer]["config"].update(settings)
    return with_config(parts, config)


def download() -> dict:
    """A function of Keras that fetches a file."""
    where = {"module": "keras.utils", "registered_name": "get_file"}
    return {"class_name": "function", "config": "get_file", **where}


def archive_Lambda_that_downloads(parts: Parts, folder: Path) -> bytes:
    """It is called while the network is put together."""
    chosen = {"origin": (folder / SECRET).as_uri(), "cache_dir": str(folder)}
    chosen |= {"cache_subdir": ".", "force_download": True}
    config = {"function": download(), "arguments": chosen}
    return with_layer(parts, {"class_name": "Lambda", "config": config}, MARKER)


def archive_layer_inside_layers(parts: Parts, folder: Path) -> bytes:
    """The Lambda sits in a network within a layer that wraps another."""
    keras = {"module": "keras.layers", "registered_name": None}
    config = {"name": "evil", "function": download()}
    evil = {**keras, "class_name": "Lambda", "config": config}
    inner = {"name": "inner", "layers": [evil]}
    inner = {**keras, "module": "keras", "class_name": "Sequential", "config": inner}
    wrapped = {"class_name": "TimeDistributed", "config": {"layer": inner}}
    return with_layer(parts, wrapped)


def hidden_config(parts: Parts, folder: Path) -> dict:
    """Of a network whose second layer downloads a file."""
    archive = archive_Lambda_that_downloads(parts, folder)
    with zipfile.ZipFile(io.BytesIO(archive)) as file:
        return json.loads(file.read(CONFIG))


def archive_download_as_loss(parts: Parts, folder: Path) -> bytes:
    """In a network that is a layer: `compile=False` is said of the outermost alone."""
    config = json.loads(parts[CONFIG])
    inner = deepcopy(config)
    inner["compile_config"] = {"optimizer": "sgd", "loss": download()}
    inner["config"]["name"] = "inner"
    config["config"]["layers"][1] = {**inner, "name": "inner", "inbound_nodes": []}
    return with_config(parts, config)


def archive_network_as_seed(parts: Parts, folder: Path) -> bytes:
    """Keras builds whatever an initializer's seed describes."""
    config = json.loads(parts[CONFIG])
    initializer = config["config"]["layers"][2]["config"]["kernel_initializer"]
    initializer["config"]["seed"] = hidden_config(parts, folder)
    return with_config(parts, config)


def archive_registered_class(parts: Parts, folder: Path) -> bytes:
    """The name of one that another package has registered with Keras."""
    known = {"class_name": "ReLU", "registered_name": "hostile>Writer"}
    return with_layer(parts, {**known, "config": {}})


def archive_layer_without_module(parts: Parts, folder: Path) -> bytes:
    """Without a module, Keras takes the way of its older formats."""
    layer = {"module": None, "class_name": "Lambda"}
    return with_layer(parts, {**layer, "config": {"function": download()}})


def archive_download_as_activation(parts: Parts, folder: Path) -> bytes:
    return with_setting(parts, 2, activation=download())


def archive_deeply_nested_configuration(parts: Parts, folder: Path) -> bytes:
    return zipped({**parts, CONFIG: b'{"a":' * 100_000 + b"1" + b"}" * 100_000})


def archive_too_many_units(parts: Parts, folder: Path) -> bytes:
    return with_setting(parts, -1, units=TOO_LARGE)


# --- what HDF5 can do: functions of the weights' file, a kernel, and a folder ---


def weights_external_link(file, kernel, folder):
    path = secret_weights(folder, kernel.shape)
    file[KERNEL] = h5py.ExternalLink(str(path), "weights")


def weights_external_storage(file, kernel, folder):
    """The bytes of any file on this machine, as weights."""
    path = folder / "secret.bin"
    path.write_bytes(np.full(kernel.size, 7, np.float32).tobytes())
    place = [(str(path), 0, kernel.nbytes)]
    file.create_dataset(KERNEL, kernel.shape, np.float32, external=place)


def weights_virtual_dataset(file, kernel, folder):
    path, shape = secret_weights(folder, kernel.shape), kernel.shape
    layout = h5py.VirtualLayout(shape, np.float32)
    layout[...] = h5py.VirtualSource(path, "weights", shape=shape)
    file.create_virtual_dataset(KERNEL, layout)


def weights_that_unfold(file, kernel, folder):
    packed = {"chunks": (1000, 1000), "compression": "gzip"}
    file.create_dataset(KERNEL, (TOO_LARGE, 1000), np.float32, **packed)


def weights_group_within_itself(file, kernel, folder):
    file["layers/again"] = file["/"]


def weights_never_written(file, kernel, folder):
    file.create_dataset(KERNEL, (TOO_LARGE, 1000), np.float32)


def weights_of_text(file, kernel, folder):
    file.create_dataset(KERNEL, data=["text"] * 9, dtype=h5py.string_dtype())


def with_weights(change: Callable, parts: Parts, folder: Path) -> bytes:
    """The archive with something else in place of the first kernel."""
    file = io.BytesIO(parts[WEIGHTS])
    with h5py.File(file, "r+") as weights:
        kernel = np.asarray(weights[KERNEL])
        del weights[KERNEL]
        change(weights, kernel, folder)
    return zipped({**parts, WEIGHTS: file.getvalue()})


def secret_weights(folder: Path, shape: tuple[int, ...]) -> Path:
    """Somebody's weights beside the archive: all 7."""
    with h5py.File(folder / "secret.h5", "w") as file:
        file["weights"] = np.full(shape, 7, np.float32)
    return folder / "secret.h5"


# --- what a zip file can do ---


def archive_two_configurations(parts: Parts, folder: Path) -> bytes:
    """A check that reads the first, and a reader that takes the last, see two."""
    file = io.BytesIO(zipped(parts))
    with zipfile.ZipFile(file, "a") as archive:
        archive.writestr(CONFIG, json.dumps(hidden_config(parts, folder)))
    return file.getvalue()


def archive_entry_outside(parts: Parts, folder: Path) -> bytes:
    names = (f"../{MARKER}", f"assets/../../{MARKER}", str(folder / MARKER))
    return zipped({**parts, **dict.fromkeys(names, b"")})


def archive_weights_that_the_zip_unfolds(parts: Parts, folder: Path) -> bytes:
    unfolded = {**parts, WEIGHTS: parts[WEIGHTS] + bytes(300 << 20)}
    return zipped(unfolded, zipfile.ZIP_DEFLATED)


def archive_configuration_under_two_names(parts: Parts, folder: Path) -> bytes:
    """The local header calls it otherwise than the directory at the end."""
    content = zipped(parts)
    return content.replace(CONFIG.encode(), b"konfig.json", 1)


def mutated(content: bytes, rng: np.random.Generator) -> bytes:
    """A damaged file: bits altered, bytes copied, left out or repeated, the end lost."""
    data = bytearray(content)
    for _ in range(int(rng.integers(1, 5))):
        if not data:
            break
        place, other = (int(number) for number in rng.integers(0, len(data), 2))
        some = data[other : other + int(rng.integers(1, 65))]
        end = place + len(some)
        number = int(rng.choice([0, 1, -1, 2**31 - 1, -(2**31), 2**16]))
        kind = rng.integers(0, 7)
        if kind == 0:
            data[place] ^= 1 << int(rng.integers(0, 8))
        elif kind == 1:
            data[place] = int(rng.choice([0, 1, 0x7F, 0x80, 0xFF]))
        elif kind == 2:
            data[place:end] = some
        elif kind == 3:
            del data[place:end]
        elif kind == 4:
            data[place:place] = some
        elif kind == 5:
            data[place : place + 4] = number.to_bytes(4, "little", signed=True)
        else:
            del data[place:]
    return bytes(data)


def mutations(content: bytes, count: int, seed: int = 0) -> Iterator[bytes]:
    rng = np.random.default_rng(seed)
    return (mutated(content, rng) for _ in range(count))


ODD_NUMBERS = (None, True, -1, 0, 10**400, 1e308, float("nan"), float("inf"))
ODD_VALUES = (*ODD_NUMBERS, "", "\ud800", "../..", "9" * 500, [], [[]], {}, {"": 1})


def mutations_of_json(content: dict, count: int, seed: int = 0) -> Iterator[bytes]:
    """The content as JSON with one to three values left out or replaced by odd ones."""
    rng = np.random.default_rng(seed)
    for _ in range(count):
        changed = {"": deepcopy(content)}
        for _ in range(int(rng.integers(1, 4))):
            places = _places(changed)
            owner, key = places[int(rng.integers(0, len(places)))]
            if rng.random() < 0.2 and key != "":
                del owner[key]
            else:
                owner[key] = deepcopy(ODD_VALUES[int(rng.integers(0, len(ODD_VALUES)))])
        yield json.dumps(changed[""]).encode()


def _places(part: object) -> list[tuple]:
    """Every place of a value in it, as its owner and the key there."""
    if not isinstance(part, dict | list):
        return []
    pairs = list(part.items() if isinstance(part, dict) else enumerate(part))
    inside = [place for _, value in pairs for place in _places(value)]
    return [(part, key) for key, _ in pairs] + inside
