"""The instructor guide: its plans add up, their minutes are the lessons' own, and what it names is there."""

import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tlcourse.cli import app
from tlcourse.handouts.lessons import HEADING
from tlcourse.handouts.teaching import MINUTES

ROOT = Path(__file__).resolve().parent.parent
GUIDE = (ROOT / "docs" / "instructors.md").read_text(encoding="utf-8")
NOTES = {
    path.name[:2]: path.read_text(encoding="utf-8")
    for path in (ROOT / "notebooks" / "teaching").glob("*.md")
}
PLANS = re.findall(r"\| Clock \|.+\|\n\|[-|]+\|\n((?:\|.+\|\n)+)", GUIDE)
ROWS = [re.findall(r"\| (\d+):(\d\d) \| (.+?) \| (\d*) ?\|", plan) for plan in PLANS]
LESSON_ROWS = [row for plan in ROWS for row in plan if re.match(r"\d\d ", row[2])]


def minutes_of_sections(lesson):
    """From a lesson's teaching notes: title of each section → minutes."""
    titles = [match[0].lstrip("# ") for match in HEADING.finditer(NOTES[lesson])]
    bodies = HEADING.split(NOTES[lesson])[1:]
    return {
        title: int(MINUTES.match(body.strip())[1])
        for title, body in zip(titles, bodies, strict=True)
    }


def test_there_are_plans_for_half_a_day_a_day_and_four_evenings():
    assert len(PLANS) == 6 and [plan[-1][:2] for plan in ROWS] == [
        ("3", "30"),
        ("7", "30"),
        *[("2", "30")] * 4,
    ]


@pytest.mark.parametrize("plan", range(6))
def test_the_clock_of_a_plan_adds_up(plan):
    rows = [
        (60 * int(hours) + int(minutes), int(takes or 0))
        for hours, minutes, _, takes in ROWS[plan]
    ]
    assert rows[0][0] == 0 and all(
        now + takes == then
        for (now, takes), (then, _) in zip(rows, rows[1:], strict=False)
    )


@pytest.mark.parametrize(
    "row", LESSON_ROWS, ids=lambda row: f"{row[0]}:{row[1]} {row[2][:20]}"
)
def test_the_minutes_in_a_plan_are_the_lessons_own(row):
    lesson, (title, _, chosen) = row[2][:2], row[2][3:].partition(": ")
    assert title in NOTES[lesson].splitlines()[0]
    sections = minutes_of_sections(lesson)
    wanted = chosen.split("; ") if chosen else list(sections)
    assert sum(sections[name] for name in wanted) == int(row[3])


def test_the_four_evenings_and_the_day_have_the_lessons_in_an_order_in_which_they_build_on_each_other():
    for plans in ([0], [1], [2, 3, 4]):
        lessons = [
            int(row[2][:2])
            for plan in plans
            for row in ROWS[plan]
            if re.match(r"\d\d ", row[2])
        ]
        assert [lesson for lesson in lessons if lesson < 6] == sorted(
            lesson for lesson in lessons if lesson < 6
        )


@pytest.mark.parametrize("command", sorted(set(re.findall(r"tlcourse (\w+)", GUIDE))))
def test_every_command_that_it_names_exists(command):
    assert CliRunner().invoke(app, [command, "--help"]).exit_code == 0


def test_the_files_that_it_tells_of_are_those_that_are_made():
    from tlcourse.kits.contents import LAUNCHERS

    for name in [
        path.name for path in LAUNCHERS.iterdir() if path.suffix in (".bat", ".command")
    ]:
        assert name in GUIDE
