"""Lesson 08's long runs: eight mistakes, each made and avoided with five seeds, and whether its check would speak."""

from peers.driving import mean_sd

from . import judging, losses, preprocessing, training

SEEDS = (0, 1, 2, 3, 4)
MISTAKES = {
    "batch norm in training mode": training.batch_norm,
    "no recompile after unfreezing": training.no_recompile,
    "learning rate 100 times too high": training.rate,
    "wrong preprocessing": preprocessing.forgotten,
    "everything unfrozen under a random head": training.random_head,
    "augmented before the split": judging.augmentation,
    "chosen on the test set": judging.choosing,
    "logits with a softmax loss": losses.logits,
}


def misuse() -> dict:
    """Of each mistake: right, wrong, the cost, how often its check spoke; and what else was found on the way."""
    found = {}
    for name, study in MISTAKES.items():
        found[name] = _summary([study(seed) for seed in SEEDS])
        print(f"  {name}: {found[name]}", flush=True)
    return {
        "mistakes": found,
        "preprocessings": preprocessing.ways(SEEDS),
        "losses": losses.ways(SEEDS),
    }


def _summary(draws: list[dict]) -> dict:
    """Mean and spread over the seeds of whatever was measured; the cost is what right is better by, seed by seed."""
    names = [name for name in draws[0] if name != "check"]
    found = {name: mean_sd(draw[name] for draw in draws) for name in names}
    if "cost" not in found:
        found["cost"] = mean_sd(draw["right"] - draw["wrong"] for draw in draws)
    spoke = {
        way: sum(draw["check"][way] for draw in draws) for way in ("wrong", "right")
    }
    return {
        **found,
        "check": {
            "spoke": spoke["wrong"],
            "false_alarms": spoke["right"],
            "of": len(draws),
        },
    }
