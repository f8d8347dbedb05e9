# %% [markdown]
# # 05 · Fine-tuning: ImageNet to solar-cell defects
#
# A frozen base sees everything the way ImageNet taught it to. Here you train its last blocks, too: first in plain Keras,
# step by step, then with the helper, and at the end you compare with a published result.
#
# **Minutes:** about 35 · **Needs:** nothing from the internet

# %% tags=["setup"]
# Written by notebooks/build.py (set_up): it says how to get the course where it is missing.

# %% [markdown]
# ## What you will learn
#
# - to fine-tune in Keras: head first, then unfreeze, compile again, a small learning rate;
# - why batch normalization has to stay frozen, measured in a training run that should change nothing;
# - `tl.fine_tune`, which does the same on cached activations;
# - how the result depends on the number of trained blocks and on the learning rate;
# - to compare with a published result: the same protocol, several splits, mean and standard deviation;
# - to look at mistakes, and at what the network looks at.
#
# ## The job
#
# The solar cells of lesson 00: functional or defective. To be quick we train on forty cells of each class and
# validate on twenty-five others of each. The real job, with all cells, comes below.

# %%
import keras
import numpy as np

import tlcourse as tl

solar = tl.load_dataset("solar")
training = solar.train.sample(per_class=40)
validation = solar.validation.sample(per_class=25)


# %%
def as_array(split):
    """Pictures as uint8 (n, 224, 224, 3)."""
    return np.stack([tl.pictures.resize(picture, (224, 224)) for picture in split.images])


cells, other_cells = as_array(training), as_array(validation)
cells.shape

# %% [markdown]
# ## First the head
#
# The base is frozen, so its features are computed once (lesson 04), and the head is trained on them. **Why the head
# first?** A head with random weights sends random gradients into the base. They would destroy part of what the base
# learned on ImageNet before the head has learned anything (Kumar et al., *Fine-Tuning can Distort Pretrained Features
# and Underperform Out-of-Distribution*, 2022).

# %%
base = tl.load_pretrained_model().copy_network()  # pixels → 1,280 features, an ordinary keras.Model
base.trainable = False

model = tl.load_pretrained_model()
features = model.extract_features(training.images)  # as base.predict(cells), and faster: see lesson 03
other_features = model.extract_features(validation.images)

# %%
keras.utils.set_random_seed(0)
head = keras.layers.Dense(1, activation="sigmoid", name="new_head")
head_alone = keras.Sequential([keras.Input((1280,)), keras.layers.Dropout(0.2), head])
head_alone.compile(keras.optimizers.Adam(2e-3), loss="binary_crossentropy", metrics=["accuracy"])

# %% tags=["trained-here"]
first = head_alone.fit(
    features, training.labels, batch_size=16, epochs=20, validation_data=(other_features, validation.labels), verbose=0
)
print(f"Validation accuracy with the frozen base: {first.history['val_accuracy'][-1]:.1%}")

# %% [markdown]
# Base and head together are one network:

# %%
inputs = keras.Input((224, 224, 3))
x = keras.layers.Dropout(0.2)(base(inputs))
network = keras.Model(inputs, head(x))

# %% [markdown]
# ## A training run that should change nothing
#
# Before we train for real, an experiment. We build the same network once more, unfreeze its last block, and train at a
# learning rate of 0: no step moves the weights at all.
#
# **Predict first.** Will the features be the same as before?


# %%
def features_moved_by(network, base):
    """Train for an epoch at a learning rate of 0; how far the features move, as a share of their length."""
    network.compile(keras.optimizers.SGD(0.0), loss="binary_crossentropy")
    before = base.predict(cells[:8], verbose=0)
    network.fit(cells[:32], training.labels[:32], batch_size=4, verbose=0)
    return np.linalg.norm(base.predict(cells[:8], verbose=0) - before) / np.linalg.norm(before)


# %% tags=["answer"]
careless_base = tl.load_pretrained_model().copy_network()
for layer in careless_base.layers:
    layer.trainable = layer.name.startswith("block7a")

outputs = keras.layers.Dense(1, activation="sigmoid")(careless_base(inputs, training=False))  # it will not help
careless = keras.Model(inputs, outputs)
before = tl.checks.snapshot(careless_base)
print(f"The features have moved by {features_moved_by(careless, careless_base):.3%} of their length.")

# %% [markdown]
# So something has changed. What?

# %%
try:
    tl.checks.assert_changed(before, careless_base, only=[])
except tl.errors.CheckError as error:
    print(error)

# %% [markdown]
# **Batch normalization** keeps a moving mean and variance of what passes through it, and `fit` updates them with every
# batch, whatever the learning rate (and, as lesson 04 showed, in spite of `training=False`). A few batches of solar
# cells shift the statistics of more than a million photographs, while the weights that rely on them stay as they were.
#
# So in fine-tuning the batch normalization layers keep `trainable = False`, which in Keras also means inference mode. In
# our `network` we unfreeze the last block and the last convolution, but not these, and repeat the experiment.

# %%
base.trainable = True
for layer in base.layers:
    is_late = layer.name.startswith(("block7a", "head"))
    layer.trainable = is_late and not isinstance(layer, keras.layers.BatchNormalization)

print(f"The features have moved by {features_moved_by(network, base):.3%} of their length.")

# %% [markdown]
# Now a training run that should change nothing changes nothing.
#
# ## Then the last block
#
# Now with a learning rate that is not 0, but small: 1e-4, a twentieth of the head's. And **compile again**, since flags and
# learning rate have changed.

# %%
network.compile(keras.optimizers.Adam(1e-4), loss="binary_crossentropy", metrics=["accuracy"])
before = tl.checks.snapshot(network)

# %% tags=["trained-here"]
import time

start = time.perf_counter()
options = {"validation_data": (other_cells, validation.labels), "callbacks": [tl.fit_bar()]}
second = network.fit(cells, training.labels, batch_size=16, epochs=1, verbose=0, **options)
seconds_in_keras = time.perf_counter() - start
print(f"Validation accuracy after fine-tuning: {second.history['val_accuracy'][-1]:.1%}")

# %%
both = {name: first.history[name] + second.history[name] for name in second.history}
tl.show.training(both, "Epochs 1 to 20: the head; epoch 21: the last block, too")

# %% [markdown]
# One validation cell is two points here, and this is one sample of cells. So a difference of a few points means nothing
# yet; the comparisons below have more of both. One epoch is too short to see overfitting; a network with so many
# trainable weights would probably overfit these eighty cells before long.
#
# Did it train what it should?

# %%
tl.checks.assert_changed(before, network, only=["block7a", "head", "new_head"])

# %% [markdown]
# No error: nothing else has changed.
#
# ## The helper: the same on cached activations
#
# In each epoch Keras runs the frozen blocks over the same cells again, and these are most of the network.
# `tl.fine_tune` computes the output of the last frozen block once and keeps it on disk. What it does, in order:
#
# 1. the activations in front of `from_block`, once per picture (and once per augmented copy);
# 2. a linear probe on the features, which becomes the head;
# 3. Keras' `fit` on the rest, with batch normalization frozen, AdamW, a learning rate that rises for a twelfth of the steps
#    (**warm-up**) and then falls to 0 (a **schedule**). With a validation set it keeps the weights of the best epoch, and
#    the probe counts as epoch 0: if no epoch is better, you get the probe back.
#
# It returns a classifier whose `.model` is an ordinary Keras model, pixels in, probabilities out, and whose `.history` is
# that of `fit`. If it is interrupted, the same call resumes after the last finished epoch. For the comparison here it
# uses no validation set.

# %%
tuned = tl.fine_tune(
    model,
    training.images,
    training.labels,
    from_block="block7a",
    augmentations=1,
    validation=0,
    class_names=solar.class_names,
    epochs=8,
    seed=0,
)

# %% tags=["nbval-ignore-output"]
seconds = tuned.record["seconds"]
print(f"Keras, one epoch with validation:  {seconds_in_keras:5.1f} s")
print(f"tl.fine_tune, eight epochs:        {seconds['training']:5.1f} s, and activations {seconds['activations']:.1f} s")

# %% [markdown]
# Does it train the same layers? The record names every array that has changed. We compare with ours.

# %%
changed = {name.split("/")[0] for name in tuned.record["changed"]}
unfrozen = {layer.name for layer in base.layers if layer.trainable and layer.weights}
assert changed - {"head"} == unfrozen
print(sorted(unfrozen))

# %% [markdown]
# The same layers, and no batch normalization among them. (The rest differs in details: optimizer, schedule, batch size,
# the probe as head.)
#
# ## Augmentation
#
# With few pictures it can help to train on **augmented copies** of each: mirrored, turned, cropped. The label has to
# stay true for each of them. Only you can know that, so look.

# %%
flips = ("as is", "left-right", "upside-down", "half-turn")
tl.show.pictures(tl.augment(training.images[0], flips), flips, columns=4)

# %% [markdown]
# A solar cell has no top and bottom: the camera could have taken all four. Here is a photograph of another kind.

# %%
photographs = tl.load_dataset("samples").test
tl.show.pictures(tl.augment(photographs.images[2], flips), flips, columns=4)

# %% [markdown]
# Still a cat, but nobody photographs cats hanging from the ceiling. A network that is trained on such pictures uses
# its few labels for something that it will never be asked.
#
# `augmentations=flips` makes `tl.fine_tune` use these four copies of each cell, another one in each epoch. Their
# activations are cached, too.
#
# ## Is it better than the probe?

# %% tags=["trained-here"]
probe = tl.train_classifier(features, training.labels)
probe_accuracy = probe.score(other_features, validation.labels)
probabilities = tuned.predict_proba(validation.images)
answers = probabilities.argmax(axis=1)

for epochs in (5, 20):
    print(f"head in Keras, {epochs:2} epochs:     {first.history['val_accuracy'][epochs - 1]:.1%}")
print(f"linear probe:                 {probe_accuracy:.1%}")
print(f"fine-tuned by tl.fine_tune:   {np.mean(answers == validation.labels):.1%}")

# %% [markdown]
# The linear probe is a head of the same kind on the same frozen features, trained to the end by a solver made for it.
# Had we stopped our own head after five epochs, fine-tuning would have looked like a gain. The probe has that gain as
# well, without any fine-tuning: it is a better head. So the fair baseline of fine-tuning is the probe, and with these
# eighty cells fine-tuning is not better than the probe. The probe takes a few seconds. Try it first.

# %% [markdown]
# ## How many blocks?
#
# **Predict first.** More blocks can fit more, and can lose more of what was pretrained. With two hundred cells, which
# number of blocks is best, from 0 (the probe) to 12 of the 18?
#
# `make results` trained each of them on three random samples of cells.

# %% tags=["answer"]
tuning = tl.results("solar_tuning")


def show_study(name, xlabel, title, logarithmic=False):
    study = tuning[name]
    means, deviations = {"fine-tuned": study["mean"]}, {"fine-tuned": study["sd"]}
    return tl.show.curves(
        study[xlabel], means, deviations, xlabel, "accuracy", title, highest=1, logarithmic=logarithmic
    )


show_study("blocks", "blocks trained", "200 solar cells: fine-tuning 0 to 12 blocks")

# %% tags=["answer"]
study = tuning["blocks"]
for row, blocks in enumerate(study["blocks trained"]):
    print(f"{blocks:2} blocks: {study['mean'][row]:.1%} ± {study['sd'][row]:.1%}, {study['seconds'][row]:.0f} s")

# %% [markdown]
# With two hundred cells no number of blocks has a mean above that of the probe (0 blocks). The differences are smaller
# than the probe's standard deviation, so they mean little. What is certain is the time: each further block costs more
# of it. We will see below what more cells change.
#
# ## Which learning rate?
#
# **Predict first.** Now six blocks are trained, and the learning rate changes, from a hundredth of the default (2e-4) to
# a hundred times the default.

# %% tags=["answer"]
show_study("rates", "learning rate", "Learning rate: too small does nothing, too large destroys", logarithmic=True)

# %% [markdown]
# At the left hardly anything changes, and the result is about that of the probe. At ten times the default and above,
# the steps are so large that the pretrained weights are lost before anything better is learned: the accuracy is about
# that of chance. Keras gives no warning; `tl.fine_tune` prints one when a block has moved far. When fine-tuning fails,
# look at the learning rate first.
#
# ## The published result
#
# Deitsch et al. fine-tuned VGG-19 on three quarters of the cells, and reached 88.42 % on the others, weighted by the
# confidence of their experts. We follow the same protocol with our network: from `block4a`, four augmented copies, twelve
# epochs, a learning rate of 5e-4, and the experts' confidence as sample weights in training, too. That takes minutes, so
# `make bench` did it, on five random splits.

# %%
published = 0.8842
bench = tl.results("bench.finetune")
probes = tl.results("solar.four_blocks")  # a linear probe on the features of four blocks, on the same splits

for number, split in enumerate(bench["splits"]):
    print(f"split {number}: {split['accuracy']:.2%} in {split['seconds']:.0f} s")

# %%
mean, sd = bench["accuracy"]["mean"], bench["accuracy"]["sd"]
verdict = "above" if mean > published else "below"
print(f"linear probe {probes['mean']:.2%} ± {probes['sd']:.2%}")
print(f"fine-tuned   {mean:.2%} ± {sd:.2%}: {verdict} the published {published:.2%}, by {abs(mean - published):.2%}")

# %% [markdown]
# Compare the distance to the published result with the standard deviation. Their test set was one random split, too,
# which we do not know. So a small network, trained on two processor cores, is about as good on these cells as their
# large one was on a graphics card. The numbers do not show more than that.
#
# How much of it needs fine-tuning? `make results` put features of up to three picture sizes, from 224 to 448 pixels,
# side by side, and trained two classifiers on them, the linear probe and a support vector machine (SVM) with a Gaussian
# kernel. ("int8": computed in 8-bit integers, which is faster.) It also fine-tuned for seven epochs only, with other
# settings than above, averaged the probabilities predicted for each test cell and for three flips of it (its "views"),
# and averaged networks with an SVM. The same five splits, mean ± standard deviation:

# %%
arms = {name: result for name, result in tl.results("solar_arms.arms").items() if result["n"] == 5}
for name, result in arms.items():
    print(f"{name:36} {result['mean']:.1%} ± {result['sd']:.1%}")

# %%
names = ("SVM and fine-tuned, int8", "SVM: three sizes and Lite2, int8")
gain = np.subtract(*(arms[name]["accuracies"] for name in names))
print(f"{' − '.join(names)}: {gain.mean():+.1%} ± {gain.std(ddof=1) / np.sqrt(gain.size):.1%}")

# %% [markdown]
# Without any training of a layer, an SVM on the features of three sizes, with a second network (Lite2) beside them,
# comes within two points of the highest mean. That one averages an SVM and the fine-tuned network. Its gain over the
# SVM is more than two standard errors (the last line is mean ± standard error), but fine-tuning alone has nearly the
# same mean, so averaging adds little. Both lines were picked from the list by their test accuracy, so each is probably
# a little too good, which is a mistake that lesson 09 measures.
#
# ## How many cells?
#
# With two hundred cells fine-tuning was not better than the probe; with all of them its mean was higher. `make results`
# also trained on smaller samples of each split's training set, with the settings of the published protocol.
#
# **Predict first.** From how many cells on will fine-tuning be ahead?

# %% tags=["answer"]
curve = tl.LearningCurve.of(tl.results("curves.solar"))

print(" cells   probe  fine-tuned   difference")
for probe_point, point, (cells_used, difference, error) in zip(
    curve.points["probe"], curve.points["fine-tune"], curve.differences("fine-tune", "probe"), strict=True
):
    print(f"{cells_used:6,}{probe_point.mean:8.1%}{point.mean:12.1%}   {difference:+.1%} ± {error:.1%}")

# %% [markdown]
# Up to two hundred cells the differences go both ways, and with twenty cells fine-tuning is clearly behind: probably
# because there are many weights to change and few cells to train them on. With five hundred cells it is ahead by a
# little more than three standard errors, and with a thousand cells and with all of them by more than six. Between 200 and
# 500 nothing was measured, so all we can say is that a clear gain begins somewhere in between.
#
# ## Look at the mistakes
#
# Back to our eighty cells.

# %%
tl.show.confusion(tuned.confusion(validation.images, validation.labels))

# %% [markdown]
# Choose an entry of the matrix from the list: its cells appear, the most confident answers first, and beside each the
# three training cells with the most similar features. (The static page shows the most frequent mistake.)

# %% tags=["nbval-ignore-output"]
tl.widgets.MistakeBrowser(validation, probabilities, other_features, training, features)

# %% [markdown]
# Two questions to ask about a mistake. Would *you* have known? And are the neighbours of the other class? Then this
# cell looks like those to the pretrained network, and more labels of its kind may help.
#
# **Grad-CAM** asks which of the 7 × 7 positions of the last grid speak for the class that was answered (Selvaraju et al.,
# 2017). Each cell is shown beside its map: two defects that were found, two that were missed, two false alarms.

# %%
hits = np.flatnonzero((answers == 1) & (validation.labels == 1))[:2]
missed = np.flatnonzero((answers == 0) & (validation.labels == 1))[:2]
false_alarms = np.flatnonzero((answers == 1) & (validation.labels == 0))[:2]

# %%
shown = np.concatenate([hits, missed, false_alarms])
titles = [f"is {solar.class_names[validation.labels[row]]}, answered {solar.class_names[answers[row]]}" for row in shown]
tl.show.heat_maps(validation.images[shown], tl.grad_cam(tuned, validation.images[shown]), titles)

# %% [markdown]
# Compare each map with the cell beside it: is there a crack or a dark area under the bright spot? A map of 7 × 7
# positions shows a region, not a line, and it is a hint, not a proof. Its best use is to detect a network that is right
# for the wrong reason: one that looks at the frame, or at a date in the corner.

# %% [markdown]
# ## Exercises
#
# ### Exercise 5.1: how many steps?
#
# `tuned` was trained on eighty cells for eight epochs, thirty-two per batch, each cell once per epoch. A batch that is not
# full is left out. How many steps did the optimizer take?
#
# Stuck? `tl.check.hint("5.1")` in a cell of its own gives the first of three hints.

# %%
steps = None  # replace None

tl.check("5.1", steps)

# %% tags=["solution", "hide-cell"] jupyter={"source_hidden": true, "outputs_hidden": true}
# Solution: click to open
steps = 80 // 32 * 8
tl.check("5.1", steps)

# %% [markdown]
# ### Exercise 5.2: a learning rate that is too large
#
# Fine-tune once more with `tl.fine_tune`, on the same cells, with the same seed and from `block7a`, for one epoch, at a
# learning rate that you expect to be too large: a hundred times the default of 2e-4. Pass what it returns to the check.
#
# Stuck? `tl.check.hint("5.2")` in a cell of its own gives the first of three hints.

# %%
too_fast = None  # replace None

tl.check("5.2", too_fast, probe_accuracy)

# %% tags=["solution", "hide-cell"] jupyter={"source_hidden": true, "outputs_hidden": true}
# Solution: click to open
options = {"from_block": "block7a", "augmentations": 1, "validation": 0, "epochs": 1, "seed": 0}
too_fast = tl.fine_tune(model, training.images, training.labels, learning_rate=2e-2, **options)
tl.check("5.2", too_fast, probe_accuracy)

# %% [markdown]
# ### Exercise 5.3: unfreeze exactly one block
#
# With Keras alone: in `my_network`, train the block `block7a` and the new head on the first 32 cells, for one epoch, and
# **nothing else**: not the last convolution, and no batch normalization. The check compares the weights with those
# before.
#
# Stuck? `tl.check.hint("5.3")` in a cell of its own gives the first of three hints.

# %%
my_base = model.copy_network()
my_head = keras.layers.Dense(1, activation="sigmoid", name="new_head")
my_network = keras.Model(inputs, my_head(my_base(inputs)))
snapshot = tl.checks.snapshot(my_network)
trained_network = None  # replace None by my_network, when it is trained

tl.check("5.3", trained_network, snapshot)

# %% tags=["solution", "hide-cell"] jupyter={"source_hidden": true, "outputs_hidden": true}
# Solution: click to open
for layer in my_base.layers:
    is_normalization = isinstance(layer, keras.layers.BatchNormalization)
    layer.trainable = layer.name.startswith("block7a") and not is_normalization
my_network.compile(keras.optimizers.Adam(1e-3), loss="binary_crossentropy")
my_network.fit(cells[:32], training.labels[:32], batch_size=16, verbose=0)
tl.check("5.3", my_network, snapshot)

# %% [markdown]
# ## Summary
#
# - Fine-tuning: first the head, then unfreeze the last blocks, compile again, and train at a small learning rate.
# - Batch normalization stays frozen. The test is a training run at a learning rate of 0: it must change nothing.
# - `tl.fine_tune` does the same on cached activations.
# - The fair baseline of fine-tuning is a linear probe. With two hundred cells no number of blocks was above it; with
#   five hundred cells and more, fine-tuning was, in the paired comparison.
# - A published result is compared under its own protocol, with a mean over splits and not with the best of them.
# - All of this holds for these cells, cut from 44 modules, which are probably in both training and test set. It does
#   not tell how well a network would do on another solar park.
#
# **Next:** [06 · Digits to Kanji](06_kanji.ipynb)
