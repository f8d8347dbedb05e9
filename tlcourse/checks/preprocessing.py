"""Whether a function prepares pixels as a network was trained to get them."""

from collections.abc import Callable
from typing import Any

import numpy as np

from ..datasets.bundled import load_samples
from ..errors import CheckError, UserInputError
from ..features.pictures import resize
from ..models.recipes import RECIPES
from ..models.weights import preprocess
from ..validation import shown

SAMPLES = ("astronaut", "coffee")  # in colour, with pixels from black to white
SIMILAR = 0.01  # share of the range: (x − 127) / 128 will do for x / 127.5 − 1
MEANS = np.array([123.675, 116.28, 103.53])  # of ImageNet, RGB, in pixels
DEVIATIONS = np.array([58.395, 57.12, 57.375])
EXPECTED = {
    "lite": "each pixel less 127, divided by 128: about -1 to 1",
    "scaled": "pixels scaled to [-1, 1]",
    "caffe": "blue, green, red in this order, each less ImageNet's mean",
    "raw": "pixels from 0 to 255 as they are",
}


def assert_preprocessing(model: Any, function: Callable) -> None:
    """Assert that a function prepares pixels as the bare network expects them.

    A bare network has no preprocessing inside, as those of `keras.applications`. What
    `tl.load_pretrained_model` loads preprocesses by itself: its `network`,
    `extract_features` and `tl.fine_tune` take pixels from 0 to 255, and no function.

    The function is called with two photographs, as whole numbers and as floats, and its
    results are compared with `model.preprocess`.

    Parameters
    ----------
    model : PretrainedModel or str
        From `load_pretrained_model`, or its name; the weights are not needed.
    function : callable
        Pixels (n, height, width, 3) in [0, 255], uint8 or float32, RGB → the network's
        input. One that takes a single picture will do.

    Raises
    ------
    CheckError
        It does something else, and what; or it changes its argument.
    UserInputError
        Unknown model, or the function fails.

    Examples
    --------
    >>> import tlcourse as tl
    >>> scale = lambda images: images.astype("float32") / 127.5 - 1
    >>> tl.checks.assert_preprocessing("mobilenet_v2", scale)
    """
    name = getattr(model, "name", model)
    if not isinstance(name, str) or name not in RECIPES:
        raise UserInputError(
            f"{shown(model)} was given for a model; expected one of "
            "tl.load_pretrained_model() that takes pictures, or its name: "
            f"{', '.join(RECIPES)}."
        )
    recipe, called = RECIPES[name], _name(function)
    samples = load_samples().test
    indices = [samples.class_names.index(sample) for sample in SAMPLES]
    size = (recipe.size, recipe.size)
    pictures = np.stack([resize(samples.images[index], size) for index in indices])
    problems, in_place, error = [], False, None
    for kind in (np.uint8, np.float32):
        result, changed = _call(function, pictures.astype(kind))
        in_place = in_place or changed
        if isinstance(result, Exception):
            error, problem = error or result, None
        else:
            problem = _problem(result, pictures, recipe.pixels)
        problems.append(problem)
    whole_numbers, floats = problems
    if whole_numbers is None and floats is None:
        raise UserInputError(
            f"{called} cannot be run on pixels of shape {pictures.shape} ({error}). "
            "Expected a function of one argument, the pixels: function(images)."
        ) from error
    if whole_numbers or floats:
        raise CheckError(
            f"{called} {_described(whole_numbers or '', floats or '')} {name} was "
            f"trained with something else: {EXPECTED[recipe.pixels]}. It will see "
            "something in every picture, but not what it was trained to see. Give the "
            "bare network model.preprocess(images); a network that preprocesses by "
            "itself, as those of this course do, the pixels as they are."
        )
    if in_place:
        raise CheckError(
            f"{called} is right, and changes its argument in place. Where the same "
            "pictures come a second time, as when a cell is run again, they are "
            "preprocessed twice. Give it a copy: function(images.copy()), or take "
            "model.preprocess(images), which leaves them alone."
        )


def _call(function: Callable, pictures: np.ndarray) -> tuple[Any, bool]:
    """The result, or how the function fails; and whether it changed its argument."""
    before = pictures.copy()
    try:
        result = np.asarray(function(pictures))
    except Exception:  # perhaps it takes a single picture
        pictures = before.copy()
        try:
            result = np.stack([np.asarray(function(each)) for each in pictures])
        except Exception as error:
            return error, False
    return result.copy(), not np.array_equal(before, pictures)


def _problem(result: np.ndarray, pictures: np.ndarray, kind: str) -> str:
    """What a function does instead of the right preprocessing, or ""."""
    expected = preprocess(pictures, kind)
    if result.shape != expected.shape or result.dtype.kind not in "uif":
        return (
            f"makes an array of shape {result.shape} and type {result.dtype} of one of "
            f"shape {pictures.shape}; expected numbers in the same shape."
        )
    if _similar(result, expected):
        return ""
    for what, reading in _known_results(pictures.astype(np.float64), kind).items():
        if _similar(result, reading):
            return f"{what}."
    return (
        f"makes numbers from {result.min():.3g} to {result.max():.3g} of them, "
        f"{result.mean():.3g} on average."
    )


def _similar(result: np.ndarray, expected: np.ndarray) -> bool:
    difference = np.abs(result.astype(np.float64) - expected).max()
    return bool(difference <= SIMILAR * np.ptp(expected))  # False for NaN


def _described(whole_numbers: str, floats: str) -> str:
    """What a function does, where it may be right for one of the two dtypes."""
    if not floats:
        return (
            "is right for floats, but whole numbers (uint8) overflow below 0 and above "
            f"255: of these it {whole_numbers} Make floats of them first: "
            "images.astype('float32')."
        )
    return whole_numbers or f"is right for whole numbers; of floats it {floats}"


def _known_results(x: np.ndarray, kind: str) -> dict[str, np.ndarray]:
    """What people's functions do → what comes out of it."""
    once = preprocess(x, kind)
    known = {
        "preprocesses twice": preprocess(once, kind),
        "is right, but exchanges red and blue": once[..., ::-1],
        "exchanges red and blue": x[..., ::-1],
        "leaves the pixels as they are": x,
    }
    scaled = {
        "scales the pixels to [0, 1]": x / 255,
        "scales the pixels to [-1, 1]": x / 127.5 - 1,
        "subtracts ImageNet's mean": x - MEANS,
        "subtracts ImageNet's mean and divides by its deviation": (x - MEANS)
        / DEVIATIONS,
        "scales the pixels to [0, 1] twice": x / 255 / 255,
    }
    each = "standardises each picture by its own mean and deviation"
    everything = "standardises the pictures by the mean and deviation of all of them"
    for what, axes in ((each, (1, 2, 3)), (everything, None)):
        deviation = x.std(axes, keepdims=True)
        scaled[what] = (x - x.mean(axes, keepdims=True)) / deviation
    for what, reading in scaled.items():
        known[what] = reading
        known[f"{what}, and exchanges red and blue"] = reading[..., ::-1]
    return known


def _name(function: Callable) -> str:
    name = getattr(function, "__name__", None) or getattr(function, "name", None)
    return "Your function" if name == "<lambda>" else name or type(function).__name__
