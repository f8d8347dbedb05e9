"""Handouts: what learners and the instructor get is made of the lessons, gives nothing away, and overwrites nothing."""

import ast
import html
import json
import re
import subprocess
import sys

import nbformat
import pytest
from typer.testing import CliRunner

from tlcourse.cli import app
from tlcourse.errors import UserInputError
from tlcourse.exercises import check
from tlcourse.exercises.table import find_exercise
from tlcourse.handouts import lessons as lessons_room
from tlcourse.handouts import make_handouts
from tlcourse.handouts.checkpoints import checkpoint
from tlcourse.handouts.lessons import find_lessons, has_tag
from tlcourse.handouts.teaching import _raised as raised
from tlcourse.handouts.teaching import read_notes, wrong_answers

LESSONS = {lesson.name: lesson for lesson in find_lessons()}
NAMES = list(LESSONS)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The handouts of all lessons; tests read them."""
    folder = tmp_path_factory.mktemp("class") / "new" / "folder"
    make_handouts(folder)
    return folder


def cells(path):
    return nbformat.read(path, as_version=4).cells


def sources(path):
    return [cell.source for cell in cells(path)]


def of_lesson(name):
    return LESSONS[name].notebook.cells


def lines_of(solutions):
    everything = [
        cell
        for name in NAMES
        for cell in of_lesson(name)
        if has_tag(cell, "solution") == solutions
    ]
    return {line.strip() for cell in everything for line in cell.source.splitlines()}


# Lines that stand in a solution and in no other cell of the course.
SECRET = [
    line
    for line in lines_of(solutions=True) - lines_of(solutions=False)
    if len(line) > 15
]


# What learners get


@pytest.mark.parametrize("name", NAMES)
def test_a_learners_notebook_has_every_cell_but_the_solutions(folder, name):
    kept = [cell.source for cell in of_lesson(name) if not has_tag(cell, "solution")]
    assert (
        sources(folder / "learners" / f"{name}.ipynb") == kept
        and len(kept) == len(of_lesson(name)) - 3
    )


def test_no_line_of_a_solution_is_left_in_anything_that_learners_get(folder):
    files = [path for path in (folder / "learners").rglob("*") if path.is_file()]
    handed_out = "\n".join(path.read_text(encoding="utf-8") for path in files).replace(
        '\\"', '"'
    )
    assert len(SECRET) > 30 and len(files) > 100
    assert [line for line in SECRET if line in handed_out] == []


@pytest.mark.parametrize("name", NAMES)
def test_a_learners_notebook_has_no_outputs(folder, name):
    code = [
        cell
        for cell in cells(folder / "learners" / f"{name}.ipynb")
        if cell.cell_type == "code"
    ]
    assert code and not any(cell.outputs or cell.execution_count for cell in code)


def test_every_notebook_is_valid(folder):
    paths = list(folder.rglob("*.ipynb"))
    assert len(paths) == 3 * len(NAMES)
    for path in paths:
        nbformat.validate(nbformat.read(path, as_version=4))


def test_solutions_can_be_left_in_for_after_the_class(tmp_path):
    make_handouts(tmp_path, ["00"], solutions=True)
    assert sources(tmp_path / "learners" / f"{NAMES[0]}.ipynb") == [
        cell.source for cell in of_lesson(NAMES[0])
    ]


# Checkpoints


def test_behind_each_checkpoint_the_rest_of_the_lesson_finds_all_its_names(
    tmp_path, folder
):
    """Ruff looks for undefined names: in each learners' notebook, and in each checkpoint with the rest behind it."""
    for name, lesson in LESSONS.items():
        for place, leading_here in enumerate(lesson.checkpoints):
            rest = [
                cell
                for section in lesson.sections[place:]
                for cell in section.cells
                if cell.cell_type == "code"
            ]
            code = [
                cell.source
                for cell in rest
                if not (has_tag(cell, "solution") or has_tag(cell, "setup"))
            ]
            (tmp_path / f"{name}_{place:02}.py").write_text(
                "\n".join([leading_here, *code]), encoding="utf-8"
            )
    command = [sys.executable, "-m", "ruff", "check", "--isolated", "--select", "F821"]
    found = subprocess.run([*command, str(tmp_path)], capture_output=True, text=True)
    assert found.returncode == 0, found.stdout
    assert len(list(tmp_path.iterdir())) > 8 * len(NAMES)


@pytest.mark.parametrize(
    ("before", "kept"),
    [
        (["a = 1", "print(a)"], "a = 1"),
        (["a = 1", "b = 2"], "a = 1"),
        (["a = 1", "a = 2"], "a = 2"),
        (["a = {}", "a['x'] = 1"], "a = {}\n\na['x'] = 1"),
        (["a = []", "a.append(1)"], "a = []\n\na.append(1)"),
        (["a = []", "print(a.pop())"], "a = []\n\nprint(a.pop())"),
        (["a = 1", "def f(): return a", "b = 2"], "a = 1"),
        (["a = 1", "del a", "a = 3"], "a = 3"),
        (
            ["import numpy as np", "a = np.ones(3)"],
            "import numpy as np\n\na = np.ones(3)",
        ),
        (
            ["name = 1", "for name in (1, 2):\n    a = name"],
            "for name in (1, 2):\n    a = name",
        ),
        (["tl.freeze(a)", "tl.show.pictures(a)"], "tl.freeze(a)"),
        (
            ["b = 1", "try:\n    a = b\nexcept:\n    a = 2"],
            "b = 1\n\ntry:\n    a = b\nexcept:\n    a = 2",
        ),
    ],
)
def test_of_the_cells_before_those_statements_are_kept_that_matter(before, kept):
    assert checkpoint(before, ["print(a)"]) == kept


def test_what_a_function_reads_is_kept_also_if_it_is_defined_behind_it():
    assert (
        checkpoint(["def f():\n    return b", "b = 2\nc = 3"], ["f()"])
        == "def f():\n    return b\n\nb = 2"
    )


def test_a_checkpoint_leads_to_where_all_cells_lead():
    before = [
        "rows = [3, 1, 2]",
        "shown = sorted(rows)",
        "print(shown)",
        "rows.sort()",
        "top = [r for r in rows if r > 1]",
    ]
    after = "result = (rows, top)"
    by_checkpoint, by_all = {}, {}
    exec(checkpoint(before, [after]) + "\n" + after, by_checkpoint)
    exec("\n".join([*before, after]), by_all)
    assert (
        by_checkpoint["result"] == by_all["result"] == ([1, 2, 3], [2, 3])
        and "shown" not in by_checkpoint
    )


def test_each_checkpoint_says_how_it_is_run(folder):
    files = list((folder / "learners" / "checkpoints").glob("*.py"))
    assert len(files) == sum(
        bool(code) for lesson in LESSONS.values() for code in lesson.checkpoints
    )
    for file in files:
        assert f"%run -i checkpoints/{file.name}" in file.read_text(encoding="utf-8")


# What the instructor keeps


@pytest.mark.parametrize("name", NAMES)
def test_an_instructors_notebook_is_the_lesson_with_a_note_at_each_section(
    folder, name
):
    found = cells(folder / "instructor" / f"{name}.ipynb")
    notes = [cell for cell in found if has_tag(cell, "instructor")]
    text, kept = (
        "\n".join(cell.source for cell in some) for some in (of_lesson(name), found)
    )
    assert len(notes) == len(LESSONS[name].sections) and all(
        line in kept for line in text.splitlines()
    )
    assert [cell.outputs for cell in found if cell.cell_type == "code"] == [
        cell.outputs for cell in of_lesson(name) if cell.cell_type == "code"
    ]


@pytest.mark.parametrize("name", NAMES)
def test_the_minutes_of_the_sections_add_up_to_those_that_the_lesson_promises(name):
    notes = read_notes(LESSONS[name])
    assert sum(note.minutes for note in notes) == LESSONS[name].minutes
    assert [note.start for note in notes[1:]] == [
        note.start + note.minutes for note in notes[:-1]
    ]


@pytest.mark.parametrize("name", NAMES)
def test_there_is_something_to_say_about_every_section(name):
    assert [
        note.title for note in read_notes(LESSONS[name]) if len(note.text) < 10
    ] == []


@pytest.mark.parametrize("name", NAMES)
def test_each_exercise_comes_with_its_hints_and_the_wrong_answers_to_expect(
    folder, name
):
    text = "\n".join(sources(folder / "instructor" / f"{name}.ipynb"))
    for number in re.findall(r"### Exercise (\d+\.\d)", text):
        assert all(hint in text for hint in find_exercise(number).hints)
        assert wrong_answers(number) and all(
            answer in text for answer in wrong_answers(number)
        )


def test_the_wrong_answers_are_those_that_the_check_knows():
    assert check("5.1", 6).reason in wrong_answers("5.1") and check(
        "6.1", 160
    ).reason in wrong_answers("6.1")


def test_what_was_given_is_left_out_of_a_wrong_answer():
    assert any(answer.startswith("… is not it.") for answer in wrong_answers("5.1"))


def test_solutions_stand_open_in_the_instructors_notebook(folder):
    solutions = [
        cell
        for cell in cells(folder / "instructor" / f"{NAMES[0]}.ipynb")
        if has_tag(cell, "solution")
    ]
    assert len(solutions) == 3 and not any(
        cell.metadata.jupyter.source_hidden for cell in solutions
    )


@pytest.mark.parametrize("name", NAMES)
def test_for_typing_along_there_is_an_empty_cell_above_each_folded_one(folder, name):
    found = cells(folder / "instructor" / "live" / f"{name}.ipynb")
    folded = [
        cell.metadata.get("jupyter", {}).get("source_hidden", False) for cell in found
    ]
    for place, cell in enumerate(found):
        stays_open = cell.cell_type == "markdown" and re.fullmatch(
            r"#+ .+", cell.source
        )
        if cell.cell_type == "markdown":
            assert folded[place] != bool(stays_open), cell.source
        elif (
            cell.source
            and "tl.check(" not in cell.source
            and not has_tag(cell, "setup")
        ):
            assert (
                folded[place]
                and found[place - 1].source == ""
                and not folded[place - 1]
            )
    assert not any(has_tag(cell, "solution") for cell in found)


# Notes that are out of step


@pytest.fixture
def copied(tmp_path, monkeypatch):
    """Lesson 00 and its notes in a folder of their own; the path of the notes."""
    source = LESSONS[NAMES[0]].path
    (tmp_path / "notebooks" / "teaching").mkdir(parents=True)
    (tmp_path / "notebooks" / source.name).write_bytes(source.read_bytes())
    notes = tmp_path / "notebooks" / "teaching" / f"{source.stem}.md"
    notes.write_bytes((source.parent / "teaching" / notes.name).read_bytes())
    monkeypatch.setattr(lessons_room, "lessons_folder", lambda: tmp_path / "notebooks")
    return notes


def test_a_heading_that_the_lesson_does_not_have_is_named(copied, tmp_path):
    copied.write_text(
        copied.read_text("utf-8").replace("## Is that good?", "## Is that bad?"),
        "utf-8",
    )
    with pytest.raises(
        UserInputError,
        match=r"they part at 'Is that bad\?'. Give the notes the lesson's headings",
    ):
        make_handouts(tmp_path / "class")


def test_notes_that_do_not_begin_with_the_lessons_title_are_named(copied, tmp_path):
    copied.write_text("Say that it is easy.\n\n" + copied.read_text("utf-8"), "utf-8")
    with pytest.raises(
        UserInputError, match=r"The headings of .*\.md are not those of the lesson"
    ):
        make_handouts(tmp_path / "class")


def test_an_error_of_another_room_is_no_wrong_answer():
    assert (
        raised(ast.parse("raise errors.UserInputError('no')\nraise NotYet('not yet')"))[
            0
        ]
        .args[0]
        .value
        == "not yet"
    )


def test_a_section_without_minutes_is_named(copied, tmp_path):
    copied.write_text(copied.read_text("utf-8").replace("*4 minutes.*", "", 1), "utf-8")
    with pytest.raises(
        UserInputError, match=r"there are no minutes. Begin with: \*5 minutes.\*"
    ):
        make_handouts(tmp_path / "class")


def test_a_lesson_without_notes_yet_is_handed_out_all_the_same(copied, tmp_path):
    copied.unlink()
    assert make_handouts(tmp_path / "class")


# Slides


@pytest.mark.parametrize("name", NAMES)
def test_slides_load_nothing_but_what_lies_beside_them(folder, name):
    slides = folder / "instructor" / "slides"
    page = (slides / f"{name}.slides.html").read_text(encoding="utf-8")
    loaded = re.findall(
        r"<(?:script|img|iframe)[^>]* src=\"([^\"]+)\"|<link[^>]* href=\"([^\"]+)\"",
        page,
    )
    files = {
        script or link
        for script, link in loaded
        if not (script or link).startswith("data:")
    }
    assert len(files) == 4 and all((slides / file).is_file() for file in files)
    assert not re.search(r"@import|url\(['\"]?http|mermaid from|require\(", page)


@pytest.mark.parametrize("name", NAMES)
def test_every_figure_on_a_slide_says_in_words_what_is_seen(folder, name):
    page = (folder / "instructor" / "slides" / f"{name}.slides.html").read_text(
        encoding="utf-8"
    )
    shown = [cell for cell in of_lesson(name) if not has_tag(cell, "solution")]
    outputs = [output for cell in shown for output in cell.get("outputs", [])]
    described = [
        output.metadata["image/png"]["alt"]
        for output in outputs
        if "image/png" in output.get("data", {})
    ]
    assert [
        html.unescape(alt) for alt in re.findall(r'<img[^>]* alt="([^"]*)"', page)
    ] == described


@pytest.mark.parametrize("name", NAMES)
def test_on_the_slides_are_all_sections_with_what_to_say_and_no_solution(folder, name):
    page = (folder / "instructor" / "slides" / f"{name}.slides.html").read_text(
        encoding="utf-8"
    )
    notes = re.findall(r'<aside class="notes">(.*?)</aside>', page, re.DOTALL)
    assert sum("<strong>Instructor · " in note for note in notes) == len(
        LESSONS[name].sections
    )
    shown = html.unescape(
        re.sub(
            r"<[^>]+>", "", re.sub(r'(?s)<aside class="notes">.*?</aside>', "", page)
        )
    )
    assert [line for line in SECRET if line in shown] == []


# Cards


@pytest.mark.parametrize("name", NAMES)
def test_a_card_has_the_objectives_the_calls_the_questions_and_the_way_back(
    folder, name
):
    card = (folder / "learners" / "cards" / f"{name}.html").read_text(encoding="utf-8")
    headings = re.findall(r"<h2>(.+?)</h2>", card)
    assert headings[:2] == ["You will learn", "Calls"] and {
        "Exercises",
        "In short",
    } <= set(headings)
    lesson = LESSONS[name]
    titles = [
        section.title
        for section, code in zip(lesson.sections, lesson.checkpoints, strict=True)
        if code
    ]
    assert card.count("<b>") == sum(
        not title.startswith("Exercise ") for title in titles
    )
    assert not re.search(r"src=|<link|@import|url\(", card)


# Files


def test_a_file_that_is_there_is_left_alone_and_nothing_else_is_written(tmp_path):
    (tmp_path / "learners").mkdir()
    (tmp_path / "learners" / f"{NAMES[-1]}.ipynb").write_text("my answers")
    with pytest.raises(
        UserInputError, match="Answers may be in it, so nothing was written"
    ):
        make_handouts(tmp_path, [NAMES[-1]])
    assert [path.read_text() for path in tmp_path.rglob("*") if path.is_file()] == [
        "my answers"
    ]


@pytest.mark.parametrize("kind", ["changed", "link"])
def test_a_file_of_the_slides_that_was_changed_and_a_link_are_left_alone(
    tmp_path, kind
):
    goal = tmp_path / "instructor" / "slides" / "reveal.js" / "dist" / "reveal.css"
    goal.parent.mkdir(parents=True)
    if kind == "changed":
        goal.write_text("body { color: red }")
    else:
        goal.symlink_to(tmp_path / "nowhere")
    with pytest.raises(UserInputError, match="nothing was written"):
        make_handouts(tmp_path, [NAMES[-1]])
    assert (
        goal.is_symlink()
        if kind == "link"
        else goal.read_text() == "body { color: red }"
    )
    assert not (tmp_path / "learners").exists()


def test_another_lesson_can_be_added_later(tmp_path):
    make_handouts(tmp_path, ["00"])
    make_handouts(tmp_path, ["01"])
    assert len(list((tmp_path / "learners").glob("*.ipynb"))) == 2


def test_a_lesson_that_is_not_there_is_answered_with_those_that_are(tmp_path):
    with pytest.raises(
        UserInputError, match="No lesson begins with '77'. There are 00, "
    ):
        make_handouts(tmp_path, ["77"])


def test_where_only_the_package_is_installed_it_says_what_to_do(tmp_path, monkeypatch):
    monkeypatch.setattr(lessons_room, "data_folder", lambda: tmp_path / "data")
    with pytest.raises(UserInputError, match="Clone the course's repository"):
        make_handouts(tmp_path / "class")


def test_a_folder_that_cannot_be_made_is_a_sentence(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(
        UserInputError, match="could not be written to .* choose another folder"
    ):
        make_handouts(tmp_path / "file" / "class", ["00"])


def test_the_command_says_what_is_for_whom(tmp_path):
    result = CliRunner().invoke(
        app, ["handout", str(tmp_path / "class"), "--lessons", "00,01"]
    )
    assert result.exit_code == 0, result.output
    assert (
        "learners: give this to everybody" in result.output
        and "instructor: keep this" in result.output
    )
    assert len(list((tmp_path / "class" / "learners").glob("*.ipynb"))) == 2


def test_the_live_notebook_keeps_jupyters_own_metadata(folder):
    text = json.loads(
        (folder / "instructor" / "live" / f"{NAMES[0]}.ipynb").read_text(
            encoding="utf-8"
        )
    )
    assert text["metadata"]["kernelspec"]["name"] == "python3" and text["nbformat"] == 4
