"""Arms: the course's networks in PyTorch, with the settings that suit it best."""

import json
import os
import sys
from pathlib import Path

os.environ.setdefault("TORCHINDUCTOR_FREEZING", "1")  # folds batch norms when compiling
import numpy as np
import protocol
import torch
from protocol import fastest, in_batches

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "data" / "weights"))

torch.set_num_threads(os.cpu_count())
VERSIONS = {"torch": torch.__version__}
TRIED = 64  # pictures or sentences with which settings are compared


class Features(torch.nn.Module):
    """uint8 pixels (n, 224, 224, 3) → features float32 (n, 1280)."""

    def __init__(self, weights: str):
        from efficientnet_lite_pytorch import EfficientNet

        super().__init__()
        self.network = EfficientNet.from_name("efficientnet-lite0")
        with np.load(weights) as arrays:
            state = _state(self.network.state_dict(), dict(arrays))
        self.network.load_state_dict(state)
        self.eval()

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        scaled = (pixels.permute(0, 3, 1, 2).to(torch.float32) - 127.0) / 128.0
        return self.network.extract_features(scaled).mean(dim=(2, 3))


def _state(own: dict, arrays: dict[str, np.ndarray]) -> dict:
    """Keras' weights by PyTorch's names, axes in PyTorch's order.

    What the features do not need, the counters and the classifier, stays as it is.
    """
    from torch_names import keras_name, torch_layout

    blocks = sorted({name.split("_")[0] for name in arrays if name.startswith("block")})
    state = dict(own)
    for name in own:
        if not name.endswith("num_batches_tracked") and not name.startswith("_fc"):
            keras = keras_name(name, blocks)
            layout = np.ascontiguousarray(torch_layout(keras, arrays[keras]))
            state[name] = torch.from_numpy(layout)
    return state


def images(pictures: str, weights: str):
    array = np.load(pictures)
    networks = {
        "eager": Features(weights),
        "eager, channels last": Features(weights).to(memory_format=torch.channels_last),
    }
    choices = [(name, size) for name in networks for size in (1, 8, 32)]
    last = networks["eager, channels last"]
    networks["compiled"] = torch.compile(last, dynamic=False)

    @torch.inference_mode()
    def features(choice, pictures=array):
        name, size = choice
        network = networks[name]
        run = lambda batch: network(torch.from_numpy(batch)).numpy()  # noqa: E731
        return in_batches(run, pictures, size)

    try:
        features(("compiled", 8), array[:8])
        choices.append(("compiled", 8))
    except Exception as error:  # compiling needs a C++ compiler
        print(error)
    best = fastest(choices, lambda choice: features(choice, array[:TRIED]))
    settings = (
        f"inference_mode, {best[0]}, batches of {best[1]}: the fastest of "
        f"{len(choices)} choices"
    )
    return lambda: features(best), {"settings": settings, "versions": VERSIONS}


def sentences(file: str, folder: str):
    """transformers' BertModel, the mean over tokens; batches of similar length."""
    import transformers
    from texts import in_batches_of_similar_length, tokenizer

    texts = json.loads(Path(file).read_text(encoding="utf-8"))
    tokenize = tokenizer(folder)
    networks = {
        attention: transformers.BertModel.from_pretrained(
            folder, attn_implementation=attention, add_pooling_layer=False
        ).eval()
        for attention in ("sdpa", "eager")
    }

    @torch.inference_mode()
    def features(choice, sentences=texts):
        attention, size = choice
        network = networks[attention]

        def run(ids, mask):
            mask = torch.from_numpy(mask)
            hidden = network(torch.from_numpy(ids), attention_mask=mask)
            weights = mask[:, :, None].to(torch.float32)
            total = (hidden.last_hidden_state * weights).sum(dim=1)
            return (total / weights.sum(dim=1)).numpy()

        return in_batches_of_similar_length(tokenize(sentences), size, run)

    choices = [(attention, size) for attention in networks for size in (4, 8, 16, 32)]
    few = texts[:: max(1, len(texts) // TRIED)]
    best = fastest(choices, lambda choice: features(choice, few))
    settings = (
        f"inference_mode, attention {best[0]}, batches of {best[1]} by length: the "
        f"fastest of {len(choices)} choices"
    )
    versions = VERSIONS | {"transformers": transformers.__version__}
    return lambda: features(best), {"settings": settings, "versions": versions}


def fine_tune(rows: str, weights: str, seed: int, frozen: int, unfrozen: int):
    """The head alone, then all layers, with timm's settings; accuracy per epoch.

    AdamW with a weight decay of 0.05, which biases and norms are exempt from, a cosine
    over each stage, label smoothing, mirrored pictures, batches of 32, channels last.
    Batch norms keep their statistics, as in the other arms.
    """
    torch.manual_seed(seed)
    data = dict(np.load(rows))
    base = Features(weights).to(memory_format=torch.channels_last)  # in eval mode
    labels = torch.from_numpy(data["train_labels"])
    head = torch.nn.Linear(1280, int(labels.max()) + 1)
    loss = torch.nn.CrossEntropyLoss(label_smoothing=0.1)

    @torch.inference_mode()
    def predict(pictures):
        run = lambda batch: head(base(torch.from_numpy(batch))).numpy()  # noqa: E731
        return in_batches(run, pictures, 32).argmax(axis=1)

    curve = protocol.Curve(data, predict)

    def train(epochs: int, rate: float, is_frozen: bool) -> None:
        parts = [head] if is_frozen else [base, head]
        weights = [weight for part in parts for weight in part.parameters()]
        groups = [
            {"params": [x for x in weights if x.ndim > 1], "weight_decay": 0.05},
            {"params": [x for x in weights if x.ndim == 1], "weight_decay": 0.0},
        ]
        optimizer = torch.optim.AdamW(groups, rate)
        steps = epochs * -(-len(labels) // 32)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
        for _ in range(epochs):
            for batch in torch.randperm(len(labels)).split(32):
                pixels = torch.from_numpy(data["train"][batch.numpy()])
                mirrored = torch.rand(len(pixels), 1, 1, 1) < 0.5
                pixels = torch.where(mirrored, pixels.flip(2), pixels)
                with torch.set_grad_enabled(not is_frozen):
                    features = base(pixels)
                optimizer.zero_grad()
                with torch.enable_grad():
                    loss(head(features), labels[batch]).backward()
                optimizer.step()
                schedule.step()
            curve.add()

    def work() -> dict:
        curve.start()
        train(frozen, 1e-3, is_frozen=True)
        train(unfrozen, 1e-4, is_frozen=False)
        return curve.answer()

    settings = f"{frozen} epochs frozen, AdamW 1e-3; {unfrozen} unfrozen, 1e-4"
    return work, {"settings": settings, "versions": VERSIONS}


protocol.run(images, sentences, fine_tune)
