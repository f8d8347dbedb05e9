"""`python -m workshop`: handout, kit, pack, doctor."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from tlcourse import fetching
from tlcourse.cli import Commands
from tlcourse.datasets import load_dataset
from tlcourse.errors import UserInputError, printable

from .doctor import examine
from .handouts import INSTRUCTOR, LEARNERS, make_handouts
from .kits import make_kit
from .packs import write_network, write_pack

app = typer.Typer(
    cls=Commands,
    help="For instructors and maintainers, in a checkout of the course.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
Folder = Annotated[Path, typer.Argument(metavar="DIR", show_default=False)]


def say(line: str = "") -> None:
    """Print a line; control characters of foreign names are shown, not obeyed."""
    print(printable(line, lines=True))


@app.command()
def handout(
    folder: Folder,
    lessons: Annotated[str, typer.Option(help="Numbers: 00,04. None: all.")] = "",
    solutions: Annotated[
        bool, typer.Option("--solutions", help="Leave them in: for after the class.")
    ] = False,
) -> None:
    """Write what a class needs: notebooks, slides, cards."""
    written = make_handouts(folder, _listed(lessons), solutions)
    size = sum(path.stat().st_size for path in written) / 1e6
    say(f"{len(written)} files written, {size:.1f} MB.")
    for_all = f"give this to everybody{', with solutions' if solutions else ''}"
    say(f"  {folder / LEARNERS}: {for_all}")
    say(f"  {folder / INSTRUCTOR}: keep this; solutions and notes are in it")


@app.command()
def kit(
    folder: Folder,
    systems: Annotated[
        str, typer.Option(help="The learners' systems.")
    ] = "linux,macos,windows",
    pythons: Annotated[
        str, typer.Option(help="The learners' Pythons: 3.11,3.12. None: this one.")
    ] = "",
    networks: Annotated[
        str, typer.Option(help="Networks of Keras to take along: vgg16,resnet50.")
    ] = "",
) -> None:
    """Put all that a workshop needs on a stick, or go on with a kit."""
    chosen = _listed(pythons) or ["{}.{}".format(*sys.version_info)]
    absent = make_kit(folder, _listed(systems), chosen, _listed(networks), say=say)
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    for sentence in absent:
        say(sentence)
    say(
        f"The kit is ready, {size / 1e9:.2f} GB: {folder}. START_HERE.txt in it says "
        "how it is installed."
    )


@app.command()
def pack(
    name: Annotated[str, typer.Argument(help="A data set such as dogs, or minilm.")],
    folder: Folder,
) -> None:
    """Write what a machine without internet needs of a data set or network."""
    try:
        if name in fetching.TEXT_NETWORKS:
            path, what = write_network(name, folder), "Network"
        else:
            dataset = load_dataset(name)
            path = write_pack(dataset, folder)
            what = f"{sum(map(len, dataset.splits.values())):,} pictures"
    except OSError as error:
        raise UserInputError(
            f"The pack could not be written to {folder} ({error.strerror or error}). "
            "Choose another folder."
        ) from error
    say(f"{what} written: {path.resolve()}")
    say("Copy this folder into any folder of the other machine, and set TLCOURSE_PACKS")
    say("there to that one; here it is:")
    say(f'  TLCOURSE_PACKS="{path.resolve().parent}"')


@app.command()
def doctor(
    network: Annotated[
        bool, typer.Option("--network", help="Ask each host of downloads once, too.")
    ] = False,
) -> None:
    """Examine this machine: is it ready for a class?"""
    findings = examine(network)
    for finding in findings:
        say(f"{finding.state:9}{finding.subject:24}{finding.text}")
    if any(finding.state == "broken" for finding in findings):
        raise typer.Exit(1)


def _listed(names: str) -> list[str]:
    return names.replace(",", " ").split()


if __name__ == "__main__":
    for stream in (sys.stdout, sys.stderr):  # of a terminal without, say, an ü
        stream.reconfigure(errors="replace")
    app()
