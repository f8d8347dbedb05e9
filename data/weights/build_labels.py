"""Write imagenet_labels.csv: the 1,000 ImageNet classes in the order of the network's outputs, shortly named.

    python data/weights/build_labels.py                # pip downloads timm
    python data/weights/build_labels.py --wheel PATH   # a wheel that is already here

The identifiers and names come from two tables in timm (Apache 2.0), whose names are WordNet's. A label is
WordNet's first name for the class, except where that name is ambiguous or tells a reader little: those are in
CLEARER, by class index.
"""

import argparse
import csv
import sys
import tempfile
import zipfile
from collections import Counter
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
from build_tools import pip_download, record_files  # noqa: E402

# Every file that the card gives a checksum for, in its order;
# convert.py and build_onnx.py write the others.
CARD_FILES = [
    HERE / name
    for name in (
        "efficientnet_lite0.onnx",
        "efficientnet_lite0_int8.onnx",
        "efficientnet_lite2.onnx",
        "efficientnet_lite2_int8.onnx",
        "onnx.json",
        "imagenet_labels.csv",
        "expected_top5.json",
    )
]

CLEARER = {
    7: "rooster",
    21: "kite (bird)",
    134: "crane (bird)",
    153: "Maltese",
    161: "basset hound",
    165: "black and tan coonhound",
    179: "Staffordshire bull terrier",
    192: "cairn terrier",
    195: "Boston terrier",
    199: "Scottish terrier",
    204: "Lhasa apso",
    242: "boxer (dog)",
    248: "husky",
    256: "Newfoundland dog",
    260: "chow chow",
    263: "Pembroke Welsh corgi",
    264: "Cardigan Welsh corgi",
    269: "grey wolf",
    296: "polar bear",
    312: "cricket (insect)",
    313: "stick insect",
    321: "admiral (butterfly)",
    323: "monarch butterfly",
    332: "Angora rabbit",
    339: "sorrel (horse)",
    341: "pig",
    383: "ring-tailed lemur",
    387: "red panda",
    397: "pufferfish",
    408: "amphibious vehicle",
    412: "trash can",
    428: "wheelbarrow",
    436: "station wagon",
    437: "lighthouse",
    446: "ring binder",
    456: "bow (weapon)",
    458: "memorial tablet",
    474: "cardigan (garment)",
    480: "cash machine",
    487: "mobile phone",
    517: "crane (machine)",
    542: "drumstick (music)",
    553: "filing cabinet",
    589: "hair dryer",
    606: "iron (for clothes)",
    608: "jeans",
    610: "T-shirt",
    628: "ocean liner",
    630: "loafer (shoe)",
    638: "maillot (tights)",
    639: "maillot (swimsuit)",
    657: "missile (rocket)",
    666: "mortar (bowl)",
    673: "computer mouse",
    680: "nipple (of a bottle)",
    681: "notebook computer",
    687: "pipe organ",
    705: "railway carriage",
    714: "plectrum",
    717: "pickup truck",
    724: "pirate ship",
    725: "pitcher (jug)",
    726: "carpenter's plane",
    738: "flowerpot",
    744: "projectile (missile)",
    748: "purse",
    751: "race car",
    767: "eraser",
    769: "ruler",
    776: "saxophone",
    778: "weighing scale",
    782: "CRT screen",
    800: "slot machine",
    836: "sunglass (dark lens)",
    837: "sunglasses (spectacles)",
    847: "army tank",
    850: "teddy bear",
    862: "torch (flame)",
    881: "upright piano",
    882: "vacuum cleaner",
    897: "washing machine",
    916: "website",
    921: "book jacket",
    948: "Granny Smith apple",
    982: "bridegroom",
    987: "corn (maize)",
    989: "rose hip",
    990: "horse chestnut",
    998: "ear of corn",
    999: "toilet paper",
}


def read_timm_tables(wheel: Path) -> tuple[list[str], dict[str, str]]:
    """The 1,000 WordNet identifiers in class order, and identifier → names separated by ", "."""
    with zipfile.ZipFile(wheel) as archive:
        synsets = (
            archive.read("timm/data/_info/imagenet_synsets.txt").decode("utf-8").split()
        )
        lines = (
            archive.read("timm/data/_info/imagenet_synset_to_lemma.txt")
            .decode("utf-8")
            .splitlines()
        )
    return synsets, dict(line.split("\t") for line in lines)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--wheel", type=Path, help="a timm wheel; without it pip downloads one"
    )
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        wheel = options.wheel or pip_download(
            "timm", Path(folder), "--only-binary", ":all:"
        )
        synsets, names = read_timm_tables(wheel)

    labels = [
        CLEARER.get(index, names[wnid].split(", ")[0])
        for index, wnid in enumerate(synsets)
    ]
    alike = [
        label for label, times in Counter(map(str.lower, labels)).items() if times > 1
    ]
    if len(labels) != 1000 or alike:
        raise SystemExit(
            f"Expected 1,000 different labels, got {len(labels)}, of which alike: {alike}."
        )

    with open(HERE / "imagenet_labels.csv", "w", newline="", encoding="utf-8") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(["index", "wnid", "label"])
        table.writerows(zip(range(1000), synsets, labels, strict=True))
    record_files(HERE / "CARD.md", CARD_FILES)


if __name__ == "__main__":
    main()
