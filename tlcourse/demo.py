"""The sixty-second demo: an ImageNet network finds defects in solar cells."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from rich.text import Text

from .errors import TLCourseError, UserInputError
from .progress import measured

PUBLISHED = {  # Deitsch et al., Solar Energy 185 (2019), 455–468
    "published: SVM on hand-made features": 0.8244,
    "published: VGG-19, fine-tuned on a GPU": 0.8842,
}
THIS_DEMO = "here: the frozen network, linear classifier"
# A crack is a matter of texture as much as of objects. Chosen on training cells:
# benchmarks/choose_blocks.py.
BLOCKS = ("block5c", "block6d", "block7a", "head")
SLOW = 90  # seconds; two free cores need about 30
FORMATS = (".png", ".jpg", ".pdf", ".svg")


@dataclass(frozen=True)
class DemoResult:
    """What `run_demo` measured: accuracies weighted as published, and not weighted."""

    accuracy: float
    plain_accuracy: float
    seconds: float
    peak_megabytes: float
    pictures: int


def run_demo(picture: Path, say: Callable[[object], None] = print) -> DemoResult:
    """Run the demo and save a picture of right and wrong cells; needs no internet.

    `say` is given each line, str or `rich.text.Text`.
    """
    from . import plots
    from .datasets import load_dataset
    from .models.load import load_pretrained_model
    from .training.probe import train_classifier

    if picture.suffix.lower() not in FORMATS or not picture.parent.is_dir():
        raise UserInputError(
            f"picture is {picture}; expected a name that ends in one of "
            f"{', '.join(FORMATS)}, in a folder that there is."
        )
    say("Can a network trained on everyday photographs find broken solar cells?")
    say("")
    solar = load_dataset("solar")
    train, test = solar.train_and_validation, solar.test
    say(f"{len(train):,} photographs of cells to train on, {len(test):,} to test on.")
    with measured() as took:
        model = load_pretrained_model()
        say(f"Extracting features with {model.name}: half a minute on two free cores …")
        train_features = model.extract_features(train.images, BLOCKS)
        test_features = model.extract_features(test.images, BLOCKS)
        say("Training a linear classifier on these features …")
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
    credit = "Photographs: Buerhop-Lutz et al. (2018), elpv-dataset, CC BY-NC-SA 4.0"
    sheet.supxlabel(credit, fontsize=7)
    try:
        sheet.savefig(picture, dpi=100)
    except OSError as error:
        raise TLCourseError(f"{picture} cannot be written ({error}).") from error
    say("The surest right and wrong answers, as a picture:")
    say(f"  {picture.resolve()}")
    return result


def report(result: DemoResult, tested: int) -> list[str | Text]:
    """The result line by line, between the published numbers in order of accuracy."""
    rows = [(accuracy, name) for name, accuracy in PUBLISHED.items()]
    ranking = sorted([*rows, (result.accuracy, THIS_DEMO)])
    speed = result.pictures / result.seconds
    slow = " That is slow: other programs may keep the processor busy."
    return [
        "",
        f"Accuracy on the {tested:,} test cells, weighted by the experts' confidence, "
        "as published:",
        "",
        *(
            Text(f"> {accuracy:7.2%}  {name}", style="bold")
            if name == THIS_DEMO
            else f"  {accuracy:7.2%}  {name}"
            for accuracy, name in ranking
        ),
        "",
        f"Without the weights: {result.plain_accuracy:.2%}. The published test cells "
        "are not known one by one, so a point or two of difference means little. No "
        "layer of the network was trained.",
        "",
        f"{result.pictures:,} pictures took {result.seconds:.0f} s ({speed:.0f} a "
        f"second) and at most {result.peak_megabytes:,.0f} MB of memory."
        f"{slow if result.seconds > SLOW else ''}",
    ]
