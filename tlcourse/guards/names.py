"""How weights and layers are named in what guards say."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import keras


LISTED = 4  # names that a message lists before it says how many more there are


def some(names: Sequence[str]) -> str:
    """The first names, and how many more there are."""
    more = len(names) - LISTED
    return ", ".join(names[:LISTED]) + (f" and {more} more" if more > 0 else "")


def layers_and_models(model: "keras.Model") -> Iterator:
    """The layers of a model, models nested in it among them, and the layers of those."""
    for layer in model.layers:
        yield layer
        yield from layers_and_models(layer) if hasattr(layer, "layers") else ()


def weight_names(network: "keras.Model") -> dict[int, str]:
    """id of a weight → "nested model/layer/weight", the same in every process."""
    names: dict[int, str] = {}

    def walk(container: "keras.Model", prefix: str) -> None:
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
