"""The warnings that an answer may carry: stable codes, each with its meaning."""

from enum import StrEnum


class WarningCode(StrEnum):
    """A code in a ``warnings`` list; the README explains each."""

    DEMO_MODEL = "demo_model"
    """Translated by the demo model, which knows only the articles in ``seeds/``."""
    SOURCE_LANGUAGE_SUSPECT = "source_language_suspect"
    """The text does not look like the language it was said to be."""
    HARD_SPLIT = "hard_split"
    """A sentence over the model's limit was cut where no clause ends."""
    EMPTY_TRANSLATION = "empty_translation"
    """The model gave nothing for this sentence."""
    LENGTH_LIMIT = "length_limit"
    """The model was stopped by the length limit; the end may be missing or invented."""
    REPETITION = "repetition"
    """Words repeat in the translation that do not repeat in the source."""
