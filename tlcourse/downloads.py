"""One file over HTTP: whole and compared with its hash, or not there at all.

`keras.utils.get_file` waits without end for a host that falls silent, leaves an altered
file under its final name, and starts TensorFlow first. So this asks with `requests`.
"""

import hashlib
import re
import threading
from base64 import b64decode
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, TimeoutError
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from .files import unfinished_folder
from .progress import progress_bar

if TYPE_CHECKING:
    import requests

SECONDS_TO_ANSWER = 4  # from the look-up of the host's name to its answer
SECONDS_OF_SILENCE = 15  # within a file: a bad Wi-Fi may pause
BLOCK = 1 << 18


class DownloadError(Exception):
    """A file could not be downloaded. The message is a clause that says why."""


def download(url: str, path: Path, file_hash: str = "") -> None:
    """Download a file; what was there before stays until the new one is checked.

    Parameters
    ----------
    url : str
        http or https; the variables `https_proxy`, `no_proxy` and `REQUESTS_CA_BUNDLE`
        apply.
    path : Path
        Where the file is to be; its folder is made.
    file_hash : str
        SHA-256 or MD5 in hexadecimal digits; default: the MD5 that the host states.

    Raises
    ------
    DownloadError
        The host did not answer, within seconds, or not with this file.
    OSError
        The file cannot be written.
    """
    host = _host(url)
    answer = _ask(url)
    expected = file_hash or _stated_hash(answer.headers)
    algorithm = "sha256" if len(expected) == 64 else "md5"
    digest = hashlib.new(algorithm, usedforsecurity=False)
    length = answer.headers.get("Content-Length", "")
    total = int(length) if length.isdigit() else None
    bar = progress_bar(total=total, desc=path.name, unit="B", unit_scale=True)
    with answer, unfinished_folder(path) as folder, bar:
        file = folder / path.name
        with open(file, "wb") as opened:
            for block in _blocks(answer, host):
                opened.write(block)
                digest.update(block)
                bar.update(len(block))
        if digest.hexdigest() != expected:
            raise DownloadError(
                f"what {host} sent is not the file that was published: its hash is "
                f"{digest.hexdigest()[:12]}…, expected {expected[:12] or 'one'}…"
            )
        file.replace(path)


def fault_of_host(url: str) -> str | None:
    """Why this file would not come, as a clause, or None; nothing is written."""
    try:
        _ask(url).close()
    except DownloadError as error:
        return str(error)
    return None


def _host(url: str) -> str:
    """Who is asked: the host, or a proxy in front of it, without its password."""
    from requests.utils import get_environ_proxies, select_proxy

    host, proxy = urlsplit(url).hostname, select_proxy(url, get_environ_proxies(url))
    return f"{host} through the proxy {without_password(proxy)}" if proxy else str(host)


def without_password(proxy: str) -> str:
    """A proxy's address as it can be shown."""
    return re.sub(r"//[^/@]*@", "//…@", proxy)


def _ask(url: str) -> "requests.Response":
    """The host's answer, before its content; in a thread, since a look-up may hang."""
    import requests

    host = _host(url)
    # Half of the time for each address: IPv6 may lead nowhere.
    timeouts = (SECONDS_TO_ANSWER / 2, SECONDS_OF_SILENCE)
    headers = {"Accept-Encoding": "identity"}
    answers: Future[requests.Response] = Future()

    def ask() -> None:
        try:
            answer = requests.get(url, stream=True, timeout=timeouts, headers=headers)
        except Exception as error:
            answers.set_exception(error)
        else:
            answers.set_result(answer)

    threading.Thread(target=ask, daemon=True).start()
    try:
        answer = answers.result(SECONDS_TO_ANSWER)
    except TimeoutError:
        answers.add_done_callback(_close)
        raise DownloadError(
            f"{host} cannot be reached (no answer within {SECONDS_TO_ANSWER} seconds)"
        ) from None
    except Exception as error:
        raise DownloadError(f"{host} cannot be reached ({_cause(error)})") from error
    fault = None
    if not answer.ok:
        fault = f"{answer.status_code} {answer.reason}"
    elif answer.headers.get("Content-Type", "").startswith("text/html"):
        fault = "with a web page, as networks do that want a log-in first"
    if fault:
        answer.close()
        raise DownloadError(f"{host} answered {fault}")
    return answer


def _close(answers: "Future[requests.Response]") -> None:
    """Close an answer that came too late."""
    if answers.exception() is None:
        answers.result().close()


def _blocks(answer: "requests.Response", host: str) -> Iterator[bytes]:
    """The content; what requests raises becomes a `DownloadError`."""
    import requests

    try:
        yield from answer.iter_content(BLOCK)
    except requests.RequestException as error:
        raise DownloadError(
            f"the connection to {host} broke off ({_cause(error)})"
        ) from error


def _stated_hash(headers: Mapping[str, str]) -> str:
    """The MD5 that Google's storage states of a file, in hexadecimal digits."""
    stated = re.search(r"md5=([\w+/]{22}==)", headers.get("x-goog-hash", ""))
    return b64decode(stated[1]).hex() if stated else ""


def _cause(error: BaseException) -> str:
    """The innermost reason, such as "Connection refused", without wrappers' names."""
    while inner := error.__cause__ or error.__context__:
        error = inner
    text = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return str(text).splitlines()[0][:200]
