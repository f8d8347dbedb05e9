# %% [markdown]
# # 08 · The misuse lab
#
# There are mistakes that nearly everybody makes once, and that Keras lets pass without a word. Here you make eight of them on
# purpose, see what each costs, and meet the check that would have told you.
#
# **Minutes:** about 55 · **Needs:** nothing from the internet

# %% tags=["setup"]
# Written by notebooks/build.py (set_up): it says how to get the course where it is missing.

# %% [markdown]
# ## What you will learn
#
# - to recognise eight mistakes by what they do, since no error message will name them;
# - what each of them costs on real pictures, with its spread, and which cost less than their reputation;
# - one check and one line of cure for each.
#
# ## The workbench
#
# Five of the mistakes are made with the numerals 一 … 十: ten of each to learn from, and two hundred by other hands to be judged
# by.

# %%
import tlcourse as tl

kanji = tl.load_dataset("kanji")
numerals = kanji.with_classes(kanji.class_names[:10])
learned, judged = numerals.train.sample(per_class=10), numerals.test

len(learned), len(judged)

# %% [markdown]
# The network is ours, and everything up to `block5c` stays frozen in this lesson. So it is computed once, and what is behind
# it gets what it hands on: a grid of 14 × 14 places for each sign.

# %%
import numpy as np

model = tl.load_pretrained_model()
learned_maps, judged_maps = (np.float32(model.activations(part.images, "block5c")) for part in (learned, judged))

learned_maps.shape

# %% [markdown]
# What is behind the cut is an ordinary Keras model: six blocks, and a head for ten signs. (Nothing of `model` is changed: the
# six blocks are copied.)

# %%
import keras

six_blocks = keras.Model(model.network.get_layer(model.blocks["block5c"][-1]).output, model.network.output)


def new_network(head_weights=None):
    """A copy of the six blocks, with a head for ten signs: a trained one, or a new one."""
    copy = keras.models.clone_model(six_blocks)
    copy.set_weights(six_blocks.get_weights())
    head = keras.layers.Dense(10, activation="softmax", name="new_head")
    network = keras.Model(copy.inputs, head(copy.output))
    if head_weights:
        head.set_weights(head_weights)
    return network


# %% [markdown]
# A head is trained on features, as in lesson 04. It is the start of most of what follows.

# %%
keras.utils.set_random_seed(0)
head = keras.Sequential([keras.Input((1280,)), keras.layers.Dense(10, activation="softmax")])
head.compile(keras.optimizers.Adam(1e-3), loss="sparse_categorical_crossentropy")

features = model.extract_features(learned.images)
head.fit(features, learned.labels, batch_size=20, epochs=20, verbose=0)
head_weights = head.get_weights()

# %% [markdown]
# And this trains whatever has been compiled, and says how many of the other hands' signs are read. In batches of twenty, a hundred
# signs are five steps with nothing left over: for a smaller last batch, Keras would have to prepare the network once more.


# %%
def train(network, epochs=3):
    """Fit, and then the accuracy on signs by other hands."""
    keras.utils.set_random_seed(0)
    network.fit(learned_maps, learned.labels, batch_size=20, epochs=epochs, verbose=0)
    answers = network.predict(judged_maps, batch_size=50, verbose=0).argmax(axis=1)
    return np.mean(answers == judged.labels)


# %% [markdown]
# One training is one draw, and shows the mistake, not its price. For the price, `make results` made and avoided each mistake
# five times, with other signs or cells each time, for ten epochs in batches of sixteen, and asked the check each time.


# %%
study = tl.results("misuse")


def measured(mistake):
    found = study["mistakes"][mistake]
    for way in ("right", "wrong"):
        if way in found:
            print(f"{way}: {found[way]['mean']:.1%} ± {found[way]['sd']:.1%}")
    print(f"cost: {100 * found['cost']['mean']:.1f} ± {100 * found['cost']['sd']:.1f} points")
    check = found["check"]
    print(
        f"The check spoke in {check['spoke']} of {check['of']} wrong runs, and in {check['false_alarms']} right ones."
    )


# %% [markdown]
# ## 1 · Batch norm left in training mode
#
# **What people do.** "Now unfreeze the base": every flag is set to true. It looks right, since it says what is meant.
#
# First the right way. `tl.unfreeze` makes everything trainable except the batch norms.

# %%
right = new_network(head_weights)
tl.unfreeze(right)
right.compile(keras.optimizers.Adam(5e-4), loss="sparse_categorical_crossentropy")

# %% tags=["trained-here"]
before = tl.checks.snapshot(right)
print(f"right: {train(right):.1%}")

# %% [markdown]
# **Predict first.** Six blocks have sixteen batch norms. Will it matter that they are trained, too, for fifteen steps?

# %%
drifting = new_network(head_weights)
for layer in drifting.layers:
    layer.trainable = True
drifting.compile(keras.optimizers.Adam(5e-4), loss="sparse_categorical_crossentropy")

# %% tags=["trained-here"]
print(f"batch norm in training mode: {train(drifting):.1%}")

# %% [markdown]
# While `fit` runs, a batch norm in training mode normalises by the batch that it sees, twenty signs; afterwards it normalises by
# its running averages, which are a mixture of a million photographs and a few of these batches. The weights learn with the one
# and are used with the other.

# %%
measured("batch norm in training mode")

# %% [markdown]
# **The check.** `assert_changed` is told what was meant to change: the six blocks and the head. In a pretrained network, running
# averages are never meant to.

# %%
meant = [*list(model.blocks)[-6:], "your layers"]
tl.checks.assert_changed(before, right, only=meant)

try:
    tl.checks.assert_changed(before, drifting, only=meant)
except tl.errors.CheckError as error:
    print(error)

# %% [markdown]
# `tl.checks.frozen_report(network)` warns of it before any training.
#
# **The cure:** `tl.unfreeze(network)`, or, in plain Keras, `layer.trainable = False` for every batch norm, last.

# %%
del drifting
keras.utils.clear_session(free_memory=True)  # one after the other: together they would fill the memory

# %% [markdown]
# ## 2 · No recompile after unfreezing
#
# **What people do.** Train the head, then set `trainable = True` and call `fit` again. The flags are right, the summary counts the
# right number of trainable parameters, the loss falls.

# %% tags=["trained-here"]
forgotten = new_network(head_weights)
tl.freeze(forgotten)
forgotten.compile(keras.optimizers.Adam(5e-4), loss="sparse_categorical_crossentropy")
print(f"the head alone, one epoch more: {train(forgotten, epochs=1):.1%}")

# %%
for layer in forgotten.layers:
    layer.trainable = not isinstance(layer, keras.layers.BatchNormalization)

before_fit = tl.checks.snapshot(forgotten)
trainable = sum(weight.shape.num_elements() for weight in forgotten.trainable_weights)
print(f"{trainable:,} numbers are trainable.")

# %% [markdown]
# **Predict first.** How many of them will have changed after three more epochs?

# %% tags=["trained-here"]
print(f"not compiled again: {train(forgotten):.1%}")

# %% [markdown]
# The right way is the one of the first mistake: there, the model was compiled after its flags were set. In five draws of ten epochs,
# the difference was this:

# %%
measured("no recompile after unfreezing")

# %% [markdown]
# This is what a head alone comes to, for nothing else has learned. And the first mistake came to about the same: what the fine-tuning
# had gained, batch norm took back.

# %% [markdown]
# **The check** is the same one. This time it misses something.

# %%
try:
    tl.checks.assert_changed(before_fit, forgotten, only=meant)
except tl.errors.CheckError as error:
    print(error)

# %% [markdown]
# **The cure:** `network.compile(…)` after the last change of a flag.

# %%
del forgotten, before_fit
keras.utils.clear_session(free_memory=True)

# %% [markdown]
# ## 3 · A learning rate a hundred times too high
#
# **What people do.** Take the rate of an example that trained from scratch, or of plain SGD, or mistype a power of ten.

# %%
ruined = new_network(head_weights)
tl.unfreeze(ruined)
ruined.compile(keras.optimizers.Adam(5e-2), loss="sparse_categorical_crossentropy")

# %% [markdown]
# **Predict first.** Five steps are one epoch. How much of the network is left after one?

# %% tags=["trained-here"]
print(f"a hundred times the rate: {train(ruined, epochs=1):.1%}")

# %% [markdown]
# One in ten is guessing. More epochs do not bring it back:

# %%
measured("learning rate 100 times too high")

# %% [markdown]
# **The check** asks how far the weights of each block have moved, as a share of their own length.

# %% tags=["trained-here"]
for name, network in {"right, three epochs": right, "a hundred times, one": ruined}.items():
    print(f"{name:20} the block that moved most: {max(tl.checks.moved(before, network).values()):.1%}")

# %% tags=["trained-here"]
try:
    tl.checks.assert_still_pretrained(before, ruined)
except tl.errors.CheckError as error:
    print(error)

# %% [markdown]
# Where does the limit come from? From the same five draws:

# %%
found = study["mistakes"]["learning rate 100 times too high"]
for moved in ("moved_right", "moved_wrong_after_one_epoch", "moved_wrong"):
    print(f"{moved:27} {found[moved]['mean']:.0%} ± {found[moved]['sd']:.0%}")

# %% [markdown]
# There is a wide gap between the two, and the limit stands in it. It is no law: with very much data, a good fine-tuning may walk far.
# `tl.fine_tune` writes the distances into its record and says so by itself if they are beyond the limit.
#
# **The cure:** a smaller rate. With Adam, 1e-4 to 5e-4 is a good first try for pretrained blocks.

# %%
del ruined, right, before, network
keras.utils.clear_session(free_memory=True)

# %% [markdown]
# ## 4 · The wrong preprocessing
#
# **What people do.** The networks of this course preprocess by themselves. Most published ones do not: they want their pixels as
# they had them in training, each family in another way. It is forgotten, or it is done for another family.
#
# To make that mistake, we need a network without its preprocessing. This is ours, laid bare:

# %%
network = model.network
bare = keras.Model(network.get_layer("preprocessing").output, network.output, name="bare")

# %%
solar = tl.load_dataset("solar")
some, others = solar.train.sample(per_class=40), solar.validation.sample(per_class=50)
pixels, other_pixels = (
    np.stack([tl.pictures.resize(image, model.input_size) for image in part.images]) for part in (some, others)
)


# %%
def described_by(prepare, images):
    """What the bare network makes of pixels that were prepared, ten at a time."""
    parts = np.array_split(images, len(images) // 10)
    return np.concatenate([bare.predict_on_batch(prepare(part)) for part in parts])


def accuracy_with(prepare):
    probe = tl.train_classifier(described_by(prepare, pixels), some.labels)
    return probe.score(described_by(prepare, other_pixels), others.labels)


# %% [markdown]
# **Predict first.** Every number that goes in is now more than a hundred times too large, in training and afterwards alike. What is left
# of the features?

# %%
print(f"right:     {accuracy_with(model.preprocess):.1%}")

# %%
print(f"forgotten: {accuracy_with(np.float32):.1%}")

# %% [markdown]
# One draw of eighty cells says little. With two hundred to learn from, and five draws:

# %%
measured("wrong preprocessing")

# %% [markdown]
# The cost is smaller than its own spread. A network is surprisingly patient with pixels that are wrong in the same way every time:
# what it sees is odd, but it is still different for different pictures, and a probe makes the best of it. Other mistakes, and two ways to make each: everywhere, or in
# use only, by a program that somebody else wrote.

# %%
for data, ways in study["preprocessings"].items():
    print(f"{data:26} throughout    only in use")
    for way, found in ways.items():
        print(f"    {way:22} {found['throughout']['mean']:10.1%} {found['only in use']['mean']:14.1%}")

# %% [markdown]
# On the left, no way is far from the right one, and for the numerals some wrong ones lie above it, within the spread. Now read the
# right column. **What costs most is to do one thing in training and another in use**: some of these leave nothing but guessing.
# And for pictures in grey it does not matter at all that red and blue are exchanged: look for such a mistake with colours.
#
# **The check** runs your function on two photographs and says what it does instead.

# %%
for prepare in (lambda images: images / 255, lambda images: model.preprocess(images)[..., ::-1]):
    try:
        tl.checks.assert_preprocessing(model, prepare)
    except tl.errors.CheckError as error:
        print(error, end="\n\n")

# %% [markdown]
# **The cure:** let the network do it. `model.extract_features`, `tl.fine_tune` and `model.network` take pixels as they are, and refuse
# some that are not.

# %% [markdown]
# ## 5 · Everything unfrozen under a random head
#
# **What people do.** Load, add a head, unfreeze, fit. Why train twice?
#
# Lesson 05 said why: the errors of a random head are random, and shake loose what was learned before.
#
# **Predict first.** The right way of the first mistake began with a trained head. What will the random beginning cost, in as many
# epochs?

# %%
keras.utils.set_random_seed(0)  # the random head is the same each time
hasty = new_network()
tl.unfreeze(hasty)
hasty.compile(keras.optimizers.Adam(5e-4), loss="sparse_categorical_crossentropy")

# %% tags=["trained-here"]
print(f"random head, as many epochs: {train(hasty):.1%}")

# %% [markdown]
# A few points, perhaps, and one draw cannot tell them from luck. (A finished head makes few errors on the signs that it has learned,
# and errors are what blocks learn from: that may be why it is not much of a better start.) With five draws and ten epochs, and with
# twelve blocks unfrozen instead of six:

# %%
found = study["mistakes"]["everything unfrozen under a random head"]
for blocks, key in ((6, "_six_blocks"), (12, "")):
    first, random = found[f"right{key}"], found[f"wrong{key}"]
    print(f"{blocks:2} blocks: head first {first['mean']:.1%} ± {first['sd']:.1%}, ", end="")
    print(f"random head {random['mean']:.1%} ± {random['sd']:.1%}")

# %%
measured("everything unfrozen under a random head")

# %% [markdown]
# (The cost is that with twelve.) So the warning needs a condition. The fewer blocks may learn, the less there is to shake loose, and
# with six of them a head that grows up together with its blocks was about as good a beginning as a finished one. With twelve it was
# worse on the whole, and above all unreliable: the spread is as large as the cost, and there are draws in which it costs nothing.
#
# **The check** sees the head and the flags, and cannot know how much is going to be lost. It asks for what is safe.

# %%
fresh = new_network()
tl.unfreeze(fresh)

try:
    tl.checks.assert_head_trained(fresh)
except tl.errors.CheckError as error:
    print(error)

# %% [markdown]
# **The cure:** the head first. `tl.fine_tune` begins with a probe for a head.

# %%
del hasty, fresh
keras.utils.clear_session(free_memory=True)

# %% [markdown]
# ## 6 · Augmentation before the split
#
# **What people do.** Make eight hundred pictures out of two hundred, shuffle, and hold a quarter of them out. Every held-out picture is
# one that has not been trained on, so it looks right.
#
# The next two mistakes cost no accuracy. They cost the truth. Sixty solar cells of each class, in the four views of lesson 05:

# %%
some = solar.train.sample(per_class=60)
flips = ("as is", "left-right", "upside-down", "half-turn")
views = np.concatenate([tl.augment(image, flips, model.input_size) for image in some.images])
labels, cell = np.repeat(some.labels, 4), np.repeat(np.arange(len(some)), 4)

# %%
described = model.extract_features(views)
fresh_cells = solar.validation
fresh_features = model.extract_features(fresh_cells.images)

# %% [markdown]
# `held` says which views are held out. What they report is compared with cells that nobody has touched.


# %%
def reported_and_true(held):
    probe = tl.train_classifier(described[~held], labels[~held])
    reported, true = probe.score(described[held], labels[held]), probe.score(fresh_features, fresh_cells.labels)
    print(f"reported {reported:.1%}, true {true:.1%}")


# %% [markdown]
# **Predict first.** By how much will the two differ, if a quarter of the *views* is held out?

# %%
rng = np.random.default_rng(0)
held_views = rng.permutation(len(views)) < len(views) // 4
reported_and_true(held_views)

# %% [markdown]
# And if a quarter of the *cells* is, each with all its views:

# %%
held_cells = np.isin(cell, rng.permutation(len(some))[: len(some) // 4])
reported_and_true(held_cells)

# %% [markdown]
# The first probe has met nearly every held-out cell before, turned or mirrored. It need not recognise a defect. It recognises the cell.

# %%
found = study["mistakes"]["augmented before the split"]
for way in ("right", "wrong"):
    reported, true = found[f"reported_{way}"], found[f"true_{way}"]
    print(f"{way}: reported {reported['mean']:.1%} ± {reported['sd']:.1%}, true {true['mean']:.1%} ± {true['sd']:.1%}")
measured("augmented before the split")

# %% [markdown]
# (The cost is what the mistake flatters by: reported less true.)
#
# **The check** looks for the same picture on both sides, mirrored, brightened or saved anew, and shows what it has found.

# %%
try:
    tl.checks.assert_disjoint(views[~held_views], views[held_views], names=["train", "held out"], show=2)
except tl.checks.LeakageError as error:
    print(error)

# %% [markdown]
# It finds pictures, not sources. Cells upside down or turned by a few degrees, or two photographs of the same dog, pass. Only you know
# what belongs together.
#
# **The cure:** split first, by what pictures come from; then augment the training part.

# %%
tl.checks.assert_disjoint(views[~held_cells], views[held_cells], names=["train", "held out"])

# %% [markdown]
# ## 7 · Choosing on the test set
#
# **What people do.** Try something, look at the test, try something else, keep the best. Nothing has been trained on the test pictures, so
# it looks right.
#
# Here are thirty-one probes: the features of five blocks, alone and in all combinations. All of them learn from the same cells.

# %%
from itertools import combinations

blocks = ["block3b", "block4c", "block5c", "block6d", "head"]
choices = [names for count in range(1, 6) for names in combinations(blocks, count)]
few = solar.train.sample(per_class=60)

# %% [markdown]
# The network runs once, and its features are then cut into those of each block: of every channel the mean and the maximum.

# %%
channels = [model.network.get_layer(model.blocks[block][-1]).output.shape[-1] for block in blocks]
ends = np.cumsum([2 * count for count in channels])[:-1]


def by_block(images):
    return dict(zip(blocks, np.split(model.extract_features(images, blocks), ends, axis=1), strict=True))


learned_by, tested_by = by_block(few.images), by_block(solar.test.images)


# %%
def right_on_test(names):
    """Which of the test cells a probe on the features of these blocks gets right."""
    learned_rows, test_rows = (np.hstack([by[name] for name in names]) for by in (learned_by, tested_by))
    probe = tl.train_classifier(learned_rows, few.labels, C=1e-2)
    return probe.predict(test_rows) == solar.test.labels


correct = np.array([right_on_test(names) for names in choices])
correct.shape

# %% [markdown]
# We pretend that the test has a hundred cells, drawn from these, and choose the best of the thirty-one by them. The other cells then tell
# how good it really is.


# %%
def flattery(tested, draw):
    """What the best by a test is reported to be, less what it is on the other cells."""
    order = np.random.default_rng(draw).permutation(correct.shape[1])
    reported, true = (correct[:, cells].mean(axis=1) for cells in (order[:tested], order[tested:]))
    best = reported.argmax()
    return reported[best] - true[best]


# %% [markdown]
# **Predict first.** Is the best of thirty-one as good as its test says?

# %%
flattered = [flattery(tested=100, draw=draw) for draw in range(200)]
print(f"reported less true: {100 * np.mean(flattered):.1f} points in the mean of 200 tests")

# %% [markdown]
# Whoever takes the best of several results takes the luckiest. With more choices there is more luck to be had; the study let 155 probes
# compete.

# %%
found = study["mistakes"]["chosen on the test set"]
for way in ("right", "wrong"):
    print(f"{way}: reported {found[f'reported_{way}']['mean']:.1%}, true {found[f'true_{way}']['mean']:.1%}")
spread = 100 * found["sd_of_one_test"]["mean"]
print(f"{found['settings']['mean']:.0f} probes; one test differs from the next by ± {spread:.1f} points")
measured("chosen on the test set")

# %% [markdown]
# "Right" was chosen by cross-validation, among the cells that were learned from. Look at what is *true*: the choice itself was no worse on
# the test set. The *number* was.
#
# **The check** is a seal. A sealed split tells how many pictures it has, and judges one classifier.

# %%
test = tl.checks.seal(solar.test)
test

# %%
probes = [
    tl.train_classifier(learned_by[block], few.labels, solar.class_names, C=1e-2)
    for block in ("head", "block6d")
]

print(f"{test.open(lambda images: probes[0].predict(tested_by['head'])).accuracy:.1%}")

# %% [markdown]
# Run that cell again, and it says the same. Another classifier is refused:

# %%
try:
    test.open(lambda images: probes[1].predict(tested_by["block6d"]))
except tl.errors.CheckError as error:
    print(error)

# %% [markdown]
# A seal that can be renewed is no lock. It counts, so that you can report how often you looked.
#
# **The cure:** choose by validation; open the test once.
#
# ## 8 · Logits with a softmax loss
#
# **What people do.** Leave the activation of the last layer out, as in PyTorch, where the loss brings its own; or write it in both places.
#
# Keras has no way to tell numbers from probabilities. With `from_logits=False`, which is the default, it takes whatever comes for
# probabilities.


# %%
def last_layer(activation, from_logits):
    keras.utils.set_random_seed(0)
    network = keras.Sequential([keras.Input((1280,)), keras.layers.Dense(10, activation=activation)])
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=from_logits)
    network.compile(keras.optimizers.Adam(1e-3), loss)
    network.fit(features, learned.labels, batch_size=20, epochs=20, verbose=0)
    return network


judged_features = model.extract_features(judged.images)


def read(network):
    answers = network.predict(judged_features, verbose=0).argmax(axis=1)
    return f"{np.mean(answers == judged.labels):.1%}"


# %% tags=["trained-here"]
print("softmax:", read(last_layer("softmax", from_logits=False)))

# %% [markdown]
# **Predict first.** The same without softmax: it learns, it learns more slowly, or it does not learn?

# %% tags=["trained-here"]
logits = last_layer(None, from_logits=False)
print("logits:", read(logits))

# %%
measured("logits with a softmax loss")

# %% [markdown]
# Numbers below 0 and above 1 are cut off, and where something is cut off there is no gradient: a right sign whose number is
# below 0 is never told to grow.
#
# And the other way round, softmax twice? Or sigmoids, where there are ten classes?

# %%
for way, found in study["losses"].items():
    print(f"{way:26} {found['mean']:.1%} ± {found['sd']:.1%}")

# %% [markdown]
# Four of five are the same to the last digit. Keras remembers what went into a softmax or sigmoid, takes that, and warns at most. So
# these two mistakes cost nothing here; with another backend, or an activation that Keras does not know, they would. (What a network
# with sigmoids *gives* is still no distribution: only its order of the classes is right.)
#
# **The check** compares the last layer with the loss.

# %%
try:
    tl.checks.assert_loss_fits(logits)
except tl.errors.CheckError as error:
    print(error)

# %% [markdown]
# **The cure:** make head and loss together; `tl.add_head` does.
#
# ## All eight

# %%
names = list(study["mistakes"])
costs = [100 * study["mistakes"][name]["cost"]["mean"] for name in names]
spreads = [100 * study["mistakes"][name]["cost"]["sd"] for name in names]

tl.show.bars(names, costs, "percentage points of accuracy, or of flattery", "What eight mistakes cost", spreads)

# %%
checks = [study["mistakes"][name]["check"] for name in names]
wrong_runs, spoke, false_alarms = (sum(check[key] for check in checks) for key in ("of", "spoke", "false_alarms"))
print(f"Checks spoke in {spoke} of {wrong_runs} wrong runs, and in {false_alarms} of as many right ones.")

# %% [markdown]
# The loudest mistakes are not the most dangerous. A rate that is too high or a missing softmax shows itself at once: the accuracy is
# that of guessing, or not far from it. The quiet ones, batch norm and the forgotten `compile`, cost about a tenth and look like a
# difficult task. And those of the splits look like *success*.
#
# ## Exercises
#
# ### Exercise 8.1: who should wait?
#
# Four colleagues have each built a network for the ten numerals, with a head that they say is trained, and are about to call `fit`. Who
# should wait, and for what? The verdicts are `"batch norm"`, `"loss"`, `"new head"` and `"nothing"`.
#
# Stuck? `tl.check.hint("8.1")` in a cell of its own gives the first of three hints.

# %%
from tlcourse.exercises.lessons_06_08 import networks_of_colleagues

colleagues = networks_of_colleagues(model)
verdicts = {"Ada": None, "Ben": None, "Cleo": None, "Dora": None}  # replace None

tl.check("8.1", verdicts)

# %% tags=["solution", "hide-cell"] jupyter={"source_hidden": true, "outputs_hidden": true}
for name, network in colleagues.items():
    print(name, tl.checks.frozen_report(network).warnings)

verdicts = {"Ada": "loss", "Ben": "nothing", "Cleo": "batch norm", "Dora": "new head"}
tl.check("8.1", verdicts)

# %% [markdown]
# ### Exercise 8.2: mend it
#
# This network is about to be trained on our numerals, and nearly everything is wrong with it. Mend it: `block7a`, the block behind
# it and the last layer should learn, and nothing else; `head_weights` are those of a trained head; and head, loss and rate should fit.
#
# Stuck? `tl.check.hint("8.2")` in a cell of its own gives the first of three hints.

# %%
patient = new_network()
for layer in patient.layers:
    layer.trainable = True
patient.compile(keras.optimizers.Adam(0.05), keras.losses.SparseCategoricalCrossentropy(from_logits=True))

mended = None  # replace None by patient, when it is mended

tl.check("8.2", mended)

# %% tags=["solution", "hide-cell"] jupyter={"source_hidden": true, "outputs_hidden": true}
patient.get_layer("new_head").set_weights(head_weights)
tl.freeze(patient, up_to="block6d")
patient.compile(keras.optimizers.Adam(5e-4), loss="sparse_categorical_crossentropy")
tl.check("8.2", patient)

# %% [markdown]
# ### Exercise 8.3: a larger test
#
# A test of a hundred cells flatters the best of thirty-one probes. By how much does a test of three hundred? Give the mean over many
# draws, as a share.
#
# Stuck? `tl.check.hint("8.3")` in a cell of its own gives the first of three hints.

# %%
flattery_of_300 = None  # replace None

tl.check("8.3", flattery_of_300, correct)

# %% tags=["solution", "hide-cell"] jupyter={"source_hidden": true, "outputs_hidden": true}
flattery_of_300 = np.mean([flattery(tested=300, draw=draw) for draw in range(200)])
tl.check("8.3", flattery_of_300, correct)

# %% [markdown]
# ## Summary
#
# | Mistake | Check | Cure |
# |---|---|---|
# | batch norm in training mode | `assert_changed`, `frozen_report` | `tl.unfreeze(network)` |
# | no recompile after unfreezing | `assert_changed`, `frozen_report` | `network.compile(…)` after the last flag |
# | a rate too high | `assert_still_pretrained` | a hundredth of it |
# | the wrong preprocessing | `assert_preprocessing` | let the network do it |
# | a random head on thawed blocks | `assert_head_trained`, `frozen_report` | the head first |
# | augmentation before the split | `assert_disjoint` | split, then augment |
# | choosing on the test set | `seal` | choose by validation |
# | logits with a softmax loss | `assert_loss_fits`, `frozen_report` | head and loss together |
#
# - None of these raised an error in Keras. All checks together take a few lines; `frozen_report` before `fit` asks four of the questions.
# - A mistake that is made in the same way everywhere may cost little. The same mistake on one side only can cost everything.
# - Whether a mistake costs something depends on what else is done. We measured small data, one network and few epochs; what was cheap
#   here need not be cheap elsewhere.
# - Accuracies that are too good deserve as much suspicion as those that are too bad.
