"""The pretrained part of any Keras model, and its blocks."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from .. import validation
from ..errors import UserInputError
from ..native import import_tensorflow
from .recipes import BERT, RECIPES, Recipe

if TYPE_CHECKING:
    import keras


OWN = "your layers"  # the name for layers around the pretrained part


class HasNetwork(Protocol):
    """An object with a network: a `PretrainedModel`, or a fine-tuned one."""

    @property
    def network(self) -> "keras.Model": ...


@dataclass(frozen=True)
class Parts:
    """A model and its blocks."""

    network: "keras.Model"
    blocks: dict[str, list]  # block name → its layers, from input to output
    own: list  # layers with weights outside the blocks, such as a head
    # Whether the blocks are those of a pretrained network; else each layer with weights
    # is one.
    known: bool

    @property
    def layers(self) -> dict[str, list]:
        """Block name → layers, with those outside the blocks under `OWN`."""
        return {**self.blocks, OWN: self.own} if self.own else self.blocks


def find_blocks(model: "keras.Model | HasNetwork") -> Parts:
    """Find the pretrained part of a model and its blocks.

    A pretrained network is recognised by the names of its layers. In other networks
    every layer with weights is a block, but for a dense layer at the end, the head; a
    single network nested in the model is then taken for the pretrained part.
    """
    import_tensorflow()
    import keras

    network = getattr(model, "network", getattr(model, "model", model))
    if not isinstance(network, keras.Model):
        raise UserInputError(
            f"A {type(model).__name__} was given; expected a model of "
            "tl.load_pretrained_model() or a keras.Model."
        )
    if not network.built or not all(layer.built for layer in leaves(network)):
        raise UserInputError(
            f"The model {network.name!r} is not built yet, so it has no weights to "
            "freeze. Give it an input: keras.Input((height, width, 3)) as its first "
            "layer, or model.build((None, height, width, 3))."
        )
    if network is not model and hasattr(model, "blocks"):
        names = model.blocks.items()
        found = [{block: list(map(network.get_layer, part)) for block, part in names}]
    else:
        found = list(filter(None, map(_known_blocks, containers(network))))
    if len(found) > 1:
        raise UserInputError(
            f"{network.name!r} holds {len(found)} pretrained networks. Freeze each by "
            'itself, tl.freeze(model.get_layer("its name")), and compile the model '
            "afterwards."
        )
    blocks = found[0] if found else _unknown_blocks(network)
    if not blocks:
        raise UserInputError(
            f"{network.name!r} has no layers with weights before its head, so there is "
            "nothing to freeze."
        )
    inside = {id(layer) for layers in blocks.values() for layer in layers}
    own = [
        layer for layer in leaves(network) if layer.weights and id(layer) not in inside
    ]
    return Parts(network, blocks, own, bool(found))


def leaves(model: "keras.Model") -> Iterator:
    """The layers of a model and of the models nested in it, each once."""
    seen = set()
    for container in containers(model):
        for layer in container.layers:
            if not is_model(layer) and id(layer) not in seen:
                seen.add(id(layer))
                yield layer


def batch_norms(layers: Sequence) -> list:
    """The batch norms among these layers and within them."""
    import keras

    inside = [part for layer in layers for part in layer._flatten_layers()]
    return [
        part for part in inside if isinstance(part, keras.layers.BatchNormalization)
    ]


def is_kernel(weight: "keras.Variable") -> bool:
    """Whether a weight multiplies the input: no bias (attention's have two axes)."""
    return len(weight.shape) >= 2 and weight.name != "bias"


def is_model(layer: "keras.layers.Layer") -> bool:
    import keras

    return isinstance(layer, keras.Model)


def containers(model: "keras.Model") -> Iterator:
    """The model and the models nested in it, outermost first."""
    yield model
    for layer in model.layers:
        if is_model(layer):
            yield from containers(layer)


def _known_blocks(container: "keras.Model") -> dict[str, list] | None:
    """The blocks of the pretrained network with these layers' names, if there is one.

    A family that shares only some names (DenseNet with ResNet) does not count: its last
    blocks would be taken for a head.
    """
    found = [_matched(container.layers, recipe) for recipe in (*RECIPES.values(), BERT)]
    layers, share, blocks = max(found, key=lambda match: match[:2])
    return blocks if len(blocks) >= 3 and share > 0.8 else None


def _matched(
    layers: "Sequence[keras.layers.Layer]", recipe: Recipe
) -> tuple[int, float, dict[str, list]]:
    """How many layers have a block's name in this recipe, their share, and the blocks.

    What follows the last such layer is a head, except the batch norm and activation
    that some families end with.
    """
    bearing = [bool(_name_on(layer, recipe)) for layer in layers]
    named = [
        bears
        for layer, bears in zip(layers, bearing, strict=True)
        if layer.weights and is_spatial(layer)
    ]
    share = 1.0 if recipe.named_at_end else sum(named) / max(len(named), 1)
    end = max((place + 1 for place, bears in enumerate(bearing) if bears), default=0)
    while end < len(layers) and _ends_a_base(layers[end]):
        end += 1
    return sum(bearing), share, sort_into_blocks(layers[:end], recipe)


def sort_into_blocks(
    layers: "Sequence[keras.layers.Layer]", recipe: Recipe
) -> dict[str, list]:
    """Block name → layers, in their order; unnamed ones go with a neighbour."""
    blocks: dict[str, list[keras.layers.Layer]] = {}
    waiting: list[keras.layers.Layer] = []
    current: str | None = None
    for layer in layers:
        waiting.append(layer)
        name = _name_on(layer, recipe)
        current = name or current
        if current and (name or not recipe.named_at_end):
            blocks.setdefault(current, []).extend(waiting)
            waiting = []
    if waiting and current:
        blocks[current] += waiting
    return blocks


def _name_on(layer: "keras.layers.Layer", recipe: Recipe) -> str | None:
    """The block's name in a layer's name, if any; not of a head ("top_dropout")."""
    match = re.match(recipe.block, layer.name) if is_spatial(layer) else None
    return match and recipe.rename.get(match[1], match[1])


def is_spatial(layer: "keras.layers.Layer") -> bool:
    """Whether a layer outputs maps, not vectors; False for a nested model."""
    if is_model(layer):
        return False
    try:
        return len(layer.output.shape) > 2 or "squeeze" in layer.name
    except (AttributeError, ValueError):  # used twice, or never
        return True


def _ends_a_base(layer: "keras.layers.Layer") -> bool:
    import keras

    layers = keras.layers
    kinds = (layers.BatchNormalization, layers.Activation, layers.ReLU)
    return isinstance(layer, kinds) and is_spatial(layer)


def _unknown_blocks(network: "keras.Model") -> dict[str, list]:
    """Each layer with weights as a block of its own, without the head."""
    children = [layer for layer in network.layers if layer.weights]
    if children and len(children) > 1 and _ends_dense(children[-1]):
        children = children[:-1]
    elif len(children) == 1 and not is_model(children[0]) and _ends_dense(children[0]):
        return {}
    nested = [layer for layer in children if is_model(layer)]
    if len(nested) == 1:
        return {layer.name: [layer] for layer in leaves(nested[0]) if layer.weights}
    return {
        layer.name: list(leaves(layer)) if is_model(layer) else [layer]
        for layer in children
    }


def _ends_dense(layer: "keras.layers.Layer") -> bool:
    import keras

    if is_model(layer):
        layer = [part for part in leaves(layer) if part.weights][-1]
    return isinstance(layer, keras.layers.Dense)


def check_blocks(
    model: str, known: Iterable[str], blocks: str | Sequence[str]
) -> tuple[str, ...]:
    """Names out of a model's blocks, or a sentence that lists the known ones."""
    names = (blocks,) if isinstance(blocks, str) else validation.elements(blocks)
    if names and all(isinstance(name, str) and name in known for name in names):
        return names
    raise UserInputError(
        f"{model} has no block {validation.shown(blocks)}. Its blocks: "
        f"{', '.join(known)}."
    )


def network_up_to(
    network: "keras.Model", layers: Sequence[str], is_pooled: bool, name: str
) -> "keras.Model":
    """The network up to a layer, or the averages and maxima of several outputs."""
    import keras
    from keras.layers import Concatenate, GlobalAveragePooling2D, GlobalMaxPooling2D

    outputs = [network.get_layer(layer).output for layer in layers]
    if is_pooled:
        kinds = (GlobalAveragePooling2D, GlobalMaxPooling2D)
        pooled = [kind()(output) for output in outputs for kind in kinds]
        outputs = [Concatenate()(pooled)]
    return keras.Model(network.inputs[0], outputs[0], name=name)
