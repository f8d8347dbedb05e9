"""Google's speech_embedding: spoken words in, 96 features out."""

from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from .. import validation
from ..cards import bundled_file
from ..features import audio, log_mel
from ..features import engine as engines
from ..features.cache import digest_of
from ..native import import_tensorflow
from . import conversion

if TYPE_CHECKING:
    import keras

NAME, FEATURES = "speech_embedding", 96
FRAMES, STEP = 76, 8  # of a window, and between windows: 0.76 and 0.08 seconds
MARGIN = audio.SAMPLE_RATE // 2  # samples of silence before and after a recording
SLOPE, FLOOR = 0.2, -0.4  # of the activation: leaky ReLU, and never below the floor
# Kernels (time, pitch) of 1 × 3 are padded in pitch, those of 3 × 1 not at all.
ALTERNATING = ((1, 3), (3, 1), (1, 3), (3, 1))
BLOCKS: dict[str, tuple[int, tuple[tuple[int, int], ...], tuple[int, int]]] = {
    # block: channels, kernels of its convolutions, size of its pooling
    "block1": (24, ((3, 3), (1, 3), (3, 1)), (2, 2)),
    "block2": (48, ALTERNATING, (1, 2)),
    "block3": (72, ALTERNATING, (2, 2)),
    "block4": (96, ALTERNATING, (1, 2)),
    "block5": (96, ALTERNATING, (2, 2)),
}


class PretrainedSpeechModel:
    """The speech embedding. Made by `tl.load_pretrained_model("speech_embedding")`.

    Trained by J. Lin et al., "Training Keyword Spotters with Limited and Synthesized
    Speech Data" (ICASSP 2020), to tell 5,000 keywords in 200 million clips apart.

    Attributes
    ----------
    name : str
    sample_rate : int
        16,000 samples per second; recordings with others are resampled.
    """

    name, kind = NAME, "recordings"
    feature_dim, sample_rate = FEATURES, audio.SAMPLE_RATE

    def __init__(self, precision: str = "float32") -> None:
        validation.one_of("precision of speech_embedding", precision, ("float32",))
        self._path = bundled_file("speech", f"{NAME}.onnx")

    def __repr__(self) -> str:
        return (
            f"<{self.name}: speech, {self.sample_rate:,} samples per second → "
            f"{FEATURES} features, {len(self.blocks)} blocks>"
        )

    @property
    def blocks(self) -> dict[str, list[str]]:
        """Block name → names of its layers with weights, from input to output."""
        blocks = {
            block: [_conv_name(block, number) for number in range(len(kernels))]
            for block, (_, kernels, _) in BLOCKS.items()
        }
        return blocks | {"embedding": ["embedding_conv"]}

    @cached_property
    def network(self) -> "keras.Model":
        """The network: log-mel spectrograms (n, frames, 32, 1) → features (n, 96).

        It sees 76 frames at a time, every 8 frames, and averages.
        """
        return build_network(conversion.read_weights(self._path))

    def copy_network(self) -> "keras.Model":
        """Copy the network: training the copy leaves `self.network` as it is."""
        return build_network(self._weights())

    def spectrogram(self, waveform: np.ndarray) -> np.ndarray:
        """Make a waveform into the network's input: its log-mel spectrogram.

        Half a second of silence is added before and after, so that a word shorter than
        the network's 0.76 seconds is seen early, in the middle and late.

        Parameters
        ----------
        waveform : ndarray of shape (samples,)
            Floats in [-1, 1], 16,000 per second, as `tl.audio.read_audio` returns.

        Returns
        -------
        ndarray of shape (frames, 32, 1), float32

        Raises
        ------
        UserInputError
            Another shape or type, no samples, or values that are not finite.

        Examples
        --------
        >>> import numpy as np
        >>> import tlcourse as tl
        >>> model = tl.load_pretrained_model("speech_embedding")
        >>> model.spectrogram(np.sin(np.arange(16_000) / 20)).shape
        (197, 32, 1)
        """
        samples = log_mel.check_waveform(waveform)
        return audio.log_mel(np.pad(samples, MARGIN))[..., np.newaxis]

    def extract_features(
        self,
        recordings: audio.Recordings,
        sample_rate: int | None = None,
        cache: bool = True,
    ) -> np.ndarray:
        """Extract each recording's features.

        Those computed before come from the cache. After Ctrl-C the same call continues.

        Parameters
        ----------
        recordings
            Paths of WAV, FLAC, OGG, MP3 or AIFF files, or arrays (samples,) or
            (samples, channels): floats in [-1, 1], or integers of 16 or 32 bits. One,
            or a sequence of them.
        sample_rate : int, optional
            Samples per second of arrays; files say their own.
        cache : bool
            False: compute everything, and keep nothing.

        Returns
        -------
        ndarray of shape (n, 96), float32

        Raises
        ------
        UserInputError
            Something is no recording, is silent, or is longer than ten minutes.

        Examples
        --------
        >>> import tlcourse as tl
        >>> words = tl.load_dataset("words")
        >>> model = tl.load_pretrained_model("speech_embedding")
        >>> model.extract_features(words.train.recordings[:2]).shape
        (2, 96)
        """
        name = self.name if validation.flag("cache", cache) else None
        return audio.recording_features(
            self._engine(), recordings, sample_rate, self.spectrogram, name
        )

    def _weights(self) -> dict[str, np.ndarray]:
        """The weights that the network has now, by `<layer>/<weight>`."""
        if "network" not in self.__dict__:  # not built by cached_property
            return conversion.read_weights(self._path)
        return {
            f"{layer.name}/{weight.name}": weight.numpy()
            for layer in self.network.layers
            for weight in layer.weights
        }

    def _engine(self) -> engines.Engine:
        """The engine, with the weights that the network has now."""
        weights = self._weights()
        key = digest_of(weights[name] for name in sorted(weights)).hex()

        def make() -> engines.Engine:
            import onnx

            model = onnx.load(self._path)
            conversion.replace_weights(model, weights)
            return engines.OnnxEngine(model.SerializeToString(), key, (FEATURES,))

        return engines.remembered((NAME, key), make)


def _conv_name(block: str, number: int) -> str:
    return f"{block}_{'abcd'[number]}_conv"


def build_network(weights: dict[str, np.ndarray]) -> "keras.Model":
    """Build the network in Keras: 20 convolutions, 328,224 parameters.

    `weights` are arrays by `<layer>/<weight>`.
    """
    import_tensorflow()
    import keras
    from keras import layers, ops

    spectrogram = keras.Input((None, log_mel.BANDS, 1), name="log_mel")
    x = layers.ZeroPadding2D((0, 1), name="padding")(spectrogram)
    for block, (channels, kernels, pool) in BLOCKS.items():
        for number, kernel in enumerate(kernels):
            name = _conv_name(block, number)
            padding = "same" if kernel == (1, 3) else "valid"
            x = layers.Conv2D(channels, kernel, padding=padding, name=name)(x)
            x = layers.LeakyReLU(SLOPE, name=name.replace("conv", "leaky_relu"))(x)
            x = ops.maximum(x, FLOOR)
        x = layers.MaxPooling2D(pool, name=f"{block}_pool")(x)
    x = layers.Conv2D(FEATURES, (3, 1), name="embedding_conv")(x)
    x = layers.GlobalAveragePooling2D(name="average_pooling")(x)
    network = keras.Model(spectrogram, x, name=NAME)
    for layer in network.layers:
        if layer.weights:
            layer.set_weights(
                [weights[f"{layer.name}/{w.name}"] for w in layer.weights]
            )
    return network
