"""Lesson 06: digits → Kanji, layer by layer.

After J. Yosinski, J. Clune, Y. Bengio and H. Lipson, "How transferable are features in
deep neural networks?", NeurIPS 2014. Each arm has a learning rate of its own, chosen on
the validation fonts; where convolutions are fine-tuned, the head is trained first.
"""

import time

import numpy as np
from records import mean_sd

import tlcourse as tl

from .small_networks import EPOCHS, STEPS, fit, keras, number_of_steps, small_network

SEEDS = (0, 1, 2, 3, 4)
RATES = (5e-4, 2e-3, 5e-3)
SOURCE_STEPS, SOURCE_RATE = 2000, 2e-3
HEAD_STEPS = 100  # before convolutions are fine-tuned
CHARACTERS, LABELS = 60, (1, 4, 20)
FEW = 4  # labels of each character, where layers or sources are compared
DEPTHS = (1, 2, 3)
WAYS = {"frozen": True, "fine-tuned": False}  # names that lesson 06 reads


def kanji() -> dict:
    """By number of labels, by number of convolutions, and from spoiled sources."""
    digits, data = tl.load_dataset("digits"), tl.load_dataset("kanji")
    sixty = data.with_classes(data.class_names[:CHARACTERS])
    images, labels = np.asarray(digits.train.images), digits.train.labels
    source = pretrained(images, labels)
    spoiled = {
        "inverted": pretrained(255 - images, labels),
        "labels shuffled": pretrained(
            images, np.random.default_rng(0).permutation(labels)
        ),
    }
    few = {
        "from scratch": arm(sixty, FEW),
        **{way: arm(sixty, FEW, source, frozen=frozen) for way, frozen in WAYS.items()},
    }
    on_digits = accuracy(source, digits.test)
    return {
        "source_accuracy": round(on_digits, 4),
        "ways": by_labels(sixty, source, few),
        "layers": by_layer(sixty, source, few),
        "spoiled": {
            "labels": FEW,
            "from scratch": few["from scratch"],
            "as it is": {way: few[way] for way in WAYS},
            **{
                name: {
                    way: arm(sixty, FEW, start, frozen=frozen)
                    for way, frozen in WAYS.items()
                }
                for name, start in spoiled.items()
            },
        },
    }


def network(classes: int):
    return small_network((28, 28), classes, head=keras.layers.Flatten)


def pretrained(images, labels):
    keras.utils.set_random_seed(0)
    return trained(network(10), images, labels, SOURCE_RATE, SOURCE_STEPS)


def trained(model, images, labels, rate: float, steps: int):
    return fit(model, np.asarray(images), labels, None, rate, steps)


def arm(data, per_class: int, start=None, depth: int = 3, frozen: bool = False) -> dict:
    """Test accuracy over the seeds, at the rate with the best validation accuracy."""
    scores = []
    for rate in RATES:
        model = transferred(data, per_class, rate, 0, start, depth, frozen)
        scores.append(accuracy(model, data.validation))
    rate = RATES[int(np.argmax(scores))]
    accuracies, seconds = [], []
    for seed in SEEDS:
        began = time.perf_counter()
        model = transferred(data, per_class, rate, seed, start, depth, frozen)
        seconds.append(time.perf_counter() - began)
        accuracies.append(accuracy(model, data.test))
    found = {"rate": rate, "accuracies": accuracies, "seconds": seconds}
    return found | mean_sd(accuracies)


def transferred(data, per_class, rate, seed, start, depth, frozen):
    """Train with so many labels per character, the first convolutions copied."""
    part = data.train.sample(per_class, seed)
    steps = number_of_steps(len(part), EPOCHS, STEPS)
    keras.utils.set_random_seed(seed)
    model = network(len(data.class_names))
    if start is not None:
        for number in range(1, depth + 1):
            layer = model.get_layer(f"conv_{number}")
            layer.set_weights(start.get_layer(layer.name).get_weights())
            layer.trainable = False
        if not frozen:
            trained(model, part.images, part.labels, rate, HEAD_STEPS)
            model.trainable = True
    return trained(model, part.images, part.labels, rate, steps)


def accuracy(model, split) -> float:
    outputs = model.predict(np.asarray(split.images), batch_size=256, verbose=0)
    return float(np.mean(outputs.argmax(axis=1) == split.labels))


def by_labels(data, source, few: dict) -> dict:
    """A learning curve; `few` holds the arms with `FEW` labels."""
    arms = {name: [] for name in ("from scratch", *WAYS)}
    for labels in LABELS:
        for name, found in arms.items():
            start = None if name == "from scratch" else source
            options = {"start": start, "frozen": WAYS.get(name, False)}
            one = few[name] if labels == FEW else arm(data, labels, **options)
            found.append(one)
    rows = [labels * len(data.class_names) for labels in LABELS]
    points = {
        name: [
            {
                "labels": labels,
                "rows": count,
                "accuracies": one["accuracies"],
                "seconds": one["seconds"],
            }
            for labels, count, one in zip(LABELS, rows, each, strict=True)
        ]
        for name, each in arms.items()
    }
    methods = {"ImageNet features": "probe"}
    probe = tl.learning_curve(data, LABELS, methods, SEEDS).record()["points"]
    return {
        "name": "kanji",
        "seeds": list(SEEDS),
        "points": points | probe,
        "rates": {name: [one["rate"] for one in each] for name, each in arms.items()},
    }


def by_layer(data, source, few: dict) -> dict:
    """Way → arms with 0 to 3 convolutions copied; the first is from scratch."""
    found = {}
    for way, frozen in WAYS.items():
        arms = [
            few[way] if depth == max(DEPTHS) else arm(data, FEW, source, depth, frozen)
            for depth in DEPTHS
        ]
        found[way] = [few["from scratch"], *arms]
    return {"labels": FEW, "convolutions": [0, *DEPTHS], "ways": found}
