# %% [markdown]
# # 00 · Start here
#
# In about half a minute of computing, a network that has only ever seen everyday photographs will tell broken solar cells
# from working ones. You will write three lines for it.
#
# **Minutes:** about 20 · **Needs:** nothing from the internet

# %% tags=["setup"]
# Written by notebooks/build.py (set_up): it says how to get the course where it is missing.

# %% [markdown]
# ## What you will learn
#
# - what transfer learning is, by doing it once from beginning to end;
# - the three calls that the whole course is built on;
# - how to compare your result with a published one without fooling yourself;
# - how the lessons work: predict, run, read, change.
#
# ## The idea in four sentences
#
# A network that has learned to name a thousand kinds of things in photographs has, on the way, learned to see: edges,
# textures, shapes, parts. Most of that is not about the thousand kinds at all. So we keep the seeing and replace only
# the naming. That is transfer learning, and it is why a few hundred pictures can be enough where the network itself
# needed more than a million.
#
# ## The task: which solar cells are defective?
#
# Send a current through a solar cell and it glows, faintly, in the infrared. Where it is cracked or dead it stays
# dark. These photographs were taken that way, and experts said of each cell whether it works.

# %%
import tlcourse as tl

solar = tl.load_dataset("solar")
solar

# %% [markdown]
# Three parts: `train` to learn from, `validation` to choose with, `test` to be judged by. No cell is in two of them.
# Let us look at some cells before we ask a network about them.

# %%
few = solar.train.sample(per_class=6, seed=1)
tl.show.pictures(few.images, few.label_names)

# %% [markdown]
# Some defects are plain: a dark patch, a thick crack. Others you would not find without being told, and some cells
# look broken and are not: the dark grains of polycrystalline silicon are harmless.
#
# *(Photographs: ELPV data set, ZAE Bayern, Buerhop-Lutz et al. 2018 and Deitsch et al. 2019, CC BY-NC-SA 4.0.)*
#
# **Predict first.** Our network has never seen a solar cell, nor any infrared photograph. We will not train it further.
# Of a hundred new cells, how many will it get right? Write your guess down; guessing costs nothing and you will
# remember the answer better.

# %%
my_guess = None  # put a number between 50 and 100 here

# %% [markdown]
# ## Sixty seconds, three calls
#
# **First call: load a pretrained network.** This one, EfficientNet-Lite0, was trained on ImageNet: 1.28 million
# photographs of a thousand kinds of things, from goldfish to toilet paper. It came with the course, so nothing is
# downloaded.

# %%
model = tl.load_pretrained_model()
model

# %% [markdown]
# The last line says: give it a picture, and it gives back a list of numbers, its **features**. The thousand names that
# it was trained to say have been cut off.
#
# **Second call: turn pictures into features.** The network runs once over each picture. This is all the heavy work
# there is; it takes some seconds. What was computed is kept on disk, so running the cell again takes none.

# %%
new_images = solar.train_and_validation.images
new_labels = solar.train_and_validation.labels

features = model.extract_features(new_images)
features.shape

# %% [markdown]
# One row a cell, one column a feature. A solar cell of 300 × 300 pixels has become a row of numbers that say how much
# of this texture and that shape is in it.
#
# **Third call: train a classifier on the features.** The network stays as it is. Only a linear classifier is
# trained, a weighted vote of the features. (The course calls this a *linear probe*.)

# %%
new_classifier = tl.train_classifier(features, new_labels, solar.class_names)

# %% [markdown]
# That was all. Now the moment of truth: cells that were never shown to anybody.

# %%
test_features = model.extract_features(solar.test.images)
accuracy = new_classifier.score(test_features, solar.test.labels)
print(f"Right: {accuracy:.1%} of {len(solar.test)} new cells. Your guess: {my_guess}")

# %% [markdown]
# ## Is that good?
#
# A number alone says nothing. Two questions help.
#
# **What would somebody get who does not look?** Always answering the more frequent class is right rather often, too.

# %%
import numpy as np

counts = np.bincount(solar.test.labels)
print(f"Always saying '{solar.class_names[counts.argmax()]}': {counts.max() / counts.sum():.1%}")

# %% [markdown]
# **What did others get?** The people who took these photographs published two results for the same task, with three
# quarters of the cells to learn from and one quarter to be judged by, as here (Deitsch et al., *Solar Energy* 185,
# 2019):
#
# - 82.44 %: a support vector machine on features that were designed by hand;
# - 88.42 %: VGG-19, a network pretrained on ImageNet, with all its layers trained further on a graphics card.
#
# To compare like with like we must count as they did. Their experts were not always sure, and an unsure verdict counts
# less: a third or two thirds of a sure one. `weights` holds these counts.

# %%
weights = solar.test.weights
print(f"Counted as published: {new_classifier.score(test_features, solar.test.labels, weights):.1%}")

# %% [markdown]
# So three calls, without training a single layer of the network, do about as well as features that experts designed
# for this very task. They do not reach the network that was trained further. How to do that, on a laptop, is lesson 05.
#
# One more thing to be honest about: the cells were cut from 44 solar modules, and the data set does not say which cell
# is from which module. Cells of one module may stand on both sides of the split, so all of these numbers, the
# published ones included, may be kinder than the next module will be.

# %% [markdown]
# ## Look at the mistakes
#
# Accuracy counts mistakes. Looking at them teaches. The upper row shows cells where the classifier was surest and
# right; the lower row, where it was surest and wrong.

# %%
probabilities = new_classifier.predict_proba(test_features)
tl.show.right_and_wrong(solar.test.images, solar.test.labels, probabilities, solar.class_names)

# %% [markdown]
# Would you have called the cells of the lower row correctly? Some of these labels are of the unsure kind. And are both
# classes equally hard? The confusion matrix tells what was taken for what.

# %%
tl.show.confusion(new_classifier.confusion(test_features, solar.test.labels))

# %% [markdown]
# Rows are what the cells are, columns are what was said. The two fields off the diagonal are two different kinds of
# mistake: a false alarm costs a second look, a missed defect costs power for twenty years. Accuracy adds them up as if
# they were the same. It is worth knowing which kind you make.
#
# ## A picture of your own
#
# What does it say of a picture that you choose? Take one of ten new cells from the list, or give a picture of yours. It is
# shown as the network sees it, beside it what speaks for the answer (brighter is more), and below the three cells of
# the training that are nearest to it. Your picture is kept nowhere.

# %%
learned_from = solar.train_and_validation
tl.widgets.TryYourOwn(model, new_classifier, learned_from, features, examples=solar.test)

# %% [markdown]
# Give it a photograph of your breakfast, and it will say "functional" or "defective", perhaps very surely: it knows no
# third answer. What gives it away are the neighbours, which are not near: compare their cosines with those of a cell.

# %% [markdown]
# ## How the course works
#
# - **Predict, run, read.** Where it says *Predict first*, do. Then run the cell (Shift-Enter) and read on: the text
#   below says what was to be seen.
# - **Exercises** come with a stub that runs as it stands, a check that says why an answer is wrong, three hints that
#   say more and more, and a solution cell, folded away. `tl.check.progress()` shows what you have solved.
# - **Numbers are measured.** What you see was computed by the cell above it; on another processor the last digit may
#   differ. What comes from a publication is named.
# - **Nothing is hidden.** `model.network` is an ordinary Keras model; the package is small and made to be read.
# - **Something does not work?** Run `tlcourse doctor` in a terminal: it says what is missing and what mends it.
#
# | No. | Lesson |
# |---|---|
# | 00 | Start here: you are here |
# | [01](01_why_transfer.ipynb) | Why transfer? Three promises, measured |
# | [02](02_pretrained_models.ipynb) | Pretrained models: what is inside, what they see, what they expect |
# | [03](03_feature_extraction.ipynb) | Feature extraction: ImageNet to dog breeds |
# | [04](04_freezing_and_a_new_head.ipynb) | Freezing layers and a new head: the five steps |
# | [05](05_fine_tuning.ipynb) | Fine-tuning: ImageNet to solar-cell defects |
# | [06](06_digits_to_kanji.ipynb) | Digits to Kanji: carried over, layer by layer |
# | [07](07_bert_to_sentiment.ipynb) | BERT to sentiment: the same calls for sentences |
# | [08](08_the_misuse_lab.ipynb) | The misuse lab: eight mistakes, and what each costs |
# | [09](09_tune_and_stack.ipynb) | Tune and stack: what a search promises, and what is kept |
# | [10](10_your_own_pictures.ipynb) | Your own pictures: from a folder to a file |
# | [11](11_past_one_machine.ipynb) | Past one machine: the same job on many |

# %% [markdown]
# ## Exercises
#
# ### Exercise 0.1: how few labels are enough?
#
# Somebody has to label cells, and experts cost money. `solar.train.sample(per_class=10)` takes ten cells of each class.
# Train a classifier on so few and find its accuracy on the test cells. Guess first.
#
# Stuck? `tl.check.hint("0.1")` in a cell of its own gives the first of three hints.

# %%
few_cells = solar.train.sample(per_class=10)
accuracy_with_few = None  # replace None

tl.check("0.1", accuracy_with_few, few_cells)

# %% tags=["solution", "hide-cell"] jupyter={"source_hidden": true, "outputs_hidden": true}
few_features = model.extract_features(few_cells.images)
few_classifier = tl.train_classifier(few_features, few_cells.labels)
accuracy_with_few = few_classifier.score(test_features, solar.test.labels)
tl.check("0.1", accuracy_with_few, few_cells)
# Compare with the baseline before you celebrate. Ten other cells would give another number: lesson 03 draws five times.

# %% [markdown]
# ### Exercise 0.2: is one kind of cell harder?
#
# There are monocrystalline cells, smooth and even, and polycrystalline ones, with a pattern of grains.
# `solar.test.groups` says of each test cell which it is. Find the accuracy of each kind. Which do you expect to be
# harder?
#
# Stuck? `tl.check.hint("0.2")` in a cell of its own gives the first of three hints.

# %%
kinds = solar.test.groups
accuracy_by_kind = {}  # {"mono": …, "poly": …}

tl.check("0.2", accuracy_by_kind, new_classifier)

# %% tags=["solution", "hide-cell"] jupyter={"source_hidden": true, "outputs_hidden": true}
for kind in ("mono", "poly"):
    mask = kinds == kind
    accuracy_by_kind[kind] = new_classifier.score(test_features[mask], solar.test.labels[mask])
tl.check("0.2", accuracy_by_kind, new_classifier)

# %% [markdown]
# ### Exercise 0.3: change the experiment
#
# A crack is a matter of texture as much as of objects, and the network's earlier blocks are the ones that see texture.
# `model.extract_features(images, blocks=[…])` takes features from blocks that you name; `list(model.blocks)` lists
# them from the pixels onward. Take 100 cells of each class and compare two classifiers: one on the last block's
# features as above, one on the blocks `block5c`, `block6d` and `head` together. Judge them on `solar.validation`:
# choosing is what validation is for, and the test is read once.
#
# Stuck? `tl.check.hint("0.3")` in a cell of its own gives the first of three hints.

# %%
rows = solar.train.sample_rows(per_class=100)  # which cells, so that you can take the same rows of the features
sample = solar.train.select(rows)
my_blocks = ["block5c", "block6d", "head"]
validation_accuracy = {}  # {"last block": …, "three blocks": …}

tl.check("0.3", validation_accuracy, sample)

# %% tags=["solution", "hide-cell"] jupyter={"source_hidden": true, "outputs_hidden": true}
described = {
    "last block": (features[rows], features[len(solar.train) :]),
    "three blocks": [model.extract_features(split.images, my_blocks) for split in (sample, solar.validation)],
}
for name, (learned, unseen) in described.items():
    classifier = tl.train_classifier(learned, sample.labels)
    validation_accuracy[name] = classifier.score(unseen, solar.validation.labels)
tl.check("0.3", validation_accuracy, sample)

# %% [markdown]
# One split of a few hundred cells cannot settle a difference of a percent or two: another draw of cells may turn it
# around. Lesson 01 will repeat such experiments with several seeds and draw the spread.
#
# ## Summary
#
# - Transfer learning keeps what a network has learned to see and replaces what it says.
# - Three calls: `load_pretrained_model`, `extract_features`, `train_classifier`.
# - A result means something beside a baseline and beside what others measured in the same way.
# - Train to learn, validate to choose, test to be judged, once.
# - What we measured: on these solar cells, with this split, frozen ImageNet features and a linear classifier do about
#   as well as features designed by hand, and less well than a network that was trained further. About other data we
#   know nothing yet.
#
# **Next:** [01 · Why transfer?](01_why_transfer.ipynb)
