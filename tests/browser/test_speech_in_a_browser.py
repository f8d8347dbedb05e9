"""Lesson 08 in JupyterLab: recordings are played, and a word is recorded and recognised."""

import wave

import numpy as np
import pytest

import tlcourse as tl

pytestmark = pytest.mark.slow

NAME, WORD = "08_speech", "sette"
ANSWER = 30_000  # milliseconds


@pytest.fixture(scope="module")
def switches(tmp_path_factory):
    """A microphone that hears Paola say a word, after a moment and again and again."""
    test = tl.load_dataset("words").test
    spoken = tl.audio.read_audio(test.recordings[test.class_names.index(WORD)])
    heard = np.pad(spoken, (8_000, 24_000 - len(spoken)))  # two seconds in all
    path = tmp_path_factory.mktemp("microphone") / "heard.wav"
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, 16_000, 0, "NONE", ""))
        file.writeframes((32767 * heard).astype("<i2").tobytes())
    return (
        "--use-fake-ui-for-media-stream",
        "--use-fake-device-for-media-stream",
        f"--use-file-for-fake-audio-capture={path}",
        "--autoplay-policy=no-user-gesture-required",
    )


@pytest.fixture(scope="module")
def lesson(open_lesson):
    lesson = open_lesson(NAME)
    lesson.run_until("RecordAWord")
    return lesson


@pytest.mark.parametrize(("cell", "voice"), [("Audio(carlo,", 0), ("Audio(paola,", 2)])
def test_a_recording_is_played_to_its_end(lesson, cell, voice):
    words = tl.load_dataset("words")
    split = (words.train, words.validation, words.test)[voice]
    path = split.recordings[words.class_names.index(WORD)]
    samples = tl.audio.read_audio(path)
    player = lesson.cell(cell).locator("audio")
    player.wait_for(timeout=ANSWER)
    seconds, peak = player.evaluate(
        """async player => {
            player.load();
            const ended = new Promise(done => player.addEventListener('ended', done));
            await player.play();
            await ended;
            const content = await (await fetch(player.currentSrc)).arrayBuffer();
            const sound = await new OfflineAudioContext(1, 1, 16000).decodeAudioData(content);
            return [player.duration, Math.max(...sound.getChannelData(0).map(Math.abs))];
        }"""
    )
    assert seconds == pytest.approx(len(samples) / 16_000, abs=0.02)
    assert peak == pytest.approx(1, abs=0.01)  # IPython makes the loudest sample 1


def test_a_word_is_recorded_and_its_nearest_recording_named(lesson):
    cell = lesson.cell("RecordAWord")
    cell.get_by_role("button", name="Record a word").click()
    cell.get_by_text(f"Nearest: {WORD} (cosine").wait_for(timeout=ANSWER)
    chosen = "list => list.selectedOptions[0].innerText.trim()"
    assert cell.locator("select").evaluate(chosen).replace("\xa0", " ") == "my own"
    cell.locator("canvas").wait_for(timeout=ANSWER)
    assert lesson.other_hosts == []


def test_what_was_recorded_is_not_in_the_saved_notebook(lesson):
    saved = lesson.save()
    assert "UklGR" in saved  # the players' own WAV
    assert "my own" not in saved


def test_the_microphone_is_off_again_also_after_an_error(lesson):
    lesson.page.evaluate(
        """() => {
            const ask = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
            navigator.mediaDevices.getUserMedia = async options => {
                window.heard = await ask(options);
                return window.heard;
            };
            window.MediaRecorder = undefined;
        }"""
    )
    cell = lesson.cell("RecordAWord")
    cell.get_by_role("button", name="Record a word").click()
    cell.get_by_text("recorded nothing: MediaRecorder").wait_for(timeout=ANSWER)
    states = lesson.page.evaluate(
        "() => window.heard.getTracks().map(track => track.readyState)"
    )
    assert states == ["ended"]


def test_without_a_microphone_there_is_a_sentence_and_the_button_lives_on(lesson):
    lesson.page.evaluate(
        """() => {
            const refuse = () => Promise.reject(new Error('Permission denied'));
            navigator.mediaDevices.getUserMedia = refuse;
        }"""
    )
    cell = lesson.cell("RecordAWord")
    button = cell.get_by_role("button", name="Record a word")
    button.click()
    cell.get_by_text("recorded nothing: Permission denied").wait_for(timeout=ANSWER)
    assert button.is_enabled()
