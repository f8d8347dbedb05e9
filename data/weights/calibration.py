"""The pictures on which int8 networks are calibrated: bundled ones, without labels."""

import numpy as np

from tlcourse.datasets import load_dataset
from tlcourse.features.augment import augmentation_names, augmented
from tlcourse.features.decoding import resize
from tlcourse.features.pictures import one_picture

OF_EACH_PHOTOGRAPH = 12  # random crops, every second one mirrored
OF_EACH_DATASET = {"digits": 12, "kanji": 12, "solar": 24}


def calibration_pictures(size: tuple[int, int]) -> np.ndarray:
    """Collect the pictures, always the same ones.

    Parameters
    ----------
    size : tuple of int
        (height, width) that the network takes.

    Returns
    -------
    ndarray of shape (n, height, width, 3), uint8
    """
    pictures = []
    for number, photograph in enumerate(load_dataset("samples").test.images):
        seed = number.to_bytes(2, "little")
        pixels = resize(photograph, size)
        names = augmentation_names(OF_EACH_PHOTOGRAPH)
        pictures += augmented(pixels, names, seed)
    for name, count in OF_EACH_DATASET.items():
        images = load_dataset(name).train.images
        rows = np.random.default_rng(0).choice(len(images), count, replace=False)
        pictures += [resize(one_picture(images[int(row)]), size) for row in rows]
    return np.stack(pictures)
