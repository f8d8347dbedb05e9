"""Property-based: whatever lies in a folder, nothing crashes, nothing is passed over in silence, nothing is changed.

HYPOTHESIS_PROFILE=thorough pytest tests/test_hostile_input.py      thousands of folders instead of dozens
"""

import csv
import io
import json
import os
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from brightness_export import write_brightness_export
from hostile import (
    FOLDERS,
    NAMES,
    name_of_cell,
    picture_bytes,
    spoilt_bytes,
    state,
    visible_pictures,
    write,
)
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from tlcourse.datasets import examine, from_folder
from tlcourse.errors import PictureError, TLCourseError, printable
from tlcourse.exported import RECORD, load_exported
from tlcourse.features.pictures import read_picture
from tlcourse.predicting import predict_files

settings.register_profile(
    "quick",
    max_examples=20,
    deadline=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
)
settings.register_profile(
    "thorough",
    max_examples=1000,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "quick"))

pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture(scope="module", autouse=True)
def without_bars():
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TQDM_DISABLE", "1")
        yield


@contextmanager
def written(folders):
    """A folder that holds these; whatever is asked of it, it must be afterwards what it was before."""
    with tempfile.TemporaryDirectory() as place:
        root = Path(place, "pictures")
        root.mkdir()
        write(root, folders)
        before = state(root)
        yield root
        assert state(root) == before


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return load_exported(
        write_brightness_export(tmp_path_factory.mktemp("exports") / "made")
    )


@given(FOLDERS)
def test_every_picture_is_in_one_split_or_left_out_with_a_reason(folders):
    with written(folders) as root:
        try:
            dataset = from_folder(root)
        except TLCourseError as error:
            assert str(error) == printable(error, lines=True) and str(
                error
            ).strip().endswith((".", ")", "…"))
            return
        used = [
            path for split in dataset.splits.values() for path in split.images.paths
        ]
        left_out = {name for name, reason in dataset.skipped if reason}
        assert len(used) == len(set(used))
        for path in visible_pictures(root):
            assert (path in used) != (printable(path) in left_out), path


@given(FOLDERS)
def test_what_is_used_can_be_decoded_and_described(folders):
    with written(folders) as root:
        try:
            dataset = from_folder(root)
        except TLCourseError:
            return
        for split in dataset.splits.values():
            for picture in split.images:
                assert (
                    picture.dtype == np.uint8
                    and picture.shape[2] == 3
                    and min(picture.shape[:2]) >= 16
                )
        assert repr(examine(dataset)).encode("utf-8")


@given(FOLDERS, st.sampled_from(["csv", "json"]))
def test_every_picture_has_one_answer_or_one_reason(model, folders, form):
    with written(folders) as root:
        text = io.StringIO(newline="")
        try:
            counts = predict_files(model, [root], text, form)
        except TLCourseError:
            assert not visible_pictures(root)
            return
        if form == "csv":
            rows = list(csv.DictReader(io.StringIO(text.getvalue(), newline="")))
        else:
            rows = [
                {
                    "picture": row["picture"],
                    "error": row.get("error", ""),
                    "label": "predictions" in row or "",
                }
                for row in json.loads(text.getvalue())
            ]
        assert {row["picture"] for row in rows} == {
            str(path) for path in visible_pictures(root)
        }
        assert all(bool(row["label"]) != bool(row["error"]) for row in rows)
        assert counts == (
            sum(not row["error"] for row in rows),
            sum(bool(row["error"]) for row in rows),
        )


@given(st.one_of(picture_bytes(), spoilt_bytes(), st.binary(max_size=400)))
def test_any_bytes_are_a_picture_or_a_sentence(content):
    try:
        picture = read_picture(content)
    except PictureError as error:
        assert str(error).startswith("the picture ")
    else:
        assert picture.dtype == np.uint8 and picture.ndim == 3 and picture.shape[2] == 3


@given(st.lists(NAMES, min_size=2, max_size=5))
def test_class_names_of_any_kind_come_back(names):
    with tempfile.TemporaryDirectory() as place:
        folder = write_brightness_export(Path(place, "made"), names)
        Image.new("RGB", (8, 8), "white").save(Path(place, "white.png"))
        model, text = load_exported(folder), io.StringIO(newline="")
        predict_files(model, [Path(place, "white.png")], text, top=len(names))
        (row,) = csv.DictReader(io.StringIO(text.getvalue(), newline=""))
        said = [
            row["label"],
            *(row[f"label_{number}"] for number in range(2, len(names) + 1)),
        ]
        assert model.class_names == names and sorted(map(name_of_cell, said)) == sorted(
            names
        )


@given(st.data())
def test_an_altered_record_is_refused_or_says_the_same_network(data):
    with tempfile.TemporaryDirectory() as place:
        folder = write_brightness_export(Path(place, "made"))
        content = bytearray((folder / RECORD).read_bytes())
        for _ in range(data.draw(st.integers(1, 4))):
            content[data.draw(st.integers(0, len(content) - 1))] = data.draw(
                st.integers(0, 255)
            )
        (folder / RECORD).write_bytes(
            content[: data.draw(st.integers(0, len(content)))]
        )
        try:
            model = load_exported(folder)
        except TLCourseError as error:
            assert (
                "tl.export" in str(error)
                or "model.onnx" in str(error)
                or "variant" in str(error)
            )
        else:
            assert model.predict_proba(np.full((1, 8, 8, 3), 200)).shape == (1, 2)


# Not drawn, but as bad


LIMITED = """
import resource, signal, sys
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
from tlcourse.train_folder import train_folder
from tlcourse.errors import TLCourseError
import tlcourse as tl, keras, tlcourse.exporting
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[3]), resource.RLIM_INFINITY))
try:
    train_folder(sys.argv[1], sys.argv[2], epochs=0, say=lambda line: None)
except TLCourseError as error:
    print(error)
"""


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="no limits on files there")
@pytest.mark.parametrize("limit", [0, 1_000_000])
def test_where_files_cannot_grow_an_export_leaves_nothing_and_says_so(tmp_path, limit):
    """As on a full disk: a write fails half-way, in the cache and in the export."""
    rng = np.random.default_rng(0)
    for name, level in (("dark", 60), ("light", 190)):
        (tmp_path / "pictures" / name).mkdir(parents=True)
        for number in range(4):
            pixels = np.clip(rng.normal(level, 30, (32, 32, 3)), 0, 255).astype(
                np.uint8
            )
            Image.fromarray(pixels).save(tmp_path / "pictures" / name / f"{number}.png")
    before = state(tmp_path / "pictures")
    command = [
        sys.executable,
        "-c",
        LIMITED,
        tmp_path / "pictures",
        tmp_path / "out" / "made",
        limit,
    ]
    environment = {
        **os.environ,
        "TLCOURSE_CACHE": str(tmp_path / "cache"),
        "TQDM_DISABLE": "1",
    }
    done = subprocess.run(
        list(map(str, command)), capture_output=True, text=True, env=environment
    )
    assert done.returncode == 0, done.stderr
    assert (
        "could not be written to" in done.stdout
        and "Nothing was left there" in done.stdout
    )
    assert list(tmp_path.glob("out/*")) == [] and state(tmp_path / "pictures") == before
