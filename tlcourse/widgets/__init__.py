"""Things to move, click and draw on: `tl.widgets.…`. Each is shown by being the last line of a cell.

Each has a function that gives the same without a browser, and what it gives for the first position stands in the
widget's place in print, in a saved notebook and for a screen reader: a figure, its description and a text. Nothing of
a widget is kept in a notebook: neither its state nor what was drawn or uploaded.

| widget | the function that gives the same |
|---|---|
| freeze_explorer | freezing_at |
| label_slider | accuracy_at |
| mistake_browser | mistakes_of |
| draw_a_kanji | read_kanji |
| try_your_own | try_picture |
"""

from .answer import Answer
from .cuts import FreezeExplorer, freeze_explorer, freezing_at
from .drawing import DrawAKanji, draw_a_kanji, read_kanji
from .labels import LabelSlider, accuracy_at, label_slider
from .mistakes import MistakeBrowser, mistake_browser, mistakes_of
from .uploads import TryYourOwn, try_picture, try_your_own

__all__ = [
    "Answer",
    "DrawAKanji",
    "FreezeExplorer",
    "LabelSlider",
    "MistakeBrowser",
    "TryYourOwn",
    "accuracy_at",
    "draw_a_kanji",
    "freeze_explorer",
    "freezing_at",
    "label_slider",
    "mistake_browser",
    "mistakes_of",
    "read_kanji",
    "try_picture",
    "try_your_own",
]
