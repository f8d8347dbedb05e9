# %% [markdown]
# # 10 · Tune and stack
#
# Two ways to get a little more out of features that you have: search over hyperparameters, and combine two networks.
# Both are quick here, since the frozen part is computed once. You measure how much each of them gains, and how much of
# the gain on the validation set is left on the test set. Each half can be taken without the other, after "The job".
#
# **Minutes:** about 40 · **Needs:** nothing from the internet

# %% tags=["setup"]
# Written by notebooks/build.py (set_up): it says how to get the course where it is missing.

# %% [markdown]
# ## What you will learn
#
# In the first half:
#
# - to search the hyperparameters of a scikit-learn probe and of a Keras head with Optuna;
# - how much of the best trial's gain on the validation set remains on the test set;
# - what else the validation labels could have been used for.
#
# In the second half:
#
# - to combine two networks with scikit-learn (**ensembling**): concatenate their features, average their probabilities,
#   or stack a classifier on out-of-fold predictions;
# - to ask a paired test whether two networks are better than one, and to weigh the gain against its cost;
# - how a stack leaks, and how to detect it.
#
# ## The job
#
# The solar cells of lesson 05: functional or defective. The training set has a hundred cells of each class. The
# validation set is for choosing, and the test set stays unread until everything is chosen.

# %%
import numpy as np

import tlcourse as tl

solar = tl.load_dataset("solar")
training, validation = solar.train.sample(per_class=100), solar.validation

model = tl.load_pretrained_model()
features, validation_features = (model.extract_features(part.images) for part in (training, validation))
features.shape, validation_features.shape

# %% [markdown]
# The default is the linear probe of lesson 03, with the same `C`.

# %%
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

default_probe = make_pipeline(StandardScaler(), LogisticRegression(C=0.01, max_iter=1000))
default_accuracy = default_probe.fit(features, training.labels).score(validation_features, validation.labels)
standard_error = np.sqrt(default_accuracy * (1 - default_accuracy) / len(validation))
print(f"default: {default_accuracy:.1%} of {len(validation)} validation cells, standard error {standard_error:.1%}")

# %% [markdown]
# Keep the standard error in mind: on another validation set of this size the same probe would score about this much
# higher or lower. A single cell is half a point.
#
# ## First half: Optuna on cached features
#
# `C` is the inverse regularisation strength. That it is 0.01, and that each feature is divided by its standard
# deviation, was chosen and not trained: such settings are **hyperparameters**. To search for better ones, a tuner needs
# one function. It takes a trial, asks it for hyperparameters, trains a model with them, and returns the validation
# score. The tuner proposes the next settings near those that scored well (the *tree-structured Parzen estimator*,
# Bergstra et al., 2011).
#
# We use Optuna, since it searches over any function: a scikit-learn pipeline as well as a Keras network. KerasTuner,
# which you may meet elsewhere, is made for functions that build a Keras model.

# %%
import optuna
from sklearn.preprocessing import Normalizer

optuna.logging.set_verbosity(optuna.logging.WARNING)  # not a line for every trial


# %%
scalers = {"standard deviation": StandardScaler(), "unit length": Normalizer(), "none": "passthrough"}


def probe_with(C, scaler):
    probe = make_pipeline(scalers[scaler], LogisticRegression(C=C, max_iter=1000))
    return probe.fit(features, training.labels)


def probe_trial(trial):
    C = trial.suggest_float("C", 1e-5, 10, log=True)
    scaler = trial.suggest_categorical("scaler", list(scalers))
    return probe_with(C, scaler).score(validation_features, validation.labels)


# %% [markdown]
# **Predict first.** Sixty probes will be trained. How long will that take? By how many points will the best of them
# beat the default on the validation set? And on the test set? Write three numbers down.

# %%
probes = optuna.create_study(direction="maximize", sampler=optuna.samplers.TPESampler(seed=0))
probes.optimize(probe_trial, n_trials=60)

# %% tags=["answer"]
took = (probes.trials[-1].datetime_complete - probes.trials[0].datetime_start).total_seconds()
print(f"{len(probes.trials)} trials in {took:.1f} s")
print(f"default {default_accuracy:.1%}, best trial {probes.best_value:.1%}")

# %% tags=["answer", "nbval-ignore-output"]
probes.best_params

# %% tags=["answer"]
scaled = [trial for trial in probes.trials if trial.params["scaler"] == "standard deviation"]
values, scores = [trial.params["C"] for trial in scaled], [trial.value for trial in scaled]
title = "Standardised features, with standard errors"
errors = np.sqrt(np.multiply(scores, np.subtract(1, scores)) / len(validation))
tl.show.points(values, scores, "C", "validation accuracy", title, level=default_accuracy, deviations=errors)

# %% [markdown]
# No picture went through the network in this search: the features are cached, and a probe is trained in a fraction of a
# second. Look at the shape of the plot before you look at the best trial. From a thousandth to a tenth:

# %%
plateau = [trial.value for trial in scaled if 1e-3 <= trial.params["C"] <= 0.1]
print(f"{len(plateau)} trials with C between 0.001 and 0.1: {min(plateau):.1%} to {max(plateau):.1%}")

# %% [markdown]
# Over this hundredfold range of `C` the accuracies are within about one standard error of each other. Which trial
# comes out on top of such a plateau is largely chance. We keep the best one's settings, and do not read the test set
# yet.
#
# ## A search over a Keras head
#
# A head in Keras has more hyperparameters. The function has the same form: ask, train, return the validation score.
# (`jit_compile=False`: compiling each network with XLA would take longer than training it.)

# %%
import keras


def train_head(hidden_units=0, dropout=0.2, learning_rate=2e-3, epochs=20):
    keras.utils.set_random_seed(0)
    head = keras.Sequential([keras.Input((1280,)), keras.layers.Dropout(dropout)])
    if hidden_units:
        head.add(keras.layers.Dense(hidden_units, activation="relu"))
    head.add(keras.layers.Dense(1, activation="sigmoid"))
    optimizer = keras.optimizers.Adam(learning_rate)
    head.compile(optimizer, loss="binary_crossentropy", metrics=["accuracy"], jit_compile=False)
    head.fit(features, training.labels, batch_size=50, epochs=epochs, verbose=0)
    return head


# %%
def validation_accuracy(head):
    return head.evaluate(validation_features, validation.labels, verbose=0)[1]


def head_trial(trial):
    head = train_head(
        hidden_units=trial.suggest_categorical("hidden_units", [0, 64, 256]),
        dropout=trial.suggest_float("dropout", 0, 0.6),
        learning_rate=trial.suggest_float("learning_rate", 1e-4, 1e-1, log=True),
        epochs=trial.suggest_int("epochs", 5, 30),
    )
    return validation_accuracy(head)


# %% tags=["trained-here"]
heads = optuna.create_study(direction="maximize", sampler=optuna.samplers.TPESampler(seed=0))
heads.optimize(head_trial, n_trials=10)

default_head = train_head()
default_head_accuracy = validation_accuracy(default_head)
print(f"default head {default_head_accuracy:.1%}, best of {len(heads.trials)} trials {heads.best_value:.1%}")

# %% tags=["nbval-ignore-output"]
heads.best_params

# %% [markdown]
# The default head has no hidden layer; the best trial's settings are above. By the validation set its gain is worth
# having, if it is real. Whether it is, the same validation cells cannot tell: they have been used for all comparisons.
#
# ## The test set, read once
#
# Everything is chosen: the best probe and the best head, by their validation scores. Now we read the test set, for the
# first and only time in this lesson.

# %%
chosen_probe, chosen_head = probe_with(**probes.best_params), train_head(**heads.best_params)
test_features = model.extract_features(solar.test.images)

# %% tags=["trained-here"]
labels = solar.test.labels
on_test = {
    "default probe": (default_accuracy, default_probe.score(test_features, labels)),
    "chosen probe": (probes.best_value, chosen_probe.score(test_features, labels)),
    "default head": (default_head_accuracy, default_head.evaluate(test_features, labels, verbose=0)[1]),
    "chosen head": (heads.best_value, chosen_head.evaluate(test_features, labels, verbose=0)[1]),
}
for name, (on_validation, accuracy) in on_test.items():
    print(f"{name:14} validation {on_validation:.1%}, test {accuracy:.1%}, difference {accuracy - on_validation:+.1%}")

# %% [markdown]
# Compare with your three numbers. Subtract the default's test accuracy from the chosen one's: that is what the search
# has gained. Then look at the last column. All four lose from validation to test, so this validation set is an easy
# one. But the validation score of a *chosen* trial is the highest of many, and so in part due to chance: it has an
# **optimistic bias**, on top. The test score has none, since nothing was chosen by it.
#
# ## Promised and kept, in five splits
#
# One run proves nothing. `make results` repeated such searches with five seeds, each with other training, validation
# and test cells: the probe; the probe with a choice of the blocks whose features it uses; and fine-tuning (one block or
# two, learning rate, weight decay, dropout, label smoothing, epochs). It did the same for the ten Kanji numerals. Here
# the default is `tl.train_classifier` or `tl.fine_tune`. *Promised* is the gain of the best trial over the default on
# the validation set, *kept* the gain on the test set; mean ± standard deviation.

# %%
searches = tl.results("tuning.search")


def points(gains):
    return f"{100 * np.mean(gains):+4.1f} ± {100 * np.std(gains, ddof=1):.1f}"


for data, ways in searches.items():
    for way, result in ways.items():
        promised, kept = (np.subtract(result["chosen"][p], result["default"][p]) for p in ("validation", "test"))
        default = np.mean(result["default"]["test"])
        print(f"{data:6} {way:17} default {default:.1%} on test, promised {points(promised)}, kept {points(kept)}")

# %% [markdown]
# On the solar cells the searches promised one to three points, and what they kept is within one standard deviation of
# zero. So never report the validation score of a chosen trial as its accuracy. (The default is one of the candidates.
# Fine-tuning on the Kanji promised nothing, because no trial was better there than the default.)
#
# One row is different: on the Kanji, the choice of *blocks* kept on average what it promised, though with a large
# standard deviation. It changed which features the probe uses; by default these are the last block's.
#
# **Predict first.** The validation cells are labelled, too. Without a search they are not needed for choosing. What
# happens on the test set if the default is trained on them as well?

# %% tags=["answer"]
for data, ways in searches.items():
    for way in ("probe", "fine-tuning"):
        more = ways[way]["default, trained on validation too"]["test"]
        print(f"{data:6} {way:12} {points(np.subtract(more, ways[way]['default']['test']))} points")

# %% [markdown]
# On average this was better in every row, in one of them by less than the standard deviation; on the solar cells it
# gained more than any search kept. A label can be used for training or for choosing. (`tl.train_classifier` chooses `C`
# by cross-validation, which uses every label for both.)
#
# ## Second half: two networks
#
# EfficientNet-Lite2 is a larger network of the same family: wider, deeper, and for pictures of 260 × 260 pixels.

# %%
second = tl.load_pretrained_model("efficientnet_lite2")
wide = np.hstack([features, second.extract_features(training.images)])
validation_wide = np.hstack([validation_features, second.extract_features(validation.images)])
wide.shape

# %% [markdown]
# Each cell now has the features of both networks in one row: the first 1,280 columns come from Lite0, the others from
# Lite2. `on(columns)` makes a probe that uses only the given columns.

# %%
from sklearn.compose import ColumnTransformer

lite0, lite2 = slice(0, 1280), slice(1280, 2560)


def on(columns, classifier=None):
    chosen = ColumnTransformer([("columns", "passthrough", columns)])
    return make_pipeline(chosen, StandardScaler(), classifier or LogisticRegression(C=0.01, max_iter=1000))


# %%
first, other = on(lite0).fit(wide, training.labels), on(lite2).fit(wide, training.labels)
wrong_first, wrong_other = (probe.predict(validation_wide) != validation.labels for probe in (first, other))
print(f"wrong on the validation set: lite0 {wrong_first.mean():.1%}, lite2 {wrong_other.mean():.1%}")
print(f"both wrong: {(wrong_first & wrong_other).mean():.1%}")

# %% [markdown]
# The last number matters most. Where both are wrong, an average of the two can hardly be right; only where one of them
# is wrong can something be gained.
#
# ## Average, concatenate, stack
#
# There are three ways to combine them:
#
# ```text
# concatenated:   Lite0's features ┐
#                                  ├──▶  one probe  ──▶  prediction
#                 Lite2's features ┘
#
# averaged:       Lite0's features ──▶  probe  ──▶  probabilities ┐
#                                                                 ├──▶  mean             ──▶  prediction
#                 Lite2's features ──▶  probe  ──▶  probabilities ┘
#
# stacked:        Lite0's features ──▶  probe  ──▶  probabilities ┐
#                                                                 ├──▶  last classifier  ──▶  prediction
#                 Lite2's features ──▶  probe  ──▶  probabilities ┘     (trained, too)
# ```
#
# The last classifier of a stack (Wolpert, "Stacked Generalization", 1992) has to be trained on predictions for cells
# that the probes were *not* trained on, as those for their own training cells are far too good. So scikit-learn uses
# cross-validation:
#
# ```text
# training cells, five folds:      1          2          3          4          5
# probe trained on folds        2 3 4 5    1 3 4 5    1 2 4 5    1 2 3 5    1 2 3 4
# predicts fold                    1          2          3          4          5
#                                  └──────────┴──────────┼──────────┴──────────┘
#                     one out-of-fold prediction for every training cell  ──▶  trains the last classifier
# ```
#
# (The folds are shuffled: `cv=5` alone takes the rows in order, and ours are sorted by class.)
#
# **Predict first.** Which of the three is best, and by how much is it better than the better single network?

# %%
from sklearn.ensemble import StackingClassifier, VotingClassifier
from sklearn.model_selection import StratifiedKFold

folds = StratifiedKFold(5, shuffle=True, random_state=0)
members = [("lite0", on(lite0)), ("lite2", on(lite2))]
classifiers = {
    "lite0": first,
    "lite2": other,
    "concatenated": on(slice(0, 2560)),
    "averaged": VotingClassifier(members, voting="soft"),
    "stacked": StackingClassifier(members, LogisticRegression(), cv=folds),
}

# %% tags=["answer"]
right = {}
for name, classifier in classifiers.items():
    right[name] = classifier.fit(wide, training.labels).predict(validation_wide) == validation.labels
    print(f"{name:12} {right[name].mean():.1%}")

# %% [markdown]
# Are these differences more than noise? Count the cells on which the average and Lite0 alone disagree. If both were
# equally good, each of them would be a coin toss (a *sign test*; on two classifiers also called McNemar's test):

# %%
from scipy.stats import binomtest

only_averaged, only_lite0 = np.sum(right["averaged"] & ~right["lite0"]), np.sum(right["lite0"] & ~right["averaged"])
p = binomtest(only_averaged, only_averaged + only_lite0).pvalue
print(f"right only with the average: {only_averaged}, only with lite0: {only_lite0}; p = {p:.2f}")

# %% [markdown]
# `p` is the probability of a result at least as uneven if both are equally good. Below 0.05 it is usually called
# significant; this one is far from that. One validation set of this size cannot rank the five.
#
# ## Five splits, and a paired test
#
# `make results` repeated this on five random splits with *all* solar cells (by the published protocol), and with four
# labels for each of the hundred Kanji. Two more ways: *four blocks* uses features of four blocks of Lite0; *with SVMs*
# is a stack with support vector machines as further members.
#
# In each split all ways had the same cells, so we take the paired differences to Lite0 alone, and test whether their
# mean is zero (a *paired t-test*). The five solar splits share cells, and an ordinary t-test would take them for five
# independent samples. The correction of Nadeau and Bengio ("Inference for the Generalization Error", 2003) adds test
# rows per training row to the variance. The Kanji are five samples of training characters with one test set, so we
# leave it out, and the answer holds for these test characters only.

# %%
from scipy import stats

ensembles = tl.results("tuning.stacks")


def paired_test(differences, test_per_training):
    """The p-value of a paired t-test, corrected for overlapping splits."""
    n = len(differences)
    error = np.std(differences, ddof=1) * np.sqrt(1 / n + test_per_training)
    return 2 * stats.t.sf(abs(np.mean(differences)) / error, df=n - 1)


# %%
def show_gains(task, test_per_training=0.0):
    accuracies = {name.replace("efficientnet_", ""): each for name, each in ensembles[task]["accuracies"].items()}
    alone = accuracies.pop("lite0")
    print(f"{task}: lite0 alone {np.mean(alone):.1%} ± {np.std(alone, ddof=1):.1%}")
    for way, each in accuracies.items():
        gain = np.subtract(each, alone)
        gain_in_points = f"{100 * gain.mean():+.1f} ± {100 * gain.std(ddof=1):.1f} points"
        print(f"  {way:27} {gain_in_points}, p = {paired_test(gain, test_per_training):.3f}")


show_gains("solar", test_per_training=len(solar.test) / ensembles["solar"]["rows"])

# %%
show_gains("kanji, 4 labels")

# %% [markdown]
# Before we read them: the question was whether the **average** of two networks is better than one. With every further
# row that you look at, the chance grows that one of them is below 0.05 by accident.
#
# - **Solar cells.** The average gains a little less than a point in the mean, and the test does not tell that from
#   zero. Nor does it in any other row.
# - **Kanji.** The average is better than Lite0 alone, though Lite2 alone is clearly worse: a weaker network can still
#   help, where its mistakes are others. The average *with four blocks* gains most. Concatenating and stacking do not
#   pass the test; with four labels per character the stack has few predictions from which to train its last classifier.
#
# So: two networks were better than one on the Kanji. On the solar cells five splits do not show it.
#
# What does it cost? The network's time and memory per picture were measured in a fresh process:

# %%
for name, cost in tl.results("tuning.costs").items():
    milliseconds = 1000 * cost["seconds_per_picture"]
    print(f"{name:32} {cost['features']:5,} features, {milliseconds:.1f} ms per picture, {cost['peak_megabytes']} MB")

# %%
milliseconds = {name: 1000 * cost["seconds_per_picture"] for name, cost in tl.results("tuning.costs").items()}
alone, with_blocks, other_alone = "efficientnet_lite0", "efficientnet_lite0, four blocks", "efficientnet_lite2"
milliseconds["averaged"] = milliseconds[alone] + milliseconds[other_alone]
milliseconds["averaged, with four blocks"] = milliseconds[with_blocks] + milliseconds[other_alone]

accuracies = ensembles["solar"]["accuracies"]
gains = [100 * np.subtract(accuracies[name], accuracies[alone]) for name in milliseconds]
means, deviations = [gain.mean() for gain in gains], [gain.std(ddof=1) for gain in gains]
labels = [name.replace("efficientnet_", "") for name in milliseconds]
axes = {"xlabel": "milliseconds per picture", "ylabel": "gain over lite0 (points)", "logarithmic": False}
title = "Solar cells: gain and cost, five splits"
tl.show.points(list(milliseconds.values()), means, title=title, names=labels, deviations=deviations, **axes)

# %% [markdown]
# The bars are standard deviations of the paired differences. Lite2 takes more than twice as long as Lite0, for every
# picture that will ever be classified. The features of four blocks add less than two milliseconds, since the network
# computes these blocks anyway.
#
# ## Where a stack leaks
#
# If the last classifier is trained on predictions for the members' own training pictures, it gives the highest weight
# to the member that overfits most. In exercise 10.3 you make this mistake on purpose.
#
# Random folds are not enough where pictures belong together in groups: characters of one font, cells of one module,
# photographs of one animal. A group that is on both sides of a split is called **group leakage**. How accurate is a
# probe on its held-out folds? `make results` measured it for the ten numerals in five fonts, and then on two fonts that
# are not in the training set.

# %%
for name, accuracies in tl.results("tuning.folds").items():
    print(f"{name:16} {np.mean(accuracies):.1%} ± {np.std(accuracies, ddof=1):.1%}")

# %% [markdown]
# With random folds every font is on both sides, and the probe seems better than it is on new fonts: a stack would be
# told to trust it too much. Folds by font keep each font on one side. They are too pessimistic here (each probe is
# trained on four fonts instead of five), which is the safer error. scikit-learn's stack takes such folds as a list:
# `cv=list(LeaveOneGroupOut().split(features, labels, groups))`.
#
# ## Exercises
#
# ### Exercise 10.1: the best of forty equals
#
# (First half.) Forty classifiers are equally good: each is right about a new cell with probability 0.75, independently
# of the others. All are evaluated on 197 validation cells, as above. What is the accuracy of the *best* of the forty
# there, on average over many repetitions? Predict it first, then simulate it with `rng.binomial`.
#
# Stuck? `tl.check.hint("10.1")` in a cell of its own gives the first of three hints.

# %%
rng = np.random.default_rng(0)
mean_of_the_best = None  # replace None

tl.check("10.1", mean_of_the_best)

# %% tags=["solution", "hide-cell"] jupyter={"source_hidden": true, "outputs_hidden": true}
# Solution: click to open
correct = rng.binomial(197, 0.75, size=(10_000, 40))  # repetitions × classifiers
mean_of_the_best = correct.max(axis=1).mean() / 197
tl.check("10.1", mean_of_the_best)

# %% [markdown]
# All of them are right three times out of four on a test set. (The trials of a search are similar to each other, so the
# optimistic bias of the best is smaller. In the table of five splits it is what was promised minus what was kept.)
#
# ### Exercise 10.2: which network is used more?
#
# (Second half.) `both` is one probe on all columns. To find out which network it relies on more, shuffle one network's
# columns between the cells: take these columns in the order `order`, and leave the other network's columns as they are.
# The more accuracy is lost, the more those columns mattered (this is *permutation importance*). Compute the validation
# accuracy with each network's columns shuffled.
#
# Stuck? `tl.check.hint("10.2")` in a cell of its own gives the first of three hints.

# %%
both = on(slice(0, 2560)).fit(wide, training.labels)
order = np.random.default_rng(0).permutation(len(validation))
shuffled = {"lite0": None, "lite2": None}  # replace both None

tl.check("10.2", shuffled, both, validation_wide)

# %% tags=["solution", "hide-cell"] jupyter={"source_hidden": true, "outputs_hidden": true}
# Solution: click to open
for name, columns in {"lite0": lite0, "lite2": lite2}.items():
    rows = validation_wide.copy()
    rows[:, columns] = validation_wide[order, columns]
    shuffled[name] = both.score(rows, validation.labels)
tl.check("10.2", shuffled, both, validation_wide)

# %% [markdown]
# ### Exercise 10.3: a stack that leaks, and one that does not
#
# (Second half.) The stack has two members: our probe on Lite0's columns, and a *nearest neighbour* classifier, which
# predicts the label of the most similar training cell. On its own training cells it is always right. Make two stacks of
# them, both fitted on `wide` and `training.labels`, with a `LogisticRegression()` as the last classifier: one that is
# trained on out-of-fold predictions, and one that leaks. For the second, fit the members first and pass `cv="prefit"`.
# Look at the weights that the check reports: the accuracies may differ by only a cell or two.
#
# Stuck? `tl.check.hint("10.3")` in a cell of its own gives the first of three hints.

# %%
from sklearn.neighbors import KNeighborsClassifier

pair = [("probe", on(lite0)), ("neighbour", on(lite0, KNeighborsClassifier(1)))]
two_stacks = {"leaks": None, "does not leak": None}  # replace both None

tl.check("10.3", two_stacks, wide, validation_wide)

# %% tags=["solution", "hide-cell"] jupyter={"source_hidden": true, "outputs_hidden": true}
# Solution: click to open
two_stacks["does not leak"] = StackingClassifier(pair, LogisticRegression(), cv=folds).fit(wide, training.labels)
fitted = [(name, member.fit(wide, training.labels)) for name, member in pair]
two_stacks["leaks"] = StackingClassifier(fitted, LogisticRegression(), cv="prefit").fit(wide, training.labels)
tl.check("10.3", two_stacks, wide, validation_wide)

# %% [markdown]
# ## Summary
#
# - A hyperparameter search needs a function that returns a validation score for given settings, and a tuner that calls
#   it. On cached features it takes seconds.
# - The validation score of the best trial has an optimistic bias. The test set, read once, shows how much of the gain
#   is real. On the solar cells it could not be told from zero.
# - The labels that a search needs for choosing can be used for training instead. On the solar cells that gained more.
# - On the Kanji, a search over the blocks kept what it promised on average, with a large standard deviation.
# - Averaging two networks was better than one on the Kanji, by a paired test; on the solar cells five splits did not
#   show a gain. An average has no last classifier that could leak.
# - A stack has to be trained on out-of-fold predictions, with folds that keep groups together.
# - Where a simpler way is within the noise of a more complex one, take the simpler one (lesson 11 has the rule).
# - What we measured: five splits, two networks of one family, and searches of a few dozen trials. Networks that differ
#   more may gain more from being combined.
