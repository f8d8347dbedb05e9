# %% [markdown]
# # 03 · Feature extraction: ImageNet to dog breeds
#
# You will teach a frozen network to tell dog breeds apart, see why it needs so few photographs, and ask the question
# that most tutorials leave out: had it seen these dogs before?
#
# **Minutes:** about 35 · **Needs:** the dog photographs, fetched once with `tlcourse fetch dogs`, or a pack

# %% tags=["setup"]
# Written by notebooks/build.py (set_up): it says how to get the course where it is missing.

# %% [markdown]
# ## What you will learn
#
# - what a feature vector is, and why pictures that look alike to a network are neighbours;
# - how to classify without training anything, and with a linear probe;
# - how accuracy grows with the number of labels, with its spread over several draws;
# - how to tell whether a benchmark is honest: **contamination**.
#
# ## The dogs
#
# Without internet, photographs come from a pack: see the card. The course runs the same on the twenty-five breeds of
# Oxford-IIIT Pet and on a small pack of three.

# %%
import tlcourse as tl

dogs = tl.load_dataset("dogs")
dogs

# %% [markdown]
# Three parts that share no photograph: `train` to learn from, `validation` to choose with, `test` to be judged by.

# %% tags=["nbval-ignore-output", "no-store"]
few = dogs.train.sample(per_class=2).select(slice(0, 12))
tl.show.pictures(few.images, few.label_names)

# %% [markdown]
# ## Have these dogs been seen before?
#
# Before anything is measured, look where the photographs come from. This matters more than any choice of method.
#
# - **Stanford Dogs** was cut out of ImageNet. A network that was pretrained on ImageNet has been *trained on these very
#   photographs*, with the breed as the label. A test on them is an exam whose questions were handed out before.
# - **Oxford-IIIT Pet** was collected elsewhere. Its photographs are new to the network. Most of its *breeds* are not:
#   ImageNet has well over a hundred breeds of dogs among its thousand classes.
#
# ImageNet's files carry a number from WordNet in their names: `n02088364_…` is a beagle. So the names of our files tell
# which of the two we have.

# %%
import re

all_paths = dogs.train.images.paths + dogs.validation.images.paths + dogs.test.images.paths
from_imagenet = [path for path in all_paths if re.match(r"n\d{8}_", path.name)]
print(f"{len(from_imagenet)} of {len(all_paths)} photographs carry a name from ImageNet.")

# %% [markdown]
# If that is most of them, **every accuracy below is too good to be true of new dogs**. It shows how the method works,
# and nothing about how well the network would do on your neighbour's dog. If it is none of them, the photographs are
# new, and the only help from before is that the network was once taught most of the breeds.
#
# Which breeds was it taught? ImageNet's own list answers.

# %%
from tlcourse.models.weights import imagenet_classes

taught = {row["label"].lower().replace(" ", "_") for row in imagenet_classes()}
for breed in dogs.class_names:
    print(f"{breed:28} {'an ImageNet class' if breed in taught else 'no ImageNet class of this name'}")

# %% [markdown]
# ## From photographs to features
#
# The network runs once over every photograph. Its last block's output, averaged over all positions, is the feature
# vector.

# %%
model = tl.load_pretrained_model()
train_features = model.extract_features(dogs.train.images)
test_features = model.extract_features(dogs.test.images)
train_features.shape, test_features.shape

# %% [markdown]
# One row a photograph. Nothing that follows will touch the network or the photographs again, and so everything that
# follows is fast. That is the whole trick of feature extraction: **pay for the network once**.
#
# ## Neighbours
#
# If features are any good, photographs of the same breed should lie close together. We measure closeness by the angle
# between two feature vectors: cosine similarity, which is 1 where they point the same way.

# %%
import numpy as np


def unit_length(features):
    return features / np.linalg.norm(features, axis=1, keepdims=True)


similarity = unit_length(test_features) @ unit_length(train_features).T
similarity.shape

# %% [markdown]
# A row for each test photograph, a column for each training photograph. Take one test dog and the five training
# photographs that are most like it.

# %% tags=["nbval-ignore-output", "no-store"]
query = 0
nearest = np.argsort(-similarity[query])[:5]
names = dogs.train.label_names[nearest]
tl.show.pictures([dogs.test.images[query], *dogs.train.images[nearest]], ["the question", *names])

# %% [markdown]
# Look at what they share. Often it is the breed; sometimes it is the pose, the grass, or a child's hand. The network
# does not know which of these we care about. Change `query` and look at a few more.
#
# **Predict first.** A classifier that simply copies the label of the nearest training photograph learns nothing at all.
# How good can it be?

# %%
copied = dogs.train.labels[similarity.argmax(axis=1)]
print(f"Nearest neighbour: {np.mean(copied == dogs.test.labels):.1%} right, without any training")
print(f"Guessing:          {1 / len(dogs.class_names):.1%}")

# %% [markdown]
# ## A map
#
# The features have far more dimensions than paper has. A *principal component analysis* finds the two directions in
# which the photographs differ most and draws them there.

# %%
from sklearn.decomposition import PCA

points = PCA(n_components=2, random_state=0).fit_transform(unit_length(test_features))
tl.show.feature_map(points, dogs.test.labels, dogs.class_names, "Test photographs by their two main directions")

# %% [markdown]
# Breeds gather, though nobody told the map what a breed is. Where two groups overlap here, other directions may still
# tell them apart: two are few.
#
# ## The linear probe
#
# Copying the nearest neighbour trusts all features alike. A *linear probe* learns which of them matter: it gives each
# feature a weight for each breed and adds up.

# %%
classifier = tl.train_classifier(train_features, dogs.train.labels, dogs.class_names)
print(f"Linear probe: {classifier.score(test_features, dogs.test.labels):.1%} right on the test photographs")

# %%
tl.show.confusion(classifier.confusion(test_features, dogs.test.labels))

# %% [markdown]
# Whatever stands off the diagonal was confused. Are these breeds that you would confuse, too? Look at the surest
# answers, right and wrong.

# %% tags=["nbval-ignore-output", "no-store"]
probabilities = classifier.predict_proba(test_features)
tl.show.right_and_wrong(dogs.test.images, dogs.test.labels, probabilities, dogs.class_names)

# %% [markdown]
# ## How many labels does it need?
#
# Somebody has to say of each training photograph what it shows. So the question that decides whether transfer learning
# is worth it is: how good is it with *few* labels?
#
# With one photograph a breed it matters a great deal which one. So we draw five times, with five seeds, and look at the
# mean and the spread.

# %%
labels_per_class = [1, 2, 5, 10, 20, 50]


def accuracy_with(per_class, seed):
    rows = dogs.train.sample_rows(per_class, seed)
    probe = tl.train_classifier(train_features[rows], dogs.train.labels[rows])
    return probe.score(test_features, dogs.test.labels)


# %% [markdown]
# **Predict first.** At how many labels a breed will it be right nine times out of ten?

# %%
accuracies = np.array([[accuracy_with(count, seed) for seed in range(5)] for count in labels_per_class])
means, spreads = accuracies.mean(axis=1), accuracies.std(axis=1, ddof=1)

for count, mean, spread in zip(labels_per_class, means, spreads, strict=True):
    print(f"{count:3} labels a breed: {mean:.1%} ± {spread:.1%}")

# %%
tl.show.curves(
    labels_per_class,
    {"linear probe": means},
    {"linear probe": spreads},
    xlabel="labelled photographs of each breed",
    ylabel="accuracy on the test photographs",
    title="A few labels go a long way",
    highest=1,
)

# %% [markdown]
# The curve climbs steeply and then bends. The band is wide at its beginning: with one photograph a breed, luck decides.
# Whoever reports a single run there reports their luck.
#
# Keep in mind what was found above. If these photographs are ImageNet's own, the network has had thousands of labels for
# these very breeds already, and the curve shows how fast it can be *reminded*, not how fast it can learn something new.
# The solar cells of lesson 00, which it certainly never saw, are the honest comparison: there, few labels went much less
# far.

# %% [markdown]
# ## Exercises
#
# ### Exercise 3.1: which neighbours count?
#
# One neighbour may be an accident. Let the five nearest vote: find the accuracy of the most frequent label among the
# five nearest training photographs.
#
# Stuck? `tl.check.hint("3.1")` in a cell of its own gives the first of three hints.

# %%
five_nearest = np.argsort(-similarity, axis=1)[:, :5]
accuracy_of_five = None  # replace None

tl.check("3.1", accuracy_of_five)

# %% tags=["solution", "hide-cell"] jupyter={"source_hidden": true, "outputs_hidden": true}
votes = [np.bincount(row).argmax() for row in dogs.train.labels[five_nearest]]
accuracy_of_five = np.mean(np.array(votes) == dogs.test.labels)
tl.check("3.1", accuracy_of_five)

# %% [markdown]
# ### Exercise 3.2: ask the network itself
#
# The network still has its ImageNet classifier: `model.predict_labels(images, top=1)` names one of a thousand classes
# for each photograph. How often does it name our breed, word for word? Compare with the linear probe. Which of the two
# has seen more labels of these breeds?
#
# Stuck? `tl.check.hint("3.2")` in a cell of its own gives the first of three hints.

# %%
named_right = None  # the share of test photographs, between 0 and 1

tl.check("3.2", named_right)

# %% tags=["solution", "hide-cell"] jupyter={"source_hidden": true, "outputs_hidden": true}
answers = model.predict_labels(dogs.test.images, top=1)
named = [best[0][0].lower().replace(" ", "_") for best in answers]
named_right = np.mean(np.array(named) == dogs.test.label_names)
tl.check("3.2", named_right)

# %% [markdown]
# ### Exercise 3.3: change the experiment
#
# Are breeds really a matter of the last block? Take the features of an earlier block, for instance
# `model.extract_features(images, blocks=["block4c"])`, for training and test, train a probe and compare. Guess first:
# better, worse, the same?
#
# Stuck? `tl.check.hint("3.3")` in a cell of its own gives the first of three hints.

# %%
my_block = "block4c"
accuracy_at_block = None  # replace None

tl.check("3.3", accuracy_at_block, my_block)

# %% tags=["solution", "hide-cell"] jupyter={"source_hidden": true, "outputs_hidden": true}
block_train = model.extract_features(dogs.train.images, blocks=[my_block])
block_test = model.extract_features(dogs.test.images, blocks=[my_block])
accuracy_at_block = tl.train_classifier(block_train, dogs.train.labels).score(block_test, dogs.test.labels)
tl.check("3.3", accuracy_at_block, my_block)

# %% [markdown]
# ## Summary
#
# - A frozen network turns every photograph into one feature vector, once; all that follows is cheap.
# - Photographs that lie close together in feature space look alike to the network, in whatever respect.
# - A linear probe learns which features matter; with few labels, say how wide the spread is.
# - Ask of every benchmark: has the pretrained network seen these pictures, or these classes, before?
# - What we measured holds for these breeds and these photographs. Where they came out of ImageNet, it is an upper bound
#   and no promise.
#
# **Next:** [04 · Freezing layers and a new head](04_freezing_and_a_new_head.ipynb)
