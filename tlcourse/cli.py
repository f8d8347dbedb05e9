"""The `tlcourse` command: demo, doctor, fetch, train, predict, cache."""

import os
import sys
from collections import Counter
from contextlib import redirect_stdout
from functools import partial
from pathlib import Path
from typing import Any

import click
from click import argument, option

from . import __version__
from .errors import TLCourseError, printable
from .folders import cache_folder, left_alone

PATH = click.Path(path_type=Path)
option = partial(option, show_default=True)


class Commands(click.Group):
    """Errors and Ctrl-C end in a sentence, without a traceback."""

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except TLCourseError as error:
            _say(f"tlcourse: {error}", sys.stderr)
            sys.exit(1)
        except KeyboardInterrupt:
            _say(
                "Stopped by Ctrl-C. Run the same command again to continue.", sys.stderr
            )
            sys.exit(130)

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.commands)  # as they are written below


def _say(line: object, file: Any = None) -> None:
    print(printable(line, lines=True), file=file)


@click.group(cls=Commands)
@click.version_option(__version__, message="tlcourse %(version)s")
def app() -> None:
    """Transfer learning on the machine you have."""


@app.command()
@option(
    "--picture",
    type=PATH,
    default="tlcourse-demo.png",
    help="Where to save a figure of right and wrong predictions.",
)
def demo(picture: Path) -> None:
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
        _say(
            f"The course cannot run yet. First fix: {', '.join(broken)}, as shown above."
        )
        sys.exit(1)
    waiting = f"; some lessons also need {', '.join(missing)}" if missing else ""
    _say(f"The course can run{waiting}.")


@app.command()
@argument("names", nargs=-1)
def fetch(names: tuple[str, ...]) -> None:
    """Download what lessons need, once.

    NAMES are data sets or networks; default: all that lessons need.
    """
    from . import fetching

    chosen = list(dict.fromkeys(names or fetching.LESSONS_NEED))
    fetching.check_names(chosen)
    failed = []
    for name in chosen:
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
        goes_on = "Run the same command again to continue."
        _say(f"Still missing: {', '.join(failed)}. {goes_on}")
        sys.exit(1)


@app.command()
@argument("folder", type=PATH)
@option(
    "--out", type=PATH, required=True, help="Where to put the network; a new folder."
)
@option("--backbone", default="efficientnet_lite0", help="The pretrained network.")
@option(
    "--from",
    "from_block",
    default="3",
    help="First block to tune, or how many; all: every block.",
)
@option("--epochs", default=10, help="Of fine-tuning; 0 trains a linear probe only.")
@option("--seed", default=0, help="The same seed gives the same network.")
@option("--licence", help="Of the pictures; the model card states it.")
@option("--scheduler", help="Address of a Dask scheduler whose workers help.")
@option("--resize", help="squash (as a whole), crop (the centre) or pad.")
def train(
    folder: Path,
    out: Path,
    backbone: str,
    from_block: str,
    epochs: int,
    seed: int,
    licence: str | None,
    scheduler: str | None,
    resize: str | None,
) -> None:
    """Train a network on a folder of pictures.

    FOLDER contains a folder of pictures per class.
    """
    from .train_folder import train_folder

    first: str | int | None = int(from_block) if from_block.isdecimal() else from_block
    train_folder(
        folder,
        out,
        backbone=backbone,
        from_block=None if first == "all" else first,
        epochs=epochs,
        seed=seed,
        licence=licence,
        say=_say,
        scheduler=scheduler,
        resize=resize,
    )


@app.command()
@argument("pictures", type=PATH, nargs=-1, required=True)
@option(
    "--model",
    type=PATH,
    required=True,
    help="Folder that tlcourse train or tl.export wrote.",
)
@option(
    "--format",
    "form",
    help="text, csv or json; text on a terminal, otherwise csv.",
)
@option("--top", default=1, help="How many classes to show per picture.")
@option(
    "--variant",
    default="float32",
    help="float32 or int8.",
)
def predict(
    pictures: tuple[Path, ...], model: Path, form: str | None, top: int, variant: str
) -> None:
    """Say what is in pictures, by an exported network.

    PICTURES are picture files, or folders of them.
    """
    from .predict import load_exported, predict_files

    if hasattr(sys.stdout, "reconfigure"):  # names need not be Unicode
        sys.stdout.reconfigure(encoding="utf-8", errors="surrogateescape", newline="")
    form = form or ("text" if sys.stdout.isatty() else "csv")
    exported = load_exported(model, variant)
    _, failed = predict_files(exported, pictures, sys.stdout, form, top)
    if failed:
        which = "1 picture" if failed == 1 else f"{failed:,} pictures"
        where = "error column" if form == "csv" else "picture's line"
        reason = f"could not be read; the reason is in the {where}."
        _say(f"{which} {reason}", sys.stderr)
        sys.exit(1)


@app.group()
def cache() -> None:
    """Show or empty the cache of features."""


@cache.command("show")
def show_cache() -> None:
    """List what is cached, most recently used first."""
    from .features.cache import contents, limit

    sizes: Counter[Path] = Counter()
    for path, size in contents():  # of Dask's a thousand files of one job
        sizes[path.parent if path.suffix == ".parquet" else path] += size
    for path, size in sizes.items():
        _say(f"  {size / 1e6:9,.1f} MB  {path.relative_to(path.parent.parent)}")
    most = f"{limit() / 1e6:,.0f} (TLCOURSE_CACHE_GB)"
    _say_of_cache(f"{sizes.total() / 1e6:,.1f} MB of at most {most}")


@cache.command("clear")
def clear_cache() -> None:
    """Empty it: everything is computed again when it is needed."""
    from .features.cache import clear

    _say_of_cache(f"{clear() / 1e6:,.1f} MB freed")


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
