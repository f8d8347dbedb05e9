# %% [markdown]
# # 12 · Past one machine
#
# Optional: the same job for more pictures than one machine can process in the time that you have. First you estimate
# whether you need more than one machine. Then you distribute the frozen network's work, and see what training on
# several machines takes.
#
# **Minutes:** about 20 · **Needs:** nothing from the internet, and one machine, which stands in for many

# %% tags=["setup"]
# Written by notebooks/build.py (set_up): it says how to get the course where it is missing.

# %% [markdown]
# ## What you will learn
#
# - to tell from one measurement whether a job needs a GPU, or more than one machine;
# - to compute features on a Dask cluster, and to check that they are the same;
# - to estimate what a hundred million pictures cost, and what becomes the bottleneck;
# - what `tf.distribute` does when training itself is distributed.
#
# ## Do you need it?
#
# Usually not. One process uses every processor of its machine, and caches what it has computed. The course measured how
# many pictures per second one machine with two cores turns into features:

# %%
import tlcourse as tl

measured = tl.results("distributed")
speed = measured["one"]["pictures_per_second"]
print(f"{measured['pictures']:,} {measured['source']}: {speed:.0f} pictures per second\n")


def duration(seconds):
    units = {"days": 86_400, "hours": 3600, "minutes": 60, "seconds": 1}
    unit = next(unit for unit, length in units.items() if seconds >= length)
    return f"{seconds / units[unit]:.1f} {unit}"


for pictures in (10_000, 1_000_000, 100_000_000):
    print(f"{pictures:11,} pictures: {duration(pictures / speed)}")

# %% [markdown]
# Ten thousand take about as long as making a coffee, and a million are done before the evening. A hundred million take
# more than a week, and as much again for every other network. Only for jobs of this size is the rest worth the effort.
#
# **And a GPU?** On paper: our network needs so many multiply-adds per picture (counted in lesson 02), each of them two
# operations. NVIDIA's data sheet of the T4, the GPU that Colab lends for nothing, states 8.1 TFLOPS in float32 (NVIDIA,
# *T4 Tensor Core GPU* data sheet, 2019). The quotient is an upper bound.

# %%
multiply_adds = sum(block["multiply_adds"] for block in tl.results("blocks.efficientnet_lite0.blocks"))
bound = 8.1e12 / (2 * multiply_adds)
print(f"{multiply_adds / 1e6:.0f} million multiply-adds per picture")
print(f"T4: at most {bound:,.0f} pictures per second, a hundred million in {duration(1e8 / bound)}")
print(f"to feed it: {bound * measured['file_bytes_per_picture'] / 1e6:,.0f} MB per second of JPEG files")

# %% [markdown]
# No network reaches this bound. (Depthwise convolutions, of which ours is full, wait for memory more than they compute:
# Ma et al., "ShuffleNet V2", 2018, show why operations are not time.) And the last line says what comes next: the files
# have to be read and decoded that fast, by processors. With a GPU, reading pictures can become the bottleneck.
#
# Distributing this job is easy because the network is **frozen**: each picture is processed by itself, so the machines
# have nothing to agree on.
#
# ## Features on Dask
#
# [Dask](https://distributed.dask.org) has three parts. A **scheduler** keeps track of the tasks. **Workers** run them,
# each a process on some machine. A **client** submits them: this notebook. Here all three run on your machine.
# `security=True` makes a certificate for this cluster, so that nobody else can send it work. (Between machines you need
# a certificate of your own: `workshop/README.md` has the commands.)

# %%
import tempfile
from pathlib import Path

from distributed import Client, LocalCluster

work = Path(tempfile.mkdtemp(prefix="lesson-12-"))  # readable for your account alone

cluster = LocalCluster(
    n_workers=2,
    threads_per_worker=1,
    security=True,
    dashboard_address="127.0.0.1:0",  # by default: every address of the machine
    local_directory=work / "dask",
)
client = Client(cluster)

# %% [markdown]
# **Predict first.** Two other processes compute the features of 256 solar cells, in another order than this one. Which
# digits will differ?

# %% tags=["answer"]
import numpy as np

model = tl.load_pretrained_model()
paths = tl.load_dataset("solar").train.images.paths[:256]
by_one_process = model.extract_features(paths, cache=False)
by_two_workers = model.extract_features(paths, engine="dask", out=work / "features")
print(by_two_workers.shape, "the same, bit for bit:", np.array_equal(by_one_process, by_two_workers))

# %% [markdown]
# None. Each worker loads the network once, and each picture goes through it by itself. Workers with other versions of
# Pillow, NumPy or ONNX Runtime than this notebook are refused, because then the last digits could differ.
#
# The workers have written the features to Parquet files in `out`, in *shards* of a few pictures. Most data tools read
# them:

# %%
from pyarrow import parquet

table = parquet.read_table(work / "features")
shards = list((work / "features").glob("*.parquet"))
print(len(shards), "shards,", table.num_rows, "rows:", ", ".join(table.column_names))

# %% [markdown]
# **Predict first.** With a hundred million pictures, some files are damaged. In one process such a file stops
# everything, with an error that names it. What should happen after two days on fifty machines?

# %% tags=["answer"]
import shutil
import warnings

pictures = work / "pictures"
pictures.mkdir()
for path in paths[:48]:
    shutil.copy(path, pictures)
sorted(pictures.iterdir())[10].write_text("not a picture")

with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    features = np.array(model.extract_features(pictures, engine="dask", out=work / "damaged"))
print(len(features), "rows;", str(caught[0].message).split(".")[0])

# %% [markdown]
# The damaged picture keeps its row, filled with NaN ("not a number"), so that rows and labels still match. Its error
# message is in the shards:

# %%
for name, why in tl.distributed.read_shards(work / "damaged").left_out:
    print(name, "…", why.split(": ")[1])

# %% [markdown]
# Killed workers are replaced, finished shards are not computed again, and the same call with the same `out` resumes a
# job (`workshop/README.md` says what happens to pictures that kill their worker each time).
#
# **Predict first.** On *one* machine with two cores, is Dask with two workers faster than one process with two threads?

# %% tags=["answer"]
client.close()
cluster.close()
shutil.rmtree(work)

ways = {"one": "one process", "dask_1": "Dask, 1 worker", "dask_2": "Dask, 2 workers"}
for way, name in ways.items():
    print(f"{name:16} {measured[way]['megabytes']:5,} MB in all processes together")
speeds = [measured[way]["pictures_per_second"] for way in ways]
tl.show.bars(list(ways.values()), speeds, "pictures per second", "The same photographs on the same two cores")

# %% [markdown]
# Slower, and with more memory: each worker needs its own Python, libraries and network. The reason for using Dask is
# that the same program runs on two machines, or on fifty.
#
# ## A hundred million pictures, on paper
#
# Always make this estimate before you start a large job. Its inputs are measured, the rest is multiplication.

# %%
many, per_machine = 100e6, measured["dask_2"]["pictures_per_second"]
features_tb, files_tb = (many * measured[key] / 1e12 for key in ("bytes_per_picture", "file_bytes_per_picture"))
print(f"{many / per_machine / 3600:,.0f} machine-hours")
print(f"{files_tb:.1f} TB of pictures, {features_tb:.2f} TB of features\n")
for machines in (1, 10, 50, 500):
    per_second = machines * per_machine
    read = per_second * measured["file_bytes_per_picture"] / 1e6
    print(f"{machines:4} machines: {duration(many / per_second):12} {read:8,.1f} MB read per second")

# %% [markdown]
# Machine-hours do not depend on the number of machines, so you know the price before you rent the first one. The last
# column says what becomes the bottleneck: a network of one gigabit per second carries at most 125 MB per second. From
# some number of machines on, further ones only wait, unless each has its share of the pictures nearby, or they are in
# an object store.
#
# Two more things grow with the number of files. A folder with a hundred million of them is slow to list: split the job
# into a hundred folders, each with its own `out`. And the features do not fit into memory: read the shards one by one.
#
# The estimate assumes machines, disks and photographs like those measured. Try a thousand of *your* pictures first.
#
# ## Training on several machines
#
# A linear probe needs none of this: the expensive part is in the features. Only if the *trained* part itself is too
# much for one machine do you distribute training. In `tf.distribute.MultiWorkerMirroredStrategy` each process computes
# the gradients of its share of the batch, the gradients are summed over all processes, and all make the same step. Here
# is a whole script. It has a training loop of its own, since the `fit` of Keras 3.15 stops with an error under this
# strategy.

# %%
script = Path(tl.__file__).parent / "distributed" / "multi_worker.py"
print(script.read_text(encoding="utf-8"))

# %% [markdown]
# The same script is started in each process; `TF_CONFIG` lists all addresses and says which one is its own. The course
# ran it in one process and in two, on the features of 256 solar cells.
#
# **Predict first.** Will two processes reach the same losses as one?

# %% tags=["answer"]
for run in (measured["training"]["one"], measured["training"]["two"]):
    losses = " ".join(f"{loss:.6f}" for loss in run["losses"])
    print(f"processes: {run['processes']}, mean loss of each epoch: {losses}")

# %% [markdown]
# To six decimals they are the same. (In larger networks the last digits can differ, since numbers are added in another
# order.)
#
# Workers that compute features do not depend on each other; these processes do. If one is lost, all others wait for it,
# and all have to be started again (so save checkpoints, with `tf.train.CheckpointManager`). And the job is as slow as
# its slowest machine. One warning: the processes accept connections on every address, without certificates or
# passwords, and everybody who connects can run code as you. This is why the notebook does not start them. Train this way only
# on machines and networks that are yours alone.
#
# ## Exercises
#
# ### Exercise 12.1: fifty machines
#
# How many hours do one hundred million pictures take on 50 machines like the one measured, each with two workers? Use
# `measured`.
#
# Stuck? `tl.check.hint("12.1")` in a cell of its own gives the first of three hints.

# %%
hours_on_fifty = None  # replace None

tl.check("12.1", hours_on_fifty, measured)

# %% tags=["solution", "hide-cell"] jupyter={"source_hidden": true, "outputs_hidden": true}
# Solution: click to open
hours_on_fifty = 100e6 / (50 * measured["dask_2"]["pictures_per_second"]) / 3600
tl.check("12.1", hours_on_fifty, measured)

# %% [markdown]
# ### Exercise 12.2: how many terabytes?
#
# How much disk space do the features of one hundred million pictures take, in the shards?
#
# Stuck? `tl.check.hint("12.2")` in a cell of its own gives the first of three hints.

# %%
terabytes = None  # replace None

tl.check("12.2", terabytes, measured)

# %% tags=["solution", "hide-cell"] jupyter={"source_hidden": true, "outputs_hidden": true}
# Solution: click to open
terabytes = 100e6 * measured["bytes_per_picture"] / 1e12
tl.check("12.2", terabytes, measured)

# %% [markdown]
# ### Exercise 12.3: rows that may be used
#
# `features` are those of the folder with the damaged picture. Before you train a classifier on them, the row without
# features has to be removed, and its label with it. Make one boolean array that selects the rows for both.
#
# Stuck? `tl.check.hint("12.3")` in a cell of its own gives the first of three hints.

# %%
usable = None  # replace None

tl.check("12.3", usable, features)

# %% tags=["solution", "hide-cell"] jupyter={"source_hidden": true, "outputs_hidden": true}
# Solution: click to open
usable = np.isfinite(features).all(axis=1)
tl.check("12.3", usable, features)

# %% [markdown]
# ## Summary
#
# - First make the estimate: pictures, divided by pictures per second. Usually one machine is enough.
# - A frozen network's work can be distributed because no picture depends on another; the result is the same, bit for
#   bit. A damaged picture costs one row.
# - On one machine a cluster gains nothing. With a GPU or with many machines, reading pictures can become the bottleneck.
# - In distributed training, processes synchronise after each batch, and if one fails, all have to start again.
# - A cluster runs whatever code it is sent: `security=True` on one machine, certificates between machines.
# - What we measured: one machine with two cores, a thousand small photographs. The rest was multiplication.
