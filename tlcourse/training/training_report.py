"""What a learner sees of a training: a live curve in a notebook, one line an epoch elsewhere."""

import sys
from typing import TYPE_CHECKING

from ..progress import in_notebook, is_off

if TYPE_CHECKING:
    from IPython.display import DisplayHandle


class TrainingReport:
    """Shows one training. `TQDM_DISABLE=1` turns it off, as it does progress bars."""

    def __init__(self, epochs: int) -> None:
        self._epochs = epochs
        self._display: DisplayHandle | None = None
        self._off = is_off()

    def start(
        self, kind: str, learned_from: int, held_out: int, seconds: float
    ) -> None:
        """Say what is going to be done, and how long it will take."""
        judged = f", {held_out:,} are held out" if held_out else ""
        epochs = "1 epoch" if self._epochs == 1 else f"{self._epochs} epochs"
        self._line(
            f"Fine-tuning on {learned_from:,} {kind}{judged}: {epochs} of about "
            f"{duration(seconds / self._epochs)}, {duration(seconds)} in all."
        )

    def epoch(self, rows: list[dict], probe: dict) -> None:
        """An epoch is done, the last of these: a line, or a point on the curve."""
        row = rows[-1]
        left = (self._epochs - row["epoch"]) * row["seconds"]
        parts = [f"epoch {row['epoch']} of {self._epochs}", f"loss {row['loss']:.3f}"]
        if "validation_accuracy" in row:
            parts.append(f"validation accuracy {row['validation_accuracy']:.1%}")
        parts.append(duration(row["seconds"]))
        text = ", ".join(parts) + (f", {duration(left)} left" if left else "")
        if not self._off and in_notebook():
            self._draw(rows, probe, text)
        else:
            self._line(text)

    def warn(self, sentence: str) -> None:
        """Something is likely to be wrong with what came out, or nothing ("")."""
        if sentence:
            self._line(f"Warning: {sentence}")

    def _line(self, text: str) -> None:
        if not self._off:
            print(text, file=sys.stdout if in_notebook() else sys.stderr, flush=True)

    def _draw(self, rows: list[dict], probe: dict, text: str) -> None:
        from IPython.display import display

        from ..plots import training

        names = {
            "loss": "loss",
            "validation_loss": "val_loss",
            "validation_accuracy": "val_accuracy",
        }
        history = {
            name: [row[key] for row in rows]
            for key, name in names.items()
            if key in rows[0]
        }
        baseline = {name: probe[key] for key, name in names.items() if key in probe}
        figure = training(history, text, self._epochs, baseline)
        if self._display is None:
            self._display = display(figure, display_id=True)
        else:
            self._display.update(figure)


def duration(seconds: float) -> str:
    """ "41 s", "6 min", "2 h 10 min"."""
    if seconds < 99.5:
        return f"{seconds:.0f} s" if seconds >= 1 else "1 s"
    minutes = round(seconds / 60)
    return (
        f"{minutes} min" if minutes < 100 else f"{minutes // 60} h {minutes % 60} min"
    )
