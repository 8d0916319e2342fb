"""One text on its way through the engine: its parts, its translation and what is found in that."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from service.article.warnings import ArticleWarning, Severity, WarningCode
from service.translation import guard
from service.translation.glossary import Occurrence
from service.translation.guard.evidence import shorten
from service.translation.placement import Applied, place, substitute
from service.translation.translator import Translation
from service.translation.typography import polish, unended


@dataclass(slots=True)
class Segment:
    """A text of one article that the engine translates, however often the article repeats it.

    Attributes:
        text: the text, normalised, as the author capitalised it.
        source: as the engine sees it: ``text``, unless that is in capitals.
        parts: ``source``, or what it was split into to fit.
        hard_split: it was cut where no clause ends.
        verbatim: words that must be in the target as they are.
        translations: of the parts.
        target: the translation of the whole in English typography.
        occurrences: terms of the glossary in ``text``.
        terms: where they stand in ``target``.
        notes: what happened on the way.
    """

    text: str
    source: str
    parts: tuple[str, ...]
    hard_split: bool
    verbatim: tuple[str, ...]
    translations: list[Translation] = field(default_factory=list)
    target: str = ""
    occurrences: list[Occurrence] = field(default_factory=list)
    terms: tuple[Applied, ...] = ()
    notes: list[ArticleWarning] = field(default_factory=list)
    _checked: dict[str, list[ArticleWarning]] = field(default_factory=dict)

    @property
    def reached_limit(self) -> bool:
        """Whether the length limit stopped the engine in any part."""
        return any(translation.reached_limit for translation in self.translations)

    def finish(self, hypothesis: str) -> str:
        """A hypothesis of the engine in English typography."""
        return polish(self.source, hypothesis, self.verbatim)

    def accept(self, translations: Sequence[Translation]) -> None:
        """Take these translations of the parts."""
        self.translations = list(translations)
        targets = [translation.text for translation in translations]
        joined = map(unended, self.parts[:-1], targets)
        self.target = self.finish(" ".join([*joined, targets[-1]]))

    def check(self, target: str) -> list[ArticleWarning]:
        """What the guard says of ``target``; each is checked once."""
        if target not in self._checked:
            self._checked[target] = guard.check(self.source, target)
        return self._checked[target]

    def faults(self, target: str) -> set[str]:
        """What makes ``target`` fail: codes of hard warnings, and words missing that must stand."""
        codes = {w.code for w in self.check(target) if w.code.severity is Severity.HARD}
        return codes | {words for words in self.verbatim if words not in target}

    def passes(self, translation: Translation) -> bool:
        """Whether a translation of the whole passes every hard check."""
        return not translation.reached_limit and not self.faults(self.finish(translation.text))

    def rename(self, target: str) -> None:
        """Take ``target``, where names are spelled in another way, if that makes nothing worse."""
        placed = place(self.occurrences, target, {})
        if len(placed.spans) >= len(self.terms) and self.faults(target) <= self.faults(self.target):
            self.target, self.terms = placed.target, placed.spans

    def put_terms(self, renderings: Mapping[str, str]) -> bool:
        """Put terms of the glossary into the target where that makes it no worse.

        Args:
            renderings: what the engine makes of the terms alone, by term.

        Returns:
            Whether all of them hold.
        """
        self._take_terms(self.target, renderings)
        return len(self.terms) == len(self.occurrences)

    @property
    def inline(self) -> str:
        """The source with the English terms in place of the Dutch ones."""
        return substitute(self.source, self.occurrences)

    def take_inline(self, translation: Translation | None, renderings: Mapping[str, str]) -> None:
        """Take a translation of :attr:`inline` if more terms hold in it and it is no worse.

        Terms that still do not hold become a warning.
        """
        if (
            translation is not None
            and not translation.reached_limit
            and self._take_terms(self.finish(translation.text), renderings)
        ):
            self.translations = [translation]
        held = {term.term for term in self.terms}
        missing = dict.fromkeys(o.term for o in self.occurrences if o.term not in held)
        if missing:
            self.notes.append(
                ArticleWarning(WarningCode.GLOSSARY_UNAPPLIED, shorten(", ".join(missing)))
            )

    def _take_terms(self, target: str, renderings: Mapping[str, str]) -> bool:
        placed = place(self.occurrences, target, renderings)
        better = len(placed.spans) > len(self.terms)
        if not better or self.faults(placed.target) - self.faults(self.target):
            return False
        self.target, self.terms = placed.target, placed.spans
        return True
