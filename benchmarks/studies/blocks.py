"""Lesson 02's table: each network's blocks, and seconds per picture in training.

Weights are random, so nothing is downloaded: counts and times do not depend on them.
"""

import gc
import math
import time

import numpy as np

import tlcourse as tl
from tlcourse.models.blocks import batch_norms, find_blocks
from tlcourse.models.efficientnet_lite import EfficientNetLite
from tlcourse.models.recipes import RECIPES
from tlcourse.models.weights import preprocessing_layers

BATCH = 8
FEWEST, MOST, ENOUGH = 2, 7, 60  # steps at each cut, and seconds for all of them
# Shares of the blocks that are trained. Compiling a step takes most of the time.
SHARES, SHARES_OF_OTHERS = (0, 0.25, 0.5, 0.75, 1), (0, 0.5, 1)


def blocks() -> dict:
    """Network → its blocks, and the seconds per picture in training."""
    found = {}
    for name in RECIPES:
        network = random_network(name)
        found[name] = {
            "pixels": network.input_shape[1],
            "features": network.layers[-1].kernel.shape[0],
            "blocks": count_blocks(network),
            "seconds": seconds(name, network),
        }
        print(f"  {name}: {found[name]['seconds']}", flush=True)
    return found


def count_blocks(network) -> list[dict]:
    """Each block's parameters, and for one picture its outputs and multiply-adds.

    "trainable": the parameters that fine-tuning may change, without batch norm's.
    """
    counts = []
    for name, layers in find_blocks(network).blocks.items():
        weights = {id(w): w for layer in layers for w in layer.weights}
        norms = {id(w) for norm in batch_norms(layers) for w in norm.weights}
        sizes = {key: math.prod(weight.shape) for key, weight in weights.items()}
        outputs = work = 0
        for layer in layers:
            shape = output_shape(layer)
            outputs += math.prod(shape)
            # Each weight of a filter is multiplied once at each position of the output.
            filters = sum(math.prod(w.shape) for w in layer.weights if len(w.shape) > 1)
            work += filters * math.prod(shape[:-1])
        counts.append(
            {
                "name": name,
                "parameters": sum(sizes.values()),
                "trainable": sum(
                    size for key, size in sizes.items() if key not in norms
                ),
                "outputs": outputs,
                "multiply_adds": work,
            }
        )
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


def seconds(name: str, network) -> dict:
    """Seconds per picture of a training step at some cuts, taken in turn.

    "in_fit": forward through everything, back to the cut. "computed_once": the
    activations at the cut are there, and only the blocks behind it are run.
    """
    parts = find_blocks(network).blocks
    names = list(parts)
    shape = (BATCH, *network.input_shape[1:])
    pixels = np.random.default_rng(0).integers(0, 256, shape).astype(np.float32)
    shares = SHARES_OF_OTHERS if RECIPES[name].application else SHARES
    cuts = sorted({round(share * len(names)) for share in shares})
    steps = {}
    for trained in cuts:
        tl.unfreeze(network)
        if trained < len(names):
            tl.freeze(network, up_to=names[-trained - 1])
        steps["in_fit", trained] = Step(network, pixels)
        if trained < len(names):
            cut = parts[names[-trained - 1]][-1].output
            steps["computed_once", trained] = step_behind(network, cut, pixels)
    rounds, start = 0, time.perf_counter()
    while rounds < FEWEST or rounds < MOST and time.perf_counter() - start < ENOUGH:
        for step in steps.values():
            step.take()
        rounds += 1
    gc.collect()
    steps["computed_once", len(names)] = steps["in_fit", len(names)]
    return {"learning": cuts} | {
        way: [steps[way, trained].seconds for trained in cuts]
        for way in ("in_fit", "computed_once")
    }


def step_behind(network, cut, pixels: np.ndarray) -> "Step":
    import keras

    before = keras.Model(network.inputs[0], cut)
    behind = keras.Model(cut, network.outputs[0])
    return Step(behind, np.asarray(before(pixels)))


class Step:
    """A training step with the flags as they are now, to be taken again and again.

    Attributes
    ----------
    seconds : float
        Per picture, in the fastest step so far.
    """

    def __init__(self, network, inputs: np.ndarray):
        import keras

        self.seconds = float("inf")
        self._network = keras.Model(network.inputs, network.outputs)  # compiled apart
        self._network.compile("adam", "sparse_categorical_crossentropy")
        self._batch = inputs, np.arange(len(inputs)) % 2
        self._network.train_on_batch(*self._batch)  # traces

    def take(self) -> None:
        start = time.perf_counter()
        self._network.train_on_batch(*self._batch)
        seconds = (time.perf_counter() - start) / BATCH
        self.seconds = round(min(self.seconds, seconds), 5)
