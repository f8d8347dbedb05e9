"""Contestant: `extract_features` of tlcourse on sentences, nothing cached.

python ours_text.py SENTENCES.json [once CHOICE]
"""

import text_turns  # first: it takes the time from here

# isort: split
from importlib import metadata

import tlcourse as tl


def load(choice):
    model = tl.load_pretrained_model("minilm")
    return lambda sentences: model.extract_features(sentences, cache=False)


versions = {"tokenizers": metadata.version("tokenizers")}
text_turns.take_part(load, {"as it comes": None}, "", versions)
