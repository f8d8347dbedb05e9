"""What lies in each block of the published networks, and what an epoch costs at each cut: `tl.results("blocks")`.

Weights are random, so nothing is downloaded: counts and times do not depend on them.
"""

import gc
import time
from dataclasses import asdict
from functools import partial

import numpy as np

import tlcourse as tl
from tlcourse.models.blocks import count_blocks
from tlcourse.models.blocks import find_blocks
from tlcourse.models.efficientnet_lite import EfficientNetLite
from tlcourse.models.recipes import RECIPES
from tlcourse.models.weights import preprocessing_layers

BATCH = 8
FEWEST, MOST, ENOUGH = (
    2,
    7,
    60,
)  # turns of each cut, and seconds after which no more are needed
# Of the blocks: how many of the last ones learn where the time is measured. To prepare a step takes most of the time.
SHARES, SHARES_OF_OTHERS = (
    (0, 0.25, 0.5, 0.75, 1),
    (0, 0.5, 1),
)  # of the bundled networks, and of the others


def blocks() -> dict:
    """Every published network: its blocks counted, and the seconds of a picture in training at some cuts."""
    found = {}
    for name in RECIPES:
        found[name] = {**counted(name), "seconds": seconds(name)}
        print(f"  {name}: {found[name]['seconds']}", flush=True)
    return found


def counted(name: str) -> dict:
    """The published network's blocks, one entry a block, and how many numbers describe a picture at its end."""
    network = random_network(name)
    return {
        "pixels": network.input_shape[1],
        "features": network.layers[-1].kernel.shape[0],
        "blocks": [asdict(block) for block in count_blocks(network)],
    }


def random_network(name: str):
    """The network with a head for two classes: `keras.Model`, pixels → probabilities, its weights random."""
    import keras

    recipe = RECIPES[name]
    keras.utils.clear_session()
    pixels = keras.Input((recipe.size, recipe.size, 3), name="pixels")
    prepared = preprocessing_layers(pixels, recipe.pixels)
    build = (
        getattr(keras.applications, recipe.application)
        if recipe.application
        else partial(EfficientNetLite, name)
    )
    shape = (
        recipe.size,
        recipe.size,
        3,
    )  # it is what input_tensor says, but MobileNetV2 warns where it is not said
    base = build(
        weights=None,
        include_top=False,
        pooling="avg",
        input_tensor=prepared,
        input_shape=shape,
    )
    return keras.Model(
        pixels,
        keras.layers.Dense(2, "softmax", name="new_head")(base.outputs[0]),
        name=name,
    )


def seconds(name: str) -> dict:
    """Of one picture in training, where so many of the last blocks learn; all cuts take their turns.

    "in_fit": forward through everything and back to the cut. "computed_once": what comes in at the cut is there, and
    only the blocks behind it are run.
    """
    network = random_network(name)
    pixels = (
        np.random.default_rng(0)
        .integers(0, 256, (BATCH, *network.input_shape[1:]))
        .astype(np.float32)
    )
    parts = find_blocks(network).blocks
    names = list(parts)
    shares = SHARES_OF_OTHERS if RECIPES[name].application else SHARES
    cuts = sorted({round(share * len(names)) for share in shares})
    steps = {}
    for learning in cuts:
        set_cut(network, names, learning)
        steps["in_fit", learning] = Step(network, pixels)
        if learning < len(names):
            before, behind = at_cut(network, parts[names[-learning - 1]][-1].output)
            steps["computed_once", learning] = Step(behind, np.asarray(before(pixels)))
    took, began = 0, time.perf_counter()
    while took < FEWEST or (took < MOST and time.perf_counter() - began < ENOUGH):
        for step in steps.values():
            step.take()
        took += 1
    gc.collect()
    steps["computed_once", len(names)] = steps["in_fit", len(names)]
    ways = {
        way: [steps[way, learning].seconds for learning in cuts]
        for way in ("in_fit", "computed_once")
    }
    return {"learning": cuts, **ways}


def set_cut(network, names: list[str], learning: int) -> None:
    """So many of the last blocks and the head learn, batch norms excepted."""
    tl.unfreeze(network)
    if learning < len(names):
        tl.freeze(network, up_to=names[-learning - 1])


def at_cut(network, cut) -> tuple:
    """The network up to the cut, and behind it."""
    import keras

    return keras.Model(network.inputs[0], cut), keras.Model(cut, network.outputs[0])


class Step:
    """A step as `fit` takes it, Adam included, with the flags as they are now; it can be taken again and again.

    Attributes:
        seconds: of one picture in the fastest step so far: whatever else the machine does only makes them slower.
    """

    def __init__(self, network, batch: np.ndarray):
        import tensorflow as tf

        self._step, self._batch, self.seconds = (
            _training_step(network),
            tf.constant(batch),
            float("inf"),
        )
        float(self._step(self._batch))  # compiles

    def take(self) -> None:
        start = time.perf_counter()
        float(self._step(self._batch))
        self.seconds = round(
            min(self.seconds, (time.perf_counter() - start) / BATCH), 5
        )


def _training_step(network):
    """A step as `fit` takes it: forward through everything, back to the cut, Adam."""
    import keras
    import tensorflow as tf

    variables, optimizer = network.trainable_variables, keras.optimizers.Adam(1e-5)
    optimizer.build(variables)

    @tf.function(autograph=False)
    def step(batch):
        with tf.GradientTape() as tape:
            loss = -tf.reduce_mean(
                tf.math.log(network(batch, training=True)[:, 0] + 1e-7)
            )
        optimizer.apply(
            tape.gradient(loss, [variable.value for variable in variables]), variables
        )
        return loss

    return step
