"""What the README claims is what was measured."""

import json
import re
import time
from datetime import date
from pathlib import Path

import measure
import pytest
from PIL import Image

from tlcourse.demo import PUBLISHED

ROOT = Path(__file__).resolve().parents[2]
RESULTS = json.loads(measure.RESULTS.read_text(encoding="utf-8"))
README = measure.README.read_text(encoding="utf-8")


def test_the_readmes_table_is_the_measured_one():
    assert measure.table(RESULTS) in README
    assert measure.with_table(README, RESULTS) == README


def test_the_readmes_picture_shows_the_measured_numbers():
    bars = measure.picture_bars(RESULTS, PUBLISHED)
    with Image.open(measure.PICTURE) as picture:
        assert json.loads(picture.info["Description"]) == bars


def test_every_lesson_was_measured_and_stays_in_its_budget():
    lessons = {path.stem for path in (ROOT / "notebooks").glob("*.ipynb")}
    assert set(RESULTS["lessons"]) == lessons
    for name, cost in RESULTS["lessons"].items():
        assert cost["seconds"] <= 90 and cost["peak_megabytes"] <= 1500, name


def test_whatever_was_measured_says_when_and_at_which_commit():
    assert set(RESULTS["measured"]) == set(RESULTS) - {"machine", "measured", "bench"}
    for name, note in RESULTS["measured"].items():
        assert re.fullmatch("[0-9a-f]{7,}", note["commit"]), name
        assert date.fromisoformat(note["date"])


def test_a_mean_comes_with_its_spread_and_seeds():
    scores = [*RESULTS["solar"].values(), *RESULTS["dogs"]["accuracy"].values()]
    for score in scores:
        assert score["n"] == len(score["seeds"]) == 5 and 0 <= score["sd"] < 0.5


def test_no_fault_that_was_tried_has_lost_anything():
    faults = RESULTS["faults"].values()
    assert all(row["lost"] == 0 and row["times"] >= 1 for row in faults)


def test_what_is_measured_again_is_noted_and_the_other_notes_stay():
    earlier = {"date": "2026-11-21", "commit": "8d3cedd", "gigaflops": 141}
    notes = {"demo": earlier, "lessons": earlier}
    again = measure.noted({"demo": 1, "lessons": 2, "measured": notes}, "lessons")
    today = {"date": time.strftime("%Y-%m-%d"), "commit": measure.commit()}
    assert again["measured"] == {"demo": earlier, "lessons": today}


def test_a_part_that_fails_takes_none_with_it_that_was_measured(tmp_path, monkeypatch):
    file = tmp_path / "results.json"
    file.write_text(json.dumps({"bench": 1, "demo": "earlier"}), encoding="utf-8")
    monkeypatch.setattr(measure, "RESULTS", file)
    monkeypatch.setattr(measure, "machine", lambda: {"gigaflops": 7})
    with pytest.raises(ZeroDivisionError):
        measure.measure({"solar": lambda: "now", "demo": lambda: 1 / 0})
    kept = json.loads(file.read_text(encoding="utf-8"))
    notes = kept.pop("measured")
    kept.pop("machine", None)
    assert kept == {"bench": 1, "demo": "earlier", "solar": "now"}
    assert list(notes) == ["solar"] and notes["solar"]["gigaflops"] == 7
