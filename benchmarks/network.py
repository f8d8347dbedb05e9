"""What a learner without internet waits for, and reads: all that can be fetched, in every way a network is absent.

    .venv/bin/python benchmarks/network.py                    print the table
    .venv/bin/python benchmarks/measure.py network            and write it to benchmarks/results.json

The hosts are on loopback (tests/faulty_host.py). Two ways are Linux's, for root: a network namespace without a route,
and one with a name server that never answers; elsewhere they are left out. Seconds are of the whole command, Python's
and TensorFlow's start included, and of the fetching alone.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "tests" / "offline")]
from faulty_host import SILENT, black_hole, closed_port, faulty_host  # noqa: E402

ASKED = (
    "dogs",
    "minilm",
    "vgg16",
    "load vgg16",
)
ANSWERS = (*SILENT, "403", "500", "a web page in its place", "sent on to a web page")
NAMESPACES = ("no route", "a name server that never answers")
HERE = (
    "connection refused",
    "takes no connection and refuses none",
    "a proxy that never answers",
    *ANSWERS,
)

CHILD = """
import json, sys, time
from tlcourse import cli, fetching
from tlcourse.models import bert_folder, weights
from tlcourse.datasets import downloaded

what, address = sys.argv[1:]
bert_folder.find_spec = lambda name: None  # minilm's package may be installed on the machine that measures
if address:
    weights.KERAS_FILES, make = address, downloaded.builder

    def builder():
        made = make()
        infos = {f"{address}/{info.filename}": info for info in made.url_infos.values()}
        type(made).url_infos = infos
        return made

    downloaded.builder = builder
def timed(call):
    def run(*arguments, **options):
        start = time.perf_counter()
        try:
            return call(*arguments, **options)
        finally:
            print(json.dumps({"waited": time.perf_counter() - start}), file=sys.__stdout__)
    return run

if what.startswith("load "):
    import tlcourse as tl
    try:
        timed(tl.load_pretrained_model)(what.removeprefix("load "))
    except Exception as error:
        sys.exit(f"{type(error).__name__}: {error}")
else:
    fetching.fetch = timed(fetching.fetch)
    cli.app(["fetch", what])
"""

NO_ROUTE = """
import sys
sys.path.insert(0, {offline!r})
import run
run.leave_the_network()
"""

SILENT_NAMES = """
import ctypes, socket, subprocess
ctypes.CDLL(None).unshare(0x00020000)  # a mount namespace: this resolv.conf is of this process alone
subprocess.run(["mount", "--make-rprivate", "/"], check=True)
with open({file!r}, "w") as file:
    file.write("nameserver 127.0.0.1\\n")
subprocess.run(["mount", "--bind", {file!r}, "/etc/resolv.conf"], check=True)
names = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
names.bind(("127.0.0.1", 53))
"""


class _Everything(dict):
    """A host's files: there is one for every path."""

    def get(self, path: str, default: bytes | None = None) -> bytes:
        return bytes(100_000)


def network() -> dict:
    """What is kept of all rows: how many were tried, how many were lost, and the slowest of each way of failing."""
    rows = list(all_rows())
    ways = {
        way: [row for row in rows if row["way"] == way]
        for way in dict.fromkeys(row["way"] for row in rows)
    }
    return {
        "tried": len(rows),
        "without_a_sentence": sum(
            not (row["failed"] and "tlcourse fetch" in row["said"]) for row in rows
        ),
        "ways": {
            way: {
                "seconds": max(row["seconds"] for row in same),
                "waited": max(row["waited"] for row in same),
                "connections": max((row["connections"] or 0) for row in same),
            }
            for way, same in ways.items()
        },
    }


def all_rows() -> Iterator[dict]:
    """One row for each thing asked for and each way of failing."""
    yield from (
        row
        for way in (*NAMESPACES, *HERE)
        for asked in ASKED
        if (row := measured(asked, way))
    )


def measured(asked: str, way: str) -> dict | None:
    with ExitStack() as stack:
        home = stack.enter_context(tempfile.TemporaryDirectory())
        host = stack.enter_context(faulty_host())
        code, address, settings = CHILD, host.address, {}
        if way in NAMESPACES:
            if not (sys.platform.startswith("linux") and os.getuid() == 0):
                return None
            code, address = (
                NO_ROUTE.format(offline=str(ROOT / "tests" / "offline")) + CHILD,
                "",
            )
            if way != NAMESPACES[0]:
                before = NO_ROUTE.format(offline=str(ROOT / "tests" / "offline"))
                code = before + SILENT_NAMES.format(file=f"{home}/resolv.conf") + CHILD
        elif way == "connection refused":
            address = closed_port()
        elif way == "takes no connection and refuses none":
            address = stack.enter_context(black_hole())
        elif way == "a proxy that never answers":
            settings = dict.fromkeys(("http_proxy", "https_proxy"), host.address)
            host.fault, address = SILENT[0], ""
        else:
            host.fault, host.files = way, _Everything()
        environment = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("PIP_", "TLCOURSE_"))
        }
        environment |= {
            name: f"{home}/{name}"
            for name in ("TLCOURSE_CACHE", "KERAS_HOME", "TFDS_DATA_DIR")
        }
        environment |= {"PIP_CONFIG_FILE": os.devnull, "TQDM_DISABLE": "1", **settings}
        if address:
            environment |= {
                "HF_ENDPOINT": address,
                "PIP_INDEX_URL": f"{address}/simple",
            }
        start = time.perf_counter()
        ended = subprocess.run(
            [sys.executable, "-c", code, asked, address],
            env=environment,
            capture_output=True,
            text=True,
            timeout=120,
        )
        seconds = time.perf_counter() - start
        return {
            "asked": asked,
            "way": way,
            "seconds": round(seconds, 1),
            "waited": round(
                sum(json.loads(line)["waited"] for line in lines(ended.stdout, True)), 1
            ),
            "connections": host.connections
            if address == host.address or settings
            else None,
            "failed": ended.returncode != 0,
            "said": (
                lines(ended.stdout, False) or ended.stderr.strip().splitlines() or [""]
            )[0],
        }


def lines(text: str, of_measurement: bool) -> list[str]:
    return [
        line
        for line in text.splitlines()
        if line.startswith('{"waited"') == of_measurement
    ]


def main() -> None:
    print(f"{'asked':18} {'way':38} {'s':>5} {'waited':>6} {'connections':>11}  said")
    rows = []
    for row in all_rows():
        rows.append(row)
        asked, way, seconds, waited, connections, _, said = row.values()
        connections = "-" if connections is None else connections
        print(
            f"{asked:18} {way:38} {seconds:5.1f} {waited:6.1f} {connections:>11}  {said}",
            flush=True,
        )
    slowest, longest = (
        max(row[kind] for row in rows) for kind in ("seconds", "waited")
    )
    print(f"{len(rows)} tried; slowest {slowest:.1f} s, waited {longest:.1f} s")


if __name__ == "__main__":
    main()
