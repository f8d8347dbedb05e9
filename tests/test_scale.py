"""Features by Dask's workers: bit for bit those of one process, whatever happens to pictures and workers."""

import sys
import warnings
from types import SimpleNamespace

import dask
import numpy as np
import psutil
import pytest
from dask_engines import Deadly, MeanColour, certificate_settings
from distributed import Client
from distributed.security import Security
from killed import write_and_be_killed
from PIL import Image
from pyarrow import parquet

import tlcourse as tl
from tlcourse.datasets import load_dataset
from tlcourse.errors import TLCourseError, UserInputError
from tlcourse.features import compute as features
from tlcourse.features.engine import TensorFlowEngine
from tlcourse.scale import cluster, compute, read_shards, shards, workers
from tlcourse.scale.batches import Batch
from tlcourse.scale.shards import Layout

SIZE = (8, 8)
COUNT, SHARD = 70, 32  # pictures, and how many a shard has then


@pytest.fixture(scope="module")
def client():
    """What `extract_features(…, engine="dask")` starts by itself: a worker a processor, on this machine."""
    with cluster.connected() as client:
        client.cluster.scheduler.allowed_failures = (
            0  # a worker's death is enough; each takes seconds
        )
        yield client


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """70 different pictures: three shards."""
    folder = tmp_path_factory.mktemp("pictures")
    for number, pixels in enumerate(
        np.random.default_rng(0).integers(1, 256, (COUNT, 9, 7, 3), dtype=np.uint8)
    ):
        Image.fromarray(pixels).save(folder / f"{number:02}.png")
    return folder


@pytest.fixture
def own_folder(folder, tmp_path):
    """The same pictures, to be damaged."""
    own = tmp_path / "own"
    own.mkdir()
    for path in folder.iterdir():
        (own / path.name).write_bytes(path.read_bytes())
    return own


@pytest.fixture
def engine(tmp_path):
    return MeanColour(tmp_path / "diary")


def expected(engine, images):
    return features.compute(engine, images, SIZE)


# The same features


@pytest.fixture(scope="module")
def photographs_by_dask(client, tmp_path_factory):
    """Real photographs through the bundled network, by two workers: paths, features, folder of the shards."""
    paths = load_dataset("solar").test.images.paths[:COUNT]
    out = tmp_path_factory.mktemp("out") / "features"
    return (
        paths,
        tl.load_pretrained_model().extract_features(paths, engine="dask", out=out),
        out,
    )


def test_the_features_are_bit_for_bit_those_of_one_process(
    bundled_model, photographs_by_dask
):
    paths, found, _ = photographs_by_dask
    np.testing.assert_array_equal(
        found, bundled_model.extract_features(paths, cache=False), strict=True
    )


def test_the_features_of_blocks_are_too(client, bundled_model, photographs_by_dask):
    blocks, some = ["block2a", "block5c"], photographs_by_dask[0][:8]
    found = bundled_model.extract_features(some, blocks, engine="dask")
    np.testing.assert_array_equal(
        found, bundled_model.extract_features(some, blocks, cache=False), strict=True
    )


def test_activations_of_several_views_are_too(
    client, bundled_model, photographs_by_dask
):
    some, views = photographs_by_dask[0][:4], ("as is", "left-right", "crop 1")
    found = bundled_model.activations(some, "block6c", views, engine="dask")
    expected = bundled_model.activations(some, "block6c", views, cache=False)
    np.testing.assert_array_equal(found, expected, strict=True)


def test_a_folder_is_taken_in_the_order_of_its_names(client, engine, folder):
    np.testing.assert_array_equal(
        compute(engine, folder, SIZE).features, expected(engine, folder)
    )


def test_a_name_that_is_no_utf8_is_no_obstacle(client, engine, own_folder):
    try:
        (own_folder / "00.png").rename(
            own_folder / b"00-\xff.png".decode(errors="surrogateescape")
        )
    except OSError:
        pytest.skip("this file system has none")
    found = compute(engine, own_folder, SIZE)
    assert found.pictures[0] == "00-\\udcff.png" and np.isfinite(found.features).all()


# The shards


def test_any_reader_of_parquet_finds_a_row_for_each_picture(
    client, engine, folder, tmp_path
):
    found = compute(engine, folder, SIZE, out=tmp_path / "out")
    table = parquet.read_table(tmp_path / "out").sort_by("picture")
    assert table["picture"].to_pylist() == [
        path.name for path in sorted(folder.iterdir())
    ]
    assert np.array_equal(
        np.array(table["features"].to_pylist(), np.float32), found.features
    )


def test_the_shards_can_be_read_again(photographs_by_dask):
    paths, found, out = photographs_by_dask
    again = read_shards(out)
    assert again.pictures == [str(path) for path in paths] and np.array_equal(
        again.features, found
    )


def test_a_shard_that_is_there_is_not_computed_again(client, engine, folder, tmp_path):
    first = compute(engine, folder, SIZE, out=tmp_path / "out").features
    shards.shard_path(tmp_path / "out", 1).unlink()
    engine.diary.unlink()
    assert np.array_equal(
        compute(engine, folder, SIZE, out=tmp_path / "out").features, first
    )
    assert len(engine.events("ran")) == SHARD


def test_a_shard_that_was_cut_short_is_computed_again(client, engine, folder, tmp_path):
    first = compute(engine, folder, SIZE, out=tmp_path / "out").features
    shard = shards.shard_path(tmp_path / "out", 2)
    shard.write_bytes(shard.read_bytes()[:-20])
    assert np.array_equal(
        compute(engine, folder, SIZE, out=tmp_path / "out").features, first
    )


def test_what_a_killed_worker_left_half_written_is_removed(
    client, engine, folder, tmp_path
):
    compute(engine, folder, SIZE, out=tmp_path / "out")
    write_and_be_killed(shards.shard_path(tmp_path / "out", 1))
    shards.shard_path(tmp_path / "out", 1).unlink()
    compute(engine, folder, SIZE, out=tmp_path / "out")
    assert not list((tmp_path / "out").glob(".unfinished*"))


def test_a_folder_whose_job_was_killed_while_it_was_claimed_is_not_somebody_elses(
    tmp_path,
):
    layout = Layout("fingerprint", (3,), "float32", 70)
    (tmp_path / ".unfinished-another-machine-17-x1y2").write_bytes(b"{")
    shards.claim(tmp_path, layout)
    assert shards.is_of(tmp_path, layout)


def test_a_finished_job_needs_no_cluster(client, engine, folder, monkeypatch):
    first = compute(engine, folder, SIZE).features
    monkeypatch.setattr("tlcourse.scale.job.connected", None)
    assert np.array_equal(compute(engine, folder, SIZE).features, first)


def test_without_the_cache_nothing_is_kept(client, engine, own_cache, folder):
    before = sorted(own_cache.glob("shards*/*"))
    for _ in range(2):
        compute(engine, folder, SIZE, cache=False)
    assert (
        len(engine.events("ran")) == 2 * COUNT
        and sorted(own_cache.glob("shards*/*")) == before
    )


def test_a_changed_picture_is_another_job(client, engine, own_folder):
    before = compute(engine, own_folder, SIZE).features
    Image.new("RGB", (5, 5), "white").save(own_folder / "00.png")
    assert not np.array_equal(compute(engine, own_folder, SIZE).features[0], before[0])


def test_another_jobs_folder_is_not_written_over(client, engine, folder, tmp_path):
    compute(engine, folder, SIZE, out=tmp_path / "out")
    with pytest.raises(UserInputError, match="features of other pictures"):
        compute(engine, sorted(folder.iterdir())[:3], SIZE, out=tmp_path / "out")


def test_a_folder_with_something_else_in_it_is_not_written_to(engine, folder):
    with pytest.raises(UserInputError, match="is not empty"):
        compute(engine, folder, SIZE, out=folder)


@pytest.fixture
def finished(client, engine, folder, tmp_path):
    compute(engine, folder, SIZE, out=tmp_path / "out")
    return tmp_path / "out"


def test_an_unfinished_folder_is_said_to_be_unfinished(finished):
    shards.shard_path(finished, 0).unlink()
    with pytest.raises(TLCourseError, match="holds 38 of 70 pictures"):
        read_shards(finished)


def test_a_damaged_shard_is_named(finished):
    shard = shards.shard_path(finished, 1)
    content = bytearray(shard.read_bytes())
    content[len(content) // 3] ^= 255
    shard.write_bytes(content)
    with pytest.raises(TLCourseError, match="shard-000001.parquet is damaged"):
        read_shards(finished)


def test_a_folder_without_shards_is_said_to_have_none(tmp_path):
    with pytest.raises(UserInputError, match="holds no shards"):
        read_shards(tmp_path)


# Pictures that cannot be read


@pytest.fixture
def with_damage(client, engine, own_folder, tmp_path):
    """Two of seventy pictures are none: what was found, the warning, the folder of the shards."""
    (own_folder / "05.png").write_text("Dear Sir or Madam")
    (own_folder / "40.png").write_bytes((own_folder / "40.png").read_bytes()[:60])
    with pytest.warns(UserWarning) as caught:
        found = compute(engine, own_folder, SIZE, out=tmp_path / "out")
    return found, str(caught[0].message), tmp_path / "out"


def test_pictures_that_cannot_be_read_have_rows_of_nan_and_the_others_theirs(
    with_damage, engine, folder
):
    missing = np.isin(np.arange(COUNT), [5, 40])
    np.testing.assert_array_equal(
        np.isnan(with_damage[0].features).all(axis=1), missing
    )
    np.testing.assert_array_equal(
        with_damage[0].features[~missing], expected(engine, folder)[~missing]
    )


def test_a_warning_counts_and_names_them(with_damage):
    assert with_damage[1].startswith("2 of 70 pictures have no features")
    assert "05.png cannot be read as a picture: its content is in no" in with_damage[1]


def test_the_shards_say_why(with_damage):
    table = parquet.read_table(with_damage[2])
    reasons = dict(
        zip(table["picture"].to_pylist(), table["error"].to_pylist(), strict=True)
    )
    assert {name for name, why in reasons.items() if why} == {"05.png", "40.png"}


def test_activations_with_a_hole_are_refused(client, bundled_model, own_folder):
    (own_folder / "05.png").write_text("Dear Sir or Madam")
    some = [own_folder / "05.png", own_folder / "06.png"]
    with pytest.raises(TLCourseError, match="05.png"):
        bundled_model.activations(some, "block6c", engine="dask")


# Workers that die


def test_the_network_is_held_once_in_each_worker(client, engine, folder):
    compute(engine, folder, SIZE, cache=False)
    started = engine.events("started")
    assert len(started) == len(set(started)) == len(client.nthreads())


def test_a_worker_that_dies_costs_nothing_but_time(
    client, folder, own_folder, tmp_path
):
    Image.new("RGB", (9, 7)).save(own_folder / "33.png")
    engine = Deadly(tmp_path / "diary", most=1)
    found = compute(engine, own_folder, SIZE)
    assert len(engine.events("died")) == 1
    np.testing.assert_array_equal(found.features, expected(engine, own_folder))


@pytest.fixture
def deadly(client, own_folder, tmp_path):
    """A picture of the second shard kills each worker that opens it: what was found, and how to try again."""
    Image.new("RGB", (9, 7)).save(own_folder / "33.png")
    engine = Deadly(tmp_path / "diary")

    def attempt():
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            return compute(engine, own_folder, SIZE, out=tmp_path / "out"), [
                str(one.message) for one in caught
            ]

    return SimpleNamespace(engine=engine, attempt=attempt, pictures=own_folder)


def test_a_batch_that_always_kills_its_worker_is_named_and_set_aside(deadly):
    found, messages = deadly.attempt()
    batch = [f"{number:02}.png" for number in range(SHARD, 2 * SHARD)]
    assert [
        name for name, why in found.left_out if "workers died of its batch" in why
    ] == batch
    assert any(
        f"{SHARD} of {COUNT} pictures have no features" in message
        for message in messages
    )
    # … and the innocent, the cure included
    rest = np.r_[:SHARD, 2 * SHARD : COUNT]
    deadly.engine.most = 0
    np.testing.assert_array_equal(
        found.features[rest], expected(deadly.engine, deadly.pictures)[rest]
    )
    found, messages = deadly.attempt()
    assert (found.left_out, messages) == ([], [])
    np.testing.assert_array_equal(
        found.features, expected(deadly.engine, deadly.pictures)
    )


def test_a_shard_whose_worker_died_before_it_could_say_so_is_not_computed_again(
    folder, tmp_path, engine
):
    batch, layout = (
        Batch(0, [str(folder / "00.png")], ["00.png"]),
        Layout("f", (3,), "float32", 1),
    )
    shards.claim(tmp_path / "out", layout)
    for _ in range(2):
        network(tmp_path / "out", engine=engine, layout=layout).compute(
            batch, "tcp://there"
        )
    assert len(engine.events("ran")) == 1


# Machines that are not alike


def network(out, **changed):
    layout = Layout("f", (3,), "float32", 2)
    given = {
        "engine": None,
        "size": SIZE,
        "views": ("as is",),
        "layout": layout,
        "versions": workers.versions(),
    }
    return workers.Network(name="n", out=str(out), **given | changed)


def test_a_worker_that_does_not_see_the_pictures_says_so(tmp_path):
    batch = Batch(
        0, [str(tmp_path / "a.png"), str(tmp_path / "b.png")], ["a.png", "b.png"]
    )
    with pytest.raises(UserInputError, match="worker tcp://far does not see .*a.png"):
        network(tmp_path).compute(batch, "tcp://far")


def test_a_worker_that_does_not_see_the_folder_of_the_shards_says_so(
    folder, tmp_path, engine
):
    batch = Batch(0, [str(folder / "00.png")], ["00.png"])
    with pytest.raises(
        UserInputError, match="worker tcp://far does not see .*elsewhere"
    ):
        network(tmp_path / "elsewhere", engine=engine).compute(batch, "tcp://far")


def test_workers_with_other_versions_are_refused(client, engine, folder, monkeypatch):
    monkeypatch.setattr(workers, "versions", lambda: {"pillow": "1.0"})
    with pytest.raises(UserInputError, match=r"has pillow .* \(asked for: 1.0\)"):
        compute(engine, folder, SIZE, cache=False)


def test_a_worker_that_came_later_with_other_versions_computes_nothing(
    folder, tmp_path, engine
):
    here = network(tmp_path, engine=engine, versions={"pillow": "1.0"})
    with pytest.raises(UserInputError):
        here.setup(SimpleNamespace(address="tcp://late"))
    with pytest.raises(UserInputError, match="worker tcp://late has pillow"):
        here.compute(Batch(0, [str(folder / "00.png")], ["00.png"]), "tcp://late")


# The cluster


def test_the_cluster_of_this_machine_has_tls_and_listens_on_loopback_only(client):
    assert client.scheduler.address.startswith("tls://")
    processes = [psutil.Process(), *psutil.Process().children(recursive=True)]
    connections = (
        getattr(psutil.Process, "net_connections", None) or psutil.Process.connections
    )  # before psutil 6
    listening = {
        c.laddr.ip
        for p in processes
        for c in connections(p)
        if c.status == psutil.CONN_LISTEN
    }
    assert listening == {"127.0.0.1"}


def test_a_scheduler_that_does_not_answer_is_named(engine, folder):
    with (
        dask.config.set({"distributed.comm.timeouts.connect": "0.5s"}),
        pytest.raises(TLCourseError, match="tcp://127.0.0.1:9 cannot be reached"),
    ):
        compute(engine, folder, SIZE, cache=False, scheduler="tcp://127.0.0.1:9")


def test_a_scheduler_without_workers_gets_the_command_that_starts_one(
    engine, folder, monkeypatch
):
    monkeypatch.setattr(cluster, "PATIENCE", 0.1)
    with (
        cluster.local_cluster(n_workers=0) as empty,
        Client(empty),
        pytest.raises(TLCourseError, match=f"dask worker {empty.scheduler_address}"),
    ):
        compute(engine, folder, SIZE, cache=False)


def test_without_dask_the_sentence_says_how_to_install_it(engine, folder, monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(TLCourseError, match=r"pip install '\.\[scale\]'"):
        compute(engine, folder, SIZE, cache=False)


# TLS


@pytest.fixture(scope="module")
def encrypted():
    """A scheduler and a worker that talk to nobody without the certificate."""
    with cluster.local_cluster(n_workers=1, threads_per_worker=1) as local:
        yield local


@pytest.fixture(scope="module")
def certificates(encrypted, tmp_path_factory):
    return certificate_settings(encrypted, tmp_path_factory.mktemp("tls"))


def test_with_its_certificate_an_encrypted_cluster_computes(
    encrypted, certificates, engine, folder
):
    assert encrypted.scheduler_address.startswith("tls://")
    with dask.config.set(certificates):
        found = compute(
            engine, folder, SIZE, cache=False, scheduler=encrypted.scheduler_address
        )
    np.testing.assert_array_equal(found.features, expected(engine, folder))


def test_without_a_certificate_the_sentence_names_the_settings(
    encrypted, engine, folder
):
    with pytest.raises(
        TLCourseError, match="needs certificates: DASK_DISTRIBUTED__COMM__TLS__CA_FILE"
    ):
        compute(
            engine, folder, SIZE, cache=False, scheduler=encrypted.scheduler_address
        )


def test_who_has_another_certificate_is_not_let_in(encrypted):
    with (
        dask.config.set({"distributed.comm.timeouts.connect": "2s"}),
        pytest.raises(OSError),
    ):
        Client(encrypted.scheduler_address, security=Security.temporary())


# What is refused


@pytest.mark.parametrize(
    "images", [np.zeros((2, 8, 8, 3), np.uint8), [np.zeros((8, 8, 3), np.uint8)]]
)
def test_arrays_are_for_this_process(engine, images):
    with pytest.raises(UserInputError, match="that its workers can open"):
        compute(engine, images, SIZE)


def test_no_pictures_are_refused(engine):
    with pytest.raises(UserInputError, match="no pictures"):
        compute(engine, [], SIZE)


def test_a_network_that_tensorflow_runs_is_refused(folder):
    with pytest.raises(TLCourseError, match="run by TensorFlow"):
        compute(object.__new__(TensorFlowEngine), folder, SIZE)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"engine": "spark"}, "engine is 'spark'; expected 'dask'"),
        ({"scheduler": "tcp://127.0.0.1:8786"}, "add engine='dask'"),
        ({"out": "there"}, "add engine='dask'"),
    ],
)
def test_options_that_do_not_go_together_get_a_sentence(
    bundled_model, folder, options, sentence
):
    with pytest.raises(UserInputError) as caught:
        bundled_model.extract_features(folder, **options)
    assert sentence in str(caught.value)


def test_what_is_cancelled_by_the_scheduler_is_said():
    from tlcourse.scale import dispatch

    with pytest.raises(TLCourseError, match="dropped the work"):
        dispatch._killed(
            SimpleNamespace(cancelled=lambda: True, exception=lambda: None)
        )
