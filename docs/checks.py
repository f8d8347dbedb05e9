"""What must not be in a built site: links that lead nowhere, requests to other hosts, this machine's paths."""

import re
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

ROOT = Path(__file__).resolve().parent.parent
LOADED = {"src", "srcset", "poster", "data"}  # attributes that make a browser fetch, wherever they stand
LOADED_BY_LINK = {
    "stylesheet",
    "preload",
    "icon",
    "shortcut icon",
    "modulepreload",
    "prefetch",
    "preconnect",
    "manifest",
}


class Page(HTMLParser):
    """A page's anchors, the files that a browser fetches for it, and where its links lead."""

    def __init__(self, text: str):
        super().__init__()
        self.anchors, self.loaded, self.links = set(), [], []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        values = {key: value or "" for key, value in attributes}
        self.anchors |= {values[key] for key in ("id", "name") if key in values}
        self.loaded += [values[key] for key in LOADED & set(values) if tag != "button"]
        if tag == "link" and values.get("rel") in LOADED_BY_LINK:
            self.loaded.append(values.get("href", ""))
        elif tag == "a" and "href" in values:
            self.links.append(values["href"])


def faults(site: Path) -> list[str]:
    """A sentence for each fault; none: the site can be published."""
    pages = {path: Page(path.read_text(encoding="utf-8")) for path in sorted(site.rglob("*.html"))}
    found = [fault for path, page in pages.items() for fault in dead_links(site, path, page, pages)]
    found += [
        f"{path.relative_to(site)} loads {url} from another host."
        for path, page in pages.items()
        for url in page.loaded
        if is_elsewhere(url)
    ]
    for path in sorted(site.rglob("*.css")):
        urls = re.findall(r"url\(\s*['\"]?([^'\")]+)|@import\s+['\"]([^'\"]+)", path.read_text(encoding="utf-8"))
        found += [
            f"{path.relative_to(site)} loads {a or b} from another host." for a, b in urls if is_elsewhere(a or b)
        ]
    return found + machine_paths(site)


def dead_links(site: Path, path: Path, page: Page, pages: dict[Path, Page]) -> list[str]:
    found = []
    for url in [*page.links, *page.loaded]:
        parts = urlsplit(url)
        if parts.scheme or parts.netloc or url in ("", "#"):
            continue
        goal = (path.parent / unquote(parts.path)).resolve() if parts.path else path
        if goal.is_dir():
            goal = goal / "index.html"
        if not goal.is_file():
            found.append(f"{path.relative_to(site)} links to {url}, which is not there.")
        elif parts.fragment and goal in pages and unquote(parts.fragment) not in pages[goal].anchors:
            found.append(f"{path.relative_to(site)} links to {url}, and there is no such place on that page.")
    return found


def is_elsewhere(url: str) -> bool:
    return bool(urlsplit(url).netloc)


def machine_paths(site: Path) -> list[str]:
    """Files that name a folder of the machine which built the site."""
    here = {str(ROOT).encode(), str(Path.home()).encode() + b"/", b"/tmp/"} - {b"//"}
    texts = (
        path
        for path in sorted(site.rglob("*"))
        if path.suffix in {".html", ".js", ".css", ".ipynb", ".md", ".txt", ".json", ".inv"}
    )
    return [
        f"{path.relative_to(site)} names {place.decode()}, a folder of this machine."
        for path in texts
        for place in here
        if place in path.read_bytes()
    ]
