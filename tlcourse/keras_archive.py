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


def load_network(path: Path) -> "keras.Model":
    """Load a network that somebody else may have saved; it is not compiled.

    Earlier versions of Keras call functions that the file names, or read other files in
    place of its weights; `tests/test_keras_archive.py` shows that these do not.

    Raises
    ------
    UserInputError
        This version of Keras is not safe.
    DamagedFile
        The file is damaged, or holds more than a network of Keras' own layers.
    """
    import_tensorflow()
    import keras

    version = tuple(map(int, re.findall(r"\d+", keras.__version__)[:3]))
    if not ((3, 12, 4) <= version < (3, 13) or version >= (3, 15)):
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
