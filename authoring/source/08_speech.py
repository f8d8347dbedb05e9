# %% [markdown]
# # 08 · Speech: one example of each word
#
# One recording of each word, by one person, and the network recognises most of them when somebody else says them.
# You hear them, see what the network sees, and find out what does not transfer.
#
# **Minutes:** about 50 · **Needs:** lessons 02 and 05 are helpful; headphones

# %% tags=["setup"]
# Written by notebooks/build.py (set_up): it says how to get the course where it is missing.

# %% [markdown]
# ## What you will learn
#
# - how a sound becomes a picture: the log-mel spectrogram;
# - to recognise words from **one** recording of each, with the nearest neighbour, and to test on another voice;
# - what a new voice changes (domain shift), and a remedy that needs no labels;
# - to augment sound, and to fine-tune the last block in Keras;
# - a question on which one voice per class is not enough: which language is it?
#
# ## Hear it
#
# `words` are 86 Italian words, each spoken once by Carlo and once by Paola: prompts of a telephone exchange. Carlo's
# recordings are the training set, Paola's the test set.

# %%
import numpy as np
from IPython.display import Audio

import tlcourse as tl

words = tl.load_dataset("words")
words

# %%
word = words.class_names.index("sette")
carlo = tl.audio.read_audio(words.train.recordings[word])
Audio(carlo, rate=16_000)

# %%
paola = tl.audio.read_audio(words.test.recordings[word])
Audio(paola, rate=16_000)

# %% [markdown]
# A recording is a list of numbers: the air pressure, 16,000 times per second. (These were recorded at 8,000, as on a
# telephone, and are resampled.)

# %%
print(f"Carlo: {carlo.shape}, {len(carlo) / 16_000:.2f} s; Paola: {paola.shape}, {len(paola) / 16_000:.2f} s")

# %% [markdown]
# ## See it
#
# Two pressure curves of one word are hard to compare. Many networks, ours among them, get a **log-mel spectrogram**:
# every 10 milliseconds, how loud each of 32 frequency bands is, in units of ten decibels. The bands are narrow for
# low frequencies and wide for high ones, as in hearing (the *mel* scale).

# %%
spectrograms = {"Carlo": tl.audio.log_mel(carlo), "Paola": tl.audio.log_mel(paola)}
{name: spectrogram.shape for name, spectrogram in spectrograms.items()}

# %%
tl.show.spectrograms(list(spectrograms.values()), [f"sette, {name}" for name in spectrograms])

# %% [markdown]
# You see the hiss of the *s* on the left, a vowel, the silence of the *tt* (black), and the second vowel. Both
# pictures have these parts, but not at the same place, nor at the same height: Paola's voice is higher, and she
# speaks more slowly.
#
# **Predict first.** We compare each of Paola's words with all 86 of Carlo's, and take the most similar one. Chance is
# one in 86. How many do we get right if we compare these pictures? They are stretched to 40 frames each, so that they
# can be compared.


# %% tags=["answer"]
def stretched(path):
    spectrogram = tl.audio.log_mel(tl.audio.read_audio(path))
    frames = np.linspace(0, len(spectrogram) - 1, 40).round().astype(int)
    return spectrogram[frames].ravel()


pictures_carlo = np.stack([stretched(path) for path in words.train.recordings])
pictures_paola = np.stack([stretched(path) for path in words.test.recordings])
pictures_carlo.shape


# %% tags=["answer"]
def nearest(reference, query):
    """For each row of query: the position of the reference row with the highest cosine similarity."""
    reference, query = (rows / np.linalg.norm(rows, axis=1, keepdims=True) for rows in (reference, query))
    return (query @ reference.T).argmax(axis=1)


def accuracy(reference, query):
    return np.mean(nearest(reference, query) == words.test.labels)


print(f"Log-mel, training voice Carlo, test voice Paola: {accuracy(pictures_carlo, pictures_paola):.0%} of 86 words")
print(f"Log-mel, training voice Paola, test voice Carlo: {accuracy(pictures_paola, pictures_carlo):.0%} of 86 words")

# %% [markdown]
# That is far more than chance, and far from useful.
#
# ## The pretrained network
#
# Google's `speech_embedding` was trained to tell 5,000 English keywords apart, in some 200 million clips (J. Lin and
# others, 2020). We use what comes before its classifier.

# %%
model = tl.load_pretrained_model("speech_embedding")
network = model.network
print(f"{type(network).__module__}.{type(network).__name__}, {network.count_params():,} parameters")
print(f"{network.input_shape} → {network.output_shape}")

# %% [markdown]
# It is an ordinary Keras model: 20 convolutions on the spectrogram, then `GlobalAveragePooling2D`, as in lesson 02.
# The kernels alternate between frequency (1 × 3) and time (3 × 1). Some layers:

# %%
for layer in [layer for layer in network.layers if "conv" in layer.name][:5]:
    print(f"{layer.name:14} kernel {layer.kernel_size}, {layer.filters} channels")

# %% [markdown]
# In plain Keras, one recording at a time, since they differ in length. `model.spectrogram` computes the log-mel
# spectrogram, with the last axis that Keras expects. The network looks at 0.76 seconds at a time and averages what it
# sees; half a second of silence on both sides lets it see a short word early, in the middle and late.

# %%
one = model.spectrogram(carlo)
embedding = network.predict(one[np.newaxis], verbose=0)
one.shape, embedding.shape

# %% [markdown]
# From now on `extract_features` does this for all recordings, and keeps the results:

# %%
train_features = model.extract_features(words.train.recordings)
test_features = model.extract_features(words.test.recordings)
assert np.allclose(train_features[word], embedding[0], atol=1e-3)
train_features.shape

# %% [markdown]
# **Predict first.** The network has 328,000 parameters, a tenth of those of EfficientNet-Lite0, and it was trained on
# English. How many of the 86 Italian words will it get right?

# %% tags=["answer"]
print(f"Training voice Carlo, test voice Paola: {accuracy(train_features, test_features):.0%} of 86 words")
print(f"Training voice Paola, test voice Carlo: {accuracy(test_features, train_features):.0%} of 86 words")

# %% [markdown]
# One example per word, another voice, another language than in pretraining, and nothing was trained here. Which words
# are confused?

# %%
answers = nearest(train_features, test_features)
wrong = np.flatnonzero(answers != np.arange(86))
for row in wrong[:10]:
    print(f"{words.class_names[row]:16} was taken for {words.class_names[answers[row]]}")

# %% [markdown]
# Say the pairs aloud: many share an ending. A likely reason is the average over the whole word, in which one syllable
# that differs is a small part.
#
# ## Your own voice
#
# Press the button, allow the page to use the microphone, and say one of Carlo's words. Only the part that is not
# silent is used, since the features are an average over all of it. In the list there are some of Paola's recordings.
# Yours goes to the kernel of this notebook, and is not kept.

# %%
print("some of Carlo's words:", *words.class_names[::7])
recorder = tl.widgets.RecordAWord(model, words.train, train_features, examples=words.test)
recorder

# %% [markdown]
# Stored here is the answer to Paola's *zero*, one of the confused words. Then say a word that Carlo has not said. The
# nearest one is named all the same: the nearest neighbour has no answer "none of these". (Without a microphone:
# `recorder.answer("my_word.wav")` takes a file.)
#
# ## A new voice is a domain shift
#
# Carlo is a man and Paola a woman, and the microphones differ, too. That is **domain shift**. Suppose that it moves
# all features of a voice by about the same amount: then it helps to subtract each voice's mean. This *normalisation
# per speaker* needs no labels, only recordings of the new voice (it is a simple *unsupervised domain adaptation*).

# %%
centred_train, centred_test = train_features - train_features.mean(axis=0), test_features - test_features.mean(axis=0)
print(f"Training voice Carlo, test voice Paola: {accuracy(centred_train, centred_test):.0%} of 86 words")
print(f"Training voice Paola, test voice Carlo: {accuracy(centred_test, centred_train):.0%} of 86 words")
pictures = [rows - rows.mean(axis=0) for rows in (pictures_carlo, pictures_paola)]
print(f"Log-mel, the same two ways: {accuracy(*pictures):.0%} and {accuracy(*pictures[::-1]):.0%}")

# %% [markdown]
# The spectrograms gain even more from it, and stay far behind the network. It needs many of Paola's recordings before
# the first one is recognised, so it does not help with the first word of a new speaker. And is the difference more
# than noise? Count the words on which the two ways disagree:

# %%
from scipy.stats import binomtest

centred_answers = nearest(centred_train, centred_test)
right, centred_right = answers == np.arange(86), centred_answers == np.arange(86)
only_centred, only_plain = np.sum(centred_right & ~right), np.sum(right & ~centred_right)
print(f"right only with the mean removed: {only_centred}, only without: {only_plain}")
probability = binomtest(only_plain, only_plain + only_centred).pvalue
print(f"if both were equally good, a result at least as uneven has probability {probability:.2f}")

# %% [markdown]
# If the two ways were equally good, each disagreement would be a coin toss (a *sign test*). The probability is too
# large to be sure from these 86 words in this direction.
#
# ## Augmentation, for the ear
#
# One recording per word is little. Augmented copies need no new recordings: the same word faster and slower. As with
# pictures, look (here: listen) before you use them.


# %%
def at_speed(waveform, factor):
    positions = np.arange(0, len(waveform) - 1, factor)
    return np.interp(positions, np.arange(len(waveform)), waveform).astype(np.float32)


Audio(at_speed(carlo, 1.25), rate=16_000)

# %% [markdown]
# The pitch has changed as well as the speed, as on a record that turns too fast: two kinds of variation in one. We
# average the features of five speeds per word.

# %%
waveforms = [tl.audio.read_audio(path) for path in words.train.recordings]
copies = [[at_speed(waveform, factor) for waveform in waveforms] for factor in (0.8, 0.9, 1.1, 1.25)]
features_of_copies = [model.extract_features(each, sample_rate=16_000) for each in copies]
averaged = np.mean([train_features, *features_of_copies], axis=0)
print(f"Original speed only: {accuracy(train_features, test_features):.0%} of 86 words")
print(f"Five speeds averaged: {accuracy(averaged, test_features):.0%} of 86 words")

# %% [markdown]
# ## Few labels, and a voice never heard
#
# And with more labels, and other voices? Five men say the ten English digits, taken from the *Free Spoken Digit
# Dataset* (`tlcourse fetch spoken_digits`, 12 MB). The network is at home here: it was trained on English keywords,
# and the digits may be among them. Each in turn was the test voice; the classifiers were trained on the others. Three
# are linear probes: on `speech_embedding`, on the stretched spectrograms (log-mel), and on MFCC, the classical
# features of speech recognition, which are a cosine transform of these spectrograms. "From scratch" is a small
# convolutional network with random weights on the spectrograms. This was measured beforehand:

# %%
digits = tl.results("speech.digits")
print(f"{len(digits['voices'])} voices in turn, {len(digits['seeds'])} seeds each; mean ± standard deviation\n")
for method, by_count in digits["accuracy"].items():
    for count, accuracies in by_count.items():
        print(f"{method:17} {count:>2} per digit: {np.mean(accuracies):6.1%} ± {np.std(accuracies):.1%}")

# %%
methods = ("speech_embedding", "log-mel")
labels = [int(count) for count in digits["accuracy"]["log-mel"]]
measured = {method: list(digits["accuracy"][method].values()) for method in methods}
tl.show.curves(
    labels,
    {method: [np.mean(each) for each in measured[method]] for method in methods},
    {method: [np.std(each) for each in measured[method]] for method in methods},
    "Labels per digit",
    "Accuracy for a voice not heard in training",
    "Spoken digits",
    highest=1,
)

# %% [markdown]
# With one example per digit, the probe on `speech_embedding` was on average more accurate than the others with
# twenty. The standard deviation is over voices and seeds: some voices are harder than others.
#
# ## Fine-tune the last block
#
# In Keras, as in lesson 05: first a head on the frozen network, then also what comes after `block4` (`block5` and the
# last convolution), with a small learning rate. The training set is Carlo's words at five speeds. All inputs get the
# same length.


# %%
def inputs_of(waveforms):
    longest = 24_000  # 1.5 seconds
    return np.stack([model.spectrogram(np.pad(w[:longest], (0, longest - len(w[:longest])))) for w in waveforms])


x_train = np.concatenate([inputs_of(each) for each in (waveforms, *copies)])
y_train = np.tile(np.arange(86), 5)
x_test = inputs_of([tl.audio.read_audio(path) for path in words.test.recordings])
x_train.shape, x_test.shape

# %% [markdown]
# What is frozen does not change, so its output is computed once: the output of `block4` for fine-tuning, the 96
# features for the head.

# %%
import keras

keras.utils.set_random_seed(0)
base = model.copy_network()
cut = base.get_layer("block4_pool").output
frozen, last_block = keras.Model(base.input, cut), keras.Model(cut, base.output)
cut_train, cut_test = (frozen.predict(x, batch_size=4, verbose=0) for x in (x_train, x_test))

# %%
head = keras.Sequential([keras.layers.BatchNormalization(), keras.layers.Dense(86, activation="softmax")])
head.compile(keras.optimizers.Adam(1e-2), "sparse_categorical_crossentropy", metrics=["accuracy"])
head.fit(last_block.predict(cut_train, verbose=0), y_train, batch_size=32, epochs=25, verbose=0)
_, only_head = head.evaluate(last_block.predict(cut_test, verbose=0), np.arange(86), verbose=0)
print(f"Head on the frozen network: {only_head:.0%} of Paola's 86 words")

# %%
head.layers[0].trainable = False  # batch normalization keeps its statistics
tuned = keras.Model(cut, head(base.output, training=False))
tuned.compile(keras.optimizers.Adam(1e-4), "sparse_categorical_crossentropy", metrics=["accuracy"])
tuned.fit(cut_train, y_train, batch_size=32, epochs=10, verbose=0)
_, fine_tuned = tuned.evaluate(cut_test, np.arange(86), verbose=0)
_, on_training = tuned.evaluate(cut_train, y_train, verbose=0)
print(f"Fine-tuned: {fine_tuned:.0%} of Paola's 86 words, {on_training:.0%} of the training set")
print(f"Nearest neighbour, five speeds, nothing trained: {accuracy(averaged, test_features):.0%}")

# %% [markdown]
# One word is more than one percentage point here, and this is one run in one direction, not tuned: differences of a
# few points say little. Carlo's words are learned to the last one, and Paola's are not recognised better than by the
# nearest neighbour. The likely reason is that the training set holds one voice: how another one says these words is
# not in it.
#
# ## Which language?
#
# **Predict first.** Can the same features tell *which language* a voice speaks? We trained a probe on the telephone
# prompts of one Italian, one French and one Spanish voice, and tested it on another voice of each language. Chance is
# one in three.

# %% tags=["answer"]
languages = tl.results("speech.languages")
there, back = languages["accuracy"]
print(f"trained on the first voices, tested on the second:  {there:.0%} of the prompts")
print(f"trained on the second voices, tested on the first:  {back:.0%} of the prompts")
print(f"chance: {languages['chance']:.0%}")

# %% [markdown]
# More than chance, and nothing to rely on. With one training voice per language the probe cannot tell language from
# voice. And the prompts of one language are partly the same phrases, so that some may be recognised as words. So we
# cannot say whether the features lack the language, or whether three voices are too few to learn it from. What we can
# say is that one voice per class was enough for words, and was not for this.
#
# ## Exercises
#
# ### Exercise 8.1: count the frames
#
# How many frames does the log-mel spectrogram of a recording of exactly two seconds have, without added silence? A
# frame begins every 160 samples and takes 512. Work it out by hand, then check with `tl.audio.log_mel(sound)`, where
# `sound` is an array of 32,000 random numbers.
#
# Stuck? `tl.check.hint("8.1")` in a cell of its own gives the first of three hints.

# %%
number_of_frames = None  # replace None

tl.check("8.1", number_of_frames)

# %% tags=["solution", "hide-cell"] jupyter={"source_hidden": true, "outputs_hidden": true}
# Solution: click to open
number_of_frames = (2 * 16_000 - 512) // 160 + 1
tl.check("8.1", number_of_frames)

# %% [markdown]
# ### Exercise 8.2: a noisy line
#
# Does it still work on a bad line? Add `noise(waveform)` to each of Paola's recordings, extract the features with
# `sample_rate=16_000`, and find the nearest of Carlo's clean ones (`train_features`). Listen first, with `Audio(paola
# + noise(paola), rate=16_000)`, and predict how much of the accuracy is lost. (The noise begins the same way for
# every recording, so that everybody gets the same number.)
#
# Stuck? `tl.check.hint("8.2")` in a cell of its own gives the first of three hints.


# %%
def noise(waveform):
    return np.random.default_rng(0).normal(0, 0.01, len(waveform)).astype(np.float32)


accuracy_with_noise = None  # replace None

tl.check("8.2", accuracy_with_noise, noise)

# %% tags=["solution", "hide-cell"] jupyter={"source_hidden": true, "outputs_hidden": true}
# Solution: click to open
waveforms_of_paola = [tl.audio.read_audio(path) for path in words.test.recordings]
noisy = [waveform + noise(waveform) for waveform in waveforms_of_paola]
features_with_noise = model.extract_features(noisy, sample_rate=16_000)
accuracy_with_noise = accuracy(train_features, features_with_noise)
tl.check("8.2", accuracy_with_noise, noise)

# %% [markdown]
# ### Exercise 8.3: one Keras model, from spectrogram to word
#
# In an empty cell, with Keras: a `keras.Model` that takes spectrograms (n, frames, 32, 1) and outputs probabilities
# (n, 86), made from `model.copy_network()` and Carlo's recordings alone. You may use `inputs_of` and `waveforms`. Any
# way will do: train a head, or write the nearest neighbour as a `Dense` layer. The check looks at shapes, and asks
# for at least six in ten of Paola's words in `x_test`.
#
# Stuck? `tl.check.hint("8.3")` in a cell of its own gives the first of three hints.

# %%
my_network = None  # replace None

tl.check("8.3", my_network, x_test)

# %% tags=["solution", "hide-cell"] jupyter={"source_hidden": true, "outputs_hidden": true}
# Solution: click to open
base = model.copy_network()
unit_length = keras.layers.UnitNormalization()(base.output)
compare = keras.layers.Dense(86, activation="softmax", use_bias=False)
my_network = keras.Model(base.input, compare(unit_length))
carlo_unit = base.predict(inputs_of(waveforms), batch_size=4, verbose=0)
carlo_unit /= np.linalg.norm(carlo_unit, axis=1, keepdims=True)
compare.set_weights([20 * carlo_unit.T])  # 20: so that the softmax is not flat
tl.check("8.3", my_network, x_test)

# %% [markdown]
# ## Summary
#
# - A recording becomes a picture, the log-mel spectrogram, and from there on much is as with photographs.
# - With features of a network that knows English keywords, one recording per Italian word was enough for most of them
#   in another voice. For the spectrograms themselves it was not, unless each voice's mean was subtracted, and then
#   for half of them.
# - A new voice is a domain shift. Subtracting each voice's mean needs recordings of that voice, and no labels.
# - For English digits and a voice never heard, the probe with one example per digit was on average more accurate than
#   the others with twenty.
# - With one example per class, neither a head nor fine-tuning beat the nearest neighbour in our run.
# - One voice per class was enough for words, and not for languages.
# - This was measured with two voices of words and five of digits, in telephone quality.
#
# **Next:** [09 · The misuse lab](09_misuse.ipynb), where mistakes are made on purpose.
