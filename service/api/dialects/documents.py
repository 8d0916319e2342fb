"""Files in a dialect: a whole file in, the same file in English out."""

import mimetypes
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import TYPE_CHECKING

from service.api.account import Made
from service.article import files
from service.article.document import Format
from service.errors import RequestError, StartupError
from service.pipeline import ArticlePipeline
from service.serving.work import Work

if TYPE_CHECKING:
    from service.article.files.docx_translation import DocxDocument

SAME_SUFFIXES = files.TEXT_SUFFIXES | {".docx"}
"""Of files that come back as they came in; others become Markdown."""
MARKDOWN_SUFFIX = ".md"
_TRANSLATED_SUFFIXES = files.TEXT_SUFFIXES | files.DOCUMENT_SUFFIXES


@dataclass(frozen=True, slots=True)
class TranslatedFile:
    """A file in English.

    Attributes:
        data: what it holds.
        characters: code points of the text that was translated, its markup included.
    """

    data: bytes
    characters: int


def served_suffixes() -> frozenset[str]:
    """Of the files that are translated here."""
    return _TRANSLATED_SUFFIXES if files.AVAILABLE else files.TEXT_SUFFIXES


def suffix_of(name: str) -> str | None:
    """The suffix of a file's name in small letters, if files of its kind are translated.

    Raises:
        RequestError: they would be, with the extra ``kortom[documents]``.
    """
    suffix = PurePath(name).suffix.lower()
    if suffix not in _TRANSLATED_SUFFIXES:
        return None
    try:
        files.check_libraries(suffix)
    except StartupError as error:
        raise RequestError(error.detail) from None
    return suffix


def suffix_after(suffix: str) -> str:
    """The suffix of the file that a file with ``suffix`` becomes."""
    return suffix if suffix in SAME_SUFFIXES else MARKDOWN_SUFFIX


def media_type_of(suffix: str) -> str:
    """The media type of files with ``suffix``."""
    return mimetypes.guess_type(f"document{suffix}")[0] or "application/octet-stream"


@dataclass(frozen=True, slots=True)
class File:
    """A file that has been read.

    Attributes:
        data: what it holds.
        text: what is translated of it.
        format: how that is written.
        word: the parts of a ``.docx`` file, which is written again with its styles.
    """

    data: bytes
    text: str
    format: Format
    word: "DocxDocument | None"

    def translate(
        self, pipeline: ArticlePipeline, *, source_language: str, work: Work
    ) -> tuple[TranslatedFile, Sequence[Made]]:
        """Translate the file.

        Args:
            pipeline: does the work.
            source_language: see ``ArticlePipeline.translate_article``.
            work: the request that this is for.

        Returns:
            A ``.docx`` file with the styles of the original; text, HTML and Markdown with the
            structure of the original, as UTF-8; Markdown of anything else. Beside it, what the
            pipeline made.

        Raises:
            ServiceError: see ``ArticlePipeline.translate_article``.
        """
        article = pipeline.translate_article(
            self.text,
            format=self.format,
            main_text=False,
            source_language=source_language,
            checkpoint=work.checkpoint,
        )
        english = article.body.target.text
        if self.word:
            translated = self.word.render(english)
        else:
            # HTML may still name the encoding that it came in; a byte order mark goes before that.
            is_same = self.data.startswith(self.text.encode("utf-8")[:1024])
            is_renamed = self.format is Format.HTML and not is_same
            translated = english.encode("utf-8-sig" if is_renamed else "utf-8")
        return TranslatedFile(translated, len(self.text)), [article]


def read_file(suffix: str, data: bytes) -> File:
    """Read a file.

    Args:
        suffix: what the file is; see :func:`suffix_of`.
        data: what it holds.

    Raises:
        InvalidRequest: see ``article.files.read_document``.
    """
    name = f"document{suffix}"
    if suffix == ".docx":
        word = files.open_docx(name, data)
        return File(data, word.html, Format.HTML, word)
    text, format = files.read_document(name, data)
    return File(data, text, format, None)
