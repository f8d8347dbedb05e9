"""All measured numbers, as Markdown for the site's results page."""

from collections.abc import Iterator

import records
from records import NOTES


def everything(results: dict) -> str:
    """All measured numbers, part by part, each folded away with its date and commit."""
    parts = fold("machines", "", ratios_by_machine(results))
    for part, measured in results.items():
        if part in ("machine", "machines", NOTES):
            continue
        sections = measured.items() if part == "bench" else [(part, measured)]
        for name, section in sections:
            place = f"bench/{name}" if part == "bench" else part
            parts += fold(
                name, noted(records.note(results, place)), summary_table(section)
            )
    return "\n".join(parts)


def fold(name: str, note: str, table: list[str]) -> list[str]:
    """A part of the list of all numbers: a summary that opens it, and its table."""
    return [
        f"<details><summary>{name}</summary>",
        "",
        note,
        "",
        *table,
        "",
        "</details>",
        "",
    ]


def ratios_by_machine(results: dict) -> list[str]:
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


def noted(note: dict) -> str:
    """A note in words: date, commit, processor, how fast and how busy it was."""
    words = [f"{key} {note[key]}" for key in ("date", "commit") if key in note]
    if "processor" in note:
        words.append(f"{note['processor']}, {note['cores']} cores")
    if "gigaflops" in note:
        words.append(f"{note['gigaflops']} GFLOP/s (float32 matrix multiplication)")
    if "busy_percent" in note:
        words.append(f"{note['busy_percent']:g} % of the processors busy before")
    if "versions" in note:
        versions = (f"{name} {number}" for name, number in note["versions"].items())
        words.append(f"Python {note['python']}, {', '.join(versions)}")
    return "; ".join(words)


def summary_table(section: dict) -> list[str]:
    lines = ["| What | Measured |", "|---|---|"]
    for path, value in summaries(section):
        lines.append(f"| {' · '.join(path)} | {value} |")
    return lines


def summaries(
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
                    yield from summaries(each, (*path, str(key)))
    elif isinstance(value, int | float) and len(path) <= 2:
        yield path, f"{value:g}"
