"""One file over HTTP: asked for once, and whole and checked where it is wanted, or not there at all."""

import hashlib
import queue
import re
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from .files import unfinished_folder
from .progress import progress_bar

if TYPE_CHECKING:
    import requests

SECONDS_TO_ANSWER = (
    3  # from the look-up of the host's name to the first byte of the file
)
SECONDS_OF_SILENCE = 15  # within a file that has begun: a bad Wi-Fi may take a breath
BLOCK = 1 << 18
Check = Callable[[Path, Mapping[str, str]], str | None]
"""What is wrong with a file that came with these headers, as a clause, or None."""


class DownloadError(Exception):
    """A file did not come. The message is a clause that says why.

    Attributes:
        status: what the host answered, as a number of HTTP (404), or None where it was something else.
    """

    def __init__(self, message: str, status: int | None = None):
        super().__init__(message)
        self.status = status


def download(url: str, goal: Path, check: Check) -> None:
    """Bring a file; what stood in its place before is kept until the new one is whole and checked.

    The host is asked once. Who waits before a machine without internet is told so within seconds, whichever way the
    network is absent: no route, no name server or one that is silent, a host, a proxy or a log-in page in between that
    is silent or answers with something else.

    Args:
        url: http or https; the settings `https_proxy`, `no_proxy` and `REQUESTS_CA_BUNDLE` are heeded.
        goal: where the file is to be; its folder is made if need be.
        check: says what is wrong with the file, from its path and the headers of the answer, or None.

    Raises:
        DownloadError: it did not come, or not whole, or not as `check` wants it.
        OSError: it cannot be written.
    """
    host = _asked(url)
    response, blocks, first = _begin(url, host)
    with response, unfinished_folder(goal) as unfinished:
        headers = {
            **response.headers,
            **(response.history[0].headers if response.history else {}),
        }
        file = unfinished / goal.name
        _write(file, host, response.headers.get("Content-Length", ""), first, blocks)
        fault = check(file, {name.lower(): value for name, value in headers.items()})
        if fault:
            raise DownloadError(f"what {host} sent {fault}")
        file.replace(goal)


def fault_of_host(url: str) -> str | None:
    """Why this file would not come, as a clause, or None; its beginning is asked for, and nothing is written."""
    try:
        with _begin(url, _asked(url))[0]:
            return None
    except DownloadError as error:
        return str(error)


def has_digest(algorithm: str, expected: str) -> Check:
    """The check that a file has this SHA-256 or MD5, in hexadecimal digits."""

    def check(file: Path, headers: Mapping[str, str]) -> str | None:
        found = digest(file, algorithm)
        if found == expected:
            return None
        return f"is not the file that was published: its {algorithm.upper()} is {found[:12]}…, expected {expected[:12]}…"

    return check


def digest(file: Path, algorithm: str, start: bytes = b"") -> str:
    """A file's digest in hexadecimal digits; `start` is put before its content."""
    summed = hashlib.new(algorithm, start, usedforsecurity=False)
    with open(file, "rb") as opened:
        while block := opened.read(BLOCK):
            summed.update(block)
    return summed.hexdigest()


def proxy_of(url: str) -> str | None:
    """The address of the proxy that the machine's settings name for this one, as it was set, or None."""
    from requests.utils import get_environ_proxies, select_proxy

    return select_proxy(url, get_environ_proxies(url)) or None


def without_password(proxy: str) -> str:
    """A proxy's address as it can be shown: messages are copied into forums."""
    return re.sub(r"//[^/@]*@", "//…@", proxy)


def fault_of_proxy(proxy: str) -> str | None:
    """What is wrong with a proxy's address as it was set, as a clause, or None."""
    try:
        parts = urlsplit(_with_scheme(proxy))
        _ = parts.port
    except ValueError as error:
        return f"is no address ({error})"
    if parts.scheme not in ("http", "https", "socks4", "socks4a", "socks5", "socks5h"):
        return f"begins with {parts.scheme}://, expected http://"
    # What lacks a colon or a slash (http//host, http:/host) reads as a host of that name, or as none.
    if (
        not parts.hostname
        or not re.fullmatch(r"[\w.:-]+", parts.hostname)
        or parts.hostname in ("http", "https")
    ):
        return "names no host"
    return None


def _with_scheme(proxy: str) -> str:
    return proxy if "://" in proxy else f"http://{proxy}"


def _asked(url: str) -> str:
    """Who is really asked, in words: the host, or the proxy before it.

    Raises:
        DownloadError: the proxy that is set cannot be one.
    """
    host, proxy = urlsplit(url).hostname, proxy_of(url)
    if not proxy:
        return str(host)
    fault = fault_of_proxy(proxy)
    if fault:
        raise DownloadError(
            f"the proxy {without_password(proxy)}, as {urlsplit(url).scheme}_proxy has it, {fault}. Set that to "
            "http://HOST:PORT, or unset it"
        )
    return f"{host} through the proxy {urlsplit(_with_scheme(proxy)).hostname}"


def _begin(url: str, host: str) -> "tuple[requests.Response, Iterator[bytes], bytes]":
    """Ask, and wait for the file's first bytes; returns the answer, the blocks that follow, and the first one."""
    answers: queue.Queue[
        tuple[requests.Response, Iterator[bytes], bytes] | Exception
    ] = queue.Queue(1)
    given_up = threading.Event()

    def ask() -> None:
        try:
            response = _get(url)
            blocks = (
                response.raw.stream(BLOCK, decode_content=False)
                if response.ok
                else iter(())
            )
            answers.put((response, blocks, next(blocks, b"")))
            if given_up.is_set():
                response.close()
        except (
            Exception
        ) as error:  # of requests, urllib3, http.client, ssl, socket: told apart below
            answers.put(error)

    # Not even the look-up of a name can be told to end in time; in a thread it can be left behind.
    threading.Thread(target=ask, daemon=True, name="tlcourse-download").start()
    try:
        answer = answers.get(timeout=SECONDS_TO_ANSWER)
    except queue.Empty:
        given_up.set()
        raise DownloadError(
            f"{host} cannot be reached (no answer within {SECONDS_TO_ANSWER} seconds)"
        ) from None
    if isinstance(answer, Exception):
        raise DownloadError(_sentence(answer, host)) from answer
    _check_answer(answer[0], host)
    return answer


def _get(url: str) -> "requests.Response":
    import requests

    # Half of the time for an address: where a host's IPv6 leads nowhere, its IPv4 has the other half.
    timeouts = (SECONDS_TO_ANSWER / 2, SECONDS_OF_SILENCE)
    session = requests.Session()
    session.max_redirects = 5
    return session.get(
        url, stream=True, timeout=timeouts, headers={"Accept-Encoding": "identity"}
    )


def _check_answer(response: "requests.Response", host: str) -> None:
    """Refuse an answer that is not the file."""
    if not response.ok:
        response.close()
        raise DownloadError(
            f"{host} answered {response.status_code} {response.reason}",
            response.status_code,
        )
    if response.headers.get("Content-Type", "").startswith("text/html"):
        response.close()
        raise DownloadError(
            f"{host} sent a web page in place of the file, as networks do that want a log-in first: open any page in "
            "a browser"
        )


def _write(
    file: Path, host: str, length: str, first: bytes, blocks: Iterator[bytes]
) -> None:
    """Write what comes, with a progress bar; it must be as long as was said beforehand."""
    expected = int(length) if length.isdigit() else None
    with (
        open(file, "wb") as opened,
        progress_bar(total=expected, desc=file.name, unit="B", unit_scale=True) as bar,
    ):
        block = first
        try:
            while block:
                opened.write(block)
                bar.update(len(block))
                block = _next(blocks, host)
        except DownloadError as error:
            raise DownloadError(
                f"{error} after {_of(opened.tell(), expected)}"
            ) from error.__cause__
        written = opened.tell()
    if expected is not None and written != expected:
        raise DownloadError(f"{host} ended the file after {_of(written, expected)}")
    if not written:
        raise DownloadError(f"{host} sent an empty file")


def _next(blocks: Iterator[bytes], host: str) -> bytes:
    try:
        return next(blocks, b"")
    except Exception as error:  # as in `_begin`
        raise DownloadError(
            f"the connection to {host} broke off ({_cause(error)})"
        ) from error


def _of(written: int, expected: int | None) -> str:
    return (
        f"{written:,} bytes"
        if expected is None
        else f"{written:,} of {expected:,} bytes"
    )


def _sentence(error: Exception, host: str) -> str:
    """What the libraries' errors mean, as a clause."""
    import requests

    if isinstance(error, requests.exceptions.SSLError):
        return f"the connection to {host} is not safe ({_cause(error)}): something stands in between"
    if isinstance(error, requests.exceptions.TooManyRedirects):
        return f"{host} sends one on from one address to the next without end"
    return f"{host} cannot be reached ({_cause(error)})"


def _cause(error: BaseException) -> str:
    """The innermost reason, such as "Connection refused", without the names of the libraries around it."""
    chain = [error]
    while (
        inner := chain[-1].__cause__ or chain[-1].__context__
    ) and inner not in chain:
        chain.append(inner)
    if any(isinstance(one, TimeoutError) for one in chain):
        return "no answer in time"
    for one in reversed(chain):
        if isinstance(one, OSError) and one.strerror:
            return one.strerror
    return (str(chain[-1]) or type(chain[-1]).__name__).splitlines()[0][:200]
