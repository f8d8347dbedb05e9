"""Lesson 07: answers by search in Python's FAQ, and as a span of a text."""

import time

import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer

import tlcourse as tl
from tlcourse.models import bert

SEEDS = (0, 1, 2)
QUESTIONS, TESTED = 400, 200  # for training; in each test
HELD_OUT = 50  # countries
EPOCHS, FROZEN_EPOCHS, BATCH = 6, 200, 16
RATES = {"frozen": 1e-2, "fine-tuned": 3e-4, "from scratch": 3e-4}
MOST_TOKENS = 15  # of an answer
IMPOSSIBLE = -1e9


def answers() -> dict:
    """Recall of a search in the FAQ; exact matches and F1 of answers as spans."""
    return {"search": _search(), "spans": _spans()}


# --- search ---


def _search() -> dict:
    """Recall at 1 and 5: is a sentence of the question's own answer among them?"""
    faq = tl.datasets.load_python_faq()
    model = tl.load_pretrained_model("minilm")
    texts = (faq.sentences, faq.questions)
    words = TfidfVectorizer(sublinear_tf=True).fit(faq.sentences)
    rows = {
        "MiniLM": [model.extract_features(text) for text in texts],
        "TF-IDF": [words.transform(text).toarray() for text in texts],
    }
    found = {"questions": len(faq.questions), "sentences": len(faq.sentences)}
    for name, (sentences, questions) in rows.items():
        sentences, questions = (
            each / np.maximum(np.linalg.norm(each, axis=1, keepdims=True), 1e-12)
            for each in (sentences, questions)
        )
        nearest = np.argsort(-questions @ sentences.T, axis=1, kind="stable")[:, :5]
        hits = faq.answers[nearest] == np.arange(len(questions))[:, None]
        found[name] = {
            "recall@1": round(float(hits[:, 0].mean()), 4),
            "recall@5": round(float(hits.any(axis=1).mean()), 4),
        }
    return found


# --- spans ---


def _spans() -> dict:
    """Train each network on questions about countries, and test on four other sets."""
    model = tl.load_pretrained_model("minilm")
    found: dict = {}
    for seed in SEEDS:
        training, tests = question_sets(seed)
        for name in RATES:
            start = time.perf_counter()
            network = _trained(model, name, training, seed)
            seconds = round(time.perf_counter() - start, 1)
            arm = found.setdefault(name, {"seconds": []})
            arm["seconds"].append(seconds)
            for test, questions in {"training set": training, **tests}.items():
                matches, shares = score(model, network, questions)
                kept = arm.setdefault(test, {"exact": [], "f1": []})
                kept["exact"].append(matches)
                kept["f1"].append(shares)
            print(f"  {name} {seed}: {arm}", flush=True)
    return {"arms": found, "questions": QUESTIONS, "tested": TESTED}


def question_sets(seed: int) -> tuple[list, dict[str, list]]:
    """Questions for training, and those of each test."""
    facts = tl.datasets.load_facts()
    order = np.random.default_rng(seed).permutation(len(facts.countries))
    held_out, known = (
        [facts.countries[index] for index in part]
        for part in (order[:HELD_OUT], order[HELD_OUT:])
    )
    training = facts.make_questions(known, "training", QUESTIONS, seed)
    tests = {
        "new countries": (held_out, "training"),
        "new countries, new sentences": (held_out, "held out"),
        "elements": (facts.elements, "elements"),
    }
    made = {
        name: facts.make_questions(rows, use, TESTED, seed + 1)
        for name, (rows, use) in tests.items()
    }
    return training, made | {"real": facts.questions}


def encode(model, questions: list) -> tuple[np.ndarray, np.ndarray, np.ndarray, list]:
    """Token ids, first and last token of the answer, which are context; encodings."""
    from tokenizers import BertWordPieceTokenizer

    tokenizer = BertWordPieceTokenizer(str(model.folder / "vocab.txt"))
    tokenizer.enable_padding()
    encoded = tokenizer.encode_batch([(row[0], row[1]) for row in questions])
    ids = np.array([entry.ids for entry in encoded], np.int32)
    is_context = np.zeros(ids.shape, bool)
    ends = np.zeros((len(ids), 2), np.int32)
    for row, (entry, (_, _, answer, start)) in enumerate(
        zip(encoded, questions, strict=True)
    ):
        for place, sequence in enumerate(entry.sequence_ids):
            is_context[row, place] = sequence == 1
        ends[row, 0] = entry.char_to_token(start, 1)
        ends[row, 1] = entry.char_to_token(start + len(answer) - 1, 1)
    return ids, ends, is_context, encoded


def _trained(model, name: str, training: list, seed: int):
    """A `keras.Model`: ids (n, length) → scores of starts and ends (n, length, 2)."""
    import keras

    keras.utils.set_random_seed(seed)
    is_new = name == "from scratch"
    network = bert.encoder(model.shape) if is_new else model.copy_network()
    network.trainable = name != "frozen"
    states = network.get_layer(f"layer_{model.shape.layers}_states").output
    head = keras.layers.Dense(2, name="span")
    ids, ends, _, _ = encode(model, training)
    if name == "frozen":  # the states are the same in each epoch
        frozen, epochs = keras.Model(network.inputs[0], states), FROZEN_EPOCHS
        inputs = frozen.predict(ids, verbose=0)
        scale = keras.layers.Normalization()
        scale.adapt(inputs[ids != 0])
        trained = keras.Sequential([scale, head])
        whole = keras.Model(network.inputs[0], trained(states))
    else:
        inputs, epochs = ids, EPOCHS
        trained = whole = keras.Model(network.inputs[0], head(states))
    steps = epochs * -(-len(ids) // BATCH)
    rate = keras.optimizers.schedules.CosineDecay(
        0.0, steps, warmup_target=RATES[name], warmup_steps=steps // 10
    )
    trained.compile(keras.optimizers.AdamW(rate), loss=span_loss)
    trained.fit(inputs, ends, batch_size=BATCH, epochs=epochs, verbose=0)
    return whole


def span_loss(ends, scores):
    """Cross-entropy of the first and of the last token: (n, 2), (n, length, 2)."""
    import keras

    scores = keras.ops.transpose(scores, (0, 2, 1))
    return keras.losses.sparse_categorical_crossentropy(ends, scores, from_logits=True)


def score(model, network, questions: list) -> tuple[float, float]:
    """Share of exact matches, to the letter, and mean F1 of words."""
    ids, _, is_context, encoded = encode(model, questions)
    scores = network.predict(ids, verbose=0)
    exact, f1 = [], []
    for row, (_, context, answer, _) in enumerate(questions):
        text = best_span(scores[row], is_context[row], encoded[row].offsets, context)
        exact.append(text == answer)
        f1.append(f1_of_words(text, answer))
    return round(float(np.mean(exact)), 4), round(float(np.mean(f1)), 4)


def best_span(scores, is_context, offsets, context: str) -> str:
    """The text from the start to the end whose scores have the largest sum."""
    length = len(scores)
    sums = scores[:, :1] + scores[:, 1]
    distance = np.arange(length)[None] - np.arange(length)[:, None]
    allowed = is_context[:, None] & is_context[None]
    allowed &= (distance >= 0) & (distance < MOST_TOKENS)
    first, last = np.unravel_index(
        np.where(allowed, sums, IMPOSSIBLE).argmax(), sums.shape
    )
    return context[offsets[first][0] : offsets[last][1]]


def f1_of_words(text: str, answer: str) -> float:
    """Words in common, by precision and recall; without SQuAD's normalisation."""
    found, expected = text.lower().split(), answer.lower().split()
    common = sum(min(found.count(word), expected.count(word)) for word in set(found))
    return 2 * common / (len(found) + len(expected))
