# %% [markdown]
# # 12 · Past one machine
#
# The same job for more pictures than one machine can process in the time you have. The work is distributed over several
# machines, some of them fail on the way, and the result is the same as that of one machine, bit for bit.
#
# **Minutes:** about 40 · **Needs:** nothing from the internet, and one machine, which stands in for many

# %% tags=["setup"]
# Written by notebooks/build.py (set_up): it says how to get the course where it is missing.

# %% [markdown]
# ## What you will learn
#
# - to tell from one measurement whether a job needs more than one machine at all;
# - to distribute the frozen network's work over a cluster, and to check that the result is the same;
# - what happens when pictures are damaged, workers die, or you stop half-way;
# - to secure the connections between machines, so that nobody else can join;
# - to estimate what a hundred million pictures cost, and what breaks first;
# - when training itself is worth distributing, and when not.
#
# ## Do you need it?
#
# Usually not. One process uses every processor of its machine, and caches what it has computed. So first estimate the
# time. The course measured how many pictures per second one machine with two cores turns into features:

# %%
import tlcourse as tl

measured = tl.results("distributed")
speed = measured["one"]["pictures_per_second"]
print(f"{measured['pictures']:,} {measured['source']}: {speed:.0f} pictures a second")

# %%
for pictures in (10_000, 1_000_000, 100_000_000):
    hours = pictures / speed / 3600
    print(f"{pictures:11,} pictures: {hours:8,.1f} hours, {hours / 24:6,.1f} days")

# %% [markdown]
# Ten thousand take about as long as a coffee break, and a million are done by the evening. A hundred million take more
# than a week, in which nothing may go wrong, and another week for every other network. Only for jobs of this size is
# the rest of this lesson worth the effort.
#
# Distributing this job is easy because the network is **frozen**: each picture is processed by itself, and no result
# depends on another one, so the machines have nothing to agree on. (Training is different. We come to that.)
#
# ## A cluster on one machine
#
# [Dask](https://distributed.dask.org) has three parts. A **scheduler** keeps track of the tasks. **Workers** run them,
# each a process on some machine. A **client** submits them: this notebook.
#
# Here all three run on your machine, and communicate over its loopback address, 127.0.0.1. Between real machines only
# the addresses and the certificates change. We set the address of the dashboard, a web page that shows the progress, to
# 127.0.0.1, too. By default it listens on *every* address of the machine.
#
# Every other account on this machine can connect to 127.0.0.1 as well, and tasks are code: anyone who can connect to
# the scheduler can run code as you. `security=True` makes a certificate for this cluster alone; without it nobody can
# connect to the scheduler or to a worker. The dashboard runs no code, and has no such protection: other accounts on
# this machine can read it.

# %%
import tempfile
from pathlib import Path

work = Path(tempfile.mkdtemp(prefix="lesson-11-"))  # readable for your account alone

# %%
import logging

from distributed import Client, LocalCluster

cluster = LocalCluster(
    n_workers=2,
    threads_per_worker=1,
    security=True,
    dashboard_address="127.0.0.1:0",
    local_directory=work / "dask",  # the workers' own files
    silence_logs=logging.CRITICAL,  # we are going to kill workers, and know it
)
client = Client(cluster)
print(len(client.nthreads()), "workers, reached by", cluster.scheduler_address.split(":")[0])

# %% [markdown]
# ## The same features
#
# 256 photographs of solar cells, as files: the workers open the pictures themselves.

# %%
paths = tl.load_dataset("solar").train.images.paths[:256]

model = tl.load_pretrained_model()
by_one_process = model.extract_features(paths, cache=False)

# %% [markdown]
# **Predict first.** Other processes compute the features now, in another order, and distributed over two workers. Which
# digits will differ?

# %%
import numpy as np

by_two_workers = model.extract_features(paths, engine="dask", out=work / "features")
print(by_two_workers.shape, "the same, bit for bit:", np.array_equal(by_one_process, by_two_workers))

# %% [markdown]
# None. Each worker received the same network file, and loaded it **once**, whatever the number of pictures. Each
# picture goes through the network by itself, so it does not matter which others are in its batch. And a worker with
# other versions of Pillow, NumPy or ONNX Runtime than this notebook is refused, because then the last digits could differ.
#
# This matters: if a result depends on the number of machines, nobody can check it on one.
#
# ### Shards
#
# The results were not sent through the notebook. The workers wrote them to files of a few pictures each, called shards:

# %%
shards = sorted((work / "features").glob("*.parquet"))
print(len(shards), "shards; the first:", shards[0].name)

# %% [markdown]
# Parquet is a table format that most data tools read. Each row has a picture's name, its features, and a column for an
# error message. You do not need this course to read them:

# %%
from pyarrow import parquet

table = parquet.read_table(work / "features")
print(table.num_rows, "rows;", ", ".join(table.column_names))

# %% [markdown]
# ## What goes wrong
#
# With a hundred million pictures and a hundred machines, rare failures become certain. Here are four cases, each on
# purpose.
#
# ### A damaged picture

# %%
import shutil

pictures = work / "pictures"
pictures.mkdir()
for path in paths[:96]:
    shutil.copy(path, pictures)
damaged = sorted(pictures.iterdir())[10]
damaged.write_text("Dear Sir or Madam")
print(len(list(pictures.iterdir())), "files; damaged:", damaged.name)

# %% [markdown]
# **Predict first.** In one process this picture stops everything, with an error that names it. What should happen after
# two days on fifty machines?

# %%
import warnings

with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    features = model.extract_features(pictures, engine="dask", out=work / "damaged")
print(len(features), "rows;", str(caught[0].message).split(".")[0])

# %% [markdown]
# The features of the others are computed. The damaged picture keeps its row, filled with NaN ("not a number"), so that
# rows and labels still match; `tl.train_classifier` refuses NaN, so you cannot overlook it. The shards contain the
# error message:

# %%
for name, why in tl.distributed.read_shards(work / "damaged").left_out:
    print(name, "…", why.split(": ")[1])

# %% [markdown]
# ### A worker dies
#
# Memory runs out, a machine is shut down, somebody trips over a cable. Here is the hardest case: one of the two workers
# is killed, in the middle of its work, by a signal that no program can catch.

# %%
import os
import signal
import threading
import time


def kill_a_worker():
    while not list((work / "killed").glob("*.parquet")):
        time.sleep(0.01)  # until the first shard is there
    os.kill(cluster.workers[0].process.pid, signal.SIGKILL)


# %%
killer = threading.Thread(target=kill_a_worker)
killer.start()
survived = model.extract_features(paths, engine="dask", out=work / "killed")
killer.join()
print(len(survived), "rows; the same, bit for bit:", np.array_equal(by_one_process, survived))

# %% [markdown]
# Dask noticed, gave the lost batch to another worker, and started a new one, which received the network again. A shard
# is first written under a temporary name and renamed when it is complete, so a dying worker does not leave half of one.
#
# ### A batch that always kills its worker
#
# It may be a bug in a decoder, or a picture that needs more memory than there is: every worker that takes this batch
# dies. If the batch were passed on without end, it would kill one worker after another. Dask gives up on a batch when
# four workers have died with it. It may blame the wrong one, a batch that was only waiting on the same worker. So the
# course retries every such batch once, alone; if workers die again, the batch is *set aside*: its pictures are named in
# the warning and in `read_shards(…).left_out`, all others are computed, and the next call retries it.
#
# ### You stop it
#
# A shard that exists is not computed again. We delete one, and call again:

# %%
shards[3].unlink()
written = {path.name: path.stat().st_mtime_ns for path in shards if path.exists()}
again = model.extract_features(paths, engine="dask", out=work / "features")
untouched = sum(path.stat().st_mtime_ns == written.get(path.name) for path in shards)
print(f"{untouched} of {len(shards)} shards untouched; the same: {np.array_equal(again, by_one_process)}")

# %% [markdown]
# In the same way you resume a job after Ctrl-C, a crash of the notebook or the loss of the scheduler: the same call
# with the same `out`. With other pictures, or another network, that folder is refused. No result is ever overwritten.
#
# ## Between machines
#
# Three commands make a cluster. `dask scheduler` on one machine prints its address; `dask worker ADDRESS` on each of
# the others joins it; and here you call `model.extract_features(folder, engine="dask", scheduler=ADDRESS)`, or
# `tlcourse train folder --out my_model --scheduler ADDRESS`. Three things have to be the same everywhere: the installed
# versions, the path of the pictures, and the path of `out`. For the last two you usually need a network drive.
#
# **Predict first.** Who may send work to a scheduler that was started without certificates?
#
# Everybody who can reach it. On one machine, that means every account; on an open network, anyone. So between machines
# you need mutual TLS (the S of https, with a certificate on both sides). `security=True` cannot hand its certificate to
# other machines, so here one certificate is made once and copied to the machines that belong together, with `key.pem`
# readable for you alone (`chmod 600 key.pem`); after 90 days, make a new one:
#
# ```
# openssl req -x509 -newkey rsa:3072 -nodes -days 90 -subj "/CN=our-cluster" -keyout key.pem -out cert.pem
#
# dask scheduler --protocol tls --dashboard-address 127.0.0.1:0 --tls-ca-file cert.pem --tls-cert cert.pem --tls-key key.pem
# dask worker tls://ADDRESS:8786 --no-dashboard --tls-ca-file cert.pem --tls-cert cert.pem --tls-key key.pem
# ```
#
# The client reads the same three names from Dask's settings: `DASK_DISTRIBUTED__COMM__TLS__CA_FILE`, `…__CLIENT__CERT`
# and `…__CLIENT__KEY`. An address that begins with `tcp://` has no certificates; the course still uses such a
# scheduler, but warns.
#
# Our cluster has had a certificate from the start. Here is a client with a different one:

# %%
from distributed.security import Security

try:
    Client(cluster.scheduler_address, security=Security.temporary(), timeout=10)
except OSError as error:
    print(str(error).split(".")[0])

# %% [markdown]
# The scheduler refuses it. This protects you from mistakes as well: a colleague's script may still have the old address
# of your scheduler.
#
# ## What it costs
#
# **Predict first.** On *one* machine with two cores, is Dask with two workers faster than one process with two threads,
# or slower?

# %%
ways = {"one": "one process", "dask_1": "Dask, 1 worker", "dask_2": "Dask, 2 workers"}
tl.show.bars(
    list(ways.values()),
    [measured[way]["pictures_per_second"] for way in ways],
    "pictures a second",
    "The same photographs on the same two cores",
)

# %%
for way, name in ways.items():
    print(f"{name:16} {measured[way]['megabytes']:5,} MB in all processes together")
print(f"time lost by the killed worker: {measured['lost_seconds']:.1f} s of {measured['dask_2']['seconds']:.1f} s")

# %% [markdown]
# On one machine a cluster gains nothing: the processors are the same, and each worker needs its own Python, its own
# libraries and its own copy of the network. The reason for using Dask is not speed on one machine. It is that the same
# program runs on two machines, or on fifty.
#
# ## One hundred million pictures, on paper
#
# Always make this estimate before you start a large job. Its inputs are all measured, and the rest is multiplication.

# %%
many = 100_000_000
machine_hours = many / measured["dask_2"]["pictures_per_second"] / 3600
features_tb = many * measured["bytes_a_picture"] / 1e12
pictures_tb = many * measured["file_bytes_a_picture"] / 1e12
print(
    f"{machine_hours:,.0f} machine-hours of two cores; {features_tb:.2f} TB of features; {pictures_tb:.1f} TB of pictures"
)

# %% [markdown]
# Machine-hours do not depend on the number of machines, so you know the price before you rent the first one. What
# breaks first as machines are added?

# %%
for machines in (1, 10, 50, 500):
    a_second = machines * measured["dask_2"]["pictures_per_second"]
    read, write = (a_second * measured[f"{kind}bytes_a_picture"] / 1e6 for kind in ("file_", ""))
    tasks = a_second / 1024  # pictures in a shard, where there are so many
    print(
        f"{machines:4} machines: {many / a_second / 3600:8,.1f} h, {read:7,.1f} MB/s read, {write:6,.1f} written, {tasks:5.1f} tasks/s"
    )

# %% [markdown]
# Read the columns from the right.
#
# - **The scheduler** is not what breaks. Dask's documentation gives an overhead of up to a millisecond per task, and
#   here a task is a whole shard.
# - **The drive** is. A single disk or a network of one gigabit per second carries about 100 MB/s. Somewhere among the
#   numbers of machines above reading exceeds that, and every further machine only waits. To avoid it, store the
#   pictures close to where they are read: a copy of its share on each machine, or an object store, and larger files
#   instead of single pictures.
# - **The number of files** is a problem, too: a hundred million in one folder are too many for most file systems, and
#   listing and checking each of them takes hours by itself. This course's code does that in one process, and keeps the
#   list in memory: tens of gigabytes. It is better to split a job of that size into a hundred folders, each with its
#   own `out`.
# - **The result** does not fit into memory. `extract_features` returns it as an array on disk; for the next step it is
#   better to read the shards.
# - **Machines fail.** If a machine fails once in a thousand hours, fifty machines have about one failure per day. So at
#   this size the four cases above are part of the daily work.
#
# This estimate leaves things out: machines unlike this one, slower drives, larger photographs. Measure with a thousand
# of *your* pictures before you multiply.
#
# ## Training on several machines
#
# A linear probe on features needs none of this: it takes seconds on one machine, and the expensive part is in the
# shards. In fine-tuning the last blocks, too, the activations that they are trained on can be computed by a cluster
# (`tl.fine_tune(…, engine="dask")`).
#
# Only if the *trained* part itself is too much for one machine do you need to distribute training. Then the machines
# must synchronise after every single batch: each computes the gradients of its share of the batch, the gradients are
# summed over all machines, and every machine makes the same step. In TensorFlow this is
# `tf.distribute.MultiWorkerMirroredStrategy`:
#
# ```python
# # The same script runs on each machine; TF_CONFIG, set outside, lists all addresses and says which one this machine has.
# strategy = tf.distribute.MultiWorkerMirroredStrategy()
# with strategy.scope():
#     network = build_network()
#     network.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
# network.fit(dataset, epochs=10, callbacks=[keras.callbacks.BackupAndRestore("/shared/backup")])
# ```
#
# The workers that compute frozen features are independent of one another. These processes are not: if one is lost, all
# others wait for it. So all have to be started again, and `BackupAndRestore` resumes after the last finished epoch. And
# the losses agree with those of one process only up to the order in which numbers were added. So synchronisation has
# its price: slower steps, a result whose last digits depend on the number of machines, and a job that is as slow as its
# slowest machine.
#
# One warning: the processes communicate over TensorFlow's own protocol, which has neither certificates nor passwords
# and listens on every address of the machine. Train this way only on a network, and on machines, that are yours alone.
#
# ## A class on a hub
#
# One server for thirty people is another way past one machine: each has a notebook of their own, and all share one copy
# of data, weights and computed features. `workshop/hub` has what you need for that.
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
terabytes = 100e6 * measured["bytes_a_picture"] / 1e12
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
# ## Tidy up

# %%
client.close()
cluster.close()
shutil.rmtree(work)

# %% [markdown]
# ## Summary
#
# - First make the estimate: pictures, divided by pictures per second. Usually one machine is enough.
# - A frozen network's work can be distributed because no picture depends on another; the result is the same, bit for
#   bit, and you have checked it.
# - Damaged pictures are reported, dead workers replaced, batches that kill workers set aside, finished shards kept.
# - A scheduler runs whatever code it is sent, so always use TLS: `security=True` on one machine, a certificate of your
#   own between machines. Keep the dashboard on 127.0.0.1.
# - On one machine a cluster gains nothing. With many, the drive becomes the bottleneck before the scheduler does.
# - Distributed training is different: processes must synchronise after each batch, and if one fails, all have to start
#   again.
# - What we measured: one machine, its loopback address, a thousand small photographs. The rest was multiplication.
