# %% [markdown]
# # 11 · Past one machine
#
# The same job for more pictures than one machine can see in the time you have: the work is handed out to many, some of them
# die on the way, and what comes out is what one machine would have computed, to the last bit.
#
# **Minutes:** about 40 · **Needs:** nothing from the internet, and one machine, which stands in for many

# %% tags=["setup"]
# Written by notebooks/build.py (set_up): it says how to get the course where it is missing.

# %% [markdown]
# ## What you will learn
#
# - to say from one measurement whether a job needs more than one machine at all;
# - to hand the frozen network's work to a cluster, and to prove that the result is the same;
# - what happens when pictures are damaged, workers die, or you stop half-way;
# - to let machines talk so that nobody else can join in;
# - to reckon on paper what a hundred million pictures cost, and what breaks first;
# - when training itself is worth spreading, and when not.
#
# ## Do you need it?
#
# Mostly not. One process uses every processor it finds, and keeps what it has computed. So the first step is a sum. The course's
# measurements say how many pictures a second one machine of two cores turned into features:

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
# Ten thousand are a cup of coffee, and a million are done by the evening. A hundred million take more than a week, in which
# nothing may go wrong, and another one for every other network. For those, and only for those, the rest of this lesson is
# worth its trouble.
#
# What makes it easy is what this course is about. The network is **frozen**: each picture is worked on by itself, and no result
# depends on another one. There is nothing to be agreed on between machines. (Training is different. We come to that.)
#
# ## A cluster on one machine
#
# [Dask](https://distributed.dask.org) has three parts. A **scheduler** knows what is to be done. **Workers** do it, each a
# process on some machine. A **client** asks for it: this notebook.
#
# Here all three live on your machine, and talk over its loopback address, 127.0.0.1. Between real machines only the
# addresses and the certificates change. The dashboard, a web page that shows what goes on, is told to stay on 127.0.0.1 too. If
# it is told nothing, it listens on *every* address of the machine.
#
# Every other account on this machine can connect to 127.0.0.1 as well, and work is code: anyone who can connect to the
# scheduler can run code as you. `security=True` makes a certificate for this cluster alone; without it nobody can connect to
# the scheduler or to a worker. The dashboard runs no code, and has no such protection: other accounts on this machine can
# read it.

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
# 256 photographs of solar cells, as files: workers open their pictures themselves.

# %%
paths = tl.load_dataset("solar").train.images.paths[:256]

model = tl.load_pretrained_model()
by_one_process = model.extract_features(paths, cache=False)

# %% [markdown]
# **Predict first.** Other processes compute them, in another order, some here and some there. Which digits will differ?

# %%
import numpy as np

by_two_workers = model.extract_features(paths, engine="dask", out=work / "features")
print(by_two_workers.shape, "the same, bit for bit:", np.array_equal(by_one_process, by_two_workers))

# %% [markdown]
# None. Each worker was sent the very same network file, and held it **once**, whatever the number of pictures. Each picture goes
# through it alone, so it does not matter with whom it came. And a worker whose versions of Pillow, NumPy or LiteRT are not those
# of this notebook is refused, because then the last digits would differ.
#
# That is worth insisting on. If a result depends on how many machines there were, nobody can ever check it on one.
#
# ### Shards
#
# Nothing of this went through the notebook. The workers wrote it, in files of a few pictures each, called shards:

# %%
shards = sorted((work / "features").glob("*.parquet"))
print(len(shards), "shards; the first:", shards[0].name)

# %% [markdown]
# Parquet is a table format that most data tools read. Each row has a picture's name, its features, and a column for what was
# wrong with it. No part of this course is needed to read them:

# %%
from pyarrow import parquet

table = parquet.read_table(work / "features")
print(table.num_rows, "rows;", ", ".join(table.column_names))

# %% [markdown]
# ## What goes wrong
#
# With a hundred million pictures and a hundred machines, whatever can happen will. Four cases, each on purpose.
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
# **Predict first.** In one process this picture stops everything, with an error that names it. What should happen after two days
# on fifty machines?

# %%
import warnings

with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    features = model.extract_features(pictures, engine="dask", out=work / "damaged")
print(len(features), "rows;", str(caught[0].message).split(".")[0])

# %% [markdown]
# The others are computed. The damaged picture keeps its place, with a row of NaN ("not a number"), so that rows and labels still
# belong together; `tl.train_classifier` refuses NaN, so it cannot be overlooked. The shards say what was wrong:

# %%
for name, why in tl.distributed.read_shards(work / "damaged").left_out:
    print(name, "…", why.split(": ")[1])

# %% [markdown]
# ### A worker dies
#
# Memory runs out, a machine is taken away, somebody stumbles over a cable. Here is the roughest form of it: one of the two workers
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
# Dask noticed, gave the lost batch to somebody else, and started a new worker, which was sent the network again. A shard is
# written under another name first and gets its own when it is whole, so a dying worker leaves no half of one.
#
# ### A batch that always kills its worker
#
# Some fault in a decoder, or a picture that needs more memory than there is: whoever takes that batch dies. Handed on and on, it
# would kill one worker after the other. Dask gives up on a batch with which four workers have died. It may accuse an innocent one
# that only waited in the same place. So the course tries every accused batch once more, alone; if workers die again, the batch is
# *set aside*: its pictures are named in the warning and in `read_shards(…).left_out`, all others are done, and the next call
# tries it again.
#
# ### You stop it
#
# A shard that is there is not computed again. Let us lose one, and call again:

# %%
shards[3].unlink()
written = {path.name: path.stat().st_mtime_ns for path in shards if path.exists()}
again = model.extract_features(paths, engine="dask", out=work / "features")
untouched = sum(path.stat().st_mtime_ns == written.get(path.name) for path in shards)
print(f"{untouched} of {len(shards)} shards untouched; the same: {np.array_equal(again, by_one_process)}")

# %% [markdown]
# This is also how a job goes on after Ctrl-C, a crash of the notebook or the loss of the scheduler: the same call, the same `out`.
# With other pictures, or another network, that folder is refused. Nothing is ever written over.
#
# ## Between machines
#
# Three commands make a cluster. `dask scheduler` on one machine says its address; `dask worker ADDRESS` on every other one joins;
# and here it is `model.extract_features(folder, engine="dask", scheduler=ADDRESS)`, or `tlcourse train folder --out my_model
# --scheduler ADDRESS`. Three things have to be the same everywhere: the installed versions, the path of the pictures, and the
# path of `out`. Usually the last two are a network drive.
#
# **Predict first.** Who may send work to a scheduler that was started without certificates?
#
# Everybody who can reach it. On one machine, that means every account; on an open network, anyone. So between machines there
# has to be mutual TLS (the S of https, with a certificate on both sides). `security=True` cannot hand its certificate to other
# machines, so here one certificate is made once and copied to the machines that belong together, with `key.pem` readable for you
# alone (`chmod 600 key.pem`); after 90 days, make a new one:
#
# ```
# openssl req -x509 -newkey rsa:3072 -nodes -days 90 -subj "/CN=our-cluster" -keyout key.pem -out cert.pem
#
# dask scheduler --protocol tls --dashboard-address 127.0.0.1:0 --tls-ca-file cert.pem --tls-cert cert.pem --tls-key key.pem
# dask worker tls://ADDRESS:8786 --no-dashboard --tls-ca-file cert.pem --tls-cert cert.pem --tls-key key.pem
# ```
#
# The client reads the same three names from Dask's settings: `DASK_DISTRIBUTED__COMM__TLS__CA_FILE`, `…__CLIENT__CERT` and
# `…__CLIENT__KEY`. An address that begins with `tcp://` has no certificates; the course still uses such a scheduler, but warns.
#
# Our cluster has had a certificate from the start. Here is a client with a different one:

# %%
from distributed.security import Security

try:
    Client(cluster.scheduler_address, security=Security.temporary(), timeout=10)
except OSError as error:
    print(str(error).split(".")[0])

# %% [markdown]
# The scheduler refuses it. This protects you from mistakes as well: a colleague's script may still hold your scheduler's old
# address.
#
# ## What it costs
#
# **Predict first.** On *one* machine of two cores, is Dask with two workers faster than one process with two threads, or slower?

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
# On one machine there is nothing to be gained: the processors are the same, and each worker holds its own Python, its own libraries
# and its own copy of the network. Dask is not there to be fast. It is there because the second machine, and the fiftieth, need no
# other program than this one.
#
# ## One hundred million pictures, on paper
#
# Never start a large job before you have done this sum. All of its inputs are measured; the multiplication is yours.

# %%
many = 100_000_000
machine_hours = many / measured["dask_2"]["pictures_per_second"] / 3600
features_tb = many * measured["bytes_a_picture"] / 1e12
pictures_tb = many * measured["file_bytes_a_picture"] / 1e12
print(
    f"{machine_hours:,.0f} machine-hours of two cores; {features_tb:.2f} TB of features; {pictures_tb:.1f} TB of pictures"
)

# %% [markdown]
# Machine-hours do not depend on the number of machines, so the price is known before the first one is rented. What breaks first as
# machines are added?

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
# - **The scheduler** is not what breaks. Dask's documentation reckons with up to a millisecond for a task, and a task here is a
#   whole shard.
# - **The drive** is. A single disk or a network of one gigabit carries about 100 MB/s: somewhere among the machines above reading
#   passes that, and every further machine only waits. The cure is to keep the pictures where they are read: a copy of a
#   share on each machine, or an object store, and larger files than single pictures.
# - **The number of files**: a hundred million in one folder is more than most file systems like, and to list and look at each of them
#   takes hours by itself. This course's code does that in one process, and keeps the list in memory: tens
#   of gigabytes. A job of that size is better cut into a hundred folders, each with its own `out`.
# - **The result** does not fit into memory. `extract_features` gives it as an array on disk; better let what comes next read the
#   shards.
# - **Somebody dies.** If a machine fails once in a thousand hours, fifty machines have a failure every day. That is
#   why the four cases above are not rare events, but the ordinary run of things.
#
# The sum leaves things out: machines unlike this one, slower drives, larger photographs. Take a thousand of *your* pictures and
# measure before you multiply.
#
# ## Training on several machines
#
# A linear probe on features needs none of this: it takes seconds on one machine, and what was expensive is in the shards. Even
# fine-tuning the last blocks trains on activations that a cluster can compute (`tl.fine_tune(…, engine="dask")`).
#
# Only if the *trained* part itself is too much for one machine does training have to be spread. Then machines must agree
# after every single batch: each computes the gradients of its share, all of them add these up, and every one makes the same step. In
# TensorFlow this is `tf.distribute.MultiWorkerMirroredStrategy`:
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
# Frozen features were independent of one another; these processes are not: if one is lost, all others wait for it. So all have to be
# started again, and `BackupAndRestore` goes on after the last finished epoch. And the losses agree with those of one process
# only up to the order in which numbers were added. That is the price of agreeing: slower steps, a result that depends on the
# number of machines in its last digits, and a job that stands still for the slowest.
#
# One warning: the processes talk to one another over TensorFlow's own protocol, which knows neither certificates nor passwords and
# listens on every address of the machine. Train this way only on a network, and on machines, that are yours alone.
#
# ## A class on a hub
#
# Thirty people on one server are another way past one machine: each has a notebook of their own, and all share one copy of data,
# weights and computed features. `workshop/hub` holds what that takes.
#
# ## Exercises
#
# ### Exercise 11.1: fifty machines
#
# How many hours do one hundred million pictures take on 50 machines like the one measured, each with two workers? Take
# `measured` for it.
#
# Stuck? `tl.check.hint("11.1")` in a cell of its own gives the first of three hints.

# %%
hours_on_fifty = None  # replace None

tl.check("11.1", hours_on_fifty, measured)

# %% tags=["solution", "hide-cell"] jupyter={"source_hidden": true, "outputs_hidden": true}
hours_on_fifty = 100e6 / (50 * measured["dask_2"]["pictures_per_second"]) / 3600
tl.check("11.1", hours_on_fifty, measured)

# %% [markdown]
# ### Exercise 11.2: how many terabytes?
#
# How much room do the features of one hundred million pictures take, in the shards?
#
# Stuck? `tl.check.hint("11.2")` in a cell of its own gives the first of three hints.

# %%
terabytes = None  # replace None

tl.check("11.2", terabytes, measured)

# %% tags=["solution", "hide-cell"] jupyter={"source_hidden": true, "outputs_hidden": true}
terabytes = 100e6 * measured["bytes_a_picture"] / 1e12
tl.check("11.2", terabytes, measured)

# %% [markdown]
# ### Exercise 11.3: rows that may be used
#
# `features` are those of the folder with the damaged picture. Before a classifier may see them, the row without features has to go,
# and its label with it. Make one array of True and False that does for both.
#
# Stuck? `tl.check.hint("11.3")` in a cell of its own gives the first of three hints.

# %%
usable = None  # replace None

tl.check("11.3", usable, features)

# %% tags=["solution", "hide-cell"] jupyter={"source_hidden": true, "outputs_hidden": true}
usable = np.isfinite(features).all(axis=1)
tl.check("11.3", usable, features)

# %% [markdown]
# ## Tidy up

# %%
client.close()
cluster.close()
shutil.rmtree(work)

# %% [markdown]
# ## Summary
#
# - First the sum: pictures, divided by pictures a second. Mostly one machine will do.
# - A frozen network's work can be handed out because no picture depends on another; the result is the same to the last bit, and a
#   check proves it.
# - Damaged pictures are reported, dead workers replaced, deadly batches set aside, finished shards kept.
# - A scheduler runs whatever code it is sent, so always use TLS: `security=True` on one machine, a certificate of your own
#   between machines. Keep the dashboard on 127.0.0.1.
# - On one machine a cluster gains nothing. With many, the drive breaks before the scheduler does.
# - To spread training is another matter: processes must agree after each batch, and stand or fall together.
# - What we measured: one machine, its loopback address, a thousand small photographs. The rest was multiplication.
