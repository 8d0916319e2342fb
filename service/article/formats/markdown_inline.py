"""The inline content of Markdown: where in it stand emphasis, links, code, entities, tags.

The inline tokens of markdown-it-py do not say where they stand, and its search for the end of a
link takes quadratic time. So the content is read here with its rules for single tokens, by the
algorithm of the CommonMark specification (appendix, "Phase 2: inline structure").
"""

import re
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, replace

from markdown_it import MarkdownIt
from markdown_it.common.utils import normalizeReference
from markdown_it.helpers import parseLinkDestination, parseLinkTitle
from markdown_it.rules_inline import StateInline, autolink, backtick, entity, html_inline
from markdown_it.rules_inline.balance_pairs import processDelimiters
from markdown_it.rules_inline.state_inline import Delimiter
from markdown_it.utils import EnvType
from mdit_py_plugins.footnote import footnote_plugin
from mdit_py_plugins.front_matter import front_matter_plugin

from service.article.markup import Inline, InlineKind

MAX_NESTING = 20
"""Levels of block quotes, lists and list items in each other (a list in a list adds two); what lies
deeper is left as it is. The parser calls itself, and reads the line again, at each level."""


class _Parser(MarkdownIt):
    """GitHub Flavored Markdown with footnotes and front matter; any link target will do."""

    def __init__(self) -> None:
        options = {"maxNesting": MAX_NESTING, "tasklists": True, "alerts": True}
        super().__init__("commonmark", options)
        self.enable("table").use(footnote_plugin).use(front_matter_plugin)
        self.block.ruler.getRules("")  # compiles the rules, which is not safe in two threads

    def validateLink(self, url: str) -> bool:  # noqa: ARG002, N802 - upstream's names, all allowed
        return True

    def normalizeLink(self, url: str) -> str:  # noqa: N802 - the name is upstream's
        return url


PARSER = _Parser()
"""What markdown-it-py's rules ask for their options."""

_SPECIAL = re.compile(
    r"""
    (?<!\S)\\?\|(?!\S)
    | !?\[ | [\\`<&\]] | \*++ | _++ | ~++
    | (?<![\ \t])[\ \t]*+\n
    | (?<![^\W_])(?:https?://|www\.)(?=[^\W_])
    """,
    re.VERBOSE,
)
_ESCAPABLE = re.compile(r"[!-/:-@\[-`{-~]")
_BARE_ADDRESS = re.compile(
    r"""
    (?: [^\s<>()\[\]`|\\&"“”„«»] | &(?!\#?[0-9A-Za-z]{1,32};) | \([^\s<>()\[\]`|\\&]*+\) )++
    """,
    re.VERBOSE,
)
_AFTER_ADDRESS = "?!.,:;*_~'’"
"""What is not the end of an address (GitHub Flavored Markdown, "Autolinks (extension)")."""
_TICKS = re.compile(r"`+")
_LABEL = re.compile(r"\[((?:[^\[\]\\]|\\.){0,999}+)\]", re.DOTALL)
_LABEL_CHARACTERS = 999
"""A longer one is no label (CommonMark, "Link reference definitions")."""
_FOOTNOTE = re.compile(r"\[\^([^\]\s]{1,999}+)\]")
_LINK_SPACE = re.compile(r"[ \t\n]*+")
_TAG = re.compile(r"</?([a-z][a-z0-9-]*+)", re.IGNORECASE)
_CLOSING_TAG = re.compile(r"</([a-z][a-z0-9-]*+)\s*+>", re.IGNORECASE)
_NOT_TRANSLATED = re.compile(r"\stranslate\s*+=\s*+[\"']?no\b", re.IGNORECASE)
_HIDDEN = frozenset({"script", "style"})
_CODE = frozenset({"code", "kbd", "pre", "samp", "tt", "var"})
_VOID = frozenset({"area", "embed", "hr", "img", "input", "link", "meta", "source", "wbr"})
LINE_BREAK = "\n"
"""The text of a hard line break: an ``ATOM`` if it is a tag, else white space."""
SEPARATOR = "\n|"
"""The text of a pipe between white space, as between a kicker and its headline."""


@dataclass(frozen=True, slots=True)
class _Bracket:
    """``[`` or ``![``: where it stands, and how much was found before it."""

    start: int
    end: int
    marks: int
    delimiters: int


class InlineReader:
    """Finds all that is not plain text in the inline content of a block.

    Attributes:
        marks: what was found, with its places in the content; in order and properly nested.
    """

    def __init__(self, text: str, env: EnvType) -> None:
        self._text = text
        self._references = env.get("references", {})
        self._footnotes = env.get("footnotes", {}).get("refs", {})
        self._state = StateInline(text, PARSER, env, [])
        self._marks: list[Inline] = []
        self._delimiters: list[Delimiter] = []
        self._brackets: list[_Bracket] = []
        self._inactive = 0  # so many of the brackets have a link inside, and can't be one
        self._closing_tags: dict[str, list[tuple[int, int]]] | None = None
        position = 0
        while special := _SPECIAL.search(text, position):
            self._state.pos = special.start()
            position = self._read(special[0], special.start(), special.end())
        self._match_delimiters(0)
        self._marks.sort(key=lambda mark: mark.start)
        self.marks = _without_lone_tags(self._marks)

    def _mark(self, kind: InlineKind, start: int, end: int, text: str = "") -> int:
        self._marks.append(Inline(kind, start, end, text))
        return end

    def _read(self, special: str, start: int, end: int) -> int:
        """Read what may begin with ``special``; where to go on."""
        if special.endswith("|"):
            return self._mark(InlineKind.TEXT, start, end, SEPARATOR)
        match special[0]:
            case "\\":
                return self._read_escape(start, end)
            case "`":
                return self._read_code(start)
            case "&":
                if entity(self._state, False):
                    read = self._state.tokens.pop().content
                    return self._mark(InlineKind.TEXT, start, self._state.pos, read)
                return end
            case "<":
                return self._read_angle_bracket(start, end)
            case "[" | "!":
                return self._read_opening_bracket(start, end)
            case "]":
                return self._read_closing_bracket(start)
            case "*" | "_" | "~":
                return self._read_delimiters(special, start, end)
            case "h" | "w":
                return self._read_bare_address(start, end)
            case _:  # the end of a line
                is_hard = special.endswith("  \n")
                return self._mark(InlineKind.TEXT, start, end, LINE_BREAK if is_hard else " ")

    def _read_escape(self, start: int, end: int) -> int:
        if self._text.startswith("\n", end):
            return self._mark(InlineKind.TEXT, start, end + 1, LINE_BREAK)
        if _ESCAPABLE.match(self._text, end):
            return self._mark(InlineKind.TEXT, start, end + 1, self._text[end])
        return end

    def _read_code(self, start: int) -> int:
        ticks = _TICKS.match(self._text, start)
        after = ticks.end() if ticks else start
        backtick(self._state, True)
        end = self._state.pos
        if end > after:
            code = self._text[after : end - (after - start)]
            self._mark(InlineKind.VERBATIM, start, end, code.replace("\n", " ").strip())
        return end

    def _read_angle_bracket(self, start: int, after: int) -> int:
        if autolink(self._state, True):
            end = self._state.pos
            return self._mark(InlineKind.VERBATIM, start, end, self._text[after : end - 1])
        if not html_inline(self._state, True):
            return after
        end = self._state.pos
        tag = _TAG.match(self._text, start)
        if not tag:  # a comment
            return self._mark(InlineKind.ATOM, start, end)
        name = tag[1].lower()
        if name == "br":
            return self._mark(InlineKind.ATOM, start, end, LINE_BREAK)
        if self._text[after] == "/":
            return self._mark(InlineKind.CLOSE, start, end, name)
        if name in _VOID or self._text[end - 2] == "/":
            return self._mark(InlineKind.ATOM, start, end, " " if name in ("hr", "img") else "")
        is_code = name in _CODE or _NOT_TRANSLATED.search(self._text, start, end)
        if (is_code or name in _HIDDEN) and (closing := self._closing_tag(name, end)):
            if is_code:
                words = " ".join(self._text[end : closing[0]].split())
                return self._mark(InlineKind.VERBATIM, start, closing[1], words)
            return self._mark(InlineKind.ATOM, start, closing[1])
        return self._mark(InlineKind.OPEN, start, end, name)

    def _closing_tag(self, name: str, position: int) -> tuple[int, int] | None:
        """Where the first ``</name>`` after ``position`` starts and ends."""
        if self._closing_tags is None:
            self._closing_tags = {}
            for tag in _CLOSING_TAG.finditer(self._text):
                self._closing_tags.setdefault(tag[1].lower(), []).append(tag.span())
        spans = self._closing_tags.get(name, [])
        number = bisect_left(spans, (position, 0))
        return spans[number] if number < len(spans) else None

    def _read_bare_address(self, start: int, end: int) -> int:
        address = _BARE_ADDRESS.match(self._text, start)
        words = address[0].rstrip(_AFTER_ADDRESS) if address else ""
        if start + len(words) <= end:
            return end
        return self._mark(InlineKind.VERBATIM, start, start + len(words), words)

    def _read_opening_bracket(self, start: int, end: int) -> int:
        footnote = self._footnotes and _FOOTNOTE.match(self._text, end - 1)
        if (
            footnote
            and f":{footnote[1]}" in self._footnotes
            # "zo![^1]" is no image
            and not (end - start == 2 and self._text.startswith("(", footnote.end()))
        ):
            return self._mark(InlineKind.ATOM, end - 1, footnote.end())
        bracket = _Bracket(start, end, len(self._marks), len(self._delimiters))
        self._brackets.append(bracket)
        return end

    def _read_closing_bracket(self, start: int) -> int:
        if not self._brackets:
            return start + 1
        bracket = self._brackets.pop()
        is_image = bracket.end - bracket.start == 2
        is_inactive = len(self._brackets) < self._inactive and not is_image
        self._inactive = min(self._inactive, len(self._brackets))
        end = 0 if is_inactive else self._target_end(bracket.end, start)
        if not end:
            return start + 1
        if is_image:
            del self._marks[bracket.marks :], self._delimiters[bracket.delimiters :]
            return self._mark(InlineKind.ATOM, bracket.start, end, " ")
        self._match_delimiters(bracket.delimiters)
        self._inactive = len(self._brackets)
        self._mark(InlineKind.OPEN, bracket.start, bracket.end, "[")
        return self._mark(InlineKind.CLOSE, start, end, "[")

    def _target_end(self, label_start: int, label_end: int) -> int:
        """Where the link ends that has its words in these places; 0 if it is none."""
        start = label_end + 1
        if self._text.startswith("(", start) and (end := self._address_end(start + 1)):
            return end
        reference = _LABEL.match(self._text, start)
        if reference and reference[1]:
            label, end = reference[1], reference.end()
        elif label_end - label_start <= _LABEL_CHARACTERS:
            label, end = self._text[label_start:label_end], reference.end() if reference else start
        else:
            return 0
        return end if normalizeReference(label) in self._references else 0

    def _address_end(self, start: int) -> int:
        """Where ``address "title")`` ends, 0 if it is not there."""
        text, length = self._text, len(self._text)
        position = self._skip_space(start)
        address = parseLinkDestination(text, position, length)
        if address.ok:
            position = self._skip_space(address.pos)
            if position > address.pos:
                title = parseLinkTitle(text, position, length)
                if title.ok:
                    position = self._skip_space(title.pos)
        return position + 1 if text.startswith(")", position) else 0

    def _skip_space(self, start: int) -> int:
        space = _LINK_SPACE.match(self._text, start)
        return space.end() if space else start

    def _read_delimiters(self, run: str, start: int, end: int) -> int:
        if run[0] == "~" and len(run) > 2:
            return end
        scanned = self._state.scanDelims(start, run[0] != "_")
        tildes = run[0] == "~"
        for place in range(start, start + 1 if tildes else end):
            self._delimiters.append(
                Delimiter(
                    marker=ord(run[0]),
                    length=0 if tildes else len(run),
                    token=place,
                    end=-1,
                    open=scanned.can_open,
                    close=scanned.can_close,
                )
            )
        return end

    def _match_delimiters(self, first: int) -> None:
        """Make emphasis of the delimiters from number ``first`` on, which end here."""
        delimiters = self._delimiters[first:]
        del self._delimiters[first:]
        processDelimiters(self._state, delimiters)
        number = len(delimiters) - 1
        while number >= 0:
            opening = delimiters[number]
            number -= 1
            if opening.end < 0:
                continue
            closing = delimiters[opening.end]
            start, end, width = opening.token, closing.token, 1
            if opening.marker == ord("~"):
                width = self._tildes(start)
                if width != self._tildes(end):
                    continue
            elif number >= 0:
                # Two pairs that touch at both ends are one of "**".
                outer = delimiters[number]
                if (outer.marker, outer.token, outer.end) == (
                    opening.marker,
                    start - 1,
                    opening.end + 1,
                ) and delimiters[outer.end].token == end + 1:
                    start, width = start - 1, 2
                    number -= 1
            name = chr(opening.marker) * width
            self._mark(InlineKind.OPEN, start, start + width, name)
            self._mark(InlineKind.CLOSE, end, end + width, name)

    def _tildes(self, start: int) -> int:
        return 2 if self._text.startswith("~~", start) else 1


def _without_lone_tags(marks: Sequence[Inline]) -> list[Inline]:
    """``marks`` with an ``ATOM`` for each HTML tag that has no partner at its own level."""
    openings: list[int] = []
    lone: list[int] = []
    for number, mark in enumerate(marks):
        if mark.kind is InlineKind.OPEN:
            openings.append(number)
        elif mark.kind is InlineKind.CLOSE:
            if not mark.text[0].isalpha():  # of Markdown, which always has its partner
                while marks[openings[-1]].text != mark.text:
                    lone.append(openings.pop())
            if openings and marks[openings[-1]].text == mark.text:
                openings.pop()
            else:
                lone.append(number)
    kept = list(marks)
    for number in lone + openings:
        kept[number] = replace(kept[number], kind=InlineKind.ATOM, text="")
    return kept
