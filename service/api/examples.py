"""Examples of answers and of every problem, for the interface description."""

import json
from collections.abc import Mapping
from typing import Any

from service.api.problems import ProblemResponse
from service.errors import (
    ContentTooLarge,
    DeadlineExceeded,
    InferenceError,
    InvalidRequest,
    MalformedBody,
    NotFound,
    Overloaded,
    RateLimited,
    RequestError,
    RequestTimeout,
    ServiceError,
    StorageFull,
    StorageUnavailable,
    UnsupportedMediaType,
)
from service.keys.store import unauthorized

REQUEST_ID = "6f1f2f0f6f5b4c5d8f3a2b1c0d9e8f7a"

_MODELS = {
    "translation": {
        "card": "opus-mt-nl-en",
        "revision": "aba87d1a0f9c4d0c8f3b8f4d5f4e3c2b1a0f9e8d",
        "engine": "ctranslate2/int8",
    },
    "summarization": {
        "card": "distilbart-cnn-12-6",
        "revision": "a4f8f3ea906ed274767e9906dbaede7531d660ff",
        "engine": "ctranslate2/int8",
    },
}
_BRIDGE = {
    "id": "s1",
    "start": 3,
    "end": 62,
    "source": "De Tweede Kamer stemde voor een brug van 12,5 miljoen euro.",
    "target": "The House of Representatives voted for a bridge of 12.5 million euros.",
    "score": -0.31,
    "warnings": [],
    "terms": [{"term": "Tweede Kamer", "start": 4, "end": 28}],
}
_WORK = {
    "id": "s2",
    "start": 70,
    "end": 95,
    "source": "Het werk begint op 3 mei.",
    "target": "The work starts on 4 May.",
    "score": -0.42,
    "warnings": [{"code": "number_mismatch", "severity": "hard", "evidence": "3 -> 4"}],
    "terms": [],
}

_TIMING = {
    "queue": 0,
    "tokenization": 1,
    "inference": 440,
    "translation": 148,
    "summarization": 310,
    "total": 459,
}

ARTICLE: dict[str, Any] = {
    "id": REQUEST_ID,
    "title": "New bridge",
    "page": {
        "html": f"<p>{_BRIDGE['source']}</p>\n<p>{_WORK['source']}</p>",
        "title": "Nieuwe brug",
        "author": "J. de Boer",
        "date": "2026-05-01",
    },
    "language": {"code": "nl", "confidence": 0.98},
    "translation": {
        "text": f"<p>{_BRIDGE['target']}</p>\n<p>{_WORK['target']}</p>",
        "blocks": [
            {"kind": "paragraph", "sentences": [_BRIDGE]},
            {"kind": "paragraph", "sentences": [_WORK]},
        ],
    },
    "summary": {
        "method": "abstractive",
        "headline": "New bridge",
        "bullets": [
            {
                "text": "A bridge of 12.5 million euros is to be built.",
                "sources": ["s1"],
                "support": 0.87,
                "written": True,
                "warnings": [],
            }
        ],
        "sources": None,
    },
    "warnings": [],
    "models": _MODELS,
    "usage": {
        "characters": 99,
        "sentences": 3,
        "source_tokens": 31,
        "target_tokens": 33,
        "extra_decodes": 2,
    },
    "timing_ms": _TIMING,
}
TRANSLATE: dict[str, Any] = {
    "id": REQUEST_ID,
    "translations": [
        {"text": "The connection is free for the first year.", "warnings": []},
        {"text": "Faults are repaired within 24 hours.", "warnings": []},
    ],
    "warnings": [],
    "models": _MODELS,
    "usage": {
        "characters": 82,
        "sentences": 2,
        "source_tokens": 12,
        "target_tokens": 12,
        "extra_decodes": 0,
    },
    "timing_ms": _TIMING,
}
SUMMARIZE: dict[str, Any] = {
    "id": REQUEST_ID,
    "language": {"code": "en", "confidence": 0.99},
    "summary": {
        "method": "extractive",
        "headline": "It voted for the bridge.",
        "bullets": [
            {
                "text": "It voted for the bridge.",
                "sources": ["s2"],
                "support": 1.0,
                "written": False,
                "warnings": [],
            }
        ],
    },
    "sources": [{"id": "s2", "start": 17, "end": 41, "source": "It voted for the bridge."}],
    "warnings": [],
    "models": _MODELS,
    "usage": {
        "characters": 41,
        "sentences": 2,
        "source_tokens": 0,
        "target_tokens": 0,
        "extra_decodes": 0,
    },
    "timing_ms": _TIMING,
}
JOB_ARTICLES: list[dict[str, Any]] = [
    {"id": "2026-05-01/brug", "text": "De aansluiting is het eerste jaar gratis."},
    {
        "id": "2026-05-01/weer",
        "html": "<p>Storingen worden binnen 24 uur verholpen.</p>",
        "summary": None,
    },
]
JOB: dict[str, Any] = {
    "id": "5f0c1d5e-6c5b-4c8e-9a57-0f6d3c1b2a49",
    "state": "running",
    "articles": 2,
    "done": 1,
    "failed": 0,
    "created_at": "2026-05-01T12:00:00Z",
    "started_at": "2026-05-01T12:00:00.250000Z",
    "ended_at": None,
    "expires_at": None,
    "location": "/v1/jobs/5f0c1d5e-6c5b-4c8e-9a57-0f6d3c1b2a49",
    "results": "/v1/jobs/5f0c1d5e-6c5b-4c8e-9a57-0f6d3c1b2a49/results",
}
JOB_ROW: dict[str, Any] = {
    "id": "2026-05-01/brug",
    "article": None,
    "error": {
        "type": "urn:kortom:problem:text_empty",
        "title": "Invalid request",
        "status": 422,
        "detail": "text: holds no visible text",
        "code": "text_empty",
        "errors": [{"loc": "text", "code": "text_empty", "detail": "holds no visible text"}],
    },
}
MODELS: dict[str, Any] = {
    "profile": "demo",
    "models": [
        {
            "name": "demo-nl-en",
            "task": "translation",
            "license": "apache-2.0",
            "revision": "2f0c5f3bd0a4a0bb0b1f2f4f0a1d4d8c4e0f6a7b",
            "served": True,
            "notice": "This model knows only the articles in seeds/.",
        }
    ],
}
LIMITS: dict[str, Any] = {
    "max_article_characters": 200_000,
    "max_title_characters": 1_000,
    "max_texts_per_request": 256,
    "max_body_bytes": 2_000_000,
    "max_queued_requests": 64,
    "max_markup_marks": 100_000,
    "max_glossary_terms": 1_000,
    "max_bullets": 10,
    "max_deadline_ms": 3_600_000,
    "max_job_articles": 10_000,
    "max_job_bytes": 64_000_000,
}


def _wrong(field: str, code: str, detail: str) -> InvalidRequest:
    return InvalidRequest(
        f"{field}: {detail}",
        code=code,
        errors=[{"loc": field, "code": code, "detail": detail}],
    )


PROBLEMS: Mapping[int, list[ServiceError]] = {
    400: [
        MalformedBody("the body is not valid JSON at character 17"),
        MalformedBody("the body is empty", code="empty_body"),
        MalformedBody("the body is nested too deeply", code="too_deep"),
        MalformedBody("an object of the body has a key twice", code="duplicate_key"),
        MalformedBody("an object of the body has too many keys", code="too_many_keys"),
        RequestError("the headers are over 16384 bytes", code="headers_too_large"),
        RequestError("Content-Length and Transfer-Encoding exclude each other"),
    ],
    401: [unauthorized()],
    404: [NotFound("there is no such job")],
    408: [RequestTimeout("the body took longer than 30 s to arrive")],
    413: [
        ContentTooLarge("the body is over 2000000 bytes"),
        ContentTooLarge("300 texts; at most 256 are taken", code="too_many_texts"),
        ContentTooLarge("60000 characters; this key has 50000 a minute", code="over_key_limit"),
        ContentTooLarge("line 10001: at most 10000 articles are taken", code="too_many_articles"),
    ],
    415: [
        UnsupportedMediaType("the body must be application/json"),
        UnsupportedMediaType("the body must be UTF-8", code="unsupported_charset"),
        UnsupportedMediaType("the body must not be compressed", code="unsupported_encoding"),
    ],
    422: [
        _wrong("summary.bullets", "validation_error", "Input should be less than or equal to 10"),
        _wrong("tekst", "unknown_field", "Extra inputs are not permitted"),
        _wrong("text", "text_empty", "holds no visible text"),
        _wrong("text", "invalid_unicode", "holds a lone surrogate"),
        _wrong("glossary", "glossary_invalid", "glossary term 1 has no letter or digit"),
        InvalidRequest(
            "the text looks like de: only Dutch (nl) is translated", code="language_not_served"
        ),
        InvalidRequest(
            "method abstractive is not served: this profile has no model for it",
            code="method_not_served",
        ),
        InvalidRequest("the array holds no article", code="too_few_articles"),
        InvalidRequest("line 3: an article must be a JSON object", code="id_invalid"),
        InvalidRequest("line 4: id: an earlier article has the same", code="duplicate_id"),
        InvalidRequest(
            "this Idempotency-Key came before, with another body", code="idempotency_key_reused"
        ),
    ],
    429: [
        RateLimited("this key has 50000 characters a minute, and too few are left"),
        RateLimited(
            "this key has 1000000 characters a day, and too few are left", code="quota_exceeded"
        ),
    ],
    500: [
        InferenceError("the translation engine failed on this request"),
        ServiceError("an internal error; the log has more under this request id"),
    ],
    503: [
        Overloaded("every place is taken"),
        Overloaded("the server is stopping", code="draining"),
        Overloaded("the articles that wait are more than the server takes", code="backlog_full"),
        Overloaded("the server is stopping", code="unavailable"),
        StorageUnavailable("the database is locked"),
    ],
    504: [
        DeadlineExceeded("deadline_ms passed before the work was done"),
        DeadlineExceeded(
            "deadline_ms is shorter than any request of this size took of late",
            code="deadline_unreachable",
        ),
    ],
    507: [StorageFull("the disk of the database is full")],
}
"""Those that the routes can answer with, by status."""

RETRY_AFTER = {
    "description": "Seconds after which to try again.",
    "schema": {"type": "integer", "minimum": 1},
}


def problems(status: int) -> dict[str, Any]:
    """What OpenAPI says of a status: when it comes, with an example of each code."""
    errors = PROBLEMS[status]
    examples = {error.code: {"value": _document(error)} for error in errors}
    return {
        "description": errors[0].title,
        "content": {"application/json": {"examples": examples}},
        **({"headers": {"Retry-After": RETRY_AFTER}} if status in (429, 503) else {}),
    }


def _document(error: ServiceError) -> Any:
    return json.loads(bytes(ProblemResponse(error, REQUEST_ID).body))
