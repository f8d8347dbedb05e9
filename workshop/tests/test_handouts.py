"""Handouts are made of the lessons, give nothing away, and overwrite nothing."""

import ast
import html
import re
import shutil
from pathlib import Path
from types import SimpleNamespace

import nbformat
import pytest
from click.testing import CliRunner
from IPython.core.inputtransformer2 import TransformerManager
from nbclient import NotebookClient
from small_disk import SmallDisk, cannot_be_made

from tlcourse.errors import TLCourseError, UserInputError
from tlcourse.exercises.table import find_exercise
from tlcourse.files import sha256
from workshop import handouts
from workshop.__main__ import app
from workshop.handouts import learner_notebook, make_handouts
from workshop.lessons import find_lessons, has_tag
from workshop.notes import FOLDER, read_notes, wrong_answers

LESSONS = {lesson.name: lesson for lesson in find_lessons()}
FIRST, *_, LAST = LESSONS
every_lesson = pytest.mark.parametrize("name", LESSONS)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The handouts of all lessons; tests read them."""
    folder = tmp_path_factory.mktemp("class") / "new" / "folder"
    make_handouts(folder)
    return folder


def cells_in(path):
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    return notebook.cells


def lines_of(solutions):
    cells = [cell for one in LESSONS.values() for cell in one.notebook.cells]
    kept = [cell.source for cell in cells if has_tag(cell, "solution") == solutions]
    return {line.strip() for source in kept for line in source.splitlines()}


# Lines that stand in a solution and in no other cell of the course.
SECRET = {line for line in lines_of(True) - lines_of(False) if len(line) > 15}


@every_lesson
def test_a_learners_notebook_has_all_cells_but_solutions_and_no_outputs(folder, name):
    found = cells_in(folder / "learners" / f"{name}.ipynb")
    cells = LESSONS[name].notebook.cells
    kept = [cell.source for cell in cells if not has_tag(cell, "solution")]
    assert [cell.source for cell in found] == kept and len(kept) == len(cells) - 3
    code = [cell for cell in found if cell.cell_type == "code"]
    assert not any(cell.outputs or cell.execution_count for cell in code)


def test_no_line_of_a_solution_is_in_anything_that_learners_get(folder):
    files = [path for path in (folder / "learners").rglob("*") if path.is_file()]
    text = "\n".join(path.read_text(encoding="utf-8") for path in files)
    text = html.unescape(text.replace('\\"', '"'))
    assert len(SECRET) > 30 and len(files) == 2 * len(LESSONS)
    assert [line for line in SECRET if line in text] == []


def test_solutions_can_be_left_in_for_after_the_class():
    lesson = LESSONS[FIRST]
    found = nbformat.reads(learner_notebook(lesson, solutions=True), as_version=4)
    expected = [cell.source for cell in lesson.notebook.cells]
    assert [cell.source for cell in found.cells] == expected


def names_in(cell, context):
    """The names that a cell stores or imports, or those that it loads."""
    tree = ast.parse(TransformerManager().transform_cell(cell.source))
    names = {
        node.id
        for node in ast.walk(tree)
        if isinstance(node, ast.Name) and isinstance(node.ctx, context)
    }
    if context is ast.Store:
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.ClassDef):
                names.add(node.name)
            elif isinstance(node, ast.arg):
                names.add(node.arg)
            elif isinstance(node, ast.alias):
                names.add(node.asname or node.name.split(".")[0])
    return names


@every_lesson
def test_no_cell_needs_what_a_solution_defines(name):
    code = [cell for cell in LESSONS[name].notebook.cells if cell.cell_type == "code"]
    solutions = [cell for cell in code if has_tag(cell, "solution")]
    given_away = set().union(*(names_in(cell, ast.Store) for cell in solutions))
    assert len(solutions) == 3 and given_away
    defined = set()
    for cell in code:
        if cell not in solutions:
            defined |= names_in(cell, ast.Store)
            assert not names_in(cell, ast.Load) & given_away - defined, cell.source


@pytest.mark.slow
def test_a_learners_notebook_runs_to_its_end_and_its_exercises_wait(
    tmp_path, monkeypatch
):
    """The first; nbval runs the same cells of every lesson, with the solutions."""
    monkeypatch.setenv("TQDM_DISABLE", "1")
    notebook = nbformat.reads(learner_notebook(LESSONS[FIRST]), as_version=4)
    resources = {"metadata": {"path": str(tmp_path)}}
    client = NotebookClient(notebook, timeout=300, resources=resources)
    client.comm_open_handlers.clear()  # widgets' handlers can wait for a browser
    client.execute()
    checks = [cell for cell in notebook.cells if "tl.check(" in cell.source]
    outputs = [str(cell.outputs) for cell in checks if cell.cell_type == "code"]
    assert len(outputs) == 3 and all("not attempted yet" in one for one in outputs)


# What the instructor keeps


@every_lesson
def test_an_instructors_notebook_is_the_lesson_with_a_note_per_section(folder, name):
    lesson = LESSONS[name]
    found = cells_in(folder / "instructor" / f"{name}.ipynb")
    text = "\n".join(cell.source for cell in found)
    notes = [cell for cell in found if has_tag(cell, "instructor")]
    original = "\n".join(cell.source for cell in lesson.notebook.cells)
    assert len(notes) == len(lesson.sections)
    assert all(line in text for line in original.splitlines())
    outputs = [
        [cell.outputs for cell in cells if cell.cell_type == "code"]
        for cells in (found, lesson.notebook.cells)
    ]
    assert outputs[0] == outputs[1]
    solutions = [cell for cell in found if has_tag(cell, "solution")]
    assert not any(cell.metadata.jupyter.source_hidden for cell in solutions)
    for number in re.findall(r"### Exercise (\d+\.\d)", text):
        exercise = find_exercise(number)
        expected = [*exercise.hints, *wrong_answers(exercise)]
        assert all(sentence in text for sentence in expected)


def test_wrong_answers_are_what_the_check_says_without_the_values():
    sentences = {"right": "Yes.", "half": "{answer:g} is half.", "otherwise": "No."}
    assert wrong_answers(SimpleNamespace(sentences=sentences)) == ["… is half.", "No."]


@every_lesson
def test_the_notes_minutes_add_up_to_the_lessons(name):
    notes = read_notes(LESSONS[name])
    assert sum(note.minutes for note in notes) == LESSONS[name].minutes
    assert [note.title for note in notes if len(note.text) < 10] == []
    ends = [note.start + note.minutes for note in notes]
    assert [note.start for note in notes] == [0, *ends[:-1]]


@every_lesson
def test_for_typing_along_an_empty_cell_stands_above_each_folded_one(folder, name):
    found = cells_in(folder / "instructor" / "live" / f"{name}.ipynb")
    folded = [cell.metadata.get("jupyter", {}).get("source_hidden") for cell in found]
    for number, cell in enumerate(found):
        assert not has_tag(cell, "solution")
        if cell.cell_type == "markdown":
            is_heading = re.fullmatch(r"#+ .+", cell.source)
            assert bool(folded[number]) != bool(is_heading)
        elif cell.source and "tl.check(" not in cell.source:
            assert folded[number]
            is_not_typed = has_tag(cell, "setup") or has_tag(cell, "preview")
            assert is_not_typed or found[number - 1].source == ""


@pytest.fixture
def copied(tmp_path, monkeypatch):
    """Lesson 00 and its notes in a folder of their own; the path of the notes."""
    source = LESSONS[FIRST].path
    lessons, notes = tmp_path / "notebooks", tmp_path / "teaching" / f"{source.stem}.md"
    shutil.copytree(FOLDER, notes.parent)
    lessons.mkdir()
    shutil.copy(source, lessons)
    found = find_lessons(folder=lessons)
    monkeypatch.setattr("workshop.notes.FOLDER", notes.parent)
    monkeypatch.setattr(handouts, "find_lessons", lambda prefixes: found)
    return notes


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("## Compared with what?", "## Is that bad?", r"from 'Is that bad\?' on"),
        ("# 00", "Say that it is easy.\n\n# 00", "are not those of the lesson"),
        ("*2 minutes.*", "", "there are no minutes"),
    ],
)
def test_notes_that_do_not_fit_the_lesson_are_refused(
    copied, tmp_path, old, new, message
):
    copied.write_text(copied.read_text("utf-8").replace(old, new, 1), "utf-8")
    with pytest.raises(UserInputError, match=message):
        make_handouts(tmp_path / "class")


def test_a_lesson_without_notes_yet_is_handed_out_all_the_same(copied, tmp_path):
    copied.unlink()
    assert make_handouts(tmp_path / "class")


# Slides and cards


@every_lesson
def test_slides_load_nothing_but_what_lies_beside_them(folder, name):
    slides = folder / "instructor" / "slides"
    page = (slides / f"{name}.slides.html").read_text(encoding="utf-8")
    pattern = r"<(?:script|img|iframe|link)[^>]* (?:src|href)=\"([^\"]+)\""
    loaded = {file for file in re.findall(pattern, page) if file[:5] != "data:"}
    assert len(loaded) == 4 and all((slides / file).is_file() for file in loaded)
    assert not re.search(r"@import|url\(['\"]?http|mermaid from|require\(", page)


@every_lesson
def test_slides_have_notes_alternative_texts_and_no_solution(folder, name):
    lesson = LESSONS[name]
    path = folder / "instructor" / "slides" / f"{name}.slides.html"
    page = path.read_text(encoding="utf-8")
    aside = r'(?s)<aside class="notes">.*?</aside>'
    notes = [note for note in re.findall(aside, page) if "Instructor · " in note]
    assert len(notes) == len(lesson.sections)
    shown = html.unescape(re.sub(r"<[^>]+>", "", re.sub(aside, "", page)))
    assert [line for line in SECRET if line in shown] == []
    cells = [one for one in lesson.notebook.cells if not has_tag(one, "solution")]
    outputs = [output for cell in cells for output in cell.get("outputs", [])]
    described = [
        output.metadata["image/png"]["alt"]
        for output in outputs
        if "image/png" in output.get("data", {})
    ]
    found = re.findall(r'<img[^>]* alt="([^"]*)"', page)
    assert list(map(html.unescape, found)) == described


@every_lesson
def test_a_card_has_objectives_calls_exercises_and_summary(folder, name):
    path = folder / "learners" / "cards" / f"{name}.html"
    card = path.read_text(encoding="utf-8")
    headings = re.findall(r"<h2>(.+?)</h2>", card)
    assert headings[:2] == ["You will learn", "Calls"]
    assert {"Exercises", "In short"} <= set(headings)
    assert not re.search(r"src=|<link|@import|url\(", card)


def test_reveal_is_as_its_card_says():
    folder = Path(handouts.__file__).parent / "reveal"
    card = (folder / "CARD.md").read_text(encoding="utf-8")
    sums = re.findall(r"name: (\S+)\n    sha256: (\w{64})", card)
    assert len(sums) == 5
    assert all(sha256(folder / name) == digest for name, digest in sums)


# Files


def files_in(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize(
    "name", [f"learners/{LAST}.ipynb", "instructor/slides/reveal.js/dist/reveal.css"]
)
def test_a_file_that_exists_is_left_alone_and_nothing_is_written(tmp_path, name):
    (tmp_path / name).parent.mkdir(parents=True)
    (tmp_path / name).write_text("my answers")
    before = files_in(tmp_path)
    with pytest.raises(UserInputError, match="Answers may be in it"):
        make_handouts(tmp_path, [LAST])
    assert files_in(tmp_path) == before


def test_a_link_is_left_alone(tmp_path):
    link = tmp_path / "learners" / f"{LAST}.ipynb"
    link.parent.mkdir()
    link.symlink_to(tmp_path / "nowhere")
    with pytest.raises(UserInputError, match="nothing was written"):
        make_handouts(tmp_path, [LAST])
    assert link.is_symlink() and files_in(tmp_path) == {}


def test_another_lesson_can_be_added_later(tmp_path):
    for number in ("00", "01"):
        make_handouts(tmp_path, [number])
    assert len(list((tmp_path / "learners").glob("*.ipynb"))) == 2


def test_an_unknown_lesson_is_answered_with_those_that_there_are(tmp_path):
    with pytest.raises(UserInputError, match="'77'. There are 00, "):
        make_handouts(tmp_path, ["77"])


def test_a_folder_that_cannot_be_made_is_a_sentence(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserInputError, match="could not be written"):
        make_handouts(tmp_path / "file" / "class", ["00"])


@pytest.mark.parametrize("free", [0, 400_000])
def test_a_full_disk_leaves_nothing_in_the_way(tmp_path, free):
    try:
        disk = SmallDisk(tmp_path / "disk", 2000)
    except OSError as error:
        cannot_be_made(str(error))
    try:
        disk.fill(leaving=free)
        with pytest.raises(TLCourseError, match="Nothing was left there"):
            make_handouts(disk.path / "class", ["00"])
        assert files_in(disk.path / "class") == {}
        disk.grow()
        assert make_handouts(disk.path / "class", ["00"])
    finally:
        disk.unmount()


def test_the_command_says_what_is_for_whom(tmp_path):
    folder = tmp_path / "für alle 1"
    result = CliRunner().invoke(app, ["handout", str(folder), "--lessons", "00,01"])
    assert result.exit_code == 0, result.output
    assert "learners: give this" in result.output and "keep this" in result.output
    assert len(list((folder / "learners").glob("*.ipynb"))) == 2
