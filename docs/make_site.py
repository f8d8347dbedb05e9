"""Build the course's site: static files in docs/_build/site that any host can serve, and a folder can too.

    python docs/make_site.py            or `make site`
    python docs/make_site.py FOLDER     the same in FOLDER/site

Pages come from docs/*.md, the lessons as they are stored, the data cards, benchmarks/results.json and the docstrings.
No lesson is run. Nothing is fetched but the archive that docs/browser.py pins, once. Any warning of Sphinx, a link that
leads nowhere and whatever would ask another host is an error.
"""

import os
import re
import shutil
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
sys.path[:0] = [str(HERE), str(ROOT / "benchmarks")]

import browser  # noqa: E402
import checks  # noqa: E402
import front  # noqa: E402
import lessons  # noqa: E402
import nbformat  # noqa: E402
import self_test  # noqa: E402

# A figure of benchmarks/, as README and results page name it from where they lie
FIGURE = re.compile(r"!\[([^\]]*)\]\((?:\.\./)?benchmarks/(\w+)\.png\)")


def main() -> None:
    start, target = (
        time.perf_counter(),
        Path(*sys.argv[1:] or [HERE / "_build"]).resolve(),
    )
    site = target / "site"
    build(target / "pages", site)
    faults = checks.faults(site)
    if faults:
        sys.exit(f"The site has {len(faults)} faults:\n" + "\n".join(faults))
    files = [path for path in site.rglob("*") if path.is_file()]
    pages, size = (
        sum(path.suffix == ".html" for path in files),
        sum(path.stat().st_size for path in files) / 1e6,
    )
    where, seconds = os.path.relpath(site), time.perf_counter() - start
    print(
        f"{where}: {pages} pages, {size:.1f} MB, {seconds:.0f} s; open {where}/index.html"
    )


def build(pages: Path, site: Path) -> None:
    """Put the pages together in one folder and have Sphinx make the site of them in another, both made afresh."""
    for folder in (pages, site):
        shutil.rmtree(folder, ignore_errors=True)
    collect(pages)
    run_sphinx(pages, site)
    add_mathjax(site)
    browser.add_to(site)
    front.add_to(site)
    self_test.add_to(site)


def collect(pages: Path) -> None:
    """Copy what Sphinx reads, where the repository has it, so that links between the files hold."""
    for path in [
        *sorted((ROOT / "notebooks").glob("*.ipynb")),
        *sorted(ROOT.glob("data/*/contact_sheet.png")),
    ]:
        copy = pages / path.relative_to(ROOT)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, copy)
    for path in sorted(ROOT.glob("data/*/CARD.md")):
        copy = pages / path.relative_to(ROOT)
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_text(card(path.parent.name), encoding="utf-8")
    draw_results(pages / "benchmarks")
    (pages / "api").mkdir(parents=True)
    for path in sorted([*HERE.glob("*.md"), *HERE.glob("api/*.md")]):
        text = PART.sub(
            lambda part: PARTS[part[1]](part[2]), path.read_text(encoding="utf-8")
        )
        copy = pages / path.relative_to(HERE)
        if path.parent == HERE:  # on the site these pages lie above the lessons
            text = text.replace("](../notebooks/", "](notebooks/")
        copy.write_text(for_both_grounds(text), encoding="utf-8")


def for_both_grounds(text: str) -> str:
    """Each figure twice: the theme shows the one that was drawn for its light or for its dark version."""
    light, dark = (
        rf"![\1](benchmarks/\2{ending}.svg){{.only-{ground}}}"
        for ground, ending in (("light", ""), ("dark", "-dark"))
    )
    return FIGURE.sub(f"{light} {dark}", text)


def run_sphinx(pages: Path, site: Path) -> None:
    from sphinx.cmd.build import build_main

    # -n: references that are not found are warned of; -W: warnings are errors.
    doctrees = pages.parent / "doctrees"
    shutil.rmtree(doctrees, ignore_errors=True)
    arguments = [
        "-b",
        "html",
        "-n",
        "-W",
        "--keep-going",
        "-q",
        "-c",
        str(HERE),
        "-d",
        str(doctrees),
    ]
    if build_main([*arguments, str(pages), str(site)]):
        sys.exit("Sphinx had something to say; see above. Nothing was published.")
    for left_over in [
        site / ".buildinfo",
        *site.glob("_static/*webpack-macros.html"),
        *site.glob("_static/**/*.map"),
    ]:  # themes' own
        left_over.unlink(missing_ok=True)


def add_mathjax(site: Path) -> None:
    """The one script that is used and its fonts, 1.5 of 24 MB, out of the locked package that holds npm's mathjax."""
    from importlib.metadata import files

    pattern = re.compile(
        r"static/(mathjax/(?:tex-chtml\.js|output/chtml/fonts/woff-v2/.+\.woff))$"
    )
    for file in files("sphinx-mathjax-offline"):
        if match := pattern.search(file.as_posix()):
            copy = site / "_static" / match[1]
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file.locate(), copy)


# --- the parts that pages ask for with <!-- name: argument --> ---


def readme(title: str) -> str:
    """What stands in the README under one of its headings; "three calls": those, and what follows up to the first."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    top, *sections = re.split(r"(?m)^## ", text)
    parts = {
        section.partition("\n")[0]: section.partition("\n")[2].strip()
        for section in sections
    }
    parts["three calls"] = top[top.index("```python") :].strip()
    part = parts[title]
    part = re.sub(
        r"\[([^\]]+)\]\(([A-Z]+(?:\.md)?)\)", r"`\1`", part
    )  # files of the checkout: no pages
    return lessons.with_buttons(part.replace("](docs/", "]("))


def glossary(_) -> str:
    """The terms of the folded list in lesson 00."""
    notebook = nbformat.read(ROOT / "notebooks" / "00_start.ipynb", as_version=4)
    matches = (
        re.search(r"<summary>Glossary[^<]*</summary>(.*?)</details>", cell.source, re.S)
        for cell in notebook.cells
    )
    return next(match[1].strip() for match in matches if match)


def card(name: str) -> str:
    """A card's page: its prose, and under the heading what its front matter says."""
    from tlcourse.cards import read_card

    data_card = read_card(name)
    heading, _, prose = data_card.text.strip().partition("\n")
    facts = {
        "Name": f"`{name}`",
        "Source": data_card.source,
        "Licence": data_card.licence,
        "Built by": data_card.built_by,
    }
    files = "\n".join(
        f"| `{file}` | `{digest}` |" for file, digest in data_card.files.items()
    )
    return "\n".join(
        [
            heading,
            "",
            *(f"- **{key}:** {value}" for key, value in facts.items()),
            "",
            prose.strip(),
        ]
        + (
            ["", "## Checksums", "", "| File | SHA-256 |", "|---|---|", files]
            if files
            else []
        )
    )


def cards_table(_) -> str:
    from tlcourse.cards import read_card

    rows = ["| Card | Licence |", "|---|---|"]
    for path in sorted(ROOT.glob("data/*/CARD.md")):
        data_card = read_card(path.parent.name)
        rows.append(
            f"| [{data_card.title}](data/{data_card.name}/CARD.md) | {data_card.licence} |"
        )
    return "\n".join(rows)


def everything(_) -> str:
    """All measured numbers."""
    import all_numbers
    import records

    return all_numbers.everything(records.read())


def draw_results(folder: Path) -> None:
    """The figures of results.json, drawn afresh, so that they cannot be older than the tables beside them."""
    import figures
    import records

    folder.mkdir(parents=True, exist_ok=True)
    results = records.read()
    for name in figures.FIGURES:
        figures.save(name, results, folder / f"{name}.svg")
        figures.save(name, results, folder / f"{name}-dark.svg", dark=True)


def api(topic: str | None) -> str:
    """The calls of a topic; None: the index of all topics."""
    import reference

    return reference.page(topic) if topic else reference.index()


PARTS = {
    "readme": readme,
    "glossary": glossary,
    "cards": cards_table,
    "everything": everything,
    "front": front.cards,
    "minutes": front.minutes,
    "api": api,
    "teach": browser.part,
    "runtime": browser.version,
    "self-test": self_test.page,
}
PART = re.compile(rf"<!-- ({'|'.join(PARTS)})(?:: (.*?))? -->")

if __name__ == "__main__":
    main()
