"""Contestant: PyTorch, eager, transformers' BertModel; batch size and kind of attention as suit it best.

python torch_text.py SENTENCES.json MODEL [once CHOICE]
"""

import os
from functools import cache

import text_turns  # first: it takes the time from here

# isort: split
import texts
import torch
import transformers
from transformers import BertModel  # here: importing it is no part of loading

torch.set_num_threads(os.cpu_count())
(folder,) = text_turns.arguments()


@cache
def network(attention: str):
    return BertModel.from_pretrained(
        folder, attn_implementation=attention, add_pooling_layer=False
    ).eval()


def load(choice):
    attention, batch = choice
    model, tokens = network(attention), texts.tokenizer(folder)

    @torch.inference_mode()
    def extract(ids, mask):
        mask = torch.from_numpy(mask)
        hidden = model(torch.from_numpy(ids), attention_mask=mask).last_hidden_state
        weights = mask[:, :, None].to(hidden.dtype)
        return ((hidden * weights).sum(dim=1) / weights.sum(dim=1)).numpy()

    return lambda sentences: texts.in_batches(tokens(sentences), batch, extract)


choices = {
    f"batches of {batch}, attention {attention}": (attention, batch)
    for batch in (4, 8, 16, 32)
    for attention in ("sdpa", "eager")
}
versions = {"torch": torch.__version__, "transformers": transformers.__version__}
text_turns.take_part(
    load,
    choices,
    f"eager, inference_mode, {os.cpu_count()} threads, sorted by length, ",
    versions,
)
