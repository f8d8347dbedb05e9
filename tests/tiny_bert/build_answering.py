"""Make a tiny BERT that answers questions, its weights random, and what PyTorch answers with it.

    python tests/tiny_bert/build_answering.py    (torch, transformers and safetensors, as build.py)

answering/        as transformers' BertForQuestionAnswering saves itself, with vocab.txt
answering.npz     texts (pairs, 2): question and context; settings int (pairs, 2): stride, most tokens of an answer;
                  windows int (pairs,): how many each has; lengths int (windows,): their tokens; ids, types int32 and
                  logits float32 (…, 2): of the tokens of all windows; spans int (pairs, 2): characters, 0 and 0 where
                  there is no answer; scores float64 (pairs,)

The windows are those of transformers' tokenizer. transformers 5 has no pipeline for answering any more, so the rule of
`PretrainedQuestionAnswering.answer` is applied here span by span, in plain Python.
"""

import math
import shutil
import tempfile
from pathlib import Path

import numpy as np
from build import HERE, save_arrays, vocabulary, write

FOLDER = HERE / "answering"
SEED, LONGEST = 25, 32
FILM = "The film was good, not very bad. A boat so goodly on the sea! Café: it was unable, Ünder the boat"
PAIRS = (  # question, context, stride, most tokens of an answer
    ("was the film good?", FILM, 10, 30),
    ("was the film good?", FILM, 0, 5),
    ("the boat", f"{FILM}. " * 12, 12, 30),
    ("is it a film or a sea?", "unfilmable boats [SEP] in the sea", 5, 30),
    ("Ünder the Café?", "映画: it was not 🎬 but a film", 5, 2),
    ("is it bad", "good", 0, 30),
    ("a [SEP] boat?", "it", 0, 30),
    ("a boat", "the sea", 0, 30),
    ("so", "bad!", 0, 1),
)


def build_folder() -> None:
    """Write the folder as transformers does, without what it adds for itself."""
    import torch
    from transformers import BertConfig, BertForQuestionAnswering

    torch.manual_seed(SEED)
    words = vocabulary(["[UNK]", "[CLS]", "[SEP]", "[MASK]"], 3)
    config = BertConfig(
        vocab_size=len(words),
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=LONGEST,
    )
    network = BertForQuestionAnswering(config)
    for parameter in network.parameters():  # as they start, hardly anything shows
        torch.nn.init.normal_(parameter, std=0.4)
    for module in network.modules():
        if isinstance(module, torch.nn.LayerNorm):
            torch.nn.init.uniform_(module.weight, 0.5, 1.5)
    torch.nn.init.normal_(network.qa_outputs.weight, std=2.0)  # few spans are likely
    with tempfile.TemporaryDirectory() as folder:
        network.save_pretrained(folder)
        FOLDER.mkdir(exist_ok=True)
        for name in ("config.json", "model.safetensors"):
            shutil.copyfile(Path(folder, name), FOLDER / name)
    write(FOLDER / "tokenizer_config.json", {"do_lower_case": True})
    lines = "\n".join(words) + "\n"
    (FOLDER / "vocab.txt").write_text(lines, encoding="utf-8", newline="\n")


def answered(network, tokenizer, question, context, stride, most) -> dict:
    """What transformers makes of one pair, and the best of all spans."""
    import torch

    windows = tokenizer(
        question,
        context,
        max_length=LONGEST,
        truncation="only_second",
        stride=stride,
        return_overflowing_tokens=True,
        return_offsets_mapping=True,
    )
    spans, no_answers, arrays = {}, [], []
    for number, ids in enumerate(windows["input_ids"]):
        types = windows["token_type_ids"][number]
        with torch.inference_mode():
            output = network(torch.tensor([ids]), token_type_ids=torch.tensor([types]))
        starts, ends = output.start_logits[0].tolist(), output.end_logits[0].tolist()
        arrays.append((ids, types, np.stack([starts, ends], axis=1)))
        no_answers.append(starts[0] + ends[0])
        offsets = windows["offset_mapping"][number]
        texts = windows.sequence_ids(number)
        inside = [place for place, text in enumerate(texts) if text == 1]
        for first in inside:
            for last in inside:
                if first <= last < first + most:
                    span = (offsets[first][0], offsets[last][1])
                    logit = starts[first] + ends[last]
                    spans[span] = max(logit, spans.get(span, -math.inf))
    spans[0, 0] = min(no_answers)
    best = max(spans, key=spans.get)
    total = math.fsum(math.exp(logit - spans[best]) for logit in spans.values())
    return {"windows": arrays, "span": best, "score": 1 / total}


def main() -> None:
    import torch
    from transformers import AutoTokenizer, BertForQuestionAnswering

    build_folder()
    tokenizer = AutoTokenizer.from_pretrained(FOLDER)
    network = BertForQuestionAnswering.from_pretrained(
        FOLDER, attn_implementation="eager", dtype=torch.float32
    ).eval()
    answers = [answered(network, tokenizer, *pair) for pair in PAIRS]
    for pair, answer in zip(PAIRS, answers, strict=True):
        start, end = answer["span"]
        print(len(answer["windows"]), repr(pair[1][start:end]), answer["score"])
    windows = [window for answer in answers for window in answer["windows"]]
    ids, types, logits = zip(*windows, strict=True)
    save_arrays(
        HERE / "answering.npz",
        texts=np.array([pair[:2] for pair in PAIRS]),
        settings=np.array([pair[2:] for pair in PAIRS]),
        windows=np.array([len(answer["windows"]) for answer in answers]),
        lengths=np.array([len(window) for window in ids]),
        ids=np.concatenate(ids).astype(np.int32),
        types=np.concatenate(types).astype(np.int32),
        logits=np.concatenate(logits).astype(np.float32),
        spans=np.array([answer["span"] for answer in answers]),
        scores=np.array([answer["score"] for answer in answers]),
    )


if __name__ == "__main__":
    main()
