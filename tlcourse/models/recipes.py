"""How each pretrained network is used: input size, preprocessing, blocks, files."""

from dataclasses import dataclass, field
from typing import Literal

PictureModel = Literal[
    "efficientnet_lite0",
    "efficientnet_lite2",
    "vgg16",
    "resnet50",
    "inception_v3",
    "xception",
    "mobilenet_v2",
    "efficientnet_v2_b0",
]
"""The names in `RECIPES`, for type checkers."""


@dataclass(frozen=True)
class Recipe:
    """How one pretrained network is used."""

    application: str  # its function in keras.applications; "" for a bundled network
    size: int  # height and width in pixels that it was trained with
    # Preprocessing: "lite" (x − 127) / 128, "scaled" [-1, 1], "caffe" BGR minus the
    # means of ImageNet, "raw" [0, 255].
    pixels: str
    top1: float  # published accuracy on ImageNet's validation set, in percent
    # Pattern whose first group is the block's name within a layer's name; layers that
    # do not match belong to the block before them.
    block: str
    rename: dict[str, str] = field(default_factory=dict)  # the pattern's names → shown
    address: str = ""  # of the folder with its files, below Keras' own
    # Weights without and with the ImageNet classifier; "" where no MD5 is published.
    files: tuple[str, str] = ("", "")
    md5: tuple[str, str] = ("", "")

    @property
    def named_at_end(self) -> bool:
        """Whether a block's name is that of its last layer, and not of its first."""
        return self.application == "InceptionV3"

    @property
    def source(self) -> str:
        """Where recipe and accuracy come from."""
        if self.application:
            return "keras.io/api/applications"
        return "EfficientNet-Lite release notes; weights: see data/weights/CARD.md"


def _kernels(name: str) -> tuple[str, str]:
    start = f"{name}_weights_tf_dim_ordering_tf_kernels"
    return f"{start}_notop.h5", f"{start}.h5"


_LITE = r"(stem|block\d[a-z]|head)_"
_MOBILENET = "mobilenet_v2_weights_tf_dim_ordering_tf_kernels_1.0_224"
# fmt: off
RECIPES: dict[str, Recipe] = {
    "efficientnet_lite0": Recipe("", 224, "lite", 75.1, _LITE),
    "efficientnet_lite2": Recipe("", 260, "lite", 77.6, _LITE),
    "vgg16": Recipe(
        "VGG16", 224, "caffe", 71.3, r"(block\d)_", {}, "vgg16", _kernels("vgg16"),
        ("6d6bbae143d832006294945121d1f1fc", "64373286793e3c8b2b4e3219cbf3544b")),
    "resnet50": Recipe(
        "ResNet50", 224, "caffe", 74.9, r"(conv1|conv\d_block\d)_", {"conv1": "stem"},
        "resnet", _kernels("resnet50"),
        ("4d473c1dd8becc155b73f8504c6f6626", "2cb95161c43110f7111970584f804107")),
    "inception_v3": Recipe(
        "InceptionV3", 299, "scaled", 77.9, r"(mixed\d+)$", {},
        "inception_v3", _kernels("inception_v3"),
        ("bcbd6486424b2319ff4ef7d526e38f63", "9a0d58056eeedaa3f26cb7ebd46da564")),
    "xception": Recipe(
        "Xception", 299, "scaled", 79.0, r"(block\d+)_", {},
        "xception", _kernels("xception"),
        ("b0042744bf5b25fce3cb969f33bebb97", "0a58e3b7378bc2990ea3b43d5981f1f6")),
    "mobilenet_v2": Recipe(
        "MobileNetV2", 224, "scaled", 71.3,
        r"(Conv1|bn_Conv1|expanded_conv|block_\d+|Conv_1|out_relu)",
        {"Conv1": "stem", "bn_Conv1": "stem", "expanded_conv": "block_0",
         "Conv_1": "head", "out_relu": "head"},
        "mobilenet_v2", (f"{_MOBILENET}_no_top.h5", f"{_MOBILENET}.h5")),
    "efficientnet_v2_b0": Recipe(
        "EfficientNetV2B0", 224, "raw", 78.7, r"(stem|block\d[a-z]|top)_",
        {"top": "head"}, "efficientnet_v2",
        ("efficientnetv2-b0_notop.h5", "efficientnetv2-b0.h5"),
        ("893217f2bb855e2983157299931e43ff", "21ecbf6da12460d5c40bb2f29ceb2188")),
}
# fmt: on

BERT = Recipe("", 0, "", 0, r"(embeddings|layer_\d+)_")
"""The names of BERT's blocks."""
