"""Try your own: what a classifier says of a picture, its neighbours, and a heat map."""

import os
from functools import partial
from os import PathLike
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ..datasets.core import Split
from ..errors import UserInputError, printable
from ..features.decoding import EXTENSIONS, BitDepth, read_file
from ..features.pictures import one_picture
from ..features.resizing import InputSize, prepare
from ..models.vision import PretrainedModel
from ..plots import pictures
from ..plots.figure import Figure
from ..plots.grids import lay_over
from ..server import UPLOAD
from ..training.probe import LinearProbe
from ..validation import shown
from .base import Answer, label_bars
from .own import OwnWidget, in_words

# Of a file: without `tlcourse.server` Jupyter's closes the connection on larger messages.
MEGABYTES = int(os.environ.get(UPLOAD, 10))
LIKELY = 5  # classes that are shown
REGIONS = (
    ("at the top left", "at the top", "at the top right"),
    ("on the left", "in the middle", "on the right"),
    ("at the bottom left", "at the bottom", "at the bottom right"),
)


class TryYourOwn(OwnWidget):
    """A button for a picture of your own: probabilities, neighbours and a heat map.

    The picture goes from the browser to the kernel, and is kept neither on disk nor in
    the notebook. The heat map is a class activation map (B. Zhou et al., "Learning Deep
    Features for Discriminative Localization", CVPR 2016): the classifier's weights,
    applied at each position of the network's last block.

    Parameters
    ----------
    model : PretrainedModel
        From `tl.load_pretrained_model`.
    classifier : LinearProbe
        A linear probe on this model's features, from `tl.train_classifier`.
    train : Split
        The n training pictures.
    train_features : array_like of float, shape (n, d)
        Their features.
    examples : Split, optional
        Pictures to choose from a list; those of `train`, if none are given.
    """

    def __init__(
        self,
        model: PretrainedModel,
        classifier: LinearProbe,
        train: Split,
        train_features: ArrayLike,
        examples: Split | None = None,
    ) -> None:
        is_probe = isinstance(classifier, LinearProbe)
        if not isinstance(model, PretrainedModel) or not is_probe:
            raise UserInputError(
                f"model is {shown(model)}, classifier {shown(classifier)}; expected a "
                "vision model of tl.load_pretrained_model() and the linear probe that "
                "tl.train_classifier returns."
            )
        self._begin(model, train, train_features, examples)
        self._classifier = classifier
        self._weights, _ = classifier.kernel_and_bias()
        if len(self._weights) != model.feature_dim:
            raise UserInputError(
                f"classifier was trained on {len(self._weights):,} features; expected "
                f"the {model.feature_dim:,} of {model.name}."
            )

    def answer(
        self, picture: str | PathLike | bytes | np.ndarray, name: str | None = None
    ) -> Answer:
        """Answer for one picture.

        Parameters
        ----------
        picture : str, path, bytes or array of shape (h, w) or (h, w, 3)
            A file, its content, or pixels, uint8. EXIF orientation is respected.
        name : str, optional
            What an error calls it.
        """
        content: bytes | np.ndarray  # prepared as `extract_features` does it
        if isinstance(picture, np.ndarray):
            content = np.asarray(one_picture(picture)).astype(np.uint8)
        elif isinstance(picture, bytes):
            content = picture
        else:
            content, name = read_file(picture), name or str(picture)
        height, width = self._model.input_size
        size = InputSize(height, width, self._model.resize)
        pixels = prepare(content, size, name or "the picture", BitDepth())
        last = list(self._model.blocks)[-1]
        # Without the cache: the picture is its owner's alone.
        features = self._model.extract_features([pixels], cache=False)
        grid = self._model.activations([pixels], last, cache=False)[0]
        probabilities = self._classifier.predict_proba(features)[0]
        best = np.argsort(-probabilities, kind="stable")[:LIKELY]
        heat = np.maximum(grid.astype(np.float32) @ self._weights[:, best[0]], 0)
        heat = heat / heat.max() if heat.max() > 0 else heat
        names = [printable(self._classifier.class_names[k]) for k in best]
        shares = probabilities[best]
        likely = dict(zip(names, shares, strict=True))
        near = self._neighbours.of(features[0])
        text = ", ".join(f"{name} {share:.0%}" for name, share in likely.items())
        text += f".\nNearest training pictures: {in_words(near)}.\n"
        text += f"The strongest evidence for {names[0]} is {_region(heat)}."
        return Answer(text, partial(self._draw, likely, pixels, heat, near))

    def _draw(
        self,
        likely: dict[str, float],
        pixels: np.ndarray,
        heat: np.ndarray,
        near: list[tuple],
    ) -> Figure:
        neighbours, texts = self._neighbours.shown(near)
        titles = [
            "probabilities",
            "the picture",
            f"evidence for {[*likely][0]}",
            *texts,
        ]
        grey = pixels.mean(axis=-1).astype(np.uint8)
        sheet = pictures([None, pixels, grey, *neighbours], titles, len(titles))
        label_bars(sheet.axes[0], [*likely], [*likely.values()])
        lay_over(sheet.axes[2], heat)
        return sheet

    def _buttons(self, ipywidgets: Any) -> list:
        self.upload = ipywidgets.FileUpload(
            accept=",".join(sorted(EXTENSIONS)),
            description=f"A picture, up to {MEGABYTES} MB",
            layout={"width": "auto"},
        )
        self.upload.observe(self._uploaded, "value")
        return [self.upload]

    def _uploaded(self, change: dict) -> None:
        name, content = take_file(self.upload)
        if name is not None:
            self._show_own(self._answer_to_file, name, content)

    def _answer_to_file(self, name: str, content: bytes) -> Answer:
        if len(content) > MEGABYTES * 1e6:
            raise UserInputError(
                f"{name} has {len(content) / 1e6:.1f} MB; expected at most {MEGABYTES}. "
                "Or pass its path to the widget's answer()."
            )
        return self.answer(content, name)


def take_file(upload: Any) -> tuple[str | None, bytes]:
    """Name and content of an uploaded file, which the button then forgets.

    ipywidgets 8 has a tuple of dictionaries, ipywidgets 7 (Colab) one by name.
    """
    value = upload.value
    if not value:
        return None, b""
    if isinstance(value, dict):
        name, file = next(iter(value.items()))
        upload.metadata, upload.data, upload._counter = [], [], 0
    else:
        name, file = value[0]["name"], value[0]
        upload.value = ()
    return name, bytes(file["content"])


def _region(heat: np.ndarray) -> str:
    """Where the map is highest, in words, such as "at the top left"."""
    row, column = np.unravel_index(heat.argmax(), heat.shape)
    return REGIONS[3 * row // len(heat)][3 * column // heat.shape[1]]
