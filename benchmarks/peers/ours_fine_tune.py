"""`tl.fine_tune` on solar cells, one seed, with everything computed afresh; or the linear probe alone.

    python ours_fine_tune.py SEED EPOCHS [CELLS]

EPOCHS 0: features and a linear probe, nothing fine-tuned. CELLS: learn from so many only, to try the program.
Prints {"seconds": from photographs to a trained classifier, "accuracy": on the test cells, weighted as published}.
TLCOURSE_CACHE should be an empty folder.
"""

import sys
import time

import protocol
import solar

import tlcourse as tl

seed, epochs = map(int, sys.argv[1:3])
limit = int(sys.argv[3]) if len(sys.argv) > 3 else None
data = solar.draw(seed)
train, test = (
    split.select(slice(limit)) for split in (data.train_and_validation, data.test)
)
model = tl.load_pretrained_model()
start = time.perf_counter()
if epochs:
    result = tl.fine_tune(
        model,
        train.images,
        train.labels,
        from_block="block4a",
        augmentations=("as is", "left-right", "upside-down", "half-turn"),
        validation=0,  # nothing is chosen on these cells: cut, rate and epochs were, on part of draw 0's training cells
        sample_weight=train.weights,
        class_names=data.class_names,
        learning_rate=5e-4,  # more than the default: a cell by infrared light is far from ImageNet's photographs
        epochs=epochs,
        seed=seed,
    )
    seconds = time.perf_counter() - start
    accuracy = result.score(test.images, test.labels, test.weights)
else:
    features = model.extract_features(train.images)
    probe = tl.train_classifier(
        features, train.labels, data.class_names, train.weights, seed=seed
    )
    seconds = time.perf_counter() - start
    accuracy = probe.score(
        model.extract_features(test.images), test.labels, test.weights
    )
protocol.say(
    {
        "seconds": seconds,
        "accuracy": float(accuracy),
        "seed": seed,
        "epochs": epochs,
        "train": len(train),
    }
)
