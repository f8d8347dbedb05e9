"""Measure what the README claims and write it to benchmarks/results.json and into the README's table.

    python benchmarks/measure.py                measure everything (an hour or two: most of it is lesson 01's curves)
    python benchmarks/measure.py demo lessons   measure these parts again and keep the others
    python benchmarks/measure.py --readme       only write the README's table anew from results.json

Nothing here passes or fails: it prints and records. Times are of this machine, which is named beside them.
"""

import argparse
import json
import os
import platform
import re
import statistics
import subprocess
import sys
import tempfile
import time
from importlib import metadata
from pathlib import Path

import block_costs
import dask_features
import misuse
import network
import own_pictures
import sentiment
import studies
import tuning
import widgets
from nbclient.exceptions import CellExecutionError
from peers.driving import mean_sd
from peers.report import table as bench_table

from tlcourse.files import write_atomically

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "benchmarks" / "results.json"
PICTURE = ROOT / "benchmarks" / "solar.png"
README = ROOT / "README.md"
SEEDS = (0, 1, 2, 3, 4)
NOTES = "measured"  # part → when it was measured; not of "bench", whose parts say it themselves
START, END = "<!-- measured: begin -->", "<!-- measured: end -->"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parts = {
        "import": import_time,
        "demo": demo,
        "solar": solar,
        "dogs": dogs,
        "kanji": studies.kanji,
        "solar_tuning": studies.solar_tuning,
        "curves": studies.curves,
        "sentiment": sentiment.sentiment,
        "misuse": misuse.misuse,
        "tuning": tuning.tuning,
        "own_pictures": own_pictures.own_pictures,
        "distributed": dask_features.dask_features,
        "blocks": block_costs.blocks,
        "widgets": widgets.widgets,
        "network": network.network,
        "lessons": lessons,  # last: they read what was measured before them
    }
    parser.add_argument(
        "parts", nargs="*", help=f"out of {', '.join(parts)}; none: all"
    )
    parser.add_argument(
        "--readme",
        action="store_true",
        help="measure nothing, write the README's table anew",
    )
    arguments = parser.parse_args()
    if set(arguments.parts) - set(parts):
        parser.error(
            f"there are no parts {', '.join(set(arguments.parts) - set(parts))}"
        )
    if not arguments.readme:
        os.environ.update(lesson_builder().packs_beside())
        measure(
            {
                name: part
                for name, part in parts.items()
                if not arguments.parts or name in arguments.parts
            }
        )
    results = json.loads(RESULTS.read_text(encoding="utf-8"))
    README.write_text(
        with_table(README.read_text(encoding="utf-8"), results), encoding="utf-8"
    )
    picture(results)
    lesson_builder().renew_banners()
    print("written: the README's table and picture, the lessons' banners")


def noted(results: dict, *parts: str, **conditions) -> dict:
    """The results with a note of when these parts were measured: today, with this commit, under these conditions."""
    note = {"date": time.strftime("%Y-%m-%d"), "commit": commit(), **conditions}
    notes = results.get(NOTES, {}) | dict.fromkeys(parts, note)
    return results | {NOTES: {name: notes[name] for name in results if name in notes}}


def commit() -> str:
    told = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    return told.stdout.strip()


def write_results(results: dict, file: Path | None = None) -> None:
    """Write the measured results, all of them or, where that cannot be, none: the file keeps what it had.

    Hours of work may be in them, so they are printed where the disk does not take them.
    """
    file, text = (
        file or RESULTS,
        json.dumps(results, indent=2, ensure_ascii=False) + "\n",
    )
    try:
        write_atomically(file, lambda to: to.write(text.encode()))
    except OSError as error:
        sys.exit(
            f"{text}{file} could not be written ({error.strerror or error}) and is as it was. What was measured stands "
            "above: make room, and copy it there."
        )


def measure(parts: dict) -> None:
    """One part after the other, each in a process of its own where it measures time or memory.

    Each is written as soon as it is there: whatever stops a later one, hours of work are not lost with it.
    """
    here = machine()
    for name, part in parts.items():
        start = time.perf_counter()
        found = part()
        print(
            f"{name}: {json.dumps(found)} ({time.perf_counter() - start:.0f} s)",
            flush=True,
        )
        known = json.loads(RESULTS.read_text(encoding="utf-8"))
        write_results(
            noted(
                known | {"machine": here, name: found},
                name,
                gigaflops=here["gigaflops"],
            )
        )


def machine() -> dict:
    packages = (
        "tensorflow-cpu",
        "tensorflow",
        "onnxruntime",
        "keras",
        "scikit-learn",
        "pillow",
        "numpy",
    )
    versions = {}
    for name in packages:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return {
        "system": f"{platform.system()} {platform.machine()}",
        "cores": os.cpu_count(),
        "gigaflops": _gigaflops(),
        "python": platform.python_version(),
        "versions": versions,
        "commit": commit(),
        "date": time.strftime("%Y-%m-%d"),
    }


def _gigaflops() -> int:
    """Speed of a float32 matrix multiplication, the median of nine: to compare the times of two machines by."""
    import numpy as np

    matrix, speeds = np.ones((2000, 2000), np.float32), []
    for _ in range(10):
        start = time.perf_counter()
        matrix @ matrix
        speeds.append(2 * 2000**3 / (time.perf_counter() - start) / 1e9)
    return round(statistics.median(speeds[1:]))


def import_time() -> dict:
    """Milliseconds of `import tlcourse` in fresh processes, the interpreter's own start not counted."""
    code = "import time; start = time.perf_counter(); import tlcourse; print((time.perf_counter() - start) * 1000)"
    times = [float(_python(code)) for _ in range(6)][1:]
    return {
        "milliseconds": round(statistics.median(times), 1),
        "n": len(times),
        "max": round(max(times), 1),
    }


def demo() -> dict:
    """The demo as a newcomer runs it, three times in fresh processes: seconds of work after TensorFlow's import."""
    code = (
        "import dataclasses, json, pathlib, sys; from tlcourse.demo import run_demo; "
        "result = run_demo(pathlib.Path(sys.argv[1]), say=lambda *text: None); "
        "print(json.dumps(dataclasses.asdict(result)))"
    )
    with tempfile.TemporaryDirectory() as folder:
        runs = [
            json.loads(_python(code, str(Path(folder) / "demo.png"))) for _ in range(3)
        ]
    seconds = [run["seconds"] for run in runs]
    return {
        "accuracy": round(runs[0]["accuracy"], 4),
        "plain_accuracy": round(runs[0]["plain_accuracy"], 4),
        "pictures": runs[0]["pictures"],
        "seconds": round(statistics.median(seconds), 1),
        "seconds_min": round(min(seconds), 1),
        "seconds_max": round(max(seconds), 1),
        "n": len(runs),
        "peak_megabytes": round(max(run["peak_megabytes"] for run in runs)),
    }


def solar() -> dict:
    """Linear probe on solar cells over five draws of the published 75/25 split, accuracy weighted as published."""
    import tlcourse as tl
    from tlcourse.demo import BLOCKS

    draws = [tl.load_dataset("solar", seed=seed) for seed in SEEDS]
    paths = [path for split in draws[0].splits.values() for path in split.images.paths]
    row_of = {path: row for row, path in enumerate(paths)}
    model = tl.load_pretrained_model()
    accuracies = {}
    for name, blocks in {"last_block": None, "four_blocks": BLOCKS}.items():
        features = model.extract_features(paths, blocks)
        scores = []
        for draw in draws:
            train, test = draw.train_and_validation, draw.test
            rows = [
                [row_of[path] for path in split.images.paths] for split in (train, test)
            ]
            probe = tl.train_classifier(
                features[rows[0]], train.labels, sample_weight=train.weights
            )
            scores.append(probe.score(features[rows[1]], test.labels, test.weights))
        accuracies[name] = mean_sd(scores)
    return accuracies


def dogs() -> dict:
    """Linear probe on the dogs at 1, 5, 20 and all labels of each breed, five draws each; {} where there are none."""
    import numpy as np

    import tlcourse as tl
    from tlcourse.errors import DatasetUnavailable

    try:
        data = tl.load_dataset("dogs")
    except DatasetUnavailable as error:
        print(error)
        return {}
    model = tl.load_pretrained_model()
    train, test = (
        model.extract_features(split.images) for split in (data.train, data.test)
    )
    curve = {}
    for count in (1, 5, 20, None):
        scores = []
        for seed in SEEDS:
            rows = (
                np.arange(len(train))
                if count is None
                else data.train.sample_rows(count, seed)
            )
            probe = tl.train_classifier(train[rows], data.train.labels[rows], seed=seed)
            scores.append(probe.score(test, data.test.labels))
        curve[str(count or "all")] = mean_sd(scores)
    return {
        "breeds": len(data.class_names),
        "train": len(data.train),
        "test": len(data.test),
        "accuracy": curve,
    }


def lessons() -> dict:
    """Seconds, the kernel's peak memory and whether it ran without internet: every lesson, in a fresh kernel.

    Memory is the kernel's own. Pages of mapped files, such as TensorFlow's library, are not counted: the system takes
    them back where it needs room, and how many are resident differs between machines by hundreds of megabytes.
    """
    build = lesson_builder()
    import nbformat

    os.environ.update(build.ENVIRONMENT)
    costs = {}
    for source in build.sources([]):
        offline = True
        try:
            seconds, megabytes = run_lesson(build, nbformat, source, NO_INTERNET)
        except CellExecutionError:
            offline = False
            seconds, megabytes = run_lesson(build, nbformat, source)
        costs[source.stem] = {
            "seconds": round(seconds),
            "peak_megabytes": megabytes,
            "offline": offline,
        }
        print(f"  {source.stem}: {costs[source.stem]}", flush=True)
    return costs


NO_INTERNET = """
import socket

_look_up = socket.getaddrinfo

def _look_up_here(host, *arguments, **options):
    name = host.decode() if isinstance(host, bytes) else host
    if name not in (None, "localhost", "::1") and not name.startswith("127."):
        raise OSError("there is no internet in this measurement")
    return _look_up(host, *arguments, **options)

socket.getaddrinfo = _look_up_here  # create_connection asks it, too
"""


OWN_MEMORY = """
import re, threading, time

def _watch():
    while True:
        with open("/proc/self/status") as status:
            _kibibytes.append(int(re.search(r"RssAnon:\\s*(\\d+)", status.read())[1]))
        time.sleep(0.05)

_kibibytes = []
threading.Thread(target=_watch, daemon=True).start()
"""


def run_lesson(build, nbformat, source: Path, first: str = "") -> tuple[float, int]:
    """Seconds and megabytes of one lesson, with an empty cache, as a newcomer's is, and without progress."""
    notebook = build.convert(source)
    peak = "print(round(max(_kibibytes) * 1024 / 1e6))"
    notebook.cells.insert(0, nbformat.v4.new_code_cell(first + OWN_MEMORY))
    notebook.cells.append(nbformat.v4.new_code_cell(peak))
    with tempfile.TemporaryDirectory() as empty:
        os.environ["TLCOURSE_CACHE"], os.environ["TLCOURSE_PROGRESS"] = (
            empty,
            str(Path(empty, "progress.json")),
        )
        start = time.perf_counter()
        build.execute(notebook)
        seconds = time.perf_counter() - start
    return seconds, int(notebook.cells[-1].outputs[0]["text"])


def lesson_builder():
    sys.path.insert(0, str(ROOT / "notebooks"))
    import build

    return build


def with_table(readme: str, results: dict) -> str:
    """The README with the table between its two marks written anew."""
    pattern = re.compile(f"{re.escape(START)}.*?{re.escape(END)}", re.DOTALL)
    return pattern.sub(lambda _: f"{START}\n{table(results)}\n{END}", readme)


def table(results: dict) -> str:
    """What the README says was measured, as a Markdown table."""
    demo, where = results["demo"], results["machine"]
    rows = [
        ("`import tlcourse`", f"{results['import']['milliseconds']:g} ms"),
        (
            f"`tlcourse demo`: {demo['pictures']:,} photographs to a tested classifier",
            f"{demo['seconds']:g} s ({demo['seconds_min']:g} to {demo['seconds_max']:g}), "
            f"{demo['peak_megabytes']:,} MB",
        ),
        (
            "… its accuracy, weighted as published (SVM 82.44 %, VGG-19 88.42 %)",
            f"{100 * demo['accuracy']:.2f} %",
        ),
        ("… over five draws of the split", _percent(results["solar"]["four_blocks"])),
        (
            "… the same with the last block's features alone",
            _percent(results["solar"]["last_block"]),
        ),
    ]
    if results["dogs"]:
        which = f"Dogs, {results['dogs']['breeds']} breeds of the test pack ¹"
        for count, score in results["dogs"]["accuracy"].items():
            rows.append((f"{which}, labels of each breed: {count}", _percent(score)))
    if "own_pictures" in results:
        rows += _of_own_pictures(**results["own_pictures"])
    if "distributed" in results:
        rows += _of_dask(results["distributed"])
    for name, cost in results["lessons"].items():
        rows.append(
            (
                f"Lesson {name[:2]}, all cells",
                f"{cost['seconds']} s, {cost['peak_megabytes']:,} MB",
            )
        )
    rows += _of_trust(results)
    lines = [
        "| What | Measured |",
        "|---|---|",
        *(f"| {what} | {value} |" for what, value in rows),
    ]
    versions = ", ".join(
        f"{name} {version}" for name, version in where["versions"].items()
    )
    lines += [
        "",
        "Measured by `make results`, and faults, matrix and determinism by programs of their own (CONTRIBUTING.md), on "
        f"{where['cores']} cores, {where['system']}, Python {where['python']}, {versions}; ± is one standard deviation "
        f"over {len(SEEDS)} seeds. When (of faults and matrix, their last row), and how fast a float32 matrix "
        "multiplication ran on that day:",
        "",
        *_occasions(results[NOTES]),
        "",
        "¹ Cut from ImageNet, so the network has seen most of these very photographs: an upper bound, not a promise.",
    ]
    if results.get("bench"):
        lines += [
            "",
            "Beside its peers, on the same pictures, in one run (medians):",
            "",
            "![Pictures a second, beside Keras, PyTorch and ONNX Runtime.](benchmarks/bench.png)",
            "",
            bench_table(results),
        ]
    return "\n".join(lines)


def _occasions(notes: dict) -> list[str]:
    """A line for each occasion on which something was measured, the earliest first."""
    parts: dict[str, list[str]] = {}
    for name, note in notes.items():
        speed = f", {note['gigaflops']} GFLOP/s" if "gigaflops" in note else ""
        parts.setdefault(f"{note['date']} (commit {note['commit']}{speed})", []).append(
            name
        )
    return [f"- {occasion}: {', '.join(parts[occasion])}" for occasion in sorted(parts)]


def _of_own_pictures(train: dict, predict: dict) -> list[tuple[str, str]]:
    """What the two commands for a folder of one's own take, and what comes out."""
    rows = []
    for name, job in train.items():
        low, high = job["interval"]
        files = ", ".join(f"{file['megabytes']:g}" for file in job["files"].values())
        right = f"{100 * job['accuracy']:.1f} % of {job['test_pictures']} ({100 * low:.1f} to {100 * high:.1f})"
        what = f"`tlcourse train` on {name}{' ¹' if name == 'dogs' else ''}, {job['pictures']:,} pictures"
        rows.append(
            (what, f"{job['seconds']:.0f} s; test: {right}; files of {files} MB")
        )
    for name, found in predict.items():
        first, least, most = (
            found[f"first_answer_ms{which}"] for which in ("", "_min", "_max")
        )
        what = f"`tlcourse predict`, {name} file: from the start of the process to the first answer"
        then = f"{found['pictures_per_second']:.0f} pictures/s"
        rows.append((what, f"{first:,} ms ({least:,} to {most:,}); then {then}"))
    return rows


def _of_dask(found: dict) -> list[tuple[str, str]]:
    """What Dask costs on one machine, and what it gives."""
    ways = {
        "one": "one process",
        "dask_1": "Dask, 1 worker of 1 thread",
        "dask_2": "Dask, 2 workers of 1 thread",
    }
    rows = []
    for kind, what in ways.items():
        speed, memory = found[kind]["pictures_per_second"], found[kind]["megabytes"]
        least, most = (
            found[kind][f"pictures_per_second_{end}"] for end in ("min", "max")
        )
        label = f"{found['pictures']:,} photographs → features on {found['cores']} cores: {what}"
        rows.append(
            (
                label,
                f"{speed:.0f} pictures/s ({least:.0f} to {most:.0f}), {memory:,} MB in all processes",
            )
        )
    same = "bit for bit the same" if found["equal"] else "NOT the same"
    lost = f"{found['lost_seconds']:.1f} s later, {found['rows_after_kill']:,} of {found['pictures']:,} rows"
    rows.append(
        ("… one of the two workers killed half-way", f"{lost}, {same} in all runs")
    )
    return rows


def _of_trust(results: dict) -> list[tuple[str, str]]:
    """What was provoked, repeated and tried elsewhere, a row each; CONTRIBUTING.md names the commands."""
    rows = []
    if faults := results.get("faults"):
        times, lost = (
            sum(row[what] for row in faults.values()) for what in ("times", "lost")
        )
        what = "Jobs killed, disks full, one cache for two: tried, and gone on with"
        rows.append((what, f"{times} times in {len(faults)} ways; lost: {lost}"))
    if network := results.get("network"):
        slowest = max(way["seconds"] for way in network["ways"].values())
        said = f"{network['tried'] - network['without_a_sentence']} of {network['tried']} tries say the cure"
        rows.append(
            (
                f"No network, in {len(network['ways'])} ways",
                f"{said}, the slowest command in {slowest:g} s",
            )
        )
    for condition, found in results.get("determinism", {}).items():
        changed, outside = (
            sum(map(len, found[what].values())) for what in ("changed", "out_of_band")
        )
        runs = "a run" if found["runs"] == 1 else f"{found['runs']} runs"
        same = (
            ""
            if found["runs"] == 1
            else f"{found['cells'] - changed:,} the same each time, "
        )
        said = f"of {found['cells']:,} cells {same}{found['cells'] - outside:,} as they are stored, in bands"
        rows.append((f"What the lessons say in {runs}, {condition}", said))
    if matrix := results.get("matrix"):
        pythons = sorted(
            {row["python"] for row in matrix.values()},
            key=lambda text: [*map(int, text.split("."))],
        )
        failed = [name for name, row in matrix.items() if row["failed"]]
        what = f"Environments from Python {pythons[0]} to {pythons[-1]}: {', '.join(matrix)}"
        rows.append((what, f"{len(matrix) - len(failed)} of {len(matrix)} pass"))
    return rows


def picture(results: dict, file: Path = PICTURE) -> None:
    """The README's picture: accuracy on solar cells beside what was published; its numbers stand in its metadata."""
    from tlcourse import plots
    from tlcourse.demo import PUBLISHED

    bars = picture_bars(results, PUBLISHED)
    sheet = plots.bars(
        list(bars),
        list(bars.values()),
        "accuracy on unseen solar cells, %",
        "Which solar cells are defective?",
    )
    sheet.savefig(
        file, dpi=110, metadata={"Software": None, "Description": json.dumps(bars)}
    )


def picture_bars(results: dict, published: dict[str, float]) -> dict[str, float]:
    """Name → percent, as drawn: two published results and, between them, the mean of ours."""
    svm, vgg = published.items()
    ours = round(100 * results["solar"]["four_blocks"]["mean"], 2)
    return {
        svm[0]: 100 * svm[1],
        "three calls here, nothing but a linear classifier trained": ours,
        vgg[0]: 100 * vgg[1],
    }


def _percent(score: dict) -> str:
    return f"{100 * score['mean']:.1f} ± {100 * score['sd']:.1f} %"


def _python(code: str, *arguments: str) -> str:
    """The last line that a fresh Python prints."""
    command = [sys.executable, "-c", code, *arguments]
    with tempfile.TemporaryDirectory() as cache:  # empty, as a newcomer's is
        environment = {**os.environ, "TQDM_DISABLE": "1", "TLCOURSE_CACHE": cache}
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            check=True,
            cwd=ROOT,
            env=environment,
        )
    return done.stdout.strip().splitlines()[-1]


if __name__ == "__main__":
    main()
