"""The same fields, however a program sends them."""

import asyncio
import json
from contextlib import suppress
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlencode

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.requests import Request

from service.api.fields import Fields, Upload, read_fields
from service.errors import ContentTooLarge, MalformedBody, ServiceError, UnsupportedMediaType
from service.settings import Settings

MAX_BYTES = 100_000
APP = SimpleNamespace(state=SimpleNamespace(settings=Settings(max_body_bytes=MAX_BYTES)))
"""All that is asked of an application."""
FORM = "application/x-www-form-urlencoded"
NAMES = st.sampled_from(["q", "text", "target_lang", "naam"])
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)


def read(
    body: bytes = b"",
    content_type: str | None = None,
    *,
    query: str | bytes = b"",
    method: str = "POST",
    **headers: str,
) -> Fields:
    """What is read from a request that arrives in pieces."""
    given = {"content-type": content_type} if content_type is not None else {}
    given |= {name.replace("_", "-"): value for name, value in headers.items()}
    pieces = iter([body[start : start + 777] for start in range(0, len(body), 777)])

    async def receive() -> dict[str, Any]:
        piece = next(pieces, None)
        return {"type": "http.request", "body": piece or b"", "more_body": piece is not None}

    scope = {
        "type": "http",
        "method": method,
        "app": APP,
        "query_string": query if isinstance(query, bytes) else query.encode(),
        "headers": [(name.encode(), value.encode()) for name, value in given.items()],
    }
    return asyncio.run(read_fields(Request(scope, receive)))


def read_sent(request: httpx.Request) -> Fields:
    return read(request.read(), request.headers["content-type"], query=request.url.query)


def together(pairs: list[tuple[str, str]]) -> dict[str, str | list[str]]:
    values: dict[str, list[str]] = {}
    for name, value in pairs:
        values.setdefault(name, []).append(value)
    return {name: many if len(many) > 1 else many[0] for name, many in values.items()}


@given(st.lists(st.tuples(NAMES, TEXTS), min_size=1, max_size=8))
def test_query_form_and_multipart_say_the_same(pairs: list[tuple[str, str]]) -> None:
    encoded = urlencode(pairs)
    parts: Any = [(name, (None, value)) for name, value in pairs]
    expected = Fields(together(pairs), {}, from_json=False)
    assert read(query=encoded) == expected
    assert read(encoded.encode(), FORM) == expected
    assert read_sent(httpx.Request("POST", "http://kortom/", files=parts)) == expected


@given(st.dictionaries(NAMES, TEXTS | st.lists(TEXTS) | st.integers() | st.booleans() | st.none()))
def test_a_json_object_is_taken_as_it_is(document: dict[str, Any]) -> None:
    body = json.dumps(document).encode()
    expected = Fields(document, {}, from_json=True)
    for content_type in ("application/json", "Application/JSON; charset=UTF-8", "text/x+json"):
        assert read(body, content_type, query="q=something+else") == expected


def test_raw_utf_8_needs_no_escapes() -> None:
    assert read("q=één café".encode(), FORM).values == {"q": "één café"}
    assert read(query="q=één".encode()).values == {"q": "één"}


def test_what_the_query_says_comes_before_what_the_form_says() -> None:
    fields = read(b"q=2&q=3&target=en", FORM, query="q=1&key=")
    assert fields.values == {"q": ["1", "2", "3"], "target": "en", "key": ""}
    assert [fields.first(name) for name in ("q", "target", "key", "none")] == ["1", "en", "", None]


def test_a_list_of_a_json_object_is_one_value() -> None:
    assert read(b'{"source": ["nl", "en"]}', "application/json").first("source") == ["nl", "en"]


def test_a_get_may_have_a_body() -> None:
    assert read(b"type=target", FORM, method="GET").values == {"type": "target"}


@pytest.mark.parametrize("content_type", [None, "application/json", FORM, "image/png", ";;;"])
def test_where_there_is_no_body_its_type_means_nothing(content_type: str | None) -> None:
    assert read(b"", content_type, query="q=Dag").values == {"q": "Dag"}


@given(st.binary(max_size=2_000), TEXTS)
def test_a_file_arrives_byte_for_byte(data: bytes, field: str) -> None:
    sent = httpx.Request(
        "POST", "http://kortom/", data={"source": field}, files={"file": ("artikel é.txt", data)}
    )
    fields = read_sent(sent)
    assert fields.values == {"source": field}
    assert fields.files == {"file": Upload("artikel é.txt", data)}


PART = b'--x\r\nContent-Disposition: form-data; name="q"\r\n\r\n%s\r\n'
MULTIPART = "multipart/form-data; boundary=x"


@pytest.mark.parametrize(
    ("body", "content_type", "error"),
    [
        (b"q=\xff\xfe", FORM, MalformedBody),
        (b"q=%ff%fe", FORM, MalformedBody),
        (b"q=%ed%a0%80", FORM, MalformedBody),
        (b"q&" * 1_001, FORM, MalformedBody),
        (b"q=" + b"a" * MAX_BYTES, FORM, ContentTooLarge),
        (b"q=Dag", f"{FORM}; charset=iso-8859-1", UnsupportedMediaType),
        (b"q=Dag", None, UnsupportedMediaType),
        (b"q=Dag", "", UnsupportedMediaType),
        (b"q=Dag", "text/plain", UnsupportedMediaType),
        (b"q=Dag", ";;;", UnsupportedMediaType),
        (b"q=Dag", "multipart/form-data", MalformedBody),
        (b"q=Dag", MULTIPART, MalformedBody),
        (PART % b"Dag", MULTIPART, MalformedBody),
        (PART % b"\xff" + b"--x--\r\n", MULTIPART, MalformedBody),
        (b"--x\r\n\r\nDag\r\n--x--\r\n", MULTIPART, MalformedBody),
        (b'--x\r\nContent-Disposition: form-data; name="q\r\n', MULTIPART, MalformedBody),
        (b"", None, None),
        (b"[]", "application/json", MalformedBody),
        (b"null", "application/json", MalformedBody),
        (b'{"q":', "application/json", MalformedBody),
        (b"[" * 9_000, "application/json", MalformedBody),
        (b'{"q": "\xff"}', "application/json", MalformedBody),
    ],
)
def test_what_can_not_be_read_is_refused(
    body: bytes, content_type: str | None, error: type[ServiceError] | None
) -> None:
    if error is None:
        assert read(body, content_type) == Fields({}, {}, from_json=False)
        return
    with pytest.raises(error) as caught:
        read(body, content_type)
    assert "Dag" not in caught.value.detail


def test_there_are_at_most_a_thousand_parts() -> None:
    part = b"--x\r\nContent-Disposition: form-data; name=q\r\n\r\n\r\n"
    assert len(read(part * 1_000 + b"--x--", MULTIPART).values["q"]) == 1_000
    with pytest.raises(MalformedBody, match="too many"):
        read(part * 1_001 + b"--x--", MULTIPART)


def test_a_compressed_body_is_refused() -> None:
    with pytest.raises(UnsupportedMediaType) as caught:
        read(b"q=Dag", FORM, content_encoding="gzip")
    assert caught.value.code == "unsupported_encoding"


@given(st.binary(max_size=400))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    for content_type in (FORM, MULTIPART, "application/json"):
        for body in (data, PART % data + b"--x--", b"--x\r\n" + data):
            with suppress(MalformedBody):
                assert isinstance(read(body, content_type), Fields)
