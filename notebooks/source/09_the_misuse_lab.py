# %% [markdown]
# # 09 · The misuse lab
#
# Some mistakes are made by nearly everybody once, and Keras gives no warning of them. Here you make eight of them on
# purpose, see what each costs, and meet the check that would have warned you.
#
# **Minutes:** about 55 · **Needs:** nothing from the internet

# %% tags=["setup"]
# Written by notebooks/build.py (set_up): it says how to get the course where it is missing.

# %% [markdown]
# ## What you will learn
#
# - to recognise eight mistakes by their effects, since no error message will name them;
# - what each of them costs on real pictures, with its standard deviation, and which cost less than their reputation
#   suggests;
# - one check and a short fix for each.
#
# ## The workbench
#
# Five of the mistakes are made with the numerals 一 … 十. Training set and test set have ten pictures of each; those of
# the test set are in other fonts.

# %%
import tlcourse as tl

kanji = tl.load_dataset("kanji")
numerals = kanji.with_classes(kanji.class_names[:10])
training, test = numerals.train.sample(per_class=10), numerals.test.sample(per_class=10)

len(training), len(test)

# %% [markdown]
# The network is the one that you know, and everything up to `block5c` stays frozen in this lesson. So its activations
# at this point are computed once, and the blocks after it are trained on them: a grid of 14 × 14 positions for each
# character.

# %%
import numpy as np

model = tl.load_pretrained_model()
training_maps, test_maps = (np.float32(model.activations(part.images, "block5c")) for part in (training, test))

training_maps.shape

# %% [markdown]
# After the cut there is an ordinary Keras model: six blocks, and a head for ten characters. (Nothing in `model` is
# changed: the six blocks are copied.)

# %%
import keras

six_blocks = keras.Model(model.network.get_layer(model.blocks["block5c"][-1]).output, model.network.output)


def new_network(head_weights=None):
    """A copy of the six blocks, with a head for ten characters: a trained one, or a new one."""
    copy = keras.models.clone_model(six_blocks)
    copy.set_weights(six_blocks.get_weights())
    head = keras.layers.Dense(10, activation="softmax", name="new_head")
    network = keras.Model(copy.inputs, head(copy.output))
    if head_weights:
        head.set_weights(head_weights)
    return network


# %% [markdown]
# A head is trained on features, as in lesson 04. Most of what follows starts from its weights.

# %%
keras.utils.set_random_seed(0)
head = keras.Sequential([keras.Input((1280,)), keras.layers.Dense(10, activation="softmax")])
head.compile(keras.optimizers.Adam(1e-3), loss="sparse_categorical_crossentropy")

features = model.extract_features(training.images)
head.fit(features, training.labels, batch_size=20, epochs=20, verbose=0)
head_weights = head.get_weights()

# %% [markdown]
# The next function trains a network that has been compiled, and returns its accuracy on the test set. A hundred
# characters in batches of twenty are five steps, and no picture is left over: for a smaller last batch, Keras would
# have to prepare the network once more.


# %%
def train(network, epochs=2):
    """Train, and return the accuracy on the test set."""
    keras.utils.set_random_seed(0)
    network.fit(training_maps, training.labels, batch_size=20, epochs=epochs, verbose=0)
    answers = network.predict(test_maps, verbose=0).argmax(axis=1)
    return np.mean(answers == test.labels)


# %% [markdown]
# A single training shows the mistake, but says little about its cost. So `make results` made and avoided each mistake
# with five seeds, on other samples of characters or cells each time. Where blocks are trained, that was for ten epochs
# in batches of sixteen. It also ran the check every time.


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
# **What people do.** "Now unfreeze the base": they set every flag to true. It looks right, since it is literally what
# was said.
#
# First the right way. `tl.unfreeze` makes everything trainable except the batch normalization layers.

# %%
right = new_network(head_weights)
tl.unfreeze(right)
right.compile(keras.optimizers.Adam(5e-4), loss="sparse_categorical_crossentropy")

# %% tags=["trained-here"]
before = tl.checks.snapshot(right)
print(f"right: {train(right):.1%}")

# %% [markdown]
# **Predict first.** Six blocks have sixteen batch normalization layers. Will it matter if they are trained, too, for
# ten steps?

# %%
drifting = new_network(head_weights)
for layer in drifting.layers:
    layer.trainable = True
drifting.compile(keras.optimizers.Adam(5e-4), loss="sparse_categorical_crossentropy")

# %% tags=["trained-here"]
print(f"batch norm in training mode: {train(drifting):.1%}")

# %% [markdown]
# During `fit`, a batch normalization layer in training mode normalizes with the mean and variance of the current batch,
# twenty characters; afterwards it uses its moving averages, which are a mixture of a million photographs and a few of
# these batches. The weights are trained with the one and used with the other.

# %%
measured("batch norm in training mode")

# %% [markdown]
# **The check.** We tell `assert_changed` what was meant to change: the six blocks and the head. In a pretrained network
# the moving averages are never meant to.

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
# **The fix:** `tl.unfreeze(network)`, or, in plain Keras, `layer.trainable = False` for every batch normalization
# layer, after all other flags are set.

# %%
del drifting
keras.utils.clear_session(free_memory=True)  # one after the other: together they would fill the memory

# %% [markdown]
# ## 2 · No recompile after unfreezing
#
# **What people do.** Train the head, then set `trainable = True` and call `fit` again. The flags are right, the summary
# shows the right number of trainable parameters, and the loss falls.

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
# **Predict first.** How many of these parameters will have changed after two more epochs?

# %% tags=["trained-here"]
print(f"not compiled again: {train(forgotten):.1%}")

# %% [markdown]
# The right way is that of the first mistake: there, the model was compiled after its flags were set. Over five seeds
# and ten epochs, the difference was this:

# %%
measured("no recompile after unfreezing")

# %% [markdown]
# This is the accuracy of a trained head alone, because nothing else was trained. The first mistake led to about the
# same accuracy: batch normalization lost what fine-tuning had gained.

# %% [markdown]
# **The check** is the same one. This time it reports weights that should have changed and did not.

# %%
try:
    tl.checks.assert_changed(before_fit, forgotten, only=meant)
except tl.errors.CheckError as error:
    print(error)

# %% [markdown]
# **The fix:** `network.compile(…)` after the last change of a flag.

# %%
del forgotten, before_fit
keras.utils.clear_session(free_memory=True)

# %% [markdown]
# ## 3 · A learning rate a hundred times too high
#
# **What people do.** Copy the learning rate of an example that trained from scratch, or of plain SGD, or mistype a
# power of ten.

# %%
ruined = new_network(head_weights)
tl.unfreeze(ruined)
ruined.compile(keras.optimizers.Adam(5e-2), loss="sparse_categorical_crossentropy")

# %% [markdown]
# **Predict first.** Five steps are one epoch. How much of the network is left after one?

# %% tags=["trained-here"]
print(f"a hundred times the rate: {train(ruined, epochs=1):.1%}")

# %% [markdown]
# One in ten is chance. More epochs do not bring it back:

# %%
measured("learning rate 100 times too high")

# %% [markdown]
# **The check** asks how far the weights of each block have moved, relative to their own length.

# %% tags=["trained-here"]
for name, network in {"right, two epochs": right, "a hundred times, one": ruined}.items():
    print(f"{name:20} the block that moved most: {max(tl.checks.moved(before, network).values()):.1%}")

# %% tags=["trained-here"]
try:
    tl.checks.assert_still_pretrained(before, ruined)
except tl.errors.CheckError as error:
    print(error)

# %% [markdown]
# Where does the limit come from? From the same five seeds:

# %%
found = study["mistakes"]["learning rate 100 times too high"]
for moved in ("moved_right", "moved_wrong_after_one_epoch", "moved_wrong"):
    print(f"{moved:27} {found[moved]['mean']:.0%} ± {found[moved]['sd']:.0%}")

# %% [markdown]
# There is a wide gap between the two, and the limit lies in it. It is a rule of thumb: with very much data, a good
# fine-tuning may move the weights further. `tl.fine_tune` writes the distances into its record, and prints a warning if
# they are beyond the limit.
#
# **The fix:** a smaller learning rate. With Adam, 1e-4 to 5e-4 is a good first try for pretrained blocks.

# %%
del ruined, right, before, network
keras.utils.clear_session(free_memory=True)

# %% [markdown]
# ## 4 · The wrong preprocessing
#
# **What people do.** The networks of this course include their preprocessing. Most published ones do not: they expect
# pixels preprocessed as in their training, and every family of networks does it in another way. People forget it, or
# use the preprocessing of another family.
#
# To make this mistake, we need a network without its preprocessing:

# %%
network = model.network
bare = keras.Model(network.get_layer("preprocessing").output, network.output, name="bare")

# %%
solar = tl.load_dataset("solar")
some, others = solar.train.sample(per_class=30), solar.validation.sample(per_class=20)
pixels, other_pixels = (
    np.stack([tl.pictures.resize(image, model.input_size) for image in part.images]) for part in (some, others)
)


# %%
def described_by(prepare, images):
    """Features of the bare network for preprocessed pixels, ten pictures at a time."""
    parts = np.array_split(images, len(images) // 10)
    return np.concatenate([bare.predict_on_batch(prepare(part)) for part in parts])


def accuracy_with(prepare):
    probe = tl.train_classifier(described_by(prepare, pixels), some.labels)
    return probe.score(described_by(prepare, other_pixels), others.labels)


# %% [markdown]
# **Predict first.** Every input is now more than a hundred times too large, in training and in testing alike. What is
# left of the features?

# %%
print(f"right:     {accuracy_with(model.preprocess):.1%}")

# %%
print(f"forgotten: {accuracy_with(np.float32):.1%}")

# %% [markdown]
# One sample of sixty cells says little. With two hundred cells in the training set, and five seeds:

# %%
measured("wrong preprocessing")

# %% [markdown]
# The cost is smaller than its standard deviation. The network tolerates pixels that are wrong in the same way every
# time: its features are unusual, but still different for different pictures, and a probe makes the best of them. Here
# are more mistakes in preprocessing, each made in two ways: throughout, or in use only, as in a program that somebody
# else wrote.

# %%
for data, ways in study["preprocessings"].items():
    print(f"{data:26} throughout    only in use")
    for way, found in ways.items():
        print(f"    {way:22} {found['throughout']['mean']:10.1%} {found['only in use']['mean']:14.1%}")

# %% [markdown]
# In the left column no mistake is far from the right way, and for the numerals some are even above it, within the
# standard deviation. Now read the right column. **What costs most is to do one thing in training and another in use**:
# some of these mistakes leave an accuracy at chance, or close to it. And for grey pictures it does not matter at all
# that red and blue are exchanged; to find that mistake, test with colours.
#
# **The check** runs your function on two photographs and says what it does instead.

# %%
for prepare in (lambda images: images / 255, lambda images: model.preprocess(images)[..., ::-1]):
    try:
        tl.checks.assert_preprocessing(model, prepare)
    except tl.errors.CheckError as error:
        print(error, end="\n\n")

# %% [markdown]
# **The fix:** let the network do it. `model.extract_features`, `tl.fine_tune` and `model.network` take pixels as they
# are, and refuse some that are not.

# %% [markdown]
# ## 5 · Everything unfrozen under a random head
#
# **What people do.** Load, add a head, unfreeze, fit. Why train twice?
#
# Lesson 05 gave the reason: a random head sends random gradients into the base, and they destroy part of what was
# pretrained.
#
# **Predict first.** The right way of the first mistake started from a trained head. What will it cost to start from a
# random one, with as many epochs? A single training cannot tell a few points from chance (try it: unfreeze and compile
# `new_network()`, then call `train`). With five seeds and ten epochs, and with twelve blocks unfrozen as well as six:

# %%
found = study["mistakes"]["everything unfrozen under a random head"]
for blocks, key in ((6, "_six_blocks"), (12, "")):
    first, random = found[f"right{key}"], found[f"wrong{key}"]
    print(f"{blocks:2} blocks: head first {first['mean']:.1%} ± {first['sd']:.1%}, ", end="")
    print(f"random head {random['mean']:.1%} ± {random['sd']:.1%}")

# %%
measured("everything unfrozen under a random head")

# %% [markdown]
# (This is the cost with twelve blocks.) So the warning needs a condition. The fewer blocks are trained, the less can be
# destroyed, and with six of them a random head that was trained together with its blocks was about as good as one that
# was trained first. (A trained head makes few errors on the training set, so the gradients that reach the blocks are
# small. That may be why it is not a much better start.) With twelve it was worse on average, and above all unreliable:
# the standard deviation is as large as the cost, and with some seeds it costs nothing.
#
# **The check** sees the head and the flags, and cannot know how much is going to be lost. It asks for the safe way.

# %%
fresh = new_network()
tl.unfreeze(fresh)

try:
    tl.checks.assert_head_trained(fresh)
except tl.errors.CheckError as error:
    print(error)

# %% [markdown]
# **The fix:** train the head first. `tl.fine_tune` does: it starts with a linear probe as the head.

# %%
del fresh
keras.utils.clear_session(free_memory=True)

# %% [markdown]
# ## 6 · Augmentation before the split
#
# **What people do.** Make eight hundred pictures out of two hundred, shuffle, and hold a quarter of them out. No
# held-out picture has been trained on, so it looks right.
#
# This mistake and the next hardly change the classifier. They make its reported accuracy too high (an **optimistic
# bias**). We take thirty solar cells of each class, in the four augmented copies of lesson 05:

# %%
some = solar.train.sample(per_class=30)
flips = ("as is", "left-right", "upside-down", "half-turn")
copies = np.concatenate([tl.augment(image, flips, model.input_size) for image in some.images])
labels, cell = np.repeat(some.labels, 4), np.repeat(np.arange(len(some)), 4)

# %%
copy_features = model.extract_features(copies)
fresh_cells = solar.validation.sample(per_class=60)
fresh_features = model.extract_features(fresh_cells.images)

# %% [markdown]
# `held` says which copies are held out. The accuracy on them is compared with that on cells of which there is no copy
# at all.


# %%
def reported_and_true(held):
    probe = tl.train_classifier(copy_features[~held], labels[~held])
    reported, true = probe.score(copy_features[held], labels[held]), probe.score(fresh_features, fresh_cells.labels)
    print(f"reported {reported:.1%}, true {true:.1%}")


# %% [markdown]
# **Predict first.** By how much will the two differ, if a quarter of the *copies* is held out?

# %%
rng = np.random.default_rng(0)
held_copies = rng.permutation(len(copies)) < len(copies) // 4
reported_and_true(held_copies)

# %% [markdown]
# And if a quarter of the *cells* is held out, each with all its copies:

# %%
held_cells = np.isin(cell, rng.permutation(len(some))[: len(some) // 4])
reported_and_true(held_cells)

# %% [markdown]
# The first probe has been trained on other copies of nearly every held-out cell, turned or mirrored. It need not
# recognise a defect; it can recognise the cell.

# %%
found = study["mistakes"]["augmented before the split"]
for way in ("right", "wrong"):
    reported, true = found[f"reported_{way}"], found[f"true_{way}"]
    print(f"{way}: reported {reported['mean']:.1%} ± {reported['sd']:.1%}, true {true['mean']:.1%} ± {true['sd']:.1%}")
measured("augmented before the split")

# %% [markdown]
# (The cost is the optimistic bias: the reported accuracy minus the true one.)
#
# **The check** looks for the same picture in both parts, mirrored, brightened or saved again, and shows what it has
# found.

# %%
try:
    tl.checks.assert_disjoint(copies[~held_copies], copies[held_copies], names=["train", "held out"], show=2)
except tl.checks.LeakageError as error:
    print(error)

# %% [markdown]
# It finds copies of a picture. It misses cells that are upside down or turned by a few degrees, and two photographs of
# the same dog. Only you know which pictures belong together.
#
# **The fix:** split first, by what the pictures come from; then augment the training set.

# %%
tl.checks.assert_disjoint(copies[~held_cells], copies[held_cells], names=["train", "held out"])

# %% [markdown]
# ## 7 · Choosing on the test set
#
# **What people do.** Try something, look at the test accuracy, try something else, keep the best. Nothing has been
# trained on the test pictures, so it looks right.
#
# Here are thirty-one probes: the features of five blocks, alone and in all combinations. All of them have the same
# training set.

# %%
from itertools import combinations

blocks = ["block3b", "block4c", "block5c", "block6d", "head"]
choices = [names for count in range(1, 6) for names in combinations(blocks, count)]
few = solar.train.sample(per_class=60)

# %% [markdown]
# The network runs once, with 8-bit weights to be quick, and its features are then split by block: for every channel the
# mean and the maximum.

# %%
small = tl.load_pretrained_model(precision="int8")
channels = [model.network.get_layer(model.blocks[block][-1]).output.shape[-1] for block in blocks]
ends = np.cumsum([2 * count for count in channels])[:-1]


def by_block(images):
    return dict(zip(blocks, np.split(small.extract_features(images, blocks), ends, axis=1), strict=True))


training_by_block, test_by_block = by_block(few.images), by_block(solar.test.images)


# %%
def right_on_test(names):
    """Which of the test cells a probe on the features of these blocks gets right."""
    training_rows, test_rows = (np.hstack([by[name] for name in names]) for by in (training_by_block, test_by_block))
    probe = tl.train_classifier(training_rows, few.labels, C=1e-2)
    return probe.predict(test_rows) == solar.test.labels


correct = np.array([right_on_test(names) for names in choices])
correct.shape

# %% [markdown]
# We pretend that the test set has only a hundred cells, a random sample of the real one, and choose the best of the
# thirty-one on them. The other test cells then tell how good it really is.


# %%
def optimistic_bias(tested, seed):
    """Reported accuracy of the best on a random test set, minus its accuracy on the other cells."""
    order = np.random.default_rng(seed).permutation(correct.shape[1])
    reported, true = (correct[:, cells].mean(axis=1) for cells in (order[:tested], order[tested:]))
    best = reported.argmax()
    return reported[best] - true[best]


# %% [markdown]
# **Predict first.** Is the best of thirty-one as good as its test accuracy says?

# %%
biases = [optimistic_bias(tested=100, seed=seed) for seed in range(200)]
print(f"optimistic bias: {100 * np.mean(biases):.1f} points, the mean over 200 random test sets")

# %% [markdown]
# The best of several results is best partly by chance. The more there are to choose from, the larger this part; the
# study compared 155 probes.

# %%
found = study["mistakes"]["chosen on the test set"]
for way in ("right", "wrong"):
    print(f"{way}: reported {found[f'reported_{way}']['mean']:.1%}, true {found[f'true_{way}']['mean']:.1%}")
deviation = 100 * found["sd_of_one_test"]["mean"]
print(f"{found['settings']['mean']:.0f} probes; one test differs from the next by ± {deviation:.1f} points")
measured("chosen on the test set")

# %% [markdown]
# "Right" was chosen by cross-validation on the training set. Look at the *true* accuracies: the probe that was chosen
# on the test set is no worse. Only its *reported* accuracy is wrong.
#
# **The check** is a seal. A sealed split tells how many pictures it has, and evaluates one classifier only.

# %%
sealed = tl.checks.seal(solar.test)
sealed

# %%
probes = [
    tl.train_classifier(training_by_block[block], few.labels, solar.class_names, C=1e-2)
    for block in ("head", "block6d")
]

print(f"{sealed.open(lambda images: probes[0].predict(test_by_block['head'])).accuracy:.1%}")

# %% [markdown]
# If you run that cell again, it prints the same. Another classifier is refused:

# %%
try:
    sealed.open(lambda images: probes[1].predict(test_by_block["block6d"]))
except tl.errors.CheckError as error:
    print(error)

# %% [markdown]
# A seal can be renewed, so it prevents nothing. It counts the classifiers, so that you can report how many were tested.
#
# **The fix:** choose on a validation set; open the test set once.
#
# ## 8 · Logits with a softmax loss
#
# **What people do.** Leave out the activation of the last layer, as in PyTorch, where the loss includes it; or apply it
# in both places.
#
# Keras does not check whether the outputs are logits or probabilities. With `from_logits=False`, which is the default,
# it takes them for probabilities.


# %%
def last_layer(activation, from_logits):
    keras.utils.set_random_seed(0)
    network = keras.Sequential([keras.Input((1280,)), keras.layers.Dense(10, activation=activation)])
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=from_logits)
    network.compile(keras.optimizers.Adam(1e-3), loss)
    network.fit(features, training.labels, batch_size=20, epochs=20, verbose=0)
    return network


test_features = model.extract_features(test.images)


def read(network):
    answers = network(test_features).numpy().argmax(axis=1)
    return f"{np.mean(answers == test.labels):.1%}"


# %% tags=["trained-here"]
print("softmax:", read(last_layer("softmax", from_logits=False)))

# %% [markdown]
# **Predict first.** The same without softmax: does it train as well, does it train more slowly, or not at all?

# %% tags=["trained-here"]
logits = last_layer(None, from_logits=False)
print("logits:", read(logits))

# %%
measured("logits with a softmax loss")

# %% [markdown]
# Outputs below 0 and above 1 are clipped, and where they are clipped there is no gradient: if the output of the right
# class is below 0, nothing in the loss makes it grow.
#
# And the other way round, softmax twice? Or sigmoids, where there are ten classes?

# %%
for way, found in study["losses"].items():
    print(f"{way:26} {found['mean']:.1%} ± {found['sd']:.1%}")

# %% [markdown]
# Four of the five print the same accuracy. Keras keeps the logits that went into a softmax or sigmoid, uses these for
# the loss, and at most prints a warning. So these two mistakes cost nothing here; with another backend, or an
# activation that Keras does not know, they would. (The *outputs* of a network with sigmoids are still not a probability
# distribution: only the order of the classes is right.)
#
# **The check** compares the last layer with the loss.

# %%
try:
    tl.checks.assert_loss_fits(logits)
except tl.errors.CheckError as error:
    print(error)

# %% [markdown]
# **The fix:** choose head and loss together, as `tl.add_head` does.
#
# ## All eight

# %%
names = list(study["mistakes"])
costs = [100 * study["mistakes"][name]["cost"]["mean"] for name in names]
deviations = [100 * study["mistakes"][name]["cost"]["sd"] for name in names]

unit = "percentage points of accuracy, or of optimistic bias"
tl.show.bars(names, costs, unit, "What eight mistakes cost", deviations)

# %%
checks = [study["mistakes"][name]["check"] for name in names]
wrong_runs, spoke, false_alarms = (sum(check[key] for check in checks) for key in ("of", "spoke", "false_alarms"))
print(f"Checks spoke in {spoke} of {wrong_runs} wrong runs, and in {false_alarms} of as many right ones.")

# %% [markdown]
# The mistakes with the highest cost in this chart are not the most dangerous. A learning rate that is too high or a
# missing softmax shows itself at once: the accuracy is that of chance, or not far from it. Batch normalization in
# training mode and the forgotten `compile` cost about a tenth, which looks like a difficult task. And the two mistakes
# with splits look like *success*.
#
# ## Exercises
#
# ### Exercise 9.1: who should wait?
#
# Four colleagues have each built a network for the ten numerals, with a head that they say is trained, and are about to
# call `fit`. Who should wait, and for what? The verdicts are `"batch norm"`, `"loss"`, `"new head"` and `"nothing"`.
#
# Stuck? `tl.check.hint("9.1")` in a cell of its own gives the first of three hints.

# %%
from tlcourse.exercises.lessons_09_12 import networks_of_colleagues

colleagues = networks_of_colleagues(model)
verdicts = {"Ada": None, "Ben": None, "Cleo": None, "Dora": None}  # replace None

tl.check("9.1", verdicts)

# %% tags=["solution", "hide-cell"] jupyter={"source_hidden": true, "outputs_hidden": true}
# Solution: click to open
for name, network in colleagues.items():
    print(name, tl.checks.frozen_report(network).warnings)

verdicts = {"Ada": "loss", "Ben": "nothing", "Cleo": "batch norm", "Dora": "new head"}
tl.check("9.1", verdicts)

# %% [markdown]
# ### Exercise 9.2: mend it
#
# This network is about to be trained on our numerals, and nearly everything is wrong with it. Mend it: only `block7a`,
# the block behind it and the last layer should be trainable; `head_weights` are those of a trained head; and head, loss
# and learning rate should fit.
#
# Stuck? `tl.check.hint("9.2")` in a cell of its own gives the first of three hints.

# %%
patient = new_network()
for layer in patient.layers:
    layer.trainable = True
patient.compile(keras.optimizers.Adam(0.05), keras.losses.SparseCategoricalCrossentropy(from_logits=True))

mended = None  # replace None by patient, when it is mended

tl.check("9.2", mended)

# %% tags=["solution", "hide-cell"] jupyter={"source_hidden": true, "outputs_hidden": true}
# Solution: click to open
patient.get_layer("new_head").set_weights(head_weights)
tl.freeze(patient, up_to="block6d")
patient.compile(keras.optimizers.Adam(5e-4), loss="sparse_categorical_crossentropy")
tl.check("9.2", patient)

# %% [markdown]
# ### Exercise 9.3: a larger test
#
# With a test set of a hundred cells, the reported accuracy of the best of thirty-one probes is too high. By how much is
# it with three hundred cells? Give the mean over many random test sets, as a share.
#
# Stuck? `tl.check.hint("9.3")` in a cell of its own gives the first of three hints.

# %%
bias_of_300 = None  # replace None

tl.check("9.3", bias_of_300, correct)

# %% tags=["solution", "hide-cell"] jupyter={"source_hidden": true, "outputs_hidden": true}
# Solution: click to open
bias_of_300 = np.mean([optimistic_bias(tested=300, seed=seed) for seed in range(200)])
tl.check("9.3", bias_of_300, correct)

# %% [markdown]
# ## Summary
#
# | Mistake | Check | Fix |
# |---|---|---|
# | batch norm in training mode | `assert_changed`, `frozen_report` | `tl.unfreeze(network)` |
# | no recompile after unfreezing | `assert_changed`, `frozen_report` | `network.compile(…)` after the last flag |
# | a learning rate too high | `assert_still_pretrained` | a hundredth of it |
# | the wrong preprocessing | `assert_preprocessing` | let the network do it |
# | a random head on unfrozen blocks | `assert_head_trained`, `frozen_report` | the head first |
# | augmentation before the split | `assert_disjoint` | split, then augment |
# | choosing on the test set | `seal` | choose on a validation set |
# | logits with a softmax loss | `assert_loss_fits`, `frozen_report` | head and loss together |
#
# - None of these mistakes raised an error in Keras. All checks together take a few lines; `frozen_report` before `fit`
#   covers four of the mistakes.
# - A mistake that is made in the same way in training and in use may cost little. The same mistake in only one of them
#   can cost everything.
# - What a mistake costs depends on the rest of the set-up. We measured small data, one network and few epochs; what was
#   cheap here need not be cheap elsewhere.
# - Check an accuracy that is surprisingly high as carefully as one that is too low.
