"""A .keras file that somebody else may have written, read by Keras' safe mode."""

import re
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

from .errors import DamagedFile, UserInputError, convert_errors
from .native import import_tensorflow

if TYPE_CHECKING:
    import keras

ENTRIES = ["config.json", "metadata.json", "model.weights.h5"]


def is_safe(version: str) -> bool:
    """Whether safe mode of this Keras neither fetches nor reads other files.

    Earlier versions call functions that the file names, or read other files in place of
    its weights; `tests/test_keras_archive.py` was tried on 3.12.4, 3.13.0 and 3.15.1.
    """
    numbers = tuple(map(int, re.findall(r"\d+", version)[:3]))
    return (3, 12, 4) <= numbers < (3, 13) or numbers >= (3, 15)


def load_network(path: Path) -> "keras.Model":
    """Load a network that somebody else may have saved; it is not compiled.

    Raises
    ------
    UserInputError
        This version of Keras is not safe.
    DamagedFile
        The file is damaged, or holds more than a network of Keras' own layers.
    """
    import_tensorflow()
    import keras

    if not is_safe(keras.__version__):
        raise UserInputError(
            f"Keras {keras.__version__} does not read files of others safely. Take the "
            "variant float32, or update Keras to 3.15 or later."
        )
    what = f"{path} cannot be loaded as a Keras file"
    cure = "Copy the whole folder again, or take another variant."
    # Keras, zipfile and h5py raise a dozen kinds of exceptions.
    with convert_errors(Exception, DamagedFile, what, cure):
        with zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
        names = sorted(entry.filename for entry in entries)
        if names != ENTRIES:
            raise ValueError(f"it holds {', '.join(names[:5])}")
        if any(entry.compress_type != zipfile.ZIP_STORED for entry in entries):
            raise ValueError("it was compressed, as Keras does not do")
        return keras.saving.load_model(path, compile=False, safe_mode=True)
