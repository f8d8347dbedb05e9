# %% [markdown]
# # 01 · Why transfer?
#
# Three promises are made for transfer learning: it needs less time, it needs less data, and the result is better. Here
# each of them is measured, against the same thing done from scratch, and you will see where it stops being true.
#
# **Minutes:** about 30 · **Needs:** nothing from the internet

# %% tags=["setup"]
# Written by notebooks/build.py (set_up): it says how to get the course where it is missing.

# %% [markdown]
# ## What you will learn
#
# - to compare methods fairly: the same pictures, several draws, the spread beside the mean;
# - to read a learning curve: accuracy by number of labels;
# - what transfer learning saves in labels and in seconds, as a ratio;
# - where it stops paying.
#
# ## Three ways to learn
#
# - **From scratch:** a small convolutional network begins at random and learns everything from the labelled pictures.
# - **Probe:** the network that was pretrained on ImageNet stays as it is; a linear classifier learns from its features.
# - **Fine-tuning:** the probe first, then the last blocks of the pretrained network learn, too.
#
# The task: Kanji numerals, 一 to 十, in handwriting. The signs that we are judged by were written by other hands than
# those that we learn from.

# %%
import tlcourse as tl

kanji = tl.load_dataset("kanji")
numerals = kanji.with_classes(kanji.class_names[:10])
numerals

# %%
one_each = numerals.train.sample(per_class=1)
meanings = tl.datasets.kanji_meanings()
tl.show.pictures(one_each.images, [meanings[name] for name in one_each.label_names], columns=10)

# %% [markdown]
# **Predict first.** One example of each numeral, ten pictures in all. Guessing is right one time in ten. What will a
# network from scratch reach? What will the probe reach, whose network has seen photographs and no writing?

# %%
guess_scratch, guess_probe = None, None  # two numbers between 10 and 100

# %% [markdown]
# The network from scratch is small: three convolutions, the average over all positions, softmax. Its weights begin as He
# and others proposed for layers with ReLU (ICCV 2015).

# %%
import keras

relu = {"padding": "same", "activation": "relu", "kernel_initializer": "he_uniform"}


# %%
def small_network(classes):
    return keras.Sequential([
        keras.Input((28, 28)),
        keras.layers.Reshape((28, 28, 1)),
        keras.layers.Rescaling(1 / 255),
        keras.layers.Conv2D(16, 3, strides=2, **relu),
        keras.layers.Conv2D(32, 3, **relu),
        keras.layers.MaxPooling2D(),
        keras.layers.Conv2D(64, 3, **relu),
        keras.layers.GlobalAveragePooling2D(),
        keras.layers.Dense(classes, activation="softmax"),
    ])


# %%
import tensorflow as tf


def from_scratch(split, seed):
    """Train for 300 steps, each on 32 pictures, with a learning rate that falls to 0."""
    keras.utils.set_random_seed(seed)
    network = small_network(classes=10)
    rate = keras.optimizers.schedules.CosineDecay(5e-3, decay_steps=300)
    network.compile(keras.optimizers.Adam(rate), "sparse_categorical_crossentropy")
    pictures = tf.data.Dataset.from_tensor_slices((split.images, split.labels))
    network.fit(pictures.shuffle(1000).repeat().batch(32), steps_per_epoch=300, shuffle=False, verbose=0)
    return network


# %% [markdown]
# `tl.learning_curve` trains each method on so many labels of each class and tests it on the test split. It chooses
# the training pictures several times, and all methods get the same ones.

# %% tags=["trained-here"]
methods = {"scratch": from_scratch, "probe": "probe"}
live = tl.learning_curve(numerals, labels_per_class=(1, 5), methods=methods, seeds=3)
live

# %% [markdown]
# Read the first line. Behind each ± stands the standard deviation over three draws: with ten pictures it matters which
# ten. Compare the two columns only where they differ by more than that.
#
# ## The whole curve
#
# Three draws and two methods are what a lesson has time for. `make results` did it with five draws, up to all labels
# there are, and with fine-tuning.

# %%
curve = tl.LearningCurve.of(tl.results("curves.kanji"))
curve

# %%
tl.show.learning_curve(curve, "Kanji numerals by unseen hands")

# %% [markdown]
# ## First promise: less data
#
# How many labels does each way need for the same accuracy? We take what the network from scratch reaches with *all*
# labels, and read off the curve where the others reach it.


# %%
def labels_needed(curve):
    scratch = curve.points["scratch"][-1]
    print(f"from scratch: {scratch.mean:.1%} with {scratch.rows:,} labels")
    for method in ("probe", "fine-tune"):
        labels = curve.labels_for(method, scratch.mean)
        print(f"{method}: " + (f"the same with {labels:,.0f}" if labels else "never reaches it"))


labels_needed(curve)

# %% [markdown]
# ## Second promise: less time
#
# Seconds from pictures to a trained classifier, with all labels. What was computed once for all draws, the features, is
# counted in every draw.


# %%
def seconds_needed(curve):
    for method, points in curve.points.items():
        seconds = sorted(points[-1].seconds)
        print(f"{method:10} {seconds[len(seconds) // 2]:6.1f} s (median), {seconds[0]:.1f} to {seconds[-1]:.1f}")


seconds_needed(curve)

# %% [markdown]
# Be careful with this one. The network from scratch here is tiny: it looks at 28 × 28 pixels and has less than a
# fiftieth of the weights. Its seconds say that a small network is fast, not that beginning from scratch is. Against the
# *same* network trained from scratch there would be no contest: its training on ImageNet took days on many processors.
# That is what transfer saves, and somebody else has paid for it.
#
# ## Third promise: better results


# %%
def gain(curve):
    for place, point in enumerate(curve.points["scratch"]):
        gains = [f"{method} {curve.points[method][place].mean - point.mean:+.1%}" for method in ("probe", "fine-tune")]
        print(f"{point.rows:5,} labels:  " + "   ".join(gains))


gain(curve)

# %% [markdown]
# Percentage points more than from scratch. Read it downwards: where does the sign change?

# %%
for method in ("probe", "fine-tune"):
    crossing = curve.crossing("scratch", method)
    print(f"{method}: " + (f"ahead from {crossing:,.0f} labels on" if crossing else "never ahead"))

# %% [markdown]
# Did you expect the gain at the top, where labels are fewest? Many texts say so. Here the small network from scratch is
# no worse with ten or twenty pictures. The probe has to find out which of 1,280 features matter, and one picture of each
# sign does not say. From some dozens of labels on it can; then the features pay.
#
# ## Another task: solar cells
#
# One task is one task. The same for the solar cells of lesson 00, which are closer to photographs than ink is. Only two
# classes; so with one label each there are two pictures to learn from.

# %%
solar_curve = tl.LearningCurve.of(tl.results("curves.solar"))
tl.show.learning_curve(solar_curve, "Solar cells: defective or not")

# %%
labels_needed(solar_curve)

# %%
gain(solar_curve)

# %%
seconds_needed(solar_curve)

# %% [markdown]
# Here each draw has its own test cells, as in the publication, and fine-tuning is that of lesson 05. Look at the left: with
# two to ten pictures no method is much better than guessing, and none is better than another by more than the draws
# differ. A crack is rare, small, and looks different each time; no pretraining replaces having seen some. Look at the
# right: with all labels there is a clear order, and the seconds above say what the last points cost.
#
# So do not ask "does transfer learning work?". Ask: for this task, with so many labels, against what?
#
# If the dog photographs of lesson 03 are on this machine, here is a third task: the probe alone, because it is quick. But
# read with care what comes out. Pictures that were cut from ImageNet have been seen before, with their labels; that is
# no longer transfer, it is memory. Lesson 03 takes that apart.

# %% tags=["nbval-ignore-output"]
try:
    dogs = tl.load_dataset("dogs")
    print(tl.learning_curve(dogs, labels_per_class=(1, 5, 20), methods=["probe"], seeds=3))
except tl.errors.DatasetUnavailable:
    print("The dogs are not here. The rest of the lesson does not need them; `tlcourse fetch dogs` fetches them.")

# %% [markdown]
# ## Exercises
#
# ### Exercise 1.1: what is a label worth?
#
# Somebody labels a picture in half a minute. How many minutes of labelling does the probe save, on the Kanji numerals, if
# you want what the network from scratch reaches with all labels? Use `curve.labels_for` and `curve.points`.
#
# Stuck? `tl.check.hint("1.1")` in a cell of its own gives the first of three hints.

# %%
minutes_saved = None  # replace None

tl.check("1.1", minutes_saved)

# %% tags=["solution", "hide-cell"] jupyter={"source_hidden": true, "outputs_hidden": true}
scratch = curve.points["scratch"][-1]
minutes_saved = (scratch.rows - curve.labels_for("probe", scratch.mean)) / 2
tl.check("1.1", minutes_saved)

# %% [markdown]
# ### Exercise 1.2: is the difference real?
#
# `live` holds three draws of each method. In how many of the three did the probe beat the network from scratch, with one
# label of each numeral? Both saw the same pictures in the same draw, so compare draw by draw.
#
# Stuck? `tl.check.hint("1.2")` in a cell of its own gives the first of three hints.

# %%
draws_won = None  # replace None

tl.check("1.2", draws_won, live)

# %% tags=["solution", "hide-cell"] jupyter={"source_hidden": true, "outputs_hidden": true}
pairs = zip(live.points["probe"][0].accuracies, live.points["scratch"][0].accuracies, strict=True)
draws_won = sum(probe > scratch for probe, scratch in pairs)
tl.check("1.2", draws_won, live)

# %% [markdown]
# ### Exercise 1.3: change the experiment
#
# Numerals are simple signs. Take ten that are not: the last ten classes of `kanji`. Compute their learning curve for the
# network from scratch and the probe, with 1 and 5 labels and three draws. Guess first: is the gain larger or smaller?
#
# Stuck? `tl.check.hint("1.3")` in a cell of its own gives the first of three hints.

# %%
my_curve = None  # replace None

tl.check("1.3", my_curve, live)

# %% tags=["solution", "hide-cell"] jupyter={"source_hidden": true, "outputs_hidden": true}
others = kanji.with_classes(kanji.class_names[-10:])
my_curve = tl.learning_curve(others, labels_per_class=(1, 5), methods=methods, seeds=3)
tl.check("1.3", my_curve, live)

# %% [markdown]
# ## Summary
#
# - A learning curve says more than a number: how many labels are needed, for what, with which spread.
# - Transfer saved labels here, but not from the first one on: features need some examples before they pay.
# - Time: compare with the same network from scratch or say that you do not.
# - Results: with all labels that there are, both ways of transfer were better than the small network from scratch.
# - What we measured: two tasks, one pretrained network, one small network from scratch. Another task has another curve;
#   now you can draw it.
#
# **Next:** [02 · Pretrained models](02_pretrained_models.ipynb)
