"""An export so small that it needs no TensorFlow: it tells light from dark pictures."""

import json

import numpy as np
from onnx import TensorProto, helper, numpy_helper
from PIL import Image

from tlcourse.export_record import FORMAT, RECORD
from tlcourse.files import sha256


def write_brightness_export(folder, class_names=("dark", "light")):
    """Write an export with one file, model.onnx."""
    folder.mkdir()
    (folder / "model.onnx").write_bytes(brightness_file(classes=len(class_names)))
    classes = list(range(len(class_names)))
    record_of(folder, class_names=list(class_names), classes=classes)
    return folder


def write_shades(folder):
    """Write four pictures from dark to light: 010.png, 090.png, 170.png, 250.png."""
    folder.mkdir()
    for level in (10, 90, 170, 250):
        Image.new("RGB", (20, 30), (level,) * 3).save(folder / f"{level:03}.png")
    return folder


def record_of(folder, files=("model.onnx",), **parts):
    """Write a record that fits these files."""
    record = {
        "format": FORMAT,
        "class_names": ["dark", "light"],
        "classes": [0, 1],
        "input": {"height": 8, "width": 8},
        "files": {name: {"sha256": sha256(folder / name)} for name in files},
        "left_out": {},
        **parts,
    }
    (folder / RECORD).write_text(json.dumps(record), encoding="utf-8")
    return record


def brightness_file(size=(8, 8), classes=2):
    """An ONNX file whose probability of class 1 grows with a picture's brightness."""
    kernel, bias = np.zeros((3, classes), np.float32), np.zeros(classes, np.float32)
    kernel[:, 1], bias[1] = 0.01, -3.8
    nodes = [
        helper.make_node("ReduceMean", ["pixels"], ["mean"], axes=[1, 2], keepdims=0),
        helper.make_node("Gemm", ["mean", "kernel", "bias"], ["logits"]),
        helper.make_node("Softmax", ["logits"], ["probabilities"]),
    ]
    pixels, probabilities = (
        helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", *shape])
        for name, shape in (("pixels", (*size, 3)), ("probabilities", (classes,)))
    )
    constants = [
        numpy_helper.from_array(kernel, "kernel"),
        numpy_helper.from_array(bias, "bias"),
    ]
    graph = helper.make_graph(nodes, "brightness", [pixels], [probabilities], constants)
    opsets = [helper.make_opsetid("", 17)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=8)
    return model.SerializeToString()
