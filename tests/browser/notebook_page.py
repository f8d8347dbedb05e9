"""A lesson that is open in JupyterLab: run it, find a cell, look at what it shows.

JupyterLab takes cells that are far away out of the page, so a cell is scrolled to before it is looked at. Run All is
lost without a word while the kernel is not ready, so that is waited for.
"""

import os
from pathlib import Path

OPENING, RUNNING = 120_000, 600_000  # milliseconds; the machine may have other work
_NOTEBOOK = "window.jupyterapp.shell.currentWidget"
_CELLS = f"""() => [...{_NOTEBOOK}.content.model.cells].map(cell => ({{
    source: cell.sharedModel.getSource(),
    code: cell.type === 'code',
    count: cell.type === 'code' ? cell.executionCount : null,
    outputs: cell.type === 'code' ? cell.outputs.toJSON() : [],
}}))"""
_KERNEL = f"{_NOTEBOOK}?.sessionContext?.session?.kernel"


class Lesson:
    """A lesson in a window of its own.

    Attributes:
        page: playwright's.
        file: where JupyterLab saves it.
        other_hosts: addresses elsewhere that the page has asked for.
    """

    def __init__(self, page, address: str, token: str, file: Path):
        self.page, self.file, self.name = page, file, file.stem
        self.other_hosts = []
        page.set_default_timeout(OPENING)
        page.on("request", lambda request: self._note(request.url))
        page.goto(f"{address}/lab/tree/{file.name}?token={token}&reset")
        page.wait_for_selector(".jp-NotebookPanel .jp-Cell")
        self.wait_until_idle(OPENING)

    def _note(self, url: str) -> None:
        if not url.startswith(("http://127.0.0.1", "ws://127.0.0.1", "data:", "blob:")):
            self.other_hosts.append(url)

    def wait_until_idle(self, limit: int) -> None:
        """Until the kernel has been idle for a second: while it starts it is so for moments."""
        self.page.evaluate("window.idleSince = null")
        self.page.wait_for_function(
            f"""() => {{
                const idle = {_KERNEL}?.status === 'idle';
                window.idleSince = idle ? (window.idleSince ?? Date.now()) : null;
                return idle && Date.now() - window.idleSince > 1000;
            }}""",
            timeout=limit,
            polling=100,
        )

    def run_all(self) -> None:
        self._run("notebook:run-all-cells")

    def run_until(self, text: str) -> None:
        """All cells up to the one with this text, and that one."""
        self.select(text)
        self.page.evaluate(f"{_NOTEBOOK}.content.activeCellIndex += 1")
        self._run("notebook:run-all-above")

    def _run(self, command: str) -> None:
        self.page.evaluate(
            "command => { window.done = false;"
            "window.jupyterapp.commands.execute(command).finally(() => window.done = true); }",
            command,
        )
        self.page.wait_for_function("window.done", timeout=RUNNING, polling=200)
        self.wait_until_idle(RUNNING)

    def cells(self) -> list[dict]:
        """Each cell's source, whether it is code, its execution count and its outputs."""
        return self.page.evaluate(_CELLS)

    def select(self, text: str) -> int:
        """The number of the code cell with this text, which is scrolled to."""
        number = next(
            n
            for n, cell in enumerate(self.cells())
            if cell["code"] and text in cell["source"]
        )
        self.page.evaluate(
            f"""async number => {{
                const notebook = {_NOTEBOOK}.content;
                notebook.activeCellIndex = number;
                notebook.deselectAll();
                await notebook.scrollToItem(number, 'start');
            }}""",
            number,
        )
        return number

    def cell(self, text: str):
        """The code cell with this text, as playwright's locator."""
        found = self.page.locator(
            f'.jp-NotebookPanel .jp-Cell[data-windowed-list-index="{self.select(text)}"]'
        )
        found.wait_for()
        return found

    def save(self) -> str:
        """Save, and what is in the file then."""
        self.page.evaluate("window.jupyterapp.commands.execute('docmanager:save')")
        self.page.wait_for_function(f"!{_NOTEBOOK}.context.model.dirty")
        return self.file.read_text(encoding="utf-8")

    def close(self) -> None:
        """End the kernel and close the window: one that has lost its kernel keeps half a processor busy."""
        if self.page.is_closed():
            return
        if pictures := os.environ.get("TLCOURSE_SCREENSHOTS"):
            self.page.screenshot(path=Path(pictures, f"{self.name}.png"))
        self.page.evaluate(f"{_NOTEBOOK}.sessionContext.shutdown()")
        self.page.context.close()
