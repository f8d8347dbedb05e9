"""How a lesson becomes a page: words for every figure, its numbers as a table, solutions folded, no other host."""

import html
import re

import nbformat

LAUNCH = re.compile(r"\[(Open in (?:Colab|Binder))\]\(([^)]*)\)")
FOLDED = {  # tag → what the button says; myst-nb folds cells with a hide-… tag
    "solution": ("hide-cell", "the solution"),
    "setup": ("hide-input", "what installs the course on Colab"),
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
                prompts = {"code_prompt_show": f"Show {what}", "code_prompt_hide": f"Hide {what}"}
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
    """Put a figure's words where myst-nb looks for them, and its table, if it has one, behind it."""
    about = output.get("metadata", {}).get("image/png", {})
    if "alt" in about:
        cell.metadata.setdefault("mystnb", {}).setdefault("image", {})["alt"] = about["alt"].replace("\n", " ")
    if "table" in about:
        shown = nbformat.v4.new_output("display_data", {"text/html": folded_table(about["table"])})
        cell.outputs.insert(cell.outputs.index(output) + 1, shown)


def folded_table(table: dict) -> str:
    """A figure's numbers, `{"columns": […], "rows": [[…], …]}`, as HTML; the first column names the row."""
    head = "".join(f'<th scope="col">{html.escape(str(name))}</th>' for name in table["columns"])
    rows = "".join(
        f'<tr><th scope="row">{html.escape(str(first))}</th>'
        + "".join(f"<td>{html.escape(str(value))}</td>" for value in rest)
        + "</tr>"
        for first, *rest in table["rows"]
    )
    return (
        '<details class="figure-table"><summary>The numbers of this figure as a table</summary>'
        f'<table tabindex="0"><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></details>'
    )
