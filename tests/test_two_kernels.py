"""Two processes, then two Jupyter kernels, on one cache, which a third one empties meanwhile: as if each were alone."""

import hashlib
import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import tlcourse as tl

ROOT = Path(tl.__file__).resolve().parent.parent
EXTRACT = """
import hashlib, sys
import tlcourse as tl
features = tl.load_pretrained_model().extract_features(FOLDER)
print(hashlib.sha256(features.tobytes()).hexdigest())
"""
CLEAR = [sys.executable, "-m", "tlcourse", "cache", "clear"]


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    """Two folders of 60 pictures, half of which are in both."""
    folders = [tmp_path_factory.mktemp(name) for name in ("one", "other")]
    for number, pixels in enumerate(
        np.random.default_rng(0).integers(1, 256, (90, 40, 40, 3), dtype=np.uint8)
    ):
        for place, folder in enumerate(folders):
            if 30 * place <= number < 30 * place + 60:
                Image.fromarray(pixels).save(folder / f"{number:02}.png")
    return folders


@pytest.fixture(scope="module")
def alone(pictures, bundled_model):
    """What each comes to without a cache."""
    found = [bundled_model.extract_features(folder, cache=False) for folder in pictures]
    return [hashlib.sha256(features.tobytes()).hexdigest() for features in found]


@pytest.fixture
def environment(tmp_path):
    cache = {
        "TLCOURSE_CACHE": str(tmp_path / "cache"),
        "TQDM_DISABLE": "1",
        "PYTHONPATH": str(ROOT),
    }
    return {
        **{
            name: value
            for name, value in os.environ.items()
            if name != "PYTHONDONTWRITEBYTECODE"
        },
        **cache,
    }


def assert_free(cache):
    """Nothing is locked, nothing half written is left, and every row is whole."""
    (path,) = cache.glob("tlcourse-cache/features/*.sqlite")
    assert [file.name for file in path.parent.iterdir()] == [path.name]
    with closing(sqlite3.connect(path, timeout=0, isolation_level=None)) as connection:
        connection.execute("BEGIN EXCLUSIVE")
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert not [
            key for key, value, checksum in connection.execute("SELECT key, value, checksum FROM rows")
            if hashlib.sha256(key + value).digest()[:16] != checksum
        ]  # fmt: skip


@pytest.mark.slow
def test_two_processes_while_a_third_empties_the_cache(
    pictures, alone, environment, tmp_path
):
    programs = [
        EXTRACT.replace("FOLDER", repr(str(folder)))
        for folder in (*pictures, pictures[0])
    ]
    running = [
        subprocess.Popen(
            [sys.executable, "-c", program],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for program in programs
    ]
    cleared = 0
    while any(process.poll() is None for process in running):
        subprocess.run(CLEAR, env=environment, check=True, capture_output=True)
        cleared += 1
    found = [process.communicate() for process in running]
    assert [said.strip() for said, _ in found] == [*alone, alone[0]], [
        error for _, error in found
    ]
    assert cleared > 1 and not [error for _, error in found if "Warning" in error]
    assert_free(tmp_path / "cache")
