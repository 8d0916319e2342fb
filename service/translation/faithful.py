"""Sentences to checked English: everything between a sentence of an article and its translation.

The engine sees normalised text, once for each different sentence; what it gives is put into English
typography and checked; what fails is repaired where that is possible, and marked where it is not.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise

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

CHECKPOINT_SENTENCES = 64
"""Sentences given to the engine between two checkpoints: some seconds of work on a CPU, and enough
of each length for full batches."""

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
class Step:
    """What a part of the work has given.

    Attributes:
        sentences: translated sentences by their number, counted from 0 through all articles.
        extra_decodes: for each article how many sentences and phrases have gone through the engine
            again so far, for repairs and for the glossary.
    """

    sentences: dict[int, TranslatedSentence]
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


@dataclass(slots=True)
class _Article:
    """An article at work.

    Attributes:
        repairs_left: how many more of its sentences may be translated again.
        segments: its different texts to translate, in document order.
        terms: terms of the glossary that were translated alone for it.
        extra_decodes: see :class:`Step`.
    """

    repairs_left: int
    segments: dict[tuple[str, tuple[str, ...]], Segment] = field(default_factory=dict)
    terms: set[str] = field(default_factory=set)
    extra_decodes: int = 0


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
        pauses: Sequence[int] = (),
    ) -> Iterator[Step]:
        """Translate every sentence of every article, in document order.

        The sentences are the same whatever the pauses. Only the spelling of names needs whole
        articles: the last step has the sentences that it changes once more.

        Args:
            articles: the sentences of each article.
            glossary: terms that must hold.
            checkpoint: see :data:`Checkpoint`.
            pauses: after how many sentences, counted through all articles, a step ends; ascending.
                One ends after the last sentence in any case. Few steps are fast: each calls the
                engine anew.

        Raises:
            InferenceError: the engine failed.
            ServiceError: whatever ``checkpoint`` raises.
        """
        works = [_Article(max(1, int(REPAIRED_SHARE * len(sources)))) for sources in articles]
        plans = [
            (article, self._plan(source, article.segments))
            for article, sources in zip(works, articles, strict=True)
            for source in sources
        ]
        segments = [segment for article in works for segment in article.segments.values()]
        total = len({part for segment in segments for part in segment.parts})
        made: dict[str, Translation] = {}
        renderings: dict[str, str] = {}

        def go_on() -> None:
            checkpoint(len(made), total)

        def step(numbers: Iterable[int]) -> Step:
            return Step(
                {number: _result(plans[number][1]) for number in numbers},
                [article.extra_decodes for article in works],
            )

        for start, end in pairwise(dict.fromkeys([0, *pauses, len(plans)])):
            fresh = list(
                {
                    id(plan.segment): (article, plan.segment)
                    for article, plan in plans[start:end]
                    if plan.segment is not None and not plan.segment.translations
                }.values()
            )
            self._translate([segment for _, segment in fresh], made, total, checkpoint)
            self._repair(fresh, go_on)
            self._apply(glossary, fresh, renderings, go_on)
            yield step(range(start, end))
        renamed = {id(segment) for article in works for segment in _unify(article)}
        yield step(n for n, (_, plan) in enumerate(plans) if id(plan.segment) in renamed)

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

    def _translate(
        self,
        segments: Sequence[Segment],
        made: dict[str, Translation],
        total: int,
        checkpoint: Checkpoint,
    ) -> None:
        """Give segments their first translation; what is not in ``made`` is translated."""
        parts = dict.fromkeys(part for segment in segments for part in segment.parts)
        missing = [part for part in parts if part not in made]
        before = len(made)
        decoded = self._decode(missing, lambda done, _: checkpoint(before + done, total))
        made.update(zip(missing, decoded, strict=True))
        for segment in segments:
            segment.accept([made[part] for part in segment.parts])

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
        self, segments: Sequence[tuple[_Article, Segment]], go_on: Callable[[], None]
    ) -> None:
        """Replace translations that fail by others that pass."""
        # Parts of a long sentence are judged together and can't be replaced together.
        failing = [
            (article, segment)
            for article, segment in segments
            if self._repairs
            and len(segment.parts) == 1
            and (segment.reached_limit or segment.faults(segment.target))
        ]

        def may_decode(index: int) -> bool:
            article, _ = failing[index]
            article.repairs_left -= 1
            return article.repairs_left >= 0

        outcomes = repair(
            self._translator,
            [
                Failure(one.source, one.translations[0], one.verbatim, one.passes)
                for _, one in failing
            ],
            may_decode=may_decode,
            checkpoint=go_on,
        )
        for (article, segment), outcome in zip(failing, outcomes, strict=True):
            article.extra_decodes += outcome.decodes
            if outcome.translation is not None:
                failed = sorted(segment.faults(segment.target)) or [WarningCode.LENGTH_LIMIT]
                segment.accept([outcome.translation])
                segment.notes.append(
                    ArticleWarning(WarningCode.REPAIRED, shorten(", ".join(failed)))
                )

    def _apply(
        self,
        glossary: Glossary,
        segments: Sequence[tuple[_Article, Segment]],
        renderings: dict[str, str],
        go_on: Callable[[], None],
    ) -> None:
        """Put the glossary's terms into the targets; ``renderings`` gains those of terms alone."""
        if not glossary.terms:
            return
        for _, segment in segments:
            segment.occurrences = glossary.find(segment.text)
        lacking = [(article, one) for article, one in segments if not one.put_terms({})]
        # What the model makes of a term alone is often what stands in the sentence in its place.
        for article, segment in lacking:
            terms = {occurrence.term for occurrence in segment.occurrences}
            article.extra_decodes += len(terms - article.terms)
            article.terms |= terms
        wanted = {term.term for _, segment in lacking for term in segment.occurrences}
        renderings |= self.phrases(sorted(wanted - renderings.keys()), go_on)
        still = [(article, one) for article, one in lacking if not one.put_terms(renderings)]
        # Models mostly copy English words that stand in the Dutch sentence.
        inline = self._translations([segment.inline for _, segment in still], go_on)
        for article, segment in still:
            article.extra_decodes += 1
            segment.take_inline(inline.get(segment.inline), renderings)


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


def _unify(article: _Article) -> list[Segment]:
    """Give each name one spelling throughout an article; the segments that this changes."""
    segments = list(article.segments.values())
    changed = unify_names(
        [segment.source for segment in segments], [segment.target for segment in segments]
    )
    before = {index: segments[index].target for index in changed}
    for index, target in changed.items():
        segments[index].rename(target)
    return [segments[index] for index in changed if segments[index].target != before[index]]


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
