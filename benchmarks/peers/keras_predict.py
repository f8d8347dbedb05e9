"""Contestant: the same network by Keras' own means, `predict`; folders by `image_dataset_from_directory`.

python keras_predict.py PICTURES.npy | FOLDER
"""

import sys
from pathlib import Path

import keras
import numpy as np
import protocol
import tensorflow as tf
from flops import flops_of
from keras_network import SIZE, network

BATCH = 32  # the default of both functions

source = Path(sys.argv[1])
network = network()

if source.is_dir():

    def features():
        pictures = keras.utils.image_dataset_from_directory(
            source,
            labels=None,
            image_size=(SIZE, SIZE),
            interpolation="bicubic",
            batch_size=BATCH,
            shuffle=False,
            verbose=False,
        )
        return network.predict(pictures.prefetch(tf.data.AUTOTUNE), verbose=0)

    settings = f"image_dataset_from_directory, bicubic, batches of {BATCH}, prefetch(AUTOTUNE), predict"
else:
    array = np.load(source)

    def features():
        return network.predict(array, batch_size=BATCH, verbose=0)

    settings = f"predict, batches of {BATCH}"

features()
versions = {"keras": keras.__version__, "tensorflow": tf.__version__}
protocol.serve(
    features, {"settings": settings, "versions": versions, "flops": flops_of(network)}
)
