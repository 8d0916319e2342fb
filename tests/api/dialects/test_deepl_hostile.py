"""Hostile input on DeepL's routes: an error in DeepL's shape, never a 500."""

import gzip
import json
from typing import TYPE_CHECKING, Any

import pytest

from service.settings import Settings

if TYPE_CHECKING:
    from loopback import Client, Reply

MARKER = "GEHEIM"
"""Stands in for an article: no error may repeat it."""
MAX_ERROR_BYTES = 1_000
TRANSLATE = "/v2/translate"
POSTS = (TRANSLATE, "/v2/document", f"/v2/document/{'A' * 32}", f"/v2/document/{'A' * 32}/result")
FORM = "application/x-www-form-urlencoded"
MULTIPART = "multipart/form-data; boundary=grens"
PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256))
GOOD = b'{"text": ["Dag."], "target_lang": "EN-US"}'


def assert_error(reply: "Reply", *statuses: int) -> str:
    assert reply.status in statuses, reply
    assert reply.headers["content-type"] == "application/json"
    assert reply.headers["x-trace-id"] == reply.headers["x-request-id"]
    document = reply.json()
    assert set(document) <= {"message", "detail"}
    assert MARKER.encode() not in reply.body
    assert len(reply.body) <= MAX_ERROR_BYTES
    return str(document["message"])


def send(client: "Client", path: str, body: bytes, kind: str = "application/json") -> "Reply":
    return client.send(client.request("POST", path, body, {"Content-Type": kind}))


BODIES: dict[str, tuple[bytes, str]] = {
    "1 empty": (b"", "application/json"),
    "1 white space": (b" \r\n ", "application/json"),
    "2 no fields": (b"{}", "application/json"),
    "3 null": (b"null", "application/json"),
    "3 list": (b'["GEHEIM"]', "application/json"),
    "3 number": (b"5", "application/json"),
    "10 surrogate as key": (rb'{"\ud800": 1}', "application/json"),
    "13 raw newline": (b'{"text": "GEHEIM \n"}', "application/json"),
    "14 invalid UTF-8": (b'{"text": "GEHEIM \xff\xfe"}', "application/json"),
    "15 UTF-16": ('{"text": "GEHEIM"}'.encode("utf-16"), "application/json"),
    "16 latin-1": (b'{"text": "\xe9"}', "application/json; charset=iso-8859-1"),
    "17 truncated": (b'{"text": "GEHEIM', "application/json"),
    "18 duplicate key": (b'{"text": "GEHEIM", "text": "b"}', "application/json"),
    "19 NaN": (b'{"text": NaN}', "application/json"),
    "21 5000 digits": (b'{"text": %s}' % (b"9" * 5_000), "application/json"),
    "23 nested arrays": (b"[" * 100_000 + b"]" * 100_000, "application/json"),
    "25 many fields": (json.dumps(dict.fromkeys(map(str, range(1_001)))).encode(), "text/json"),
    "29 no type": (GOOD, ""),
    "30 text": (b"GEHEIM", "text/plain"),
    "30 XML": (b"<text>GEHEIM</text>", "application/xml"),
    "30 semicolons": (b"GEHEIM", ";;;"),
    "32 PNG": (PNG, "application/json"),
    "32 PNG as bytes": (PNG, "application/octet-stream"),
    "form of bytes": (b"text=%ff%fe&target_lang=EN", FORM),
    "form of raw bytes": (b"text=\xff\xfe&target_lang=EN", FORM),
    "form of many fields": (b"&".join([b"text=a"] * 1_001), FORM),
    "form of nothing": (b"&=&;==", FORM),
    "multipart without boundary": (b"--grens\r\n", "multipart/form-data"),
    "multipart of nothing": (b"GEHEIM", MULTIPART),
    "multipart without end": (
        b'--grens\r\nContent-Disposition: form-data; name="text"\r\n\r\nGEHEIM',
        MULTIPART,
    ),
    "multipart without name": (b"--grens\r\n\r\nGEHEIM\r\n--grens--\r\n", MULTIPART),
    "multipart of bytes": (
        b'--grens\r\nContent-Disposition: form-data; name="\xff"\r\n\r\n\xff\xfe\r\n--grens--\r\n',
        MULTIPART,
    ),
}


@pytest.mark.parametrize("path", POSTS, ids=["translate", "upload", "status", "result"])
@pytest.mark.parametrize("name", BODIES)
def test_a_body_that_is_none(server: "Client", path: str, name: str) -> None:
    body, kind = BODIES[name]
    assert_error(send(server, path, body, kind), 400, 404, 415)


@pytest.mark.parametrize("encoding", ["gzip", "br", "gzip, gzip"])
def test_a_compressed_body(server: "Client", encoding: str) -> None:
    """Rows 33 and 34."""
    for body in (gzip.compress(gzip.compress(bytes(1_000_000))), GOOD):
        request = server.request("POST", TRANSLATE, body, {"Content-Encoding": encoding})
        assert_error(server.send(request), 415)


VALUES: dict[str, bytes] = {
    "null": b"null",
    "number": b"5",
    "true": b"true",
    "fraction": b"3.5",
    "1e400": b"1e400",
    "400 digits": b"9" * 400,
    "object": b'{"GEHEIM": 1}',
    "surrogate": rb'"GEHEIM \ud800"',
    "list of surrogates": rb'["Dag.", "GEHEIM \udc00"]',
    "list of numbers": b"[1]",
    "list of null": b"[null]",
    "list of lists": b'[["GEHEIM"]]',
    "nested": b"[" * 500 + b"]" * 500,
    "empty list": b"[]",
}
FIELDS = """
    text target_lang source_lang split_sentences preserve_formatting formality tag_handling
    tag_handling_version outline_detection model_type glossary_id glossary_ids style_id summary
    auth_key show_billed_characters context ignore_tags document_key file filename output_format
""".split()


@pytest.mark.parametrize("field", FIELDS)
def test_a_field_of_any_kind(server: "Client", field: str) -> None:
    """Rows 4 to 11, 19 to 22 and 24: a value where another one belongs."""
    for name, value in VALUES.items():
        others = json.loads(GOOD)
        others.pop(field, None)
        body = json.dumps(others).encode()[:-1] + b', "%s": %s}' % (field.encode(), value)
        body = body.replace(b"{, ", b"{")
        for path in POSTS:
            reply = send(server, path, body)
            if reply.status != 200:
                assert_error(reply, 400, 404)
            else:
                assert path == TRANSLATE, name
        if field == "text":
            assert assert_error(send(server, TRANSLATE, body), 400).endswith(
                ("'text' not specified", "'text' not supported.")
            )


TEXTS: dict[str, str] = {
    "6 white space": " \t\u00a0\u3000",
    "7 zero-width": "\u200b\u2060\ufeff\u00ad",
    "7 bidi controls": "\u202e\u202c",
    "12 NUL": "De man\0liep naar\0 huis.",
    "42 one word": "a" * 50_000,
    "42 full stops": "." * 20_000 + " Dag.",
    "42 line breaks": "\n" * 20_000 + "Dag." + "\r\n" * 10_000,
    "43 emoji": "👩‍👩‍👧‍👦 Het gezin 🏳️‍🌈 ging naar huis 👍🏽.",
    "43 Zalgo": "D" + "\u0301\u0330\u0489" * 300 + "e man liep.",
    "43 private use": "De \ue000 man \U0010ffff \ufffe liep.",
    "45 HTML": "<p onclick=\"x()\">De man</p><script>alert('x')</script> liep &amp; viel.",
    "45 broken HTML": "</p></b><b><i>De man</b></i> <!-- liep <p <a href='x> &#x110000; &lt",
    "45 template": "{{7*7}} ${7*7} %s {0.__class__} De man liep.",
    "45 language token": ">>fra<< De man liep. </s> <pad> <unk>",
    "46 repeated": "heel mooi huis " * 3_000,
}


@pytest.mark.parametrize("format", ["text", "html"])
@pytest.mark.parametrize("name", TEXTS)
def test_odd_texts_are_texts(server: "Client", name: str, format: str) -> None:
    fields = {"text": [TEXTS[name]], "target_lang": "EN-GB", "source_lang": "NL"}
    if format == "html":
        fields["tag_handling"] = "html"
    reply = server.post(TRANSLATE, fields)
    assert reply.status == 200
    [answer] = reply.json()["translations"]
    assert answer["billed_characters"] == len(TEXTS[name])
    assert "\0" not in answer["text"]


@pytest.mark.parametrize("path", [TRANSLATE, "/v2/document"])
def test_a_body_over_the_limit(server: "Client", settings: Settings, path: str) -> None:
    """Rows 26 and 27."""
    body = GOOD.ljust(settings.max_body_bytes + 1)
    for kind in ("application/json", FORM, MULTIPART):
        assert_error(send(server, path, body, kind), 413)
    text = json.dumps({"text": "é" * (settings.max_article_characters + 1), "target_lang": "EN"})
    assert_error(send(server, TRANSLATE, text.encode()), 413)


def test_marks_beyond_measure(server: "Client") -> None:
    text = {"text": "<" * 100_001, "target_lang": "EN", "tag_handling": "html"}
    assert_error(server.post(TRANSLATE, text), 413)


@pytest.mark.parametrize("path", ["/v2/TRANSLATE", "/v2/translate/", "/v2/x", "/v2/document/a/b"])
def test_a_path_that_is_none(server: "Client", path: str) -> None:
    assert server.post(path, {}).status == 404


@pytest.mark.parametrize(
    "document_id", ["..%2f..%2fetc", "%00", "%ff%fe", "x" * 8_000, "GEHEIM", "%0d%0aX-Y:%20z"]
)
def test_an_id_that_is_none(server: "Client", document_id: str) -> None:
    """Rows 36, 41 and 49."""
    for path in (f"/v2/document/{document_id}", f"/v2/document/{document_id}/result"):
        reply = server.post(path, {"document_key": "0" * 64})
        assert reply.status == 404
        assert MARKER.encode() not in reply.body
    assert server.get(f"/v2/glossaries/{document_id}").status == 404


def test_a_sender_that_does_not_finish(server: "Client") -> None:
    """Row 52."""
    headers: Any = {"Content-Length": "1000"}
    assert_error(server.send(server.request("POST", TRANSLATE, GOOD, headers)), 408)


def test_a_client_that_leaves(server: "Client") -> None:
    """Row 52: the next one is served."""
    body = json.dumps({"text": "Dag. " * 2_000, "target_lang": "EN"}).encode()
    with server.connect() as connection:
        connection.sendall(server.request("POST", TRANSLATE, body))
    assert send(server, TRANSLATE, GOOD).status == 200
