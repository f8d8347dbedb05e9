"""The release checklist refuses what is not fit to be released, and says why."""

import datetime
import json
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tools"))

import release  # noqa: E402

DAY = datetime.date(2026, 11, 26)


def changes(heading):
    return f"# Changes\n\n{heading}\n\n- Something.\n\n## 0.1.0 (2026-11-01)\n"


@pytest.mark.parametrize(
    ("heading", "number", "tags", "reason"),
    [
        ("## 0.2.0 (unreleased)", "0.2.0", [], "unreleased"),
        ("## 0.2.0 (2026-11-27)", "0.2.0", [], "still to come"),
        ("## 0.2.0 (2026-11-26)", "0.3.0", [], "pyproject.toml says 0.3.0"),
        ("## 0.2.0 (2026-11-26)", "0.2.0", ["v0.2.0"], "tagged already"),
        ("", "0.2.0", [], "first section is 0.1.0"),
    ],
)
def test_a_changelog_that_does_not_fit_is_refused(heading, number, tags, reason):
    with pytest.raises(release.NotReady, match=reason):
        release.check_changelog(changes(heading), number, tags, DAY)


def packages(*rows):
    return "Some warning\n" + json.dumps({"dependencies": list(rows)})


def test_a_vulnerability_is_named():
    found = packages(
        {"name": "pillow", "version": "10.0", "vulns": [{"id": "PYSEC-2023-175"}]}
    )
    with pytest.raises(release.NotReady, match="pillow .PYSEC-2023-175"):
        release.check_audit(found)


def test_results_of_other_versions_are_refused():
    results = dict.fromkeys(release.MEASURED, {}) | {
        "machine": {"versions": {"keras": "3.14.0"}}
    }
    with pytest.raises(release.NotReady, match=r"keras 3.14.0 \(now 3.15.1\)"):
        release.check_measured(results, "keras==3.15.1 \\\n")


CITATION = """cff-version: 1.2.0
message: Cite it.
title: A course
authors:
  - name: Somebody
version: 0.2.0
date-released: 2026-11-26
"""


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("0.2.0", "0.1.0", "version is 0.1.0; pyproject.toml says 0.2.0"),
        ("title: A course\n", "", "has no title"),
        ("1.2.0", "1.1.0", "cff-version is 1.1.0, expected 1.2.0"),
        (
            "2026-11-26",
            "2026-11-25",
            "released 2026-11-25; CHANGELOG.md says 2026-11-26",
        ),
    ],
)
def test_a_citation_that_does_not_fit_is_refused(old, new, reason):
    assert release.check_citation(CITATION, "0.2.0", "2026-11-26")
    with pytest.raises(release.NotReady, match=reason):
        release.check_citation(CITATION.replace(old, new), "0.2.0", "2026-11-26")


def test_the_citation_is_of_this_version_and_licence():
    text = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    number = release.version()
    assert number in release.check_citation(text, number, "unreleased")
    assert "license: Apache-2.0\n" in text


def test_a_wheel_that_is_too_large_is_refused(tmp_path):
    wheel = tmp_path / "tlcourse-0.2.0-py3-none-any.whl"
    with wheel.open("wb") as file:
        file.truncate(45_000_001)
    with pytest.raises(release.NotReady, match="45.0 MB, expected at most 45"):
        release.check_size(wheel)
    with wheel.open("wb") as file:
        file.truncate(45_000_000)
    assert release.check_size(wheel) == "tlcourse-0.2.0-py3-none-any.whl, 45.0 MB"
