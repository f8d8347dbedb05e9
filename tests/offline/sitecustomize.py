"""Every way out of this machine closed, for each Python process that has this folder on its PYTHONPATH.

Python imports a module of this name at its start. From then on, whatever would connect, send or look up a name beyond
loopback and Unix sockets fails at once with an OSError, and a line of JSON in the file `TLCOURSE_OFFLINE_LOG` says who
tried. An audit hook does it: nothing that runs later can take it off, and it also sees what goes past `socket.socket`.
"""

import errno
import ipaddress
import json
import os
import socket
import sys
import traceback

LOG, ON_PURPOSE = "TLCOURSE_OFFLINE_LOG", "TLCOURSE_OFFLINE_ON_PURPOSE"
HERE = os.path.dirname(os.path.abspath(__file__))
OWN_NAMES = {
    "",
    "localhost",
    "localhost.localdomain",
    "ip6-localhost",
    socket.gethostname().lower(),
}


def is_here(host) -> bool:
    """Whether a host's name or address is this machine's own: loopback, nothing at all, or the machine's name."""
    name = (
        host.decode("utf-8", "replace") if isinstance(host, bytes | bytearray) else host
    )
    if name is None or name.lower().rstrip(".") in OWN_NAMES:
        return True
    try:
        address = ipaddress.ip_address(name.split("%")[0])
    except ValueError:
        return False
    address = getattr(address, "ipv4_mapped", None) or address
    return (
        address.is_loopback or address.is_unspecified
    )  # connecting to 0.0.0.0 is connecting to oneself


def destination(event: str, arguments: tuple):
    """Where a call of the `socket` module would go, as text, or None if it stays here."""
    if event in ("socket.connect", "socket.sendto", "socket.sendmsg"):
        connection, address = arguments
        if (
            connection.family not in (socket.AF_INET, socket.AF_INET6)
            or address is None
        ):  # None: it is connected
            return None
        host, port = address[:2]
        return None if is_here(host) else f"{host}:{port}"
    if event in ("socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyaddr"):
        host = arguments[0]
        return (
            None
            if is_here(host) or (event == "socket.getaddrinfo" and _is_address(host))
            else f"{host} (its name)"
        )
    return None


def _is_address(host) -> bool:
    """Whether no name server is needed to know where this is."""
    try:
        return bool(
            ipaddress.ip_address(host.decode() if isinstance(host, bytes) else host)
        )
    except ValueError:
        return False


def refuse(event: str, arguments: tuple) -> None:
    if not event.startswith("socket."):
        return
    goal = destination(event, arguments)
    if goal is not None:
        _log(event, goal)
        said = f"{goal} is beyond this machine, and the network is off (make test NETWORK=off)."
        raise (
            socket.gaierror(socket.EAI_FAIL, said)
            if "get" in event
            else OSError(errno.ENETUNREACH, said)
        )


def _log(event: str, goal: str) -> None:
    entry = {
        "to": goal,
        "event": event,
        "command": " ".join(sys.orig_argv)[:300],
        "test": os.environ.get("PYTEST_CURRENT_TEST", ""),
        "on_purpose": bool(os.environ.get(ON_PURPOSE)),
        "stack": [
            f"{frame.filename}:{frame.lineno} {frame.name}" for frame in _callers()
        ],
    }
    path = os.environ.get(LOG)
    if path:
        line = json.dumps(entry) + "\n"
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
        os.write(file, line.encode())  # one write: lines of two processes do not mix
        os.close(file)


def _callers() -> list:
    """The calls that led here: the last ones of programs, and the two innermost of libraries."""
    frames = [
        frame for frame in traceback.extract_stack() if frame.filename != __file__
    ]
    libraries = ("site-packages", f"python{sys.version_info[0]}.{sys.version_info[1]}")
    ours = [
        frame
        for frame in frames[:-2]
        if not any(part in frame.filename for part in libraries)
    ]
    return ours[-4:] + frames[-2:]


def _run_the_one_behind() -> None:
    """This module stands before another one of its name, if the system has one."""
    from importlib.machinery import PathFinder
    from importlib.util import module_from_spec

    elsewhere = [folder for folder in sys.path if os.path.abspath(folder) != HERE]
    found = PathFinder.find_spec("sitecustomize", elsewhere)
    if found and found.loader:
        found.loader.exec_module(module_from_spec(found))


if os.environ.get(LOG):
    sys.addaudithook(refuse)
_run_the_one_behind()
