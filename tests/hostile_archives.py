"""Keras archives that try to do more than describe a network, each made from a sound one; and damage to any file."""

import base64
import io
import json
import marshal
import os
import stat
import zipfile
from collections.abc import Callable, Iterator
from copy import deepcopy
from pathlib import Path

import h5py
import numpy as np

CONFIG, WEIGHTS, METADATA = "config.json", "model.weights.h5", "metadata.json"
KERNEL = "layers/conv2d/vars/0"  # where Keras keeps the first convolution's weights
TOO_LARGE = 10**9  # rows of a matrix that fits into no machine's memory
MARKER, SECRET = "marker.txt", "secret.txt"
Parts = dict[str, bytes]


def read_parts(path: Path) -> Parts:
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def zipped(parts: Parts, compression: int = zipfile.ZIP_STORED) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", compression) as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    return file.getvalue()


def archives() -> dict[str, Callable[[Parts, Path], bytes]]:
    """Name → what makes the archive from a sound one; in the folder, `MARKER` must not appear."""
    made = {
        name: value for name, value in globals().items() if name.startswith("archive_")
    }
    return {
        name.removeprefix("archive_").replace("_", " "): make
        for name, make in made.items()
    }


# --- programs in the configuration ---


def with_layer(parts: Parts, layer: dict, argument: str | None = None) -> bytes:
    """The archive with another layer in place of the one that scales pixels."""
    config = json.loads(parts[CONFIG])
    old = config["config"]["layers"][1]
    nodes = deepcopy(old["inbound_nodes"])
    if argument is not None:
        nodes.insert(
            0, {"args": [], "kwargs": {"inputs": argument}}
        )  # called before there are any pixels
    layer = {
        "module": "keras.layers",
        "registered_name": None,
        "inbound_nodes": nodes,
        "name": old["name"],
        **layer,
    }
    layer["config"] = {"name": old["name"], **layer["config"]}
    config["config"]["layers"][1] = layer
    return zipped({**parts, CONFIG: json.dumps(config).encode()})


def with_setting(parts: Parts, layer: int, **settings: object) -> bytes:
    config = json.loads(parts[CONFIG])
    config["config"]["layers"][layer]["config"].update(settings)
    return zipped({**parts, CONFIG: json.dumps(config).encode()})


def function(module: str, name: str) -> dict:
    return {
        "class_name": "function",
        "config": name,
        "module": module,
        "registered_name": name,
    }


def calling(parts: Parts, what: dict, argument: str, **settings: object) -> bytes:
    """A Lambda layer that calls a function while the network is put together."""
    config = {"function": what, "arguments": settings}
    return with_layer(parts, {"class_name": "Lambda", "config": config}, argument)


def archive_Lambda_that_downloads(parts: Parts, folder: Path) -> bytes:
    source = (folder / SECRET).as_uri()
    chosen = {
        "origin": source,
        "cache_dir": str(folder),
        "cache_subdir": ".",
        "force_download": True,
    }
    return calling(parts, function("keras.utils", "get_file"), MARKER, **chosen)


def archive_Lambda_of_marshalled_code(parts: Parts, folder: Path) -> bytes:
    def program(x, path=str(folder / MARKER)):
        open(path, "w").close()
        return x

    code = base64.b64encode(marshal.dumps(program.__code__)).decode()
    what = {
        "class_name": "__lambda__",
        "config": {"code": code, "defaults": [str(folder / MARKER)], "closure": None},
    }
    return with_layer(parts, {"class_name": "Lambda", "config": {"function": what}})


def archive_Lambda_that_loads_a_legacy_file(parts: Parts, folder: Path) -> bytes:
    """Keras before 3.12 read .h5 models without safe mode."""
    code = "import pathlib"
    layers = [
        {
            "class_name": "Lambda",
            "config": {"name": "evil", "function": [code, None, None]},
        }
    ]
    with h5py.File(folder / "beside.h5", "w") as file:
        file.attrs["model_config"] = json.dumps(
            {"class_name": "Sequential", "config": {"layers": layers}}
        )
    return calling(
        parts, function("keras.saving", "load_model"), str(folder / "beside.h5")
    )


def archive_Lambda_of_the_operating_system(parts: Parts, folder: Path) -> bytes:
    return calling(parts, function("os", "system"), f"touch {folder / MARKER}")


def archive_Lambda_of_an_internal_function(parts: Parts, folder: Path) -> bytes:
    return calling(
        parts, function("keras.src.utils.file_utils", "makedirs"), str(folder / MARKER)
    )


def archive_class_of_the_operating_system(parts: Parts, folder: Path) -> bytes:
    started = {"args": ["touch", str(folder / MARKER)]}
    return with_layer(
        parts, {"module": "subprocess", "class_name": "Popen", "config": started}
    )


def archive_builtin_as_activation(parts: Parts, folder: Path) -> bytes:
    return with_setting(parts, 2, activation=function("builtins", "exec"))


def archive_download_as_activation(parts: Parts, folder: Path) -> bytes:
    return with_setting(parts, 2, activation=function("keras.utils", "get_file"))


def archive_download_as_initializer(parts: Parts, folder: Path) -> bytes:
    return with_setting(
        parts, 2, kernel_initializer=function("keras.utils", "get_file")
    )


def archive_registered_class(parts: Parts, folder: Path) -> bytes:
    """A class that another package has registered with Keras in this process."""
    _register()
    settings = {"marker": str(folder / MARKER)}
    registered = {
        "module": None,
        "class_name": "Writer",
        "registered_name": "hostile>Writer",
        "config": settings,
    }
    return with_layer(parts, registered)


def _register() -> None:
    import keras

    if keras.saving.get_registered_object("hostile>Writer"):
        return

    @keras.saving.register_keras_serializable(package="hostile", name="Writer")
    class Writer(keras.layers.Layer):
        def __init__(self, marker, **options):
            super().__init__(**options)
            Path(marker).touch()

        def call(self, x):
            return x


def archive_SavedModel(parts: Parts, folder: Path) -> bytes:
    """A TensorFlow program beside the archive, which writes a file when it is called."""
    import tensorflow as tf

    class Program(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec((None, 8, 8, 3), tf.float32)])
        def serve(self, x):
            tf.io.write_file(str(folder / MARKER), "")
            return {"output_0": x}

    program = Program()
    tf.saved_model.save(program, str(folder / "program"), signatures=program.serve)
    where = {"filepath": str(folder / "program"), "call_endpoint": "serving_default"}
    return with_layer(parts, {"class_name": "TFSMLayer", "config": where})


def archive_PyTorch_module(parts: Parts, folder: Path) -> bytes:
    module = {
        "class_name": "__bytes__",
        "config": {"value": "gASVHAAAAAAAAACMBXBvc2l4"},
    }
    return with_layer(
        parts, {"class_name": "TorchModuleWrapper", "config": {"module": module}}
    )


def archive_vocabulary_of_a_local_file(parts: Parts, folder: Path) -> bytes:
    where = {"vocabulary": str(folder / SECRET)}
    return with_layer(parts, {"class_name": "StringLookup", "config": where})


def archive_layer_inside_layers(parts: Parts, folder: Path) -> bytes:
    """The Lambda sits in a network within a layer that wraps another."""
    evil = {
        "module": "keras.layers",
        "class_name": "Lambda",
        "config": {"name": "evil", "function": function("keras.utils", "get_file")},
        "registered_name": None,
    }
    inner = {"name": "inner", "layers": [evil]}
    inner = {
        "module": "keras",
        "class_name": "Sequential",
        "config": inner,
        "registered_name": None,
    }
    return with_layer(
        parts, {"class_name": "TimeDistributed", "config": {"layer": inner}}
    )


def archive_layer_without_module(parts: Parts, folder: Path) -> bytes:
    """Without the key "module", Keras takes the way of its older formats."""
    config = json.loads(calling_config(parts, folder))
    del config["config"]["layers"][1]["module"]
    return zipped({**parts, CONFIG: json.dumps(config).encode()})


def calling_config(parts: Parts, folder: Path) -> bytes:
    with zipfile.ZipFile(
        io.BytesIO(archive_Lambda_that_downloads(parts, folder))
    ) as archive:
        return archive.read(CONFIG)


def archive_download_as_loss(parts: Parts, folder: Path) -> bytes:
    """Within a network that is a layer: `compile=False` is said of the outermost alone."""
    config = json.loads(parts[CONFIG])
    inner = deepcopy(config)
    inner["compile_config"] = {
        "optimizer": "sgd",
        "loss": function("keras.utils", "get_file"),
    }
    inner["config"]["name"] = "inner"
    config["config"]["layers"][1] = {**inner, "name": "inner", "inbound_nodes": []}
    return zipped({**parts, CONFIG: json.dumps(config).encode()})


def archive_network_as_seed(parts: Parts, folder: Path) -> bytes:
    """Keras builds whatever an initializer's seed describes."""
    return with_hidden_network(parts, folder, "seed")


def archive_network_as_number_of_a_shared_object(parts: Parts, folder: Path) -> bytes:
    return with_hidden_network(parts, folder, "shared_object_id")


def with_hidden_network(parts: Parts, folder: Path, key: str) -> bytes:
    """The archive with a network, one of whose layers downloads a file, in place of a number."""
    hidden = json.loads(calling_config(parts, folder))
    config = json.loads(parts[CONFIG])
    initializer = config["config"]["layers"][2]["config"]["kernel_initializer"]
    (initializer["config"] if key == "seed" else initializer)[key] = hidden
    return zipped({**parts, CONFIG: json.dumps(config).encode()})


def archive_no_network(parts: Parts, folder: Path) -> bytes:
    return zipped({**parts, CONFIG: json.dumps([json.loads(parts[CONFIG])]).encode()})


def archive_deeply_nested_configuration(parts: Parts, folder: Path) -> bytes:
    return zipped({**parts, CONFIG: b'{"a":' * 100_000 + b"1" + b"}" * 100_000})


def archive_too_many_units(parts: Parts, folder: Path) -> bytes:
    return with_setting(parts, -1, units=TOO_LARGE)


# --- what HDF5 can do ---


def with_weights(
    parts: Parts, change: Callable[[h5py.File, np.ndarray], object]
) -> bytes:
    """The archive with the first kernel taken out of its weights and something else put there."""
    file = io.BytesIO(parts[WEIGHTS])
    with h5py.File(file, "r+") as weights:
        kernel = np.asarray(weights[KERNEL])
        del weights[KERNEL]
        change(weights, kernel)
    return zipped({**parts, WEIGHTS: file.getvalue()})


def secret_weights(folder: Path, shape: tuple[int, ...]) -> Path:
    """Somebody's weights beside the archive: all 7."""
    with h5py.File(folder / "secret.h5", "w") as file:
        file["weights"] = np.full(shape, 7, np.float32)
    return folder / "secret.h5"


def archive_external_link(parts: Parts, folder: Path) -> bytes:
    def change(file, kernel):
        file[KERNEL] = h5py.ExternalLink(
            str(secret_weights(folder, kernel.shape)), "weights"
        )

    return with_weights(parts, change)


def archive_external_link_to_a_group(parts: Parts, folder: Path) -> bytes:
    def change(file, kernel):
        path = secret_weights(folder, kernel.shape)
        with h5py.File(path, "a") as secret:
            secret["0"], secret["1"] = (
                secret["weights"][()],
                np.full(kernel.shape[-1], 7, np.float32),
            )
        group = KERNEL.rpartition("/")[0]
        del file[group]
        file[group] = h5py.ExternalLink(str(path), "/")

    return with_weights(parts, change)


def archive_soft_link(parts: Parts, folder: Path) -> bytes:
    def change(file, kernel):
        file["elsewhere"], file[KERNEL] = kernel, h5py.SoftLink("/elsewhere")

    return with_weights(parts, change)


def archive_external_storage(parts: Parts, folder: Path) -> bytes:
    """The bytes of any file on this machine, as weights."""

    def change(file, kernel):
        (folder / "secret.bin").write_bytes(
            np.full(kernel.size, 7, np.float32).tobytes()
        )
        place = [(str(folder / "secret.bin"), 0, kernel.nbytes)]
        file.create_dataset(KERNEL, kernel.shape, np.float32, external=place)

    return with_weights(parts, change)


def archive_virtual_dataset(parts: Parts, folder: Path) -> bytes:
    def change(file, kernel):
        layout = h5py.VirtualLayout(kernel.shape, np.float32)
        layout[...] = h5py.VirtualSource(
            secret_weights(folder, kernel.shape), "weights", shape=kernel.shape
        )
        file.create_virtual_dataset(KERNEL, layout)

    return with_weights(parts, change)


def archive_weights_that_unfold(parts: Parts, folder: Path) -> bytes:
    def change(file, kernel):
        file.create_dataset(
            KERNEL,
            (TOO_LARGE, 1000),
            np.float32,
            chunks=(1000, 1000),
            compression="gzip",
        )

    return with_weights(parts, change)


def archive_weights_never_written(parts: Parts, folder: Path) -> bytes:
    return with_weights(
        parts,
        lambda file, kernel: file.create_dataset(KERNEL, (TOO_LARGE, 1000), np.float32),
    )


def archive_weights_of_text(parts: Parts, folder: Path) -> bytes:
    def change(file, kernel):
        file.create_dataset(KERNEL, data=["text"] * 9, dtype=h5py.string_dtype())

    return with_weights(parts, change)


def archive_group_within_itself(parts: Parts, folder: Path) -> bytes:
    return with_weights(
        parts, lambda file, kernel: file.__setitem__("layers/again", file["/"])
    )


# --- what a zip file can do ---


def archive_two_configurations(parts: Parts, folder: Path) -> bytes:
    """A check that reads the first, and a reader that takes the last, see different networks."""
    file = io.BytesIO(zipped(parts))
    with zipfile.ZipFile(file, "a") as archive:
        archive.writestr(CONFIG, calling_config(parts, folder))
    return file.getvalue()


def archive_configuration_under_two_names(parts: Parts, folder: Path) -> bytes:
    """The local header calls it otherwise than the directory at the end."""
    content = zipped(parts)
    return content.replace(CONFIG.encode(), b"konfig.json", 1)


def archive_entry_outside(parts: Parts, folder: Path) -> bytes:
    return zipped(
        {
            **parts,
            f"../{MARKER}": b"",
            f"assets/../../{MARKER}": b"",
            str(folder / MARKER): b"",
        }
    )


def archive_symbolic_link(parts: Parts, folder: Path) -> bytes:
    file = io.BytesIO(zipped(parts))
    link = zipfile.ZipInfo("assets")
    link.create_system, link.external_attr = 3, (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(file, "a") as archive:
        archive.writestr(link, str(folder))
        archive.writestr(f"assets/{MARKER}", b"")
    return file.getvalue()


def archive_other_weights(parts: Parts, folder: Path) -> bytes:
    """NumPy's form of weights, which can hold pickled objects."""
    file = io.BytesIO()
    np.savez(file, __root__=np.array([_Program(str(folder / MARKER))], object))
    return zipped(
        {
            CONFIG: parts[CONFIG],
            METADATA: parts[METADATA],
            "model.weights.npz": file.getvalue(),
        }
    )


class _Program:
    def __init__(self, marker: str) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple:
        return os.mkdir, (self.marker,)


def archive_configuration_that_unfolds(parts: Parts, folder: Path) -> bytes:
    return zipped(
        {**parts, CONFIG: parts[CONFIG] + b" " * (300 << 20)}, zipfile.ZIP_DEFLATED
    )


def archive_weights_that_the_zip_unfolds(parts: Parts, folder: Path) -> bytes:
    return zipped(
        {**parts, WEIGHTS: parts[WEIGHTS] + bytes(300 << 20)}, zipfile.ZIP_DEFLATED
    )


def archive_thousands_of_entries(parts: Parts, folder: Path) -> bytes:
    return zipped({**parts, **{f"assets/{number}": b"" for number in range(10_000)}})


def mutated(content: bytes, rng: np.random.Generator) -> bytes:
    """A damaged file: bits and bytes altered, runs of bytes copied elsewhere, left out or repeated, the end lost."""
    data = bytearray(content)
    for _ in range(int(rng.integers(1, 5))):
        if not data:
            break
        place, other = (int(number) for number in rng.integers(0, len(data), 2))
        length = int(rng.integers(1, 65))
        kind = rng.integers(0, 7)
        if kind == 0:
            data[place] ^= 1 << int(rng.integers(0, 8))
        elif kind == 1:
            data[place] = int(
                rng.choice([0, 1, 0x7F, 0x80, 0xFF, int(rng.integers(0, 256))])
            )
        elif kind == 2:
            data[place : place + length] = data[other : other + length]
        elif kind == 3:
            del data[place : place + length]
        elif kind == 4:
            data[place:place] = data[other : other + length]
        elif kind == 5:
            number = (
                int(rng.choice([0, 1, -1, 2**31 - 1, -(2**31), 2**16])) & 0xFFFFFFFF
            )
            data[place : place + 4] = number.to_bytes(4, "little")
        else:
            del data[int(len(data) * rng.random()) :]
    return bytes(data)


def mutations(content: bytes, count: int, seed: int = 0) -> Iterator[bytes]:
    rng = np.random.default_rng(seed)
    return (mutated(content, rng) for _ in range(count))


ODD_VALUES = (
    None,
    True,
    -1,
    0,
    10**400,
    1e308,
    float("nan"),
    float("inf"),
    "",
    "\ud800",
    "../..",
    "9" * 500,
    [],
    [[]],
    {},
    {"": 1},
)


def mutations_of_json(content: dict, count: int, seed: int = 0) -> Iterator[bytes]:
    """The content as JSON, with odd values in place of one to three of its own, or without these."""
    rng = np.random.default_rng(seed)
    for _ in range(count):
        changed = {"": deepcopy(content)}
        for _ in range(int(rng.integers(1, 4))):
            owner, key = _places(changed)[int(rng.integers(0, len(_places(changed))))]
            if rng.random() < 0.2 and key != "":
                del owner[key]
            else:
                owner[key] = deepcopy(ODD_VALUES[int(rng.integers(0, len(ODD_VALUES)))])
        yield json.dumps(changed[""]).encode()


def _places(part: object) -> list[tuple]:
    pairs = (
        list(part.items() if isinstance(part, dict) else enumerate(part))
        if isinstance(part, dict | list)
        else []
    )
    return [(part, key) for key, _ in pairs] + [
        place for _, value in pairs for place in _places(value)
    ]
