"""The site's front page: a card per lesson with a thumbnail, and the photographs at its top."""

import base64
import html
import io
import re
import sys
from pathlib import Path

import nbformat
from PIL import Image, ImageOps

ROOT = Path(__file__).resolve().parent.parent
FOLDER = "_static/front"  # of the site
THUMBNAIL = (480, 300)
# Lesson → how the words of the figure begin that stands for it; for others it is the lesson's first.
FIGURES = {
    "00": "30 pictures: bird",
    "01": "Stamps: six kinds of thing",
    "02": "The 6 channels that vary most",
    "03": "Test pictures: the two principal components",
    "04": "A large head on few solar cells",
    "05": "200 solar cells",
    "06": "Sixty Kanji",
    "07": "Last layer, average over its heads",
    "09": "Six mistakes that lose accuracy",
}
ROW = re.compile(
    r"^\| (\d\d) \| \[(.+?)\]\(notebooks/(\w+)\.ipynb\) \| (.+?) \| (\d+) \| (\w+) \|$",
    re.M,
)
KINDS = ("bird", "flower", "fruit", "mammal", "vegetable", "vehicle")
EACH, SIDE = 9, 96  # photographs of each kind, pixels


def lessons() -> list[tuple[str, ...]]:
    """The rows of the README's table: number, title, name, what you will do, minutes, offline."""
    return ROW.findall((ROOT / "README.md").read_text(encoding="utf-8"))


def minutes(_) -> str:
    """How many lessons there are, and how long they take."""
    each = [int(row[4]) for row in lessons()]
    return f"{len(each)} lessons of {min(each)} to {max(each)} minutes, {sum(each) / 60:.0f} hours in all"


def cards(_) -> str:
    """HTML: a card per lesson, in the README's words."""
    items = [card(*row) for row in lessons()]
    return "\n".join(["```{raw} html", '<ul class="cards">', *items, "</ul>", "```"])


def card(
    number: str, title: str, name: str, aim: str, length: str, offline: str
) -> str:
    words, _ = figure(name)
    where = "offline" if offline == "yes" else "needs the internet"
    return (
        f'<li><img src="{FOLDER}/{number}.png" width="{THUMBNAIL[0]}" height="{THUMBNAIL[1]}" loading="lazy" '
        f'alt="{html.escape(shortened(words), quote=True)}">'
        f'<h3><a href="notebooks/{name}.html">{number} · {html.escape(title)}</a></h3>'
        f"<p>{with_code(aim[0].upper() + aim[1:])}.</p>"
        f'<p class="facts">{length} minutes · {where}</p></li>'
    )


def with_code(text: str) -> str:
    """A row's text as HTML: `code` is the only Markdown in it."""
    return re.sub(r"`(.+?)`", r"<code>\1</code>", html.escape(text))


def shortened(words: str, most: int = 120) -> str:
    """The beginning of a figure's words, which say it all in the lesson itself."""
    words = f"A figure of this lesson. {' '.join(words.split())}"
    return words if len(words) <= most else f"{words[:most].rsplit(' ', 1)[0]} …"


def figure(name: str) -> tuple[str, Image.Image]:
    """Words and picture of the stored figure that stands for a lesson."""
    lesson = nbformat.read(ROOT / "notebooks" / f"{name}.ipynb", as_version=4)
    examples = [
        (
            output.metadata.get("image/png", {}).get("alt", ""),
            output.data["image/png"],
        )
        for cell in lesson.cells
        for output in cell.get("outputs", [])
        if "image/png" in output.get("data", {})
    ]
    begins = FIGURES.get(name[:2], "")
    fitting = [one for one in examples if one[0].startswith(begins)]
    if not fitting:
        sys.exit(f"No figure stored in {name} has words that begin with {begins!r}.")
    words, picture = fitting[0]
    return words, Image.open(io.BytesIO(base64.b64decode(picture))).convert("RGB")


def thumbnail(picture: Image.Image) -> Image.Image:
    """A figure in a thumbnail's shape, on white."""
    return ImageOps.pad(picture, THUMBNAIL, Image.Resampling.LANCZOS, color="white")


def photographs() -> Image.Image:
    """Photographs of the stamps, a row for each kind."""
    sheet = Image.new("RGB", (EACH * SIDE, len(KINDS) * SIDE), "white")
    for row, kind in enumerate(KINDS):
        files = sorted((ROOT / "data" / "stamps" / kind).glob("*.jpg"))
        for column in range(EACH):
            with Image.open(files[column * len(files) // EACH]) as photograph:
                small = photograph.resize((SIDE, SIDE), Image.Resampling.LANCZOS)
            sheet.paste(small, (column * SIDE, row * SIDE))
    return sheet


def add_to(site: Path) -> None:
    """Write the pictures of the front page into a built site."""
    folder = site / FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    photographs().save(folder / "photographs.jpg", quality=85)
    for number, _, name, *_ in lessons():
        _, picture = figure(name)
        small = thumbnail(picture).quantize(128, dither=Image.Dither.NONE)
        small.save(folder / f"{number}.png", optimize=True)
