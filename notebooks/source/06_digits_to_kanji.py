# %% [markdown]
# # 06 · Digits to Kanji
#
# Until now the network that we began with was somebody else's. Here you train the first network yourself, on digits, and
# carry it over to Kanji, layer by layer. You will see when that helps, when it does nothing, and when it harms.
#
# **Minutes:** about 40 · **Needs:** nothing from the internet

# %% tags=["setup"]
# Written by notebooks/build.py (set_up): it says how to get the course where it is missing.

# %% [markdown]
# ## What you will learn
#
# - to pretrain a network, and to carry its first layers over to another task;
# - how many layers to carry, and whether to freeze them (after Yosinski, Clune, Bengio and Lipson, 2014);
# - why the answer depends on how many labels there are;
# - to predict a transfer that fails before it is run.
#
# ## Two kinds of handwriting
#
# The source: MNIST's digits. The target: Kanji. Both are light strokes on black, 28 × 28 pixels.

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
# A learner of Kanji is tested on characters in *other people's* handwriting. So are our networks. The hands here are fonts,
# each drawn in ten variants; no font is in two splits.

# %%
print("to learn from:", ", ".join(sorted(set(kanji.train.groups))))
print("to be judged by:", ", ".join(sorted(set(kanji.test.groups))))

# %% [markdown]
# ## Pretrain: digits
#
# The network is small: three convolutions, the average over all positions, softmax. Its weights begin as He and others
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
        keras.layers.GlobalAveragePooling2D(),
        keras.layers.Dense(classes, activation="softmax"),
    ])


# %% [markdown]
# To transfer layers is to copy their weights, one layer after the other; to freeze them is to set a flag before `compile`.


# %%
def transfer(network, source, layers, frozen):
    for number in range(1, layers + 1):
        layer = network.get_layer(f"conv_{number}")
        layer.set_weights(source.get_layer(layer.name).get_weights())
        layer.trainable = not frozen


# %% [markdown]
# Every training in this lesson is the same: so many steps on 32 pictures each, with a learning rate that falls to 0.

# %%
import tensorflow as tf


def train(images, labels, start=None, layers=3, frozen=False, steps=300, seed=0):
    keras.utils.set_random_seed(seed)
    network = small_network(classes=int(labels.max()) + 1)
    if start is not None:
        transfer(network, start, layers, frozen)
    rate = keras.optimizers.schedules.CosineDecay(5e-3, decay_steps=steps)
    network.compile(keras.optimizers.Adam(rate), "sparse_categorical_crossentropy", metrics=["accuracy"])
    pictures = tf.data.Dataset.from_tensor_slices((images, labels))
    batches = pictures.shuffle(len(images)).repeat().batch(32)
    network.fit(batches, steps_per_epoch=steps, shuffle=False, verbose=0)
    return network


# %%
def accuracy(network, images, labels):
    return network.evaluate(images, labels, verbose=0)[1]


# %% tags=["trained-here"]
source = train(digits.train.images, digits.train.labels, steps=500)

print(f"Digits that it has not seen: {accuracy(source, digits.test.images, digits.test.labels):.1%} right")

# %% [markdown]
# How do its convolutions respond to a character that is no digit?

# %%
outputs = [source.get_layer(f"conv_{number}").output for number in (1, 2, 3)]
look_inside = keras.Model(source.inputs, outputs)
fire = kanji.train.images[kanji.train.label_names == "火"][:1]
maps = look_inside.predict(fire, verbose=0)

# %%
tl.show.channels([maps[depth][0] for depth in range(3)], ["conv_1", "conv_2", "conv_3"])

# %% [markdown]
# Each square is one channel, bright where it responds. The first row still shows the strokes and their edges; the third
# is coarse, and harder to read. Nothing in the first row is about 3 or 7. That is the hope on which the whole lesson
# rests: what has been learned for digits may be good for other writing.
#
# ## Carry over: sixty Kanji, four labels each
#
# Somebody has written four examples of each of sixty signs for us. That is the target task.

# %%
sixty = kanji.with_classes(kanji.class_names[:60])
learned, judged = sixty.train.sample(per_class=4), sixty.test

len(learned), len(judged)

# %% [markdown]
# There are three ways to go: begin **from scratch**; begin with the digits' convolutions and **train them further**;
# keep them **frozen** and train the last layer alone. The last layer is new in all three: there are other classes.
#
# **Predict first.** In which order will they come out?

# %%
ways = {
    "from scratch": {},
    "carried, trained further": {"start": source},
    "carried, frozen": {"start": source, "frozen": True},
}

# %% tags=["trained-here"]
for name, options in ways.items():
    network = train(learned.images, learned.labels, **options)
    print(f"{name:26} {accuracy(network, judged.images, judged.labels):.0%} right")

# %% [markdown]
# Guessing would give one in sixty. All three had the same 300 training steps on the same 240 pictures; only the
# beginning differs, and what was allowed to move.
#
# One draw of pictures is one draw, and four labels are four labels. What is it with fewer, and with more?
#
# **Predict first.** With twenty labels a sign, which of the three will gain most?

# %% tags=["trained-here"]
from functools import partial

trained = {}  # the networks trained last, to be tried below


def train_this_way(name, split, seed):
    trained[name] = train(split.images, split.labels, seed=seed, **ways[name])
    return trained[name]


methods = {name: partial(train_this_way, name) for name in ways}
one_draw = tl.learning_curve(sixty, labels_per_class=(1, 20), methods=methods, seeds=1)
one_draw

# %% [markdown]
# The networks trained last have seen twenty examples of each sign. Let two of them read *your* hand: draw with mouse or
# finger, or choose a sign of the test hands from the list.

# %% tags=["nbval-ignore-output"]
side_by_side = {name: trained[name] for name in ("from scratch", "carried, trained further")}
tl.widgets.DrawAKanji(side_by_side, sixty)

# %% [markdown]
# Begin with 一, 二 and 三; then try 右 and 石, or 大 and 犬, which differ by little. The picture beside the guesses is all
# that a network is given: scaled to one size, its weight in the middle, as in MNIST.
#
# One draw, two numbers of labels and 300 steps are what a lesson has time for. `make results` did the same with five draws
# and more numbers of labels, and trained longer where there are more pictures: for 80 epochs, but at least 300 and at most
# 1,500 steps. There the digits were learned in 600 steps. It adds a fourth way: a linear probe on features of
# the ImageNet network that you know.

# %%
curve = tl.LearningCurve.of(tl.results("kanji.ways"))
curve

# %%
tl.widgets.LabelSlider(curve, "Sixty Kanji by unseen hands: the best way depends on the number of labels")

# %% [markdown]
# Move from left to right, and look at the three small networks first. With one label a sign, the frozen layers are
# ahead: hardly anything can be learned from sixty pictures, and what cannot move cannot be spoiled. With many labels they are last:
# what cannot move cannot learn strokes that no digit has.
#
# Now the surprise. With twenty labels the network from scratch is *better* than the one that began with the digits and
# was free to move. This is called *negative transfer*. One way to think of it: a beginning is a place, training ends up
# somewhere near, and near to what ten digits need is not where sixty signs are told apart best.
#
# And was it not the other way round after 300 steps, above? There, with twenty labels, the carried layers that may move
# were ahead; after longer training they are not. There the gift was a head start: time, and not a better result.
#
# Where, about, do the lines cross?

# %%
for first, second in [("carried, frozen", "carried, trained further"), ("carried, trained further", "from scratch")]:
    labels = curve.crossing(first, second)
    print(f"{second!r} beats {first!r} " + (f"from {labels:,.0f} labels in all" if labels else "nowhere here"))

# %% [markdown]
# And the ImageNet network? It has never seen writing. But it is more than a hundred times as large and was trained on more
# than a million photographs, and its features are ahead at every number of labels (with one label by less than the
# spread). Here a rich source beats a similar one, with a far larger network. What does each way cost?

# %%
for name, points in curve.points.items():
    seconds = np.median(points[-1].seconds)
    print(f"{name:26} {seconds:6.1f} s with {points[-1].labels} labels a sign")

# %% [markdown]
# ## How many layers?
#
# Nothing forces us to carry all three convolutions. Yosinski and others asked in 2014 how far up a network its layers
# are *general*, and where they become *specific* to the task they were learned for. They carried the first layer over,
# then the first two, and so on, frozen or trained further. We do the same.
#
# **Predict first.** Frozen: will one layer, two, or all three be best? Think of ten signs with four labels each, then
# of a hundred.

# %% tags=["trained-here"]
for layers in (1, 2):
    network = train(learned.images, learned.labels, start=source, layers=layers, frozen=True)
    print(f"{layers} of 3 carried and frozen: {accuracy(network, judged.images, judged.labels):.0%} right")

# %% [markdown]
# None carried is "from scratch" above, all three carried is "carried, frozen". So much for one draw with sixty signs and
# 300 steps. Five draws of longer training, with ten signs and with a hundred, come from `make results`:

# %%
layer_study = tl.results("kanji.layers")
depths = [0, 1, 2, 3]


def show_layers(signs):
    found = layer_study["signs"][str(signs)]
    means, spreads = ({way: values[kind] for way, values in found.items()} for kind in ("mean", "sd"))
    title = f"{signs} Kanji, {layer_study['labels_a_sign']} labels each"
    return tl.show.curves(depths, means, spreads, "convolutions carried", "accuracy", title, 1, logarithmic=False)


# %%
show_layers(10)

# %%
show_layers(100)

# %% [markdown]
# The band is one standard deviation over five draws. With ten signs it is wide: forty pictures decide, and which forty
# is luck. Whoever compares two methods there by one run each compares luck; our five cannot tell them apart, either.
#
# With a hundred characters the bands are narrower, and still most differences are no larger than they are. What can be read
# there: frozen, three layers are not better than none; free to move, they are neither better nor worse. With four hundred
# pictures a network this small learns about as much alone.
#
# ## A transfer that fails
#
# Carrying layers over is no magic: it hands on what the source task has taught. So it should be possible to break it,
# and to say beforehand how. Two ways to spoil the source:
#
# - **inverted**: the digits are black on white instead of white on black; the labels are right;
# - **labels shuffled**: the pictures are right, but each carries the label of another one.
#
# **Predict first.** Which one does more harm if the layers stay frozen? And if they are trained further?

# %%
inverted = train(255 - digits.train.images, digits.train.labels, steps=500)
wrong_labels = np.random.default_rng(0).permutation(digits.train.labels)
shuffled = train(digits.train.images, wrong_labels, steps=500)

# %% tags=["trained-here"]
for name, start in {"as it is": source, "inverted": inverted, "labels shuffled": shuffled}.items():
    frozen = train(learned.images, learned.labels, start=start, frozen=True)
    print(f"{name:16} frozen: {accuracy(frozen, judged.images, judged.labels):.0%} right")

# %% [markdown]
# And over five splits with longer training, fine-tuned layers beside frozen ones:

# %%
found = tl.results("kanji.spoiled")

print(f"from scratch                        {found['scratch']['mean']:.0%} ± {found['scratch']['sd']:.0%}")
for name in ("as it is", "inverted", "labels shuffled"):
    for way, score in found[name].items():
        print(f"{name:16} {way:18} {score['mean']:.0%} ± {score['sd']:.0%}")

# %% [markdown]
# Shuffled labels do most harm while the layers are frozen: labels that have nothing to do with the pictures reward no
# features of strokes. Let the layers move, and both recover most of what they lost, but not all: each is still some points
# below the network from scratch.
#
# Compare each line with "from scratch". A beginning can be worse than none, and nothing warns you: the training runs, the
# loss falls, and the network is merely not as good as it could be. The only way to know is to have trained the same from
# scratch. That comparison costs little and is left out often.

# %% [markdown]
# ## Exercises
#
# ### Exercise 6.1: how much was carried?
#
# The first two convolutions have 16 and 32 channels, kernels of 3 × 3, and look at pictures of one colour channel, grey. How many
# numbers are carried over with them? Work it out by hand, then check.
#
# Stuck? `tl.check.hint("6.1")` in a cell of its own gives the first of three hints.

# %%
numbers_carried = None  # replace None

tl.check("6.1", numbers_carried)

# %% tags=["solution", "hide-cell"] jupyter={"source_hidden": true, "outputs_hidden": true}
numbers_carried = (3 * 3 * 1 * 16 + 16) + (3 * 3 * 16 * 32 + 32)
tl.check("6.1", numbers_carried)

# %% [markdown]
# ### Exercise 6.2: change the experiment
#
# Two labels a sign instead of four: from scratch, or carried and frozen? Find the accuracy of both on the judged signs,
# with 300 steps as before. Say first which one will win.
#
# Stuck? `tl.check.hint("6.2")` in a cell of its own gives the first of three hints.

# %%
fewer = sixty.train.sample(per_class=2)
accuracy_of_ways = {}  # {"from scratch": …, "carried, frozen": …}

tl.check("6.2", accuracy_of_ways, train, source)

# %% tags=["solution", "hide-cell"] jupyter={"source_hidden": true, "outputs_hidden": true}
for name in ("from scratch", "carried, frozen"):
    network = train(fewer.images, fewer.labels, **ways[name])
    accuracy_of_ways[name] = accuracy(network, judged.images, judged.labels)
tl.check("6.2", accuracy_of_ways, train, source)

# %% [markdown]
# ### Exercise 6.3: rescue a transfer
#
# You have been given the network `inverted`, the digits that it was trained on are lost, and you may not train its
# convolutions: they stay frozen. Get more out of it for the sixty signs all the same, and give the accuracy on the
# judged signs, with 300 steps again. (What is it that this network expects of a picture?)
#
# Stuck? `tl.check.hint("6.3")` in a cell of its own gives the first of three hints.

# %%
rescued_accuracy = None  # replace None

tl.check("6.3", rescued_accuracy, train, inverted)

# %% tags=["solution", "hide-cell"] jupyter={"source_hidden": true, "outputs_hidden": true}
rescued = train(255 - learned.images, learned.labels, start=inverted, frozen=True)
rescued_accuracy = accuracy(rescued, 255 - judged.images, judged.labels)
tl.check("6.3", rescued_accuracy, train, inverted)

# %% [markdown]
# ## Summary
#
# - Carrying over means: the first layers begin where another task has left them; the last layer is new.
# - Among the small networks, frozen layers were ahead while labels were few; with many, the one from scratch was. Where
#   the lines cross has to be measured, and depends on how long each is trained.
# - Features of a large network trained on photographs were worth more here than a small network trained on ten digits.
# - A source that differs from the target in something simple, such as dark strokes on a light ground, can make a beginning
#   that is worse than none; making target and source alike can cure it.
# - Always train the same from scratch for comparison.
# - What we measured: one small network, digits and Kanji, signs judged in two unseen hands. How a large network behaves
#   does not follow from it; that is what lesson 05 measures on solar cells.
#
# **With internet:** the kanji here are a hundred modern signs by eight hands. tensorflow-datasets has `kmnist`, ten
# classes out of manuscripts of several centuries: `tensorflow_datasets.load("kmnist")`, and the same three ways.
