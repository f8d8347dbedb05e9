# %% [markdown]
# # 04 · Freezing layers and a new head
#
# The recipe that most people mean when they say *transfer learning* has five steps. You will take each of them in plain
# Keras, prove that the frozen part stayed as it was, and then find out what the recipe costs beside a shorter way.
#
# **Minutes:** about 40 · **Needs:** nothing from the internet

# %% tags=["setup"]
# Written by notebooks/build.py (set_up): it says how to get the course where it is missing.

# %% [markdown]
# ## What you will learn
#
# - the five steps: load, remove the final layer, add a new one, freeze, train;
# - which output and which loss belong together: sigmoid for two classes, softmax for more;
# - how to *prove* that a frozen layer did not change, and why a changed flag may do nothing;
# - the recipes of the field for InceptionV3 and VGG16, as they are written, and what they cost.

# %%
import keras

import tlcourse as tl

keras.utils.set_random_seed(0)

# %% [markdown]
# ## Five steps, two classes
#
# The task is that of lesson 00: does this solar cell work? We take sixty cells of each kind to learn from: few enough
# to be quick, enough to see something.

# %%
solar = tl.load_dataset("solar")
learned = solar.train.sample(per_class=60)
judged = solar.validation.sample(per_class=80)

# %% [markdown]
# Keras wants one array of one size. Our network was trained on 224 × 224 pixels in three colours.

# %%
import numpy as np

cells, judged_cells = (
    np.stack([tl.pictures.resize(image, (224, 224)) for image in part.images]) for part in (learned, judged)
)
cells.shape, cells.dtype

# %% [markdown]
# **Step 1: load** the network with everything that it had when its training on ImageNet ended. Its preprocessing is
# inside, so it takes pixels from 0 to 255.

# %%
pretrained = tl.load_pretrained_model().classifier

for layer in pretrained.layers[-4:]:
    print(f"{layer.name:28} {layer.output.shape}")

# %% [markdown]
# We see a grid of 7 × 7 positions with 1,280 channels, their averages, and the last layer: 1,000 numbers, one for each
# of ImageNet's classes.
#
# **Step 2: remove the final layer.** Keras models are functions from a tensor to a tensor. We take the tensor before
# the last layer as the output.

# %%
base = keras.Model(pretrained.input, pretrained.layers[-2].output, name="base")
base.output_shape

# %% [markdown]
# (For the networks in `keras.applications` the same is written `include_top=False, pooling="avg"`.)
#
# **Step 3: add a new final layer.** We have two classes. One number is enough for two: the probability of "defective".
# The other is what is left to one. So: one unit with a *sigmoid*, which squeezes any number into 0 … 1.

# %%
probability = keras.layers.Dense(1, activation="sigmoid", name="defective")(base.output)
two_classes = keras.Model(base.input, probability)
two_classes.output_shape

# %% [markdown]
# **Step 4: freeze** the base. How many numbers are left to train?
#
# **Predict first.** The base gives 1,280 numbers, the new layer makes one out of them.

# %%
base.trainable = False

trainable = sum(weight.shape.num_elements() for weight in two_classes.trainable_weights)
print(f"{trainable:,} of {two_classes.count_params():,} numbers are trainable.")

# %% [markdown]
# One weight for each feature, and one bias. Everything else stays what it was.
#
# **Step 5: train.** The loss must fit the output. For one sigmoid it is *binary cross-entropy*. And the order matters:
# `compile` comes after freezing, because it is `compile` that looks at the flags.

# %%
two_classes.compile(keras.optimizers.Adam(1e-2), loss="binary_crossentropy", metrics=["accuracy"])
before = tl.checks.snapshot(two_classes)

# %%
import time

start = time.perf_counter()
two_classes.fit(cells, learned.labels, batch_size=8, epochs=3, verbose=0)
seconds_of_fit = time.perf_counter() - start

# %%
loss, accuracy = two_classes.evaluate(judged_cells, judged.labels, batch_size=8, verbose=0)
print(f"Right on cells that it has not seen: {accuracy:.0%}; guessing gives {1 / 2:.0%}")

# %% [markdown]
# Well above guessing, with a hundred and twenty labels and three looks at each cell. That is the recipe; there is no more
# to it.
#
# ## Did the base really stay as it was?
#
# A recipe that says "frozen" and a network that *is* frozen are two things. We took a snapshot of all weights before
# the training. The check compares, and complains if anything else than the named layer has changed.

# %%
tl.checks.assert_changed(before, two_classes, only="defective")

# %% [markdown]
# It is silent: exactly the new layer changed. Now let us make the mistake that everybody makes once. We want the last
# block to learn too, so we set its flag and go on training.

# %%
for layer in two_classes.layers:
    if layer.name.startswith("block7a"):
        layer.trainable = True

now = tl.checks.snapshot(two_classes)
history = two_classes.fit(cells[:32], learned.labels[:32], batch_size=8, verbose=0)

# %% [markdown]
# **Predict first.** Has the block changed?

# %%
try:
    tl.checks.assert_changed(now, two_classes, only=["block7a", "defective"])
except tl.errors.CheckError as error:
    print(error)

# %% [markdown]
# No error came from Keras, and nothing happened. The function that trains was made when the model was compiled and first
# fitted, with the flags as they were then. Whoever changes a flag has to compile again.
#
# `tl.freeze` and `tl.unfreeze` do both, keep the batch norms out of it (lesson 05 says why), and show what is what.

# %%
tl.unfreeze(two_classes, from_block="block7a")

# %% [markdown]
# ## More than two classes
#
# Here are the numerals 一 二 三 四 五, written with a brush or a pen. For five classes
# we need five numbers that are probabilities together. That is *softmax*. The loss is *categorical cross-entropy*;
# "sparse" says that labels come as numbers 0 … 4 and not as rows of zeros with a single one.

# %%
kanji = tl.load_dataset("kanji")
numerals = kanji.with_classes(kanji.class_names[:5])
some, unseen_hands = numerals.train.sample(per_class=12), numerals.test

numbers = [f"{label + 1}" for label in unseen_hands.labels[:20]]
tl.show.pictures(unseen_hands.images[:20], numbers, columns=10)

# %% [markdown]
# The test signs were written by two hands that the training has never seen.
#
# Only the last layer, its activation and the loss differ from before. `tl.add_head` makes the three together, so that
# they fit: a loss that expects something else than the output gives is silent, and the network learns badly.

# %%
model = tl.load_pretrained_model()
five_classes = tl.add_head(model, classes=5)

head = five_classes.layers[-1]
print(f"{head.name}: {head.units} units, {head.activation.__name__}, trained with {five_classes.loss}")

# %%
large, large_unseen = (
    np.stack([tl.pictures.resize(np.repeat(image[..., None], 3, axis=-1), (224, 224)) for image in part.images])
    for part in (some, unseen_hands)
)

# %%
five_classes.fit(large, some.labels, batch_size=8, epochs=3, verbose=0)
accuracy = five_classes.evaluate(large_unseen, unseen_hands.labels, batch_size=8, verbose=0)[1]
print(f"Five numerals by unseen hands: {accuracy:.0%} right")

# %% [markdown]
# A network that has seen photographs of goldfish and toilet paper reads handwriting, more or less. (Lesson 06 asks
# whether another beginning would have been better.)
#
# ## What did all this cost?
#
# In every epoch the whole frozen network ran over every picture again, and gave the same features again. That was most
# of the work, and none of it was needed. The shorter way you know: features once, then a linear probe.

# %%
start = time.perf_counter()
features = model.extract_features(cells, cache=False)
probe = tl.train_classifier(features, learned.labels, solar.class_names)
seconds_of_probe = time.perf_counter() - start

# %%
accuracy_of_probe = probe.score(model.extract_features(judged_cells), judged.labels)
print(f"Probe: {accuracy_of_probe:.0%} right")

# %% tags=["nbval-ignore-output"]
print(f"fit, 3 epochs: {seconds_of_fit:.1f} s; features and probe: {seconds_of_probe:.1f} s")

# %% [markdown]
# The head is the same in both: one weight a feature and a bias. The probe is trained to the end by a solver made for
# it, with the strength of its penalty chosen by cross-validation; `fit` took three rough steps in that direction and
# would need many more epochs to arrive.
#
# ## The recipes of the field
#
# Two recipes are written again and again, in books, courses and blog posts. Here they are, as they are written, for
# any number of classes.


# %%
def inception_recipe(classes, weights="imagenet"):
    base = keras.applications.InceptionV3(include_top=False, input_shape=(224, 224, 3), weights=weights)
    for layer in base.layers:
        layer.trainable = False
    x = keras.layers.GlobalAveragePooling2D()(base.output)
    x = keras.layers.Dense(1024, activation="relu")(x)
    model = keras.Model(base.input, keras.layers.Dense(classes, activation="softmax")(x))
    model.compile(optimizer="adam", loss="categorical_crossentropy", metrics=["accuracy"])
    return model


# %%
def vgg_recipe(classes, weights="imagenet"):
    base = keras.applications.VGG16(include_top=False, input_shape=(224, 224, 3), weights=weights)
    base.trainable = False
    x = keras.layers.Flatten()(base.output)
    x = keras.layers.Dense(1024, activation="relu")(x)
    x = keras.layers.Dropout(0.5)(x)
    model = keras.Model(base.input, keras.layers.Dense(classes, activation="softmax")(x))
    model.compile(optimizer="adam", loss="categorical_crossentropy", metrics=["accuracy"])
    return model


# %% [markdown]
# Read them with what you know now. Step 1 and 2 are one call. Step 3 adds two layers. Step 4 is written in two ways that
# do the same. (And *where* is the preprocessing? Nowhere: both recipes leave it to whoever feeds them, and lesson 02
# showed what happens if that is forgotten.)
#
# **Predict first.** Which of the two has more numbers to train? Look at what comes out of the base: InceptionV3's 2,048
# channels are averaged; VGG16's 7 × 7 grid of 512 channels is laid out flat.

# %%
keras.config.set_dtype_policy("float16")  # half the memory: here we only count, and counts do not depend on contents
for recipe in (inception_recipe, vgg_recipe):
    network = recipe(classes=5, weights=None)
    trainable = sum(weight.shape.num_elements() for weight in network.trainable_weights)
    print(f"{recipe.__name__:17} {trainable:10,} of {network.count_params():,} numbers are trainable")
keras.config.set_dtype_policy("float32")
del network  # large, and not needed any more

# %% [markdown]
# `Flatten` makes the difference: every position of the grid gets weights of its own. With a few hundred pictures that
# is a head with far more numbers than there is evidence for.
#
# What does an epoch of each cost on a machine like yours? That takes longer than a lesson may take, so `make bench`
# measured it, on two cores, and wrote it down.

# %%
for name, found in tl.results("bench.recipes.recipes").items():
    seconds = found["seconds_an_epoch"]
    print(f"{name:12} {seconds['median']:.0f} s an epoch ({seconds['min']:.0f} to {seconds['max']:.0f}), frozen in fit")
    print(f"{'':12} {found['ratio']['median']:.1f} × the time of features once and a head on them, over ten epochs")

# %% [markdown]
# So the recipes work, and they pay for the frozen part in every epoch. Unless the pictures change from epoch to epoch
# (augmentation: lesson 05), there is no reason to.
#
# ## Where to cut?
#
# Everything frozen and everything trained are the two ends of a scale. Between them lies one cut after each block.
# **Predict first.** From the last block to the first, which grows faster: the numbers that learn, or the seconds that
# they cost? Move the cut and read.

# %%
tl.widgets.FreezeExplorer(model)

# %% [markdown]
# (In print stands the first position, with everything frozen; `tl.widgets.FreezeExplorer(model).answer("block5c")` gives
# any other without a slider.) Most of the numbers lie in the last blocks, and most of the time is spent before them. Where the
# accuracy was measured, a cut further down has not helped: with two hundred cells there is little to learn from. Lesson 05
# does that experiment.

# %% [markdown]
# ## Exercises
#
# ### Exercise 4.1: count before you train
#
# The head of the InceptionV3 recipe, on *our* network with its 1,280 features and for ten classes: a Dense layer of
# 1,024 and then one of 10. How many numbers are trained? Work it out by hand, then check.
#
# Stuck? `tl.check.hint("4.1")` in a cell of its own gives the first of three hints.

# %%
trained_numbers = None  # replace None

tl.check("4.1", trained_numbers)

# %% tags=["solution", "hide-cell"] jupyter={"source_hidden": true, "outputs_hidden": true}
trained_numbers = (1280 * 1024 + 1024) + (1024 * 10 + 10)
tl.check("4.1", trained_numbers)

# %% [markdown]
# ### Exercise 4.2: unfreeze, and prove it
#
# `my_network` is a fresh network with a head for two classes. Let its block `block7a` and its head learn from the
# first 32 cells, for one epoch, and nothing else. The check looks at the weights, not at the flags.
#
# Stuck? `tl.check.hint("4.2")` in a cell of its own gives the first of three hints.

# %%
my_network = tl.add_head(model, classes=2)
snapshot = tl.checks.snapshot(my_network)
trained_network = None  # replace None by my_network, when it is trained

tl.check("4.2", trained_network, snapshot)

# %% tags=["solution", "hide-cell"] jupyter={"source_hidden": true, "outputs_hidden": true}
for layer in my_network.layers:
    layer.trainable = layer.name in (*model.blocks["block7a"], "new_head")
    if isinstance(layer, keras.layers.BatchNormalization):
        layer.trainable = False
my_network.compile(keras.optimizers.Adam(1e-3), loss="binary_crossentropy")
my_network.fit(cells[:32], learned.labels[:32], batch_size=4, verbose=0)
tl.check("4.2", my_network, snapshot)
# tl.unfreeze(my_network, from_block="block7a") would do it in one line, but train the last block, head, as well.

# %% [markdown]
# ### Exercise 4.3: change the experiment
#
# Does the wide layer of the recipes help? On features that are computed once, a head is cheap to try. Train two heads
# on `features` and `learned.labels`: a linear probe, and `keras.Sequential` with a Dense layer of 1,024 (ReLU) and one
# sigmoid unit, for 30 epochs. Give the accuracy of both on the judged cells, and the trained `wide` itself.
#
# Stuck? `tl.check.hint("4.3")` in a cell of its own gives the first of three hints.

# %%
judged_features = model.extract_features(judged_cells)
accuracies = {}  # {"probe": …, "wide": …}
wide = None  # replace None: the trained keras.Sequential

tl.check("4.3", accuracies, probe, wide)

# %% tags=["solution", "hide-cell"] jupyter={"source_hidden": true, "outputs_hidden": true}
layers = [keras.layers.Dense(1024, activation="relu"), keras.layers.Dense(1, activation="sigmoid")]
wide = keras.Sequential(layers)
wide.compile(keras.optimizers.Adam(1e-3), loss="binary_crossentropy", metrics=["accuracy"])
wide.fit(features, learned.labels, epochs=30, verbose=0)
accuracies["probe"] = probe.score(judged_features, judged.labels)
accuracies["wide"] = wide.evaluate(judged_features, judged.labels, verbose=0)[1]
tl.check("4.3", accuracies, probe, wide)

# %% [markdown]
# ## Summary
#
# - Five steps: load, remove the final layer, add a new one, freeze, train.
# - Output and loss belong together: one sigmoid unit and binary cross-entropy for two classes; softmax and categorical
#   cross-entropy for more.
# - A flag counts from the next `compile` on. Prove what changed: `tl.checks.assert_changed`.
# - A frozen network inside `fit` is computed again in every epoch. Features computed once give the same and cost less.
# - What we measured: a hundred and twenty cells and one split. That a wide head helps or does not help *in general* does
#   not follow from it.
#
# **Next:** [05 · Fine-tuning](05_fine_tuning.ipynb), where the frozen part thaws.
