"""The jobs that `faults.py` disturbs: `python benchmarks/fault_jobs.py JOB FOLDER` does one, and prints its digest.

All that a job writes lies in FOLDER, so that a second call goes on where a killed one stopped. The digest is a SHA-256
of the whole result without dates and seconds: two runs that print the same have come to the same, bit for bit.
"""

import hashlib
import json
import os
import sys
import zipfile
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
PICTURES = 192
OTHER_EACH_TIME = (
    "made",
    "seconds",
    "pictures_per_second",
    "estimated_seconds",
    "sha256",
    "bytes",
)


def write_pictures(folder: Path, counts: dict[str, int], size: int = 64) -> Path:
    """Class folders of noise, each around its own level of grey."""
    from PIL import Image

    for place, (name, count) in enumerate(counts.items()):
        (folder / name).mkdir(parents=True)
        rng = np.random.default_rng(place)
        for number in range(count):
            pixels = np.clip(
                rng.normal(70 + 110 * place, 40, (size, size, 3)), 0, 255
            ).astype(np.uint8)
            Image.fromarray(pixels).save(folder / name / f"{number:03}.png")
    return folder


def prepare(job: str, folder: Path) -> None:
    """What a job is given, which is not disturbed."""
    folder.mkdir(parents=True)
    if job == "kit":
        sys.path.insert(0, str(ROOT / "workshop" / "tests"))
        from small_course import write_course

        (folder / "course").mkdir()
        write_course(folder / "course", ballast=20_000_000)
    elif job == "extract":
        write_pictures(folder / "pictures", {"noise": PICTURES})
    else:
        write_pictures(folder / "pictures", {"dark": 15, "light": 10}, 40)


def extract(folder: Path) -> str:
    import tlcourse as tl

    features = tl.load_pretrained_model().extract_features(folder / "pictures")
    return digest_of(features)


def fine_tune(folder: Path) -> str:
    import tlcourse as tl

    data = tl.datasets.from_folder(folder / "pictures").train
    options = {
        "from_block": "block7a",
        "epochs": 4,
        "batch_size": 8,
        "augmentations": 2,
        "validation": 0.25,
    }
    tuned = tl.fine_tune(
        tl.load_pretrained_model(), data.images, data.labels, **options
    )
    # A resumed training is not the same bit for bit, but no epoch is lost or repeated.
    return (
        f"{len(tuned.history['loss'])} epochs, {len(tuned.record['changed'])} weights"
    )


def train(folder: Path) -> str:
    from tlcourse.train_folder import train_folder

    made = train_folder(
        folder / "pictures", folder / "made", from_block="head", epochs=2, licence="CC0"
    )
    return ", ".join(sorted(path.name for path in made.folder.iterdir()))


def kit(folder: Path) -> str:
    import pytest

    sys.path.insert(0, str(ROOT / "workshop" / "tests"))
    from small_course import HERE, offline

    from workshop.kits import make_kit

    with pytest.MonkeyPatch.context() as patch:
        offline(patch, folder / "course")
        make_kit(folder / "kit", ["linux", "windows"], [HERE], source=folder / "course")
    return digest_of_tree(folder / "kit")


def digest_of(*arrays: np.ndarray) -> str:
    summary = hashlib.sha256()
    for array in arrays:
        summary.update(
            f"{array.dtype} {array.shape}".encode()
            + np.ascontiguousarray(array).tobytes()
        )
    return summary.hexdigest()


def digest_of_tree(folder: Path) -> str:
    """Names and contents of all files, hidden ones too: what a killed run left behind would be seen."""
    summary = hashlib.sha256()
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        summary.update(
            f"{path.relative_to(folder).as_posix()}\0".encode() + path.read_bytes()
        )
    return summary.hexdigest()


def digest_of_export(folder: Path) -> str:
    """The exported files, of model.keras the weights, and what was found; not when it was made and how fast it is."""
    summary = hashlib.sha256()
    for path in sorted(folder.iterdir()):
        if path.suffix in (".onnx", ".txt"):
            summary.update(path.name.encode() + path.read_bytes())
    with zipfile.ZipFile(
        folder / "model.keras"
    ) as archive:  # metadata.json in it is the date
        for name in ("config.json", "model.weights.h5"):
            summary.update(archive.read(name))
    record = json.loads((folder / "record.json").read_text("utf-8"))
    summary.update(json.dumps(_without_times(record), sort_keys=True).encode())
    return summary.hexdigest()


def _without_times(part):
    if isinstance(part, dict):
        return {
            key: _without_times(value)
            for key, value in part.items()
            if key not in OTHER_EACH_TIME
        }
    return (
        [_without_times(element) for element in part]
        if isinstance(part, list)
        else part
    )


JOBS = {job.__name__: job for job in (extract, fine_tune, train, kit)}

if __name__ == "__main__":
    place = Path(sys.argv[2])
    os.environ["TLCOURSE_CACHE"] = os.environ.get("FAULTS_CACHE") or str(
        place / "cache"
    )
    print(f"digest {JOBS[sys.argv[1]](place)}")
