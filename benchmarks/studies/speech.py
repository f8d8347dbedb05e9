"""Lesson 08: one example per word, few labels per digit, and what does not transfer.

Languages are measured with recordings of four Debian packages, which apt-get downloads;
where there is none, that part is left out.
"""

import statistics
import subprocess
import tempfile
import time
from pathlib import Path

import numpy as np
from scipy.fft import dct

import tlcourse as tl
from tlcourse.errors import DatasetUnavailable

FRAMES = 40  # to which a spectrogram is stretched where the network is not used
COEFFICIENTS = 13  # as many as is usual in speech recognition
SEEDS = (0, 1, 2, 3, 4)
LABELS = (1, 2, 5, 10, 20)  # of each digit
SCRATCH_LABELS = (5, 20)  # a convolutional network takes longer
EPOCHS, BATCH, RATE = 60, 16, 1e-3
RUNS = 7  # of each time
VOICES = {  # Debian package and folder in it → language
    "asterisk-core-sounds-it-wav/it_IT_m_Carlo": "Italian",
    "asterisk-prompt-it-menardi-wav/it_IT_f_Menardi": "Italian",
    "asterisk-core-sounds-fr-wav/fr_CA_f_June": "French",
    "asterisk-prompt-fr-armelle/fr": "French",
    "asterisk-core-sounds-es-wav/es_MX_f_Allison": "Spanish",
    "asterisk-prompt-es-co/es": "Spanish",
}
SHORTEST, RECORDINGS, RATE_OF_PROMPTS = 1.0, 100, 8000  # seconds; of each voice; Hz
FORMATS = {  # GSM files have no header
    ".wav": {},
    ".gsm": {"format": "RAW", "subtype": "GSM610", "samplerate": 8000, "channels": 1},
}


def speech() -> dict:
    model = tl.load_pretrained_model("speech_embedding")
    measured = {"words": words(model)}
    for part in (digits, languages):
        try:
            measured[part.__name__] = part(model)
        except (DatasetUnavailable, OSError, subprocess.CalledProcessError) as error:
            print(f"{part.__name__}: left out, {error}")
    return measured


def words(model) -> dict:
    """Accuracy of the nearest neighbour among one recording per word, both ways."""
    data = tl.load_dataset("words")
    splits = (data.train.recordings, data.test.recordings)
    measured = {}
    for name, embed in _embeddings(model).items():
        first, second = map(embed, splits)
        for centred in (False, True):
            rows = [x - centred * x.mean(axis=0) for x in (first, second)]
            right = (_nearest(*rows), _nearest(*rows[::-1]))
            label = f"{name}, each voice's mean removed" if centred else name
            measured[label] = [round(float(each.mean()), 4) for each in right]
    return {"recordings": len(data.train), "accuracy": measured}


def speed() -> dict:
    """Recordings per second without the cache, and seconds of sound in a second."""
    model = tl.load_pretrained_model("speech_embedding")
    recordings = tl.load_dataset("words").train.recordings
    sound = sum(len(tl.audio.read_audio(path)) for path in recordings)
    seconds = []
    for _ in range(1 + RUNS):  # the first one starts the engine
        start = time.perf_counter()
        model.extract_features(recordings, cache=False)
        seconds.append(time.perf_counter() - start)
    median = statistics.median(seconds[1:])
    return {
        "recordings_per_second": round(len(recordings) / median, 1),
        "real_time_factor": round(sound / model.sample_rate / median, 1),
        "runs": RUNS,
    }


def digits(model) -> dict:
    """Accuracy for a voice not heard in training: all voices in turn, five seeds."""
    data = tl.load_dataset("spoken_digits")
    splits = data.splits.values()
    recordings = np.concatenate([split.recordings for split in splits])
    labels = np.concatenate([split.labels for split in splits])
    voices = np.concatenate([split.groups for split in splits])
    spectrograms = np.stack([_stretched(model, path) for path in recordings])
    rows = {
        "speech_embedding": model.extract_features(recordings),
        "log-mel": spectrograms.reshape(len(recordings), -1),
        "MFCC": np.stack([_mfcc(each).ravel() for each in spectrograms]),
        "from scratch": spectrograms,
    }
    measured = {}
    for name, features in rows.items():
        measured[name] = {}
        for count in SCRATCH_LABELS if name == "from scratch" else LABELS:
            accuracies = []
            for voice in np.unique(voices):
                test = voices == voice
                for seed in SEEDS:
                    train = _sample(np.flatnonzero(~test), labels, count, seed)
                    fit = _scratch if name == "from scratch" else _probe
                    predicted = fit(
                        features[train], labels[train], features[test], seed
                    )
                    accuracies.append(float(np.mean(predicted == labels[test])))
            measured[name][count] = [round(each, 4) for each in accuracies]
    return {"voices": np.unique(voices).tolist(), "seeds": SEEDS, "accuracy": measured}


def languages(model) -> dict:
    """Accuracy of naming the language of a voice not heard in training."""
    with tempfile.TemporaryDirectory() as folder:
        rows = {
            name: model.extract_features(_prompts(name, Path(folder)), RATE_OF_PROMPTS)
            for name in VOICES
        }
    names, accuracies = list(VOICES), []
    for first in range(2):  # which voice of each language is for training
        train, test = names[first::2], names[1 - first :: 2]
        probe = tl.train_classifier(
            np.concatenate([rows[name] for name in train]),
            np.concatenate([[VOICES[name]] * len(rows[name]) for name in train]),
        )
        right = [probe.predict(rows[name]) == VOICES[name] for name in test]
        accuracies.append(round(float(np.concatenate(right).mean()), 4))
    counts = {name: len(each) for name, each in rows.items()}
    return {"recordings": counts, "accuracy": accuracies, "chance": round(1 / 3, 4)}


def _embeddings(model) -> dict:
    def log_mel(recordings):
        return np.stack([_stretched(model, path).ravel() for path in recordings])

    def mfcc(recordings):
        return np.stack([_mfcc(_stretched(model, path)).ravel() for path in recordings])

    return {
        "speech_embedding": model.extract_features,
        "log-mel": log_mel,
        "MFCC": mfcc,
    }


def _stretched(model, path) -> np.ndarray:
    """A spectrogram, stretched to a fixed number of frames: (40, 32)."""
    spectrogram = tl.audio.log_mel(tl.audio.read_audio(path))
    frames = np.linspace(0, len(spectrogram) - 1, FRAMES)
    return spectrogram[np.rint(frames).astype(int)]


def _mfcc(spectrogram: np.ndarray) -> np.ndarray:
    """Mel-frequency cepstral coefficients, the first 13: (frames, 32) → (frames, 13)."""
    return dct(spectrogram, norm="ortho")[:, :COEFFICIENTS]


def _nearest(known: np.ndarray, asked: np.ndarray) -> np.ndarray:
    """For each word: whether the nearest known recording is the same word."""
    unit = [x / np.linalg.norm(x, axis=1, keepdims=True) for x in (known, asked)]
    return (unit[1] @ unit[0].T).argmax(axis=1) == np.arange(len(asked))


def _sample(rows, labels, count: int, seed: int) -> np.ndarray:
    order = np.random.default_rng(seed).permutation(rows)
    return np.concatenate(
        [order[labels[order] == digit][:count] for digit in np.unique(labels)]
    )


def _probe(features, labels, asked, seed: int) -> np.ndarray:
    return tl.train_classifier(features, labels).predict(asked)


def _scratch(pictures, labels, asked, seed: int) -> np.ndarray:
    """A small convolutional network with random weights, on spectrograms."""
    import keras
    from keras import layers

    keras.utils.set_random_seed(seed)
    network = keras.Sequential(
        [
            keras.Input((*pictures.shape[1:], 1)),
            layers.Normalization(mean=pictures.mean(), variance=pictures.var()),
            layers.Conv2D(16, 3, activation="relu"),
            layers.MaxPooling2D(),
            layers.Conv2D(32, 3, activation="relu"),
            layers.MaxPooling2D(),
            layers.Flatten(),
            layers.Dropout(0.5),
            layers.Dense(10, activation="softmax"),
        ]
    )
    network.compile(keras.optimizers.Adam(RATE), "sparse_categorical_crossentropy")
    rows = pictures[..., np.newaxis]
    network.fit(rows, labels, BATCH, EPOCHS, verbose=0)
    return network.predict(asked[..., np.newaxis], verbose=0).argmax(axis=1)


def _prompts(name: str, folder: Path) -> list[np.ndarray]:
    """A hundred prompts of a voice that last a second or longer: (samples,) each."""
    package, voice = name.split("/")
    unpacked = folder / package
    quiet = {"cwd": folder, "check": True, "capture_output": True}
    subprocess.run(["apt-get", "download", package], **quiet)
    (file,) = folder.glob(f"{package}_*.deb")
    subprocess.run(["dpkg", "-x", file, unpacked], **quiet)
    files = (unpacked / "usr/share/asterisk/sounds" / voice).iterdir()
    sounds = map(_samples, sorted(path for path in files if path.suffix in FORMATS))
    long = [x for x in sounds if len(x) > SHORTEST * RATE_OF_PROMPTS and np.ptp(x)]
    return long[:: max(1, -(-len(long) // RECORDINGS))]


def _samples(path: Path) -> np.ndarray:
    import soundfile

    return soundfile.read(path, dtype="float32", **FORMATS[path.suffix])[0]
