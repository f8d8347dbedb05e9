# %% [markdown]
# # 10 · Tune and stack
#
# Two ways to get a little more out of features that you have: search over hyperparameters, and combine several
# networks. Both are quick here, since the frozen part is computed once. You measure how much each of them gains, and
# how much of the gain on the validation set is left on the test set.
#
# **Minutes:** about 45 · **Needs:** nothing from the internet

# %% tags=["setup"]
# Written by notebooks/build.py (set_up): it says how to get the course where it is missing.

# %% [markdown]
# ## What you will learn
#
# - to search the hyperparameters of a linear probe and of fine-tuning with a tuner, dozens of trials per minute;
# - how much of the best trial's validation gain remains on the test set;
# - what else the validation labels could have been used for;
# - to combine two networks with scikit-learn: concatenate their features, average their probabilities, stack them;
# - how a stack leaks, and how to detect it;
# - when a plain linear probe is as good.
#
# ## The job
#
# The solar cells of lesson 05. The training set has a hundred cells of each class. The validation set is for choosing,
# and the test set stays unread until everything is chosen.

# %%
import tlcourse as tl

solar = tl.load_dataset("solar")
training = solar.train.sample(per_class=100)
validation = solar.validation

# %%
model = tl.load_pretrained_model()
features = model.extract_features(training.images)
validation_features = model.extract_features(validation.images)

default_probe = tl.train_classifier(features, training.labels)
default_accuracy = default_probe.score(validation_features, validation.labels)
print(f"The default: {default_accuracy:.1%} on {len(validation)} validation cells")

# %% [markdown]
# This is a linear probe as you know it. Two of its settings could be different: the *regularisation strength* `C`,
# which `train_classifier` chooses by cross-validation among seven values, and whether each feature is divided by its
# own standard deviation or all features by a common one. Settings like these, which are chosen and not trained, are
# *hyperparameters*.
#
# ## A search over the probe
#
# A tuner needs one function: it takes a trial, asks it for hyperparameters, trains a model with them, and returns the
# score. The tuner keeps track of which settings scored well and proposes the next ones near them (the *tree-structured
# Parzen estimator*, Bergstra et al., 2011).
#
# We use Optuna. It is well maintained, and it searches over any function, so a scikit-learn probe works as well as a
# Keras network. KerasTuner, which you may meet elsewhere, is made for functions that build a Keras model.

# %%
import optuna

optuna.logging.set_verbosity(optuna.logging.WARNING)  # not a line for every trial


def probe_trial(trial):
    strength = trial.suggest_float("strength", 1e-5, 10, log=True)
    common_scale = trial.suggest_categorical("common_scale", [True, False])
    candidate = tl.train_classifier(features, training.labels, C=strength, common_scale=common_scale)
    return candidate.score(validation_features, validation.labels)


# %%
def search(function, trials):
    """The best of so many trials is the one with the highest validation accuracy; the seed makes it repeatable."""
    study = optuna.create_study(direction="maximize", sampler=optuna.samplers.TPESampler(seed=0))
    study.optimize(function, n_trials=trials)
    return study


def trials_a_minute(study):
    took = study.trials[-1].datetime_complete - study.trials[0].datetime_start
    return len(study.trials) / took.total_seconds() * 60


# %% [markdown]
# **Predict first.** Sixty probes will be trained. How long will that take? By how many points will the best of them
# beat the default on the validation set? And on the test set? Write three numbers down.

# %%
probes = search(probe_trial, trials=60)

# %% tags=["nbval-ignore-output"]
print(f"{trials_a_minute(probes):,.0f} trials a minute; the best:")
print(probes.best_params)

# %%
strengths = [trial.params["strength"] for trial in probes.trials]
scores = [trial.value for trial in probes.trials]
print(f"default {default_accuracy:.1%}, best of {len(scores)} trials {probes.best_value:.1%}")

title = "Sixty probes on the same features"
tl.show.points(strengths, scores, "strength", "validation accuracy", title, level=default_accuracy)

# %% [markdown]
# No image went through the network in this search: the features are computed once, and training a probe on them takes a
# fraction of a second.
#
# Look at the shape of the plot before you look at the best trial. Over a hundredfold range of `C` the accuracy hardly
# changes, and one validation cell is half a point. The best trial lies on a plateau, where it is largely chance which
# trial comes out on top. We keep its settings for later and do not read the test set yet.
#
# ## A search over fine-tuning
#
# Fine-tuning has more hyperparameters: learning rate, weight decay, dropout, label smoothing, number of epochs. Each
# call of `tl.fine_tune` starts with the same work: the activations of the frozen blocks, and the probe that becomes the
# head. Neither depends on these hyperparameters. `tl.prepare_fine_tuning` does this work once, and each call of `run`
# does the rest.

# %%
preparation = tl.prepare_fine_tuning(
    model,
    training.images,
    training.labels,
    from_block="head",  # the last block of the network
    validation=(validation.images, validation.labels),
    augmentations=("as is", "left-right"),
    class_names=solar.class_names,
)
preparation

# %% [markdown]
# Each run does what `tl.fine_tune` would do with these settings.


# %%
def tuning_trial(trial):
    tuned = preparation.run(
        learning_rate=trial.suggest_float("learning_rate", 1e-5, 1e-2, log=True),
        weight_decay=trial.suggest_float("weight_decay", 1e-4, 1e-1, log=True),
        dropout=trial.suggest_float("dropout", 0, 0.6),
        label_smoothing=trial.suggest_float("label_smoothing", 0, 0.2),
        epochs=trial.suggest_int("epochs", 2, 5),
    )
    return tuned.best["val_accuracy"]


tunings = search(tuning_trial, trials=24)

# %% tags=["nbval-ignore-output"]
print(f"prepared once, in {sum(preparation.seconds.values()):.1f} s")
print(f"{trials_a_minute(tunings):.0f} trials a minute; the best:")
print(tunings.best_params)

# %% tags=["trained-here"]
rates = [trial.params["learning_rate"] for trial in tunings.trials]
scores = [trial.value for trial in tunings.trials]
default_tuned = preparation.run().best["val_accuracy"]
print(f"default {default_tuned:.1%}, best of {len(scores)} trials {tunings.best_value:.1%}")

title = "Twenty-four fine-tunings from the same start"
tl.show.points(rates, scores, "learning rate", "validation accuracy", title, level=default_tuned)

# %% [markdown]
# The dotted line is the default fine-tuning. No trial falls below the *probe* that it starts from (the lowest points),
# since the weights of the best epoch are kept and the probe counts as epoch 0. Some learning rates look better than the
# default, by a few cells. Whether they really are, the validation set cannot tell, because it has been used for too
# many comparisons.
#
# ## The test, read once
#
# Everything is chosen: the best probe and the best fine-tuning, by their validation scores. Now we read the test set,
# for the first and only time in this lesson.

# %%
chosen_probe = tl.train_classifier(
    features,
    training.labels,
    C=probes.best_params["strength"],
    common_scale=probes.best_params["common_scale"],
)
chosen_tuned = preparation.run(**tunings.best_params)

# %% tags=["trained-here"]
test_features = model.extract_features(solar.test.images)
on_test = {
    "default probe": (default_accuracy, default_probe.score(test_features, solar.test.labels)),
    "chosen probe": (probes.best_value, chosen_probe.score(test_features, solar.test.labels)),
    "chosen fine-tuning": (tunings.best_value, chosen_tuned.score(solar.test.images, solar.test.labels)),
}
for name, (on_validation, accuracy) in on_test.items():
    print(f"{name:18} validation {on_validation:.1%}, test {accuracy:.1%}")

# %% [markdown]
# Compare with your three numbers. The validation score of a *chosen* trial is the highest of many, and so it is partly
# due to chance: it has an optimistic bias. The test score does not have this bias, since nothing was chosen by it.
# Subtract the columns: in this run the two chosen models lose more from validation to test than the default, which was
# not chosen by its validation score.
#
# ## What was promised and what was kept
#
# One run proves nothing. `make results` repeated the searches with five seeds, each with other training, validation and
# test sets: the probe as above; the probe with a choice of blocks whose features it uses; and fine-tuning of one or two
# blocks. It did the same for the ten Kanji numerals. In the table, *promised* is the search's gain over the default on
# the validation set, and *kept* is its gain on the test set.

# %%
import numpy as np

searches = tl.results("tuning.search")


def points(gains):
    return f"{100 * np.mean(gains):+5.1f} ± {100 * np.std(gains, ddof=1):.1f}"


for data, ways in searches.items():
    for way, found in ways.items():
        promised, kept = (np.subtract(found["chosen"][s], found["default"][s]) for s in ("validation", "test"))
        print(f"{data:6} {way:17} promised {points(promised)}, kept {points(kept)} points")

# %% [markdown]
# On the solar cells the searches promised one to three points, and what they kept cannot be told from zero: it is
# within one standard deviation over the splits. So do not report the validation score of a chosen trial as its
# accuracy. (The default is one of the candidates of its own search. Fine-tuning on the Kanji promised nothing, because
# no trial was better on the validation set than the default.)
#
# What was chosen in the five splits? If one value of `C` were clearly the best, they would agree.

# %%
print(
    "solar cells, strength:",
    *(f"{chosen.get('strength', np.nan):.2g}" for chosen in searches["solar"]["probe"]["settings"]),
)
print("Kanji, blocks:")
for chosen in searches["kanji"]["probe and blocks"]["settings"]:
    print("   ", *(block for block in ("block5c", "block6d", "block7a", "head") if chosen.get(block)))

# %% [markdown]
# One row is different. On the Kanji, the choice of *blocks* kept on average what it promised, though with a large
# standard deviation, and here the splits do agree on something: each of them chose blocks before the last. This search
# changed which features the probe uses; by default it uses those of the last block alone. On the solar cells the same
# choice kept nothing.
#
# **Predict first.** The validation cells are labelled, too, and there are about as many of them as training cells.
# Without a search they are not needed for choosing. What happens if the default is trained on them as well?

# %%
for data, ways in searches.items():
    for way in ("probe", "fine-tuning"):
        default = ways[way]["default"]["test"]
        more = ways[way]["default, validation learned too"]["test"]
        print(f"{data:6} {way:12} {points(np.subtract(more, default))} points")

# %% [markdown]
# On average this was better in every row, though in one row by less than the standard deviation, and on the solar cells
# it gained more than any search kept. You can use a label for training or for choosing. (`C` is still chosen: by
# cross-validation in `train_classifier`, which uses every label for both.)
#
# ## A second network
#
# EfficientNet-Lite2 is a larger version of the network that you know: of the same family, but wider, deeper, and for
# images of 260 × 260 pixels. On ImageNet it is the more accurate of the two.

# %%
second = tl.load_pretrained_model("efficientnet_lite2")
second

# %%
wide = np.hstack([features, second.extract_features(training.images)])
validation_wide = np.hstack([validation_features, second.extract_features(validation.images)])
wide.shape

# %% [markdown]
# Each cell now has the features of both networks in one row: the first 1,280 columns come from the first network, the
# others from the second. `on(columns)` makes a probe that uses only the given columns. `tl.LinearProbe` is
# `tl.train_classifier` as a scikit-learn estimator.

# %%
from sklearn.compose import ColumnTransformer
from sklearn.pipeline import make_pipeline

lite0, lite2 = slice(0, 1280), slice(1280, 2560)


def on(columns, classifier=None):
    chosen = ColumnTransformer([("columns", "passthrough", columns)])
    return make_pipeline(chosen, classifier or tl.LinearProbe())


# %%
first, other = on(lite0).fit(wide, training.labels), on(lite2).fit(wide, training.labels)
wrong_first, wrong_other = (probe.predict(validation_wide) != validation.labels for probe in (first, other))

print(
    f"wrong: lite0 {wrong_first.mean():.1%}, lite2 {wrong_other.mean():.1%}, both {(wrong_first & wrong_other).mean():.1%}"
)

# %% [markdown]
# The last number matters most. Where both are wrong, averaging them can hardly help; where only one is wrong, something
# can be gained. There are three ways to combine them:
#
# - **side by side:** one probe on all columns;
# - **averaged:** the mean of the two predicted probabilities;
# - **stacked:** another classifier, trained on the predictions of both, weighs them (Wolpert, "Stacked Generalization",
#   1992). It must not be trained on predictions for cells that the probes were trained on, since these are far too
#   good. So scikit-learn uses cross-validation: it trains each probe five times on four fifths of the cells and
#   predicts the held-out fifth. (The folds are shuffled: `cv=5` alone takes the rows in order, and ours are sorted by
#   kind of cell.)
#
# **Predict first.** Which of the three is best, and by how much is it better than the better single network?

# %%
from sklearn.ensemble import StackingClassifier, VotingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold

folds = StratifiedKFold(5, shuffle=True, random_state=0)
members = [("lite0", on(lite0)), ("lite2", on(lite2))]
together = {
    "side by side": tl.LinearProbe(),
    "averaged": VotingClassifier(members, voting="soft"),
    "stacked": StackingClassifier(members, LogisticRegression(), cv=folds),
}

# %%
for name, classifier in {"lite0": first, "lite2": other, **together}.items():
    accuracy = classifier.fit(wide, training.labels).score(validation_wide, validation.labels)
    print(f"{name:12} {accuracy:.1%}")

# %% [markdown]
# These are validation accuracies, since the test set has been read. The validation set is small and this is a single
# split, so the order means little.
#
# ## Several descriptions, five draws
#
# `make results` repeated this on five random splits each, with all solar cells (by the published protocol), with dogs
# and with a hundred Kanji. There are two more ways: *four blocks* uses features of four blocks of the first network,
# which cost next to nothing in addition to those of its last one; *support vectors too* is a stack whose members are of
# two kinds, probes and support vector machines. The gain is that over the first network's plain probe on the same
# split; the seconds are those of fitting.

# %%
stacks = tl.results("tuning.stacks")


def show_task(name):
    task = stacks[name]
    plain = task["accuracies"]["efficientnet_lite0"]
    print(f"{name}: {task['rows']:,} labels")
    for way, accuracies in task["accuracies"].items():
        gain = points(np.subtract(accuracies, plain))
        mean, deviation = np.mean(accuracies), np.std(accuracies, ddof=1)
        print(f"  {way:32} {mean:.1%} ± {deviation:.1%}  gain {gain}  {task['seconds'][way]:4.1f} s")


show_task("solar")

# %%
show_task("kanji, 4 labels")

# %%
for name in stacks:
    if name.startswith("dogs"):
        show_task(name)

# %% [markdown]
# Read each gain together with its standard deviation.
#
# - **Solar cells.** A second network gains about a point, side by side or averaged. Four blocks of the *first* network
#   gain as much, and everything together hardly more.
# - **Kanji.** Lite2, the more accurate network on ImageNet, is clearly the less accurate one here. Still, the average
#   of the two is better than Lite0 alone, probably because their mistakes differ. The four blocks gain more on
#   average, and *averaged, four blocks too* has the highest mean in the table.
# - **Dogs.** Nearly every prediction is right already, so there is next to nothing to gain.
# - **The stack** is nowhere better than the plain average by more than the standard deviation, and takes several times
#   as long to fit. With four labels per character it has few predictions from which to estimate the weights of its
#   members.
#
# ### What it costs

# %%
for name, cost in tl.results("tuning.costs").items():
    milliseconds = 1000 * cost["seconds_a_picture"]
    print(f"{name:32} {cost['features']:5,} features, {milliseconds:.0f} ms a picture, {cost['peak_megabytes']} MB")

# %%
milliseconds = {name: 1000 * cost["seconds_a_picture"] for name, cost in tl.results("tuning.costs").items()}
milliseconds["averaged"] = milliseconds["efficientnet_lite0"] + milliseconds["efficientnet_lite2"]
names, accuracies = list(milliseconds), stacks["solar"]["accuracies"]
means = [100 * np.mean(accuracies[name]) for name in names]

tl.show.points(
    list(milliseconds.values()), means, "milliseconds a picture", "accuracy (%)", "Solar cells: cost and worth", names
)

# %% [markdown]
# The second network takes more than twice as long as the first, for every picture that will ever be classified. The
# features of earlier blocks are nearly free, since the network computes them anyway.
#
# ## Where a stack leaks
#
# A stack is only as good as the predictions that its last classifier is trained on: they have to be predictions for
# *new* pictures. If they are for the members' own training pictures, the last classifier gives the highest weight to
# the member that overfits most. In exercise 10.3 you make this mistake on purpose.
#
# Random folds are not enough where pictures belong together in groups: characters of one font, cells of one module,
# photographs of one animal. A group that is on both sides of a split is called **group leakage**. How accurate is a
# probe on its held-out folds? `make results` measured it for the ten numerals in five fonts, and then on two fonts that
# are not in the training set. (In the table a font is called a hand.)

# %%
for name, accuracies in tl.results("tuning.folds").items():
    print(f"{name:16} {np.mean(accuracies):.1%} ± {np.std(accuracies, ddof=1):.1%}")

# %% [markdown]
# With random folds every font is on both sides, and the probe looks better than it is on a new font. A stack would
# learn how far to trust it on fonts that it was trained on. Folds by font keep each font on one side. Neither gives the
# accuracy on the two unseen fonts: the first is too high, the second too low (it trains on four fonts instead of five,
# and one of the five is cursive). Of the two errors the second is the safer one. scikit-learn's stack takes such folds
# as a list: `cv=list(LeaveOneGroupOut().split(features, labels, groups))`.
#
# Choosing a stack is a search, too. If you try ten combinations on the validation set and report the best of them, its
# score has the same optimistic bias.
#
# ## Exercises
#
# ### Exercise 10.1: the luck of the best
#
# Forty classifiers are equally good: each is right about a new cell with probability 0.75, independently of the others.
# All are evaluated on as many validation cells as above, 197. What is the accuracy of the *best* of the forty there, on
# average over many repetitions? Guess first, then simulate it with `rng.binomial`.
#
# Stuck? `tl.check.hint("10.1")` in a cell of its own gives the first of three hints.

# %%
rng = np.random.default_rng(0)
mean_of_the_best = None  # replace None

tl.check("10.1", mean_of_the_best)

# %% tags=["solution", "hide-cell"] jupyter={"source_hidden": true, "outputs_hidden": true}
# Solution: click to open
right = rng.binomial(197, 0.75, size=(10_000, 40))  # repetitions × classifiers
mean_of_the_best = right.max(axis=1).mean() / 197
tl.check("10.1", mean_of_the_best)

# %% [markdown]
# All of them are right three times out of four on the test set. (The trials of a search are similar to each other, so
# the optimistic bias of the best is smaller. In the table of the five splits it is what was promised minus what was
# kept.)
#
# ### Exercise 10.2: whom does it listen to?
#
# `both` is one probe on all columns. To find out which network it relies on more, shuffle one network's columns between
# the cells: take these columns in the order `order`, and leave the other network's columns as they are. The more
# accuracy is lost, the more those columns mattered (this is *permutation importance*). Compute the validation accuracy
# with each network's columns shuffled.
#
# Stuck? `tl.check.hint("10.2")` in a cell of its own gives the first of three hints.

# %%
both = tl.train_classifier(wide, training.labels)
order = np.random.default_rng(0).permutation(len(validation))
mixed_up = {"lite0": None, "lite2": None}  # replace both None

tl.check("10.2", mixed_up, both, validation_wide)

# %% tags=["solution", "hide-cell"] jupyter={"source_hidden": true, "outputs_hidden": true}
# Solution: click to open
for name, columns in {"lite0": lite0, "lite2": lite2}.items():
    rows = validation_wide.copy()
    rows[:, columns] = validation_wide[order, columns]
    mixed_up[name] = both.score(rows, validation.labels)
tl.check("10.2", mixed_up, both, validation_wide)

# %% [markdown]
# ### Exercise 10.3: a stack that leaks, and one that does not
#
# The stack has two members: our probe on the first network's columns, and a *nearest neighbour* classifier, which
# predicts the label of the most similar training cell. On its own training cells it is always right. Make two stacks of
# them, both fitted on `wide` and `training.labels`, with a `LogisticRegression()` as the last classifier: one that is
# trained on predictions for held-out cells, and one that leaks. For the second, fit the members first and pass
# `cv="prefit"`. Look at the weights that the check reports: the accuracies may differ by only a cell or two.
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
#   it. On cached features, and with one preparation for all fine-tuning runs, it takes seconds.
# - The validation score of the best trial has an optimistic bias. The test set, read once, shows how much of the gain
#   is real. On the solar cells none of it could be told from zero.
# - The labels that a search needs for choosing can be used for training instead. On the solar cells that was worth
#   more.
# - On the Kanji, the choice of features gained most on average, with a large standard deviation.
# - Averaged, two networks were one to two points better than the first alone, on cells and Kanji. No stack was better
#   than the average by more than the standard deviation, and an average has no last classifier that could leak.
# - A stack has to be trained on predictions for pictures that its members were not trained on.
# - When two ways are within one standard error of each other (lesson 11 has the rule), take the simpler one. Often that
#   is the plain linear probe.
# - What we measured: five splits of three data sets, two networks of one family, and searches of a few dozen trials.
#   Networks that differ more may gain more from being combined.
