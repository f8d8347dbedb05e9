"""Does a lesson say the same each time, with one thread and with two, and on a processor without AVX-512?

    python benchmarks/determinism.py                  every lesson under every condition (two hours)
    python benchmarks/determinism.py usual 00 05      one condition, two lessons
    python benchmarks/determinism.py --table          run nothing, print what was found last

Compared is what nbval compares, cell by cell, with the run before it and with what is stored in the lesson: to the
letter (seconds aside), and within the bands of notebooks/bands.py. Each run begins with an empty cache. What comes out
is part `determinism` of benchmarks/results.json; with lessons or conditions named, it is printed alone. What each run
said is kept in build/determinism until the end: stopped, the same command goes on.
"""

import argparse
import json
import os
import shutil
import tempfile
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import measure

RUNS = 5
KEPT = measure.ROOT / "build" / "determinism"
NOT_COMPARED = {"nbval-ignore-output", "nbval-skip", "no-store"}
PICTURES = (
    "image/png",
    "image/jpeg",
    "image/svg+xml",
    "application/vnd.jupyter.widget-view+json",
)
ONE_THREAD = {
    name: "1"
    for name in (
        "TF_NUM_INTRAOP_THREADS",
        "TF_NUM_INTEROP_THREADS",
        "OMP_NUM_THREADS",
        "OPENBLAS_NUM_THREADS",
    )
}
# oneDNN multiplies for TensorFlow, OpenBLAS for NumPy and scikit-learn; NumPy's own loops have their list of features.
NO_AVX512 = {
    "ONEDNN_MAX_CPU_ISA": "AVX2",
    "OPENBLAS_CORETYPE": "Haswell",
    "NPY_DISABLE_CPU_FEATURES": "AVX512F AVX512CD AVX512_SKX AVX512_CLX AVX512_CNL AVX512_ICL AVX512_SPR",
}
CONDITIONS = {  # name → what is set, whether a lesson has one core, runs
    "usual": ({}, False, RUNS),
    "one thread": (ONE_THREAD, True, RUNS),
    "no AVX-512": (NO_AVX512, False, RUNS),
}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "which", nargs="*", help="conditions, and beginnings of lessons' names"
    )
    parser.add_argument(
        "--table", action="store_true", help="run nothing, print what was found last"
    )
    arguments = parser.parse_args()
    results = json.loads(measure.RESULTS.read_text(encoding="utf-8"))
    if not arguments.table:
        conditions = [name for name in arguments.which if name in CONDITIONS] or list(
            CONDITIONS
        )
        lessons = [name for name in arguments.which if name not in CONDITIONS]
        found = determinism(conditions, lessons)
        if arguments.which:
            print(table(found))
            return
        results = json.loads(
            measure.RESULTS.read_text(encoding="utf-8")
        )  # an hour has passed
        results["determinism"] = found
        measure.write_results(measure.noted(results, "determinism"))
    print(table(results["determinism"]))


def determinism(conditions: list[str], beginnings: list[str]) -> dict:
    """Condition → how many cells were compared, and which of them differed from run to run and from what is stored."""
    build = measure.lesson_builder()
    names = [source.stem for source in build.sources(beginnings)]
    stored = {
        name: compared_cells(read(measure.ROOT / "notebooks" / f"{name}.ipynb"))
        for name in names
    }
    found = {condition: under(condition, names, stored) for condition in conditions}
    for condition in conditions:
        shutil.rmtree(KEPT / condition, ignore_errors=True)
    return found


def under(condition: str, names: list[str], stored: dict) -> dict:
    """All runs under one condition, two lessons at a time as `make test` runs them."""
    import bands

    _, one_core, runs = CONDITIONS[condition]
    jobs = [(condition, name, number) for number in range(runs) for name in names]
    said: dict[str, list[dict]] = {name: [] for name in names}
    context = get_context("spawn")
    turns = (
        context.Value("i", 0) if one_core and hasattr(os, "sched_setaffinity") else None
    )
    with ProcessPoolExecutor(
        2, mp_context=context, initializer=take_a_core, initargs=(turns,)
    ) as pool:
        for (_, name, number), cells in zip(jobs, pool.map(run, jobs), strict=True):
            said[name].append(cells)
            print(f"{condition}, {name}, run {number + 1}", flush=True)
    found = {
        "runs": runs,
        "cells": 0,
        "changed": {},
        "unlike_stored": {},
        "out_of_band": {},
    }
    for name, outputs in said.items():
        found["cells"] += len(stored[name])
        for cell, (texts, _) in stored[name].items():
            fresh = [letters(output[cell][0]) for output in outputs]
            verdicts = {
                "changed": any(one != fresh[0] for one in fresh),
                "unlike_stored": any(one != letters(texts) for one in fresh),
                "out_of_band": not all(
                    in_bands(bands, stored[name][cell], output[cell])
                    for output in outputs
                ),
            }
            for verdict, holds in verdicts.items():
                if holds:
                    found[verdict].setdefault(name, []).append(cell)
    return found


def take_a_core(turns) -> None:
    """Each process a core of its own, where `turns`, a shared number, counts them."""
    if turns is not None:
        with turns.get_lock():
            cores = sorted(os.sched_getaffinity(0))
            os.sched_setaffinity(0, {cores[turns.value % len(cores)]})
            turns.value += 1


def run(job: tuple[str, str, int]) -> dict:
    """What the compared cells of one lesson say in a fresh kernel under a condition."""
    from tlcourse import files

    condition, name, number = job
    kept = KEPT / condition / f"{name}-{number}.json"
    if kept.exists():
        return json.loads(kept.read_text(encoding="utf-8"))
    settings, _, _ = CONDITIONS[condition]
    build = measure.lesson_builder()
    build.SECONDS = 3600  # one thread takes longer, and a busy machine, too
    os.environ.update(build.packs_beside() | build.ENVIRONMENT | settings)
    notebook = build.convert(build.SOURCES / f"{name}.py")
    with tempfile.TemporaryDirectory() as empty:
        os.environ["TLCOURSE_CACHE"], os.environ["TLCOURSE_PROGRESS"] = (
            empty,
            str(Path(empty, "progress.json")),
        )
        build.execute(notebook)
    build.clean(notebook)
    cells = compared_cells(notebook)
    files.write_atomically(kept, lambda file: file.write(json.dumps(cells).encode()))
    return cells


def read(path: Path):
    import nbformat

    return nbformat.read(path, as_version=4)


def compared_cells(notebook) -> dict[str, tuple[list[str], list[str]]]:
    """Cell id → the texts that nbval compares, and the cell's tags."""
    from tlcourse.plots.figure import IN_WORDS

    cells = {}
    for cell in notebook.cells:
        tags = list(cell.metadata.get("tags", []))
        if cell.cell_type == "code" and not NOT_COMPARED & set(tags):
            texts = [text for output in cell.outputs for text in texts_of(output)]
            cells[cell.id] = (
                [IN_WORDS if text.startswith(IN_WORDS) else text for text in texts],
                tags,
            )
    return cells


def texts_of(output) -> list[str]:
    if output.output_type == "stream":
        return [output.text]
    return [
        text
        for kind, text in sorted(output.get("data", {}).items())
        if kind not in PICTURES and str(text)
    ]


def letters(texts: list[str]) -> list[str]:
    """Texts without their seconds, which are never the same, and without the spaces that line these up."""
    import bands

    masked = [
        bands.DECIMAL.sub(
            lambda found: "# s" if (found[2] or "").strip() == "s" else found[0], text
        )
        for text in texts
    ]
    return [" ".join(text.split()) for text in masked]


def in_bands(
    bands, stored: tuple[list[str], list[str]], fresh: tuple[list[str], list[str]]
) -> bool:
    (before, tags), (now, _) = stored, fresh
    return len(before) == len(now) and all(
        bands.Banded(one, tags) == bands.Banded(other, tags)
        for one, other in zip(before, now, strict=True)
    )


def table(found: dict) -> str:
    """Condition × runs × identical, as a Markdown table."""
    lines = [
        "| Condition | Runs | Cells compared | Same in all runs | Same as stored, to the letter | Within the bands |",
        "|---|---|---|---|---|---|",
    ]
    for condition, part in found.items():
        cells = part["cells"]
        kept = [
            cells - sum(map(len, part[verdict].values()))
            for verdict in ("changed", "unlike_stored", "out_of_band")
        ]
        lines.append(
            f"| {condition} | {part['runs']} | {cells} | "
            + " | ".join(map(str, kept))
            + " |"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    main()
