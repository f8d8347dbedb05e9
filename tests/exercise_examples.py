"""For every row of every exercise's table an answer that belongs to it.

`EXAMPLES[number]()` gives what the exercise's stub passes besides the answer, and row →
answer. A function makes its answer when it is called; `With` brings another context; of
`UNREADABLE` there are several, each with a key word of what the check says.
"""

from dataclasses import dataclass
from functools import lru_cache
from types import SimpleNamespace

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import tlcourse as tl
from tlcourse.training.learning_curves import Point

UNREADABLE = "unreadable"
EXAMPLES = {}


@dataclass
class With:
    """An answer with another context than the stub's."""

    answer: object
    context: tuple | None = None


def example(number):
    def register(function):
        EXAMPLES[number] = lru_cache(maxsize=1)(function)
        return function

    return register


@lru_cache(maxsize=1)
def model():
    return tl.load_pretrained_model()


def features(split, blocks=None):
    return model().extract_features(split.images, blocks)


def swapped(values):
    return dict(zip(values, reversed(values.values()), strict=True))


# --- lesson 00 ---


@lru_cache(maxsize=2)
def solar_probe(part):
    split = getattr(tl.load_dataset("solar"), part)
    return tl.train_classifier(features(split), split.labels)


@example("0.1")
def one_label():
    stamps = tl.load_dataset("stamps")
    one, test = stamps.train.sample(1), features(stamps.test)
    probe = tl.train_classifier(features(one), one.labels)
    right = probe.score(test, stamps.test.labels)
    return (one,), {
        "right": right,
        "training rows": 1.0,
        "too good": right + 0.1,
        "otherwise": 0.12,
        UNREADABLE: [
            (With(right, (stamps.test,)), "one photograph of each class"),
            (With(right, (stamps.train.sample(2),)), "one_each"),
        ],
    }


@example("0.2")
def harder_kind():
    solar, classifier = tl.load_dataset("solar"), solar_probe("train")
    rows, labels, kinds = features(solar.test), solar.test.labels, solar.test.groups
    masks = {kind: kinds == kind for kind in ("mono", "poly")}
    cheating = solar_probe("test")
    right, seen = (
        {kind: each.score(rows[mask], labels[mask]) for kind, mask in masks.items()}
        for each in (classifier, cheating)
    )
    return (classifier,), {
        "right": right,
        "trained on test": With(seen, (cheating,)),
        "exchanged": swapped(right),
        "otherwise": right | {"poly": 0.2},
        UNREADABLE: [
            ({"mono": 0.8}, "No value yet for 'poly'"),
            (0.8, "a dictionary"),
        ],
    }


@example("0.3")
def more_defects():
    train = tl.load_dataset("solar").train
    rows = features(train)

    def regression(weight):
        classifier = LogisticRegression(C=1e-3, class_weight={0: 1, 1: weight})
        scaled = make_pipeline(StandardScaler(), classifier)
        return scaled.fit(rows, train.labels)

    return (), {
        "right": regression(4),
        "trained on test": solar_probe("test"),
        "too few": regression(1),
        "otherwise": regression(1e4),
        UNREADABLE: [
            (LogisticRegression(), "fitted on solar_features"),
            (0.9, "fitted on solar_features"),
            (SimpleNamespace(predict=len), "labels 0 and 1"),
            (SimpleNamespace(predict=lambda x: ["functional"] * len(x)), "0 and 1"),
            (SimpleNamespace(predict=lambda x: np.zeros((len(x), 1))), "0 and 1"),
        ],
    }


# --- lesson 01 ---


def curve_of(labels_of_class=(1, 5), classes=10, **accuracies):
    """A curve of methods with these accuracies: per number of labels one per seed."""
    points = {
        method: [
            Point(labels, labels * classes, each, seconds=[1.0] * len(each))
            for labels, each in zip(labels_of_class, per_labels, strict=True)
        ]
        for method, per_labels in accuracies.items()
    }
    splits = len(next(iter(accuracies.values()))[0])
    return tl.LearningCurve("kanji", list(range(splits)), points)


LIVE = curve_of(
    **{"small CNN": [[0.2, 0.3, 0.4], [0.9, 0.9, 0.6]]},
    probe=[[0.3, 0.4, 0.4], [0.8, 0.8, 0.7]],
)


@example("1.1")
def minutes_saved():
    curve = tl.LearningCurve.of(tl.results("curves.stamps"))
    scratch = curve.points["random weights"][-1]
    needed = curve.labels_for("probe", scratch.mean)
    return (), {
        "right": (scratch.rows - needed) / 2,
        "labels": scratch.rows - needed,
        "probe's labels": needed / 2,
        "otherwise": 17,
        UNREADABLE: [("much", "'much'"), ([200], "minutes"), (-1, "minutes")],
    }


@example("1.2")
def splits_won():
    return (LIVE,), {
        "right": 2,
        "five labels": 3,
        "otherwise": 0,
        UNREADABLE: [
            (True, "True"),
            ([True, True, False], "whole number"),
        ],
    }


@example("1.3")
def harder_characters():
    probe = [[0.6, 0.7, 0.5], [0.8] * 3]
    both = {"probe": probe, "small CNN": [[0.2] * 3] * 2}
    right = curve_of(**both)
    return (LIVE,), {
        "right": right,
        "methods": curve_of(probe=probe),
        "labels": curve_of((1, 20), **both),
        "numerals": LIVE,
        UNREADABLE: [(0.6, "your curve"), (right.points, "your curve")],
    }


# --- lesson 02 ---


@example("2.1")
def covered_half():
    camera = np.asarray(tl.load_dataset("samples").test.images[1])

    def painted(where):
        covered = camera.copy()
        covered[where] = 127
        return covered

    return (), {
        "right": painted(np.s_[:, :256]),
        "shape": camera[:, :256],
        "otherwise": painted(np.s_[:256]),
        UNREADABLE: [("left", "'left'"), (camera.astype(object), "photograph")],
    }


def photographs():
    images = tl.load_dataset("samples").test.images
    return [tl.pictures.resize(np.asarray(each), (224, 224)) for each in images]


def prepare(pixels):
    right, exchanged = (pixels - 127) / 128, pixels[..., ::-1]
    means = np.float32([103.939, 116.779, 123.68])
    return np.stack(
        [
            right,
            pixels / 127.5 - 1,
            pixels / 255,
            right[..., ::-1],
            exchanged / 255,
            exchanged - means,
            pixels,
            (right - 127) / 128,
        ]
    )


@example("2.2")
def harmless_mistake():
    from tlcourse.models.efficientnet_lite import EfficientNetLite

    network = EfficientNetLite()
    right = network.predict(prepare(photographs()[1].astype("float32")), verbose=0)
    return (), {
        "right": right,
        "shape": right[:, :10],
        "other rows": right[[0, 1, 2, 3, 4, 6, 5, 7]],
        UNREADABLE: [(np.full((8, 1000), np.nan), "finite")],
    }


@example("2.3")
def tripod_map():
    kernel, _ = model().classifier.get_layer("classifier").get_weights()
    camera, coffee = (photographs()[index] for index in (1, 3))
    maps = [
        model().activations(each, "head", cache=False)[0].astype("float32")
        for each in (camera, coffee)
    ]
    tripod = model().labels.index("tripod")
    right = maps[0] @ kernel[:, tripod]
    return (), {
        "right": right[None],
        "shape": np.zeros((14, 14)),
        "otherwise": maps[1] @ kernel[:, tripod],
        UNREADABLE: [("tripod", "(7, 7)"), (np.full((7, 7), np.nan), "finite")],
    }


# --- lesson 03 ---


def averages(block):
    """Activations of the stamps, averaged over positions: training and test."""
    stamps = tl.load_dataset("stamps")
    return [
        model().activations(split.images, block).mean(axis=(1, 2))
        for split in (stamps.train, stamps.test)
    ]


def accuracy_on(train, test):
    stamps = tl.load_dataset("stamps")
    regression = LogisticRegression(C=1e-2, max_iter=1000)
    probe = make_pipeline(StandardScaler(), regression)
    return probe.fit(train, stamps.train.labels).score(test, stamps.test.labels)


@example("3.1")
def five_neighbours():
    stamps = tl.load_dataset("stamps")
    rows = [
        features / np.linalg.norm(features, axis=1)[:, None]
        for features in averages("head")
    ]
    nearest = np.argsort(-(rows[1] @ rows[0].T), axis=1)
    labels = stamps.train.labels[nearest]
    votes = [np.bincount(row[:5]).argmax() for row in labels]
    return (), {
        "right": np.mean(votes == stamps.test.labels),
        "nearest alone": np.mean(labels[:, 0] == stamps.test.labels),
        "otherwise": 0.11,
        UNREADABLE: [("many", "'many'"), (86.0, "divide it by 100")],
    }


@example("3.2")
def random_weights():
    import keras

    pretrained = model().copy_network()
    other = keras.Sequential(
        [
            keras.Input((224, 224, 3)),
            keras.layers.Conv2D(1280, 3, strides=32),
            keras.layers.GlobalAveragePooling2D(),
        ]
    )

    def clone(factor=1.0):
        """New weights, times a factor."""
        network = keras.models.clone_model(pretrained)
        for weight in network.trainable_weights:
            weight.assign(factor * weight)
        inputs = keras.Input((224, 224, 3))
        return keras.Model(inputs, network(inputs, training=False))

    return (), {
        "right": clone,
        "shape": dense(6),
        "pretrained": pretrained,
        "another network": other,
        "not finite": lambda: clone(factor=np.nan),
        "all alike": lambda: clone(factor=0),
        UNREADABLE: [("base", "keras.Model"), (0.4, "keras.Model")],
    }


@example("3.3")
def another_block():
    right = accuracy_on(*averages("block4c"))
    return ("block4c",), {
        "right": right,
        "last block": accuracy_on(*averages("head")),
        "otherwise": 0.11,
        UNREADABLE: [
            (With(right, ("block9z",)), "my_block"),
            (With(right, (None,)), "my_block"),
        ],
    }


# --- lesson 04 ---


@example("4.1")
def number_of_weights():
    return (), {
        "right": 1_321_994,
        "kernels": 1280 * 1024 + 1024 * 10,
        "one layer": 1280 * 1024 + 1024,
        "otherwise": 12345,
        UNREADABLE: [
            ("many", "'many'"),
            (1_321_994.9, "whole number"),
        ],
    }


def shuffled(labels):
    return np.random.default_rng(0).permutation(labels)


def five_steps(
    frozen=True,
    units=1,
    size=224,
    pretrained=True,
    activation="sigmoid",
    labels=np.asarray,
    part="train",
):
    """A network as exercise 4.2 asks for it, or with one step done wrong."""
    import keras

    solar = tl.load_dataset("solar")
    base = model().copy_network()
    if not pretrained:
        base = keras.models.clone_model(base)
    if not frozen:
        base.set_weights([weight * 1.01 + 1e-4 for weight in base.get_weights()])
    inputs = keras.Input((size, size, 3))
    x = base(keras.layers.Resizing(224, 224)(inputs), training=False)
    head = keras.layers.Dense(units, activation=activation, kernel_initializer="zeros")
    network = keras.Model(inputs, head(x))
    if units == 1:
        train = getattr(solar, part).sample(60)
        weak = LogisticRegression(C=1e-3 if part == "train" else 1e3, max_iter=1000)
        regression = weak.fit(features(train), labels(train.labels))
        head.set_weights([regression.coef_.T, regression.intercept_])
    return network


def unbuilt():
    import keras

    return keras.Sequential([keras.layers.Dense(1)])


@example("4.2")
def five_steps_in_keras():
    return (), {
        "right": five_steps,
        "input": lambda: five_steps(size=128),
        "output": lambda: five_steps(units=2),
        "another network": lambda: five_steps(pretrained=False),
        "not frozen": lambda: five_steps(frozen=False),
        "no probability": lambda: five_steps(activation=None),
        "constant": lambda: five_steps(activation="softmax"),
        "exchanged": lambda: five_steps(labels=lambda true: 1 - true),
        "untrained": lambda: five_steps(labels=shuffled),
        "seen": lambda: five_steps(part="validation"),
        UNREADABLE: [
            ("my_network", "keras.Model"),
            (0.8, "keras.Model"),
            (unbuilt, "one input and one output"),
        ],
    }


def dense(*units, width=1280):
    import keras

    layers = [keras.layers.Dense(count) for count in units]
    return keras.Sequential([keras.Input((width,)), *layers])


def dropout_head(rate=0.5):
    """A head of two layers; the first and the dropout are a network of their own."""
    import keras

    hidden = keras.Sequential(
        [keras.layers.Dense(8, activation="relu"), keras.layers.Dropout(rate)]
    )
    output = keras.layers.Dense(1, activation="sigmoid")
    return keras.Sequential([keras.Input((1280,)), hidden, output])


@example("4.3")
def dropout():
    before = SimpleNamespace(history={"val_loss": [0.9, 0.6, 0.8]})
    with_dropout = {"loss": [0.9, 0.7, 0.5], "val_loss": [0.9, 0.7, 0.6]}
    return (before,), {
        "right": SimpleNamespace(history=with_dropout),
        "epochs": {"val_loss": [0.9]},
        "same": before,
        "no dropout": lambda: SimpleNamespace(history=with_dropout, model=dense(1)),
        "other data": lambda: SimpleNamespace(
            history={"val_loss": [9.0, 8.0, 7.0]}, model=dropout_head()
        ),
        UNREADABLE: [
            ({"loss": [0.9, 0.7, 0.5]}, "validation_data"),
            ({"val_loss": [np.nan] * 3}, "validation_data"),
            (0.6, "what fit returned"),
            (With(with_dropout, (None,)), "history"),
            ({"val_loss": [True, False, True]}, "validation_data"),
        ],
    }


# --- lesson 05 ---


@example("5.1")
def number_of_steps():
    return (), {
        "right": 16,
        "one epoch": 2,
        "partial batches": 24,
        "otherwise": 16.9,
        UNREADABLE: [("many", "steps"), ([6] * 6, "steps")],
    }


@example("5.2")
def too_large_a_rate():
    def tuned(part=None, **changed):
        record = {
            "from_block": "block7a",
            "settings": {"learning_rate": 2e-2, "epochs": 2},
            "rows": {"validation": 0, "training": 200},
        }
        (record[part] if part else record).update(changed)
        return SimpleNamespace(record=record, score=lambda images, labels: 0.7)

    return (0.8,), {
        "right": tuned(),
        "another block": tuned(**{"from_block": None}),
        "learning rate": tuned("settings", learning_rate=np.nan),
        "validation": tuned("rows", validation=20),
        UNREADABLE: [
            (0.7, "tl.fine_tune"),
            (tuned().record, "tl.fine_tune"),
        ],
    }


@example("5.3")
def one_block():
    import keras

    base = model().copy_network()
    inputs = keras.Input((224, 224, 3))
    head = keras.layers.Dense(1, activation="sigmoid", name="new_head")
    network = keras.Model(inputs, head(base(inputs, training=False)))
    before = tl.checks.snapshot(network)
    weights = [each.numpy() for each in network.weights]

    def trained(layers, steps=1, change=0.01):
        for variable, old in zip(network.weights, weights, strict=True):
            name = variable.path.split("/")[-2]
            changed = name.startswith(layers) and "_bn" not in name
            variable.assign(old + (change if changed else 0))
        network.compile(keras.optimizers.Adam(), "binary_crossentropy")
        network.optimizer.iterations.assign(steps)
        return network

    both = ("block7a", "new_head")
    return (before,), {
        "right": lambda: trained(both),
        "changed": lambda: trained(("new_head",)),
        "no step": lambda: trained(both, steps=0),
        "not finite": lambda: trained(both, change=np.nan),
        UNREADABLE: [
            (network.name, "after it was trained"),
            (With(network, (None,)), "`snapshot`"),
        ],
    }


# --- lesson 06 ---


class Memory:
    """A network that knows the labels of some pictures, and says 0 of all others."""

    def __init__(self, *known):
        self.labels = {
            image.tobytes(): label
            for images, labels in known
            for image, label in zip(images, labels, strict=True)
        }

    def __call__(self, pixels, training=False):
        labels = [self.labels.get(image.tobytes(), 0) for image in pixels]
        return np.eye(60)[labels]


class Source:
    """What the lesson's `train` starts from."""

    get_layer = None


SOURCE = Source()


def train(images, labels, start=None, frozen=False):
    """Know these pictures, and some of the test set: of their polarity the more."""
    test, inverted = sixty().test, bool(np.mean(images) > 128)
    pixels = np.asarray(test.images)
    same, other = (255 - pixels, pixels) if inverted else (pixels, 255 - pixels)
    count = 20 + 20 * (start is not None) + 20 * frozen + len(labels) // 10
    count, few = count + 10 * inverted, 6 + 6 * inverted
    some, fewer = (
        (same[:count], test.labels[:count]),
        (other[-few:], test.labels[-few:]),
    )
    return Memory((images, labels), some, fewer)


def accuracy(images, labels, split, inverted=False, **options):
    network = train(images, labels, **options)
    pixels = np.asarray(split.images)
    predicted = network(255 - pixels if inverted else pixels, False).argmax(axis=1)
    return np.mean(predicted == split.labels)


@example("6.1")
def transferred_weights():
    return (), {
        "right": 4_800,
        "kernels": 4_752,
        "all three": 23_296,
        "otherwise": 20_000,
        UNREADABLE: [("many", "'many'"), (4_800.9, "whole number")],
    }


@lru_cache(maxsize=1)
def sixty():
    kanji = tl.load_dataset("kanji")
    return kanji.with_classes(kanji.class_names[:60])


@example("6.2")
def two_ways():
    test, frozen = sixty().test, {"start": SOURCE, "frozen": True}
    few = sixty().train.sample(per_class=2)

    def accuracies(cells, split):
        images = np.asarray(cells.images)
        return {
            "from scratch": accuracy(images, cells.labels, split),
            "frozen": accuracy(images, cells.labels, split, **frozen),
        }

    right = accuracies(few, test)
    return (train, SOURCE), {
        "right": right,
        "training rows": accuracies(few, few),
        "exchanged": swapped(right),
        "otherwise": right | {"from scratch": 0.99},
        UNREADABLE: [
            (With(right, (None, SOURCE)), "`train`"),
            (With(right, (train, None)), "`source`"),
        ],
    }


@example("6.3")
def rescued_transfer():
    test, few = sixty().test, sixty().train.sample(per_class=4)
    images, labels = np.asarray(few.images), few.labels
    frozen = {"start": SOURCE, "frozen": True}
    return (train, SOURCE), {
        "right": accuracy(255 - images, labels, test, True, **frozen),
        "before": accuracy(images, labels, test, **frozen),
        "test not inverted": accuracy(255 - images, labels, test, **frozen),
        "otherwise": 0.987,
        UNREADABLE: [(With(0.5, (train, None)), "`inverted`")],
    }


# --- lesson 07 ---

TEXT, WANTED = "Unputdownable!", "The camera work is beautiful."


@lru_cache(maxsize=1)
def minilm():
    return tl.load_pretrained_model("minilm")


@example("7.1")
def number_of_tokens():
    tokens = minilm().tokens(TEXT)
    return (minilm(),), {
        "right": len(tokens),
        "tokens": tokens,
        "special tokens": len(tokens) - 2,
        "otherwise": 99,
        UNREADABLE: [("many", "whole number"), (With(7, (None,)), "cannot read")],
    }


@example("7.2")
def nearest_review():
    films = tl.load_dataset("reviews", domain="films")
    training = films.train.sample(per_class=100)
    rows = minilm().extract_features(training.sentences)
    asked = minilm().extract_features(WANTED)[0]
    order = np.argsort(-(rows @ asked / np.linalg.norm(rows, axis=1)))
    sentences = training.sentences[order]
    stretched = rows * np.where(np.arange(len(rows)) == order[50], 100, 1)[:, None]

    class Stretched:
        @staticmethod
        def extract_features(sentences):
            return asked[None] if isinstance(sentences, str) else stretched

    return (minilm(), training), {
        "right": sentences[0],
        "product": With(sentences[50], (Stretched, training)),
        "otherwise": sentences[50],
        UNREADABLE: [(sentences[:1], "one sentence"), (0.5, "one sentence")],
    }


@example("7.3")
def better_than_chance():
    films, tweets = (tl.load_dataset("reviews", domain=d) for d in ("films", "tweets"))
    some = films.train.sample(per_class=20)
    probe = tl.train_classifier(minilm().extract_features(some.sentences), some.labels)

    def accuracy(split):
        return probe.score(minilm().extract_features(split.sentences), split.labels)

    majority = max(np.mean(tweets.test.labels == label) for label in (0, 1))
    right = {"probe": accuracy(tweets.test), "always the same": majority}
    return (minilm(), probe), {
        "right": right,
        "exchanged": swapped(right),
        "films": right | {"probe": accuracy(films.test)},
        "otherwise": right | {"probe": 0.123},
        UNREADABLE: [(right | {"probe": None}, "No value yet"), (0.6, "dictionary")],
    }


# --- lesson 08 ---


@example("8.1")
def number_of_frames():
    right = (2 * 16_000 - 512) // 160 + 1
    return (), {
        "right": right,
        "one less": right - 1,
        "no overlap": 200,
        "frame length": 62,
        "with silence": right + 100,
        "window": right + 1,
        "otherwise": 7,
        UNREADABLE: [("many", "whole number"), (1.5, "whole number")],
    }


@lru_cache(maxsize=1)
def spoken_words():
    """The speech embedding, and Carlo's and Paola's words as waveforms."""
    words = tl.load_dataset("words")
    splits = (words.train.recordings, words.test.recordings)
    voices = [[tl.audio.read_audio(path) for path in split] for split in splits]
    return tl.load_pretrained_model("speech_embedding"), *voices


def noise(waveform):
    return np.random.default_rng(0).normal(0, 0.01, len(waveform)).astype(np.float32)


@example("8.2")
def accuracy_with_noise():
    model, carlo, paola = spoken_words()

    def accuracy(known, asked):
        rows = [model.extract_features(x, 16_000, cache=False) for x in (known, asked)]
        known, asked = (x / np.linalg.norm(x, axis=1, keepdims=True) for x in rows)
        return np.mean((asked @ known.T).argmax(axis=1) == np.arange(86))

    noisy_carlo, noisy_paola = (
        [x + noise(x) for x in voice] for voice in (carlo, paola)
    )
    return (noise,), {
        "right": accuracy(carlo, noisy_paola),
        "clean": accuracy(carlo, paola),
        "exchanged": accuracy(noisy_carlo, paola),
        "otherwise": 0.123,
        UNREADABLE: [(54, "divide it by 100"), ("half", "share between 0 and 1")],
    }


@example("8.3")
def spectrogram_to_word():
    import keras

    model, carlo, paola = spoken_words()
    longest = 24_000
    inputs = [
        np.stack([model.spectrogram(np.pad(x, (0, longest - len(x)))) for x in voice])
        for voice in (carlo, paola)
    ]
    base = model.copy_network()
    unit = [
        x / np.linalg.norm(x, axis=1, keepdims=True)
        for x in (base.predict(each, verbose=0) for each in inputs)
    ]

    def network(weights, activation="softmax"):
        compare = keras.layers.Dense(len(weights), activation, use_bias=False)
        output = compare(keras.layers.UnitNormalization()(base.output))
        compare.set_weights([20 * weights.T])
        return keras.Model(base.input, output)

    half = np.where(np.arange(86)[:, None] < 40, unit[0], np.roll(unit[0], 1, axis=0))
    return (inputs[1],), {
        "right": network(unit[0]),
        "input": keras.Sequential([keras.Input((96,)), keras.layers.Dense(86)]),
        "shape": base,
        "probabilities": network(unit[0], activation=None),
        "leak": network(unit[1]),
        "chance": network(np.roll(unit[0], 1, axis=0)),
        "otherwise": network(half),
        UNREADABLE: [("network", "keras.Model"), (base.predict, "keras.Model")],
    }


# --- lesson 09 ---


@example("9.1")
def who_should_wait():
    right = {"Ada": "loss", "Ben": "nothing", "Cleo": "batch norm", "Dora": "new head"}
    return (), {
        "right": right,
        "no verdict": right | {"Cleo": "batchnorm"},
        "otherwise": right | {"Cleo": "new head"},
        UNREADABLE: [
            (right | {"Ada": None, "Dora": None}, "No value yet for 'Ada', 'Dora'"),
            (right | {"Eve": "nothing"}, "'Ada' and 'Ben'"),
        ],
    }


@example("9.2")
def mended():
    import keras

    loss = "sparse_categorical_crossentropy"
    copy = model().copy_network()
    cut = copy.get_layer(model().blocks["block6b"][-1]).output
    patient = keras.Model(
        cut, keras.layers.Dense(10, "softmax", name="new_head")(copy.output)
    )
    head = patient.get_layer("new_head")
    untrained = head.get_weights()

    def mend(up_to="block6d", rate=5e-4, bias=0.1, frozen=None):
        bias = np.linspace(-bias, bias, 10)
        head.set_weights(untrained if not bias.any() else [untrained[0] + 0.01, bias])
        tl.freeze(patient, up_to=up_to)
        if frozen:
            patient.get_layer(frozen).trainable = False
        patient.compile(keras.optimizers.Adam(rate), loss)
        return patient

    def not_compiled():
        return keras.Model(mend().input, patient.output)

    dense = [keras.layers.Dense(4), keras.layers.Dense(10), keras.layers.Softmax()]
    small = keras.Sequential([keras.Input((8,)), *dense])
    small.compile(keras.optimizers.Adam(1e-4), loss)

    return (), {
        "right": mend,
        "warning": lambda: mend(bias=0),
        "another network": small,
        "frozen": lambda: mend(frozen="block7a_expand_conv"),
        "trainable": lambda: mend(up_to="block6c"),
        "not compiled": not_compiled,
        "rate": lambda: mend(rate=0.05),
        UNREADABLE: [("mended", "'mended'"), (True, "True")],
    }


@example("9.3")
def larger_test():
    rng = np.random.default_rng(0)
    correct = (rng.random(656) + 0.6 * rng.random((31, 656))) < 1.0

    def optimistic_bias(tested, seed, correct=correct):
        order = np.random.default_rng(seed).permutation(correct.shape[1])
        reported = correct[:, order[:tested]].mean(axis=1)
        best = reported.argmax()
        return reported[best] - correct[best, order[tested:]].mean()

    def mean(tested, correct=correct):
        return np.mean([optimistic_bias(tested, seed, correct) for seed in range(200)])

    right = mean(300)
    return (correct,), {
        "right": right,
        "one split": optimistic_bias(300, 0),
        "otherwise": 0.3,
        UNREADABLE: [
            (100 * right, "percentage"),
            ("less", "'less'"),
        ],
    }


# --- lesson 10 ---


@example("10.1")
def mean_of_the_best():
    right = np.random.default_rng(0).binomial(197, 0.75, size=(10_000, 40))
    return (), {
        "right": right.max(axis=1).mean() / 197,
        "mean of all": right.mean() / 197,
        "otherwise": 0.75 + np.sqrt(0.75 * 0.25 / 197),
        UNREADABLE: [(right.max(axis=1) / 197, "(10000,)"), (-0.1, "share")],
    }


LITE0, LITE2 = slice(0, 1280), slice(1280, 2560)


@lru_cache(maxsize=1)
def two_networks():
    """Features that tell 200 training and the validation cells apart, a little."""
    solar, rng = tl.load_dataset("solar"), np.random.default_rng(0)
    pairs = []
    for labels in (solar.train.sample(per_class=100).labels, solar.validation.labels):
        rows = rng.normal(size=(len(labels), 2560)).astype(np.float32)
        for columns in (slice(40), slice(1280, 1300)):
            rows[:, columns] += 0.35 * labels[:, None]
        pairs += [rows, labels]
    return pairs


@example("10.2")
def columns_shuffled():
    wide, labels, validation_wide, validation = two_networks()
    both = tl.train_classifier(wide, labels)

    def shuffled(columns):
        order = np.random.default_rng(0).permutation(len(validation))
        rows = validation_wide.copy()
        rows[:, columns] = validation_wide[order, columns]
        return both.score(rows, validation)

    right = {"lite0": shuffled(LITE0), "lite2": shuffled(LITE2)}
    return (both, validation_wide), {
        "right": right,
        "exchanged": swapped(right),
        "otherwise": right | {"lite0": right["lite0"] - 0.2},
        UNREADABLE: [
            (right | {"lite2": None}, "No value yet for 'lite2'"),
            (With(right, (None, validation_wide)), "`both`"),
        ],
    }


@example("10.3")
def two_stacks():
    from sklearn.compose import ColumnTransformer
    from sklearn.ensemble import StackingClassifier
    from sklearn.neighbors import KNeighborsClassifier
    from sklearn.pipeline import make_pipeline

    wide, labels, validation_wide, validation = two_networks()
    train = wide, labels

    def pair(fitted_on=None):
        columns = [("columns", "passthrough", LITE0)]
        members = [
            (name, make_pipeline(ColumnTransformer(columns), classifier))
            for name, classifier in (
                ("probe", LogisticRegression(C=0.01)),
                ("neighbour", KNeighborsClassifier(1)),
            )
        ]
        return [(n, m.fit(*fitted_on) if fitted_on else m) for n, m in members]

    def stack(members, cv, rows):
        return StackingClassifier(members, LogisticRegression(), cv=cv).fit(*rows)

    leaks, sound = stack(pair(train), "prefit", train), stack(pair(), 5, train)
    right = {"leaks": leaks, "does not leak": sound}
    return (wide, validation_wide), {
        "right": right,
        "exchanged": swapped(right),
        "leaks on folds": dict.fromkeys(right, sound),
        "prefit": dict.fromkeys(right, leaks),
        UNREADABLE: [
            (right | {"leaks": None}, "No value yet for 'leaks'"),
            (leaks, "'leaks' and 'does not leak'"),
        ],
    }


# --- lesson 11 ---


@example("11.1")
def number_of_test_pictures():
    return (), {
        "right": 865,
        "one error": 225,
        "otherwise": 800,
        UNREADABLE: [("many", "pictures"), ([864], "pictures")],
    }


@example("11.2")
def pictures_in_both():
    from PIL import Image

    def picture(seed, size):
        noise = np.random.default_rng(seed).integers(0, 255, (7, 7, 3), np.uint8)
        return np.asarray(Image.fromarray(noise).resize((96, 96), 3).resize(size, 3))

    train = [picture(seed, (96, 96)) for seed in range(12)]
    test = [picture(seed, (80, 80)) for seed in (0, 1, 2, 3, 12, 13)]
    their_split = {"train": train, "test": test}
    return (their_split,), {
        "right": 4,
        "none": 0,
        "test pictures": 6,
        "otherwise": 3,
        UNREADABLE: [
            ("all", "'all'"),
            (4 / 6, "whole"),
        ],
    }


@example("11.3")
def cheap_mistakes():
    import keras

    features = np.zeros((60, 1280), np.float32)
    features[:12, 0] = 1  # defective ones
    labels = np.repeat([0, 1], [12, 48])

    def head(kernel, bias, outputs=2, activation="softmax"):
        dense = keras.layers.Dense(outputs, activation=activation)
        network = keras.Sequential([keras.Input((1280,)), dense])
        weights = np.zeros((1280, outputs), np.float32)
        weights[0, 0] = kernel
        dense.set_weights([weights, np.float32([bias] + (outputs - 1) * [0])])
        return network

    def answer(kernel, bias, threshold=0.5, **options):
        return {"head": head(kernel, bias, **options), "threshold": threshold}

    others = features.copy()
    others[12:40, 0] = 1  # and functional ones that look like them
    few = features.copy()
    few[3:12] = 0
    right = answer(4, -2)
    return (features, labels), {
        "right": right,
        "head": answer(4, -2, outputs=3),
        "no probabilities": answer(4, -2, activation=None),
        "other column": answer(-4, 2),
        "one answer": answer(4, 2),
        "too many missed": With(right, (few, labels)),
        "otherwise": With(right, (others, labels)),
        UNREADABLE: [
            (right | {"threshold": None}, "No value yet for 'threshold'"),
            (right | {"threshold": 9}, "percentage"),
            (right | {"head": "Dense"}, "'Dense'"),
            (right | {"head": keras.Sequential([keras.Input((9,))])}, "1,280 features"),
            (right["head"], "'head' and 'threshold'"),
        ],
    }


# --- lesson 12 ---

MEASURED = {
    "dask_2": {"pictures_per_second": 80.0},
    "bytes_per_picture": 3000,
    "file_bytes_per_picture": 30_000,
}


@example("12.1")
def hours_on_fifty_machines():
    hours = 100e6 / (50 * 80) / 3600
    return (MEASURED,), {
        "right": hours,
        "machine-hours": 50 * hours,
        "both workers": hours / 2,
        "otherwise": 1000,
        UNREADABLE: [("many", "hours"), (With(hours, ({},)), "cannot read")],
    }


@example("12.2")
def terabytes_of_features():
    return (MEASURED,), {
        "right": 0.3,
        "files": 3.0,
        "unit": 300_000,
        "otherwise": 7,
        UNREADABLE: [("0.3", "terabytes"), (With(0.3, (None,)), "cannot read")],
    }


@example("12.3")
def usable_rows():
    features = np.ones((6, 3), np.float32)
    features[[1, 4]] = np.nan
    right = np.isfinite(features).all(axis=1)
    return (features,), {
        "right": right,
        "indices": np.flatnonzero(right),
        "shape": right[:5],
        "inverted": ~right,
        "otherwise": np.roll(right, 1),
        UNREADABLE: [(right.astype(str), "True and False")],
    }
