"""Rows of features in Parquet files: a picture's name, its row, or why it has none."""

import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, replace
from os import PathLike
from pathlib import Path
from typing import NamedTuple

import numpy as np

from .. import folders
from ..errors import TLCourseError, UserInputError
from ..features.cache import limit, make_room
from ..features.compute import RowCollector
from ..files import (
    as_path,
    is_untouched,
    read_json,
    unfinished_folder,
    write_atomically,
)

NOTE = "_job.json"  # whose folder it is; readers of Parquet pass over "_" and "."


class Shards(NamedTuple):
    """What a folder of shards holds, in the order of the pictures."""

    pictures: list[str]  # names below the folder of pictures, or paths
    features: np.ndarray  # (n, …); a row of NaN (or 0) for a picture without features
    left_out: list[tuple[str, str]]  # pictures without features, and why


@dataclass(frozen=True)
class ShardFolder:
    """The folder of one job, which `NOTE` in it describes."""

    fingerprint: str  # of all that the rows depend on
    shape: tuple[int, ...]  # of one picture's row; Parquet has it flat
    dtype: str
    pictures: int
    path: Path = Path()

    def claim(self) -> None:
        """Make an empty folder this job's, or refuse one that holds anything else."""
        self.path.mkdir(parents=True, exist_ok=True)
        if self.is_claimed():
            return
        if not is_untouched(self.path):
            raise UserInputError(
                f"{self.path} is not empty, or holds the features of other pictures (one "
                "was added, removed or changed) or of another network. Nothing is "
                "overwritten: name a new folder, or delete this one."
            )
        note = {key: value for key, value in asdict(self).items() if key != "path"}
        content = json.dumps(note).encode()
        write_atomically(self.path / NOTE, lambda file: file.write(content))

    def is_claimed(self) -> bool:
        """Whether the folder, as it is seen from here, is this job's."""
        return _known(self.path) == self

    def is_done(self, shard: str, pictures: int) -> bool:
        """Whether a shard is there, whole, of this job, and did not fail."""
        from pyarrow import ArrowException, parquet

        try:
            with parquet.ParquetFile(self.path / shard) as file:
                about, rows = file.schema_arrow.metadata or {}, file.metadata.num_rows
        except (OSError, ArrowException):
            return False
        expected = {b"fingerprint": self.fingerprint.encode(), b"failed": b""}
        return rows == pictures and about == expected

    def write(
        self, shard: str, names: list[str], rows: list, errors: list, failed: str = ""
    ) -> None:
        """Write a shard, as a whole or not at all; each page has a checksum."""
        import pyarrow as pa
        from pyarrow import parquet

        absent = [row is None for row in rows]
        zeros = np.zeros(self.shape, self.dtype)
        flat = np.stack([zeros if row is None else row for row in rows]).ravel()
        features = pa.FixedSizeListArray.from_arrays(
            pa.array(flat), zeros.size, mask=pa.array(absent)
        )
        columns = {"picture": pa.array(names, pa.string()), "features": features}
        columns["error"] = pa.array(errors, pa.string())
        about = {"fingerprint": self.fingerprint, "failed": failed}
        table = pa.table(columns, metadata=about)
        # Floats byte by byte: neighbours' exponents are alike, a third is saved.
        split = ["features.list.element"] if self.dtype == "float32" else False
        options = {"compression": "zstd", "use_byte_stream_split": split}
        options |= {"use_dictionary": False, "write_page_checksum": True}
        write_atomically(
            self.path / shard, lambda file: parquet.write_table(table, file, **options)
        )


@contextmanager
def claimed(
    goal: ShardFolder, out: str | PathLike | None, cache: bool
) -> Iterator[ShardFolder]:
    """The job's folder: `out`, or one in the cache, or one for the time being."""
    where = out if out is None else as_path(out, "out").absolute()
    is_kept = cache and bool(limit())
    with ExitStack() as stack:
        try:
            path = where or folders.make_cache_folder("shards") / goal.fingerprint[:24]
            if out is None and not is_kept:
                path = stack.enter_context(unfinished_folder(path))
            folder = replace(goal, path=path)
            folder.claim()
        except OSError as error:
            raise TLCourseError(
                f"The features cannot be written to {where or folders.cache_folder()} "
                f"({error.strerror or error}). Make room, or choose another folder: "
                "out=, or TLCOURSE_CACHE."
            ) from error
        yield folder
    if out is None and is_kept:
        make_room(limit())


def _known(path: Path) -> ShardFolder | None:
    """The job of a folder; None where there is none."""
    try:
        note = read_json(path / NOTE)
        return ShardFolder(**{**note, "shape": tuple(note["shape"]), "path": path})
    except (UserInputError, KeyError, TypeError):
        return None


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
    path = as_path(folder)
    job = _known(path)
    if job is None:
        raise UserInputError(f"{path} holds no shards. Give the folder of out=.")
    names, left_out, rows = [], [], RowCollector(job.shape, job.dtype)
    for file in sorted(path.glob("shard-*.parquet")):
        own_names, own_rows, errors = _read(file, job)
        names += own_names
        left_out += [pair for pair in zip(own_names, errors, strict=True) if pair[1]]
        rows.append(own_rows)
    if len(names) != job.pictures:
        raise TLCourseError(
            f"{path} holds {len(names):,} of {job.pictures:,} pictures: the job was "
            "stopped. Call extract_features again with the same out=."
        )
    return Shards(names, rows.array(), left_out)


def _read(path: Path, job: ShardFolder) -> tuple[list, np.ndarray, list]:
    from pyarrow import ArrowException, parquet

    try:
        with parquet.ParquetFile(path, page_checksum_verification=True) as file:
            table = file.read()
        if table.schema.metadata[b"fingerprint"] != job.fingerprint.encode():
            raise ValueError("it belongs to another job")
        absent = np.nan if np.dtype(job.dtype).kind == "f" else 0
        rows = np.full((len(table), *job.shape), absent, job.dtype)
        column = table["features"].combine_chunks()
        values = column.flatten().to_numpy(zero_copy_only=False)
        rows[~np.asarray(column.is_null())] = values.reshape(-1, *job.shape)
        return table["picture"].to_pylist(), rows, table["error"].to_pylist()
    except (OSError, ArrowException, KeyError, TypeError, ValueError) as error:
        reason = str(error).split("\n")[0][:200]
        raise TLCourseError(
            f"The shard {path} is damaged, or of another job ({reason}). Delete it and "
            "call extract_features again with the same out=."
        ) from None
