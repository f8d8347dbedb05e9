# %% [markdown]
# # 03 · Feature extraction: ImageNet to your own classes
#
# You will use a pretrained network as a feature extractor, first with Keras and scikit-learn alone, then with the
# helper; look at what the features know; and ask of each data set what tutorials often leave out: has the network seen
# it before?
#
# **Minutes:** about 30 · **Needs:** nothing from the internet; the dog photographs of the last section are optional

# %% tags=["setup"]
# Written by notebooks/build.py (set_up): it says how to get the course where it is missing.

# %% [markdown]
# ## What you will learn
#
# - to extract features with Keras, and to train a linear probe with scikit-learn;
# - when the helper's cached call saves time, and that it computes the same;
# - to measure similarity between pictures, and to find a picture's neighbours;
# - how accuracy grows with the number of labels;
# - **contamination**: how to tell whether a benchmark is honest.
#
# ## Features in Keras
#
# The stamps of lesson 00, as one array of pictures at the size that the network was trained with.

# %%
import keras
import numpy as np

import tlcourse as tl

stamps = tl.load_dataset("stamps")


# %%
def as_array(split):
    """Pictures as uint8 (n, 224, 224, 3)."""
    return np.stack([tl.pictures.resize(picture, (224, 224)) for picture in split.images])


train_images, test_images = as_array(stamps.train), as_array(stamps.test)
train_images.shape

# %% [markdown]
# The base of the network returns a grid of 7 × 7 positions with 1,280 channels (lesson 02). The features are the average
# over all positions: `GlobalAveragePooling2D`. `training=False` asks for inference mode, in which `predict` runs a
# network anyway; lesson 04 comes back to it.

# %%
network = tl.load_pretrained_model().network
base = keras.Model(network.input, network.get_layer("head_relu6").output)

inputs = keras.Input((224, 224, 3))
outputs = keras.layers.GlobalAveragePooling2D()(base(inputs, training=False))
extractor = keras.Model(inputs, outputs)

# %% [markdown]
# (With a network of `keras.applications` it is one line and its preprocessing: `base = keras.applications.MobileNetV2(
# include_top=False, pooling="avg")`, and `preprocess_input` on the pictures first.)

# %%
import time

extractor.predict(train_images[:1], verbose=0)  # the first call also builds the function that Keras runs
start = time.perf_counter()
train_features = extractor.predict(train_images, verbose=0)
test_features = extractor.predict(test_images, verbose=0)
seconds_in_keras = time.perf_counter() - start
train_features.shape, test_features.shape

# %% [markdown]
# One row per picture, one column per feature. For these pictures the network will not be needed again: what follows
# works on the two arrays, and is fast.
#
# ## A linear probe in scikit-learn
#
# Two decisions make a good probe. **Standardise** the features, if there are more than a handful of pictures: some
# features vary much more than others, and the penalty should treat them alike. **Regularise** strongly: there are 1,280
# features and 86 pictures, so without a penalty the training set can be fitted in very many ways. In scikit-learn a
# smaller `C` is a stronger penalty.

# %%
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

probe = make_pipeline(StandardScaler(), LogisticRegression(C=1e-2, max_iter=1000))
probe.fit(train_features, stamps.train.labels)
print(f"Linear probe: {probe.score(test_features, stamps.test.labels):.1%} of {len(stamps.test)} test pictures")

# %% [markdown]
# ## The helper: the same features, cached
#
# `model.extract_features` and `tl.train_classifier` do what you have just written in one line each. They run the
# network with ONNX Runtime, keep the features of each picture on disk, and choose `C` by cross-validation.

# %%
model = tl.load_pretrained_model()

start = time.perf_counter()
helper_features = model.extract_features(stamps.test.images, cache=False)
seconds_of_helper = time.perf_counter() - start

model.extract_features(stamps.test.images)  # kept on disk
start = time.perf_counter()
model.extract_features(stamps.test.images)
seconds_again = time.perf_counter() - start

# %% tags=["nbval-ignore-output"]
both = len(train_images) + len(test_images)
print(f"Keras:            {1000 * seconds_in_keras / both:6.1f} ms per picture")
print(f"helper:           {1000 * seconds_of_helper / len(test_images):6.1f} ms per picture")
print(f"helper, 2nd time: {1000 * seconds_again / len(test_images):6.1f} ms per picture")

# %% [markdown]
# Are they the same features?

# %%
difference = np.abs(helper_features - test_features).max() / np.abs(test_features).max()
print(f"Largest difference, as a share of the largest feature: {difference:.5f}")

# %% [markdown]
# ## Neighbours
#
# If features are any good, pictures of the same kind should be close together. We measure closeness by **cosine
# similarity**: 1 where two feature vectors point in the same direction.


# %%
def unit_length(features):
    return features / np.linalg.norm(features, axis=1, keepdims=True)


similarity = unit_length(test_features) @ unit_length(train_features).T
similarity.shape

# %% [markdown]
# One row per test picture, one column per training picture. Take three test pictures, and the five training pictures that
# are most similar to each.

# %%
queries = [3, 30, 60]
nearest = np.argsort(-similarity[queries], axis=1)[:, :5]
shown, titles = [], []
for query, rows in zip(queries, nearest, strict=True):
    shown += [stamps.test.images[query], *stamps.train.images[rows]]
    titles += ["test picture", *stamps.train.label_names[rows]]
tl.show.pictures(shown, titles)

# %% [markdown]
# Sometimes the neighbours share the class, sometimes only the colour or the pose. The network does not know which of
# these we care about. Change `queries` and look at others.
#
# **Predict first.** A classifier that copies the label of the most similar training picture trains nothing at all. How
# good will it be?

# %% tags=["answer"]
copied = stamps.train.labels[similarity.argmax(axis=1)]
print(f"Nearest neighbour: {np.mean(copied == stamps.test.labels):.1%}")

# %% [markdown]
# ## A map of the features
#
# A principal component analysis finds the two directions in which the features vary most, and draws the pictures there.

# %%
from sklearn.decomposition import PCA

points = PCA(n_components=2, random_state=0).fit_transform(unit_length(test_features))
tl.show.feature_map(points, stamps.test.labels, stamps.class_names, "Test pictures: the two principal components of 1,280 features")

# %% [markdown]
# No label was used for this map, and yet most kinds form groups. Where two kinds overlap, other directions may still
# separate them: two are few.
#
# ## How many labels does it need?
#
# Somebody has to label the training pictures. So the question that decides whether transfer learning pays is: how good is
# it with *few* labels? We train on 1, 2, 3 and 5 pictures of each kind, on five random splits each, and test on the
# split's test set: our pipeline, and the helper's `LinearProbe`, an estimator for scikit-learn as well, with two choices
# of C.


# %%
def accuracy_with(probe, per_class, seed):
    split = tl.load_dataset("stamps", seed=seed)
    few = split.train.sample(per_class, seed)
    probe.fit(model.extract_features(few.images), few.labels)
    return probe.score(model.extract_features(split.test.images), split.test.labels)


probes = {
    "StandardScaler, LogisticRegression": make_pipeline(StandardScaler(), LogisticRegression(C=1e-2, max_iter=1000)),
    "LinearProbe, the same C": tl.LinearProbe(C=1e-2),
    "LinearProbe, C cross-validated": tl.LinearProbe(),
}

# %% [markdown]
# **Predict first.** With how many labels per class will eight of ten answers be right? Will the three differ?

# %% tags=["answer"]
labels_per_class = [1, 2, 3, 5]
means, deviations = {}, {}
for name, probe in probes.items():
    scores = np.array([[accuracy_with(probe, count, seed) for seed in range(5)] for count in labels_per_class])
    means[name], deviations[name] = scores.mean(axis=1), scores.std(axis=1, ddof=1)
    for count, mean, deviation in zip(labels_per_class, means[name], deviations[name], strict=True):
        print(f"{name:35} {count} per class: {mean:.1%} ± {deviation:.1%}")

# %% tags=["answer"]
tl.show.curves(
    labels_per_class,
    means,
    deviations,
    xlabel="labelled pictures of each kind",
    ylabel="accuracy on the test set",
    title="Stamps: few labels, five random splits",
    highest=1,
)

# %% [markdown]
# The band is one standard deviation over the splits. It is several points wide almost everywhere: a single run says
# little.
#
# Why do they differ most at the left? With one picture per class, `StandardScaler` estimates how much each of 1,280
# features varies from six pictures. These estimates are mostly noise, and dividing by one that is too small by chance
# turns a feature that hardly varies into a large one. `LinearProbe` shrinks each variance towards the average variance of
# all features, the more so the fewer pictures there are; otherwise its first variant is the same pipeline. With five of
# each kind the effect has nearly vanished.
#
# ## Has the network seen this before?
#
# A network that was pretrained on ImageNet may have seen your test pictures *with their labels*, if they were taken
# from ImageNet. Then a test is like an exam whose questions were handed out before. This is **contamination**. Dog
# breeds are a well-known case:
#
# - **Stanford Dogs** was taken from ImageNet. Every test on it with an ImageNet network is contaminated.
# - **Oxford-IIIT Pet** was not taken from ImageNet. Its photographs are new to the network, as far as we know, but most
#   of its *breeds* are not: ImageNet has more than a hundred breeds among its classes.
#
# The stamps are of the second kind: the photographs are new, many of the kinds are not. The solar cells are of a third:
# neither picture nor class occurs in ImageNet.
#
# If dog photographs are on this machine, the next cells examine them. `tlcourse fetch dogs` downloads those of
# Oxford-IIIT Pet (about 800 MB, once); `docs/install.md` says how to use a pack. Without them the lesson goes on. (The
# outputs stored here are from a small pack of three breeds, taken from ImageNet.)

# %% tags=["nbval-ignore-output"]
try:
    dogs = tl.load_dataset("dogs")
    print(dogs)
except tl.errors.DatasetUnavailable as error:
    dogs = None
    print(error)

# %% [markdown]
# ImageNet's files carry a number from WordNet in their names: `n02088364_…` is a beagle. A name like that is a strong
# sign. (The opposite proves nothing: files can be renamed.) And ImageNet's own list of classes says which breeds the
# network was trained to name, here by exact names; a breed may be there under another one.

# %% tags=["nbval-ignore-output"]
import re

from tlcourse.models.weights import imagenet_classes

if dogs:
    paths = dogs.train.images.paths + dogs.test.images.paths
    from_imagenet = sum(bool(re.match(r"n\d{8}_", path.name)) for path in paths)
    known = {row["label"].lower().replace(" ", "_") for row in imagenet_classes()}
    print(f"{from_imagenet} of {len(paths)} photographs have a name from ImageNet.")
    print(f"{len(known & set(dogs.class_names))} of {len(dogs.class_names)} breeds are classes of ImageNet, by name.")

# %% [markdown]
# The same probe on the dogs, with five labels of each breed and with all of them:

# %% tags=["nbval-ignore-output"]
if dogs:
    test = model.extract_features(dogs.test.images)
    for part in (dogs.train.sample(per_class=5), dogs.train):
        probe = make_pipeline(StandardScaler(), LogisticRegression(C=1e-2, max_iter=1000))
        probe.fit(model.extract_features(part.images), part.labels)
        print(f"{len(part):5} labels: {probe.score(test, dogs.test.labels):.1%} of {len(dogs.test)} test photographs")

# %% [markdown]
# If most of the names were ImageNet's, the test is contaminated: this accuracy may show how well the network
# *remembers* these photographs, and it does not tell you how well it would do on your neighbour's dog. If the
# photographs are new to the network, keep in mind that it was trained on most of these breeds, on other photographs.

# %% [markdown]
# ## Exercises
#
# ### Exercise 3.1: five neighbours
#
# One neighbour may be there by chance. Let the five most similar training pictures vote: find the test accuracy of the
# most frequent label among them.
#
# Stuck? `tl.check.hint("3.1")` in a cell of its own gives the first of three hints.

# %%
five_nearest = np.argsort(-similarity, axis=1)[:, :5]
accuracy_of_five = None  # replace None

tl.check("3.1", accuracy_of_five)

# %% tags=["solution", "hide-cell"] jupyter={"source_hidden": true, "outputs_hidden": true}
# Solution: click to open
votes = [np.bincount(labels).argmax() for labels in stamps.train.labels[five_nearest]]
accuracy_of_five = np.mean(np.array(votes) == stamps.test.labels)
tl.check("3.1", accuracy_of_five)

# %% [markdown]
# ### Exercise 3.2: what is the pretraining worth?
#
# Without `tlcourse`: build an extractor of the **same architecture with random weights** (`keras.models.clone_model`
# makes new weights), and pass it to the check. The check trains the probe of this lesson on its features and compares.
# Guess first: is it as bad as chance?
#
# Stuck? `tl.check.hint("3.2")` in a cell of its own gives the first of three hints.

# %%
random_extractor = None  # replace None: a keras.Model, pictures (n, 224, 224, 3) → features (n, 1280)

tl.check("3.2", random_extractor)

# %% tags=["solution", "hide-cell"] jupyter={"source_hidden": true, "outputs_hidden": true}
# Solution: click to open
keras.utils.set_random_seed(0)
random_base = keras.models.clone_model(base)
random_extractor = keras.Model(inputs, keras.layers.GlobalAveragePooling2D()(random_base(inputs, training=False)))
tl.check("3.2", random_extractor)

# %% [markdown]
# ### Exercise 3.3: features of an earlier block
#
# Are the features of the last block the best ones? With Keras and scikit-learn: build an extractor that ends at the last
# layer of an earlier block (`model.blocks["block4c"][-1]` is its name), average its positions, train the same probe, and
# find its test accuracy. Guess first: higher, lower, the same?
#
# Stuck? `tl.check.hint("3.3")` in a cell of its own gives the first of three hints.

# %%
my_block = "block4c"
accuracy_at_block = None  # replace None

tl.check("3.3", accuracy_at_block, my_block)

# %% tags=["solution", "hide-cell"] jupyter={"source_hidden": true, "outputs_hidden": true}
# Solution: click to open
early = keras.Model(network.input, network.get_layer(model.blocks[my_block][-1]).output)
early_extractor = keras.Sequential([early, keras.layers.GlobalAveragePooling2D()])
early_probe = make_pipeline(StandardScaler(), LogisticRegression(C=1e-2, max_iter=1000))
early_probe.fit(early_extractor.predict(train_images, verbose=0), stamps.train.labels)
accuracy_at_block = early_probe.score(early_extractor.predict(test_images, verbose=0), stamps.test.labels)
tl.check("3.3", accuracy_at_block, my_block)

# %% [markdown]
# ## Summary
#
# - Feature extraction: run the frozen base once over each picture; everything after that works on the features.
# - A linear probe is a standardised, regularised logistic regression. It is a few lines of scikit-learn.
# - The helper computes the same features, faster, and only once per picture.
# - Neighbours in feature space are pictures with similar features. What they share may be the class, the colour or the
#   pose.
# - With few labels report the standard deviation over several splits.
# - Ask of every benchmark: has the pretrained network seen these pictures, or these classes, before?
#
# **Next:** [04 · A new head: the five steps](04_head.ipynb)
