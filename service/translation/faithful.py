"""Sentences to checked English: everything between a sentence of an article and its translation.

The engine sees normalised text, once for each different sentence; what it gives is put into English
typography and checked; what fails is repaired where that is possible, and marked where it is not.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from operator import add

from service.article.casing import is_capitals, sentence_case, to_capitals
from service.article.conventions import frame
from service.article.document import BlockKind, Sentence
from service.article.language import LanguageIdentifier
from service.article.normalization import normalize, remove_invisible
from service.article.segmentation import split_to_fit
from service.article.warnings import ArticleWarning, WarningCode
from service.errors import InferenceError
from service.translation import guard
from service.translation.consistency import unify_names
from service.translation.glossary import Glossary
from service.translation.guard.evidence import shorten
from service.translation.guard.names import addresses
from service.translation.placement import Applied
from service.translation.repair import Failure, repair
from service.translation.segment import Segment
from service.translation.translator import Translation, Translator
from service.translation.typography import polish

CHECKPOINT_SENTENCES = 32
"""Sentences given to the engine between two checkpoints: one or two seconds of work on a CPU, so
that work nobody waits for any more ends soon, in batches still large enough to be fast."""

REPAIRED_SHARE = 0.25
"""Share of an article's sentences that may be translated again when they fail a hard check."""

Checkpoint = Callable[[int, int], None]
"""Called before every batch with the number of segments done and of all segments; raises to end
work that nobody waits for any more."""


@dataclass(frozen=True, slots=True)
class Source:
    """A sentence to translate and what is known of it.

    Attributes:
        sentence: the sentence.
        kind: the kind of its block.
        in_english: its article is English, so that it is left alone unless it is clearly Dutch.
    """

    sentence: Sentence
    kind: BlockKind
    in_english: bool = False


@dataclass(frozen=True, slots=True)
class TranslatedSentence:
    """One translated sentence.

    Attributes:
        target: its English text; plain, without markup.
        score: mean log-probability of the target tokens; ``None`` where no model was asked.
        warnings: what is to be said of it, each code once.
        terms: where terms of the glossary stand in ``target``.
        kept: the sentence is left as it stands in its document.
        source_tokens: tokens given to the model.
        target_tokens: tokens that it made.
    """

    target: str
    score: float | None = None
    warnings: tuple[ArticleWarning, ...] = ()
    terms: tuple[Applied, ...] = ()
    kept: bool = False
    source_tokens: int = 0
    target_tokens: int = 0


@dataclass(frozen=True, slots=True)
class Work:
    """Translated articles and what they cost.

    Attributes:
        articles: for each article one translated sentence per sentence, in order.
        extra_decodes: for each article how many sentences and phrases went through the engine
            again, for repairs and for the glossary.
    """

    articles: list[list[TranslatedSentence]]
    extra_decodes: list[int]


@dataclass(frozen=True, slots=True)
class _Plan:
    """What becomes of one sentence: ``prefix``, the target of its segment, ``suffix``.

    Without a segment there is nothing to translate.
    """

    prefix: str = ""
    suffix: str = ""
    segment: Segment | None = None
    capitals: bool = False
    warnings: tuple[ArticleWarning, ...] = ()
    kept: bool = False


class FaithfulTranslator:
    """Translates the sentences of articles with every check and repair; thread-safe.

    An article's result depends on that article alone, whatever else is translated with it.

    Args:
        translator: the engine.
        identifier: finds sentences that are English already.
        repairs: whether sentences that fail a hard check are translated again.
    """

    def __init__(
        self, translator: Translator, identifier: LanguageIdentifier, *, repairs: bool = True
    ) -> None:
        self._translator = translator
        self._identifier = identifier
        self._repairs = repairs

    def translate(
        self,
        articles: Sequence[Sequence[Source]],
        *,
        glossary: Glossary,
        checkpoint: Checkpoint,
    ) -> Work:
        """Translate every sentence of every article.

        Args:
            articles: the sentences of each article.
            glossary: terms that must hold.
            checkpoint: see :data:`Checkpoint`.

        Raises:
            InferenceError: the engine failed.
            ServiceError: whatever ``checkpoint`` raises.
        """
        plans: list[list[_Plan]] = []
        groups: list[list[Segment]] = []
        for article in articles:
            segments: dict[tuple[str, tuple[str, ...]], Segment] = {}
            plans.append([self._plan(source, segments) for source in article])
            groups.append(list(segments.values()))
        everything = [segment for group in groups for segment in group]
        parts = list(dict.fromkeys(part for segment in everything for part in segment.parts))
        made = dict(zip(parts, self._decode(parts, checkpoint), strict=True))
        for segment in everything:
            segment.accept([made[part] for part in segment.parts])

        def go_on() -> None:
            checkpoint(len(parts), len(parts))

        decodes = self._repair(groups, [len(article) for article in articles], go_on)
        decodes = list(map(add, decodes, self._apply(glossary, groups, go_on)))
        for group in groups:
            _unify(group)
        return Work([[_result(plan) for plan in article] for article in plans], decodes)

    def phrases(self, texts: Iterable[str], go_on: Callable[[], None]) -> dict[str, str]:
        """Translations of short texts on their own, unchecked; those that do not fit are left out.

        Args:
            texts: words of a sentence.
            go_on: called before every batch; raises to end the work.
        """
        sources = {text: normalize(text) for text in texts}
        made = self._translations(sources.values(), go_on)
        return {
            text: polish(source, made[source].text)
            for text, source in sources.items()
            if source in made
        }

    def _translations(
        self, sources: Iterable[str], go_on: Callable[[], None]
    ) -> dict[str, Translation]:
        """Translations of the sources that fit, each once."""
        wanted = [source for source in dict.fromkeys(sources) if self._translator.fits(source)]
        made = self._decode(wanted, lambda _done, _total: go_on())
        return dict(zip(wanted, made, strict=True))

    def _plan(self, source: Source, segments: dict[tuple[str, tuple[str, ...]], Segment]) -> _Plan:
        """What is to be done with a sentence; a new text to translate is added to ``segments``."""
        sentence = source.sentence
        if not source.kind.translatable:
            return _Plan(remove_invisible(sentence.text), kept=True)
        text = normalize(sentence.text)
        if self._is_english(text, in_english=source.in_english):
            warning = ArticleWarning(WarningCode.ALREADY_ENGLISH)
            warnings = () if source.in_english else (warning,)
            return _Plan(remove_invisible(sentence.text), warnings=warnings, kept=True)
        framed = frame(text, source.kind)
        capitals = is_capitals(framed.core)
        if not any(map(str.isalpha, framed.core)):
            return _Plan(f"{framed.prefix}{framed.core}{framed.suffix}")
        seen = sentence_case(framed.core) if capitals else framed.core
        quotes = self._identifier.english_quotes(framed.core)
        verbatim = _verbatim(sentence, framed.core, seen, quotes)
        segment = segments.get((framed.core, verbatim))
        if segment is None:
            segment = self._segment(framed.core, seen, verbatim)
            segment.notes += [
                ArticleWarning(WarningCode.ALREADY_ENGLISH, shorten(quote)) for quote in quotes[:1]
            ]
            segments[framed.core, verbatim] = segment
        return _Plan(framed.prefix, framed.suffix, segment, capitals)

    def _is_english(self, text: str, *, in_english: bool) -> bool:
        if not in_english:
            return self._identifier.is_english(text)
        return not self._identifier.identify(text).is_surely("nl")

    def _segment(self, core: str, seen: str, verbatim: tuple[str, ...]) -> Segment:
        if self._translator.fits(seen):
            return Segment(core, seen, (seen,), hard_split=False, verbatim=verbatim)
        parts, hard_split = split_to_fit(seen, self._translator.fits)
        return Segment(core, seen, tuple(parts), hard_split, verbatim)

    def _decode(self, parts: Sequence[str], checkpoint: Checkpoint) -> list[Translation]:
        """Translations of all parts, a checkpoint before every batch."""
        translations: list[Translation] = []
        for start in range(0, len(parts), CHECKPOINT_SENTENCES):
            checkpoint(start, len(parts))
            translations += self._translator.translate(parts[start : start + CHECKPOINT_SENTENCES])
        if len(translations) != len(parts):
            raise InferenceError("the translation engine returned another number of sentences")
        return translations

    def _repair(
        self,
        groups: Sequence[Sequence[Segment]],
        sentences: Sequence[int],
        go_on: Callable[[], None],
    ) -> list[int]:
        """Replace translations that fail by others that pass; returns extra decodes per article."""
        if not self._repairs:
            return [0] * len(groups)
        owners: list[int] = []
        failing: list[Segment] = []
        for article, group in enumerate(groups):
            for segment in group:
                # Parts of a long sentence are judged together and can't be replaced together.
                fails = segment.reached_limit or segment.faults(segment.target)
                if len(segment.parts) == 1 and fails:
                    owners.append(article)
                    failing.append(segment)
        budgets = [max(1, int(REPAIRED_SHARE * count)) for count in sentences]

        def may_decode(index: int) -> bool:
            budgets[owners[index]] -= 1
            return budgets[owners[index]] >= 0

        outcomes = repair(
            self._translator,
            [Failure(one.source, one.translations[0], one.verbatim, one.passes) for one in failing],
            may_decode=may_decode,
            checkpoint=go_on,
        )
        decodes = [0] * len(groups)
        for article, segment, outcome in zip(owners, failing, outcomes, strict=True):
            decodes[article] += outcome.decodes
            if outcome.translation is not None:
                failed = sorted(segment.faults(segment.target)) or [WarningCode.LENGTH_LIMIT]
                segment.accept([outcome.translation])
                segment.notes.append(
                    ArticleWarning(WarningCode.REPAIRED, shorten(", ".join(failed)))
                )
        return decodes

    def _apply(
        self,
        glossary: Glossary,
        groups: Sequence[Sequence[Segment]],
        go_on: Callable[[], None],
    ) -> list[int]:
        """Put the glossary's terms into the targets; returns extra decodes per article."""
        if not glossary.terms:
            return [0] * len(groups)
        for segment in (segment for group in groups for segment in group):
            segment.occurrences = glossary.find(segment.text)
        lacking = [[one for one in group if not one.put_terms({})] for group in groups]
        # What the model makes of a term alone is often what stands in the sentence in its place.
        terms = [{term.term for one in group for term in one.occurrences} for group in lacking]
        renderings = self.phrases(sorted(set().union(*terms)), go_on)
        still = [[one for one in group if not one.put_terms(renderings)] for group in lacking]
        # Models mostly copy English words that stand in the Dutch sentence.
        inline = self._translations([one.inline for group in still for one in group], go_on)
        for segment in (segment for group in still for segment in group):
            segment.take_inline(inline.get(segment.inline), renderings)
        return [len(own) + len(rest) for own, rest in zip(terms, still, strict=True)]


def _verbatim(sentence: Sentence, core: str, seen: str, quotes: Sequence[str]) -> tuple[str, ...]:
    """Words of ``core`` that must come out as they are: code, English quotations, addresses.

    They are written as in ``seen``, which may be ``core`` in small letters. A sentence too long for
    the guard has none.
    """
    if len(core) > guard.MAX_CHARACTERS:
        return ()
    code = [
        normalize(sentence.text[markup.start : markup.end])
        for markup in sentence.markup
        if markup.verbatim is not None
    ]
    return tuple(
        seen[start : start + len(words)]
        for words in dict.fromkeys([*code, *quotes, *addresses(core)])
        if words and (start := core.find(words)) >= 0
    )


def _unify(segments: Sequence[Segment]) -> None:
    """Give each name one spelling throughout an article."""
    changed = unify_names(
        [segment.source for segment in segments], [segment.target for segment in segments]
    )
    for index, target in changed.items():
        segments[index].rename(target)


def _result(plan: _Plan) -> TranslatedSentence:
    segment = plan.segment
    if segment is None:
        return TranslatedSentence(plan.prefix, warnings=plan.warnings, kept=plan.kept)
    warnings = list(segment.check(segment.target))
    if segment.reached_limit:
        warnings.append(ArticleWarning(WarningCode.LENGTH_LIMIT))
    if segment.hard_split:
        warnings.append(ArticleWarning(WarningCode.HARD_SPLIT))
    target = to_capitals(segment.target) if plan.capitals else segment.target
    translations = segment.translations
    return TranslatedSentence(
        target=f"{plan.prefix}{target}{plan.suffix}",
        score=sum(translation.score for translation in translations) / len(translations),
        warnings=(*warnings, *segment.notes),
        terms=tuple(
            replace(term, start=term.start + len(plan.prefix), end=term.end + len(plan.prefix))
            for term in segment.terms
        ),
        source_tokens=sum(translation.source_tokens for translation in translations),
        target_tokens=sum(translation.target_tokens for translation in translations),
    )
