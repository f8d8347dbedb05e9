"""Whether a function of one's own prepares pixels as a network was trained to get them, and what it does instead."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from ..datasets.bundled import load_samples
from ..errors import GuardError, UserInputError
from ..features.pictures import resize
from ..models.recipes import RECIPES
from ..models.vision import PretrainedModel
from ..models.weights import preprocess

if TYPE_CHECKING:
    from ..models.recipes import Recipe

SHOWN = (
    "astronaut",
    "coffee",
)  # colour photographs whose pixels run from black to white
SAME = 0.01  # share of the wanted range by which pixels may differ: (x − 127) / 128 will do for x / 127.5 − 1
MEANS, DEVIATIONS = (
    np.array([123.675, 116.28, 103.53]),
    np.array([58.395, 57.12, 57.375]),
)  # of ImageNet, RGB, in pixels
WANTED = {
    "lite": "each pixel less 127, divided by 128: about -1 to 1",
    "scaled": "pixels scaled to [-1, 1]",
    "caffe": "blue, green, red in this order, each less ImageNet's mean",
    "raw": "pixels from 0 to 255 as they are",
}


def assert_preprocessing(model: PretrainedModel | str, function: Callable) -> None:
    """Assert that a function prepares pixels as the bare network wants them, one without its preprocessing inside.

    That is what `keras.applications` gives. What is loaded by `tl.load_pretrained_model` preprocesses by itself: its
    `network`, `extract_features` and `tl.fine_tune` take pixels from 0 to 255, and no function at all.

    The function is run on two photographs, as whole numbers and as floats, and compared with `model.preprocess`.

    Args:
        model: from `load_pretrained_model`, or its name; the weights are not needed.
        function: pixels (n, height, width, 3) in [0, 255], uint8 or float32, RGB → what the network is given. One that
            takes a single picture will do.

    Raises:
        GuardError: it does something else; the message says what. Or it changes the array that it is given.
        UserInputError: unknown model, or the function cannot be run.
    """
    name, recipe = _recipe(model)
    pictures = _photographs(recipe.size)
    wanted = preprocess(pictures, recipe.pixels)
    results = [_run(function, pictures.astype(kind)) for kind in (np.uint8, np.float32)]
    failed = [result for result, _ in results if isinstance(result, Exception)]
    if len(failed) == len(results):
        raise UserInputError(
            f"{_name(function)} cannot be run on pixels of shape {pictures.shape} ({failed[0]}). Expected a "
            "function of one argument, the pixels: function(images)."
        ) from failed[0]
    does = [
        ""
        if isinstance(result, Exception)
        else _misfit(result, pictures, wanted, recipe.pixels)
        for result, _ in results
    ]
    if any(does):
        raise GuardError(
            f"{_name(function)} {_in_words(*does)} {name} was trained with something else: {WANTED[recipe.pixels]}. It "
            "will see something in every picture, but not what it has learned to see. Give the bare network "
            "model.preprocess(images); a network that preprocesses by itself, as those of this course do, the pixels "
            "as they are."
        )
    if any(changed for _, changed in results):
        raise GuardError(
            f"{_name(function)} is right, and changes the array that it is given in place. Where the same pictures "
            "come a second time, as when a cell is run again, they are preprocessed twice. Give it a copy: "
            "function(images.copy()), or take model.preprocess(images), which leaves them alone."
        )


def _recipe(model: PretrainedModel | str) -> "tuple[str, Recipe]":
    name = getattr(model, "name", model)
    if not isinstance(model, PretrainedModel | str) or name not in RECIPES:
        raise UserInputError(
            f"{model!r} was given for a model; expected one of tl.load_pretrained_model() that takes pictures, or its "
            f"name: {', '.join(RECIPES)}."
        )
    return name, RECIPES[name]


def _photographs(size: int) -> np.ndarray:
    """Two photographs, uint8 (2, size, size, 3)."""
    samples = load_samples().test
    places = [samples.class_names.index(name) for name in SHOWN]
    return np.stack([resize(samples.images[place], (size, size)) for place in places])


def _run(
    function: Callable, pictures: np.ndarray
) -> tuple[np.ndarray | Exception, bool]:
    """What the function makes of them, or how it fails; and whether it changed what it was given."""
    before = pictures.copy()
    try:
        result = np.asarray(function(pictures))
    except Exception:  # a function of somebody's own may raise anything; perhaps it takes a single picture
        pictures = before.copy()
        try:
            result = np.stack([np.asarray(function(picture)) for picture in pictures])
        except Exception as error:
            return error, False
    if np.shares_memory(result, pictures):
        result = result.copy()
    return result, not np.array_equal(before, pictures)


def _misfit(
    result: np.ndarray, pictures: np.ndarray, wanted: np.ndarray, kind: str
) -> str:
    """What a function does, to follow its name, if that is not what is wanted; else ""."""
    if result.shape != wanted.shape or result.dtype.kind not in "uif":
        return (
            f"makes an array of shape {result.shape} and type {result.dtype} of one of shape {pictures.shape}; "
            "expected numbers in the same shape."
        )
    if _distance(result, wanted) <= SAME * np.ptp(wanted):
        return ""
    for what, reading in _readings(pictures.astype(np.float64), kind).items():
        if _distance(result, reading) <= SAME * np.ptp(reading):
            return what
    return f"makes numbers from {result.min():.3g} to {result.max():.3g} of them, {result.mean():.3g} on average."


def _in_words(of_whole_numbers: str, of_floats: str) -> str:
    """What a function does, where it may be right for one of the two kinds of pixels."""
    if not of_floats:
        return (
            "is right for floats, but whole numbers (uint8) cannot go below 0 nor above 255, and run over: of these it "
            f"{of_whole_numbers} Make floats of them first: images.astype('float32')."
        )
    return of_whole_numbers or f"is right for whole numbers; of floats it {of_floats}"


def _distance(result: np.ndarray, reading: np.ndarray) -> float:
    """The largest difference; infinite where something is not finite."""
    far = np.abs(result.astype(np.float64) - reading).max()
    return float(far) if np.isfinite(far) else np.inf


def _readings(x: np.ndarray, kind: str) -> dict[str, np.ndarray]:
    """What people's functions do, in words → what comes out of it."""
    plain = {
        "leaves the pixels as they are": x,
        "scales the pixels to [0, 1]": x / 255,
        "scales the pixels to [-1, 1]": x / 127.5 - 1,
        "subtracts ImageNet's mean": x - MEANS,
        "subtracts ImageNet's mean and divides by its deviation": (x - MEANS)
        / DEVIATIONS,
        "scales the pixels to [0, 1] twice": x / 255 / 255,
        "standardises each picture by its own mean and deviation": _standardised(
            x, axes=(1, 2, 3)
        ),
        "standardises the pictures by the mean and deviation of all of them": _standardised(
            x, axes=None
        ),
    }
    exchanged = {
        f"{what}, and exchanges red and blue": reading[..., ::-1]
        for what, reading in plain.items()
    }
    exchanged["exchanges red and blue"] = exchanged.pop(
        "leaves the pixels as they are, and exchanges red and blue"
    )
    once = preprocess(x, kind)
    twice = {
        "preprocesses twice": preprocess(once, kind),
        "is right, but exchanges red and blue": once[..., ::-1],
    }
    return {
        f"{what}.": reading
        for what, reading in (*twice.items(), *plain.items(), *exchanged.items())
    }


def _standardised(x: np.ndarray, axes: tuple[int, ...] | None) -> np.ndarray:
    return (x - x.mean(axes, keepdims=True)) / x.std(axes, keepdims=True)


def _name(function: Callable) -> str:
    name = (
        getattr(function, "__name__", None)
        or getattr(function, "name", None)
        or type(function).__name__
    )
    return "Your function" if name == "<lambda>" else f"{name}"
