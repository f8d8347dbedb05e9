"""Lessons for a class: copies without the worked solutions, and without outputs, which would answer too early."""

from collections.abc import Sequence
from pathlib import Path

from .errors import UserInputError
from .files import data_folder, write_atomically

SOLUTION = "solution"  # the tag of the cells that are left out


def make_handout(
    folder: Path, lessons: Sequence[str] = (), solutions: bool = False, outputs: bool = False
) -> list[Path]:
    """Write copies of lessons into a folder. A file that is there already is somebody's work, and left alone.

    Args:
        folder: made if need be.
        lessons: beginnings of their names, "00", "04" …; none: all.
        solutions, outputs: keep them.

    Returns:
        The files written.

    Raises:
        UserInputError: no such lesson, a file is there already, the folder cannot be written to, or nbconvert or the
            lessons themselves are not installed.
    """
    chosen = _chosen(lessons)
    goals = [Path(folder).expanduser() / path.name for path in chosen]
    there = [goal.name for goal in goals if goal.exists()]
    if there:
        raise UserInputError(
            f"In {folder} there is already {', '.join(there)}. Answers may be in it, so nothing was written: choose "
            "another folder, or move the file away."
        )
    texts = [_without(path, solutions, outputs) for path in chosen]
    try:
        Path(folder).expanduser().mkdir(parents=True, exist_ok=True)
        for goal, text in zip(goals, texts, strict=True):
            write_atomically(goal, lambda file, text=text: file.write(text.encode()))
    except OSError as error:
        raise UserInputError(
            f"The handout could not be written to {folder} ({error.strerror or error}). Choose another folder."
        ) from error
    return goals


def _chosen(lessons: Sequence[str]) -> list[Path]:
    source = data_folder().parent / "notebooks"
    known = sorted(source.glob("[0-9][0-9]_*.ipynb"))
    if not known:
        raise UserInputError(
            f"There are no lessons in {source}: the package alone does not hold them. Clone the course's repository "
            "and run the command there."
        )
    unknown = [name for name in lessons if not any(path.name.startswith(name) for path in known)]
    if unknown:
        names = ", ".join(path.stem[:2] for path in known)
        raise UserInputError(f"No lesson begins with {unknown[0]!r}. There are {names}.")
    return [path for path in known if not lessons or path.name.startswith(tuple(lessons))]


def _without(path: Path, solutions: bool, outputs: bool) -> str:
    """The notebook as text, without what is left out."""
    try:
        import nbformat
        from nbconvert.preprocessors import ClearOutputPreprocessor, TagRemovePreprocessor
    except ImportError as error:
        raise UserInputError("nbconvert is not installed. Run: pip install nbconvert") from error
    notebook = nbformat.read(path, as_version=4)
    if not solutions:
        remover = TagRemovePreprocessor(remove_cell_tags={SOLUTION}, enabled=True)
        notebook, _ = remover.preprocess(notebook, {})
    if not outputs:
        notebook, _ = ClearOutputPreprocessor(enabled=True).preprocess(notebook, {})
    return nbformat.writes(notebook) + "\n"
