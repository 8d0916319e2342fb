"""Inline markup: from what stands in a block of HTML or Markdown to sentences, and back.

A format reads the inline content of a block as a list of :class:`Inline`; the rest is the same for
all formats: finding sentences in the words, and putting markup back around the words of their
translation.
"""

from dataclasses import dataclass
from enum import StrEnum


class InlineKind(StrEnum):
    """What a piece of inline content is."""

    TEXT = "text"
    """Words to translate."""
    OPEN = "open"
    """Where markup around words begins: ``<a href="…">``, ``**``, ``[``."""
    CLOSE = "close"
    """Where it ends: ``</a>``, ``**``, ``](https://…)``."""
    ATOM = "atom"
    """Something without words: an image, a comment, a footnote mark."""
    VERBATIM = "verbatim"
    """Words that come out as they went in: code, ``translate="no"``."""


@dataclass(frozen=True, slots=True)
class Inline:
    """A piece of the inline content of a block.

    Attributes:
        kind: what it is.
        start: its first code point in the document's text.
        end: one past its last.
        text: of ``TEXT`` and ``VERBATIM`` what a reader reads (``&amp;`` reads ``&``); of ``OPEN``
            and ``CLOSE`` the name by which they are partners (``a``, ``strong``); else empty.
    """

    kind: InlineKind
    start: int
    end: int
    text: str = ""
