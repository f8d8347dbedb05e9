"""How long the widgets take to answer a move: from the event in the kernel to the message that goes to the browser."""

import datetime
import io
import statistics
import time
from collections.abc import Callable, Iterable

import numpy as np
from PIL import Image
from small_networks import train

import tlcourse as tl

MOVES = 20


def widgets() -> dict:
    """Milliseconds of each widget's moves; the first is not counted: whatever is made once is made there."""
    solar, model = tl.load_dataset("solar"), tl.load_pretrained_model()
    train = solar.train.sample(per_class=100)
    features, unseen = (
        model.extract_features(split.images) for split in (train, solar.test)
    )
    probe = tl.train_classifier(features, train.labels, solar.class_names)
    return {
        "freeze explorer": slider(tl.widgets.FreezeExplorer()),
        "label slider": slider(
            tl.widgets.LabelSlider(tl.LearningCurve.of(tl.results("kanji.ways")))
        ),
        "mistake browser": mistakes(
            solar.test, probe.predict_proba(unseen), unseen, train, features
        ),
        "draw a Kanji": drawing(),
        "try your own": uploads(
            tl.widgets.TryYourOwn(model, probe, train, features, solar.test)
        ),
    }


def timed(moves: Iterable[Callable[[], None]]) -> dict:
    took = []
    for move in moves:
        start = time.perf_counter()
        move()
        took.append(1000 * (time.perf_counter() - start))
    took = took[1:]
    return {
        "median_ms": round(statistics.median(took), 1),
        "max_ms": round(max(took), 1),
        "moves": len(took),
    }


def slider(widget) -> dict:
    """There and back, a position at a time; each is drawn anew."""
    widget.box  # noqa: B018 - makes the slider
    move = widget.control
    options = getattr(move, "options", None)
    positions = [at for _, at in options] if options else range(move.min, move.max + 1)
    order = [
        place for place in (*positions, *list(positions)[::-1]) if place != move.value
    ]
    return timed(lambda place=place: setattr(move, "value", place) for place in order)


def mistakes(*arguments) -> dict:
    """Cells that nobody has opened before: a widget of its own for each choice."""
    made = [tl.widgets.MistakeBrowser(*arguments) for _ in range(MOVES // 4)]
    for widget in made:
        widget.box  # noqa: B018 - makes the list
    return timed(
        lambda widget=widget, cell=cell: setattr(widget.control, "value", cell)
        for widget in made
        for _, cell in widget.options["options"]
        if cell != widget.control.value
    )


def drawing() -> dict:
    """Each point of six strokes, and what is read after each."""
    kanji = tl.load_dataset("kanji")
    sixty = kanji.with_classes(kanji.class_names[:60])
    few = sixty.train.sample(per_class=1)
    networks = {
        name: train(few.images, few.labels, steps=5)
        for name in ("from scratch", "digits first")
    }
    widget = tl.widgets.DrawAKanji(networks, sixty)
    widget.box  # noqa: B018 - makes the canvas

    def moves():
        for y in range(40, 280, 40):
            yield lambda y=y: widget._begin(30, y)
            for x in range(40, 250, 10):
                yield lambda x=x, y=y: widget._move(x, y)
            yield lambda: widget._end(None, None)

    return timed(moves())


def uploads(widget) -> dict:
    """A photograph of 12 megapixels, as telephones make them, again and again."""
    noise = np.random.default_rng(0).integers(0, 256, (300, 400, 3), np.uint8)
    file = io.BytesIO()
    Image.fromarray(noise).resize((4000, 3000)).save(file, "jpeg", quality=85)
    content = file.getvalue()
    widget.box  # noqa: B018 - makes the button

    def give():
        about = {"name": "photograph.jpg", "type": "image/jpeg", "size": len(content)}
        when = datetime.datetime(2026, 1, 1)
        widget.upload.value = (
            {**about, "last_modified": when, "content": memoryview(content)},
        )

    return {**timed([give] * MOVES), "megabytes": round(len(content) / 1e6, 1)}
