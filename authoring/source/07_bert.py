# %% [markdown]
# # 07 · BERT to sentiment
#
# A network pretrained on English text becomes one that tells praise from complaint. The recipe is the same as for
# pictures: load, freeze, add a head, train, unfreeze. One result is different: with many labels a bag of words
# catches up with the frozen network. Then you see how far a small one gets at finding the answer to a question in a
# text.
#
# **Minutes:** about 70 · **Needs:** MiniLM, which `make learn` installs; elsewhere `tlcourse fetch minilm`

# %% tags=["setup"]
# Written by notebooks/build.py (set_up): it says how to get the course where it is missing.

# %% [markdown]
# ## What you will learn
#
# - what a BERT reads: tokens, padding, an attention mask; and what it returns: a vector for each token;
# - to find an answer in a text collection by meaning (semantic search), and to measure how often it is found;
# - to train a head on a frozen BERT in Keras, then to fine-tune its last layers, with a learning-rate warm-up;
# - when a bag of words is as good, and what happens on another kind of text (domain shift);
# - to mark the answer in a text (extractive question answering), and to test it on new countries and new sentences.
#
# ## What a BERT reads
#
# A BERT is a **transformer**: a stack of layers in each of which every token of a text looks at all the others and
# takes something from them (*attention*). Ours is *MiniLM*: six layers, 384 numbers for each token. Three trainings
# made it:
#
# ```text
# 1. masked language modelling   "The film was [MASK]."     →  predict the hidden word        a large BERT
# 2. distillation                imitate that network with fewer layers                       MiniLM
# 3. contrastive tuning          "How old are you?"  ↔  "What is your age?"    pull together  all-MiniLM-L6-v2
#                                "How old are you?"  ↔  "The film was dull."   push apart
# ```
#
# The third one, on a billion pairs of English sentences, made it a Sentence-BERT: sentences of similar meaning get
# similar embeddings. So below, "frozen BERT" means a distilled, contrastively tuned BERT, and not one that only
# predicts hidden words.

# %%
import keras
import numpy as np

import tlcourse as tl

model = tl.load_pretrained_model("minilm")
model

# %% [markdown]
# Networks take numbers. The `tokenizers` library of Hugging Face splits a text into **tokens** by the network's own
# vocabulary, a file in its folder.

# %%
from tokenizers import BertWordPieceTokenizer

tokenizer = BertWordPieceTokenizer(str(model.folder / "vocab.txt"))
tokenizer.enable_truncation(32)  # longer sentences are cut, to save time
encoding = tokenizer.encode("An unwatchable film about tokenization.")
print(encoding.tokens)
print(encoding.ids)

# %% [markdown]
# Frequent words are tokens of their own; other words are split into pieces, marked by `##` where they continue a
# word. `[CLS]` and `[SEP]` mark the start and the end. So 30,522 tokens are enough to read nearly any word.
#
# Sentences of a batch differ in length, and an array does not. **Padding** fills the shorter ones with token 0, and
# the **attention mask** says which tokens are real: 1 for a token, 0 for padding.

# %%
tokenizer.enable_padding()


def token_ids(sentences):
    return np.array([encoding.ids for encoding in tokenizer.encode_batch(list(sentences))])


ids = token_ids(["A wonderful film.", "The battery died after a week."])
mask = (ids != 0).astype("float32")
print(ids, mask, sep="\n\n")

# %% [markdown]
# The network is a Keras model. It replaces each token by a vector from a table that was trained with it; after six
# layers each vector represents the token *in this sentence*. It takes the ids alone and makes the mask itself: the
# `Multiply` after each layer sets the vectors of padding to zero, and the next layer recognises them by that.
# (Networks of `transformers` get `attention_mask` as a second input.)

# %%
network = model.network
for name in ("embeddings_tokens", "layer_1_attention", "layer_1_states", "layer_6_states"):
    print(f"{name:20} {type(network.get_layer(name)).__name__:20} {network.get_layer(name).output.shape}")
print(f"{network.count_params():,} parameters")

# %% [markdown]
# For one **embedding** per sentence, average the vectors of its tokens, without those of the padding (*mean
# pooling*):

# %%
token_states = keras.Model(network.input, network.get_layer("layer_6_states").output)


def embed(sentences):
    ids = token_ids(sentences)
    states, mask = token_states.predict(ids, verbose=0), (ids != 0)[..., None]
    return (states * mask).sum(axis=1) / mask.sum(axis=1)


embed(["A wonderful film.", "The battery died after a week."]).shape

# %% [markdown]
# ## Find the answer: semantic search
#
# Python's FAQ (bundled) has questions, and answers of a few sentences each. We take all sentences of all answers, and
# look for those that answer a question. Nothing is trained.

# %%
faq = tl.datasets.load_python_faq()
known = embed(faq.sentences)
faq, known.shape

# %% [markdown]
# How similar are two sentences? We take the angle between their embeddings: the **cosine similarity** is 1 where they
# point in the same direction, and 0 where they are at right angles.


# %%
def unit(rows):
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def five_nearest(queries):
    cosines = unit(embed(queries)) @ unit(known).T
    nearest = np.argsort(-cosines, axis=1)[:, :5]
    return nearest, np.take_along_axis(cosines, nearest, axis=1)


# %% [markdown]
# **Predict first.** "My program eats too much RAM": the words "eats" and "RAM" are nowhere in the FAQ. What will be
# found?

# %% tags=["answer"]
nearest, cosines = five_nearest(["My program eats too much RAM."])
for row, cosine in zip(nearest[0], cosines[0], strict=True):
    print(f"{cosine:.2f}  {faq.sentences[row][:110]}")

# %% [markdown]
# The first two are about memory. Ask your own question there. When the highest cosine similarity is low, no sentence
# is really close, but five are returned all the same.
#
# How often is the right answer among the five? The FAQ's own questions tell: for each we know which sentences answer
# it. **Recall@5** is here the share of questions with at least one of them among the five nearest (also called *hit
# rate*).

# %%
nearest, _ = five_nearest(faq.questions)
is_found = (faq.answers[nearest] == np.arange(len(faq.questions))[:, None]).any(axis=1)
print(f"recall@5, MiniLM: {is_found.mean():.0%} of {len(is_found)} questions")

# %% [markdown]
# A search that counts words in common (TF-IDF) is the baseline:

# %%
from sklearn.feature_extraction.text import TfidfVectorizer

words = TfidfVectorizer(sublinear_tf=True).fit(faq.sentences)
counted = words.transform(faq.questions) @ words.transform(faq.sentences).T
by_words = np.argsort(-counted.toarray(), axis=1, kind="stable")[:, :5]
is_found_by_words = (faq.answers[by_words] == np.arange(len(faq.questions))[:, None]).any(axis=1)
print(f"recall@5, TF-IDF: {is_found_by_words.mean():.0%}")
only = {"MiniLM": is_found & ~is_found_by_words, "TF-IDF": is_found_by_words & ~is_found}
print("found by one of them only:", {name: int(rows.sum()) for name, rows in only.items()})

# %% [markdown]
# On the same questions MiniLM finds more. The last line counts the questions on which the two disagree: if they were
# equally good, each would find about half of them. This is how semantic search works, and how a chatbot looks for the
# page that it quotes. It is lesson 03's nearest neighbour, with sentences.
#
# Without this course the embeddings are two lines of the library `sentence-transformers` (not installed here):
#
# ```python
# from sentence_transformers import SentenceTransformer
# known = SentenceTransformer("sentence-transformers/all-MiniLM-L6-v2").encode(faq.sentences)
# ```
#
# ## The task: is it praise?
#
# `reviews` are sentences about films, each rated by a dozen people or more, from −4 (extremely negative) to 4. A mean
# between −0.5 and 0.5 counts as neutral, and such sentences were left out. `print(films.card)` tells where the
# sentences come from.

# %%
films = tl.load_dataset("reviews", domain="films")
for index in range(4):
    print(f"{films.train.ratings[index]:+.1f}  {films.train.label_names[index]:8}  {films.train.sentences[index]}")

# %% [markdown]
# We train on a hundred sentences of each class, validate on 25 of each, and test on sixty others of each.

# %%
training, validation = films.train.sample(per_class=100), films.validation.sample(per_class=25)
test = films.test.sample(per_class=60)

len(training), len(validation), len(test)

# %% [markdown]
# ### Two baselines
#
# The **majority-class baseline** always gives the same answer. The **bag of words** counts words and pairs of words,
# gives rare ones a higher weight (TF-IDF), and trains a logistic regression: no network, no pretraining. Beside the
# accuracy we print **F1** of "positive", the harmonic mean of precision and recall.

# %%
from sklearn.dummy import DummyClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score
from sklearn.pipeline import make_pipeline


def report(name, predicted):
    accuracy, f1 = np.mean(predicted == test.labels), f1_score(test.labels, predicted)
    print(f"{name:16} accuracy {accuracy:.1%}, F1 {f1:.0%}")


counting = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True)
for name, classifier in (("majority class", DummyClassifier()), ("bag of words", LogisticRegression(C=10))):
    fitted = make_pipeline(counting, classifier).fit(training.sentences, training.labels)
    report(name, fitted.predict(test.sentences))

# %% [markdown]
# The test set has equally many sentences of each class, so the majority class is right half of the time. Its F1
# depends on which class it names.
#
# ### A head on the frozen BERT, in Keras
#
# ```text
# token ids → embeddings → layer 1 → … → layer 6 → mean pooling → dropout → Dense(2, softmax) → praise or not
#             └──────────── pretrained, frozen ──────────────┘              └── new ────────┘
# ```
#
# The five steps of lesson 04. The network's last layer is the mean pooling of `embed`, so its output is what the head
# gets:

# %%
import math

head = keras.Sequential([keras.layers.Dropout(0.1), keras.layers.Dense(2, activation="softmax", name="head")])
classifier = keras.Model(network.input, head(network.output))
network.trainable = False  # frozen
trainable = sum(math.prod(weight.shape) for weight in classifier.trainable_weights)
print(f"{trainable:,} of {classifier.count_params():,} parameters are trainable")

# %% [markdown]
# While the network is frozen, the embedding of a sentence is the same in each epoch. So we compute it once, and train
# the head on embeddings: lesson 03. We do it in two steps, because we need the output of layer 4 again later. `AdamW`
# is Adam with weight decay, the usual optimizer for BERT.

# %%
lower = keras.Model(network.input, network.get_layer("layer_4_states").output)
last_layers = keras.Model(lower.output, network.output)

splits = {"train": training, "validation": validation, "test": test}
lowered = {name: lower.predict(token_ids(split.sentences), verbose=0) for name, split in splits.items()}
embedded = {name: last_layers.predict(rows, verbose=0) for name, rows in lowered.items()}
lowered["train"].shape, embedded["train"].shape


# %%
def fit(model, inputs, learning_rate, epochs):
    model.compile(keras.optimizers.AdamW(learning_rate), "sparse_categorical_crossentropy", metrics=["accuracy"])
    stop_early = keras.callbacks.EarlyStopping("val_loss", patience=2, restore_best_weights=True)
    kept = {"validation_data": (inputs["validation"], validation.labels), "callbacks": [stop_early, tl.fit_bar()]}
    return model.fit(inputs["train"], training.labels, batch_size=25, epochs=epochs, verbose=0, **kept).history


# %% tags=["trained-here"]
keras.utils.set_random_seed(0)
fit(head, embedded, learning_rate=3e-3, epochs=15)
report("frozen BERT", head.predict(embedded["test"], verbose=0).argmax(axis=1))

# %% [markdown]
# ### Fine-tune the last two layers
#
# **Predict first.** MiniLM was tuned to put sentences *about the same thing* close together. "A wonderful film" and
# "a terrible film" are about the same thing. Will fine-tuning gain more or less than on solar cells (lesson 05)?
#
# The four layers below stay frozen, so what they return is what we have computed. `upper` is a copy of the last two
# layers, and the head. (A copy, since `network` is still needed as it is. To unfreeze layers in place, set
# `trainable`, and compile again: lesson 05.)

# %%
copied = keras.models.clone_model(last_layers)
copied.set_weights(last_layers.get_weights())
copied.trainable = True
upper = keras.Sequential([copied, head])

# %% [markdown]
# The learning rate is fifteen times lower than the head's. It starts at 0 and rises over the first steps
# (**warm-up**), while AdamW's running averages are still estimates from a few batches; then it falls along a cosine.

# %%
epochs = 3
steps = epochs * len(training) // 25  # batches of 25
schedule = keras.optimizers.schedules.CosineDecay(0.0, steps, warmup_target=2e-4, warmup_steps=steps // 10)

# %% tags=["answer", "trained-here"]
history = fit(upper, lowered, schedule, epochs)
report("fine-tuned BERT", upper.predict(lowered["test"], verbose=0).argmax(axis=1))

# %% tags=["answer"]
tl.show.training(history, "The last two layers of BERT, fine-tuned on 200 sentences")

# %% [markdown]
# Where is the validation loss lowest? `restore_best_weights` goes back to that epoch, and the accuracy above is that
# of its network.
#
# One split of 200 sentences proves little; there are five of them below. First the helper. `model.extract_features`
# is `embed` without the cut at 32 tokens, and `tl.fine_tune` does nearly what you have just done: a linear probe as
# the head, then the layers from the one that you name, with warm-up and AdamW. (Here only the last layer, two epochs,
# and no validation set, to save time and memory.) What the frozen layers return for each token is computed once and
# cached; sentences of one length go together, so that nothing is padded. With 120 test sentences, one standard error
# of an accuracy is about four points: these numbers do not tell which way is better.

# %%
del classifier, head, copied, upper, lowered  # to save memory; to train again, start at "import math"
keras.utils.clear_session(free_memory=True)

# %% tags=["trained-here"]
tuned = tl.fine_tune(
    model, training.sentences, training.labels, "layer_6", class_names=films.class_names, validation=0, epochs=2
)
report("tl.fine_tune", tuned.predict(test.sentences))

# %% [markdown]
# Were the last layer and the head trained, and nothing else? The record names every weight that changed.

# %%
sorted({"_".join(path.split("/")[0].split("_")[:2]) for path in tuned.record["changed"]})

# %% [markdown]
# ## What did it look at?
#
# Attention can be displayed: how much each token took from each other one. A layer computes it several times side by
# side. These parts are called *heads*, too, and have nothing to do with the new head. This is the average over those
# of the last layer of MiniLM, as it was before fine-tuning:

# %%
sentence = "The plot is thin, but the actors save it."
weights = model.attentions(sentence)
tl.show.attention(model.tokens(sentence), weights[-1].mean(axis=0), "Last layer, average over its heads")

# %% [markdown]
# The first column is the brightest: most is taken from `[CLS]`, a token without a meaning of its own. It is tempting
# to read such a picture as the reason for the answer. But a weight says where a token took something *from*, not
# what that did to the answer, and each token already contains what it took from others in the five layers before
# (Jain and Wallace, "Attention is not Explanation", 2019). Another question is closer to what we want to know, and it
# works with any classifier: **how does the answer change if a word is left out?**

# %% tags=["trained-here"]
print(f"probability of praise: {tuned.predict_proba(sentence)[0, 1]:.0%}")
words = sentence.split()
shorter = [" ".join(words[:index] + words[index + 1 :]) for index in range(len(words))]
effect = tuned.predict_proba(sentence)[0, 1] - tuned.predict_proba(shorter)[:, 1]
tl.show.bars(words, effect, "how much the word adds to the probability of praise", sentence.rstrip("."))

# %% [markdown]
# The longest bars belong to the words that this network's answer depends on most, in this sentence. (A comma or a
# full stop is left out with its word.) One sentence does not show how it reads in general.
#
# ## How many labels?
#
# `make results` ran four methods on five random samples, with few and with all labels, and tested on all test
# sentences. It fine-tuned three layers of BERT. "From scratch" is a small convolutional network on MiniLM's tokens
# (after Kim, 2014), with random initial weights.
#
# **Predict first.** With *all* labels, several thousand: is a frozen BERT still better than the bag of words?

# %% tags=["answer"]
study = tl.results("sentiment")
curve = tl.LearningCurve.of(study["curves"]["films"])
curve

# %% tags=["answer"]
tl.show.learning_curve(curve, "Opinions on films: accuracy by number of labels")

# %% [markdown]
# Where do the curves cross? All methods had the same sentences in the same split, so we take the differences split by
# split. ± is the standard error of their mean.

# %%
for method in ("bag of words", "from scratch", "fine-tuned BERT"):
    for labels, difference, error in curve.differences(method, "frozen BERT"):
        print(f"{labels:5,} labels: {method} − frozen BERT {difference:+.1%} ± {error:.1%}")
n = len(films.test)
print(f"standard error of an accuracy of 80% on {n:,} test sentences: {np.sqrt(0.8 * 0.2 / n):.1%}")

# %% [markdown]
# With all labels, every split has the same training sentences. So ± says only what is random in the methods: nothing
# in the frozen BERT's probe; in the bag of words, the folds by which its regularization is chosen. The test sentences
# are always the same. Others would change each accuracy by about the standard error in the last line.
#
# - **Few labels.** The two methods without pretraining are close to chance with five labels of each class, and
#   clearly above it with a hundred. The frozen BERT is ahead of both, at each of these numbers of labels.
# - **All labels.** *The bag of words has caught up with the frozen BERT.* It is ahead on these test sentences, by
#   less than two of the standard errors in the last line. Frozen features are those that the pretraining needed, and
#   MiniLM was tuned to put sentences about the same thing close together. Our explanation is that they say less about
#   praise and blame than about the subject, and that a linear probe cannot make up for it with more labels.
# - **Fine-tuning** changes the features themselves. With five labels of each class the difference from the probe is
#   smaller than its standard error; with twenty it is about three times as large, with a hundred, and with all, nine
#   times or more. (On two hundred solar cells, lesson 05 found no clear gain.)
#
# What did each method cost?

# %%
for method, points in curve.points.items():
    print(f"{method:16} {np.median(points[-1].seconds):6.0f} s of training with all labels")

# %% [markdown]
# ## From films to products and tweets
#
# These classifiers were trained on sentences of film critics. Now they are used for what customers write about
# cameras and telephones, and for tweets, without any new labels. This is **domain shift**: the new texts differ in
# kind from the training set.

# %%
products, tweets = (tl.load_dataset("reviews", domain=domain) for domain in ("products", "tweets"))
for split in (products.test, tweets.test):
    print(f"{split.label_names[0]:8}  {split.sentences[0]}")

# %% [markdown]
# **Predict first.** Which of the four loses most on the new domains? ("Larger class" is the majority-class baseline.)

# %% tags=["answer"]
for domain in ("films", "products", "tweets"):
    points = study["curves"][domain]["points"]
    print(f"{domain}: larger class {study['larger_class'][domain]:.1%}")
    for method, curve_points in points.items():
        accuracies = curve_points[-1]["accuracies"]
        print(f"    {method:16} {np.mean(accuracies):.1%} ± {np.std(accuracies, ddof=1):.1%}")

# %% [markdown]
# Compare every line with the larger class.
#
# - **The bag of words** has learned the words of film critics, and so has the network from scratch. On products they
#   are hardly better than the baseline, if at all; on tweets they are worse. From films to products the bag of words
#   loses most.
# - **The frozen BERT** loses least from films to products and to tweets.
# - **The fine-tuned BERT** has the highest accuracy on films and on products. On tweets it is *below the baseline*,
#   and below the frozen one: from films to tweets it loses most. Fine-tuning can spoil features for other domains
#   (Kumar and others, "Fine-Tuning can Distort Pretrained Features and Underperform Out-of-Distribution", 2022). Has
#   it spoiled them here, or only the head's decision boundary? The next table tells.
#
# Nothing warns you: a classifier answers as readily out of domain as in its own. Only labels of the new domain show
# how good it is. To label ten, forty or two hundred of the new sentences is a matter of minutes. What is the best use
# of them? "New labels alone" and "films and new labels" are linear probes on the frozen MiniLM; in the second, the
# few new labels together weigh as much as all the films.

# %%
for domain, ways in study["new_labels"].items():
    print(domain)
    for way, points in ways.items():
        shown = [f"{np.mean(p['accuracies']):.1%} ± {np.std(p['accuracies'], ddof=1):.1%}" for p in points]
        print(f"    {way:36} {'   '.join(shown)}")
print("labels of each class:", *(point["labels"] for point in points))

# %% [markdown]
# Two of these fine-tune: one on films, with a new head for the new domain, the other on the new labels directly. The
# difference, split by split, ± its standard error:

# %%
for domain, ways in study["new_labels"].items():
    pairs = zip(ways["new labels, fine-tuned"], ways["new labels, features tuned on films"], strict=True)
    for direct, by_films in pairs:
        difference = np.subtract(direct["accuracies"], by_films["accuracies"])
        error = difference.std(ddof=1) / np.sqrt(len(difference))
        print(f"{domain:8} {direct['labels']:3} labels: fine-tuned directly {difference.mean():+.1%} ± {error:.1%}")

# %% [markdown]
# With five labels of each class, a new head on the *features* of the network that was fine-tuned on films is better
# than fine-tuning MiniLM on those few labels directly, also on tweets, where that network's own answers were below
# the baseline. Its features transferred to tweets; its decision boundary did not. With a hundred labels of each class
# the difference on products is about as large as its standard error, and on tweets direct fine-tuning is ahead.
#
# Where the features tuned on films help, that is transfer twice over: a network pretrained for one task is fine-tuned
# for a second one, and the result is the pretrained network for a third.
#
# ## Find the answer in the text: extractive question answering
#
# Search returns a sentence. **Extractive question answering** marks the answer itself: a *span* of a text, from its
# first to its last token. BERT reads question and text together, and a `Dense(2)` on the vector of each token returns
# two scores: how well it starts the answer, and how well it ends it.
#
# ```text
# [CLS] what is the capital of kenya ? [SEP] the capital of mali is bamako . the capital of kenya is nairobi . [SEP]
#                                                                                       start and end:  ↑
# ```
#
# The answer is one token here, so that it starts and ends there. (A BERT of `transformers` gets a third input with
# pairs, the *token types*: 0 for the question, 1 for the text. Ours does without.)
#
# To train it we need questions with known answers. `facts` (bundled) makes them from a table of countries and from
# sentences with gaps. Each text says the same about two countries, and something else about the one that is asked
# for. So it is not enough to find *a* capital, or a sentence about Kenya.

# %%
facts = tl.datasets.load_facts()
order = np.random.default_rng(0).permutation(len(facts.countries))
held_out, others = ([facts.countries[index] for index in part] for part in (order[:50], order[50:]))
questions = facts.make_questions(others, "training", count=96)
for made in questions[:2]:
    print(f"{made.question}\n    {made.context}\n    {made.answer}, from character {made.start}")

# %% [markdown]
# The `tokenizers` library encodes pairs, and says which token holds a character. That gives the two targets of each
# question: the position of the answer's first and of its last token.


# %%
pair_tokenizer = BertWordPieceTokenizer(str(model.folder / "vocab.txt"))
pair_tokenizer.enable_padding()


def encode(questions):
    return pair_tokenizer.encode_batch([(made.question, made.context) for made in questions])


encodings = encode(questions)
question_ids = np.array([tokens.ids for tokens in encodings])
targets = np.array([
    [tokens.char_to_token(made.start, 1), tokens.char_to_token(made.start + len(made.answer) - 1, 1)]
    for tokens, made in zip(encodings, questions, strict=True)
])
print(encodings[0].tokens[slice(*targets[0] + [0, 1])], question_ids.shape, targets.shape)

# %% [markdown]
# The head and its loss: a softmax over the *positions*, once for the start and once for the end. (Those of question
# and padding take part; the network has to learn that they are never right.)

# %%
reader = keras.Sequential([keras.Input((None, 384)), keras.layers.Dense(2, name="span")])


def span_loss(targets, scores):  # (n, 2) and (n, tokens, 2)
    scores = keras.ops.transpose(scores, (0, 2, 1))
    return keras.losses.sparse_categorical_crossentropy(targets, scores, from_logits=True)


reader.output_shape

# %% [markdown]
# An answer is the span with the largest sum of both scores, as long as it lies in the text, does not end before it
# starts, and has at most 15 tokens. **Exact match** is the share of answers that are right to the letter.


# %%
def best_span(scores, tokens, context):
    in_context = np.array([sequence == 1 for sequence in tokens.sequence_ids])
    allowed = np.tril(np.triu(np.outer(in_context, in_context)), 14)
    sums = np.where(allowed, scores[:, :1] + scores[:, 1], -np.inf)
    first, last = np.unravel_index(sums.argmax(), sums.shape)
    return context[tokens.offsets[first][0] : tokens.offsets[last][1]]


def read(questions):
    encodings = encode(questions)
    states = token_states.predict(np.array([tokens.ids for tokens in encodings]), verbose=0)
    scores = reader.predict(states, verbose=0)
    return [best_span(*row, made.context) for *row, made in zip(scores, encodings, questions, strict=True)]


# %%
tests = {
    "new countries": facts.make_questions(held_out, "training", count=32, seed=1),
    "new countries, new sentences": facts.make_questions(held_out, "held out", count=32, seed=1),
    "chemical elements": facts.make_questions(facts.elements, "elements", count=32, seed=1),
}


def exact_matches():
    for name, questions in tests.items():
        right = [answer == made.answer for answer, made in zip(read(questions), questions, strict=True)]
        print(f"{name:30} {np.mean(right):.0%} of {len(right)}")


# %% [markdown]
# MiniLM stays frozen: what `token_states` returns is computed once, and the head is trained on it.
#
# **Predict first.** Each text has two candidates, so choosing one of them at random would be right half of the time.
# Do vectors that were tuned for the meaning of whole sentences tell where an answer starts and ends?

# %% tags=["answer", "trained-here"]
reader.compile(keras.optimizers.AdamW(1e-2), loss=span_loss)
reader.fit(token_states.predict(question_ids, verbose=0), targets, batch_size=16, epochs=30, verbose=0)
exact_matches()

# %% [markdown]
# Not well: choosing one of the two candidates at random would do better. Does it help to change the vectors
# themselves? That follows below.
#
# And real questions? Ten were written by hand.

# %%
answers = read(facts.questions)
for made, answer in zip(facts.questions, answers, strict=True):
    print(f"{made.question:58} {answer[:44]!r}, expected {made.answer[:44]!r}")

# %% [markdown]
# `make results` trained three readers on three random splits, on 400 questions each: this one; one in which all six
# layers were fine-tuned; and "from scratch", the same architecture with random initial weights. F1 gives credit for
# words in common.

# %%
arms = tl.results("answers")["spans"]["arms"]
for part in ("training set", "new countries", "new countries, new sentences", "elements", "real"):
    print(part)
    for arm, scores in arms.items():
        exact, f1 = (100 * np.array(scores[part][measure]) for measure in ("exact", "f1"))
        print(f"    {arm:13} exact match {exact.mean():5.1f} ± {exact.std(ddof=1):4.1f} %, F1 {f1.mean():5.1f} %")

# %% [markdown]
# All that differs between the second and the third reader is the pretraining. Both are right about all of the
# training set. From scratch most of that does not transfer to new countries; with pretraining most of it does.
# (Some of their answers, such as continents and currencies, are in the training set, too.) The frozen one, trained for
# longer than above, fits most of the training set, and about new countries it is still right less often than a random
# choice between two candidates. In sentences of another form the fine-tuned reader is right less often, and about
# elements less often again, by an amount that differs much from run to run. None of the three has one real question
# right. A high score on questions like those of the training set says little about others.
#
# Readers for real questions are fine-tuned on a hundred thousand of them, written by people (SQuAD). Such a network
# is a folder that `tl.load_pretrained_model` loads by its path, if its config says `BertForQuestionAnswering`:
#
# ```python
# squad = tl.load_pretrained_model("bert-squad")  # hf download deepset/bert-base-cased-squad2 --local-dir bert-squad
# squad.answer("Who discovered penicillin?", text)  # span, score, position; or no answer
# ```
#
# ## Exercises
#
# ### Exercise 7.1: count what it reads
#
# How many tokens does the network read in "Unputdownable!", special tokens included? Predict the number first, then
# ask the tokenizer.
#
# Stuck? `tl.check.hint("7.1")` in a cell of its own gives the first of three hints.

# %%
text = "Unputdownable!"
number_of_tokens = None  # replace None

tl.check("7.1", number_of_tokens, model)

# %% tags=["solution", "hide-cell"] jupyter={"source_hidden": true, "outputs_hidden": true}
# Solution: click to open
number_of_tokens = len(tokenizer.encode(text).tokens)
tl.check("7.1", number_of_tokens, model)

# %% [markdown]
# ### Exercise 7.2: the nearest review, without tlcourse
#
# Find the sentence in `training.sentences` (200 sentences) that has the highest cosine similarity to this one. Use
# your own `embed`, and NumPy. Do the two sentences express the same opinion?
#
# Stuck? `tl.check.hint("7.2")` in a cell of its own gives the first of three hints.

# %%
query = "The camera work is beautiful."
nearest_review = None  # replace None with the sentence

tl.check("7.2", nearest_review, model, training)

# %% tags=["solution", "hide-cell"] jupyter={"source_hidden": true, "outputs_hidden": true}
# Solution: click to open
*rows, asked = embed([*training.sentences, query])
nearest_review = training.sentences[np.argmax(unit(np.array(rows)) @ asked)]
tl.check("7.2", nearest_review, model, training)

# %% [markdown]
# ### Exercise 7.3: better than the majority class?
#
# `probe` is a linear probe for films, as in lesson 03. Find its accuracy on the test set of the tweets, and compare
# it with the majority-class baseline: the accuracy of a classifier that always answers the more frequent class.
#
# Then the open task: where does your own search, or your own reader, fail? Ask the FAQ five questions of yours with
# `five_nearest([…])`, and give a text to `read([SimpleNamespace(question="…", context="…")])` (`from types import
# SimpleNamespace`). Note what went wrong.
#
# Stuck? `tl.check.hint("7.3")` in a cell of its own gives the first of three hints.

# %%
probe = tl.train_classifier(model.extract_features(training.sentences), training.labels, films.class_names)
on_tweets = {"probe": None, "always the same": None}  # replace both None

tl.check("7.3", on_tweets, model, probe)

# %% tags=["solution", "hide-cell"] jupyter={"source_hidden": true, "outputs_hidden": true}
# Solution: click to open
on_tweets["probe"] = probe.score(model.extract_features(tweets.test.sentences), tweets.test.labels)
on_tweets["always the same"] = max(np.mean(tweets.test.labels == side) for side in (0, 1))
tl.check("7.3", on_tweets, model, probe)

# %% [markdown]
# ## Summary
#
# - A BERT reads tokens and returns a vector for each. Padding makes sentences equally long, the attention mask tells
#   which tokens are real, and mean pooling makes one embedding of a sentence.
# - Sentences of similar meaning have similar embeddings. That is enough to search by meaning, without any training;
#   recall@5 says how often it works.
# - The recipe of lessons 04 and 05 holds for text: a head on the frozen network, then the last layers at a low
#   learning rate, with warm-up.
# - With few labels a frozen BERT was ahead of the methods without pretraining. With thousands, the bag of words
#   caught up; fine-tuning was ahead of both.
# - A classifier that is good in its own domain may be worse than the majority-class baseline in another, without any
#   warning. Compare with this baseline, and label a few sentences of the new domain.
# - An answer in a text is a start and an end: two scores per token. Here frozen features did not suffice, and what
#   was learned on made-up sentences did not transfer to real questions.
# - What we measured: one small BERT, English of 2014 and before, single sentences.
#
# ### The same with `transformers`
#
# Hugging Face's library has tokenizer, network and training loop in one, on PyTorch. It is not installed with the
# course, and this is not run here; we ran it elsewhere, with MiniLM's folder as `name` (transformers 5.24). With
# internet, and after `pip install transformers[torch] datasets`:
#
# ```python
# from datasets import Dataset
# from transformers import AutoModelForSequenceClassification, AutoTokenizer, Trainer, TrainingArguments
#
# name = "google-bert/bert-base-uncased"
# hf_tokenizer = AutoTokenizer.from_pretrained(name)
# hf_network = AutoModelForSequenceClassification.from_pretrained(name, num_labels=2)
#
#
# def rows(split):
#     data = Dataset.from_dict({"text": list(split.sentences), "label": split.labels.tolist()})
#     return data.map(lambda batch: hf_tokenizer(batch["text"], truncation=True), batched=True)
#
#
# settings = TrainingArguments("out", learning_rate=5e-5, num_train_epochs=3, warmup_steps=4)
# trainer = Trainer(hf_network, settings, train_dataset=rows(training), processing_class=hf_tokenizer)
# trainer.train()
# predicted = trainer.predict(rows(test)).predictions.argmax(axis=1)
# ```
#
# `tl.load_pretrained_model("bert")` loads a BERT from Hugging Face by the path of its folder, for example the one
# that `hf download google-bert/bert-base-uncased --local-dir bert` downloads.
