"""The wall of `make test NETWORK=off` holds, and the course lives behind it: nothing but `fetch` tries to leave."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

ROOT = Path(__file__).resolve().parent.parent
WALL = ROOT / "tests" / "offline"


@pytest.fixture
def log(tmp_path):
    return tmp_path / "attempts.jsonl"


@pytest.fixture
def behind(log):
    """The environment of a process behind the wall in Python."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("TLCOURSE_OFFLINE")
    }
    return {**kept, "PYTHONPATH": str(WALL), "TLCOURSE_OFFLINE_LOG": str(log)}


def attempts(log):
    return (
        [json.loads(line) for line in log.read_text().splitlines()]
        if log.exists()
        else []
    )


def python(code, environment, **options):
    return subprocess.run(
        [sys.executable, "-c", code],
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
        **options,
    )


# --- the wall in Python ---

ATTEMPTS = {
    "connect": "socket.socket().connect(('192.0.2.1', 80))",
    "sendto": "socket.socket(type=socket.SOCK_DGRAM).sendto(b'?', ('192.0.2.1', 53))",
    "past socket.socket": "import _socket; _socket.socket().connect(('192.0.2.1', 80))",
    "a name": "socket.getaddrinfo('data.example', 443)",
    "urllib": "import urllib.request; urllib.request.urlopen('http://data.example')",
}


@pytest.mark.parametrize("how", ATTEMPTS)
def test_what_would_leave_is_refused_at_once_in_a_sentence_and_noted_down(
    behind, log, how
):
    ended = python(f"import socket\n{ATTEMPTS[how]}", behind)
    assert re.search(
        r"(OSError|gaierror|URLError).* is beyond this machine, and the network is off",
        ended.stderr,
    )
    (attempt,) = attempts(log)
    assert (
        re.match(r"192\.0\.2\.1:|data\.example", attempt["to"])
        and not attempt["on_purpose"]
    )
    assert (attempt["command"].startswith(sys.executable), attempt["stack"] != []) == (
        True,
        True,
    )


# --- the end of a run ---


# --- the course behind the wall ---

BUNDLED = {
    "a network": "tl.load_pretrained_model().extract_features(np.zeros((1, 224, 224, 3), np.uint8))",
    "data sets": "[tl.load_dataset(name) for name in ('digits', 'kanji', 'reviews', 'samples', 'solar', 'stamps')]",
    "dogs that are not here": "__import__('pytest').raises(Exception, tl.load_dataset, 'dogs')",
    "the list of networks": "tl.list_pretrained_models()",
}


@pytest.mark.parametrize("what", BUNDLED)
def test_what_comes_with_the_course_asks_nobody(behind, log, what, tmp_path):
    behind |= {
        "TLCOURSE_CACHE": str(tmp_path / "cache"),
        "TFDS_DATA_DIR": str(tmp_path / "sets"),
    }
    behind.pop("TLCOURSE_PACKS", None)
    ended = python(f"import numpy as np, tlcourse as tl\n{BUNDLED[what]}", behind)
    assert (ended.returncode, attempts(log)) == (0, []), ended.stderr


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A folder with pictures of two kinds, and the network that was trained on them: no epoch of fine-tuning."""
    from tlcourse.train_folder import train_folder

    folder, random = tmp_path_factory.mktemp("pictures"), np.random.default_rng(0)
    for name, bright in {"dark": 60, "light": 200}.items():
        (folder / "in" / name).mkdir(parents=True)
        for number in range(12):
            pixels = random.integers(
                bright - 40, bright + 40, (64, 64, 3), dtype=np.uint8
            )
            Image.fromarray(pixels).save(folder / "in" / name / f"{number}.png")
    train_folder(
        folder / "in",
        folder / "network",
        "efficientnet_lite0",
        3,
        0,
        0,
        "CC0",
        say=lambda line: None,
    )
    return folder


COMMANDS = {  # what each command of `tlcourse` is run with, in a folder of its own; {0}: the folder of `trained`
    "demo": [],
    "doctor": [],
    "train": ["{0}/in", "--out", "network", "--epochs", "0"],
    "predict": ["{0}/in/dark", "--model", "{0}/network"],
    "cache show": [],
    "cache clear": [],
}


@pytest.mark.slow
@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_that_asks_nobody_runs(behind, log, trained, tmp_path, command):
    behind["TLCOURSE_CACHE"] = str(tmp_path / "cache")
    arguments = [
        *command.split(),
        *(argument.format(trained) for argument in COMMANDS[command]),
    ]
    ended = subprocess.run(
        [sys.executable, "-m", "tlcourse", *arguments],
        env=behind, cwd=tmp_path, capture_output=True, text=True, timeout=600,
    )  # fmt: skip
    assert (ended.returncode, attempts(log)) == (0, []), ended.stderr
