# %% [markdown]
# # 11 · Your own pictures
#
# From a folder of your pictures to a network in a file that anyone can use: in plain Keras and scikit-learn first, then
# with one command, which also writes a model card.
#
# **Minutes:** about 45 · **Needs:** nothing from the internet; best with pictures of your own

# %% tags=["setup"]
# Written by notebooks/build.py (set_up): it says how to get the course where it is missing.

# %% [markdown]
# ## What you will learn
#
# - to read a folder of pictures with Keras, and what its random split does to copies;
# - to train on few and imbalanced pictures: class weights, a threshold, balanced accuracy;
# - to choose the simpler model unless the other is better by more than the noise of the validation set;
# - to read the test set once, and to give the result with its confidence interval;
# - to save the network, and to load it in another process, on a web page, on a phone or in a browser;
# - to do most of it with one command, and to read the model card that it writes.
#
# ## A folder
#
# Keras expects a folder with a subfolder for each class, named after the class, and the pictures in those. Twenty
# pictures of each class are enough to start with; a hundred are better. (Photographs from a phone: save them as JPEG,
# not as HEIC, which Keras does not read. Keras also ignores the note in the file by which a phone says that a picture
# is to be turned: `PIL.ImageOps.exif_transpose` turns the pixels. The helper does that by itself.)
#
# Do you have such pictures? Run this lesson once as it is. Then run `tlcourse train FOLDER --out my_model`, or copy the
# cells into a notebook of your own. (On Binder or Colab: zip the folder, upload the zip file in the file browser, and
# run `tl.datasets.unpack("pictures.zip", "my_pictures")`.) If not, here is a realistic folder: some of the solar cells
# that the experts were sure of, and far more of one class than of the other.

# %%
import shutil
import tempfile
from pathlib import Path

import tlcourse as tl

work = Path(tempfile.mkdtemp(prefix="lesson-11-"))
my_pictures = work / "my_pictures"
solar = tl.load_dataset("solar", protocol="confident").train
for name, count in {"functional": 240, "defective": 60}.items():
    (my_pictures / name).mkdir(parents=True)
    for path in solar.with_classes([name]).sample(count).images.paths:
        shutil.copy(path, my_pictures / name)

# %% [markdown]
# In practice such a folder contains more than good pictures. We add a letter that was saved as `.jpg`; a picture whose
# download stopped half way; a preview of eight by eight pixels; one picture twice, under two names; one in *both*
# classes; and one that was resized and saved again.

# %%
from PIL import Image

first, second, third = sorted((my_pictures / "functional").iterdir())[:3]
(my_pictures / "defective" / "letter.jpg").write_text("Dear Sir or Madam")
(my_pictures / "defective" / "half.png").write_bytes(first.read_bytes()[:4000])
Image.open(first).resize((8, 8)).save(my_pictures / "functional" / "preview.png")
shutil.copy(first, my_pictures / "functional" / "copy of the first.png")
shutil.copy(second, my_pictures / "defective" / "I am not sure.png")
Image.open(third).resize((200, 200)).save(my_pictures / "functional" / "third, smaller.jpg")
pairs = {"copy of the first.png": first, "I am not sure.png": second, "third, smaller.jpg": third}

# %% [markdown]
# **Predict first.** Six files are odd. Which of them will Keras complain about? Which of the others do harm, and how?

# %% tags=["answer", "nbval-ignore-output"]
import keras

try:
    for _ in keras.utils.image_dataset_from_directory(my_pictures, image_size=(224, 224), shuffle=False):
        pass
except Exception as error:
    print(type(error).__name__, error)

# %% [markdown]
# Keras takes the files by their names and opens them when a batch needs them. So the error comes in the middle of an
# epoch, and it does not say which file it is about. Pillow does, if you open each picture before you train:

# %%
for path in sorted(my_pictures.glob("*/*")):
    try:
        with Image.open(path) as picture:
            picture.load()
    except OSError as error:
        print(f"{path.name}:", str(error).partition(" '")[0])
        path.unlink()

# %% [markdown]
# Pillow names two of the six. The others can be read; the preview shows next to nothing, and Keras would enlarge it
# without a word. `image_dataset_from_directory` also splits:
#
# **Predict first.** Three of the files are copies. Will each be in the same split as its original?

# %% tags=["answer"]
parts = keras.utils.image_dataset_from_directory(
    my_pictures, image_size=(224, 224), validation_split=0.3, subset="both", seed=0
)
in_training = {Path(path).name for path in parts[0].file_paths}
for copy, original in pairs.items():
    together = (copy in in_training) == (original.name in in_training)
    print(f"{copy:22} and its original: {'in the same split' if together else 'one in each split'}")

# %% [markdown]
# The split is random, file by file. Another seed separates other pairs; with these shares it happens to about four
# pairs in ten. Then the network is tested on a picture that it was trained on (**data leakage**, lesson 09). A
# checksum finds the first two, but not the picture that was resized: it is another file, and shows the same cell. So
# pictures are split by **identity**: pictures of the same thing go into the same split. Keras and scikit-learn cannot
# know which these are. The helper compares what the pictures show, and finds a picture that was resized, saved again,
# brightened or mirrored:

# %%
import warnings

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # it warns that files were left out; we look at them below
    pictures = tl.datasets.from_folder(my_pictures)
for file, reason in pictures.skipped:
    print(f"{Path(file).name}: {reason}")

# %% [markdown]
# The picture in two classes has been removed from both, since nobody knows which label is right. (The letter and the
# half file would be on the list, too.)
#
# **It does not find everything.** Two photographs of the same dog, taken one second apart, are two pictures to it, and
# may go into different splits. You know what your pictures show: put those of one dog, one patient or one film into the
# same folder of `train`, `validation` and `test` yourself, with the class folders in each. `from_folder` keeps that
# split.
#
# Here each cell was photographed once. We copy the splits into such folders, for Keras, and look at the whole before we
# train.

# %%
for part, split in pictures.splits.items():
    for path, name in zip(split.images.paths, split.label_names, strict=True):
        (work / "split" / part / name).mkdir(parents=True, exist_ok=True)
        shutil.copy(path, work / "split" / part / name)
        if path.name in ("third, smaller.jpg", third.name):
            print(f"{path.name}: {part}")

tl.datasets.examine(pictures)

# %% [markdown]
# The resized picture and its original are in the same split. Note the line *baseline*. A classifier that always
# answers with the more frequent class is right that often. This is the **majority-class baseline**, with which every
# accuracy is to be compared.
#
# ## A head on the frozen network
#
# The recipe of lesson 04. `image_dataset_from_directory` resizes, and returns pixels from 0 to 255. The bundled network
# expects exactly that: its preprocessing is its first layer. (For a network of `keras.applications`, put its own
# `preprocess_input` in front: see lesson 02.)

# %%
import numpy as np


def read(part, **options):
    options = {"image_size": (224, 224), "batch_size": 8, "shuffle": False, "verbose": False} | options
    return keras.utils.image_dataset_from_directory(work / part, **options)


train, validation, test = (read(f"split/{part}") for part in ("train", "validation", "test"))
class_names = train.class_names
labels, val_labels, test_labels = (np.concatenate([y for _, y in part]) for part in (train, validation, test))

base = tl.load_pretrained_model().copy_network()  # pixels → 1,280 features, an ordinary keras.Model
base.trainable = False
features, val_features = base.predict(train, verbose=0), base.predict(validation, verbose=0)

# %% [markdown]
# The base is frozen, so each picture's features are computed once, and the head is trained on them. Classes are
# numbered in the order of the alphabet: 0 is *defective*.


# %%
def train_head(class_weight=None):
    keras.utils.set_random_seed(0)
    output = keras.layers.Dense(len(class_names), activation="softmax", name="new_head")
    head = keras.Sequential([keras.Input((1280,)), keras.layers.Dropout(0.2), output])
    head.compile(keras.optimizers.Adam(2e-3), loss="sparse_categorical_crossentropy", jit_compile=False)
    stop_early = keras.callbacks.EarlyStopping("val_loss", patience=3, restore_best_weights=True)
    options = {"validation_data": (val_features, val_labels), "class_weight": class_weight, "callbacks": [stop_early]}
    head.fit(features, labels, batch_size=16, epochs=40, verbose=0, **options)
    return head


# %% [markdown]
# ## Four times as many of one class
#
# The accuracy counts pictures, and four of five show functional cells. So look at each class separately: its **recall**
# is the share of its pictures that are recognised. The mean of the recalls is the **balanced accuracy**: a classifier
# that always gives the same answer has one half (with two classes), however rare the other class is.
#
# There are two common cures. **Class weights** make a mistake on the rare class cost more in training: a class with a
# quarter of the pictures of another gets four times its weight, as with scikit-learn's `class_weight="balanced"`. A
# **threshold**: train as before, and answer *defective* even if its probability is below one half. The threshold is
# chosen on the validation set.
#
# **Predict first.** What will class weights do to the recall of *defective*? And to that of *functional*?

# %% tags=["answer", "trained-here", "nbval-ignore-output"]
from sklearn.metrics import balanced_accuracy_score, recall_score


def show_scores(name, answers):
    recalls = recall_score(val_labels, answers, average=None)
    each = ", ".join(f"{recall:.0%} of {of}" for recall, of in zip(recalls, class_names, strict=True))
    balanced = balanced_accuracy_score(val_labels, answers)
    print(f"{name:15} right: {np.mean(answers == val_labels):.0%}; {each}; balanced {balanced:.0%}")


weights = {k: len(labels) / (len(class_names) * n) for k, n in enumerate(np.bincount(labels))}
plain, weighted = train_head(), train_head(class_weight=weights)
show_scores("no cure", plain.predict(val_features, verbose=0).argmax(axis=1))
show_scores("class weights", weighted.predict(val_features, verbose=0).argmax(axis=1))

# %% tags=["answer", "trained-here", "nbval-ignore-output"]
probability = plain.predict(val_features, verbose=0)[:, 0]  # of "defective"
thresholds = np.arange(0.02, 1, 0.02)
balanced = [balanced_accuracy_score(val_labels, np.where(probability > t, 0, 1)) for t in thresholds]
threshold = thresholds[np.argmax(balanced)]
show_scores("threshold", np.where(probability > threshold, 0, 1))

# %% [markdown]
# Compare the three lines. The cures find more of the defective cells, and in exchange call more of the functional ones
# defective. But a dozen defective cells are a small sample, and the threshold was the best of many on these very
# cells. So we ask cross-validation, with scikit-learn's logistic regression on the same features. It is another
# classifier than our head (`C=0.01` regularises it strongly, since there are more features than pictures), so look at
# the differences. Its threshold was not searched for: it is the share of *defective*. The resized copy is left out:
# these folds would separate it from its original.

# %%
is_copy = np.array([path.endswith("third, smaller.jpg") for path in train.file_paths + validation.file_paths])
rows = np.concatenate([features, val_features])[~is_copy]
is_defective = np.concatenate([labels, val_labels])[~is_copy] == 0

# %%
from sklearn import model_selection
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

probe = make_pipeline(StandardScaler(), LogisticRegression(C=0.01))
with_weights = make_pipeline(StandardScaler(), LogisticRegression(C=0.01, class_weight="balanced"))
with_threshold = model_selection.FixedThresholdClassifier(probe, threshold=is_defective.mean())
splits = model_selection.RepeatedStratifiedKFold(n_splits=5, n_repeats=2, random_state=0)
no_cure = model_selection.cross_val_score(probe, rows, is_defective, cv=splits, scoring="balanced_accuracy")
print(f"no cure: balanced accuracy {no_cure.mean():.1%}, mean of {len(no_cure)} splits")
for name, cured in {"class weights": with_weights, "threshold": with_threshold}.items():
    gain = model_selection.cross_val_score(cured, rows, is_defective, cv=splits, scoring="balanced_accuracy") - no_cure
    print(f"{name}: {gain.mean():+.1%}, standard error {gain.std(ddof=1) / np.sqrt(len(gain)):.1%}")

# %% [markdown]
# Both cures raise the balanced accuracy here, by more than their standard error (which is too small, since the splits
# share pictures). They do not find more in the pictures: they move the border between the two answers. Where it should
# be depends on what a missed defective cell costs, and what a false alarm costs: ask the people who use the network
# (exercise 11.3). We go on with the class weights, since the saved network then needs no threshold beside it.
#
# ## Fine-tune, and choose
#
# Lesson 05 in short: take the trained head, unfreeze the last block and the last convolution, but no batch
# normalization, compile again, and train at a small learning rate, with the same class weights.


# %%
def whole_network(head):
    """Pixels → probabilities, from copies of the base and of a head."""
    own_base, own_head = keras.models.clone_model(base), keras.models.clone_model(head)
    own_base.set_weights(base.get_weights())
    own_head.set_weights(head.get_weights())
    inputs = keras.Input((224, 224, 3))
    return keras.Model(inputs, own_head(own_base(inputs)))


simple, tuned = whole_network(weighted), whole_network(weighted)
for layer in tuned.layers[1].layers:
    is_late = layer.name.startswith(("block7a", "head"))
    layer.trainable = is_late and not isinstance(layer, keras.layers.BatchNormalization)

# %% tags=["trained-here", "nbval-ignore-output"]
tuned.compile(keras.optimizers.Adam(3e-4), loss="sparse_categorical_crossentropy")
before = tl.checks.snapshot(tuned)
stop_early = keras.callbacks.EarlyStopping("val_loss", patience=2, restore_best_weights=True)
options = {"validation_data": validation, "class_weight": weights, "callbacks": [stop_early, tl.fit_bar()]}
shuffled = read("split/train", shuffle=True, seed=0)
tuned.fit(shuffled, epochs=3, shuffle=False, verbose=0, **options)  # the data set shuffles
tl.checks.assert_changed(before, tuned, only=["block7a", "head", "new_head"])

networks = {"frozen": simple, "fine-tuned": tuned}
answers = {name: network.predict(validation, verbose=0).argmax(axis=1) for name, network in networks.items()}
for name in networks:
    show_scores(name, answers[name])

# %% [markdown]
# **Predict first.** Suppose fine-tuning gets one more validation picture right than the frozen network. Which one would
# you take, and why?
#
# <details><summary>Our answer</summary>
#
# The frozen one. It is the simpler model, and with another seed the difference could be one fewer. So fine-tuning has
# to be better by *more than one standard error* (a paired form of the one-standard-error rule of Breiman et al.,
# 1984). Only those pictures count that one network gets right and the other wrong. If only the fine-tuned one is right
# about `k` pictures, and only the frozen one about `l`, the gain is `k - l`, and its standard error √(k + l).
#
# One gained and none lost is 1 ± 1: keep the simpler model. Four gained and one lost is 3 ± 2.2: take the other one.
# (The rule is lenient: 2 ± 1.4 is just enough, and the best epoch was chosen on these same pictures.) In the balanced
# accuracy a picture of the rarer class counts more, so we add up these shares instead of ones. (A network that is
# trained again on another processor may get other pictures right: your counts may differ from those stored here.)
#
# </details>

# %% tags=["answer", "nbval-ignore-output"]
right_simple, right_tuned = (answers[name] == val_labels for name in ("frozen", "fine-tuned"))
share = 1 / (len(class_names) * np.bincount(val_labels)[val_labels])  # of the balanced accuracy, for each picture
differences = share * (right_tuned.astype(int) - right_simple)
gain, standard_error = differences.sum(), np.sqrt(np.sum(differences**2))
chosen = tuned if gain > standard_error else simple
print(f"{np.sum(differences > 0)} gained, {np.sum(differences < 0)} lost; balanced accuracy {gain:+.1%}", end=" ")
print(f"± {standard_error:.1%}: keep the {'fine-tuned' if chosen is tuned else 'frozen'} network")

# %% [markdown]
# ## Test, once
#
# The network that was kept is `chosen`. Now we read the test set, once. If you look at the result, go back, change
# something and look again, you have begun to choose by the test set (lesson 09 shows what that costs). Each share comes
# with its 95 percent **confidence interval** (Wilson, 1927).

# %% tags=["trained-here", "nbval-ignore-output"]
from scipy.stats import binomtest

probabilities = chosen.predict(test, verbose=0)
is_right = probabilities.argmax(axis=1) == test_labels
groups = {"all pictures": is_right} | {name: is_right[test_labels == k] for k, name in enumerate(class_names)}
for name, right in groups.items():
    interval = binomtest(right.sum(), len(right)).proportion_ci(method="wilson")
    print(f"{name:13} {right.mean():.1%} of {len(right)} right, 95% interval {interval.low:.1%} to {interval.high:.1%}")
print(f"always functional: {np.mean(test_labels == 1):.1%}; balanced accuracy {1 / len(class_names):.1%}")
print(f"this network's balanced accuracy: {balanced_accuracy_score(test_labels, probabilities.argmax(axis=1)):.1%}")

# %% [markdown]
# Read the intervals, not the numbers alone. With so few test pictures you cannot tell a good network from a mediocre
# one, and of the rarer class there are the fewest. Does the interval of all pictures include the baseline? Then this
# accuracy alone does not show that the network is better than it; but the baseline finds not one of the defective
# cells. And the intervals hold for *pictures of this kind*: about another camera they say nothing.
#
# Then look at the mistakes: of each class, those that the network is most confident about. They often tell you more
# than a number: a wrong label, a second object in the picture, a different camera.

# %%
shown = np.concatenate([x for x, _ in test]).astype(np.uint8)
tl.show.right_and_wrong(shown, test_labels, probabilities, class_names, count=5)

# %% [markdown]
# *(Photographs: ELPV data set, CC BY-NC-SA 4.0.)*
#
# ## Save it, and load it in another process
#
# A colleague has only a few files: the network, the names of the classes in their order, a short script, and new
# pictures. `my_model.keras` holds layers and weights, and no code of yours.

# %%
chosen.save(work / "my_model.keras")
(work / "labels.txt").write_text("\n".join(class_names), encoding="utf-8")
(work / "predict.py").write_text("""
import keras

network = keras.models.load_model("my_model.keras")
names = open("labels.txt", encoding="utf-8").read().splitlines()
new = keras.utils.image_dataset_from_directory("new", None, image_size=(224, 224), shuffle=False, verbose=False)
for path, row in zip(new.file_paths, network.predict(new, verbose=0)):
    print(path, names[row.argmax()], f"{row.max():.1%}")
""")
(work / "new").mkdir()
for path in [*test.file_paths[:2], *test.file_paths[-2:]]:
    shutil.copy(path, work / "new")

# %% tags=["nbval-ignore-output"]
import subprocess
import sys


def run(*command):
    """What a Python process of its own prints."""
    return subprocess.run([sys.executable, *command], cwd=work, capture_output=True, text=True, check=True).stdout


table = run("predict.py")
print(table)
here = [class_names[k] for k in chosen.predict(read("new", labels=None), verbose=0).argmax(axis=1)]
print("the same answers as here:", [line.split()[-2] for line in table.splitlines()] == here)

# %% [markdown]
# Some of these answers may be wrong, like the mistakes above. The question here is only whether the new process gives
# the same ones. It does, because the script resizes with the same function as the training. A common mistake is to
# resize in another way in the app, to show the network photographs that lie on their side, or to scale the pixels to
# 0 to 1: that is another input, and no error is raised.
#
# ## The quick way: one command
#
# `tlcourse train` inspects and splits the folder, compares a linear probe with fine-tuning by cross-validation (with
# `--epochs 0` it takes the probe), keeps the simpler one unless the other is better by more than one standard error,
# trains it on training and validation pictures, tests once, and exports. If it is interrupted, run the same command
# again, and it resumes. `tlcourse predict` answers without TensorFlow. In a terminal:
#
#     tlcourse train my_pictures --out quick
#     tlcourse predict new --model quick
#
# The folder `quick` will have `model.keras`; `model.onnx`, the same in ONNX, a format that many programs and machines
# can run; `model_int8.onnx`, with weights and activations as 8-bit integers; `labels.txt`, `record.json` with all
# measurements, and `MODEL_CARD.md`.
#
# **Predict first.** Eight bits per number instead of thirty-two. How often will the small file's answer differ from the
# large one's?

# %% tags=["answer", "nbval-ignore-output"]
licence = ["--licence", "CC BY-NC-SA 4.0"]
print(run("-m", "tlcourse", "train", "my_pictures", "--out", "quick", "--epochs", "0", *licence))
print(run("-m", "tlcourse", "predict", "new", "--model", "quick"))

exported = tl.load_exported(work / "quick")
for name, file in exported.record["files"].items():
    size, speed = f"{file['bytes'] / 1e6:.1f} MB", f"{file['pictures_per_second']:.0f} pictures/s"
    print(f"{name:16} {size:>8}  {file['accuracy']:.1%} right, as Keras: {file['agreement']:.1%}  {speed}")

# %% [markdown]
# The first two of the four cells are defective. Compare with the answers of `my_model.keras` above: the command trains
# without class weights, and chooses by plain accuracy. For imbalanced classes it is a start, and no more. Its test set
# is the same as ours, and has now been read with a second network. As long as nobody chooses between the two by these
# results, no harm is done.
#
# Before the export finishes, each file predicts every test picture, and its answers are compared with those of Keras.
# Look at the column *as Keras*: the small file may be right as often as the large one and still give other answers,
# since it loses some pictures and gains others. Conversion does go wrong sometimes, and without this comparison you
# would not notice.
#
# A network should come with a **model card**, as a medicine comes with a leaflet: what it was trained on, for what use,
# how well it works, where it fails, and whether you may use it (Mitchell et al., "Model Cards for Model Reporting",
# 2019). This one is written from the record, so its numbers are those that were measured.

# %% tags=["nbval-ignore-output"]
from IPython.display import Markdown

Markdown((exported.folder / "MODEL_CARD.md").read_text(encoding="utf-8"))

# %% [markdown]
# Compare the recalls in the card's table with those of our test above. The accuracies are close; the recalls are not,
# and the accuracy alone would not have told you. (Class weights are not the only difference: the command's classifier
# is a logistic regression, it resizes with another filter, and it was trained on the validation pictures, too.)
#
# Some things no program can know, and you have to add them: who took the pictures and whether the people concerned
# agreed, what the predictions will be used for, and who is harmed by a wrong one.
#
# What if a file was damaged in transfer, or is not the one that you exported?

# %%
damaged = work / "damaged"
shutil.copytree(exported.folder, damaged)
content = bytearray((damaged / "model.onnx").read_bytes())
content[1_000_000] ^= 1  # one bit of millions of bytes
(damaged / "model.onnx").write_bytes(content)
try:
    tl.load_exported(damaged)
except tl.errors.DamagedFile as error:
    print(str(error).replace(str(work), "…"))

# %% [markdown]
# Without this check the file might have been loaded, and its predictions might have been slightly different. The
# checksum is in the same folder, so it finds damage, and not a forger. (*Pickle* files, in which networks are often
# shared, can run any code when they are loaded. ONNX files hold no code, and `load_exported` refuses those with
# anything in them that no exported network has.)
#
# ## A page on your own machine
#
# For colleagues who do not use a terminal: a web page, with Python's own `http.server`. It listens on 127.0.0.1, the
# **loopback** address, which only programs on this machine can reach. (It is not made for the open internet.) The
# first cell has the text of the page, and a function that turns a file into an answer; the second replies to a
# browser; the third starts the server, and asks as a program would, about a test picture and about a file that is not
# a picture. Open the address that it prints, and choose a picture.

# %%
PAGE = """<!doctype html><title>My pictures</title><input type="file" accept="image/*"><p></p><script>
document.querySelector("input").onchange = async event => {
  const reply = await fetch("/", {method: "POST", body: event.target.files[0]});
  document.querySelector("p").textContent = await reply.text(); }</script>"""


def answer_to(content):
    try:
        pixels = tl.pictures.read_picture(content)  # turned as the phone says
    except tl.errors.PictureError:
        return "This is not a picture."
    probabilities = exported.predict_proba([pixels])[0]
    return ", ".join(f"{name} {p:.1%}" for name, p in zip(exported.class_names, probabilities, strict=True))


# %%
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Page(BaseHTTPRequestHandler):
    def do_GET(self, text=PAGE):
        self.send_response_only(200)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.end_headers()
        self.wfile.write(text.encode())

    def do_POST(self):
        length = min(int(self.headers["Content-Length"]), 20_000_000)  # bytes
        self.do_GET(answer_to(self.rfile.read(length)))


# %% tags=["nbval-ignore-output"]
import threading
from urllib.request import ProxyHandler, build_opener

server = ThreadingHTTPServer(("127.0.0.1", 0), Page)  # port 0: any that is free
threading.Thread(target=server.serve_forever, daemon=True).start()
address = f"http://127.0.0.1:{server.server_port}/"
print(address)

direct = build_opener(ProxyHandler({}))  # not through the proxy of a company or school
for path in (test.file_paths[-1], work / "labels.txt"):
    print(Path(path).name, "→", direct.open(address, data=Path(path).read_bytes()).read().decode())

# %% [markdown]
# The page works until the cell "Tidy up", or as long as the kernel runs. On Binder, on Colab and on a hub 127.0.0.1 is
# *their* machine, and your browser cannot reach it. There a button in the notebook does the same:
#
# ```python
# import ipywidgets
#
# upload = ipywidgets.FileUpload(accept="image/*")
# ipywidgets.interact(lambda files: [answer_to(bytes(file["content"])) for file in files], files=upload)
# ```
#
# ## On a phone, in a browser
#
# | Where | What runs the network there | File |
# |---|---|---|
# | a computer with Python | ONNX Runtime, as in `tlcourse predict`: no TensorFlow | `model.onnx`, `model_int8.onnx` |
# | a browser, without a server | ONNX Runtime Web, as on the site's page "Teach it yourself" | the same |
# | an app on a phone | LiteRT (once called TensorFlow Lite), or ONNX Runtime | `model.tflite`, or the same |
# | Keras on any machine | TensorFlow, JAX or PyTorch | `my_model.keras` |
#
# `tl.export(…, litert=True)` writes `model.tflite`, too, and compares it with Keras (`pip install ai-edge-litert`).
# Without the course: `chosen.export("my_model.onnx", format="onnx")`, and in recent versions of Keras
# `format="litert"`. In each of these places the app has to do what was done in training: turn the picture as
# the phone says, resize it to 224 × 224 pixels (bilinear for `my_model.keras`; the command's files say bicubic on their
# card), keep the values from 0 to 255, and know the order of the classes.
#
# ## Exercises
#
# ### Exercise 11.1: how many test pictures?
#
# Your network is right about nine in ten pictures, and you want to know this to two points: a 95 percent confidence
# interval that reaches two points to each side, by the usual approximation of 1.96 standard errors. How many test
# pictures do you need? Up to five percent more is close enough.
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
# the originals, and split all of them at random. The result is `their_split`. How many pictures are in both its training
# *and* its test set? (`tl.checks.assert_disjoint` compares what pictures show.)
#
# Stuck? `tl.check.hint("11.2")` in a cell of its own gives the first of three hints.

# %%
originals = [tl.pictures.resize(picture, (224, 224)) for picture in pictures.test.images]
smaller = [tl.pictures.resize(picture, (180, 180)) for picture in originals]
order = np.random.default_rng(0).permutation(2 * len(originals))
everything = [*originals, *smaller]
their_split = {"train": [everything[i] for i in order[20:]], "test": [everything[i] for i in order[:20]]}
in_both = None  # replace None

tl.check("11.2", in_both, their_split)

# %% tags=["solution", "hide-cell"] jupyter={"source_hidden": true, "outputs_hidden": true}
# Solution: click to open
try:
    tl.checks.assert_disjoint(their_split["train"], their_split["test"])
except tl.checks.LeakageError as error:
    in_both = len(error.pairs)
tl.check("11.2", in_both, their_split)

# %% [markdown]
# ### Exercise 11.3: a missed defect costs ten times as much
#
# Change the experiment, in Keras alone: a defective cell that is sold costs 10 euros, a functional one that is thrown
# away 1 euro. Train a head on `features` as you like (class weights, a hidden layer, other epochs), with two
# probabilities as output, and choose a threshold: cells whose probability of *defective* is above it are thrown away.
# All validation cells together are to cost at most half of what it costs to throw all of them away. There are many
# right answers.
#
# Stuck? `tl.check.hint("11.3")` in a cell of its own gives the first of three hints.

# %%
cheap = {"head": None, "threshold": None}  # replace both None

tl.check("11.3", cheap, val_features, val_labels)

# %% tags=["solution", "hide-cell"] jupyter={"source_hidden": true, "outputs_hidden": true}
# Solution: click to open
cheap = {"head": train_head(), "threshold": 1 / 11}  # from here on, a miss costs more than a false alarm: 10 p > 1 - p
tl.check("11.3", cheap, val_features, val_labels)

# %% [markdown]
# ## Tidy up
#
# All files are in a temporary folder, which the last line deletes. To keep the two networks, remove the `#` from the
# first two lines: they are then copied beside this notebook.

# %%
# shutil.copytree(work / "quick", "quick")
# shutil.copy(work / "my_model.keras", ".")
server.shutdown()
server.server_close()
shutil.rmtree(work)

# %% [markdown]
# ## Summary
#
# - Open every picture before you train, and look at class balance and the majority-class baseline.
# - Split by identity: pictures of one thing belong in one split. Keras' random split puts copies of a picture into
#   both splits: **data leakage**.
# - With imbalanced classes, give the recall of each class and the balanced accuracy. Class weights or a threshold trade
#   one recall for the other.
# - Start with the simple model. A more complicated one has to be better on the validation set by more than one standard
#   error of the paired differences.
# - Read the test set once, with the chosen network, and give the result with its confidence interval.
# - Try the saved file in another process, and compare a converted network's answers with the original's.
# - `tlcourse train` checks, splits, chooses, tests and exports, and writes a model card; it does not weight classes.
# - What we measured: one small folder of solar cells. Your pictures are different.
#
# **Next:** your own folder. `tlcourse train my_pictures --out my_model`
