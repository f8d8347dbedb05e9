# %% [markdown]
# # 07 · BERT to sentiment
#
# A network that has learned to read in general becomes one that tells praise from complaint. It is the same story as with
# pictures, with the same three calls, and it ends differently in one place.
#
# **Minutes:** about 45 · **Needs:** MiniLM, which `make learn` installs; elsewhere `tlcourse fetch minilm`

# %% tags=["setup"]
# Written by notebooks/build.py (set_up): it says how to get the course where it is missing.

# %% [markdown]
# ## What you will learn
#
# - what a BERT reads, and what it gives for a sentence;
# - to answer a question by the nearest sentence, without any training;
# - to classify opinions with few labels: a frozen BERT, a fine-tuned one, and two that know nothing beforehand;
# - to carry a classifier to another kind of text, and to notice when it has not arrived;
# - to look at attention, and not to believe it.
#
# ## What a network reads
#
# *MiniLM* is a small BERT: six layers, and 384 numbers for each token. It read a large part of the English internet, a
# billion pairs of sentences that belong together, and learned to give similar numbers to sentences of similar meaning.

# %%
import numpy as np

import tlcourse as tl

model = tl.load_pretrained_model("minilm")
model

# %%
model.tokens("An unwatchable film about tokenization.")

# %% [markdown]
# Those are *tokens*. Frequent words are tokens of their own; the others fall into pieces that are, marked by `##`. So there
# is no word that the network cannot read, and 30,522 tokens are enough. `[CLS]` and `[SEP]` mark beginning and end.
#
# Each token is replaced by a vector that was learned. Then come the layers; in each, every token looks at all the others and
# takes something from them (*attention*). In the end each token's vector speaks of the token *in this sentence*.

# %%
model.blocks.keys()

# %% [markdown]
# As for pictures, `extract_features` gives one row of numbers for each sentence: the average over its tokens, behind the
# last layer.

# %%
features = model.extract_features(["A wonderful film.", "I loved this movie!", "The battery died after a week."])
features.shape

# %% [markdown]
# ## Answer a question by the nearest sentence
#
# Here is what a course could say about itself. Nothing will be trained; the network has never seen these sentences.

# %%
facts = [
    "Freezing a layer means that training does not change its weights.",
    "A linear probe is a linear classifier on the features of a frozen network.",
    "A learning rate that is too high destroys what was learned before.",
    "Batch normalisation keeps running averages of what it has seen.",
    "Data augmentation shows the same picture mirrored, turned or cropped.",
    "A network trained on many photographs is a good beginning for other pictures.",
    "The test set is looked at once, at the end.",
]
known = model.extract_features(facts)


# %% [markdown]
# How near are two sentences? By the angle between their rows of numbers: the *cosine* is 1 where they point the same way
# and 0 where they have nothing to do with each other.


# %%
def cosines(question):
    asked = model.extract_features(question)[0]
    return known @ asked / (np.linalg.norm(known, axis=1) * np.linalg.norm(asked))


question = "How do I keep the old weights as they are?"
for place in np.argsort(-cosines(question))[:3]:
    print(f"{cosines(question)[place]:.2f}  {facts[place]}")

# %% [markdown]
# **Predict first.** "Can I peek at the exam during training?" shares no word that matters with the right answer. Will it be
# found? And the reason for "Why has my model forgotten everything after one epoch?"

# %%
for question in ("Can I peek at the exam during training?", "Why has my model forgotten everything after one epoch?"):
    print(f"{question}\n    {cosines(question).max():.2f}  {facts[np.argmax(cosines(question))]}")

# %% [markdown]
# The first is right, the second is not: the answer, a learning rate too high, is a *reason*, and nearness knows of none. Look
# at the cosine, too: a low one says that nothing here is really near.
#
# This is how search by meaning works, and how a chatbot finds the page that it quotes. It is lesson 03's nearest
# neighbour, with sentences.
#
# ## The task: is it praise?
#
# `reviews` are sentences about films, each rated by a dozen people and more, from −4 (extremely negative) to 4.

# %%
films = tl.load_dataset("reviews", domain="films")
films

# %%
for place in range(4):
    print(f"{films.train.ratings[place]:+.1f}  {films.train.label_names[place]:8}  {films.train.sentences[place]}")

# %% [markdown]
# A mean rating between −0.5 and 0.5 counts as neutral, and such sentences were left out: people do not agree about them
# either. What remains is about half and half, so guessing is right half of the time. `print(films.card)` tells where the sentences come
# from, and what is not known of them.
#
# We may label a hundred sentences of each side, and judge by five hundred others.

# %%
learned, judged = films.train.sample(per_class=100), films.test.sample(per_class=250)

len(learned), len(judged)

# %% [markdown]
# ### Bag of words
#
# First what knows nothing beforehand: count words and pairs of words, weigh rare ones higher, draw a line. No network. It is
# the yardstick that any pretrained network has to beat.

# %%
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

counting = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True)
bag_of_words = make_pipeline(counting, LogisticRegression(C=10)).fit(learned.sentences, learned.labels)

print(f"bag of words: {bag_of_words.score(judged.sentences, judged.labels):.1%} right")

# %% [markdown]
# ### Frozen BERT
#
# The two lines you know from photographs.

# %%
probe = tl.train_classifier(model.extract_features(learned.sentences), learned.labels, films.class_names)

print(f"frozen BERT: {probe.score(model.extract_features(judged.sentences), judged.labels):.1%} right")

# %% [markdown]
# ### A network from scratch
#
# The same two hundred sentences for a small convolutional network with random initial weights (after Kim, 2014): a vector
# for each token, windows of three tokens, and of each filter the best match in the sentence.

# %%
import keras

keras.utils.set_random_seed(0)
scratch = keras.Sequential([
    keras.Input((None,), dtype="int32"),
    keras.layers.Embedding(len(model.tokenizer), 64),
    keras.layers.Conv1D(96, 3, padding="same", activation="relu"),
    keras.layers.GlobalMaxPooling1D(),
    keras.layers.Dropout(0.5),
    keras.layers.Dense(2, activation="softmax"),
])

# %% tags=["trained-here"]
scratch.compile(keras.optimizers.Adam(2e-3), "sparse_categorical_crossentropy", metrics=["accuracy"])
scratch.fit(model.tokenize(learned.sentences), learned.labels, epochs=20, verbose=0)
_, accuracy = scratch.evaluate(model.tokenize(judged.sentences), judged.labels, verbose=0)

print(f"from scratch: {accuracy:.1%} right")

# %% [markdown]
# ### Fine-tuned BERT
#
# Now the last two layers may move. What the layers below give is computed once, for each token of each sentence, and kept:
# the cut is a layer of BERT instead of a block of convolutions.
#
# **Predict first.** MiniLM has learned to put sentences *about the same thing* side by side. "A wonderful film" and "a
# terrible film" are about the same thing. Who gains more from fine-tuning, this network or the ImageNet one on solar cells?

# %% tags=["trained-here"]
tuned = tl.fine_tune(
    model, learned.sentences, learned.labels, "layer_5", class_names=films.class_names, validation=0, epochs=6
)

print(f"fine-tuned BERT: {tuned.score(judged.sentences, judged.labels):.1%} right")

# %% [markdown]
# Was it really the last two layers that were trained, and nothing else? The record names every weight that changed.

# %%
sorted({"_".join(path.split("/")[0].split("_")[:2]) for path in tuned.record["changed"]})

# %% [markdown]
# ## How many labels?
#
# One draw of two hundred sentences is one draw. `make results` did all four with five draws and with more labels, let three
# layers of BERT move, and judged by all test sentences.
#
# **Predict first.** With *all* labels, several thousand: is a frozen BERT still better than counting words?

# %%
study = tl.results("sentiment")
curve = tl.LearningCurve.of(study["curves"]["films"])
curve

# %%
tl.show.learning_curve(curve, "Opinions on films: what was learned before is worth most when labels are few")

# %% [markdown]
# Read it from left to right. With five sentences of each side nobody knows much: the two that begin with nothing guess, and
# the band of a BERT is wide, since ten sentences decide, and which ten is luck. With a hundred of each side, the frozen
# BERT is where counting words will be only with many times as many.
#
# And on the right is the surprise: with all labels, *counting words has overtaken the frozen BERT*, and a small network from
# scratch has nearly caught up. A frozen network gives what it was trained to give, and MiniLM was trained to put sentences
# about the same thing side by side. Praise and blame are in its features, but faintly, and no number of labels makes a
# linear probe see what is hardly there. Its line flattens; the others go on rising.
#
# Fine-tuning breaks the tie. It may change *what* is described, and with many labels it leaves all others behind. With five
# there is nothing to be learned that the probe does not know, and it is no better.
#
# Where do the lines cross, and what did each way cost? All methods had the same sentences in the same split, so we take
# the differences split by split; ± is the standard error of their mean.

# %%
for method in ("bag of words", "from scratch"):
    for labels, difference, error in curve.differences(method, "frozen BERT"):
        print(f"{labels:5,} labels: {method} − frozen BERT {difference:+.1%} ± {error:.1%}")
for method, points in curve.points.items():
    print(f"{method:16} {np.median(points[-1].seconds):6.0f} s with all labels")

# %% [markdown]
# (With all labels the frozen BERT has no spread: every draw takes all sentences, and nothing else in it is random.)
#
# ## From films to products and tweets
#
# The classifiers above learned from film critics. Somebody takes one of them and puts it to work on what customers write
# about cameras and telephones, and on tweets. Nobody labels anything anew.

# %%
products, tweets = (tl.load_dataset("reviews", domain=domain) for domain in ("products", "tweets"))
for split in (products.test, tweets.test):
    print(f"{split.label_names[0]:8}  {split.sentences[0]}")

# %% [markdown]
# **Predict first.** Which of the four loses most on the way?

# %%
for domain in ("films", "products", "tweets"):
    points = study["curves"][domain]["points"]
    print(f"{domain}: always the larger class gives {study['larger_class'][domain]:.1%}")
    for method, found in points.items():
        accuracies = found[-1]["accuracies"]
        print(f"    {method:16} {np.mean(accuracies):.1%} ± {np.std(accuracies, ddof=1):.1%}")

# %% [markdown]
# Hold every line against what *always the larger class* gives.
#
# - **Counting words** has learned the words of film critics, and the network from scratch has, too. On products they are hardly
#   better than the larger class, if at all; on tweets they are worse.
# - **The frozen BERT** loses least. What it knows of English was not learned from films.
# - **The fine-tuned BERT** is best on films and on products. On tweets it falls behind the frozen one, *below the larger
#   class*. What it changed, it changed for sentences of film critics (Kumar and others, "Fine-Tuning can Distort Pretrained
#   Features and Underperform Out-of-Distribution", 2022).
#
# Nothing warns you: a classifier on strange ground answers as readily as at home. Only labels of the new domain show it.
#
# **A few labels of the new domain.** Labelling ten, forty or two hundred of the new sentences is a matter of minutes. What is
# the best use of them?

# %%
for domain, ways in study["new_labels"].items():
    print(domain)
    for way, points in ways.items():
        print(f"    {way}")
        for point in points:
            mean, spread = np.mean(point["accuracies"]), np.std(point["accuracies"], ddof=1)
            print(f"        {point['labels']:3} of each side: {mean:.1%} ± {spread:.1%}")

# %% [markdown]
# Compare the last way with the table before it. The network that was fine-tuned on films failed on tweets; give its *features*
# a new last layer, from a few tweets, and they are at least as good as any others here, with a hundred labels of each side
# clearly better. What it had learned about praise did carry over. Where it had drawn the line did not.
#
# Ten labels on their own are luck, as the spread tells. With the films' labels beside them, each side counting the same,
# they are worth much more; with two hundred the films hardly matter.
#
# That is this whole course in one table: a network trained for one task becomes the start of another, and *that* one, in
# turn, the start of a third.
#
# ## What did it look at?
#
# Attention can be looked at: for each layer and head, how much each token took from each other one. The average over the
# last layer's heads:

# %%
sentence = "The plot is thin, but the actors save it."
weights = model.attentions(sentence)
weights.shape

# %%
tl.show.attention(model.tokens(sentence), weights[-1].mean(axis=0), "Last layer, average over its heads")

# %% [markdown]
# It is tempting to read this as a reason. But a weight says where a token took something *from*, not what that did to the
# answer; and all that was taken in five layers before is in it already (Jain and Wallace, "Attention is not Explanation",
# 2019). There is a more honest question, and any classifier can be asked it: **what happens to the answer if a word is left
# out?**

# %%
words = sentence.split()
shorter = [" ".join(words[:place] + words[place + 1 :]) for place in range(len(words))]
effect = tuned.predict_proba(sentence)[0, 1] - tuned.predict_proba(shorter)[:, 1]

# %%
tl.show.bars(words, effect, "how much the word adds to the probability of praise", sentence.rstrip("."))

# %% [markdown]
# In the table of attention every token takes most from `[CLS]`, whatever it says: a place to look at when there is nothing to be
# taken. The bars say something else. When we ran this, one word, *thin*, decided nearly everything, and *save* next to
# nothing: two hundred sentences have taught the network which words are blame, and not what "but" does to a sentence.
# It is right more often than the others, and this is how.
#
# ## Exercises
#
# ### Exercise 7.1: count what it reads
#
# How many tokens does the network read in "Unputdownable!", all of them counted? Say a number first, then ask the model.
#
# Stuck? `tl.check.hint("7.1")` in a cell of its own gives the first of three hints.

# %%
text = "Unputdownable!"
number_of_tokens = None  # replace None

tl.check("7.1", number_of_tokens, model)

# %% tags=["solution", "hide-cell"] jupyter={"source_hidden": true, "outputs_hidden": true}
number_of_tokens = len(model.tokens(text))
tl.check("7.1", number_of_tokens, model)

# %% [markdown]
# ### Exercise 7.2: the nearest review
#
# Find the sentence among the 200 in `learned` that is nearest, by the cosine, to this one. Does it share its opinion?
#
# Stuck? `tl.check.hint("7.2")` in a cell of its own gives the first of three hints.

# %%
wanted = "The camera work is beautiful."
nearest_review = None  # replace None with the sentence

tl.check("7.2", nearest_review, model, learned)

# %% tags=["solution", "hide-cell"] jupyter={"source_hidden": true, "outputs_hidden": true}
rows, asked = model.extract_features(learned.sentences), model.extract_features(wanted)[0]
nearest_review = learned.sentences[np.argmax(rows @ asked / np.linalg.norm(rows, axis=1))]
tl.check("7.2", nearest_review, model, learned)

# %% [markdown]
# ### Exercise 7.3: better than guessing?
#
# Your `probe` was trained on films. Judge it by the tweets' test sentences, and compare: which share of them would be right if
# one always said the more frequent side?
#
# Stuck? `tl.check.hint("7.3")` in a cell of its own gives the first of three hints.

# %%
on_tweets = {"probe": None, "always the same": None}  # replace both None

tl.check("7.3", on_tweets, model, probe)

# %% tags=["solution", "hide-cell"] jupyter={"source_hidden": true, "outputs_hidden": true}
on_tweets["probe"] = probe.score(model.extract_features(tweets.test.sentences), tweets.test.labels)
on_tweets["always the same"] = max(np.mean(tweets.test.labels == side) for side in (0, 1))
tl.check("7.3", on_tweets, model, probe)

# %% [markdown]
# ## Summary
#
# - A BERT reads tokens and gives a row of numbers for each, and by their average for a sentence. Sentences of similar meaning
#   get similar rows: that answers questions without any training.
# - With few labels a frozen BERT is far ahead of what begins with nothing. With thousands, counting words overtakes it: frozen
#   features hold what they were trained for, and MiniLM's are about subjects.
# - Fine-tuning changes that, and is ahead at every number of labels that is more than a handful.
# - A classifier that is good at home may be worse than no classifier elsewhere, and does not say so. Compare with the larger
#   class, and label a few.
# - Features that were fine-tuned on one domain can be the best start for another, even where the classifier failed.
# - Attention shows where was looked. Leaving words out shows what it did.
# - What we measured: one small BERT, English of 2014, sentences of about twenty words.
#
# **With internet:** `hf download google-bert/bert-base-uncased --local-dir bert` brings a BERT of twelve layers and 768 features, and
# `tl.load_pretrained_model("bert")` loads it by the path of its folder, as any other BERT of Hugging Face.
