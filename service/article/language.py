"""Which language a text is in, by py3langid."""

from dataclasses import dataclass

_LANGUAGES = ("nl", "en", "de", "fr", "af", "fy", "lb", "da", "sv")
"""What a Dutch text could be taken for; fewer candidates make short texts surer."""

_SURE = 0.8
_ENOUGH_WORDS = 10
_ENOUGH_LETTERS = 60
_READ_CHARACTERS = 20_000


@dataclass(frozen=True, slots=True)
class DetectedLanguage:
    """The likeliest language of a text.

    Attributes:
        code: ISO 639-1 code.
        confidence: from 0 to 1; low for short texts, names and numbers.
        enough_text: the text is long enough (10 words or 60 letters) to rely on the confidence.
    """

    code: str
    confidence: float
    enough_text: bool

    def suspect(self, expected: str) -> bool:
        """Whether the text is clearly in another language than ``expected`` (an ISO 639-1 code)."""
        return self.code != expected and self.confidence >= _SURE and self.enough_text


class LanguageIdentifier:
    """Tells Dutch from its relatives and neighbours; loads 90 MB once; thread-safe."""

    def __init__(self) -> None:
        # Imported here, for it brings numpy along.
        from py3langid import langid

        self._model = langid.LanguageIdentifier.from_model_file(langid.MODEL_FILE, norm_probs=True)
        self._model.set_languages(_LANGUAGES)  # nothing in the model changes after this

    def identify(self, text: str) -> DetectedLanguage:
        """The language of a whole text, judged by its first 20,000 characters."""
        text = text[:_READ_CHARACTERS]
        code, confidence = self._model.classify(text)
        return DetectedLanguage(code, min(max(float(confidence), 0.0), 1.0), _has_enough(text))


def _has_enough(text: str) -> bool:
    words = sum(1 for word in text.split() if any(map(str.isalpha, word)))
    letters = sum(map(str.isalpha, text))
    return words >= _ENOUGH_WORDS or letters >= _ENOUGH_LETTERS
