"""`python -m workshop`: handout, kit, pack, doctor."""

import sys
from pathlib import Path

import click
from click import argument

from tlcourse import fetching
from tlcourse.cli import PATH, Commands, option
from tlcourse.datasets import load_dataset
from tlcourse.errors import UserInputError, printable

from .doctor import examine
from .handouts import INSTRUCTOR, LEARNERS, make_handouts
from .kits import make_kit
from .packs import write_network, write_pack


@click.group(cls=Commands)
def app() -> None:
    """For instructors and maintainers, in a checkout of the course."""


def say(line: str = "") -> None:
    """Print a line; control characters of foreign names are shown, not obeyed."""
    print(printable(line, lines=True))


@app.command()
@argument("folder", type=PATH, metavar="DIR")
@option("--lessons", default="", help="Numbers: 00,04. None: all.")
@option("--solutions", is_flag=True, help="Leave them in: for after the class.")
def handout(folder: Path, lessons: str, solutions: bool) -> None:
    """Write what a class needs: notebooks, slides, cards."""
    written = make_handouts(folder, _listed(lessons), solutions)
    size = sum(path.stat().st_size for path in written) / 1e6
    say(f"{len(written)} files written, {size:.1f} MB.")
    for_all = f"give this to everybody{', with solutions' if solutions else ''}"
    say(f"  {folder / LEARNERS}: {for_all}")
    say(f"  {folder / INSTRUCTOR}: keep this; solutions and notes are in it")


@app.command()
@argument("folder", type=PATH, metavar="DIR")
@option("--systems", default="linux,macos,windows", help="The learners' systems.")
@option("--pythons", default="", help="Theirs: 3.11,3.12. None: this one.")
@option(
    "--networks", default="", help="Networks of Keras to take along: vgg16,resnet50."
)
def kit(folder: Path, systems: str, pythons: str, networks: str) -> None:
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
@argument("name")
@argument("folder", type=PATH, metavar="DIR")
def pack(name: str, folder: Path) -> None:
    """Write what a machine without internet needs of a data set or network.

    NAME is a data set such as dogs, or minilm.
    """
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
@option("--network", is_flag=True, help="Ask each host of downloads once, too.")
def doctor(network: bool) -> None:
    """Examine this machine: is it ready for a class?"""
    findings = examine(network)
    for finding in findings:
        say(f"{finding.state:9}{finding.subject:24}{finding.text}")
    if any(finding.state == "broken" for finding in findings):
        sys.exit(1)


def _listed(names: str) -> list[str]:
    return names.replace(",", " ").split()


if __name__ == "__main__":
    for stream in (sys.stdout, sys.stderr):  # of a terminal without, say, an ü
        stream.reconfigure(errors="replace")
    app()
