"""What int8 costs a linear probe, on each data set that is on this machine."""

from records import mean_sd

import tlcourse as tl
from tlcourse.errors import DatasetUnavailable

SEEDS = (0, 1, 2, 3, 4)
LABELS = (5, 20)  # of each class
NETWORKS = {"reviews": "minilm"}  # for all others the default
TESTED = 100  # of each class, or all


def precision(quick: bool = False) -> dict:
    """Data set → labels per class → accuracy in float32 and int8, and the difference.

    The same rows and the same probe for both, so the difference is a paired one: int8
    minus float32, seed by seed.
    """
    found = {}
    for name in tl.list_datasets():
        if name == "samples":  # ten photographs: nothing to train on
            continue
        try:
            data = tl.load_dataset(name)
        except DatasetUnavailable as error:
            print(error)
            continue
        found[name] = _of_dataset(data, NETWORKS.get(name, "efficientnet_lite0"), quick)
        print(f"  {name}: {found[name]}", flush=True)
        if quick:
            break
    return {"accuracy": found}


def _of_dataset(data, network: str, quick: bool) -> dict:
    test = data.test.sample(5 if quick else TESTED)
    models = {
        precision: tl.load_pretrained_model(network, precision=precision)
        for precision in ("float32", "int8")
    }
    tested = {
        name: model.extract_features(test.inputs) for name, model in models.items()
    }
    found = {}
    for count in LABELS[:1] if quick else LABELS:
        accuracies = {name: [] for name in models}
        for seed in SEEDS[:2] if quick else SEEDS:
            train = data.train.sample(count, seed)
            for name, model in models.items():
                features = model.extract_features(train.inputs)
                probe = tl.train_classifier(features, train.labels, seed=seed)
                accuracies[name].append(probe.score(tested[name], test.labels))
        pairs = zip(*accuracies.values(), strict=True)
        difference = mean_sd(int8 - float32 for float32, int8 in pairs)
        found[str(count)] = {name: mean_sd(each) for name, each in accuracies.items()}
        found[str(count)]["difference"] = difference
    return found
