"""Record a word: which training recordings are nearest to it."""

import base64
import html
from functools import partial
from os import PathLike
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ..datasets.core import Split
from ..errors import UserInputError
from ..features import audio
from ..features.log_mel import HOP
from ..models.speech import PretrainedSpeechModel
from ..plots.figure import Figure
from ..plots.sounds import spectrograms
from ..validation import shown
from .base import Answer
from .own import OwnWidget, in_words

RATE = audio.SAMPLE_RATE
SECONDS, SHORTEST = 2, 0.1  # of a recording in the browser; of a word
CLICK, RANGE, MARGIN = 6, 25, 5  # frames, decibels, frames: see `_without_silence`
# The browser decodes and resamples. What is recorded, or what went wrong, goes through
# the text field beside the button: 16-bit samples in base64, or a text after "!".
SCRIPT = f"""
(async button => {{
  const name = button.textContent;
  button.disabled = true;
  let stream, text;
  try {{
    if (!navigator.mediaDevices)
      throw new Error('browsers record on https and localhost only');
    stream = await navigator.mediaDevices.getUserMedia({{audio: {{channelCount: 1}}}});
    button.textContent = 'Recording: say the word';
    const recorder = new MediaRecorder(stream), parts = [];
    recorder.ondataavailable = event => parts.push(event.data);
    const stopped = new Promise(resolve => recorder.onstop = resolve);
    recorder.start();
    setTimeout(() => recorder.stop(), {1000 * SECONDS});
    await stopped;
    const content = await new Blob(parts).arrayBuffer();
    const sound = await new OfflineAudioContext(1, 1, {RATE}).decodeAudioData(content);
    const clipped = sound.getChannelData(0).map(x => Math.max(-1, Math.min(1, x)));
    const samples = Int16Array.from(clipped, x => 32767 * x);
    const bytes = Array.from(new Uint8Array(samples.buffer));
    text = btoa(bytes.map(byte => String.fromCharCode(byte)).join(''));
  }} catch (error) {{
    text = '!' + error.message;
  }} finally {{
    for (const track of stream?.getTracks() ?? []) track.stop();
    button.disabled = false;
    button.textContent = name;
  }}
  const field = button.closest('.record-a-word').querySelector('textarea');
  field.value = text || '!nothing was heard';
  for (const kind of ['input', 'change'])
    field.dispatchEvent(new Event(kind, {{bubbles: true}}));
}})(this)"""
BUTTON = (
    '<button class="jupyter-button" style="width: auto" '
    f'onclick="{html.escape(SCRIPT)}">Record a word, {SECONDS} seconds</button>'
)


class RecordAWord(OwnWidget):
    """A button that records a word: the nearest training recordings, by cosine.

    The recording goes from the browser to the kernel, and neither it nor its picture is
    kept on disk or in the notebook. Silence before and after the word is cut off, and a
    click; hum and loud noise are not.

    Parameters
    ----------
    model : PretrainedSpeechModel
        `tl.load_pretrained_model("speech_embedding")`.
    train : Split
        The n training recordings.
    train_features : array_like of float, shape (n, 96)
        Their features, of `model.extract_features`.
    examples : Split, optional
        Recordings to choose from a list; those of `train`, if none are given.

    Raises
    ------
    UserInputError
        Another kind of model or split, or not as many features as recordings.

    Examples
    --------
    >>> import tlcourse as tl
    >>> words = tl.load_dataset("words")
    >>> model = tl.load_pretrained_model("speech_embedding")
    >>> features = model.extract_features(words.train.recordings)
    >>> record = tl.widgets.RecordAWord(model, words.train, features, words.test)
    >>> print(record.answer(words.test.recordings[0]).text.split(" (")[0])
    Nearest: euro
    """

    def __init__(
        self,
        model: PretrainedSpeechModel,
        train: Split,
        train_features: ArrayLike,
        examples: Split | None = None,
    ) -> None:
        if not isinstance(model, PretrainedSpeechModel):
            raise UserInputError(
                f"model is {shown(model)}; expected "
                'tl.load_pretrained_model("speech_embedding").'
            )
        self._begin(model, train, train_features, examples)

    def answer(
        self,
        recording: str | PathLike | np.ndarray,
        sample_rate: int | None = None,
    ) -> Answer:
        """Answer for one recording.

        Parameters
        ----------
        recording : str, path, or array of shape (samples,) or (samples, channels)
            A WAV, FLAC, OGG, MP3 or AIFF file, or samples, as in `extract_features`.
        sample_rate : int, optional
            Samples per second of an array.

        Raises
        ------
        UserInputError
            No recording, a silent one, or one that is shorter than 0.1 seconds.
        """
        (waveform,), _ = audio.as_waveforms([recording], sample_rate)
        if len(waveform) < SHORTEST * RATE:
            raise UserInputError(
                f"The recording lasts {len(waveform) / RATE:.3f} seconds; expected a "
                f"word, at least {SHORTEST}."
            )
        word = _without_silence(waveform)
        # Without the cache: the recording is its owner's alone.
        features = self._model.extract_features([word], RATE, cache=False)
        near = self._neighbours.of(features[0])
        return Answer(
            f"Nearest: {in_words(near)}.", partial(self._draw, word, *near[0][:2])
        )

    def _draw(self, word: np.ndarray, row: int, name: str) -> Figure:
        nearest = audio.read_audio(self._neighbours.train.recordings[row])
        both = [audio.log_mel(waveform) for waveform in (word, nearest)]
        return spectrograms(both, ["this recording", f"nearest: {name}"])

    def _arrange(self, ipywidgets: Any) -> list:
        parts = super()._arrange(ipywidgets)
        parts[0].add_class("record-a-word")
        return parts

    def _buttons(self, ipywidgets: Any) -> list:
        self.received = ipywidgets.Textarea(layout={"display": "none"})
        self.received.observe(self._received, "value")
        return [ipywidgets.HTML(BUTTON), self.received]

    def _received(self, change: dict) -> None:
        if text := change["new"]:
            self.received.value = ""  # so that no notebook keeps it
            self._show_own(self._answer_to_browser, text)

    def _answer_to_browser(self, text: str) -> Answer:
        try:
            if text.startswith("!"):
                raise ValueError(text[1:])
            samples = np.frombuffer(base64.b64decode(text, validate=True), "<i2")
        except ValueError as error:
            raise UserInputError(
                f"The browser recorded nothing: {error}. Allow this page to use "
                "the microphone, or pass a file's path to the widget's answer()."
            ) from None
        return self.answer(samples, RATE)


def _without_silence(waveform: np.ndarray) -> np.ndarray:
    """The waveform from its first to its last loud frame, with a margin.

    Loud are frames of at most `RANGE` decibels less than the loudest one, in the bands
    that the network hears; not those of a sound that is shorter than `CLICK` frames.
    """
    from scipy.ndimage import grey_opening

    power = np.sum(10.0 ** audio.log_mel(waveform), axis=1)
    steady = grey_opening(power, min(CLICK, len(power)))
    loud = np.flatnonzero(steady >= steady.max() / 10 ** (RANGE / 10))
    first, last = max(0, loud[0] - MARGIN), loud[-1] + 1 + MARGIN
    return waveform[first * HOP : last * HOP]
