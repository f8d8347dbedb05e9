"""Install the course out of this kit, without internet:  python install.py [FOLDER]

It makes a virtual environment in FOLDER (your home's "tlcourse", if you name none), installs the wheels of the kit, and
puts the lessons beside it. Nothing outside of FOLDER is touched. Run again, it goes on where it stopped; files that are
there, with your answers in them, are left alone.
"""

from __future__ import (
    annotations,
)  # so that an older Python comes far enough to be refused in a sentence

import hashlib
import io
import json
import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path

KIT = Path(__file__).resolve().parent
SYSTEMS = {
    ("Linux", "x86_64"): "linux",
    ("Darwin", "arm64"): "macos",
    ("Windows", "AMD64"): "windows",
}
SPARE_MEGABYTES = 200
MARK = ".tlcourse-kit"  # in the folder: it was made by a kit


class Refused(Exception):
    """The message says what is wrong and what to do."""


def main(arguments: list[str]) -> int:
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(
            line_buffering=True
        )  # else pip's and the doctor's lines would come before ours
    folder = (
        Path(arguments[0] if arguments else Path.home() / "tlcourse")
        .expanduser()
        .resolve()
    )
    try:
        target = suitable_target()
        check_folder(folder)
        check_space(folder, target)
        print("1/4 looking whether this copy of the kit is whole")
        check_files(target)
        print(f"2/4 installing {len(target['wheels'])} packages into {folder}")
        folder.mkdir(parents=True, exist_ok=True)
        (folder / MARK).write_text(
            "Installed by a kit of the course tlcourse.\n", "utf-8"
        )
        install_packages(folder)
        print("3/4 lessons and data")
        for name in ("lessons", "packs", "weights"):
            copy_missing(KIT / name, folder / name)
        start = write_start(folder)
        print("4/4 can the course run here?")
        doctor(folder)
    except Refused as reason:
        print(reason)
        return 1
    except OSError as error:
        print(
            f"It could not be installed in {folder} ({error}). Choose another folder: install.py FOLDER"
        )
        return 1
    print(f"Installed. To open the lessons: {start}")
    return 0


def suitable_target() -> dict:
    """What kit.json says of this machine."""
    python = "{}.{}".format(*sys.version_info)
    manifest = KIT / "kit.json"
    targets = (
        json.loads(manifest.read_text("utf-8")).get("targets", {})
        if manifest.is_file()
        else {}
    )
    if not targets or not (KIT / "SHA256SUMS").is_file():
        raise Refused(
            "This kit is not finished. Copy it again, or make it again: tlcourse kit FOLDER"
        )
    system = SYSTEMS.get((platform.system(), platform.machine()))
    for target in targets.values():
        if (target["system"], target["python"]) == (system, python):
            return target
    here = f"{platform.system()} {platform.machine()}, Python {python}"
    raise Refused(
        f"This kit is not for this machine ({here}). It is for: {'; '.join(sorted(targets))}."
    )


def check_folder(folder: Path) -> None:
    """Refuse a folder with an environment, or a file to start something, that a kit has not put there."""
    there = [
        name
        for name in (".venv", "start.bat", "start.command", "start.sh")
        if os.path.lexists(str(folder / name))
    ]
    if there and not (folder / MARK).is_file():
        raise Refused(
            f"{folder} has a {there[0]} that this kit did not make; nothing was installed. Choose another folder: "
            "install.py FOLDER"
        )


def check_space(folder: Path, target: dict) -> None:
    parent = next(path for path in (folder, *folder.parents) if path.exists())
    needed, free = (
        target["megabytes_installed"] + SPARE_MEGABYTES,
        shutil.disk_usage(str(parent)).free // 10**6,
    )
    if free < needed and not (folder / ".venv").exists():
        raise Refused(
            f"The course needs {needed:,} MB in {folder}, and {free:,} MB are free there. Make room, or choose another "
            "folder: install.py FOLDER"
        )


def check_files(target: dict) -> None:
    """Compare what this machine needs with SHA256SUMS: a stick that was pulled out too early looks whole and is not."""
    damaged = []
    for line in (KIT / "SHA256SUMS").read_text("utf-8").splitlines():
        digest, name = line.split("  ", 1)
        other_system = (
            name.startswith("wheels/")
            and name[len("wheels/") :] not in target["wheels"]
        )
        if not other_system and (
            not (KIT / name).is_file() or sha256(KIT / name) != digest
        ):
            damaged.append(name)
    if damaged:
        more = "" if len(damaged) < 4 else f" and {len(damaged) - 3} more"
        raise Refused(
            f"Damaged or missing in this kit: {', '.join(damaged[:3])}{more}. Copy the kit again."
        )


def sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with open(str(path), "rb") as file:
        for block in iter(lambda: file.read(1 << 20), b""):
            digest.update(block)
    return digest.hexdigest()


def program(folder: Path, name: str) -> Path:
    place = ("Scripts", name + ".exe") if os.name == "nt" else ("bin", name)
    return folder.joinpath(".venv", *place)


def install_packages(folder: Path) -> None:
    python = program(folder, "python")
    if not python.exists() or subprocess.call(
        [str(python), "-m", "pip", "--version"], stdout=subprocess.DEVNULL
    ):
        if subprocess.call(
            [sys.executable, "-m", "venv", "--clear", str(folder / ".venv")]
        ):
            raise Refused(
                "This Python cannot make virtual environments. On Debian and Ubuntu: sudo apt install python3-venv"
            )
    command = [
        str(python),
        "-m",
        "pip",
        "install",
        "--quiet",
        "--no-index",
        "--find-links",
        str(KIT / "wheels"),
    ]
    command += [
        "--no-deps",
        "--require-hashes",
        "--requirement",
        str(KIT / "requirements.txt"),
    ]
    settings = {
        "PIP_CONFIG_FILE": os.devnull,
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "PIP_USER": "0",
    }
    environment = {
        key: value
        for key, value in os.environ.items()
        if not key.startswith(("PIP_", "PYTHON"))
    }
    environment.update(settings)
    if subprocess.call(command, cwd=str(KIT), env=environment):
        raise Refused(
            "The packages could not be installed; pip's reason stands above. Run this again: it goes on from here."
        )
    # Without this JupyterLab asks every newcomer whether it may fetch news.
    news = (
        folder / ".venv" / "share" / "jupyter" / "lab" / "settings" / "overrides.json"
    )
    news.parent.mkdir(parents=True, exist_ok=True)
    quiet = {"fetchNews": "false", "checkForUpdates": False}
    news.write_text(
        json.dumps({"@jupyterlab/apputils-extension:notification": quiet}), "utf-8"
    )


def copy_missing(source: Path, goal: Path) -> None:
    """Copy what is not there yet; what is there may have answers in it."""
    for path in sorted(source.rglob("*")):
        there = goal / path.relative_to(source)
        if path.is_dir():
            there.mkdir(parents=True, exist_ok=True)
        elif not os.path.lexists(str(there)):
            there.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(str(path), str(there))


def settings_of(folder: Path) -> dict:
    """The variables by which the course finds what the kit brought."""
    found = {"TLCOURSE_PACKS": folder / "packs", "KERAS_HOME": folder / "weights"}
    return {name: str(path) for name, path in found.items() if path.is_dir()}


def write_start(folder: Path) -> str:
    """The file that opens the lessons; returns how to call it."""
    settings, jupyter = settings_of(folder), program(folder, "jupyter")
    if os.name == "nt":
        start = folder / "start.bat"
        lines = [
            "@echo off",
            *(f'set "{name}={value}"' for name, value in settings.items()),
        ]
        lines += [
            f'cd /d "{folder / "lessons"}"',
            f'"{jupyter}" lab 00_start_here.ipynb',
            "pause",
        ]
        start.write_text("\r\n".join(lines) + "\r\n", "utf-8")
        return str(start)
    start = folder / ("start.command" if sys.platform == "darwin" else "start.sh")
    lines = [
        "#!/bin/sh",
        *(f'export {name}="{value}"' for name, value in settings.items()),
    ]
    lines += [
        f'cd "{folder / "lessons"}" || exit 1',
        f'exec "{jupyter}" lab 00_start_here.ipynb "$@"',
    ]
    start.write_text("\n".join(lines) + "\n", "utf-8")
    start.chmod(0o755)
    return str(start)


def doctor(folder: Path) -> None:
    tlcourse = program(folder, "tlcourse")
    if subprocess.call(
        [str(tlcourse), "doctor"], env=dict(os.environ, **settings_of(folder))
    ):
        raise Refused(
            "Installed, but the course cannot run here yet; the reason stands above."
        )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
