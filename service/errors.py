"""Every error that Kortom answers with, and nothing else.

    ServiceError                     500  internal_error
    ├── RequestError                 400  bad_request
    │   ├── Unauthorized             401  unauthorized
    │   ├── RateLimited              429  rate_limited, quota_exceeded
    │   ├── MalformedBody            400  malformed_json, malformed_form, empty_body, …
    │   ├── ContentTooLarge          413  content_too_large
    │   ├── UnsupportedMediaType     415  unsupported_media_type, …_charset, …_encoding
    │   └── InvalidRequest           422  validation_error, text_empty, invalid_unicode, …
    ├── NotFound                     404  not_found
    ├── MethodNotAllowed             405  method_not_allowed
    ├── RequestTimeout               408  request_timeout
    ├── ClientGone                   499  client_gone
    ├── InferenceError               500  inference_failed
    ├── Overloaded                   503  overloaded, draining, unavailable
    ├── StorageUnavailable           503  storage_unavailable
    ├── StorageFull                  507  storage_full
    ├── DeadlineExceeded             504  deadline_exceeded, deadline_unreachable
    └── StartupError                  —   the process ends with one line
        ├── InvalidSettings
        ├── DatabaseError
        └── ModelError
            ├── ModelNotInstalled
            ├── ModelCorrupt
            └── PullError

``status``, ``code`` and ``title`` stand on the class; ``api.problems`` turns any of them into
``application/problem+json`` (RFC 9457) and the CLI prints ``detail`` as one line. A ``detail``
never holds text of an article, a key or a stack trace.
"""

from collections.abc import Mapping, Sequence
from typing import ClassVar


class ServiceError(Exception):
    """Base of all errors that a caller may see.

    Args:
        detail: one sentence for people: what is wrong and, where possible, what to do.
        code: a more specific stable code than the class's own.
        headers: extra HTTP headers of the answer (``Allow``, ``Retry-After``).
        errors: per-field errors, each with ``loc``, ``code`` and ``detail``.
    """

    status: ClassVar[int] = 500
    default_code: ClassVar[str] = "internal_error"
    title: ClassVar[str] = "Internal error"

    def __init__(
        self,
        detail: str,
        *,
        code: str | None = None,
        headers: Mapping[str, str] | None = None,
        errors: Sequence[Mapping[str, str]] = (),
    ) -> None:
        super().__init__(detail)
        self.detail = detail
        self.code = code or self.default_code
        self.headers = dict(headers or {})
        self.errors = list(errors)


class RequestError(ServiceError):
    """The request can't be served as it was sent."""

    status = 400
    default_code = "bad_request"
    title = "Bad request"


class MalformedBody(RequestError):
    """The body is not the one JSON document that it should be."""

    default_code = "malformed_json"
    title = "Malformed body"


class ContentTooLarge(RequestError):
    """The body, an article or a list is over its limit (see ``GET /v1/limits``)."""

    status = 413
    default_code = "content_too_large"
    title = "Content too large"


class UnsupportedMediaType(RequestError):
    """The body's type, charset or encoding is not UTF-8 JSON."""

    status = 415
    default_code = "unsupported_media_type"
    title = "Unsupported media type"


class InvalidRequest(RequestError):
    """The body is JSON but a field of it does not hold what it should."""

    status = 422
    default_code = "validation_error"
    title = "Invalid request"


class Unauthorized(RequestError):
    """The request names no key, or one that does not exist, has expired or was revoked."""

    status = 401
    default_code = "unauthorized"
    title = "Unauthorized"


class RateLimited(RequestError):
    """The key has used up its characters of this minute or day; ``Retry-After`` says until when."""

    status = 429
    default_code = "rate_limited"
    title = "Rate limited"


class NotFound(ServiceError):
    """No such path or thing."""

    status = 404
    default_code = "not_found"
    title = "Not found"


class MethodNotAllowed(ServiceError):
    """The path exists, the method does not; ``Allow`` lists those that do."""

    status = 405
    default_code = "method_not_allowed"
    title = "Method not allowed"


class RequestTimeout(ServiceError):
    """The request's body did not arrive in time."""

    status = 408
    default_code = "request_timeout"
    title = "Request timeout"


class ClientGone(ServiceError):
    """The caller closed the connection, so nobody reads this answer (nginx's status 499)."""

    status = 499
    default_code = "client_gone"
    title = "Client gone"


class InferenceError(ServiceError):
    """A model engine failed on this request; other requests are not affected."""

    status = 500
    default_code = "inference_failed"
    title = "Inference failed"


class Overloaded(ServiceError):
    """Every place is taken; ``Retry-After`` says when to come back."""

    status = 503
    default_code = "overloaded"
    title = "Overloaded"


class StorageUnavailable(ServiceError):
    """The database does not answer, is locked or damaged; what needs none is still done."""

    status = 503
    default_code = "storage_unavailable"
    title = "Storage unavailable"


class StorageFull(ServiceError):
    """The disk of the database is full: nothing can be kept."""

    status = 507
    default_code = "storage_full"
    title = "Storage full"


class DeadlineExceeded(ServiceError):
    """The caller's ``deadline_ms`` passed before the work was done."""

    status = 504
    default_code = "deadline_exceeded"
    title = "Deadline exceeded"


class StartupError(ServiceError):
    """The program can't start or a command can't do its work: one line and exit code 1."""

    default_code = "startup_failed"
    title = "Can't start"


class InvalidSettings(StartupError):
    """A setting has a value that it can't have."""

    default_code = "invalid_settings"


class DatabaseError(StartupError):
    """The database can't be opened, is damaged, or is of another version."""

    default_code = "database_error"


class ModelError(StartupError):
    """A model is missing, damaged or can't be fetched."""

    default_code = "model_error"


class ModelNotInstalled(ModelError):
    """No verified directory of that model in the models directory."""

    default_code = "model_not_installed"


class ModelCorrupt(ModelError):
    """A file of an installed model is missing or differs from its manifest."""

    default_code = "model_corrupt"


class PullError(ModelError):
    """A model could not be fetched or converted; nothing half-made is left behind."""

    default_code = "pull_failed"


def one_line(error: BaseException, max_characters: int = 300) -> str:
    """The message of a foreign error on one line, for a :class:`StartupError`'s detail.

    Args:
        error: what a library raised.
        max_characters: longest result.
    """
    return " ".join(str(error).split())[:max_characters]
