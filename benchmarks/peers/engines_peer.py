"""Arms: the course's network in ONNX Runtime, OpenVINO and LiteRT, used directly."""

import os
from importlib import metadata

import numpy as np
import protocol
from protocol import fastest, in_batches

THREADS = os.cpu_count()
TRIED = 96  # pictures with which settings are compared
FEATURES = "features"  # the output among those of the bundled file


def onnx_runtime(pictures: str, network: str):
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = THREADS
    providers = ["CPUExecutionProvider"]
    session = onnxruntime.InferenceSession(network, options, providers=providers)

    def run(batch):
        return session.run([FEATURES], {"pixels": batch.astype(np.float32)})[0]

    choices = {f"batches of {size}": (run, size) for size in (1, 2, 4, 8, 32)}
    return _best(pictures, choices, f"{THREADS} threads", "onnxruntime")


def openvino(pictures: str, network: str):
    choices = {
        f"{hint}, batches of {size}": (_openvino(network, hint, size), size)
        for hint in ("LATENCY", "THROUGHPUT")
        for size in (1, 4, 8)
    }
    return _best(pictures, choices, "uint8 input, float32", "openvino", whole=True)


def _openvino(network: str, hint: str, size: int):
    """Pictures → features, as many batches at once as the compiled network asks for."""
    from openvino import AsyncInferQueue, Core, Model, Type
    from openvino.preprocess import PrePostProcessor

    core = Core()
    model = core.read_model(network)
    features = [model.output(FEATURES).get_node().input_value(0)]
    model = Model(features, model.get_parameters(), "features")
    height_width_channels = list(model.input(0).partial_shape)[1:]
    model.reshape([size, *height_width_channels])
    steps = PrePostProcessor(model)
    steps.input().tensor().set_element_type(Type.u8)
    # Else it computes in bfloat16 where the processor can, and has other features.
    settings = {"PERFORMANCE_HINT": hint, "INFERENCE_PRECISION_HINT": "f32"}
    compiled = core.compile_model(steps.build(), "CPU", settings)
    queue = AsyncInferQueue(compiled)
    rows = []

    def keep(request, start):
        rows[start] = request.get_output_tensor(0).data.copy()

    queue.set_callback(keep)

    def run(pictures):
        missing = -len(pictures) % size
        padded = np.concatenate([pictures, pictures[:missing]]) if missing else pictures
        rows[:] = [None] * (len(padded) // size)
        for number in range(len(rows)):
            batch = padded[number * size : (number + 1) * size]
            queue.start_async({0: batch}, number)
        queue.wait_all()
        return np.concatenate(rows)[: len(pictures)]

    return run


def litert(pictures: str, network: str):
    choices = {
        f"batches of {size}": (_litert(network, size), size) for size in (1, 4, 8)
    }
    return _best(pictures, choices, f"XNNPACK, {THREADS} threads", "ai-edge-litert")


def _litert(network: str, size: int):
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(network, num_threads=THREADS)
    entry = interpreter.get_input_details()[0]
    interpreter.resize_tensor_input(entry["index"], [size, *entry["shape"][1:]])
    interpreter.allocate_tensors()
    output = interpreter.get_output_details()[0]["index"]

    def run(batch):
        padded = np.zeros((size, *batch.shape[1:]), np.float32)
        padded[: len(batch)] = batch
        interpreter.set_tensor(entry["index"], padded)
        interpreter.invoke()
        return interpreter.get_tensor(output)[: len(batch)]

    return run


def _best(file: str, choices: dict, about: str, package: str, whole: bool = False):
    """The work with the fastest choice; `whole`: `run` takes all pictures at once."""
    pictures = np.load(file)

    def features(name: str, pictures=pictures):
        run, size = choices[name]
        return in_batches(run, pictures, len(pictures) if whole else size)

    name = fastest(list(choices), lambda name: features(name, pictures[:TRIED]))
    settings = f"{about}, {name}: the fastest of {len(choices)} choices"
    versions = {package: metadata.version(package)}
    return lambda: features(name), {"settings": settings, "versions": versions}


protocol.run(onnx_runtime, openvino, litert)
