"""An export so small that it needs no TensorFlow: a network that tells light pictures from dark ones."""

import json

import numpy as np
from PIL import Image

from tlcourse.exported import RECORD
from tlcourse.files import sha256
from tlcourse.models.litert_file import Graph


def write_brightness_export(folder, class_names=("dark", "light")):
    """An export with one file, model.tflite."""
    folder.mkdir()
    (folder / "model.tflite").write_bytes(brightness_file(classes=len(class_names)))
    record_of(
        folder, class_names=list(class_names), classes=list(range(len(class_names)))
    )
    return folder


def write_shades(folder):
    """Four pictures from dark to light: 010.png, 090.png, 170.png, 250.png."""
    folder.mkdir()
    for level in (10, 90, 170, 250):
        Image.new("RGB", (20, 30), (level,) * 3).save(folder / f"{level:03}.png")
    return folder


def record_of(folder, files=("model.tflite",), **parts):
    """Write a record that fits these files."""
    record = {
        "format": "tlcourse export 1",
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
    """A LiteRT file that is surer of class 1 the brighter a picture is."""
    graph = Graph()
    x = graph.reduced("MEAN", graph.input((1, *size, 3), "pixels"), axes=(1, 2))
    kernel, bias = np.zeros((3, classes), np.float32), np.zeros(classes, np.float32)
    kernel[:, 1], bias[1] = 0.01, -3.8
    return graph.file(graph.softmax(graph.dense(x, kernel, bias, "head")), "brightness")
