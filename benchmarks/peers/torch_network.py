"""The network of efficientnet-lite-pytorch with the weights that come with the course; also written as ONNX.

python torch_network.py WEIGHTS.npz NETWORK.onnx
"""

import sys
from pathlib import Path

import numpy as np
import torch
from efficientnet_lite_pytorch import EfficientNet

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "data" / "weights"))
from torch_names import keras_name, torch_layout  # noqa: E402


class Features(torch.nn.Module):
    """uint8 pixels (n, 224, 224, 3) → features float32 (n, 1280), as the course's own network takes and gives them."""

    def __init__(self, weights: str):
        super().__init__()
        self.network = EfficientNet.from_name("efficientnet-lite0")
        with np.load(weights, allow_pickle=False) as archive:
            arrays = {name: archive[name].astype(np.float32) for name in archive.files}
        self.network.load_state_dict(_state(self.network.state_dict(), arrays))
        self.eval()

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        scaled = (pixels.permute(0, 3, 1, 2).to(torch.float32) - 127.0) / 128.0
        return self.network.extract_features(scaled).mean(dim=(2, 3))


def _state(own: dict, arrays: dict[str, np.ndarray]) -> dict:
    """The course's weights by PyTorch's names, axes in PyTorch's order."""
    blocks = sorted({name.split("_")[0] for name in arrays if name.startswith("block")})
    state = {}
    for torch_name, tensor in own.items():
        if torch_name.endswith("num_batches_tracked"):
            state[torch_name] = tensor
        else:
            name = keras_name(torch_name, blocks)
            state[torch_name] = torch.from_numpy(
                np.ascontiguousarray(torch_layout(name, arrays[name]))
            )
    return state


def write_onnx(weights: str, file: str) -> None:
    """The network with its preprocessing in the graph: uint8 (n, 224, 224, 3) → float32 (n, 1280), n free."""
    torch.onnx.export(
        Features(weights),
        (torch.zeros((2, 224, 224, 3), dtype=torch.uint8),),
        file,
        input_names=["pixels"],
        output_names=["features"],
        dynamic_axes={"pixels": {0: "n"}, "features": {0: "n"}},
        dynamo=False,
    )


if __name__ == "__main__":
    write_onnx(*sys.argv[1:])
