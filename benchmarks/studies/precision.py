"""What int8 costs a linear probe, on each data set that is on this machine."""

from records import mean_sd, mean_se

import tlcourse as tl
from tlcourse.errors import DatasetUnavailable

SEEDS = (0, 1, 2, 3, 4)
LABELS = (5, 10)  # of each class
NETWORKS = {"reviews": "minilm"}  # for all others the default
TESTED = 100  # of each class, or all


def precision() -> dict:
    """Data set → labels per class → accuracy in float32 and int8, and the difference.

    The same rows and the same probe for both, so the difference is a paired one: int8
    minus float32, seed by seed. A seed draws both training and test rows; solar cells
    are not weighted.
    """
    found = {}
    for name in tl.list_datasets():
        try:
            data = tl.load_dataset(name)
        except DatasetUnavailable as error:
            print(error)
            continue
        # The samples are too few to train on, and the speech network is float32 only.
        if len(data.train) and data.train.kind != "recordings":
            found[name] = _of_dataset(data, NETWORKS.get(name, "efficientnet_lite0"))
            print(f"  {name}: {found[name]}", flush=True)
    return found


def _of_dataset(data, network: str) -> dict:
    models = {
        precision: tl.load_pretrained_model(network, precision=precision)
        for precision in ("float32", "int8")
    }
    found = {}
    for count in LABELS:
        accuracies = {name: [] for name in models}
        for seed in SEEDS:
            train = data.train.sample(count, seed)
            test = data.test.sample(TESTED, seed)
            for name, model in models.items():
                features, tested = (
                    model.extract_features(part.inputs) for part in (train, test)
                )
                probe = tl.train_classifier(features, train.labels, seed=seed)
                accuracies[name].append(probe.score(tested, test.labels))
        pairs = zip(*accuracies.values(), strict=True)
        difference = mean_se(int8 - float32 for float32, int8 in pairs)
        means = {name: mean_sd(each) for name, each in accuracies.items()}
        found[f"{count} labels"] = means | {"difference": difference}
    return found
