"""Features by Dask's workers: bit for bit those of one process, whatever happens."""

import shutil
from pathlib import Path

import dask
import numpy as np
import pyarrow
import pytest
from dask_engines import Deadly, MeanColour, certificate_settings, secure_cluster
from distributed import Client
from killed import write_and_be_killed
from PIL import Image
from pyarrow import parquet

import tlcourse as tl
from tlcourse.datasets import load_dataset
from tlcourse.distributed import compute_features, extraction, read_shards
from tlcourse.errors import TLCourseError, UserInputError
from tlcourse.features import compute as features

SIZE = (8, 8)
COUNT, SHARD = 70, 32  # pictures, and how many are in a shard


@pytest.fixture(scope="module")
def client():
    """Of a cluster whose workers may be slow to start again."""
    patience = {"distributed.deploy.lost-worker-timeout": "60 s"}
    with dask.config.set(patience), secure_cluster(2) as cluster:
        with Client(cluster) as client:
            yield client


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """70 different pictures: three shards."""
    folder, random = tmp_path_factory.mktemp("pictures"), np.random.default_rng(0)
    pictures = random.integers(1, 256, (COUNT, 9, 7, 3), dtype=np.uint8)
    for number, pixels in enumerate(pictures):
        Image.fromarray(pixels).save(folder / f"{number:02}.png")
    return folder


@pytest.fixture
def own_folder(folder, tmp_path):
    """The same pictures, to be damaged."""
    return shutil.copytree(folder, tmp_path / "own")


@pytest.fixture
def engine(tmp_path):
    return MeanColour(tmp_path / "diary")


@pytest.fixture
def out(tmp_path):
    return tmp_path / "out"


def compute(engine, images, out=None, **options):
    """Without `out`, nothing is kept."""
    options = {"cache": False, **options}
    return compute_features(engine, images, SIZE, out=out, **options)


def local(engine, images):
    return features.compute(engine, images, SIZE)


# The same features


def test_without_a_cluster_it_is_said_how_to_start_one(engine, folder):
    with pytest.raises(TLCourseError, match=r"LocalCluster\(security=True\)"):
        compute(engine, folder)


def test_features_are_bit_for_bit_those_of_one_process(client, bundled_model, out):
    paths = load_dataset("solar").test.images.paths[:COUNT]
    computed = bundled_model.extract_features(paths, engine="dask", out=out)
    expected = bundled_model.extract_features(paths, cache=False)
    np.testing.assert_array_equal(computed, expected, strict=True)
    again = read_shards(out)
    assert again.pictures == [str(path) for path in paths] and not again.left_out
    np.testing.assert_array_equal(again.features, computed)


def test_pictures_are_resized_as_here_and_no_other_shards_are_taken(
    client, folder, tmp_path
):
    for mode in ("squash", "crop"):
        model = tl.load_pretrained_model(input_size=75, resize=mode)
        paths = sorted(folder.iterdir())[:3]
        expected = model.extract_features(paths, cache=False)
        computed = model.extract_features(paths, engine="dask", out=tmp_path / mode)
        np.testing.assert_array_equal(computed, expected)
    with pytest.raises(UserInputError, match="not empty"):
        model.extract_features(paths, engine="dask", out=tmp_path / "squash")


# Stopped, and continued


def test_only_what_is_missing_or_cut_short_is_computed_again(
    client, engine, folder, out
):
    first = compute(engine, folder, out)
    write_and_be_killed(out / "shard-000001.parquet")  # leaves an unfinished file
    (out / "shard-000001.parquet").unlink()
    last = out / "shard-000002.parquet"
    last.write_bytes(last.read_bytes()[:-20])
    engine.diary.unlink()
    again = compute(engine, folder, out)
    assert len(engine.events("ran")) == COUNT - SHARD
    np.testing.assert_array_equal(again.features, first.features)
    assert not list(out.glob(".unfinished*"))


def test_a_damaged_byte_never_becomes_another_feature(client, engine, folder, out):
    first = compute(engine, folder, out).features
    shard = out / "shard-000001.parquet"
    content, refused = shard.read_bytes(), 0
    for position in range(4, len(content), 11):
        damaged = bytearray(content)
        damaged[position] ^= 255
        shard.write_bytes(damaged)
        try:
            np.testing.assert_array_equal(read_shards(out).features, first)
        except TLCourseError as error:
            assert "shard-000001.parquet" in str(error)
            refused += 1
    assert refused > 20


def test_shards_that_are_missing_or_of_another_job_are_named(
    client, engine, folder, out
):
    with pytest.raises(UserInputError, match="holds no shards"):
        read_shards(folder)
    compute(engine, folder, out)
    shard = out / "shard-000001.parquet"
    shard.unlink()
    with pytest.raises(TLCourseError, match="holds 38 of 70 pictures"):
        read_shards(out)
    about = parquet.read_schema(out / "shard-000000.parquet").metadata[b"tlcourse"]
    other = {"tlcourse": about.replace(b'"pictures"', b'"others"')}
    other = pyarrow.table({"picture": ["a"]}, metadata=other)
    parquet.write_table(other, shard)
    with pytest.raises(TLCourseError, match="of another job"):
        read_shards(out)


# Pictures that cannot be read


def test_unreadable_pictures_have_rows_of_nan_a_warning_and_a_reason(
    client, engine, own_folder, folder, out
):
    (own_folder / "05.png").write_text("Dear Sir or Madam")
    (own_folder / "40.png").write_bytes((own_folder / "40.png").read_bytes()[:60])
    with pytest.warns(UserWarning, match="2 of 70 pictures .* NaN.*05.png cannot"):
        shards = compute(engine, own_folder, out)
    missing = np.isin(np.arange(COUNT), [5, 40])
    assert np.isnan(shards.features[missing]).all()
    expected = local(engine, folder)[~missing]
    np.testing.assert_array_equal(shards.features[~missing], expected)
    assert [name for name, _ in shards.left_out] == ["05.png", "40.png"]
    assert parquet.read_table(out)["error"].null_count == COUNT - 2


# Workers that die


def test_a_worker_that_dies_costs_nothing_but_time(client, own_folder, tmp_path):
    Image.new("RGB", (9, 7)).save(own_folder / "33.png")
    engine = Deadly(tmp_path / "diary", most=1)
    features = compute(engine, own_folder).features
    assert len(engine.events("died")) == 1
    np.testing.assert_array_equal(features, local(engine, own_folder))


def test_a_picture_that_always_kills_its_worker_is_named_and_the_rest_stays_done(
    client, own_folder, tmp_path, out
):
    Image.new("RGB", (9, 7)).save(own_folder / "33.png")
    engine = Deadly(tmp_path / "diary")
    with pytest.raises(TLCourseError, match="could not compute .*Call again"):
        compute(engine, own_folder, out)
    engine.most = 0
    again = compute(engine, own_folder, out).features
    np.testing.assert_array_equal(again, local(engine, own_folder))


# Machines that differ


def test_a_worker_that_does_not_see_the_files_is_named(client, engine, tmp_path):
    absent = [tmp_path / "a.png", tmp_path / "b.png"]
    with pytest.raises(UserInputError, match="worker tls://.* does not see .*a.png"):
        compute(engine, absent)


def test_workers_with_other_versions_are_refused(client, engine, folder, monkeypatch):
    monkeypatch.setattr(extraction, "package_versions", lambda: {"pillow": "1.0"})
    with pytest.raises(UserInputError, match="expected .*1.0"):
        compute(engine, folder)


# The cluster


def test_with_its_certificate_an_encrypted_cluster_computes(engine, folder, tmp_path):
    with secure_cluster(1) as encrypted:
        address = encrypted.scheduler_address
        assert address.startswith("tls://")
        with dask.config.set(certificate_settings(encrypted, tmp_path)):
            shards = compute(engine, folder, scheduler=address)
    np.testing.assert_array_equal(shards.features, local(engine, folder))


def test_the_script_that_trains_on_several_machines_is_short_and_needs_no_course():
    """That two processes train as one does: benchmarks/tests/test_studies.py."""
    text = Path(extraction.__file__).with_name("multi_worker.py").read_text("utf-8")
    assert len(text.splitlines()) <= 80 and "tlcourse" not in text
    assert "MultiWorkerMirroredStrategy" in text
