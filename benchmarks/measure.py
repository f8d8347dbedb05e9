"""Measure what README, site and lessons show; `make results` calls this.

    python benchmarks/measure.py                everything (some hours)
    python benchmarks/measure.py demo lessons   these parts; the others stay as they are
    python benchmarks/measure.py --readme       only write README, results page and guide anew

Each part goes into results.json as soon as it is measured. Nothing here passes or
fails. Times are those of this machine, which is recorded with them.
"""

import json
import os
import time
from importlib import import_module

import records
import report
from studies.lessons import lesson_builder

# What a part's note says of the machine
CONDITIONS = ("processor", "cores", "gigaflops", "busy_percent")
PARTS = {  # part → function; lessons are last, since they read what was measured before
    "import": "demo.import_time",
    "demo": "demo.demo",
    "solar": "demo.solar",
    "dogs": "demo.dogs",
    "kanji": "kanji.kanji",
    "solar_tuning": "transfer.solar_tuning",
    "solar_arms": "solar_arms.solar_arms",
    "solar_training": "solar_training.solar_training",
    "curves": "transfer.curves",
    "augmentation": "augmentation.augmentation",
    "resizing": "resizing.resizing",
    "precision": "precision.precision",
    "field_recipes": "field_recipes.field_recipes",
    "sentiment": "sentiment.sentiment",
    "answers": "answers.answers",
    "speech": "speech.speech",
    "speech_speed": "speech.speed",
    "misuse": "misuse.misuse",
    "tuning": "searches.tuning",
    "own_pictures": "folder.own_pictures",
    "choosing_stamps": "choosing.stamps",
    "choosing_few_cells": "choosing.few_cells",
    "choosing_dogs": "choosing.dogs",
    "choosing_all_cells": "choosing.all_cells",
    "distributed": "cluster.distributed",
    "blocks": "blocks.blocks",
    "lessons": "lessons.lessons",
}


def main() -> None:
    parser = records.parser(__doc__, "parts", PARTS)
    parser.add_argument("--readme", action="store_true", help="measure nothing")
    arguments = parser.parse_args()
    if not arguments.readme:
        os.environ.update(lesson_builder().packs_beside())
        measure(arguments.parts or list(PARTS))
    report.write()
    lesson_builder().renew_banners()


def measure(parts: list[str]) -> None:
    """One part after the other: whatever stops a later one, the earlier are kept."""
    machine = records.machine()
    conditions = {name: machine[name] for name in CONDITIONS if name in machine}
    for name in parts:
        module, _, function = PARTS[name].partition(".")
        start = time.perf_counter()
        measured = getattr(import_module(f"studies.{module}"), function)()
        seconds = time.perf_counter() - start
        print(f"{name}: {json.dumps(measured)} ({seconds:.0f} s)", flush=True)
        records.keep(name, measured, **conditions)
        records.write(records.read() | {"machine": machine})


if __name__ == "__main__":
    main()
