"""Handouts for a class, all made from the lessons: what learners get, and what the instructor keeps.

    learners/NN_….ipynb                  without solutions and outputs
    learners/checkpoints/NN_K.py         what somebody who is behind runs, to go on at section K
    learners/cards/NN_….html             one printed page a lesson
    instructor/NN_….ipynb                solutions, outputs, minutes, what to say, wrong answers to expect
    instructor/live/NN_….ipynb           for typing along: the prose and the code folded away
    instructor/slides/NN_….slides.html   for the projector; they need no internet

What an instructor reads about a lesson stands in notebooks/teaching/; all else comes from the lesson and its exercises.
"""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from ..errors import UserInputError
from ..files import as_path, unfinished_folder
from . import cards, instructors, learners, slides, teaching
from .lessons import Lesson, find_lessons

LEARNERS, INSTRUCTOR = "learners", "instructor"


def make_handouts(
    folder: Path, lessons: Sequence[str] = (), solutions: bool = False
) -> list[Path]:
    """Write the handouts of lessons into a folder. A file that is there already is somebody's work, and left alone.

    Args:
        folder: made if need be.
        lessons: beginnings of their names, "00", "04" …; none: all.
        solutions: leave the solutions in the learners' notebooks, folded away: for after the class.

    Returns:
        The files written.

    Raises:
        UserInputError: no such lesson, a file is there already, the folder cannot be written to, or nbconvert or the
            lessons themselves are not installed.
    """
    folder = as_path(folder, "the folder")
    chosen = find_lessons(lessons)
    files = (
        dict(file for lesson in chosen for file in _handouts_of(lesson, solutions))
        | slides.program()
    )
    there = [
        name
        for name in files
        if os.path.lexists(folder / name) and not _is_of_slides(folder / name, name)
    ]
    if there:
        more = f" and {len(there) - 3} more" if len(there) > 3 else ""
        raise UserInputError(
            f"In {folder} there is already {', '.join(there[:3])}{more}. Answers may be in it, so nothing was written: "
            "choose another folder, or move the file away."
        )
    try:
        _write(folder, files)
    except OSError as error:
        raise UserInputError(
            f"The handouts could not be written to {folder} ({error.strerror or error}). Nothing was left there. Make "
            "room, or choose another folder."
        ) from error
    return [folder / name for name in files]


def _is_of_slides(path: Path, name: str) -> bool:
    """Whether a file is the slides' program, unchanged, which each lesson's handouts bring."""
    content = slides.program().get(name)
    return content is not None and path.is_file() and path.read_bytes() == content


def _write(folder: Path, files: dict[str, bytes]) -> None:
    """All the files or none: half of them would be taken for somebody's work next time, and left alone."""
    with unfinished_folder(folder / LEARNERS) as beside:
        for name, content in files.items():
            (beside / name).parent.mkdir(parents=True, exist_ok=True)
            (beside / name).write_bytes(content)
        for name in files:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (beside / name).replace(folder / name)


def _handouts_of(lesson: Lesson, solutions: bool) -> Iterator[tuple[str, bytes]]:
    """Everything that is handed out of one lesson: name inside the folder, content."""
    notes, name = teaching.read_notes(lesson), lesson.name
    found = {
        f"{LEARNERS}/{name}.ipynb": learners.notebook(lesson, solutions),
        f"{LEARNERS}/cards/{name}.html": cards.card(lesson, notes),
        f"{INSTRUCTOR}/{name}.ipynb": instructors.notebook(lesson, notes),
        f"{INSTRUCTOR}/live/{name}.ipynb": instructors.live_notebook(lesson),
        f"{INSTRUCTOR}/slides/{name}.slides.html": slides.slides(lesson, notes),
    }
    found |= {
        f"{LEARNERS}/{file}": text for file, text in learners.checkpoint_files(lesson)
    }
    yield from ((file, text.encode()) for file, text in found.items())
