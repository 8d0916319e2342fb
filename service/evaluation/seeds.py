"""The seed articles: Dutch texts with an aligned English translation and reference bullets.

An article ``NAME`` is two files: ``NAME.nl.txt``, the text as a reader would submit it, and
``NAME.pairs.txt``, which people edit::

    # a comment
    kind: paragraph
    nl: De gemeente bouwt een brug.
    en: The municipality is building a bridge.
    nl: Ze is in mei klaar.
    en: It will be ready in May.

    bullet: The municipality is building a bridge.

Stanzas are separated by blank lines. Each is one block of the article, its sentences as ``nl`` and
``en`` lines in turn; the last stanza holds the bullets.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from service.article.conventions import frame
from service.article.document import BlockKind
from service.article.normalization import normalize

KINDS = (BlockKind.HEADING, BlockKind.PARAGRAPH, BlockKind.LIST_ITEM, BlockKind.METADATA)
"""Kinds that a block of a seed article can have: those that plain text can express."""

TEXT_SUFFIX = ".nl.txt"
PAIRS_SUFFIX = ".pairs.txt"


class SeedError(ValueError):
    """A seed file can't be read or used; the message says where."""


@dataclass(frozen=True, slots=True)
class SeedBlock:
    """One block of a seed article.

    Attributes:
        kind: one of :data:`KINDS`.
        pairs: (Dutch, English) per sentence, in order; at least one.
    """

    kind: BlockKind
    pairs: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class SeedArticle:
    """A seed article.

    Attributes:
        name: the files' common name.
        text: the Dutch text, character for character as in ``NAME.nl.txt``.
        blocks: the text's blocks, in order; at least one.
        bullets: the reference summary in English; at least one.
    """

    name: str
    text: str
    blocks: tuple[SeedBlock, ...]
    bullets: tuple[str, ...]

    def pairs(self) -> Iterator[tuple[str, str]]:
        """(Dutch, English) of every sentence that a model translates, in document order."""
        return (pair for block in self.blocks if block.kind.translatable for pair in block.pairs)

    def engine_pairs(self) -> Iterator[tuple[str, str]]:
        """(source, reference) of every text that reaches a translation engine, in document order.

        The source is normalised and both are without the phrases that no model translates.

        Raises:
            SeedError: a reference does not have these phrases in their English form.
        """
        for block in self.blocks:
            for dutch, english in block.pairs if block.kind.translatable else ():
                framed = frame(normalize(dutch), block.kind)
                target = english.removeprefix(framed.prefix).removesuffix(framed.suffix)
                if len(framed.prefix) + len(target) + len(framed.suffix) != len(english):
                    raise SeedError(
                        f"{self.name}: {english!r} should be {framed.prefix!r}…{framed.suffix!r}"
                    )
                if framed.core:
                    yield framed.core, target

    def references(self) -> list[str]:
        """The English side of every sentence, also of those that are not translated."""
        return [english for block in self.blocks for _, english in block.pairs]


def load_seeds(directory: Path) -> list[SeedArticle]:
    """All articles of a directory, in order of their names.

    Args:
        directory: holds ``NAME.nl.txt`` and ``NAME.pairs.txt`` for every article.

    Raises:
        SeedError: a file is malformed or not UTF-8, one of the two files of an article is missing,
            or there is no article at all.
    """
    names = {path.name.removesuffix(TEXT_SUFFIX) for path in directory.glob(f"*{TEXT_SUFFIX}")}
    names |= {path.name.removesuffix(PAIRS_SUFFIX) for path in directory.glob(f"*{PAIRS_SUFFIX}")}
    if not names:
        raise SeedError(f"{directory}: no seed articles (*{PAIRS_SUFFIX}) here")
    return [_load_article(directory, name) for name in sorted(names)]


def _load_article(directory: Path, name: str) -> SeedArticle:
    path = directory / f"{name}{PAIRS_SUFFIX}"
    blocks: list[SeedBlock] = []
    bullets: list[str] = []
    for stanza in _stanzas(path):
        number, key, value = stanza[0]
        if bullets:
            raise SeedError(f"{path}:{number}: nothing may follow the bullets")
        if key == "kind":
            blocks.append(_block(path, number, value, stanza[1:]))
        elif key == "bullet":
            for number, key, value in stanza:
                if key != "bullet":
                    raise SeedError(f"{path}:{number}: 'bullet:' expected, not '{key}:'")
                bullets.append(value)
        else:
            raise SeedError(
                f"{path}:{number}: a stanza begins with 'kind:' or 'bullet:', not '{key}:'"
            )
    if not blocks or not bullets:
        missing = "bullets" if blocks else "blocks"
        raise SeedError(
            f"{path}:{_read(path).count(chr(10)) + 1}: the file ends without any {missing}"
        )
    return SeedArticle(
        name, _read(directory / f"{name}{TEXT_SUFFIX}"), tuple(blocks), tuple(bullets)
    )


def _block(path: Path, number: int, kind: str, lines: list[tuple[int, str, str]]) -> SeedBlock:
    if kind not in KINDS:
        raise SeedError(f"{path}:{number}: kind '{kind}' is none of {', '.join(KINDS)}")
    if not lines:
        raise SeedError(f"{path}:{number}: a block without sentences")
    for index, (line, key, _) in enumerate(lines):
        expected = ("nl", "en")[index % 2]
        if key != expected:
            raise SeedError(f"{path}:{line}: '{expected}:' expected, not '{key}:'")
    if len(lines) % 2:
        raise SeedError(f"{path}:{lines[-1][0]}: an 'nl:' line without its 'en:' line")
    values = [value for _, _, value in lines]
    return SeedBlock(BlockKind(kind), tuple(zip(values[::2], values[1::2], strict=True)))


def _stanzas(path: Path) -> Iterator[list[tuple[int, str, str]]]:
    """Runs of lines without a blank one between them, each line as (number, key, value)."""
    stanza: list[tuple[int, str, str]] = []
    for number, line in enumerate(_read(path).split("\n"), start=1):
        if not line.strip():
            if stanza:
                yield stanza
            stanza = []
        elif not line.startswith("#"):
            key, colon, value = line.partition(":")
            if not colon or key not in ("kind", "nl", "en", "bullet"):
                raise SeedError(f"{path}:{number}: 'kind:', 'nl:', 'en:' or 'bullet:' expected")
            if not value.strip():
                raise SeedError(f"{path}:{number}: '{key}:' without a text")
            stanza.append((number, key, value.strip()))
    if stanza:
        yield stanza


def _read(path: Path) -> str:
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise SeedError(f"{path}: the file is missing") from None
    except OSError as error:
        raise SeedError(f"{path}: {error.strerror}") from None
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        number = data.count(b"\n", 0, error.start) + 1
        raise SeedError(f"{path}:{number}: not UTF-8") from None
