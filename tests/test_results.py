"""What the README claims is what was measured."""

import json
import re
import sys
import time
from datetime import date
from pathlib import Path

import pytest
from PIL import Image

import tlcourse as tl
from tlcourse import evidence
from tlcourse.demo import PUBLISHED
from tlcourse.errors import DamagedFile, UserInputError

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "benchmarks"))
import measure  # noqa: E402

RESULTS = json.loads(measure.RESULTS.read_text(encoding="utf-8"))
README = measure.README.read_text(encoding="utf-8")


def test_the_readmes_table_is_the_measured_one():
    assert measure.table(RESULTS) in README


def test_the_readmes_picture_shows_the_measured_numbers():
    with Image.open(measure.PICTURE) as picture:
        assert json.loads(picture.info["Description"]) == measure.picture_bars(
            RESULTS, PUBLISHED
        )


def test_writing_the_table_again_changes_nothing_else():
    assert measure.with_table(README, RESULTS) == README


def test_every_lesson_was_measured_and_stays_in_its_budget():
    lessons = {path.stem for path in (ROOT / "notebooks").glob("*.ipynb")}
    assert set(RESULTS["lessons"]) == lessons
    for name, cost in RESULTS["lessons"].items():
        assert cost["seconds"] <= 90 and cost["peak_megabytes"] <= 1500, name


def test_whatever_was_measured_says_when_and_at_which_commit():
    assert set(RESULTS["measured"]) == set(RESULTS) - {"machine", "measured", "bench"}
    for name, note in RESULTS["measured"].items():
        assert date.fromisoformat(note["date"]) and re.fullmatch(
            "[0-9a-f]{7,}", note["commit"]
        ), name


def test_what_is_measured_again_is_noted_and_the_other_notes_stay():
    earlier = {"date": "2026-11-21", "commit": "8d3cedd", "gigaflops": 141}
    again = measure.noted(
        {"demo": 1, "lessons": 2, "measured": {"demo": earlier, "lessons": earlier}},
        "lessons",
    )
    assert again["measured"]["demo"] == earlier
    assert again["measured"]["lessons"] == {
        "date": time.strftime("%Y-%m-%d"),
        "commit": measure.commit(),
    }
    assert (
        measure._occasions(again["measured"])[0]
        == "- 2026-11-21 (commit 8d3cedd, 141 GFLOP/s): demo"
    )


def test_a_part_that_fails_takes_none_with_it_that_was_measured(tmp_path, monkeypatch):
    file = tmp_path / "results.json"
    file.write_text(json.dumps({"bench": 1, "demo": "earlier"}), encoding="utf-8")
    monkeypatch.setattr(measure, "RESULTS", file)
    monkeypatch.setattr(measure, "machine", lambda: {"gigaflops": 7})
    with pytest.raises(ZeroDivisionError):
        measure.measure({"solar": lambda: "now", "demo": lambda: 1 / 0})
    kept = json.loads(file.read_text(encoding="utf-8"))
    assert (kept["bench"], kept["demo"], kept["solar"]) == (1, "earlier", "now")
    assert (
        list(kept["measured"]) == ["solar"]
        and kept["measured"]["solar"]["gigaflops"] == 7
    )


def test_a_mean_comes_with_its_spread_and_seeds():
    scores = [*RESULTS["solar"].values(), *RESULTS["dogs"]["accuracy"].values()]
    assert all(
        score["n"] == len(score["seeds"]) == 5 and 0 <= score["sd"] < 0.5
        for score in scores
    )


def test_lessons_read_measured_results_by_name():
    assert tl.results() == RESULTS
    assert tl.results("bench.arrays.ratios") == RESULTS["bench"]["arrays"]["ratios"]


@pytest.mark.parametrize(
    "name", ["bench.aroys", "solar.nothing.at.all", "import.imports.more"]
)
def test_a_result_that_was_not_measured_is_answered_with_what_there_is(name):
    with pytest.raises(
        UserInputError, match="There is no measured result .*; here there are: "
    ):
        tl.results(name)


def test_a_damaged_file_of_results_gets_the_cure(tmp_path, monkeypatch):
    (tmp_path / "results.json").write_text("{", encoding="utf-8")
    monkeypatch.setattr(evidence, "data_folder", lambda: tmp_path)
    evidence._all.cache_clear()
    try:
        with pytest.raises(
            DamagedFile, match="git checkout -- benchmarks/results.json"
        ):
            tl.results()
    finally:
        evidence._all.cache_clear()


def test_no_fault_that_was_tried_has_lost_anything():
    assert {
        name: row["lost"]
        for name, row in RESULTS["faults"].items()
        if row["lost"] or row["times"] < 1
    } == {}
