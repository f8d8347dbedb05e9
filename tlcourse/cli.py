"""The `tlcourse` command: demo, doctor, fetch, train, predict, cache."""

import os
import sys
from collections import Counter
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import typer
from typer import Argument, Option
from typer.core import TyperGroup

from . import __version__
from .errors import TLCourseError, printable
from .folders import cache_folder, left_alone


class Commands(TyperGroup):
    """Errors and Ctrl-C end in a sentence, without a traceback."""

    def invoke(self, ctx: Any) -> object:
        try:
            return super().invoke(ctx)
        except TLCourseError as error:
            _say(f"tlcourse: {error}", sys.stderr)
            raise typer.Exit(1) from None
        except KeyboardInterrupt:
            goes_on = "Nothing is left half done; the same command goes on from here."
            _say(f"Stopped by Ctrl-C. {goes_on}", sys.stderr)
            raise typer.Exit(130) from None


app = typer.Typer(
    cls=Commands,
    help="Transfer learning on the machine you have.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


def _say(line: object, file: Any = None) -> None:
    print(printable(line, lines=True), file=file)


def _show_version(show: bool) -> None:
    if show:
        print(f"tlcourse {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: bool = Option(
        False,
        "--version",
        callback=_show_version,
        is_eager=True,
        metavar="",
        help="Print the version.",
    ),
) -> None:
    pass


@app.command()
def demo(
    picture: Path = Option("tlcourse-demo.png", help="File for the right and wrong."),
) -> None:
    """See a network find broken solar cells."""
    from .demo import run_demo

    run_demo(picture, say=_say)


@app.command()
def doctor() -> None:
    """Say whether the course can run here, and what to do."""
    from .doctor import examine

    findings = examine()
    for finding in findings:
        _say(f"{finding.state:9}{finding.subject:16}{finding.text}")
    broken = [f.subject for f in findings if f.state == "broken"]
    missing = [f.subject for f in findings if f.state == "missing"]
    if broken:
        _say(f"The course cannot run yet: mend {', '.join(broken)} as said above.")
        raise typer.Exit(1)
    waiting = f"; some lessons wait for {', '.join(missing)}" if missing else ""
    _say(f"The course can run{waiting}.")


@app.command()
def fetch(
    names: list[str] = Argument(None, help="Data sets, networks; none: all needed."),
) -> None:
    """Download what lessons need, once."""
    from . import fetching

    names = list(dict.fromkeys(names or fetching.LESSONS_NEED))
    fetching.check_names(names)
    failed = []
    for name in names:
        try:
            path, state = fetching.location(name), "already here"
            if not path:
                with redirect_stdout(sys.stderr):  # downloaders print
                    fetching.fetch(name)
                path, state = fetching.location(name), "fetched"
            _say(f"{name}: {state}, {path}")
        except TLCourseError as error:
            failed.append(name)
            _say(f"{name}: could not be fetched. {error}")
    if failed:
        goes_on = "The same command goes on where this stopped."
        _say(f"Not here yet: {', '.join(failed)}. {goes_on}")
        raise typer.Exit(1)


@app.command()
def train(
    folder: Path = Argument(help="Holds a folder of pictures for each class."),
    out: Path = Option(help="Where to put the network; a new folder."),
    backbone: str = Option("efficientnet_lite0", help="The pretrained network."),
    from_block: str = Option("3", "--from", help="First block, or how many, to tune."),
    epochs: int = Option(10, help="Of fine-tuning; 0: a linear probe is all."),
    seed: int = Option(0, help="The same seed gives the same network."),
    licence: str = Option(None, help="Of the pictures, for the model card."),
    scheduler: str = Option(None, help="Address of Dask's, whose workers help."),
    resize: str = Option(None, help="squash (as a whole), crop (the centre) or pad."),
) -> None:
    """Train a network on a folder of pictures."""
    from .train_folder import train_folder

    first = int(from_block) if from_block.isdecimal() else from_block
    options = (backbone, first, epochs, seed, licence, _say, scheduler, resize)
    train_folder(folder, out, *options)


@app.command()
def predict(
    pictures: list[Path] = Argument(help="Picture files, or folders of them."),
    model: Path = Option(help="Folder that tlcourse train or tl.export wrote."),
    form: str = Option(
        None,
        "--format",
        help="text, csv (' before =A1, say) or json; text on a terminal, else csv.",
    ),
    top: int = Option(1, help="So many classes of each picture."),
    variant: str = Option("float32", help="float32 or int8."),
) -> None:
    """Say what is in pictures, by an exported network."""
    from .predict import load_exported, predict_files

    if hasattr(sys.stdout, "reconfigure"):  # names need not be Unicode
        sys.stdout.reconfigure(encoding="utf-8", errors="surrogateescape", newline="")
    form = form or ("text" if sys.stdout.isatty() else "csv")
    exported = load_exported(model, variant)
    _, failed = predict_files(exported, pictures, sys.stdout, form, top)
    if failed:
        which = "1 picture" if failed == 1 else f"{failed:,} pictures"
        where = "error column" if form == "csv" else "line of the picture"
        reason = f"could not be read; the reason is in the {where}."
        _say(f"{which} {reason}", sys.stderr)
        raise typer.Exit(1)


cache_commands = typer.Typer(
    help="Show or empty what is kept of pictures seen before.",
    no_args_is_help=True,
)
app.add_typer(cache_commands, name="cache")


@cache_commands.command("show")
def show_cache() -> None:
    """Say what is kept, what was used last first."""
    from .features.cache import contents, limit

    sizes: Counter[Path] = Counter()
    for path, size in contents():  # of Dask's a thousand files of one job
        sizes[path.parent if path.suffix == ".parquet" else path] += size
    for path, size in sizes.items():
        _say(f"  {size / 1e6:9,.1f} MB  {path.relative_to(path.parent.parent)}")
    most = f"{limit() / 1e6:,.0f} (TLCOURSE_CACHE_GB)"
    _say_of_cache(f"{sizes.total() / 1e6:,.1f} MB of at most {most}")


@cache_commands.command("clear")
def clear_cache() -> None:
    """Empty it: everything is computed again when it is needed."""
    from .features.cache import clear

    _say_of_cache(f"{clear() / 1e6:,.1f} MB set free")


def _say_of_cache(line: str) -> None:
    if not_used := left_alone():
        _say(not_used)
    _say(f"{line} in {cache_folder()}")


def main() -> None:
    """Run the command on this process's arguments, wherever its output goes."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")  # characters that the terminal lacks
    if not sys.stderr.isatty():  # in a file, a progress bar is a thousand lines
        os.environ.setdefault("TQDM_DISABLE", "1")
    app()


if __name__ == "__main__":
    main()
