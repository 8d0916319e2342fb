"""The formats that an article may be written in: from its text to a document, and words back."""

from service.article.document import Document, Format
from service.article.formats.html import escape_html, parse_html
from service.article.formats.markdown import escape_markdown, parse_markdown
from service.article.formats.text import parse_text


def parse(text: str, format: Format) -> Document:
    """Find the blocks and sentences of ``text``, which may be any string."""
    match format:
        case Format.TEXT:
            return parse_text(text)
        case Format.HTML:
            return parse_html(text)
        case Format.MARKDOWN:
            return parse_markdown(text)


def escape(text: str, format: Format, *, opens_block: bool) -> str:
    """Plain ``text`` as it is written in ``format``.

    Args:
        text: any string without line breaks.
        format: the format.
        opens_block: whether it begins a block, where Markdown has more special characters.
    """
    match format:
        case Format.TEXT:
            return text
        case Format.HTML:
            return escape_html(text)
        case Format.MARKDOWN:
            return escape_markdown(text, opens_block)
