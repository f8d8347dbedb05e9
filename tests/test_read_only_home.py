"""A user who can write nowhere but into a temporary folder: the same results, and at most one sentence about each."""

import hashlib
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy
import pytest
from small_disk import cannot_be_made

import tlcourse as tl
from tlcourse import files

NOBODY = 65534
ROOT = Path(tl.__file__).resolve().parent.parent
LESSON_00 = """
import warnings
import tlcourse as tl
samples, model = tl.load_dataset("samples"), tl.load_pretrained_model()
for again in range(2):
    features = model.extract_features(samples.test.images[:2])
    verdict = tl.check("0.1", "nothing")
classifier = tl.train_classifier(features, [0, 1])
tl.show.pictures(samples.test.images[:2])
from tlcourse.tensorflow_start import import_tensorflow
import_tensorflow()
import keras
import hashlib
print(hashlib.sha256(features.tobytes()).hexdigest(), verdict.state)
"""


@pytest.fixture(scope="module")
def home():
    """A home in which this user may read, and its folder for temporary files."""
    with tempfile.TemporaryDirectory(prefix="tlcourse read-only ") as folder:
        os.chmod(folder, 0o755)
        Path(folder, "home").mkdir(mode=0o555)
        Path(folder, "tmp").mkdir()
        os.chmod(Path(folder, "tmp"), 0o777)
        yield Path(folder)
        os.chmod(Path(folder, "home"), 0o755)


def run(home, *command, **variables):
    """As this user, in this home; (what is printed, lines on stderr)."""
    outer = (
        ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]
        if os.geteuid() == 0
        else []
    )
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(home / "home"),
        "TMPDIR": str(home / "tmp"),
        "PYTHONPATH": str(ROOT),
        "TQDM_DISABLE": "1",
        "LANG": "C.UTF-8",
        **variables,
    }
    read = "import sys; [open(path).close() for path in sys.argv[1:]]"
    try:
        tried = subprocess.run(
            [*outer, sys.executable, "-c", read, tl.__file__, numpy.__file__],
            env=environment,
            cwd=home / "home",
        )
        if tried.returncode:
            cannot_be_made("another user cannot start this Python or read its packages")
    except FileNotFoundError:
        cannot_be_made("setpriv is not installed")
    done = subprocess.run(
        [*outer, *command],
        env=environment,
        cwd=home / "home",
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip(), [
        line for line in done.stderr.splitlines() if line.strip()
    ]


def test_the_package_is_imported_in_silence(home):
    assert run(home, sys.executable, "-W", "default", "-c", "import tlcourse") == (
        "",
        [],
    )


KEEP_ROWS = """
import numpy as np
from tlcourse.features import cache, cache_files
for number in range(2):
    with cache.RowCache("network", (2,), np.float32) as rows:
        rows.put({b"key": np.ones(2, np.float32)})
        print(len(rows.get([b"key"])))
print(len(cache_files.contents()), cache_files.left_alone())
print(cache_files.unfinished(), cache.clear())
"""


@pytest.mark.parametrize("mode", [0o000, 0o444], ids=["no right", "names only"])
@pytest.mark.parametrize("closed", ["networks", "shards"])
def test_a_cache_is_used_although_one_of_its_folders_cannot_be_read(home, closed, mode):
    """As where root has made it under umask 077."""
    with tempfile.TemporaryDirectory(dir=home / "tmp") as folder:
        inside = Path(folder, "tlcourse-cache", closed)
        Path(inside, "0" * 24).mkdir(parents=True)
        for path in (Path(folder), inside.parent):
            path.chmod(0o777)
        Path(inside.parent, "CACHEDIR.TAG").write_bytes(
            files.CACHE_SIGNATURE + b"\n# tlcourse"
        )
        inside.chmod(mode)
        try:
            printed, said = run(
                home,
                sys.executable,
                "-W",
                "error",
                "-c",
                KEEP_ROWS,
                TLCOURSE_CACHE=folder,
            )
        finally:
            inside.chmod(0o755)
    assert (printed.split("\n"), said) == (["1", "1", "1 ", "[] 0"], [])


@pytest.mark.slow
def test_lesson_00_has_the_right_results_and_each_thing_is_said_once(
    home, bundled_model
):
    features = bundled_model.extract_features(
        tl.load_dataset("samples").test.images[:2]
    )
    said, errors = run(home, sys.executable, "-c", LESSON_00)
    assert said.split()[0] == hashlib.sha256(features.tobytes()).hexdigest()
    sentences = [line for line in errors if "Warning: " in line]
    assert ["cache" in line for line in sentences if "The cache in" in line] == [True]
    assert (
        len([line for line in sentences if "Your progress could not be kept" in line])
        == 1
    )
    assert len(sentences) == 2 and not [line for line in errors if "atplotlib" in line]


@pytest.mark.slow
def test_the_doctor_says_what_cannot_be_written_to_and_which_variables_help(home):
    said, _ = run(home, sys.executable, "-m", "tlcourse", "doctor", COLUMNS="1000")
    for cure in (
        "Set TLCOURSE_CACHE to a folder of your own",
        "Set TLCOURSE_PROGRESS",
        "Set MPLCONFIGDIR, KERAS_HOME",
    ):
        assert cure in said
    assert "The course can run" in said


@pytest.mark.slow
def test_the_demo_runs_and_puts_its_picture_elsewhere(home):
    said, errors = run(home, sys.executable, "-m", "tlcourse", "demo")
    assert (
        "cannot be written to, so the picture went elsewhere" in " ".join(said.split())
        and str(home / "tmp") in said
    )
    assert len([line for line in errors if "Warning: " in line]) == 1 and "88.4" in said
