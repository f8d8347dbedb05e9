"""Try your own: one picture of yours, what a classifier says of it, its neighbours, and where the network looked."""

from os import PathLike
from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib import colormaps

from ..datasets.core import Split
from ..errors import PictureError, TLCourseError, UserInputError, printable
from ..features.decoding import EXTENSIONS
from ..features.pictures import open_picture, resize
from ..foreign_text import escape_html
from ..models.vision import PretrainedModel
from ..plots import pictures as draw_pictures
from ..progress import quiet
from ..training.probe import LinearProbe
from .answer import Answer, as_page
from .files import content_of, forget
from .live import Live, has_canvas, image, let_colab_show_canvases, spoken
from .near import Near, thumbnail

if TYPE_CHECKING:
    import ipycanvas
    import ipywidgets
    from numpy.typing import ArrayLike

    from ..plots.figure import Figure

NEIGHBOURS = 3
OWN = -1  # in the list of examples: none of them; None would leave the list empty
EXAMPLES = 10  # pictures in the list beside the button
MOST_MEGABYTES = 10  # Jupyter's server closes the connection to the kernel where a message is larger (10 MiB)
SIDE, GAP = 224, 8  # dots of the canvas' two pictures, and between them
_PLACES = (
    ("top left", "top", "top right"),
    ("left", "middle", "right"),
    ("bottom left", "bottom", "bottom right"),
)


def try_your_own(
    model: PretrainedModel,
    classifier: LinearProbe,
    train: Split,
    train_features: "ArrayLike",
    examples: Split | None = None,
) -> "TryYourOwn":
    """A button to give a picture of your own: what the classifier says, its neighbours, and where the network looked.

    The picture goes from the browser to the kernel and is forgotten when the next one comes: it is kept neither on
    disk nor in the notebook. A file has at most 10 MB, which is all that Jupyter's server lets through.

    Args:
        model: from `load_pretrained_model`.
        classifier: a linear probe of `train_classifier` on this model's features.
        train, train_features: the pictures that it learned from, and their features, float (n, d).
        examples: pictures that can be chosen from a list, for those who have none at hand; None: those of train.

    Raises:
        UserInputError: no pretrained model, no linear probe, features that do not fit.
    """
    return TryYourOwn(model, classifier, train, train_features, examples)


def try_picture(
    picture: str | PathLike | bytes | np.ndarray,
    model: PretrainedModel,
    classifier: LinearProbe,
    train: Split,
    train_features: "ArrayLike",
) -> Answer:
    """What `try_your_own` says of one picture.

    Where the network looked is a class activation map (B. Zhou et al., "Learning Deep Features for Discriminative
    Localization", CVPR 2016): the classifier's weights, applied at each place of the network's last grid.

    Args:
        picture: a path, the bytes of a file, or uint8 (h, w, 3); EXIF orientation is respected.
        model, classifier, train, train_features: as for `try_your_own`.

    Raises:
        PictureError: no picture, cut short, damaged, or too large.
        UserInputError: as `try_your_own`.
    """
    return TryYourOwn(model, classifier, train, train_features).look(picture)


class TryYourOwn(Live):
    """A button and what is said of the picture given. Made by `try_your_own`."""

    def __init__(
        self,
        model: PretrainedModel,
        classifier: LinearProbe,
        train: Split,
        train_features: "ArrayLike",
        examples: Split | None = None,
    ) -> None:
        if not isinstance(model, PretrainedModel):
            raise UserInputError(
                f"model is a {type(model).__name__}; expected one that sees: model = tl.load_pretrained_model()."
            )
        if not isinstance(classifier, LinearProbe):
            raise UserInputError(
                f"classifier is a {type(classifier).__name__}; expected the linear probe that tl.train_classifier "
                "gives. For a network of tl.fine_tune: tuned.predict_proba(images) and tl.grad_cam(tuned, images)."
            )
        self._model, self._classifier = model, classifier
        self._near = Near(train, train_features)
        self._kernel, _ = classifier.kernel_and_bias()
        if (
            len(self._kernel) != model.feature_dim
            or self._near.width != model.feature_dim
        ):
            raise UserInputError(
                f"{model.name} gives {model.feature_dim:,} features; the classifier takes {len(self._kernel):,} and "
                f"train_features have {self._near.width:,}. Expected those of model.extract_features(train.images)."
            )
        self._examples = train if examples is None else examples

    @property
    def default(self) -> Answer:
        return self.look(self._examples.images[0])

    def look(
        self, picture: str | PathLike | bytes | np.ndarray, name: str | None = None
    ) -> Answer:
        """What it says of a picture, as `try_picture`; `name` is what an error calls it."""
        pixels = self._pixels(picture, name)
        with quiet():  # nothing is cached: the picture is nobody's but its owner's
            features = self._model.extract_features([pixels], cache=False)
            grid = self._model.activations(
                [pixels], list(self._model.blocks)[-1], cache=False
            )[0].astype(np.float32)
        probabilities = self._classifier.predict_proba(features)[0]
        order = np.argsort(-probabilities, kind="stable")
        names = self._classifier.class_names
        evidence = np.maximum(grid @ self._kernel[:, order[0]].astype(np.float32), 0)
        heat = evidence / evidence.max() if evidence.max() > 0 else evidence
        data = {
            "probabilities": {
                names[place]: round(float(probabilities[place]), 4)
                for place in order[:5]
            },
            "neighbours": self._near.about(features[0], NEIGHBOURS),
            "where": _where(heat),
        }
        text = _text(data)
        seen = pixels, over(pixels, heat)
        answer = Answer(
            text, data, lambda: self._draw(data, *seen), lambda: self._write(data, text)
        )
        self._seen: tuple[np.ndarray, np.ndarray] | None = seen
        return answer

    def _pixels(
        self, picture: str | PathLike | bytes | np.ndarray, name: str | None
    ) -> np.ndarray:
        height, width = self._model.input_size
        if not isinstance(picture, np.ndarray):  # as for `extract_features`
            return resize(
                open_picture(picture, (2 * height, 2 * width), name), (height, width)
            )
        if picture.ndim == 2:
            picture = np.repeat(picture[..., None], 3, axis=-1)
        return resize(picture, (height, width))

    def _draw(self, data: dict, pixels: np.ndarray, looked: np.ndarray) -> "Figure":
        said = "\n".join(
            f"{share:.0%} {printable(name)}"
            for name, share in data["probabilities"].items()
        )
        near = [
            f"near: {printable(near['class'])}\ncosine {near['cosine']:.2f}"
            for near in data["neighbours"]
        ]
        images = [self._near.train.images[near["row"]] for near in data["neighbours"]]
        return draw_pictures(
            [pixels, looked, *images],
            [said, "where it looked", *near],
            columns=2 + NEIGHBOURS,
        )

    def _write(self, data: dict, text: str) -> str:
        """Words and the neighbours; the picture itself is on the canvas alone."""
        cells = []
        for near in data["neighbours"]:
            alt = f"Training picture {near['row']}, {near['class']}"
            thumb = image(thumbnail(self._near.train.images[near["row"]]), alt)
            caption = f"<figcaption>{escape_html(near['class'])}</figcaption>"
            cells.append(f"<figure style='margin: 0.3em 0'>{thumb}{caption}</figure>")
        return (
            spoken(as_page(text))
            + f"<div style='display: flex; gap: 1em'>{''.join(cells)}</div>"
        )

    def _make(self, widgets: "ModuleType") -> "ipywidgets.Widget":
        self.upload = widgets.FileUpload(
            accept=",".join(sorted(EXTENSIONS)),
            multiple=False,
            description=f"A picture, up to {MOST_MEGABYTES} MB",
        )
        self.upload.layout.width = "auto"
        names = self._examples.label_names
        options = [
            (printable(f"picture {row}, {names[row]}"), row)
            for row in range(min(EXAMPLES, len(names)))
        ]
        self.examples = widgets.Dropdown(
            options=[("what I give", OWN), *options], value=0, description="or"
        )
        self.page = widgets.HTML(self.default.page)
        self.upload.observe(lambda change: self._given(change["new"]), "value")
        self.examples.observe(lambda change: self._chosen(change["new"]), "value")
        parts = [widgets.HBox([self.upload, self.examples])]
        if has_canvas():
            parts.append(self._make_canvas())
        return widgets.VBox([*parts, self.page])

    def _make_canvas(self) -> "ipycanvas.Canvas":
        """The picture is drawn here: what is on a canvas is no part of a widget's state, which Colab saves."""
        from ipycanvas import Canvas

        let_colab_show_canvases()
        self.canvas = Canvas(width=2 * SIDE + GAP, height=SIDE)
        self.canvas.layout.width, self.canvas.layout.height = (
            f"{2 * SIDE + GAP}px",
            f"{SIDE}px",
        )
        self.canvas.on_client_ready(self._paint)
        self._paint()
        return self.canvas

    def _given(self, value: "Any") -> None:
        """A file has come from the browser: read it, forget it, say what is seen."""
        file = content_of(value)
        if file is None:
            return
        forget(self.upload)
        self.examples.value = OWN
        name, content = file
        if len(content) > MOST_MEGABYTES * 1e6:
            self._refuse(
                f"{name} has {len(content) / 1e6:.1f} MB; up to {MOST_MEGABYTES} MB are taken here. Make it smaller "
                "first, or give its path to tl.widgets.try_picture."
            )
            return
        try:
            self._say(self.look(content, name))
        except TLCourseError as error:
            self._refuse(str(error))
        except MemoryError:
            self._refuse(
                f"{name} is too large for this machine's memory. Make it smaller first."
            )

    def _chosen(self, row: int) -> None:
        if row != OWN:
            try:
                self._say(self.look(self._examples.images[row]))
            except PictureError as error:
                self._refuse(str(error))

    def _say(self, answer: Answer) -> None:
        self.page.value = answer.page
        self._paint()

    def _refuse(self, sentence: str) -> None:
        self._seen = None
        self.page.value = spoken(as_page(sentence))
        self._paint()

    def _paint(self, *_: object) -> None:
        if not has_canvas():
            return
        from ipycanvas import hold_canvas

        self.canvas.layout.display = None if self._seen else "none"
        with hold_canvas():
            self.canvas.clear()
            for place, picture in enumerate(self._seen or ()):
                small = resize(picture, (SIDE, SIDE))
                self.canvas.put_image_data(small, place * (SIDE + GAP), 0)


def over(pixels: np.ndarray, heat: np.ndarray) -> np.ndarray:
    """A picture in grey, uint8 (h, w, 3), coloured where a map (rows, columns) in [0, 1] is high."""
    from PIL import Image

    height, width = pixels.shape[:2]
    heat = np.asarray(
        Image.fromarray(heat).resize((width, height), Image.Resampling.BILINEAR)
    ).clip(0, 1)
    grey = pixels.mean(axis=-1, keepdims=True)
    share = 0.6 * heat[..., None]
    return np.rint(
        (1 - share) * grey + share * 255 * colormaps["plasma"](heat)[..., :3]
    ).astype(np.uint8)


def _where(heat: np.ndarray) -> str:
    """The brightest place in words, or nothing."""
    if not heat.max():
        return ""
    row, column = np.unravel_index(heat.argmax(), heat.shape)
    return _PLACES[3 * row // heat.shape[0]][3 * column // heat.shape[1]]


def _text(data: dict) -> str:
    said = ", ".join(
        f"{name} {share:.0%}" for name, share in data["probabilities"].items()
    )
    near = ", ".join(
        f"{near['class']} (cosine {near['cosine']:.2f})" for near in data["neighbours"]
    )
    best = next(iter(data["probabilities"]))
    where = (
        f"most at the {data['where']}" if data["where"] else "nowhere on this picture"
    )
    return f"{said}.\nNearest training pictures: {near}.\nWhat speaks for {best} was found {where}."
