"""The speech embedding, its front end, and the recordings that it takes."""

import json
import re
import shutil
import tarfile
from pathlib import Path

import numpy as np
import pytest
import soundfile

import tlcourse as tl
from tlcourse.datasets import spoken
from tlcourse.errors import DamagedFile, DatasetUnavailable, UserInputError
from tlcourse.features.audio import as_waveform
from tlcourse.features.log_mel import mel_filters

ROOT = Path(__file__).resolve().parent.parent
RATE = 16_000


@pytest.fixture(scope="module")
def model():
    return tl.load_pretrained_model("speech_embedding")


@pytest.fixture(scope="module")
def words():
    return tl.load_dataset("words")


def tone(rate=RATE, seconds=1.0, hertz=440.0):
    return 0.5 * np.sin(2 * np.pi * hertz * np.arange(round(rate * seconds)) / rate)


def test_one_recording_per_word_is_enough_for_most_words_in_the_other_voice(
    model, words
):
    rows = [
        model.extract_features(split.recordings) for split in (words.train, words.test)
    ]
    known, asked = (x / np.linalg.norm(x, axis=1, keepdims=True) for x in rows)
    right = (asked @ known.T).argmax(axis=1) == np.arange(86)
    assert right.mean() > 0.7  # chance is 0.012


def test_keras_and_onnx_agree(model, words):
    waveform = tl.audio.read_audio(words.train.recordings[0])
    expected = model.network(model.spectrogram(waveform)[None], training=False)
    assert model.extract_features(waveform, RATE, cache=False) == pytest.approx(
        np.asarray(expected), abs=1e-3
    )


def test_features_follow_changed_weights(words):
    model = tl.load_pretrained_model("speech_embedding")
    before = model.extract_features(words.train.recordings[:2])
    layer = model.network.get_layer("embedding_conv")
    layer.set_weights([2 * weight for weight in layer.get_weights()])
    after = model.extract_features(words.train.recordings[:2])
    assert after == pytest.approx(2 * before, rel=1e-4, abs=1e-3)


def test_a_copy_is_trained_without_changing_the_network(model):
    before, copy = model.network.get_weights(), model.copy_network()
    copy.set_weights([0 * weight for weight in copy.get_weights()])
    for one, other in zip(model.network.get_weights(), before, strict=True):
        assert np.array_equal(one, other)


def test_the_conversion_agreed_with_the_original_when_it_was_built():
    agreement = json.loads((ROOT / "data/speech/agreement.json").read_text())
    assert max(agreement["largest_difference"].values()) <= 1e-3
    assert agreement["largest_difference_of_log_mel"] <= 1e-4


def test_blocks_name_every_layer_with_weights(model):
    names = [name for inside in model.blocks.values() for name in inside]
    assert names == [layer.name for layer in model.network.layers if layer.weights]


@pytest.mark.parametrize("hertz", [200, 1000, 3000])
def test_a_tone_is_loudest_in_its_band(hertz):
    loudness = tl.audio.log_mel(tone(hertz=hertz)).mean(axis=0)
    filters = mel_filters()
    nearest = round(hertz * 512 / RATE)
    assert loudness.argmax() == filters[nearest].argmax()


def test_each_band_has_area_one_and_silence_is_eighty_decibels_down():
    steps = RATE / 512
    assert mel_filters().sum(axis=0) * steps == pytest.approx(1, abs=0.2)
    padded = tl.audio.log_mel(np.pad(tone(), (0, RATE)))
    assert padded.max() - padded.min() == pytest.approx(8, abs=1e-3)


@pytest.mark.parametrize("rate", [4_000, 8_000, 11_025, 44_100, 48_000, 192_000])
def test_any_usual_sample_rate_gives_the_same_sound(rate):
    resampled = as_waveform(tone(rate), rate)
    assert len(resampled) == RATE and resampled.dtype == np.float32
    inside = slice(1000, -1000)
    assert resampled[inside] == pytest.approx(tone()[inside], abs=0.01)


@pytest.mark.parametrize("suffix", ["wav", "flac", "ogg"])
def test_files_of_all_formats_are_read_and_mixed_down(tmp_path, suffix):
    path = tmp_path / f"stereo.{suffix}"
    soundfile.write(path, np.stack([tone(), 0 * tone()], axis=1), RATE)
    assert tl.audio.read_audio(path) == pytest.approx(tone() / 2, abs=0.05)


@pytest.mark.parametrize("dtype", [np.int16, np.int32])
def test_integers_are_scaled(dtype):
    scaled = (tone() * np.iinfo(dtype).max).astype(dtype)
    assert as_waveform(scaled, RATE) == pytest.approx(tone(), abs=1e-3)


@pytest.mark.parametrize(
    ("samples", "rate", "words_of_the_message"),
    [
        (tone(), 1, "sample_rate"),
        (tone(), 384_000, "sample_rate"),
        (np.zeros(RATE), RATE, "silent"),
        (300 * tone(), RATE, "Divide 16-bit values by 32768"),
        (np.full(RATE, np.nan), RATE, "not finite"),
        (np.zeros((2, RATE)), RATE, "transpose"),
        (np.zeros((2, 2, 2)), RATE, "expected samples"),
        (np.array([]), RATE, "expected samples"),
        (np.array(["a"]), RATE, "expected samples"),
        ([[0.1], [0.1, 0.2]], RATE, "expected samples"),
        (np.arange(RATE), RATE, "expected samples"),  # 64 bits
        (tone().astype(np.float16).view(np.int8), RATE, "expected samples"),
        (tone(48_000, hertz=20_000), 48_000, "silent"),
        (np.broadcast_to(np.float32(0.1), 601 * RATE), RATE, "10 minutes"),
    ],
)
def test_what_is_no_recording_gets_a_sentence(samples, rate, words_of_the_message):
    with pytest.raises(UserInputError, match=words_of_the_message):
        as_waveform(samples, rate)


@pytest.mark.parametrize(
    ("recordings", "words_of_the_message"),
    [
        ([], "at least one"),
        (7, "expected paths"),
        ("missing.wav", "no file"),
        ([tone()], "sample_rate"),
        ([b"sound"], "expected a path"),
        ([0.1, 0.2], "np.array"),
        (np.zeros((2, RATE)), "sample_rate"),
    ],
)
def test_extract_features_says_what_it_expects(model, recordings, words_of_the_message):
    with pytest.raises(UserInputError, match=words_of_the_message):
        model.extract_features(recordings)


def test_a_file_that_is_no_recording_gets_a_sentence(tmp_path):
    path = tmp_path / "notes.wav"
    path.write_text("no sound")
    with pytest.raises(UserInputError, match="no recording that can be read"):
        tl.audio.read_audio(path)


def test_an_array_with_channels_is_one_recording(model):
    stereo = np.stack([tone(), tone()], axis=1)
    one = model.extract_features(stereo, RATE, cache=False)
    assert one == pytest.approx(model.extract_features(tone(), RATE, cache=False))
    with pytest.raises(UserInputError, match="transpose"):
        model.extract_features(stereo.T, RATE)


@pytest.mark.parametrize(
    "waveform", [np.zeros(100), np.zeros((RATE, 2)), np.zeros(RATE, np.int16)]
)
def test_a_log_mel_spectrogram_of_something_else_is_refused(waveform):
    with pytest.raises(UserInputError, match="expected finite floats"):
        tl.audio.log_mel(waveform)


@pytest.mark.parametrize(
    "waveform",
    [np.zeros(0), np.zeros((RATE, 2)), np.zeros(RATE, np.int16), np.full(RATE, np.nan)],
)
def test_a_networks_input_of_something_else_is_refused_as_it_was_given(model, waveform):
    shape = re.escape(str(waveform.shape))
    with pytest.raises(UserInputError, match=f"{shape}; expected finite floats"):
        model.spectrogram(waveform)


def test_features_are_computed_once(model, monkeypatch, tmp_path):
    monkeypatch.setenv("TLCOURSE_CACHE", str(tmp_path))
    first = model.extract_features(tone(), RATE)
    monkeypatch.setattr(type(model), "spectrogram", None)  # would fail
    assert np.array_equal(model.extract_features(tone(), RATE), first)


def test_very_short_recordings_have_features(model):
    assert model.extract_features(tone(seconds=0.01), RATE, cache=False).shape == (
        1,
        96,
    )


def test_int8_and_input_size_are_refused():
    with pytest.raises(UserInputError, match="precision"):
        tl.load_pretrained_model("speech_embedding", precision="int8")
    with pytest.raises(UserInputError, match="input_size"):
        tl.load_pretrained_model("speech_embedding", input_size=96)


def test_words_are_split_by_voice(words):
    assert len(words.train) == len(words.test) == len(words.class_names) == 86
    assert set(words.train.groups) == {"Carlo"} and set(words.test.groups) == {"Paola"}
    assert words.train.kind == words.validation.kind == "recordings"
    assert words.train_and_validation.kind == "recordings"
    with pytest.raises(UserInputError, match="recordings"):
        words.train.images  # noqa: B018


@pytest.fixture
def digits_pack(tmp_path, monkeypatch):
    for voice in ("george", spoken.VALIDATION, spoken.TEST):
        folder = tmp_path / spoken.DIGITS_FOLDER / voice
        folder.mkdir(parents=True)
        for digit in range(10):
            soundfile.write(folder / f"{digit}_{voice}_0.wav", tone(), RATE)
        (folder / "README.md").write_text("not a recording")
    monkeypatch.setenv("TLCOURSE_PACKS", str(tmp_path))
    return tmp_path / spoken.DIGITS_FOLDER


def test_spoken_digits_of_a_pack_are_split_by_voice(digits_pack):
    digits = tl.load_dataset("spoken_digits")
    assert set(digits.test.groups) == {spoken.TEST}
    assert set(digits.validation.groups) == {spoken.VALIDATION}
    assert digits.train.labels.tolist() == list(range(10))


@pytest.mark.parametrize(
    "lost", ["theo/3_theo_0.wav", "george", "yweweler/9_yweweler_0.wav"]
)
def test_spoken_digits_that_were_cut_short_are_refused(digits_pack, lost):
    path = digits_pack / lost
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    with pytest.raises(DamagedFile, match="not whole.*tlcourse fetch spoken_digits"):
        tl.load_dataset("spoken_digits")


@pytest.fixture
def offered_archive(digits_pack, tmp_path, monkeypatch):
    """Instead of a download: an archive of the pack's recordings, and an empty cache."""
    monkeypatch.setenv("TLCOURSE_PACKS", "")
    monkeypatch.setenv("TLCOURSE_CACHE", str(tmp_path / "cache"))
    offered = tmp_path / "offered.tar.gz"
    with tarfile.open(offered, "w:gz") as written:
        for path in digits_pack.rglob("*.wav"):
            written.add(path, f"free-spoken-digit-dataset-1.0.9/recordings/{path.name}")
    asked = []

    def download(url, path, sha256):
        asked.append((url, sha256))
        shutil.copy(offered, path)

    monkeypatch.setattr(spoken, "download", download)
    return asked


def test_fetched_digits_have_the_published_checksum_and_a_folder_per_voice(
    offered_archive,
):
    spoken.fetch_spoken_digits()
    ((url, sha256),) = offered_archive
    assert url.startswith("https://") and len(sha256) == 64
    digits = tl.load_dataset("spoken_digits")
    assert len(digits.train) == len(digits.test) == 10
    kept = spoken.digits_folder().parent
    others = {path.name for path in kept.iterdir()} - {"CACHEDIR.TAG"}
    assert others == {spoken.DIGITS_FOLDER}


def test_a_download_of_digits_that_fails_leaves_nothing(offered_archive, monkeypatch):
    def fail(url, path, sha256):
        path.write_bytes(b"half")
        raise OSError("the connection was reset")

    monkeypatch.setattr(spoken, "download", fail)
    with pytest.raises(DatasetUnavailable, match="connection was reset"):
        spoken.fetch_spoken_digits()
    assert spoken.digits_folder() is None
    left = [path.name for path in spoken.cache_folder().iterdir()]
    assert left in ([], ["CACHEDIR.TAG"])


def test_without_spoken_digits_the_message_says_how_to_get_them(tmp_path, monkeypatch):
    monkeypatch.setenv("TLCOURSE_PACKS", "")
    monkeypatch.setenv("TLCOURSE_CACHE", str(tmp_path))
    with pytest.raises(DatasetUnavailable, match="tlcourse fetch spoken_digits"):
        tl.load_dataset("spoken_digits")


def test_an_archive_cannot_write_outside_its_folder(tmp_path):
    inside, archive = tmp_path / "0_jackson_0.wav", tmp_path / "digits.tar.gz"
    soundfile.write(inside, tone(), RATE)
    with tarfile.open(archive, "w:gz") as written:
        written.add(inside, "recordings/0_jackson_0.wav")
        written.add(inside, "../../1_jackson_0.wav")
        written.add(inside, "recordings/setup.py")
    target = tmp_path / "target"
    target.mkdir()
    spoken._unpack(archive, target)
    assert sorted(path.name for path in target.rglob("*.*")) == [
        "0_jackson_0.wav",
        "1_jackson_0.wav",
    ]
