"""Recordings → mono waveforms → log-mel spectrograms → features, computed once."""

import numbers
from collections.abc import Callable, Iterable, Sequence
from itertools import islice
from os import PathLike
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from .. import validation
from ..errors import UserInputError
from ..files import as_path
from .cache import RowCache, cache_file
from .compute import Item, RowCollector, computed_once, key_of, parts
from .engine import Engine
from .log_mel import FRONT_END, SAMPLE_RATE, log_mel

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

__all__ = ["log_mel", "read_audio"]

Recordings: TypeAlias = (
    "str | PathLike | ArrayLike | Sequence[str | PathLike | ArrayLike]"
)
"""Whatever holds recordings, see `as_waveforms`."""

RATES = (4_000, 192_000)  # Hz that are resampled; telephones have 8,000
LONGEST = 600  # seconds
QUIETEST = 1e-6  # from the lowest to the highest value
LOUDEST = 2.0  # values somewhat beyond 1 are clipped, larger ones are another scale
EXTENSIONS = (".wav", ".flac", ".ogg", ".oga", ".mp3", ".aif", ".aiff")
CHUNK = 16  # recordings that are read, looked up, computed and kept together


def read_audio(path: str | PathLike) -> np.ndarray:
    """Read a recording as a waveform: mono, 16,000 samples per second.

    Parameters
    ----------
    path : str or path
        A WAV, FLAC, OGG, MP3 or AIFF file of at most ten minutes.

    Returns
    -------
    ndarray of shape (samples,), float32 in [-1, 1]

    Raises
    ------
    UserInputError
        No such file, not a recording, silent, too long, or a sample rate below 4,000 or
        above 192,000 Hz.

    Examples
    --------
    >>> import tlcourse as tl
    >>> path = tl.load_dataset("words").train.recordings[0]
    >>> tl.audio.read_audio(path).dtype
    dtype('float32')
    """
    import soundfile

    file = as_path(path, "the path of a recording")
    if not file.is_file():
        raise UserInputError(
            f"There is no file {file}; expected the path of a recording."
        )
    try:
        with soundfile.SoundFile(file) as sound:
            rate, frames = sound.samplerate, sound.frames
            _check_length(frames, rate, str(file))
            samples = sound.read(dtype="float32", always_2d=True)
    except (soundfile.SoundFileError, RuntimeError, TypeError) as error:
        raise UserInputError(
            f"{file} is no recording that can be read ({error}); expected one of "
            f"{', '.join(EXTENSIONS)}."
        ) from None
    return as_waveform(samples, rate, str(file))


def as_waveform(
    samples: "ArrayLike", sample_rate: int, name: str = "the recording"
) -> np.ndarray:
    """Mix an array down to mono and resample it to 16,000 samples per second.

    (samples,) or (samples, channels): floats in [-1, 1], of which values up to 2 are
    clipped, or integers of 16 or 32 bits. Returns float32 (samples,) in [-1, 1].
    """
    rate = validation.whole_number("sample_rate", sample_rate, *RATES)
    try:
        array = np.asarray(samples)
    except ValueError:  # a ragged list
        array = np.array(None)
    is_known = array.dtype.kind == "f" or array.dtype in (np.int16, np.int32)
    if not is_known or array.ndim not in (1, 2) or not array.size:
        raise UserInputError(
            f"{name} is an array of {array.dtype} {array.shape}; expected samples as "
            "floats in [-1, 1] or integers of 16 or 32 bits, of shape (samples,) or "
            "(samples, channels)."
        )
    if array.ndim == 2 and array.shape[0] < array.shape[1]:
        raise UserInputError(
            f"{name} has the shape {array.shape}; expected (samples, channels). If it is "
            "one recording, transpose it: recording.T. If it is several, pass a list: "
            "list(recordings)."
        )
    _check_length(len(array), rate, name)
    if array.dtype.kind == "i":
        array = array / -float(np.iinfo(array.dtype).min)
    if not np.isfinite(array).all() or np.abs(array).max() > LOUDEST:
        raise UserInputError(
            f"{name} has values outside [-1, 1], or not finite ones; expected floats in "
            "[-1, 1]. Divide 16-bit values by 32768."
        )
    mono = array.astype(np.float64).reshape(len(array), -1).mean(axis=1)
    if rate != SAMPLE_RATE:
        mono = _resample(mono, rate)
    if np.ptp(mono) < QUIETEST:
        raise UserInputError(
            f"{name} is silent: mixed down to one channel, and below 8,000 Hz, all its "
            "samples are equal."
        )
    return np.clip(mono, -1, 1).astype(np.float32)


def _resample(samples: np.ndarray, rate: int) -> np.ndarray:
    """To 16,000 samples per second, by the discrete Fourier transform."""
    count = max(1, round(len(samples) * SAMPLE_RATE / rate))
    spectrum = np.fft.rfft(samples)[: count // 2 + 1]  # what is above is cut off
    return np.fft.irfft(spectrum, count) * (count / len(samples))


def as_waveforms(
    recordings: Any, sample_rate: int | None = None
) -> tuple[Iterable[np.ndarray], int]:
    """Whatever holds recordings → waveforms, read one at a time, and their number.

    One path, one array (samples,) or (samples, channels), or a sequence of either;
    arrays need `sample_rate`.
    """
    if sample_rate is not None:
        validation.whole_number("sample_rate", sample_rate, *RATES)
    is_one = isinstance(recordings, str | PathLike) or (
        isinstance(recordings, np.ndarray)
        and recordings.ndim <= 2
        and recordings.dtype.kind in "biufc"
    )
    try:
        each = [recordings] if is_one else list(recordings)
    except TypeError:
        each = []
    if not each:
        raise UserInputError(
            f"recordings is {validation.shown(recordings)}; expected paths of "
            "recordings, or arrays of samples, at least one."
        )
    names = [f"recording {row}" for row in range(len(each))]

    def read(item: Any, name: str) -> np.ndarray:
        if isinstance(item, str | PathLike):
            return read_audio(item)
        if isinstance(item, bytes | numbers.Number):
            raise UserInputError(
                f"{name} is {validation.shown(item)}; expected a path or an array of "
                "samples. Put a list of numbers into np.array first."
            )
        if sample_rate is None:
            raise UserInputError(
                f"{name} is an array: give its sample_rate, in samples per second."
            )
        return as_waveform(item, sample_rate, name)

    return (read(*pair) for pair in zip(each, names, strict=True)), len(each)


def recording_features(
    engine: Engine,
    recordings: Recordings,
    sample_rate: int | None,
    prepare: Callable[[np.ndarray], np.ndarray],
    name: str | None,
) -> np.ndarray:
    """The network's output for each recording: float32 (n, d).

    `prepare` makes a waveform into the network's input; `name` is for the cache's file,
    None: no cache.
    """
    waveforms, total = as_waveforms(recordings, sample_rate)
    shape = engine.output_shape
    file = cache_file(name, engine.key, shape, FRONT_END)

    def run(batch: list[Item]) -> list[np.ndarray]:
        return [engine.run(prepare(item.content)[np.newaxis])[0] for item in batch]

    items = (Item(each, [key_of(each.tobytes())]) for each in waveforms)
    return computed_once(
        iter(lambda: [*islice(items, CHUNK)], []),
        lambda chunk: parts(chunk, 1),
        run,
        RowCache(file, shape, np.float32),
        RowCollector(shape, np.float32),
        {"total": total, "desc": "Extracting features", "unit": " recordings"},
    )


def _check_length(samples: int, rate: int, name: str) -> None:
    if rate and samples / rate > LONGEST:
        raise UserInputError(
            f"{name} lasts {samples / rate / 60:,.0f} minutes; expected at most "
            f"{LONGEST // 60}. Cut it into parts."
        )
