"""Lesson 02's table: each network's blocks, and seconds per picture in training.

Weights are random, so nothing is downloaded: counts and times do not depend on them.
"""

import math
import time

import numpy as np

import tlcourse as tl
from tlcourse.models.blocks import find_blocks
from tlcourse.models.efficientnet_lite import EfficientNetLite
from tlcourse.models.recipes import RECIPES
from tlcourse.models.weights import preprocessing_layers

BATCH = 8
STEPS = 5  # that are timed


def blocks() -> dict:
    """Network → its blocks, and the seconds per picture in training."""
    found = {}
    for name in RECIPES:
        network = random_network(name)
        found[name] = {
            "pixels": network.input_shape[1],
            "features": network.layers[-1].kernel.shape[0],
            "blocks": count_blocks(network),
            "seconds": seconds(network),
        }
        print(f"  {name}: {found[name]['seconds']}", flush=True)
    return found


def count_blocks(network) -> list[dict]:
    """Each block's parameters, and its multiply-adds for one picture."""
    counts = []
    for name, layers in find_blocks(network).blocks.items():
        weights = {id(w): w for layer in layers for w in layer.weights}
        parameters = sum(math.prod(weight.shape) for weight in weights.values())
        work = 0
        for layer in layers:
            shape = output_shape(layer)
            # Each weight of a filter is multiplied once at each position of the output.
            filters = sum(math.prod(w.shape) for w in layer.weights if len(w.shape) > 1)
            work += filters * math.prod(shape[:-1])
        counts.append({"name": name, "parameters": parameters, "multiply_adds": work})
    return counts


def output_shape(layer) -> tuple[int, ...]:
    """Of one picture's output, unknown sizes 1; () if used twice or never."""
    try:
        return tuple(size or 1 for size in layer.output.shape[1:])
    except (AttributeError, ValueError):
        return ()


def random_network(name: str):
    """The network with a head for two classes: pixels → probabilities."""
    import keras

    keras.utils.clear_session()
    recipe = RECIPES[name]
    shape = (recipe.size, recipe.size, 3)
    pixels = keras.Input(shape, name="pixels")
    options = {
        "weights": None,
        "include_top": False,
        "pooling": "avg",
        "input_tensor": preprocessing_layers(pixels, recipe.pixels),
    }
    if recipe.application:
        build = getattr(keras.applications, recipe.application)
        base = build(input_shape=shape, **options)
    else:
        base = EfficientNetLite(name, **options)
    head = keras.layers.Dense(2, "softmax", name="new_head")
    return keras.Model(pixels, head(base.outputs[0]), name=name)


def seconds(network) -> float:
    """Seconds per picture of a training step with everything but the head frozen.

    Of the fastest of a few steps, after one that traces.
    """
    tl.freeze(network)
    network.compile("adam", "sparse_categorical_crossentropy")
    shape = (BATCH, *network.input_shape[1:])
    pixels = np.random.default_rng(0).integers(0, 256, shape).astype(np.float32)
    labels, times = np.arange(BATCH) % 2, []
    for _ in range(1 + STEPS):
        start = time.perf_counter()
        network.train_on_batch(pixels, labels)
        times.append(time.perf_counter() - start)
    return round(min(times[1:]) / BATCH, 5)
