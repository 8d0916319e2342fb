"""The Python client on a real server, and on a fake one that misbehaves."""

import asyncio
import dataclasses
import json
import pickle
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import TYPE_CHECKING, Any

import pytest
from calling import TEXT, Caller, plain, problem, refused
from fake_server import Passed, Silence, answer, fake_server
from fakes import FakeTranslator
from fastapi import FastAPI

from service.app import create_app
from service.client import Article, AsyncKortom, Kortom, KortomError, results
from service.client.protocol import FIRST_BACKOFF_SECONDS, MAX_WAIT_SECONDS
from service.settings import Settings

if TYPE_CHECKING:
    from loopback import Client

WAIT_SECONDS = 30.0


def answered(server: "Client", path: str, body: Any) -> Any:
    document = server.post(path, body).json()
    return {name: value for name, value in document.items() if name not in ("id", "timing_ms")}


# What the client answers is what the server says.


@pytest.mark.parametrize(
    ("options", "body"),
    [
        ({"text": TEXT}, {"text": TEXT}),
        ({"text": TEXT, "bullets": 1}, {"text": TEXT, "summary": {"bullets": 1}}),
        ({"text": TEXT, "bullets": 0}, {"text": TEXT, "summary": None}),
        (
            {"html": f"<p>{TEXT}</p>", "title": "Een brug", "headline": True, "max_words": 8},
            {
                "html": f"<p>{TEXT}</p>",
                "title": "Een brug",
                "summary": {"headline": True, "max_words": 8},
            },
        ),
        (
            {"markdown": f"**{TEXT}**", "alignment": False, "glossary": {"brug": "bridge"}},
            {"markdown": f"**{TEXT}**", "alignment": False, "glossary": {"brug": "bridge"}},
        ),
    ],
)
def test_an_article(server: "Client", url: str, call: Caller, options: Any, body: Any) -> None:
    article = call(url, "article", **options)
    assert isinstance(article, Article)
    assert plain(article) == answered(server, "/v1/articles", body)


def test_texts(server: "Client", url: str, call: Caller) -> None:
    texts = ["Goedemorgen.", "Het *regent*."]
    made = call(url, "translate", texts, format="markdown")
    body = {"texts": texts, "format": "markdown"}
    assert plain(made) == answered(server, "/v1/translate", body)


def test_a_summary(server: "Client", url: str, call: Caller) -> None:
    made = call(url, "summarize", TEXT, source_language="nl", bullets=2)
    body = {"text": TEXT, "source_language": "nl", "bullets": 2}
    assert plain(made) == answered(server, "/v1/summarize", body)


def test_answers_can_not_be_changed(url: str) -> None:
    with Kortom(url) as kortom:
        article = kortom.article(text=TEXT)
    with pytest.raises(dataclasses.FrozenInstanceError):
        article.id = "other"  # type: ignore[misc]


SCHEMAS = {
    "ArticleWarning": "WarningAnswer",
    "Term": "AppliedTerm",
    "Sentence": "AlignedSentence",
    "Block": "AlignedBlock",
    "Translation": "TranslationAnswer",
    "Bullet": "BulletAnswer",
    "Summary": "SummaryAnswer",
    "ArticleSummary": "ArticleSummaryAnswer",
    "Language": "Language",
    "Model": "ServedModel",
    "Models": "ServedModels",
    "Usage": "UsageAnswer",
    "Timing": "TimingAnswer",
    "Page": "PageAnswer",
    "Article": "ArticleAnswer",
    "TranslatedText": "TranslatedText",
    "Translations": "TranslateAnswer",
    "Source": "SummarySource",
    "Summarized": "SummarizeAnswer",
    "Job": "JobAnswer",
}


def test_the_results_have_all_fields_that_the_server_describes(server: "Client") -> None:
    schemas = server.get("/openapi.json").json()["components"]["schemas"]
    classes = {
        name: cls
        for name, cls in vars(results).items()
        if dataclasses.is_dataclass(cls) and not name.endswith("Event")
    }
    assert classes.keys() == SCHEMAS.keys()
    for name, cls in classes.items():
        fields = [field.name for field in dataclasses.fields(cls)]
        assert fields == list(schemas[SCHEMAS[name]]["properties"])


def test_what_a_newer_server_adds_is_left_out(server: "Client", call: Caller) -> None:
    document = server.post("/v1/summarize", {"text": TEXT}).json()
    newer = json.loads(json.dumps(document))
    newer["mood"] = newer["usage"]["joules"] = newer["language"]["script"] = {"a": 1}
    newer["warnings"] = [{"code": "brand_new", "severity": "odd", "evidence": "", "more": []}]
    with fake_server(answer(200, json.dumps(newer).encode())) as fake:
        made = call(fake.url, "summarize", TEXT)
    assert made.warnings == (results.ArticleWarning("brand_new", "odd", ""),)
    assert plain(made)["summary"] == document["summary"]
    assert plain(made)["usage"] == document["usage"]


# What goes over the wire.


@pytest.mark.parametrize("key", [None, "kortom_1.geheim"])
def test_the_key_is_a_bearer_token(server: "Client", call: Caller, key: str | None) -> None:
    with fake_server(Passed(server)) as fake:
        call(fake.url, "translate", ["Goedemorgen."], client={"key": key})
    lines = fake.requests[0].split(b"\r\n")
    tokens = [line for line in lines if line.lower().startswith(b"authorization")]
    assert tokens == ([f"Authorization: Bearer {key}".encode()] if key else [])


@pytest.mark.parametrize("key", ["", "a b", "a\r\nX-Other: b", "sleutel\N{SNOWMAN}"])
@pytest.mark.parametrize("client", [Kortom, AsyncKortom])
def test_a_key_that_can_not_stand_in_a_header(client: Any, key: str) -> None:
    with pytest.raises(ValueError, match="key must be") as raised:
        client("http://127.0.0.1:1", key)
    assert not key or key not in str(raised.value)


@pytest.mark.parametrize(
    "address",
    ["", "localhost:8000", "file:///etc/passwd", "http://", "http://[::1", "http://h:port"],
)
@pytest.mark.parametrize("client", [Kortom, AsyncKortom])
def test_an_address_that_is_none(client: Any, address: str) -> None:
    with pytest.raises(ValueError, match="url must begin"):
        client(address)


def test_a_path_prefix_of_a_proxy(call: Caller) -> None:
    with fake_server(problem(404)) as fake:
        refused(call, f"{fake.url}/kortom/", "translate", ["Dag."])
    assert fake.requests[0].startswith(b"POST /kortom/v1/translate HTTP/1.1\r\n")


def test_the_client_loads_nothing_of_the_server() -> None:
    code = "import service.client, sys; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = done.stdout.split()
    ours = {name for name in loaded if name.startswith("service.")}
    assert all(name.startswith("service.client") for name in ours)
    assert not {"torch", "transformers", "ctranslate2", "fastapi", "numpy"} & set(loaded)


# Errors.


@pytest.mark.parametrize(
    ("method", "arguments", "options", "status", "code"),
    [
        ("article", (), {"text": ""}, 422, "text_empty"),
        ("article", (), {"text": "\u200b \u2060"}, 422, "text_empty"),
        ("article", (), {"text": "GEHEIM \ud800"}, 422, "invalid_unicode"),
        ("article", (), {"text": "Dag.", "html": "Dag."}, 422, "validation_error"),
        ("article", (), {"text": "Dag.", "tekst": "Dag."}, 422, "unknown_field"),
        ("article", (), {"text": "Dag.", "bullets": 11}, 422, "validation_error"),
        ("article", (), {"text": 5}, 422, "validation_error"),
        ("article", (), {"text": "GEHEIM " * 400_000}, 413, "content_too_large"),
        ("translate", ([],), {}, 422, "validation_error"),
        ("translate", (["Dag."] * 257,), {}, 413, "too_many_texts"),
        ("summarize", ("",), {}, 422, "text_empty"),
        ("stream", (), {"text": ""}, 422, "text_empty"),
        ("article", (), {"text": "Dag. " * 2000, "deadline_ms": 1}, 504, None),
    ],
)
def test_what_the_server_refuses(
    url: str, call: Caller, method: str, arguments: Any, options: Any, status: int, code: str | None
) -> None:
    error = refused(call, url, method, *arguments, **options)
    assert error.status == status
    assert code in (None, error.code)
    assert error.request_id
    assert error.detail
    assert "GEHEIM" not in str(error)
    assert str(error).startswith(f"{status} {error.code}: ")
    assert call.pauses == []


def test_one_text_is_not_taken_for_a_list_of_letters(call: Caller) -> None:
    with pytest.raises(TypeError, match="list of strings"):
        call("http://127.0.0.1:1", "translate", "Dag.")


def test_an_error_passes_from_one_process_to_another() -> None:
    error = KortomError("overloaded", "no place", status=503, request_id="a", retry_after_seconds=2)
    copied = pickle.loads(pickle.dumps(error))  # noqa: S301
    assert vars(copied) == vars(error)
    assert str(copied) == str(error)


@pytest.mark.parametrize("value", [b"bytes", {1, 2}, float("nan"), float("inf")])
def test_what_is_no_json_is_not_sent(call: Caller, value: Any) -> None:
    with pytest.raises((TypeError, ValueError)):
        call("http://127.0.0.1:1", "article", text=value)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>",
        b"null",
        b"{}",
        b'{"id": "GEHEIM"}',
        b"[" * 100_000,
        b'{"id": 5}',
        b"\xff\xfe",
        b'{"translations": "GEHEIM"}',
    ],
)
@pytest.mark.parametrize("method", ["article", "translate", "summarize"])
def test_an_answer_that_is_none(call: Caller, body: bytes, method: str) -> None:
    arguments = {"article": (), "translate": (["Dag."],), "summarize": ("Dag.",)}[method]
    options = {"text": "Dag."} if method == "article" else {}
    with fake_server(answer(200, body)) as fake:
        error = refused(call, fake.url, method, *arguments, **options)
    assert (error.status, error.code) == (None, "invalid_answer")
    assert "GEHEIM" not in str(error)


def test_an_error_of_something_in_between(call: Caller) -> None:
    with fake_server(answer(502, b"<h1>GEHEIM</h1>", "text/html", X_Request_ID="r1")) as fake:
        error = refused(call, fake.url, "translate", ["Dag."])
    assert (error.status, error.code, error.request_id) == (502, "http_error", "r1")
    assert "GEHEIM" not in str(error)


def test_nobody_is_led_elsewhere(call: Caller) -> None:
    with fake_server(answer(307, b"", Location="http://127.0.0.1:1/")) as fake:
        error = refused(call, fake.url, "translate", ["Dag."], client={"key": "k"})
    assert (error.status, error.code) == (307, "http_error")


# Trying again.


@pytest.mark.parametrize("method", ["article", "stream"])
def test_an_overloaded_server_is_asked_again_when_it_says(
    settings: Settings,
    start_server: Callable[[FastAPI], AbstractContextManager["Client"]],
    call: Caller,
    method: str,
) -> None:
    entered, gate = threading.Event(), threading.Event()

    def shout(sentence: str) -> str:
        if "eerste" in sentence:
            entered.set()
            assert gate.wait(WAIT_SECONDS)
        return sentence.upper()

    small = settings.model_copy(update={"max_queued_requests": 1})
    with start_server(create_app(small, translator=FakeTranslator(shout))) as client:
        url = f"http://127.0.0.1:{client.port}"
        first = threading.Thread(target=client.post, args=("/v1/articles", {"text": "De eerste."}))
        first.start()
        assert entered.wait(WAIT_SECONDS)

        def room() -> None:
            gate.set()
            first.join(WAIT_SECONDS)

        call.in_pause = room
        made = call(url, method, text="De tweede.")
    article = made[-1].article if method == "stream" else made
    assert article.translation.text == "DE TWEEDE."
    (pause,) = call.pauses
    assert pause >= 1


@pytest.mark.parametrize("status", [429, 503])
def test_retries_wait_longer_each_time_and_end(call: Caller, status: int) -> None:
    with fake_server(*[problem(status)] * 5) as fake:
        error = refused(call, fake.url, "translate", ["Dag."])
    assert (error.status, error.code, error.request_id) == (status, "overloaded", "abc")
    for number, pause in enumerate(call.pauses):
        longest = FIRST_BACKOFF_SECONDS * 2**number
        assert longest / 2 <= pause <= longest
    assert len(call.pauses) == 4
    assert len(set(fake.requests)) == 1


def test_callers_refused_together_come_back_apart(call: Caller) -> None:
    for _ in range(4):
        with fake_server(problem(), problem()) as fake:
            refused(call, fake.url, "translate", ["Dag."], client={"retries": 1})
    assert len(set(call.pauses)) == 4


def test_no_retries_are_none(call: Caller) -> None:
    with fake_server(problem()) as fake:
        refused(call, fake.url, "translate", ["Dag."], client={"retries": 0})
    assert call.pauses == []


def soon() -> str:
    return format_datetime(datetime.now(UTC) + timedelta(seconds=20), usegmt=True)


@pytest.mark.parametrize(
    ("retry_after", "least", "most"),
    [
        ("7", 7, 8),
        ("0", 0, 1),
        (soon, 15, 21),
        ("Fri, 01 Jan 1999 00:00:00 GMT", 0, 1),
        ("-5", 0, 1),
        ("soon", 0, 1),
        ("\u00b2", 0, 1),
        ("9" * 400, 0, 1),
        (f"Fri, 01 Jan {'9' * 30} 00:00:00 GMT", 0, 1),
    ],
)
def test_retry_after_is_kept_to(
    call: Caller, retry_after: str | Callable[[], str], least: float, most: float
) -> None:
    value = retry_after if isinstance(retry_after, str) else retry_after()
    with fake_server(problem(Retry_After=value), problem()) as fake:
        refused(call, fake.url, "translate", ["Dag."], client={"retries": 1})
    (pause,) = call.pauses
    assert least <= pause <= most


def test_nobody_waits_for_what_takes_too_long(call: Caller) -> None:
    with fake_server(problem(Retry_After=str(int(MAX_WAIT_SECONDS)))) as fake:
        error = refused(call, fake.url, "translate", ["Dag."])
    assert error.retry_after_seconds == MAX_WAIT_SECONDS
    assert call.pauses == []
    with fake_server(*[problem(Retry_After="25")] * 3) as fake:
        refused(call, fake.url, "translate", ["Dag."])
    assert len(call.pauses) == 2
    assert sum(call.pauses) <= MAX_WAIT_SECONDS


@pytest.mark.parametrize("status", [400, 401, 404, 408, 413, 422, 500, 502, 504])
def test_what_would_fail_again_is_not_tried_again(call: Caller, status: int) -> None:
    with fake_server(problem(status)) as fake:
        assert refused(call, fake.url, "translate", ["Dag."]).status == status
    assert call.pauses == []


@pytest.mark.parametrize("method", ["article", "translate", "summarize"])
def test_a_dropped_connection_is_opened_again(server: "Client", call: Caller, method: str) -> None:
    arguments = {"article": (), "translate": (["Dag."],), "summarize": ("Dag.",)}[method]
    options = {"text": "Dag."} if method == "article" else {}
    with fake_server(b"", b"HTTP/1.1 200", Passed(server)) as fake:
        assert call(fake.url, method, *arguments, **options).id
    assert len(call.pauses) == 2
    assert len(set(fake.requests)) == 1


def test_a_server_that_is_not_there(call: Caller) -> None:
    with fake_server() as fake:
        pass
    error = refused(call, fake.url, "translate", ["Dag."])
    assert (error.status, error.code) == (None, "connection_failed")
    assert len(call.pauses) == 4


def test_an_answer_that_breaks_off_is_not_asked_for_again(server: "Client", call: Caller) -> None:
    with fake_server(Passed(server, length=400)) as fake:
        error = refused(call, fake.url, "article", text=TEXT)
    assert (error.status, error.code) == (None, "incomplete_answer")
    assert call.pauses == []


def test_a_refusal_that_breaks_off_is_not_tried_again(call: Caller) -> None:
    with fake_server(problem()[:-5]) as fake:
        error = refused(call, fake.url, "translate", ["Dag."])
    assert (error.status, error.code) == (None, "incomplete_answer")
    assert call.pauses == []


@pytest.mark.parametrize("begun", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{"])
def test_silence_ends(call: Caller, begun: bytes) -> None:
    with fake_server(Silence(begun)) as fake:
        error = refused(call, fake.url, "translate", ["Dag."], client={"timeout_seconds": 0.2})
    assert (error.status, error.code) == (None, "timeout")
    assert call.pauses == []


@pytest.fixture
def kortom(url: str) -> Iterator[Kortom]:
    with Kortom(url) as kortom:
        yield kortom


def test_threads_share_a_client(server: "Client", kortom: Kortom) -> None:
    texts = [f"Het regent al {number} dagen." for number in range(8)]
    made: dict[str, Any] = {}

    def ask(text: str) -> None:
        made[text] = plain(kortom.translate([text]))

    threads = [threading.Thread(target=ask, args=(text,)) for text in texts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(WAIT_SECONDS)
    for text in texts:
        assert made[text] == answered(server, "/v1/translate", {"texts": [text]})


def test_tasks_share_a_client(server: "Client", url: str) -> None:
    texts = [f"Het regent al {number} dagen." for number in range(8)]

    async def ask() -> Any:
        async with AsyncKortom(url) as kortom:
            return await asyncio.gather(*(kortom.translate([text]) for text in texts))

    for text, made in zip(texts, asyncio.run(ask()), strict=True):
        assert plain(made) == answered(server, "/v1/translate", {"texts": [text]})
