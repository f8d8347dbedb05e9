"""TensorFlow's start: in silence, and with memory set up for one batch after the other."""

import logging
import sys
from importlib.util import find_spec
from types import ModuleType

from .errors import WeightsUnavailable, how_to_install
from .freed_memory import keep_freed_memory
from .interrupts import ctrl_c_waits
from .silence import stderr_silenced


def import_tensorflow() -> "ModuleType":
    """Import TensorFlow without its start-up log, which would stand in red in every notebook.

    The log is written before any log level is in force.

    Raises:
        WeightsUnavailable: TensorFlow is not installed.
    """
    check_tensorflow()
    for logger in ("tensorflow", "absl"):
        logging.getLogger(logger).addFilter(_is_no_lecture)
    if "tensorflow" in sys.modules:
        return sys.modules["tensorflow"]
    keep_freed_memory()
    with ctrl_c_waits(), stderr_silenced():
        import tensorflow as tf

        tf.config.list_logical_devices()  # starts the devices, the second and last thing that is logged
    return tf


def check_tensorflow() -> None:
    """Refuse to go on where TensorFlow is not installed, without starting it; raises as `import_tensorflow`."""
    if find_spec("tensorflow") is None:
        raise WeightsUnavailable(f"TensorFlow is not installed. {how_to_install()}.")


_LECTURES = (
    "triggered tf.function retracing",  # to whoever makes six networks; each of them is another one
    "providing the trackable_obj argument",  # to `conversion.convert`, which says why it does not
)


def _is_no_lecture(record: logging.LogRecord) -> bool:
    """Whether a line of TensorFlow's log is for the learner, and not about what this package does on purpose."""
    return not any(words in record.getMessage() for words in _LECTURES)
