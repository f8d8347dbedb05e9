# %% [markdown]
# # 07 · BERT to sentiment
#
# A network pretrained on English text in general becomes one that tells praise from complaint. It works as with
# pictures, with the same three calls, but one result is different.
#
# **Minutes:** about 45 · **Needs:** MiniLM, which `make learn` installs; elsewhere `tlcourse fetch minilm`

# %% tags=["setup"]
# Written by notebooks/build.py (set_up): it says how to get the course where it is missing.

# %% [markdown]
# ## What you will learn
#
# - what a BERT reads, and how it embeds a sentence;
# - to answer a question with the nearest sentence, without any training;
# - to classify opinions with few labels: a frozen BERT, a fine-tuned one, and two methods without pretraining;
# - to use a classifier on another kind of text, and to notice when it fails there;
# - to look at attention, and what it does not explain.
#
# ## What a network reads
#
# *MiniLM* is a small BERT, a **transformer** of six layers with 384 numbers for each token. It has three trainings behind
# it. A large BERT was pretrained by *masked language modelling*: guess the words that were hidden in a text. MiniLM was
# then *distilled* from such a network: trained to imitate it with fewer layers. At last it was tuned *contrastively* on a
# billion pairs of English sentences from the internet that belong together, so that sentences of similar meaning get
# similar embeddings (Sentence-BERT). Below, "frozen BERT" means this network.

# %%
import numpy as np

import tlcourse as tl

model = tl.load_pretrained_model("minilm")
model

# %%
model.tokens("An unwatchable film about tokenization.")

# %% [markdown]
# Those are *tokens*. Frequent words are tokens of their own; other words are split into pieces that are, marked by
# `##`. So 30,522 tokens are enough to read nearly any word. `[CLS]` and `[SEP]` mark the start and the end of the text.
#
# Each token is replaced by a vector from a table that was trained with the network. Then come the layers; in each,
# every token looks at all the others and takes something from them (*attention*). In the end each token's vector
# represents the token *in this sentence*.

# %%
model.blocks.keys()

# %% [markdown]
# As for pictures, `extract_features` returns one **embedding** per sentence: the average of its tokens' vectors after
# the last layer.

# %%
features = model.extract_features(["A wonderful film.", "I loved this movie!", "The battery died after a week."])
features.shape

# %% [markdown]
# ## Answer a question by the nearest sentence
#
# Here are some sentences that could be found in this course. Nothing will be trained: the network only computes an
# embedding of each sentence.

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
# How similar are two sentences? We take the angle between their embeddings: the **cosine similarity** is 1 where they
# point in the same direction, and about 0 where the sentences have nothing to do with each other.


# %%
def cosines(question):
    asked = model.extract_features(question)[0]
    return known @ asked / (np.linalg.norm(known, axis=1) * np.linalg.norm(asked))


question = "How do I keep the old weights as they are?"
for index in np.argsort(-cosines(question))[:3]:
    print(f"{cosines(question)[index]:.2f}  {facts[index]}")

# %% [markdown]
# **Predict first.** "Can I peek at the exam during training?" shares no important word with the right answer. Will it
# be found? And the reason for "Why has my model forgotten everything after one epoch?"

# %%
for question in ("Can I peek at the exam during training?", "Why has my model forgotten everything after one epoch?"):
    print(f"{question}\n    {cosines(question).max():.2f}  {facts[np.argmax(cosines(question))]}")

# %% [markdown]
# The first answer is right, the second is wrong. The right one, a learning rate that is too high, is a *reason*, and
# the cosine similarity measures similar meaning, not cause and effect. Look at its value, too: when it is low, none of
# the sentences is really close.
#
# Semantic search works like this, and so does a chatbot when it looks for the page that it quotes. It is lesson 03's
# nearest neighbour, with sentences.
#
# ## The task: is it praise?
#
# `reviews` are sentences about films, each rated by a dozen people or more, from −4 (extremely negative) to 4.

# %%
films = tl.load_dataset("reviews", domain="films")
films

# %%
for index in range(4):
    print(f"{films.train.ratings[index]:+.1f}  {films.train.label_names[index]:8}  {films.train.sentences[index]}")

# %% [markdown]
# A mean rating between −0.5 and 0.5 counts as neutral, and such sentences were left out: people do not agree about them
# either. About half of the others are positive, so a classifier that always gives the same answer is right about half
# of the time. `print(films.card)` tells where the sentences come from, and what is not known about them.
#
# We train on a hundred sentences of each class, and test on five hundred others.

# %%
training, test = films.train.sample(per_class=100), films.test.sample(per_class=250)

len(training), len(test)

# %% [markdown]
# ### Bag of words
#
# First a baseline without pretraining: count words and pairs of words, give rare ones a higher weight (TF-IDF), and
# train a logistic regression on these numbers. There is no network. A pretrained network should at least do better than
# this.

# %%
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

counting = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True)
bag_of_words = make_pipeline(counting, LogisticRegression(C=10)).fit(training.sentences, training.labels)

print(f"bag of words: {bag_of_words.score(test.sentences, test.labels):.1%} right")

# %% [markdown]
# ### Frozen BERT
#
# The same two steps as with photographs: extract features, train a linear probe.

# %%
probe = tl.train_classifier(model.extract_features(training.sentences), training.labels, films.class_names)

print(f"frozen BERT: {probe.score(model.extract_features(test.sentences), test.labels):.1%} right")

# %% [markdown]
# ### A network from scratch
#
# A small convolutional network with random initial weights (after Kim, 2014) is trained on the same two hundred
# sentences: an embedding for each token, a convolution over three tokens, and for each filter its maximum over the
# sentence.

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
scratch.fit(model.tokenize(training.sentences), training.labels, epochs=20, verbose=0)
_, accuracy = scratch.evaluate(model.tokenize(test.sentences), test.labels, verbose=0)

print(f"from scratch: {accuracy:.1%} right")

# %% [markdown]
# ### Fine-tuned BERT
#
# Now the last two layers are trained as well. The output of the layers below is computed once, for each token of each
# sentence, and cached. It is the same helper as for pictures, with layers of BERT instead of blocks of convolutions.
#
# **Predict first.** MiniLM was trained to put sentences *about the same thing* close together. "A wonderful film" and
# "a terrible film" are about the same thing. Which will gain more from fine-tuning, this network or the ImageNet one on
# solar cells?

# %% tags=["trained-here"]
tuned = tl.fine_tune(
    model, training.sentences, training.labels, "layer_5", class_names=films.class_names, validation=0, epochs=6
)

print(f"fine-tuned BERT: {tuned.score(test.sentences, test.labels):.1%} right")

# %% [markdown]
# Were the last two layers and the head trained, and nothing else? The record names every weight that changed.

# %%
sorted({"_".join(path.split("/")[0].split("_")[:2]) for path in tuned.record["changed"]})

# %% [markdown]
# ## How many labels?
#
# One sample of two hundred sentences proves little. `make results` ran all four methods on five random samples, and
# also with fewer and with more labels. It fine-tuned three layers of BERT, and tested on all test sentences.
#
# **Predict first.** With *all* labels, several thousand: is a frozen BERT still better than the bag of words?

# %%
study = tl.results("sentiment")
curve = tl.LearningCurve.of(study["curves"]["films"])
curve

# %%
tl.show.learning_curve(curve, "Opinions on films: what was learned before is worth most when labels are few")

# %% [markdown]
# Read it from left to right. With five sentences of each class no method is good. The two without pretraining are close
# to chance, and the bands of the two BERTs are wide, because much depends on which ten sentences are in the sample.
# With a hundred of each class, the frozen BERT is at an accuracy that the bag of words reaches only with many times as
# many.
#
# The right end is less expected: with all labels *the bag of words has overtaken the frozen BERT*, and a small network
# from scratch has nearly caught up. Frozen features are those that the pretraining needed, and MiniLM was pretrained to
# put sentences about the same thing close together. Our explanation is that its features say little about praise and
# blame, and that a linear probe cannot make up for it with more labels. Its curve flattens; the others go on rising.
#
# Fine-tuning can change the features themselves, and with many labels it is ahead of all the others. With five labels
# of each class there is too little to learn from, and it is no better than the probe.
#
# Where do the curves cross, and what did each method cost? All methods had the same sentences in the same split, so we
# take the differences split by split. ± is the standard error of their mean.

# %%
for method in ("bag of words", "from scratch"):
    for labels, difference, error in curve.differences(method, "frozen BERT"):
        print(f"{labels:5,} labels: {method} − frozen BERT {difference:+.1%} ± {error:.1%}")
for method, points in curve.points.items():
    print(f"{method:16} {np.median(points[-1].seconds):6.0f} s with all labels")

# %% [markdown]
# (With all labels the frozen BERT has a standard deviation of 0: every split has the same training sentences, and
# nothing else in this method is random.)
#
# ## From films to products and tweets
#
# The classifiers above were trained on sentences of film critics. Now they are used for what customers write about
# cameras and telephones, and for tweets, without any new labels. This is **domain shift**: the new texts differ in kind
# from the training set.

# %%
products, tweets = (tl.load_dataset("reviews", domain=domain) for domain in ("products", "tweets"))
for split in (products.test, tweets.test):
    print(f"{split.label_names[0]:8}  {split.sentences[0]}")

# %% [markdown]
# **Predict first.** Which of the four loses most on the new domains?

# %%
for domain in ("films", "products", "tweets"):
    points = study["curves"][domain]["points"]
    print(f"{domain}: always the larger class gives {study['larger_class'][domain]:.1%}")
    for method, found in points.items():
        accuracies = found[-1]["accuracies"]
        print(f"    {method:16} {np.mean(accuracies):.1%} ± {np.std(accuracies, ddof=1):.1%}")

# %% [markdown]
# Compare every line with *always the larger class*, the majority-class baseline.
#
# - **The bag of words** has learned the words of film critics, and so has the network from scratch. On products they
#   are hardly better than the baseline, if at all; on tweets they are worse.
# - **The frozen BERT** loses least. Its features were not trained on the films' sentences.
# - **The fine-tuned BERT** is best on films and on products. On tweets it falls behind the frozen one, *below the
#   baseline*. Its features were changed to suit the sentences of film critics (Kumar and others, "Fine-Tuning can
#   Distort Pretrained Features and Underperform Out-of-Distribution", 2022).
#
# Nothing warns you: a classifier answers as readily out of domain as in its own. Only labels of the new domain show how
# good it is.
#
# **A few labels of the new domain.** To label ten, forty or two hundred of the new sentences is a matter of minutes.
# What is the best use of them?

# %%
for domain, ways in study["new_labels"].items():
    print(domain)
    for way, points in ways.items():
        print(f"    {way}")
        for point in points:
            mean, deviation = np.mean(point["accuracies"]), np.std(point["accuracies"], ddof=1)
            print(f"        {point['labels']:3} of each side: {mean:.1%} ± {deviation:.1%}")

# %% [markdown]
# Compare the last method with the table before it. The network that was fine-tuned on films failed on tweets. But train
# a new last layer on its *features*, with a few labelled tweets, and it is about as good as any other method here, and
# clearly better with a hundred labels of each class. Its features transferred to tweets; its decision boundary did not.
#
# With the new labels alone, ten of them, the result depends much on which ten they are, as the standard deviation
# shows. Together with the films' labels, weighted so that both domains count the same, they are worth much more; with
# two hundred, the films hardly matter.
#
# That is transfer twice over: a network pretrained for one task is fine-tuned for a second one, and the result is the
# pretrained network for a third.
#
# ## What did it look at?
#
# Attention can be displayed: for each layer and head, how much each token took from each other one. This is the average
# over the heads of the last layer:

# %%
sentence = "The plot is thin, but the actors save it."
weights = model.attentions(sentence)
weights.shape

# %%
tl.show.attention(model.tokens(sentence), weights[-1].mean(axis=0), "Last layer, average over its heads")

# %% [markdown]
# It is tempting to read this as the reason for the answer. But a weight says where a token took something *from*, not
# what that did to the answer, and each token already contains what it took from others in the five layers before (Jain
# and Wallace, "Attention is not Explanation", 2019). Another question is closer to what we want to know, and it works
# with any classifier: **how does the answer change if a word is left out?**

# %%
words = sentence.split()
shorter = [" ".join(words[:index] + words[index + 1 :]) for index in range(len(words))]
effect = tuned.predict_proba(sentence)[0, 1] - tuned.predict_proba(shorter)[:, 1]

# %%
tl.show.bars(words, effect, "how much the word adds to the probability of praise", sentence.rstrip("."))

# %% [markdown]
# In the map of attention every token takes most from `[CLS]`, whatever the token is. This may be where tokens look when
# there is nothing to take. The bars show something else: when we ran this, leaving out *thin* changed the answer most.
# Look where *but* and *save* stand on your machine. One sentence shows what this network did with it, and not how it
# reads in general.
#
# ## Exercises
#
# ### Exercise 7.1: count what it reads
#
# How many tokens does the network read in "Unputdownable!", special tokens included? Predict the number first, then ask
# the model.
#
# Stuck? `tl.check.hint("7.1")` in a cell of its own gives the first of three hints.

# %%
text = "Unputdownable!"
number_of_tokens = None  # replace None

tl.check("7.1", number_of_tokens, model)

# %% tags=["solution", "hide-cell"] jupyter={"source_hidden": true, "outputs_hidden": true}
# Solution: click to open
number_of_tokens = len(model.tokens(text))
tl.check("7.1", number_of_tokens, model)

# %% [markdown]
# ### Exercise 7.2: the nearest review
#
# Find the sentence in the training set `training` (200 sentences) that has the highest cosine similarity to this one. Do
# the two express the same opinion?
#
# Stuck? `tl.check.hint("7.2")` in a cell of its own gives the first of three hints.

# %%
wanted = "The camera work is beautiful."
nearest_review = None  # replace None with the sentence

tl.check("7.2", nearest_review, model, training)

# %% tags=["solution", "hide-cell"] jupyter={"source_hidden": true, "outputs_hidden": true}
# Solution: click to open
rows, asked = model.extract_features(training.sentences), model.extract_features(wanted)[0]
nearest_review = training.sentences[np.argmax(rows @ asked / np.linalg.norm(rows, axis=1))]
tl.check("7.2", nearest_review, model, training)

# %% [markdown]
# ### Exercise 7.3: better than the majority class?
#
# Your `probe` was trained on films. Find its accuracy on the test set of the tweets, and compare it with the
# majority-class baseline: the accuracy of a classifier that always answers the more frequent class.
#
# Stuck? `tl.check.hint("7.3")` in a cell of its own gives the first of three hints.

# %%
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
# - A BERT reads tokens and returns a vector for each; their average is the embedding of the sentence. Sentences of
#   similar meaning get similar embeddings, and that is enough to answer some questions without any training.
# - With few labels a frozen BERT is far ahead of methods without pretraining. With thousands, the bag of words
#   overtakes it: frozen features suit the task of the pretraining, and MiniLM's task was about subjects.
# - Fine-tuning changes the features. With a hundred labels of each class, and with all, it was ahead of the frozen network;
#   with five and with twenty the two were within one standard deviation of each other.
# - A classifier that is good in its own domain may be worse than the majority-class baseline in another, without any
#   warning. Compare with this baseline, and label a few sentences of the new domain.
# - Features that were fine-tuned on one domain can be the best start for another, even where the classifier failed.
# - Attention shows where a token took something from. Leaving words out shows what changes the answer.
# - What we measured: one small BERT, English of 2014, sentences of about twenty words.
#
# **With internet:** `hf download google-bert/bert-base-uncased --local-dir bert` downloads a BERT of twelve layers and
# 768 features, and `tl.load_pretrained_model("bert")` loads it by the path of its folder, as any other BERT of Hugging
# Face.
