"""Waveforms → log-mel spectrograms, as Google's speech_embedding takes them."""

import math
from functools import lru_cache

import numpy as np

from ..errors import UserInputError

SAMPLE_RATE = 16_000  # Hz, of every waveform
HOP, WINDOW, FFT = 160, 400, 512  # samples: a frame every 10 ms, each 25 ms long
BANDS, LOWEST, HIGHEST = 32, 60.0, 3800.0  # mel bands, between these Hz
DYNAMIC_RANGE = 80.0  # dB below the loudest; what is quieter is raised to it
# Part of the cache's key; the first number is a version.
FRONT_END = (1, HOP, WINDOW, FFT, BANDS, LOWEST, HIGHEST, DYNAMIC_RANGE)


def log_mel(waveform: np.ndarray) -> np.ndarray:
    """Compute a log-mel spectrogram: the loudness of 32 frequency bands, every 10 ms.

    Frames of 25 ms under a Hann window, their power spectrum, 32 triangular filters
    between 60 and 3,800 Hz that are evenly spaced on the mel scale (M. Slaney,
    "Auditory Toolbox", 1998), and decibels / 10 + 2, which is what Google's
    speech_embedding was trained with.

    Parameters
    ----------
    waveform : ndarray of shape (samples,)
        Floats in [-1, 1], 16,000 per second, at least 512 of them.

    Returns
    -------
    ndarray of shape (frames, 32), float32

    Raises
    ------
    UserInputError
        Another shape or type, values that are not finite, or fewer than 512 samples.

    Examples
    --------
    >>> import numpy as np
    >>> import tlcourse as tl
    >>> tl.audio.log_mel(np.sin(np.arange(16_000) / 20)).shape
    (97, 32)
    """
    array = check_waveform(waveform, FFT)
    samples = array.astype(np.float64) * 32768  # trained with 16-bit samples
    frames = np.lib.stride_tricks.sliding_window_view(samples, FFT)[::HOP]
    power = np.abs(np.fft.rfft(frames * _hann())) ** 2
    decibels = 10 * np.log10(np.maximum(power @ mel_filters(), 1e-10))
    decibels = np.maximum(decibels, decibels.max() - DYNAMIC_RANGE)
    return (decibels / 10 + 2).astype(np.float32)


def check_waveform(waveform: np.ndarray, shortest: int = 1) -> np.ndarray:
    """The waveform as an array; UserInputError if it is none of `read_audio`'s kind."""
    array = np.asarray(waveform)
    is_waveform = array.dtype.kind == "f" and array.ndim == 1
    if not is_waveform or len(array) < shortest or not np.isfinite(array).all():
        raise UserInputError(
            f"waveform is an array of {array.dtype} {array.shape}; expected finite "
            f"floats of shape (samples,), at least {shortest}, as tl.audio.read_audio "
            "returns."
        )
    return array


@lru_cache(maxsize=1)
def mel_filters() -> np.ndarray:
    """The filters: float64 (257 frequencies, 32 bands), each of area one."""
    # The mel scale is linear up to 1,000 Hz, which are 15 mel, and logarithmic above.
    lowest = LOWEST * 3.0 / 200.0
    highest = 15.0 + 27.0 * math.log(HIGHEST / 1000.0, 6.4)
    edges = np.linspace(lowest, highest, BANDS + 2)
    hertz = np.where(
        edges < 15.0, edges * 200.0 / 3.0, 1000.0 * 6.4 ** ((edges - 15.0) / 27.0)
    )
    frequencies = np.fft.rfftfreq(FFT, 1 / SAMPLE_RATE)[:, None]
    rising = (frequencies - hertz[:-2]) / np.diff(hertz)[:-1]
    falling = (hertz[2:] - frequencies) / np.diff(hertz)[1:]
    triangles = np.maximum(0.0, np.minimum(rising, falling))
    filters = triangles * 2.0 / (hertz[2:] - hertz[:-2])
    filters.setflags(write=False)
    return filters


@lru_cache(maxsize=1)
def _hann() -> np.ndarray:
    """A periodic Hann window in the middle of a frame."""
    margin = (FFT - WINDOW) // 2
    return np.pad(np.hanning(WINDOW + 1)[:-1], margin)
