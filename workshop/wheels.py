"""The wheels of a kit: downloaded by pip as locked, built from source, and checked."""

import os
import re
import subprocess
import sys
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from packaging import tags
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name, parse_wheel_filename

from tlcourse.errors import TLCourseError
from tlcourse.files import sha256, unfinished_folder

LOCKED = re.compile(r"(?m)^(\S+==[^\\\n]*?)\s*((?:\\\n\s+--hash=\S+ ?)+)$")
SOURCE_DATE = "1577836800"  # of what is built here: with today's, no two kits are equal
AGAIN = "Run the same command again: what is here already is kept."


class KitError(TLCourseError):
    """A kit could not be made, or is not complete."""


@dataclass(frozen=True)
class System:
    """What the conditions of requirements, and pip, call an operating system."""

    sys_platform: str
    platform_system: str
    platform_machine: str
    os_name: str
    tags: list[str]  # that all locked packages have wheels for, best first


MANYLINUX = [f"manylinux_2_{minor}_x86_64" for minor in range(28, 4, -1)]
MANYLINUX += [f"manylinux{year}_x86_64" for year in (2014, 2010, 1)]
MACOS = list(tags.mac_platforms((12, 0), "arm64"))
SYSTEMS = {
    "linux": System("linux", "Linux", "x86_64", "posix", MANYLINUX),
    "macos": System("darwin", "Darwin", "arm64", "posix", MACOS),
    "windows": System("win32", "Windows", "AMD64", "nt", ["win_amd64"]),
}
PYTHONS = ("3.10", "3.11", "3.12", "3.13")  # that requirements.txt is made for


@dataclass(frozen=True)
class Locked:
    """A line of requirements.txt: a pinned requirement and its hashes."""

    requirement: Requirement
    hashes: tuple[str, ...]  # "sha256:…"

    @property
    def version(self) -> str:
        (pin,) = self.requirement.specifier
        return pin.version

    def is_package_of(self, wheel: Path) -> bool:
        """Whether a wheel is of this package, in any version."""
        name = wheel.name.split("-")[0]
        return canonicalize_name(name) == canonicalize_name(self.requirement.name)

    def line(self, with_condition: bool = True) -> str:
        """The line as pip reads it; it holds a condition against *this* machine."""
        text = str(self.requirement)
        text = text if with_condition else text.split(";")[0].strip()
        return " ".join([text, *(f"--hash={digest}" for digest in self.hashes)])


@dataclass(frozen=True)
class Target:
    """A kind of machine: one of SYSTEMS, and a Python such as "3.12"."""

    system: str
    python: str

    def __str__(self) -> str:
        return f"{self.system}, Python {self.python}"

    @property
    def releases(self) -> list[str]:
        """Releases of its Python that there are or may be: 3.12.0, 3.12.1 …"""
        return [f"{self.python}.{micro}" for micro in range(25)]

    def needs(self, locked: Locked) -> bool:
        """Whether any release of the target's Python installs this requirement."""
        marker = locked.requirement.marker
        environment = {
            **vars(SYSTEMS[self.system]),
            "implementation_name": "cpython",
            "platform_python_implementation": "CPython",
            "python_version": self.python,
            "extra": "",
        }
        return marker is None or any(
            marker.evaluate({**environment, "python_full_version": release})
            for release in self.releases
        )

    def wheel_for(self, locked: Locked, wheels: Iterable[Path]) -> Path | None:
        """The wheel of a requirement that fits the target best."""
        platforms = SYSTEMS[self.system].tags
        version = tuple(map(int, self.python.split(".")))
        interpreter = "cp" + "".join(map(str, version))
        supported = [
            *tags.cpython_tags(version, platforms=platforms),
            *tags.compatible_tags(version, interpreter, platforms),
        ]
        candidates = []
        for wheel in filter(locked.is_package_of, wheels):
            _, wheel_version, _, wheel_tags = parse_wheel_filename(wheel.name)
            ranks = [n for n, tag in enumerate(supported) if tag in wheel_tags]
            if ranks and str(wheel_version) == locked.version:
                candidates.append((ranks[0], wheel))
        return min(candidates)[1] if candidates else None


def read_lock(*files: Path) -> list[Locked]:
    """Read locked requirements with their hashes."""
    text = "\n".join(file.read_text(encoding="utf-8") for file in files)
    return [
        Locked(Requirement(line), tuple(re.findall(r"--hash=(\S+)", hashes)))
        for line, hashes in LOCKED.findall(text)
    ]


def remove_damaged(lock: list[Locked], folder: Path) -> None:
    """Remove wheels of locked packages that are neither as published nor built here.

    A stick that was pulled out too early has files with the right name and without
    their end.
    """
    published = {digest for locked in lock for digest in locked.hashes}
    for wheel in folder.glob("*.whl"):
        if any(locked.is_package_of(wheel) for locked in lock):
            was_built = wheel.name.endswith("-none-any.whl") and _is_whole(wheel)
            if not was_built and f"sha256:{sha256(wheel)}" not in published:
                wheel.unlink()


def _is_whole(wheel: Path) -> bool:
    try:
        with zipfile.ZipFile(wheel) as archive:
            return archive.testzip() is None
    except (OSError, zipfile.BadZipFile, zlib.error):
        return False


def download(
    target: Target, lock: list[Locked], folder: Path, say: Callable[[str], None]
) -> list[Path]:
    """Download what a folder lacks of a target's wheels; returns all of them.

    pip compares each file with the lock's hashes. What is published as source alone is
    built here, and has to be pure Python so that it fits everywhere.

    Raises
    ------
    KitError
        pip could not bring a package, or there is no wheel that fits.
    """
    needed = [locked for locked in lock if target.needs(locked)]
    missing = _missing(target, needed, folder)
    if missing:
        say(f"{target}: {len(missing)} packages to download")
        options = ["--implementation", "cp", "--python-version", target.releases[-1]]
        for platform in SYSTEMS[target.system].tags:
            options += ["--platform", platform]
        # Not in TMPDIR, from which nothing can be renamed into a stick.
        with unfinished_folder(folder) as temporary:
            options += ["--no-build-isolation", "--dest", str(temporary)]
            lines = [locked.line(with_condition=False) for locked in missing]
            if fault := _pip("download", *options, lines=lines):
                raise KitError(
                    f"pip could not download the packages for {target} ({fault}). A "
                    f"kit needs the internet. {AGAIN}"
                )
            for file in list(temporary.iterdir()):
                wheel = file if file.suffix == ".whl" else build(file, temporary)
                wheel.replace(folder / wheel.name)
    if missing := _missing(target, needed, folder):
        names = ", ".join(str(locked.requirement).split(";")[0] for locked in missing)
        raise KitError(f"For {target} there are no wheels of {names}. {AGAIN}")
    wheels = list(folder.glob("*.whl"))
    return [wheel for one in needed if (wheel := target.wheel_for(one, wheels))]


def _missing(target: Target, needed: list[Locked], folder: Path) -> list[Locked]:
    wheels = list(folder.glob("*.whl"))
    return [locked for locked in needed if target.wheel_for(locked, wheels) is None]


def build(source: Path, folder: Path) -> Path:
    """Build a wheel of a source archive or a checkout; it has to fit everywhere.

    Raises
    ------
    KitError
        It could not be built, or fits this machine alone.
    """
    earlier = set(folder.glob("*.whl"))
    options = ["--no-build-isolation", "--wheel-dir", str(folder), str(source)]
    fault = _pip("wheel", *options)
    built = set(folder.glob("*.whl")) - earlier
    if fault or not built:
        raise KitError(f"{source.name} could not be built ({fault}). {AGAIN}")
    (wheel,) = built
    if not wheel.name.endswith("-none-any.whl"):
        raise KitError(
            f"{wheel.name} was built for this machine alone and fits no other: "
            "its package has no wheel for one of the systems."
        )
    return wheel


def _pip(*arguments: str, lines: Iterable[str] = ()) -> str:
    """Run this Python's pip without dependencies; returns its error, or nothing."""
    settings = {
        "SOURCE_DATE_EPOCH": SOURCE_DATE,
        "PIP_RETRIES": "2",
        **os.environ,
        "PIP_REQUIRE_VIRTUALENV": "0",
        "PIP_USER": "0",
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
    }
    command = [sys.executable, "-m", "pip", *arguments, "--quiet", "--no-deps"]
    with tempfile.TemporaryDirectory() as folder:
        if lines:
            file = Path(folder, "requirements.txt")
            file.write_text("\n".join(lines) + "\n", encoding="utf-8")
            command += ["--require-hashes", "--requirement", str(file)]
        done = subprocess.run(
            command, capture_output=True, text=True, errors="replace", env=settings
        )
    if done.returncode == 0:
        return ""
    lines = done.stderr.strip().splitlines() or [f"it ended with {done.returncode}"]
    errors = [line for line in lines if re.match(r"ERROR: (?!Exception:)", line)]
    return (errors or lines)[-1].removeprefix("ERROR:").strip()[:300]


def requirements(lock: list[Locked], folder: Path) -> str:
    """The lock for pip, with the hashes of the wheels that were built here."""
    lines = []
    for locked in lock:
        built = [
            f"sha256:{sha256(wheel)}"
            for wheel in folder.glob(f"*-{locked.version}-*-none-any.whl")
            if locked.is_package_of(wheel)
        ]
        hashes = tuple(dict.fromkeys([*locked.hashes, *built]))
        lines.append(Locked(locked.requirement, hashes).line())
    return "\n".join(lines) + "\n"
