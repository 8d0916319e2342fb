"""Documents by HTTP: a file in, the answer of ``POST /v1/articles`` out."""

from collections.abc import Awaitable, Callable
from pathlib import PurePath
from typing import Any

from fastapi import APIRouter
from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError
from starlette.requests import Request
from starlette.responses import Response

from service.api import schemas, stream
from service.api.body import parse_json
from service.api.fields import MULTIPART, read_fields
from service.api.request_workers import RequestWorkers
from service.api.schemas import problem_responses
from service.article.files import read_document
from service.errors import InvalidRequest, StartupError, UnsupportedMediaType

TranslateArticle = Callable[
    [Request, schemas.ArticleRequest], Awaitable[schemas.ArticleAnswer | Response]
]

_FORM = {
    "required": True,
    "content": {
        MULTIPART: {
            "schema": {
                "type": "object",
                "required": ["file"],
                "properties": {
                    "file": {
                        "type": "string",
                        "format": "binary",
                        "description": "Text, Markdown, HTML, .docx, .odt, .epub or .pdf, as its "
                        "name says; documents need kortom[documents].",
                    },
                    "options": {
                        "type": "string",
                        "contentMediaType": "application/json",
                        "description": "The other fields of POST /v1/articles, as a JSON object.",
                    },
                },
            },
        }
    },
}


def add_route(
    router: APIRouter, workers: RequestWorkers, translate_article: TranslateArticle
) -> None:
    """Serve ``POST /v1/documents``.

    Args:
        router: takes the route.
        workers: read the file.
        translate_article: answers ``POST /v1/articles``.
    """

    @router.post(
        "/v1/documents",
        response_model=schemas.ArticleAnswer,
        responses=stream.RESPONSES
        | problem_responses(400, 401, 408, 413, 415, 422, 429, 500, 503, 504, 507),
        openapi_extra={"requestBody": _FORM},
        tags=["articles"],
    )
    async def translate_document(request: Request) -> schemas.ArticleAnswer | Response:
        """Translate a file and sum it up; everything but text, HTML and Markdown becomes Markdown.

        The sentences' offsets point into the text of the file, which the answer does not hold.
        ``deadline_ms`` counts from when the file has been read.
        """
        fields = await read_fields(request)
        file = fields.files.get("file")
        if file is None:
            raise InvalidRequest(f"file: a part of {MULTIPART} must hold the document")
        options = parse_json(str(fields.first("options") or "{}").encode())
        if not isinstance(options, dict):
            raise InvalidRequest("options: not a JSON object")
        # The sender knows the name; errors say only what kind of file it is.
        name = f"document{PurePath(file.name).suffix.lower()[:10]}"
        try:
            (text, format), _ = await workers.run(
                request,
                lambda _work: (read_document(name, file.data), ()),
                characters=0,  # those of its text are counted with the article's
            )
        except StartupError as error:
            raise UnsupportedMediaType(error.detail) from None
        return await translate_article(request, _article({**options, format.value: text}))


def _article(document: dict[str, Any]) -> schemas.ArticleRequest:
    try:
        return schemas.ArticleRequest.model_validate(document)
    except ValidationError as error:
        # As FastAPI says it of a body: the path begins where the field stands.
        raise RequestValidationError(
            [{**item, "loc": ("options", *item["loc"])} for item in error.errors()]
        ) from None
