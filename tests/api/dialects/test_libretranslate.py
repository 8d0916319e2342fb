"""LibreTranslate's contract: what is asked in each way, and the answer in its own words."""

import json
import logging
import re
import socket
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode, urlsplit

import httpx
import pytest
from fakes import FakeTranslator
from fastapi import FastAPI
from gated_engine import GatedEngine

from service.api.dialects import patience
from service.app import create_app
from service.errors import InferenceError
from service.settings import Settings

if TYPE_CHECKING:
    from loopback import Client, Reply

ROOT = Path(__file__).parents[3]
DUTCH = "Dat schrijven de twee leiders in een woensdag gepubliceerde verklaring."
ENGLISH = "The two leaders wrote this in a statement published on Wednesday."
OTHER_DUTCH = "Beide landen steunen verschillende kampen in het Noord-Afrikaanse land."
OTHER_ENGLISH = "The two countries support different camps in the North African country."
GERMAN = "Die Bundesregierung hat gestern in Berlin über den neuen Haushalt für das Jahr beraten."
SAID_ENGLISH = "The government met yesterday in London to talk about the new budget for next year."
PAIR = {"source": "nl", "target": "en"}
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
MARKER = "GEHEIM"
WAIT_SECONDS = 30.0


def ask(client: "Client", **fields: Any) -> Any:
    """The answer to JSON fields; the pair is nl-en unless they say otherwise."""
    reply = client.post("/translate", PAIR | fields)
    assert reply.status == 200, reply
    assert reply.headers["content-type"] == "application/json"
    return reply.json()


def refuse(client: "Client", status: int = 400, **fields: Any) -> str:
    """The error that JSON fields are answered with; a field of ``...`` is left out."""
    document = {name: value for name, value in (PAIR | fields).items() if value is not ...}
    return error_of(client.post("/translate", document), status)


def error_of(reply: "Reply", status: int) -> str:
    assert reply.status == status, reply
    assert reply.headers["content-type"] == "application/json"
    assert list(reply.json()) == ["error"]
    assert MARKER.encode() not in reply.body
    assert b"Traceback" not in reply.body
    assert len(reply.body) < 1_000
    error: str = reply.json()["error"]
    return error


def send_form(client: "Client", fields: Sequence[tuple[str, str]], query: str = "") -> "Reply":
    body = urlencode(fields).encode()
    return client.send(client.request("POST", f"/translate{query}", body, FORM))


def test_one_text(demo: "Client") -> None:
    assert ask(demo, q=DUTCH) == {"translatedText": ENGLISH}


def test_a_list_of_texts(demo: "Client") -> None:
    assert ask(demo, q=[DUTCH, "", OTHER_DUTCH]) == {"translatedText": [ENGLISH, "", OTHER_ENGLISH]}
    assert ask(demo, q=[DUTCH]) == {"translatedText": [ENGLISH]}


@pytest.mark.parametrize("codes", [("NL", "EN"), ("Nl", "eN"), ("AUTO", "En")])
def test_codes_in_capitals(demo: "Client", codes: tuple[str, str]) -> None:
    assert ask(demo, q=DUTCH, source=codes[0], target=codes[1])["translatedText"] == ENGLISH


def test_a_form_a_query_and_both(demo: "Client") -> None:
    pair = [*PAIR.items(), ("api_key", "a-key"), ("secret", "")]
    expected = {"translatedText": ENGLISH}
    assert send_form(demo, [("q", DUTCH), *pair]).json() == expected
    assert send_form(demo, pair, "?" + urlencode({"q": DUTCH})).json() == expected
    everything = "/translate?" + urlencode([("q", DUTCH), *pair])
    for body in (None, b""):
        assert demo.send(demo.request("POST", everything, body)).json() == expected
    sent = httpx.post(
        f"http://127.0.0.1:{demo.port}/translate",
        files=[(name, (None, value)) for name, value in [("q", DUTCH), *pair]],
        timeout=WAIT_SECONDS,
    )
    assert sent.json() == expected


def test_a_field_that_comes_more_than_once_is_a_list(demo: "Client") -> None:
    reply = send_form(demo, [("q", DUTCH), *PAIR.items(), ("q", OTHER_DUTCH)])
    assert reply.json() == {"translatedText": [ENGLISH, OTHER_ENGLISH]}


def test_line_ends_of_a_form_become_one_kind(demo: "Client") -> None:
    reply = send_form(demo, [("q", "12\r\n34\r56\n"), *PAIR.items()])
    assert reply.json() == {"translatedText": "12\n34\n56"}
    assert ask(demo, q="12\r\n34\n") == {"translatedText": "12\r\n34\n"}


def test_unknown_fields_are_not_looked_at(demo: "Client") -> None:
    assert ask(demo, q=DUTCH, apiKey="", page=None, glossary=[1], é="x") == {
        "translatedText": ENGLISH
    }


def test_html_keeps_its_markup(demo: "Client") -> None:
    html = f'<p class="x">{DUTCH}</p>\n<!-- niet --><script>var x = "één";</script>'
    assert ask(demo, q=html, format="html")["translatedText"] == html.replace(DUTCH, ENGLISH)
    assert ask(demo, q=html, format="html", source="auto")["detectedLanguage"]["language"] == "nl"
    assert ask(demo, q="5 &lt; 6", format="html") == {"translatedText": "5 &lt; 6"}
    assert ask(demo, q=DUTCH, format=None) == ask(demo, q=DUTCH, format="")


def test_a_language_is_named_only_where_it_was_looked_for(demo: "Client") -> None:
    dutch = {"confidence": 100.0, "language": "nl"}
    long = f"{DUTCH} {OTHER_DUTCH}"
    assert ask(demo, q=long, source="auto")["detectedLanguage"] == dutch
    assert ask(demo, q=[long, ""], source="auto")["detectedLanguage"] == [dutch, dutch]
    reply = demo.post("/translate", {"q": long, "source": "auto", "target": "en"})
    assert b'"confidence": 100.0' in reply.body  # a number with a point, as there


def test_english_comes_back_as_it_is(demo: "Client") -> None:
    assert ask(demo, q="Hond.", source="en") == {"translatedText": "Hond."}
    assert ask(demo, q=[SAID_ENGLISH], source="auto") == {
        "translatedText": [SAID_ENGLISH],
        "detectedLanguage": [{"confidence": 100.0, "language": "en"}],
    }


@pytest.mark.parametrize("text", [" ", "...", "12 345", "😀", "\t\n"])
def test_a_text_without_letters_comes_back_as_it_is(demo: "Client", text: str) -> None:
    assert ask(demo, q=text, source="auto") == {
        "translatedText": text,
        "detectedLanguage": {"confidence": 0.0, "language": "en"},
    }


@pytest.mark.parametrize("words", ["Slag op Tripoli", "hallo"])
def test_a_word_of_no_clear_language_is_taken_for_dutch(demo: "Client", words: str) -> None:
    """The first could be Afrikaans as well, the second English."""
    detected = ask(demo, q=words, source="auto")["detectedLanguage"]
    assert detected == {"confidence": 0.0, "language": "nl"}


def test_there_are_no_alternatives(demo: "Client") -> None:
    assert ask(demo, q=DUTCH, alternatives=3) == {"translatedText": ENGLISH, "alternatives": []}
    assert ask(demo, q=[DUTCH, DUTCH], alternatives="10000")["alternatives"] == [[], []]
    for none in (0, -1, "0", None, False):
        assert "alternatives" not in ask(demo, q=DUTCH, alternatives=none)


def test_a_summary_on_request(demo: "Client", sample_article: str) -> None:
    answer = ask(demo, q=sample_article, summary=3)
    assert len(answer["summary"]) == 3
    assert all(bullet in answer["translatedText"] for bullet in answer["summary"])
    assert answer["translatedText"] == ask(demo, q=sample_article)["translatedText"]
    pieces = ask(demo, q=[sample_article, DUTCH], summary="1", source="auto")["summary"]
    assert [len(piece) for piece in pieces] == [1, 1]
    html = ask(demo, q=f"<p>{DUTCH}</p>", format="html", summary=1)
    assert html == {"translatedText": f"<p>{ENGLISH}</p>", "summary": [ENGLISH]}
    english = ask(demo, q=SAID_ENGLISH, source="en", summary=1)
    assert english == {"translatedText": SAID_ENGLISH, "summary": [SAID_ENGLISH]}
    assert "summary" not in ask(demo, q=DUTCH, summary=0)


MISSING = "Invalid request: missing {} parameter"
REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "no q": ({"q": ...}, MISSING.format("q")),
    "empty q": ({"q": ""}, MISSING.format("q")),
    "null q": ({"q": None}, MISSING.format("q")),
    "empty list": ({"q": []}, MISSING.format("q")),
    "no source": ({"source": ...}, MISSING.format("source")),
    "empty source": ({"source": ""}, MISSING.format("source")),
    "no target": ({"target": ...}, MISSING.format("target")),
    "q before source": ({"q": "", "source": "", "target": ""}, MISSING.format("q")),
    "source before target": ({"source": "", "target": ""}, MISSING.format("source")),
    "target before alternatives": (
        {"target": "", "alternatives": "x"},
        MISSING.format("target"),
    ),
    "alternatives": (
        {"alternatives": "x"},
        "Invalid request: alternatives parameter is not a number",
    ),
    "alternatives before the batch": (
        {"q": ["a"] * 300, "alternatives": []},
        "Invalid request: alternatives parameter is not a number",
    ),
    "batch": (
        {"q": ["a" * 300_000, *"abc" * 99], "source": "zz"},
        "Invalid request: request (298) exceeds text limit (256)",
    ),
    "characters before the source": (
        {"q": ["é", "é" * 200_001], "source": "zz"},
        "Invalid request: request (200001) exceeds text limit (200000)",
    ),
    "source before target code": ({"source": "zz", "target": "yy"}, "zz is not supported"),
    "target before format": ({"target": "yy", "format": "md"}, "yy is not supported"),
    "capitals": ({"target": "ZZ"}, "zz is not supported"),
    "format before pair": (
        {"source": "en", "target": "nl", "format": "md"},
        "md format is not supported",
    ),
    "pair": (
        {"source": "en", "target": "nl"},
        "Dutch (nl) is not available as a target language from English (en)",
    ),
    "same language": (
        {"target": "nl"},
        "Dutch (nl) is not available as a target language from Dutch (nl)",
    ),
    "found pair": (
        {"q": SAID_ENGLISH, "source": "auto", "target": "nl"},
        "Dutch (nl) is not available as a target language from English (en)",
    ),
    "found language": ({"q": GERMAN, "source": "auto"}, "de is not supported"),
    "auto as target": ({"target": "auto"}, "auto is not supported"),
    "bullets": ({"summary": 11}, "Invalid request: summary parameter must be <= 10"),
    "no bullets": ({"summary": "x"}, "Invalid request: summary parameter is not a number"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_the_words_and_the_order_of_refusals(demo: "Client", name: str) -> None:
    fields, error = REFUSED[name]
    assert refuse(demo, **({"q": DUTCH} | fields)) == error


def test_a_text_in_the_place_of_a_code_is_not_repeated(demo: "Client") -> None:
    for name in ("source", "target"):
        assert refuse(demo, q="x", **{name: f"{MARKER} woord"}) == f"{name} is not supported"
    assert refuse(demo, q="x", format=f"{MARKER} woord") == "this format is not supported"


def test_the_texts_at_the_limits_are_taken(demo: "Client") -> None:
    assert len(ask(demo, q=["1"] * 256)["translatedText"]) == 256
    assert ask(demo, q="1" * 200_000) == {"translatedText": "1" * 200_000}


def test_detection(demo: "Client") -> None:
    def detect(text: Any) -> Any:
        reply = demo.post("/detect", {"q": text})
        assert reply.status == 200
        return reply.json()

    assert detect(DUTCH)[0]["language"] == "nl"
    assert 0 < detect(DUTCH)[0]["confidence"] <= 100
    assert detect(GERMAN) == [{"confidence": 100.0, "language": "de"}]
    assert detect([DUTCH, OTHER_DUTCH])[0]["language"] == "nl"
    assert detect("...") == [{"confidence": 0.0, "language": "en"}]
    assert error_of(demo.post("/detect", {}), 400) == MISSING.format("q")


def test_what_a_program_can_ask_about_the_server(demo: "Client") -> None:
    """A body, even a broken one, does not matter here."""
    for body, headers in ((None, {}), (b"api_key=K", FORM), (b"{", {})):
        for path, answer in (
            (
                "/languages",
                [
                    {"code": "en", "name": "English", "targets": ["en"]},
                    {"code": "nl", "name": "Dutch", "targets": ["en"]},
                ],
            ),
            ("/health", {"status": "ok"}),
        ):
            reply = demo.send(demo.request("GET", path, body, headers))
            assert (reply.status, reply.json()) == (200, answer)
            assert "access-control-allow-origin" not in reply.headers
    found = demo.get("/frontend/settings").json()
    assert found == {
        "charLimit": 200_000,
        "frontendTimeout": 500,
        "apiKeys": False,
        "keyRequired": False,
        "suggestions": False,
        "filesTranslation": True,
        "supportedFilesFormat": found["supportedFilesFormat"],
        "language": {
            "source": {"code": "auto", "name": "Auto Detect"},
            "target": {"code": "en", "name": "English"},
        },
    }
    assert {".txt", ".html", ".docx", ".pdf"} <= set(found["supportedFilesFormat"])


def test_suggestions_are_not_taken(demo: "Client") -> None:
    reply = demo.post("/suggest", {"q": DUTCH, "s": ENGLISH, **PAIR})
    assert error_of(reply, 403) == "Suggestions are disabled on this server."


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        *((method, "/translate", "POST") for method in ("GET", "PUT", "DELETE", "OPTIONS")),
        ("GET", "/detect", "POST"),
        ("GET", "/suggest", "POST"),
        ("GET", "/translate_file", "POST"),
        ("POST", "/languages", "GET"),
        ("POST", "/health", "GET"),
        ("POST", "/frontend/settings", "GET"),
        ("POST", "/download_file/x", "GET"),
    ],
)
def test_the_wrong_method(demo: "Client", method: str, path: str, allowed: str) -> None:
    reply = demo.send(demo.request(method, path, b"q=x", FORM))
    assert error_of(reply, 405) == f"this path takes {allowed}"
    assert reply.headers["allow"] == allowed


def upload(client: "Client", name: str, data: bytes, **fields: str) -> httpx.Response:
    return httpx.post(
        f"http://127.0.0.1:{client.port}/translate_file",
        files={"file": (name, data)},
        data={name: value for name, value in (PAIR | fields).items() if value},
        timeout=WAIT_SECONDS,
    )


def fetch(client: "Client", answer: httpx.Response) -> "Reply":
    assert answer.status_code == 200, answer.text
    assert list(answer.json()) == ["translatedFileUrl"]
    return client.get(urlsplit(answer.json()["translatedFileUrl"]).path)


@pytest.mark.parametrize(
    ("name", "data", "download", "english"),
    [
        ("artikel.txt", DUTCH, "artikel_en.txt", ENGLISH),
        ("ärtikel 1.MD", f"# {DUTCH}", "rtikel_1_en.md", f"# {ENGLISH}"),
        ("../../etc/passwd.html", f"<p>{DUTCH}", "passwd_en.html", f"<p>{ENGLISH}"),
        ("статья.txt", DUTCH, "file_en.txt", ENGLISH),
    ],
)
@pytest.mark.parametrize("source", ["nl", "auto"])
def test_a_file_comes_back_in_english(
    demo: "Client", name: str, data: str, download: str, english: str, source: str
) -> None:
    answer = upload(demo, name, data.encode(), source=source)
    reply = fetch(demo, answer)
    assert reply.status == 200
    assert reply.body.decode() == english
    assert reply.headers["content-disposition"] == f'attachment; filename="{download}"'
    path = urlsplit(answer.json()["translatedFileUrl"]).path
    assert re.fullmatch(rf"/download_file/[0-9a-f-]{{36}}\.{re.escape(download)}", path)
    assert demo.get(path.replace("download_file/", "download_file/0")).status == 404


def test_a_word_file_comes_back_as_one(demo: "Client", tmp_path: Path) -> None:
    import docx

    document = docx.Document()
    document.add_heading(DUTCH, 1)
    document.save(str(tmp_path / "artikel.docx"))
    answer = upload(demo, "artikel.docx", (tmp_path / "artikel.docx").read_bytes())
    (tmp_path / "article.docx").write_bytes(fetch(demo, answer).body)
    [heading] = docx.Document(str(tmp_path / "article.docx")).paragraphs
    assert (heading.text, heading.style.name) == (ENGLISH, "Heading 1")


@pytest.mark.parametrize(
    ("name", "data", "fields", "error"),
    [
        ("a.txt", DUTCH, {"source": ""}, MISSING.format("source")),
        ("a.txt", DUTCH, {"target": ""}, MISSING.format("target")),
        ("a.exe", DUTCH, {}, "Invalid request: file format not supported"),
        ("a", DUTCH, {}, "Invalid request: file format not supported"),
        ("a.txt", DUTCH, {"source": "zz"}, "zz is not supported"),
        ("a.txt", DUTCH, {"target": "zz"}, "zz is not supported"),
        (
            "a.txt",
            DUTCH,
            {"source": "en", "target": "nl"},
            "Dutch (nl) is not available as a target language from English (en)",
        ),
        (
            "a.txt",
            GERMAN,
            {"source": "auto"},
            "Invalid request: the text looks like de: only Dutch (nl) is translated",
        ),
        ("a.txt", " ", {}, "Invalid request: document.txt: holds no visible text"),
        ("a.docx", MARKER, {}, "Invalid request: document.docx: damaged, or no .docx file"),
    ],
)
def test_a_file_that_is_refused(
    demo: "Client", name: str, data: str, fields: dict[str, str], error: str
) -> None:
    answer = upload(demo, name, data.encode(), **fields)
    assert (answer.status_code, answer.json()) == (400, {"error": error})


def test_a_file_that_is_none(demo: "Client") -> None:
    assert error_of(demo.post("/translate_file", PAIR), 400) == MISSING.format("file")
    nameless = (
        b'--x\r\nContent-Disposition: form-data; name="file"; filename=""\r\n\r\n\r\n'
        b'--x\r\nContent-Disposition: form-data; name="source"\r\n\r\nnl\r\n'
        b'--x\r\nContent-Disposition: form-data; name="target"\r\n\r\nen\r\n--x--\r\n'
    )
    headers = {"Content-Type": "multipart/form-data; boundary=x"}
    reply = demo.send(demo.request("POST", "/translate_file", nameless, headers))
    assert error_of(reply, 400) == "Invalid request: empty file"


@pytest.mark.parametrize("name", ["x", "", "..%2f..%2fetc/passwd", "%00", "a" * 5_000])
def test_a_file_that_is_not_there(demo: "Client", name: str) -> None:
    reply = demo.get(f"/download_file/{name}")
    assert error_of(reply, 404) == "no such file, or none any more"


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Settings of servers with a fake engine: no model is loaded, and there is one place."""
    models = tmp_path_factory.mktemp("models")
    return Settings(profile="light", models_dir=models, max_queued_requests=1, drain_seconds=1)


def test_a_full_queue_says_when_to_come_back(kortom: "Client", engine: GatedEngine) -> None:
    engine.gate.clear()
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(ask, kortom, q="Dag.")
        assert engine.entered.wait(WAIT_SECONDS)
        reply = kortom.post("/translate", {"q": "Goedemorgen.", **PAIR})
        assert error_of(reply, 503) == "every place is taken"
        assert int(reply.headers["retry-after"]) >= 1
        assert kortom.get("/languages").status == 200
        engine.gate.set()
        assert waiting.result(WAIT_SECONDS) == {"translatedText": "DAG."}


def test_whoever_waits_long_hears_something(
    kortom: "Client", engine: GatedEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The headers and white space come before the translation: no client takes it for silence."""
    monkeypatch.setattr(patience, "INTERVAL_SECONDS", 0.05)
    engine.gate.clear()
    body = json.dumps({"q": "Dag.", **PAIR}).encode()
    with kortom.connect() as connection:
        connection.sendall(kortom.request("POST", "/translate", body))
        early = read_until(connection, b"\r\n\r\n1\r\n \r\n")  # a chunk of one space
        assert early.startswith(b"HTTP/1.1 200 ")
        engine.gate.set()
        assert b'{"translatedText": "DAG."}' in read_until(connection, b"\r\n0\r\n\r\n")


def read_until(connection: socket.socket, mark: bytes) -> bytes:
    read = b""
    while mark not in read:
        piece = connection.recv(65_536)
        assert piece, read
        read += piece
    return read


@pytest.mark.parametrize(
    "failure", [InferenceError("the engine failed"), RuntimeError(MARKER), MemoryError(MARKER)]
)
def test_an_engine_that_fails(
    kortom: "Client",
    engine: GatedEngine,
    failure: Exception,
    caplog: pytest.LogCaptureFixture,
) -> None:
    engine.error = failure
    with caplog.at_level(logging.DEBUG):
        reply = kortom.post("/translate", {"q": f"{MARKER} is het woord.", **PAIR})
        engine.error = None
        assert ask(kortom, q="Dag.") == {"translatedText": "DAG."}
    error_of(reply, 500)
    assert type(failure).__name__ in caplog.text
    assert MARKER not in caplog.text


def test_a_request_that_outlives_the_drain(
    small: Settings,
    start_server: Callable[[FastAPI], AbstractContextManager["Client"]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(patience, "INTERVAL_SECONDS", WAIT_SECONDS)
    engine = GatedEngine()
    app = create_app(small, translator=engine.fake)
    engine.entered.clear()
    engine.gate.clear()
    with ThreadPoolExecutor(1) as pool:
        with start_server(app) as client:
            waiting = pool.submit(client.post, "/translate", {"q": "Dag.", **PAIR})
            # The engine goes on when the caller has its answer, and not before.
            waiting.add_done_callback(lambda _: engine.gate.set())
            assert engine.entered.wait(WAIT_SECONDS)
        reply = waiting.result(WAIT_SECONDS)
    assert error_of(reply, 503) == "the server is stopping"
    assert reply.headers["retry-after"] == "5"


def test_it_can_be_switched_off(
    small: Settings,
    start_server: Callable[[FastAPI], AbstractContextManager["Client"]],
) -> None:
    off = small.model_copy(update={"libretranslate": False})
    app = create_app(off, translator=FakeTranslator())
    with start_server(app) as client:
        for path in ("/translate", "/detect", "/translate_file", "/suggest"):
            assert client.post(path, {}).json()["code"] == "not_found"
        for path in ("/languages", "/health", "/frontend/settings", "/download_file/x"):
            assert client.get(path).json()["code"] == "not_found"


def test_the_documented_call_gets_the_documented_answer(
    demo: "Client", shell: Callable[[str], str]
) -> None:
    text = (ROOT / "docs" / "libretranslate.md").read_text(encoding="utf-8")
    [(command, answer)] = re.findall(r"```\n(curl .*?)```\n\n```json\n(.*?)```", text, re.DOTALL)
    assert "127.0.0.1:8000/" in command
    assert json.loads(shell(command.replace(":8000/", f":{demo.port}/"))) == json.loads(answer)
