"""The pretrained networks: each is used as its family wants it, and what is not to be had gets a sentence.

Where weights are needed that the course does not bring, the tests write files of random ones, as Keras keeps them.
"""

import inspect
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import get_args

import numpy as np
import pytest

import tlcourse
from tlcourse import cards, tensorflow_start
from tlcourse.datasets import load_dataset
from tlcourse.errors import DamagedFile, UserInputError, WeightsUnavailable
from tlcourse.features.pictures import read_picture
from tlcourse.models import backbones, bert_folder, published
from tlcourse.models.recipes import RECIPES, PictureModel

FAMILIES = {  # name → module of keras.applications, function there
    "vgg16": ("vgg16", "VGG16"),
    "resnet50": ("resnet50", "ResNet50"),
    "inception_v3": ("inception_v3", "InceptionV3"),
    "xception": ("xception", "Xception"),
    "mobilenet_v2": ("mobilenet_v2", "MobileNetV2"),
    "efficientnet_v2_b0": ("efficientnet_v2", "EfficientNetV2B0"),
}
BUNDLED = ["efficientnet_lite0", "efficientnet_lite2"]
EXPECTED = json.loads(
    (cards.data_folder() / "weights" / "expected_top5.json").read_text(encoding="utf-8")
)


@pytest.fixture
def models(tmp_path, monkeypatch):
    """The folder in which Keras keeps weights; there are none in it yet."""
    import keras

    folder = tmp_path / "keras" / "models"
    folder.mkdir(parents=True)
    monkeypatch.setenv("KERAS_HOME", str(folder.parent))
    # Keras reads the variable once, when it is imported: what this machine's real folder holds may not be found.
    monkeypatch.setattr(
        f"{keras.__name__}.src.backend.config.keras_home", lambda: str(folder.parent)
    )
    return folder


def write_weights(name, folder, seed=0, **options):
    """Write random weights for a network in the file where Keras keeps it; returns Keras' network that has them."""
    tensorflow_start.import_tensorflow()
    import keras

    module, function = FAMILIES[name]
    keras.utils.set_random_seed(seed)
    network = getattr(getattr(keras.applications, module), function)(
        weights=None, **options
    )
    random = np.random.default_rng(seed)
    for layer in network.layers:
        if isinstance(
            layer, keras.layers.BatchNormalization
        ):  # new ones would change next to nothing
            layer.set_weights(
                [
                    random.uniform(0.5, 1.5, weight.shape)
                    for weight in layer.get_weights()
                ]
            )
    folder.mkdir(parents=True, exist_ok=True)
    network.save(
        folder / published.weights_file(name, options.get("include_top", True)).name
    )
    return network


@pytest.fixture(scope="module")
def mobilenet_weights(tmp_path_factory):
    """A file of random weights for MobileNetV2 without its classifier, 9 MB."""
    folder = tmp_path_factory.mktemp("mobilenet")
    write_weights("mobilenet_v2", folder, include_top=False)
    return folder / published.weights_file("mobilenet_v2").name


@pytest.fixture
def mobilenet_file(models, mobilenet_weights):
    """The same file where Keras keeps its weights, a copy for this test alone."""
    return Path(shutil.copy(mobilenet_weights, models))


def load_with_home(name, home):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KERAS_HOME", str(home))
        return backbones.load_pretrained_model(name)


@pytest.fixture(scope="module", params=FAMILIES)
def family(request, tmp_path_factory):
    """One of Keras' networks, loaded by the package from a file, and the network whose weights the file holds."""
    import keras

    home = tmp_path_factory.mktemp(request.param)
    published = write_weights(
        request.param, home / "models", include_top=False, pooling="avg"
    )
    model = load_with_home(request.param, home)
    for file in (home / "models").iterdir():  # up to 94 MB
        file.unlink()
    preprocess_input = getattr(
        keras.applications, FAMILIES[request.param][0]
    ).preprocess_input
    yield SimpleNamespace(
        name=request.param,
        model=model,
        published=published,
        preprocess_input=preprocess_input,
    )
    keras.backend.clear_session()


@pytest.fixture(scope="module")
def pixels():
    """Every combination of 0, 127.5 and 255 in red, green and blue: float32 (1, 3, 9, 3)."""
    levels = np.array([0, 127.5, 255], np.float32)
    return np.stack(np.meshgrid(levels, levels, levels), axis=-1).reshape(1, 3, 9, 3)


def some_pictures(model, count=2):
    """float32 (count, height, width, 3) at the network's size."""
    return (
        np.random.default_rng(0)
        .uniform(0, 255, (count, *model.input_size, 3))
        .astype("float32")
    )


def run_python(program, folder=None, **environment):
    """Run a program in a fresh process; returns it when it has ended well."""
    paths = os.pathsep.join(
        [str(Path(tlcourse.__file__).parent.parent), os.environ.get("PYTHONPATH", "")]
    )
    inherited = {
        name: value
        for name, value in os.environ.items()
        if name != "TF_CPP_MIN_LOG_LEVEL"
    }  # ours to set
    environment = {**inherited, "PYTHONPATH": paths, "TQDM_DISABLE": "1", **environment}
    run = subprocess.run(
        [sys.executable, "-c", program],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stderr
    return run


def sentence(kind, function, *arguments, **options):
    """The sentence with which a call is refused."""
    with pytest.raises(kind) as caught:
        function(*arguments, **options)
    return str(caught.value)


# What there is


def test_the_list_names_the_bundled_networks_keras_six_and_those_that_read(models):
    assert list(backbones.list_pretrained_models()) == [
        *BUNDLED,
        *FAMILIES,
        *bert_folder.PUBLISHED,
    ]


def test_type_checkers_know_the_names_of_all_networks_that_see():
    assert get_args(PictureModel) == tuple(RECIPES)


def test_the_list_says_what_is_bundled(models):
    listed = backbones.list_pretrained_models().items()
    assert [name for name, line in listed if line.endswith(", bundled")] == BUNDLED


@pytest.mark.parametrize("name", FAMILIES)
def test_the_list_says_what_fetches_a_network_that_is_not_here(models, name):
    assert backbones.list_pretrained_models()[name].endswith(f", tlcourse fetch {name}")


@pytest.mark.parametrize("name", FAMILIES)
def test_the_list_says_which_networks_are_here(models, name):
    (models / published.weights_file(name).name).touch()
    listed = backbones.list_pretrained_models()
    here = [known for known in FAMILIES if listed[known].endswith(", here")]
    assert here == [name]


def test_the_list_tells_each_networks_input_size(models):
    listed = backbones.list_pretrained_models().items()
    sizes = {
        name: line.split(" pixels")[0]
        for name, line in listed
        if name not in bert_folder.PUBLISHED
    }
    larger = {
        "efficientnet_lite2": "260×260",
        "inception_v3": "299×299",
        "xception": "299×299",
    }
    assert sizes == {name: "224×224" for name in sizes} | larger


def test_without_keras_home_weights_are_looked_for_in_the_users_folder(monkeypatch):
    monkeypatch.delenv("KERAS_HOME", raising=False)
    assert published.weights_file("vgg16").parent == Path.home() / ".keras" / "models"


def test_a_tilde_in_keras_home_is_the_users_folder(monkeypatch):
    monkeypatch.setenv("KERAS_HOME", "~/weights")
    assert published.weights_file("vgg16").parent == Path.home() / "weights" / "models"


@pytest.mark.parametrize("name", ["vgg19", "VGG16", "", None])
def test_an_unknown_name_is_answered_with_the_known_ones(name):
    said = sentence(UserInputError, backbones.load_pretrained_model, name)
    known = ", ".join([*BUNDLED, *FAMILIES, *bert_folder.PUBLISHED])
    assert (
        said
        == f"There is no pretrained model {name!r}. Known: {known}; or the path of a BERT's folder."
    )


# Each of Keras' networks


@pytest.mark.slow
def test_preprocessing_is_the_one_of_the_networks_family(family, pixels):
    expected = family.preprocess_input(pixels.copy())
    np.testing.assert_allclose(family.model.preprocess(pixels), expected, atol=1e-5)


def test_features_are_those_of_the_network_whose_weights_were_written(family):
    pictures = some_pictures(family.model, count=1)
    expected = family.published(family.preprocess_input(pictures.copy())).numpy()
    np.testing.assert_allclose(
        family.model.network(pictures),
        expected,
        rtol=1e-3,
        atol=1e-4 * np.abs(expected).max(),
    )


def test_blocks_hold_each_layer_once_and_in_order(family):
    outside = {"pixels", "preprocessing", family.model.network.layers[-1].name}
    expected = [
        layer.name for layer in family.model.network.layers if layer.name not in outside
    ]
    assert [
        name for layers in family.model.blocks.values() for name in layers
    ] == expected


def test_every_layer_with_weights_is_in_a_block(family):
    named = {name for layers in family.model.blocks.values() for name in layers}
    assert {
        layer.name for layer in family.model.network.layers if layer.weights
    } <= named


def test_a_block_hands_on_nothing_but_its_last_layers_output(family):
    import keras

    blocks = list(family.model.blocks.values())
    for block, after in zip(blocks, blocks[1:], strict=False):
        layers = map(family.model.network.get_layer, after)
        given = {
            tensor._keras_history.operation.name
            for layer in layers
            for tensor in keras.tree.flatten(layer.input)
        }
        assert given - set(after) <= {block[-1]}


def test_blocks_have_the_names_that_the_networks_papers_use(family):
    expected = {
        "vgg16": [f"block{number}" for number in range(1, 6)],
        "resnet50": [
            "stem",
            *(
                f"conv{stage}_block{block}"
                for stage, count in enumerate((3, 4, 6, 3), 2)
                for block in range(1, count + 1)
            ),
        ],
        "inception_v3": [f"mixed{number}" for number in range(11)],
        "xception": [f"block{number}" for number in range(1, 15)],
        "mobilenet_v2": ["stem", *(f"block_{number}" for number in range(17)), "head"],
        "efficientnet_v2_b0": [
            "stem",
            *(
                f"block{stage}{'abcdefgh'[block]}"
                for stage, n in enumerate((1, 2, 2, 3, 5, 8), 1)
                for block in range(n)
            ),
            "head",
        ],
    }
    assert list(family.model.blocks) == expected[family.name]


def test_there_is_no_lambda_in_the_network(family):
    kinds = {type(operation).__name__ for operation in family.model.network.operations}
    assert "Lambda" not in kinds


def test_its_description_tells_size_features_and_blocks(family):
    expected = {
        "vgg16": "<vgg16: 224×224 pixels → 512 features, 5 blocks>",
        "resnet50": "<resnet50: 224×224 pixels → 2,048 features, 17 blocks>",
        "inception_v3": "<inception_v3: 299×299 pixels → 2,048 features, 11 blocks>",
        "xception": "<xception: 299×299 pixels → 2,048 features, 14 blocks>",
        "mobilenet_v2": "<mobilenet_v2: 224×224 pixels → 1,280 features, 19 blocks>",
        "efficientnet_v2_b0": "<efficientnet_v2_b0: 224×224 pixels → 1,280 features, 23 blocks>",
    }
    assert repr(family.model) == expected[family.name]


# The bundled networks


def test_the_bundled_networks_preprocessing_centres_on_127(each_bundled_model, pixels):
    np.testing.assert_allclose(
        each_bundled_model.preprocess(pixels), (pixels - 127) / 128, atol=1e-6
    )


def test_preprocessing_gives_float32(bundled_model):
    assert (
        bundled_model.preprocess(np.full((1, 4, 4, 3), 9, np.uint8)).dtype == np.float32
    )


@pytest.mark.parametrize(
    ("name", "blocks"),
    [
        ("efficientnet_lite0", "1a 2a 2b 3a 3b 4a 4b 4c 5a 5b 5c 6a 6b 6c 6d 7a"),
        (
            "efficientnet_lite2",
            "1a 2a 2b 2c 3a 3b 3c 4a 4b 4c 4d 5a 5b 5c 5d 6a 6b 6c 6d 6e 7a",
        ),
    ],
)
def test_the_bundled_networks_blocks_are_the_papers(name, blocks):
    expected = ["stem", *(f"block{block}" for block in blocks.split()), "head"]
    assert list(backbones.load_pretrained_model(name).blocks) == expected


def test_the_bundled_networks_blocks_hold_each_layer_once_and_in_order(
    each_bundled_model,
):
    outside = {"pixels", "preprocessing", "average_pooling"}
    expected = [
        layer.name
        for layer in each_bundled_model.network.layers
        if layer.name not in outside
    ]
    assert [
        name for layers in each_bundled_model.blocks.values() for name in layers
    ] == expected


def test_there_is_no_lambda_in_the_bundled_network(each_bundled_model):
    assert "Lambda" not in {
        type(operation).__name__ for operation in each_bundled_model.network.operations
    }


def test_the_bundled_networks_description(each_bundled_model):
    assert repr(each_bundled_model) in (
        "<efficientnet_lite0: 224×224 pixels → 1,280 features, 18 blocks>",
        "<efficientnet_lite2: 260×260 pixels → 1,280 features, 23 blocks>",
    )


def test_the_larger_bundled_network_takes_pictures_of_any_size(photographs):
    model = backbones.load_pretrained_model("efficientnet_lite2")
    found = model.extract_features([photographs[0], photographs[1, :100]])
    assert found.shape == (2, 1280) and found.dtype == np.float32


def test_the_larger_bundled_networks_activations_are_as_large_as_its_pictures_ask(
    photographs,
):
    found = backbones.load_pretrained_model("efficientnet_lite2").activations(
        photographs[:1], "block4d"
    )
    assert found.shape == (1, 17, 17, 88) and found.dtype == np.float16


# Features


@pytest.fixture(scope="module")
def positions(bundled_model, photographs):
    """What three blocks put out at every position, by Keras alone: name → float32 (n, h, w, channels)."""
    import keras

    def output(layer):
        return keras.Model(
            bundled_model.network.inputs[0],
            bundled_model.network.get_layer(layer).output,
        )

    pixels = photographs.astype("float32")
    last = {"block3b": "block3b_add", "block5c": "block5c_add", "head": "head_relu6"}
    return {block: output(layer)(pixels).numpy() for block, layer in last.items()}


def test_of_each_block_the_averages_come_before_the_maxima(
    bundled_model, photographs, positions
):
    values = positions["block5c"]
    expected = np.concatenate(
        [values.mean(axis=(1, 2)), values.max(axis=(1, 2))], axis=1
    )
    found = bundled_model.extract_features(photographs, blocks=["block5c"])
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize(
    "blocks", [("block3b", "head"), ("head", "block3b"), ("head", "head")]
)
def test_blocks_stand_side_by_side_in_the_order_asked_for(
    bundled_model, photographs, positions, blocks
):
    each = [
        function(positions[block], axis=(1, 2))
        for block in blocks
        for function in (np.mean, np.max)
    ]
    found = bundled_model.network_at(blocks)(photographs.astype("float32"))
    np.testing.assert_allclose(
        found, np.concatenate(each, axis=1), rtol=1e-3, atol=1e-3
    )


def test_one_block_may_be_given_as_text(bundled_model, photographs):
    found, expected = (
        bundled_model.extract_features(photographs, blocks)
        for blocks in ("block5c", ["block5c"])
    )
    np.testing.assert_array_equal(found, expected)


def test_the_same_blocks_are_not_prepared_again(
    bundled_model, photographs, monkeypatch
):
    bundled_model.extract_features(photographs, ["block5c"])
    monkeypatch.setattr(
        backbones, "_bundled_engine", lambda *output: pytest.fail("prepared again")
    )
    bundled_model.extract_features(photographs, ["block5c"])


def test_each_channel_of_a_block_gives_two_features(bundled_model):
    assert bundled_model.network_at(bundled_model.blocks).output_shape == (
        None,
        2 * (32 + 16 + 2 * 24 + 2 * 40 + 3 * 80 + 3 * 112 + 4 * 192 + 320 + 1280),
    )


@pytest.mark.parametrize(
    ("blocks", "named"),
    [(["head", "block9z"], "['block9z']"), ("tail", "['tail']"), ([], "[]")],
)
def test_an_unknown_block_is_answered_with_the_known_ones(
    bundled_model, photographs, blocks, named
):
    said = sentence(UserInputError, bundled_model.extract_features, photographs, blocks)
    assert (
        said
        == f"{bundled_model.name} has no block {named}. Its blocks: {', '.join(bundled_model.blocks)}."
    )


# The caller's pictures

CALLS = ["preprocess", "extract_features", "predict_labels"]


@pytest.mark.parametrize("call", CALLS)
def test_the_callers_pictures_are_not_changed(bundled_model, call):
    pictures = some_pictures(bundled_model)
    before = pictures.copy()
    getattr(bundled_model, call)(pictures)
    np.testing.assert_array_equal(pictures, before)


@pytest.mark.slow
def test_preprocessing_by_each_family_does_not_change_the_callers_pictures(
    family, pixels
):
    before = pixels.copy()
    family.model.preprocess(pixels)
    np.testing.assert_array_equal(pixels, before)


@pytest.mark.parametrize("call", CALLS)
def test_scaled_pictures_are_refused(bundled_model, call):
    scaled = some_pictures(bundled_model) / 255
    assert "they were scaled to [0, 1] before" in sentence(
        UserInputError, getattr(bundled_model, call), scaled
    )


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_pixels_that_are_not_finite_are_refused(bundled_model, call, value):
    pictures = some_pictures(bundled_model)
    pictures[1, 0, 0, 0] = value
    assert "NaN or infinite pixels" in sentence(
        UserInputError, getattr(bundled_model, call), pictures
    )


# Labels


def answers_of(model):
    """What a network says is in the sample photographs: file name → all (label, probability)."""
    samples = load_dataset("samples").test.images
    photographs = [read_picture(path) for path in samples.paths]
    return dict(
        zip(
            [path.name for path in samples.paths],
            model.predict_labels(photographs, 1000),
            strict=True,
        )
    )


@pytest.fixture(scope="module")
def answers(bundled_model):
    return answers_of(bundled_model)


def test_the_sample_photographs_get_the_answers_of_the_original_network(
    each_bundled_model,
):
    expected = EXPECTED[each_bundled_model.name]
    answers = answers_of(each_bundled_model)
    assert set(answers) == set(expected)
    for name, rows in expected.items():
        original = {label: probability for _, label, probability in rows}
        found = dict(answers[name][:5])
        assert set(found) == set(original), name
        assert found == pytest.approx(original, abs=1e-3), name
        in_order = [
            original[label] for label in found
        ]  # other than the original's only where two are almost equal
        assert (np.diff(in_order) < 1e-3).all(), name


def test_all_thousand_labels_can_be_asked_for(bundled_model, answers):
    assert all(
        {label for label, _ in answer} == set(bundled_model.labels)
        for answer in answers.values()
    )


def test_the_probabilities_of_all_labels_sum_to_one(answers):
    sums = [
        sum(probability for _, probability in answer) for answer in answers.values()
    ]
    np.testing.assert_allclose(sums, 1, atol=1e-4)


def test_labels_come_with_the_most_probable_first(answers):
    for answer in answers.values():
        probabilities = [probability for _, probability in answer]
        assert probabilities == sorted(probabilities, reverse=True)


def test_without_top_there_are_five_labels(bundled_model, photographs):
    assert [len(answer) for answer in bundled_model.predict_labels(photographs)] == [
        5
    ] * len(photographs)


@pytest.mark.parametrize("top", [1, np.int64(3)])
def test_each_picture_gets_as_many_labels_as_asked_for(bundled_model, photographs, top):
    assert [
        len(answer) for answer in bundled_model.predict_labels(photographs, top)
    ] == [top] * len(photographs)


def test_one_picture_gets_one_list_of_labels(bundled_model, photographs):
    assert bundled_model.predict_labels(photographs[0]) == bundled_model.predict_labels(
        photographs[:1]
    )


def test_a_label_is_text_and_its_probability_a_number_of_python(
    bundled_model, photographs
):
    ((pair,),) = bundled_model.predict_labels(photographs[0], top=1)
    assert [type(part) for part in pair] == [str, float]


@pytest.mark.parametrize("top", [0, -1, 1001, 2.5, None, "5"])
def test_more_or_fewer_labels_than_there_are_get_a_sentence(
    bundled_model, photographs, top
):
    said = sentence(UserInputError, bundled_model.predict_labels, photographs, top)
    assert said == f"top is {top!r}; expected a whole number from 1 to 1,000."


def test_a_classifier_from_a_file_gives_that_networks_probabilities(
    models, mobilenet_file
):
    import keras

    published = write_weights("mobilenet_v2", models)
    model = backbones.load_pretrained_model("mobilenet_v2")
    picture = some_pictures(model, count=1)
    expected = published(
        keras.applications.mobilenet_v2.preprocess_input(picture.copy())
    )
    np.testing.assert_allclose(
        model.classifier(picture), expected, rtol=1e-3, atol=1e-7
    )


# What is not to be had


@pytest.mark.parametrize("name", FAMILIES)
def test_without_internet_missing_weights_are_named_with_what_brings_them(
    models, no_internet, name
):
    said = sentence(WeightsUnavailable, backbones.load_pretrained_model, name)
    assert "could not be downloaded: storage.googleapis.com cannot be reached (" in said
    assert f"With internet run `tlcourse fetch {name}`;" in said
    assert (
        f"copy {published.weights_file(name).name} into {models} from a machine that has it"
        in said
    )


@pytest.mark.parametrize("name", FAMILIES)
def test_the_address_and_the_hash_are_those_of_keras(models, monkeypatch, name):
    import keras

    asked = []

    def get_file(fname, origin, file_hash=None, **options):
        asked.extend([origin, file_hash or ""])
        raise InterruptedError

    monkeypatch.setattr(f"{keras.__name__}.src.utils.file_utils.get_file", get_file)
    module, function = FAMILIES[name]
    with pytest.raises(InterruptedError):
        getattr(getattr(keras.applications, module), function)(
            weights="imagenet", include_top=False, input_shape=(224, 224, 3)
        )
    recipe = RECIPES[name]
    assert asked == [
        f"{published.KERAS_FILES}/{recipe.address}/{recipe.files[0]}",
        recipe.md5[0],
    ]


@pytest.mark.parametrize("name", [name for name in FAMILIES if RECIPES[name].md5[1]])
def test_the_hash_of_the_classifier_is_that_of_keras(name):
    import keras

    function = getattr(
        getattr(keras.applications, FAMILIES[name][0]), FAMILIES[name][1]
    )
    assert RECIPES[name].md5[1] in inspect.getsource(inspect.getmodule(function))


def test_a_download_begins_without_a_warning(models, no_internet, recwarn):
    sentence(WeightsUnavailable, backbones.load_pretrained_model, "mobilenet_v2")
    assert [
        str(warning.message) for warning in recwarn if warning.category is UserWarning
    ] == []


def test_a_missing_classifier_is_fetched_with_an_option(
    models, mobilenet_file, no_internet
):
    model = backbones.load_pretrained_model("mobilenet_v2")
    said = sentence(WeightsUnavailable, model.predict_labels, some_pictures(model))
    assert "`tlcourse fetch mobilenet_v2 --with-classifier`" in said


@pytest.mark.parametrize("name", BUNDLED)
def test_nothing_is_downloaded_for_a_bundled_network(models, no_internet, name):
    assert published.fetch_weights(name) is None


def cut_short(file):
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])


def empty(file):
    file.write_bytes(b"")


def a_web_page(file):
    file.write_text("<!doctype html><title>Log in to the school's network</title>")


@pytest.mark.parametrize("damage", [cut_short, empty, a_web_page])
def test_a_damaged_file_is_named_with_what_mends_it(
    mobilenet_file, no_internet, damage
):
    damage(mobilenet_file)
    said = sentence(DamagedFile, backbones.load_pretrained_model, "mobilenet_v2")
    assert said.startswith(f"The weights file {mobilenet_file} cannot be loaded (")
    assert said.endswith(
        "Delete it and run `tlcourse fetch mobilenet_v2` with internet."
    )


def test_the_weights_of_another_network_are_refused(
    models, mobilenet_file, no_internet
):
    mobilenet_file.rename(published.weights_file("vgg16"))
    said = sentence(DamagedFile, backbones.load_pretrained_model, "vgg16")
    assert "Delete it and run `tlcourse fetch vgg16`" in said


def test_without_tensorflow_the_sentence_says_how_to_install_it(monkeypatch):
    monkeypatch.setattr(tensorflow_start, "find_spec", lambda name: None)
    said = sentence(
        WeightsUnavailable, lambda: backbones.load_pretrained_model().network
    )
    assert (
        said.startswith("TensorFlow is not installed.")
        and "make setup" in said
        and "pip install '.[cpu]'" in said
    )


# In a process of their own


@pytest.fixture(scope="module")
def kept(bundled_model, tmp_path_factory):
    """Networks that are saved and read again in one fresh process by Keras alone: name → answers before and after."""
    home = tmp_path_factory.mktemp("kept")
    write_weights("vgg16", home / "models", include_top=False)
    networks = {
        "vgg16": load_with_home("vgg16", home).network,
        "network_at": bundled_model.network_at(["block3b", "head"]),
    }
    pictures = some_pictures(bundled_model, count=1)
    np.save(home / "pictures.npy", pictures)
    for name, network in networks.items():
        network.save(home / f"{name}.keras")
    run_python(
        "import keras, numpy as np\n"
        f"for name in {list(networks)}:\n"
        "    network = keras.models.load_model(f'{name}.keras')\n"
        "    np.save(f'{name}.npy', network(np.load('pictures.npy')))\n",
        home,
    )
    answers = {
        name: (network(pictures).numpy(), np.load(home / f"{name}.npy"))
        for name, network in networks.items()
    }
    for file in (*home.glob("*.keras"), *home.glob("models/*")):  # 59 MB each for vgg16
        file.unlink()
    return answers


@pytest.mark.slow
@pytest.mark.parametrize("name", ["network_at", "vgg16"])
def test_a_saved_network_answers_the_same_in_a_fresh_process(kept, name):
    before, after = kept[name]
    np.testing.assert_allclose(
        after, before, rtol=1e-5, atol=1e-6 * np.abs(before).max()
    )


def test_nothing_is_written_in_red_when_features_are_extracted():
    program = (
        "import numpy as np, tlcourse as tl\n"
        "tl.load_pretrained_model().extract_features(np.full((1, 224, 224, 3), 99, np.uint8))\n"
    )
    assert run_python(program).stderr == ""


@pytest.mark.slow
def test_tensorflow_starts_in_silence_whatever_the_log_level():
    program = (
        "from tlcourse.tensorflow_start import import_tensorflow; import_tensorflow()"
    )
    assert run_python(program, TF_CPP_MIN_LOG_LEVEL="0").stderr == ""


@pytest.mark.slow
@pytest.mark.parametrize(
    "call",
    [
        "model.preprocess(np.full((1, 40, 40, 3), 200))",
        "model.copy_network()",
        "tl.train_classifier(np.eye(4), [0, 1, 0, 1]).as_head()",
    ],
)
def test_whatever_starts_tensorflow_first_starts_it_in_silence(call):
    program = f"import numpy as np, tlcourse as tl; model = tl.load_pretrained_model(); {call}"
    assert run_python(program, TF_CPP_MIN_LOG_LEVEL="0").stderr == ""
