# %% [markdown]
# # 11 · Your own pictures
#
# From a folder of your pictures to an exported network that anyone can use, with a model card that says how far to
# trust it. You use every step of the course again here, in the order of a real job.
#
# **Minutes:** about 45 · **Needs:** nothing from the internet; best with pictures of your own

# %% tags=["setup"]
# Written by notebooks/build.py (set_up): it says how to get the course where it is missing.

# %% [markdown]
# ## What you will learn
#
# - to inspect a folder of pictures before you train on it;
# - to split it so that no picture has a copy in another split;
# - to compare a result with the majority-class baseline, and to give its confidence interval;
# - to choose by validation, and to read the test set once;
# - to export the network to files that run without this course, and to check that they make the same predictions;
# - to write the model card that belongs to it.
#
# ## A folder
#
# The course expects one folder with a subfolder for each class, named after the class, and the pictures in those.
# Twenty pictures of each class are enough to start with; a hundred are better.
#
# Do you have such pictures? Run this lesson once as it is. Then run `tlcourse train FOLDER --out my_model`, which does
# the same steps on your folder. (On Binder or Colab: zip the folder, upload the zip file in the file browser, and run
# `tl.datasets.unpack("pictures.zip", "my_pictures")`.)
#
# If not, here is a realistic folder: some solar cells of lesson 00, those that the experts were sure of, and far more
# of one class than of the other.

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
# In practice such a folder contains more than good pictures. We add a letter that was saved as `.jpg`; a download that
# broke off half-way; a preview of eight by eight pixels; one picture twice, under two names; one in *both* classes; and
# one that was resized and saved again.

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
# **Predict first.** Six files are odd. Which of them would have done harm, how, and would you have noticed?

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
# Every file that was left out is listed with its reason. The picture in two classes has been removed from both, since
# nobody knows which label is right. (The second copy would have been harmless *if* both copies had been in the same
# split. Otherwise the network is tested on a picture that it was trained on.)
#
# The resized one is still there. It is another file, so no checksum detects it, but it shows the same cell. This is why
# pictures are split by **identity**: pictures that look the same go into the same split.

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
# Note the line *baseline*. A classifier that always answers with the more frequent class is right that often. This is
# the **majority-class baseline**: an accuracy below it is no evidence that anything was learned.
#
# Note *balance*, too. A network that is trained on three times as many cells of one class may become good at that class
# and bad at the other, and its accuracy hardly shows it. We will look at each class separately.
#
# ## Probe first
#
# Start with what is quick and simple: a linear probe on the frozen network's features. It is the baseline for
# everything that follows.

# %%
model = tl.load_pretrained_model()
train, validation = pictures.train, pictures.validation

probe = tl.train_classifier(model.extract_features(train.images), train.labels, pictures.class_names)
probe_accuracy = probe.score(model.extract_features(validation.images), validation.labels)
print(f"probe: {probe_accuracy:.1%} of {len(validation)} validation pictures")

# %% [markdown]
# ## Then fine-tune
#
# We fine-tune the last three blocks, with two augmented copies of each picture. We also pass the validation set: the
# network is evaluated on it after each epoch, and the weights of the best epoch are kept.

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
# **Predict first.** Suppose fine-tuning gets one more validation picture right than the probe. Which one would you
# take, and why?
#
# The probe. It is the simpler model: it has fewer ways to go wrong, and it is easier to explain. One picture is too
# little evidence against it; with another seed it could be one fewer. So fine-tuning has to be better by *more than one
# standard error* (a paired form of the one-standard-error rule of Breiman et al., 1984).
#
# Both models are evaluated on the same pictures, so the only ones that matter are those that one gets right and the
# other wrong. If only the fine-tuned network is right about `gained` pictures, and only the probe about `lost`, the
# difference is `gained - lost`, and its standard error √(gained + lost). One gained and none lost is 1 ± 1: keep the
# probe. Four gained and one lost is 3 ± 2.2: keep the fine-tuned network. The rule is lenient: two gained and none
# lost, 2 ± 1.4, is just enough. And the best epoch was chosen on these same pictures, which gives fine-tuning a small
# advantage.

# %% tags=["trained-here"]
from tlcourse.training.evaluation import paired_gain

probe_right = probe.predict(model.extract_features(validation.images)) == validation.labels
gain = paired_gain(probe_right, tuned.predict(validation.images) == validation.labels)
gain

# %%
kept = tuned if gain.exceeds_one_standard_error else probe
print(f"{gain.net} ± {gain.standard_error:.1f}: keep the {'fine-tuned network' if kept is tuned else 'probe'}")

# %% [markdown]
# If the probe is kept, the network in the files below is the frozen network with the probe as its head.
#
# ## Judge, once
#
# So far nothing has been evaluated on the test set. Now we read it, once, with the one network that was chosen. If you
# look at the result, go back, change something and look again, you have begun to choose by the test set (lesson 09
# shows what that costs).
#
# The evaluation is part of the export, so that the model card states what was measured.
#
# ## Export
#
# The export writes a folder with these files:
#
# - `model.keras`, the whole network, pixels in, probabilities out; it loads with Keras alone, and contains no code;
# - `model.onnx`, the same in ONNX, a format that many programs and machines can run, and here without TensorFlow;
# - `model_int8.onnx`, with weights and activations as 8-bit integers: less than a third of the size, and faster;
# - `labels.txt`, `record.json` with all measurements, and `MODEL_CARD.md`, which is written from them.
#
# **Predict first.** Eight bits per number instead of thirty-two. How often will the small file's prediction differ from
# the large one's?

# %%
exported = tl.export(kept, work / "my_model", pictures, model=model, licence="CC BY-NC-SA 4.0")
exported

# %% tags=["nbval-ignore-output"]
for name, file in exported.record["files"].items():
    size, speed = f"{file['bytes'] / 1e6:.1f} MB", f"{file['pictures_per_second']:.0f} pictures/s"
    print(f"{name:18} {size:>8}  {file['accuracy']:.1%} right, as Keras: {file['agreement']:.1%}  {speed}")

# %% [markdown]
# Before the export finishes, each file predicts every test picture, and its predictions are compared with those of
# Keras. If the 32-bit file had disagreed, no folder would have been written; if the small one had become clearly worse,
# it would have been left out. Conversion does go wrong sometimes, and without this comparison you would not notice.
#
# The small file is less than a third of the size, and faster. Where its prediction differs from that of Keras, it may
# happen to be the right one: an accuracy that is one picture higher or lower shows nothing, by the rule above.
#
# ### How good is it?

# %% tags=["trained-here"]
test = exported.record["test"]
low, high = test["interval"]
print(f"{test['accuracy']:.1%} of the test pictures, {low:.1%} to {high:.1%} with 95 % certainty")
print(f"always {test['most_frequent']}: {test['baseline']:.1%}")

# %% [markdown]
# Read the interval, not the number alone: it is the 95 percent **confidence interval** (Wilson, 1927). With so few test
# pictures you cannot tell a good network from a mediocre one. Does the interval include the majority-class baseline?
# Then this test alone does not show that the network is better than it, however good the number looks; only more test
# pictures can. And the interval holds for *pictures of this kind*: about another camera it says nothing.
#
# Accuracy is not everything. A classifier that always answers *functional* never detects a defective cell. So we look
# at each class separately:

# %%
tl.show.confusion(exported.confusion(pictures.test.images, pictures.test.labels))

# %% [markdown]
# Compare the two rows, not the sum. Which class has the lower **recall**, the share of its pictures that are
# recognised? Is it the rarer one?
#
# Finally, look at the pictures themselves. Start with the mistakes that the network is most confident about. They often
# tell you more than a number: a wrong label, a second object in the picture, a different camera.

# %%
probabilities = exported.predict_proba(pictures.test.images)
tl.show.right_and_wrong(pictures.test.images, pictures.test.labels, probabilities, pictures.class_names, count=5)

# %% [markdown]
# *(Photographs: ELPV data set, CC BY-NC-SA 4.0.)*
#
# ## The card
#
# A network should come with a model card, as a medicine comes with a leaflet. What was it trained on, for what use, how
# well does it work, where does it fail, and may I use it? The card is written from the record, so that its numbers are
# those that were measured (after Mitchell et al., "Model Cards for Model Reporting", 2019).

# %% tags=["nbval-ignore-output"]
from IPython.display import Markdown

Markdown((exported.folder / "MODEL_CARD.md").read_text(encoding="utf-8"))

# %% [markdown]
# Some things no program can know, and you have to add them: who took the pictures and whether the people concerned
# agreed, what the predictions will be used for, and who is harmed by a wrong one.
#
# ## Somewhere else, some day
#
# The notebook is closed, the kernel has stopped, and a colleague has only the folder and a few pictures. In a new
# process, one command is enough:

# %% tags=["nbval-ignore-output"]
import subprocess
import sys

few = pictures.test.images[:4]
files = [path.relative_to(work) for path in few.paths]
command = [sys.executable, "-m", "tlcourse", "predict", *files, "--model", "my_model"]
table = subprocess.run(command, cwd=work, capture_output=True, text=True).stdout
print(table)

# %% [markdown]
# Some of these predictions may be wrong, like the mistakes above. The question here is only whether a new process makes
# the same predictions from the file as this one.

# %%
predicted = [line.split(",")[1] for line in table.splitlines()[1:]]
print("the same answers:", predicted == [exported.class_names[label] for label in exported.predict(few)])

# %% [markdown]
# In a terminal: `tlcourse predict my_pictures --model my_model`. The output is a line per picture; a table (CSV) where it
# goes into a file or another program, or with `--format csv`; and JSON with `--format json`. A picture that cannot be read gets a row with the reason, and the others are predicted all the same.
# TensorFlow is not loaded, so the first prediction comes quickly.
#
# What if the file was damaged in transfer, or is not the one that you exported?

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
# One bit among millions of bytes was flipped. Without this check the file might have been loaded, and its predictions
# might have been slightly different. (*Pickle* files, in which networks are often shared, can run any code when they
# are loaded. This does not happen here: the record is text, ONNX files contain numbers and known operations, and a
# Keras file is loaded only if it consists of the layers that exported networks have.)
#
# ## All of it in one command
#
# `tlcourse train` does the steps of this lesson without a notebook:
#
#     tlcourse train my_pictures --out my_model
#
# It estimates beforehand how long it will take. If it is interrupted, run the same command again, and it resumes.
# `make results` has timed it on whole data sets:

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
# (The dogs are three breeds from ImageNet, which the network was pretrained on, so their accuracy has an optimistic
# bias. The whole set of solar cells is the task of lesson 05.)
#
# ## Exercises
#
# ### Exercise 11.1: how many test pictures?
#
# Your network is right about nine in ten pictures, and you want to know this to two points: a 95 percent confidence
# interval, as on the card, that reaches two points to each side. How many test pictures do you need? Up to five percent
# more is close enough.
#
# Stuck? `tl.check.hint("11.1")` in a cell of its own gives the first of three hints.

# %%
test_pictures = None  # replace None

tl.check("11.1", test_pictures)

# %% tags=["solution", "hide-cell"] jupyter={"source_hidden": true, "outputs_hidden": true}
# Solution: click to open
test_pictures = 1.96**2 * 0.9 * 0.1 / 0.02**2
tl.check("11.1", test_pictures)

# %% [markdown]
# ### Exercise 11.2: somebody else's split
#
# A colleague has made a smaller copy of every picture in `pictures.test`, "to have more of them", mixed the copies with
# the originals, and split all of them at random. The result is `theirs`. How many pictures are in both its training
# *and* its test set?
#
# Stuck? `tl.check.hint("11.2")` in a cell of its own gives the first of three hints.

# %%
import numpy as np

originals = [tl.pictures.resize(picture, (224, 224)) for picture in pictures.test.images]
smaller = [tl.pictures.resize(picture, (180, 180)) for picture in originals]
shuffled = np.random.default_rng(0).permutation(2 * len(originals))
everything = [*originals, *smaller]
theirs = {"train": [everything[i] for i in shuffled[20:]], "test": [everything[i] for i in shuffled[:20]]}

# %%
in_both = None  # replace None

tl.check("11.2", in_both, theirs)

# %% tags=["solution", "hide-cell"] jupyter={"source_hidden": true, "outputs_hidden": true}
# Solution: click to open
try:
    tl.checks.assert_disjoint(theirs["train"], theirs["test"])
except tl.checks.LeakageError as error:
    in_both = len(error.pairs)
tl.check("11.2", in_both, theirs)

# %% [markdown]
# ### Exercise 11.3: read the record
#
# `exported.record["test"]` has the numbers of the card. Compute two numbers from it: the recall of *defective* on the
# test set, and by how much the accuracy is above the majority-class baseline. Give both as shares, 0.1 for ten points.
#
# Stuck? `tl.check.hint("11.3")` in a cell of its own gives the first of three hints.

# %%
read = {"defective found": None, "above baseline": None}  # replace both None

tl.check("11.3", read, exported)

# %% tags=["solution", "hide-cell"] jupyter={"source_hidden": true, "outputs_hidden": true}
# Solution: click to open
defective = test["classes"]["defective"]
read["defective found"] = defective["right"] / defective["pictures"]
read["above baseline"] = test["accuracy"] - test["baseline"]
tl.check("11.3", read, exported)

# %% [markdown]
# ## Tidy up
#
# Copy `my_model` to where you want to keep it. The rest was only for this lesson.

# %%
shutil.rmtree(work)

# %% [markdown]
# ## Summary
#
# - Look first: unreadable files, copies, class balance, and the majority-class baseline. Every file that is left out
#   should be reported.
# - Split by identity. A smaller copy in another split is a common form of **data leakage**.
# - Start with the simple model. A more complicated one has to be better on the validation set by more than one standard
#   error.
# - Read the test set once, with the chosen network, and give the result with its confidence interval.
# - Look at each class, and at the mistakes that the network is most confident about.
# - Do not rely on a converted network before you have compared its predictions with the original's.
# - The model card goes with the file, and its numbers were measured.
# - What we measured: one small folder of solar cells. Your pictures are different.
#
# **Next:** your own folder. `tlcourse train my_pictures --out my_model`
