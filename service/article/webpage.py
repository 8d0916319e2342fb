"""The article on a full web page, without menus, advertisements and reader comments.

By trafilatura (extra ``kortom[web]``), which is imported when the first page comes. It is given a
string and never asks the network for anything.
"""

import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from html import escape
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lxml.html import HtmlElement

AVAILABLE = find_spec("trafilatura") is not None
"""Whether the extra ``kortom[web]`` is installed."""

_PAGE = re.compile(r"<(?:!doctype\s+html|html|body)(?=[\s/>])", re.IGNORECASE)

_MAX_ELEMENTS = 20_000
_MAX_DEPTH = 200
_MAX_CHILDREN = 3_000
_MAX_ATTRIBUTES = 1_000
"""Of a page, and the last two of one element: news pages have a tenth of that. libxml2 leaves out
what lies 256 deep; it and trafilatura take quadratic time over the others, a minute and more."""

_MIN_SHARE = 0.3
_PROSE_CHARACTERS = 60
_BESIDE_TAGS = frozenset(("aside", "dialog", "footer", "nav"))
_BESIDE_NAMES = re.compile(
    r"""
    (?:^|\s)
    (?: advertenties? | comments? | cookie[-_]?(?:balk|banner|bar|consent|melding) | gerelateerd
      | lees[-_]?ook | meer[-_]nieuws | newsletter | nieuwsbrief | reacties? | related )
    (?:[-_]*(?:area|blok|block|box|container|lijst|list|sectie|section|widget|wrapper))?
    (?:$|\s)
    """,
    re.VERBOSE | re.IGNORECASE,
)
"""Whole classes and ids of what stands beside the article on Dutch sites. trafilatura knows only
English ones; parts of names are not enough (``comments-open`` is a class of WordPress's pages)."""
_CONTAINERS = frozenset(("aside", "div", "form", "ol", "section", "ul"))
_UNSEEN = frozenset(("head", "noscript", "script", "style", "template"))
_INLINE = frozenset(
    ("a", "abbr", "b", "cite", "code", "em", "font", "i", "mark", "q", "s", "small", "span",
     "strong", "sub", "sup", "u")
)  # fmt: skip

_TAGS = {
    "cell": "td", "code": "code", "del": "del", "item": "li", "lb": "br", "list": "ul", "p": "p",
    "quote": "blockquote", "row": "tr", "table": "table", "head": "h3", "hi": "em",
    "article": "div", "div": "div", "section": "div",
}  # fmt: skip
_RENDERED = {
    "#b": "strong", "#i": "em", "#sub": "sub", "#sup": "sup", "#t": "code", "#u": "u",
    "dd": "dd", "dl": "dl", "dt": "dt", "h1": "h1", "h2": "h2", "h3": "h3", "h4": "h4", "h5": "h5",
    "h6": "h6", "head": "th", "ol": "ol", "ul": "ul",
}  # fmt: skip
"""What trafilatura's elements are in HTML, and what their attribute ``rend`` or ``role`` says."""


@dataclass(frozen=True, slots=True)
class Page:
    """The article of a web page.

    Attributes:
        html: its main text as an HTML fragment: headings, paragraphs, lists, quotes, tables,
            captions, links, emphasis and images.
        title: its headline, as the page's metadata give it.
        author: who wrote it, as given there.
        date: the day of publication as given there, ``YYYY-MM-DD``.
    """

    html: str
    title: str | None
    author: str | None
    date: str | None


def is_page(html: str) -> bool:
    """Whether ``html`` is a full web page (``<!doctype html>``, ``<html`` or ``<body``)."""
    return _PAGE.search(html) is not None


def main_text(html: str) -> Page | None:
    """Tell the article of a page from the rest.

    Args:
        html: a full web page.

    Returns:
        The article. ``None`` where the whole page is the better answer: no article was found, less
        than 30 % of the page's prose was, the page is too large or too deep to be taken apart in
        a few seconds, or the extra ``kortom[web]`` is missing. Prose is what stands in blocks of at
        least 60 characters that are not mostly links, beside menus, footers and reader comments:
        of *all* visible text, a good extraction is often under 30 %.
    """
    if not AVAILABLE:
        return None
    tree = _parse(html)
    if tree is None:
        return None
    trafilatura = _library()
    try:
        metadata = trafilatura.extract_metadata(
            tree, date_config={"extensive_search": False, "original_date": True}, extensive=False
        )
        captions = _prepare(tree)
        found = trafilatura.bare_extraction(
            tree,
            include_comments=False,
            include_formatting=True,
            include_images=True,
            include_links=True,
            include_tables=True,
            deduplicate=False,
        )
    except Exception:  # a library that guesses at other people's HTML fails in ways of its own
        # (AttributeError, RecursionError, lxml's errors): then it has found no article.
        return None
    if found is None or _size(found.body) < max(1, _MIN_SHARE * _prose(tree)):
        return None
    return Page(
        html=_to_html(found.body, captions),
        title=metadata.title or None,
        author=metadata.author or None,
        date=metadata.date or None,
    )


@cache
def _library() -> Any:
    """trafilatura, silent: what it logs may hold words of the page."""
    for name in ("trafilatura", "htmldate", "courlan", "justext", "charset_normalizer"):
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)
    import trafilatura
    import trafilatura.metadata

    return trafilatura


class _Measure:
    """A target of lxml's parser that counts what makes a page expensive."""

    def __init__(self) -> None:
        self.elements = 0
        self.children = [0]  # of each open element so far
        self.fits = True

    def start(self, _tag: str, attributes: Mapping[str, str]) -> None:
        self.elements += 1
        self.children[-1] += 1
        self.fits &= (
            len(attributes) <= _MAX_ATTRIBUTES
            and self.children[-1] <= _MAX_CHILDREN
            and len(self.children) <= _MAX_DEPTH
        )
        self.children.append(0)

    def end(self, _tag: str) -> None:
        self.children.pop()

    def close(self) -> bool:
        """Whether the page is one that can be taken apart in a few seconds."""
        return self.fits and self.elements <= _MAX_ELEMENTS


def _parse(html: str) -> "HtmlElement | None":
    """The page as a tree; ``None`` if it is too expensive or there is none."""
    from lxml import etree
    from lxml.html import HTMLParser, document_fromstring

    # Bytes: a str with an XML declaration is refused.
    data = html.encode("utf-8", "replace")
    try:
        # Into a counter first, which takes linear time where building the tree does not.
        measure = etree.HTMLParser(target=_Measure(), encoding="utf-8", no_network=True)
        if not etree.fromstring(data, measure):
            return None
        parser = HTMLParser(
            encoding="utf-8", no_network=True, remove_comments=True, remove_pis=True
        )
        return document_fromstring(data, parser)
    except (etree.LxmlError, ValueError):
        return None


def _prepare(tree: "HtmlElement") -> set[str]:
    """Make the page's tree ready for trafilatura; returns the captions in it.

    It would take the first entry of a live blog for the article, drop times and captions, and leave
    in what only Dutch names tell from the article.
    """
    from lxml.etree import strip_tags

    _join_articles(tree)
    for element in list(tree.iter(*_CONTAINERS)):
        name = f"{element.get('class', '')} {element.get('id', '')}"
        if _BESIDE_NAMES.search(name) and element.find(".//h1") is None:
            element.drop_tree()
    for moment in tree.iter("time"):
        if moment.getparent().tag in _CONTAINERS or moment.getparent().tag == "article":
            moment.tag = "p"  # the hour above an entry
    strip_tags(tree, "time")
    captions = set()
    for caption in tree.iter("figcaption"):
        captions.add(_words(caption))
        caption.tag = "p"
    for figure in tree.iter("figure"):
        figure.tag = "div"
    return captions - {""}


def _join_articles(tree: "HtmlElement") -> None:
    """Make one ``<article>`` of several of about the same length: a live blog, a dossier.

    Where one is three times as long as the next, the others are teasers.
    """
    articles = [a for a in tree.iter("article") if next(a.iterancestors("article"), None) is None]
    sizes = sorted((_prose(article) for article in articles), reverse=True)
    if len(articles) < 2 or sizes[1] * 3 < sizes[0]:
        return
    shared = list(articles[0].iterancestors())
    for article in articles:
        article.tag = "section"
        ancestors = set(article.iterancestors())
        shared = [ancestor for ancestor in shared if ancestor in ancestors]
    if shared[0].tag not in ("body", "html"):
        shared[0].tag = "article"


def _words(element: Any) -> str:
    return " ".join("".join(element.itertext()).split())


def _size(element: Any) -> int:
    return len(_words(element))


def _prose(tree: "HtmlElement") -> int:
    """Characters of the page's prose, by :func:`main_text`'s definition."""
    total = 0
    waiting = [tree]
    while waiting:
        element = waiting.pop()
        if element.tag in _UNSEEN or element.tag in _BESIDE_TAGS:
            continue
        pieces = [element.text or ""]
        linked = 0
        for child in element:
            if child.tag in _INLINE:
                pieces.append(_words(child))
                linked += sum(_size(link) for link in child.iter("a"))
            else:
                waiting.append(child)
            pieces.append(child.tail or "")
        size = len(" ".join("".join(pieces).split()))
        if size >= _PROSE_CHARACTERS and linked * 2 < size:
            total += size
    return total


def _to_html(body: Any, captions: set[str]) -> str:
    """trafilatura's document as an HTML fragment, a block a line."""
    from lxml.etree import tostring

    for element in body.iter("*"):
        if element is body:
            continue
        role = element.get("role") or element.get("rend", "").partition("-")[0]
        attributes = dict(element.attrib)
        element.attrib.clear()
        if element.tag == "ref":
            element.tag = "a"
            element.set("href", attributes.get("target", ""))
        elif element.tag == "graphic":
            element.tag = "img"
            for name in ("src", "alt", "title"):
                if name in attributes:
                    element.set(name, attributes[name])
        else:
            element.tag = _RENDERED.get(role) or _TAGS.get(element.tag, "span")
        if element.tag == "p" and _words(element) in captions:
            element.tag = "figcaption"
    blocks = [tostring(block, encoding="unicode", method="html") for block in body]
    return "\n".join([escape(body.text or "", quote=False), *blocks]).strip()
