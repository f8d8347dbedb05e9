# %% [markdown]
# # 09 · The misuse lab
#
# Some mistakes raise no error and give no warning. Here you make five of them on purpose, see what each does, mend it
# in plain Keras or scikit-learn, and only then meet the check that would have reported it.
#
# **Minutes:** about 40 · **Needs:** nothing from the internet

# %% tags=["setup"]
# Written by notebooks/build.py (set_up): it says how to get the course where it is missing.

# %% [markdown]
# ## What you will learn
#
# - to recognise five mistakes by their effects, since no error message names them;
# - the cure of each, and its cost, measured with five seeds;
# - which assertion in `tl.checks` reports it.
#
# ## The set-up
#
# Parts 1 to 5 are independent: run this section, then any of them. The first three use the numerals 一 … 十. All blocks
# up to `block6b` stay frozen, so their output is computed once, as in lesson 05.

# %%
import keras
import numpy as np

import tlcourse as tl

kanji = tl.load_dataset("kanji")
numerals = kanji.with_classes(kanji.class_names[:10])
training, test = numerals.train.sample(per_class=10), numerals.test.sample(per_class=10)

model = tl.load_pretrained_model()
training_maps, test_maps = (np.float32(model.activations(part.images, "block6b")) for part in (training, test))
training_maps.shape, test_maps.shape

# %% [markdown]
# One hundred characters to train on, one hundred in other fonts to test on; for each, 7 × 7 positions with 192
# channels. What comes after `block6b` is an ordinary Keras model: four blocks, and a new head.

# %%
last_blocks = keras.Model(model.network.get_layer(model.blocks["block6b"][-1]).output, model.network.output)


def new_network(head_weights=None):
    """A copy of these blocks, with a head for ten characters: a trained one, or a new one."""
    keras.utils.clear_session(free_memory=True)  # of networks that no name refers to any more
    blocks = keras.models.clone_model(last_blocks)
    blocks.set_weights(last_blocks.get_weights())
    head = keras.layers.Dense(10, activation="softmax", name="new_head")
    network = keras.Model(blocks.inputs, head(blocks.output))
    if head_weights:
        head.set_weights(head_weights)
    return network


# %% [markdown]
# The head is trained first, on features (lesson 04). The trainings below begin with its weights.

# %%
keras.utils.set_random_seed(0)
head_alone = keras.Sequential([keras.Input((1280,)), keras.layers.Dense(10, activation="softmax")])
head_alone.compile(keras.optimizers.Adam(1e-3), loss="sparse_categorical_crossentropy")
head_alone.fit(model.extract_features(training.images), training.labels, batch_size=20, epochs=20, verbose=0)
head_weights = head_alone.get_weights()

# %% [markdown]
# Two functions for all parts: one trains a compiled network and prints three accuracies, the other one prints the error
# that a check raises, so that the notebook goes on.


# %%
def train(network, epochs=4):
    """Train, then evaluate on the same pictures and on the test set."""
    keras.utils.set_random_seed(0)
    options = {"epochs": epochs, "callbacks": [tl.fit_bar()], "verbose": 0}
    fit = network.fit(training_maps, training.labels, batch_size=20, **options)
    print(f"training set, last epoch of fit:  {fit.history['accuracy'][-1]:.0%}")
    for name, maps, labels in (("training", training_maps, training.labels), ("test", test_maps, test.labels)):
        _, accuracy = network.evaluate(maps, labels, batch_size=20, verbose=0)
        print(f"{name + ' set, evaluate:':33} {accuracy:.0%}")


# %%
def run_check(check, *arguments, **options):
    """Print what a check raises, or that it passes."""
    try:
        check(*arguments, **options)
    except tl.errors.CheckError as error:
        print(error)
    else:
        print("passed")


# %% [markdown]
# ## 1 · Batch norm in training mode
#
# **The mistake.** "Now unfreeze the base." `trainable = True` for a network sets the flags of all its layers, batch
# normalization included.
#
# **Predict first.** After four epochs, will `evaluate` find the same accuracy on the training set as `fit` reported?

# %% tags=["answer", "trained-here"]
careless = new_network(head_weights)
careless.trainable = True
careless.compile(keras.optimizers.Adam(5e-4), loss="sparse_categorical_crossentropy", metrics=["accuracy"])
train(careless)

# %% [markdown]
# On the same pictures `evaluate` finds errors that `fit` did not report, and on the test set more of them. Compare a
# batch normalization layer with what it was before:

# %% tags=["trained-here"]
name = "block6c_expand_bn"
for now, before in zip(careless.get_layer(name).weights, last_blocks.get_layer(name).weights, strict=True):
    moved = np.linalg.norm(now.numpy() - before.numpy()) / np.linalg.norm(before)
    print(f"{now.name:16} moved by {moved:.1%} of its length")

# %% [markdown]
# `gamma` and `beta`, which the optimizer trains, have hardly moved; the moving mean and variance have moved much
# further. In `fit`, the layer normalizes with the mean and variance of the batch, twenty characters; in `evaluate` with
# the moving ones, now a mixture of ImageNet's and those of a few batches. The network is trained with the first and
# used with the second.
#
# **The cure.** `trainable = False` for the batch normalization layers, after all other flags.

# %% tags=["trained-here"]
cured = new_network(head_weights)
for layer in cured.layers:
    layer.trainable = not isinstance(layer, keras.layers.BatchNormalization)
cured.compile(keras.optimizers.Adam(5e-4), loss="sparse_categorical_crossentropy", metrics=["accuracy"])
train(cured)

# %% [markdown]
# Now `fit` and `evaluate` agree, and the test accuracy is higher.
#
# **The check** compares what has changed with what was meant to: the four blocks and the head.

# %%
pretrained = tl.checks.snapshot(new_network(head_weights))
meant = [*list(model.blocks)[-4:], "your layers"]

run_check(tl.checks.assert_changed, pretrained, cured, only=meant)
run_check(tl.checks.assert_changed, pretrained, careless, only=meant)

# %% [markdown]
# 20 arrays: two moving statistics for each of ten layers. `tl.checks.frozen_report(network)` warns before training, and
# `tl.unfreeze(network)` sets the flags as in the cure.
#
# ## 2 · No recompile after changing `trainable`
#
# **The mistake.** Train the head on frozen blocks; then set their flags, and call `fit` again.
#
# **Predict first.** After that, 12 arrays have `trainable = True`: the kernels of 10 convolutions, and the head's
# kernel and bias. How many of them will four more epochs change?

# %% tags=["answer", "trained-here"]
careless = new_network(head_weights)
for layer in careless.layers:
    layer.trainable = layer.name == "new_head"
careless.compile(keras.optimizers.Adam(5e-4), loss="sparse_categorical_crossentropy", metrics=["accuracy"])
train(careless, epochs=1)

for layer in careless.layers:
    layer.trainable = not isinstance(layer, keras.layers.BatchNormalization)
before = careless.get_weights()
train(careless)
changed = [not np.array_equal(old, new) for old, new in zip(before, careless.get_weights(), strict=True)]
print(f"{sum(changed)} of {len(careless.trainable_weights)} arrays have changed")

# %% [markdown]
# Two: the head's. `compile` decides what `fit` trains, and it was called before the flags changed. The test accuracy is
# still that of a trained head on frozen blocks.
#
# **The cure.** Compile after the last change of a flag.

# %% tags=["trained-here"]
cured = careless  # the same network
cured.compile(keras.optimizers.Adam(5e-4), loss="sparse_categorical_crossentropy", metrics=["accuracy"])
train(cured)
changed = [not np.array_equal(old, new) for old, new in zip(before, cured.get_weights(), strict=True)]
print(f"{sum(changed)} of {len(cured.trainable_weights)} arrays have changed")

# %% [markdown]
# All of them, and the test accuracy is higher.
#
# **The check** is that of part 1. We make the mistake the other way round: freeze the last convolution, and do not
# compile.

# %% tags=["trained-here"]
before = tl.checks.snapshot(cured)
cured.get_layer("head_conv").trainable = False
cured.fit(training_maps, training.labels, batch_size=20, verbose=0)
run_check(tl.checks.assert_changed, before, cured, only=[*list(model.blocks)[-4:-1], "your layers"])

# %% [markdown]
# This flag was ignored as well: the convolution was trained. (`tl.freeze` and `tl.unfreeze` compile.)
#
# ## 3 · A learning rate far too high
#
# **The mistake.** The rate of an example that trained from scratch, or mistyped powers of ten: 0.05 in place of 0.0005.
#
# **Predict first.** One epoch is five steps. What will the test accuracy be after it?

# %% tags=["answer", "trained-here"]
careless = new_network(head_weights)
for layer in careless.layers:
    layer.trainable = not isinstance(layer, keras.layers.BatchNormalization)
careless.compile(keras.optimizers.Adam(5e-2), loss="sparse_categorical_crossentropy", metrics=["accuracy"])
train(careless, epochs=1)

# %% [markdown]
# One in ten is chance, on the training set as well.
#
# **The cure.** Begin again with the pretrained weights, at a smaller rate.

# %% tags=["trained-here"]
cured = new_network(head_weights)
for layer in cured.layers:
    layer.trainable = not isinstance(layer, keras.layers.BatchNormalization)
cured.compile(keras.optimizers.Adam(5e-4), loss="sparse_categorical_crossentropy", metrics=["accuracy"])
train(cured)

# %% [markdown]
# At a hundredth of the rate it works. That does not make it the best rate: which one is depends on data, network and
# optimizer. Compare several powers of ten on a validation set.
#
# **The check** measures how far the weights of each block have moved, as a share of their length.

# %% tags=["trained-here"]
pretrained = tl.checks.snapshot(new_network(head_weights))
print(f"cured: no block moved by more than {max(tl.checks.moved(pretrained, cured).values()):.1%} of its length")
run_check(tl.checks.assert_still_pretrained, pretrained, careless)

# %% [markdown]
# A few hundredths in the cured network, more than their whole length in the careless one. The limit between them, a
# quarter, is a rule of thumb.
#
# ## 4 · Augmented before the split
#
# **The mistake.** Make four pictures out of each by mirroring, shuffle them, and hold some out: none of these is in the
# training set.
#
# This mistake and the next make the *reported* accuracy too high, an **optimistic bias**. We take thirty solar cells of
# each class. The accuracy on 120 new cells is the one to expect in use.

# %%
solar = tl.load_dataset("solar")
cells, new_cells = (solar.train.sample(per_class=30), solar.validation.sample(per_class=60))
pixels = [tl.pictures.resize(image, model.input_size) for image in cells.images]
copies = np.concatenate([[image, image[:, ::-1], image[::-1], image[::-1, ::-1]] for image in pixels])
labels, cell_of_copy = np.repeat(cells.labels, 4), np.repeat(np.arange(60), 4)

features, new_features = (model.extract_features(copies), model.extract_features(new_cells.images))
features.shape, new_features.shape

# %% [markdown]
# 240 copies of 60 cells, and 120 new cells. The classifier is a linear probe; five-fold cross-validation holds out each
# copy once.
#
# **Predict first.** How much higher will the accuracy on held-out copies be than on new cells?

# %% tags=["answer"]
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

probe = make_pipeline(StandardScaler(), LogisticRegression(C=1e-2))
split_copies = StratifiedKFold(5, shuffle=True, random_state=0)

print(f"held-out copies: {cross_val_score(probe, features, labels, cv=split_copies).mean():.1%}")
print(f"new cells:       {probe.fit(features, labels).score(new_features, new_cells.labels):.1%}")

# %% [markdown]
# The first is far too high. Why? For each held-out copy of one fold, find the training copy with the most similar
# features.

# %%
train_rows, held_out = next(split_copies.split(features, labels))
distances = np.linalg.norm(features[held_out, None] - features[train_rows], axis=2)
nearest = train_rows[distances.argmin(axis=1)]
print(f"copy of the same cell: {np.mean(cell_of_copy[nearest] == cell_of_copy[held_out]):.1%} of {len(held_out)}")

# %% [markdown]
# Mostly it shows the same cell. So the probe need not recognise a defect; it can recognise the cell.
#
# **The cure.** Split by cell, with all copies of a cell on the same side. (With data of your own: split first, then
# augment the training set only.)

# %%
from sklearn.model_selection import StratifiedGroupKFold

split_cells = StratifiedGroupKFold(5, shuffle=True, random_state=0)
scores = cross_val_score(probe, features, labels, groups=cell_of_copy, cv=split_cells)
print(f"copies of held-out cells: {scores.mean():.1%}, standard deviation over the folds {scores.std():.1%}")

# %% [markdown]
# Compare the difference from the accuracy on new cells with this standard deviation: no optimistic bias is to be seen.
#
# **The check** looks for the same picture in both parts: mirrored, brightened, or saved again.

# %%
by_cell, held_by_cell = next(split_cells.split(features, labels, groups=cell_of_copy))
run_check(tl.checks.assert_disjoint, copies[by_cell], copies[held_by_cell])
run_check(tl.checks.assert_disjoint, copies[train_rows], copies[held_out], names=["train", "held out"], show=2)

# %% [markdown]
# It finds copies of a picture, not two photographs of the same dog. Only you know which pictures belong together.
#
# ## 5 · Chosen on the test set
#
# **The mistake.** Try something, look at the test accuracy, try something else, keep the best. Nothing was trained on
# the test set.
#
# Here are 31 probes to choose from: on the features of five blocks, alone and in all combinations. The network runs
# once (with 8-bit weights, for speed), and its features are then split by block.

# %%
from itertools import combinations

solar = tl.load_dataset("solar")
few = solar.train.sample(per_class=60)
blocks = ["block3b", "block4c", "block5c", "block6d", "head"]
choices = [names for count in range(1, 6) for names in combinations(blocks, count)]
widths = [2 * model.network.get_layer(model.blocks[block][-1]).output.shape[-1] for block in blocks]
small = tl.load_pretrained_model(precision="int8")
few_features, test_features = (
    dict(zip(blocks, np.split(small.extract_features(images, blocks), np.cumsum(widths)[:-1], axis=1), strict=True))
    for images in (few.images, solar.test.images)
)

# %%
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

probe = make_pipeline(StandardScaler(), LogisticRegression(C=1e-2))
predicted = []
for names in choices:
    train_rows, test_rows = (np.hstack([part[name] for name in names]) for part in (few_features, test_features))
    predicted.append(probe.fit(train_rows, few.labels).predict(test_rows))

correct = np.array(predicted) == solar.test.labels
correct.shape

# %% [markdown]
# One row per probe, one column per test cell: is the prediction correct? Now suppose that only a hundred test cells are
# labelled. We choose the best probe on them and report its accuracy there; the other cells tell how good it really is.
#
# **Predict first.** By how many points is the reported accuracy too high, on average over 200 random test sets?


# %% tags=["answer"]
def optimistic_bias(tested, seed):
    """Reported accuracy of the best on a random test set, minus its accuracy on the other cells."""
    order = np.random.default_rng(seed).permutation(correct.shape[1])
    reported, true = (correct[:, cells].mean(axis=1) for cells in (order[:tested], order[tested:]))
    best = reported.argmax()
    return reported[best] - true[best]


biases = [optimistic_bias(tested=100, seed=seed) for seed in range(200)]
print(f"chosen and reported on the same 100 cells: {100 * np.mean(biases):.1f} points too high")

# %% [markdown]
# The best of many results is the best partly by chance, and chance does not repeat itself on other cells.
#
# **The cure.** Choose on a hundred cells, a **validation set**, and report on a hundred others.


# %%
def with_validation_set(tested, seed):
    """Accuracy of the best on a random validation set: as reported on as many cells, and on the others."""
    order = np.random.default_rng(seed).permutation(correct.shape[1])
    validation, reported, others = np.split(order, [tested, 2 * tested])
    best = correct[:, validation].mean(axis=1).argmax()
    return correct[best, reported].mean(), correct[best, others].mean()


reported, true = np.mean([with_validation_set(tested=100, seed=seed) for seed in range(200)], axis=0)
print(f"chosen on 100 cells, reported on 100 others: {reported:.1%}; on all the rest: {true:.1%}")

# %% [markdown]
# The two agree: no bias. (The chosen probe is the same as before; only the accuracy that is reported for it differs.)
#
# **The check** is a seal: a sealed split evaluates one classifier, and refuses another one.

# %%
sealed = tl.checks.seal(solar.test)
run_check(sealed.open, lambda images: predicted[0])
run_check(sealed.open, lambda images: predicted[1])

# %% [markdown]
# A seal can be renewed, so it prevents nothing. It counts how many classifiers were tested, and that belongs in a
# report.
#
# ## What they cost
#
# One seed shows a mistake, and says little about its cost. `make results` made and avoided these five, and three more
# (see the appendix), with five seeds: other samples, six blocks trained for ten epochs, and 155 probes in part 5. Each
# bar is a mean of paired differences, with its standard deviation. First the accuracy that is lost on the test set:

# %%
study = tl.results("misuse.mistakes")
biased = {"augmented before the split", "chosen on the test set"}


def show_costs(mistakes, xlabel, title):
    """The largest cost first."""
    names = sorted(mistakes, key=lambda name: study[name]["cost"]["mean"], reverse=True)
    means, deviations = ([100 * study[name]["cost"][key] for name in names] for key in ("mean", "sd"))
    return tl.show.bars(names, means, xlabel, title, deviations)


show_costs(set(study) - biased, "accuracy lost, in percentage points", "Six mistakes that lose accuracy")

# %% [markdown]
# Then what is reported too high:

# %%
checks = [result["check"] for result in study.values()]
runs, errors, false_alarms = (sum(check[key] for check in checks) for key in ("of", "spoke", "false_alarms"))
print(f"Checks raised an error in {errors} of {runs} runs with a mistake, and in {false_alarms} of {runs} without.")

show_costs(biased, "reported minus true accuracy, in percentage points", "Two mistakes with an optimistic bias")

# %% [markdown]
# The two largest costs are easy to notice: a learning rate too high leaves chance, and logits with a softmax loss cost
# more than fifty points. Batch norm in training mode and the forgotten `compile` cost about a tenth each, which could
# pass for a difficult task. The last two of the first chart are not clearly above zero, given their standard
# deviations. And the mistakes of the second chart look like success. The checks missed no mistake and gave no false
# alarm.
#
# ## Exercises
#
# ### Exercise 9.1: who should wait?
#
# Four colleagues have each built a network for the ten numerals, with a head that they say is trained, and are about to
# call `fit`. Who should wait, and for what? The verdicts are `"batch norm"` (part 1), `"loss"` (the loss does not fit
# the last layer, lesson 04), `"new head"` (the head is not trained, lesson 05) and `"nothing"`.
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
# the block after it and the last layer should be trainable; `head_weights` are those of a trained head; and head, loss
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
for layer in patient.layers:
    is_late = layer.name.startswith(("block7a", "head", "new_head"))
    layer.trainable = is_late and not isinstance(layer, keras.layers.BatchNormalization)
patient.compile(keras.optimizers.Adam(5e-4), loss="sparse_categorical_crossentropy")
tl.check("9.2", patient)

# %% [markdown]
# ### Exercise 9.3: a larger test
#
# With a test set of a hundred cells, the reported accuracy of the best of the 31 probes of part 5 is too high. By how
# much is it with three hundred cells? Give the mean over many random test sets, as a share.
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
# | Mistake | What you see | Cure | Check |
# |---|---|---|---|
# | batch norm in training mode | `evaluate` below `fit` | freeze these layers, last | `assert_changed` |
# | no recompile | only the head changes | `compile` after the last flag | `assert_changed` |
# | learning rate far too high | chance | begin again, smaller rate | `assert_still_pretrained` |
# | augmented before the split | held-out copies above new pictures | split first | `assert_disjoint` |
# | chosen on the test set | test set above new pictures | a validation set | `seal` |
#
# - None of them raised an error in Keras or scikit-learn. Before `fit`, `tl.checks.frozen_report` finds the first two.
# - Check an accuracy that is surprisingly high as carefully as one that is too low.
# - What a mistake costs depends on the rest of the set-up: these are small data, one network and few epochs.
#
# **Next:** [10 · Tune and stack](10_search.ipynb)

# %% [markdown] jp-MarkdownHeadingCollapsed=true
# ## Appendix: three more mistakes
#
# **A. The wrong preprocessing.** Many networks expect pixels that were preprocessed as in their training (lesson 02).
# The study made four mistakes, throughout or only in use, as in a program that somebody else wrote. Accuracy of a
# linear probe:

# %% tags=["hide-cell"]
for data, ways in tl.results("misuse.preprocessings").items():
    print(f"{data:18} {'throughout':>16} {'only in use':>16}")
    for way, result in ways.items():
        columns = (f"{value['mean']:.1%} ± {value['sd']:.1%}" for value in result.values())
        print(f"  {way:16}", *(f"{column:>16}" for column in columns))

# %% [markdown]
# Throughout, the differences are at most about one standard deviation, but for preprocessing done twice on solar cells.
# Only in use, all but scaling to [0, 1] lose far more, and some are at chance. The cure: one function for both, or a
# network that does its own preprocessing.
#
# **B. Everything unfrozen under a new head.** A new head is random, and so are the gradients that it sends into the
# blocks (lesson 05). **C. Logits with a softmax loss.** Last layer and loss have to agree (lesson 04). Here are five
# pairs.

# %% tags=["hide-cell"]
result = tl.results("misuse.mistakes")["random head, all unfrozen"]
for blocks, key in ((6, "_six_blocks"), (12, "")):
    for name, way in (("head first", "right"), ("random head", "wrong")):
        accuracy = result[way + key]
        print(f"{blocks:2} blocks, {name:16} {accuracy['mean']:.1%} ± {accuracy['sd']:.1%}")

for pair, accuracy in tl.results("misuse.losses").items():
    print(f"{pair:26} {accuracy['mean']:.1%} ± {accuracy['sd']:.1%}")

# %% [markdown]
# B: with six blocks the difference is smaller than the standard deviations. With twelve, the random head is worse on
# average, and varies more from seed to seed. The cure: train the head first.
#
# C: four pairs have the same accuracy, though two of these do not fit. Keras at most prints a warning: a softmax or
# sigmoid layer of Keras keeps the logits that went into it, and the loss uses them, whatever `from_logits` says. (The
# outputs of the sigmoids still do not sum to one.) A last layer without activation keeps nothing: its logits are taken
# for probabilities and clipped, and where they are clipped there is no gradient. The cure: `activation="softmax"`, or
# `from_logits=True`.
#
# **The checks** of these three:

# %% tags=["hide-cell"]
run_check(tl.checks.assert_preprocessing, model, lambda images: images / 255)

new_head = new_network()
tl.unfreeze(new_head)
run_check(tl.checks.assert_head_trained, new_head)

logits = keras.Sequential([keras.Input((1280,)), keras.layers.Dense(10)])
logits.compile(loss="sparse_categorical_crossentropy")
run_check(tl.checks.assert_loss_fits, logits)
