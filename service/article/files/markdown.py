"""From elements of HTML, in which every reader of documents gives what it found, to Markdown.

Footnotes are beyond HTML: ``<sup data-note="3"/>`` is the mark, ``<div data-note="3">`` the note.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Any

from service.article.formats.markdown import escape_markdown

_BLOCKS = frozenset(
    ("address", "article", "aside", "blockquote", "body", "caption", "center", "dd", "details",
     "div", "dl", "dt", "fieldset", "figcaption", "figure", "footer", "form", "h1", "h2", "h3",
     "h4", "h5", "h6", "header", "hr", "html", "li", "main", "nav", "ol", "p", "pre", "section",
     "summary", "table", "ul")
)  # fmt: skip
_UNSEEN = frozenset(("head", "script", "style", "template", "noscript", "svg", "math"))
_MAX_DEPTH = 100
"""Levels of elements in each other; what lies deeper is read as the text of its level."""

_SPACES = re.compile(r"[ \t\r\n\f\v]+")


@dataclass(frozen=True, slots=True)
class _Span:
    """Words in one formatting; ``raw`` is Markdown already (an image, a footnote mark)."""

    text: str
    strong: bool = False
    emphasis: bool = False
    code: bool = False
    href: str = ""
    raw: bool = False

    @property
    def mark(self) -> str:
        """What Markdown writes around the words."""
        return "**" * self.strong + "*" * (self.emphasis and not self.code)


_BREAK = _Span("\n", raw=True)


def to_markdown(root: Any) -> str:
    """A tree of HTML elements as Markdown.

    Args:
        root: an lxml element whose descendants have the names of HTML, without a namespace.

    Returns:
        Markdown whose words are those of the elements: headings, paragraphs, nested lists, quotes,
        tables, emphasis, links, images, footnotes. Empty if there are no words. Elements without a
        form in Markdown are read through.
    """
    markdown = "\n\n".join(_blocks(root, 0))
    return f"{markdown}\n" if markdown else ""


def append_text(element: Any, text: str) -> None:
    """Add words at the end of an element."""
    if len(element):
        element[-1].tail = (element[-1].tail or "") + text
    else:
        element.text = (element.text or "") + text


def _name(element: Any) -> str:
    # Comments and processing instructions have no name.
    return element.tag if isinstance(element.tag, str) else ""


def _blocks(element: Any, depth: int) -> Iterator[str]:
    """The blocks of Markdown in an element; loose words in it are paragraphs."""
    spans: list[_Span] = [_Span(element.text or "")]
    for child in element:
        name = _name(child)
        if depth < _MAX_DEPTH and (name in _BLOCKS or _holds_block(child)):
            yield from _paragraph(spans)
            spans = []
            yield from _block(child, name, depth + 1)
        elif name not in _UNSEEN:
            spans += _spans(child, _Span(""))
        spans.append(_Span(child.tail or ""))
    yield from _paragraph(spans)


def _holds_block(element: Any) -> bool:
    return next(element.iter(*_BLOCKS), None) is not None


def _block(element: Any, name: str, depth: int) -> Iterator[str]:
    if re.fullmatch("h[1-6]", name):
        text = " ".join(filter(None, _lines(_spans_in(element, _Span("")), opens_block=False)))
        if text:
            yield f"{'#' * int(name[1])} {text}"
    elif name in ("ul", "ol"):
        yield from _list(element, name == "ol", depth)
    elif name == "blockquote":
        yield from _prefixed("> ", "> ", list(_blocks(element, depth)))
    elif name == "pre":
        code = "".join(element.itertext()).strip("\n")
        if code.strip():
            fence = "`" * max(3, *(len(run) + 1 for run in re.findall("`+", code) or [""]))
            yield f"{fence}\n{code}\n{fence}"
    elif name == "table":
        yield from _table(element, depth)
    elif name == "hr":
        yield "---"
    elif "data-note" in element.attrib:
        mark = f"[^{element.get('data-note')}]: "
        yield from _prefixed(mark, "    ", list(_blocks(element, depth)))
    else:
        yield from _blocks(element, depth)


def _paragraph(spans: list[_Span]) -> Iterator[str]:
    """Words with line breaks; after two breaks, or more, a paragraph begins."""
    paragraph: list[str] = []
    for line in [*_lines(spans, opens_block=True), ""]:
        if line:
            paragraph.append(line)
        elif paragraph:
            yield "\\\n".join(paragraph)
            paragraph = []


def _prefixed(first: str, others: str, blocks: list[str], gap: str = "\n\n") -> Iterator[str]:
    """The blocks of a list item, a quote or a note as one block, each line behind its marker."""
    if blocks:
        lines = gap.join(blocks).split("\n")
        rest = ((others + line) if line else others.rstrip() for line in lines[1:])
        yield "\n".join([first + lines[0], *rest])


def _list(element: Any, ordered: bool, depth: int) -> Iterator[str]:
    items: list[str] = []
    bullet, stop = ("*", ")") if _follows_list(element) else ("-", ".")
    start = element.get("start", "1")
    number = int(start) if start.isdecimal() and len(start) < 9 else 1
    loose = False
    for child in element:
        marker = f"{number}{stop} " if ordered else f"{bullet} "
        name = _name(child)
        if name in ("ul", "ol"):  # a list in a list, outside an item: of the item before
            nested = list(_list(child, name == "ol", depth + 1))
            indent = " " * len(marker)
            items += ["\n".join(indent + line for line in block.split("\n")) for block in nested]
            continue
        blocks = list(_blocks(child, depth)) if name else []
        # Only a list in an item can follow it without a blank line.
        tight = len(blocks) < 2 or (
            len(blocks) == 2 and blocks[1].startswith(("- ", "* ", "1. ", "1) "))
        )
        loose = loose or not tight
        gap = "\n" if tight else "\n\n"
        items += _prefixed(marker, " " * len(marker), blocks, gap)
        number += bool(blocks)
    if items:
        yield ("\n\n" if loose else "\n").join(items)


def _follows_list(element: Any) -> bool:
    """Whether the list needs another marker to be told from a list of its kind before it."""
    other = False
    before = element.getprevious()
    while before is not None and before.tag == element.tag:
        other = not other
        before = before.getprevious()
    return other


def _table(element: Any, depth: int) -> Iterator[str]:
    rows = []
    for row in element.iter("tr"):
        if next(row.iterancestors("table"), None) is not element:
            continue  # of a table in a cell, which is read as the cell's words
        cells = []
        for cell in row:
            if _name(cell) in ("td", "th"):
                span = cell.get("colspan", "1")
                empty = int(span) - 1 if span.isdecimal() and len(span) < 3 else 0
                cells += [cell, *[None] * empty]
        if cells:
            rows.append(cells)
    for caption in element.iterchildren("caption"):
        yield from _blocks(caption, depth)
    width = max(map(len, rows), default=0)
    if width == 1 and len(rows) == 1:  # a box around text
        yield from _blocks(rows[0][0], depth)
    elif width:
        lines = []
        for cells in rows:
            texts = ["" if cell is None else _cell(cell) for cell in cells]
            lines.append(f"| {' | '.join(texts + [''] * (width - len(texts)))} |")
        lines.insert(1, "|" + " --- |" * width)
        if any(line.strip("| ") for line in lines[:1] + lines[2:]):
            yield "\n".join(lines)


def _cell(cell: Any) -> str:
    paragraphs: list[list[_Span]] = [[]]

    def collect(element: Any, format_: _Span) -> None:
        paragraphs[-1].append(replace(format_, text=element.text or ""))
        for child in element:
            if _name(child) in _BLOCKS or _holds_block(child) or _name(child) in ("tr", "td", "th"):
                paragraphs.append([])
                collect(child, format_)
                paragraphs.append([])
            elif _name(child) not in _UNSEEN:
                paragraphs[-1].extend(_spans(child, format_))
            paragraphs[-1].append(replace(format_, text=child.tail or ""))

    collect(cell, _Span(""))
    lines = [line for spans in paragraphs for line in _lines(spans, opens_block=False)]
    return "<br>".join(filter(None, lines))


def _spans(element: Any, outer: _Span) -> list[_Span]:
    """The words of an inline element."""
    name = _name(element)
    if name == "br":
        return [_BREAK]
    if name == "img":
        source, alt = element.get("src", ""), element.get("alt", "")
        if not source and not alt:
            return []
        image = f"![{escape_markdown(' '.join(alt.split()), False)}]({_target(source)})"
        return [replace(outer, text=image, raw=True)]
    if "data-note" in element.attrib:
        return [replace(outer, text=f"[^{element.get('data-note')}]", raw=True)]
    inner = replace(
        outer,
        strong=outer.strong or name in ("b", "strong"),
        emphasis=outer.emphasis or name in ("i", "em", "cite"),
        code=outer.code or name in ("code", "kbd", "samp", "tt"),
        href=element.get("href", "") if name == "a" else outer.href,
    )
    return _spans_in(element, inner)


def _spans_in(element: Any, outer: _Span) -> list[_Span]:
    spans = [replace(outer, text=element.text or "")]
    for child in element:
        if _name(child) and _name(child) not in _UNSEEN:
            spans += _spans(child, outer)
        spans.append(replace(outer, text=child.tail or ""))
    return spans


def _lines(spans: list[_Span], *, opens_block: bool) -> list[str]:
    """Inline Markdown, cut at the line breaks."""
    lines: list[list[_Span]] = [[]]
    after_space = True
    for span in spans:
        if span is _BREAK:
            lines.append([])
            after_space = True
        elif span.raw:
            lines[-1].append(span)
            after_space = False
        else:
            text = _SPACES.sub(" ", span.text)
            text = text[1:] if after_space and text.startswith(" ") else text
            if text:
                after_space = text.endswith(" ")
                lines[-1].append(replace(span, text=text))
    return [_line(line, opens_block=opens_block).strip() for line in lines]


def _line(spans: list[_Span], *, opens_block: bool) -> str:
    """Spans in Markdown, with marks where CommonMark reads them as such."""
    merged = [
        replace(format_, text="".join(span.text for span in same))
        for format_, same in groupby(spans, key=lambda span: replace(span, text=""))
    ]
    written = [_escaped(span, opens_block and i == 0) for i, span in enumerate(merged)]
    # What comes after a span decides whether its closing mark is one.
    following = [text[:1] for text in [*written[1:], ""]]
    pieces = zip(merged, written, following, strict=False)
    out = ""
    for href, linked in groupby(pieces, key=lambda piece: piece[0].href):
        text = ""
        for mark, same in groupby(linked, key=lambda piece: piece[0].mark):
            group = list(same)
            words = "".join(piece for _, piece, _ in group)
            text += _marked(words, mark, (text or out)[-1:], group[-1][2]) if mark else words
        core = text.strip()
        if href and core:
            if out.endswith("!"):  # would make an image of the link
                out = out[:-1] + "\\!"
            text = text.replace(core, f"[{core}]({_target(href)})", 1)
        out += text
    return out


def _escaped(span: _Span, opens_block: bool) -> str:
    core = span.text.strip()
    if span.raw or not core:
        return span.text
    if span.code:
        fence = "`" * (max(map(len, re.findall("`+", core)), default=0) + 1)
        pad = " " if "`" in core else ""
        written = f"{fence}{pad}{core}{pad}{fence}"
    else:
        written = escape_markdown(core, opens_block)
    # White space apart: a mark may come between it and the words.
    lead, _, trail = span.text.partition(core)
    return f"{lead}{written}{trail}"


def _marked(text: str, mark: str, before: str, after: str) -> str:
    """Emphasis around words.

    None that begins or ends in a word, and none right after other emphasis: CommonMark's rules do
    not always read these marks in pairs.
    """
    core = text.strip()
    if not core:
        return text
    lead, _, trail = text.partition(core)
    opens = lead or not (before.isalnum() or before == "*")
    closes = trail or not after.isalnum()
    return f"{lead}{mark}{core}{mark}{trail}" if opens and closes else text


def _target(url: str) -> str:
    """A link's target; in angle brackets where it holds what would end it."""
    url = "".join(c for c in url.strip() if c.isprintable())
    if not url or re.search(r"[\s<>()\\]", url):
        return "<" + re.sub(r"[<>\\]", lambda c: f"%{ord(c[0]):02X}", url) + ">"
    return url
