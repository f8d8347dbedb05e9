"""transformers' BertModel and the mean over its tokens as ONNX: as exported, and fused by onnxruntime.transformers.

python text_network.py MODEL PLAIN.onnx FUSED.onnx
"""

import sys

import torch
import transformers
from onnxruntime.transformers import optimizer
from onnxruntime.transformers.fusion_options import FusionOptions


class Features(torch.nn.Module):
    """Token ids and mask, int64 (n, length) → features float32 (n, width)."""

    def __init__(self, folder: str):
        super().__init__()
        self.bert = transformers.BertModel.from_pretrained(
            folder, attn_implementation="eager", add_pooling_layer=False
        )
        self.eval()

    def forward(self, ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        hidden = self.bert(ids, attention_mask=mask).last_hidden_state
        weights = mask[:, :, None].to(hidden.dtype)
        return (hidden * weights).sum(dim=1) / weights.sum(dim=1)


def write_onnx(folder: str, plain: str, fused: str) -> None:
    network = Features(folder)
    free = {0: "n", 1: "length"}
    ids = torch.ones((2, 8), dtype=torch.int64)
    torch.onnx.export(
        network,
        (ids, ids),
        plain,
        input_names=["ids", "mask"],
        output_names=["features"],
        dynamic_axes={"ids": free, "mask": free, "features": {0: "n"}},
        opset_version=17,
        dynamo=False,
    )
    config = network.bert.config
    better = optimizer.optimize_model(
        plain,
        "bert",
        num_heads=config.num_attention_heads,
        hidden_size=config.hidden_size,
        optimization_options=FusionOptions("bert"),
        opt_level=0,
    )
    better.save_model_to_file(fused)
    print(better.get_fused_operator_statistics())


if __name__ == "__main__":
    write_onnx(*sys.argv[1:])
