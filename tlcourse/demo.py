"""The sixty-second demo: an ImageNet network finds defects in solar cells."""

import re
import time
from collections.abc import Callable
from pathlib import Path

from .errors import TLCourseError, UserInputError, convert_errors

PUBLISHED = {  # Deitsch et al., Solar Energy 185 (2019), 455–468
    "published: SVM on hand-made features": 0.8244,
    "published: VGG-19, fine-tuned on a GPU": 0.8842,
}
THIS_DEMO = "here: the frozen network, linear classifier"
# Of earlier blocks, too, since a crack is a matter of texture. They were chosen on
# training cells.
BLOCKS = ("block5c", "block6d", "block7a", "head")
FORMATS = (".png", ".jpg", ".pdf", ".svg")
_REPORT = """
Accuracy on the {tested:,} test cells, weighted by the experts' confidence:

{ranking}

Without the weights: {plain_accuracy:.2%}. The published test cells are not known one
by one, so a point or two of difference means little. No layer was trained.

{pictures:,} pictures took {seconds:.0f} s and at most {peak_megabytes:,.0f} MB of memory.
"""


def run_demo(picture: Path, say: Callable[[str], None] = print) -> dict[str, float]:
    """Run the demo and save a picture of right and wrong cells; needs no internet.

    Returns "accuracy" (weighted as published), "plain_accuracy", "seconds",
    "peak_megabytes" and the number of "pictures".
    """
    from . import plots
    from .datasets import load_dataset
    from .models.load import load_pretrained_model
    from .training.probe import train_classifier

    if picture.suffix.lower() not in FORMATS or not picture.parent.is_dir():
        raise UserInputError(
            f"picture is {picture}; expected a name that ends in one of "
            f"{', '.join(FORMATS)}, in a folder that exists."
        )
    say("Can a network trained on everyday photographs find broken solar cells?\n")
    solar = load_dataset("solar")
    train, test, names = solar.train_and_validation, solar.test, solar.class_names
    say(f"{len(train):,} photographs of cells for training, {len(test):,} for testing.")
    start, model = time.perf_counter(), load_pretrained_model()
    say(f"Extracting features with {model.name}: half a minute on two free cores …")
    features, test_features = (
        model.extract_features(split.images, BLOCKS) for split in (train, test)
    )
    say("Training a linear classifier on these features …")
    classifier = train_classifier(features, train.labels, names, train.weights)
    result = {
        "seconds": time.perf_counter() - start,
        "accuracy": classifier.score(test_features, test.labels, test.weights),
        "plain_accuracy": classifier.score(test_features, test.labels),
        "peak_megabytes": peak_megabytes(),
        "pictures": len(train) + len(test),
    }
    say(report(result, len(test)))
    probabilities = classifier.predict_proba(test_features)
    sheet = plots.right_and_wrong(
        test.images, test.labels, probabilities, names, count=5
    )
    sheet.suptitle("Solar cells: the most confident right and wrong answers")
    credit = "Photographs: Buerhop-Lutz et al. (2018), elpv-dataset, CC BY-NC-SA 4.0"
    sheet.supxlabel(credit, fontsize=7)
    what = f"{picture} cannot be written"
    with convert_errors(OSError, TLCourseError, what, "Choose another one."):
        sheet.savefig(picture, dpi=100)
    say(f"Figure of the most confident right and wrong answers:\n  {picture.resolve()}")
    return result


def report(result: dict[str, float], tested: int) -> str:
    """The result in lines, between the published numbers in order of accuracy."""
    accuracies = PUBLISHED | {THIS_DEMO: result["accuracy"]}
    ranking = "\n".join(
        f"{'>' if name == THIS_DEMO else ' '} {accuracies[name]:7.2%}  {name}"
        for name in sorted(accuracies, key=accuracies.__getitem__)
    )
    return _REPORT.format(tested=tested, ranking=ranking, **result)


def peak_megabytes() -> float:
    """The most memory (resident set, 10⁶ bytes) of this process; off Linux, now."""
    import psutil

    status = Path("/proc/self/status")  # getrusage counts the parent's memory, too
    peak = re.search(r"VmHWM:\s*(\d+)", status.read_text() if status.exists() else "")
    return (
        int(peak[1]) * 1024 / 1e6 if peak else psutil.Process().memory_info().rss / 1e6
    )
