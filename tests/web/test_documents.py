"""``POST /v1/documents``: a file instead of JSON, the same answer."""

import io
import json
from collections.abc import Callable

import docx
import pytest

BOUNDARY = "kortom-test"
KOP = "Kop van het bericht"
TEKST = "De ministers kwamen bijeen. Zij besloten niets."


def word_file() -> bytes:
    document = docx.Document()
    document.add_heading(KOP, 1)
    document.add_paragraph(TEKST)
    file = io.BytesIO()
    document.save(file)
    return file.getvalue()


def form(*parts: tuple[str, str | None, bytes]) -> tuple[bytes, dict[str, str]]:
    """The body and the headers of a multipart form of (field, file name, content)."""
    body = b""
    for field, name, content in parts:
        file_name = f'; filename="{name}"' if name else ""
        head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{field}"{file_name}\r\n\r\n'
        body += head.encode() + content + b"\r\n"
    body += f"--{BOUNDARY}--\r\n".encode()
    return body, {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}


@pytest.fixture
def upload(server) -> Callable:
    def post(name: str, content: bytes, options: object = None, **headers: str):
        parts = [("file", name, content)]
        if options is not None:
            parts.append(("options", None, json.dumps(options).encode()))
        body, content_type = form(*parts)
        return server.send(server.request("POST", "/v1/documents", body, content_type | headers))

    return post


def same(answer: dict) -> dict:
    """What two requests for the same have in common."""
    return {key: value for key, value in answer.items() if key not in ("id", "timing_ms")}


@pytest.mark.parametrize(
    ("name", "field"), [("a.txt", "text"), ("a.md", "markdown"), ("a.HTML", "html"), ("a", "text")]
)
def test_a_text_file_gets_the_answer_of_its_text(server, upload, name, field) -> None:
    options = {"title": "Kop", "summary": {"bullets": 1}}
    answer = upload(name, TEKST.encode("utf-8-sig"), options)
    assert answer.status == 200
    expected = server.post("/v1/articles", {field: TEKST, **options}).json()
    assert same(answer.json()) == same(expected)


def test_a_word_file_gets_the_answer_of_its_markdown(server, upload) -> None:
    answer = upload("verslag.docx", word_file()).json()
    expected = server.post("/v1/articles", {"markdown": f"# {KOP}\n\n{TEKST}\n"}).json()
    assert same(answer) == same(expected)
    assert [block["kind"] for block in answer["translation"]["blocks"]] == ["heading", "paragraph"]


def test_the_answer_comes_as_a_stream_if_wanted(upload) -> None:
    answer = upload("verslag.docx", word_file(), Accept="text/event-stream")
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert answer.body.startswith(b"event: block\n")
    assert b"event: done\n" in answer.body


@pytest.mark.parametrize(
    ("name", "content", "options", "status", "code", "words"),
    [
        ("a.docx", b"PK\x03\x04 damaged", None, 422, "validation_error", "no .docx file"),
        ("a.pdf", b"not a PDF", None, 422, "validation_error", "no .pdf file"),
        ("a.txt", b"%PDF-1.7", None, 422, "validation_error", "a PDF file"),
        ("a.txt", b"a\0b", None, 422, "validation_error", "no text"),
        ("a.txt", b"  ", None, 422, "text_empty", "no visible text"),
        ("a.txt", b"Tekst.", [], 422, "validation_error", "options"),
        ("a.txt", b"Tekst.", {"colour": "red"}, 422, "unknown_field", "colour"),
        ("a.txt", b"Tekst.", {"summary": {"bullets": 99}}, 422, "validation_error", "bullets"),
        ("a.txt", b"Tekst.", {"html": "<p>x"}, 422, "validation_error", "exactly one"),
        ("a.txt", b"Tekst. " * 400_000, None, 413, "content_too_large", "bytes"),
    ],
)
def test_what_is_wrong_is_said(upload, name, content, options, status, code, words) -> None:
    problem = upload(name, content, options).json()
    assert (problem["status"], problem["code"]) == (status, code)
    assert words in problem["detail"]


def test_a_form_without_a_file_is_refused(server) -> None:
    body, headers = form(("options", None, b"{}"))
    answer = server.send(server.request("POST", "/v1/documents", body, headers))
    assert answer.status == 422
    assert "file" in answer.json()["detail"]


def test_json_is_no_document(server) -> None:
    answer = server.post("/v1/documents", {"text": TEKST})
    assert answer.status == 422
    assert "multipart/form-data" in answer.json()["detail"]


def test_options_that_are_no_json_are_refused(server) -> None:
    body, headers = form(("file", "a.txt", b"Tekst."), ("options", None, b"{"))
    answer = server.send(server.request("POST", "/v1/documents", body, headers))
    assert answer.json()["code"] == "malformed_json"


def test_openapi_describes_the_form(server) -> None:
    operation = server.get("/openapi.json").json()["paths"]["/v1/documents"]["post"]
    assert "multipart/form-data" in operation["requestBody"]["content"]
