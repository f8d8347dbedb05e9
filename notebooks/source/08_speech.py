# %% [markdown]
# # 08 · Speech: one example of each word
#
# One recording of each word, by one person, and the network recognises the same words when somebody else says them. You
# hear them, see what the network sees, and find out what does not transfer.
#
# **Minutes:** about 50 · **Needs:** nothing more; headphones are good

# %% tags=["setup"]
# Written by notebooks/build.py (set_up): it says how to get the course where it is missing.

# %% [markdown]
# ## What you will learn
#
# - how a sound becomes a picture: the log-mel spectrogram;
# - to recognise words from **one** recording of each, with the nearest neighbour, and to test on another voice;
# - what a new voice changes (domain shift), and a cure that needs no labels;
# - to augment sound, and to fine-tune the last block in Keras;
# - what a network for words does not tell you: which language it is.
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
# A recording is a list of numbers, the air pressure at 16,000 moments per second. (These were recorded with 8,000, as
# on a telephone, and are resampled.)

# %%
print(f"Carlo: {carlo.shape}, {len(carlo) / 16_000:.2f} s; Paola: {paola.shape}, {len(paola) / 16_000:.2f} s")

# %% [markdown]
# ## See it
#
# Nobody recognises a word by its pressure curve, and networks do not either. They get a **log-mel spectrogram**: every
# 10 milliseconds, how loud each of 32 pitch bands is, in decibels. The bands are narrow for low pitches and wide for
# high ones, as in hearing (the *mel* scale).

# %%
spectrograms = {"Carlo": tl.audio.log_mel(carlo), "Paola": tl.audio.log_mel(paola)}
{name: spectrogram.shape for name, spectrogram in spectrograms.items()}

# %%
tl.show.spectrograms(list(spectrograms.values()), [f'"sette", {name}' for name in spectrograms])

# %% [markdown]
# You see the hiss of the *s* at the top left, a vowel, the gap of the *tt*, and the second vowel. Both pictures have
# these parts, but not at the same place, nor at the same height: Paola's voice is higher, and she speaks more slowly.
#
# **Predict first.** We compare each word of Paola's with all 86 of Carlo's, and take the most similar one. Chance is one
# in 86. How many do we get right if we compare these pictures? They are stretched to 40 frames each, so that they can be
# compared.


# %%
def stretched(path):
    spectrogram = tl.audio.log_mel(tl.audio.read_audio(path))
    frames = np.linspace(0, len(spectrogram) - 1, 40).round().astype(int)
    return spectrogram[frames].ravel()


pictures_carlo = np.stack([stretched(path) for path in words.train.recordings])
pictures_paola = np.stack([stretched(path) for path in words.test.recordings])
pictures_carlo.shape


# %%
def nearest(known, asked):
    """For each row asked: the position of the known row with the highest cosine similarity."""
    known, asked = (rows / np.linalg.norm(rows, axis=1, keepdims=True) for rows in (known, asked))
    return (asked @ known.T).argmax(axis=1)


def accuracy(known, asked):
    return np.mean(nearest(known, asked) == np.arange(len(words.class_names)))


print(f"Log-mel, Carlo known, Paola asked: {accuracy(pictures_carlo, pictures_paola):.0%} of 86 words")
print(f"Log-mel, Paola known, Carlo asked: {accuracy(pictures_paola, pictures_carlo):.0%} of 86 words")

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
# It is an ordinary Keras model: 20 convolutions on the spectrogram, then `GlobalAveragePooling2D`, as in lesson 02. The
# kernels alternate between pitch (1 × 3) and time (3 × 1). Some layers:

# %%
for layer in [layer for layer in network.layers if "conv" in layer.name][:5]:
    print(f"{layer.name:14} kernel {layer.kernel_size}, {layer.filters} channels")

# %% [markdown]
# In plain Keras, one recording at a time, since they differ in length. `model.spectrogram` adds half a second of silence
# on both sides and computes the log-mel spectrogram, with the last axis that Keras expects.

# %%
one = model.spectrogram(carlo)
embedding = network.predict(one[np.newaxis], verbose=0)
one.shape, embedding.shape

# %% [markdown]
# From now on `extract_features` does this for all recordings, and keeps the results:

# %%
known = model.extract_features(words.train.recordings)
asked = model.extract_features(words.test.recordings)
assert np.allclose(known[word], embedding[0], atol=1e-3)
known.shape

# %% [markdown]
# **Predict first.** The network has 328,000 parameters, a tenth of our smallest one for pictures, and it was trained on
# English. How many of the 86 Italian words?

# %%
print(f"Carlo known, Paola asked: {accuracy(known, asked):.0%} of 86 words")
print(f"Paola known, Carlo asked: {accuracy(asked, known):.0%} of 86 words")

# %% [markdown]
# One example per word, another voice, another language than in pretraining, and nothing was trained here. Which words
# are confused?

# %%
answers = nearest(known, asked)
wrong = np.flatnonzero(answers != np.arange(86))
for row in wrong[:10]:
    print(f"{words.class_names[row]:16} was taken for {words.class_names[answers[row]]}")

# %% [markdown]
# Say the pairs aloud: many share syllables, and the long ones differ in one only. The network averages over the whole
# word, so a syllable that differs is a small part of the average.
#
# ## A new voice is a domain shift
#
# All features of Paola's are shifted against Carlo's in the same way, whatever she says, because it is another voice and
# another microphone. That is **domain shift**, and this kind has a simple cure: subtract from each voice's features
# their mean. It needs no labels, only some recordings of the new voice.

# %%
centred_known, centred_asked = known - known.mean(axis=0), asked - asked.mean(axis=0)
print(f"Carlo known, Paola asked: {accuracy(centred_known, centred_asked):.0%} of 86 words")
print(f"Paola known, Carlo asked: {accuracy(centred_asked, centred_known):.0%} of 86 words")

# %% [markdown]
# It uses all of Paola's recordings before the first one is recognised, so it is no use for the first word that a new
# person says. And is the difference more than noise? Count the words on which the two ways disagree:

# %%
centred_answers = nearest(centred_known, centred_asked)
right, centred_right = answers == np.arange(86), centred_answers == np.arange(86)
print(f"right only with the mean removed: {np.sum(centred_right & ~right)}, only without: {np.sum(right & ~centred_right)}")

# %% [markdown]
# If both ways were equally good, such a split would be a coin thrown that many times. With two voices and 86 words,
# take it as a hint and not as a law.
#
# ## Augmentation, for the ear
#
# One recording per word is little. Augmented copies cost nothing: the same word faster and slower. As with pictures,
# look (here: listen) before you use them.


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
averaged = np.mean([known, *features_of_copies], axis=0)
print(f"Carlo known, one copy:    {accuracy(known, asked):.0%} of 86 words")
print(f"Carlo known, five speeds: {accuracy(averaged, asked):.0%} of 86 words")

# %% [markdown]
# ## Few labels, and a voice never heard
#
# Six people say the ten English digits in the *Free Spoken Digit Dataset* (`tlcourse fetch spoken_digits`, 12 MB). Each
# in turn was the test voice, the classifiers saw the others only. This was measured beforehand:

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
# The probe on `speech_embedding` needs one example per digit for what the other two do not reach with twenty. The
# standard deviation is over voices and seeds: some voices are harder than others.
#
# ## Fine-tune the last block
#
# In Keras, as in lesson 05: first a head on the frozen network, then the last block as well, with a small learning rate.
# The training set is Carlo's words at five speeds. All inputs get the same length.


# %%
def inputs_of(waveforms):
    longest = 24_000  # 1.5 seconds
    return np.stack([model.spectrogram(np.pad(w[:longest], (0, longest - len(w[:longest])))) for w in waveforms])


x_train = np.concatenate([inputs_of(each) for each in (waveforms, *copies)])
y_train = np.tile(np.arange(86), 5)
x_test = inputs_of([tl.audio.read_audio(path) for path in words.test.recordings])
x_train.shape, x_test.shape

# %% [markdown]
# What is frozen does not change, so its output is computed once: the output of `block4` for fine-tuning, the 96 features
# for the head.

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
network = keras.Model(cut, head(base.output, training=False))
network.compile(keras.optimizers.Adam(1e-4), "sparse_categorical_crossentropy", metrics=["accuracy"])
network.fit(cut_train, y_train, batch_size=32, epochs=10, verbose=0)
_, fine_tuned = network.evaluate(cut_test, np.arange(86), verbose=0)
print(f"Fine-tuned, with the last block: {fine_tuned:.0%} of Paola's 86 words")
print(f"Nearest neighbour, five speeds, nothing trained: {accuracy(averaged, asked):.0%}")

# %% [markdown]
# One word is more than one percentage point here, and this is one run in one direction: differences of a few points say
# little. What you can see is that training did not beat the nearest neighbour by much, if at all. The training set holds
# one voice and one recording per class; how another voice says these words is not in it.
#
# ## What does not transfer
#
# **Predict first.** Can the same features tell *which language* a voice speaks? We trained a probe on the telephone
# prompts of one Italian, one French and one Spanish voice, and tested it on another voice of each language. Chance is
# one in three.

# %%
languages = tl.results("speech.languages")
there, back = languages["accuracy"]
print(f"trained on the first voices, tested on the second:  {there:.0%} of the prompts")
print(f"trained on the second voices, tested on the first:  {back:.0%} of the prompts")
print(f"chance: {languages['chance']:.0%}")

# %% [markdown]
# More than chance, and nothing to rely on. The network was trained to tell keywords apart, whoever says them; what makes
# a language (rhythm, melody, which sounds follow each other) is no help there, so there was no reason to keep it. A
# frozen network gives you what its training needed.
#
# ## Exercises
#
# ### Exercise 8.1: count the frames
#
# How many frames has the log-mel spectrogram of a recording of exactly two seconds, without added silence? A frame
# begins every 160 samples and takes 512. Work it out by hand, then check with `tl.audio.log_mel`.
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
# `cache=False` and `sample_rate=16_000`, and find the nearest of Carlo's clean ones (`known`). Predict first: how much of
# the accuracy is lost?
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
asked_with_noise = model.extract_features(noisy, sample_rate=16_000, cache=False)
accuracy_with_noise = accuracy(known, asked_with_noise)
tl.check("8.2", accuracy_with_noise, noise)

# %% [markdown]
# ### Exercise 8.3: one Keras model, from spectrogram to word
#
# In an empty cell, with Keras alone: a `keras.Model` that takes spectrograms (n, frames, 32, 1) and outputs
# probabilities (n, 86), made from `model.copy_network()` and Carlo's recordings. Any way will do: train a head, or write
# the nearest neighbour as a `Dense` layer. The check looks at the shape of the output and at the accuracy on `x_test`.
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
# - A recording becomes a picture, the log-mel spectrogram, and from there on everything is as with photographs.
# - With features of a network that knows English keywords, one recording per Italian word was enough for most of them in
#   another voice. Comparing the spectrograms themselves was not.
# - A new voice is a domain shift. Subtracting each voice's mean needs no labels; it needs recordings of that voice.
# - For digits and a voice never heard, the probe needed one example per digit for what the others did not reach with
#   twenty.
# - With one example per class the nearest neighbour is hard to beat. Fine-tuning needs examples of what varies.
# - A frozen network keeps what its training needed. Which language it is was not part of it.
# - What we measured: two voices of words, a few of digits, telephone quality.
#
# **Next:** [09 · The misuse lab](09_the_misuse_lab.ipynb), where mistakes are made on purpose.
