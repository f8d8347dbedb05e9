"""Rows of features in Parquet files: a picture's name, its row, and why it has none."""

import json
from os import PathLike
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from .. import errors, files
from ..features.compute import RowCollector
from ..features.engine import Engine


class Shards(NamedTuple):
    """What a folder of shards holds, in the order of the pictures."""

    pictures: list[str]  # names below the folder of pictures, or paths
    features: np.ndarray  # (n, …); a row of NaN (or 0) for a picture without features
    left_out: list[tuple[str, str]]  # pictures without features, and why


class Batch(NamedTuple):
    """The pictures of one shard."""

    shard: str
    paths: list[str]
    names: list[str]


class Job(NamedTuple):
    """What each worker needs, and is sent once."""

    engine: Engine
    options: dict[str, Any]  # of `compute`
    about: dict[str, Any]  # fingerprint, shape, dtype, pictures: kept in each shard
    folder: Path
    versions: dict[str, str]


def read_shards(folder: str | PathLike) -> Shards:
    """Read all that a folder of shards holds.

    Parameters
    ----------
    folder : path
        What `out` named in `model.extract_features(images, engine="dask", out=...)`.

    Raises
    ------
    UserInputError
        The folder holds no shards.
    TLCourseError
        The job is not finished, or a shard is damaged.
    """
    path = files.as_path(folder)
    # A pipe would be waited for.
    shards = sorted(x for x in path.glob("shard-*.parquet") if x.is_file())
    about = next(filter(None, map(about_of, shards)), None)
    if about is None:
        raise errors.UserInputError(f"{path} holds no shards. Give the folder of out=.")
    names, left_out = [], []
    rows = RowCollector(tuple(about["shape"]), about["dtype"])
    for shard in shards:
        own_names, own_rows, reasons = _read(shard, about)
        names += own_names
        left_out += [pair for pair in zip(own_names, reasons, strict=True) if pair[1]]
        rows.append(own_rows)
    if len(names) != about["pictures"]:
        raise errors.TLCourseError(
            f"{path} holds {len(names):,} of {about['pictures']:,} pictures: the job "
            "was stopped. Call extract_features again with the same out=."
        )
    return Shards(names, rows.array(), left_out)


def write(job: Job, batch: Batch, rows: np.ndarray, reasons: list) -> None:
    """Write a shard, as a whole or not at all; each page has a checksum."""
    import pyarrow as pa
    from pyarrow import parquet

    width = rows.size // len(rows)
    columns = {
        "picture": pa.array(batch.names, pa.string()),
        "features": pa.FixedSizeListArray.from_arrays(pa.array(rows.ravel()), width),
        "error": pa.array(reasons, pa.string()),
    }
    table = pa.table(columns, metadata={"tlcourse": json.dumps(job.about)})
    # Floats byte by byte: neighbours' exponents are alike, a third is saved.
    split = ["features.list.element"] if rows.dtype == "float32" else False
    options = {"compression": "zstd", "use_byte_stream_split": split}
    options |= {"use_dictionary": False, "write_page_checksum": True}
    files.write_atomically(
        job.folder / batch.shard,
        lambda file: parquet.write_table(table, file, **options),
    )


def about_of(path: Path) -> dict[str, Any] | None:
    """What a shard says of its job; None where it says nothing, or is damaged."""
    from pyarrow import ArrowException, parquet

    if not path.is_file():
        return None
    try:
        return json.loads(parquet.read_schema(path).metadata[b"tlcourse"])
    except (OSError, ArrowException, KeyError, TypeError, ValueError):
        return None


def _read(path: Path, about: dict[str, Any]) -> tuple[list[str], np.ndarray, list]:
    """Names, rows and reasons of a shard of this job."""
    from pyarrow import parquet

    what = f"The shard {path} is damaged, or of another job"
    cure = "Delete it and call extract_features again with the same out=."
    with errors.convert_errors(Exception, errors.TLCourseError, what, cure):
        with parquet.ParquetFile(path, page_checksum_verification=True) as file:
            table = file.read()
        if json.loads(table.schema.metadata[b"tlcourse"]) != about:
            raise ValueError("it says so itself")
        rows = table["features"].combine_chunks().flatten().to_numpy()
        rows = rows.reshape(-1, *about["shape"])
        return table["picture"].to_pylist(), rows, table["error"].to_pylist()
