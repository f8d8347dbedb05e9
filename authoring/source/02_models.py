# %% [markdown]
# # 02 · Pretrained models
#
# You will be able to open a pretrained network, say what each part does, feed it correctly, cut off its classifier,
# and choose between eight networks.
#
# **Minutes:** about 35 · **Needs:** nothing from the internet

# %% tags=["setup"]
# Written by notebooks/build.py (set_up): it says how to get the course where it is missing.

# %% [markdown]
# ## What you will learn
#
# - to read the anatomy of a network: blocks, shapes, parameters;
# - what a network was trained on, and why it must answer even when it cannot know;
# - to give a network the pixels it expects, and to recognise what happens when it gets others;
# - to cut off the classifier, and to prove that what is left is all that the classifier ever saw.

# %% [markdown]
# ## 1. Load it
#
# One line loads a network that has already been trained. We load the one that comes with the course,
# EfficientNet-Lite0. It was made for phones, so it is quick on a laptop too.

# %%
import tlcourse as tl

model = tl.load_pretrained_model()
model

# %% [markdown]
# A photograph of fixed size goes in, 1,280 numbers come out, its **features** or **embedding**. In between there are blocks
# of layers.
#
# `model.network` is an ordinary Keras model, and everything that you know of Keras works on it.

# %%
print(type(model.network))
print(f"{len(model.network.layers)} layers, {model.network.count_params():,} parameters, {len(model.blocks)} blocks:")
print(*model.blocks)

# %% [markdown]
# Keras itself brings many pretrained networks, in `keras.applications`. `weights="imagenet"` downloads their weights once;
# `weights=None` builds the same architecture with random weights, which is enough to look at it.

# %%
import keras

mobilenet = keras.applications.MobileNetV2(weights=None)
print(f"{len(mobilenet.layers)} layers, {mobilenet.count_params():,} parameters")

# %% [markdown]
# `summary()` lists a network's layers. All of them would fill pages, so here are the first two blocks of ours.

# %% tags=["nbval-ignore-output"]
first_blocks = keras.Model(model.network.input, model.network.get_layer(model.blocks["block1a"][-1]).output)
first_blocks.summary()

# %% [markdown]
# ## 2. The anatomy
#
# A network with this many layers is read block by block. First, one block from the inside.

# %%
for name in model.blocks["block3b"]:
    layer = model.network.get_layer(name)
    print(f"{layer.__class__.__name__:20} {name:24} output {layer.output.shape[1:]}")

# %% [markdown]
# Read it from top to bottom. A convolution makes many more channels out of few. A "depthwise" convolution filters each
# channel by itself. Another convolution makes few channels again, and `Add` adds the block's input. Such a block is
# called an *inverted bottleneck* (Sandler et al., MobileNetV2, 2018). All blocks between `stem` and `head` are built
# this way, with small differences: the first widens nothing, and where the shape changes there is no `Add`.
#
# The output of a layer has a height, a width and a number of channels. Height × width are the **positions**: a coarse
# grid laid over the photograph. At each position the channels say what is there.
#
# **Predict first.** From the first block to the last: does the grid become finer or coarser? Do the channels become
# more or fewer?

# %% tags=["answer"]
for block, layers in model.blocks.items():
    height, width, channels = model.network.get_layer(layers[-1]).output.shape[1:]
    numbers = height * width * channels
    print(f"{block:8} {height:3} × {width:3} positions × {channels:5,} channels = {numbers:7,} numbers")

# %% [markdown]
# The grid becomes coarser: every few blocks its height and width are halved. The number of channels grows, on the whole.
# So the network says less precisely *where* something is, and more about *what* it is.
#
# After `head` comes the average over all positions (`GlobalAveragePooling2D`). One number per channel is left; these are
# the features.
#
# **Predict first.** A network's **parameters**, or weights, are what training determines. Where are most of them: in the
# early blocks, which have many positions, or in the late blocks, which have many channels? And how large is the
# classifier, which is a single layer?

# %%
parameters = {}
for block, layers in model.blocks.items():
    parameters[block] = sum(model.network.get_layer(name).count_params() for name in layers)
parameters["classifier"] = model.classifier.layers[-1].count_params()

# %% tags=["answer"]
thousands = [count / 1000 for count in parameters.values()]
tl.show.bars(list(parameters), thousands, "thousand parameters", "Most parameters are at the end")

# %% tags=["answer"]
total = sum(parameters.values())
print(f"{total:,} parameters, and {parameters['classifier'] / total:.0%} of them are in the classifier.")

# %% [markdown]
# A filter is used at every position, so positions need no parameters of their own. Channels do: in an ordinary convolution
# each pair of an input and an output channel has weights of its own. So the early blocks have very few parameters. The
# longest bar is the classifier, the one part that transfer learning replaces.
#
# (Parameters are counted as Keras counts them, with the moving averages of batch normalization.)

# %% [markdown]
# ## 3. What it was trained on, and what it says
#
# The network was trained on ImageNet: 1.28 million photographs from the web, sorted by people into 1,000 classes
# (Russakovsky et al., 2015). The names of these classes are its whole vocabulary. Let us read every fiftieth.

# %%
print(*model.labels[::50], sep=", ")

# %% [markdown]
# Animals, and objects of daily life. 118 of the classes are breeds of dog; remember that for lesson 03. There are
# hardly any classes for people, and none for the pictures that doctors take. With that in mind, here are six
# photographs that everybody may use.

# %%
samples = tl.load_dataset("samples")
photographs = dict(zip(samples.class_names, samples.test.images, strict=True))
tl.show.pictures(list(photographs.values()), list(photographs), columns=3)

# %% [markdown]
# **Predict first.** For which of the six will the network be right and sure? For which sure and wrong? What can it
# possibly say about the photograph of a retina, the back of an eye?
#
# The network takes squares. `resize="squash"` gives it each whole photograph, squashed into one.

# %% tags=["answer"]
whole = tl.load_pretrained_model(resize="squash")
guesses = whole.predict_labels(samples.test.images, top=3)
titles = ["\n".join(f"{share:.0%} {name}" for name, share in best) for best in guesses]
tl.show.pictures(list(photographs.values()), titles, columns=3)

# %% [markdown]
# Four cases:
#
# - **Right and sure:** the espresso, and the tripod. (It names the tripod, not the man. It has no class for him.)
# - **Nearly right:** all three answers for Chelsea are kinds of cat. She is a tabby, and the network prefers
#   another kind.
# - **Sure and wrong:** for the rocket on its launch pad it prefers the drilling platform by far, although there is a
#   class for rockets. Look at the steel masts around it, and you can guess why.
# - **No right answer:** for the astronaut and the retina there is no class. It answers all the same.
#
# It has to. The last layer is a *softmax*, which turns 1,000 scores into 1,000 probabilities that sum to one. "None of
# these" is not among the classes; this is called a **closed world**. The extreme case is pure noise.

# %%
import numpy as np

noise = np.random.default_rng(0).integers(0, 256, (224, 224, 3), dtype=np.uint8)
answers = model.predict_labels(noise, top=1000)[0]
print(f"Best answer for noise: {answers[0][0]}, {answers[0][1]:.0%}")
print(f"All {len(answers):,} answers together: {sum(probability for _, probability in answers):.0%}")

# %% [markdown]
# Here the best answer has a low probability, which is a warning of sorts. But do not count on it: the answer for the
# rocket had a much higher one and was wrong. A probability of the softmax compares the classes with each other. It does
# not say whether the picture shows any of them.
#
# And the rocket was squashed. Without `resize`, `predict_labels` takes the centre of a photograph and keeps its
# proportions, as networks are tested on ImageNet:

# %%
for label, probability in model.predict_labels([photographs["rocket"]], top=3)[0]:
    print(f"{label}: {probability:.0%}")

# %% [markdown]
# Now the first answer is right, and not sure. The network is the same; only the pixels that it was given are others.

# %% [markdown]
# ### Exercise 2.1: the man or the tripod?
#
# The network says "tripod" for the photographer. Does it look at the man at all, or only at the tripod? Find out by an
# experiment: make a copy of `photographs["camera"]`, paint its left half grey (127 in all three colours), and ask
# `whole` again. Then the same with the right half. Before you run it, write down what you expect.
#
# Stuck? `tl.check.hint("2.1")` in a cell of its own gives the first of three hints.

# %%
covered = None  # replace None: a copy of the photograph with one half painted grey

tl.check("2.1", covered)

# %% tags=["solution", "hide-cell"] jupyter={"source_hidden": true, "outputs_hidden": true}
# Solution: click to open
for side, columns in {"left": slice(None, 256), "right": slice(256, None)}.items():
    covered = photographs["camera"].copy()
    covered[:, columns] = 127
    label, probability = whole.predict_labels(covered, top=1)[0][0]
    print(f"{side} half covered: {label}, {probability:.0%}")
tl.check("2.1", covered)
# Without the man (left) the answer stays and is even surer. Without the tripod (right) it is gone.
# Covering parts of a picture to see what matters: Zeiler and Fergus, 2014.

# %% [markdown]
# ## 4. The right pixels
#
# A photograph is made of numbers from 0 to 255. No network says which scale and which order of colours it was trained
# with. That is a convention, and every family has its own. Here is what the first layer gets when the photograph has
# one orange pixel: red 255, green 128, blue 0.

# %%
orange = np.array([[[[255.0, 128.0, 0.0]]]])  # one picture, one row, one column, three colours
print("EfficientNet-Lite0 (ours)           ", model.preprocess(orange).ravel().round(3))

# %%
families = {
    "VGG16, ResNet50": keras.applications.vgg16,
    "InceptionV3, Xception, MobileNetV2": keras.applications.inception_v3,
    "EfficientNetV2": keras.applications.efficientnet_v2,
}
for name, family in families.items():
    print(f"{name:36}", family.preprocess_input(orange.copy()).ravel().round(3))

# %% [markdown]
# Three families, three conventions, and ours is a fourth:
#
# | Family | What the first layer gets |
# |---|---|
# | EfficientNet-Lite | (pixel − 127) / 128: about −1 to 1, in the order red, green, blue |
# | VGG, ResNet | pixel − the average of ImageNet's pixels: about −124 to 151, in the order **blue, green, red** |
# | Inception, Xception, MobileNetV2 | pixel / 127.5 − 1: −1 to 1, in the order red, green, blue |
# | EfficientNetV2 | the pixels as they are; the scaling is a layer inside the network |
#
# (We wrote `orange.copy()` for a reason: Keras' `preprocess_input` may change the array that you give it.)
#
# What does a wrong convention cost? We take the plain Keras network, which does no preprocessing by itself, and give it
# the same photograph of an espresso in eight preparations. Only the first is the one that it was trained with.


# %%
def prepare(pixels):
    """One photograph in eight preparations: name → float array (224, 224, 3)."""
    right = (pixels - 127) / 128
    return {
        "right: (pixel - 127) / 128": right,
        "[-1, 1], as for Inception": pixels / 127.5 - 1,
        "[0, 1]": pixels / 255,
        "right, but blue ↔ red": right[..., ::-1],
        "[0, 1], and blue ↔ red": pixels[..., ::-1] / 255,
        "as for VGG16": pixels[..., ::-1] - [103.939, 116.779, 123.68],
        "no preprocessing": pixels,
        "the right one, done twice": (right - 127) / 128,
    }


# %%
from tlcourse.models.efficientnet_lite import EfficientNetLite

plain_network = EfficientNetLite("efficientnet_lite0")
six = np.stack([tl.pictures.resize(photograph, model.input_size) for photograph in photographs.values()])
preparations = prepare(six[3].astype("float32"))
answers = plain_network.predict(np.stack(list(preparations.values())), verbose=0)

# %% [markdown]
# **Predict first.** With which of the seven others does it still recognise the espresso? Which one costs nothing at
# all? Which one is the worst?

# %% tags=["answer"]
espresso = model.labels.index("espresso")
percent = (100 * answers[:, espresso]).round(1)
tl.show.bars(list(preparations), percent, "probability of espresso, in %", "One photograph, eight preparations")

# %% tags=["answer"]
for name, answer in zip(preparations, answers, strict=True):
    print(f"{name:28} {model.labels[answer.argmax()]:12} {answer.max():.0%}")

# %% [markdown]
# There are three groups, and the middle one is the dangerous one.
#
# - **Harmless:** [-1, 1] is so close to our own convention that the answer is the same.
# - **Quietly worse:** scaled to [0, 1], or with blue and red exchanged, the answer is still right, but less sure; with
#   both mistakes it is less sure still. No error, no warning. On a photograph that is less clear, this can be the
#   difference between right and wrong.
# - **Ruined:** numbers far too large give another answer with some confidence. Preprocessing done twice makes every
#   photograph almost evenly black: the whole range of pixels is squeezed into a very small one, and the network has
#   next to nothing to look at.
#
# This is one photograph. It shows that the mistake matters, not how much accuracy it costs.

# %% [markdown]
# In this course you will not do the preprocessing by hand. Each model that `tl.load_pretrained_model` returns has its
# own preprocessing inside. That leaves one mistake: to scale the pixels *before*, out of habit. Let us make it.

# %%
try:
    model.predict_labels(photographs["coffee"] / 255)
except tl.errors.UserInputError as error:
    print(error)

# %% [markdown]
# It refuses, and it says why. But know its limit: this check looks at the range of the numbers. It cannot see that
# blue and red are exchanged, because the numbers look as good as before. (OpenCV's `imread` gives blue, green, red.)

# %% [markdown]
# ### Exercise 2.2: a mistake that costs nothing
#
# Change the experiment: run all eight preparations on the photograph of the photographer, `six[1]`, whose right answer
# is "tripod". One kind of mistake that hurt the espresso now costs exactly nothing. Which one, and why? Predict, then
# run.
#
# Stuck? `tl.check.hint("2.2")` in a cell of its own gives the first of three hints.

# %%
tripod = model.labels.index("tripod")
camera_answers = None  # replace None: the plain network's answers, one row for each preparation

tl.check("2.2", camera_answers)

# %% tags=["solution", "hide-cell"] jupyter={"source_hidden": true, "outputs_hidden": true}
# Solution: click to open
camera_preparations = prepare(six[1].astype("float32"))
camera_answers = plain_network.predict(np.stack(list(camera_preparations.values())), verbose=0)
for name, answer in zip(camera_preparations, camera_answers, strict=True):
    print(f"{name:28} tripod: {answer[tripod]:.0%}")
tl.check("2.2", camera_answers)
# Blue and red exchanged: nothing changes. The photograph is grey, so its three colours are the same numbers.
# A mistake can hide because of the pictures that you tested with. And VGG16's preparation, which ruined the espresso,
# does no harm to the tripod: one photograph is never a measurement.

# %% [markdown]
# ## 5. What layers see
#
# The very first layer is the only one whose filters we can look at as pictures, because its input is a picture. Each
# filter is three pixels high and three wide, with three colours. Grey means: this pixel and colour do not matter.

# %%
filters = np.moveaxis(model.network.get_layer("stem_conv").get_weights()[0], -1, 0)
largest = np.abs(filters).max(axis=(1, 2, 3), keepdims=True)
tl.show.pictures(
    (127.5 + 127.5 * filters / largest).astype(np.uint8), columns=8, title="The 32 filters of the first convolution"
)

# %% [markdown]
# Nobody designed these; they are the result of training. Two kinds are easy to see: filters of nearly one colour, which
# answer to that colour, and filters with one colour on one side and its opposite on the other, which answer to edges.
# Others are harder to name.
#
# For later layers we look at what comes *out*. We build a second Keras model from the same layers, which returns the
# output of five blocks. This takes one line, and no training.

# %%
shown = ["stem", "block2b", "block3b", "block5c", "head"]
outputs = [model.network.get_layer(model.blocks[block][-1]).output for block in shown]
look_inside = keras.Model(model.network.input, outputs)
maps = dict(zip(shown, look_inside.predict(six.astype("float32"), verbose=0), strict=True))

# %% [markdown]
# **Predict first.** We will look at Chelsea the cat, in the six channels of each block that vary most. In which row
# will you no longer recognise her?

# %% tags=["answer"]
chelsea = 2
tl.show.channels([maps[block][chelsea] for block in shown], shown)

# %% [markdown]
# In `stem` you see the cat: edges in several directions, light against dark. In `block2b` some whiskers and the rims of
# her eyes are left. Further on it is no longer a picture for us. In the last row it has become something new: each
# channel has one large spot, most of it on her face. Such a channel says roughly *where* the thing is that it responds
# to, and no longer what that looks like. Zeiler and Fergus (2014) found the same order in their networks: edges and
# colours first, then textures, then parts of objects.
#
# What is a single channel looking for? One way to find out is to ask which patch of each photograph makes it most
# active. We take the three channels of a block in the middle that vary most.


# %%
def strongest_patch(picture, activation, size=56):
    """The part of a picture, (size, size, 3), around the position where a channel is most active."""
    row, column = np.unravel_index(activation.argmax(), activation.shape)
    step = len(picture) // len(activation)
    top = np.clip(row * step + step // 2 - size // 2, 0, len(picture) - size)
    left = np.clip(column * step + step // 2 - size // 2, 0, len(picture) - size)
    return picture[top : top + size, left : left + size]


# %%
middle = keras.Model(model.network.input, model.network.get_layer(model.blocks["block4c"][-1]).output)
activations = middle.predict(six.astype("float32"), verbose=0)
most_active = np.argsort(-activations.std(axis=(0, 1, 2)), kind="stable")[:3]

# %%
patches, titles = [], []
for channel in most_active:
    peaks = activations[..., channel].max(axis=(1, 2))
    for number in np.argsort(-peaks, kind="stable"):
        patches.append(strongest_patch(six[number], activations[number, ..., channel]))
        titles.append(f"channel {channel}: {peaks[number]:.1f}")
tl.show.pictures(patches, titles)

# %% [markdown]
# Each row is one channel, from the photograph that makes it most active to the one that does so least. In the first
# row the grain of the wood and the fur come first, the even lawn last: fine stripes, it seems. In the second row
# nearly all patches hold a strong border between two colours. The third row? Say for yourself, and do not be too sure.
#
# Be careful with such readings. Six photographs are few, the last patch of a row is sometimes not far behind the
# first, and a channel is not a word.

# %% [markdown]
# ## 6. Cut off the classifier
#
# For a new task the 1,000 names are of no use. What comes before them is. In Keras the switch is called
# `include_top=False` ("top" is the end of the network, its classifier).
#
# **Predict first.** What is the shape of the output without the top?

# %% tags=["answer"]
print("with the top:           ", plain_network.output_shape)
print("without:                ", EfficientNetLite("efficientnet_lite0", include_top=False).output_shape)
averaged = EfficientNetLite("efficientnet_lite0", include_top=False, pooling="avg")
print("without, and averaged:  ", averaged.output_shape)

# %% [markdown]
# (`None` stands for the number of photographs.) Without the top we get the grid of `head`. With `pooling="avg"` its
# positions are averaged, and this is what `model.extract_features` returns.

# %%
features = model.extract_features(six)
print(features.shape, features.dtype)
print(f"Chelsea begins with: {features[chelsea, :6].round(2)}")

# %% [markdown]
# Is that *all* that the classifier saw? We can prove it. Take the classifier's own weights, and do its work by hand:
# a weighted sum of the features for each class, then the softmax.

# %%
kernel, bias = model.classifier.get_layer("classifier").get_weights()
scores = features @ kernel + bias
print(features.shape, "@", kernel.shape, "+", bias.shape, "=", scores.shape)

# %%
exponentials = np.exp(scores - scores.max(axis=1, keepdims=True))
by_hand = exponentials / exponentials.sum(axis=1, keepdims=True)
by_network = model.classifier.predict(six.astype("float32"), verbose=0)
assert np.allclose(by_hand, by_network, atol=1e-4)
print(f"Largest difference between our probabilities and the network's: {np.abs(by_hand - by_network).max():.4f}")

# %% [markdown]
# They agree. The whole ImageNet classifier is one matrix and one bias per class, applied to the features. The score of
# each of its 1,000 names is a weighted sum of the same features.
#
# This is the key to everything that follows. If one set of weighted sums can tell a thousand kinds of things apart,
# another set may tell *your* kinds apart, with the same features. Whether that works, and with how few pictures, is
# what lesson 03 measures.

# %% [markdown]
# ### Exercise 2.3: where is the tripod?
#
# The network averages over positions first and weighs the channels afterwards. Both are sums, so the order does not
# matter (apart from the bias). Change it: weigh the channels at each position of `maps["head"][1]`, the photographer,
# with the weights of "tripod". You get one number for each position. Where in the photograph is the tripod, according
# to the network? Compare with what you found in exercise 2.1.
#
# Stuck? `tl.check.hint("2.3")` in a cell of its own gives the first of three hints.

# %%
tripod_map = None  # replace None: float (7, 7), one number for each position

tl.check("2.3", tripod_map)

# %% tags=["solution", "hide-cell"] jupyter={"source_hidden": true, "outputs_hidden": true}
# Solution: click to open
tripod_map = maps["head"][1] @ kernel[:, tripod]
scaled = 255 * (tripod_map - tripod_map.min()) / (tripod_map.max() - tripod_map.min())
# Brightest on the tripod and the camera above it, dark on the man's back, as the covered halves had told us.
# The method is called class activation mapping: Zhou et al., 2016.
tl.show.pictures([six[1], scaled.astype(np.uint8)], ["the photograph", "where it sees a tripod"], columns=2)

# %% [markdown]
# ## 7. Eight networks side by side
#
# You will meet these names again and again. All load with `tl.load_pretrained_model(name)`; Keras downloads the weights of
# those that are not bundled, once. `make results` has counted their parameters and their **multiply-adds**: every weight of
# a filter is multiplied once at each position of the filter's output. It has also measured the time per picture, on two
# cores. The accuracies on ImageNet are published ones, from keras.io/api/applications and the release notes of
# EfficientNet-Lite.
#
# **Predict first.** VGG16 is from 2014, MobileNetV2 from 2018. Both have the same published accuracy. How many times more
# multiply-adds does the older one need?

# %% tags=["answer"]
from tlcourse.models.recipes import RECIPES

backbones = tl.results("blocks")
work = {name: sum(block["multiply_adds"] for block in measured["blocks"]) / 1e9 for name, measured in backbones.items()}

print(f"{'':20} {'pixels':>10} {'parameters':>12} {'features':>9} {'multiply-adds':>14} {'time':>9} {'ImageNet':>9}")
for name, measured in backbones.items():
    size, milliseconds = f"{measured['pixels']} × {measured['pixels']}", 1000 * measured["seconds"]
    millions = sum(block["parameters"] for block in measured["blocks"]) / 1e6
    print(f"{name:20} {size:>10} {millions:10.1f} M {measured['features']:9,}", end="")
    print(f" {work[name]:12.2f} G {milliseconds:6.0f} ms {RECIPES[name].top1:7.1f} %")

# %% tags=["answer"]
ratio = work["vgg16"] / work["mobilenet_v2"]
print(f"VGG16 needs {ratio:.0f} times the multiply-adds of MobileNetV2, for the same published accuracy.")

# %% [markdown]
# Accuracy against work. Higher is better, further left is cheaper.

# %%
tl.show.points(
    list(work.values()),
    [RECIPES[name].top1 for name in work],
    "multiply-adds for one picture, in billions",
    "published ImageNet top-1, in %",
    "More work is not always more accuracy",
    list(work),
)

# %% [markdown]
# The three EfficientNets are at the upper left, VGG16 at the lower right. VGG16 is still taught because its
# architecture is simple. (Part of the gap is not architecture: the newer networks were also trained in newer ways.) And
# multiply-adds are not time: compare the two columns of the table for VGG16 and MobileNetV2. A network of many thin
# layers does little arithmetic with each number that it fetches from memory.
#
# Which one should you choose? Networks that are better on ImageNet tend to be better starting points for other
# photographs as well (Kornblith et al., *Do Better ImageNet Models Transfer Better?*, 2019). This is a tendency, with
# exceptions. Start with a small one, and try a larger one when everything else works.

# %% [markdown]
# ## Summary
#
# - A pretrained network is a chain of blocks. The grid of positions becomes coarser, the number of channels grows, and
#   most parameters are at the end.
# - It has a closed world: whatever the picture shows, the softmax distributes all probability over the classes that it
#   knows. A high probability can be wrong.
# - Each family wants its pixels in its own way. With the plain network none of the wrong ways gave an error, and most gave
#   a worse answer. Here the network brings its own preprocessing, and refuses pixels that were scaled before.
# - Early layers answer to edges and colours. Late feature maps no longer look like a picture, but in our example they
#   lie on the object.
# - With `include_top=False` what is left is the features. The ImageNet classifier is one weighted sum of them for each
#   class: we computed it by hand.
# - Of the eight networks, the one with the most multiply-adds does not have the best published accuracy. Which one is
#   best for *your* pictures was not measured here.
#
# **Next:** [03 · Feature extraction](03_extract.ipynb)
