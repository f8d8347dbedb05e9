# %% [markdown]
# # 10 · Your own pictures
#
# From a folder of your pictures to a network in a file that anybody can ask, with a card that says how far it can be
# trusted. Every step of the course comes back here, in the order of a real job.
#
# **Minutes:** about 45 · **Needs:** nothing from the internet; best with pictures of your own

# %% tags=["setup"]
# Written by notebooks/build.py (set_up): it says how to get the course where it is missing.

# %% [markdown]
# ## What you will learn
#
# - to look at a folder of pictures before anything is trained on it;
# - to divide it so that no picture has a copy on the other side;
# - to hold a result against guessing, and to say how sure it is;
# - to choose by validation, and to read the test once;
# - to write the network into files that run without this course, and to prove that they say the same;
# - to write the card that has to go with it.
#
# ## A folder
#
# The course asks for one thing: a folder with a folder in it for each class, named after the class, and the pictures in
# those. Twenty pictures of each class are a beginning, a hundred are good.
#
# Have you such pictures? Then put your folder's path in place of the next three cells, and go on. (On Binder or Colab:
# zip the folder, upload the zip file by the file browser, and `tl.datasets.unpack("pictures.zip", "my_pictures")`.)
#
# Have you none? Here is a folder as it is in life: some solar cells of lesson 00 out of a drawer, those that the experts were sure
# of, far more of one kind than of the other.

# %%
import shutil
import tempfile
from pathlib import Path

work = Path(tempfile.mkdtemp(prefix="lesson-10-"))
my_pictures = work / "my_pictures"

# %%
import tlcourse as tl

solar = tl.load_dataset("solar", protocol="confident").train
for name, count in {"functional": 150, "defective": 45}.items():
    (my_pictures / name).mkdir(parents=True)
    for path in solar.with_classes([name]).sample(count).images.paths:
        shutil.copy(path, my_pictures / name)

# %% [markdown]
# In life there is more in such a folder than pictures. Somebody has put a letter in and called it `.jpg`; a download has
# stopped half-way; a preview of eight by eight pixels; one picture twice, under two names; one under *both* classes; and one
# that somebody has made smaller and saved again.

# %%
from PIL import Image

first, second, third = sorted((my_pictures / "functional").iterdir())[:3]
(my_pictures / "defective" / "letter.jpg").write_text("Dear Sir or Madam")
(my_pictures / "defective" / "half.png").write_bytes(first.read_bytes()[:4000])
Image.open(first).resize((8, 8)).save(my_pictures / "functional" / "preview.png")
shutil.copy(first, my_pictures / "functional" / "copy of the first.png")
shutil.copy(second, my_pictures / "defective" / "I am not sure.png")
Image.open(third).resize((200, 200)).save(my_pictures / "functional" / "third, smaller.jpg")

# %% [markdown]
# **Predict first.** Six files are odd. Which of them would have hurt, how, and would you have noticed?

# %%
import warnings

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # it warns that files were left out; we look at them below
    pictures = tl.datasets.from_folder(my_pictures)
pictures

# %%
for file, reason in pictures.skipped:
    print(f"{Path(file).name}: {reason}")

# %% [markdown]
# Nothing was passed over in silence. The picture under two classes is gone from both: nobody knows what it shows. (The second
# copy would have been harmless *if* both copies had come to lie on the same side. Otherwise the network is tested on what it
# has learned by heart.)
#
# The smaller one is still there. It is another file, and no checksum finds it; but it shows the same cell. So pictures are
# divided by **identity**: what looks the same lies on the same side.

# %%
for name, split in pictures.splits.items():
    files = [path.name for path in split.images.paths]
    print(f"{name:10}", third.name in files, "third, smaller.jpg" in files)

# %% [markdown]
# ### Look before you train

# %%
examination = tl.datasets.examine(pictures)
examination

# %% [markdown]
# Read the line *baseline* twice. Somebody who has never seen a solar cell and always answers with the more frequent class is
# right that often. An accuracy below it is worth nothing, and one just above it not much.
#
# And read *balance*. A network that learns from three times as many cells of one kind may become good at that kind and bad at the
# other, and its accuracy hardly shows it. We will look at each class by itself.
#
# ## Probe first
#
# Always the quick and simple thing first: a linear probe on the frozen network's features. It is the mark for everything that
# follows.

# %%
model = tl.load_pretrained_model()
train, validation = pictures.train, pictures.validation

probe = tl.train_classifier(model.extract_features(train.images), train.labels, pictures.class_names)
probe_accuracy = probe.score(model.extract_features(validation.images), validation.labels)
print(f"probe: {probe_accuracy:.1%} of {len(validation)} validation pictures")

# %% [markdown]
# ## Then fine-tune
#
# The last three blocks may learn, from two views of each picture. The validation pictures are given along: after each epoch
# the network is judged by them, and the best epoch is kept.

# %%
tuned = tl.fine_tune(
    model,
    train.images,
    train.labels,
    validation=(validation.images, validation.labels),
    class_names=pictures.class_names,
    epochs=6,
)

# %% tags=["trained-here"]
tuned_accuracy = tuned.score(validation.images, validation.labels)
print(f"fine-tuned: {tuned_accuracy:.1%} of {len(validation)} validation pictures")

# %% [markdown]
# ## Choose, by validation
#
# **Predict first.** Suppose fine-tuning gets one more validation picture right than the probe. Which one would you take, and why?
#
# The probe. It is the simpler model: it has fewer ways to go wrong, and it is easier to explain. One picture is too little
# evidence against it; with another seed it could be one fewer. So fine-tuning has to be better by *more than one standard error*
# (a paired form of the one-standard-error rule of Breiman and others, 1984).
#
# Both models have seen the same pictures, so the only ones that matter are those that one gets right and the other wrong. With
# `gained` pictures that only the fine-tuned network gets right, and `lost` that only the probe does, the difference is
# `gained - lost`, and its standard error √(gained + lost). One gained and none lost is 1 ± 1: keep the probe. Four gained and one
# lost is 3 ± 2.2: keep the fine-tuned network. The rule is lenient: two gained and none lost, 2 ± 1.4, is just enough. And the
# best epoch was chosen on these same pictures, which is a small advantage for fine-tuning.

# %% tags=["trained-here"]
from tlcourse.training.evaluation import paired_gain

probe_right = probe.predict(model.extract_features(validation.images)) == validation.labels
gain = paired_gain(probe_right, tuned.predict(validation.images) == validation.labels)
gain

# %%
kept = tuned if gain.exceeds_one_standard_error else probe
print(f"{gain.net} ± {gain.standard_error:.1f}: keep the {'fine-tuned network' if kept is tuned else 'probe'}")

# %% [markdown]
# Where the probe is kept, the network in the files below is the frozen one with the probe's linear classifier on top.
#
# ## Judge, once
#
# Until now nobody has looked at the test pictures. Now they are read, once, by the one network that was chosen. Whoever looks,
# goes back, changes something and looks again has begun to choose by them (lesson 08 shows what that costs).
#
# The judging is part of the export, so that what is written down is what was measured.
#
# ## Export
#
# A folder comes out of it:
#
# - `model.keras`, the whole network, pixels in, probabilities out; Keras alone loads it, and no program travels with it;
# - `model.onnx`, the same in ONNX, the format that most programs and machines run, and here without TensorFlow;
# - `model_int8.onnx`, weights and activations as whole numbers of 8 bits: a third of the size, and faster;
# - `labels.txt`, `record.json` with all that was measured, and `MODEL_CARD.md`, written from it.
#
# **Predict first.** Eight bits for a number instead of thirty-two. How often will the small file say something else than the
# large one?

# %%
exported = tl.export(kept, work / "my_model", pictures, model=model, licence="CC BY-NC-SA 4.0")
exported

# %% tags=["nbval-ignore-output"]
for name, file in exported.record["files"].items():
    size, speed = f"{file['bytes'] / 1e6:.1f} MB", f"{file['pictures_per_second']:.0f} pictures/s"
    print(f"{name:18} {size:>8}  {file['accuracy']:.1%} right, as Keras: {file['agreement']:.1%}  {speed}")

# %% [markdown]
# Each file was asked about every test picture *before* it counted as done, and compared with Keras. Had the 32-bit file
# disagreed, there would be no folder; had the small one become clearly worse, it would have been left out. Converted networks do go
# wrong, and nothing else would tell you.
#
# The small file is about a quarter of the size, and faster. Where it gives another answer than Keras, that answer may happen to be right: an accuracy that is one picture higher is not an
# improvement, by the rule above.
#
# ### How good is it?

# %% tags=["trained-here"]
test = exported.record["test"]
low, high = test["interval"]
print(f"{test['accuracy']:.1%} of the test pictures, {low:.1%} to {high:.1%} with 95 % certainty")
print(f"always {test['most_frequent']}: {test['baseline']:.1%}")

# %% [markdown]
# Read the interval, not the number (Wilson, 1927). So few test pictures cannot tell a good network from a middling one. Does
# the interval reach down to guessing? Then this test alone does not prove that anything was learned, whatever the number says;
# only more pictures will. And the interval is about *pictures of this kind*: of another camera it says nothing.
#
# Accuracy is not all. Who always answers *functional* finds no defective cell, ever. So each class by itself:

# %%
tl.show.confusion(exported.confusion(pictures.test.images, pictures.test.labels))

# %% [markdown]
# Compare the two rows, not the sum. Which class pays for the other's being more frequent?
#
# Last, the pictures themselves. Look at the mistakes, the surest first; they often say more than a number: wrong labels, a second
# thing in the picture, a camera that was different.

# %%
probabilities = exported.predict_proba(pictures.test.images)
tl.show.right_and_wrong(pictures.test.images, pictures.test.labels, probabilities, pictures.class_names, count=5)

# %% [markdown]
# *(Photographs: ELPV data set, CC BY-NC-SA 4.0.)*
#
# ## The card
#
# A network without a card is a tablet without a box. What was it made of, for what, how well does it work, where does it fail,
# may I use it? The card is written from the record, so that it cannot say anything else than what was measured (after Mitchell
# and others, "Model Cards for Model Reporting", 2019).

# %% tags=["nbval-ignore-output"]
from IPython.display import Markdown

Markdown((exported.folder / "MODEL_CARD.md").read_text(encoding="utf-8"))

# %% [markdown]
# What no program can know you have to add: who took the pictures and whether they agreed, what the answers will be used
# for, who is harmed by a wrong one.
#
# ## Somewhere else, some day
#
# The notebook is closed, the kernel gone. Somebody else has the folder and a few pictures. A fresh process, one command:

# %% tags=["nbval-ignore-output"]
import subprocess
import sys

few = pictures.test.images[:4]
files = [path.relative_to(work) for path in few.paths]
command = [sys.executable, "-m", "tlcourse", "predict", *files, "--model", "my_model"]
table = subprocess.run(command, cwd=work, capture_output=True, text=True).stdout
print(table)

# %% [markdown]
# Some of these answers may be wrong: the mistakes that you have just looked at. The question here is only whether the file
# answers as the network does.

# %%
said = [line.split(",")[1] for line in table.splitlines()[1:]]
print("the same answers:", said == [exported.class_names[label] for label in exported.predict(few)])

# %% [markdown]
# In a terminal: `tlcourse predict my_pictures --model my_model`. The answers come as a table (CSV), or with `--format json`; a
# picture that cannot be read gets a line that says why, and the others are answered all the same. TensorFlow is not even
# started, so the first answer comes quickly.
#
# What if the file was damaged on its way, or is not the one that you made?

# %%
damaged = work / "damaged"
shutil.copytree(exported.folder, damaged)
content = bytearray((damaged / "model.onnx").read_bytes())
content[1_000_000] ^= 1

# %%
try:
    (damaged / "model.onnx").write_bytes(content)
    tl.load_exported(damaged)
except tl.errors.DamagedFile as error:
    print(str(error).replace(str(work), "…"))

# %% [markdown]
# One bit among millions of bytes was turned over. Without this check the file might have been loaded, and have answered slightly
# differently. (Files of the kind called *pickle*, in which networks are often passed on, can run any program when they are opened.
# Here nothing is: the record is text, ONNX files hold numbers and known operations, and a Keras file is opened only if it
# consists of the layers that exported networks have.)
#
# ## All of it in one command
#
# What you have done in this lesson, `tlcourse train` does without a notebook:
#
#     tlcourse train my_pictures --out my_model
#
# It says beforehand how long it will take, and when it is stopped half-way, the same command goes on from there. `make results`
# has timed it on whole data sets:

# %%
for name, job in tl.results("own_pictures.train").items():
    low, high = job["interval"]
    minutes = f"{job['seconds'] / 60:.1f} minutes"
    print(f"{name}: {job['pictures']:,} pictures in {minutes}, {job['accuracy']:.1%} right ({low:.1%} to {high:.1%})")

# %%
predicted = tl.results("own_pictures.predict")
print(f"predict: the first answer after {predicted['float32']['first_answer_ms']} ms, TensorFlow not started")
print(f"with --variant keras: after {predicted['keras']['first_answer_ms']} ms")

# %% [markdown]
# (The dogs are three breeds cut from ImageNet, which the network has seen before: an upper bound and no promise. Whole solar
# cells are lesson 05's task.)
#
# ## Exercises
#
# ### Exercise 10.1: how many test pictures?
#
# Your network is right for nine of ten pictures, and you want to know that to two points: an interval, as the card's, that reaches
# two points to each side. How many test pictures do you need? Up to five percent more is close enough.
#
# Stuck? `tl.check.hint("10.1")` in a cell of its own gives the first of three hints.

# %%
test_pictures = None  # replace None

tl.check("10.1", test_pictures)

# %% tags=["solution", "hide-cell"] jupyter={"source_hidden": true, "outputs_hidden": true}
test_pictures = 1.96**2 * 0.9 * 0.1 / 0.02**2
tl.check("10.1", test_pictures)

# %% [markdown]
# ### Exercise 10.2: somebody else's split
#
# A colleague has made every picture of `pictures.test` a little smaller, "to have more of them", mixed these with the others, and
# divided them all at random. `theirs` is what came out of it. How many pictures stand in their training *and* in their test
# part?
#
# Stuck? `tl.check.hint("10.2")` in a cell of its own gives the first of three hints.

# %%
import numpy as np

originals = [tl.pictures.resize(picture, (224, 224)) for picture in pictures.test.images]
smaller = [tl.pictures.resize(picture, (180, 180)) for picture in originals]
shuffled = np.random.default_rng(0).permutation(2 * len(originals))
everything = [*originals, *smaller]
theirs = {"train": [everything[i] for i in shuffled[20:]], "test": [everything[i] for i in shuffled[:20]]}

# %%
in_both = None  # replace None

tl.check("10.2", in_both, theirs)

# %% tags=["solution", "hide-cell"] jupyter={"source_hidden": true, "outputs_hidden": true}
try:
    tl.checks.assert_disjoint(theirs["train"], theirs["test"])
except tl.checks.LeakageError as error:
    in_both = len(error.pairs)
tl.check("10.2", in_both, theirs)

# %% [markdown]
# ### Exercise 10.3: read the record
#
# `exported.record["test"]` holds what the card says. Two numbers out of it: which share of the *defective* test cells was found,
# and by how much is the accuracy above always answering the same? Both as shares, 0.1 for ten points.
#
# Stuck? `tl.check.hint("10.3")` in a cell of its own gives the first of three hints.

# %%
read = {"defective found": None, "above guessing": None}  # replace both None

tl.check("10.3", read, exported)

# %% tags=["solution", "hide-cell"] jupyter={"source_hidden": true, "outputs_hidden": true}
defective = test["classes"]["defective"]
read["defective found"] = defective["right"] / defective["pictures"]
read["above guessing"] = test["accuracy"] - test["baseline"]
tl.check("10.3", read, exported)

# %% [markdown]
# ## Tidy up
#
# Copy `my_model` to where you want to keep it. The rest was only for this lesson.

# %%
shutil.rmtree(work)

# %% [markdown]
# ## Summary
#
# - Look first: what cannot be read, copies, balance, and what guessing gives. Nothing may be left out in silence.
# - Divide by identity. A smaller copy on the other side is the most frequent lie in this trade.
# - The simple thing first. What is more complicated has to be better, on validation, by more than one standard error.
# - The test is read once, by what was chosen, and the result has an interval.
# - Look at each class, and at the surest mistakes.
# - A converted network is another network until it has been compared.
# - The card goes with the file, and what it says was measured.
# - What we measured: a drawer of solar cells, and few of them. Your pictures are something else.
#
# **Next:** your own folder. `tlcourse train my_pictures --out my_model`
