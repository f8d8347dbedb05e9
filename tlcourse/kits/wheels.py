"""The wheels of a kit: downloaded by pip as locked, built where only a source archive is published, and checked."""

import os
import re
import subprocess
import sys
import tempfile
import zipfile
import zlib
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from ..errors import TLCourseError, UserInputError
from ..files import sha256, unfinished_folder
from .targets import PLATFORMS, UV_PLATFORMS, Target

LINES = re.compile(r"(?m)^(\S+==[^\\\n]*?)\s*((?:\\\n\s+--hash=\S+ ?)+)$")
BUILT = "1577836800"  # the date of what is built here, 2020: today's would make each kit another one


class KitError(TLCourseError):
    """A kit could not be made, or is not complete. The message says what is missing and how to go on."""


def read_lock(*files: Path) -> dict[str, Requirement]:
    """Locked requirements: the text of each with its hashes → what it says."""
    text = "\n".join(file.read_text(encoding="utf-8") for file in files)
    return {match[0]: Requirement(match[1]) for match in LINES.finditer(text)}


def download(
    target: Target,
    lock: dict[str, Requirement],
    folder: Path,
    say: Callable[[str], None],
) -> None:
    """Bring what a target lacks into a folder; what is there already stays, so the same call goes on after a stop.

    A wheel is in the folder as a whole or not at all: it is downloaded beside it, and moved there at the end.

    pip compares every file with the lock's hashes. What is published as source alone is built here: it must be pure
    Python then, so that it fits everywhere.

    Raises:
        KitError: pip could not bring a package.
    """
    here = list(folder.glob("*.whl"))
    missing = {
        text: requirement
        for text, requirement in lock.items()
        if target.needs(requirement) and target.wheel_for(requirement, here) is None
    }
    if missing:
        say(f"{target}: {len(missing)} packages to download")
    while missing:
        with unfinished_folder(folder) as beside:
            reason = _pip_download(target, [_pinned(text) for text in missing], beside)
            for wheel in () if reason else beside.iterdir():
                wheel.replace(folder / wheel.name)
        if not reason:
            return
        only_source = re.search(r"No matching distribution found for (\S+?)==", reason)
        text = next(
            (
                text
                for text in missing
                if only_source and text.startswith(f"{only_source[1]}==")
            ),
            None,
        )
        if text is None:
            raise KitError(
                f"pip could not download the packages for {target} ({reason}). {AGAIN}"
            )
        missing.pop(text)
        _build(text, folder)


def drop_damaged(lock: dict[str, Requirement], folder: Path) -> None:
    """Remove wheels that are not what was locked, nor whole ones that were built here.

    A stick that was pulled out too early has files with the right name and without their end.
    """
    published = "".join(lock)
    for wheel in folder.glob("*.whl"):
        if not is_of(wheel, lock):
            continue
        built_here = wheel.name.endswith("-none-any.whl") and _is_whole(wheel)
        if not built_here and sha256(wheel) not in published:
            wheel.unlink()


def is_of(wheel: Path, lock: dict[str, Requirement]) -> bool:
    """Whether a wheel is of a locked package, in whichever version."""
    return canonicalize_name(wheel.name.split("-")[0]) in {
        canonicalize_name(one.name) for one in lock.values()
    }


def _is_whole(wheel: Path) -> bool:
    try:
        with zipfile.ZipFile(wheel) as archive:
            return archive.testzip() is None
    except (OSError, zipfile.BadZipFile, zlib.error):
        return False


AGAIN = "Run the same command again: what is here already is kept."


def _pinned(text: str) -> str:
    """A locked requirement in one line, without its condition, which pip would hold against *this* machine."""
    return " ".join(
        [re.split(r"[\s;\\]", text, maxsplit=1)[0], *re.findall(r"--hash=\S+", text)]
    )


def _pip_download(target: Target, lines: list[str], folder: Path) -> str:
    platforms = [
        option
        for platform in PLATFORMS[target.system]
        for option in ("--platform", platform)
    ]
    options = [
        "--only-binary=:all:",
        "--implementation",
        "cp",
        "--python-version",
        target.releases[-1],
        *platforms,
    ]
    return _pip("download", *options, "--dest", str(folder), lines=lines)


def _build(text: str, folder: Path) -> None:
    """Build a wheel of a package that is published as source alone."""
    with unfinished_folder(
        folder
    ) as built:  # not in TMPDIR, from which nothing can be moved to a stick
        reason = _pip(
            "wheel",
            "--no-build-isolation",
            "--wheel-dir",
            str(built),
            lines=[_pinned(text)],
        )
        wheels = list(built.glob("*.whl"))
        if "No matching distribution" in reason:
            raise KitError(
                f"{text.split()[0]} is in no package index that can be reached; a kit needs the internet. {AGAIN}"
            )
        if reason or not wheels:
            raise KitError(
                f"{text.split()[0]} is published as source alone and could not be built ({reason}). {AGAIN}"
            )
        if not wheels[0].name.endswith("-none-any.whl"):
            raise KitError(
                f"{wheels[0].name} was built for this machine alone and fits no other. Nothing can be done."
            )
        wheels[0].replace(folder / wheels[0].name)


def build_own(source: Path, folder: Path) -> Path:
    """The course's own wheel, of the checkout."""
    with unfinished_folder(folder) as built:
        reason = _pip(
            "wheel", "--no-build-isolation", "--wheel-dir", str(built), str(source)
        )
        wheels = list(built.glob("tlcourse-*.whl"))
        if reason or not wheels:
            raise KitError(
                f"The course's own wheel could not be built ({reason}). Try: make clean setup"
            )
        for old in folder.glob("tlcourse-*.whl"):
            old.unlink()
        return Path(wheels[0].replace(folder / wheels[0].name))


def _pip(*arguments: str, lines: list[str] | None = None) -> str:
    """Run this Python's pip, without dependencies; returns what went wrong, in a line, or nothing."""
    if find_spec("pip") is None:
        raise UserInputError(
            "A kit is made with pip, which this Python lacks. Run: python -m ensurepip"
        )
    command = [
        sys.executable,
        "-m",
        "pip",
        "--disable-pip-version-check",
        *arguments,
        "--quiet",
        "--no-deps",
    ]
    ours = {
        "SOURCE_DATE_EPOCH": BUILT,
        "PIP_RETRIES": "2",
    }  # five would keep who has no network for 22 seconds
    environment = {**ours, **os.environ, "PIP_REQUIRE_VIRTUALENV": "0", "PIP_USER": "0"}
    with tempfile.TemporaryDirectory() as folder:
        if lines is not None:
            file = Path(folder, "requirements.txt")
            file.write_text("\n".join(lines) + "\n", encoding="utf-8")
            command += ["--require-hashes", "--requirement", str(file)]
        run = subprocess.run(
            command, capture_output=True, text=True, errors="replace", env=environment
        )
    if run.returncode == 0:
        return ""
    lines = run.stderr.strip().splitlines()
    said = [
        line
        for line in lines
        if line.startswith("ERROR:") and line != "ERROR: Exception:"
    ] or lines[-1:]
    return (
        said[-1].removeprefix("ERROR:").strip()[:300]
        if said
        else f"it ended with {run.returncode}"
    )


def kit_requirements(lock: dict[str, Requirement], folder: Path) -> str:
    """The lock as a kit needs it: with the hash of each wheel that was built here beside those that are published."""
    lines = []
    for text, requirement in lock.items():
        for wheel in folder.glob(
            f"{requirement.name.replace('-', '_')}-*-none-any.whl"
        ):
            digest = sha256(wheel)
            if (
                digest not in text
                and f"-{next(iter(requirement.specifier)).version}-" in wheel.name
            ):
                text += f" \\\n    --hash=sha256:{digest}"
        lines.append(text)
    return "\n".join(lines) + "\n"


def wheels_of(target: Target, lock: dict[str, Requirement], folder: Path) -> list[Path]:
    """The wheels that one target installs.

    Raises:
        KitError: one is missing; all that are missing are named.
    """
    here = list(folder.glob("*.whl"))
    needed = [requirement for requirement in lock.values() if target.needs(requirement)]
    found = [target.wheel_for(requirement, here) for requirement in needed]
    missing = [
        str(requirement).split(";")[0]
        for requirement, wheel in zip(needed, found, strict=True)
        if wheel is None
    ]
    if missing:
        raise KitError(
            f"For {target} there are no wheels of {', '.join(missing)}. {AGAIN}"
        )
    return [wheel for wheel in found if wheel]


def check_by_resolving(target: Target, requirements: str, folder: Path) -> None:
    """Let uv, a resolver of its own, install from the folder alone, for another system and without doing it.

    Raises:
        KitError: something that a package asks for is not there, or not in the locked version.
    """
    uv = Path(sys.executable).with_name("uv")
    with tempfile.TemporaryDirectory() as nowhere:
        file = Path(nowhere, "requirements.txt")
        file.write_text(requirements, encoding="utf-8")
        command = [
            str(uv) if uv.exists() else "uv",
            "pip",
            "install",
            "--dry-run",
            "--offline",
            "--no-index",
        ]
        command += [
            "--no-config",
            "--find-links",
            str(folder),
            "--only-binary",
            ":all:",
            "--require-hashes",
        ]
        command += [
            "--target",
            nowhere,
            "--requirement",
            str(file),
            "--python-platform",
            UV_PLATFORMS[target.system],
        ]
        for release in (target.releases[0], target.releases[-1]):
            try:
                run = subprocess.run(
                    [*command, "--python-version", release],
                    capture_output=True,
                    text=True,
                    errors="replace",
                    cwd=nowhere,
                )
            except OSError as error:
                raise UserInputError(
                    "A kit is checked with uv, which is not here. Run: pip install uv"
                ) from error
            if run.returncode:
                reason = " ".join(run.stderr.split())[-400:]
                raise KitError(
                    f"The wheels for {target} are not complete. uv says: {reason}"
                )
