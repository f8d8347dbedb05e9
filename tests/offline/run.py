"""Run a command with the network off, and say afterwards what tried to leave this machine.

    .venv/bin/python tests/offline/run.py COMMAND ARGUMENT...

Two walls, one behind the other. In Python, sitecustomize.py beside this file refuses and notes down whatever goes
beyond loopback. On Linux, where that is allowed, the command also runs in a network namespace of its own, with nothing
in it but loopback: browsers, and programs that are not Python at all, are inside it as well.

Fails where the command does, and where anything tried to leave that no test provoked on purpose (the fixture
`refusals_expected`).
"""

import ctypes
import json
import os
import socket
import struct
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

HERE = Path(__file__).resolve().parent
SHOWN = 20
NEW_NETWORK, NEW_USER = 0x40000000, 0x10000000  # of <linux/sched.h>
GET_FLAGS, SET_FLAGS, UP = 0x8913, 0x8914, 1  # of <linux/sockios.h> and <linux/if.h>


def main(command: list[str]) -> int:
    if not command:
        sys.exit(__doc__)
    print(f"Network off: {leave_the_network()}", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder, "attempts.jsonl")
        behind = os.environ.get("PYTHONPATH")
        paths = os.pathsep.join([str(HERE), *([behind] if behind else [])])
        ended = subprocess.run(
            command,
            env={**os.environ, "PYTHONPATH": paths, "TLCOURSE_OFFLINE_LOG": str(log)},
        ).returncode
        attempts = (
            [json.loads(line) for line in log.read_text().splitlines()]
            if log.exists()
            else []
        )
    unprovoked = report(attempts)
    return ended or (1 if unprovoked else 0)


def leave_the_network() -> str:
    """Move this process into a network namespace with loopback alone; returns how that went, in a sentence."""
    if not sys.platform.startswith("linux"):
        return "in Python's sockets; other programs could still reach out (only Linux can close that, too)."
    import fcntl

    system = ctypes.CDLL(None, use_errno=True)
    user, group = os.getuid(), os.getgid()
    if system.unshare(
        NEW_NETWORK
    ):  # for root; anybody else needs a user namespace around it
        if system.unshare(NEW_NETWORK | NEW_USER):
            return f"in Python's sockets; no network namespace is to be had ({os.strerror(ctypes.get_errno())})."
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"{user} {user} 1")
        Path("/proc/self/gid_map").write_text(f"{group} {group} 1")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        request = struct.pack("16sH14x", b"lo", 0)
        flags = struct.unpack("16sH14x", fcntl.ioctl(any_socket, GET_FLAGS, request))[1]
        fcntl.ioctl(any_socket, SET_FLAGS, struct.pack("16sH14x", b"lo", flags | UP))
    return "in Python's sockets, and for every program by a network namespace with loopback alone."


def report(attempts: list[dict]) -> list[dict]:
    """Print what tried to leave; returns those attempts that no test provoked on purpose."""
    unprovoked = [attempt for attempt in attempts if not attempt["on_purpose"]]
    print(
        f"{len(attempts)} attempts to leave this machine, {len(unprovoked)} that no test provoked on purpose."
    )
    kinds = Counter(
        (attempt["to"], attempt["test"], attempt["command"]) for attempt in unprovoked
    )
    for (goal, test, command), count in kinds.most_common(SHOWN):
        example = next(
            one
            for one in unprovoked
            if (one["to"], one["test"], one["command"]) == (goal, test, command)
        )
        print(f"  {count} × {goal}\n    by {command}\n    in {test or 'no test'}")
        print("".join(f"      {line}\n" for line in example["stack"]), end="")
    if len(kinds) > SHOWN:
        print(f"  and {len(kinds) - SHOWN} more kinds")
    return unprovoked


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
