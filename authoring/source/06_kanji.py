# %% [markdown]
# # 06 · Digits to Kanji
#
# Until now somebody else had pretrained the network. Here you pretrain one yourself, on digits, and transfer it to Kanji,
# layer by layer. You will see when that helps and when it does not.
#
# **Minutes:** about 35 · **Needs:** nothing from the internet

# %% tags=["setup"]
# Written by notebooks/build.py (set_up): it says how to get the course where it is missing.

# %% [markdown]
# ## What you will learn
#
# - to pretrain a network in Keras, and to copy its first layers into another one;
# - how many layers to transfer, frozen or fine-tuned (after Yosinski, Clune, Bengio and Lipson, 2014);
# - to compare fairly: a learning rate for each method, chosen on the validation set, and the head trained first;
# - what negative transfer is, and how to find out.
#
# ## Two kinds of writing
#
# The source domain: MNIST's handwritten digits. The target domain: Kanji. Both are light strokes on black, 28 × 28 pixels.

# %%
import numpy as np

import tlcourse as tl

digits, kanji = tl.load_dataset("digits"), tl.load_dataset("kanji")
digits, kanji

# %%
meanings = tl.datasets.kanji_meanings()
some_digits = digits.train.select(slice(12))
some_kanji = kanji.with_classes(kanji.class_names[:12]).train.sample(per_class=1)
names = [*some_digits.label_names, *(meanings[name] for name in some_kanji.label_names)]

tl.show.pictures([*some_digits.images, *some_kanji.images], names, columns=12)

# %% [markdown]
# The Kanji are not scanned handwriting. They are the glyphs of eight fonts, brush and pen, and each glyph comes in ten
# variants with small distortions. No font is in two splits, and no writer.

# %%
for name, split in kanji.splits.items():
    print(f"{name:11} {len(set(split.groups))} fonts: {', '.join(sorted(set(split.groups)))}")

# %% [markdown]
# So the 2,000 test pictures show only two glyphs of each character. A network that reads one variant of a glyph will
# probably read the other nine, too. So small differences in accuracy mean little here.
#
# ## Pretrain on digits
#
# The network is small: three convolutions, then a softmax on all positions. The weights are initialised as He and others
# proposed for layers with ReLU (ICCV 2015), `he_uniform` in Keras.

# %%
import keras

relu = {"padding": "same", "activation": "relu", "kernel_initializer": "he_uniform"}


# %%
def small_network(classes):
    return keras.Sequential([
        keras.Input((28, 28)),
        keras.layers.Reshape((28, 28, 1)),
        keras.layers.Rescaling(1 / 255),
        keras.layers.Conv2D(16, 3, strides=2, name="conv_1", **relu),
        keras.layers.Conv2D(32, 3, name="conv_2", **relu),
        keras.layers.MaxPooling2D(),
        keras.layers.Conv2D(64, 3, name="conv_3", **relu),
        keras.layers.Flatten(),
        keras.layers.Dense(classes, activation="softmax", name="head"),
    ])


# %% [markdown]
# All networks in this lesson are trained in the same way: a number of steps on 32 pictures each, with a learning rate
# that falls to 0. The function compiles first, so a change of `trainable` before it takes effect.

# %%
import tensorflow as tf


def fit(network, images, labels, rate, steps):
    schedule = keras.optimizers.schedules.CosineDecay(rate, decay_steps=steps)
    options = {"metrics": ["accuracy"], "steps_per_execution": 10}  # fewer returns to Python: faster
    network.compile(keras.optimizers.Adam(schedule), loss="sparse_categorical_crossentropy", **options)
    pictures = tf.data.Dataset.from_tensor_slices((images, labels))
    batches = pictures.shuffle(len(images)).repeat().batch(32)
    network.fit(batches, steps_per_epoch=steps, shuffle=False, callbacks=[tl.fit_bar()], verbose=0)


# %%
def accuracy(network, split):
    probabilities = network(split.images, training=False)
    return np.mean(np.argmax(probabilities, axis=1) == split.labels)


# %% tags=["trained-here"]
keras.utils.set_random_seed(0)
source = small_network(classes=10)
fit(source, digits.train.images, digits.train.labels, rate=2e-3, steps=1200)
print(f"Accuracy on the digits of the test set: {accuracy(source, digits.test):.1%}")

# %% [markdown]
# What do its convolutions respond to in a picture that is not a digit?

# %%
outputs = [source.get_layer(f"conv_{number}").output for number in (1, 2, 3)]
look_inside = keras.Model(source.inputs, outputs)
fire = kanji.train.images[kanji.train.label_names == "火"][:1]
maps = look_inside.predict(fire, verbose=0)

# %%
tl.show.channels([maps[depth][0] for depth in range(3)], ["conv_1", "conv_2", "conv_3"])

# %% [markdown]
# Each square is one channel, bright where it responds. The first row still shows the strokes and their edges; the third
# is coarse, and harder to read. Nothing in the first row is specific to 3 or 7. That is why transfer may work: features
# that were learned from digits may be useful for other writing.
#
# ## Transfer: sixty Kanji, four labels each
#
# The target task has sixty characters, and four labelled pictures of each.

# %%
sixty = kanji.with_classes(kanji.class_names[:60])
few = sixty.train.sample(per_class=4)

len(few), len(sixty.validation), len(sixty.test)

# %% [markdown]
# To transfer layers is to copy their weights into a new network, layer by layer. The copied layers are frozen at first.


# %%
def copy_convolutions(source, network, layers):
    for number in range(1, layers + 1):
        layer = network.get_layer(f"conv_{number}")
        layer.set_weights(source.get_layer(layer.name).get_weights())
        layer.trainable = False


# %% [markdown]
# There are three ways to go on: train **from scratch**, without any copied layer; keep the copied convolutions
# **frozen** and train the head alone; or **fine-tune** them. In fine-tuning the head is trained first, for 50 steps:
# the gradients of an untrained head would change the convolutions to no purpose.


# %%
def train(images, labels, start=None, layers=3, frozen=False, rate=2e-3, steps=100, seed=0):
    keras.utils.set_random_seed(seed)
    network = small_network(classes=int(labels.max()) + 1)
    if start is not None:
        copy_convolutions(start, network, layers)
        if not frozen:
            fit(network, images, labels, rate, steps=50)
            network.trainable = True
    fit(network, images, labels, rate, steps)
    return network


# %% [markdown]
# **Predict first.** In which order will the three come out?
#
# One learning rate for all three would be unfair: what suits a head alone may be too large for a whole network. So each
# gets the better of two, and the validation set decides which one that is. (`make results`, below, tried three.)

# %%
ways = {"from scratch": {}, "frozen": {"start": source, "frozen": True}, "fine-tuned": {"start": source}}
rates = (5e-4, 2e-3)

# %% tags=["answer", "trained-here"]
networks = {}
for name, options in ways.items():
    trained = {rate: train(few.images, few.labels, rate=rate, **options) for rate in rates}
    scores = {rate: accuracy(network, sixty.validation) for rate, network in trained.items()}
    best = max(scores, key=scores.get)
    networks[name] = trained[best]
    print(f"{name:13}", "  ".join(f"{rate:g}: {score:.0%}" for rate, score in scores.items()), f"  best: {best:g}")

# %% tags=["answer", "trained-here"]
for name, network in networks.items():
    print(f"{name:13} {accuracy(network, sixty.test):.0%} of the test set")

# %% [markdown]
# Chance would be one in sixty. (Accuracies on the validation font are a little higher: the best of two was chosen on
# it, and it may be easier to read than the test fonts.)
#
# Let two of the networks read *your* writing: draw with the mouse or a finger, or choose a picture of the test set from
# the list.

# %% tags=["nbval-ignore-output"]
tl.widgets.DrawAKanji({name: networks[name] for name in ("from scratch", "fine-tuned")}, sixty)

# %% [markdown]
# Begin with 一, 二 and 三; then try 右 and 石, or 大 and 犬, which differ by little. The picture beside the answers is what
# a network is given: scaled to one size, centred, as in MNIST. With four training pictures of each character the networks
# are often wrong.
#
# ## How many labels?
#
# One sample of training pictures proves little. `make results` did the same on five, with one, four and twenty labels
# per character, and trained longer where there are more pictures: for 80 epochs, but at least 300 and at most 1,500
# steps. In fine-tuning, 100 steps for the head come first. Its source network was trained on the digits for 2,000
# steps. It adds a linear probe on the features of the ImageNet network that you know. (Other programs ran on the
# machine, so compare the seconds with each other only.)

# %%
curve = tl.LearningCurve.of(tl.results("kanji.ways"))
curve

# %%
tl.show.learning_curve(curve, "Sixty Kanji in fonts that are not in the training set")

# %% [markdown]
# All methods had the same pictures in the same sample, so we take the differences sample by sample. ± is the standard error
# of their mean.

# %%
for method in ("frozen", "fine-tuned", "ImageNet features"):
    for labels, difference, error in curve.differences(method, "from scratch"):
        print(f"{labels:5,} labels: {method} − from scratch = {difference:+.1%} ± {error:.1%}")

# %% [markdown]
# The transferred convolutions are ahead of training from scratch at every number of labels, frozen or fine-tuned, by several
# standard errors. Ten classes of digits were enough to learn features
# that help with sixty Kanji.
#
# And the ImageNet network? It is many times as large and was trained on more than a million photographs, but hardly on
# writing. With one label per character its features are no better than training from scratch; with twenty they are
# ahead of all the others. So here the source domain that is near helped with the first labels, and the rich one when
# there were enough labels to choose from its many features.
#
# ## How many layers?
#
# Nothing forces us to transfer all three convolutions. Yosinski and others asked in 2014 how far up a network its layers
# are *general*, and where they become *specific* to the task they were trained for. They transferred the first layer, then
# the first two, and so on, frozen or fine-tuned. We do the same.
#
# **Predict first.** Frozen: will one layer, two, or all three be best?

# %% tags=["answer"]
study = tl.results("kanji.layers")
means = {way: [arm["mean"] for arm in arms] for way, arms in study["ways"].items()}
deviations = {way: [arm["sd"] for arm in arms] for way, arms in study["ways"].items()}
title = f"Sixty Kanji, {study['labels']} labels each"
tl.show.curves(
    study["convolutions"], means, deviations, "convolutions transferred", "accuracy", title, 1, logarithmic=False
)

# %% [markdown]
# The band is one standard deviation over five samples of training pictures; with 0 convolutions the network is trained
# from scratch. Read the means from left to right: the first convolution alone makes no clear difference, and with the
# second and the third they rise. In the large networks of Yosinski and others the last layers were specific to
# their task. In this small one even the third convolution is general enough for Kanji.
#
# ## A transfer that fails
#
# Transfer passes on what the source task has taught. So it should be possible to break it, and to say beforehand how. Two
# ways to spoil the source:
#
# - **inverted**: the digits are black on white instead of white on black; the labels are right;
# - **labels shuffled**: the pictures are right, but each has the label of another one.
#
# **Predict first.** Which one does more harm if the layers stay frozen? And if they are fine-tuned?

# %% tags=["answer"]
spoiled = tl.results("kanji.spoiled")
scratch = spoiled["from scratch"]
print(f"from scratch                {scratch['mean']:.1%} ± {scratch['sd']:.1%}")

for name in ("as it is", "inverted", "labels shuffled"):
    for way, arm in spoiled[name].items():
        gains = np.subtract(arm["accuracies"], scratch["accuracies"])
        error = gains.std(ddof=1) / np.sqrt(len(gains))
        print(f"{name:16} {way:10} {arm['mean']:.1%} ± {arm['sd']:.1%}   − from scratch: {gains.mean():+.1%} ± {error:.1%}")

# %% [markdown]
# The inverted source still helps, by about three standard errors, though less than the right one. Shuffled labels had
# no relation to the pictures: the network could only learn single pictures by heart. Its convolutions do harm: the mean
# is below that of training from scratch, frozen or fine-tuned, by about three standard errors or more. This is
# **negative transfer**.
#
# Training gives no warning of it: the network learns, and is only less good than it could be. To find out, train the
# same network from scratch, with a learning rate of its own.
#
# (± counts the five samples of training pictures. There was one source network of each kind, and the test pictures are those
# of two fonts.)
#
# ## Exercises
#
# ### Exercise 6.1: how many weights are transferred?
#
# The first two convolutions have 16 and 32 channels, kernels of 3 × 3, and the pictures have one channel, grey. How many
# weights are copied with these two layers? Work it out by hand, then check.
#
# Stuck? `tl.check.hint("6.1")` in a cell of its own gives the first of three hints.

# %%
weights_copied = None  # replace None

tl.check("6.1", weights_copied)

# %% tags=["solution", "hide-cell"] jupyter={"source_hidden": true, "outputs_hidden": true}
# Solution: click to open
weights_copied = (3 * 3 * 1 * 16 + 16) + (3 * 3 * 16 * 32 + 32)
tl.check("6.1", weights_copied)

# %% [markdown]
# ### Exercise 6.2: half the labels
#
# Two labels per character instead of four: from scratch, or transferred and frozen? Find the accuracy of both on the test
# set, with 100 steps and the default learning rate. Predict first which one will be better.
#
# Stuck? `tl.check.hint("6.2")` in a cell of its own gives the first of three hints.

# %%
fewer = sixty.train.sample(per_class=2)
accuracy_of_ways = {}  # {"from scratch": …, "frozen": …}

tl.check("6.2", accuracy_of_ways, train, source)

# %% tags=["solution", "hide-cell"] jupyter={"source_hidden": true, "outputs_hidden": true}
# Solution: click to open
for name in ("from scratch", "frozen"):
    network = train(fewer.images, fewer.labels, **ways[name])
    accuracy_of_ways[name] = accuracy(network, sixty.test)
tl.check("6.2", accuracy_of_ways, train, source)

# %% [markdown]
# ### Exercise 6.3: rescue a transfer
#
# You have been given the network `inverted`. The digits that it was trained on are lost, and you may not train its
# convolutions: they stay frozen. Use them in such a way that the accuracy on the sixty characters is higher than in the next
# cell, again with 100 steps and the default learning rate. (What does this network expect of a picture?)
#
# Stuck? `tl.check.hint("6.3")` in a cell of its own gives the first of three hints.

# %%
inverted = train(255 - digits.train.images, digits.train.labels, steps=1200)
before = train(few.images, few.labels, start=inverted, frozen=True)
print(f"Transferred as it is, and frozen: {accuracy(before, sixty.test):.0%}")

# %%
rescued_accuracy = None  # replace None

tl.check("6.3", rescued_accuracy, train, inverted)

# %% tags=["solution", "hide-cell"] jupyter={"source_hidden": true, "outputs_hidden": true}
# Solution: click to open
rescued = train(255 - few.images, few.labels, start=inverted, frozen=True)
rescued_accuracy = np.mean(np.argmax(rescued(255 - sixty.test.images), axis=1) == sixty.test.labels)
tl.check("6.3", rescued_accuracy, train, inverted)

# %% [markdown]
# ## Summary
#
# - To transfer layers is to copy their weights. The copied layers are frozen or fine-tuned; the head is new, and is trained
#   first.
# - A fair comparison gives each method its own learning rate, chosen on the validation set.
# - Convolutions trained on digits helped with Kanji at each number of labels that we tried.
# - Features of a large network trained on photographs were ahead with many labels, and not with one.
# - A spoiled source can make a transfer worse than training from scratch (negative transfer). Always train from scratch for
#   comparison.
# - What we measured: one small network, digits and Kanji, and test pictures of two fonts. Differences of a percentage
#   point or two mean little there.
#
# **With internet:** tensorflow-datasets has `kmnist`, ten classes of characters cut out of manuscripts of several centuries:
# `tensorflow_datasets.load("kmnist")`. Try the same three ways.
