"""Controls to move, click and draw on: `tl.widgets.…`, each the last line of a cell.

Each widget has a method `answer`, which does the same without a browser. Its answer to
the first position stands in the widget's place in print, in a saved notebook and for a
screen reader. A notebook keeps neither a widget's state nor what was drawn or uploaded.
"""

from .base import Answer, Widget
from .drawing import DrawAKanji
from .mistakes import MistakeBrowser
from .recording import RecordAWord
from .uploads import TryYourOwn

__all__ = [
    "Answer",
    "DrawAKanji",
    "MistakeBrowser",
    "RecordAWord",
    "TryYourOwn",
    "Widget",
]
