"""The bar of a `fit` in plain Keras: it counts all steps, and is closed at the end."""

import keras
import numpy as np
import pytest

import tlcourse as tl
from tlcourse.training import fit_bar


class Bar:
    """A bar that notes what is done with it."""

    made: list = []

    def __init__(self, total, **options):
        self.total, self.steps, self.closed = total, 0, False
        Bar.made.append(self)

    def update(self, steps):
        self.steps += steps

    def close(self):
        self.closed = True


@pytest.fixture
def bar_of(monkeypatch):
    """The bar of a training of nine rows in batches of four."""
    monkeypatch.setattr(fit_bar, "progress_bar", Bar)
    network = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])

    def fit(*data, at_once=1, **options):
        network.compile(loss="mse", steps_per_execution=at_once)
        Bar.made.clear()
        network.fit(*data, callbacks=[tl.fit_bar()], verbose=0, **options)
        (bar,) = Bar.made
        return bar

    return fit


def test_it_counts_the_steps_of_all_epochs_and_is_closed(bar_of):
    bar = bar_of(np.zeros((9, 3)), np.zeros(9), batch_size=4, epochs=2)
    assert (bar.total, bar.steps, bar.closed) == (6, 6, True)


def test_steps_that_keras_takes_at_once_are_all_counted(bar_of):
    bar = bar_of(np.zeros((12, 3)), np.zeros(12), batch_size=2, epochs=2, at_once=3)
    assert (bar.total, bar.steps) == (12, 12)


def test_of_a_generator_without_a_length_it_knows_no_total(bar_of):
    batches = ((np.zeros((4, 3)), np.zeros(4)) for _ in range(5))
    with pytest.warns(UserWarning):  # Keras' own: it is a generator, and it ends
        bar = bar_of(batches)
    assert (bar.total, bar.steps, bar.closed) == (None, 5, True)


def test_it_writes_where_a_user_looks_and_leaves_nothing(capsys, monkeypatch):
    """After a second; here at once."""
    monkeypatch.setenv("TQDM_DISABLE", "0")
    real = fit_bar.progress_bar
    monkeypatch.setattr(
        fit_bar, "progress_bar", lambda **options: at_once(real, options)
    )
    network = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
    network.compile(loss="mse")
    network.fit(np.zeros((9, 3)), np.zeros(9), callbacks=[tl.fit_bar()], verbose=0)
    shown = capsys.readouterr()
    assert shown.out == "" and "fit" in shown.err and shown.err.endswith("\r")


def at_once(make, options):
    bar = make(**options)
    bar.delay, bar.mininterval = 0, 0
    bar.start_t -= 10
    return bar
