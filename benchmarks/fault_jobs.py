"""The jobs that `faults.py` disturbs, and what must come out of them.

    python benchmarks/fault_jobs.py JOB FOLDER

All that a job writes is in FOLDER, so that a second call resumes. What is printed does
not depend on where it was interrupted.
"""

import hashlib
import os
import sys
from pathlib import Path

import numpy as np
from PIL import Image


def write_pictures(folder: Path, counts: dict[str, int], size: int) -> None:
    """Class folders of noise, each around its own level of grey."""
    for number, (name, count) in enumerate(counts.items()):
        (folder / name).mkdir(parents=True)
        rng = np.random.default_rng(number)
        for index in range(count):
            noise = rng.normal(70 + 110 * number, 40, (size, size, 3))
            pixels = np.clip(noise, 0, 255).astype(np.uint8)
            Image.fromarray(pixels).save(folder / name / f"{index:03}.png")


def prepare(job: str, folder: Path) -> None:
    """A job's input, whose writing is not disturbed."""
    if job == "extract":
        write_pictures(folder / "pictures", {"noise": 192}, 64)
    else:
        write_pictures(folder / "pictures", {"dark": 15, "light": 10}, 40)


def extract(folder: Path) -> str:
    """The same features, bit for bit."""
    import tlcourse as tl

    features = tl.load_pretrained_model().extract_features(folder / "pictures")
    return hashlib.sha256(np.ascontiguousarray(features)).hexdigest()


def fine_tune(folder: Path) -> str:
    """No epoch is lost or repeated, and the same weights are trained."""
    import tlcourse as tl

    data = tl.datasets.from_folder(folder / "pictures").train
    tuned = tl.fine_tune(
        tl.load_pretrained_model(),
        data.images,
        data.labels,
        from_block="block7a",
        epochs=4,
        batch_size=8,
        augmentations=2,
        validation=0.25,
    )
    epochs, changed = len(tuned.history["loss"]), len(tuned.record["changed"])
    return f"{epochs} epochs, {changed} weights changed"


def train(folder: Path) -> str:
    """The exported folder is complete, and its network predicts the classes."""
    import tlcourse as tl
    from tlcourse.train_folder import train_folder

    options = {"from_block": "head", "epochs": 2, "licence": "CC0"}
    train_folder(folder / "pictures", folder / "made", **options)
    exported = tl.load_exported(folder / "made")
    predicted = exported.predict(sorted((folder / "pictures" / "dark").iterdir()))
    names = sorted(path.name for path in (folder / "made").iterdir())
    return f"{', '.join(names)}; {sorted(set(map(str, predicted)))}"


JOBS = {job.__name__: job for job in (extract, fine_tune, train)}

if __name__ == "__main__":
    place = Path(sys.argv[2])
    own = str(place / "cache")
    os.environ["TLCOURSE_CACHE"] = os.environ.get("FAULTS_CACHE", own)
    print(f"result {JOBS[sys.argv[1]](place)}")
