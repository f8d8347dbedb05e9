"""Write 86 Italian words in two voices from two Debian packages, and record checksums.

    python data/words/build.py                   # apt-get downloads the packages
    python data/words/build.py --packages DIR    # *.deb files that are already here

Needs Debian's apt-get and dpkg, and soundfile. The recordings are not changed: 8,000
samples per second, 16 bits, as FLAC, which loses nothing.
"""

import argparse
import csv
import hashlib
import subprocess
import sys
import tempfile
from pathlib import Path

import soundfile

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent)]
from build_tools import record_files, require_sha256  # noqa: E402

PACKAGES = {  # name of the package → SHA-256 of the file, voice, folder in it
    "asterisk-core-sounds-it-wav": (
        "5a26638089e134b8ac39363fe249c5c93c50cd8bfdc9b2499ae61ec4a35e2fcb",
        "Carlo",
        "usr/share/asterisk/sounds/it_IT_m_Carlo",
    ),
    "asterisk-prompt-it-menardi-wav": (
        "3094530d98f8758ac275572d59624c41f60969fef883f34f4886d144f3dfeb21",
        "Paola",
        "usr/share/asterisk/sounds/it_IT_f_Menardi",
    ),
}
UNITS = (
    "zero uno due tre quattro cinque sei sette otto nove dieci undici dodici tredici "
    "quattordici quindici sedici diciassette diciotto diciannove venti"
).split()
TENS = "trenta quaranta cinquanta sessanta settanta ottanta novanta".split()
ORDINALS = (
    "primo secondo terzo quarto quinto sesto settimo ottavo nono decimo undicesimo "
    "dodicesimo tredicesimo quattordicesimo quindicesimo sedicesimo diciassettesimo "
    "diciottesimo diciannovesimo ventesimo"
).split()
TENTHS = (
    "trentesimo quarantesimo cinquantesimo sessantesimo settantesimo ottantesimo "
    "novantesimo"
).split()
DAYS = "domenica lunedì martedì mercoledì giovedì venerdì sabato".split()
MONTHS = (
    "gennaio febbraio marzo aprile maggio giugno luglio agosto settembre ottobre "
    "novembre dicembre"
).split()
OTHERS = {
    "digits/hundred": "cento",
    "digits/thousand": "mille",
    "digits/million": "milione",
    "digits/today": "oggi",
    "digits/tomorrow": "domani",
    "digits/yesterday": "ieri",
    "digits/hours": "ore",
    "digits/minutes": "minuti",
    "digits/minus": "meno",
    "digits/dollars": "dollari",
    "digits/euros": "euro",
    "seconds": "secondi",
}
WORDS = {  # name of the file in Asterisk, which says what it is for → word
    **{f"digits/{number}": word for number, word in enumerate(UNITS)},
    **{f"digits/{10 * ten}": word for ten, word in enumerate(TENS, 3)},
    **{f"digits/h-{number}": word for number, word in enumerate(ORDINALS, 1)},
    **{f"digits/h-{10 * ten}": word for ten, word in enumerate(TENTHS, 3)},
    **{f"digits/day-{day}": word for day, word in enumerate(DAYS)},
    **{f"digits/mon-{month}": word for month, word in enumerate(MONTHS)},
    **OTHERS,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--packages", type=Path, help="a folder with both *.deb files")
    options = parser.parse_args()
    rows, files = [], []
    with tempfile.TemporaryDirectory() as temporary:
        for package, (sha256, voice, inside) in PACKAGES.items():
            folder = options.packages or Path(temporary)
            if not options.packages:
                subprocess.run(["apt-get", "download", package], cwd=folder, check=True)
            (file,) = folder.glob(f"{package}_*.deb")
            require_sha256(file.read_bytes(), sha256, file.name)
            unpacked = Path(temporary, voice)
            subprocess.run(["dpkg", "-x", file, unpacked], check=True)
            (HERE / voice).mkdir(exist_ok=True)
            for name, word in WORDS.items():
                source = unpacked / inside / f"{name}.wav"
                samples, rate = soundfile.read(source, dtype="int16")
                path = HERE / voice / f"{name.split('/')[-1]}.flac"
                soundfile.write(path, samples, rate, subtype="PCM_16")
                digest = hashlib.sha256(path.read_bytes()).hexdigest()
                rows.append((path.relative_to(HERE).as_posix(), word, voice, digest))
                files.append(path)
    table = HERE / "words.csv"
    with table.open("w", newline="", encoding="utf-8") as written:
        writer = csv.writer(written, lineterminator="\n")
        writer.writerow(("file", "word", "voice", "sha256"))
        writer.writerows(rows)
    record_files(HERE / "CARD.md", [table])
    size = sum(path.stat().st_size for path in files)
    print(f"{len(files)} recordings, {size:,} bytes")


if __name__ == "__main__":
    main()
