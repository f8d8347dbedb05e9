"""What the README shows of `make bench`: a table and a picture, both from "bench" of results.json alone."""

import json
from pathlib import Path

OURS, KERAS, TORCH, ONNX = "tlcourse", "Keras", "PyTorch", "ONNX Runtime"
OWN_ARRAYS = "tlcourse, arrays"


def table(results: dict) -> str:
    """The README's table of what was measured beside peers: a row for each part of "bench" that is there."""
    bench = results.get("bench", {})
    rows = []
    for part, make_rows in ROWS.items():
        if part in bench:
            rows += [
                (*row, f"`make bench PARTS={part}`") for row in make_rows(bench[part])
            ]
    lines = ["| What | Measured | Aim | Shown by |", "|---|---|---|---|"]
    lines += [f"| {' | '.join(row)} |" for row in rows]
    if bench:
        lines += ["", *where(bench)]
    return "\n".join(lines)


def where(bench: dict) -> list[str]:
    """On what, when and at which commit each part was measured: a sentence for each machine and day."""
    commits = {}
    for part, section in bench.items():
        on = section["machine"]
        place = f"{on['date']} on {on['cores']} cores ({on['processor']}, {on['system']}), Python {on['python']}"
        commits.setdefault(place, []).append(f"{on['commit']} ({part})")
    return [
        f"Measured {place}, at commits {', '.join(found)}; in brackets the smallest and largest of all rounds."
        for place, found in commits.items()
    ]


def _arrays_rows(part: dict) -> list[tuple]:
    ratio, speed = part["ratios"], part["images_per_second"]
    names = {
        KERAS: ("Keras `predict`", 2.4),
        TORCH: ("PyTorch, eager", 7),
        ONNX: ("ONNX Runtime", 1.05),
    }
    rows = [
        (
            f"Arrays → features, beside {title} ({speed[OURS]['median']:.0f} and {speed[name]['median']:.0f} images/s)",
            _times(ratio[name]),
            _at_least(f"{aim:g}×", ratio[name]["median"] >= aim),
        )
        for name, (title, aim) in names.items()
    ]
    share, bound = part["share_of_bound"], part["bound"]["images_per_second"]["median"]
    what = f"… as a share of the {bound:.0f} images/s that a float32 {part['bound']['by']} allows"
    return [
        *rows,
        (what, _range(share, ".2f"), _at_least("0.62", share["median"] >= 0.62)),
    ]


def _folder_rows(part: dict) -> list[tuple]:
    ratio, speed = (
        part["ratios"],
        {
            name: f"{value['median']:.0f}"
            for name, value in part["images_per_second"].items()
        },
    )
    keras, own = ratio[KERAS], ratio[OWN_ARRAYS]
    return [
        (
            f"JPEG folder → features, against Keras' folder pipeline ({speed[OURS]} against {speed[KERAS]} images/s)",
            _times(keras),
            _at_least("2.5×", keras["median"] >= 2.5),
        ),
        (
            f"… as a share of our own speed on arrays ({speed[OWN_ARRAYS]} images/s)",
            _range(own, ".2f"),
            _at_least("0.75", own["median"] >= 0.75),
        ),
    ]


def _cache_rows(part: dict) -> list[tuple]:
    return [
        (
            f"Second call on {part['pictures']:,} cached pictures ({kind}, {process}), against the first",
            _times(ratio),
            _at_least("50×", ratio["median"] >= 50),
        )
        for kind, found in part["kinds"].items()
        for process, ratio in found["ratios"].items()
    ]


def _memory_rows(part: dict) -> list[tuple]:
    sizes = {
        f"{int(number):,}": size["peak_megabytes"]["median"]
        for number, size in part["sizes"].items()
    }
    (few, few_peak), (many, many_peak) = sizes.items()
    what = f"Peak memory, {few} → {many} JPEGs ({few_peak:,.0f} → {many_peak:,.0f} MB)"
    return [
        (
            what,
            f"{part['ratio']:.2f}×",
            f"0.9 to 1.1× ({_word(0.9 <= part['ratio'] <= 1.1)})",
        )
    ]


def _finetune_rows(part: dict) -> list[tuple]:
    accuracy, seconds = part["accuracy"], part["seconds"]
    return [
        (
            f"`tl.fine_tune` on solar cells, {accuracy['n']} draws of the published split, weighted accuracy",
            f"{100 * accuracy['mean']:.1f} ± {100 * accuracy['sd']:.1f} %",
            _at_least("90 %", accuracy["mean"] >= 0.9) + ", published 88.42 %",
        ),
        (
            "… seconds a draw",
            _range(seconds, ".0f"),
            f"≤ 300 ({_word(seconds['median'] <= 300)})",
        ),
    ]


def _guide_rows(part: dict) -> list[tuple]:
    draws = part["draws"]
    count = f"{len(draws)} {'draw' if len(draws) == 1 else 'draws'}"
    rows = []
    for what, accuracy, seconds, name in (
        ("ends with", "accuracy", "guide_seconds", "share"),
        ("has at its best", "best_accuracy", "best_seconds", "share_of_best"),
    ):
        accuracy, seconds = (
            sum(draw[key] for draw in draws) / len(draws) for key in (accuracy, seconds)
        )
        share = part[name]
        rows.append(
            (
                f"Seconds to the accuracy that Keras' guide recipe {what} ({100 * accuracy:.1f} % after "
                f"{seconds:,.0f} s, {count}), as a share of the guide's",
                _range(share, ".2g") if share else "not reached in every draw",
                f"≤ 0.2 ({_word(bool(share) and share['median'] <= 0.2)})",
            )
        )
    return rows


def _recipes_rows(part: dict) -> list[tuple]:
    return [
        (
            f"{part['epochs']} epochs of a new head on a frozen {name}, against the frozen network inside `fit` "
            f"({found['seconds_an_epoch']['median']:.0f} s an epoch, extrapolated)",
            _times(found["ratio"]),
            "–",
        )
        for name, found in part["recipes"].items()
    ]


def _text_rows(part: dict) -> list[tuple]:
    aims = {TORCH: ("PyTorch, eager", 2), ONNX: ("ONNX Runtime", 0.9)}
    rows = []
    for kind, found in part["workloads"].items():
        speed = found["sentences_per_second"]
        for name, (title, aim) in aims.items():
            ratio = found["ratios"][name]
            rows.append(
                (
                    f"Sentences → features, {kind}, beside {title} ({speed[OURS]['median']:.0f} and "
                    f"{speed[name]['median']:.0f} sentences/s)",
                    _times(ratio),
                    _at_least(f"{aim:g}×", ratio["median"] >= aim)
                    if "bound" in found
                    else "–",
                )
            )
        if "bound" in found:
            bound = found["bound"]["sentences_per_second"]["median"]
            what = f"… as a share of the {bound:.0f} sentences/s that a float32 {found['bound']['by']} allows"
            rows.append((what, _range(found["share_of_bound"], ".2f"), "–"))
    return [*rows, *_once_rows(part["once"])]


def _once_rows(once: dict) -> list[tuple]:
    """What a fresh process needs to load, and at most of memory; the peers' numbers in the row's name."""
    rows = []
    for what, key, form in (
        ("Seconds to load MiniLM", "load_seconds", ".2f"),
        (
            "… from the start of a process to the first sentence's features",
            "start_seconds",
            ".1f",
        ),
        (
            "Peak memory in MB of a process that takes all film snippets",
            "peak_megabytes",
            ",.0f",
        ),
    ):
        peers = ", ".join(
            f"{name} {once[name][key]['median']:{form}}" for name in (TORCH, ONNX)
        )
        rows.append((f"{what} ({peers})", _range(once[OURS][key], form), "–"))
    return rows


ROWS = {
    "arrays": _arrays_rows,
    "folder": _folder_rows,
    "cache": _cache_rows,
    "memory": _memory_rows,
    "finetune": _finetune_rows,
    "guide": _guide_rows,
    "recipes": _recipes_rows,
    "text": _text_rows,
}


def _range(values: dict, form: str) -> str:
    """The median, and behind it smallest and largest, where more than one was measured."""
    spread = (
        f" ({values['min']:{form}} to {values['max']:{form}})"
        if values["n"] > 1
        else ""
    )
    return f"**{values['median']:{form}}**{spread}"


def _times(values: dict) -> str:
    return f"**{values['median']:.3g}×** ({values['min']:.3g} to {values['max']:.3g})"


def _at_least(aim: str, reached: bool) -> str:
    return f"≥ {aim} ({_word(reached)})"


def _word(reached: bool) -> str:
    return "reached" if reached else "missed"


def picture_bars(results: dict) -> dict[str, dict[str, float]]:
    """Panel → name → images a second, as drawn."""
    panels = {"arrays": "arrays → features", "folder": "JPEG folder → features"}
    return {
        title: {
            name: found["median"]
            for name, found in results["bench"][part]["images_per_second"].items()
        }
        for part, title in panels.items()
        if part in results.get("bench", {})
    }


def picture(results: dict, file: Path) -> None:
    """The README's picture of speeds, smallest and largest round as whiskers; its numbers stand in its metadata."""
    from matplotlib.figure import Figure

    from tlcourse.plots.figure import COLOURS

    panels = picture_bars(results)
    if not panels:
        return
    sheet = Figure(figsize=(9, 2.4), layout="constrained")
    for axes, part, (title, bars) in zip(
        sheet.subplots(1, len(panels), squeeze=False)[0],
        [part for part in ("arrays", "folder") if part in results["bench"]],
        panels.items(),
        strict=True,
    ):
        found = results["bench"][part]["images_per_second"].values()
        whiskers = [
            [one["median"] - one["min"] for one in found],
            [one["max"] - one["median"] for one in found],
        ]
        colours = [COLOURS[0] if name.startswith(OURS) else COLOURS[1] for name in bars]
        axes.barh(
            range(len(bars)),
            list(bars.values()),
            xerr=whiskers,
            color=colours,
            capsize=2,
        )
        for place, one in enumerate(found):
            axes.annotate(
                f"{one['median']:.0f}",
                (one["max"], place),
                (5, 0),
                textcoords="offset points",
                va="center",
            )
        axes.set_yticks(range(len(bars)), list(bars), fontsize=8)
        axes.invert_yaxis()
        axes.margins(x=0.15)
        axes.set(title=title, xlabel="images a second")
    sheet.savefig(
        file, dpi=110, metadata={"Software": None, "Description": json.dumps(panels)}
    )
