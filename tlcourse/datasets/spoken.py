"""Spoken words: the bundled Italian ones, and the Free Spoken Digit Dataset."""

import csv
import os
import re
import shutil
import tarfile
from pathlib import Path

import numpy as np

from ..cards import bundled_file
from ..downloads import download
from ..errors import DamagedFile, DatasetUnavailable, convert_errors
from ..files import unfinished_folder
from ..folders import cache_folder, how_to_carry, make_cache_folder, pack_folders
from .core import Dataset, from_arrays

DIGITS = "zero one two three four five six seven eight nine".split()
DIGITS_FOLDER = "spoken_digits"
TEST, VALIDATION = "yweweler", "theo"  # their voices; all others are for training
_RECORDING = re.compile(r"([0-9])_([a-z]+)_[0-9]+\.wav")
_HOW_TO_GET = (
    "With internet: `tlcourse fetch spoken_digits` (12 MB). Without: "
    + how_to_carry(DIGITS_FOLDER)
)


def load_words() -> Dataset:
    """86 Italian words: one recording of each by a man (train) and a woman (test).

    There is no validation set. `groups` name the voice, "Carlo" or "Paola".
    """
    with bundled_file("words", "words.csv").open(encoding="utf-8") as table:
        rows = list(csv.DictReader(table))
    files = [bundled_file("words", row["file"], row["sha256"]) for row in rows]
    voices = np.array([row["voice"] for row in rows])
    words = list(dict.fromkeys(row["word"] for row in rows))
    labels = np.array([words.index(row["word"]) for row in rows])
    split = np.where(voices == "Carlo", 0, 2)
    return from_arrays("words", split, _paths(files), labels, words, groups=voices)


def load_spoken_digits() -> Dataset:
    """The English digits of the Free Spoken Digit Dataset, split by voice.

    `groups` name the voices; yweweler is the test set, theo for validation. From a pack
    in `TLCOURSE_PACKS`, or as `tlcourse fetch spoken_digits` downloaded it.
    """
    folder = digits_folder()
    if folder is None:
        raise DatasetUnavailable(
            f"The data set {DIGITS_FOLDER} is not on this machine. {_HOW_TO_GET}"
        )
    files = sorted(path for path in folder.glob("*/*.wav") if _voice(path))
    voices = np.array([_voice(path) for path in files])
    labels = np.array([int(path.name[0]) for path in files])
    split = np.select([voices == VALIDATION, voices == TEST], [1, 2], 0)
    for part, name in enumerate(("training", "validation", "test")):
        if missing := set(range(10)) - set(labels[split == part].tolist()):
            raise DamagedFile(
                f"{folder} is not whole: among its {name} voices nobody says "
                f"{', '.join(DIGITS[digit] for digit in sorted(missing))}. {_HOW_TO_GET}"
            )
    return from_arrays(
        DIGITS_FOLDER, split, _paths(files), labels, DIGITS, groups=voices
    )


def digits_folder() -> Path | None:
    """Where the spoken digits are: a pack, or the downloaded ones."""
    for folder in (*pack_folders(), cache_folder()):
        if any(map(_voice, (folder / DIGITS_FOLDER).glob(f"{TEST}/*.wav"))):
            return folder / DIGITS_FOLDER
    return None


def fetch_spoken_digits() -> None:
    """Download the spoken digits, with the SHA-256 that tensorflow-datasets knows."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    target = cache_folder() / DIGITS_FOLDER
    what = f"{DIGITS_FOLDER} could not be downloaded to {target}"
    with convert_errors(Exception, DatasetUnavailable, what, _HOW_TO_GET):
        import tensorflow_datasets as tfds

        ((url, info),) = tfds.builder("spoken_digit").url_infos.items()
        make_cache_folder()
        with unfinished_folder(target) as unfinished:
            archive = unfinished.with_suffix(".tar.gz")
            download(url, archive, info.checksum)
            _unpack(archive, unfinished)
            shutil.rmtree(target, ignore_errors=True)
            unfinished.rename(target)


def _unpack(archive: Path, folder: Path) -> None:
    """Write an archive's recordings, each into a folder of its voice."""
    with tarfile.open(archive) as opened:
        for member in opened:
            path = Path(member.name)
            packed = opened.extractfile(member) if member.isfile() else None
            if packed and (voice := _voice(path)):
                (folder / voice).mkdir(exist_ok=True)
                (folder / voice / path.name).write_bytes(packed.read())


def _voice(path: Path) -> str:
    """The voice that a recording's name states, or ""."""
    match = _RECORDING.fullmatch(path.name)
    return match[2] if match else ""


def _paths(files: list[Path]) -> np.ndarray:
    return np.array([*files, None], dtype=object)[:-1]  # paths, not their parts
