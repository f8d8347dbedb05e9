"""TensorFlow's start, in silence, with memory set up for batches."""

import logging
import sys
from importlib.util import find_spec
from types import ModuleType

from .errors import WeightsUnavailable, how_to_install
from .freed_memory import keep_freed_memory
from .interrupts import ctrl_c_waits
from .silence import stderr_silenced


def import_tensorflow() -> "ModuleType":
    """Import TensorFlow without its start-up log, which no log level suppresses.

    Raises
    ------
    WeightsUnavailable
        TensorFlow is not installed.
    """
    check_tensorflow()
    for logger in ("tensorflow", "absl"):
        logging.getLogger(logger).addFilter(_is_no_lecture)
    if "tensorflow" in sys.modules:
        return sys.modules["tensorflow"]
    keep_freed_memory()
    with ctrl_c_waits(), stderr_silenced():
        import tensorflow as tf

        tf.config.list_logical_devices()  # starts the devices, which is logged, too
    return tf


def check_tensorflow() -> None:
    """Raise as `import_tensorflow`, without starting TensorFlow."""
    if find_spec("tensorflow") is None:
        raise WeightsUnavailable(f"TensorFlow is not installed. {how_to_install()}.")


_LECTURES = (
    "triggered tf.function retracing",  # each new network is another function
    "providing the trackable_obj argument",  # of `conversion.convert`
)


def _is_no_lecture(record: logging.LogRecord) -> bool:
    """Whether a line of TensorFlow's log is not about what is done here on purpose."""
    return not any(words in record.getMessage() for words in _LECTURES)
