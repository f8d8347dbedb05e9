"""The instructor guide's plans add up, and what it names exists."""

import re
from itertools import pairwise

import pytest
from typer.testing import CliRunner

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
ROWS = [row for plan in PLANS for row in plan if re.match(r"\d\d ", row[2])]


def test_there_are_plans_for_half_a_day_a_day_four_evenings_and_text_and_speech():
    ends = [":".join(plan[-1][:2]) for plan in PLANS]
    assert ends == ["3:30", "7:30", *["2:30"] * 4, "4:10"]


@pytest.mark.parametrize("plan", range(len(PLANS)))
def test_the_clock_of_a_plan_adds_up(plan):
    starts = [60 * int(hours) + int(minutes) for hours, minutes, _, _ in PLANS[plan]]
    lengths = [int(minutes or 0) for *_, minutes in PLANS[plan]]
    assert starts[0] == 0
    differences = [later - earlier for earlier, later in pairwise(starts)]
    assert differences == lengths[:-1]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row[0]}:{row[1]} {row[2][:9]}")
def test_the_minutes_in_a_plan_are_the_lessons_own(row):
    number, (title, _, chosen) = row[2][:2], row[2][3:].partition(": ")
    (lesson,) = find_lessons([number])
    minutes = {note.title: note.minutes for note in read_notes(lesson)}
    assert title in next(iter(minutes))
    sections = chosen.split("; ") if chosen else list(minutes)
    assert sum(minutes[name] for name in sections) == int(row[3])


def test_lessons_that_build_on_each_other_are_in_their_order():
    for plans in (PLANS[:1], PLANS[1:2], PLANS[2:5]):
        names = [row[2][:2] for plan in plans for row in plan if row in ROWS]
        early = [name for name in names if int(name) < 6]
        assert early == sorted(early)


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
