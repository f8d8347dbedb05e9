"""The sixty-second demo: an ImageNet network finds defects in solar cells, beside two published numbers."""

import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rich.text import Text

from .errors import UserInputError
from .measure import measured

if TYPE_CHECKING:
    from .plots.figure import Figure

PUBLISHED = {  # Deitsch et al., Solar Energy 185 (2019), 455–468
    "published: SVM on hand-made features": 0.8244,
    "published: VGG-19, fine-tuned on a GPU": 0.8842,
}

# A crack is a matter of texture as much as of objects. Chosen on training cells: benchmarks/studies/demo.py.
BLOCKS = ("block5c", "block6d", "block7a", "head")
SLOW = 90  # seconds; two free cores need about 30
FORMATS = (".png", ".jpg", ".pdf", ".svg")


@dataclass(frozen=True)
class DemoResult:
    """Accuracy in [0, 1] on the test cells, weighted as published and plain; seconds of work; peak memory."""

    accuracy: float
    plain_accuracy: float
    seconds: float
    peak_megabytes: float
    pictures: int


def run_demo(picture: Path, say: Callable[[object], None] = print) -> DemoResult:
    """Run the demo, say what happens, save a picture of right and wrong cells; needs no internet.

    Args:
        picture: the picture's file; where it cannot be written, the picture goes to a temporary folder.
        say: is given one line after the other, text or `rich.text.Text` (whose `str` is the bare text).

    Raises:
        UserInputError: no picture can be written by that name.
        DatasetUnavailable: elpv-dataset is not installed.
    """
    from . import plots
    from .datasets import load_dataset
    from .models.backbones import load_pretrained_model
    from .training.heads import train_classifier

    _check_name(picture)
    say(
        "Can a network that has only ever seen everyday photographs find broken solar cells?"
    )
    say("")
    solar = load_dataset("solar")
    train, test = solar.train_and_validation, solar.test
    say(
        f"{len(train):,} photographs of cells to learn from, {len(test):,} others to be tested on."
    )
    with measured() as took:
        model = load_pretrained_model()
        say(
            f"Describing each cell by what {model.name} sees in it: half a minute on two free cores …"
        )
        train_features = model.extract_features(train.images, BLOCKS)
        test_features = model.extract_features(test.images, BLOCKS)
        say("Training a linear classifier on these descriptions …")
        classifier = train_classifier(
            train_features, train.labels, solar.class_names, train.weights
        )
    result = DemoResult(
        accuracy=classifier.score(test_features, test.labels, test.weights),
        plain_accuracy=classifier.score(test_features, test.labels),
        seconds=took.seconds,
        peak_megabytes=took.peak_megabytes,
        pictures=len(train) + len(test),
    )
    for line in report(result, len(test)):
        say(line)
    probabilities = classifier.predict_proba(test_features)
    sheet = plots.right_and_wrong(
        test.images, test.labels, probabilities, solar.class_names, count=5
    )
    sheet.suptitle("Solar cells: the surest right and the surest wrong answers")
    sheet.supxlabel(
        "Photographs: Buerhop-Lutz et al. (2018), elpv-dataset, CC BY-NC-SA 4.0",
        fontsize=7,
    )
    saved = save(sheet, picture)
    if saved.parent.resolve() != picture.parent.resolve():
        say(
            f"{picture.parent.resolve()} cannot be written to, so the picture went elsewhere."
        )
    say("The surest right and wrong answers, as a picture:")
    say(f"  {saved.resolve()}")
    return result


def report(result: DemoResult, tested: int) -> list[str | Text]:
    """The result in words, line by line: ours between the published numbers, in the order of accuracy."""
    ours = "here: the frozen network, linear classifier"
    ranking = sorted(
        [
            *((accuracy, name) for name, accuracy in PUBLISHED.items()),
            (result.accuracy, ours),
        ]
    )
    speed = result.pictures / result.seconds
    lines = [
        "",
        f"Accuracy on the {tested:,} test cells, weighted by the experts' confidence, as published:",
        "",
        *(
            Text(f"> {accuracy:7.2%}  {name}", style="bold")
            if name == ours
            else f"  {accuracy:7.2%}  {name}"
            for accuracy, name in ranking
        ),
        "",
        f"Without the weights: {result.plain_accuracy:.2%}. The published test cells are not known one by one, so a "
        "point or two of difference means little. No layer of the network was trained.",
        "",
        f"{result.pictures:,} pictures took {result.seconds:.0f} s ({speed:.0f} a second) and at most "
        f"{result.peak_megabytes:,.0f} MB of memory.",
    ]
    if result.seconds > SLOW:
        lines.append(
            "That is slow: two free cores need about half a minute. Perhaps other programs are keeping them busy."
        )
    return lines


def save(sheet: "Figure", picture: Path) -> Path:
    """Save a figure, in a new temporary folder where it cannot be written in its own; returns where it is."""
    try:
        sheet.savefig(picture, dpi=100)
        return picture
    except OSError:
        folder = Path(tempfile.mkdtemp(prefix="tlcourse-"))
        try:
            sheet.savefig(folder / picture.name, dpi=100)
        except OSError:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        return folder / picture.name


def _check_name(picture: Path) -> None:
    """Say before the work, not after it, that no picture can have this name."""
    if picture.suffix.lower() not in FORMATS:
        raise UserInputError(
            f"The picture's name is {picture.name!r}; it must end in one of {', '.join(FORMATS)}."
        )
    if not picture.parent.is_dir():
        raise UserInputError(
            f"There is no folder {picture.parent} for the picture. Make it, or choose another."
        )
