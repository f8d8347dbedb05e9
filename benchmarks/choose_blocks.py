"""Which blocks' features suit the solar cells of the demo? Chosen by cross-validation on the training cells alone.

    python benchmarks/choose_blocks.py

Prints, for each set of blocks, the cross-validated accuracy (weighted as published) on train + validation of the split
that the demo uses. Its test cells are not looked at.
"""

import numpy as np

import tlcourse as tl

BLOCKS = ("block4c", "block5c", "block6d", "block7a", "head")
CANDIDATES = (
    *((block,) for block in BLOCKS),
    BLOCKS[1::2] + BLOCKS[4:],
    BLOCKS[1:3] + BLOCKS[4:],
    BLOCKS[1:],
    BLOCKS,
)


def main() -> None:
    cells = tl.load_dataset("solar").train_and_validation
    model = tl.load_pretrained_model()
    features = model.extract_features(cells.images, BLOCKS)
    widths = [
        2 * model.network.get_layer(model.blocks[block][-1]).output.shape[-1]
        for block in BLOCKS
    ]
    of_block = dict(
        zip(BLOCKS, np.split(features, np.cumsum(widths)[:-1], axis=1), strict=True)
    )
    for blocks in CANDIDATES:
        chosen = np.concatenate([of_block[block] for block in blocks], axis=1)
        probe = tl.train_classifier(chosen, cells.labels, sample_weight=cells.weights)
        print(
            f"{100 * probe.cross_validated_accuracy_:6.2f} %  {' '.join(blocks)}",
            flush=True,
        )


if __name__ == "__main__":
    main()
