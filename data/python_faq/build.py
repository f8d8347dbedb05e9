"""Build python_faq.json, questions and the first sentences of their answers, from Python's FAQ.

    python data/python_faq/build.py                 # apt-get downloads the package
    python data/python_faq/build.py --package PATH  # a *.deb file that is already here
    python data/python_faq/build.py --check         # writes nothing; compares

Needs Debian's apt-get and dpkg, and beautifulsoup4.
"""

import argparse
import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from bs4 import BeautifulSoup, Tag

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent)]
from build_tools import apt_download, require_sha256, write_or_compare  # noqa: E402

PACKAGE = "python3.11-doc=3.11.2-6+deb12u8"
PACKAGE_SHA256 = "50eb63e7f636c4281e9ce1b8f10386f1def42159eddce34fc1f41c46261df71b"
PAGES = "usr/share/doc/python3.11/html/faq"
COPYRIGHT = "usr/share/doc/python3.11-doc/copyright"
FAQS = "general design programming library extending gui windows installed".split()
MOST_SENTENCES = 4  # of one answer
FEWEST_WORDS = 4  # shorter replies, such as "Yes.", stay with the sentence after them

CODE = "\ue000"  # stands before what the page marks as code, and nowhere else
STRAIGHT = str.maketrans("‘’“”", "''\"\"")  # as its authors typed them
ABBREVIATIONS = ("e.g.", "i.e.", "etc.", "vs.", "cf.", "St.", "Dr.", "Mr.", "et al.")
ELSEWHERE = ("See ", "(See ", "Details here")
# The end of a sentence, then a space, then what can begin one.
BOUNDARY = re.compile(rf"(?<=[.?!])([\"')\]]*) (?=[\"'(\[]*[A-Z0-9{CODE}])")


def questions_of(page: Tag) -> Iterator[tuple[str, list[str]]]:
    """Each question of a FAQ's page, and the first sentences of its answer."""
    for section in page.find_all("section"):
        if section.find("section"):
            continue  # a group of questions
        heading = section.find(re.compile("^h[1-6]$"))
        answer = [
            sentence
            for paragraph in section.select(":scope > p, :scope > blockquote > div > p")
            for sentence in sentences_of(plain_text(paragraph))
        ]
        yield plain_text(heading).replace(CODE, ""), answer[:MOST_SENTENCES]


def plain_text(tag: Tag) -> str:
    """The text of a heading or a paragraph in one line, without its link to itself."""
    for link in tag.find_all("a", class_="headerlink"):
        link.decompose()
    for code in tag.find_all("code"):
        code.insert(0, CODE)
    return " ".join(tag.get_text().translate(STRAIGHT).split())


def sentences_of(paragraph: str) -> Iterator[str]:
    """The paragraph's whole sentences, without those that only lead elsewhere."""
    start = 0
    for match in BOUNDARY.finditer(paragraph + f" {CODE}"):
        sentence = paragraph[start : match.end() - 1]
        if ends_here(sentence):
            start = match.end()
            if is_whole(sentence) and not sentence.startswith(ELSEWHERE):
                yield sentence.replace(CODE, "")


def ends_here(text: str) -> bool:
    """Whether the last full stop ends a sentence that is long enough to stand alone."""
    within_brackets = text.count("(") > text.count(")")
    abbreviated = text.endswith((*ABBREVIATIONS, "..."))
    return len(text.split()) >= FEWEST_WORDS and not (within_brackets or abbreviated)


def is_whole(sentence: str) -> bool:
    """Whether it begins as a sentence or with code, as after a list it may not."""
    return bool(re.match(rf"[\"'(\[]*[A-Z0-9{CODE}]", sentence))


def entries(folder: Path) -> list[dict]:
    """All questions of a folder of FAQs with their answers; of equal ones the first."""
    found = {}
    for faq in FAQS:
        page = BeautifulSoup((folder / f"{faq}.html").read_bytes(), "html.parser")
        for question, answer in questions_of(page):
            if answer:
                entry = {"faq": faq, "question": question, "answer": answer}
                found.setdefault(question, entry)
    return list(found.values())


def licence(copyright_file: Path) -> str:
    """The PSF's licence agreement, of the licences in Debian's copyright file."""
    text = copyright_file.read_text(encoding="utf-8")
    start = text.index("PYTHON SOFTWARE FOUNDATION LICENSE VERSION 2")
    return text[start : text.index("BEOPEN.COM LICENSE AGREEMENT")].strip() + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--package", type=Path, help="without it, apt-get downloads it")
    parser.add_argument("--check", action="store_true", help="write nothing; compare")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        package = options.package or apt_download(PACKAGE, Path(folder))
        require_sha256(package.read_bytes(), PACKAGE_SHA256, package.name)
        subprocess.run(["dpkg", "-x", package, folder], check=True)
        faq = entries(Path(folder, PAGES))
        agreement = licence(Path(folder, COPYRIGHT))
    sentences = sum(len(entry["answer"]) for entry in faq)
    print(f"{len(faq)} questions, {sentences} sentences")
    contents = {
        "python_faq.json": json.dumps(faq, ensure_ascii=False, indent=1) + "\n",
        "LICENSE.txt": agreement,
    }
    write_or_compare(HERE, contents, check=options.check)


if __name__ == "__main__":
    main()
