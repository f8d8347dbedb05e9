"""results.json is complete, README, site and guide show it, and writing a part keeps the rest."""

import json
import re
import time
from datetime import date
from pathlib import Path

import all_numbers
import figures
import measure
import pytest
import records
import report
from PIL import Image

ROOT = Path(__file__).resolve().parents[2]
RESULTS = records.read()
README = report.README.read_text(encoding="utf-8")
PAGE = report.PAGE.read_text(encoding="utf-8")
GUIDE = report.GUIDE.read_text(encoding="utf-8")


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


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        (README, report.readme_parts(RESULTS)),
        (PAGE, report.page_parts(RESULTS)),
        (GUIDE, report.guide_parts(RESULTS)),
    ],
)
def test_readme_results_page_and_guide_show_what_was_measured(text, parts):
    assert report.with_parts(text, parts) == text
    assert all(part in text for part in parts.values())


def test_a_part_without_its_marks_is_refused():
    with pytest.raises(ValueError, match="curve: begin .* 0 times, expected 1"):
        report.with_parts("no marks", {"curve": "x"})


@pytest.mark.parametrize("name", figures.FIGURES)
def test_a_figure_shows_what_was_measured(name):
    _, numbers = figures.FIGURES[name]
    with Image.open(figures.FOLDER / f"{name}.png") as figure:
        assert json.loads(figure.info["Description"]) == numbers(RESULTS)


def words_of(name, text):
    """The alternative text of a figure in Markdown."""
    (words,) = re.findall(rf"!\[([^\]]+)\]\([./]*benchmarks/{name}\.png\)", text)
    return words


def test_the_front_page_shows_the_numbers_of_the_three_calls():
    """One source: the study of lesson 01, whose probe is the three calls."""
    points = RESULTS["curves"]["stamps"]["points"]["probe"]
    (five,) = (
        records.mean_sd(one["accuracies"]) for one in points if one["labels"] == 5
    )
    measured = f"{100 * five['mean']:.3g} ± {100 * five['sd']:.2g}"
    words = words_of("few_labels", README)
    assert f"5: three calls: frozen, linear probe {measured}" in words
    assert f"three calls: {five['mean']:.1%} ± {five['sd']:.1%} of" in README


def test_in_the_chart_of_the_solar_cells_only_features_of_one_block_are_three_calls():
    words = words_of("solar", PAGE)
    found = dict(
        re.findall(r"([^;?]+): accuracy on unseen solar cells, % (\d+\.\d+)", words)
    )
    last, four = (RESULTS["solar"][name] for name in ("last_block", "four_blocks"))
    shown = {name.strip(): float(value) for name, value in found.items()}
    assert shown["three calls: frozen, linear probe"] == round(100 * last["mean"], 2)
    assert shown["the same, features of four blocks"] == round(100 * four["mean"], 2)
    # Lesson 01's curve ends at the same number, measured by another study.
    whole = RESULTS["curves"]["solar"]["points"]["probe"][-1]["accuracies"]
    assert round(records.mean_sd(whole)["mean"], 3) == round(last["mean"], 3)


def test_the_readme_has_five_measured_numbers_on_one_page():
    assert len(README.splitlines()) <= 150
    part = report.readme_parts(RESULTS)["measured"]
    rows = part.splitlines()[2:]
    assert len(rows) == 5
    headings = {report.anchor(line) for line in re.findall(r"(?m)^## (.+)$", PAGE)}
    links = re.findall(r"\(docs/results\.md#(.+?)\)", part)
    assert len(links) == 5 and set(links) <= headings


def test_a_row_with_nothing_measured_is_left_out():
    tables = report.tables({"import": {"milliseconds": 7}})
    rows = [row for rows in tables.values() for row in rows]
    assert rows == [("`import tlcourse`", "7 ms", "not recorded")]


def test_of_a_ratio_the_smallest_on_any_processor_is_claimed():
    machines = {
        name: {"arrays": {"gigaflops": 1, "ratios/Keras": {"median": median}}}
        for name, median in (("one", 5), ("another", 2))
    }
    (row,) = report.smallest_ratios({"machines": machines})
    assert row[1:] == ("2× as fast", "another, the smallest of 2")


def test_every_row_names_its_processor_where_it_was_recorded():
    note = {"processor": "Some CPU", "cores": 2, "gigaflops": 9}
    results = {"import": {"milliseconds": 7}, "measured": {"import": note}}
    ((_, _, on),) = report.tables(results)["How fast?"]
    assert on == "Some CPU, 2 cores, 9 GFLOP/s"


def test_commits_are_folded_away():
    assert not re.search(r"commit [0-9a-f]{7}", PAGE)
    page = all_numbers.everything(RESULTS)
    outside = re.sub(r"(?s)<details>.*?</details>", "", page)
    assert "commit" in page and "commit" not in outside


def test_every_summary_is_on_the_sites_page():
    page = all_numbers.everything(RESULTS)
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
    machine = {"gigaflops": 7, "busy_percent": 1, "processor": "Some CPU", "cores": 2}
    monkeypatch.setattr(records, "machine", lambda: machine)
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
    assert machine.items() <= records.read()["measured"]["good"].items()


def test_ratios_are_taken_round_by_round():
    ratios = records.ratios([10, 40], [5, 10])
    assert ratios == {"median": 3, "min": 2, "max": 4, "n": 2}
