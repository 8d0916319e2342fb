"""Repair: other translations for sentences whose first one fails a check.

Three steps, each taken once and only for sentences that nothing before it repaired: the other
hypotheses of the beam, which cost nothing; careful decoding; decoding in parts. The first
translation that passes is taken. A sentence costs at most two decodes, and what becomes of it
depends on itself alone, not on the sentences repaired with it.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from service.article.segmentation import split_to_fit
from service.errors import InferenceError
from service.translation.translator import Translation, Translator
from service.translation.typography import unended

BATCH_SENTENCES = 16
"""Texts given to the engine between two checkpoints: some seconds of careful decoding on a CPU."""

LONGEST_PART = 0.75
"""Most of a sentence, in characters, that may be in one part of it. Of the Dutch sentences of
FLORES-200 dev (997) 80 % have clauses for such parts, nearly all of them for two; with parts of at
most half a sentence 44 % have, nearly all of them for three, and more context is lost."""

MOST_PARTS = 8
"""More parts than this are not decoded: each may become as long as a short sentence may."""


@dataclass(frozen=True, slots=True)
class Failure:
    """A sentence whose translation fails a check.

    Attributes:
        source: the sentence as the engine saw it, whole.
        translation: what the engine made of it, with the other hypotheses of the beam.
        verbatim: words of ``source`` that must come out as they are: code, addresses, quotations.
        passes: whether a translation passes every check.
    """

    source: str
    translation: Translation
    verbatim: tuple[str, ...]
    passes: Callable[[Translation], bool]


@dataclass(frozen=True, slots=True)
class Repair:
    """What became of one failure.

    Attributes:
        translation: the first translation that passes, or ``None``.
        decodes: how often the sentence went through the engine again, whole or in parts: 0 to 2.
    """

    translation: Translation | None
    decodes: int


def repair(
    translator: Translator,
    failures: Sequence[Failure],
    *,
    may_decode: Callable[[int], bool] = lambda _index: True,
    checkpoint: Callable[[], None],
) -> list[Repair]:
    """Look for a translation that passes, for each sentence that has none.

    Args:
        translator: the engine.
        failures: the sentences; each must fit the engine's model.
        may_decode: asked once, in order, for the index of each failure that its beam does not
            repair: whether it may go through the engine again.
        checkpoint: called before every batch; raises to end work that nobody waits for any more.

    Returns:
        One repair per failure, in the same order.

    Raises:
        InferenceError: the engine failed.
        ServiceError: whatever ``checkpoint`` raises.
    """
    found = [_first_passing(failure, failure.translation.alternatives) for failure in failures]
    decodes = [0] * len(failures)

    failing = [
        index
        for index, translation in enumerate(found)
        if translation is None and may_decode(index)
    ]
    sources = [failures[index].source for index in failing]
    careful = _decode(translator, sources, checkpoint, careful=True)
    for index, translation in zip(failing, careful, strict=True):
        decodes[index] += 1
        candidates = (translation, *translation.alternatives)
        found[index] = _first_passing(failures[index], candidates)

    splits = {
        index: pieces
        for index in failing
        if found[index] is None and (pieces := _split(failures[index], translator.fits))
    }
    parts = [piece.text for pieces in splits.values() for piece in pieces if piece.decoded]
    decoded = iter(_decode(translator, parts, checkpoint, careful=False))
    for index, pieces in splits.items():
        decodes[index] += any(piece.decoded for piece in pieces)
        found[index] = _first_passing(failures[index], [_join(pieces, decoded)])
    return [Repair(*outcome) for outcome in zip(found, decodes, strict=True)]


def _first_passing(failure: Failure, candidates: Iterable[Translation]) -> Translation | None:
    return next(filter(failure.passes, candidates), None)


def _decode(
    translator: Translator, texts: Sequence[str], checkpoint: Callable[[], None], *, careful: bool
) -> list[Translation]:
    """Translations of all texts, a checkpoint before every batch."""
    translations: list[Translation] = []
    for start in range(0, len(texts), BATCH_SENTENCES):
        checkpoint()
        batch = texts[start : start + BATCH_SENTENCES]
        translations += translator.translate(batch, careful=careful)
    if len(translations) != len(texts):
        raise InferenceError("the translation engine returned another number of sentences")
    return translations


@dataclass(frozen=True, slots=True)
class _Piece:
    """A piece of a sentence: decoded on its own, or copied."""

    text: str
    decoded: bool


def _split(failure: Failure, fits: Callable[[str], bool]) -> list[_Piece]:
    """The pieces to make a translation of, or none if the sentence should not be split.

    Together they are the sentence, up to white space. Where the first translation lacks words that
    must come out as they are, those words are pieces to copy; else the sentence is cut at clauses.
    """
    if all(words in failure.translation.text for words in failure.verbatim):
        pieces = _clauses(failure.source)
    else:
        pieces = _around(failure.source, failure.verbatim)
    parts = [piece.text for piece in pieces if piece.decoded]
    return pieces if len(parts) <= MOST_PARTS and all(map(fits, parts)) else []


def _clauses(source: str) -> list[_Piece]:
    """The sentence in parts that end where clauses end; none where it has no such parts."""
    longest = max(1, int(len(source) * LONGEST_PART))
    parts, cut_in_clause = split_to_fit(source, lambda text: len(text) <= longest)
    if cut_in_clause or len(parts) < 2:
        return []
    pieces = [piece for part in parts for piece in (_Piece(" ", decoded=False), _piece(part))]
    return pieces[1:]


def _around(source: str, verbatim: Sequence[str]) -> list[_Piece]:
    """The sentence with ``verbatim`` as pieces to copy; none where a word of it is not found."""
    longest_first = sorted(verbatim, key=len, reverse=True)
    wanted = re.compile(rf"(?<!\w)(?:{'|'.join(map(re.escape, longest_first))})(?!\w)")
    found = list(wanted.finditer(source))
    if not all(any(words in match[0] for match in found) for words in verbatim):
        return []
    pieces: list[_Piece] = []
    end = 0
    for match in found:
        pieces += _between(source[end : match.start()], opens=not end, closes=False)
        pieces.append(_Piece(match[0], decoded=False))
        end = match.end()
    return pieces + _between(source[end:], opens=not end, closes=True)


def _between(text: str, *, opens: bool, closes: bool) -> list[_Piece]:
    """The pieces of what stands before, between or after copied words.

    White space and the marks that touch the copied words, such as quotation marks, are copied too.

    Args:
        text: what stands there.
        opens: the sentence begins with it.
        closes: the sentence ends with it.
    """
    head = 0 if opens else _edge(text)
    tail = 0 if closes else _edge(text[head:][::-1])
    end = len(text) - tail
    pieces = (
        _Piece(text[:head], decoded=False),
        _piece(text[head:end]),
        _Piece(text[end:], decoded=False),
    )
    return [piece for piece in pieces if piece.text]


def _edge(text: str) -> int:
    """Length of the marks that ``text`` begins with and the white space after them."""
    edge = re.match(r"[^\w\s]*+\s*+", text)
    return edge.end() if edge else 0


def _piece(text: str) -> _Piece:
    """A piece to decode, unless it has no letters: figures and marks are copied."""
    return _Piece(text, decoded=any(map(str.isalpha, text)))


def _join(pieces: Sequence[_Piece], translations: Iterator[Translation]) -> Translation:
    """One translation of the pieces, with as many of ``translations`` as are decoded."""
    texts: list[str] = []
    made: list[Translation] = []
    for piece in pieces:
        if piece.decoded:
            made.append(next(translations))
            is_last = piece is pieces[-1]
            texts.append(made[-1].text if is_last else unended(piece.text, made[-1].text))
        else:
            texts.append(piece.text)
    lengths = [part.target_tokens + (not part.reached_limit) for part in made]  # with </s>
    scores = (part.score * length for part, length in zip(made, lengths, strict=True))
    return Translation(
        text="".join(texts),
        score=sum(scores) / max(1, sum(lengths)),
        source_tokens=sum(part.source_tokens for part in made),
        target_tokens=sum(part.target_tokens for part in made),
        reached_limit=any(part.reached_limit for part in made),
    )
