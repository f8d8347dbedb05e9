"""A model card in Markdown, written from an export's record and from nothing else.

M. Mitchell et al., "Model Cards for Model Reporting", FAT* 2019.
"""

from .foreign_text import escape_markdown as escaped

FEW = 10  # test pictures of a class under which its recall says little
LISTED = 50  # classes in the table
UNEVEN = 3  # times as many training pictures of one class as of another


def model_card(record: dict) -> str:
    """Write the card of a record, see `tlcourse.exporting`."""
    sections = [
        _summary(record),
        _usage(record),
        _accuracy(record),
        _classes(record),
        _mistakes(record),
        _files(record),
        _data(record),
        _training(record),
        _limits(record),
        _provenance(record),
    ]
    return "\n\n".join(filter(None, sections)) + "\n"


def _summary(record: dict) -> str:
    names, backbone = record["class_names"], record["backbone"]
    return (
        f"# {escaped(record['data']['name'])}: {len(names)} classes\n\n"
        f"Classifies pictures into {len(names)} classes: {_some(names)}. The backbone "
        f"is {escaped(backbone['name'])} ({backbone['source']}). Made with tlcourse."
    )


def _usage(record: dict) -> str:
    height, width = record["input"]["height"], record["input"]["width"]
    return (
        "## How to use it\n\n    tlcourse predict PICTURES --model THIS_FOLDER\n\n"
        "or, without tlcourse, any program that runs ONNX or Keras files: input RGB "
        f"pixels from 0 to 255 as float32, (n, {height}, {width}, 3), the picture as a "
        f"whole resized to {width} × {height} (bicubic), nothing scaled or cropped; "
        "output a probability for each line of labels.txt."
    )


def _accuracy(record: dict) -> str:
    test = record["test"]
    low, high = test["interval"]
    return (
        f"## How good it is\n\n**{test['accuracy']:.1%}** of {test['pictures']:,} test "
        "pictures, which took no part in training or model selection "
        f"({test['right']:,} right; 95 % confidence interval {low:.1%} to {high:.1%}). "
        f"Always predicting {escaped(test['most_frequent'])} would be right for "
        f"{test['baseline']:.1%}."
    )


def _classes(record: dict) -> str:
    trained, tested = record["data"]["pictures"]["train"], record["test"]["classes"]
    lines = [
        "| Class | Training pictures | Test pictures | Recall |",
        "|---|---|---|---|",
    ]
    ranked = sorted(tested, key=lambda name: (_recall(tested[name]), name))
    for name in ranked[:LISTED]:
        count = tested[name]["pictures"]
        recall = f"{_recall(tested[name]):.1%}" if count else "–"
        lines.append(
            f"| {escaped(name)} | {trained.get(name, 0):,} | {count:,} | {recall} |"
        )
    if len(ranked) > LISTED:
        lines.append(
            f"\nThese are the {LISTED} with the lowest recall, of {len(ranked):,}; "
            "record.json has all."
        )
    return "\n".join(lines)


def _mistakes(record: dict) -> str:
    test = record["test"]
    if not test["mistakes"]:
        return ""
    lines = ["Confused most often:", ""]
    for true, predicted, count in test["mistakes"][:5]:
        lines.append(f"- {escaped(true)} taken for {escaped(predicted)}: {count}")
    lines += ["", "The mistakes with the highest probability, to look at:", ""]
    for one in test["surest_mistakes"][:5]:
        lines.append(
            f"- {escaped(one['picture'])}: {escaped(one['predicted'])} "
            f"({one['probability']:.0%}), in truth {escaped(one['true'])}"
        )
    return "\n".join(lines)


def _files(record: dict) -> str:
    lines = [
        "## Files",
        "",
        "| File | MB | Test accuracy | Same prediction as Keras | Pictures/s ¹ |",
        "|---|---|---|---|---|",
    ]
    for name, file in record["files"].items():
        lines.append(
            f"| {name} | {file['bytes'] / 1e6:.1f} | {file['accuracy']:.1%} | "
            f"{file['agreement']:.1%} | {file['pictures_per_second']:.0f} |"
        )
    lines += [
        f"\n{name} was left out: {why}." for name, why in record["left_out"].items()
    ]
    made = record["made"]
    lines.append(
        f"\n¹ On the machine that made them ({made['system']}, {made['processors']} "
        "processors)."
    )
    return "\n".join(lines)


def _data(record: dict) -> str:
    data, backbone = record["data"], record["backbone"]
    counts = ", ".join(
        f"{sum(classes.values()):,} {split}"
        for split, classes in data["pictures"].items()
    )
    lines = [
        "## Data\n",
        f"- Pictures: {escaped(data['name'])}: {counts}; {data['left_out']:,} files "
        "left out.",
        f"- Source: {escaped(data['source'])}.",
        f"- Licence of the pictures: {escaped(data['licence'])}.",
    ]
    if backbone["top1"]:
        lines.append(
            f"- The backbone: {backbone['name']}, pretrained on ImageNet (published "
            f"top-1 accuracy {backbone['top1']} %)."
        )
    return "\n".join(lines)


def _training(record: dict) -> str:
    training = record["training"]
    if training["method"] == "linear probe":
        text = (
            "A linear probe: logistic regression on the frozen network's features, "
            f"C = {training['C']:g}."
        )
    else:
        settings = ", ".join(
            f"{name} {value:g}"
            for name, value in training["settings"].items()
            if isinstance(value, int | float)
        )
        first = escaped(training["from_block"] or "its first layer")
        text = (
            f"A linear probe first, then fine-tuning from {first} on, batch "
            f"normalisation frozen (LP-FT, Kumar et al., ICLR 2022): {settings}."
        )
    choice = record.get("job", {}).get("choice")
    return f"## Training\n\n{text}" + (f"\n{choice}" if choice else "")


def _limits(record: dict) -> str:
    tested, trained = record["test"]["classes"], record["data"]["pictures"]["train"]
    lines = [
        "## Limits\n",
        "- It predicts one of its classes for any picture. A high probability does not "
        "mean that the picture shows one of them.",
        "- The test pictures have the same source as the training pictures. Accuracy "
        "under domain shift (another camera, place or season) was not measured.",
    ]
    few = [name for name, found in tested.items() if found["pictures"] < FEW]
    if few:
        lines.append(
            f"- Fewer than {FEW} test pictures, too few for a recall: {_some(few)}."
        )
    counts = sorted((count, name) for name, count in trained.items() if count)
    (least, rare), (most, frequent) = counts[0], counts[-1]
    if most >= UNEVEN * least:
        lines.append(
            f"- Class imbalance: {most:,} training pictures of {escaped(frequent)}, "
            f"{least:,} of {escaped(rare)}; predictions are biased towards the former."
        )
    if record["backbone"]["top1"]:
        lines.append(
            "- ImageNet's photographs come mostly from North America and Europe; some "
            "of its labels are wrong."
        )
    lines.append("- Not for judging people, nor for decisions that may hurt somebody.")
    return "\n".join(lines)


def _provenance(record: dict) -> str:
    made = record["made"]
    versions = ", ".join(
        f"{name} {version}" for name, version in made["versions"].items()
    )
    return (
        f"Written {made['date']} by tlcourse from record.json: {versions}, Python "
        f"{made['python']}."
    )


def _recall(counts: dict) -> float:
    """Recall of a class; more than 1 where it was not tested: last in the table."""
    return counts["right"] / counts["pictures"] if counts["pictures"] else 2.0


def _some(names: list[str], most: int = 8) -> str:
    shown = ", ".join(map(escaped, names[:most]))
    return shown + (f" and {len(names) - most:,} more" if len(names) > most else "")
