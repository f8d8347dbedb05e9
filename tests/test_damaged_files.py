"""Whatever has happened to a file that the course reads, its reader gets what was in it or a sentence."""

import dataclasses
import json
import subprocess
import sys

import numpy as np
import pytest
from brightness_export import brightness_file, write_brightness_export
from hostile_archives import mutations, mutations_of_json
from small_bert import write_small_bert

from tlcourse import datasets, evidence
from tlcourse.errors import TLCourseError
from tlcourse.exercises.progress import Progress
from tlcourse.exported import RECORD, load_exported, open_engine, read_record
from tlcourse.models import bert_folder
from tlcourse.models.bert_weights import read_weights

RESULTS = {
    "bench": {"recipes": {"a": [1, {"b": 0.5}]}, "arrays": 1},
    "demo": {"seconds": 3},
    "measured": {},
}
PROGRESS = {
    "format": "tlcourse progress 1",
    "right": ["0.1"],
    "tries": {"0.1": 2, "2.3": 1},
    "hints": {"0.1": 1},
}


def read_all(path, read, files):
    """Read a file in each of these states; anything but a result or a sentence of the course fails the test."""
    for content in files:
        path.write_bytes(content)
        try:
            read()
        except TLCourseError as error:
            assert str(error).strip().endswith((".", ")", "?")), error


def damaged(content, count=300):
    """Its bytes damaged, its values replaced by odd ones, and lists within lists without end."""
    yield from (b"[" * 100_000, b'{"a":' * 100_000, b"\xff\xfe", b"")
    yield from mutations(json.dumps(content).encode(), count)
    yield from mutations_of_json(content, count)


def test_measured_results(tmp_path, monkeypatch):
    monkeypatch.setattr(evidence, "results_file", lambda: tmp_path / "results.json")

    def read():
        evidence._all.cache_clear()
        evidence.results("bench.recipes")

    try:
        read_all(tmp_path / "results.json", read, damaged(RESULTS))
    finally:
        evidence._all.cache_clear()


def test_a_packs_manifest(tmp_path):
    written = datasets.write_pack(small_set(), tmp_path)
    sound = (written / "manifest.csv").read_bytes()
    files = [
        b"",
        b"\xff\xfe",
        sound + b"\n\0",
        sound.replace(b",0,", b",1e999,"),
        *mutations(sound, 300),
    ]
    read_all(written / "manifest.csv", lambda: datasets.pack.read_pack(written), files)


def small_set():
    kanji = datasets.load_dataset("kanji")
    few = {name: split.select(slice(3)) for name, split in kanji.splits.items()}
    return dataclasses.replace(kanji, name="characters", **few)


def test_the_record_of_an_export(tmp_path):
    folder = write_brightness_export(tmp_path / "made")
    record = json.loads((folder / RECORD).read_text(encoding="utf-8"))
    read_all(folder / RECORD, lambda: read_record(folder), damaged(record))
    read_all(
        folder / RECORD,
        lambda: repr(load_exported(folder)),
        mutations_of_json(record, 200, seed=1),
    )


@pytest.mark.filterwarnings("ignore")
def test_progress(tmp_path, monkeypatch):
    path = tmp_path / "progress.json"
    monkeypatch.setenv("TLCOURSE_PROGRESS", str(path))

    def read():
        content = path.read_bytes()
        progress = Progress.read()
        progress.record("0.1", True, 1)
        progress.add(Progress({"0.1": 3}))
        progress.describe("2.3")
        progress.write()
        path.write_bytes(content)
        Progress.read(path, strict=True)

    read_all(path, read, damaged(PROGRESS))


@pytest.mark.parametrize(
    "name", ["config.json", "tokenizer_config.json", "model.safetensors"]
)
def test_a_bert_folder(tmp_path, name):
    folder = write_small_bert(tmp_path / "bert")

    def read():
        shape = bert_folder.read_shape(folder)
        read_weights(folder, shape)
        bert_folder.longest_text(folder, shape)
        bert_folder.is_lower_case(folder)

    content = (folder / name).read_bytes()
    if name == "model.safetensors":
        size = 8 + int.from_bytes(content[:8], "little")
        files = (header + content[size:] for header in mutations(content[:size], 300))
    else:
        files = damaged(json.loads(content), 150)
    read_all(folder / name, read, files)


def test_an_onnx_file(tmp_path):
    """In a process of its own, which a crash of ONNX Runtime would end."""
    program = (
        "import sys, test_damaged_files as damaged\n"
        "from pathlib import Path\n"
        "damaged.run_onnx_files(Path(sys.argv[1]))"
    )
    command = [
        sys.executable,
        "-c",
        f"import sys; sys.path.insert(0, {str(__file__.rpartition('/')[0])!r})\n{program}",
    ]
    done = subprocess.run([*command, str(tmp_path)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]


def run_onnx_files(folder, count=300):
    path, picture = folder / "model.onnx", np.full((1, 8, 8, 3), 100, np.float32)
    files = mutations(brightness_file(), count)
    read_all(path, lambda: open_engine(path, 2, (8, 8)).run(picture), files)
