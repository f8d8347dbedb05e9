"""What is in a kit beside the wheels: lessons, packs, weights, and the programs that install it."""

import shutil
import zipfile
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from .. import datasets, fetching
from ..errors import TLCourseError, UserInputError
from ..files import sha256, unfinished_folder, write_atomically
from ..handouts import LEARNERS, make_handouts
from ..models import weights
from ..validation import one_of

LAUNCHERS = Path(__file__).parent / "launchers"
INSTALLER = Path(__file__).parent / "installer.py"


def add(
    folder: Path, networks: Sequence[str], checked: bool, say: Callable[[str], None]
) -> list[str]:
    """Lessons, the dogs' pack and weights of Keras. Returns, in sentences, what is not on this machine.

    Args:
        checked: whether `check_lessons` was called for the lessons that are there.
    """
    say("lessons")
    with unfinished_folder(folder / "lessons") as made:
        make_handouts(made)
        if not checked:  # the first making was interrupted: they are as they are made now, or not the kit's
            files = [path for path in (made / LEARNERS).rglob("*") if path.is_file()]
            new = {
                f"lessons/{path.relative_to(made / LEARNERS).as_posix()}": sha256(path)
                for path in files
            }
            check_lessons(folder / "lessons", new)
        shutil.rmtree(folder / "lessons", ignore_errors=True)
        (made / LEARNERS).rename(folder / "lessons")
    say("packs and weights")
    return [
        *_add_dogs(folder / "packs"),
        *_add_networks(folder / "weights" / "models", networks),
    ]


def check_lessons(folder: Path, known: dict[str, str]) -> None:
    """Refuse to make lessons again that are not as the kit had them, or that were added: answers may be in them.

    Args:
        known: file in the kit → SHA-256.

    Raises:
        UserInputError: names what was changed.
    """
    files = {
        f"lessons/{path.relative_to(folder).as_posix()}": path
        for path in folder.rglob("*")
        if not path.is_dir()
    }
    changed = [
        name
        for name, path in files.items()
        if not path.is_file() or sha256(path) != known.get(name)
    ]
    if changed:
        raise UserInputError(
            f"In {folder.parent} there is {', '.join(sorted(changed)[:3])}, which is not as a kit has it. Answers may "
            "be in it, so the lessons were not made again. Move it away and run the same command."
        )


def _add_dogs(folder: Path) -> list[str]:
    if (folder / "dogs").is_dir():
        return []
    try:
        datasets.write_pack(datasets.load_dataset("dogs"), folder)
    except TLCourseError:
        return [
            "The dogs of lesson 03 are not on this machine. With internet: tlcourse fetch dogs, then this again."
        ]
    return []


def check_networks(networks: Sequence[str]) -> None:
    """Refuse, before anything is written, what is no network of Keras.

    Raises:
        UserInputError: lists those that there are.
    """
    fetching.check_names(networks)
    for name in networks:
        one_of("networks", name, fetching.NETWORKS)


def _add_networks(folder: Path, networks: Sequence[str]) -> list[str]:
    """Copy files of weights out of Keras' cache."""
    missing = []
    for name in networks:
        file = weights.weights_file(name)
        if fetching.fault_of_weights(file):
            missing.append(
                f"{name} is not on this machine. With internet: tlcourse fetch {name}, then this again."
            )
        elif not (folder / file.name).is_file():
            with open(file, "rb") as source:
                write_atomically(
                    folder / file.name, partial(shutil.copyfileobj, source)
                )
    return missing


def add_installers(folder: Path, pythons: Sequence[str]) -> None:
    """install.py, and for each system the file that starts it with one of these Pythons."""
    shutil.copyfile(INSTALLER, folder / "install.py")
    for file in LAUNCHERS.iterdir():
        text = file.read_text(encoding="utf-8").replace("@PYTHONS@", " ".join(pythons))
        newline = "\r\n" if file.suffix in (".bat", ".txt") else "\n"
        goal = folder / file.name
        goal.write_text(text, encoding="utf-8", newline=newline)
        goal.chmod(0o755)


def unpacked_bytes(wheel: Path) -> float:
    """What a wheel takes when it is installed, with the bytecode that pip makes of it: 12 % when it was measured."""
    with zipfile.ZipFile(wheel) as archive:
        return 1.15 * sum(entry.file_size for entry in archive.infolist())
