"""Random weights for a network of Keras Applications, in the file where Keras would keep the published ones.

    python random_weights.py inception_v3 | vgg16 | …      (into KERAS_HOME, which should be a temporary folder)

How long a network takes does not depend on its weights, and the published ones need internet.
"""

import sys

import keras

from tlcourse.models.recipes import RECIPES
from tlcourse.models.weights import weights_file

recipe, file = RECIPES[sys.argv[1]], weights_file(sys.argv[1])
file.parent.mkdir(parents=True, exist_ok=True)
shape = (recipe.size, recipe.size, 3)
getattr(keras.applications, recipe.application)(
    weights=None, include_top=False, input_shape=shape
).save(file)
