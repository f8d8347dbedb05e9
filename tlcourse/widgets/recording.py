"""Record a word: which training recordings are nearest to it."""

import base64
import html
from functools import partial
from os import PathLike
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ..datasets.core import Split
from ..errors import TLCourseError, UserInputError, printable
from ..features import audio
from ..models.speech import PretrainedSpeechModel
from ..plots.figure import Figure
from ..plots.sounds import spectrograms
from ..validation import shown
from .base import Answer, Widget
from .mistakes import Neighbours

OWN = -1  # in the list of examples; None would leave the list empty
EXAMPLES = 10  # recordings in the list
RATE, SECONDS = audio.SAMPLE_RATE, 2  # of a recording in the browser
FRAME = RATE // 100  # samples, of which the loudness is compared
RANGE, MARGIN = 25, 10  # decibels below the loudest frame; frames kept around a word
# The browser decodes and resamples. What is recorded, or what went wrong, goes through
# the text field beside the button, as 16-bit samples in base64 or after an "!".
SCRIPT = f"""
(async button => {{
  const field = button.closest('.jupyter-widgets.record-a-word').querySelector('textarea');
  const send = text => {{
    field.value = text;
    for (const kind of ['input', 'change'])
      field.dispatchEvent(new Event(kind, {{bubbles: true}}));
  }};
  const name = button.textContent;
  button.disabled = true;
  try {{
    if (!navigator.mediaDevices)
      throw new Error('browsers record on https and localhost only');
    const stream = await navigator.mediaDevices.getUserMedia({{audio: true}});
    button.textContent = 'Recording: say the word';
    const recorder = new MediaRecorder(stream), parts = [];
    recorder.ondataavailable = event => parts.push(event.data);
    const stopped = new Promise(resolve => recorder.onstop = resolve);
    recorder.start();
    setTimeout(() => recorder.stop(), {1000 * SECONDS});
    await stopped;
    for (const track of stream.getTracks()) track.stop();
    const content = await new Blob(parts).arrayBuffer();
    const sound = await new OfflineAudioContext(1, 1, {RATE}).decodeAudioData(content);
    const samples = Int16Array.from(sound.getChannelData(0), x => 32767 * x);
    const bytes = Array.from(new Uint8Array(samples.buffer));
    send(btoa(bytes.map(byte => String.fromCharCode(byte)).join('')));
  }} catch (error) {{
    send('!' + error.message);
  }}
  button.textContent = name;
  button.disabled = false;
}})(this)"""
BUTTON = (
    '<button class="jupyter-button" style="width: auto" '
    f'onclick="{html.escape(SCRIPT)}">Record a word, {SECONDS} seconds</button>'
)


class RecordAWord(Widget):
    """A button that records a word: the nearest training recordings, by cosine.

    The recording goes from the browser to the kernel, and is kept neither on disk nor
    in the notebook. Silence before and after the word is cut off.

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
        Another kind of model, or not as many features as recordings.

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

    control_class = "Dropdown"

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
        self._model, self._neighbours = model, Neighbours(train, train_features)
        if self._neighbours.width != model.feature_dim:
            raise UserInputError(
                f"train_features has rows of {self._neighbours.width:,} numbers; "
                f"expected {model.feature_dim}, of model.extract_features(recordings)."
            )
        self._examples = (train if examples is None else examples).recordings[:EXAMPLES]
        names = (train if examples is None else examples).label_names[:EXAMPLES]
        options = [(printable(name), row) for row, name in enumerate(names)]
        options = [("my own", OWN), *options]
        self.options = {"options": options, "value": 0, "description": "or"}

    def _answer_to(self, value: int) -> Answer:
        return self.answer(self._examples[value])

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
        """
        (waveform,), _ = audio.as_waveforms([recording], sample_rate)
        word = _without_silence(waveform)
        # Without the cache: the recording is its owner's alone.
        features = self._model.extract_features([word], RATE, cache=False)
        near = self._neighbours.of(features[0])
        likely = ", ".join(f"{name} (cosine {cosine:.2f})" for _, name, cosine in near)
        return Answer(f"Nearest: {likely}.", partial(self._draw, word, *near[0][:2]))

    def _draw(self, word: np.ndarray, row: int, name: str) -> Figure:
        nearest = audio.read_audio(self._neighbours.train.recordings[row])
        both = [audio.log_mel(waveform) for waveform in (word, nearest)]
        return spectrograms(both, ["this recording", f"nearest: {name}"])

    def _arrange(self, ipywidgets: Any) -> list:
        self.button = ipywidgets.HTML(BUTTON)
        self.received = ipywidgets.Textarea(layout={"display": "none"})
        self.received.observe(self._received, "value")
        self.control.layout.width = "auto"
        line = ipywidgets.HBox([self.button, self.control, self.received])
        line.add_class("record-a-word")
        return [line, self.words, self.picture]

    def _received(self, change: dict) -> None:
        text = change["new"]
        if not text:
            return
        self.received.value = ""  # so that no notebook keeps it
        self.control.value = OWN
        try:
            if text.startswith("!"):
                raise UserInputError(
                    f"The browser has not recorded anything: {text[1:]}. Allow this page "
                    "to use the microphone, or pass a file's path to the widget's answer()."
                )
            samples = np.frombuffer(base64.b64decode(text), "<i2")
            self._display(self.answer(samples, RATE))
        except TLCourseError as error:
            self.words.value, self.picture.value = Answer(str(error)).words, ""

    def _update(self, value: int) -> None:
        if value != OWN:
            super()._update(value)


def _without_silence(waveform: np.ndarray) -> np.ndarray:
    """The waveform from its first to its last loud frame, with a margin."""
    frames = waveform[: len(waveform) // FRAME * FRAME].reshape(-1, FRAME)
    if not len(frames):
        return waveform
    power = np.square(frames).mean(axis=1)
    loud = np.flatnonzero(power >= power.max() / 10 ** (RANGE / 10))
    first, last = max(0, loud[0] - MARGIN), loud[-1] + 1 + MARGIN
    return waveform[first * FRAME : last * FRAME]
