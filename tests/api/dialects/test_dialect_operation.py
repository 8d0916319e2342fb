"""What an operator gets of the dialects: counts, health, and what an installation lacks."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import httpx
import pytest
from fakes import FakeTranslator
from fastapi import FastAPI
from prometheus_client.parser import text_string_to_metric_families as prometheus

from service.api.dialects import deepl_documents
from service.app import create_app
from service.article import files
from service.settings import Settings

if TYPE_CHECKING:
    from loopback import Client

WAIT_SECONDS = 30.0
TOKENS = 3
"""Source tokens of a sentence, as the fake engine says."""
GERMAN = "Der Gemeinderat hat am Montag getagt und für die neue Brücke über den Fluss gestimmt."
PAIR = {"source": "nl", "target": "en"}
MISSING = ".docx files need more libraries: install kortom[documents]"


@pytest.fixture(scope="module")
def app(settings: Settings) -> FastAPI:
    """The service with a fake engine that copies."""
    return create_app(settings, translator=FakeTranslator())


@pytest.fixture(scope="module")
def kortom(
    app: FastAPI, start_server: Callable[[FastAPI], AbstractContextManager["Client"]]
) -> Iterator["Client"]:
    with start_server(app) as client:
        yield client


def count(client: "Client", name: str) -> float:
    """The sum of a metric's samples."""
    return sum(
        sample.value
        for family in prometheus(client.get("/metrics").body.decode())
        for sample in family.samples
        if sample.name == name
    )


def send_file(client: "Client", path: str, name: str, data: bytes, **fields: str) -> httpx.Response:
    return httpx.post(
        f"http://127.0.0.1:{client.port}{path}",
        files={"file": (name, data)},
        data=fields,
        timeout=WAIT_SECONDS,
    )


@pytest.mark.parametrize(
    ("path", "fields", "sentences"),
    [
        ("/translate", {"q": "Het regent.", **PAIR}, 1),
        ("/translate", {"q": ["Dag.", "Het regent. Dag."], **PAIR}, 3),
        ("/translate", {"q": ["Dag.", "Het regent."], "summary": 1, **PAIR}, 2),
        ("/translate", {"q": "It rains.", "source": "en", "target": "en"}, 0),
        ("/v2/translate", {"text": ["Dag.", "Het regent."], "target_lang": "EN"}, 2),
        ("/v2/translate", {"text": ["Dag.", "Nee."], "target_lang": "EN", "summary": 1}, 2),
    ],
)
def test_translations_are_counted(
    kortom: "Client", path: str, fields: dict[str, Any], sentences: int
) -> None:
    tokens = count(kortom, "kortom_source_tokens_total")
    summaries = count(kortom, "kortom_summarization_seconds_count")
    assert kortom.post(path, fields).status == 200
    assert count(kortom, "kortom_source_tokens_total") - tokens == TOKENS * sentences
    made = count(kortom, "kortom_summarization_seconds_count") - summaries
    assert made == (2 if "summary" in fields else 0)


def test_warnings_are_counted(kortom: "Client") -> None:
    before = count(kortom, "kortom_warnings_total")
    assert kortom.post("/translate", {"q": GERMAN, **PAIR}).status == 200
    first = count(kortom, "kortom_warnings_total")
    assert first > before
    fields = {"text": GERMAN, "source_lang": "NL", "target_lang": "EN"}
    assert kortom.post("/v2/translate", fields).status == 200
    assert count(kortom, "kortom_warnings_total") - first == first - before


def test_files_are_counted(kortom: "Client", monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deepl_documents, "PATIENCE_SECONDS", WAIT_SECONDS)
    before = count(kortom, "kortom_source_tokens_total")
    assert send_file(kortom, "/translate_file", "a.txt", b"Dag.", **PAIR).status_code == 200
    assert count(kortom, "kortom_source_tokens_total") - before == TOKENS
    handle = send_file(kortom, "/v2/document", "a.txt", b"Dag. Nee.", target_lang="EN").json()
    key = {"document_key": handle["document_key"]}
    path = f"/v2/document/{handle['document_id']}"
    assert kortom.post(path, key).json()["status"] == "done"
    assert count(kortom, "kortom_source_tokens_total") - before == TOKENS * 3


def test_without_the_libraries_word_files_are_neither_offered_nor_taken(
    kortom: "Client", monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "AVAILABLE", False)
    offered = kortom.get("/frontend/settings").json()["supportedFilesFormat"]
    assert offered == [".htm", ".html", ".markdown", ".md", ".txt", ".xhtml"]
    refused = send_file(kortom, "/translate_file", "a.docx", b"PK", **PAIR)
    assert (refused.status_code, refused.json()) == (400, {"error": MISSING})
    refused = send_file(kortom, "/v2/document", "a.DOCX", b"PK", target_lang="EN")
    assert (refused.status_code, refused.json()) == (400, {"message": MISSING})
    taken = send_file(kortom, "/translate_file", "a.html", b"<p>Dag.", **PAIR).json()
    path = urlsplit(taken["translatedFileUrl"]).path
    assert kortom.get(path).body == b"<p>Dag."


def test_a_server_that_stops_is_not_healthy(
    app: FastAPI, kortom: "Client", monkeypatch: pytest.MonkeyPatch
) -> None:
    assert kortom.get("/health").json() == {"status": "ok"}
    monkeypatch.setattr(app.state.health, "draining", True)
    reply = kortom.get("/health")
    assert (reply.status, reply.json()) == (503, {"error": "the server is stopping"})
    assert int(reply.headers["retry-after"]) >= 1
