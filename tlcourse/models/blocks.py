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
            f"The model {network.name!r} is not built yet. Begin it with "
            "keras.Input((height, width, 3)), or call its build method."
        )
    if network is not model and hasattr(model, "blocks"):
        names = model.blocks.items()
        known = [{block: list(map(network.get_layer, part)) for block, part in names}]
    else:
        known = list(filter(None, map(_known_blocks, containers(network))))
    if len(known) > 1:
        raise UserInputError(
            f"{network.name!r} holds {len(known)} pretrained networks. Freeze each by "
            'itself, tl.freeze(model.get_layer("its name")), and compile the model '
            "afterwards."
        )
    blocks = known[0] if known else _unknown_blocks(network)
    if not blocks:
        raise UserInputError(
            f"{network.name!r} has no layers with weights before its head, so there is "
            "nothing to freeze."
        )
    inside = {id(layer) for layers in blocks.values() for layer in layers}
    own = [x for x in leaves(network) if x.weights and id(x) not in inside]
    return Parts(network, blocks, own, bool(known))


def containers(model: "keras.Model") -> Iterator:
    """The model and the models nested in it, outermost first."""
    yield model
    for layer in filter(is_model, model.layers):
        yield from containers(layer)


def leaves(model: "keras.Model") -> Iterator:
    """The layers of a model and of the models nested in it, each once."""
    layers = {id(layer): layer for part in containers(model) for layer in part.layers}
    return (layer for layer in layers.values() if not is_model(layer))


def batch_norms(layers: Sequence) -> list:
    """The batch norms among these layers and within them."""
    import keras

    kind = keras.layers.BatchNormalization
    inside = (part for layer in layers for part in layer._flatten_layers())
    return [part for part in inside if isinstance(part, kind)]


def is_kernel(weight: "keras.Variable") -> bool:
    """Whether a weight multiplies the input: no bias (attention's have two axes)."""
    return len(weight.shape) >= 2 and weight.name != "bias"


def is_model(layer: "keras.layers.Layer") -> bool:
    """Whether a layer is a whole model."""
    import keras

    return isinstance(layer, keras.Model)


def is_spatial(layer: "keras.layers.Layer") -> bool:
    """Whether a layer outputs maps, not vectors; False for a nested model."""
    if is_model(layer):
        return False
    try:
        return len(layer.output.shape) > 2 or "squeeze" in layer.name
    except (AttributeError, ValueError):  # used twice, or never
        return True


def _known_blocks(model: "keras.Model") -> dict[str, list] | None:
    """The blocks of the pretrained network with these layers' names, if there is one.

    A family that shares only some names (DenseNet with ResNet) does not count: its last
    blocks would be taken for a head.
    """
    import keras

    layers = model.layers
    bearing = [layer for layer in layers if layer.weights and is_spatial(layer)]

    def match(recipe: Recipe) -> tuple[int, float, Recipe, list]:
        """How many layers have a block's name, the share of those with weights."""
        named = [layer for layer in layers if _block_of(layer, recipe)]
        share = sum(layer in named for layer in bearing) / max(len(bearing), 1)
        return len(named), 1.0 if recipe.named_at_end else share, recipe, named

    matches = map(match, (*RECIPES.values(), BERT))
    _, share, recipe, named = max(matches, key=lambda one: one[:2])
    if not named or share <= 0.8:
        return None
    # What follows the last named layer is a head, except the batch norm and activation
    # that some families end with.
    kinds = keras.layers.BatchNormalization, keras.layers.Activation, keras.layers.ReLU
    end = layers.index(named[-1]) + 1
    for layer in layers[end:]:
        if not isinstance(layer, kinds) or not is_spatial(layer):
            break
        end += 1
    blocks = sort_into_blocks(layers[:end], recipe)
    return blocks if len(blocks) >= 3 else None


def sort_into_blocks(
    layers: "Sequence[keras.layers.Layer]", recipe: Recipe
) -> dict[str, list]:
    """Block name → layers, in their order; unnamed ones go with a neighbour."""
    blocks: dict[str, list] = {}
    waiting: list = []
    current = None
    for layer in layers:
        waiting.append(layer)
        name = _block_of(layer, recipe)
        current = name or current
        if current and (name or not recipe.named_at_end):
            blocks.setdefault(current, []).extend(waiting)
            waiting = []
    if waiting and current:
        blocks[current] += waiting
    return blocks


def _block_of(layer: "keras.layers.Layer", recipe: Recipe) -> str | None:
    """The block's name in a layer's name, if any; not of a head ("top_dropout")."""
    match = re.match(recipe.block, layer.name) if is_spatial(layer) else None
    return match and recipe.rename.get(match[1], match[1])


def _unknown_blocks(network: "keras.Model") -> dict[str, list]:
    """Each layer with weights as a block of its own, without the head."""
    import keras

    def parts(layer: "keras.layers.Layer") -> list:
        inside = leaves(layer) if is_model(layer) else [layer]
        return [part for part in inside if part.weights]

    children = [layer for layer in network.layers if layer.weights]
    if children and isinstance(parts(children[-1])[-1], keras.layers.Dense):
        if len(children) > 1 or not is_model(children[0]):
            children = children[:-1]
    nested = [layer for layer in children if is_model(layer)]
    if len(nested) == 1:
        return {layer.name: [layer] for layer in parts(nested[0])}
    return {layer.name: parts(layer) for layer in children}


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
