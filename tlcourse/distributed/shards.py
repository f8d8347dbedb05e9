"""Rows of features in Parquet files: a picture's name, its row, or why it has none."""

import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from os import PathLike
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from .. import files, folders
from ..errors import TLCourseError, UserInputError
from ..features.cache import limit, make_room
from ..features.compute import RowCollector
from ..features.engine import Engine

NOTE = "_job.json"  # whose folder it is; readers of Parquet pass over "_" and "."


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
    how: dict[str, Any]  # arguments of `compute`: size, augmentations, dtype, bits
    note: dict[str, Any]  # what `NOTE` holds: fingerprint, shape, dtype, pictures
    folder: Path
    versions: dict[str, str]


@contextmanager
def claimed(
    note: dict[str, Any], out: str | PathLike | None, cache: bool
) -> Iterator[Path]:
    """The job's folder: `out`, or one in the cache, or one for the time being."""
    is_kept = cache and bool(limit())
    with ExitStack() as stack:
        try:
            if out is not None:
                path = files.as_path(out, "out").absolute()
            else:
                path = folders.make_cache_folder("shards") / note["fingerprint"][:24]
                if not is_kept:
                    path = stack.enter_context(files.unfinished_folder(path))
            path.mkdir(parents=True, exist_ok=True)
            if note_in(path) != note:
                if not files.is_untouched(path):
                    raise UserInputError(
                        f"{path} is not empty, or holds the features of other pictures "
                        "(one was added, removed or changed) or of another network. "
                        "Nothing is overwritten: name a new folder, or delete this one."
                    )
                content = json.dumps(note).encode()
                files.write_atomically(path / NOTE, lambda file: file.write(content))
        except OSError as error:
            raise TLCourseError(
                f"The features cannot be written to {out or folders.cache_folder()} "
                f"({error}). Free disk space, or choose another folder: out=, or "
                "TLCOURSE_CACHE."
            ) from error
        yield path
    if out is None and is_kept:
        make_room(limit())


def note_in(folder: Path) -> dict[str, Any] | None:
    """What the folder says about its job; None where it says nothing."""
    try:
        note = files.read_json(folder / NOTE)
    except UserInputError:
        return None
    return note if isinstance(note, dict) and "fingerprint" in note else None


def is_done(job: Job, batch: Batch) -> bool:
    """Whether the batch's shard is there, whole, of this job, and did not fail."""
    from pyarrow import ArrowException, parquet

    try:
        with parquet.ParquetFile(job.folder / batch.shard) as file:
            about, rows = file.schema_arrow.metadata or {}, file.metadata.num_rows
    except (OSError, ArrowException):
        return False
    expected = {b"fingerprint": job.note["fingerprint"].encode(), b"failed": b""}
    return about == expected and rows == len(batch.names)


def write(
    job: Job, batch: Batch, rows: list, errors: list, failed: bool = False
) -> None:
    """Write a shard, as a whole or not at all; each page has a checksum."""
    import pyarrow as pa
    from pyarrow import parquet

    dtype, zeros = job.note["dtype"], np.zeros(job.note["shape"], job.note["dtype"])
    flat = np.stack([zeros if row is None else row for row in rows]).ravel()
    absent = pa.array([row is None for row in rows])
    columns = {
        "picture": pa.array(batch.names, pa.string()),
        "features": pa.FixedSizeListArray.from_arrays(
            pa.array(flat), zeros.size, mask=absent
        ),
        "error": pa.array(errors, pa.string()),
    }
    about = {"fingerprint": job.note["fingerprint"], "failed": "1" if failed else ""}
    table = pa.table(columns, metadata=about)
    # Floats byte by byte: neighbours' exponents are alike, a third is saved.
    split = ["features.list.element"] if dtype == "float32" else False
    options = {"compression": "zstd", "use_byte_stream_split": split}
    options |= {"use_dictionary": False, "write_page_checksum": True}
    files.write_atomically(
        job.folder / batch.shard,
        lambda file: parquet.write_table(table, file, **options),
    )


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
    note = note_in(path)
    if note is None:
        raise UserInputError(f"{path} holds no shards. Give the folder of out=.")
    shape = tuple(note["shape"])
    names, left_out, rows = [], [], RowCollector(shape, note["dtype"])
    for shard in sorted(path.glob("shard-*.parquet")):
        own_names, own_rows, errors = _read(shard, note)
        names += own_names
        left_out += [pair for pair in zip(own_names, errors, strict=True) if pair[1]]
        rows.append(own_rows)
    if len(names) != note["pictures"]:
        raise TLCourseError(
            f"{path} holds {len(names):,} of {note['pictures']:,} pictures: the job was "
            "stopped. Call extract_features again with the same out=."
        )
    return Shards(names, rows.array(), left_out)


def _read(path: Path, note: dict[str, Any]) -> tuple[list[str], np.ndarray, list]:
    from pyarrow import ArrowException, parquet

    try:
        with parquet.ParquetFile(path, page_checksum_verification=True) as file:
            table = file.read()
        if table.schema.metadata[b"fingerprint"] != note["fingerprint"].encode():
            raise ValueError("it belongs to another job")
        absent = np.nan if np.dtype(note["dtype"]).kind == "f" else 0
        rows = np.full((len(table), *note["shape"]), absent, note["dtype"])
        column = table["features"].combine_chunks()
        values = column.flatten().to_numpy(zero_copy_only=False)
        rows[~np.asarray(column.is_null())] = values.reshape(-1, *note["shape"])
        return table["picture"].to_pylist(), rows, table["error"].to_pylist()
    except (OSError, ArrowException, KeyError, TypeError, ValueError) as error:
        reason = str(error).split("\n")[0][:200]
        raise TLCourseError(
            f"The shard {path} is damaged, or of another job ({reason}). Delete it and "
            "call extract_features again with the same out=."
        ) from None
