"""One file over HTTP: whole and compared with its hash, or not there at all.

`keras.utils.get_file` waits without end for a host that falls silent, leaves an altered
file under its final name, trusts no certificate on a macOS whose Python has none, and
starts TensorFlow first; so this uses `requests`.
"""

import hashlib
import re
from base64 import b64decode
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from .files import unfinished_folder
from .progress import progress_bar

if TYPE_CHECKING:
    import requests

SECONDS_TO_CONNECT = 2  # to each address: IPv6 may lead nowhere
SECONDS_OF_SILENCE = 10  # until an answer, or within a file
BLOCK = 1 << 18


class DownloadError(Exception):
    """A file could not be downloaded. The message is a clause that says why."""


def download(url: str, path: Path, file_hash: str = "") -> None:
    """Download a file; what was there before stays until the new one is checked.

    The variables `https_proxy`, `no_proxy` and `REQUESTS_CA_BUNDLE` apply. `file_hash`
    is its SHA-256 or MD5 in hexadecimal digits; default: the MD5 that the host states.
    """
    answer = request(url)
    expected = file_hash or _stated_md5(answer.headers)
    algorithm = "sha256" if len(expected) == 64 else "md5"
    digest = hashlib.new(algorithm, usedforsecurity=False)
    length = answer.headers.get("Content-Length", "")
    total = int(length) if length.isdigit() else None
    bar = progress_bar(total=total, desc=path.name, unit="B", unit_scale=True)
    with answer, unfinished_folder(path) as folder, bar:
        file = folder / path.name
        with open(file, "wb") as opened, _request_errors(url, "broke off"):
            for block in answer.iter_content(BLOCK):
                opened.write(block)
                digest.update(block)
                bar.update(len(block))
        if digest.hexdigest() != expected:
            raise DownloadError(
                f"what {_host(url)} sent is not the file that was published: its hash "
                f"is {digest.hexdigest()[:12]}…, expected {expected[:12] or 'one'}…"
            )
        file.replace(path)


def _host(url: str) -> str:
    """The host, and the proxy in front of it."""
    from requests.utils import get_environ_proxies, select_proxy

    host, proxy = urlsplit(url).hostname, select_proxy(url, get_environ_proxies(url))
    shown = re.sub(r"//[^/@]*@", "//…@", proxy or "")  # without its password
    return f"{host} through the proxy {shown}" if proxy else str(host)


def request(url: str) -> "requests.Response":
    """The host's answer, before its content."""
    import requests

    timeouts = (SECONDS_TO_CONNECT, SECONDS_OF_SILENCE)
    headers = {"Accept-Encoding": "identity"}
    with _request_errors(url, "cannot be reached"):
        answer = requests.get(url, stream=True, timeout=timeouts, headers=headers)
    if not answer.ok:
        fault = f"{answer.status_code} {answer.reason}"
    elif answer.headers.get("Content-Type", "").startswith("text/html"):
        fault = "with a web page, as networks do that want a log-in first"
    else:
        return answer
    answer.close()
    raise DownloadError(f"{_host(url)} answered {fault}")


@contextmanager
def _request_errors(url: str, what: str) -> Iterator[None]:
    """Turn exceptions of requests into a `DownloadError`; those of disks pass."""
    import requests

    try:
        yield
    except requests.RequestException as error:
        reason: BaseException = error
        while inner := reason.__cause__ or reason.__context__:
            reason = inner  # the innermost, such as "Connection refused"
        text = getattr(reason, "strerror", None) or str(reason) or type(reason).__name__
        raise DownloadError(
            f"{_host(url)} {what} ({text.splitlines()[0][:200]})"
        ) from error


def _stated_md5(headers: Mapping[str, str]) -> str:
    """The MD5 that Google's storage states of a file, in hexadecimal digits."""
    stated = re.search(r"md5=([\w+/]{22}==)", headers.get("x-goog-hash", ""))
    return b64decode(stated[1]).hex() if stated else ""
