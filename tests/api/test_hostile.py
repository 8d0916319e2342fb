"""Hostile requests as raw bytes, in numbered rows: bodies, headers, paths, odd texts, slow senders.

Every text carries a marker that may be in no error and in no log line, and after every row the
server must answer a good request on a new connection.
"""

import gzip
import json
import logging
import re
import socket
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

from service.settings import Settings

if TYPE_CHECKING:
    from loopback import Client, Reply

MARKER = "GEHEIM"
PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256))
MAX_PROBLEM_BYTES = 1_024

ARTICLES, TRANSLATE, SUMMARIZE = "/v1/articles", "/v1/translate", "/v1/summarize"
POSTS = (ARTICLES, TRANSLATE, SUMMARIZE)
GETS = (
    "/v1/models",
    "/v1/limits",
    "/version",
    "/livez",
    "/readyz",
    "/healthz",
    "/openapi.json",
    "/docs",
)
ENVELOPES = {ARTICLES: b'{"text": %s}', TRANSLATE: b'{"texts": [%s]}', SUMMARIZE: b'{"text": %s}'}
GOOD = f'"De {MARKER} bleef bewaard."'.encode()


def good_body(route: str) -> bytes:
    return ENVELOPES[route] % GOOD


@pytest.fixture(autouse=True)
def still_works_and_told_nothing(
    server: "Client", caplog: pytest.LogCaptureFixture
) -> Iterator[None]:
    caplog.set_level(logging.DEBUG)
    yield
    assert server.send(server.request("POST", TRANSLATE, good_body(TRANSLATE))).status == 200
    for record in caplog.get_records("call") + caplog.get_records("teardown"):
        if record.name == "uvicorn.access":
            continue  # off, but pytest listens to loggers that nobody else listens to
        assert MARKER not in logging.Formatter().format(record)


def assert_problem(reply: "Reply", status: int, *codes: str) -> dict[str, Any]:
    """The one shape of errors, with one of these codes."""
    assert reply.status == status, reply
    assert reply.headers["content-type"] == "application/problem+json"
    problem: dict[str, Any] = reply.json()
    assert list(problem)[:6] == ["type", "title", "status", "detail", "code", "instance"]
    assert set(problem) <= {"type", "title", "status", "detail", "code", "instance", "errors"}
    assert problem["code"] in codes
    assert problem["type"] == f"urn:kortom:problem:{problem['code']}"
    assert problem["status"] == status
    assert problem["title"]
    assert problem["detail"]
    assert problem["instance"] == reply.headers["x-request-id"]
    assert MARKER.encode() not in reply.body
    assert b"Traceback" not in reply.body
    assert len(reply.body) <= MAX_PROBLEM_BYTES
    return problem


def nested(opening: str, closing: str, depth: int) -> bytes:
    return (opening * depth + closing * depth).encode()


# Rows 4 to 8, 11, 19 to 21, 24: one value in the place of a text.
VALUES: dict[str, tuple[bytes, int, str]] = {
    "4 null": (b"null", 422, "validation_error"),
    "4 number": (b"5", 422, "validation_error"),
    "4 list": (b'["GEHEIM"]', 422, "validation_error"),
    "5 empty": (b'""', 422, "text_empty"),
    "6 white space": (rb'" \t\r\n\u00a0\u2003\u3000"', 422, "text_empty"),
    "7 zero-width": (rb'"\u200b\u200c\u200d\u2060\ufeff\u00ad"', 422, "text_empty"),
    "7 bidi controls": (rb'"\u202e\u202c\u2066\u2069\u200f"', 422, "text_empty"),
    "7 NUL alone": (rb'"\u0000"', 422, "text_empty"),
    "8 high surrogate": (rb'"GEHEIM \ud800"', 422, "invalid_unicode"),
    "8 low surrogate": (rb'"GEHEIM \udc00 einde"', 422, "invalid_unicode"),
    "8 swapped pair": (rb'"GEHEIM \ude00\ud83d"', 422, "invalid_unicode"),
    "11 surrogate in a list": (rb'["GEHEIM \ud800"]', 422, "validation_error"),
    "11 surrogate in an object": (rb'{"GEHEIM": "\ud800"}', 422, "validation_error"),
    "11 surrogate as a key": (rb'{"\ud800": "GEHEIM"}', 422, "validation_error"),
    "13 raw NUL": (b'"GEHEIM \0"', 400, "malformed_json"),
    "13 raw newline": (b'"GEHEIM \n"', 400, "malformed_json"),
    "14 invalid UTF-8": (b'"GEHEIM \xff\xfe"', 400, "malformed_json"),
    "14 overlong UTF-8": (b'"GEHEIM \xc0\xaf"', 400, "malformed_json"),
    "14 surrogate in UTF-8": (b'"GEHEIM \xed\xa0\x80"', 400, "malformed_json"),
    "19 NaN": (b"NaN", 400, "malformed_json"),
    "19 Infinity": (b"Infinity", 400, "malformed_json"),
    "19 -Infinity": (b"-Infinity", 400, "malformed_json"),
    "20 1e400": (b"1e400", 422, "validation_error"),
    "21 5000 digits": (b"9" * 5000, 400, "malformed_json"),
    "21 400 digits": (b"9" * 400, 422, "validation_error"),
    "24 nested as text": (nested("[", "]", 500), 422, "validation_error"),
}


@pytest.mark.parametrize("route", POSTS)
@pytest.mark.parametrize("name", VALUES)
def test_a_text_that_is_none(server: "Client", route: str, name: str) -> None:
    value, status, code = VALUES[name]
    reply = server.send(server.request("POST", route, ENVELOPES[route] % value))
    problem = assert_problem(reply, status, code)
    if status == 422:
        place = "texts.0" if route == TRANSLATE else "text"
        assert problem["errors"][0]["loc"] == place
        assert problem["detail"].startswith(f"{place}: ")


# The whole body; %s is where a good envelope goes.
BODIES: dict[str, tuple[bytes, int, str]] = {
    "1 empty": (b"", 400, "empty_body"),
    "1 white space": (b" \r\n\t ", 400, "empty_body"),
    "2 no fields": (b"{}", 422, "validation_error"),
    "3 null": (b"null", 422, "validation_error"),
    "3 list": (b"[]", 422, "validation_error"),
    "3 string": (b'"GEHEIM"', 422, "validation_error"),
    "3 number": (b"5", 422, "validation_error"),
    "10 surrogate as unknown key": (
        rb'{"\ud800": 1}',
        422,
        "validation_error invalid_unicode",
    ),
    "15 UTF-16 with BOM": ('{"text": "GEHEIM"}'.encode("utf-16"), 400, "malformed_json"),
    "15 UTF-16 without BOM": ('{"text": "GEHEIM"}'.encode("utf-16-le"), 400, "malformed_json"),
    "15 UTF-32": ('{"text": "GEHEIM"}'.encode("utf-32"), 400, "malformed_json"),
    "15 BOM alone": (b"\xef\xbb\xbf", 400, "malformed_json"),
    "17 truncated": (b'{"text": "GEHEIM', 400, "malformed_json"),
    "17 trailing garbage": (b'{"text": "GEHEIM"} GEHEIM', 400, "malformed_json"),
    "17 two documents": (b"{}{}", 400, "malformed_json"),
    "18 duplicate key": (b'{"text": "GEHEIM", "text": "b"}', 400, "duplicate_key"),
    "18 duplicate escaped": (rb'{"text": "GEHEIM", "\u0074ext": "b"}', 400, "duplicate_key"),
    "18 duplicate inside": (b'{"summary": {"bullets": 1, "bullets": 2}}', 400, "duplicate_key"),
    "23 nested arrays": (nested("[", "]", 100_000), 400, "too_deep"),
    "23 nested objects": (nested('{"a":', "}", 5_000).replace(b":}", b":1}"), 400, "too_deep"),
    "23 open arrays": (b"[" * 100_000, 400, "too_deep"),
    "24 nested near the limit": (
        b'{"text": %s}' % nested("[", "]", 900),
        422,
        "validation_error too_deep",
    ),
    "25 many unknown fields": (
        json.dumps({f"f{number}": 0 for number in range(1_001)}).encode(),
        400,
        "too_many_keys",
    ),
    "32 PNG as JSON": (PNG, 400, "malformed_json"),
    "33 gzip as JSON": (gzip.compress(b'{"text": "GEHEIM"}'), 400, "malformed_json"),
}


@pytest.mark.parametrize("route", POSTS)
@pytest.mark.parametrize("name", BODIES)
def test_a_body_that_is_none(server: "Client", route: str, name: str) -> None:
    body, status, codes = BODIES[name]
    reply = server.send(server.request("POST", route, body))
    if name == "24 nested near the limit" and reply.status == 400:
        status = 400  # how deep the interpreter goes depends on the frames below
    assert_problem(reply, status, *codes.split())


@pytest.mark.parametrize("route", POSTS)
def test_an_unknown_field_is_named_but_cut(server: "Client", route: str) -> None:
    """Row 25."""
    known = good_body(route)[:-1]
    problem = assert_problem(
        server.send(server.request("POST", route, known + b', "tekst": "GEHEIM"}')),
        422,
        "unknown_field",
    )
    assert problem["errors"] == [
        {"loc": "tekst", "code": "unknown_field", "detail": problem["errors"][0]["detail"]}
    ]
    long = server.send(server.request("POST", route, known + b', "%s": 1}' % (b"x" * 10_000)))
    assert_problem(long, 422, "unknown_field")
    # Row 10, next to a text that is good.
    surrogate = server.send(server.request("POST", route, known + rb', "\ud800": 1}'))
    assert_problem(surrogate, 422, "unknown_field", "validation_error", "invalid_unicode")


# Rows 9, 11, 19 to 22 and 54: fields other than the text; %s is the envelope of the text.
FIELDS: dict[str, tuple[str, bytes, int, str]] = {
    "9 title surrogate": (ARTICLES, rb'"title": "GEHEIM \ud800"', 422, "invalid_unicode"),
    "9 language surrogate": (
        ARTICLES,
        rb'"source_language": "\ud800"',
        422,
        "validation_error invalid_unicode",
    ),
    "9 method surrogate": (
        ARTICLES,
        rb'"summary": {"method": "\ud800"}',
        422,
        "validation_error invalid_unicode",
    ),
    "9 summarize method surrogate": (
        SUMMARIZE,
        rb'"method": "\ud800"',
        422,
        "validation_error invalid_unicode",
    ),
    "10 surrogate key inside": (
        ARTICLES,
        rb'"summary": {"\ud800": 1}',
        422,
        "unknown_field validation_error invalid_unicode",
    ),
    "11 surrogate for an int": (SUMMARIZE, rb'"bullets": "\ud800"', 422, "validation_error"),
    "11 surrogate for a bool": (ARTICLES, rb'"alignment": "\ud800"', 422, "validation_error"),
    "empty title": (ARTICLES, b'"title": ""', 422, "text_empty"),
    "zero-width title": (ARTICLES, rb'"title": "\u200b"', 422, "text_empty"),
    "title of 1001": (ARTICLES, b'"title": "%s"' % (b"x" * 1001), 422, "validation_error"),
    "language en": (ARTICLES, b'"source_language": "en"', 422, "validation_error"),
    "language number": (ARTICLES, b'"source_language": 5', 422, "validation_error"),
    "alignment 1": (ARTICLES, b'"alignment": 1', 422, "validation_error"),
    "alignment text": (ARTICLES, b'"alignment": "true"', 422, "validation_error"),
    "summary list": (ARTICLES, b'"summary": []', 422, "validation_error"),
    "summary unknown field": (ARTICLES, b'"summary": {"bullet": 1}', 422, "unknown_field"),
    "method unknown": (ARTICLES, b'"summary": {"method": "GEHEIM"}', 422, "validation_error"),
    "25 on translate": (TRANSLATE, b'"text": "GEHEIM"', 422, "unknown_field"),
}
NUMBERS = {
    "19 NaN": (b"NaN", 400, "malformed_json"),
    "19 Infinity": (b"Infinity", 400, "malformed_json"),
    "20 1e400": (b"1e400", 422, "validation_error"),
    "20 -1e400": (b"-1e400", 422, "validation_error"),
    "21 5000 digits": (b"9" * 5000, 400, "malformed_json"),
    "21 400 digits": (b"9" * 400, 422, "validation_error"),
    "22 true": (b"true", 422, "validation_error"),
    "22 fraction": (b"3.5", 422, "validation_error"),
    "22 exponent": (b"1e9", 422, "validation_error"),
    "22 negative": (b"-1", 422, "validation_error"),
    "22 zero": (b"0", 422, "validation_error"),
    "22 billion": (b"1000000000", 422, "validation_error"),
    "22 text": (b'"3"', 422, "validation_error"),
    "22 list": (b"[3]", 422, "validation_error"),
}
for _name, (_number, _status, _code) in NUMBERS.items():
    FIELDS[f"bullets {_name}"] = (ARTICLES, b'"summary": {"bullets": %s}' % _number, _status, _code)
    FIELDS[f"summarize bullets {_name}"] = (SUMMARIZE, b'"bullets": %s' % _number, _status, _code)
    for _route in POSTS:
        FIELDS[f"54 deadline {_route} {_name}"] = (
            _route,
            b'"deadline_ms": %s' % _number,
            _status,
            _code,
        )


@pytest.mark.parametrize("name", FIELDS)
def test_a_field_that_is_wrong(server: "Client", name: str) -> None:
    route, field, status, codes = FIELDS[name]
    body = good_body(route)[:-1] + b", " + field + b"}"
    assert_problem(server.send(server.request("POST", route, body)), status, *codes.split())


# Rows 16 and 29 to 34: headers about the body. None leaves a header out.
LABELS: dict[str, tuple[dict[str, str | None], bytes | None, str]] = {
    "16 latin-1": (
        {"Content-Type": "application/json; charset=iso-8859-1"},
        b'{"text": "GEHEIM \xe9"}',
        "unsupported_charset",
    ),
    "16 unknown charset": (
        {"Content-Type": "application/json; charset=klingon"},
        None,
        "unsupported_charset",
    ),
    "29 none": ({"Content-Type": None}, None, "unsupported_media_type"),
    "29 empty": ({"Content-Type": ""}, None, "unsupported_media_type"),
    "30 text": ({"Content-Type": "text/plain"}, None, "unsupported_media_type"),
    "30 xml": (
        {"Content-Type": "application/xml"},
        b"<text>GEHEIM</text>",
        "unsupported_media_type",
    ),
    "30 form": (
        {"Content-Type": "application/x-www-form-urlencoded"},
        b"text=GEHEIM",
        "unsupported_media_type",
    ),
    "30 multipart": ({"Content-Type": "multipart/form-data"}, None, "unsupported_media_type"),
    "30 semicolons": ({"Content-Type": ";;;"}, None, "unsupported_media_type"),
    "30 two types": (
        {"Content-Type": "application/json, text/plain"},
        None,
        "unsupported_media_type",
    ),
    "31 vendor": ({"Content-Type": "application/vnd.api+json"}, None, "unsupported_media_type"),
    "32 PNG": ({"Content-Type": "application/octet-stream"}, PNG, "unsupported_media_type"),
    "33 gzip": ({"Content-Encoding": "gzip"}, gzip.compress(b"GEHEIM"), "unsupported_encoding"),
    "34 not gzip": ({"Content-Encoding": "gzip"}, None, "unsupported_encoding"),
    "34 br": ({"Content-Encoding": "br"}, None, "unsupported_encoding"),
    "34 bomb": (
        {"Content-Encoding": "gzip, gzip"},
        gzip.compress(gzip.compress(bytes(10_000_000))),
        "unsupported_encoding",
    ),
}


@pytest.mark.parametrize("route", POSTS)
@pytest.mark.parametrize("name", LABELS)
def test_a_body_of_another_kind(server: "Client", route: str, name: str) -> None:
    labels, body, code = LABELS[name]
    body = good_body(route) if body is None else body
    headers: Any = {"Content-Length": str(len(body))} | labels
    reply = server.send(server.request("POST", route, body, headers))
    assert_problem(reply, 415, code)
    if code == "unsupported_encoding":
        assert reply.headers["accept-encoding"] == "identity"
    else:
        assert reply.headers["accept"] == "application/json"


@pytest.mark.parametrize("route", POSTS)
@pytest.mark.parametrize(
    "content_type",
    ["application/json", "Application/JSON;charset=UTF-8", 'application/json; charset="utf-8"'],
)
def test_spellings_of_the_right_kind(server: "Client", route: str, content_type: str) -> None:
    headers = {"Content-Type": content_type, "Content-Encoding": "identity"}
    assert server.send(server.request("POST", route, good_body(route), headers)).status == 200


@pytest.mark.parametrize("route", POSTS)
def test_a_byte_order_mark_is_skipped(server: "Client", route: str) -> None:
    """Row 15."""
    body = b"\xef\xbb\xbf" + good_body(route)
    assert server.send(server.request("POST", route, body)).status == 200


@pytest.mark.parametrize(
    ("method", "path"),
    [
        (method, path)
        for path in (*POSTS, *GETS)
        for method in ("GET", "POST", "PUT", "HEAD", "DELETE", "PATCH", "BREW")
        if method != ("POST" if path in POSTS else "GET")
        and not (method == "HEAD" and path in GETS)
    ],
)
def test_the_wrong_method(server: "Client", method: str, path: str) -> None:
    """Row 35."""
    takes = "POST" if path in POSTS else "GET"
    reply = server.send(server.request(method, path))
    assert reply.status == 405
    assert takes in reply.headers["allow"].split(", ")
    if method == "HEAD":
        assert reply.body == b""
        assert reply.headers["content-type"] == "application/problem+json"
    else:
        assert_problem(reply, 405, "method_not_allowed")


@pytest.mark.parametrize("path", GETS)
def test_the_head_of_what_can_be_got(server: "Client", path: str) -> None:
    reply = server.send(server.request("HEAD", path))
    assert reply.status == 200
    assert reply.body == b""


@pytest.mark.parametrize(
    "path",
    [
        "/GEHEIM",
        "/v1/articles/",
        "/V1/ARTICLES",
        "//v1/articles",
        "/v1/articles/..%2f..%2fetc/passwd",
        "/..%2f..%2fetc/passwd",
        "/../../etc/passwd",
        "/v1/%00",
        "/%ff%fe",
        "/%ED%A0%80",
        "/" + "x" * 8_192,
        "/v1/models/%0d%0aX-GEHEIM:%20ja",
    ],
    ids=lambda path: path[:30],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_path_that_does_not_exist(server: "Client", method: str, path: str) -> None:
    """Row 36."""
    assert_problem(server.send(server.request(method, path)), 404, "not_found")


@pytest.mark.parametrize("target", [b"/v1/\0", b"/\xff", b"/v1/models GEHEIM", b""])
def test_a_target_that_is_no_path(server: "Client", target: bytes) -> None:
    """Row 36: what the parser refuses, the server answers itself and closes."""
    answer = server.send_and_drain(b"GET " + target + b" HTTP/1.1\r\nHost: kortom\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert MARKER.encode() not in answer


@pytest.mark.parametrize("route", POSTS)
@pytest.mark.parametrize("accept", ["application/xml", "text/html;q=0", ";;;", ""])
def test_accept_is_ignored(server: "Client", route: str, accept: str) -> None:
    """Row 37: the answer is JSON, whatever is asked for."""
    headers = {"Accept": accept}
    reply = server.send(server.request("POST", route, good_body(route), headers))
    assert reply.status == 200
    assert reply.headers["content-type"] == "application/json"


def test_how_many_texts(server: "Client", settings: Settings) -> None:
    """Rows 38 and 39."""
    most = settings.max_texts_per_request
    assert_problem(server.post(TRANSLATE, {"texts": []}), 422, "validation_error")
    assert_problem(server.post(TRANSLATE, {"texts": ["A"] * (most + 1)}), 413, "too_many_texts")
    reply = server.post(TRANSLATE, {"texts": ["."] * most})
    assert reply.status == 200
    assert len(reply.json()["translations"]) == most
    texts: list[Any] = ["Dag."] * 5
    texts[3] = "\u200b"
    problem = assert_problem(server.post(TRANSLATE, {"texts": texts}), 422, "text_empty")
    assert [error["loc"] for error in problem["errors"]] == ["texts.3"]


def test_a_million_wrong_texts_make_one_error(server: "Client", settings: Settings) -> None:
    """Their errors would be made on the event loop; the first is enough."""
    body = b'{"texts":[' + b",".join([b"1"] * 900_000) + b"]}"
    assert len(body) < settings.max_body_bytes
    problem = assert_problem(
        server.send(server.request("POST", TRANSLATE, body)), 422, "validation_error"
    )
    assert [error["loc"] for error in problem["errors"]] == ["texts.0"]


def test_text_over_the_limit(server: "Client", settings: Settings) -> None:
    """Row 26; code points are counted, not bytes."""
    text = "é" * (settings.max_article_characters + 1)
    for route in POSTS:
        body = ENVELOPES[route] % json.dumps(text, ensure_ascii=False).encode()
        assert_problem(server.send(server.request("POST", route, body)), 413, "content_too_large")


def chunked(body: bytes, size: int = 65_536) -> bytes:
    parts = [body[start : start + size] for start in range(0, len(body), size)]
    return b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n"


def with_chunks(client: "Client", route: str, body: bytes) -> bytes:
    headers: Any = {"Content-Length": None, "Transfer-Encoding": "chunked"}
    return client.request("POST", route, b"", headers) + chunked(body)


@pytest.mark.parametrize("route", POSTS)
def test_the_size_of_the_body(server: "Client", settings: Settings, route: str) -> None:
    """Rows 26 and 27."""
    full = good_body(route).ljust(settings.max_body_bytes)
    assert server.send(server.request("POST", route, full)).status == 200
    assert server.send(with_chunks(server, route, full)).status == 200
    for body in (full + b" ", full + b"}", MARKER.encode() * (10_000_000 // len(MARKER))):
        for request in (server.request("POST", route, body), with_chunks(server, route, body)):
            assert_problem(server.send(request), 413, "content_too_large")


def test_a_body_without_end(server: "Client", settings: Settings) -> None:
    """Row 26: what comes is dropped, and then the connection."""
    body = b" " * (10 * settings.max_body_bytes)
    reply = server.send(server.request("POST", ARTICLES, body))
    assert reply.status in (0, 413)


def test_one_byte_per_chunk(server: "Client") -> None:
    body = chunked(good_body(ARTICLES), 1)
    headers: Any = {"Content-Length": None, "Transfer-Encoding": "chunked"}
    assert server.send(server.request("POST", ARTICLES, b"", headers) + body).status == 200


# Row 28. %d is the length of the good body; the second request must never be answered.
SECOND = b"GET /livez HTTP/1.1\r\nHost: kortom\r\nConnection: close\r\n\r\n"
FRAMES: dict[str, bytes] = {
    "both, CL first": b"Content-Length: %d\r\nTransfer-Encoding: chunked\r\n",
    "both, TE first": b"Transfer-Encoding: chunked\r\nContent-Length: %d\r\n",
    "two lengths": b"Content-Length: %d\r\nContent-Length: 1\r\n",
    "two lengths in one": b"Content-Length: %d, 1\r\n",
    "negative length": b"Content-Length: -%d\r\n",
    "signed length": b"Content-Length: +%d\r\n",
    "hexadecimal length": b"Content-Length: 0x%x\r\n",
    "unknown coding": b"Transfer-Encoding: GEHEIM%d\r\n",
    "two codings": b"Transfer-Encoding: gzip, chunked\r\nX: %d\r\n",
    "space before the colon": b"Content-Length : %d\r\n",
}


@pytest.mark.parametrize("name", FRAMES)
def test_a_body_with_unclear_bounds(server: "Client", name: str) -> None:
    body = good_body(ARTICLES)
    head = b"POST /v1/articles HTTP/1.1\r\nHost: kortom\r\nContent-Type: application/json\r\n"
    answer = server.send_and_drain(head + FRAMES[name] % len(body) + b"\r\n" + body + SECOND)
    statuses = re.findall(rb"HTTP/1\.1 (\d+)", answer)
    assert statuses[:1] in ([b"400"], [b"501"])
    assert b"200" not in statuses
    assert b"content-type: application/problem+json" in answer.lower()
    assert MARKER.encode() not in answer


@pytest.mark.parametrize("route", POSTS)
@pytest.mark.parametrize("length_first", [True, False])
def test_two_kinds_of_length(server: "Client", route: str, length_first: bool) -> None:
    """Row 28: refused even where the chunks are right, and what follows is no request."""
    body = chunked(good_body(route))
    lengths = [b"Content-Length: %d\r\n" % len(body), b"Transfer-Encoding: chunked\r\n"]
    head = b"POST %s HTTP/1.1\r\nHost: kortom\r\nContent-Type: application/json\r\n"
    head = head % route.encode() + b"".join(lengths if length_first else lengths[::-1])
    answer = server.send_and_drain(head + b"\r\n" + body + SECOND)
    assert re.findall(rb"HTTP/1\.1 (\d+)", answer) == [b"400"]
    assert b'"code": "bad_request"' in answer
    assert MARKER.encode() not in answer


def test_a_length_that_is_too_small(server: "Client") -> None:
    """Row 28: the rest is no request."""
    body = good_body(ARTICLES)
    answer = server.send_and_drain(
        server.request("POST", ARTICLES, body, {"Content-Length": str(len(body) - 2)})
    )
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert b" 200 " not in answer
    assert MARKER.encode() not in answer


def test_a_length_that_is_too_large(server: "Client", settings: Settings) -> None:
    """Rows 28 and 52: whoever does not send the rest gets 408; whoever hangs up gets nothing."""
    body = good_body(ARTICLES)
    request = server.request("POST", ARTICLES, body, {"Content-Length": str(len(body) + 10)})
    start = time.monotonic()
    reply = server.send(request)
    assert_problem(reply, 408, "request_timeout")
    assert reply.headers["connection"] == "close"
    assert time.monotonic() - start >= settings.body_seconds
    with server.connect() as connection:
        connection.sendall(request)
        connection.shutdown(socket.SHUT_WR)
        assert connection.recv(65_536) == b""
    with server.connect() as connection:
        connection.sendall(request)


def test_a_slow_sender(server: "Client") -> None:
    """Row 52: bytes that keep coming do not extend the time."""
    body = good_body(ARTICLES)
    with server.connect() as connection:
        connection.sendall(server.request("POST", ARTICLES, b"", {"Content-Length": "1000"}))
        connection.settimeout(0.2)
        answer = b""
        for byte in body * 10:
            try:
                connection.sendall(bytes([byte]))
                answer = connection.recv(65_536)
                break
            except TimeoutError:
                continue
            except ConnectionError:
                break
    assert answer.startswith(b"HTTP/1.1 408 ")


def test_idle_connections_are_in_nobodys_way(server: "Client") -> None:
    """Row 52."""
    idle = [server.connect() for _ in range(200)]
    try:
        for connection in idle[::2]:
            connection.sendall(b"POST /v1/articles HTT")
        assert server.get("/livez").status == 200
        assert server.post(TRANSLATE, {"texts": ["Dag."]}).status == 200
    finally:
        for connection in idle:
            connection.close()


# Row 53.
@pytest.mark.parametrize(
    "headers",
    [
        b"X-Long: " + b"GEHEIM" * 20_000 + b"\r\n",
        b"".join(b"X-%d: %s\r\n" % (number, b"GEHEIM" * 40) for number in range(500)),
    ],
    ids=["100 kB", "500 long ones"],
)
def test_too_many_bytes_of_headers(server: "Client", headers: bytes) -> None:
    answer = server.send_and_drain(
        b"GET /livez HTTP/1.1\r\nHost: kortom\r\nConnection: close\r\n" + headers + b"\r\n"
    )
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert b"content-type: application/problem+json" in answer.lower()
    assert MARKER.encode() not in answer


def test_many_headers(server: "Client") -> None:
    reply = server.get("/livez", **{f"X-{number}": "GEHEIM" for number in range(500)})
    assert reply.status in (200, 400, 431)


@pytest.mark.parametrize(
    "request_id",
    ["", "a b", "x" * 65, "x" * 10_000, "a/../b", "é", "a\tb", '"GEHEIM"', "${GEHEIM}"],
)
def test_a_bad_request_id_is_replaced(server: "Client", request_id: str) -> None:
    reply = server.get("/livez", **{"X-Request-ID": request_id})
    assert reply.status == 200
    assert re.fullmatch("[0-9a-f]{32}", reply.headers["x-request-id"])


@pytest.mark.parametrize("request_id", [b"a\r\n b", b"a\rGEHEIM: ja", b"a\0b", b"a\nGEHEIM: ja"])
def test_a_request_id_with_line_breaks(server: "Client", request_id: bytes) -> None:
    answer = server.send_and_drain(
        b"GET /livez HTTP/1.1\r\nConnection: close\r\nHost: kortom\r\nX-Request-ID: "
        + request_id
        + b"\r\n\r\n"
    )
    assert answer.startswith((b"HTTP/1.1 400 ", b"HTTP/1.1 200 "))
    assert MARKER.encode() not in answer


# Rows 12 and 42 to 46: texts that are odd but are texts.
LONG = 100_000
TEXTS: dict[str, str] = {
    "12 NUL": f"De man\0liep {MARKER} naar\0 huis. Hij kwam\0 aan.",
    "42 one word": "a" * LONG,
    "42 many words": "a " * (LONG // 2),
    "42 full stops": "." * LONG + " Dag.",
    "42 line breaks": "\n" * (LONG // 2) + "Dag." + "\r\n" * (LONG // 4),
    "43 emoji": "👩‍👩‍👧‍👦 Het gezin 🏳️‍🌈 ging naar huis 👍🏽. De 🇳🇱 vlag hing uit.",
    "43 Zalgo": "D" + "\u0301\u0330\u0489" * 300 + "e man liep. En h" + "\u0316" * 300 + "ij viel.",
    "43 bidi": "De man \u202eliep\u202c naar huis. שלום עולם zei hij.\u202e Dag.",
    "43 private use": "De \ue000\uf8ff man liep \U0010ffff naar huis.",
    "43 noncharacters": "De \ufffe\uffff\ufdd0 man liep naar huis.",
    "44 Chinese": "今天天气很好。我们去公园散步。",
    "45 HTML": "<p onclick=\"x()\">De man</p><script>alert('GEHEIM')</script> liep &amp; viel.",
    "45 Markdown": "# Kop\n\n* **De man** liep [hier](javascript:alert(1)).\n\n```\ncode\n```",
    "45 SQL": "'; DROP TABLE articles; -- De man liep naar huis.",
    "45 template": "{{7*7}} ${7*7} <%= 7*7 %> %s %n {0.__class__} De man liep.",
    "45 address": "Zie https://example.org/?q=GEHEIM#x of mail iemand@example.org.",
    "45 language token": ">>fra<< De man liep. </s> <pad> <unk> De vrouw ook.",
    "46 repeated": "heel mooi huis " * (LONG // 15),
}


@pytest.mark.parametrize("name", TEXTS)
def test_odd_texts_are_texts(server: "Client", name: str) -> None:
    text = TEXTS[name]
    reply = server.post(ARTICLES, {"text": text})
    assert reply.status == 200
    answer = reply.json()
    sentences = [s for block in answer["translation"]["blocks"] for s in block["sentences"]]
    position = 0
    for sentence in sentences:
        assert sentence["source"] == text[sentence["start"] : sentence["end"]]
        assert text[position : sentence["start"]].strip(" \r\n\t-*•0123456789.)") == ""
        position = sentence["end"]
    assert text[position:].strip() == ""
    assert "\0" not in answer["translation"]["text"]
    for mark in "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069":
        assert answer["translation"]["text"].count(mark) <= text.count(mark)
    assert answer["usage"]["characters"] == len(text)
    assert answer["usage"]["target_tokens"] <= 1.5 * answer["usage"]["source_tokens"] + 32 * len(
        sentences
    )
    if name in ("42 one word", "42 many words", "46 repeated"):
        assert "hard_split" in [warning["code"] for warning in sentences[0]["warnings"]]
    for route in (TRANSLATE, SUMMARIZE):
        if len(text) < 1_000:
            reply = server.send(
                server.request("POST", route, ENVELOPES[route] % json.dumps(text).encode())
            )
            assert reply.status == 200


@pytest.mark.parametrize(
    "text",
    [
        "The council met on Monday evening and voted for the new bridge over the river.",
        "Der Gemeinderat hat am Montag getagt und für die neue Brücke über den Fluss gestimmt.",
    ],
    ids=["English", "German"],
)
def test_another_language_is_flagged(server: "Client", text: str) -> None:
    """Row 44."""
    answer = server.post(ARTICLES, {"text": text}).json()
    assert "source_language_suspect" in [warning["code"] for warning in answer["warnings"]]
    assert answer["language"]["code"] == ("en" if text.startswith("The") else "de")
    dutch = "De gemeenteraad vergaderde maandagavond en stemde voor de nieuwe brug over de rivier."
    answer = server.post(ARTICLES, {"text": dutch}).json()
    assert answer["warnings"] == []
    assert answer["language"]["code"] == "nl"


def test_a_second_request_on_the_same_connection(server: "Client") -> None:
    """An error does not spoil the connection for the next request."""
    bad = server.request("POST", ARTICLES, b'{"text": "GEHEIM')
    good = server.request("POST", ARTICLES, good_body(ARTICLES), {"Connection": "close"})
    answer = server.send_and_drain(bad + good)
    assert re.findall(rb"HTTP/1\.1 (\d+)", answer) == [b"400", b"200"]
