"""A handout has every cell of the lessons but the solutions, and never touches work that is there."""

import subprocess
from pathlib import Path

import nbformat
import pytest
from typer.testing import CliRunner

from tlcourse import handout
from tlcourse.cli import app
from tlcourse.errors import UserInputError
from tlcourse.handout import make_handout

LESSONS = sorted((Path(__file__).resolve().parent.parent / "notebooks").glob("[0-9][0-9]_*.ipynb"))


def cells(path):
    return nbformat.read(path, as_version=4).cells


def is_solution(cell):
    return "solution" in cell.metadata.get("tags", [])


@pytest.fixture(scope="module")
def copies(tmp_path_factory):
    return make_handout(tmp_path_factory.mktemp("class") / "new" / "folder")


def test_every_lesson_is_copied(copies):
    assert [path.name for path in copies] == [path.name for path in LESSONS]


@pytest.mark.parametrize("lesson", LESSONS, ids=lambda path: path.stem)
def test_all_cells_but_the_solutions_are_there(copies, lesson):
    copy = next(path for path in copies if path.name == lesson.name)
    assert [cell.source for cell in cells(copy)] == [cell.source for cell in cells(lesson) if not is_solution(cell)]
    assert any(is_solution(cell) for cell in cells(lesson))


def test_no_line_of_a_solution_is_left_anywhere(copies):
    """Lines that stand in a solution and in no other cell of the course."""
    everything = [cell for lesson in LESSONS for cell in cells(lesson)]
    elsewhere = {line for cell in everything if not is_solution(cell) for line in cell.source.splitlines()}
    secret = {line for cell in everything if is_solution(cell) for line in cell.source.splitlines()} - elsewhere
    handed_out = "\n".join(path.read_text(encoding="utf-8") for path in copies)
    assert len(secret) > 30 and not [line for line in secret if len(line) > 15 and line in handed_out]


def test_outputs_are_left_out_and_the_notebooks_are_valid(copies):
    for path in copies:
        nbformat.validate(nbformat.read(path, as_version=4))
        code = [cell for cell in cells(path) if cell.cell_type == "code"]
        assert code and not any(cell.outputs or cell.execution_count for cell in code)


def test_solutions_and_outputs_can_be_kept(tmp_path):
    (copy,) = make_handout(tmp_path, ["00"], solutions=True, outputs=True)
    assert [(cell.source, cell.get("outputs")) for cell in cells(copy)] == [
        (cell.source, cell.get("outputs")) for cell in cells(LESSONS[0])
    ]


def test_a_file_that_is_there_is_left_alone_and_nothing_else_is_written(tmp_path):
    (tmp_path / LESSONS[-1].name).write_text("my answers")
    with pytest.raises(UserInputError, match="Answers may be in it, so nothing was written"):
        make_handout(tmp_path)
    assert [path.read_text() for path in tmp_path.iterdir()] == ["my answers"]


def test_a_lesson_that_is_not_there_is_answered_with_those_that_are(tmp_path):
    with pytest.raises(UserInputError, match="No lesson begins with '77'. There are 00, "):
        make_handout(tmp_path, ["77"])


def test_where_only_the_package_is_installed_it_says_what_to_do(tmp_path, monkeypatch):
    monkeypatch.setattr(handout, "data_folder", lambda: tmp_path / "data")
    with pytest.raises(UserInputError, match="Clone the course's repository"):
        make_handout(tmp_path / "class")


def test_a_folder_that_cannot_be_made_is_a_sentence(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserInputError, match="could not be written to .* Choose another folder"):
        make_handout(tmp_path / "file" / "class", ["00"])


def test_the_command_says_what_it_wrote(tmp_path):
    result = CliRunner().invoke(app, ["handout", str(tmp_path / "class"), "00"])
    assert result.exit_code == 0, result.output
    assert "00_start_here.ipynb" in result.output and "Copied, without solutions and outputs." in result.output


def test_the_handout_of_a_lesson_opens_in_jupyter(copies, tmp_path):
    """nbconvert reads it as JupyterLab does."""
    command = ["jupyter", "nbconvert", "--to", "markdown", "--output-dir", str(tmp_path), str(copies[0])]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
