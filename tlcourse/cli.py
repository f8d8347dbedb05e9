"""The `tlcourse` command: demo, doctor, fetch, pack, handout, kit, train, predict, cache."""

import codecs
import os
import sys
from contextlib import redirect_stdout
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from . import __version__
from .errors import TLCourseError, UserInputError, printable
from .files import cache_folder


class Commands(TyperGroup):
    """The commands; what the course refuses is said in its sentence, and Ctrl-C in one, without a traceback."""

    def invoke(self, ctx: Any) -> object:
        try:
            return super().invoke(ctx)
        except TLCourseError as error:
            _complain(f"tlcourse: {error}")
            raise typer.Exit(1) from None
        except KeyboardInterrupt:
            _complain(
                "Stopped by Ctrl-C. Nothing is left half done; the same command goes on from here."
            )
            raise typer.Exit(130) from None


app = typer.Typer(
    cls=Commands,
    help="Transfer learning on the machine you have.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


def _say(line: object = "", err: bool = False, **options: "Any") -> None:
    """One line of text, wrapped at words where it is too long for the terminal; square brackets are no markup."""
    from rich.console import (
        Console,
    )  # made when it is needed, so that it writes where stdout points then

    if isinstance(line, str):
        line = printable(line, lines=True)
    Console(stderr=err, markup=False, highlight=False, emoji=False).print(
        line, **options
    )


def _complain(line: str) -> None:
    _say(line, err=True, soft_wrap=True)


def _show_version(wanted: bool) -> None:
    if wanted:
        print(f"tlcourse {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool,
        typer.Option(
            "--version",
            callback=_show_version,
            is_eager=True,
            help="Print the version.",
        ),
    ] = False,
) -> None:
    pass


@app.command()
def demo(
    picture: Annotated[
        Path, typer.Option(help="File for the picture of right and wrong cells.")
    ] = Path("tlcourse-demo.png"),
) -> None:
    """See a network find broken solar cells."""
    from .demo import run_demo

    run_demo(picture, say=_say_or_path)


def _say_or_path(line: object) -> None:
    """As `_say`; but an indented line is a table's or a path and is left whole, to be copied."""
    _say(line, soft_wrap=str(line).startswith(("  ", "> ")))


@app.command()
def doctor(
    network: Annotated[
        bool, typer.Option("--network", help="Ask each host of downloads, too, once.")
    ] = False,
) -> None:
    """Say whether the course can run here, and what to do."""
    from rich.table import Table
    from rich.text import Text

    from .doctor import examine

    signs = {
        "ok": Text("ok", "green"),
        "optional": Text("optional", "dim"),
        "missing": Text("missing", "yellow"),
        "look": Text("look", "yellow"),
        "broken": Text("BROKEN", "red"),
    }
    table = Table("", "", "", show_header=False, box=None, pad_edge=False)
    findings = examine(network)
    for finding in findings:
        table.add_row(
            signs[finding.state],
            finding.subject,
            Text(printable(finding.text, lines=True), overflow="fold"),
        )
    _say(table)
    _say()
    broken, missing = (
        [f.subject for f in findings if f.state == state]
        for state in ("broken", "missing")
    )
    if broken:
        _say(f"The course cannot run yet: mend {', '.join(broken)} as said above.")
        raise typer.Exit(1)
    _say(
        f"The course can run{'; some lessons wait for ' + ', '.join(missing) if missing else ''}."
    )


@app.command()
def fetch(
    names: Annotated[
        list[str] | None,
        typer.Argument(help="Data sets or networks; none: all lessons need."),
    ] = None,
    with_classifier: Annotated[
        bool,
        typer.Option(
            "--with-classifier", help="Networks: their ImageNet classifier too."
        ),
    ] = False,
) -> None:
    """Download what lessons need, once."""
    from . import fetching

    names = list(dict.fromkeys(names or fetching.LESSONS_NEED))
    fetching.check_names(names)
    failed = [name for name in names if not _fetch_one(name, with_classifier)]
    if failed:
        again = " ".join(failed) + (" --with-classifier" if with_classifier else "")
        _say(
            f"Not here yet: {', '.join(failed)}. To go on where this stopped: tlcourse fetch {again}",
            soft_wrap=True,
        )
        raise typer.Exit(1)


def _fetch_one(name: str, with_classifier: bool) -> bool:
    """Fetch one thing and say in one line how that went; whether it is here now."""
    from . import fetching

    try:
        place = fetching.whereabouts(name, with_classifier)
        if place:
            _say(f"{name}: already here, {place}", soft_wrap=True)
            return True
        with redirect_stdout(sys.stderr):  # the downloaders talk
            fetching.fetch(name, with_classifier)
        _say(
            f"{name}: fetched, {fetching.whereabouts(name, with_classifier)}",
            soft_wrap=True,
        )
        return True
    except TLCourseError as error:
        _say(f"{name}: could not be fetched. {error}", soft_wrap=True)
        return False


@app.command()
def pack(
    name: Annotated[
        str,
        typer.Argument(help="A data set such as dogs, or minilm.", show_default=False),
    ],
    folder: Annotated[
        Path,
        typer.Argument(
            help="Where to put it; made if need be.", metavar="DIR", show_default=False
        ),
    ],
) -> None:
    """Write what a machine without internet needs."""
    from . import fetching
    from .datasets import load_dataset, write_pack

    try:
        if name in fetching.TEXT_NETWORKS:
            goal, what = fetching.pack(name, folder).resolve(), "Network"
        else:
            dataset = load_dataset(name)
            goal, what = (
                write_pack(dataset, folder).resolve(),
                f"{sum(map(len, dataset.splits.values())):,} pictures",
            )
    except OSError as error:
        raise UserInputError(
            f"The pack could not be written to {folder} ({error.strerror or error}). Choose another folder."
        ) from error
    _say(f"{what} written: {goal}", soft_wrap=True)
    _say(
        "Copy this folder into any folder of the other machine, and set TLCOURSE_PACKS there to that one; here it is:"
    )
    _say(f"  TLCOURSE_PACKS={_quoted(goal.parent)}", soft_wrap=True)


@app.command()
def handout(
    folder: Annotated[
        Path,
        typer.Argument(
            help="Where to put them; made if need be.",
            metavar="DIR",
            show_default=False,
        ),
    ],
    lessons: Annotated[
        str,
        typer.Option(
            help="Beginnings of lessons' names: 00,04. None: all of them.",
            show_default=False,
        ),
    ] = "",
    solutions: Annotated[
        bool,
        typer.Option(
            "--solutions", help="Leave the solutions in: for after the class."
        ),
    ] = False,
) -> None:
    """Write what a class needs: notebooks, slides, cards."""
    from .handouts import make_handouts

    written = make_handouts(folder, lessons.replace(",", " ").split(), solutions)
    size = sum(path.stat().st_size for path in written)
    _say(f"{len(written)} files written, {size / 1e6:.1f} MB.")
    _say(
        f"  {folder / 'learners'}: give this to everybody{', with solutions' if solutions else ''}",
        soft_wrap=True,
    )
    _say(
        f"  {folder / 'instructor'}: keep this; solutions and notes are in it",
        soft_wrap=True,
    )


@app.command()
def kit(
    folder: Annotated[
        Path,
        typer.Argument(
            help="A new folder, or the kit to go on with.",
            metavar="DIR",
            show_default=False,
        ),
    ],
    systems: Annotated[
        str, typer.Option(help="The learners' systems.")
    ] = "linux,macos,windows",
    pythons: Annotated[
        str,
        typer.Option(
            help="The learners' Pythons: 3.11,3.12. None: the one that runs this.",
            show_default=False,
        ),
    ] = "",
    networks: Annotated[
        str,
        typer.Option(
            help="Networks of Keras to carry along: vgg16,resnet50.", show_default=False
        ),
    ] = "",
) -> None:
    """Put all that a workshop needs on a stick."""
    from .kits import make_kit

    def listed(names: str) -> list[str]:
        return names.replace(",", " ").split()

    here = "{}.{}".format(*sys.version_info)
    missing = make_kit(
        folder,
        listed(systems),
        listed(pythons) or [here],
        listed(networks),
        say=_say_or_path,
    )
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    for sentence in missing:
        _say(sentence)
    _say(
        f"The kit is ready, {size / 1e9:.2f} GB: {folder}. START_HERE.txt in it says how it is installed.",
        soft_wrap=True,
    )


@app.command()
def train(
    folder: Annotated[
        Path,
        typer.Argument(
            help="Holds a folder of pictures for each class.",
            metavar="FOLDER",
            show_default=False,
        ),
    ],
    out: Annotated[
        Path,
        typer.Option(
            "--out", help="Where to put the network; a new folder.", metavar="DIR"
        ),
    ],
    backbone: Annotated[
        str, typer.Option(help="The pretrained network to begin with.")
    ] = "efficientnet_lite0",
    from_: Annotated[
        str,
        typer.Option(
            "--from", help="First block that learns, or how many of the last."
        ),
    ] = "3",
    epochs: Annotated[
        int, typer.Option(help="Of fine-tuning; 0: a linear probe is all.")
    ] = 10,
    seed: Annotated[
        int, typer.Option(help="The same seed gives the same network.")
    ] = 0,
    licence: Annotated[
        str | None, typer.Option(help="Of the pictures, for the model card.")
    ] = None,
    scheduler: Annotated[
        str | None,
        typer.Option(
            "--scheduler", help="Dask scheduler whose workers help.", metavar="ADDRESS"
        ),
    ] = None,
) -> None:
    """Train a network on a folder of pictures."""
    from .train_folder import train_folder

    first = int(from_) if from_.isdecimal() else from_
    train_folder(
        folder,
        out,
        backbone,
        first,
        epochs,
        seed,
        licence,
        say=_say_or_path,
        scheduler=scheduler,
    )


@app.command()
def predict(
    pictures: Annotated[
        list[Path],
        typer.Argument(
            help="Picture files, or folders of them.",
            metavar="PICTURES",
            show_default=False,
        ),
    ],
    model: Annotated[
        Path,
        typer.Option(
            "--model",
            help="Folder that tlcourse train or tl.export wrote.",
            metavar="DIR",
        ),
    ],
    form: Annotated[
        str,
        typer.Option(
            "--format", help="csv (' before names like =A1) or json (names as is)."
        ),
    ] = "csv",
    top: Annotated[
        int, typer.Option("--top", help="So many classes of each picture.")
    ] = 1,
    variant: Annotated[
        str,
        typer.Option(
            "--variant", help="float32, int8 (smaller) or keras (TensorFlow)."
        ),
    ] = "float32",
) -> None:
    """Say what is in pictures, by an exported network."""
    from .exported import VARIANTS, load_exported
    from .predicting import predict_files
    from .validation import one_of

    if hasattr(
        sys.stdout, "reconfigure"
    ):  # names need not be Unicode: they are written as the bytes that they are
        sys.stdout.reconfigure(encoding="utf-8", errors="surrogateescape", newline="")
    one_of("variant", variant, VARIANTS)
    _, failed = predict_files(
        lambda: load_exported(model, variant), pictures, sys.stdout, form, top
    )
    if failed:
        which = "1 picture" if failed == 1 else f"{failed:,} pictures"
        _complain(f"{which} could not be read; the reason is in the error column.")
        raise typer.Exit(1)


cache_commands = typer.Typer(
    help="Show or empty what is kept of pictures seen before.", no_args_is_help=True
)
app.add_typer(cache_commands, name="cache")


@cache_commands.command("show")
def show_cache() -> None:
    """Say what is kept, what was used last first."""
    from .features.cache import limit
    from .features.cache_files import contents, left_alone

    sizes: dict[Path, int] = {}
    for path, size in contents():
        of_dask = path.suffix == ".parquet"  # a thousand files of one job
        shown = path.parent if of_dask else path
        sizes[shown] = sizes.get(shown, 0) + size
    for path, size in sizes.items():
        _say(
            f"  {size / 1e6:9,.1f} MB  {path.relative_to(path.parent.parent)}",
            soft_wrap=True,
        )
    if others := left_alone():
        _say(others, soft_wrap=True)
    total = sum(sizes.values())
    _say(
        f"{total / 1e6:,.1f} MB of at most {limit() / 1e6:,.0f} (TLCOURSE_CACHE_GB) in {cache_folder()}",
        soft_wrap=True,
    )


@cache_commands.command("clear")
def clear_cache() -> None:
    """Empty it. Nothing is lost: everything is computed again when it is needed."""
    from .features.cache import clear
    from .features.cache_files import left_alone

    freed = clear()
    if others := left_alone():
        _say(others, soft_wrap=True)
    _say(f"{freed / 1e6:,.1f} MB set free in {cache_folder()}", soft_wrap=True)


def _quoted(path: Path) -> str:
    return f'"{path}"' if " " in str(path) else str(path)


_PLAIN = {
    "…": "...",
    "–": "-",
    "—": "-",
    "×": "x",
    "→": "->",
    "↓": "v",
    "✓": "ok",
    "’": "'",
    "“": '"',
    "”": '"',
}


def _plain(error: UnicodeError) -> tuple[str, int]:
    """What is written instead of characters that the terminal does not have; never an error."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return "".join(
        _PLAIN.get(sign, "?") for sign in error.object[error.start : error.end]
    ), error.end


codecs.register_error("tlcourse-plain", _plain)


def main() -> None:
    """Run the command on this process's arguments, wherever its output goes."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="tlcourse-plain")
    if not sys.stderr.isatty():
        os.environ.setdefault(
            "TQDM_DISABLE", "1"
        )  # in a file, a progress bar is a thousand lines
    app()


if __name__ == "__main__":
    main()
