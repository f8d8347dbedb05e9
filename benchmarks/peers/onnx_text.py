"""Contestant: ONNX Runtime on its CPU provider, all cores, the network fused or not and the batch size as suit it best.

python onnx_text.py SENTENCES.json MODEL PLAIN.onnx FUSED.onnx [once CHOICE]
"""

import os
from functools import cache

import text_turns  # first: it takes the time from here

# isort: split
import onnxruntime
import texts

folder, *networks = text_turns.arguments()
files = dict(
    zip(("as exported", "fused by onnxruntime.transformers"), networks, strict=True)
)


@cache
def session(kind: str):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = os.cpu_count()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
    return onnxruntime.InferenceSession(
        files[kind], options, providers=["CPUExecutionProvider"]
    )


def load(choice):
    kind, batch = choice
    network, tokens = session(kind), texts.tokenizer(folder)

    def extract(ids, mask):
        return network.run(None, {"ids": ids, "mask": mask})[0]

    return lambda sentences: texts.in_batches(tokens(sentences), batch, extract)


choices = {
    f"{kind}, batches of {batch}": (kind, batch)
    for kind in files
    for batch in (1, 4, 8, 16, 32)
}
about = f"CPU provider, all optimisations, {os.cpu_count()} threads, sorted by length, "
text_turns.take_part(load, choices, about, {"onnxruntime": onnxruntime.__version__})
