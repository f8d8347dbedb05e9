"""What a lesson says of measured results is what they show.

Each row names a lesson, words that stand in it, and the evidence: results that the cell
above them prints, or that cell's stored output. It fails where the words are not in the
lesson any more, and where the results no longer bear them out. As in lesson 01, a
difference is clear from three standard errors on.
"""

import re
from pathlib import Path

import nbformat
import numpy as np
import pytest

import tlcourse as tl
from tlcourse.models.recipes import RECIPES

LESSONS = Path(__file__).resolve().parent.parent / "notebooks"
CLEAR = 3  # standard errors


def lesson(number):
    (path,) = LESSONS.glob(f"{number}_*.ipynb")
    return nbformat.read(path, as_version=4)


def text_of(number):
    cells = [cell for cell in lesson(number).cells if cell.cell_type == "markdown"]
    return " ".join(" ".join(cell.source for cell in cells).split())


def printed(number, pattern):
    """The numbers that a pattern's groups find in a lesson's stored output."""
    outputs = [
        output.get("text", "")
        for cell in lesson(number).cells
        for output in cell.get("outputs", [])
    ]
    (match,) = re.finditer(pattern, "\n".join(outputs))
    return [float(number) for number in match.groups()]


def curve(name):
    return tl.LearningCurve.of(tl.results(name))


def differences(name, method, baseline):
    """Labels in total → mean and standard error of a paired difference."""
    rows = curve(name).differences(method, baseline)
    return {labels: (difference, error) for labels, difference, error in rows}


def ahead(name, method, baseline, labels=None, by=CLEAR):
    """Whether a method is clearly ahead with these labels; None: with any number."""
    rows = differences(name, method, baseline)
    return all(rows[n][0] > by * rows[n][1] for n in labels or rows)


def not_ahead(name, method, baseline, labels):
    rows = differences(name, method, baseline)
    return all(rows[n][0] < CLEAR * rows[n][1] for n in labels)


def unclear(name, method, baseline):
    rows = differences(name, method, baseline).values()
    return all(abs(difference) < CLEAR * error for difference, error in rows)


def means(name):
    """Method → mean accuracies, from few labels to many."""
    points = curve(name).points.items()
    return {method: [point.mean for point in each] for method, each in points}


def seconds(name):
    """Method → median seconds with all labels."""
    points = curve(name).points.items()
    return {method: np.median(each[-1].seconds) for method, each in points}


def paired(values, others):
    """Mean and standard error of paired differences."""
    gains = np.subtract(values, others)
    return gains.mean(), gains.std(ddof=1) / np.sqrt(len(gains))


def gap(name, method, baseline):
    values = means(name)
    return np.subtract(values[method], values[baseline])


def spoiled(source, way):
    study = tl.results("kanji.spoiled")
    scratch = study["from scratch"]["accuracies"]
    gain, error = paired(study[source][way]["accuracies"], scratch)
    return gain / error


def recipe(name, network):
    """Difference of recipe and probe in standard errors."""
    difference = tl.results(name)[network]["difference"]
    return difference["mean"] * difference["n"] ** 0.5 / difference["sd"]


def one_probe(name):
    """Means and seconds of probes and recipes, that of the small network apart."""
    results = tl.results(name)
    small = results["efficientnet_lite0"]["probe"]
    ways = ("recipe", "probe")
    others = [
        results[network][way] for network in ("vgg16", "xception") for way in ways
    ]
    return small, others


BEST_ARM, BEST_FROZEN = "SVM and fine-tuned, int8", "SVM: three sizes and Lite2, int8"


def all_arms():
    """Mean accuracy of each way to classify solar cells that has five splits."""
    arms = tl.results("solar_arms.arms")
    return {name: arm["mean"] for name, arm in arms.items() if arm["n"] == 5}


def gain_of_the_best_arm():
    """Over the best without training, in standard errors, as lesson 05 prints them."""
    gain, error = printed("05", r"Lite2, int8: \+([\d.]+)% ± ([\d.]+)%")
    return gain / error


def frozen_arms():
    return {name: mean for name, mean in all_arms().items() if "tuned" not in name}


def blocks():
    return tl.results("solar_tuning")["blocks"]


def by_learning_rate():
    """Accuracies from a hundredth to a hundred times the default."""
    return tl.results("solar_tuning")["rates"]["mean"]


def finetuned():
    return tl.results("bench.finetune.accuracy")


def convolutions(way):
    return [arm["mean"] for arm in tl.results("kanji.layers")["ways"][way]]


def loss(domain):
    """Method → accuracy on films less that on another domain, with all labels."""
    films, others = (means(f"sentiment.curves.{name}") for name in ("films", domain))
    return {method: films[method][-1] - others[method][-1] for method in films}


def on(domain):
    curves = means(f"sentiment.curves.{domain}")
    return {method: values[-1] for method, values in curves.items()}


def new_labels(domain, count):
    """Fine-tuned directly, less with features tuned on films, in standard errors."""
    ways, row = tl.results("sentiment.new_labels")[domain], (5, 20, 100).index(count)
    names = ("new labels, fine-tuned", "new labels, features tuned on films")
    gain, error = paired(*(ways[name][row]["accuracies"] for name in names))
    return gain / error


def exact(arm, part):
    return np.mean(tl.results("answers.spans.arms")[arm][part]["exact"])


def digits(method, labels):
    return np.mean(tl.results("speech.digits.accuracy")[method][labels])


def cost(mistake):
    return tl.results("misuse.mistakes")[mistake]["cost"]


def searched(data, way):
    """Promised and kept gains of a search, split by split."""
    result = tl.results("tuning.search")[data][way]
    chosen, default = result["chosen"], result["default"]
    return [np.subtract(chosen[on], default[on]) for on in ("validation", "test")]


def labels_instead(data, way):
    """The gain of training on the validation labels, split by split."""
    result = tl.results("tuning.search")[data][way]
    more = result["default, trained on validation too"]["test"]
    return np.subtract(more, result["default"]["test"])


def stack_gain(task, name):
    accuracies = tl.results("tuning.stacks")[task]["accuracies"]
    (method,) = (
        each for each in accuracies if each.replace("efficientnet_", "") == name
    )
    return np.mean(np.subtract(accuracies[method], accuracies["efficientnet_lite0"]))


STAMPS, KANJI, SOLAR = "curves.stamps", "curves.kanji", "curves.solar"
SOLAR_RANDOM = "curves.solar_random_weights"
SCRATCH = ("small CNN", "random weights")
FILMS, WAYS = "sentiment.curves.films", "kanji.ways"
NO_BERT = ("bag of words", "from scratch")
SEARCHES = ("probe", "probe and blocks", "fine-tuning")

# Lesson, what it says, whether it is so
CLAIMS = [
    (
        "00",
        "the mean over five splits is above the published result for hand-designed "
        "features and below the one for a fine-tuned network",
        lambda: 0.8244 < tl.results("solar.last_block.mean") < 0.8842,
    ),
    (
        "01",
        "even the small CNN takes longer than the probe",
        lambda: seconds(STAMPS)["small CNN"] > seconds(STAMPS)["probe"],
    ),
    (
        "01",
        "With every number of labels the probe is ahead of the network with random "
        "weights, by many standard errors",
        lambda: ahead(STAMPS, "probe", "random weights", by=10),
    ),
    (
        "01",
        "Between fine-tuning and the probe there is no clear difference",
        lambda: unclear(STAMPS, "fine-tune", "probe"),
    ),
    (
        "01",
        "The same architecture with random weights is far behind the probe with every "
        "number of labels, as it was on the stamps",
        lambda: ahead(KANJI, "probe", "random weights", by=5),
    ),
    (
        "01",
        "the small CNN is the stronger baseline of the two, and here by more",
        lambda: min(gap(KANJI, *SCRATCH)) > max(gap(STAMPS, *SCRATCH)) > 0,
    ),
    (
        "01",
        "With ten labels, one of each numeral, the probe is not ahead",
        lambda: not_ahead(KANJI, "probe", "small CNN", [10]),
    ),
    (
        "01",
        "With all 500 it is ahead by more than three standard errors",
        lambda: ahead(KANJI, "probe", "small CNN", [500]),
    ),
    (
        "01",
        "With up to twenty cells no mean is more than a few points above the baseline",
        lambda: (
            100 * max(max(each[:4]) for each in means(SOLAR).values())
            < printed("01", r"functional: ([\d.]+)% of the test cells")[0] + 5
        ),
    ),
    (
        "01",
        "with up to forty the probe is not ahead of the small CNN. With two hundred and "
        "more it is.",
        lambda: (
            not_ahead(SOLAR, "probe", "small CNN", [2, 4, 10, 20, 40])
            and ahead(SOLAR, "probe", "small CNN", [200, 500, 1000, 1968])
        ),
    ),
    (
        "01",
        "Fine-tuning is ahead of the probe with five hundred cells and more, and with "
        "twenty it is clearly behind",
        lambda: (
            ahead(SOLAR, "fine-tune", "probe", [500, 1000, 1968])
            and ahead(SOLAR, "probe", "fine-tune", [20])
        ),
    ),
    (
        "01",
        "with all cells it took many times as long as the small CNN",
        lambda: seconds(SOLAR)["fine-tune"] > 5 * seconds(SOLAR)["small CNN"],
    ),
    (
        "01",
        "With two hundred cells and with all of them the probe is ahead of the same "
        "architecture with random weights",
        lambda: ahead(SOLAR_RANDOM, "probe", "random weights", [200, 1968]),
    ),
    (
        "01",
        "Of the two networks from scratch the small CNN has the higher mean with two "
        "hundred cells, as on the stamps and the Kanji, and not with all of them",
        lambda: (
            gap(SOLAR_RANDOM, *SCRATCH)[1] > 0 > gap(SOLAR_RANDOM, *SCRATCH)[2]
            and min(gap(STAMPS, *SCRATCH)) > 0
            and min(gap(KANJI, *SCRATCH)) > 0
        ),
    ),
    (
        "01",
        "one photograph of each kind is enough to be ahead of any training from scratch "
        "that we tried",
        lambda: (
            means(STAMPS)["probe"][0]
            > max(max(means(STAMPS)[each]) for each in SCRATCH)
        ),
    ),
    (
        "01",
        "the probe and fine-tuning were better with one label per class than either "
        "network from scratch with all labels",
        lambda: (
            min(means(STAMPS)[each][0] for each in ("probe", "fine-tune"))
            > max(means(STAMPS)[each][-1] for each in SCRATCH)
        ),
    ),
    (
        "01",
        "with all labels, transfer was ahead on all three data sets",
        lambda: (
            ahead(STAMPS, "probe", "small CNN", [84])
            and ahead(KANJI, "probe", "small CNN", [500])
            and ahead(SOLAR, "probe", "small CNN", [1968])
        ),
    ),
    (
        "02",
        "none of the wrong ways gave an error, and most gave a worse answer",
        lambda: (
            np.sum(
                np.array(
                    printed(
                        "02",
                        r"right: \(pixel - 127\) / 128 +espresso +(\d+)%\n"
                        r"\[-1, 1\], as for Inception +espresso +(\d+)%\n"
                        r"\[0, 1\] +espresso +(\d+)%\nright, but.*espresso +(\d+)%\n"
                        r"\[0, 1\], and.*espresso +(\d+)%\n",
                    )
                )
                < 90
            )
            == 3
        ),
    ),
    (
        "02",
        "the one with the most multiply-adds does not have the best published accuracy",
        lambda: (
            max(
                tl.results("blocks"),
                key=lambda name: sum(
                    block["multiply_adds"]
                    for block in tl.results("blocks")[name]["blocks"]
                ),
            )
            != max(tl.results("blocks"), key=lambda name: RECIPES[name].top1)
        ),
    ),
    (
        "03",
        "With five of each kind the effect has nearly vanished",
        lambda: (
            abs(
                printed("03", r"LogisticRegression +5 per class: ([\d.]+)%")[0]
                - printed("03", r"the same C +5 per class: ([\d.]+)%")[0]
            )
            < 1
        ),
    ),
    (
        "04",
        "Here there is no sign that augmentation helps",
        lambda: tl.results("augmentation.difference.mean") <= 0,
    ),
    (
        "04",
        "the head of the VGG16 recipe is worse than a linear probe on the same base, by "
        "several standard errors",
        lambda: recipe("field_recipes", "vgg16") < -CLEAR,
    ),
    (
        "04",
        "For the recipe with Xception the difference is too small to tell",
        lambda: abs(recipe("field_recipes", "xception")) < CLEAR,
    ),
    (
        "04",
        "The probe on our much smaller network is by far the fastest, and its mean is "
        "the highest",
        lambda: all(
            5 * one_probe("field_recipes")[0]["seconds"] < other["seconds"]
            and one_probe("field_recipes")[0]["mean"] > other["mean"]
            for other in one_probe("field_recipes")[1]
        ),
    ),
    (
        "04",
        "Neither recipe has a higher mean than the probe on its base",
        lambda: all(
            tl.results("field_recipes.solar")[network]["difference"]["mean"] < 0
            for network in ("vgg16", "xception")
        ),
    ),
    (
        "04",
        "no large network has a higher mean than the small one, whose probe takes less "
        "than a tenth of the time",
        lambda: all(
            10 * one_probe("field_recipes.solar")[0]["seconds"] < other["seconds"]
            and one_probe("field_recipes.solar")[0]["mean"] >= other["mean"]
            for other in one_probe("field_recipes.solar")[1]
        ),
    ),
    (
        "05",
        "with these eighty cells fine-tuning is not better than the probe",
        lambda: (
            printed("05", r"fine-tuned by tl.fine_tune: +([\d.]+)%")
            <= printed("05", r"linear probe: +([\d.]+)%")
        ),
    ),
    (
        "05",
        "no number of blocks has a mean above that of the probe",
        lambda: blocks()["mean"][0] == max(blocks()["mean"]),
    ),
    (
        "05",
        "The differences are smaller than the probe's standard deviation",
        lambda: np.ptp(blocks()["mean"]) < blocks()["sd"][0],
    ),
    (
        "05",
        "each further block costs more of it",
        lambda: blocks()["seconds"] == sorted(blocks()["seconds"]),
    ),
    (
        "05",
        "At the left hardly anything changes, and the result is about that of the probe",
        lambda: abs(by_learning_rate()[0] - blocks()["mean"][0]) < 0.02,
    ),
    (
        "05",
        "the accuracy is about that of chance",
        lambda: max(abs(np.subtract(by_learning_rate()[-2:], 0.5))) < 0.05,
    ),
    (
        "05",
        "is about as good on these cells as their large one was",
        lambda: abs(finetuned()["mean"] - 0.8842) < finetuned()["sd"],
    ),
    (
        "05",
        "comes within two points of the highest mean. That one averages an SVM and the "
        "fine-tuned network. Its gain over the SVM is more than two standard errors",
        lambda: (
            max(frozen_arms(), key=frozen_arms().get) == BEST_FROZEN
            and max(all_arms(), key=all_arms().get) == BEST_ARM
            and all_arms()[BEST_ARM] - all_arms()[BEST_FROZEN] < 0.02
            and gain_of_the_best_arm() > 2
        ),
    ),
    (
        "05",
        "fine-tuning alone has nearly the same mean, so averaging adds little",
        lambda: 0 < all_arms()[BEST_ARM] - all_arms()["fine-tuned at 224"] < 0.005,
    ),
    (
        "05",
        "with twenty cells fine-tuning is clearly behind",
        lambda: ahead(SOLAR, "probe", "fine-tune", [20]),
    ),
    (
        "05",
        "With five hundred cells it is ahead by a little more than three standard "
        "errors, and with a thousand cells and with all of them by more than six",
        lambda: (
            ahead(SOLAR, "fine-tune", "probe", [500], by=3)
            and not ahead(SOLAR, "fine-tune", "probe", [500], by=3.5)
            and ahead(SOLAR, "fine-tune", "probe", [1000, 1968], by=6)
        ),
    ),
    (
        "06",
        "The transferred convolutions are ahead of training from scratch at every number "
        "of labels, frozen or fine-tuned, by several standard errors",
        lambda: all(
            ahead(WAYS, way, "from scratch") for way in ("frozen", "fine-tuned")
        ),
    ),
    (
        "06",
        "With one label per character its features are no better than training from "
        "scratch; with twenty they are ahead of all the others",
        lambda: (
            not_ahead(WAYS, "ImageNet features", "from scratch", [60])
            and all(
                ahead(WAYS, "ImageNet features", other, [1200])
                for other in ("from scratch", "frozen", "fine-tuned")
            )
        ),
    ),
    (
        "06",
        "the first convolution alone makes no clear difference, and with the second and "
        "the third they rise",
        lambda: all(
            abs(zero - one) < 0.02 and one < two < three
            for zero, one, two, three in map(convolutions, ("frozen", "fine-tuned"))
        ),
    ),
    (
        "06",
        "The inverted source still helps, by about three standard errors, though less "
        "than the right one",
        lambda: all(
            2.5 < spoiled("inverted", way) < spoiled("as it is", way)
            for way in ("frozen", "fine-tuned")
        ),
    ),
    (
        "06",
        "the mean is below that of training from scratch, frozen or fine-tuned, by about "
        "three standard errors or more",
        lambda: all(
            spoiled("labels shuffled", way) < -2.5 for way in ("frozen", "fine-tuned")
        ),
    ),
    (
        "07",
        "The frozen BERT is ahead of both, at each of these numbers of labels",
        lambda: all(
            ahead(FILMS, "frozen BERT", other, [10, 40, 200]) for other in NO_BERT
        ),
    ),
    (
        "07",
        "It is ahead on these test sentences, by less than two of the standard errors in "
        "the last line",
        lambda: (
            0
            < differences(FILMS, "bag of words", "frozen BERT")[7028][0]
            < 0.02 * printed("07", r"on 2,009 test sentences: ([\d.]+)%")[0]
        ),
    ),
    (
        "07",
        "with twenty it is about three times as large, with a hundred, and with all, "
        "nine times or more",
        lambda: (
            ahead(FILMS, "fine-tuned BERT", "frozen BERT", [40])
            and ahead(FILMS, "fine-tuned BERT", "frozen BERT", [200, 7028], by=9)
        ),
    ),
    (
        "07",
        "From films to products the bag of words loses most",
        lambda: max(loss("products"), key=loss("products").get) == "bag of words",
    ),
    (
        "07",
        "**The frozen BERT** loses least from films to products and to tweets",
        lambda: all(
            min(loss(domain), key=loss(domain).get) == "frozen BERT"
            for domain in ("products", "tweets")
        ),
    ),
    (
        "07",
        "**The fine-tuned BERT** has the highest accuracy on films and on products. On "
        "tweets it is *below the baseline*, and below the frozen one",
        lambda: (
            all(
                max(on(domain), key=on(domain).get) == "fine-tuned BERT"
                for domain in ("films", "products")
            )
            and on("tweets")["fine-tuned BERT"]
            < min(
                on("tweets")["frozen BERT"], tl.results("sentiment.larger_class.tweets")
            )
        ),
    ),
    (
        "07",
        "from films to tweets it loses most",
        lambda: max(loss("tweets"), key=loss("tweets").get) == "fine-tuned BERT",
    ),
    (
        "07",
        "is better than fine-tuning MiniLM on those few labels directly, also on tweets",
        lambda: all(
            new_labels(domain, 5) < -CLEAR for domain in ("products", "tweets")
        ),
    ),
    (
        "07",
        "the difference on products is about as large as its standard error, and on "
        "tweets direct fine-tuning is ahead",
        lambda: (
            abs(new_labels("products", 100)) < 2 and new_labels("tweets", 100) > CLEAR
        ),
    ),
    (
        "07",
        "From scratch most of that does not transfer to new countries; with pretraining "
        "most of it does",
        lambda: (
            exact("from scratch", "new countries")
            < 0.5
            < exact("fine-tuned", "new countries")
        ),
    ),
    (
        "07",
        "about new countries it is still right less often than a random choice between "
        "two candidates",
        lambda: exact("frozen", "new countries") < 0.5,
    ),
    (
        "07",
        "None of the three has one real question right",
        lambda: (
            max(exact(arm, "real") for arm in tl.results("answers.spans.arms")) == 0
        ),
    ),
    (
        "08",
        "The spectrograms gain even more from it, and stay far behind the network",
        lambda: (
            printed("08", r"Log-mel, the same two ways: (\d+)%")[0]
            - printed("08", r"Log-mel, training voice Carlo.*: (\d+)% of 86")[0]
            > 20
        ),
    ),
    (
        "08",
        "With one example per digit, the probe on `speech_embedding` was on average more "
        "accurate than the others with twenty",
        lambda: all(
            digits("speech_embedding", "1") > digits(other, "20")
            for other in ("log-mel", "MFCC", "from scratch")
        ),
    ),
    (
        "09",
        "Batch norm in training mode and the forgotten `compile` cost about a tenth each",
        lambda: all(
            0.08 < cost(mistake)["mean"] < 0.13
            for mistake in (
                "batch norm in training mode",
                "no recompile after unfreezing",
            )
        ),
    ),
    (
        "09",
        "The last two of the first chart are not clearly above zero",
        lambda: all(
            cost(mistake)["mean"] < CLEAR * cost(mistake)["sd"] / 5**0.5
            for mistake in ("random head, all unfrozen", "wrong preprocessing")
        ),
    ),
    (
        "10",
        "On the solar cells the searches promised one to three points, and what they "
        "kept is within one standard deviation of zero",
        lambda: all(
            0.5 < 100 * promised.mean() < 3.5 and abs(kept.mean()) < kept.std(ddof=1)
            for promised, kept in (searched("solar", way) for way in SEARCHES)
        ),
    ),
    (
        "10",
        "On average this was better in every row, in one of them by less than the "
        "standard deviation; on the solar cells it gained more than any search kept",
        lambda: (
            all(
                labels_instead(data, way).mean() > 0
                for data in ("solar", "kanji")
                for way in ("probe", "fine-tuning")
            )
            and min(labels_instead("solar", w).mean() for w in ("probe", "fine-tuning"))
            > max(searched("solar", way)[1].mean() for way in SEARCHES)
        ),
    ),
    (
        "10",
        "The average is better than Lite0 alone, though Lite2 alone is clearly worse",
        lambda: (
            stack_gain("kanji, 4 labels", "averaged")
            > 0
            > stack_gain("kanji, 4 labels", "lite2")
        ),
    ),
    (
        "10",
        "Lite2 takes more than twice as long as Lite0",
        lambda: (
            tl.results("tuning.costs.efficientnet_lite2.seconds_per_picture")
            > 2 * tl.results("tuning.costs.efficientnet_lite0.seconds_per_picture")
        ),
    ),
    (
        "10",
        "They are too pessimistic here",
        lambda: (
            np.mean(tl.results("tuning.folds")["folds by font"])
            < np.mean(tl.results("tuning.folds")["unseen fonts"])
            < np.mean(tl.results("tuning.folds")["folds at random"])
        ),
    ),
    (
        "11",
        "Both cures raise the balanced accuracy here, by more than their standard error",
        lambda: all(
            gain > error
            for gain, error in (
                printed("11", rf"{cure}: \+([\d.]+)%, standard error ([\d.]+)%")
                for cure in ("class weights", "threshold")
            )
        ),
    ),
    (
        "12",
        "Slower, and with more memory",
        lambda: (
            tl.results("distributed.dask_2.pictures_per_second")
            < tl.results("distributed.one.pictures_per_second")
            and printed("12", r"Dask, 2 workers +(\d+) MB")
            > printed("12", r"one process +(\d+) MB")
        ),
    ),
]


@pytest.mark.parametrize(
    ("number", "words", "is_so"), CLAIMS, ids=[f"{n}: {w[:50]}" for n, w, _ in CLAIMS]
)
def test_a_claim_stands_in_its_lesson_and_is_borne_out(number, words, is_so):
    assert words in text_of(number)
    assert is_so()
