"""Pretrained networks by name, or a BERT by its folder."""

import os
from os import PathLike
from typing import Literal, overload

from ..errors import UserInputError
from ..features.resizing import MODES
from ..validation import one_of, shown
from . import bert_folder
from .question_answering import PretrainedQuestionAnswering
from .recipes import RECIPES, PictureModel
from .speech import NAME as SPEECH
from .speech import PretrainedSpeechModel
from .text import PretrainedTextModel
from .vision import PretrainedModel
from .weights import weights_file


def list_pretrained_models() -> dict[str, str]:
    """List the networks that `load_pretrained_model` knows.

    Returns
    -------
    dict
        Name → one line: input, published accuracy, and whether its weights are here.

    Examples
    --------
    >>> import tlcourse as tl
    >>> tl.list_pretrained_models()["efficientnet_lite0"]
    '224×224 pixels, ImageNet top-1 75.1 %, bundled'
    """
    lines = {}
    for name, recipe in RECIPES.items():
        where = "bundled"
        if recipe.application:
            is_here = weights_file(name).is_file()
            where = "here" if is_here else f"tlcourse fetch {name}"
        size = f"{recipe.size}×{recipe.size} pixels"
        lines[name] = f"{size}, ImageNet top-1 {recipe.top1} %, {where}"
    for name, what in bert_folder.PUBLISHED.items():
        where = "here" if bert_folder.location(name) else f"tlcourse fetch {name}"
        lines[name] = f"sentences, {what}, {where}"
    lines[SPEECH] = "spoken words, 328,224 parameters, bundled"
    return lines


@overload
def load_pretrained_model(
    name: PictureModel = ...,
    precision: str = ...,
    input_size: int | tuple[int, int] | None = ...,
    resize: str | None = ...,
) -> PretrainedModel: ...
@overload
def load_pretrained_model(
    name: Literal["minilm"] | PathLike, precision: str = ...
) -> PretrainedTextModel: ...
@overload
def load_pretrained_model(
    name: Literal["speech_embedding"], precision: str = ...
) -> PretrainedSpeechModel: ...
@overload
def load_pretrained_model(
    name: str,
    precision: str = ...,
    input_size: int | tuple[int, int] | None = ...,
    resize: str | None = ...,
) -> PretrainedModel | PretrainedTextModel | PretrainedSpeechModel: ...
def load_pretrained_model(
    name: str | PathLike = "efficientnet_lite0",
    precision: str = "float32",
    input_size: int | tuple[int, int] | None = None,
    resize: str | None = None,
) -> PretrainedModel | PretrainedTextModel | PretrainedSpeechModel:
    """Load a network pretrained on photographs, on text or on speech.

    ONNX Runtime computes features and, with a warning, TensorFlow those of networks
    that do not convert. They agree to 1e-4 of the largest.

    Parameters
    ----------
    name : str or path
        One of `list_pretrained_models()`; those that are not bundled are downloaded
        once into Keras' cache (`KERAS_HOME`, or ~/.keras), and checked. Or a folder
        with a BERT in Hugging Face's layout: config.json, vocab.txt, model.safetensors.
        One whose config.json says BertForQuestionAnswering also has `model.answer`.
    precision : {"float32", "int8"}
        "int8", of bundled networks and BERT: 8-bit weights and activations, faster and
        smaller; features change a little, see `data/weights/CARD.md`. Once
        `model.network` was changed, features are float32.
    input_size : int or (height, width), optional
        Pixels to which pictures are resized, 75 to 2,048; by default those that the
        network was trained with. More pixels show finer structures, and take longer in
        proportion to their number.
    resize : {"squash", "crop", "pad"}, optional
        How pictures get that size, here and in whatever uses this model: squashed as a
        whole, only the centre, or as a whole with white beside it; details are in
        `tl.pictures.resize`. By default "crop" for `predict_labels`, as networks are
        tested on ImageNet, else "squash", since a border may show what matters.

    Returns
    -------
    PretrainedModel, PretrainedTextModel (of a BERT that answers questions
    PretrainedQuestionAnswering, with the same calls) or PretrainedSpeechModel

    Raises
    ------
    UserInputError
        An unknown name, a folder with something else in it, or a size that a network
        cannot take.
    WeightsUnavailable, DamagedFile
        The weights are not here and cannot be downloaded, or are not the published.

    Examples
    --------
    >>> import tlcourse as tl
    >>> tl.load_pretrained_model()
    <efficientnet_lite0: 224×224 pixels → 1,280 features, 18 blocks>
    """
    if resize is not None:
        one_of("resize", resize, MODES)
    is_text = isinstance(name, str)
    if is_text and name in RECIPES:
        return PretrainedModel(name, precision, input_size, resize)
    is_folder = is_text and (os.path.dirname(name) or os.path.isdir(name))
    is_published = is_text and name in bert_folder.PUBLISHED
    is_speech = is_text and name == SPEECH
    if is_folder or is_published or is_speech or isinstance(name, PathLike):
        if (input_size, resize) != (None, None):
            what = "speech" if is_speech else "text"
            raise UserInputError(
                f"input_size and resize are for pictures; this network is for {what}."
            )
        if is_speech:
            return PretrainedSpeechModel(precision)
        is_answering = not is_published and bert_folder.answers_questions(
            bert_folder.find_folder(name)
        )
        kind = PretrainedQuestionAnswering if is_answering else PretrainedTextModel
        return kind(name, precision)
    known = ", ".join((*RECIPES, *bert_folder.PUBLISHED, SPEECH))
    raise UserInputError(
        f"There is no pretrained model {shown(name)}. Known: {known}; or the path of "
        "a BERT's folder."
    )
