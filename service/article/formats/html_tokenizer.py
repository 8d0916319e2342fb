"""HTML as a flat list of tokens with exact offsets.

The rules for where a tag, comment, character reference or script ends are those of the HTML
standard (https://html.spec.whatwg.org/multipage/parsing.html#tokenization); no tree is built, so
nothing is moved, added or corrected.
"""

import html as standard_html
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum, auto
from html.entities import html5 as character_references


class TokenKind(Enum):
    """What a token is."""

    TEXT = auto()
    """Characters to read."""
    START = auto()
    """A start tag."""
    END = auto()
    """An end tag."""
    COMMENT = auto()
    """What is not shown: a comment, a doctype, a processing instruction, a tag without its end."""
    RAW = auto()
    """The content of a script, a style sheet, a text field, …"""


@dataclass(frozen=True, slots=True)
class Token:
    """A stretch of HTML.

    Attributes:
        kind: what it is.
        start: its first code point.
        end: one past its last.
        text: of ``TEXT`` what a reader reads; of a tag its name in lower case; else empty.
        attributes: of a start tag: lower-case name to value.
        self_closing: whether a start tag ends in ``/>``.
    """

    kind: TokenKind
    start: int
    end: int
    text: str = ""
    attributes: Mapping[str, str] | None = None
    self_closing: bool = False


_SPACE = r"\t\n\f\r "
_ATTRIBUTE = rf"""
    (?P<name>[^{_SPACE}/>][^{_SPACE}/>=]*+)
    (?:
        [{_SPACE}]*+=[{_SPACE}]*+
        (?:"(?P<double>[^"]*+)(?:"|\Z)|'(?P<single>[^']*+)(?:'|\Z)|(?P<bare>[^{_SPACE}>]*+))
    )?+
"""
_ATTRIBUTES = re.compile(_ATTRIBUTE, re.VERBOSE)
_TAG = re.compile(
    rf"""
    <(?P<slash>/?)(?P<tag>[a-zA-Z][^{_SPACE}/>]*+)
    (?P<attributes>(?:[{_SPACE}/]*+{re.sub("[?]P<[a-z]+>", "?:", _ATTRIBUTE)})*+)
    (?P<tail>[{_SPACE}/]*+)(?P<closed>>?)
    """,
    re.VERBOSE,
)
_MARKUP = re.compile(r"<(?=[a-zA-Z!?]|/.)", re.DOTALL)
_COMMENT_END = re.compile(r"(?<=<!--)-?>|--!?>")
_SCRIPT_PART = re.compile(
    rf"<!--(?P<empty>-*+>)?|(?P<end>-->)|(?P<tag></?)script(?=[{_SPACE}/>])", re.IGNORECASE
)
_NUMBER_REFERENCE = re.compile(r"&#(?:[xX]0*+(?P<hex>[0-9a-fA-F]++)|0*+(?P<decimal>[0-9]++));?+")
_NUMBER_REFERENCE_DIGITS = 7
_NAME_REFERENCE = re.compile(r"&(?P<name>[a-zA-Z][a-zA-Z0-9]*+;)")
_OLD_REFERENCE = re.compile(
    "&(?:" + "|".join(sorted((n for n in character_references if n[-1] != ";"), reverse=True)) + ")"
)
"""The names that need no semicolon; of two that begin alike the longer one first."""

_RAW_NAMES = ("iframe", "noembed", "noframes", "plaintext", "script", "style", "textarea", "xmp")
_RAW_ENDS = {
    name: re.compile(rf"</{name}(?=[{_SPACE}/>])", re.IGNORECASE) for name in (*_RAW_NAMES, "title")
}
_FOREIGN_NAMES = ("math", "svg")
_RAW_IN_FOREIGN_NAMES = ("script", "style")
"""Raw elements of drawings; not for the standard, but code must never be taken for text."""


def tokenize(html: str) -> Iterator[Token]:
    """Cut HTML into tokens.

    Args:
        html: any string.

    Yields:
        Tokens in order, each beginning where the one before ends, from 0 to ``len(html)``. Takes
        linear time.
    """
    position = 0
    foreign = 0  # how many elements of drawings and formulas are open
    while position < len(html):
        markup = _MARKUP.search(html, position)
        yield from _text(html, position, markup.start() if markup else len(html))
        if not markup:
            return
        start = markup.start()
        tag = _TAG.match(html, start)
        if not tag or not tag["closed"]:
            position = tag.end() if tag else _end_of_comment(html, start, in_foreign=foreign > 0)
            yield Token(TokenKind.COMMENT, start, position)
            continue
        position = tag.end()
        name = tag["tag"].lower()
        if tag["slash"]:
            yield Token(TokenKind.END, start, position, name)
            foreign -= foreign > 0 and name in _FOREIGN_NAMES
            continue
        self_closing = tag["tail"].endswith("/")
        attributes: dict[str, str] = {}
        for found in _ATTRIBUTES.finditer(tag["attributes"]):
            value = found["double"] or found["single"] or found["bare"] or ""
            attributes.setdefault(found["name"].lower(), value)
        yield Token(TokenKind.START, start, position, name, attributes, self_closing)
        if name in _FOREIGN_NAMES:
            foreign += not self_closing
        elif name in _RAW_ENDS and not (
            foreign and (self_closing or name not in _RAW_IN_FOREIGN_NAMES)
        ):
            start, position = position, _end_of_raw(html, position, name)
            if name == "title":
                yield from _text(html, start, position)
            elif start < position:
                yield Token(TokenKind.RAW, start, position)


def _end_of_comment(html: str, start: int, *, in_foreign: bool) -> int:
    """Where what begins with ``<!``, ``<?`` or ``</`` at ``start``, and is no tag, ends."""
    if html.startswith("<!--", start):
        found = _COMMENT_END.search(html, start + 4)
        return found.end() if found else len(html)
    mark = "]]>" if in_foreign and html.startswith("<![CDATA[", start) else ">"
    place = html.find(mark, start + 2)
    return place + len(mark) if place >= 0 else len(html)


def _end_of_raw(html: str, start: int, name: str) -> int:
    """Where the end tag of an element stands whose content, from ``start``, has no tags."""
    if name == "plaintext":
        return len(html)
    if name != "script":
        found = _RAW_ENDS[name].search(html, start)
        return found.start() if found else len(html)
    # In a comment in a script, "<script>" and "</script>" are a pair of their own.
    in_comment = in_pair = False
    for part in _SCRIPT_PART.finditer(html, start):
        if part["end"]:
            in_comment = in_pair = False
        elif part["tag"] == "<":
            in_pair = in_comment
        elif not part["tag"]:
            in_comment = in_comment or not part["empty"]
        elif in_pair:
            in_pair = False
        else:
            return part.start()
    return len(html)


def _text(html: str, start: int, end: int) -> Iterator[Token]:
    """Text tokens for a stretch without tags; each character reference is a token of its own."""
    position = start
    place = html.find("&", start, end)
    while place >= 0:
        reference, text = _read_reference(html, place, end)
        if reference > place:
            if position < place:
                yield Token(TokenKind.TEXT, position, place, html[position:place])
            yield Token(TokenKind.TEXT, place, reference, text)
            position = reference
        place = html.find("&", max(reference, place + 1), end)
    if position < end:
        yield Token(TokenKind.TEXT, position, end, html[position:end])


def _read_reference(html: str, start: int, end: int) -> tuple[int, str]:
    """Where the character reference at ``start`` ends and what it stands for; ``start`` if none."""
    if number := _NUMBER_REFERENCE.match(html, start, end):
        # More digits than the last code point has; reading very many would take quadratic time.
        digits = (number["hex"] or number["decimal"])[: _NUMBER_REFERENCE_DIGITS + 1]
        return number.end(), standard_html.unescape(f"&#{'x' if number['hex'] else ''}{digits};")
    name = _NAME_REFERENCE.match(html, start, end)
    if name and name["name"] in character_references:
        return name.end(), character_references[name["name"]]
    if old := _OLD_REFERENCE.match(html, start, end):
        return old.end(), character_references[old[0][1:]]
    return start, ""
