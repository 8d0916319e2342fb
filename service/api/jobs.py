"""Jobs on HTTP: sent in, looked at, read, cancelled."""

import json
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Header, Path
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from service.api import examples, schemas
from service.api.access import Access, KeyedRoute, owner
from service.api.database_calls import DatabaseCalls
from service.api.problems import RETRY_SECONDS
from service.api.schemas import problem_responses
from service.api.submissions import JSON, NDJSON, Submission, received
from service.errors import Overloaded
from service.jobs.records import Job, Row
from service.jobs.runner import JobRunner
from service.jobs.store import JobStore

LISTED_JOBS = 100
"""Of ``GET /v1/jobs``."""
MAX_UPLOADS = 8
"""Bodies that come in at the same time: a bound on the room for them on the disk."""
MAX_KEY_UPLOADS = 4
"""Of these, bodies of one key: they may take long, and others must get in beside them."""
MAX_KEY_CHARACTERS = 255

_PATH = "/v1/jobs"
_JobId = Annotated[
    str,
    Path(
        pattern="^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$",
        description="Id of the job.",
    ),
]
_IdempotencyKey = Annotated[
    str | None,
    Header(
        min_length=1,
        max_length=MAX_KEY_CHARACTERS,
        pattern="^[!-~]+$",
        description="A name of the caller's choice for this request, with which it may be sent "
        "again: the same key with the same body answers with the job of the first time.",
    ),
]
_ARTICLE: dict[str, Any] = {
    "type": "object",
    "description": "The body of POST /v1/articles, and an id of its own.",
    "required": ["id"],
    "properties": {"id": {"type": "string", "pattern": "^[A-Za-z0-9._:/-]{1,200}$"}},
}
_BODY = {
    "requestBody": {
        "required": True,
        "content": {
            JSON: {
                "schema": {
                    "type": "array",
                    "minItems": 1,
                    "items": _ARTICLE,
                    "examples": [examples.JOB_ARTICLES],
                }
            },
            NDJSON: {
                "schema": {
                    "type": "string",
                    "description": "An article on every line that is not blank.",
                },
                "example": "".join(map("{}\n".format, map(json.dumps, examples.JOB_ARTICLES))),
            },
        },
    }
}
_ROWS: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "A row for every article that has ended, in the order they were given: its "
        "id, its answer (as that of POST /v1/articles) or null, its error (a problem document) or "
        "null. All of them once the job has ended.",
        "content": {
            NDJSON: {"schema": {"type": "string"}, "example": json.dumps(examples.JOB_ROW) + "\n"}
        },
    }
}


def create_router(
    store: JobStore, runner: JobRunner, calls: DatabaseCalls, access: Access
) -> APIRouter:
    """The routes of jobs.

    Args:
        store: jobs.
        runner: told of every new one.
        calls: call the store.
        access: counts the characters of a job against the day of its key.
    """
    router = APIRouter(route_class=KeyedRoute, responses=problem_responses(400, 401, 500, 503))
    uploads: Counter[str] = Counter()  # bodies that come in, by owner

    @router.post(
        _PATH,
        status_code=202,
        responses=problem_responses(408, 413, 415, 422, 429, 504, 507),
        openapi_extra=_BODY,
        tags=["jobs"],
    )
    async def create_job(
        request: Request, response: Response, idempotency_key: _IdempotencyKey = None
    ) -> schemas.JobAnswer:
        """Take articles to translate later: what is answered 202 is done, whatever happens to the
        server.

        An article that POST /v1/articles would refuse fails alone; a body that is not a list of
        articles with ids of their own is refused as a whole.
        """
        asker = owner(request)
        most = MAX_KEY_UPLOADS if asker else MAX_UPLOADS
        if uploads.total() >= MAX_UPLOADS or uploads[asker] >= most:
            raise Overloaded(
                "too many jobs come in at the moment", headers={"Retry-After": RETRY_SECONDS}
            )
        uploads[asker] += 1
        try:
            async with received(request) as submission:
                job = await submit(request, submission, idempotency_key)
        finally:
            uploads[asker] -= 1
        runner.wake()
        answer = _answer(request, job)
        response.headers["Location"] = answer.location
        return answer

    async def submit(request: Request, submission: Submission, idempotency_key: str | None) -> Job:
        if idempotency_key is not None:  # to ask again costs nothing
            earlier = await calls.run(
                store.earlier, owner(request), idempotency_key, submission.fingerprint
            )
            if earlier is not None:
                return earlier
        spending = await access.spend_job(request, await calls.run(submission.characters))
        async with access.refunding(spending):
            job, is_new = await calls.run(
                store.submit,
                owner(request),
                submission.articles(),
                fingerprint=submission.fingerprint,
                idempotency_key=idempotency_key,
            )
        if not is_new:
            await access.give_back(spending)
        return job

    @router.get(_PATH, tags=["jobs"])
    async def list_jobs(request: Request) -> schemas.JobsAnswer:
        """The newest jobs of the caller's key; of everybody where no keys are needed."""
        jobs = await calls.run(store.jobs, owner(request), LISTED_JOBS)
        return schemas.JobsAnswer(jobs=[_answer(request, job) for job in jobs])

    @router.get(_PATH + "/{job_id}", responses=problem_responses(404, 422), tags=["jobs"])
    async def get_job(request: Request, job_id: _JobId) -> schemas.JobAnswer:
        """What has become of a job."""
        return _answer(request, await calls.run(store.job, owner(request), job_id))

    @router.delete(_PATH + "/{job_id}", responses=problem_responses(404, 422, 507), tags=["jobs"])
    async def cancel_job(request: Request, job_id: _JobId) -> schemas.JobAnswer:
        """End a job: what is under way is stopped, what has ended keeps its results. A job that
        has ended stays as it is."""
        return _answer(request, await calls.run(store.cancel, owner(request), job_id))

    @router.get(
        _PATH + "/{job_id}/results",
        response_class=Response,
        responses=_ROWS | problem_responses(404, 422),
        tags=["jobs"],
    )
    async def get_results(request: Request, job_id: _JobId) -> Response:
        """The results of a job as NDJSON; while it runs, those that are there."""
        asker = owner(request)

        async def page(after: int) -> list[tuple[int, Row]]:
            return await calls.run(store.results, asker, job_id, after)

        async def lines(rows: list[tuple[int, Row]]) -> AsyncIterator[str]:
            while rows:
                yield _lines([row for _, row in rows])
                rows = await page(rows[-1][0])

        # What fails before the first row has a status of its own; later, the answer breaks off.
        return StreamingResponse(lines(await page(-1)), media_type=NDJSON)

    return router


def _answer(request: Request, job: Job) -> schemas.JobAnswer:
    path = f"{request.scope.get('root_path', '')}{_PATH}/{job.id}"
    return schemas.JobAnswer(
        id=job.id,
        state=job.state,
        articles=job.articles,
        done=job.done,
        failed=job.failed,
        created_at=_time(job.created_at),
        started_at=_time(job.started_at),
        ended_at=_time(job.ended_at),
        expires_at=_time(job.expires_at),
        location=path,
        results=f"{path}/results",
    )


def _time(seconds: float | None) -> Any:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)


def _lines(rows: Sequence[Row]) -> str:
    """Rows as JSON, made of JSON."""
    return "".join(
        f'{{"id": {json.dumps(row.id)}, "article": {row.article or "null"}, '
        f'"error": {row.error or "null"}}}\n'
        for row in rows
    )
