"""What no well-meaning program sends to LibreTranslate's paths: each an answer in its shape."""

import gzip
import json
import re
import socket
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from loopback import Client, Reply

MARKER = "GEHEIM"
PNG = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR"
ENVELOPE = b'{"q": %s, "source": "nl", "target": "en"}'
GOOD = ENVELOPE % b'"12 345"'
BAD_JSON = "Invalid JSON format"
NO_Q = "Invalid request: missing q parameter"
NO_STRING = "Invalid request: q parameter is not a string"
SURROGATE = "Invalid request: q parameter holds a lone surrogate"
FORM = "application/x-www-form-urlencoded"


def assert_error(reply: "Reply", status: int, error: str | None = None) -> None:
    assert reply.status == status, reply
    assert reply.headers["content-type"] == "application/json"
    assert reply.headers["x-request-id"]
    assert list(reply.json()) == ["error"]
    assert error is None or reply.json()["error"] == error
    assert MARKER.encode() not in reply.body
    assert b"Traceback" not in reply.body
    assert len(reply.body) < 1_000


def nested(opening: str, closing: str, depth: int) -> bytes:
    return (opening * depth + closing * depth).encode()


VALUES: dict[str, tuple[bytes, str]] = {
    "null": (b"null", NO_Q),
    "empty": (b'""', NO_Q),
    "false": (b"false", NO_Q),
    "zero": (b"0", NO_Q),
    "number": (b"5", NO_STRING),
    "true": (b"true", NO_STRING),
    "object": (b'{"GEHEIM": "\\ud800"}', NO_STRING),
    "list of numbers": (b'["GEHEIM", 5]', NO_STRING),
    "list of nothing": (b"[null]", NO_STRING),
    "list of lists": (b'[["GEHEIM"]]', NO_STRING),
    "nested": (nested("[", "]", 500), NO_STRING),
    "high surrogate": (rb'"GEHEIM \ud800"', SURROGATE),
    "low surrogate": (rb'["x", "GEHEIM \udc00 einde"]', SURROGATE),
    "swapped pair": (rb'"GEHEIM \ude00\ud83d"', SURROGATE),
    "raw NUL": (b'"GEHEIM \0"', BAD_JSON),
    "raw newline": (b'"GEHEIM \n"', BAD_JSON),
    "invalid UTF-8": (b'"GEHEIM \xff\xfe"', BAD_JSON),
    "overlong UTF-8": (b'"GEHEIM \xc0\xaf"', BAD_JSON),
    "surrogate in UTF-8": (b'"GEHEIM \xed\xa0\x80"', BAD_JSON),
    "NaN": (b"NaN", BAD_JSON),
    "5000 digits": (b"9" * 5_000, BAD_JSON),
    "1e400": (b"1e400", NO_STRING),
    "400 digits": (b"9" * 400, NO_STRING),
    "deep": (nested("[", "]", 100_000), BAD_JSON),
}


@pytest.mark.parametrize("path", ["/translate", "/detect"])
@pytest.mark.parametrize("name", VALUES)
def test_a_text_that_is_none(demo: "Client", name: str, path: str) -> None:
    value, error = VALUES[name]
    assert_error(demo.send(demo.request("POST", path, ENVELOPE % value)), 400, error)


BODIES: dict[str, tuple[bytes, str]] = {
    "empty": (b"", NO_Q),
    "white space": (b" \r\n\t ", BAD_JSON),
    "no fields": (b"{}", NO_Q),
    "null": (b"null", BAD_JSON),
    "list": (b"[]", BAD_JSON),
    "string": (b'"GEHEIM"', BAD_JSON),
    "number": (b"5", BAD_JSON),
    "surrogate as a key": (rb'{"\ud800": "GEHEIM"}', NO_Q),
    "UTF-16": ('{"q": "GEHEIM"}'.encode("utf-16"), BAD_JSON),
    "truncated": (b'{"q": "GEHEIM', BAD_JSON),
    "trailing garbage": (GOOD + b" GEHEIM", BAD_JSON),
    "duplicate key": (b'{"q": "GEHEIM", "q": "b"}', BAD_JSON),
    "many keys": (json.dumps({f"f{n}": 0 for n in range(1_001)}).encode(), BAD_JSON),
    "nested objects": (nested('{"a":', "}", 5_000), BAD_JSON),
    "PNG": (PNG, BAD_JSON),
    "gzip": (gzip.compress(GOOD), BAD_JSON),
}


@pytest.mark.parametrize("path", ["/translate", "/detect"])
@pytest.mark.parametrize("name", BODIES)
def test_a_body_that_is_none(demo: "Client", name: str, path: str) -> None:
    body, error = BODIES[name]
    assert_error(demo.send(demo.request("POST", path, body)), 400, error)


@pytest.mark.parametrize("field", ["source", "target", "format", "alternatives", "summary"])
@pytest.mark.parametrize(
    "value",
    [
        rb'"GEHEIM \ud800"', b'["nl"]', b'{"GEHEIM": 1}', b"1e400", b"-1e400", b'"GEHEIM"',
        b'"' + b"9" * 5_000 + b'"', b"9" * 400, b'"\\u0000"', b'"' + b"a" * 100_000 + b'"',
    ],
)  # fmt: skip
def test_another_field_that_is_wrong(demo: "Client", field: str, value: bytes) -> None:
    known = {"q": b'"1"', "source": b'"nl"', "target": b'"en"'} | {field: value}
    body = b"{%s}" % b", ".join(b'"%s": %s' % (n.encode(), v) for n, v in known.items())
    reply = demo.send(demo.request("POST", "/translate", body))
    if field == "alternatives" and value == b"9" * 400:
        assert reply.json() == {"translatedText": "1", "alternatives": []}
    else:
        assert_error(reply, 400)


FORMS: dict[str, tuple[bytes, str]] = {
    "not UTF-8": (b"q=GEHEIM+%ff", FORM),
    "raw bytes": (b"q=GEHEIM \xff", FORM),
    "surrogate": (b"q=GEHEIM+%ed%a0%80", FORM),
    "many fields": (b"q&" * 1_001, FORM),
    "multipart without boundary": (b"q=GEHEIM", "multipart/form-data"),
    "multipart with another boundary": (b"--y\r\nGEHEIM", "multipart/form-data; boundary=x"),
    "unended multipart": (b"--x\r\nGEHEIM", "multipart/form-data; boundary=x"),
}


@pytest.mark.parametrize("path", ["/translate", "/detect", "/translate_file"])
@pytest.mark.parametrize("name", FORMS)
def test_a_form_that_is_none(demo: "Client", name: str, path: str) -> None:
    body, content_type = FORMS[name]
    headers = {"Content-Type": content_type}
    assert_error(demo.send(demo.request("POST", path, body, headers)), 400)


@pytest.mark.parametrize("query", ["?q=%ff", "?q=GEHEIM%ed%a0%80", "?" + "q&" * 1_001])
def test_a_query_that_is_none(demo: "Client", query: str) -> None:
    assert_error(demo.send(demo.request("POST", f"/translate{query}")), 400)


@pytest.mark.parametrize(
    "labels",
    [
        {"Content-Type": "application/json; charset=iso-8859-1"},
        {"Content-Type": f"{FORM}; charset=klingon"},
        {"Content-Type": None},
        {"Content-Type": ""},
        {"Content-Type": "text/plain"},
        {"Content-Type": "application/xml"},
        {"Content-Type": ";;;"},
        {"Content-Type": "application/octet-stream"},
        {"Content-Encoding": "gzip"},
        {"Content-Encoding": "gzip, gzip"},
    ],
)
def test_a_body_of_another_kind(demo: "Client", labels: dict[str, Any]) -> None:
    assert_error(demo.send(demo.request("POST", "/translate", GOOD, labels)), 415)


def chunked(body: bytes) -> bytes:
    parts = [body[start : start + 65_536] for start in range(0, len(body), 65_536)]
    return b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n"


def test_the_size_of_the_body(demo: "Client") -> None:
    full = GOOD.ljust(2_000_000)
    headers: Any = {"Content-Length": None, "Transfer-Encoding": "chunked"}
    for body, status in ((full, 200), (full + b" ", 413), (MARKER.encode() * 1_000_000, 413)):
        head = demo.request("POST", "/translate", b"", headers)
        for request in (demo.request("POST", "/translate", body), head + chunked(body)):
            reply = demo.send(request)
            if status == 413:
                assert_error(reply, 413, "the body is over 2000000 bytes")
            else:
                assert reply.status == 200


def test_a_body_that_does_not_arrive(server: "Client") -> None:
    request = server.request("POST", "/translate", GOOD, {"Content-Length": str(len(GOOD) + 10)})
    assert_error(server.send(request), 408)
    with server.connect() as connection:
        connection.sendall(request)
        connection.shutdown(socket.SHUT_WR)
        assert connection.recv(65_536) == b""


@pytest.mark.parametrize("path", ["/translate", "/languages", "/download_file/x"])
def test_two_kinds_of_length(demo: "Client", path: str) -> None:
    body = chunked(GOOD)
    head = b"POST %s HTTP/1.1\r\nHost: kortom\r\nContent-Type: application/json\r\n" % path.encode()
    head += b"Content-Length: %d\r\nTransfer-Encoding: chunked\r\n\r\n" % len(body)
    second = b"GET /livez HTTP/1.1\r\nHost: kortom\r\n\r\n"
    answer = demo.send_and_drain(head + body + second)
    assert re.findall(rb"HTTP/1\.1 (\d+)", answer) == [b"400"]


@pytest.mark.parametrize("host", ["[::1", "a b", 'GEHEIM"<>', "x:99999999", "a/b?c#d", "é"])
def test_the_address_of_a_file_is_one_whatever_the_host(demo: "Client", host: str) -> None:
    body = (
        b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.txt"\r\n\r\n1\r\n'
        b'--x\r\nContent-Disposition: form-data; name="source"\r\n\r\nnl\r\n'
        b'--x\r\nContent-Disposition: form-data; name="target"\r\n\r\nen\r\n--x--\r\n'
    )
    headers = {"Content-Type": "multipart/form-data; boundary=x", "Host": host}
    reply = demo.send(demo.request("POST", "/translate_file", body, headers))
    assert reply.status == 200
    url = reply.json()["translatedFileUrl"]
    assert url.startswith(f"http://127.0.0.1:{demo.port}/download_file/")


ODD: dict[str, str] = {
    "NUL": "a\0b",
    "zero-width": "\u200b\u200c\ufeff",
    "bidi": "\u202eabc\u202c",
    "emoji": "👩‍👩‍👧‍👦 😀",
    "zalgo": "Z" + "\u0301" * 200,
    "private use": "\ue000",
    "template": "{{7*7}} ${x} '; DROP TABLE x; --",
    "script": "<script>alert(1)</script>",
    "one long word": "a" * 10_000,
    "many words": "a " * 5_000,
}


@pytest.mark.parametrize("format", ["text", "html"])
@pytest.mark.parametrize("name", ODD)
def test_odd_texts_are_texts(demo: "Client", name: str, format: str) -> None:
    for source in ("nl", "en", "auto"):
        document = {"q": ODD[name], "source": source, "target": "en", "format": format}
        reply = demo.post("/translate", document)
        assert reply.status == 200, reply
        assert isinstance(reply.json()["translatedText"], str)


def test_too_much_markup_is_refused(demo: "Client") -> None:
    document = {"q": "<" * 150_000, "source": "nl", "target": "en", "format": "html"}
    assert_error(demo.post("/translate", document), 413)
