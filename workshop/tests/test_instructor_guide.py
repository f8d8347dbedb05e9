"""The instructor guide's plans add up, and what it names exists."""

import re
from itertools import pairwise

import pytest
from click.testing import CliRunner

from tlcourse import cli
from workshop import __main__ as workshop
from workshop.kits import HERE
from workshop.lessons import LESSONS, ROOT, find_lessons
from workshop.notes import read_notes

GUIDE = (ROOT / "docs" / "instructors.md").read_text(encoding="utf-8")
PLANS = [
    re.findall(r"\| (\d+):(\d\d) \| (.+?) \| (\d*) ?\|", plan)
    for plan in re.findall(r"\| Clock \|.+\|\n\|[-|]+\|\n((?:\|.+\|\n)+)", GUIDE)
]
HALF_A_DAY, ONE_DAY, *EVENINGS, TEXT_AND_SPEECH, FIRST, SECOND, THIRD = PLANS
# Rows of plans, and of the lessons that may take the place of another one
ROWS = re.findall(r"(?m)^\| ([\w: ]+) \| (\d\d [^|]+) \| (\d+) \|$", GUIDE)


def test_plans_end_when_they_should():
    ends = [":".join(plan[-1][:2]) for plan in PLANS]
    assert ends == ["3:30", "7:30", *["2:30"] * 4, "4:10", *["2:15"] * 3]


def test_half_a_day_has_half_an_hour_to_spare():
    (room,) = (int(minutes) for *_, what, minutes in HALF_A_DAY if what == "Room")
    assert room >= 30


@pytest.mark.parametrize("plan", range(len(PLANS)))
def test_the_clock_of_a_plan_adds_up(plan):
    starts = [60 * int(hours) + int(minutes) for hours, minutes, _, _ in PLANS[plan]]
    lengths = [int(minutes or 0) for *_, minutes in PLANS[plan]]
    assert starts[0] == 0
    differences = [later - earlier for earlier, later in pairwise(starts)]
    assert differences == lengths[:-1]


def sections_in(what):
    """Title, minutes of the sections that it takes, and lesson, of a row."""
    (lesson,) = find_lessons([what[:2]])
    minutes = {note.title: note.minutes for note in read_notes(lesson)}
    title, without, names = what[3:].partition(" without ")
    if not without:
        title, _, names = title.partition(": ")
    named = names.split("; ") if names else []
    assert set(named) <= set(minutes)
    taken = [name for name in minutes if (name in named) != bool(without or not named)]
    return title, sum(minutes[name] for name in taken), lesson


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row[0]} {row[1][:9]}")
def test_the_minutes_in_a_plan_are_the_lessons_own(row):
    _, what, minutes = row
    title, taken, lesson = sections_in(what)
    assert title in lesson.sections[0].title
    assert taken == int(minutes)


def test_every_row_of_a_plan_with_a_lesson_is_compared():
    named = [what for plan in PLANS for *_, what, _ in plan if re.match(r"\d\d ", what)]
    assert len(named) >= 30 and set(named) <= {what for _, what, _ in ROWS}


def test_lessons_that_build_on_each_other_are_in_their_order():
    courses = HALF_A_DAY, ONE_DAY, sum(EVENINGS, []), FIRST + SECOND + THIRD
    for course in courses:
        names = [what[:2] for *_, what, _ in course if re.match(r"\d\d ", what)]
        early = [name for name in names if int(name) < 6]
        assert early and early == sorted(early)


def test_the_open_task_has_four_criteria_of_three_levels():
    (rubric,) = re.findall(r"(?m)^\| Criterion \|.+\n\|[-|]+\n((?:\|.+\n)+)", GUIDE)
    rows = [row.strip("|").split("|") for row in rubric.splitlines()]
    assert [len(row) for row in rows] == [4] * 4
    assert all(len(cell.split()) > 4 for row in rows for cell in row[1:])


@pytest.mark.parametrize(
    ("app", "pattern"),
    [(cli.app, r"tlcourse (\w+)"), (workshop.app, r"-m workshop (\w+)")],
)
def test_every_command_that_it_names_exists(app, pattern):
    commands = set(re.findall(pattern, GUIDE))
    assert commands
    for command in commands:
        assert CliRunner().invoke(app, [command, "--help"]).exit_code == 0, command


def test_the_launchers_that_it_names_are_those_of_the_kit():
    names = [path.name for path in (HERE / "launchers").iterdir()]
    for name in names:
        assert name in GUIDE or not name.endswith((".bat", ".command"))
    assert LESSONS.is_dir()


def test_the_wheel_holds_nothing_of_the_workshop():
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    (included,) = re.findall(r"(?m)^only-include = (.+)$", text)
    assert included == '["tlcourse", "data", "benchmarks/results.json"]'
    for path in (ROOT / "tlcourse").rglob("*.py"):
        assert not re.search(r"(from|import) workshop\b", path.read_text("utf-8"))
