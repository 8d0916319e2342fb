"""Inline markup back around the words of a translation.

No alignment is asked of the model: markup goes where its words, or their own translation, can be
found without doubt, and is left out elsewhere. What has no words, or must come out as it went in,
is never left out.
"""

import re
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from operator import itemgetter

from service.article.document import Markup, Sentence
from service.article.normalization import normalize

_MOST_SEARCHES = 200
"""Different words that are looked for in one sentence; the markup after that is left out. With the
next limit, what keeps the time linear in a sentence made of markup."""
_MOST_PLACES = 1000
"""Places in a sentence where a word is looked at; one with more is taken not to be there."""
_LONGEST_PHRASE = 500
"""Characters of the longest words that are looked for, unless they are all words there are."""
_LONGEST_WORD = 40
_MOST_MARKS = 10

_WORD_BEFORE = re.compile(r"(?P<word>\w(?:[\w'’.-]*\w)?)(?P<marks>[^\w\s]*)\s*\Z")
_WORD_AFTER = re.compile(r"\s*(?P<marks>[^\w\s]*)(?P<word>\w(?:[\w'’.-]*\w)?)")
_DIGIT_MARK = re.compile(r"(?<=[0-9])[.,](?=[0-9])")
_ARTICLE = re.compile(r"(?:the|an?)\s+", re.IGNORECASE)
_FINAL = ".!?"


@dataclass(frozen=True, slots=True)
class Attached:
    """A translated sentence as it is to stand in the document.

    Attributes:
        form: the translation, escaped and with markup.
        dropped: opening tags of the markup that was left out, and the sentence's stray tags.
        moved: what had to go to the end of the sentence: images, code, …
        unmatched: words whose own translation might show where their markup belongs.
    """

    form: str
    dropped: tuple[str, ...] = ()
    moved: tuple[str, ...] = ()
    unmatched: tuple[str, ...] = ()


def attach(
    sentence: Sentence, target: str, escape: Callable[[str], str], renderings: Mapping[str, str]
) -> Attached:
    """Put the markup of a sentence around the words of its translation.

    Words count as found where they, in English typography, or their rendering, are whole words of
    the target, either once or as often as in the source: then the first is the first, and so on. A
    single word in small letters is found by its rendering only, for many look English without being
    it (``of``, ``die``, ``brand``). Markup inside other markup is looked for among the words of
    that. An image goes beside the word that it stood beside.

    Args:
        sentence: the source sentence.
        target: its translation, plain; when that is ``sentence.text``, all markup stays in place.
        escape: writes plain text in the document's format.
        renderings: translations of words on their own; those of ``unmatched`` would help.

    Returns:
        The sentence in the document's format. Its markup is properly nested, and each piece of it
        is one of ``sentence.markup``. Takes linear time.
    """
    if not sentence.markup:
        return Attached(escape(target), sentence.stray)
    return _Attachment(sentence, target, renderings).run(escape)


class _Searchable:
    """A text whose whole words can be looked for, again and again."""

    def __init__(self, text: str) -> None:
        self.text = text
        self._places: dict[str, list[int]] = {}
        self._words = [word.span() for word in re.finditer(r"\w+", text)]

    @property
    def searches(self) -> int:
        """How many different words were looked for."""
        return len(self._places)

    def find(self, words: str, start: int, end: int) -> Sequence[int]:
        """Where ``words`` begin as whole words between ``start`` and ``end``."""
        if words not in self._places:
            self._places[words] = self._find(words)
        places = self._places[words]
        return places[bisect_left(places, start) : bisect_right(places, end - len(words))]

    def _find(self, words: str) -> list[int]:
        places: list[int] = []
        place = self.text.find(words)
        for _ in range(_MOST_PLACES):
            if place < 0:
                return places
            end = place + len(words)
            if not self.is_inside_word(place) and not self.is_inside_word(end):
                places.append(place)
            place = self.text.find(words, place + 1)
        return []

    def is_inside_word(self, place: int) -> bool:
        """Whether the characters before and after ``place`` are of one word."""
        number = bisect_left(self._words, place, key=itemgetter(1))
        return number < len(self._words) and self._words[number][0] < place < self._words[number][1]

    def word_around(self, start: int, end: int) -> tuple[int, int]:
        """``start`` and ``end``, moved out to the ends of words that they are inside of."""
        if self.is_inside_word(start):
            start = self._words[bisect_left(self._words, start, key=itemgetter(1))][0]
        if self.is_inside_word(end):
            end = self._words[bisect_left(self._words, end, key=itemgetter(1))][1]
        return start, end


@dataclass(slots=True)
class _Node:
    """Markup in the target, with the markup inside it.

    Attributes:
        start: where it begins in the target.
        end: where it ends.
        source_start: where it begins in the source.
        source_end: where it ends.
        opening: what stands before its words; all of it if it has none.
        closing: what stands after them.
        is_whole: ``opening`` takes the place of the words.
        children: the markup directly inside it, in order.
    """

    start: int
    end: int
    source_start: int
    source_end: int
    opening: str = ""
    closing: str = ""
    is_whole: bool = False
    children: list["_Node"] = field(default_factory=list)

    def take(self, child: "_Node") -> bool:
        """Put ``child`` among the children, unless it overlaps one."""

        def bounds(node: _Node) -> tuple[int, int]:
            return node.start, node.end

        place = bisect_right(self.children, bounds(child), key=bounds)
        if place and self.children[place - 1].end > child.start:
            return False
        if place < len(self.children) and self.children[place].start < child.end:
            return False
        self.children.insert(place, child)
        return True


def _on_one_line(whole: str) -> str:
    """What has no words, with a space for the white space around it: lines end elsewhere now."""
    core = whole.strip()
    return f"{' ' * whole[0].isspace()}{core}{' ' * whole[-1].isspace()}" if core else " "


class _Attachment:
    """One sentence, its translation and the markup placed so far."""

    def __init__(self, sentence: Sentence, target: str, renderings: Mapping[str, str]) -> None:
        self._sentence = sentence
        self._renderings = renderings
        self._source = _Searchable(sentence.text)
        self._target = _Searchable(target)
        self._root = _Node(0, len(target), 0, len(sentence.text))
        self._dropped: list[str] = []
        self._moved: list[str] = []
        self._unmatched: dict[str, None] = {}
        self._before = self._after = ""  # white space of dropped tags at the ends of the sentence
        self._end = ""

    def run(self, escape: Callable[[str], str]) -> Attached:
        """Place all markup and write the target."""
        open_nodes = [self._root]
        for markup in self._sentence.markup:
            # What has no words and stands where other markup ends is inside it if it has only a
            # closing part.
            inside_end = not markup.opening and markup.start == markup.end
            while len(open_nodes) > 1 and (
                open_nodes[-1].source_end < markup.start + (not inside_end)
            ):
                open_nodes.pop()
            node = self._place(markup, open_nodes[-1])
            if node and not node.is_whole:
                open_nodes.append(node)
        form = f"{self._before}{self._write(escape)}{self._after}{self._end}"
        return Attached(
            form if self._target.text else form.lstrip(),
            (*self._dropped, *self._sentence.stray),
            tuple(self._moved),
            tuple(self._unmatched),
        )

    def _write(self, escape: Callable[[str], str]) -> str:
        target = self._target.text
        written: list[str] = []
        waiting: list[str | _Node] = [self._root]
        while waiting:
            item = waiting.pop()
            if isinstance(item, str):
                written.append(item)
            elif item.is_whole:
                written.append(item.opening)
            else:
                inner: list[str | _Node] = []
                position = item.start
                for child in item.children:
                    inner += (escape(target[position : child.start]), child)
                    position = child.end
                inner.append(escape(target[position : item.end]))
                waiting += (item.closing, *reversed(inner), item.opening)
        return "".join(written)

    def _place(self, markup: Markup, outer: _Node) -> _Node | None:
        """Put ``markup`` inside ``outer``, at the end of the sentence, or nowhere."""
        source, target = self._sentence.text, self._target.text
        is_atom = markup.verbatim is None and not (markup.opening and markup.closing)
        whole = markup.opening + markup.closing if is_atom else markup.verbatim
        if is_atom and whole and source != target:
            whole = _on_one_line(whole)
        if source == target:
            spans: Iterator[tuple[int, int]] = iter([(markup.start, markup.end)])
        elif is_atom:
            spans = self._spans_of_atom(markup, outer)
        else:
            spans = self._spans_of_words(markup, outer)
        for start, end in spans:
            node = _Node(start, end, markup.start, markup.end, markup.opening, markup.closing)
            if whole is not None:
                node.is_whole = True
                node.opening = self._spaced(markup, whole, node) if is_atom else whole
            elif start == end:
                continue
            if outer.take(node):
                return node
        words = self._clue(markup)
        if words and words not in self._renderings:
            self._unmatched[words] = None
        if whole is not None:
            spaced = not is_atom or source[max(0, markup.end - 1) : markup.end].isspace()
            self._end += f" {whole}" if spaced else whole
            self._moved.append(whole.strip())
            return None
        self._dropped.append(markup.opening.strip())
        self._before += " " * markup.opening[-1:].isspace()
        self._after += " " * markup.closing[:1].isspace()
        return None

    def _spaced(self, markup: Markup, whole: str, node: _Node) -> str:
        """What has no words, with the spaces around it that the target does not have."""
        source, target = self._sentence.text, self._target.text
        if source == target or markup.start < markup.end:
            return whole
        space_before = source[max(0, markup.start - 1) : markup.start].isspace()
        space_after = source[markup.end : markup.end + 1].isspace()
        before = target[node.start - 1 : node.start] if node.start else " "
        after = target[node.end : node.end + 1] or " "
        return (
            " " * (space_before and not before.isspace())
            + whole
            + " " * (space_after and not after.isspace())
        )

    def _spans_of_words(self, markup: Markup, outer: _Node) -> Iterator[tuple[int, int]]:
        """Where in the target the words of ``markup`` may be."""
        start, end = markup.start, markup.end
        if (start, end) == (outer.source_start, outer.source_end):
            yield outer.start, outer.end
            return
        if span := self._span_between_marks(start, end, outer):
            yield span
        if end - start > _LONGEST_PHRASE or self._is_spent():
            return
        words = self._sentence.text[start:end]
        start += len(words) - len(words.lstrip())
        end -= len(words) - len(words.rstrip())
        if markup.verbatim is not None:
            candidates = dict.fromkeys((" ".join(words.split()), normalize(words)))
            yield from self._spans(start, end, outer, filter(None, candidates))
        else:
            yield from self._spans(start, end, outer, self._candidates(words.strip()))

    def _span_between_marks(self, start: int, end: int, outer: _Node) -> tuple[int, int] | None:
        """Where the words of the source from ``start`` to ``end`` are if they are all there are.

        Only punctuation is outside them: ``<a>Lees verder</a>.``
        """
        if max(start - outer.source_start, outer.source_end - end) > _MOST_MARKS:
            return None
        source, target = self._sentence.text, self._target.text
        first = outer.start + len(source[outer.source_start : start].strip())
        last = outer.end - len(source[end : outer.source_end].strip())
        marks = (
            source[outer.source_start : start],
            source[end : outer.source_end],
            target[outer.start : first],
            target[last : outer.end],
        )
        if first >= last or any(map(str.isalnum, "".join(marks))):
            return None
        words = target[first:last]
        return first + len(words) - len(words.lstrip()), last - len(words) + len(words.rstrip())

    def _spans_of_atom(self, markup: Markup, outer: _Node) -> Iterator[tuple[int, int]]:
        """Where in the target what has no words may be: beside the word it stood beside."""
        for place in self._places_of_atom(markup, outer):
            if markup.start < markup.end:  # in place of a space
                for start in (place, place - 1):
                    if outer.start <= start < outer.end and self._target.text[start].isspace():
                        yield start, start + 1
            yield place, place

    def _places_of_atom(self, markup: Markup, outer: _Node) -> Iterator[int]:
        text, target = self._sentence.text, self._target.text
        if markup.start <= outer.source_start:
            yield outer.start
            return
        if markup.end >= outer.source_end:
            yield outer.end
            return
        if self._is_spent():
            return
        if self._source.is_inside_word(markup.start):
            for start, _ in self._spans(markup.start, markup.start, outer, []):
                yield start
            return
        window = max(outer.source_start, markup.start - _LONGEST_WORD)
        if before := _WORD_BEFORE.search(text[window : markup.start]):
            candidates = self._candidates(before["word"])
            place = window + before.start()
            for _, end in self._spans(place, place + len(before["word"]), outer, candidates):
                marks = before["marks"]
                yield end + len(marks) if target.startswith(marks, end) else end
        limit = min(outer.source_end, markup.end + _LONGEST_WORD)
        if after := _WORD_AFTER.match(text[markup.end : limit]):
            candidates = self._candidates(after["word"])
            place = markup.end + after.start("word")
            for start, _ in self._spans(place, place + len(after["word"]), outer, candidates):
                marks = after["marks"]
                yield start - len(marks) if target.endswith(marks, outer.start, start) else start

    def _clue(self, markup: Markup) -> str:
        """The words whose own translation might show where ``markup`` belongs."""
        text = self._sentence.text
        start, end = markup.start, markup.end
        if markup.verbatim is not None or end - start > _LONGEST_PHRASE or self._is_spent():
            return ""
        if markup.opening and markup.closing:
            return text[start:end].strip()
        before = _WORD_BEFORE.search(text[max(0, start - _LONGEST_WORD) : start])
        return before["word"] if before else ""

    def _is_spent(self) -> bool:
        return max(self._target.searches, self._source.searches) >= _MOST_SEARCHES

    def _candidates(self, words: str) -> Iterable[str]:
        """What the words may be in the target, the surest first."""
        candidates: dict[str, None] = {}
        if not (words.isalpha() and words.islower()):
            english = normalize(words)
            numbers = _DIGIT_MARK.sub(lambda mark: "," if mark[0] == "." else ".", english)
            candidates |= dict.fromkeys((words, english, numbers))
        rendering = self._renderings.get(words, "").strip()
        if words[-1:] not in _FINAL:
            rendering = rendering.rstrip(_FINAL)
        for form in (rendering, _ARTICLE.sub("", rendering, count=1)):
            candidates |= dict.fromkeys((form, form[:1].swapcase() + form[1:]))
        return filter(None, candidates)

    def _spans(
        self, start: int, end: int, outer: _Node, candidates: Iterable[str]
    ) -> Iterator[tuple[int, int]]:
        """Where in the target the source's words from ``start`` to ``end`` may be.

        If they are not whole words, only the whole word around them will do.
        """
        word_start, word_end = self._source.word_around(start, end)
        if word_end - word_start > _LONGEST_PHRASE:
            return
        word = self._sentence.text[word_start:word_end]
        if (word_start, word_end) != (start, end):
            candidates = [word]
        source_places = self._source.find(word, outer.source_start, outer.source_end)
        for candidate in candidates:
            places = self._target.find(candidate, outer.start, outer.end)
            if len(places) == len(source_places) and word_start in source_places:
                place = places[source_places.index(word_start)]
            elif len(places) == 1:
                place = places[0]
            else:
                continue
            yield place + start - word_start, place + len(candidate) - (word_end - end)
