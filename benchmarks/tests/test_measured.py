"""results.json is complete, the README shows it, and writing a part keeps the rest."""

import json
import re
import time
from datetime import date
from pathlib import Path

import measure
import pytest
import records
import report
from PIL import Image

ROOT = Path(__file__).resolve().parents[2]
RESULTS = records.read()
README = report.README.read_text(encoding="utf-8")


def summaries(section):
    """Every median with its range, at any depth."""
    if isinstance(section, dict):
        if "median" in section:
            yield section
        for value in section.values():
            yield from summaries(value)


@pytest.fixture
def results(tmp_path, monkeypatch):
    """An empty file of results."""
    file = tmp_path / "results.json"
    file.write_text("{}", encoding="utf-8")
    monkeypatch.setattr(records, "RESULTS", file)
    return file


def test_the_readme_shows_what_was_measured():
    assert report.with_table(README, RESULTS) == README
    assert report.table(RESULTS) in README


@pytest.mark.parametrize(
    ("file", "numbers"),
    [
        (report.SOLAR_FIGURE, report.solar_bars(RESULTS)),
        (report.SPEED_FIGURE, report.speed_bars(RESULTS)),
    ],
)
def test_a_figure_shows_what_was_measured(file, numbers):
    with Image.open(file) as figure:
        assert json.loads(figure.info["Description"]) == numbers


def test_a_row_with_nothing_measured_is_left_out():
    rows = dict(report.rows({"import": {"milliseconds": 7}}))
    assert rows == {"`import tlcourse`": "7 ms"}


def test_of_a_ratio_the_smallest_on_any_processor_is_claimed():
    machines = {
        name: {"arrays": {"gigaflops": 1, "ratios/Keras": {"median": median}}}
        for name, median in (("one", 5), ("another", 2))
    }
    (row,) = report.rows({"machines": machines})
    assert row[1] == "2× as fast, the smallest of 2 processors"


def test_every_summary_is_on_the_sites_page():
    page = report.everything(RESULTS)
    medians = [f"{one['median']:g}" for one in summaries(RESULTS["bench"])]
    assert medians and all(median in page for median in medians)


def test_every_lesson_was_measured_and_stays_in_its_budget():
    lessons = {path.stem for path in (ROOT / "notebooks").glob("*.ipynb")}
    assert set(RESULTS["lessons"]) == lessons
    for name, cost in RESULTS["lessons"].items():
        assert cost["seconds"] <= 120 and cost["peak_megabytes"] <= 1500, name


def test_every_part_has_its_date_and_commit():
    other = {"machine", "machines", "measured", "bench"}
    assert set(RESULTS["measured"]) == set(RESULTS) - other
    notes = [*RESULTS["measured"].items()]
    notes += [(name, part["machine"]) for name, part in RESULTS["bench"].items()]
    for name, note in notes:
        assert re.fullmatch(r"[0-9a-f]{7,}\+?", note["commit"]), name
        assert date.fromisoformat(note["date"])


def test_every_part_of_the_results_has_a_program():
    other = {"machine", "machines", "measured", "bench", "faults", "matrix"}
    assert set(RESULTS) - other == set(measure.PARTS)


def test_medians_are_between_minimum_and_maximum():
    for one in summaries(RESULTS["bench"]):
        assert one["min"] <= one["median"] <= one["max"] and one["n"] >= 1


def test_no_fault_has_lost_anything():
    rows = RESULTS["faults"].values()
    assert all(row["lost"] == 0 and row["times"] >= 1 for row in rows)


def test_a_part_that_is_measured_again_keeps_the_others_and_their_notes(results):
    records.keep("demo", {"seconds": 1})
    earlier = records.read()["measured"]["demo"]
    records.keep("lessons", {"00": 2}, gigaflops=7)
    today = {"date": time.strftime("%Y-%m-%d"), "commit": records.commit()}
    measured = records.read()
    assert measured["demo"] == {"seconds": 1} and measured["lessons"] == {"00": 2}
    assert measured["measured"] == {
        "demo": earlier,
        "lessons": {**today, "gigaflops": 7},
    }


def test_a_row_keeps_the_parts_other_rows(results):
    records.keep_row("faults", "killed", {"lost": 0})
    records.keep_row("faults", "together", {"lost": 1})
    faults = {"killed": {"lost": 0}, "together": {"lost": 1}}
    assert records.read()["faults"] == faults


def test_what_was_measured_before_a_failure_is_kept(results, monkeypatch):
    monkeypatch.setattr(records, "machine", lambda: {"gigaflops": 7, "busy_percent": 1})
    parts = {"good": "good.part", "bad": "bad.part"}
    monkeypatch.setattr(measure, "PARTS", parts)
    modules = {
        "studies.good": type("module", (), {"part": staticmethod(lambda: {"x": 1})}),
        "studies.bad": type("module", (), {"part": staticmethod(lambda: 1 / 0)}),
    }
    monkeypatch.setattr(measure, "import_module", modules.get)
    with pytest.raises(ZeroDivisionError):
        measure.measure(["good", "bad"])
    assert records.read()["good"] == {"x": 1}


def test_ratios_are_taken_round_by_round():
    ratios = records.ratios([10, 40], [5, 10])
    assert ratios == {"median": 3, "min": 2, "max": 4, "n": 2}
