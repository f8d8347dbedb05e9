# %% [markdown]
# # 01 · Why transfer?
#
# Three promises are made for transfer learning: it needs less data, it needs less time, and the result is better. Here
# they are measured on three data sets, against networks that start from random weights. You will see where the promises
# hold, and where they do not.
#
# **Minutes:** about 25 · **Needs:** nothing from the internet

# %% tags=["setup"]
# Written by notebooks/build.py (set_up): it says how to get the course where it is missing.

# %% [markdown]
# ## What you will learn
#
# - to compare methods fairly: the same pictures, several random splits, paired differences;
# - to read a learning curve: accuracy by number of labels;
# - what transfer learning saves in labels and in seconds;
# - why it helps on some data and not on other data.
#
# ## Thirty photographs
#
# The task of lesson 00: six kinds of thing, five photographs of each to train on.

# %%
import tlcourse as tl

stamps = tl.load_dataset("stamps")
few = stamps.train.sample(per_class=5)
tl.show.pictures(few.images, few.label_names, columns=10)

# %% [markdown]
# **Predict first.** A small network is trained on these thirty photographs **from scratch**: all its weights start at
# random. A linear probe gets the features of a network pretrained on ImageNet. How many of a hundred new photographs
# will each of them recognise? Always answering the most frequent kind would be right for about one in three.

# %%
guess_scratch, guess_probe = None, None  # two numbers between 0 and 100

# %% [markdown]
# ## From scratch
#
# The small network has three convolutions, the average over all positions, and a softmax. Its weights are initialised as
# He and others proposed for layers with ReLU (ICCV 2015), `he_uniform` in Keras.

# %%
import keras

relu = {"padding": "same", "activation": "relu", "kernel_initializer": "he_uniform"}


# %%
def small_cnn(input_shape, classes):
    return keras.Sequential([
        keras.Input(input_shape),
        keras.layers.Rescaling(1 / 255),
        keras.layers.Conv2D(16, 3, strides=2, **relu),
        keras.layers.Conv2D(32, 3, **relu),
        keras.layers.MaxPooling2D(),
        keras.layers.Conv2D(64, 3, **relu),
        keras.layers.GlobalAveragePooling2D(),
        keras.layers.Dense(classes, activation="softmax"),
    ])


# %% [markdown]
# It sees the photographs at 64 × 64 pixels.

# %%
import numpy as np


def as_array(images, side):
    """Pictures as one array, uint8 (n, side, side, 3)."""
    return np.stack([tl.pictures.resize(image, (side, side)) for image in images])


# %% tags=["answer", "trained-here"]
keras.utils.set_random_seed(0)
scratch = small_cnn((64, 64, 3), classes=6)
scratch.compile(keras.optimizers.Adam(5e-3), loss="sparse_categorical_crossentropy", metrics=["accuracy"])
options = {"callbacks": [tl.fit_bar()], "verbose": 0}  # a bar while it trains
history = scratch.fit(as_array(few.images, 64), few.labels, batch_size=15, epochs=100, **options).history
scratch_accuracy = scratch.evaluate(as_array(stamps.test.images, 64), stamps.test.labels, verbose=0)[1]

print(f"From scratch: {history['accuracy'][-1]:.0%} of the training photographs, {scratch_accuracy:.0%} of the test set")

# %% [markdown]
# What a network can do on its training set is not what it can do on new photographs.
#
# ## With transfer
#
# The pretrained network is an ordinary Keras model: pixels in, 1,280 features out. We let it predict, and train a logistic
# regression of scikit-learn on the result.

# %%
pretrained = tl.load_pretrained_model().copy_network()
features = pretrained.predict(as_array(few.images, 224), verbose=0)
test_features = pretrained.predict(as_array(stamps.test.images, 224), verbose=0)

features.shape, test_features.shape

# %% tags=["answer", "trained-here"]
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

probe = make_pipeline(StandardScaler(), LogisticRegression(C=0.01, max_iter=1000)).fit(features, few.labels)
print(f"Probe: {probe.score(test_features, stamps.test.labels):.0%} of the test set")
print(f"Your guesses: {guess_scratch} and {guess_probe}")

# %% [markdown]
# That is one split, one network from scratch, and one number of labels. Before we believe it, we ask for more of each.
#
# ## Is the comparison fair?
#
# The pretrained network has more than a hundred times as many weights as the small one. Perhaps its **architecture** is
# what makes the difference, and not what it has learned? So we need the same architecture **with random weights**, too,
# all its layers trained on the same photographs. In Keras:
#
# ```python
# untrained = keras.models.clone_model(pretrained)     # the same layers, newly initialised
# outputs = keras.layers.Dense(6, activation="softmax")(untrained.output)
# network = keras.Model(untrained.input, outputs)      # compile, then fit
# ```
#
# Training it takes minutes, so `make results` did it. On five random splits it trained four methods, with one, two, five,
# and all photographs of each kind:
#
# - **small CNN**: the small network above;
# - **random weights**: the architecture of the pretrained network, all layers trained, at 128 × 128 pixels;
# - **probe**: a linear classifier on the features of the pretrained network, which stays frozen;
# - **fine-tune**: the probe first, and then the last blocks of the pretrained network are trained, too (lesson 05).

# %%
curve = tl.LearningCurve.of(tl.results("curves.stamps"))
curve

# %%
tl.show.learning_curve(curve, "Stamps: six kinds of thing, five random splits")

# %% [markdown]
# The band around each line is one standard deviation over the five splits: with few pictures it matters which ones they
# are.
#
# ## First promise: less data
#
# What do the two networks from scratch reach with *all* labels, and how many labels do the other methods need for that?
# We use only the numbers of labels that were measured.


# %%
def labels_needed(curve, baseline="small CNN"):
    target = curve.points[baseline][-1]
    print(f"{baseline}: {target.mean:.1%} with {target.rows:,} labels")
    for method in ("probe", "fine-tune"):
        labels = curve.labels_for(method, target.mean)
        print(f"{method}: " + (f"at least as much with {labels:,}" if labels else "never reaches it"))


labels_needed(curve)

# %%
labels_needed(curve, "random weights")

# %% [markdown]
# ## Second promise: less time
#
# Seconds from pictures to a trained classifier, with all labels. The features are computed once for all splits, but their
# time is counted in each. (Other programs ran on the machine, too. So compare the methods with each other only.)


# %%
def seconds_needed(curve):
    for method, points in curve.points.items():
        print(f"{method:14} {np.median(points[-1].seconds):7.1f} s (median)")


seconds_needed(curve)

# %% [markdown]
# Compare the last three lines: they use the same architecture. (The one with random weights even has smaller pictures.)
# On this data set even the small CNN takes longer than the probe.
#
# The pretraining itself is not in these numbers. It took far longer than all of them together, and somebody else paid
# for it.
#
# ## Third promise: better results
#
# In each split all methods had the same pictures, so we compare split by split, and take the mean of the **paired
# differences**. ± is its **standard error**: with five splits, a difference smaller than three times that may well be an
# accident.


# %%
def gains(curve, method, baseline):
    for labels, difference, error in curve.differences(method, baseline):
        print(f"{labels:5,} labels: {method} − {baseline} = {difference:+.1%} ± {error:.1%}")


gains(curve, "probe", "random weights")

# %%
gains(curve, "fine-tune", "probe")

# %% [markdown]
# With every number of labels the probe is ahead of the network with random weights, by many standard errors. Both have
# the same architecture and the same photographs. The size of the pictures and the training differ, too, but no choice
# of them is likely to close such a gap. So it is very probably the pretraining that helps. Between fine-tuning and the
# probe there is no clear difference; with so few photographs the cheaper method is enough.
#
# One caution: ImageNet has birds, lemons and cars, too, though not these photographs. Source and target are close
# relatives.
#
# ## Another task: Kanji
#
# Now something that ImageNet does not contain: ten Kanji, the numerals from 一 to 十. Each picture is a glyph of a font
# with small distortions, 28 × 28 pixels, light on black. The test pictures come from fonts that are not in the training
# set.

# %%
kanji = tl.load_dataset("kanji")
numerals = kanji.with_classes(kanji.class_names[:10])
one_each = numerals.train.sample(per_class=1)
meanings = tl.datasets.kanji_meanings()
tl.show.pictures(one_each.images, [meanings[name] for name in one_each.label_names], columns=10)

# %% [markdown]
# **Predict first.** One example of each numeral: is the probe ahead of the small CNN again?
#
# `tl.learning_curve` is the comparison that we have just made, for several splits: it trains each method with the given
# numbers of labels per class and tests it on the test set. A method is a function of a training set and a seed that
# returns something with `predict`.

# %%
import tensorflow as tf


def train_small_cnn(split, seed):
    """Train for 150 steps, each on 32 pictures, with a learning rate that falls to 0."""
    keras.utils.set_random_seed(seed)
    network = small_cnn((28, 28, 1), classes=10)
    rate = keras.optimizers.schedules.CosineDecay(5e-3, decay_steps=150)
    network.compile(keras.optimizers.Adam(rate), loss="sparse_categorical_crossentropy", steps_per_execution=50)
    pictures = tf.data.Dataset.from_tensor_slices((split.images[..., np.newaxis], split.labels))
    batches = pictures.shuffle(1000).repeat().batch(32)
    network.fit(batches, steps_per_epoch=150, shuffle=False, verbose=0)  # the data set shuffles
    return network


# %% tags=["answer", "trained-here"]
methods = {"small CNN": train_small_cnn, "probe": "probe"}
live = tl.learning_curve(numerals, labels_per_class=(1, 5), methods=methods, seeds=3)
live

# %% [markdown]
# `make results` did it with five samples, up to all labels, with fine-tuning, and with random weights (here at 64 × 64
# pixels). Its small CNN is trained longer: 300 steps at least, and more where there are more pictures.

# %% tags=["answer"]
kanji_curve = tl.LearningCurve.of(tl.results("curves.kanji"))
tl.show.learning_curve(kanji_curve, "Kanji numerals, in fonts that are not in the training set")

# %%
gains(kanji_curve, "probe", "random weights")

# %% [markdown]
# The same architecture with random weights is far behind the probe with every number of labels, as it was on the
# stamps. As on the stamps, the small CNN is the stronger baseline of the two, and here by more:

# %% tags=["answer"]
gains(kanji_curve, "probe", "small CNN")

# %% [markdown]
# Read the differences downwards: the sign changes. With ten labels, one of each numeral, the probe is not ahead, and
# more likely behind. With all 500 it is ahead by more than three standard errors. A plausible reason: features that
# were learned from photographs contain strokes and corners, too, but a classifier has to find out which of the 1,280
# matter, and for that it needs some examples. (With all labels there is only one training set; what still differs is
# the small CNN.)
#
# ## A third task: solar cells
#
# The solar cells of lesson 00: photographs, but in infrared light, of something that is not in ImageNet. There are only
# two classes, so with one label of each there are two pictures to train on. As in the publication, a quarter of the
# cells are for testing, other ones in each split; fine-tuning is that of lesson 05. First the baseline, always
# answering the more frequent class:

# %%
solar = tl.load_dataset("solar")
print(f"functional: {np.average(solar.test.labels == 0, weights=solar.test.weights):.1%} of the test cells, weighted")

# %%
solar_curve = tl.LearningCurve.of(tl.results("curves.solar"))
tl.show.learning_curve(solar_curve, "Solar cells: functional or defective")

# %%
gains(solar_curve, "probe", "small CNN")

# %%
gains(solar_curve, "fine-tune", "probe")

# %%
seconds_needed(solar_curve)

# %% [markdown]
# With up to twenty cells no mean is more than a few points above the baseline, and with up to forty the probe is not
# ahead of the small CNN. With two hundred and more it is. Fine-tuning is ahead of the probe with five hundred cells and
# more, and with twenty it is clearly behind: it changes the most weights, and probably needs the most labels. And it is
# not always fast: with all cells it took many times as long as the small CNN.
#
# And the same architecture with **random weights**? It was trained on three of the five splits only, and with three
# numbers of cells: at 64 × 64 pixels, as the small CNN, and with all cells for 800 steps, which is six epochs.

# %%
with_random = tl.LearningCurve.of(tl.results("curves.solar_random_weights"))
tl.show.learning_curve(with_random, "Solar cells, three splits: the same architecture with random weights")

# %%
gains(with_random, "probe", "random weights")

# %%
gains(with_random, "small CNN", "random weights")

# %% [markdown]
# With two hundred cells and with all of them the probe is ahead of the same architecture with random weights. Of the two
# networks from scratch the small CNN has the higher mean with two hundred cells, as on the stamps and the Kanji, and not
# with all of them. (Six epochs on small pictures are not the last word: with more of both the large network from scratch
# would probably do better.)
#
# ## Why?
#
# ImageNet is the **source domain** here, and each task a **target domain**.

# %%
for name, each in {"stamps": curve, "Kanji": kanji_curve, "solar cells": solar_curve}.items():
    print(f"--- {name}")
    labels_needed(each)

# %% [markdown]
# One explanation fits all three: the nearer the target domain is to the source domain, the more of the features can be used
# as they are. The stamps are photographs of things like those in ImageNet: one photograph of each kind is enough to be ahead
# of any training from scratch that we tried. Kanji and solar cells are farther away: there, transfer pays once there are
# enough labels to find the useful features, or to change them. Three tasks do not prove it.
#
# So do not ask "does transfer learning work?". Ask: from which source to which target, with how many labels, and compared
# with what?
#
# ## Exercises
#
# ### Exercise 1.1: what is a label worth?
#
# It takes half a minute to label a photograph. On `stamps`, how many minutes of labelling does the probe save, if you want
# at least the accuracy that the network with random weights reaches with all labels? Use `curve.labels_for` and
# `curve.points`.
#
# Stuck? `tl.check.hint("1.1")` in a cell of its own gives the first of three hints.

# %%
minutes_saved = None  # replace None

tl.check("1.1", minutes_saved)

# %% tags=["solution", "hide-cell"] jupyter={"source_hidden": true, "outputs_hidden": true}
# Solution: click to open
random_weights = curve.points["random weights"][-1]
minutes_saved = (random_weights.rows - curve.labels_for("probe", random_weights.mean)) / 2
tl.check("1.1", minutes_saved)

# %% [markdown]
# ### Exercise 1.2: is the difference real?
#
# `live` holds three splits for each method. In how many of the three did the probe beat the small CNN, with one label of
# each numeral? Both had the same pictures in the same split, so compare split by split.
#
# Stuck? `tl.check.hint("1.2")` in a cell of its own gives the first of three hints.

# %%
splits_won = None  # replace None

tl.check("1.2", splits_won, live)

# %% tags=["solution", "hide-cell"] jupyter={"source_hidden": true, "outputs_hidden": true}
# Solution: click to open
pairs = zip(live.points["probe"][0].accuracies, live.points["small CNN"][0].accuracies, strict=True)
splits_won = sum(probe > small for probe, small in pairs)
tl.check("1.2", splits_won, live)

# %% [markdown]
# ### Exercise 1.3: ten other characters
#
# Numerals are simple characters. Take ten that are not: the last ten classes of `kanji`. Compute their learning curve for
# the small CNN and the probe, with 1 and 5 labels and three splits. Guess first: is the difference larger or smaller?
#
# Then the open task: do the same on other data, ten characters of your own choice, or a folder of your own pictures
# (`tl.datasets.from_folder`, and a small CNN for their size). From how many labels on is the probe ahead there?
#
# Stuck? `tl.check.hint("1.3")` in a cell of its own gives the first of three hints.

# %%
my_curve = None  # replace None

tl.check("1.3", my_curve, live)

# %% tags=["solution", "hide-cell"] jupyter={"source_hidden": true, "outputs_hidden": true}
# Solution: click to open
others = kanji.with_classes(kanji.class_names[-10:])
my_curve = tl.learning_curve(others, labels_per_class=(1, 5), methods=methods, seeds=3)
tl.check("1.3", my_curve, live)

# %% [markdown]
# ## Summary
#
# - A fair comparison needs the same pictures for all methods, several splits, and paired differences with their standard
#   error.
# - Less data: on photographs like those of the source, the probe and fine-tuning were better with one label per class
#   than either network from scratch with all labels.
# - Less time: with all labels the probe was the fastest. Training the same architecture from random weights took many
#   times as long, and the result was worse. Fine-tuning can take longer than training a small network.
# - Better results: with all labels, transfer was ahead on all three data sets. With one label per class the probe was not
#   ahead on Kanji, and with few solar cells no method was good.
# - What we measured: three small data sets and one pretrained network. Another task has another curve; now you can draw it.
#
# **Next:** [02 · Pretrained models](02_models.ipynb)
