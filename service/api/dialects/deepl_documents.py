"""DeepL's documents: a file is handed in, asked after and fetched once.

They are held in memory, a few at a time and not for long: whoever stops the server, or does not
come back, has to hand in the file again.
"""

import asyncio
import hmac
import secrets
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import PurePath
from urllib.parse import quote

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from service.api.access import owner
from service.api.account import Made
from service.api.dialects.deepl_fields import (
    DeepLRoute,
    check_formality,
    check_glossary,
    not_supported,
    read_languages,
)
from service.api.dialects.documents import (
    File,
    TranslatedFile,
    media_type_of,
    read_file,
    suffix_after,
    suffix_of,
)
from service.api.fields import read_fields
from service.api.problems import log_failure
from service.api.request_workers import RequestWorkers
from service.errors import InvalidRequest, NotFound, Overloaded, RequestError, ServiceError
from service.pipeline import SOURCE_LANGUAGE, ArticlePipeline
from service.serving.work import Work

MAX_DOCUMENTS = 100
"""Documents waiting, being translated or waiting to be fetched."""
MAX_BYTES = 64_000_000
"""Bytes of all of them together: what came in until it is translated, then what goes out."""
KEY_SHARE = 4
"""One key has at most one in so many of the documents and of their bytes, but always one."""
KEPT_SECONDS = 1_800.0
"""How long a translated document waits to be fetched."""
WORK_SECONDS = 3_600.0
"""How long a document may wait for its turn and be translated."""
MAX_NAME_CHARACTERS = 200
PATIENCE_SECONDS = 2.0
"""How long the question after a document waits for it: DeepL's clients ask again after 5 s."""


class _Document:
    """A document from its upload until it is fetched.

    Args:
        owner: see ``access.owner``.
        name: of the file that comes out.
        size: bytes held for it.
    """

    def __init__(self, owner: str, name: str, size: int) -> None:
        self.owner = owner
        self.name = name
        self.size = size
        self.id = secrets.token_hex(16).upper()
        self.key = secrets.token_hex(32).upper()
        self.begun = asyncio.Event()
        self.refusal: ServiceError | None = None
        self.finished = asyncio.Event()
        self.outcome: TranslatedFile | ServiceError | None = None


class Documents:
    """All documents, and the tasks that translate them.

    Args:
        workers: do the work of requests.
        pipeline: translates.
    """

    def __init__(self, workers: RequestWorkers, pipeline: ArticlePipeline) -> None:
        self._workers = workers
        self._pipeline = pipeline
        self._documents: dict[str, _Document] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def add(
        self, request: Request, name: str, suffix: str, data: bytes, source_language: str
    ) -> _Document:
        """Take in a file and begin with it.

        Args:
            request: who pays, and in whose name failures are logged. It is over before the work,
                so that its log line says nothing of that; the metrics do.
            name: its name.
            suffix: what it is.
            data: what it holds.
            source_language: ``nl``, or ``auto`` to find out.

        Raises:
            Overloaded: too many documents are held, in all or of the same key, or requests are
                being worked on.
            ServiceError: see ``RequestWorkers.run``.
        """
        document = _Document(owner(request), name, len(data))
        others = list(self._documents.values())
        _check_room(others, document, 1)
        own = [other for other in others if other.owner == document.owner != ""]
        if own:
            _check_room(own, document, KEY_SHARE)
        self._documents[document.id] = document
        try:
            file, _ = await self._workers.run(
                request,
                lambda _work: (read_file(suffix, data), ()),
                characters=0,  # those of its text are counted before the translation
            )
        except InvalidRequest as error:
            self._end(document, error)
            return document
        except BaseException:
            self.remove(document)
            raise
        task = asyncio.create_task(self._translate(document, request, file, source_language))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        await document.begun.wait()
        if document.refusal is not None:
            self.remove(document)
            raise document.refusal
        return document

    def find(self, document_id: str, key: object) -> _Document:
        """The document, for whoever has its key.

        Raises:
            NotFound: there is none (any more), or the key is another one's.
        """
        document = self._documents.get(document_id)
        given = key.encode("utf-8", "replace") if isinstance(key, str) else b""
        if document is None or not hmac.compare_digest(given, document.key.encode("ascii")):
            raise NotFound("Document not found")
        return document

    def remove(self, document: _Document) -> None:
        """Forget a document."""
        self._documents.pop(document.id, None)

    async def close(self) -> None:
        """Give up what is not translated yet."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _translate(
        self, document: _Document, request: Request, file: File, source_language: str
    ) -> None:
        loop = asyncio.get_running_loop()

        def translate(work: Work) -> tuple[TranslatedFile, Sequence[Made]]:
            loop.call_soon_threadsafe(document.begun.set)
            return file.translate(self._pipeline, source_language=source_language, work=work)

        try:
            result, _ = await self._workers.run(
                request,
                translate,
                characters=len(file.text),
                attended=False,
                deadline_seconds=WORK_SECONDS,
            )
            self._end(document, result)
        except Exception as exc:
            error = exc if isinstance(exc, ServiceError) else ServiceError("an internal error")
            if not document.begun.is_set():
                document.refusal = error
            self._end(document, error)
            if error.status == ServiceError.status:
                log_failure(request.state.request_id, exc)
        finally:
            document.begun.set()

    def _end(self, document: _Document, outcome: TranslatedFile | ServiceError) -> None:
        document.outcome = outcome
        document.size = len(outcome.data) if isinstance(outcome, TranslatedFile) else 0
        document.finished.set()
        loop = asyncio.get_running_loop()
        loop.call_later(KEPT_SECONDS, self._documents.pop, document.id, None)


def _check_room(others: Sequence[_Document], document: _Document, share: int) -> None:
    size = sum(other.size for other in others) + document.size
    if share * (len(others) + 1) > MAX_DOCUMENTS or share * size > MAX_BYTES:
        raise Overloaded("too many documents are here", headers={"Retry-After": "60"})


def create_router(workers: RequestWorkers, pipeline: ArticlePipeline) -> APIRouter:
    """The routes of documents; see ``deepl.create_router``."""
    documents = Documents(workers, pipeline)

    @asynccontextmanager
    async def lifespan(_: object) -> AsyncIterator[None]:
        yield
        await documents.close()

    router = APIRouter(route_class=DeepLRoute, include_in_schema=False, lifespan=lifespan)

    @router.post("/v2/document")
    async def upload(request: Request) -> Response:
        """Take in a file."""
        fields = await read_fields(request)
        source = read_languages(fields)
        check_formality(fields)
        check_glossary(fields)
        file = fields.files.get("file")
        if file is None:
            raise RequestError("Invalid file data.")
        name = fields.first("filename") or file.name
        suffix = suffix_of(name)
        if suffix is None:
            raise RequestError("Invalid file data.")
        after = suffix_after(suffix)
        if f".{fields.first('output_format') or suffix[1:]}".lower() != after:
            raise not_supported("output_format")
        document = await documents.add(
            request,
            f"{PurePath(name).stem[:MAX_NAME_CHARACTERS]}{after}",
            suffix,
            file.data,
            SOURCE_LANGUAGE if source else "auto",
        )
        return JSONResponse({"document_id": document.id, "document_key": document.key})

    @router.post("/v2/document/{document_id}")
    async def status(request: Request, document_id: str) -> Response:
        """How far a document is."""
        fields = await read_fields(request)
        document = documents.find(document_id, fields.first("document_key"))
        with suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE_SECONDS):
                await document.finished.wait()
        if document.outcome is None:
            return JSONResponse({"document_id": document_id, "status": "translating"})
        if isinstance(document.outcome, TranslatedFile):
            return JSONResponse(
                {
                    "document_id": document_id,
                    "status": "done",
                    "seconds_remaining": 0,
                    "billed_characters": document.outcome.characters,
                }
            )
        message = document.outcome.detail
        # DeepL sends the message twice, for old clients.
        return JSONResponse(
            {
                "document_id": document_id,
                "status": "error",
                "error_message": message,
                "message": message,
            }
        )

    @router.post("/v2/document/{document_id}/result")
    async def download(request: Request, document_id: str) -> Response:
        """Hand out a document and forget it."""
        fields = await read_fields(request)
        document = documents.find(document_id, fields.first("document_key"))
        if not isinstance(document.outcome, TranslatedFile):
            return JSONResponse({"message": "Document translation is not done"}, 503)
        documents.remove(document)
        return Response(
            document.outcome.data,
            media_type=media_type_of(f".{document.name.rpartition('.')[2]}"),
            headers={"Content-Disposition": f"attachment; filename*=UTF-8''{quote(document.name)}"},
        )

    return router
