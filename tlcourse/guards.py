"""Assertions that explain: what training changed, what is frozen, which pictures stand in two splits."""

import io
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import lru_cache, partial
from itertools import combinations, islice
from os import PathLike
from typing import NamedTuple

import numpy as np

from .errors import TLCourseError, UserInputError
from .freezing import FreezeTable, Parts, batch_norms, find_blocks, leaves, table
from .inputs import as_pictures
from .pictures import open_picture

LISTED = 4  # names that a message lists before it says how many more there are


class GuardError(TLCourseError, AssertionError):
    """Something is not as a guard asserts it. The message says what, why it matters and what to do."""


class LeakageError(GuardError):
    """The same picture stands in two splits.

    Attributes:
        pairs: list of `Pair`.
        figure: function without arguments that shows the first pairs side by side.
    """

    def __init__(self, message: str, pairs: "list[Pair]", figure: Callable):
        super().__init__(message)
        self.pairs, self.figure = pairs, figure


# What changed


@dataclass(frozen=True)
class Snapshot:
    """A model's weights at one moment. Made by `snapshot`.

    Attributes:
        name: the model's name.
        weights: weight's name → a copy of it, from the pixels on.
        groups: name of a block, layer or nested model → names of the weights in it.
        blocks: the names of the blocks, with "your layers" for what was put around them.
        statistics: names of the moving means and variances of batch norms.
        norms: names of all weights of batch norms.
        trainable: names of the weights that `fit` would train.
        compiled: whether the model was compiled.
        stale: sentence on `trainable` changed since the last `compile`, or "".
    """

    name: str
    weights: dict[str, np.ndarray] = field(repr=False)
    groups: dict[str, frozenset[str]] = field(repr=False)
    blocks: tuple[str, ...] = field(repr=False)
    statistics: frozenset[str] = field(repr=False)
    norms: frozenset[str] = field(repr=False)
    trainable: frozenset[str] = field(repr=False)
    compiled: bool
    stale: str


def snapshot(model) -> Snapshot:
    """Copy a model's weights, to be compared by `assert_changed` with those after training.

    Args:
        model: a `PretrainedModel` or a built `keras.Model`; training it later does not change the copy.

    Raises:
        UserInputError: as `tl.freeze`.
    """
    parts = find_blocks(model)
    names = _weight_names(parts.network)
    groups: dict[str, set] = {}
    for block, layers in parts.layers.items():
        groups.setdefault(block, set()).update(names[id(weight)] for layer in layers for weight in layer.weights)
    for layer in _layers_and_models(parts.network):
        groups.setdefault(layer.name, set()).update(names[id(weight)] for weight in layer.weights)
    norms = batch_norms(list(leaves(parts.network)))
    return Snapshot(
        parts.network.name,
        {names[id(weight)]: weight.numpy() for weight in parts.network.weights},
        {name: frozenset(weights) for name, weights in groups.items()},
        tuple(parts.layers),
        frozenset(names[id(weight)] for norm in norms for weight in (norm.moving_mean, norm.moving_variance)),
        frozenset(names[id(weight)] for norm in norms for weight in norm.weights),
        frozenset(names[id(weight)] for weight in parts.network.trainable_weights),
        parts.network.compiled,
        _stale(parts.network),
    )


def assert_changed(before, after, only: str | Sequence[str] | None = None) -> None:
    """Assert that training changed what it was meant to change, and nothing else.

    Args:
        before, after: `snapshot(model)` before and after training; `after` may be the model itself.
        only: names of the blocks, layers or nested models that were meant to change ("your layers": those around
            the pretrained part); an empty list: nothing was; None: anything may have changed, something must have.

    Raises:
        GuardError: nothing changed; something else changed; a layer that was meant to change did not.
        UserInputError: unknown name, or two different models.
    """
    if before is after:
        raise UserInputError(
            "before and after are the same object, which cannot tell what changed. Call tl.guards.snapshot(model) "
            "before training and give what it returns as before."
        )
    before, after = (side if isinstance(side, Snapshot) else snapshot(side) for side in (before, after))
    if {k: v.shape for k, v in before.weights.items()} != {k: v.shape for k, v in after.weights.items()}:
        raise UserInputError(
            f"before ({before.name!r}) and after ({after.name!r}) have different weights; expected the same model "
            "before and after training."
        )
    changed = [name for name in after.weights if not _same(before.weights[name], after.weights[name])]
    meant = _meant(after, only)
    if not changed and (only is None or meant):
        raise GuardError(
            f"Nothing changed: all {len(after.weights)} weights of {after.name!r} are as before. " + _why_nothing(after)
        )
    if only is None:
        return
    outside = [name for name in changed if name not in meant]
    idle = _idle(after, meant, set(changed))
    sentences = [_about_outside(after, outside, only)] if outside else []
    if idle:
        sentences.append(_about_idle(after, idle))
    if sentences:
        raise GuardError(" ".join(sentences))


def _same(before: np.ndarray, after: np.ndarray) -> bool:
    return np.array_equal(before, after, equal_nan=before.dtype.kind == "f")


def _meant(after: Snapshot, only) -> set[str]:
    """The weights that were meant to change."""
    wanted = [only] if isinstance(only, str) else list(only or ())
    for name in wanted:
        if name not in after.groups and name not in after.weights:
            raise UserInputError(
                f"only names {name!r}, which {after.name!r} does not have. Its blocks: {', '.join(after.blocks)}; "
                "names of layers will do, too."
            )
    return {weight for name in wanted for weight in after.groups.get(name, {name})}


def _idle(after: Snapshot, meant: set[str], changed: set[str]) -> list[str]:
    """Layers that were meant to change and did not. Batch norm is to rest in a trained block."""
    layers: dict[str, bool] = {}
    expected = meant - after.norms or meant
    for weight in after.weights:
        if weight in expected:
            layer = weight.rpartition("/")[0]
            layers[layer] = layers.get(layer, False) or weight in changed
    return [layer for layer, moved in layers.items() if not moved]


def _why_nothing(after: Snapshot) -> str:
    if after.stale:
        return after.stale
    if not after.compiled:
        return "The model is not compiled, so fit cannot have trained it. Compile it, then train it."
    if not after.trainable:
        return "Every layer is frozen: `trainable` is False everywhere. Unfreeze some (tl.unfreeze), then compile."
    return (
        "Was the model trained between the two? Was `trainable` changed after compile()? Changing it without compiling "
        "again does nothing (tl.freeze and tl.unfreeze compile). Is the learning rate 0?"
    )


def _about_outside(after: Snapshot, outside: list[str], only) -> str:
    wanted = "nothing" if not len(only) else "only " + (only if isinstance(only, str) else ", ".join(only))
    text = f"{len(outside)} weights changed that were to stay ({wanted} was meant to change): {_some(outside)}."
    moved = [name for name in outside if name in after.statistics]
    if moved:
        text += (
            f" {moved[0]} is a batch norm's running statistic. It follows the batches in fit, without gradient and at "
            "any learning rate, as long as the batch norm itself is trainable; the features that the pretrained "
            "network learned no longer fit it. Set trainable = False on the batch norms, last, and compile "
            "(tl.freeze and tl.unfreeze do)."
        )
    if len(moved) < len(outside):
        text += " " + (
            after.stale
            or "The others were trainable when the model was compiled. Freeze them with tl.freeze before training."
        )
    return text


def _about_idle(after: Snapshot, idle: list[str]) -> str:
    text = f"{len(idle)} layers were meant to change and did not: {_some(idle)}."
    if after.stale:
        return f"{text} {after.stale}"
    frozen = [layer for layer in idle if not any(name.rpartition("/")[0] == layer for name in after.trainable)]
    if frozen:
        return f"{text} {_some(frozen)}: frozen. tl.unfreeze makes a block trainable and compiles the model again."
    return (
        f"{text} They are trainable now. Was `trainable` changed after compile()? Changing it without compiling again "
        "does nothing."
    )


def _some(names: Sequence[str]) -> str:
    more = len(names) - LISTED
    return ", ".join(names[:LISTED]) + (f" and {more} more" if more > 0 else "")


def _layers_and_models(model) -> Iterator:
    for layer in model.layers:
        yield layer
        yield from _layers_and_models(layer) if hasattr(layer, "layers") else ()


def _weight_names(network) -> dict[int, str]:
    """id of a weight → "nested model/layer/weight", the same in every process."""
    names: dict[int, str] = {}

    def walk(container, prefix: str) -> None:
        for layer in container.layers:
            if hasattr(layer, "layers"):
                walk(layer, f"{prefix}{layer.name}/")
            for weight in layer.weights:
                tail = weight.path.rpartition(f"{layer.name}/")[2]
                names.setdefault(id(weight), f"{prefix}{layer.name}/{tail}")

    walk(network, "")
    for weight in network.weights:  # weights of a subclassed model's own
        names.setdefault(id(weight), weight.path)
    return names


# What is frozen


def frozen_report(model) -> FreezeTable:
    """The table of `tl.freeze` for a model as it stands, with warnings on what is likely to be wrong.

    Args:
        model: as for `tl.freeze`. Nothing is changed.

    Raises:
        UserInputError: as `tl.freeze`.
    """
    parts = find_blocks(model)
    warnings = (_about_moving(parts), *_about_containers(parts.network), _stale(parts.network))
    compiled = "compiled" if parts.network.compiled else "not compiled yet"
    return table(parts, [f"The model is {compiled}."], [text for text in warnings if text])


def _about_moving(parts: Parts) -> str:
    blocks = [layer for layers in parts.blocks.values() for layer in layers]
    moving = [norm.name for norm in batch_norms(blocks) if norm.trainable]
    if not moving or not parts.known and all(layer.trainable for layer in blocks):  # trained from scratch, it seems
        return ""
    return (
        f"{len(moving)} batch norms would move in fit: {_some(moving)}. Their running means and variances follow your "
        "batches at any learning rate, and training=False in the call does not prevent it. tl.freeze and tl.unfreeze "
        "freeze them."
    )


def _about_containers(network) -> Iterator[str]:
    for model in (network, *(layer for layer in _layers_and_models(network) if hasattr(layer, "layers"))):
        inside = sum(weight.trainable for weight in model.weights)
        if not model.trainable and inside and model is network:
            yield f"{model.name}.trainable is False, so fit trains nothing, for all its {inside} trainable weights."
        elif not model.trainable and inside:
            yield (
                f"{model.name}.trainable is False and {model.name}.trainable_weights is empty, but fit trains {inside} "
                "of its weights: layers within were made trainable afterwards. Ask the whole model, not the base; "
                "tl.freeze(model, up_to=…) sets both."
            )


def _stale(network) -> str:
    """A sentence if `trainable` changed since the optimizer took its list of weights, which is at the first fit."""
    optimizer = network.optimizer if network.compiled else None
    optimizer = getattr(optimizer, "inner_optimizer", optimizer)
    if optimizer is None or not optimizer.built:
        return ""
    names = _weight_names(network)
    known = {id(weight) for weight in getattr(optimizer, "_trainable_variables", network.trainable_weights)}
    now = {id(weight) for weight in network.trainable_weights}
    frozen = [name for key, name in names.items() if key in known - now]
    unfrozen = [name for key, name in names.items() if key in now - known]
    parts = []
    if unfrozen:
        parts.append(f"{len(unfrozen)} weights were made trainable ({_some(unfrozen)}) and are not trained")
    if frozen:
        parts.append(f"{len(frozen)} weights were frozen ({_some(frozen)}) and are trained all the same")
    if not parts:
        return ""
    return (
        f"`trainable` was changed after compile(): {'; '.join(parts)}. Changing it without compiling again does "
        "nothing. Call model.compile(…) again, with a new optimizer (tl.freeze and tl.unfreeze do)."
    )


# What leaked


HASH_SIDE = 16  # a hash has 16 × 16 bits
ALIKE = 60  # bits that may differ in candidates; cropping two pixels of a solar cell's picture changes up to 80
SIDE = 64  # candidates are compared at this many pixels a side, or their own number if it is less
WORK = 512  # larger pictures are made smaller before they are compared
CROPPED = 4  # pixels: a picture that is smaller than the other by up to so many may have been cut out of it
QUALITY = 50  # of the JPEG that tells how much a picture may change and still be the same
MOST = 1000  # pairs of two splits after which the search ends
LOOKS = 4096  # small grey versions of each split kept at a time, 4 kB each
TOLERANCE = (0.75, 1.4)  # grey levels of difference that are always allowed; times what that JPEG changes


class Pair(NamedTuple):
    """One picture in two splits: the splits' names, and in each the picture's path, or its place where it has none."""

    first_split: str
    first: object
    second_split: str
    second: object
    mirrored: bool


def assert_disjoint(first, second, *more, names: Sequence[str] = (), show: int = 4) -> None:
    """Assert that no picture stands in two splits, nor a copy that was resized, re-encoded, brightened or mirrored.

    Candidates are found by a perceptual hash (`imagehash.phash`, 256 bits), and kept if their small grey versions
    differ hardly more than a picture differs from itself after JPEG at quality 50: two solar cells that look alike
    are two. Only the hashes are kept in memory; candidates are read again.

    Args:
        first, second, more: the pictures of each split, in whatever `extract_features` takes. (Of a
            `tf.data.Dataset`, which cannot be read in the same order again, small grey versions are kept.)
        names: of the splits, for the message; None: "the first", "the second", …
        show: how many pairs the message lists and the figure shows. In a notebook the figure is shown with the error.

    Raises:
        LeakageError: with the pairs, and the first of them side by side.
        UserInputError, PictureError: as `extract_features`.
    """
    collections = (first, second, *more)
    names = tuple(names) or ("the first", "the second", "the third", "the fourth", "the fifth")[: len(collections)]
    if isinstance(names, str) or len(names) != len(collections):
        raise UserInputError(f"{len(names)} names came with {len(collections)} splits; expected one for each.")
    splits = [_Split(name, images) for name, images in zip(names, collections, strict=True)]
    found = [pair for one, other in combinations(splits, 2) for pair in _shared(one, other)]
    if not found:
        return
    figure = partial(_figure, found[:show])
    _display(figure)
    raise LeakageError(_about_leak(splits, found, show), [pair for pair, _, _ in found], figure)


class _Split:
    """A collection of pictures: one hash each, and the pictures again when they are asked for."""

    def __init__(self, name: str, images):
        self.name = name
        if hasattr(images, "as_numpy_iterator"):  # may come in another order the next time
            images = [np.asarray(_shrunk(_grey(picture, WORK), 2 * SIDE)) for picture in as_pictures(images)[0]]
        elements, _ = as_pictures(images)
        if isinstance(elements, list):
            images = elements
        self.images = list(images.flat) if isinstance(images, np.ndarray) and images.dtype.kind in "OU" else images
        elements, hashes = iter(elements), []
        with ThreadPoolExecutor(2) as pool:
            while part := list(pool.map(_hashes, islice(elements, 64))):  # some at a time: grey ones come as colour
                hashes += part
        if not hashes:
            raise UserInputError(f"There are no pictures in {name}; at least one is needed.")
        self.plain, self.mirrored = (np.stack(side) for side in zip(*hashes, strict=True))
        self.work = lru_cache(128)(lambda place: _shrunk(_grey(self.images[place], WORK), WORK))
        self.look = lru_cache(LOOKS)(lambda place: _Look.of(self.work(place)))

    def label(self, place: int):
        """The picture's path, or its place where it has none."""
        picture = self.images[place]
        return str(picture) if isinstance(picture, str | PathLike) else place


def _grey(picture, at_least: int):
    """A path or an array as a grey `PIL.Image.Image`; a large JPEG is decoded at a smaller size if that is enough."""
    from PIL import Image

    if isinstance(picture, str | PathLike):
        return open_picture(picture, (at_least, at_least)).convert("L")
    picture = np.squeeze(np.asarray(picture))
    if picture.dtype != np.uint8:
        picture = np.rint(picture).astype(np.uint8)
    return Image.fromarray(np.ascontiguousarray(picture)).convert("L")


def _shrunk(image, side: int):
    """A picture of at most so many pixels a side."""
    if max(image.size) > side:
        image = image.copy()
        image.thumbnail((side, side))
    return image


def _hashes(picture) -> tuple[np.ndarray, np.ndarray]:
    """The packed bits of the perceptual hash of a picture, and of its mirror image."""
    import imagehash
    from PIL import Image, ImageOps

    side = 4 * HASH_SIDE  # what phash makes it itself
    small = _grey(picture, 2 * side).resize((side, side), Image.Resampling.LANCZOS)
    return tuple(np.packbits(imagehash.phash(view, HASH_SIDE).hash) for view in (small, ImageOps.mirror(small)))


class _Look(NamedTuple):
    """What a picture is compared by: its size, a small grey version, and how much JPEG changes that."""

    size: tuple[int, int]
    pixels: np.ndarray
    noise: float

    @classmethod
    def of(cls, image) -> "_Look":
        side = min(SIDE, *image.size)
        pixels = _pixels(image, side)
        return cls(image.size, pixels, _distance(_pixels(_encoded(image), side), pixels))

    def mirror(self) -> "_Look":
        return self._replace(pixels=self.pixels[:, ::-1])


def _shared(one: _Split, other: _Split) -> list[tuple]:
    """The pictures that stand in both: (pair, place in one, place in other) with their splits; at most `MOST`."""
    from PIL import ImageOps

    found, seen, candidates = [], set(), list(_candidates(one, other))
    with ThreadPoolExecutor(2) as pool:  # read in two threads what is compared below, as far as it is kept
        for split, places in (
            (one, {first for first, _, _ in candidates}),
            (other, {there for _, there, _ in candidates}),
        ):
            list(pool.map(split.look, sorted(places)[:LOOKS]))
    for place, there, mirrored in candidates:
        if (place, there) in seen:
            continue
        first, second = one.look(place), other.look(there)
        if first.size == second.size:
            same = _same_look(first, second.mirror() if mirrored else second)
        else:
            picture = other.work(there)
            same = _same_picture(one.work(place), ImageOps.mirror(picture) if mirrored else picture)
        if same:
            seen.add((place, there))
            pair = Pair(one.name, one.label(place), other.name, other.label(there), mirrored)
            found.append((pair, (one, place), (other, there)))
        if len(found) == MOST:
            break
    return found


def _candidates(one: _Split, other: _Split) -> Iterator[tuple[int, int, bool]]:
    """Places in both whose hashes are alike, and whether the second is mirrored."""
    for start in range(0, len(one.plain), 256):
        rows = _signs(one.plain[start : start + 256])
        for begin in range(0, len(other.plain), 4096):
            for mirrored, hashes in ((False, other.plain), (True, other.mirrored)):
                product = rows @ _signs(hashes[begin : begin + 4096]).T
                for row, column in np.argwhere(product >= HASH_SIDE**2 - 2 * ALIKE):
                    yield start + int(row), begin + int(column), mirrored


def _signs(hashes: np.ndarray) -> np.ndarray:
    """Packed bits → float32 of ±1, whose product is the number of equal bits less the number of others."""
    return np.unpackbits(hashes, axis=1).astype(np.float32) * 2 - 1


def _same_picture(one, other) -> bool:
    """Whether two grey pictures of different sizes are one that was resized, or cut out of the other."""
    larger, smaller = sorted((one, other), key=lambda image: -image.width * image.height)
    if abs(np.log(larger.width / larger.height * smaller.height / smaller.width)) > 0.2:
        return False
    side = min(SIDE, *larger.size, *smaller.size)  # that of the smaller picture, unless one is narrow
    wanted = _pixels(smaller, side)
    noise = _distance(_pixels(_encoded(smaller), side), wanted)
    return any(
        _same_look(_Look(view.size, _pixels(view, side), 0), _Look(smaller.size, wanted, noise))
        for view in _cuts(larger, smaller)
    )


def _same_look(one: _Look, other: _Look) -> bool:
    """Whether two pictures differ no more than the noisier of them from itself after JPEG."""
    allowed = min(TOLERANCE[0], other.pixels.std() / 25)  # of an almost empty picture less
    return _distance(one.pixels, other.pixels) <= max(allowed, TOLERANCE[1] * max(one.noise, other.noise))


def _cuts(larger, smaller) -> list:
    """The larger picture, and if the other may have been cut out of it, every such cut."""
    wide, high = larger.width - smaller.width, larger.height - smaller.height
    if not (0 <= wide <= CROPPED and 0 <= high <= CROPPED and wide + high):
        return [larger]
    corners = [(x, y) for x in range(wide + 1) for y in range(high + 1)]
    return [larger, *(larger.crop((x, y, x + smaller.width, y + smaller.height)) for x, y in corners)]


def _pixels(image, side: int) -> np.ndarray:
    from PIL import Image

    return np.asarray(image.resize((side, side), Image.Resampling.BICUBIC))


def _distance(one: np.ndarray, other: np.ndarray) -> float:
    """Root of the mean squared difference in grey levels after the brightness, or the contrast, was made equal."""
    one, other = one.astype(np.float32), other.astype(np.float32)
    added = np.clip(np.median(other - one), -40, 40)
    light = one > 8
    gain = np.clip(np.median(other[light] / one[light]), 0.8, 1.25) if light.any() else 1
    spread = np.clip(np.cov(one.ravel(), other.ravel())[0, 1] / (one.var() + 1e-6), 0.8, 1.25)
    views = (one + added, one * gain, (one - one.mean()) * spread + other.mean())
    return float(min(np.sqrt(np.mean((np.clip(view, 0, 255) - other) ** 2)) for view in views))


def _encoded(image):
    from PIL import Image

    file = io.BytesIO()
    image.save(file, "JPEG", quality=QUALITY)
    return Image.open(file)


def _about_leak(splits: list[_Split], found: list[tuple], show: int) -> str:
    pairs = [pair for pair, _, _ in found]
    lines = [
        f"  {pair.first_split}: {pair.first}  =  {pair.second_split}: {pair.second}{' (mirrored)' * pair.mirrored}"
        for pair in pairs[:show]
    ]
    more = [f"  … and {len(pairs) - show} more, in error.pairs"] if len(pairs) > show else []
    sizes = ", ".join(f"{split.name} ({len(split.plain)})" for split in splits)
    return "\n".join(
        [
            f"{len(pairs)} pairs of the same picture stand in two splits of {sizes}. A picture that was seen in "
            "training is remembered, not recognised: the accuracy on the test pictures is then too high and says "
            "nothing about new ones. Remove one of each pair, best from the larger split, or split again so that all "
            "pictures of one thing are in one split. The first pairs:",
            *lines,
            *more,
        ]
    )


def _figure(found: list[tuple]):
    """The first pairs side by side, one pair a row of the grid."""
    from .plots import pictures

    shown = [(split, place) for _, *places in found for split, place in places]
    titles = [f"{split.name}\n{_short(split.label(place))}" for split, place in shown]
    return pictures(
        [np.asarray(split.work(place)) for split, place in shown], titles, columns=4 if len(found) > 1 else 2
    )


def _short(label) -> str:
    return f"number {label}" if isinstance(label, int) else label.replace("\\", "/").rpartition("/")[2][-28:]


def _display(figure: Callable) -> None:
    """Show the figure if this runs in a notebook; a traceback cannot hold pictures."""
    shell = "IPython" in sys.modules and sys.modules["IPython"].get_ipython()
    if shell and getattr(shell, "kernel", None) is not None:
        sys.modules["IPython"].display.display(figure())
