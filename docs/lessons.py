"""How a lesson becomes a page: words and numbers for every figure, solutions folded, no other host."""

import re

import nbformat

from tlcourse.plots.figure import IN_WORDS, in_words

LAUNCH = re.compile(r"\[(Open in (?:Colab|Binder))\]\(([^)]*)\)")
FOLDED = {  # tag → what the button says; myst-nb folds cells with a hide-… tag
    "solution": ("hide-cell", "the solution"),
    "setup": ("hide-input", "the set-up"),
    "preview": ("hide-input", "the code"),
    "answer": ("hide-output", "the answer"),
}
NOT_STORED = (
    "*This figure shows photographs that may not be passed on, so it is not stored here. "
    "It appears when you run the cell.*"
)


def read(text: str) -> nbformat.NotebookNode:
    """A stored lesson as myst-nb shows it (its hook `nb_custom_formats`); the file itself stays as it is."""
    lesson = nbformat.reads(text, as_version=4)
    cells = []
    for cell in lesson.cells:
        tags = cell.metadata.setdefault("tags", [])
        cells.append(cell)
        if cell.cell_type == "markdown":
            cell.source = with_buttons(cell.source)
            continue
        for tag, (hide, what) in FOLDED.items():
            if tag in tags:
                tags.append(hide) if hide not in tags else None
                prompts = {
                    "code_prompt_show": f"Show {what}",
                    "code_prompt_hide": f"Hide {what}",
                }
                cell.metadata.setdefault("mystnb", {}).update(prompts)
        for output in list(cell.outputs):
            described(cell, output)
        if "no-store" in tags:
            cells.append(nbformat.v4.new_markdown_cell(NOT_STORED))
    lesson.cells = cells
    return lesson


def with_buttons(text: str) -> str:
    """What opens the lesson elsewhere looks like a button."""
    return LAUNCH.sub(r"[\1](\2){.launch}", text)


def described(cell: nbformat.NotebookNode, output: nbformat.NotebookNode) -> None:
    """Put a figure's words where myst-nb looks for them, and behind it where the lesson does not have them there."""
    about = output.get("metadata", {}).get("image/png", {})
    if "alt" in about:
        image = cell.metadata.setdefault("mystnb", {}).setdefault("image", {})
        image["alt"] = about["alt"].replace("\n", " ")
        if "width" in about:
            image["width"] = f"{about['width']}px"
        words = in_words(about["alt"], about.get("table"))
        index = cell.outputs.index(output) + 1
        if not any(
            IN_WORDS in behind.get("data", {}).get("text/html", "")
            for behind in cell.outputs[index:]
        ):
            shown = nbformat.v4.new_output("display_data", {"text/html": words})
            cell.outputs.insert(index, shown)
