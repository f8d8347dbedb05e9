"""Do the tests and the lessons pass on every version that the course promises to run on?

    python benchmarks/matrix.py                  every row: a module of tests for each room, two lessons (an hour)
    python benchmarks/matrix.py colab lowest     these rows; of the others the last result is kept
    python benchmarks/matrix.py --full lowest    every test that is not slow

Each row is a folder of its own in `.venv-matrix`, with its Python and its packages. The result goes into "matrix" of
benchmarks/results.json as soon as a row is done. Lessons are compared with their stored outputs, in bands, where the
packages are the locked ones; elsewhere each has to run to its end. Ends with 1 if anything failed.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from xml.etree import ElementTree

import measure
from environments import ROOT, ROWS, SHOWN, Row, Unavailable, make, versions

# For each room one module, the one that leans most on other people's packages.
QUICK = (
    *(
        "public_surface",
        "datasets",
        "efficientnet_lite",
        "compute",
        "text",
        "linear_probe",
        "freezing",
    ),
    *(
        "checks_changes",
        "evaluation",
        "exported",
        "keras_archive",
        "plots",
        "widgets_uploads",
        "exercises",
        "cli",
        "doctor",
    ),
    "versions",
)
# Not of the package: the tests of the site and of the locks.
LEFT_OUT = (
    "browser",
    "test_site_parts.py",
    "test_environment.py",
)
LESSONS = ("00", "05")
ON_COLAB = ("00", "04", "06")
FAILURES_NAMED = 20


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("rows", nargs="*", help=f"out of {', '.join(ROWS)}; none: all")
    parser.add_argument(
        "--full", action="store_true", help="every test that is not slow"
    )
    parser.add_argument(
        "--table", action="store_true", help="only print what was found before"
    )
    options = parser.parse_args()
    if unknown := set(options.rows) - set(ROWS):
        parser.error(
            f"there are no rows {', '.join(sorted(unknown))}; there are {', '.join(ROWS)}"
        )
    failed = []
    for name in [] if options.table else options.rows or ROWS:
        print(f"{name}: Python {ROWS[name].python}, {ROWS[name].what}", flush=True)
        try:
            found = try_row(ROWS[name], options.full)
        except Unavailable as error:
            print(f"not tried: {error}")
            continue
        keep(name, found)
        print(json.dumps(found, indent=2), flush=True)
        failed += [name] if found["failed"] else []
    print(
        table(json.loads(measure.RESULTS.read_text(encoding="utf-8")).get("matrix", {}))
    )
    sys.exit(f"failed: {', '.join(failed)}" if failed else 0)


def try_row(row: Row, full: bool = False) -> dict:
    """Make a row and run in it what there is to run."""
    make(row)
    packages, start = versions(row), time.perf_counter()
    found = on_colab(row) if row.imitates else tests_and_lessons(row, full)
    return {
        "python": python_of(row),
        "packages": row.what,
        "versions": {name: packages[name] for name in SHOWN if name in packages},
        **found,
        "seconds": round(time.perf_counter() - start),
        "date": time.strftime("%Y-%m-%d"),
        "system": f"{platform.system()} {platform.machine()}",
    }


def tests_and_lessons(row: Row, full: bool) -> dict:
    tests = [f"--ignore=tests/{name}" for name in LEFT_OUT]
    tests += ["tests"] if full else [f"tests/test_{name}.py" for name in QUICK]
    compared = row.what == "the lock"
    files = [
        str(next((ROOT / "notebooks").glob(f"{lesson}_*.ipynb"))) for lesson in LESSONS
    ]
    nbval = [
        "--nbval" if compared else "--nbval-lax",
        "--nbval-current-env",
        "--nbval-cell-timeout=900",
    ]
    parts = {
        "tests": pytest(row, "-m", "not slow", *tests),
        "cells": pytest(row, *nbval, *files),
    }
    return {
        "ran": "every test that is not slow"
        if full
        else f"{len(QUICK)} modules of tests",
        "lessons": list(LESSONS),
        "lessons_compared": compared,
        **{
            name: {key: part[key] for key in ("passed", "failed", "skipped")}
            for name, part in parts.items()
        },
        "failed": [name for part in parts.values() for name in part["names"]][
            :FAILURES_NAMED
        ],
    }


def on_colab(row: Row) -> dict:
    import colab

    visit = colab.visit(row, ON_COLAB)
    failed = [f"lesson {lesson}: {error}" for lesson, error in visit.failures.items()]
    failed += [f"{name} is {version} now" for name, version in visit.changed.items()]
    ran = "an empty folder with one notebook, its first cell twice, then all its cells"
    return {
        "ran": ran,
        "lessons": visit.lessons,
        "added": visit.added,
        "changed": visit.changed,
        "failed": failed,
    }


def pytest(row: Row, *arguments: str) -> dict:
    """Run pytest with a row's Python: how many passed, failed and were skipped, and the names of those that failed."""
    with tempfile.TemporaryDirectory(prefix="tlcourse-matrix-") as work:
        report = Path(work, "report.xml")
        command = [
            row.interpreter,
            "-m",
            "pytest",
            "-q",
            "-n",
            "2",
            "--dist",
            "loadscope",
            "-p",
            "no:cacheprovider",
        ]
        command += ["-W", "ignore", f"--junitxml={report}", *arguments]
        subprocess.run(command, cwd=ROOT, env=environment(row, Path(work)))
        if not report.exists():
            return {
                "passed": 0,
                "failed": 1,
                "skipped": 0,
                "names": ["pytest did not start"],
            }
        cases = list(ElementTree.parse(report).iter("testcase"))  # noqa: S314 (pytest wrote it)
    failed = [
        case
        for case in cases
        if case.find("failure") is not None or case.find("error") is not None
    ]
    skipped = sum(case.find("skipped") is not None for case in cases)
    names = sorted({f"{case.get('classname')}::{case.get('name')}" for case in failed})
    return {
        "passed": len(cases) - len(failed) - skipped,
        "failed": len(failed),
        "skipped": skipped,
        "names": names,
    }


def environment(row: Row, work: Path) -> dict[str, str]:
    """As in `make test`: two threads, and nothing of the user's own."""
    left_out = ("MPLBACKEND", "VIRTUAL_ENV", "PYTHONPATH", "PYTHONDONTWRITEBYTECODE")
    known = {name: value for name, value in os.environ.items() if name not in left_out}
    build = measure.lesson_builder()
    path = f"{row.interpreter.parent}{os.pathsep}{os.environ['PATH']}"
    progress = str(work / "progress.json")
    return {
        **known,
        **build.packs_beside(),
        **build.ENVIRONMENT,
        "PATH": path,
        "TLCOURSE_PROGRESS": progress,
    }


def python_of(row: Row) -> str:
    code = "import platform; print(platform.python_version())"
    return subprocess.run(
        [row.interpreter, "-c", code], capture_output=True, text=True, check=True
    ).stdout.strip()


def keep(name: str, found: dict) -> None:
    """Write one row into "matrix" of results.json and leave everything else there as it is."""
    results = json.loads(measure.RESULTS.read_text(encoding="utf-8"))
    rows = results.get("matrix", {}) | {name: found}
    results["matrix"] = {name: rows[name] for name in ROWS if name in rows}
    measure.write_results(measure.noted(results, "matrix"))


def table(rows: dict) -> str:
    """What was found, as a Markdown table."""
    shown = (
        "keras",
        "numpy",
        "scikit-learn",
        "tensorflow-datasets",
        "onnxruntime",
        "ipywidgets",
    )
    head = [
        "Row",
        "Python",
        "TensorFlow",
        *shown,
        "Ran",
        "Passed",
        "Failed",
        "Skipped",
        "Seconds",
    ]
    lines = [head, ["---"] * len(head)]
    for name, row in rows.items():
        has = row["versions"]
        tensorflow = has.get("tensorflow") or has.get("tensorflow-cpu", "")
        parts = [row[part] for part in ("tests", "cells") if part in row]
        counts = [
            str(sum(part[key] for part in parts))
            for key in ("passed", "failed", "skipped")
        ]
        if not parts:
            counts = [f"{len(row['lessons'])} lessons", str(len(row["failed"])), "0"]
        ran = f"{row['packages']}: {row['ran']}, lessons {', '.join(row['lessons'])}"
        lines.append(
            [
                name,
                row["python"],
                tensorflow,
                *(has.get(one, "") for one in shown),
                ran,
                *counts,
                str(row["seconds"]),
            ]
        )
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


if __name__ == "__main__":
    main()
