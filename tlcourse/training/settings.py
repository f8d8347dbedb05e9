"""How the last blocks are trained: the settings of `fine_tune`, their defaults and bounds."""

from dataclasses import asdict, dataclass

import numpy as np

from ..errors import UserInputError
from ..validation import shown


@dataclass(frozen=True)
class Settings:
    """How the last blocks are trained.

    Attributes:
        epochs: how often every picture is seen, one of its views at a time.
        batch_size: pictures a step.
        learning_rate: at the end of the warm-up, which is the first twelfth; from there it falls to 0 along a cosine
            (I. Loshchilov and F. Hutter, "SGDR", ICLR 2017).
        weight_decay: of AdamW (the same, "Decoupled Weight Decay Regularization", ICLR 2019); a step takes away
            learning_rate × weight_decay of a weight. Biases and batch norms are left out.
        dropout: share of the features that are left out at random in a step.
        label_smoothing: share of the target that is spread evenly over all classes.
        patience: epochs without progress on the held-out rows after which training ends. The first epochs may well be
            worse than the probe: as the learning rate falls, the best ones come last.
        seed: of the held-out rows, the order, the views and the dropout.
    """

    epochs: int = 10
    batch_size: int = 32
    learning_rate: float = 2e-4
    weight_decay: float = 4e-3
    dropout: float = 0.3
    label_smoothing: float = 0.0
    patience: int = 10
    seed: int = 0

    def __post_init__(self) -> None:
        for name, low, high, whole in (
            ("epochs", 1, 10_000, True),
            ("batch_size", 1, 4096, True),
            ("learning_rate", 0, 1, False),
            ("weight_decay", 0, 1, False),
            ("dropout", 0, 0.95, False),
            ("label_smoothing", 0, 0.9, False),
            ("patience", 1, 10_000, True),
            ("seed", 0, 2**31 - 1, True),
        ):
            value = getattr(self, name)
            kinds = (
                int | np.integer if whole else int | float | np.integer | np.floating
            )
            if (
                isinstance(value, bool)
                or not isinstance(value, kinds)
                or not low <= value <= high
            ):
                kind = "a whole number" if whole else "a number"
                raise UserInputError(
                    f"{name} is {shown(value)}; expected {kind} from {low:,} to {high:,}."
                )


def settings_from(options: dict) -> Settings:
    """`Settings` from keyword arguments, or a sentence that names the unknown one."""
    known = asdict(Settings())
    unknown = sorted(set(options) - set(known))
    if unknown:
        raise UserInputError(
            f"fine_tune has no setting {shown(unknown[0])}. It has: {', '.join(known)}."
        )
    return Settings(**options)
