"""What the course keeps for the user: cache, unfinished work, progress, measured results. Is it whole?"""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from ..errors import UserInputError
from ..features.cache import limit
from ..features.cache_files import contents, left_alone, unfinished
from ..files import cache_folder, is_foreign_cache, left_over, read_json
from .finding import Finding
from .machine import refusal

MAKES_ROOM = "`tlcourse cache clear`"


def cache() -> Iterator[Finding]:
    folder = cache_folder()
    reason = refusal(folder)
    if reason:
        cure = "Set TLCOURSE_CACHE to a folder of your own."
        yield Finding(
            "cache", "look", f"{folder} cannot be written to ({reason}). {cure}"
        )
        return
    size, allowed = sum(size for _, size in contents()), limit()
    text = f"{size / 1e6:,.0f} MB of at most {allowed / 1e6:,.0f} in {folder}"
    if allowed:
        yield Finding(
            "cache",
            "ok",
            f"{text}; {MAKES_ROOM} empties it, TLCOURSE_CACHE_GB sets the limit",
        )
    else:
        yield Finding(
            "cache",
            "look",
            f"{text}: TLCOURSE_CACHE_GB is 0, so everything is computed every time",
        )


def other_files() -> Iterator[Finding]:
    """Only where files that the course did not make are in the cache's folder."""
    if text := left_alone():
        yield Finding("other files", "look" if is_foreign_cache() else "ok", text)


def cached_files() -> Iterator[Finding]:
    """Only those with which something is wrong."""
    for path, _ in contents():
        if path.suffix == ".sqlite":
            yield from _database(path)


def _database(path: Path) -> Iterator[Finding]:
    try:
        with closing(
            sqlite3.connect(f"{path.absolute().as_uri()}?mode=rw", uri=True, timeout=0)
        ) as connection:
            connection.isolation_level = None
            connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
            connection.execute("BEGIN IMMEDIATE")
            connection.execute("ROLLBACK")
    except sqlite3.DatabaseError as error:
        if "locked" in str(error):
            cure = "Wait, or restart that kernel; a program stopped by Ctrl-Z keeps it too (fg, then Ctrl-C)."
            yield Finding(
                "cached features",
                "look",
                f"another process is writing to {path}. {cure}",
            )
        elif "readonly" not in str(error) and "unable to open" not in str(error):
            cure = f"Nothing is lost: it is begun anew when it is needed; {MAKES_ROOM} does it now."
            yield Finding(
                "cached features", "look", f"{path} is damaged ({error}). {cure}"
            )


def killed_runs() -> Iterator[Finding]:
    """What they left: only where there is some."""
    trainings = sorted(
        {
            path.parent
            for path, _ in contents()
            if path.parent.parent.name == "training"
        }
    )
    if trainings:
        what = (
            "1 training that was stopped"
            if len(trainings) == 1
            else f"{len(trainings)} trainings that were stopped"
        )
        cure = f"The same call goes on from there; {MAKES_ROOM} drops them."
        yield Finding(
            "to go on with", "ok", f"{what}, in {trainings[0].parent}. {cure}"
        )
    halves = unfinished()
    if halves:
        text = f"{len(halves)} half-written files of killed runs in {cache_folder()}: of no use. "
        yield Finding(
            "left over",
            "look",
            f"{text}{MAKES_ROOM} removes them, and so does the next run of each.",
        )
    here = left_over(Path.cwd())
    if here:
        names = " ".join(path.name for path in here)
        text = f"{len(here)} half-written of killed runs in {Path.cwd()}: of no use. Run: rm -r {names}"
        yield Finding("left over here", "look", text)


def progress() -> Iterator[Finding]:
    """Only where a file of progress is damaged or cannot be written."""
    from ..exercises.progress import Progress

    path = Progress.path()
    aside = path.with_name(f"{path.name}.damaged")
    try:
        Progress.read(path, strict=path.is_file())
    except UserInputError as error:
        cure = "The next tl.check puts it aside and begins a new one; tl.check.restore(file) brings in a copy."
        yield Finding("progress", "look", f"{error} {cure}")
    if aside.is_file():
        cure = "If you have a copy: tl.check.restore(file). Then delete it."
        yield Finding("progress", "look", f"{aside} was damaged and put aside. {cure}")
    reason = refusal(path.parent)
    if reason:
        cure = "Set TLCOURSE_PROGRESS to a file in a folder of your own."
        yield Finding(
            "progress", "look", f"it cannot be kept in {path.parent} ({reason}). {cure}"
        )


def results() -> Iterator[Finding]:
    """Only where the measured results, from which lessons quote, cannot be read."""
    from ..evidence import results_file

    path = results_file()
    try:
        if not isinstance(read_json(path), dict):
            raise ValueError("no dictionary")
    except ValueError as error:
        cure = (
            "Run: git checkout -- benchmarks/results.json; or install the course again."
        )
        yield Finding("results", "missing", f"{path} cannot be read ({error}). {cure}")
