"""The fields of a request, wherever it says them: query, form, multipart body or JSON object."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import Field, File, FormParser
from starlette.requests import Request

from service.api.body import MAX_KEYS, media_type, parse_json, read_body
from service.errors import MalformedBody, UnsupportedMediaType

FORM = "application/x-www-form-urlencoded"
MULTIPART = "multipart/form-data"


@dataclass(frozen=True, slots=True)
class Upload:
    """A file of a multipart body: its name as the sender gave it, and what it holds."""

    name: str
    data: bytes


@dataclass(frozen=True, slots=True)
class Fields:
    """What a request says, wherever it says it.

    Attributes:
        values: by field name. Of a JSON object the values as they are (also ``None``); else a
            string, or a list of strings where the field comes more than once, those of the query
            first. Strings of a JSON object may hold lone surrogates; others can't.
        files: the uploads of a multipart body by field name; the last of a name.
        from_json: whether the values are those of a JSON object.
    """

    values: Mapping[str, Any]
    files: Mapping[str, Upload]
    from_json: bool

    def first(self, name: str) -> Any:
        """The value of a field that can only have one; ``None`` if it is not given.

        Of a field that comes more than once in a query and a form it is the first.
        """
        value = self.values.get(name)
        return value[0] if isinstance(value, list) and not self.from_json else value


async def read_fields(request: Request) -> Fields:
    """Read the fields of any request, its body included, whatever its method.

    They are read once: whoever asks again, with any object of the same request, gets the same. A
    JSON body is taken alone; the query counts beside every other body and beside none.

    Raises:
        UnsupportedMediaType: the body is neither JSON nor a form, not UTF-8, or compressed.
        ContentTooLarge: over ``Settings.max_body_bytes``.
        RequestTimeout: slower than ``Settings.body_seconds``.
        MalformedBody: not what its type says, not UTF-8, no object, or over 1,000 fields.
    """
    known: Fields | None = getattr(request.state, "fields", None)
    if known is None:
        known = request.state.fields = await _read_fields(request)
    return known


async def _read_fields(request: Request) -> Fields:
    body = await read_body(request)
    pairs = _parse_form(request.scope["query_string"])
    files: dict[str, Upload] = {}
    if body:
        header = media_type(request)
        content_type = header.get_content_type()
        if content_type == "application/json" or content_type.endswith("+json"):
            document = parse_json(body)
            if not isinstance(document, dict):
                raise MalformedBody("the body is no JSON object")
            return Fields(document, {}, from_json=True)
        if content_type == FORM:
            pairs += _parse_form(body)
        elif content_type == MULTIPART:
            parts, files = _parse_multipart(body, header.get_boundary())
            pairs += parts
        else:
            raise UnsupportedMediaType(f"the body must be application/json, {FORM} or {MULTIPART}")
    values: dict[str, list[str]] = {}
    for name, value in pairs:
        values.setdefault(name, []).append(value)
    return Fields(
        {name: given if len(given) > 1 else given[0] for name, given in values.items()},
        files,
        from_json=False,
    )


def _parse_form(data: bytes) -> list[tuple[str, str]]:
    """The fields of a query or of a form, in order."""
    try:
        return parse_qsl(
            data.decode("utf-8"), keep_blank_values=True, errors="strict", max_num_fields=MAX_KEYS
        )
    except UnicodeDecodeError:
        raise MalformedBody("the fields are not UTF-8", code="malformed_form") from None
    except ValueError:
        raise MalformedBody("there are too many fields", code="malformed_form") from None


def _parse_multipart(
    body: bytes, boundary: str | None
) -> tuple[list[tuple[str, str]], dict[str, Upload]]:
    """The fields, in order, and the files of a multipart body."""
    fields: list[tuple[str, str]] = []
    files: dict[str, Upload] = {}
    whole = False

    def check_count() -> None:
        if len(fields) + len(files) >= MAX_KEYS:
            raise MalformedBody("there are too many fields", code="malformed_form")

    def add_field(field: Field) -> None:
        check_count()
        fields.append(((field.field_name or b"").decode(), (field.value or b"").decode()))

    def add_file(file: File) -> None:
        check_count()
        file.file_object.seek(0)
        name = (file.file_name or b"").decode(errors="replace")
        files[(file.field_name or b"").decode()] = Upload(name, file.file_object.read())
        file.close()

    def end() -> None:
        nonlocal whole
        whole = True

    try:
        parser = FormParser(
            MULTIPART,
            add_field,
            add_file,
            end,
            boundary=boundary,
            # The whole body is in memory already: no part of it is written to a disk.
            config={"MAX_MEMORY_FILE_SIZE": len(body)},
        )
        parser.write(body)
        parser.finalize()
    except UnicodeDecodeError:
        raise MalformedBody("the fields are not UTF-8", code="malformed_form") from None
    except FormParserError:
        raise MalformedBody(
            "the body is not the multipart form that it should be", code="malformed_form"
        ) from None
    if not whole:
        raise MalformedBody("the body ends before its last boundary", code="malformed_form")
    return fields, files
