"""A BERT's weights from model.safetensors, as the Keras layers have them."""

from pathlib import Path

import numpy as np

from ..errors import DamagedFile
from .bert import Shape
from .bert_folder import CONFIG, WEIGHTS


def read_weights(folder: Path, shape: Shape) -> dict[str, list[np.ndarray]]:
    """Read layer's name → its float32 arrays, as `bert.encoder` has them.

    Raises
    ------
    DamagedFile
        The file is cut short, lacks a tensor of such a network, or holds NaN.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    path = folder / WEIGHTS
    try:
        tensors = load_file(path)
    except (SafetensorError, OSError, TypeError, KeyError) as error:  # also bfloat16
        raise DamagedFile(
            f"{path} cannot be read ({error}). Fetch the folder again."
        ) from None
    return _by_layer(_Tensors(tensors, path), shape)


class _Tensors:
    """The tensors of a file by BERT's original names, without a prefix."""

    def __init__(self, tensors: dict[str, np.ndarray], path: Path) -> None:
        self._path = path
        self._tensors = {
            name.removeprefix("bert.")
            .replace(".gamma", ".weight")
            .replace(".beta", ".bias"): tensor
            for name, tensor in tensors.items()
        }

    def take(self, name: str, *shape: int | None) -> np.ndarray:
        """A tensor of this shape (None: any size), float32."""
        if name not in self._tensors:
            raise DamagedFile(f"{self._path} has no tensor {name}; expected a BERT.")
        tensor = self._tensors[name].astype(np.float32, copy=False)
        sizes = zip(shape, tensor.shape, strict=False)
        if tensor.ndim != len(shape) or any(one not in (None, n) for one, n in sizes):
            raise DamagedFile(
                f"{name} in {self._path} has shape {tensor.shape}; by {CONFIG} "
                f"expected {shape}. The two files belong to different networks."
            )
        if not np.isfinite(tensor).all():
            raise DamagedFile(
                f"{name} in {self._path} holds NaN or infinite numbers. Fetch the "
                "folder again."
            )
        return tensor

    def dense(self, name: str, inputs: int, outputs: int) -> list[np.ndarray]:
        """Kernel (inputs, outputs) and bias; PyTorch keeps kernels transposed."""
        kernel = self.take(f"{name}.weight", outputs, inputs).T
        return [kernel, self.take(f"{name}.bias", outputs)]

    def norm(self, name: str, width: int) -> list[np.ndarray]:
        return [self.take(f"{name}.weight", width), self.take(f"{name}.bias", width)]


def _by_layer(tensors: _Tensors, shape: Shape) -> dict[str, list[np.ndarray]]:
    width, heads, each = shape.width, shape.heads, shape.width // shape.heads
    prefix = "embeddings."
    positions = tensors.take(
        f"{prefix}position_embeddings.weight", shape.longest, width
    )
    # A token is of the first or the second sentence of a pair; here all are of the
    # first, so its vector is added to the positions.
    first = tensors.take(f"{prefix}token_type_embeddings.weight", None, width)[0]
    tokens = tensors.take(f"{prefix}word_embeddings.weight", shape.vocabulary, width)
    layers = {
        "embeddings_tokens": [tokens],
        "embeddings_positions": [positions + first],
        "embeddings_norm": tensors.norm(f"{prefix}LayerNorm", width),
    }
    for number in range(shape.layers):
        source, layer = f"encoder.layer.{number}", f"layer_{number + 1}"
        attention = []
        for part in ("query", "key", "value"):
            kernel, bias = tensors.dense(
                f"{source}.attention.self.{part}", width, width
            )
            attention += [kernel.reshape(width, heads, each), bias.reshape(heads, each)]
        output = f"{source}.attention.output"
        kernel, bias = tensors.dense(f"{output}.dense", width, width)
        attention += [kernel.reshape(heads, each, width), bias]
        wide = tensors.dense(f"{source}.intermediate.dense", width, shape.wide)
        narrow = tensors.dense(f"{source}.output.dense", shape.wide, width)
        layers |= {
            f"{layer}_attention": attention,
            f"{layer}_attention_norm": tensors.norm(f"{output}.LayerNorm", width),
            f"{layer}_wide": wide,
            f"{layer}_narrow": narrow,
            f"{layer}_norm": tensors.norm(f"{source}.output.LayerNorm", width),
        }
    return layers
