"""Install the course out of this kit, without internet:  python install.py [FOLDER]

It makes a virtual environment in FOLDER ("tlcourse" in your home by default), installs
the kit's wheels, and puts the lessons beside it. Nothing outside of FOLDER is touched.
Run again, it goes on where it stopped, and leaves your files alone.
"""

from __future__ import annotations  # an older Python gets a sentence, not a SyntaxError

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
ANOTHER = "Choose another folder: install.py FOLDER"
MARK = ".tlcourse-kit"  # in the folder: it was made by a kit


class Refused(Exception):
    """The message says what is wrong and what to do."""


def main(arguments: list[str]) -> int:
    if isinstance(sys.stdout, io.TextIOWrapper):  # lines in order with pip's own
        sys.stdout.reconfigure(line_buffering=True)
    folder = Path(arguments[0] if arguments else Path.home() / "tlcourse")
    folder = folder.expanduser().resolve()
    try:
        target = suitable_target()
        check_folder(folder)
        check_space(folder, target)
        print("1/4 checking that this copy of the kit is whole")
        check_files(target)
        print(f"2/4 installing {len(target['wheels'])} packages into {folder}")
        folder.mkdir(parents=True, exist_ok=True)
        (folder / MARK).write_text("Installed by a kit of tlcourse.\n", "utf-8")
        install_packages(folder)
        print("3/4 lessons and data")
        for name in ("lessons", "packs", "weights"):
            copy_missing(KIT / name, folder / name)
        start = write_start(folder)
        print("4/4 can the course run here?")
        environment = dict(os.environ, **settings_of(folder))
        if subprocess.call([program(folder, "tlcourse"), "doctor"], env=environment):
            raise Refused("Installed, but the course cannot run here yet; see above.")
    except Refused as reason:
        print(reason)
        return 1
    except OSError as error:
        print(f"It could not be installed in {folder} ({error}). {ANOTHER}")
        return 1
    print(f"Installed. To open the lessons: {start}")
    return 0


def suitable_target() -> dict:
    """What kit.json says of this machine."""
    targets = {}
    if (KIT / "kit.json").is_file() and (KIT / "SHA256SUMS").is_file():
        targets = json.loads((KIT / "kit.json").read_text("utf-8")).get("targets", {})
    if not targets:
        raise Refused("This kit is not finished. Copy it again, or make it again.")
    python = "{}.{}".format(*sys.version_info)
    system = SYSTEMS.get((platform.system(), platform.machine()))
    for target in targets.values():
        if (target["system"], target["python"]) == (system, python):
            return target
    here = f"{platform.system()} {platform.machine()}, Python {python}"
    known = "; ".join(sorted(targets))
    raise Refused(f"This kit is not for this machine ({here}). It is for: {known}.")


def check_folder(folder: Path) -> None:
    """Refuse a folder with an environment or start file that no kit has put there."""
    for name in (".venv", "start.bat", "start.command", "start.sh"):
        if os.path.lexists(str(folder / name)) and not (folder / MARK).is_file():
            raise Refused(
                f"{folder} has a {name} that this kit did not make; nothing was "
                f"installed. {ANOTHER}"
            )


def check_space(folder: Path, target: dict) -> None:
    parent = next(path for path in (folder, *folder.parents) if path.exists())
    needed = target["megabytes_installed"] + SPARE_MEGABYTES
    free = shutil.disk_usage(str(parent)).free // 10**6
    if free < needed and not (folder / ".venv").exists():
        raise Refused(
            f"The course needs {needed:,} MB in {folder}, and {free:,} MB are free "
            f"there. Free some space. {ANOTHER}"
        )


def check_files(target: dict) -> None:
    """Compare what this machine needs with SHA256SUMS.

    A stick that was pulled out too early looks whole and is not.
    """
    damaged = []
    for line in (KIT / "SHA256SUMS").read_text("utf-8").splitlines():
        digest, name = line.split("  ", 1)
        folder, _, wheel = name.partition("/")
        if folder == "wheels" and wheel not in target["wheels"]:
            continue  # of another system
        if not (KIT / name).is_file() or sha256(KIT / name) != digest:
            damaged.append(name)
    if damaged:
        more = "" if len(damaged) < 4 else f" and {len(damaged) - 3} more"
        names = ", ".join(damaged[:3])
        raise Refused(
            f"Damaged or missing in this kit: {names}{more}. Copy the kit again."
        )


def sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with open(str(path), "rb") as file:
        for block in iter(lambda: file.read(1 << 20), b""):
            digest.update(block)
    return digest.hexdigest()


def program(folder: Path, name: str) -> str:
    path = ("Scripts", name + ".exe") if os.name == "nt" else ("bin", name)
    return str(folder.joinpath(".venv", *path))


def install_packages(folder: Path) -> None:
    python, pip = program(folder, "python"), ["-m", "pip"]
    if not os.path.exists(python) or subprocess.call(
        [python, *pip, "--version"], stdout=subprocess.DEVNULL
    ):
        command = [sys.executable, "-m", "venv", "--clear", str(folder / ".venv")]
        if subprocess.call(command):
            raise Refused(
                "This Python cannot make virtual environments. On Debian and Ubuntu: "
                "sudo apt install python3-venv"
            )
    options = ["--quiet", "--no-index", "--no-deps", "--require-hashes"]
    options += ["--find-links", str(KIT / "wheels")]
    options += ["--requirement", str(KIT / "requirements.txt")]
    settings = {name: value for name, value in os.environ.items() if not is_pips(name)}
    settings["PIP_CONFIG_FILE"] = os.devnull
    settings["PIP_DISABLE_PIP_VERSION_CHECK"] = "1"
    settings["PIP_USER"] = "0"
    command = [python, *pip, "install", *options]
    if subprocess.call(command, cwd=str(KIT), env=settings):
        raise Refused(
            "The packages could not be installed; pip's reason stands above. Run this "
            "again: it goes on from here."
        )
    # Without this JupyterLab asks every newcomer whether it may fetch news.
    labs = folder.joinpath(".venv", "share", "jupyter", "lab", "settings")
    labs.mkdir(parents=True, exist_ok=True)
    quiet = {"fetchNews": "false", "checkForUpdates": False}
    news = {"@jupyterlab/apputils-extension:notification": quiet}
    (labs / "overrides.json").write_text(json.dumps(news), "utf-8")


def is_pips(name: str) -> bool:
    return name.startswith(("PIP_", "PYTHON"))


def copy_missing(source: Path, destination: Path) -> None:
    """Copy what is not there yet; what is there may have answers in it."""
    for path in sorted(source.rglob("*")):
        copy = destination / path.relative_to(source)
        if path.is_dir():
            copy.mkdir(parents=True, exist_ok=True)
        elif not os.path.lexists(str(copy)):
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(str(path), str(copy))


def settings_of(folder: Path) -> dict:
    """The variables by which the course finds what the kit brought."""
    folders = {"TLCOURSE_PACKS": folder / "packs", "KERAS_HOME": folder / "weights"}
    return {name: str(path) for name, path in folders.items() if path.is_dir()}


def write_start(folder: Path) -> str:
    """Write the file that opens the lessons; returns its path."""
    settings, lessons = settings_of(folder).items(), folder / "lessons"
    lab = f'"{program(folder, "jupyter")}" lab 00_start.ipynb'
    if os.name == "nt":
        start = folder / "start.bat"
        lines = ["@echo off", *(f'set "{name}={value}"' for name, value in settings)]
        lines += [f'cd /d "{lessons}"', lab, "pause"]
    else:
        suffix = ".command" if sys.platform == "darwin" else ".sh"
        start = folder / f"start{suffix}"
        lines = ["#!/bin/sh", *(f'export {name}="{value}"' for name, value in settings)]
        lines += [f'cd "{lessons}" || exit 1', f'exec {lab} "$@"']
    start.write_text("\n".join([*lines, ""]), "utf-8")
    start.chmod(0o755)
    return str(start)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
