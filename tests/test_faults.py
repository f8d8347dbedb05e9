"""Operation × fault: what was there stays, nothing half-written is taken for whole, and
with the fault gone the same call succeeds."""

import dataclasses
import json
import os
import random
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from brightness_export import write_brightness_export
from damaged_files import mutations, mutations_of_json
from small_bert import write_small_bert
from small_disk import SmallDisk, cannot_be_made

import tlcourse as tl
from tlcourse import cards, datasets
from tlcourse.datasets.pack import read_pack
from tlcourse.errors import TLCourseError
from tlcourse.exercises.progress import Progress
from tlcourse.export_record import RECORD, read_record
from tlcourse.models import bert_folder
from tlcourse.predict import load_exported
from workshop.packs import write_pack

ROOT = Path(tl.__file__).resolve().parent.parent
PIXELS = np.random.default_rng(0).integers(1, 256, (24, 40, 40, 3), dtype=np.uint8)


def export(folder):
    model = tl.load_pretrained_model()
    labels = np.arange(len(PIXELS)) % 2
    features = model.extract_features(PIXELS, cache=False)
    classifier = tl.train_classifier(features, labels, ["even", "odd"])
    parts = [datasets.Split(PIXELS, labels, ["even", "odd"]) for _ in range(3)]
    card = datasets.Card("noise", "Noise", "here", "CC0", "nobody", {}, "")
    noise = datasets.Dataset("noise", *parts, ["even", "odd"], card)
    exported = tl.export(classifier, folder / "export", noise, model)
    return exported.predict(PIXELS[:4]).tolist()


@pytest.fixture(autouse=True)
def environment(monkeypatch):
    """What an operation sets is set back."""
    for name in ("TLCOURSE_CACHE", "TLCOURSE_PROGRESS"):
        monkeypatch.setenv(name, os.environ.get(name, ""))


def visible(folder):
    return [path for path in folder.rglob("*") if path.name != "ballast"]


# A disk that is full, and one that cannot be written to


@pytest.fixture
def disk(tmp_path):
    """A disk of 2 MB."""
    try:
        small = SmallDisk(tmp_path / "small disk", 2000)
    except (OSError, FileNotFoundError) as error:
        cannot_be_made(str(error))
    yield small
    small.unmount()


@pytest.mark.slow
@pytest.mark.parametrize("fault", ["full", "almost full", "read-only"])
def test_a_disk_that_takes_no_export(disk, fault):
    if fault == "read-only":
        disk.set_read_only()
    else:
        disk.fill(leaving=40_000 if fault == "almost full" else 0)
    with pytest.raises(TLCourseError, match="No space left|Read-only"):
        export(disk.path)
    assert visible(disk.path) == []
    disk.grow()
    assert len(export(disk.path)) == 4
    assert not list(disk.path.rglob(".unfinished-*"))


# A process that is killed at any moment

PROGRAM = """
import sys
from pathlib import Path
sys.path.insert(0, {tests!r})
import test_faults
print("ready", flush=True)
print(test_faults.export(Path({folder!r})))
"""


def start(folder):
    program = PROGRAM.format(tests=str(ROOT / "tests"), folder=str(folder))
    process = subprocess.Popen(
        [sys.executable, "-c", program],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout.readline() == "ready\n"
    return process


@pytest.mark.slow
def test_a_killed_export_leaves_nothing_in_the_way(tmp_path):
    began, expected = time.perf_counter(), start(tmp_path / "whole").communicate()[0]
    seconds, choose = time.perf_counter() - began, random.Random(0)
    for _ in range(3):
        process = start(tmp_path / "killed")
        time.sleep(choose.uniform(0, seconds / 2))
        process.kill()
        process.communicate()
        if (tmp_path / "killed" / "export").exists():  # it was done
            return
    assert start(tmp_path / "killed").communicate()[0] == expected
    assert not list((tmp_path / "killed").rglob(".unfinished-*"))


# Files that were damaged: a result or a sentence, whatever happened to them

PROGRESS = {
    "format": "tlcourse progress 1",
    "right": ["0.1"],
    "tries": {"0.1": 2, "2.3": 1},
    "hints": {"0.1": 1},
}


def damaged(content, count):
    """Bytes of it altered, its values replaced by odd ones, and endless nesting."""
    yield from (b"[" * 100_000, b'{"a":' * 100_000, b"\xff\xfe", b"")
    yield from mutations(json.dumps(content).encode(), count)
    yield from mutations_of_json(content, count)


def results_reader(folder, monkeypatch):
    path = folder / "results.json"
    monkeypatch.setattr(cards, "data_folder", lambda: folder)
    monkeypatch.setattr(cards, "_all_results", cards._all_results.__wrapped__)
    files = damaged({"bench": {"recipes": {"a": [1, {"b": 0.5}]}}, "demo": {}}, 200)
    return path, files, lambda: cards.results("bench.recipes")


def checksums_reader(folder, monkeypatch):
    kanji = datasets.load_dataset("kanji")
    few = {name: split.select(slice(3)) for name, split in kanji.splits.items()}
    characters = dataclasses.replace(kanji, name="characters", **few)
    pack = write_pack(characters, folder)
    sound = (pack / "SHA256SUMS").read_bytes()
    files = [b"", b"\xff\xfe", *mutations(sound, 200)]
    return pack / "SHA256SUMS", files, lambda: read_pack(pack)


def record_reader(folder, monkeypatch):
    export = write_brightness_export(folder / "export")
    record = json.loads((export / RECORD).read_text(encoding="utf-8"))

    def read():
        read_record(export)
        repr(load_exported(export))

    return export / RECORD, damaged(record, 200), read


def progress_reader(folder, monkeypatch):
    path = folder / "progress.json"
    monkeypatch.setenv("TLCOURSE_PROGRESS", str(path))

    def read():
        content = path.read_bytes()
        progress = Progress.read()
        progress.record("0.1", True, 1)
        progress.add(Progress({"0.1": 3}))
        progress.describe("2.3")
        progress.write()
        path.write_bytes(content)
        Progress.load(path)

    return path, damaged(PROGRESS, 200), read


def bert_reader(name):
    def reader(folder, monkeypatch):
        folder = write_small_bert(folder / "bert")
        content = (folder / name).read_bytes()
        if name == "model.safetensors":
            size = 8 + int.from_bytes(content[:8], "little")
            heads = mutations(content[:size], 200)
            files = [head + content[size:] for head in heads]
        else:
            files = damaged(json.loads(content), 100)

        def read():
            shape = bert_folder.read_shape(folder)
            bert_folder.read_weights(folder, shape)
            bert_folder.longest_text(folder, shape)
            bert_folder.is_lower_case(folder)

        return folder / name, files, read

    return reader


READERS = {
    "measured results": results_reader,
    "a pack's checksums": checksums_reader,
    "an export's record": record_reader,
    "progress": progress_reader,
    "a BERT's settings": bert_reader("config.json"),
    "a BERT's tokenizer": bert_reader("tokenizer_config.json"),
    "a BERT's weights": bert_reader("model.safetensors"),
}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("reader", READERS)
def test_a_damaged_file_is_read_or_refused_in_a_sentence(tmp_path, monkeypatch, reader):
    path, contents, read = READERS[reader](tmp_path, monkeypatch)
    for content in contents:
        path.write_bytes(content)
        try:
            read()
        except TLCourseError as error:
            assert str(error).strip().endswith((".", ")", "?")), error
