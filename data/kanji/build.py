"""Build kanji.npz, 100 characters in eight fonts, and record its checksum in CARD.md.

    python data/kanji/build.py                 # fonts from where Debian puts them
    python data/kanji/build.py --fonts PATH    # another folder that holds them (searched below)
    python data/kanji/build.py --check         # build, write nothing, compare with the committed kanji.npz

On Debian or Ubuntu the fonts come from: apt-get install fonts-kouzan-mouhitsu fonts-aoyagi-kouzan-t
fonts-aoyagi-soseki fonts-kiloji fonts-seto fonts-klee. Needs numpy, scipy, pillow and fonttools.
"""

from __future__ import annotations

import argparse
import logging
import math
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from fontTools.pens.recordingPen import DecomposingRecordingPen
from fontTools.ttLib import TTFont
from PIL import Image, ImageDraw, ImageFont, features
from scipy.ndimage import distance_transform_edt

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
from build_tools import record_files, require_same_arrays, require_sha256, save_arrays  # noqa: E402

TRAIN, VALIDATION, TEST = 0, 1, 2


@dataclass(frozen=True)
class Hand:
    """One font: the writing of one person in one style."""

    name: str
    writer: str
    split: int
    font_file: str
    font_sha256: str


# fmt: off
HANDS = [
    Hand("kouzan kaisho", "Kouzan Aoyagi", TRAIN, "kouzan-mouhitsu.ttf",
         "582f269574e71336f1ee8318664ff6cfafd84293b3267ddf39410015713c951e"),
    Hand("kouzan gyosho", "Kouzan Aoyagi", TRAIN, "kouzan-mouhitsu-gyosho.ttf",
         "6b063cc0f9591ea2e71c97f06c8e663d04a0b0ac4bbe6c0e4c3b49a13215db99"),
    Hand("kouzan sosho", "Kouzan Aoyagi", TRAIN, "KouzanBrushFontSousyo.ttf",
         "7f676cf7275de19068d6b00c0e8f77c67939715bc585ac66df991a4cc0178830"),
    Hand("kouzan t", "Kouzan Aoyagi", TRAIN, "AoyagiKouzanT.ttf",
         "233d623f88c083631521c909950ce3046eb9f89d444a0a8be4c80ac50019fcbd"),
    Hand("klee", "Fontworks", TRAIN, "KleeOne-Regular.ttf",
         "2e466518e3762920add16d542cb73130cbd74968d3b3e92ccbc550c5a76f815b"),
    Hand("soseki", "Soseki Aoyagi", VALIDATION, "aoyagi-soseki.ttf",
         "40b77688adac33d2a19d080d721afd5cb6b12b7c3ef523c354ed8ec5da4e440f"),
    Hand("kiloji", "kilo", TEST, "kiloji.ttf",
         "f75142c667d7a6ba69d18bd694a4efe68780e607b3c4382e5d30a042c96e9e41"),
    Hand("seto", "Nozomi Seto", TEST, "setofont.ttf",
         "af54468357473617a77515436f7dca8f9376690aa514f3a7dbfc36a3b3f8229e"),
]
# fmt: on

# Character, English meaning, one common reading (Hepburn). First the numerals, then the other 70 characters
# of the first school year in Japan (kyōiku kanji, grade 1), then 20 of the second.
# fmt: off
CHARACTERS = [
    ("一", "one", "ichi"), ("二", "two", "ni"), ("三", "three", "san"), ("四", "four", "yon"),
    ("五", "five", "go"), ("六", "six", "roku"), ("七", "seven", "nana"), ("八", "eight", "hachi"),
    ("九", "nine", "kyū"), ("十", "ten", "jū"), ("右", "right", "migi"), ("雨", "rain", "ame"),
    ("円", "circle, yen", "en"), ("王", "king", "ō"), ("音", "sound", "oto"), ("下", "below", "shita"),
    ("火", "fire", "hi"), ("花", "flower", "hana"), ("貝", "shell", "kai"), ("学", "learning", "gaku"),
    ("気", "spirit, air", "ki"), ("休", "rest", "yasumu"), ("玉", "jewel, ball", "tama"),
    ("金", "gold, money", "kin"), ("空", "sky", "sora"), ("月", "moon, month", "tsuki"),
    ("犬", "dog", "inu"), ("見", "see", "miru"), ("口", "mouth", "kuchi"), ("校", "school", "kō"),
    ("左", "left", "hidari"), ("山", "mountain", "yama"), ("子", "child", "ko"), ("糸", "thread", "ito"),
    ("字", "letter, character", "ji"), ("耳", "ear", "mimi"), ("車", "wheel, car", "kuruma"),
    ("手", "hand", "te"), ("出", "go out", "deru"), ("女", "woman", "onna"), ("小", "small", "chiisai"),
    ("上", "above", "ue"), ("森", "forest", "mori"), ("人", "person", "hito"), ("水", "water", "mizu"),
    ("正", "correct", "tadashii"), ("生", "life, birth", "sei"), ("青", "blue", "ao"),
    ("夕", "evening", "yū"), ("石", "stone", "ishi"), ("赤", "red", "aka"), ("千", "thousand", "sen"),
    ("川", "river", "kawa"), ("先", "ahead, before", "saki"), ("早", "early", "hayai"),
    ("草", "grass", "kusa"), ("足", "foot, leg", "ashi"), ("村", "village", "mura"), ("大", "big", "ōkii"),
    ("男", "man", "otoko"), ("竹", "bamboo", "take"), ("中", "middle", "naka"), ("虫", "insect", "mushi"),
    ("町", "town", "machi"), ("天", "heaven", "ten"), ("田", "rice field", "ta"),
    ("土", "soil, earth", "tsuchi"), ("日", "sun, day", "hi"), ("入", "enter", "hairu"),
    ("年", "year", "toshi"), ("白", "white", "shiro"), ("百", "hundred", "hyaku"), ("文", "writing", "bun"),
    ("木", "tree", "ki"), ("本", "book", "hon"), ("名", "name", "na"), ("目", "eye", "me"),
    ("立", "stand", "tatsu"), ("力", "strength", "chikara"), ("林", "woods", "hayashi"),
    ("馬", "horse", "uma"), ("魚", "fish", "sakana"), ("鳥", "bird", "tori"), ("牛", "cow", "ushi"),
    ("米", "rice", "kome"), ("雪", "snow", "yuki"), ("雲", "cloud", "kumo"), ("星", "star", "hoshi"),
    ("海", "sea", "umi"), ("谷", "valley", "tani"), ("心", "heart", "kokoro"), ("父", "father", "chichi"),
    ("母", "mother", "haha"), ("友", "friend", "tomo"), ("門", "gate", "mon"), ("刀", "sword", "katana"),
    ("弓", "bow", "yumi"), ("風", "wind", "kaze"), ("夜", "night", "yoru"), ("光", "light", "hikari"),
]
# fmt: on

VARIANTS = 10  # variant 0 is the plain glyph
GLYPH_PIXELS = 256  # size at which FreeType draws a glyph before anything is done to it
MARGIN = 48  # empty pixels around it there, room for thicker strokes and rotation
SUPERSAMPLING = 8  # drawn at 8 × 28 pixels, then averaged: the anti-aliasing
SIDE, BOX = 28, 20  # MNIST: the picture, and the box that the character is scaled into
THINNEST_STROKE = 1.4  # pixels of the finished picture; a finer pen is thickened to this, or it would fade to grey
CROWDED = 0.36  # share of the box that ink may fill before strokes are made finer, or dense characters clot
FAINT = 8  # grey levels below this become 0: invisible, and they compress badly


def find_font(hand: Hand, folder: Path) -> Path:
    """Return the path of the font of `hand` below `folder`, after checking its SHA-256."""
    for path in sorted(folder.rglob(hand.font_file)):
        require_sha256(path.read_bytes(), hand.font_sha256, str(path))
        return path
    raise SystemExit(
        f"{hand.font_file} is not below {folder}. Install the six font packages named at the top of this "
        "script, or say with --fonts where the fonts are."
    )


def require_real_glyphs(path: Path) -> None:
    """Stop unless every character has an outline of its own, unlike .notdef's and any other character's."""
    logging.getLogger("fontTools").setLevel(
        logging.ERROR
    )  # it finds some of the fonts' dates odd
    font = TTFont(path)
    glyph_set, names = font.getGlyphSet(), font.getBestCmap()

    def outline(name: str) -> str:
        pen = DecomposingRecordingPen(glyph_set)
        glyph_set[name].draw(pen)
        return repr(pen.value)

    seen = {outline(".notdef"): ".notdef", repr([]): "an empty glyph"}
    for character, _, _ in CHARACTERS:
        if ord(character) not in names:
            raise SystemExit(f"{path.name} has no glyph for {character}.")
        drawn = outline(names[ord(character)])
        if drawn in seen:
            raise SystemExit(f"{path.name} draws {character} like {seen[drawn]}.")
        seen[drawn] = character


def signed_distance(font: ImageFont.FreeTypeFont, character: str) -> np.ndarray:
    """Draw a glyph large; return each pixel's distance to the ink's edge, positive inside: float64 (h, w)."""
    left, top, right, bottom = font.getbbox(character)
    size = (right - left + 2 * MARGIN, bottom - top + 2 * MARGIN)
    picture = Image.new("L", size, 0)
    ImageDraw.Draw(picture).text(
        (MARGIN - left, MARGIN - top), character, fill=255, font=font
    )
    ink = np.asarray(picture) > 127
    return np.where(
        ink, distance_transform_edt(ink) - 0.5, 0.5 - distance_transform_edt(~ink)
    )


def stroke_width(distance: np.ndarray) -> float:
    """Return the mean width of the strokes in pixels: twice the ink's area over the length of its edge."""
    area = np.count_nonzero(distance > 0)
    edge = np.count_nonzero(np.abs(distance) < 1) / 2
    return 2 * area / max(edge, 1)


def ink_box(ink: np.ndarray) -> tuple[int, int, int, int]:
    """Return left, top, right, bottom (exclusive) of the pixels above half intensity."""
    rows, columns = (
        np.flatnonzero((ink > 127).any(axis=1)),
        np.flatnonzero((ink > 127).any(axis=0)),
    )
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1


def change_of(character: str, hand_number: int, variant: int) -> dict[str, float]:
    """Return how a variant is changed, from random numbers seeded by (character, hand, variant) alone."""
    if variant == 0:
        return {
            "rotation": 0.0,
            "shear": 0.0,
            "stretch": 1.0,
            "size": 1.0,
            "width": 1.0,
        }
    draw = (
        np.random.Generator(
            np.random.PCG64([ord(character), hand_number, variant])
        ).random(5)
        * 2
        - 1
    )
    return {
        "rotation": math.radians(8 * draw[0]),
        "shear": 0.12 * draw[1],
        "stretch": math.exp(0.10 * draw[2]),
        "size": 0.93 + 0.07 * draw[3],
        "width": 1.0 + 0.25 * draw[4],
    }


def with_pen(distance: np.ndarray, change: dict[str, float]) -> np.ndarray:
    """Return the glyph's ink, float64 (h, w) from 0 to 255, its strokes made wider or finer."""
    left, top, right, bottom = ink_box(255.0 * (distance > 0))
    unit = max(right - left, bottom - top) / BOX  # large pixels in one finished pixel
    width = stroke_width(distance)
    wanted = max(width, THINNEST_STROKE * unit) * change["width"]
    spacing = (
        width * (BOX * unit) ** 2 / np.count_nonzero(distance > 0)
    )  # box area for each length of stroke
    wanted = min(wanted, max(CROWDED * spacing, min(width, wanted) * 0.8))
    return np.clip(distance + (wanted - width) / 2 + 0.5, 0, 1) * 255


def rasterise(ink: np.ndarray, change: dict[str, float]) -> np.ndarray:
    """Return the finished picture, uint8 (28, 28), white on black, from a glyph drawn large.

    As in MNIST the character is scaled to fit a 20 × 20 box without changing its proportions, and moved until
    its centre of mass is the centre of the picture; less far where it would otherwise leave the picture.
    """
    cosine, sine = math.cos(change["rotation"]), math.sin(change["rotation"])
    distort = np.array([[cosine, -sine], [sine, cosine]]) @ np.array(
        [[1, change["shear"]], [0, 1]]
    )
    distort = distort @ np.diag(
        [math.sqrt(change["stretch"]), 1 / math.sqrt(change["stretch"])]
    )
    y, x = np.nonzero(ink > 127)
    places = np.stack([x, y]) + 0.5
    middle = places.mean(axis=1)
    moved = distort @ (places - middle[:, None])
    low, high = moved.min(axis=1), moved.max(axis=1)
    scale = (
        BOX * change["size"] / (high - low).max()
    )  # finished pixels in one large pixel
    centre = np.average(moved, axis=1, weights=ink[y, x])
    # The centre of mass goes to the middle, unless ink would then come closer than 1.5 pixels to the rim.
    room = SIDE / 2 - 1.5
    target = np.full(2, SIDE / 2)
    target -= np.maximum((high - centre) * scale - room, 0)
    target += np.maximum((centre - low) * scale - room, 0)

    # Pillow wants, for each pixel of the result, the place in the source.
    back = np.linalg.inv(distort)
    origin = middle + back @ (centre - target / scale)
    back = back / (scale * SUPERSAMPLING)
    coefficients = (
        back[0, 0],
        back[0, 1],
        origin[0],
        back[1, 0],
        back[1, 1],
        origin[1],
    )
    canvas = (SIDE * SUPERSAMPLING, SIDE * SUPERSAMPLING)
    source = Image.fromarray(np.round(ink).astype(np.uint8))
    large = np.asarray(
        source.transform(
            canvas, Image.Transform.AFFINE, coefficients, Image.Resampling.BILINEAR
        )
    )
    finished = large.reshape(SIDE, SUPERSAMPLING, SIDE, SUPERSAMPLING).mean(axis=(1, 3))
    finished = np.round(finished * (255 / finished.max()))
    finished[finished < FAINT] = 0
    return finished.astype(np.uint8)


def build_arrays(fonts: Path) -> dict[str, np.ndarray]:
    """Draw all pictures; returns the arrays of kanji.npz, ordered by split, variant, hand and character."""
    rows = []
    for hand_number, hand in enumerate(HANDS):
        path = find_font(hand, fonts)
        require_real_glyphs(path)
        font = ImageFont.truetype(
            str(path), GLYPH_PIXELS, layout_engine=ImageFont.Layout.BASIC
        )
        for label, (character, _, _) in enumerate(CHARACTERS):
            distance = signed_distance(font, character)
            for variant in range(VARIANTS):
                change = change_of(character, hand_number, variant)
                picture = rasterise(with_pen(distance, change), change)
                rows.append((hand.split, variant, hand_number, label, picture))
    rows.sort(key=lambda row: row[:4])
    split, variant, hand, label, images = zip(*rows, strict=True)
    return {
        "images": np.stack(images),
        "labels": np.array(label, np.uint8),
        "hand": np.array(hand, np.uint8),
        "variant": np.array(variant, np.uint8),
        "split": np.array(split, np.uint8),
        "class_names": np.array([character for character, _, _ in CHARACTERS]),
        "meanings": np.array([meaning for _, meaning, _ in CHARACTERS]),
        "readings": np.array([reading for _, _, reading in CHARACTERS]),
        "hand_names": np.array([hand.name for hand in HANDS]),
        "hand_writers": np.array([hand.writer for hand in HANDS]),
        "hand_split": np.array([hand.split for hand in HANDS], np.uint8),
    }


def check_arrays(arrays: dict[str, np.ndarray]) -> None:
    """Stop where a promise of the card is not kept."""
    images = arrays["images"]
    if len({image.tobytes() for image in images}) != len(images):
        raise SystemExit("A picture occurs twice.")
    if images[:, [0, -1], :].any() or images[:, :, [0, -1]].any():
        raise SystemExit("A character touches the rim of its picture.")
    writers = [
        {hand.writer for hand in HANDS if hand.split == part}
        for part in (TRAIN, VALIDATION, TEST)
    ]
    if writers[0] & writers[2] or writers[1] & writers[2] or writers[0] & writers[1]:
        raise SystemExit("A writer is in more than one split.")
    for name in ("class_names", "meanings"):
        if len(set(arrays[name].tolist())) != 100:
            raise SystemExit(f"{name} are not 100 different ones.")


def contact_sheet(
    arrays: dict[str, np.ndarray], characters: range, variant: int = 0, zoom: int = 2
) -> Image.Image:
    """Return a sheet of one variant: a row for each hand, with its name, and a column for each character."""
    cell, names = SIDE * zoom + 4, 210
    sheet = Image.new("L", (names + cell * len(characters), cell * len(HANDS)), 40)
    draw = ImageDraw.Draw(sheet)
    caption = ImageFont.load_default(13)
    for row, hand in enumerate(HANDS):
        split = ("train", "validation", "test")[hand.split]
        draw.text(
            (6, row * cell + cell // 2 - 16),
            f"{hand.name}\n{hand.writer} ({split})",
            fill=230,
            font=caption,
        )
        for column, label in enumerate(characters):
            chosen = (
                (arrays["labels"] == label)
                & (arrays["hand"] == row)
                & (arrays["variant"] == variant)
            )
            picture = Image.fromarray(arrays["images"][chosen][0]).resize(
                (SIDE * zoom, SIDE * zoom), Image.Resampling.NEAREST
            )
            sheet.paste(picture, (names + column * cell + 2, row * cell + 2))
    return sheet


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--fonts",
        type=Path,
        default=Path("/usr/share/fonts/truetype"),
        help="folder with the fonts",
    )
    parser.add_argument(
        "--check",
        action="store_true",
        help="write nothing; compare with the committed file",
    )
    options = parser.parse_args()
    print(f"Drawing with FreeType {features.version('freetype2')}, Pillow's.")
    arrays = build_arrays(options.fonts)
    check_arrays(arrays)
    if options.check:
        require_same_arrays(HERE / "kanji.npz", **arrays)
        return
    save_arrays(HERE / "kanji.npz", **arrays)
    contact_sheet(arrays, range(10)).save(HERE / "contact_sheet.png", optimize=True)
    record_files(HERE / "CARD.md", [HERE / "kanji.npz"])


if __name__ == "__main__":
    main()
