"""A progress bar for trainings in plain Keras."""

from typing import Any

import keras

from ..progress import progress_bar


def fit_bar() -> keras.callbacks.Callback:
    """A callback that shows a progress bar while Keras' `fit` runs.

    The bar counts the steps of all epochs, and is gone afterwards: unlike Keras' own it
    leaves no text in a saved notebook. `TQDM_DISABLE=1` turns it off.

    Returns
    -------
    keras.callbacks.Callback

    Examples
    --------
    >>> import keras
    >>> import numpy as np
    >>> import tlcourse as tl
    >>> network = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
    >>> network.compile(loss="mse")
    >>> x, y = np.zeros((8, 3)), np.zeros(8)
    >>> history = network.fit(x, y, epochs=2, callbacks=[tl.fit_bar()], verbose=0)
    """
    return _FitBar()


class _FitBar(keras.callbacks.Callback):
    _bar: Any = None

    def on_train_begin(self, logs: dict | None = None) -> None:
        epochs, steps = self.params["epochs"], self.params["steps"]
        total = epochs * steps if steps else None  # None: a generator without a length
        self._bar = progress_bar(total=total, desc="fit", unit="step")

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        self._steps = 0

    def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
        done = batch + 1  # several at once where `steps_per_execution` is more than 1
        self._bar.update(done - self._steps)
        self._steps = done

    def on_train_end(self, logs: dict | None = None) -> None:
        self._bar.close()
