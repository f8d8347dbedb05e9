"""The lessons are what their sources say, were run from top to bottom, and hold nothing that must not be passed on."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "authoring"))
import bands  # noqa: E402
import build  # noqa: E402

SOURCES = sorted(build.SOURCES.glob("*.py"))
NAMES = [source.stem for source in SOURCES]


@pytest.fixture(params=NAMES)
def source(request):
    return build.convert(build.SOURCES / f"{request.param}.py")


@pytest.fixture(params=NAMES)
def lesson(request):
    return nbformat.read(ROOT / "notebooks" / f"{request.param}.ipynb", as_version=4)


def code_cells(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def test_a_learner_sees_the_lessons_and_nothing_else():
    """JupyterLab's root is `notebooks/`; what builds the lessons is in `authoring/`."""
    listed = ["git", "ls-files", "notebooks"]
    tracked = subprocess.run(listed, cwd=ROOT, capture_output=True, text=True).stdout
    assert tracked.split() == [f"notebooks/{name}.ipynb" for name in NAMES]


@pytest.mark.parametrize("name", NAMES)
def test_source_and_lesson_have_the_same_cells(name):
    source = build.convert(build.SOURCES / f"{name}.py")
    lesson = nbformat.read(ROOT / "notebooks" / f"{name}.ipynb", as_version=4)
    expected = [
        (cell.cell_type, cell.id, cell.source, cell.metadata) for cell in source.cells
    ]
    assert [
        (cell.cell_type, cell.id, cell.source, cell.metadata) for cell in lesson.cells
    ] == expected


def test_a_lesson_was_run_once_from_top_to_bottom(lesson):
    counts = [cell.execution_count for cell in code_cells(lesson)]
    assert counts == list(range(1, len(counts) + 1))


def test_nothing_forbidden_is_stored(lesson):
    assert build.forbidden(lesson) == [] and "widgets" not in lesson.metadata


def test_code_cells_fit_on_a_screen(source):
    assert max(len(cell.source.splitlines()) for cell in code_cells(source)) <= 15


def is_solution(cell):
    return "solution" in cell.metadata.get("tags", [])


def test_every_exercise_has_a_stub_with_a_check_the_way_to_hints_and_a_folded_solution(
    source,
):
    text = "\n".join(cell.source for cell in source.cells)
    numbers = re.findall(r"### Exercise (\d+\.\d)", text)
    stubs = [
        cell.source
        for cell in code_cells(source)
        if "tl.check(" in cell.source and not is_solution(cell)
    ]
    solutions = [cell for cell in code_cells(source) if is_solution(cell)]
    assert (
        len(numbers) == 3
        and re.findall(r'`tl\.check\.hint\("(\d+\.\d)"\)`', text) == numbers
    )
    assert [re.findall(r'tl\.check\("(\d+\.\d)", \w+', stub) for stub in stubs] == [
        [number] for number in numbers
    ]
    assert len(solutions) == 3
    assert all(
        "hide-cell" in cell.metadata.tags and cell.metadata.jupyter.source_hidden
        for cell in solutions
    )


def predictions(notebook):
    """Questions to answer before a result → the code cells from there to the next question or the exercises."""
    found = []
    for cell in notebook.cells:
        if re.search(r"^## Exercises", cell.source, re.M):
            break
        if "**Predict first.**" in cell.source:
            found.append((cell, []))
        elif found:
            found[-1][1].append(cell)
    return found


def test_the_stored_answer_to_a_question_is_folded_until_the_cell_is_run(lesson):
    """All outputs that stand directly below it, and at least one before the next question."""
    questions = predictions(lesson)
    assert questions
    for question, cells in questions:
        answers = [cell for cell in cells if "answer" in cell.metadata.get("tags", [])]
        assert any(cell.outputs for cell in answers), question.source
        for cell in cells:
            if cell.cell_type == "markdown":
                break
            assert cell in answers or not cell.outputs, (question.source, cell.source)


def test_what_jupyterlab_shows_folded_follows_from_the_tags(lesson):
    expected = {
        "solution": {"source_hidden": True, "outputs_hidden": True},
        "setup": {"source_hidden": True},
        "preview": {"source_hidden": True},
        "answer": {"outputs_hidden": True},
    }
    for cell in lesson.cells:
        tags = expected.keys() & cell.metadata.get("tags", [])
        assert cell.metadata.get("jupyter", {}) == (
            expected[tags.pop()] if tags else {}
        ), cell.source


def test_a_lesson_ends_with_how_to_shut_its_kernel_down(lesson):
    last = lesson.cells[-1]
    assert last.cell_type == "markdown" and "\n" not in last.source
    assert "*File → Close and Shut Down Notebook*" in last.source


def test_the_first_lesson_opens_with_photographs_and_a_result():
    """Title, set-up and picture: no code, and no more text, comes before it."""
    lesson = nbformat.read(ROOT / "notebooks" / f"{NAMES[0]}.ipynb", as_version=4)
    title, set_up, preview = lesson.cells[:3]
    assert "#" not in title.source[1:] and is_folded(set_up) and is_folded(preview)
    assert "image/png" in preview.outputs[0].data


def is_folded(cell):
    return cell.metadata.jupyter.source_hidden


LONG = {  # lesson → its trainings in plain Keras that take more than three seconds on two cores
    "01_why": ["scratch.fit("],
    "04_head": ["history = model.fit(", "my_network.fit("],
    "05_tuning": ["second = network.fit("],
    "06_kanji": ["network.fit(batches"],
    "07_bert": ["model.fit(inputs"],
    "09_misuse": ["fit = network.fit("],
    "11_pictures": ["tuned.fit(shuffled"],
}


@pytest.mark.parametrize("name", LONG)
def test_a_long_training_shows_that_it_lives(name):
    cells = code_cells(build.convert(build.SOURCES / f"{name}.py"))
    for training in LONG[name]:
        (cell,) = [cell for cell in cells if training in cell.source]
        assert "tl.fit_bar()" in cell.source


def test_exercises_are_those_that_can_be_checked():
    from tlcourse.exercises.table import exercises as _all

    texts = [path.read_text(encoding="utf-8") for path in SOURCES]
    titles = dict(re.findall(r"### Exercise (\d+\.\d): (.+)", "\n".join(texts)))
    assert titles == {number: exercise.title for number, exercise in _all().items()}


def verdicts(lesson, of_solutions):
    """What the checks in stubs, or in solutions, said when the lesson was built."""
    cells = [
        cell
        for cell in code_cells(lesson)
        if "tl.check(" in cell.source and is_solution(cell) == of_solutions
    ]
    return [
        output.data["text/plain"]
        for cell in cells
        for output in cell.outputs
        if output.output_type == "execute_result"
    ]


def test_a_solution_is_right(lesson):
    said = verdicts(lesson, of_solutions=True)
    assert said and all(re.match(r"Exercise \d+\.\d: right\. ", text) for text in said)


def test_measured_numbers_are_printed_and_not_typed(source):
    """Percentages in prose are published ones; what was measured here is printed by a cell."""
    published = {"82.44", "88.42"}
    for cell in source.cells:
        if cell.cell_type == "markdown":
            typed = set(re.findall(r"(\d+(?:\.\d+)?) ?%", cell.source))
            assert typed <= published, (cell.id, typed)


def names_in(cells, context):
    """The names that code cells use, or those that they define."""
    trees = [ast.parse(cell.source) for cell in cells if cell.cell_type == "code"]
    nodes = [node for tree in trees for node in ast.walk(tree)]
    names = {
        n.id for n in nodes if isinstance(n, ast.Name) and isinstance(n.ctx, context)
    }
    if context is ast.Store:
        names |= {n.name for n in nodes if isinstance(n, ast.FunctionDef)}
        aliases = {n for n in nodes if isinstance(n, ast.alias)}
        names |= {(n.asname or n.name).partition(".")[0] for n in aliases}
    return names


def test_each_half_of_lesson_10_can_be_taught_alone():
    """The second half uses nothing that the first one defines; exercise 10.1 is the first one's."""
    cells = build.convert(build.SOURCES / "10_search.py").cells
    headings = (
        "## First half",
        "## Second half",
        "### Exercise 10.1",
        "### Exercise 10.2",
    )
    first, second, exercise, others = (
        next(i for i, cell in enumerate(cells) if heading in cell.source)
        for heading in headings
    )
    shared, of_first = cells[:first], cells[first:second] + cells[exercise:others]
    of_second = cells[second:exercise] + cells[others:]
    defined = names_in(shared, ast.Store)
    only_first = names_in(of_first, ast.Store) - defined
    for cell in of_second:
        defined |= names_in([cell], ast.Store)
        assert not names_in([cell], ast.Load) & (only_first - defined), cell.source


@pytest.mark.parametrize(
    ("stored", "fresh"),
    [
        ("82.6% of 656 cells", "81.4% of 656 cells"),
        ("right: 100%", "right:  99%"),
        ("33% in 4.1 s", "33% in 19.7 s"),
    ],
)
def test_a_lesson_run_on_another_processor_says_the_same(stored, fresh):
    assert bands.Banded(stored) == bands.Banded(fresh)


@pytest.mark.parametrize(
    ("stored", "fresh"),
    [
        ("82.6% of 656 cells", "80.2% of 656 cells"),
        ("82.6% of 656 cells", "82.6% of 657 cells"),
        ("82.6% right", "82.6% wrong"),
        ("82.6%", "82.6"),
        ("0.5 0.5", "0.5"),
    ],
)
def test_a_lesson_that_says_something_else_does_not_pass(stored, fresh):
    assert bands.Banded(stored) != bands.Banded(fresh)
