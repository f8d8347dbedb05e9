"""Bundled data, packs and what is fetched: is it here, and whole?"""

from collections.abc import Iterator
from typing import cast

from ..errors import TLCourseError
from ..features.pictures import Pictures
from ..files import bundled_file, read_card
from .finding import Finding

BUNDLED = ("weights", "digits", "kanji", "reviews", "samples")


def bundled() -> Iterator[Finding]:
    for folder in BUNDLED:
        try:
            for name in read_card(folder).files:
                bundled_file(folder, name)
            yield Finding(folder, "ok", "bundled; every file's SHA-256 is right")
        except (TLCourseError, OSError) as error:
            yield Finding(folder, "broken", str(error))


def packs() -> Iterator[Finding]:
    from ..datasets.pack import list_packs, pack_folders
    from ..models.bert_folder import list_packs as list_networks

    folders, packs = pack_folders(), list_packs() + list_networks()
    gone = [str(folder) for folder in folders if not folder.is_dir()]
    what_it_names = (
        "It names the folder that holds packs: the parent of the folder dogs or minilm."
    )
    if gone:
        yield Finding(
            "TLCOURSE_PACKS",
            "look",
            f"there is no folder {' or '.join(gone)}. {what_it_names}",
        )
    elif folders and not packs:
        yield Finding(
            "TLCOURSE_PACKS",
            "look",
            f"no pack in {' or '.join(map(str, folders))}. {what_it_names}",
        )
    elif folders:
        yield Finding("TLCOURSE_PACKS", "ok", f"packs: {', '.join(packs)}")


def datasets() -> Iterator[Finding]:
    from .. import fetching
    from ..datasets import find_pack, fitting
    from ..datasets.dogs import CURE
    from ..datasets.tfds import SIZES

    yield _solar()
    if why := fitting.fault():
        yield Finding("tensorflow-datasets", "missing", why)
        return
    place = fetching.whereabouts("dogs")
    if place:
        pack = find_pack("dogs")
        breeds = (
            f", {sum(folder.is_dir() for folder in (pack / 'train').iterdir())} breeds"
            if pack
            else ""
        )
        yield Finding("dogs", "ok", place + breeds)
    else:
        yield Finding("dogs", "missing", f"not on this machine. {CURE}")
    for name, what in {
        "mnist": "all 70,000 digits",
        "kmnist": "manuscript characters",
    }.items():
        place = fetching.whereabouts(name)
        text = (
            place
            or f"{what}, {SIZES[name]}; no lesson needs it. With internet: tlcourse fetch {name}"
        )
        yield Finding(name, "ok" if place else "optional", text)


def _solar() -> Finding:
    from ..datasets import load_dataset

    reinstall = "Run: pip install --force-reinstall --no-deps elpv-dataset"
    try:
        solar = load_dataset("solar")
    except TLCourseError as error:
        return Finding("solar", "missing", f"{error}")
    except OSError as error:
        return Finding(
            "solar",
            "missing",
            f"elpv-dataset is installed, but damaged ({error}). {reinstall}",
        )
    paths = [
        path
        for split in solar.splits.values()
        for path in cast(Pictures, split.images).paths
    ]
    lost = sum(not path.is_file() for path in paths)
    if lost:
        return Finding(
            "solar",
            "missing",
            f"{lost:,} of {len(paths):,} cells are lost. {reinstall}",
        )
    return Finding("solar", "ok", f"{len(paths):,} cells")


def minilm() -> Iterator[Finding]:
    from ..models.bert_folder import find_folder

    try:
        yield Finding(
            "minilm", "ok", f"in {find_folder('minilm')}; every file's SHA-256 is right"
        )
    except TLCourseError as error:
        yield Finding("minilm", "missing", str(error))


def networks() -> Iterator[Finding]:
    from .. import fetching
    from ..models.weights import weights_file

    files = {
        (name, top): weights_file(name, top)
        for name in fetching.NETWORKS
        for top in (False, True)
    }
    faults = {key: fetching.fault_of_weights(file) for key, file in files.items()}
    for (name, top), fault in faults.items():
        if fault and fault != "missing":
            again = f"tlcourse fetch {name}" + (" --with-classifier" if top else "")
            text = (
                f"{files[name, top]} is {fault}. Delete it; with internet run: {again}"
            )
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
        yield Finding(
            "more networks",
            "optional",
            f"with internet: tlcourse fetch {' '.join(absent)}",
        )
