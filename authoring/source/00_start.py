# %% [markdown]
# # 00 · Start here
#
# You will show a computer five photographs of each of six kinds of thing, and it will recognise the kind in photographs
# that it has never seen. Then you will give the same three lines of code a real job: finding defective solar cells.
#
# **Minutes:** about 20 · **Needs:** nothing from the internet

# %% tags=["setup"]
# Written by notebooks/build.py (set_up): it says how to get the course where it is missing.

# %% tags=["preview"]
# What the first half of this lesson does, and a figure of it: click to open. The calls are explained below.
import tlcourse as tl

stamps = tl.load_dataset("stamps")
few, new = stamps.train.sample(per_class=5), stamps.test.sample(per_class=1)
model = tl.load_pretrained_model()
classifier = tl.train_classifier(model.extract_features(few.images), few.labels)
answers = classifier.predict(model.extract_features(new.images))

pictures, captions = [*few.images, *[None] * 15], [*few.label_names, *[""] * 15]
captions[:30] = [name if row % 5 == 0 else "" for row, name in enumerate(few.label_names)]
pictures[32:44:2], captions[32:44:2] = new.images, [stamps.class_names[answer] for answer in answers]
title = "Five photographs of each kind to train on, and six new ones with the answers"
tl.show.pictures(pictures, captions, columns=15, title=title)

# %% [markdown]
# ## What you will learn
#
# - what transfer learning is, by using it from beginning to end, twice;
# - the three calls on which the helper package of this course is built;
# - how to judge a result: baselines, several random splits, and a published number;
# - how the lessons work.
#
# ## Transfer learning in four sentences
#
# A neural network that was trained to recognise a thousand kinds of things in photographs has learned to detect edges,
# textures, shapes and parts on the way. Most of this is useful for other things and other photographs, too. So we keep
# that part of the network, the **backbone**, and replace only its last layer, the **head**, with one for our own task.
# This is transfer learning, and it is why a few photographs can be enough where the original training needed more than a
# million.
#
# ```text
#                                                             ┌──▶  old head: 1,000 classes of ImageNet   (removed)
# photograph ──▶  backbone, trained on ImageNet  ──▶ features ┤
#                          (kept)                             └──▶  new head: your classes                (trained)
# ```
#
# ## Six kinds of thing
#
# The data set `stamps` comes with the course: photographs of animals, plants and vehicles that were cut out for Tux
# Paint, a drawing program for children (GPL-2; `print(stamps.card)` shows credits and limits).

# %%
import tlcourse as tl

stamps = tl.load_dataset("stamps")
stamps

# %%
tl.show.pictures(stamps.train.images, columns=15, title="All photographs of the training set")

# %% [markdown]
# Every data set of the course has three parts. We train on the **training set**, make choices on the **validation set**,
# and measure on the **test set**, once. No photograph is in two of them.
#
# We take only five photographs of each kind from the training set.

# %%
few = stamps.train.sample(per_class=5)
tl.show.pictures(few.images, few.label_names, columns=10)

# %% [markdown]
# **Predict first.** Thirty photographs to train on, six kinds to tell apart. How many of a hundred new photographs will
# be recognised? Write your guess into the next cell. You will remember the answer better.

# %%
my_guess = None  # a number between 0 and 100

# %% [markdown]
# ## Three calls
#
# **First call: load a pretrained model.** This one, EfficientNet-Lite0, was trained on ImageNet: 1.28 million photographs
# of a thousand kinds of things, from goldfish to toilet paper. It comes with the course, so nothing is downloaded.

# %%
model = tl.load_pretrained_model()
model

# %% [markdown]
# **Second call: extract features.** The backbone runs once over each photograph and returns 1,280 numbers for it, its
# **features**, also called its **embedding**.

# %%
features = model.extract_features(few.images)
features.shape

# %% [markdown]
# One row per photograph, one column per feature.
#
# **Third call: train a classifier on the features.** The backbone stays as it is; it is **frozen**. Only a logistic
# regression is trained, a linear classifier. On top of frozen features this is called a **linear probe**.

# %%
classifier = tl.train_classifier(features, few.labels, stamps.class_names)

# %% [markdown]
# That is all. How does it do on photographs that it has never seen?

# %% tags=["answer"]
test_features = model.extract_features(stamps.test.images)
accuracy = classifier.score(test_features, stamps.test.labels)
print(f"{accuracy:.0%} of {len(stamps.test)} new photographs recognised. Your guess: {my_guess}")

# %% [markdown]
# ## Compared with what?
#
# An accuracy alone says little. We compare it with two **baselines**. The first does not look at the picture at all: it
# always answers the most frequent class.

# %%
import numpy as np

counts = np.bincount(stamps.test.labels)
print(f"Always answering '{stamps.class_names[counts.argmax()]}': {counts.max() / counts.sum():.0%}")

# %% [markdown]
# The second baseline is trained on the same thirty photographs, but without the pretrained network: a logistic
# regression on the pixels themselves, at 32 × 32.

# %%
from sklearn.linear_model import LogisticRegression


def pixels(images):
    return [tl.pictures.resize(image, (32, 32)).ravel() / 255 for image in images]


on_pixels = LogisticRegression(C=0.01, max_iter=1000).fit(pixels(few.images), few.labels)
print(f"Logistic regression on pixels: {on_pixels.score(pixels(stamps.test.images), stamps.test.labels):.0%}")

# %% [markdown]
# The photographs and the kind of classifier are the same. What differs is what the classifier is given: pixels, or
# the features of a network that was trained on something else. This difference is what transfer learning brings.
#
# **One split is not enough.** Five other photographs of each kind would give another accuracy. So we repeat everything
# with five random splits into training and test set, and report the mean and the standard deviation.


# %%
def accuracy_on_split(seed):
    split = tl.load_dataset("stamps", seed=seed)
    five = split.train.sample(per_class=5, seed=seed)
    probe = tl.train_classifier(model.extract_features(five.images), five.labels)
    return probe.score(model.extract_features(split.test.images), split.test.labels)


accuracies = [accuracy_on_split(seed) for seed in range(5)]
print(f"Five random splits: {np.mean(accuracies):.0%} ± {np.std(accuracies, ddof=1):.0%}")

# %% [markdown]
# (The backbone has not run again over photographs that it had seen before: `extract_features` keeps features on disk.)
#
# ImageNet's thousand classes include zebras, lemons and fire engines. So the network has seen such *things* before,
# though not these photographs. That probably helps; the task below is much farther from ImageNet.
#
# ## Which kinds are confused?
#
# **Predict first.** Which two of the six kinds will be confused most often?

# %% tags=["answer"]
tl.show.confusion(classifier.confusion(test_features, stamps.test.labels))

# %% [markdown]
# Each row of the **confusion matrix** is a true class, each column a predicted class; correct predictions lie on the
# diagonal. Vegetables and fruit are confused most often. Read the row of the vegetables: most of them are wrong, which
# the accuracy over all classes hides. The next figure shows the most confident correct predictions, and below them some
# of the mistakes:

# %%
probabilities = classifier.predict_proba(test_features)
tl.show.right_and_wrong(stamps.test.images, stamps.test.labels, probabilities, stamps.class_names)

# %% [markdown]
# ## A picture of your own
#
# Choose a test photograph from the list, or give a picture of your own. You see it as the network does, with a map of the
# evidence for the answer (brighter means more), and the three training photographs with the most similar features. Your
# picture is not kept anywhere.

# %%
tl.widgets.TryYourOwn(model, classifier, few, features, examples=stamps.test)

# %% [markdown]
# Give it a photograph of a chair. It answers one of the six kinds: there is no answer "none of these". A low similarity
# (cosine) of its neighbours can be a warning sign: compare it with that of a test photograph.
#
# ## A real job: defective solar cells
#
# When a current is sent through a solar cell, it glows faintly in the infrared. Where it is cracked or dead it stays
# dark. Experts looked at 2,624 photographs taken in this way and said how likely each cell is to be defective. Here a
# cell is labelled "defective" if they suspected a defect at all.
#
# *(ELPV data set, ZAE Bayern; Buerhop-Lutz et al. 2018, Deitsch et al. 2019; CC BY-NC-SA 4.0.)*

# %%
solar = tl.load_dataset("solar")
some = solar.train.sample(per_class=6, seed=1)
tl.show.pictures(some.images, some.label_names)

# %% [markdown]
# Some defects are obvious: a dark area, a thick crack. Others are hard to see, and some cells look broken and are not:
# the dark grains of polycrystalline silicon are harmless.
#
# **Predict first.** These pictures are much less like ImageNet's than the stamps are, but there are many more of them.
# Will the accuracy be higher or lower than on the stamps?

# %%
training = solar.train_and_validation  # nothing is chosen here, so we train on both
solar_features = model.extract_features(training.images)

# `weights`: cells that the experts were unsure about count less.
solar_classifier = tl.train_classifier(solar_features, training.labels, solar.class_names, training.weights)

# %% tags=["answer"]
solar_test_features = model.extract_features(solar.test.images)
accuracy = solar_classifier.score(solar_test_features, solar.test.labels)
counts = np.bincount(solar.test.labels)
print(f"Accuracy on {len(solar.test)} new cells:  {accuracy:.1%}")
print(f"Always answering '{solar.class_names[counts.argmax()]}': {counts.max() / counts.sum():.1%}")

# %% [markdown]
# Here the two kinds of mistakes do not cost the same. A false alarm costs a second look; a missed defect costs power for
# years. Two numbers tell them apart. **Recall**: of the defective cells, how many were found? **Precision**: of the cells
# reported as defective, how many are?

# %%
from sklearn.metrics import precision_score, recall_score

answers = solar_classifier.predict(solar_test_features)
print(f"Recall of defects: {recall_score(solar.test.labels, answers):.1%}")
print(f"Precision:         {precision_score(solar.test.labels, answers):.1%}")

# %% [markdown]
# **Compared with what others published.** The people who took these photographs used three quarters of the cells for
# training and a quarter for testing, as we do, and gave less weight to cells that the experts were unsure about, in
# training and in the test (Deitsch et al., *Solar Energy* 185, 2019):
#
# - 82.44 %: a support vector machine on features designed by hand;
# - 88.42 %: VGG-19, pretrained on ImageNet and then **fine-tuned**, all of its layers, on a graphics card.
#
# Their split is not published, so we take the mean over five random ones, which `make results` has measured.

# %%
weighted = solar_classifier.score(solar_test_features, solar.test.labels, solar.test.weights)
measured = tl.results("solar.last_block")
print(f"This split, weighted: {weighted:.1%}")
print(f"Five random splits:   {measured['mean']:.1%} ± {measured['sd']:.1%}")

# %% [markdown]
# With three calls, and without training any layer of the network, the mean over five splits is above the published
# result for hand-designed features and below the one for a fine-tuned network. Lesson 05 fine-tunes, on your machine.
#
# One limit holds for all of these numbers, the published ones included: the cells were cut from 44 solar modules, and
# the data set does not say which cell is from which module. Cells of one module may be in both training and test set, so
# the accuracy on cells of a *new* module may be lower.
#
# ## How the course works
#
# - **Predict, run, read.** Where it says *Predict first*, do. The result below is folded until you run the cell
#   (Shift-Enter). Then read on.
# - **Exercises** have a stub that runs as it is, a check that says why an answer is wrong, three hints, and a folded
#   solution. `tl.check.progress()` shows which ones you have solved.
# - **Keras and scikit-learn first.** From lesson 02 on you write each method yourself in these libraries, and use the
#   helper package `tlcourse` for what you have written once.
# - **Numbers are measured**, by the cell above them or by `make results`, or they are quoted from a publication. On
#   another processor a result may differ by a picture or two, and the accuracy of a network trained in the lesson by
#   several points.
# - **Something does not work?** Run `tlcourse doctor` in a terminal: it says what is missing and how to fix it.
#
# | No. | Lesson |
# |---|---|
# | 00 | Start here: you are here |
# | [01](01_why.ipynb) | Why transfer? Three promises, measured |
# | [02](02_models.ipynb) | Pretrained models: what is inside, what they see, what they expect |
# | [03](03_extract.ipynb) | Feature extraction: ImageNet to your own classes |
# | [04](04_head.ipynb) | A new head: the five steps |
# | [05](05_tuning.ipynb) | Fine-tuning: ImageNet to solar-cell defects |
# | [06](06_kanji.ipynb) | Digits to Kanji: transfer, layer by layer |
# | [07](07_bert.ipynb) | BERT to sentiment: the same calls for sentences |
# | [08](08_speech.ipynb) | Speech: one example of each word |
# | [09](09_misuse.ipynb) | The misuse lab: eight mistakes, and what each costs |
# | [10](10_search.ipynb) | Tune and stack: what a search promises, and what is kept |
# | [11](11_pictures.ipynb) | Your own pictures: from a folder to a file |
# | [12](12_cluster.ipynb) | Past one machine: the same job on many |
#
# <details><summary>Glossary: the terms of the course</summary>
#
# - **augmentation**: training on changed copies of a picture (mirrored, turned, cropped) whose label stays true.
# - **backbone**: the part of a pretrained network that is kept; also called the base. **Head**: its last layer or layers,
#   which are replaced.
# - **baseline**: a simple method that a result is compared with. **Majority-class baseline**: always answer the most
#   frequent class. **Chance**: answer at random.
# - **batch normalization statistics**: the moving mean and variance of each channel, which training updates without a
#   gradient, and which inference mode uses.
# - **calibration**: whether a model's probabilities are true, so that of all answers given with a probability of four
#   fifths about four fifths are right.
# - **confidence interval**: a range computed in such a way that it contains the true value in most repetitions, say
#   nineteen of twenty.
# - **data leakage**: information about the test set that training has used. **Group leakage**: pictures of the same object
#   or person in training and test set.
# - **domain shift**: new data differ in kind from the training data. **Source domain**: what a network was pretrained on;
#   **target domain**: what it is used for.
# - **distillation**: training a small network to imitate a large one.
# - **early stopping**: ending the training, or going back to its best epoch, when the validation loss no longer falls.
# - **embedding**, **features**: the numbers that a backbone returns for one input.
# - **ensembling**: averaging the predictions of several models. **Stacking**: training one more model to combine them.
# - **extractive question answering**: marking the answer in a given text, from its first to its last token.
# - **few-shot**: with a handful of labels per class.
# - **fine-tuning**: training part or all of a pretrained network on the target data, usually with a small learning rate.
# - **frozen**: not changed by training; `trainable = False` in Keras.
# - **inference mode**, `training=False`: how a layer computes when it predicts: dropout does nothing, batch normalization
#   uses its statistics. `trainable = False` is another thing: it keeps the weights as they are. (In Keras it also puts
#   batch normalization into inference mode.)
# - **label efficiency**: how few labels a method needs for a given accuracy. **Label noise**: labels that are wrong.
# - **learning-rate schedule**: how the learning rate changes in the course of training. **Warm-up**: it rises at first.
# - **learning curve**: accuracy by the number of labels; also loss or accuracy by epoch.
# - **linear probe**: a logistic regression on frozen features, standardised and L2-regularised.
# - **log-mel spectrogram**: how loud a sound is in each band of pitches, in decibels, at each moment: sound as a picture.
# - **masked language modelling**: pretraining on text by predicting words that were hidden.
# - **overfitting**: the training set is fitted better and better, and new data worse.
# - **padding**: filling up shorter texts of a batch with zeros. **Attention mask**: which of its tokens are real.
# - **paired difference**: of two methods on the same split. **Standard error**: how far the mean of several
#   measurements may be off by chance.
# - **pooling**: making one embedding of many vectors, mostly by their mean.
# - **recall**: the share of the actual defects that were found. **Precision**: the share of the reported defects that are
#   real.
# - **recall@5**: the share of queries with a right result among the five nearest.
# - **regularisation**: whatever keeps a model simple: a penalty on large weights (L2, weight decay), dropout, early
#   stopping, augmentation.
# - **semantic search**: finding texts by the similarity of their embeddings, and not by words in common.
# - **token**: a word, or a piece of a word, that a network for text has a vector for. **Transformer**: a network in whose
#   layers each token takes something from all the others (attention); BERT is one.
# - **transfer**: what was learned on the source helps on the target. **Negative transfer**: it does harm.
#
# </details>

# %% [markdown]
# ## Exercises
#
# ### Exercise 0.1: one photograph of each kind
#
# `stamps.train.sample(per_class=1)` takes a single photograph of each kind. Train a classifier on these six and find its
# accuracy on the test set. Guess first.
#
# Stuck? `tl.check.hint("0.1")` in a cell of its own gives the first of three hints.

# %%
one_each = stamps.train.sample(per_class=1)
accuracy_with_one = None  # replace None

tl.check("0.1", accuracy_with_one, one_each)

# %% tags=["solution", "hide-cell"] jupyter={"source_hidden": true, "outputs_hidden": true}
# Solution: click to open
probe = tl.train_classifier(model.extract_features(one_each.images), one_each.labels)
accuracy_with_one = probe.score(test_features, stamps.test.labels)
tl.check("0.1", accuracy_with_one, one_each)

# %% [markdown]
# ### Exercise 0.2: is one kind of cell harder?
#
# There are monocrystalline cells, which look smooth, and polycrystalline ones, with a pattern of grains.
# `solar.test.groups` says which of them a test cell is. Find the accuracy for each. Which one do you expect to be harder?
#
# Stuck? `tl.check.hint("0.2")` in a cell of its own gives the first of three hints.

# %%
kinds = solar.test.groups
accuracy_by_kind = {}  # {"mono": …, "poly": …}

tl.check("0.2", accuracy_by_kind, solar_classifier)

# %% tags=["solution", "hide-cell"] jupyter={"source_hidden": true, "outputs_hidden": true}
# Solution: click to open
for kind in ("mono", "poly"):
    mask = kinds == kind
    accuracy_by_kind[kind] = solar_classifier.score(solar_test_features[mask], solar.test.labels[mask])
tl.check("0.2", accuracy_by_kind, solar_classifier)

# %% [markdown]
# ### Exercise 0.3: find more of the defects
#
# Without `tlcourse`: train a classifier of scikit-learn, any one you like, so that it finds at least nine of ten defects
# and is still right more often than always answering "functional". (One way: the `class_weight` of `LogisticRegression`;
# another: a lower threshold, `sklearn.model_selection.FixedThresholdClassifier`.) The first `len(solar.train)` rows
# of `solar_features` and `training.labels` are the training set, the others the validation set: train on the first,
# choose on the others. The check measures your choice on the test set.
#
# Stuck? `tl.check.hint("0.3")` in a cell of its own gives the first of three hints.

# %%
my_classifier = None  # replace None: a fitted classifier of scikit-learn

tl.check("0.3", my_classifier)

# %% tags=["solution", "hide-cell"] jupyter={"source_hidden": true, "outputs_hidden": true}
# Solution: click to open
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

n = len(solar.train)
for weight in (2, 4, 8):
    regression = LogisticRegression(C=1e-3, class_weight={0: 1, 1: weight}, max_iter=1000)
    candidate = make_pipeline(StandardScaler(), regression).fit(solar_features[:n], training.labels[:n])
    recall = recall_score(training.labels[n:], candidate.predict(solar_features[n:]))
    print(f"weight {weight}: recall {recall:.0%}, accuracy {candidate.score(solar_features[n:], training.labels[n:]):.0%}")
    my_classifier = candidate if weight == 4 else my_classifier  # the best accuracy with enough recall
tl.check("0.3", my_classifier)

# %% [markdown]
# ## Summary
#
# - Transfer learning keeps the backbone of a trained network and replaces its head.
# - Three calls: `load_pretrained_model`, `extract_features`, `train_classifier`.
# - Compare with a baseline and with what others measured in the same way, and report the standard deviation over
#   several splits.
# - Train on the training set, choose on the validation set, measure on the test set, once.
# - On the stamps, five photographs of each kind were enough for a linear probe to be far above a logistic regression on
#   pixels. On the solar cells, the probe was above the published result for hand-designed features and below the one
#   for a fine-tuned network.
#
# **Next:** [01 · Why transfer?](01_why.ipynb)
