"""``kortom mcp``: the translation and the bullets as tools for a model (Model Context Protocol)."""

import argparse
import os
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import Any

from service import __version__
from service.errors import InvalidSettings, StartupError

KEY_VARIABLE = "KORTOM_KEY"
"""Where the key of a server that wants one stands: a flag could be read in a list of processes."""


def add_parser(subparsers: Any) -> None:
    """Add the command ``mcp``."""
    parser = subparsers.add_parser(
        "mcp",
        help="offer a server's work as tools over MCP",
        description="Speak the Model Context Protocol on standard input and output, with the tools "
        "translate_article and summarize of a running Kortom. A server that wants a key gets that "
        f"of the variable {KEY_VARIABLE}. Needs kortom[mcp].",
    )
    parser.add_argument(
        "--url", default="http://127.0.0.1:8000", help="of the server [%(default)s]"
    )
    parser.set_defaults(run=_run)


@dataclass(frozen=True)  # the SDK makes no schema of one with slots
class EnglishArticle:
    """What the tool translate_article answers.

    Attributes:
        title: in English; ``None`` if none was given.
        text: the whole article in English.
        bullets: the summary, with the ids of the sentences that each rests on.
        warnings: what a reader should know, with sentence, code, severity and evidence.
    """

    title: str | None
    text: str
    bullets: list[str]
    warnings: list[str]


def _run(options: argparse.Namespace) -> int:
    try:
        from mcp.server import MCPServer
        from mcp.server.mcpserver.exceptions import ToolError

        from service.client import Article, ArticleWarning, AsyncKortom, Bullet, KortomError
    except ImportError as error:
        raise StartupError("needs kortom[mcp]: in the checkout, pip install '.[mcp]'") from error
    try:
        kortom = AsyncKortom(options.url, key=os.environ.get(KEY_VARIABLE) or None)
    except ValueError as error:
        raise InvalidSettings(str(error)) from None

    @asynccontextmanager
    async def lifespan(_: Any) -> AsyncGenerator[None]:
        async with kortom:
            yield

    server = MCPServer("kortom", version=__version__, lifespan=lifespan, log_level="ERROR")

    @contextmanager
    def told() -> Iterator[None]:
        try:
            yield
        except KortomError as error:
            raise ToolError(str(error)) from None

    def shown(bullets: tuple[Bullet, ...]) -> list[str]:
        return [f"{bullet.text} [{', '.join(bullet.sources)}]" for bullet in bullets]

    def line(place: str, warning: ArticleWarning) -> str:
        return f"{place}: {warning.code} ({warning.severity}) {warning.evidence}".rstrip()

    def warnings(article: Article) -> Iterator[str]:
        yield from (line("article", warning) for warning in article.warnings)
        for block in article.translation.blocks or ():
            for sentence in block.sentences:
                yield from (line(sentence.id, warning) for warning in sentence.warnings)

    @server.tool()
    async def translate_article(
        text: str, title: str | None = None, bullets: int = 3
    ) -> EnglishArticle:
        """Translate a Dutch article into English and sum it up in bullets.

        Give the whole article as plain text with blank lines between paragraphs. Warnings marked
        (hard) name sentences whose translation is probably wrong.
        """
        with told():
            article = await kortom.article(text=text, title=title, bullets=bullets)
        return EnglishArticle(
            title=article.title,
            text=article.translation.text,
            bullets=shown(article.summary.bullets) if article.summary else [],
            warnings=list(warnings(article)),
        )

    @server.tool()
    async def summarize(text: str, bullets: int = 3) -> list[str]:
        """Sum up an English or Dutch text in bullets that name the sentences they rest on."""
        with told():
            return shown((await kortom.summarize(text, bullets=bullets)).summary.bullets)

    server.run("stdio")
    return 0
