"""What must not be in a built site: links that lead nowhere, requests to other hosts, this machine's paths."""

import re
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

ROOT = Path(__file__).resolve().parent.parent
LOADED = {
    "src",
    "srcset",
    "poster",
    "data",
}  # attributes that make a browser fetch, wherever they stand
LOADED_BY_LINK = {
    "stylesheet",
    "preload",
    "modulepreload",
    "prefetch",
    "preconnect",
    "icon",
    "shortcut icon",
    "manifest",
}
STYLE_URL = re.compile(r"(?:url\(|@import)\s*['\"]?([^'\"); ]+)")
TEXTS = {".html", ".js", ".css", ".ipynb", ".md", ".txt", ".json"}


class Page(HTMLParser):
    """A page's anchors, the files that a browser fetches for it, and where its links lead."""

    def __init__(self, text: str):
        super().__init__()
        self.anchors, self.loaded, self.links = set(), [], []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        values = {key: value or "" for key, value in attributes}
        self.anchors |= {values[key] for key in ("id", "name") if key in values}
        self.loaded += [values[key] for key in LOADED & set(values)]
        if tag == "link" and values.get("rel") in LOADED_BY_LINK:
            self.loaded.append(values.get("href", ""))
        elif tag == "a" and "href" in values:
            self.links.append(values["href"])


def faults(site: Path) -> list[str]:
    """A sentence for each fault; none: the site can be published."""
    pages = {
        path.resolve(): Page(path.read_text(encoding="utf-8"))
        for path in sorted(site.rglob("*.html"))
    }
    loaded = [(path, url) for path, page in pages.items() for url in page.loaded]
    for path in sorted(site.resolve().rglob("*.css")):
        loaded += [
            (path, url) for url in STYLE_URL.findall(path.read_text(encoding="utf-8"))
        ]
    faults = [(path, fault) for path in pages for fault in dead_links(path, pages)]
    faults += [
        (path, f"loads {url} from another host")
        for path, url in loaded
        if urlsplit(url).netloc
    ]
    faults += [
        (path, f"names {folder}, a folder of this machine")
        for path, folder in machine_paths(site.resolve())
    ]
    return [f"{path.relative_to(site.resolve())} {fault}." for path, fault in faults]


def dead_links(path: Path, pages: dict[Path, Page]) -> list[str]:
    """What a page links to or loads and the site does not have."""
    faults = []
    for url in [*pages[path].links, *pages[path].loaded]:
        parts = urlsplit(url)
        if parts.scheme or parts.netloc or url in ("", "#"):
            continue
        target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
        if not target.is_file():
            faults.append(f"links to {url}, which is not there")
        elif (
            parts.fragment
            and target in pages
            and unquote(parts.fragment) not in pages[target].anchors
        ):
            faults.append(f"links to {url}, and there is no such place on that page")
    return faults


def machine_paths(site: Path) -> list[tuple[Path, str]]:
    """Text files that name a folder of the machine which built the site, and the folder.

    A folder that lies in another one of these is named by itself: most checkouts are in the home folder.
    """
    here = {f"{ROOT}", f"{Path.home()}/", "/tmp/"} - {"//"}  # noqa: S108 (looked for, not used)
    paths = []
    for path in sorted(path for path in site.rglob("*") if path.suffix in TEXTS):
        text = path.read_text(encoding="utf-8")
        for folder in sorted(here, key=len, reverse=True):
            if folder in text:
                paths.append((path, folder))
                text = text.replace(folder, "")
    return paths
