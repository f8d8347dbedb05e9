"""The freeze explorer says what is frozen, what that costs and what it has brought."""

import re

import pytest

import tlcourse as tl
from tlcourse.errors import UserInputError
from tlcourse.models.block_counts import count_blocks
from tlcourse.models.recipes import RECIPES
from tlcourse.widgets import freeze_explorer, freezing_at


@pytest.fixture(scope="module")
def explorer():
    return freeze_explorer()


@pytest.mark.parametrize("name", RECIPES)
def test_there_is_an_explorer_for_each_published_network(name):
    found = freezing_at(name, 1).data
    assert len(found["frozen"]) == 1 and len(found["learning"]) >= 4
    assert (
        found["seconds_an_epoch"]["in_fit"]
        > found["seconds_an_epoch"]["computed_once"]
        > 0
    )


@pytest.mark.parametrize("name", ["efficientnet_lite0", "efficientnet_lite2"])
def test_what_was_counted_is_what_the_network_holds(name):
    counted = [
        vars(block) for block in count_blocks(tl.load_pretrained_model(name).network)
    ]
    assert tl.results(f"blocks.{name}.blocks") == counted


@pytest.mark.parametrize("frozen", [0, 5, "block5c", 18])
def test_trainable_numbers_are_those_that_unfreeze_would_train(frozen, bundled_model):
    network = tl.add_head(bundled_model, classes=2)
    table = tl.unfreeze(network)
    if frozen:
        table = tl.freeze(network, up_to=frozen)
    said = freezing_at(bundled_model, frozen).data
    assert (said["trainable"], said["parameters"]) == (
        table.trainable,
        table.parameters,
    )


def test_a_network_with_a_head_of_ones_own_is_recognised_by_its_blocks(bundled_model):
    network = tl.add_head(bundled_model, classes=2)
    said, published = (
        freezing_at(model, "block5c").data for model in (network, bundled_model)
    )
    assert {**said, "network": ""} == {**published, "network": ""}


def test_of_an_unknown_network_only_the_counts_are_said():
    import keras

    layers = keras.layers
    network = keras.Sequential(
        [keras.Input((8, 8, 3)), layers.Conv2D(4, 3), layers.Flatten(), layers.Dense(2)]
    )
    answer = freezing_at(network, 1)
    assert answer.data["trainable"] == 144 * 2 + 2
    assert (
        "Seconds an epoch: not measured" in answer.text
        and "Accuracy by the cut: not measured" in answer.text
    )
    assert answer.figure.alt == answer.text


def test_looking_changes_no_flag(bundled_model):
    network = tl.add_head(bundled_model, classes=2)
    before = [layer.trainable for layer in network.layers]
    freezing_at(network, 3)
    assert [layer.trainable for layer in network.layers] == before


def test_where_accuracy_was_measured_it_is_said_and_elsewhere_not():
    study = tl.results("solar_tuning.blocks")
    place = study["blocks that learn"].index(6)
    measured, between = freezing_at(frozen=18 - 6), freezing_at(frozen=18 - 7)
    assert f"{study['mean'][place]:.1%} ± {study['sd'][place]:.1%}" in measured.text
    assert between.data["accuracy"] is None and "not measured" in between.text


def test_the_more_is_frozen_the_less_it_costs():
    answers = [freezing_at(frozen=frozen).data for frozen in range(19)]
    for cost in (lambda data: data["trainable"], lambda data: data["megabytes"]):
        costs = [cost(data) for data in answers]
        assert costs == sorted(costs, reverse=True)


def test_moving_the_slider_shows_the_numbers_of_the_new_cut(explorer):
    explorer.box  # noqa: B018 - makes the slider
    for frozen in (17, 3):
        explorer.slider.value = frozen
        said = freezing_at(frozen=frozen).text.split("\n")
        assert all(f"{line}</p>" in explorer.page.value for line in said)


def test_the_page_has_a_picture_with_a_description_and_the_blocks_as_a_table(explorer):
    page = explorer.at("block5c").page
    assert re.search(r'<img alt="efficientnet_lite0: 12 of 18 blocks are frozen', page)
    assert page.count("<tr>") == 1 + 18 and page.count(">frozen<") == 12


@pytest.mark.parametrize("wrong", [-1, 19, "block9z", 2.5, True])
def test_a_cut_that_is_not_there_is_answered_with_what_there_is(wrong):
    with pytest.raises(
        UserInputError,
        match="expected how many blocks are frozen, 0 to 18, or the last one of",
    ):
        freezing_at(frozen=wrong)


def test_an_unknown_name_is_answered_with_the_known_ones():
    with pytest.raises(
        UserInputError,
        match="There is no network 'vgg61' here. There are efficientnet_lite0",
    ):
        freeze_explorer("vgg61")
