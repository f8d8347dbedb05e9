"""A file comes whole and as it was published, or does not come at all, and the host is asked once. The host is on
loopback, and fails in every way."""

import hashlib
import re
import socket

import pytest
from faulty_host import FAULTS, SILENT, TENTHS, black_hole, closed_port, faulty_host

from tlcourse import downloading
from tlcourse.downloading import DownloadError, download, fault_of_proxy, has_digest

CONTENT = hashlib.shake_256(b"any file").digest(300_000)  # more than one block
RIGHT = has_digest("sha256", hashlib.sha256(CONTENT).hexdigest())
SAID = {
    **dict.fromkeys(TENTHS, "broke off|ended the file after"),
    "cut after 00 %": "broke off|ended the file after|cannot be reached",
    "altered by one byte": "is not the file that was published: its SHA256 is",
    "cut, and its length not said": "is not the file that was published",
    "said to be longer than it is": "broke off|ended the file after 300,000 of 300,100 bytes",
    "said to be shorter than it is": "is not the file that was published",
    "the connection is reset": r"broke off \(Connection reset by peer\) after|cannot be reached \(Connection reset",
    "a web page in its place": "sent a web page in place of the file.*log-in first: open any page in a browser",
    "sent on to a web page": "sent a web page in place of the file",
    "sent on in a circle": "from one address to the next without end",
    "403": "127.0.0.1 answered 403 Forbidden",
    "500": "127.0.0.1 answered 500 Internal Server Error",
    "empty": "sent an empty file",
}


@pytest.fixture
def host():
    with faulty_host() as host:
        host.files["/file.bin"] = CONTENT
        yield host


@pytest.fixture
def impatient(monkeypatch):
    monkeypatch.setattr(downloading, "SECONDS_TO_ANSWER", 0.3)


def left_in(folder):
    return sorted(path.name for path in folder.rglob("*"))


def refusal(url, goal, check=RIGHT):
    with pytest.raises(DownloadError) as refused:
        download(url, goal, check)
    return str(refused.value)


def test_a_file_comes_whole(host, tmp_path):
    download(f"{host.address}/file.bin", tmp_path / "new folder" / "goal.bin", RIGHT)
    assert (tmp_path / "new folder" / "goal.bin").read_bytes() == CONTENT
    assert (left_in(tmp_path / "new folder"), host.connections) == (["goal.bin"], 1)


@pytest.mark.parametrize("fault", FAULTS)
def test_a_faulty_answer_leaves_nothing_and_the_next_try_brings_the_file(
    host, tmp_path, fault
):
    host.fault = fault
    said = refusal(f"{host.address}/file.bin", tmp_path / "goal.bin")
    assert re.search(SAID[fault], said), said
    assert left_in(tmp_path) == []
    host.fault = ""
    download(f"{host.address}/file.bin", tmp_path / "goal.bin", RIGHT)
    assert (tmp_path / "goal.bin").read_bytes() == CONTENT


@pytest.mark.parametrize(
    "fault", [fault for fault in FAULTS if fault != "sent on in a circle"]
)
def test_a_host_that_fails_is_not_asked_again(host, tmp_path, fault):
    host.fault = fault
    refusal(f"{host.address}/file.bin", tmp_path / "goal.bin")
    assert host.connections == (2 if fault == "sent on to a web page" else 1)


@pytest.mark.parametrize("fault", SILENT)
def test_a_host_that_says_nothing_is_not_waited_for(host, tmp_path, impatient, fault):
    host.fault = fault
    said = refusal(f"{host.address}/file.bin", tmp_path / "goal.bin")
    assert said == "127.0.0.1 cannot be reached (no answer within 0.3 seconds)"
    assert (left_in(tmp_path), host.connections) == ([], 1)


def test_a_host_that_takes_no_connection_is_not_waited_for(tmp_path, impatient):
    with black_hole() as address:
        assert "cannot be reached (no answer" in refusal(
            f"{address}/file.bin", tmp_path / "goal.bin"
        )


def test_a_host_whose_first_address_leads_nowhere_is_reached_at_its_second(
    host, tmp_path, monkeypatch
):
    look_up = socket.getaddrinfo
    with black_hole() as nowhere:
        both = [int(address.rsplit(":", 1)[1]) for address in (nowhere, host.address)]
        monkeypatch.setattr(
            socket,
            "getaddrinfo",
            lambda *_, **__: [
                look_up("127.0.0.1", port, type=socket.SOCK_STREAM)[0] for port in both
            ],
        )
        download("http://data.example/file.bin", tmp_path / "goal.bin", RIGHT)
    assert (tmp_path / "goal.bin").read_bytes() == CONTENT


def test_a_name_server_that_says_nothing_is_not_waited_for(
    tmp_path, impatient, monkeypatch
):
    with faulty_host() as ends:
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: ends.over.wait())
        said = refusal("http://data.example/file.bin", tmp_path / "goal.bin")
    assert said == "data.example cannot be reached (no answer within 0.3 seconds)"


def test_a_name_that_is_not_known(tmp_path, monkeypatch):
    def unknown(*_, **__):
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    said = refusal("http://data.example/file.bin", tmp_path / "goal.bin")
    assert said == "data.example cannot be reached (Name or service not known)"


def test_a_host_that_refuses(tmp_path):
    assert refusal(f"{closed_port()}/file.bin", tmp_path / "goal.bin") == (
        "127.0.0.1 cannot be reached (Connection refused)"
    )


def test_a_host_that_is_no_safe_one(host, tmp_path):
    said = refusal(
        host.address.replace("http:", "https:") + "/file.bin", tmp_path / "goal.bin"
    )
    assert said.startswith("the connection to 127.0.0.1 is not safe (")


def test_what_was_there_before_stays_until_the_new_one_is_right(host, tmp_path):
    (tmp_path / "goal.bin").write_bytes(b"before")
    host.fault = "altered by one byte"
    refusal(f"{host.address}/file.bin", tmp_path / "goal.bin")
    assert (tmp_path / "goal.bin").read_bytes() == b"before"


def test_the_check_sees_the_headers_of_the_answer(host, tmp_path):
    host.headers["/file.bin"] = {"ETag": '"abc"'}
    said = refusal(
        f"{host.address}/file.bin",
        tmp_path / "goal.bin",
        lambda _, headers: f"is {headers['etag']}",
    )
    assert said == 'what 127.0.0.1 sent is "abc"'


def test_a_folder_that_cannot_be_written_is_no_fault_of_the_host(host, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(OSError):
        download(f"{host.address}/file.bin", tmp_path / "file" / "goal.bin", RIGHT)


# --- proxies ---


def test_a_proxy_is_asked_in_place_of_the_host(host, tmp_path, monkeypatch):
    monkeypatch.setenv("http_proxy", host.address)
    host.fault = "500"
    said = refusal("http://data.example/file.bin", tmp_path / "goal.bin")
    assert (
        said
        == "data.example through the proxy 127.0.0.1 answered 500 Internal Server Error"
    )


def test_a_proxy_that_does_not_answer_is_named(host, tmp_path, monkeypatch, impatient):
    monkeypatch.setenv("https_proxy", host.address.removeprefix("http://"))
    host.fault = SILENT[0]
    said = refusal("https://data.example/file.bin", tmp_path / "goal.bin")
    assert (
        said
        == "data.example through the proxy 127.0.0.1 cannot be reached (no answer in time)"
    )


def test_a_host_that_needs_no_proxy_is_asked_itself(host, tmp_path, monkeypatch):
    monkeypatch.setenv("http_proxy", "http//nonsense")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    download(f"{host.address}/file.bin", tmp_path / "goal.bin", RIGHT)


@pytest.mark.parametrize(
    ("proxy", "fault"),
    [
        ("http//proxy.school.example:3128", "names no host"),
        ("http:/proxy.school.example:3128", "names no host"),
        ("http://", "names no host"),
        ("http://proxy.school.example:port", "is no address"),
        ("http://proxy.school.example:99999", "is no address"),
        ("ftp://proxy.school.example", "begins with ftp://, expected http://"),
        ("proxy school", "names no host"),
    ],
)
def test_a_proxy_that_is_none_is_said_to_be_none(tmp_path, monkeypatch, proxy, fault):
    monkeypatch.setenv("https_proxy", proxy)
    said = refusal("https://data.example/file.bin", tmp_path / "goal.bin")
    assert said.startswith(f"the proxy {proxy}, as https_proxy has it, {fault}")
    assert said.endswith("Set that to http://HOST:PORT, or unset it")


@pytest.mark.parametrize(
    "proxy",
    [
        "proxy.school.example:3128",
        "http://user:password@10.0.0.1:8080",
        "https://proxy",
        "socks5h://[::1]:1080",
    ],
)
def test_proxies_as_they_are_written(proxy):
    assert fault_of_proxy(proxy) is None
