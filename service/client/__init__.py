"""The Python client: ``Kortom`` and ``AsyncKortom``, typed answers, one kind of error.

    with Kortom("http://127.0.0.1:8000") as kortom:
        print(kortom.article(text="Het regent in Utrecht.").translation.text)

It needs httpx (``kortom[client]``) and loads nothing of the server.
"""

from service.client.connection import AsyncKortom, Kortom
from service.client.jobs import JobArticle, Row
from service.client.protocol import KortomError
from service.client.results import (
    Article,
    ArticleEvent,
    ArticleWarning,
    Block,
    BlockEvent,
    Bullet,
    BulletEvent,
    Event,
    Job,
    Summarized,
    TitleEvent,
    Translations,
)

__all__ = [
    "Article",
    "ArticleEvent",
    "ArticleWarning",
    "AsyncKortom",
    "Block",
    "BlockEvent",
    "Bullet",
    "BulletEvent",
    "Event",
    "Job",
    "JobArticle",
    "Kortom",
    "KortomError",
    "Row",
    "Summarized",
    "TitleEvent",
    "Translations",
]
