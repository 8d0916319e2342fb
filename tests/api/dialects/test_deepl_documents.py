"""Files through DeepL's document calls, by its own clients."""

import asyncio
import io
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import deepl
import docx
import pytest
from fastapi import FastAPI
from gated_engine import GatedEngine
from starlette.requests import Request
from starlette.types import Message

from service.api.access import Access
from service.api.dialects import deepl_documents
from service.api.request_workers import RequestWorkers
from service.app import create_app
from service.errors import InferenceError
from service.loading import load_pipeline
from service.serving.health import Health
from service.serving.metrics import Metrics
from service.serving.workers import Workers
from service.settings import Settings

if TYPE_CHECKING:
    from loopback import Client, Reply

WAIT_SECONDS = 30.0
GERMAN = "Der Gemeinderat hat am Montag getagt und für die neue Brücke über den Fluss gestimmt."
DOCUMENT = "/v2/document"


@pytest.fixture(scope="module")
def small(settings: Settings) -> Settings:
    """Settings of a server with two places."""
    return settings.model_copy(update={"max_queued_requests": 2, "repair": False})


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """One question is enough, however slow the machine."""
    monkeypatch.setattr(deepl_documents, "PATIENCE_SECONDS", WAIT_SECONDS)


def upload(translator: deepl.DeepLClient, data: bytes, name: str, **options: Any) -> Any:
    return translator.translate_document_upload(
        data, filename=name, **({"target_lang": "EN-US"} | options)
    )


def translate(translator: deepl.DeepLClient, data: bytes, name: str) -> bytes:
    handle = upload(translator, data, name)
    assert translator.translate_document_wait_until_done(handle).done
    target = io.BytesIO()
    translator.translate_document_download(handle, target)
    return target.getvalue()


def ask(client: "Client", handle: Any, path: str = "", key: Any = None) -> "Reply":
    fields = {"document_key": handle.document_key if key is None else key}
    return client.post(f"{DOCUMENT}/{handle.document_id}{path}", fields)


def test_a_text_file(translator: deepl.DeepLClient, tmp_path: Path) -> None:
    source, target = tmp_path / "brief.txt", tmp_path / "letter.txt"
    source.write_text("Beste buur,\n\nHet regent.\n", encoding="utf-8")
    status = translator.translate_document_from_filepath(source, target, target_lang="EN-GB")
    assert target.read_text(encoding="utf-8") == "BESTE BUUR,\n\nHET REGENT.\n"
    assert status.done
    assert status.billed_characters == len("Beste buur,\n\nHet regent.\n")


def test_a_word_file(translator: deepl.DeepLClient) -> None:
    document = docx.Document()
    document.add_heading("Over de brug", 1)
    document.add_paragraph("Het regent.")
    source, target = io.BytesIO(), io.BytesIO()
    document.save(source)
    handle = upload(translator, source.getvalue(), "Nieuws van gisteren.DOCX", source_lang="NL")
    assert translator.translate_document_wait_until_done(handle).done
    response = translator.translate_document_download(handle)
    assert response is not None
    target.write(response.content)
    english = docx.Document(target).paragraphs
    assert [paragraph.text for paragraph in english] == ["OVER DE BRUG", "HET REGENT."]
    assert [paragraph.style.name for paragraph in english] == ["Heading 1", "Normal"]
    assert response.headers["Content-Type"].endswith("wordprocessingml.document")
    name = "Nieuws%20van%20gisteren.docx"
    assert response.headers["Content-Disposition"] == f"attachment; filename*=UTF-8''{name}"
    response.close()


def test_a_web_page_in_another_encoding(translator: deepl.DeepLClient) -> None:
    """A browser must not take the English page for the Latin-1 that it says it is."""
    page = '<meta charset="iso-8859-1"><p>Het café is <b>open</b>.</p>'
    english = translate(translator, page.encode("latin-1"), "pagina.html")
    assert english.startswith(b"\xef\xbb\xbf")
    assert "CAFÉ" in english.decode("utf-8-sig")
    english = translate(translator, "<p>Het café is open.</p>".encode(), "pagina.html")
    assert english.decode("utf-8") == "<p>HET CAFÉ IS OPEN.</p>"


def test_what_becomes_markdown_has_to_be_asked_for_as_such(translator: deepl.DeepLClient) -> None:
    with pytest.raises(deepl.DeepLException, match="Value for 'output_format'"):
        upload(translator, b"%PDF-1.7", "krant.pdf")
    for wanted in ("docx", "md"):
        with pytest.raises(deepl.DeepLException, match="Value for 'output_format'"):
            upload(translator, b"Dag.", "brief.txt", output_format=wanted)
    handle = upload(translator, b"%PDF-1.7", "krant.pdf", output_format="md")
    status = translator.translate_document_wait_until_done(handle)
    assert not status.ok
    assert status.error_message == "document.pdf: damaged, or no .pdf file"


@pytest.mark.parametrize(
    ("data", "name", "options", "expected"),
    [
        (b"Dag.", "brief.exe", {}, "Invalid file data."),
        (b"Dag.", "brief", {}, "Invalid file data."),
        (b"Dag.", "brief.txt", {"target_lang": "DE"}, "Value for 'target_lang' not supported."),
        (b"Dag.", "brief.txt", {"source_lang": "DE"}, "Value for 'source_lang' not supported."),
        (
            b"Dag.",
            "brief.txt",
            {"formality": "less"},
            "Target language 'EN-US' doesn't support formality.",
        ),
        (
            b"Dag.",
            "brief.txt",
            {"source_lang": "NL", "glossary": "abc"},
            "Value for 'glossary_id' not supported.",
        ),
    ],
)
def test_what_can_not_be_had_is_refused_at_once(
    translator: deepl.DeepLClient, data: bytes, name: str, options: dict[str, Any], expected: str
) -> None:
    with pytest.raises(deepl.DeepLException) as failure:
        upload(translator, data, name, **options)
    assert failure.value.http_status_code == 400
    assert expected in str(failure.value)


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b" \n", "document.txt: holds no visible text"),
        (b"\x89PNG\r\n\0", "document.txt: this is no text"),
        (GERMAN.encode(), "looks like de"),
    ],
)
def test_a_document_that_can_not_be_translated(
    kortom: "Client", translator: deepl.DeepLClient, data: bytes, expected: str
) -> None:
    handle = upload(translator, data, "brief.txt")
    status = translator.translate_document_wait_until_done(handle)
    assert not status.ok
    assert expected in str(status.error_message)
    assert ask(kortom, handle, "/result").status == 503
    answer = ask(kortom, handle).json()
    assert answer["status"] == "error"
    assert answer["message"] == answer["error_message"]


def test_a_model_that_fails(translator: deepl.DeepLClient, engine: GatedEngine) -> None:
    engine.error = InferenceError("the model failed")
    handle = upload(translator, b"Dag.", "brief.txt")
    status = translator.translate_document_wait_until_done(handle)
    assert status.error_message == "the model failed"


def test_a_document_on_its_way(
    kortom: "Client",
    translator: deepl.DeepLClient,
    engine: GatedEngine,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(deepl_documents, "PATIENCE_SECONDS", 0.05)
    engine.gate.clear()
    handle = upload(translator, b"Dag.", "brief.txt")
    assert engine.entered.wait(WAIT_SECONDS)
    assert ask(kortom, handle).json() == {
        "document_id": handle.document_id,
        "status": "translating",
    }
    early = ask(kortom, handle, "/result")
    assert early.status == 503
    assert early.json() == {"message": "Document translation is not done"}
    monkeypatch.setattr(deepl_documents, "PATIENCE_SECONDS", WAIT_SECONDS)
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(ask, kortom, handle)
        engine.gate.set()
        assert waiting.result(WAIT_SECONDS).json()["status"] == "done"


def test_a_document_is_fetched_once(kortom: "Client", translator: deepl.DeepLClient) -> None:
    handle = upload(translator, b"Dag.", "brief.txt")
    assert translator.translate_document_wait_until_done(handle).done
    with ThreadPoolExecutor(4) as pool:
        replies = list(pool.map(lambda _: ask(kortom, handle, "/result"), range(4)))
    assert sorted(reply.status for reply in replies) == [200, 404, 404, 404]
    [document] = [reply for reply in replies if reply.status == 200]
    assert document.body == b"DAG."
    assert document.headers["x-trace-id"]
    again = ask(kortom, handle)
    assert (again.status, again.json()) == (404, {"message": "Document not found"})


@pytest.mark.parametrize("key", ["", "0" * 64, "\u00e9", "\ud800", 5, ["a"], {"a": 1}, True])
def test_only_the_key_opens_a_document(
    kortom: "Client", translator: deepl.DeepLClient, key: Any
) -> None:
    handle = upload(translator, b"Dag.", "brief.txt")
    for path in ("", "/result"):
        assert ask(kortom, handle, path, key=key).status == 404
    other = deepl.DocumentHandle("A" * 32, handle.document_key)
    assert ask(kortom, other).status == 404
    assert ask(kortom, handle, key=None).json()["status"] == "done"


def test_documents_are_few(
    settings: Settings,
    start_server: Callable[[FastAPI], AbstractContextManager["Client"]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(deepl_documents, "MAX_DOCUMENTS", 3)
    with start_server(create_app(settings, translator=GatedEngine().fake)) as client:
        handles = []
        for _ in range(3):
            answer = send_file(client, b"Dag.").json()
            handles.append(deepl.DocumentHandle(answer["document_id"], answer["document_key"]))
            assert ask(client, handles[-1]).json()["status"] == "done"
        refused = send_file(client, b"Dag.")
        assert refused.status == 503
        assert refused.json() == {"message": "too many documents are here"}
        assert refused.headers["retry-after"]
        assert ask(client, handles[0], "/result").status == 200
        monkeypatch.setattr(deepl_documents, "MAX_BYTES", 11)
        assert send_file(client, b"Dag.").status == 503
        assert send_file(client, b"Ja.").status == 200


def test_documents_do_not_stay(
    kortom: "Client", translator: deepl.DeepLClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deepl_documents, "KEPT_SECONDS", 0.0)
    for _ in range(4):
        handle = upload(translator, b"Dag.", "brief.txt")
        ask(kortom, handle)  # until it has ended
        assert ask(kortom, handle).status == 404


def test_a_busy_server_takes_no_document(
    kortom: "Client", translator: deepl.DeepLClient, engine: GatedEngine
) -> None:
    engine.gate.clear()
    handles = [upload(translator, b"Dag.", "brief.txt") for _ in range(2)]
    refused = send_file(kortom, b"Dag.")
    assert refused.status == 503
    assert refused.json() == {"message": "every place is taken"}
    engine.gate.set()
    for handle in handles:
        assert translator.translate_document_wait_until_done(handle).done
    assert send_file(kortom, b"Dag.").status == 200


def test_a_server_that_stops_gives_up_its_documents(settings: Settings) -> None:
    engine = GatedEngine()
    pipeline = load_pipeline(settings, translator=engine.fake).pipeline
    workers = Workers(1, 100_000, Metrics())
    engine.entered.clear()
    engine.gate.clear()

    async def nothing_comes() -> Message:
        await asyncio.Event().wait()
        raise AssertionError

    async def stop_halfway() -> None:
        documents = deepl_documents.Documents(
            RequestWorkers(workers, Access(None, Health([]))), pipeline
        )
        request = Request({"type": "http", "state": {}}, nothing_comes)
        text = "\n\n".join(f"Zin nummer {number}." for number in range(2_000))
        await documents.add(request, "brief.txt", ".txt", text.encode(), "nl")
        assert await asyncio.to_thread(engine.entered.wait, WAIT_SECONDS)
        await documents.close()
        engine.gate.set()

    asyncio.run(stop_halfway())
    workers.shutdown()
    assert len(engine.fake.seen) < 2_000


def test_a_stopping_server_closes_its_documents(
    settings: Settings,
    start_server: Callable[[FastAPI], AbstractContextManager["Client"]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    closed = []

    async def close(documents: deepl_documents.Documents) -> None:
        closed.append(documents)

    monkeypatch.setattr(deepl_documents.Documents, "close", close)
    with start_server(create_app(settings, translator=GatedEngine().fake)):
        assert closed == []
    assert len(closed) == 1


def send_file(
    client: "Client", data: bytes, name: str = "brief.txt", field: str = "file"
) -> "Reply":
    body = (
        b'--grens\r\nContent-Disposition: form-data; name="target_lang"\r\n\r\nEN-US\r\n'
        b'--grens\r\nContent-Disposition: form-data; name="%s"; filename="%s"\r\n\r\n%s\r\n'
        b"--grens--\r\n" % (field.encode(), name.encode(), data)
    )
    return client.send(
        client.request(
            "POST", DOCUMENT, body, {"Content-Type": "multipart/form-data; boundary=grens"}
        )
    )


@pytest.mark.parametrize("name", ["", ".txt", "x" * 1_000, "../../etc/passwd", "a\tb", "\u202e"])
def test_odd_names(kortom: "Client", name: str) -> None:
    reply = send_file(kortom, b"Dag.", name)
    assert (reply.status, reply.json()) == (400, {"message": "Invalid file data."})
    reply = send_file(kortom, b"Dag.", f"{name}.txt")
    assert reply.status == 200 or not name
    if reply.status == 200:
        handle = deepl.DocumentHandle(reply.json()["document_id"], reply.json()["document_key"])
        assert ask(kortom, handle).json()["status"] == "done"
        assert ask(kortom, handle, "/result").status == 200


def test_no_file(kortom: "Client") -> None:
    assert send_file(kortom, b"Dag.", field="document").json() == {"message": "Invalid file data."}
    reply = kortom.post(DOCUMENT, {"target_lang": "EN-US", "file": "Dag.", "filename": "a.txt"})
    assert (reply.status, reply.json()) == (400, {"message": "Invalid file data."})
