"""Can the course run here, and if not, what mends it?"""

import os
import platform
import re
import shutil
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import cast

from . import __version__
from .cache import contents, limit
from .engines import has_litert
from .errors import TLCourseError
from .files import bundled_file, cache_folder, read_card
from .pictures import Pictures

PYTHON_RANGE = ((3, 10), (3, 13))
TENSORFLOWS = ("tensorflow", "tensorflow-cpu", "tf-nightly", "tf-nightly-cpu")  # any two of them overwrite each other
NEEDED = (
    *("numpy", "scipy", "scikit-learn", "pillow", "matplotlib", "keras", "tensorflow-datasets", "importlib_resources"),
    *("tokenizers", "safetensors"),
)
WANTED = ("jupyterlab", "ipywidgets")  # the lessons; the package runs without
BUNDLED = ("weights", "digits", "kanji", "reviews", "samples")
MEMORY_GB = 2.0  # a lesson takes up to 1.5
DISK_GB = 2.0  # the dogs, while they are unpacked


@dataclass(frozen=True)
class Finding:
    """One line of the doctor's report.

    Attributes:
        subject: what was looked at.
        state: "ok"; "optional" (no lesson needs it); "look" (the course runs, but see the text); "missing" (a lesson
            or two cannot run); "broken" (the course cannot run).
        text: what was found, and where it is not ok, what to do.
    """

    subject: str
    state: str
    text: str


def examine() -> list[Finding]:
    """Look at everything; touches the network nowhere and does not start TensorFlow."""
    findings: list[Finding] = []
    machine = (_course, _python, _tensorflow, _litert, _packages, _memory, _disk, _cache)
    for look in (*machine, _bundled, _packs, _datasets, _minilm, _networks):
        try:
            findings += look()
        except ImportError as error:
            cause = f"could not be examined, because {error.name or error} cannot be imported; see above"
            findings.append(Finding(look.__name__.strip("_"), "missing", cause))
    return findings


def _course() -> Iterator[Finding]:
    yield Finding("tlcourse", "ok", f"{__version__} in {Path(__file__).parent}")


def _python() -> Iterator[Finding]:
    version = sys.version_info[:2]
    text = f"{platform.python_version()} on {platform.system()} {platform.machine()}"
    if PYTHON_RANGE[0] <= version <= PYTHON_RANGE[1]:
        yield Finding("Python", "ok", text)
    else:
        cure = "the course needs 3.10 to 3.13. Install one of them and run `make learn` again."
        yield Finding("Python", "broken", f"{text}; {cure}")


def _tensorflow() -> Iterator[Finding]:
    found = {name: version for name in TENSORFLOWS if (version := _version(name))}
    text = " and ".join(f"{name} {version}" for name, version in found.items())
    remove = f"pip uninstall {' '.join(found)}"
    if not found:
        yield Finding("TensorFlow", "broken", "not installed. Run: pip install 'tlcourse[cpu]'")
    elif _is_gutted("tensorflow"):
        cure = f"but its files are gone. Run: {remove}; then: pip install {next(iter(found))}"
        yield Finding("TensorFlow", "broken", f"{text}, {cure}")
    elif len(found) > 1:
        cure = f"they overwrite each other's files. Run: {remove}; then install one: pip install tensorflow-cpu"
        yield Finding("TensorFlow", "look", f"{text}: {cure}")
    else:
        yield Finding("TensorFlow", "ok", text)


def _litert() -> Iterator[Finding]:
    version = _version("ai-edge-litert")
    if has_litert():
        yield Finding("LiteRT", "ok", version or "found")
        return
    fault = f"{version} is installed, but does not start here" if version else "not installed"
    cure = "Run: pip install --upgrade ai-edge-litert. Until then TensorFlow does its work, at half the speed."
    yield Finding("LiteRT", "look", f"{fault}. {cure}")


def _is_gutted(module: str) -> bool:
    """Whether a package's own files are gone, as after uninstalling one of two that shared them."""
    spec = find_spec(module)
    return spec is None or spec.origin is None


def _packages() -> Iterator[Finding]:
    versions = {name: _version(name) for name in (*NEEDED, *WANTED)}
    too_old = {name: bound for name, bound in _lower_bounds().items() if _is_older(versions.get(name), bound)}
    fine = [f"{name} {version}" for name, version in versions.items() if version and name not in too_old]
    yield Finding("packages", "ok", ", ".join(fine))
    for name, bound in too_old.items():
        cure = f"the course needs {bound} or later. Run: pip install --upgrade {name}"
        yield Finding(name, "broken", f"{versions[name]}; {cure}")
    for name, version in versions.items():
        if version is None:
            yield Finding(name, "broken" if name in NEEDED else "missing", f"not installed. Run: pip install {name}")


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _lower_bounds() -> dict[str, str]:
    """Package → the lowest version that the course's own installation asks for; {} in a bare checkout."""
    try:
        lines = metadata.requires("tlcourse") or []
    except metadata.PackageNotFoundError:
        return {}
    found = (re.match(r"([\w.-]+?)\s*>=\s*([\d.]+)", line) for line in lines)
    return {match[1]: match[2] for match in found if match}


def _is_older(version: str | None, bound: str) -> bool:
    numbers = [[int(part) for part in re.findall(r"\d+", text)[:3]] for text in (version or "", bound)]
    return version is not None and numbers[0] < numbers[1]


def _memory() -> Iterator[Finding]:
    import psutil

    free = psutil.virtual_memory().available / 1e9
    if free >= MEMORY_GB:
        yield Finding("memory", "ok", f"{free:.1f} GB free")
    else:
        cure = "a lesson takes up to 1.5 GB. Close other programs and other notebooks' kernels."
        yield Finding("memory", "look", f"only {free:.1f} GB free; {cure}")


def _disk() -> Iterator[Finding]:
    places = {"TLCOURSE_CACHE": cache_folder(), "TFDS_DATA_DIR": _tfds_folder()}
    free = {variable: shutil.disk_usage(_existing(place)).free / 1e9 for variable, place in places.items()}
    least = min(free, key=free.__getitem__)
    text = f"{free[least]:.1f} GB free for {places[least]}"
    if free[least] >= DISK_GB:
        yield Finding("disk", "ok", text)
    else:
        cure = f"fetching the dogs takes 2 GB. Make room, or set {least} to a folder on another disk."
        yield Finding("disk", "look", f"only {text}; {cure}")


def _tfds_folder() -> Path:
    return Path(os.environ.get("TFDS_DATA_DIR", "~/tensorflow_datasets")).expanduser()


def _existing(place: Path) -> Path:
    return next(path for path in (place, *place.absolute().parents) if path.exists())


def _cache() -> Iterator[Finding]:
    folder = cache_folder()
    try:
        with tempfile.TemporaryFile(dir=_existing(folder)):
            pass
    except OSError as error:
        cure = "Set TLCOURSE_CACHE to a folder of your own."
        yield Finding("cache", "look", f"{folder} cannot be written to ({error.strerror}). {cure}")
        return
    size, allowed = sum(size for _, size in contents()), limit()
    text = f"{size / 1e6:,.0f} MB of at most {allowed / 1e6:,.0f} in {folder}"
    if allowed:
        yield Finding("cache", "ok", f"{text}; `tlcourse cache clear` empties it, TLCOURSE_CACHE_GB sets the limit")
    else:
        yield Finding("cache", "look", f"{text}: TLCOURSE_CACHE_GB is 0, so everything is computed every time")


def _bundled() -> Iterator[Finding]:
    for folder in BUNDLED:
        try:
            for name in read_card(folder).files:
                bundled_file(folder, name)
            yield Finding(folder, "ok", "bundled; every file's SHA-256 is right")
        except (TLCourseError, OSError) as error:
            yield Finding(folder, "broken", str(error))


def _packs() -> Iterator[Finding]:
    from .bert_folder import list_packs as list_networks
    from .datasets.pack import list_packs, pack_folders

    folders, packs = pack_folders(), list_packs() + list_networks()
    gone = [str(folder) for folder in folders if not folder.is_dir()]
    what_it_names = "It names the folder that holds packs: the parent of the folder dogs or minilm."
    if gone:
        yield Finding("TLCOURSE_PACKS", "look", f"there is no folder {' or '.join(gone)}. {what_it_names}")
    elif folders and not packs:
        yield Finding("TLCOURSE_PACKS", "look", f"no pack in {' or '.join(map(str, folders))}. {what_it_names}")
    elif folders:
        yield Finding("TLCOURSE_PACKS", "ok", f"packs: {', '.join(packs)}")


def _datasets() -> Iterator[Finding]:
    from . import fetching
    from .datasets import find_pack, fitting
    from .datasets.dogs import CURE
    from .datasets.tfds import SIZES

    yield _solar()
    if why := fitting.fault():
        yield Finding("tensorflow-datasets", "missing", why)
        return
    place = fetching.whereabouts("dogs")
    if place:
        pack = find_pack("dogs")
        breeds = f", {sum(folder.is_dir() for folder in (pack / 'train').iterdir())} breeds" if pack else ""
        yield Finding("dogs", "ok", place + breeds)
    else:
        yield Finding("dogs", "missing", f"not on this machine. {CURE}")
    for name, what in {"mnist": "all 70,000 digits", "kmnist": "manuscript characters"}.items():
        place = fetching.whereabouts(name)
        text = place or f"{what}, {SIZES[name]}; no lesson needs it. With internet: tlcourse fetch {name}"
        yield Finding(name, "ok" if place else "optional", text)


def _solar() -> Finding:
    from .datasets import load_dataset

    reinstall = "Run: pip install --force-reinstall --no-deps elpv-dataset"
    try:
        solar = load_dataset("solar")
    except TLCourseError as error:
        return Finding("solar", "missing", f"{error}")
    except OSError as error:
        return Finding("solar", "missing", f"elpv-dataset is installed, but damaged ({error}). {reinstall}")
    paths = [path for split in solar.splits.values() for path in cast(Pictures, split.images).paths]
    lost = sum(not path.is_file() for path in paths)
    if lost:
        return Finding("solar", "missing", f"{lost:,} of {len(paths):,} cells are lost. {reinstall}")
    return Finding("solar", "ok", f"{len(paths):,} cells")


def _minilm() -> Iterator[Finding]:
    from .bert_folder import find_folder

    try:
        yield Finding("minilm", "ok", f"in {find_folder('minilm')}; every file's SHA-256 is right")
    except TLCourseError as error:
        yield Finding("minilm", "missing", str(error))


def _networks() -> Iterator[Finding]:
    from . import fetching
    from .published import weights_file

    files = {(name, top): weights_file(name, top) for name in fetching.NETWORKS for top in (False, True)}
    faults = {key: fetching.fault_of_weights(file) for key, file in files.items()}
    for (name, top), fault in faults.items():
        if fault and fault != "missing":
            again = f"tlcourse fetch {name}" + (" --with-classifier" if top else "")
            text = f"{files[name, top]} is {fault}. Delete it; with internet run: {again}"
            yield Finding(name, "missing", text)
    here = [name for name in fetching.NETWORKS if faults[name, False] is None]
    absent = [name for name in fetching.NETWORKS if faults[name, False] == "missing"]
    if here:
        yield Finding("networks", "ok", f"in Keras' cache: {', '.join(here)}")
    for name in [name for name in fetching.TEXT_NETWORKS if name != "minilm"]:
        place = fetching.whereabouts(name)
        if place:
            yield Finding(name, "ok", f"in {place}")
        else:
            absent.append(name)
    if absent:
        yield Finding("more networks", "optional", f"with internet: tlcourse fetch {' '.join(absent)}")
