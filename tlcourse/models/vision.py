"""Pretrained networks for pictures, each with its own input size and preprocessing."""

import hashlib
from collections.abc import Callable, Sequence
from functools import partial
from os import PathLike
from typing import TYPE_CHECKING

import numpy as np

from .. import validation
from ..cards import read_card
from ..errors import UserInputError
from ..features import engine as engines
from ..features.augment import AS_IS, augmentation_names
from ..features.compute import compute
from ..features.pictures import as_pictures
from . import bundled, lite_onnx
from .backbone import KerasBackbone
from .calibration import calibration_pictures
from .conversion import weights_digest

if TYPE_CHECKING:
    import keras

    from ..features.pictures import Images


class PretrainedModel(KerasBackbone):
    """A network pretrained on ImageNet. Made by `tl.load_pretrained_model`.

    Attributes
    ----------
    name, engine, precision : str
        As given to `load_pretrained_model`.
    recipe, input_size, network, classifier, blocks
        See `KerasBackbone`.
    """

    kind = "pictures"
    settings: dict = {}  # of `fine_tune`, where they differ from its defaults

    def __init__(
        self, name: str, engine: str = "auto", precision: str = "float32"
    ) -> None:
        super().__init__(name)
        self.engine = engines.check_engine(engine)
        self.precision = engines.check_precision(precision, engine)
        if self.is_bundled:
            bundled.file(name, precision)
        else:
            self.network  # noqa: B018 - so that missing weights are noticed at once

    def extract_features(
        self,
        images: "Images",
        blocks: Sequence[str] | None = None,
        cache: bool = True,
        engine: str | None = None,
        *,
        scheduler: str | None = None,
        out: str | PathLike | None = None,
    ) -> np.ndarray:
        """Extract each picture's features.

        Without `blocks`: the last block's output, averaged over all positions. With
        `blocks`: average and maximum over all positions of each named block's output,
        concatenated. Features that were computed before come from the cache on disk.
        After Ctrl-C the next call continues where this one stopped. Results above 16 MB
        are a `numpy.memmap`.

        Parameters
        ----------
        images
            uint8 array, float array with pixels in [0, 255], list of arrays or paths,
            folder, or `tf.data.Dataset`; pictures of any size are resized as a whole to
            `input_size`. With Dask: files.
        blocks : sequence of str, optional
            Names out of `self.blocks`.
        cache : bool
            False: compute everything, and keep nothing.
        engine : {None, "dask"}
            None: this process. "dask": the workers of a Dask cluster compute the same
            rows into Parquet shards, see `tl.distributed`; pictures that cannot be read
            have rows of NaN.
        scheduler : str, optional
            Address of a Dask scheduler; by default the client in use, Dask's settings,
            or a cluster on this machine.
        out : path, optional
            Folder for the shards, which all workers see under this path.

        Returns
        -------
        ndarray of shape (n, feature_dim), float32

        Raises
        ------
        UserInputError
            Unknown block; pixels scaled or preprocessed before, or not finite.
        PictureError
            A file cannot be read as a picture; the message names it.
        TLCourseError
            Dask's cluster cannot be reached, or a network needs TensorFlow there.

        Examples
        --------
        >>> import tlcourse as tl
        >>> photographs = tl.load_dataset("samples").test.images
        >>> tl.load_pretrained_model().extract_features(photographs[:2]).shape
        (2, 1280)
        """
        cache = validation.flag("cache", cache)
        if blocks is None:
            runner = self._runner((lite_onnx.FEATURES_OUTPUT,), lambda: self.network)
        else:
            names = self.check_blocks(blocks)
            runner = self._runner(
                lite_onnx.pooled(names), lambda: self.network_at(names)
            )
        where = {"scheduler": scheduler, "out": out}
        name = self.name if cache else None
        return self._compute(runner, images, (AS_IS,), np.float32, name, engine, where)

    def activations(
        self,
        images: "Images",
        block: str | None,
        augmentations: int | Sequence[str] = (AS_IS,),
        cache: bool = True,
        engine: str | None = None,
        *,
        scheduler: str | None = None,
    ) -> np.ndarray:
        """Compute a block's output for each picture: the input of the next block.

        With all blocks up to this one frozen, training starts from here.

        Parameters
        ----------
        images, cache, engine, scheduler
            As for `extract_features`.
        block : str or None
            One of `self.blocks`; None: the prepared pixels, uint8.
        augmentations : int or sequence of str
            Augmented copies of each picture that are computed.

        Returns
        -------
        ndarray of shape (n, height, width, channels), float16
            (n, augmentations, …) where there are several.

        Raises
        ------
        UserInputError, PictureError, TLCourseError
            As `extract_features`; with Dask also for a picture without activations.
        """
        names, cache = (
            augmentation_names(augmentations),
            validation.flag("cache", cache),
        )
        if block is None:
            pixels, describe = engines.Pixels(self.input_size), "Preparing pictures"
            return compute(
                pixels, images, self.input_size, names, np.uint8, describe=describe
            )
        (block,) = self.check_blocks((block,))
        runner = self._runner((block,), lambda: self.network_up_to(block))
        where = {"scheduler": scheduler}
        name = f"{self.name}-{block}" if cache else None
        return self._compute(runner, images, names, np.float16, name, engine, where)

    def _compute(
        self,
        runner: engines.Engine,
        images: "Images",
        augmentations: Sequence[str],
        dtype: type,
        name: str | None,
        engine: str | None,
        where: dict,
    ) -> np.ndarray:
        """Compute in this process, or on a Dask cluster."""
        size = self.input_size
        if not engines.is_dask(engine):
            if any(value is not None for value in where.values()):
                raise UserInputError(
                    "scheduler and out are for Dask: add engine='dask'."
                )
            return compute(runner, images, size, augmentations, dtype, name=name)
        from .. import distributed

        if dtype == np.float16:  # training looks at every row
            where |= {"complete": True, "describe": "Computing activations"}
        where["cache"] = name is not None
        return distributed.compute_features(
            runner, images, size, augmentations, dtype, **where
        ).features

    def predict_labels(
        self, images: "Images", top: int = 5
    ) -> list[list[tuple[str, float]]]:
        """Predict ImageNet classes with the network's own classifier.

        Parameters
        ----------
        images
            As for `extract_features`.
        top : int
            How many classes, the most probable first (1 to 1,000).

        Returns
        -------
        list of list of (label, probability)
            One list for each picture.

        Raises
        ------
        WeightsUnavailable
            The weights of the ImageNet classifier are not here.
        """
        top = validation.whole_number("top", top, 1, 1000)
        output = (lite_onnx.CLASSIFIER_OUTPUT,)
        runner = self._runner(output, lambda: self.classifier, "classifier")
        probabilities = compute(runner, images, self.input_size, describe="Predicting")
        order = np.argsort(-probabilities, axis=1, kind="stable")[:, :top]
        return [
            [(self.labels[label], float(row[label])) for label in best]
            for row, best in zip(probabilities, order, strict=True)
        ]

    def predict_with(self, network: "keras.Model", images: "Images") -> np.ndarray:
        """Predict with a network of pixels → (n, classes), such as a fine-tuned one."""
        runner, size = engines.compile_network(network), self.input_size
        return compute(runner, images, size, describe="Predicting")

    def count(self, images: "Images") -> int | None:
        """The number of pictures, if it is known before they are read."""
        return as_pictures(images)[1]

    def augmentations(self, chosen: int | Sequence[str] | None) -> tuple[str, ...]:
        """The names of the augmentations that `fine_tune` uses: two by default."""
        return augmentation_names(2 if chosen is None else chosen)

    def _runner(
        self,
        outputs: tuple[str, ...],
        keras_network: Callable[[], "keras.Model"],
        part: str = "network",
    ) -> engines.Engine:
        """The engine for these outputs, with the weights that the network has now.

        int8 stands for the published weights: a network that was changed is float32.
        """
        changed = self.is_changed(part)
        precision = "float32" if changed else self.precision
        if not self.is_bundled or not engines.uses_onnx(self.engine):
            return engines.compile_network(
                keras_network(),
                self.engine,
                precision,
                lambda: calibration_pictures(self.input_size),
            )
        weights = lite_onnx.weights_of(self.__dict__[part]) if changed else {}
        checksum = read_card("weights").files[bundled.file_name(self.name, precision)]
        content = f"{checksum} {weights_digest(weights.values())} {outputs}"
        key = hashlib.sha256(content.encode()).hexdigest()
        source = partial(lite_onnx.extract, self.name, precision, outputs, weights)
        shape = lite_onnx.output_shape(self.name, outputs)
        return engines.remembered(
            (key,), lambda: engines.OnnxEngine(source, key, shape, outputs)
        )
