"""The charts of the README and of the site's results page, in light and in dark colours.

Each is drawn from results.json alone. Its numbers are in its file's metadata, and in
the words that stand for it in Markdown.
"""

import json
from pathlib import Path

from matplotlib import rc_context
from matplotlib.figure import Figure
from records import ROOT, mean_sd

FOLDER = ROOT / "benchmarks"
OURS, INT8, OWN_ARRAYS = "tlcourse", "tlcourse int8", "tlcourse, arrays"
KERAS, TORCH, ONNX = "Keras", "PyTorch", "ONNX Runtime"
OPENVINO, LITERT = "OpenVINO", "LiteRT"
PICTURES = {"arrays": "Arrays → features", "folder": "JPEG folder → features"}

THREE_CALLS = "three calls: frozen, linear probe"
FOUR_BLOCKS = "the same, features of four blocks"
FINE_TUNED = "tl.fine_tune"
# A study's name for a method → what the chart calls it
METHODS = {
    "probe": THREE_CALLS,
    "fine-tune": FINE_TUNED,
    "small CNN": "small CNN, random weights",
    "random weights": "same network, random weights",
}
KINDS = 6  # classes of the stamps

# What differs on a dark ground; the ground itself is the page's.
DARK = {
    "text.color": "#e6e6e6",
    "axes.labelcolor": "#e6e6e6",
    "axes.edgecolor": "#9a9a9a",
    "axes.titlecolor": "#e6e6e6",
    "xtick.color": "#e6e6e6",
    "ytick.color": "#e6e6e6",
    "legend.facecolor": "#22262e",
    "legend.edgecolor": "#9a9a9a",
    "figure.facecolor": "none",
    "axes.facecolor": "none",
    "savefig.facecolor": "none",
}


def few_labels(results: dict) -> Figure:
    """Accuracy on the stamps by labelled photographs of each kind."""
    from tlcourse import plots

    numbers = few_label_numbers(results)
    x = [int(count) for count in next(iter(numbers.values()))]
    return plots.curves(
        x,
        {
            name: [100 * point["mean"] for point in y.values()]
            for name, y in numbers.items()
        },
        {
            name: [100 * point["sd"] for point in y.values()]
            for name, y in numbers.items()
        },
        "Labelled photographs of each kind",
        "Accuracy on unseen photographs (%)",
        "Six kinds of things: what few labels are enough for",
        highest=100,
    )


def few_label_numbers(results: dict) -> dict[str, dict[str, dict]]:
    """Method → labelled photographs of each kind → mean and standard deviation."""
    points = results["curves"]["stamps"]["points"]
    return {
        name: {
            str(round(point["rows"] / KINDS)): mean_sd(point["accuracies"])
            for point in points[study]
        }
        for study, name in METHODS.items()
    }


def solar(results: dict) -> Figure:
    """Accuracy on solar cells beside two published results."""
    from tlcourse import plots

    bars, label = solar_numbers(results), "accuracy on unseen solar cells, %"
    title = "Which solar cells are defective?"
    return plots.bars(list(bars), list(bars.values()), label, title)


def solar_numbers(results: dict) -> dict[str, float]:
    """Name → percent."""
    from tlcourse.demo import PUBLISHED

    measured = {
        THREE_CALLS: results["solar"]["last_block"],
        FOUR_BLOCKS: results["solar"]["four_blocks"],
        FINE_TUNED: results["bench"]["finetune"]["accuracy"],
    }
    shares = PUBLISHED | {name: one["mean"] for name, one in measured.items()}
    bars = {name: round(100 * share, 2) for name, share in shares.items()}
    return dict(sorted(bars.items(), key=lambda bar: bar[1]))


def speed(results: dict) -> Figure:
    """Images per second, with the slowest and fastest round as whiskers."""
    from matplotlib import rcParams

    from tlcourse.plots.figure import COLOURS
    from tlcourse.plots.figure import Figure as Described

    panels = speed_numbers(results)
    figure = Described(figsize=(9, 2.6), layout="constrained")
    axes = figure.subplots(1, len(panels), squeeze=False)[0]
    for ax, (part, bars) in zip(axes, panels.items(), strict=True):
        speeds = results["bench"][part]["images_per_second"].values()
        low = [speed["median"] - speed["min"] for speed in speeds]
        high = [speed["max"] - speed["median"] for speed in speeds]
        colours = [COLOURS[not name.startswith(OURS)] for name in bars]
        names, medians = list(bars), list(bars.values())
        style = {"color": colours, "ecolor": rcParams["text.color"]}
        drawn = ax.barh(names, medians, xerr=[low, high], **style)
        ax.bar_label(drawn, fmt="%.0f", padding=5)
        ax.invert_yaxis()
        ax.margins(x=0.2)
        ax.set(title=PICTURES[part], xlabel="images per second")
    told = (
        f"{PICTURES[part]}: "
        + ", ".join(f"{name} {value:.0f}" for name, value in bars.items())
        for part, bars in panels.items()
    )
    figure.alt = f"Images per second, medians. {'; '.join(told)}."
    return figure


def speed_numbers(results: dict) -> dict[str, dict[str, float]]:
    """Part → name → images per second."""
    bars = {}
    for part in PICTURES:
        speeds = results["bench"][part]["images_per_second"].items()
        bars[part] = {name: values["median"] for name, values in speeds}
    return bars


# Name of the file → the function that draws it, and the one that has its numbers
FIGURES = {
    "few_labels": (few_labels, few_label_numbers),
    "solar": (solar, solar_numbers),
    "speed": (speed, speed_numbers),
}


def write(results: dict) -> None:
    """Write each figure for the checkout: light, with twice the pixels it needs."""
    for name in FIGURES:
        save(name, results, FOLDER / f"{name}.png")


def save(name: str, results: dict, file: Path, dark: bool = False) -> None:
    """Draw a figure into a file, PNG or SVG, with its numbers in the metadata."""
    draw, numbers = FIGURES[name]
    metadata = {"Description": json.dumps(numbers(results))}
    metadata |= {"Date": None} if file.suffix == ".svg" else {"Software": None}
    with rc_context({"svg.hashsalt": name} | (DARK if dark else {})):
        draw(results).savefig(file, dpi=200, metadata=metadata)


def in_markdown(name: str, results: dict, folder: str) -> str:
    """The figure as Markdown: its words, made from the same numbers, and its file."""
    return f"![{FIGURES[name][0](results).alt}]({folder}/{name}.png)"
