"""A model card in Markdown, written from an export's record and from nothing else.

M. Mitchell and others, "Model Cards for Model Reporting", FAT* 2019.
"""

from collections.abc import Iterator

from .foreign_text import escape_markdown

FEW = 10  # test pictures of a class under which its recall says little
LISTED = 50  # classes that the table holds
UNEVEN = 3  # times as many pictures of one class as of another


def model_card(record: dict) -> str:
    """The card of this record, see `tlcourse.exporting`."""
    sections = (
        _what_it_is,
        _how_to_use_it,
        _accuracy,
        _classes,
        _mistakes,
        _files,
        _data,
        _training,
        _limits,
        _made,
    )
    return (
        "\n\n".join(
            "\n".join(section(record)).strip()
            for section in sections
            if any(section(record))
        )
        + "\n"
    )


def _what_it_is(record: dict) -> Iterator[str]:
    names = record["class_names"]
    yield f"# {escape_markdown(record['data']['name'])}: {len(names)} classes"
    yield ""
    yield (
        f"Takes a picture and says which of {len(names)} classes it shows: {_some(names)}. It began as "
        f"{escape_markdown(record['backbone']['name'])} ({record['backbone']['source']}) and was made with tlcourse."
    )


def _how_to_use_it(record: dict) -> Iterator[str]:
    height, width = record["input"]["height"], record["input"]["width"]
    yield "## How to use it"
    yield ""
    yield "    tlcourse predict PICTURES --model THIS_FOLDER"
    yield ""
    yield (
        "or, without tlcourse, any program that runs LiteRT or Keras files: input RGB pixels from 0 to 255 as "
        f"float32, (1, {height}, {width}, 3), the whole picture resized to {width} × {height} (bicubic), nothing "
        "scaled or cropped; output a probability for each line of labels.txt."
    )


def _accuracy(record: dict) -> Iterator[str]:
    test = record["test"]
    low, high = test["interval"]
    yield "## How good it is"
    yield ""
    yield (
        f"**{test['accuracy']:.1%}** of {test['pictures']:,} test pictures, which took no part in training or choosing "
        f"({test['right']:,} right; 95 % interval {low:.1%} to {high:.1%}). Always answering "
        f"{escape_markdown(test['most_frequent'])} would be right for {test['baseline']:.1%}."
    )


def _classes(record: dict) -> Iterator[str]:
    pictures, test = record["data"]["pictures"], record["test"]["classes"]
    ranked = sorted(test, key=lambda name: (_recall(test[name]), name))
    yield "| Class | Learned from | Tested on | Recognised |"
    yield "|---|---|---|---|"
    for name in ranked[:LISTED]:
        found = test[name]
        share = f"{_recall(found):.1%}" if found["pictures"] else "–"
        yield f"| {escape_markdown(name)} | {pictures['train'].get(name, 0):,} | {found['pictures']:,} | {share} |"
    if len(ranked) > LISTED:
        yield ""
        yield f"These are the {LISTED} that are recognised worst, of {len(ranked):,}; record.json has all."


def _mistakes(record: dict) -> Iterator[str]:
    if not record["test"]["mistakes"]:
        return
    yield "Taken for something else most often:"
    yield ""
    for true, said, count in record["test"]["mistakes"][:5]:
        yield f"- {escape_markdown(true)} taken for {escape_markdown(said)}: {count}"
    yield ""
    yield "The surest mistakes, to look at:"
    yield ""
    for one in record["test"]["surest_mistakes"][:5]:
        yield (
            f"- {escape_markdown(one['picture'])}: {escape_markdown(one['said'])} ({one['probability']:.0%}), in truth "
            f"{escape_markdown(one['true'])}"
        )


def _files(record: dict) -> Iterator[str]:
    yield "## Files"
    yield ""
    yield "| File | MB | Right on the test pictures | Same answer as Keras | Pictures a second ¹ |"
    yield "|---|---|---|---|---|"
    for name, file in record["files"].items():
        yield (
            f"| {name} | {file['bytes'] / 1e6:.1f} | {file['accuracy']:.1%} | {file['agreement']:.1%} | "
            f"{file['pictures_per_second']:.0f} |"
        )
    for name, why in record["left_out"].items():
        yield ""
        yield f"{name} was left out: {why}."
    yield ""
    yield f"¹ On the machine that made them ({record['made']['system']}, {record['made']['processors']} processors)."


def _data(record: dict) -> Iterator[str]:
    data = record["data"]
    counts = ", ".join(
        f"{sum(classes.values()):,} {split}"
        for split, classes in data["pictures"].items()
    )
    yield "## What it learned from"
    yield ""
    yield f"- Pictures: {escape_markdown(data['name'])}: {counts}; {data['left_out']:,} files left out."
    yield f"- Where they come from: {escape_markdown(data['source'])}."
    yield f"- Licence of the pictures: {escape_markdown(data['licence'])}."
    if record["backbone"]["top1"]:
        yield (
            f"- Before that: {record['backbone']['name']}, trained on ImageNet (published accuracy there "
            f"{record['backbone']['top1']} %)."
        )


def _training(record: dict) -> Iterator[str]:
    training = record["training"]
    yield "## How it was trained"
    yield ""
    if training["method"] == "linear probe":
        yield f"A linear classifier on the frozen network's features (logistic regression, C = {training['C']:g})."
    else:
        settings = ", ".join(
            f"{name} {value:g}" for name, value in training["settings"].items()
        )
        first = escape_markdown(training["from_block"] or "its first layer")
        yield (
            f"A linear probe first, then the network from {first} on, batch norms frozen (LP-FT, Kumar "
            f"and others, ICLR 2022): {settings}."
        )
    if choice := record.get("job", {}).get("choice"):
        yield choice


def _limits(record: dict) -> Iterator[str]:
    test, pictures = record["test"]["classes"], record["data"]["pictures"]
    yield "## Limits"
    yield ""
    yield (
        "- It answers with one of its classes whatever it is shown. A high probability is no sign that it knows the "
        "thing."
    )
    yield (
        "- The test pictures come from where the others come from. How well it does with another camera, place or "
        "season was not measured."
    )
    few = [name for name, found in test.items() if found["pictures"] < FEW]
    if few:
        yield f"- Of {_some(few)} fewer than {FEW} pictures were tested: what is said of them may be luck."
    learned = {name: count for name, count in pictures["train"].items() if count}
    most, least = (
        max(learned, key=learned.__getitem__),
        min(learned, key=learned.__getitem__),
    )
    if learned[most] >= UNEVEN * learned[least]:
        yield (
            f"- It learned from {learned[most]:,} pictures of {escape_markdown(most)} and {learned[least]:,} of "
            f"{escape_markdown(least)}, and leans towards what it saw more of."
        )
    if record["backbone"]["top1"]:
        yield "- ImageNet's photographs come mostly from North America and Europe; some of its labels are wrong."
    yield "- It was not made to judge people, nor for decisions that may hurt somebody."


def _made(record: dict) -> Iterator[str]:
    made = record["made"]
    versions = ", ".join(
        f"{name} {version}" for name, version in made["versions"].items()
    )
    yield f"Written {made['date']} by tlcourse from record.json: {versions}, Python {made['python']}."


def _recall(found: dict) -> float:
    return (
        found["right"] / found["pictures"] if found["pictures"] else 2.0
    )  # not tested: last in the table


def _some(names: list[str], most: int = 8) -> str:
    shown = ", ".join(escape_markdown(name) for name in names[:most])
    return shown + (f" and {len(names) - most:,} more" if len(names) > most else "")
