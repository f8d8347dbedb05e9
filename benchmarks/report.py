"""The README's table and figures, and the site's list of all measured results."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import records
from records import NOTES, ROOT

README = ROOT / "README.md"
SOLAR_FIGURE = ROOT / "benchmarks" / "solar.png"
SPEED_FIGURE = ROOT / "benchmarks" / "bench.png"
START, END = "<!-- measured: begin -->", "<!-- measured: end -->"

OURS, INT8, OWN_ARRAYS = "tlcourse", "tlcourse int8", "tlcourse, arrays"
KERAS, TORCH, ONNX = "Keras", "PyTorch", "ONNX Runtime"
OPENVINO, LITERT = "OpenVINO", "LiteRT"

PICTURES = {"arrays": "Arrays → features", "folder": "JPEG folder → features"}
SNIPPETS = "[film snippets][sentences_per_second]"

# What, and what was measured, in terms of results.json. A row is left out where
# something in it was not measured yet.
ROWS = (
    ("`import tlcourse`", "{import[milliseconds]:g} ms"),
    (
        "`tlcourse demo`: {demo[pictures]:,} photographs to a tested classifier",
        "{demo[seconds]:g} s ({demo[seconds_min]:g} to {demo[seconds_max]:g}), "
        "{demo[peak_megabytes]:,} MB",
    ),
    (
        "… its accuracy, weighted as published (SVM 82.44 %, VGG-19 88.42 %)",
        "{demo[accuracy]:.2%}",
    ),
    (
        "… on {solar[four_blocks][n]} random splits",
        "{solar[four_blocks][mean]:.1%} ± {solar[four_blocks][sd]:.1%}",
    ),
    (
        "`tl.fine_tune` on the same splits",
        "{bench[finetune][accuracy][mean]:.1%} ± {bench[finetune][accuracy][sd]:.1%}, "
        "{bench[finetune][seconds][median]:.0f} s each",
    ),
    (
        "Dogs, {dogs[breeds]} breeds of the test pack ¹, {dogs[train]} labels",
        "{dogs[accuracy][all][mean]:.1%} of {dogs[test]} photographs",
    ),
    (
        "`tlcourse train` on {own_pictures[train][solar][pictures]:,} solar cells",
        "{own_pictures[train][solar][seconds]:.0f} s, "
        "{own_pictures[train][solar][accuracy]:.1%} of "
        "{own_pictures[train][solar][test_pictures]} test pictures",
    ),
    (
        "`tlcourse predict`: start of the process to the first answer",
        "{own_pictures[predict][float32][first_answer_ms]:,} ms",
    ),
    *(
        (
            f"{what}, float32 and int8",
            f"{{bench[{part}][images_per_second][{OURS}][median]:.0f}} and "
            f"{{bench[{part}][images_per_second][{INT8}][median]:.0f}} images/s",
        )
        for part, what in PICTURES.items()
    ),
    (
        "Film snippets → features, float32 and int8",
        f"{{bench[text][workloads]{SNIPPETS}[{OURS}][median]:.0f}} and "
        f"{{bench[text][workloads]{SNIPPETS}[{INT8}][median]:.0f}} sentences/s",
    ),
    (
        "Peak memory for 100,000 JPEGs, compared to 1,000",
        "{bench[memory][ratio]:.2f}×",
    ),
)

# What, and a ratio: its part of the benchmarks, and its name in "machines".
RATIOS = (
    ("Arrays → features, beside Keras", "arrays", f"ratios/{KERAS}"),
    ("… beside PyTorch", "arrays", f"ratios/{TORCH}"),
    ("… int8 beside PyTorch", "arrays", f"int8_ratios/{TORCH}"),
    (
        "Film snippets → features, beside PyTorch",
        "text",
        f"workloads/film snippets/ratios/{TORCH}",
    ),
    (
        "Second call on cached JPEGs, in a fresh process, beside the first",
        "cache",
        "kinds/JPEG folder/ratios/fresh process",
    ),
)


def write_readme() -> None:
    """Write the README's table and the figures anew; nothing is measured."""
    results = records.read()
    text = with_table(README.read_text(encoding="utf-8"), results)
    README.write_text(text, encoding="utf-8")
    solar_figure(results)
    speed_figure(results)
    print("written: the README's table and figures")


def with_table(readme: str, results: dict) -> str:
    """The README with the part between its two marks written anew."""
    pattern = re.compile(f"{re.escape(START)}.*?{re.escape(END)}", re.DOTALL)
    return pattern.sub(lambda _: f"{START}\n{table(results)}\n{END}", readme)


def table(results: dict) -> str:
    """The README's table, in Markdown."""
    return "\n".join(
        [
            "| What | Measured |",
            "|---|---|",
            *(f"| {what} | {value} |" for what, value in rows(results)),
            "",
            f"{where(results['machine'])}; medians, or mean ± standard deviation.",
            "",
            "¹ Cut from ImageNet, so the network has seen most of these very "
            "photographs: an upper bound, not a promise.",
            "",
            "![Images per second, beside other libraries.](benchmarks/bench.png)",
        ]
    )


def rows(results: dict) -> Iterator[tuple[str, str]]:
    for what, value in ROWS:
        try:
            yield what.format(**results), value.format(**results)
        except KeyError:  # not measured yet
            continue
    yield from _smallest_ratios(results)
    yield from _trust(results)


def _smallest_ratios(results: dict) -> Iterator[tuple[str, str]]:
    for what, part, name in RATIOS:
        parts = [each.get(part, {}) for each in results.get("machines", {}).values()]
        medians = [each[name]["median"] for each in parts if name in each]
        if medians:
            several = f"the smallest of {len(medians)} processors"
            on = several if len(medians) > 1 else "on one processor"
            yield what, f"{min(medians):.3g}× as fast, {on}"


def _trust(results: dict) -> Iterator[tuple[str, str]]:
    if faults := results.get("faults", {}).values():
        times, lost = (sum(row[key] for row in faults) for key in ("times", "lost"))
        yield "Jobs killed at random and resumed", f"{times:,} times; lost: {lost}"
    if matrix := results.get("matrix"):
        passed = sum(not row["failed"] for row in matrix.values())
        what = f"Environments that pass: {', '.join(matrix)}"
        yield what, f"{passed} of {len(matrix)}"


def where(machine: dict) -> str:
    versions = ", ".join(f"{name} {v}" for name, v in machine["versions"].items())
    processor = machine.get("processor", "an unknown processor")
    return (
        f"Measured on {processor}, {machine['cores']} cores, {machine['system']}, "
        f"Python {machine['python']}, {versions}"
    )


def everything(results: dict) -> str:
    """All measured numbers with their n, minimum and maximum, for the site."""
    parts = ["## machines", "", *_machines(results), ""]
    for part, measured in results.items():
        if part in ("machine", "machines", NOTES):
            continue
        sections = measured.items() if part == "bench" else [(part, measured)]
        for name, section in sections:
            note = section.get("machine") or results[NOTES].get(part, {})
            parts += [f"## {name}", "", _note(note), "", *_list(section), ""]
    return "\n".join(parts)


def _machines(results: dict) -> list[str]:
    """Every ratio on every processor."""
    lines = [
        "| Ratio | Processor | Median | GFLOP/s | Measured |",
        "|---|---|---|---|---|",
    ]
    for machine, parts in results.get("machines", {}).items():
        for part, kept in parts.items():
            about = f"{kept['gigaflops']} | {kept['date']}, commit {kept['commit']}"
            for name, ratio in kept.items():
                if isinstance(ratio, dict):
                    what, value = f"{part}/{name}", f"{ratio['median']:g}"
                    lines.append(f"| {what} | {machine} | {value} | {about} |")
    return lines


def _note(note: dict) -> str:
    about = [f"{key} {note[key]}" for key in ("date", "commit") if key in note]
    if "gigaflops" in note:
        about.append(f"{note['gigaflops']} GFLOP/s (float32 matrix multiplication)")
    if "busy_percent" in note:
        about.append(f"{note['busy_percent']:g} % of the processors busy before")
    return ", ".join(about)


def _list(section: dict) -> list[str]:
    lines = ["| What | Measured |", "|---|---|"]
    for path, value in _summaries(section):
        lines.append(f"| {' · '.join(path)} | {value} |")
    return lines


def _summaries(
    value, path: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], str]]:
    """Path and text of means and medians, and of single numbers near the top."""
    if isinstance(value, dict):
        if {"median", "min", "max", "n"} <= set(value):
            text = f"{value['median']:g} ({value['min']:g} to {value['max']:g})"
            yield path, f"{text}, n = {value['n']}"
        elif {"mean", "sd", "n"} <= set(value):
            yield path, f"{value['mean']:g} ± {value['sd']:g}, n = {value['n']}"
        else:
            for key, each in value.items():
                if key != "machine":
                    yield from _summaries(each, (*path, str(key)))
    elif isinstance(value, int | float) and len(path) <= 2:
        yield path, f"{value:g}"


# Figures, whose numbers are in their metadata


def solar_figure(results: dict, file: Path = SOLAR_FIGURE) -> None:
    """Accuracy on solar cells between two published results."""
    from tlcourse import plots

    bars, label = solar_bars(results), "accuracy on unseen solar cells, %"
    title = "Which solar cells are defective?"
    figure = plots.bars(list(bars), list(bars.values()), label, title)
    _save(figure, file, bars)


def solar_bars(results: dict) -> dict[str, float]:
    """Name → percent."""
    from tlcourse.demo import PUBLISHED

    svm, vgg = PUBLISHED.items()
    ours = round(100 * results["solar"]["four_blocks"]["mean"], 2)
    return {
        svm[0]: 100 * svm[1],
        "linear probe, features of four blocks": ours,
        vgg[0]: 100 * vgg[1],
    }


def speed_figure(results: dict, file: Path = SPEED_FIGURE) -> None:
    """Images per second, with the slowest and fastest round as whiskers."""
    from matplotlib.figure import Figure

    panels = speed_bars(results)
    figure = Figure(figsize=(9, 2.6), layout="constrained")
    axes = figure.subplots(1, len(panels), squeeze=False)[0]
    for ax, (part, bars) in zip(axes, panels.items(), strict=True):
        speeds = results["bench"][part]["images_per_second"].values()
        low = [speed["median"] - speed["min"] for speed in speeds]
        high = [speed["max"] - speed["median"] for speed in speeds]
        colours = ["C0" if name.startswith(OURS) else "C1" for name in bars]
        names, medians = list(bars), list(bars.values())
        drawn = ax.barh(names, medians, xerr=[low, high], color=colours)
        ax.bar_label(drawn, fmt="%.0f", padding=5)
        ax.invert_yaxis()
        ax.margins(x=0.2)
        ax.set(title=PICTURES[part], xlabel="images per second")
    _save(figure, file, panels)


def speed_bars(results: dict) -> dict[str, dict[str, float]]:
    """Part → name → images per second."""
    bars = {}
    for part in PICTURES:
        speeds = results["bench"][part]["images_per_second"].items()
        bars[part] = {name: values["median"] for name, values in speeds}
    return bars


def _save(figure, file: Path, numbers: dict) -> None:
    metadata = {"Software": None, "Description": json.dumps(numbers)}
    figure.savefig(file, dpi=110, metadata=metadata)
