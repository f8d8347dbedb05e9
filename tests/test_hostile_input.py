"""Property-based: whatever lies in a folder, nothing crashes, is passed over in silence, or is changed.

HYPOTHESIS_PROFILE=thorough tries thousands of folders instead of dozens.
"""

import csv
import io
import json
import os
import tempfile
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from brightness_export import write_brightness_export
from hostile import (
    FOLDERS,
    picture_bytes,
    spoilt_bytes,
    state,
    visible_pictures,
    write,
)
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tlcourse.datasets import from_folder
from tlcourse.errors import PictureError, TLCourseError, printable
from tlcourse.export_record import RECORD
from tlcourse.features.pictures import read_picture
from tlcourse.predict import load_exported, predict_files

usual = {"deadline": None, "suppress_health_check": list(HealthCheck)}
settings.register_profile("quick", max_examples=20, derandomize=True, **usual)
settings.register_profile("thorough", max_examples=1000, **usual)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "quick"))

pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture(scope="module", autouse=True)
def without_bars():
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TQDM_DISABLE", "1")
        yield


@contextmanager
def written(folders):
    """A folder with these; afterwards it must be as it was before."""
    with tempfile.TemporaryDirectory() as place:
        root = Path(place, "pictures")
        root.mkdir()
        write(root, folders)
        before = state(root)
        yield root
        assert state(root) == before


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    folder = tmp_path_factory.mktemp("exports") / "made"
    return load_exported(write_brightness_export(folder))


@given(FOLDERS)
def test_every_picture_is_in_one_split_or_left_out_with_a_reason(folders):
    with written(folders) as root:
        try:
            dataset = from_folder(root)
        except TLCourseError as error:
            assert str(error) == printable(error, lines=True)
            assert str(error).strip().endswith((".", ")", "…"))
            return
        splits = dataset.splits.values()
        used = [path for split in splits for path in split.images.paths]
        left_out = {name for name, reason in dataset.skipped if reason}
        assert len(used) == len(set(used))
        for path in visible_pictures(root):
            assert (path in used) != (printable(path) in left_out), path


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
            rows = json.loads(text.getvalue())
        expected = {str(path) for path in visible_pictures(root)}
        assert {row["picture"] for row in rows} == expected
        errors = [bool(row.get("error")) for row in rows]
        answers = [bool(row.get("label") or row.get("predictions")) for row in rows]
        assert all(a != b for a, b in zip(errors, answers, strict=True))
        assert counts == (sum(answers), sum(errors))


@given(st.one_of(picture_bytes(), spoilt_bytes(), st.binary(max_size=400)))
def test_any_bytes_are_a_picture_or_a_sentence(content):
    try:
        picture = read_picture(content)
    except PictureError as error:
        assert str(error).startswith("the picture ")
    else:
        assert picture.dtype == np.uint8 and picture.ndim == 3 and picture.shape[2] == 3


@given(st.data())
def test_an_altered_record_is_refused_or_says_the_same_network(data):
    with tempfile.TemporaryDirectory() as place:
        folder = write_brightness_export(Path(place, "made"))
        content = bytearray((folder / RECORD).read_bytes())
        for _ in range(data.draw(st.integers(1, 4))):
            position = data.draw(st.integers(0, len(content) - 1))
            content[position] = data.draw(st.integers(0, 255))
        end = data.draw(st.integers(0, len(content)))
        (folder / RECORD).write_bytes(content[:end])
        try:
            model = load_exported(folder)
        except TLCourseError as error:
            assert any(w in str(error) for w in ("tl.export", "model.onnx", "variant"))
        else:
            assert model.predict_proba(np.full((1, 8, 8, 3), 200)).shape == (1, 2)
