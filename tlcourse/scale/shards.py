"""Rows of features in Parquet files: a picture's name, its row, or why it has none; one file a shard, whole or absent.

Any reader of Parquet takes the folder for one table. Names that begin with "_" or "." are passed over by all of them:
there the job keeps its own notes.
"""

import json
from dataclasses import asdict, dataclass, field
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import TLCourseError, UserInputError
from ..features.compute import Rows
from ..files import as_path, is_untouched, read_json, write_atomically

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.parquet as pq

JOB, SET_ASIDE = (
    "_job.json",
    "_set_aside.json",
)  # what the folder is for; which shards it has to lack, and why
_METADATA = b"tlcourse"
PICTURE, FEATURES, ERROR = "picture", "features", "error"  # the columns


@dataclass(frozen=True)
class Layout:
    """What a job's shards hold.

    Attributes:
        fingerprint: of everything that the rows depend on.
        shape, dtype: of one picture's row; Parquet has it flat.
        pictures: how many there are.
    """

    fingerprint: str
    shape: tuple[int, ...]
    dtype: str
    pictures: int

    @classmethod
    def of(cls, found: dict) -> "Layout":
        """From JSON. KeyError, TypeError: it is another program's."""
        return cls(
            found["fingerprint"],
            tuple(found["shape"]),
            found["dtype"],
            found["pictures"],
        )


@dataclass(frozen=True)
class Shards:
    """What a folder of shards holds, in the order of the pictures.

    Attributes:
        pictures: names, below the folder that was given, or paths.
        features: (n, …); a row of NaN (for whole numbers: of zeros) where there is none.
        left_out: the pictures without a row, each with the reason.
    """

    pictures: list[str]
    features: np.ndarray
    left_out: list[tuple[str, str]] = field(default_factory=list)

    def __repr__(self) -> str:
        return f"<{len(self.pictures):,} pictures → {self.features.shape}, {len(self.left_out):,} left out>"


def shard_path(folder: Path, number: int) -> Path:
    return folder / f"shard-{number:06}.parquet"


def write_shard(
    path: Path, layout: Layout, names: list[str], rows: list, errors: list[str | None]
) -> None:
    """Write a shard as a whole or not at all; each page has a checksum of its own.

    Args:
        rows: an array for each picture, or None where `errors` says why.

    Raises:
        OSError: it cannot be written.
    """
    import pyarrow as pa
    from pyarrow import parquet

    absent = np.array([row is None for row in rows])
    filled = np.stack(
        [np.zeros(layout.shape, layout.dtype) if row is None else row for row in rows]
    )
    features = pa.FixedSizeListArray.from_arrays(
        pa.array(filled.reshape(-1)), int(np.prod(layout.shape)), mask=pa.array(absent)
    )
    columns = {
        PICTURE: pa.array(names, pa.string()),
        FEATURES: features,
        ERROR: pa.array(errors, pa.string()),
    }
    table = pa.table(columns).replace_schema_metadata(
        {_METADATA: json.dumps(asdict(layout)).encode()}
    )
    # The bytes of floats by their place: the exponents of neighbours are alike, which makes the file a third smaller.
    by_place = [f"{FEATURES}.list.element"] if layout.dtype == "float32" else False
    options = {
        "compression": "zstd",
        "use_dictionary": False,
        "use_byte_stream_split": by_place,
    }
    write_atomically(
        path,
        lambda file: parquet.write_table(
            table, file, write_page_checksum=True, **options
        ),
    )


def is_done(path: Path, layout: Layout, count: int) -> bool:
    """Whether this shard is there, whole, and of this very job."""
    from pyarrow import ArrowException, parquet

    try:
        with parquet.ParquetFile(path) as file:
            return file.metadata.num_rows == count and _layout(file) == layout
    except (OSError, ArrowException, KeyError, TypeError, ValueError):
        return False


def _layout(file: "pq.ParquetFile") -> Layout:
    return Layout.of(json.loads(file.schema_arrow.metadata[_METADATA]))


def claim(folder: Path, layout: Layout) -> None:
    """Make this job's folder of an empty one, or refuse one that holds anything else.

    Raises:
        UserInputError: it does.
    """
    folder.mkdir(parents=True, exist_ok=True)
    known = read_note(folder / JOB)
    if known is None and not is_untouched(folder):
        raise UserInputError(
            f"{folder} is not empty. Nothing is written over: name a new folder for the features."
        )
    if known is not None and not is_of(folder, layout):
        raise UserInputError(
            f"{folder} holds the features of other pictures, or of another network. Nothing is written over: name a "
            "new folder, or delete this one. (Pictures count as others when one was added, removed or changed.)"
        )
    if known is None:
        note(folder / JOB, asdict(layout))


def is_of(folder: Path, layout: Layout) -> bool:
    """Whether a folder is this job's, and can be seen from here."""
    try:
        return Layout.of(read_note(folder / JOB)) == layout
    except (KeyError, TypeError):
        return False


def set_aside(folder: Path, batches: dict[int, dict]) -> None:
    """Note which shards there are not: number → {"pictures": names, "why": …}; replaces an earlier note."""
    if batches:
        note(
            folder / SET_ASIDE,
            {str(number): batch for number, batch in batches.items()},
        )
    else:
        (folder / SET_ASIDE).unlink(missing_ok=True)


def read_shards(folder: str | PathLike) -> Shards:
    """Everything that a folder of shards holds, in the order of the pictures.

    Above `rows.LARGE` bytes the features are a `numpy.memmap`, so that memory does not limit them.

    Raises:
        UserInputError: no job's folder.
        TLCourseError: the job is not finished, or a shard is damaged; the message says what to do.
    """
    goal = as_path(folder)
    try:
        layout = Layout.of(read_note(goal / JOB))
    except (KeyError, TypeError):
        raise UserInputError(
            f"{goal} holds no shards of features. Give the folder that out= named."
        ) from None
    lacking = {
        int(number): batch
        for number, batch in (read_note(goal / SET_ASIDE) or {}).items()
    }
    written = {
        int(path.stem.removeprefix("shard-")): path
        for path in goal.glob("shard-*.parquet")
    }
    names, left_out, rows = [], [], Rows(layout.shape, layout.dtype)
    for number in sorted({*written, *lacking}):
        if number in written:
            some, found, reasons = _read(written[number], layout)
        else:
            some, reasons = (
                lacking[number]["pictures"],
                [lacking[number]["why"]] * len(lacking[number]["pictures"]),
            )
            found = _absent(layout, len(some))
        names += some
        left_out += [
            (name, why) for name, why in zip(some, reasons, strict=True) if why
        ]
        rows.append(found)
    if len(names) != layout.pictures:
        raise TLCourseError(
            f"{goal} holds {len(names):,} of {layout.pictures:,} pictures: the job was stopped. Call extract_features "
            "again with the same out=: only what is missing is computed."
        )
    return Shards(names, rows.array(), left_out)


def _read(path: Path, layout: Layout) -> tuple[list[str], np.ndarray, list[str | None]]:
    from pyarrow import ArrowException, parquet

    try:
        with parquet.ParquetFile(path, page_checksum_verification=True) as file:
            if _layout(file) != layout:
                raise ValueError("it belongs to another job")
            table = file.read()
        return (
            table[PICTURE].to_pylist(),
            _rows(table[FEATURES], layout),
            table[ERROR].to_pylist(),
        )
    except (OSError, ArrowException, KeyError, TypeError, ValueError) as error:
        reason = str(error).split("\n")[0][:200]
        raise TLCourseError(
            f"The shard {path} is damaged or none of this job's ({reason}). Delete it and call extract_features again "
            "with the same out=: only what is missing is computed."
        ) from None


def _rows(column: "pa.ChunkedArray", layout: Layout) -> np.ndarray:
    """A column of lists → (n, …), with NaN where a list is null."""
    rows, column = _absent(layout, len(column)), column.combine_chunks()
    present = ~np.asarray(column.is_null())
    rows[present] = (
        column.flatten().to_numpy(zero_copy_only=False).reshape(-1, *layout.shape)
    )
    return rows


def _absent(layout: Layout, count: int) -> np.ndarray:
    return np.full(
        (count, *layout.shape),
        np.nan if np.dtype(layout.dtype).kind == "f" else 0,
        layout.dtype,
    )


def note(path: Path, content: object) -> None:
    """Write one of the job's own notes."""
    write_atomically(
        path, lambda file: file.write(json.dumps(content, indent=1).encode())
    )


def read_note(path: Path) -> "Any":
    """What a note says; None where there is none, or none that can be read."""
    try:
        return read_json(path)
    except UserInputError:
        return None
