# %% [markdown]
# # 05 · Fine-tuning: ImageNet to solar-cell defects
#
# Frozen features stop where ImageNet's photographs stop. Here you let the last blocks of the network learn from solar
# cells, find out what goes wrong on the way, and meet a published number on two processor cores.
#
# **Minutes:** about 45 · **Needs:** nothing from the internet

# %% tags=["setup"]
# Written by notebooks/build.py (set_up): it says how to get the course where it is missing.

# %% [markdown]
# ## What you will learn
#
# - to unfreeze the last blocks of a network, and how many;
# - why batch norm has to stay out of it, measured on a training that should change nothing;
# - to look at an augmentation before it is used;
# - why the head comes first and the learning rate is small;
# - to compare with a published result: the same protocol, several draws, mean and spread;
# - to look at what the network looks at.
#
# ## The job
#
# The solar cells of lesson 00. A hundred cells of each class to learn from, eighty others of each to be judged by, so that
# every step takes seconds. The real job, with all cells, comes at the end.

# %%
import tlcourse as tl

solar = tl.load_dataset("solar")
learned = solar.train.sample(per_class=100)
judged = solar.validation.sample(per_class=80)

# %%
model = tl.load_pretrained_model()
features = model.extract_features(learned.images)
probe = tl.train_classifier(features, learned.labels, solar.class_names)

probe_accuracy = probe.score(model.extract_features(judged.images), judged.labels)
print(f"Linear probe on the frozen network: {probe_accuracy:.1%}")

# %% [markdown]
# That is what fine-tuning has to beat.
#
# ## A training that should change nothing
#
# We train, and the learning rate is 0: each step moves the weights by nothing. How far have the features that the network
# gives moved afterwards?

# %%
import keras
import numpy as np

cells = np.stack([tl.pictures.resize(image, (224, 224)) for image in learned.images[:32]])


def moved_at_rate_0(network):
    """How far the features in front of the head move in eight steps, as a share of their length."""
    network.compile(keras.optimizers.SGD(0.0), loss="binary_crossentropy")
    describe = keras.Model(network.input, network.layers[-2].output)
    before = np.asarray(describe(cells[:4]))
    network.fit(cells, learned.labels[:32], batch_size=4, verbose=0)
    return np.linalg.norm(describe(cells[:4]) - before) / np.linalg.norm(before)


# %% [markdown]
# The network gets a head, as in lesson 04, and its last block may learn: its flags are on when it is compiled.
#
# **Predict first.** Are the features the same as before?

# %%
network = tl.add_head(model, classes=2)
for name in model.blocks["block7a"]:
    network.get_layer(name).trainable = True

before = tl.checks.snapshot(network)
print(f"The features have moved by {moved_at_rate_0(network):.0%} of their length.")

# %% [markdown]
# Then something has changed. What?

# %%
try:
    tl.checks.assert_changed(before, network, only=[])
except tl.errors.CheckError as error:
    print(error)

# %% [markdown]
# Batch norm keeps a running mean and variance of what passes through it, and `fit` renews them with every batch, whatever
# the learning rate. With a few batches of pictures of a new kind, statistics of more than a million photographs
# are overwritten, while the weights that rely on them stay what they were.
#
# So batch norms stay frozen in fine-tuning: `trainable = False` on these layers themselves, after everything else was
# set. (In Keras a frozen batch norm also stops renewing its statistics.) `tl.unfreeze` does it:

# %%
tl.unfreeze(network, from_block="block7a")

# %%
before = tl.checks.snapshot(network)
print(f"The features have moved by {moved_at_rate_0(network):.0%} of their length.")
tl.checks.assert_changed(before, network, only=[])

# %% [markdown]
# A training that should change nothing changes nothing, and the check is silent.
#
# ## Look before you augment
#
# With few pictures it helps to show each of them in several *views*: mirrored, turned, cropped. The label has to
# stay true in each view. Nobody can know that but you, and looking is enough.

# %%
flips = ("as is", "left-right", "upside-down", "half-turn")
tl.show.pictures(tl.augment(learned.images[0], flips), flips, columns=4)

# %% [markdown]
# A solar cell has no up and down: all four could have been taken by the camera. Now a photograph of another kind.

# %%
photographs = tl.load_dataset("samples").test
tl.show.pictures(tl.augment(photographs.images[2], flips), flips, columns=4)

# %% [markdown]
# Still a cat; but nobody photographs cats hanging from the ceiling. A network that learns from such pictures spends its
# few labels on what it will never be asked. (In Keras, `RandomFlip()` without arguments does flip upside down.)
#
# A frozen block sees each view once, and what it hands on is kept. So views cost little more than pictures.
#
# ## Fine-tune
#
# One call. What it does, in order: what the blocks before `block6c` hand on is computed once for each view; a linear
# probe is trained and becomes the head; then `block6c` and everything behind it learns, batch norms excepted, with a
# learning rate that is small and falls to nothing.
#
# **Why the head first?** A random head sends random errors back into the network. The first steps would shake loose what
# ImageNet has taught, before the head has learned what to ask for (Kumar and others, 2022).

# %%
tuned = tl.fine_tune(
    model,
    learned.images,
    learned.labels,
    from_block="block6c",
    augmentations=flips[:2],  # two of the four, to be quick
    validation=0,  # the judged cells are elsewhere, and nothing is chosen by them
    class_names=solar.class_names,
    epochs=6,
    seed=0,
)

# %% tags=["trained-here"]
answers = tuned.predict(judged.images)
tuned_accuracy = np.mean(answers == judged.labels)
print(f"Linear probe {probe_accuracy:.1%}, fine-tuned {tuned_accuracy:.1%}, on {len(judged)} cells")

# %% [markdown]
# One cell is more than half a point here, and one draw of cells is one draw: whether a few points mean something
# we will see below, with more of both.
#
# Did it do what it said? The record names every weight that is not what it was.

# %%
changed = tuned.record["changed"]
blocks = sorted({name.split("_")[0] for name in changed})
print(len(changed), "arrays have changed, in", ", ".join(blocks))
print("running statistics among them:", sum("moving" in name for name in changed))

# %% [markdown]
# ## How many blocks?
#
# **Predict first.** More blocks can learn more, and can spoil more. From the probe (no block) to the whole back half of
# the network: where is the best place for the cut, with these two hundred cells?
#
# Each cut takes a while, so `make results` trained them all, three draws each.

# %%
tuning = tl.results("solar_tuning")


def show_study(name, xlabel, title, logarithmic=False):
    found = tuning[name]
    values = found[xlabel]
    means, spreads = ({"fine-tuned": found[kind]} for kind in ("mean", "sd"))
    return tl.show.curves(values, means, spreads, xlabel, "accuracy", title, 1, logarithmic=logarithmic)


show_study("blocks", "blocks that learn", "200 solar cells: more blocks, more accuracy?")

# %%
for blocks, mean, sd, seconds in zip(*tuning["blocks"].values(), strict=True):
    print(f"{blocks} blocks: {mean:.1%} ± {sd:.1%}, {seconds:.0f} s")

# %% [markdown]
# Look at the spread before you look at the order. Two hundred cells are enough to train a probe, and no number of blocks
# is better than it by more than the draws differ. What is certain is the seconds. Fine-tuning *can* do more than a
# probe; whether there is enough to learn from is another question, to which we come back.
#
# ## How fast?
#
# **Predict first.** Now the cut stays at `block6a`, and the learning rate changes: from a hundredth of the default to a
# hundred times of it.

# %%
show_study("rates", "learning rate", "Too slow to learn, too fast to remember", logarithmic=True)

# %% [markdown]
# At the left hardly anything moves, and the result is the probe's. Up to the default nothing is lost. Ten times the default,
# and the steps are so large that what was pretrained is gone before anything better is there: no better than guessing,
# and no warning on the way. When fine-tuning fails, look at the rate first.
#
# ## The published number
#
# Deitsch and others trained VGG-19 further on three quarters of the cells and reached 88.42 % on the rest, weighted by
# their experts' confidence. We do the same with our network: three quarters and one quarter, the same weights, from
# `block4a`, four views. That takes minutes, so `make bench` did it, five times, each with another draw of the test cells.

# %%
published = 0.8842
found = tl.results("bench.finetune")
probes = tl.results("solar.four_blocks")  # the best linear probe of lesson 00, on the same draws

for draw, one in enumerate(found["draws"]):
    print(f"draw {draw}: {one['accuracy']:.2%} in {one['seconds']:.0f} s")

# %%
mean, sd = found["accuracy"]["mean"], found["accuracy"]["sd"]
verdict = "above" if mean > published else "below"
print(f"linear probe {probes['mean']:.2%} ± {probes['sd']:.2%}")
print(f"fine-tuned   {mean:.2%} ± {sd:.2%}: {verdict} the published {published:.2%}, by {abs(mean - published):.2%}")

# %% [markdown]
# With ten times the cells the last blocks do learn what the probe cannot. That is the answer to the question above.
#
# Compare the distance to the published number with the spread of the draws. Their test cells were one such draw, too,
# and which one is not known. So: on these cells a small network does about as well as theirs, on a laptop's processor
# and not on a graphics card. More than that the numbers do not say.
#
# ## Mistakes
#
# Back to our small network of two hundred cells.

# %%
tl.show.confusion(tuned.confusion(judged.images, judged.labels))

# %% [markdown]
# Each number is a heap of pictures. Choose one from the list: its pictures, the most confident answers first, and beside each the
# three cells of the training that are nearest to it. (In print stands the most frequent mistake.)

# %% tags=["nbval-ignore-output"]
judged_features = model.extract_features(judged.images)
probabilities = tuned.predict_proba(judged.images)

tl.widgets.MistakeBrowser(judged, probabilities, judged_features, learned, features)

# %% [markdown]
# Two questions to ask of a mistake. Would *you* have known? And are the neighbours of the other class? Then the network
# was not careless: to it, this cell looks like those, and more labels of that kind would help.
#
# Where does it look when it is wrong? *Grad-CAM* asks the last grid of the network, 7 × 7 places, which of them speak
# for the class that was answered.

# %%
wrong = np.flatnonzero(answers != judged.labels)[:6]
maps = tl.grad_cam(tuned, judged.images[wrong])
said = [f"says {solar.class_names[answer]}" for answer in answers[wrong]]

tl.show.heat_maps(judged.images[wrong], maps, said)

# %% [markdown]
# And where it is right about a defect:

# %%
found_defects = np.flatnonzero((answers == 1) & (judged.labels == 1))[:6]
maps_of_defects = tl.grad_cam(tuned, judged.images[found_defects])
tl.show.heat_maps(judged.images[found_defects], maps_of_defects)

# %% [markdown]
# Often the bright place lies on the crack or the dark patch. A map of 7 × 7 places points at a region; it is a hint and
# no proof. Its best use is to catch a network that is right for the wrong reason: one that looks at the frame, or at a
# date in the corner.

# %% [markdown]
# ## Exercises
#
# ### Exercise 5.1: how many steps?
#
# `tuned` saw two hundred cells in six epochs, thirty-two a step, each cell in one of its two views at a time. A batch
# that is not full is left out. How many steps did the optimizer take?
#
# Stuck? `tl.check.hint("5.1")` in a cell of its own gives the first of three hints.

# %%
steps = None  # replace None

tl.check("5.1", steps)

# %% tags=["solution", "hide-cell"] jupyter={"source_hidden": true, "outputs_hidden": true}
steps = 200 // 32 * 6
tl.check("5.1", steps)

# %% [markdown]
# ### Exercise 5.2: change the experiment
#
# Fine-tune once more, on the same cells with the same seed and the same cut, for two epochs, with a learning rate
# that you expect to be too large: a hundred times the default of 2e-4. Give the fine-tuned network, and compare it
# with the probe.
#
# Stuck? `tl.check.hint("5.2")` in a cell of its own gives the first of three hints.

# %%
too_fast = None  # replace None

tl.check("5.2", too_fast, probe_accuracy)

# %% tags=["solution", "hide-cell"] jupyter={"source_hidden": true, "outputs_hidden": true}
options = {"from_block": "block6c", "augmentations": flips[:2], "validation": 0, "epochs": 2, "seed": 0}
too_fast = tl.fine_tune(model, learned.images, learned.labels, learning_rate=2e-2, **options)
tl.check("5.2", too_fast, probe_accuracy)

# %% [markdown]
# ### Exercise 5.3: in the cell, or at its rim?
#
# A network that looks at the frame of a picture has learned something about cameras. Take the maps of the found defects,
# `maps_of_defects`, and find which share of all their brightness lies in the rim: the outer 28 of 224 rows and columns
# on each side.
#
# Stuck? `tl.check.hint("5.3")` in a cell of its own gives the first of three hints.

# %%
share_at_rim = None  # replace None

tl.check("5.3", share_at_rim, maps_of_defects)

# %% tags=["solution", "hide-cell"] jupyter={"source_hidden": true, "outputs_hidden": true}
inside = maps_of_defects[:, 28:-28, 28:-28].sum() / maps_of_defects.sum()
share_at_rim = 1 - inside
tl.check("5.3", share_at_rim, maps_of_defects)

# %% [markdown]
# The rim is seven sixteenths of the area: a map that is equally bright everywhere would have that share there.
#
# ## Summary
#
# - Fine-tuning: the head first, then the last blocks, with a small learning rate that falls.
# - Batch norms stay frozen. The test is a training at learning rate 0: it must change nothing.
# - A view is good if the camera could have taken it and the label stays true.
# - More blocks cost more time. Whether they bring more accuracy has to be measured, with its spread: with two hundred
#   cells they did not, with two thousand they did.
# - A published number is met by its own protocol, with a mean over draws and not with the best of them.
# - What we measured: these cells, cut from 44 modules that stand on both sides of every split. How well a network does on
#   the next solar park does not follow from it.
#
# **Next:** [06 · Digits to Kanji](06_digits_to_kanji.ipynb)
