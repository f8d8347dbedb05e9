"""What README, results page and instructor guide say was measured; it measures nothing."""

import re
from collections.abc import Iterable
from typing import NamedTuple

import figures
import nbformat
import records
from figures import INT8, KERAS, OURS, PICTURES, TORCH
from records import ROOT, mean_sd

README = ROOT / "README.md"
PAGE = ROOT / "docs" / "results.md"
GUIDE = ROOT / "docs" / "instructors.md"

TRAINING = "bench[training][arms]"
PROBE, TUNE = (
    f"{TRAINING}[{OURS}: {way}]" for way in ("features and probe", "fine_tune")
)
RECIPES = {KERAS: "the recipe of Keras' guide", TORCH: "a PyTorch recipe"}
SNIPPETS = "[film snippets][sentences_per_second]"


class Row(NamedTuple):
    """A line of a table: what was measured and its value, in terms of `numbers`.

    `part` is the part of results.json that says when it was measured, and on what.
    """

    what: str
    value: str
    part: str


def mean_and_sd(place: str) -> str:
    return f"{{{place}[mean]:.1%}} ± {{{place}[sd]:.1%}}"


FEW = Row(
    "Five labelled photographs of each of six kinds: the three calls",
    mean_and_sd("few_labels[probe]"),
    "curves",
)
SOLAR = Row(
    "{demo[pictures]:,} solar cells: the three calls (published: SVM 82.44 %, "
    "VGG-19 88.42 %)",
    mean_and_sd("solar[last_block]"),
    "solar",
)
TUNED = Row(
    "… `tl.fine_tune` on the same splits",
    mean_and_sd("bench[finetune][accuracy]"),
    "bench/finetune",
)
DEMO = Row(
    "`tlcourse demo`: {demo[pictures]:,} photographs to a tested classifier",
    "{demo[seconds]:g} s ({demo[seconds_min]:g} to {demo[seconds_max]:g})",
    "demo",
)
KILLED = Row(
    "Jobs killed at random and resumed", "{killed:,} times; lost: {lost}", "faults"
)

# What a reader asks → what was measured. A row is left out where something in it was
# not measured yet.
QUESTIONS = {
    "How accurate?": (
        FEW,
        Row(
            "… the same network from random weights",
            mean_and_sd("few_labels[random weights]"),
            "curves",
        ),
        SOLAR,
        Row(
            "… with features of four blocks, as in the demo",
            mean_and_sd("solar[four_blocks]"),
            "solar",
        ),
        TUNED,
        Row("… `tlcourse demo`, on its one split", "{demo[accuracy]:.1%}", "demo"),
        Row(
            "… `tlcourse train`, not weighted as published",
            "{own_pictures[train][solar][accuracy]:.1%} of "
            "{own_pictures[train][solar][test_pictures]} test pictures",
            "own_pictures",
        ),
        Row(
            "Stamps, {bench[training][train]} labels: features and probe, and "
            "`tl.fine_tune`",
            f"{mean_and_sd(PROBE + '[accuracy]')}, {mean_and_sd(TUNE + '[accuracy]')}",
            "bench/training",
        ),
        *(
            Row(
                f"… {what} at its best on the test photographs",
                mean_and_sd(f"{TRAINING}[{name}: at its best][accuracy]"),
                "bench/training",
            )
            for name, what in RECIPES.items()
        ),
        *(
            Row(
                f"int8 less float32 features, linear probe on {name}, 10 labels per "
                "class ²",
                f"{{precision[{name}][10 labels][difference][mean]:+.1%}} ± "
                f"{{precision[{name}][10 labels][difference][se]:.1%}}",
                "precision",
            )
            for name in ("stamps", "solar", "digits", "kanji", "reviews", "dogs")
        ),
        Row(
            "Dogs, {dogs[breeds]} breeds of the test pack ¹, {dogs[train]} labels",
            "{dogs[accuracy][all][mean]:.1%} of {dogs[test]} photographs",
            "dogs",
        ),
    ),
    "How fast?": (
        Row("`import tlcourse`", "{import[milliseconds]:g} ms", "import"),
        DEMO,
        Row(
            "`tlcourse train` on {own_pictures[train][solar][pictures]:,} solar cells",
            "{own_pictures[train][solar][seconds]:.0f} s",
            "own_pictures",
        ),
        Row(
            "`tl.fine_tune` on {bench[finetune][train]:,} solar cells",
            "{bench[finetune][seconds][median]:.0f} s",
            "bench/finetune",
        ),
        Row(
            "The same stamps: features and probe, and `tl.fine_tune`",
            f"{{{PROBE}[seconds][median]:.1f}} s, {{{TUNE}[seconds][median]:.1f}} s",
            "bench/training",
        ),
        *(
            Row(
                f"… {what}, until it is at its best",
                f"{{{TRAINING}[{name}: at its best][seconds][median]:.0f}} s",
                "bench/training",
            )
            for name, what in RECIPES.items()
        ),
        Row(
            "`tlcourse predict`: start of the process to the first answer",
            "{own_pictures[predict][float32][first_answer_ms]:,} ms",
            "own_pictures",
        ),
        *(
            Row(
                f"{what}, float32 and int8",
                f"{{bench[{part}][images_per_second][{OURS}][median]:.0f}} and "
                f"{{bench[{part}][images_per_second][{INT8}][median]:.0f}} images/s",
                f"bench/{part}",
            )
            for part, what in PICTURES.items()
        ),
        Row(
            "Film snippets → features, float32 and int8",
            f"{{bench[text][workloads]{SNIPPETS}[{OURS}][median]:.0f}} and "
            f"{{bench[text][workloads]{SNIPPETS}[{INT8}][median]:.0f}} sentences/s",
            "bench/text",
        ),
    ),
    "How much memory?": (
        Row("`tlcourse demo`, at most", "{demo[peak_megabytes]:,} MB", "demo"),
        Row("The lesson that needs most, at most", "{most_memory:,} MB", "lessons"),
        Row(
            "Features of 100,000 JPEGs, compared to 1,000",
            "{bench[memory][ratio]:.2f}×",
            "bench/memory",
        ),
        Row(
            "Cached features of {bench[growth][many][rows]:,} pictures, on disk",
            "{bench[growth][many][bytes_per_row]:,.0f} bytes per picture",
            "bench/growth",
        ),
        Row(
            "… looked up; with {bench[growth][few][rows]:,} in the cache",
            "{bench[growth][many][rows_per_second][median]:,.0f}; "
            "{bench[growth][few][rows_per_second][median]:,.0f} pictures/s",
            "bench/growth",
        ),
        Row(
            "… that fit into a cache of 5 GB, its limit by default",
            "{bench[growth][many][rows_in_5_GB]:,} pictures",
            "bench/growth",
        ),
    ),
    "How reliable?": (
        KILLED,
        Row(
            "Environments that pass the tests they are given: {environments}",
            "{passed} of {tried}",
            "matrix",
        ),
    ),
}

# The README's five
HEADLINES = (FEW, SOLAR, TUNED, DEMO, KILLED)

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
    *(
        (
            f"Stamps → classifier, features and probe beside {what} at its best",
            "training",
            f"ratios/features and probe, {name}",
        )
        for name, what in RECIPES.items()
    ),
    (
        "Second call on cached JPEGs, in a fresh process, beside the first",
        "cache",
        "kinds/JPEG folder/ratios/fresh process",
    ),
)
FOOTNOTE = (
    "¹ Cut from ImageNet, so the network has seen most of these very photographs: an "
    "upper bound, not a promise.  \n"
    "² Mean of the paired differences over five random samples ± its standard error."
)


def write() -> None:
    """Write the numbers of README, results page and guide, and the figures, anew."""
    results = records.read()
    written = ((README, readme_parts), (PAGE, page_parts), (GUIDE, guide_parts))
    for file, parts in written:
        text = with_parts(file.read_text(encoding="utf-8"), parts(results))
        file.write_text(text, encoding="utf-8")
    figures.write(results)
    print("written: numbers and figures of the README, the results page and the guide")


def with_parts(text: str, parts: dict[str, str]) -> str:
    """A text with what stands between the two marks of each part written anew."""
    for name, content in parts.items():
        start, end = f"<!-- {name}: begin -->", f"<!-- {name}: end -->"
        pattern = re.compile(f"{re.escape(start)}.*?{re.escape(end)}", re.DOTALL)
        written = f"{start}\n{content}\n{end}"
        text, times = pattern.subn(lambda _, written=written: written, text)
        if times != 1:
            raise ValueError(f"{start} … {end} stands there {times} times, expected 1.")
    return text


def readme_parts(results: dict) -> dict[str, str]:
    """Name of a part of the README → its Markdown."""
    return {"curve": curve(results), "measured": headlines(results)}


def curve(results: dict) -> str:
    """The figure of the few labels, and what it shows in a sentence."""
    shares = numbers(results)["few_labels"]
    probe, scratch = (
        mean_and_sd("0").format(shares[name]) for name in ("probe", "random weights")
    )
    sentence = (
        f"Five labelled photographs of each kind and these three calls: {probe} of "
        f"unseen photographs are recognised. The same network trained from random "
        f"weights reaches {scratch}."
    )
    return f"{sentence}\n\n{figures.in_markdown('few_labels', results, 'benchmarks')}"


def headlines(results: dict) -> str:
    """The README's five measured numbers, each with a link to its table."""
    lines = ["| What | Measured | All about it |", "|---|---|---|"]
    for question, rows in QUESTIONS.items():
        link = f"[{question}](docs/results.md#{anchor(question)})"
        named = filled((row for row in rows if row in HEADLINES), results)
        lines += [f"| {what} | {value} | {link} |" for what, value, _ in named]
    return "\n".join(lines)


def anchor(heading: str) -> str:
    return re.sub(r"[^\w-]", "", heading.lower().replace(" ", "-"))


def page_parts(results: dict) -> dict[str, str]:
    """Name of a part of the results page → its Markdown."""
    drawn = {
        "How accurate?": ("few_labels", "solar"),
        "How fast?": ("speed",),
    }
    parts = []
    for question, rows in tables(results).items():
        parts += [f"## {question}", ""]
        for name in drawn.get(question, ()):
            parts += [figures.in_markdown(name, results, "../benchmarks"), ""]
        parts += ["| What | Measured | Processor |", "|---|---|---|"]
        parts += [f"| {' | '.join(row)} |" for row in rows]
        parts += ["", FOOTNOTE, ""] if question == "How accurate?" else [""]
    return {"measured": "\n".join(parts).strip()}


def guide_parts(results: dict) -> dict[str, str]:
    """Name of a part of the instructor guide → its Markdown."""
    return {"costs": lessons_table(results)}


def lessons_table(results: dict) -> str:
    """A row per lesson: title, minutes and needs, from its first cell; measured cost."""
    rows = ["| Lesson | Minutes | Computing | Needs |", "|---|---|---|---|"]
    costs, total = results.get("lessons", {}), 0
    for path in sorted((ROOT / "notebooks").glob("*.ipynb")):
        first = nbformat.read(path, as_version=4).cells[0].source
        (title,) = re.findall(r"(?m)^# (.+)$", first)
        (minutes,) = re.findall(r"\*\*Minutes:\*\* about (\d+)", first)
        (needs,) = re.findall(r"(?m)\*\*Needs:\*\* (.+?)(?: · |$)", first)
        cost = costs.get(path.stem)
        computing = (
            f"{cost['seconds']} s, {cost['peak_megabytes']:,} MB"
            if cost
            else "not measured yet"
        )
        link = f"[{title}](../notebooks/{path.name})"
        rows.append(f"| {link} | {minutes} | {computing} | {needs} |")
        total += int(minutes)
    hours = f"{total / 60:.1f} hours"
    sentence = f"All lessons together: {total} minutes, {hours}, without breaks."
    return "\n".join([*rows, "", sentence])


def tables(results: dict) -> dict[str, list[tuple[str, str, str]]]:
    """Question → its rows: what, value, processor."""
    found = {question: filled(rows, results) for question, rows in QUESTIONS.items()}
    found["How fast?"] += smallest_ratios(results)
    return found


def filled(rows: Iterable[Row], results: dict) -> list[tuple[str, str, str]]:
    """What, value and processor of each row in which everything was measured."""
    known, lines = numbers(results), []
    for what, value, part in rows:
        try:
            texts = what.format(**known), value.format(**known)
        except KeyError:  # not measured yet
            continue
        lines.append((*texts, processor(results, part)))
    return lines


def numbers(results: dict) -> dict:
    """The results, and what has to be computed from them before it can be shown."""
    known = dict(results)
    if "curves" in results:
        points = results["curves"]["stamps"]["points"]
        known["few_labels"] = {
            study: next(
                mean_sd(point["accuracies"])
                for point in points[study]
                if point["labels"] == 5
            )
            for study in points
        }
    if lessons := results.get("lessons", {}).values():
        known["most_memory"] = max(lesson["peak_megabytes"] for lesson in lessons)
    if faults := results.get("faults", {}).values():
        known["killed"], known["lost"] = (
            sum(row[key] for row in faults) for key in ("times", "lost")
        )
    if matrix := results.get("matrix", {}):
        known["environments"] = ", ".join(matrix)
        known["passed"] = sum(not row["failed"] for row in matrix.values())
        known["tried"] = len(matrix)
    return known


def processor(results: dict, part: str) -> str:
    """On what a part was measured, as far as its note says."""
    note = records.note(results, part)
    name = note.get("processor", "not recorded")
    cores = [f"{note['cores']} cores"] if "cores" in note else []
    speed = [f"{note['gigaflops']} GFLOP/s"] if "gigaflops" in note else []
    return ", ".join([name, *cores, *speed])


def smallest_ratios(results: dict) -> list[tuple[str, str, str]]:
    """Of each ratio to another library the smallest that any processor has shown."""
    lines = []
    for what, part, name in RATIOS:
        medians = {
            machine: parts[part][name]["median"]
            for machine, parts in results.get("machines", {}).items()
            if name in parts.get(part, {})
        }
        if medians:
            least = min(medians, key=medians.__getitem__)
            several = len(medians) > 1
            on = f"{least}, the smallest of {len(medians)}" if several else least
            lines.append((what, f"{medians[least]:.3g}× as fast", on))
    return lines
