"""Downloads: what stands in their way, what they left half done, and, if asked for, whether their hosts answer."""

import os
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from ..downloading import fault_of_proxy, without_password
from ..errors import TLCourseError
from ..files import UNFINISHED, cache_folder
from .finding import Finding

PROXIES = ("http_proxy", "https_proxy", "all_proxy")
QUIET = 3600  # seconds; nobody writes any longer to what has not changed for so long


def proxies() -> Iterator[Finding]:
    """Only where one is set that cannot be one."""
    for variable in (*PROXIES, *map(str.upper, PROXIES)):
        proxy = os.environ.get(variable, "")
        fault = fault_of_proxy(proxy) if proxy else None
        if fault:
            cure = f"Set it to http://HOST:PORT, or run: unset {variable}"
            yield Finding(
                variable,
                "look",
                f"is {without_password(proxy)}, which {fault}: nothing is fetched. {cure}",
            )


def half_done() -> Iterator[Finding]:
    """Only where there is something of a download that was killed."""
    places = [
        path for path in _unfinished() if _last_change(path) < time.time() - QUIET
    ]
    if not places:
        return
    size = sum(
        file.stat().st_size
        for place in places
        for file in (place, *place.rglob("*"))
        if file.is_file()
    )
    what = (
        "1 download that was"
        if len(places) == 1
        else f"{len(places)} downloads that were"
    )
    names = " ".join(f'"{place}"' for place in places)
    text = f"{size / 1e6:,.0f} MB of {what} killed; nothing uses that, and fetching begins anew. Run: rm -r {names}"
    yield Finding("half downloads", "look", text)


def _unfinished() -> Iterator[Path]:
    """What the course's own downloads and tensorflow-datasets' write before they rename it."""
    from ..datasets import fitting
    from ..datasets.tfds import data_folder
    from ..models.bert_folder import models_folder
    from ..models.weights import weights_file

    sets = None if fitting.fault() else data_folder()
    downloads = sets.glob("downloads/tlcourse-*") if sets else ()
    for folder in (models_folder(), weights_file("vgg16").parent, *downloads):
        yield from folder.glob(f"{UNFINISHED}*")
        yield from folder.glob(".unpacked-*")
    yield from (cache_folder() / "dogs").glob(f"{UNFINISHED}*")
    if sets is None:
        return
    yield from sets.glob("*/incomplete.*")
    yield from sets.glob("downloads/**/*.tmp.*")
    yield from sets.glob("downloads/extracted/incomplete*")


def _last_change(place: Path) -> float:
    return max(path.stat().st_mtime for path in (place, *place.rglob("*")))


def packs() -> Iterator[Finding]:
    """Only where a pack that `tlcourse pack` wrote is not as it was written."""
    from ..datasets.pack import MANIFEST, find_pack, list_packs, read_pack

    for name in list_packs():
        pack = find_pack(name)
        if pack and (pack / MANIFEST).is_file():
            try:
                read_pack(pack)
            except (TLCourseError, OSError, ValueError) as error:
                yield Finding(f"pack {name}", "missing", str(error))


def hosts() -> Iterator[Finding]:
    """Ask each host once, all at the same time: only if the user wants that."""
    from .. import fetching

    names = fetching.FROM_EACH_HOST
    with ThreadPoolExecutor(len(names)) as asking:
        for name, fault in zip(
            names, asking.map(fetching.fault_of_host, names), strict=True
        ):
            if fault is None:
                yield Finding(f"fetch {name}", "ok", "its host answers")
            else:
                text = f"{fault}. What is on this machine works without. Elsewhere: tlcourse pack, or tlcourse kit"
                yield Finding(f"fetch {name}", "look", text)
