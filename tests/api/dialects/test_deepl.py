"""DeepL's own Python client, unmodified, against Kortom; and what lies behind its back."""

import asyncio
import json
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import deepl
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

WAIT_SECONDS = 30.0
TRANSLATE = "/v2/translate"
GERMAN = "Der Gemeinderat hat am Montag getagt und für die neue Brücke über den Fluss gestimmt."
ENGLISH = "The council met on Monday evening and voted for the new bridge over the river."
DUTCH = "De gemeenteraad vergaderde maandag. Bewoners vroegen om een brug. Die komt er in mei."


@pytest.fixture(scope="module")
def small(settings: Settings) -> Settings:
    """Settings of a server with limits that a test can reach."""
    return settings.model_copy(
        update={"max_article_characters": 2_000, "max_texts_per_request": 60, "repair": False}
    )


def post(client: "Client", **fields: Any) -> "Reply":
    return client.post(TRANSLATE, {"text": ["Dag."], "target_lang": "EN-US"} | fields)


def message(reply: "Reply") -> str:
    assert reply.headers["x-trace-id"] == reply.headers["x-request-id"]
    assert reply.headers["content-type"] == "application/json"
    document = reply.json()
    assert set(document) <= {"message", "detail"}
    return str(document["message"])


def run_cli(client: "Client", *arguments: str) -> subprocess.CompletedProcess[str]:
    address = ["--server-url", f"http://127.0.0.1:{client.port}", "--auth-key", "any"]
    return subprocess.run(
        [sys.executable, "-m", "deepl", *address, *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=WAIT_SECONDS,
    )


# The unmodified client.


def test_a_text(translator: deepl.DeepLClient) -> None:
    result = translator.translate_text("Het regent. Dag.", source_lang="NL", target_lang="EN-GB")
    assert isinstance(result, deepl.TextResult)
    assert result.text == "HET REGENT. DAG."
    assert result.detected_source_lang == "NL"
    assert result.billed_characters == len("Het regent. Dag.")


def test_a_list_in_its_order_with_blanks(translator: deepl.DeepLClient) -> None:
    texts = ["Een.", "", "Twee.\n\nDrie.", "  ", "Een."]
    results = translator.translate_text(texts, target_lang="en-us")
    assert isinstance(results, list)
    assert [result.text for result in results] == ["EEN.", "", "TWEE.\n\nDRIE.", "  ", "EEN."]
    assert [result.billed_characters for result in results] == list(map(len, texts))


def test_the_language_is_found_out(translator: deepl.DeepLClient) -> None:
    results = translator.translate_text([DUTCH, ENGLISH], target_lang="EN-US")
    assert isinstance(results, list)
    assert [result.detected_source_lang for result in results] == ["NL", "EN"]
    assert results[1].text == ENGLISH


@pytest.mark.parametrize("more", [{}, {"extra_body_parameters": {"summary": 1}}])
def test_a_language_that_is_not_served_is_not_guessed_at(
    translator: deepl.DeepLClient, more: dict[str, Any]
) -> None:
    with pytest.raises(deepl.DeepLException, match=r"'source_lang' not supported.*looks like de"):
        translator.translate_text(GERMAN, target_lang="EN-US", **more)
    assert translator.translate_text(GERMAN, source_lang="NL", target_lang="EN-US", **more)


def test_a_language_is_refused_before_anything_is_translated(
    kortom: "Client", engine: GatedEngine
) -> None:
    reply = post(kortom, text=[DUTCH, GERMAN])
    assert (reply.status, message(reply)) == (400, "Value for 'source_lang' not supported.")
    assert not engine.entered.is_set()


def test_every_option_that_changes_nothing(translator: deepl.DeepLClient) -> None:
    result = translator.translate_text(
        "Dag.",
        source_lang="nl",
        target_lang="EN-US",
        context="Een groet.",
        split_sentences=deepl.SplitSentences.NO_NEWLINES,
        preserve_formatting=True,
        formality=deepl.Formality.PREFER_LESS,
        outline_detection=False,
        tag_handling_version="v2",
        model_type=deepl.ModelType.PREFER_QUALITY_OPTIMIZED,
        non_splitting_tags=["b"],
        splitting_tags="p,div",
        ignore_tags=["code"],
        extra_body_parameters={"something_new": {"a": [1]}},
    )
    assert isinstance(result, deepl.TextResult)
    assert result.text == "DAG."


def test_html_keeps_its_markup(translator: deepl.DeepLClient) -> None:
    html = '<p class="a">Dag &amp; <b>nacht</b>.</p><p>Tot <code>X1</code> morgen.<br/></p>'
    result = translator.translate_text(html, target_lang="EN-US", tag_handling="html")
    assert isinstance(result, deepl.TextResult)
    assert result.text == (
        '<p class="a">DAG &amp; <b>NACHT</b>.</p><p>TOT <code>X1</code> MORGEN.<br/></p>'
    )


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"source_lang": "XX", "target_lang": "EN-US"}, "Value for 'source_lang' not supported."),
        ({"source_lang": "XX", "target_lang": "YY"}, "Value for 'source_lang' not supported."),
        ({"source_lang": "EN", "target_lang": "EN-US"}, "Value for 'source_lang' not supported."),
        ({"source_lang": "NL", "target_lang": "DE"}, "Value for 'target_lang' not supported."),
        ({"target_lang": "EN-AU"}, "Value for 'target_lang' not supported."),
        ({"split_sentences": "2"}, "Value for 'split_sentences' not supported."),
        ({"formality": "more"}, "Target language 'EN-US' doesn't support formality."),
        ({"formality": "rude"}, "Value for 'formality' not supported."),
        ({"tag_handling": "xml"}, "Value for 'tag_handling' not supported."),
        (
            {"tag_handling": "html", "ignore_tags": "x"},
            "Value for 'ignore_tags' not supported.",
        ),
        ({"tag_handling": "markdown"}, "Value for 'tag_handling' not supported."),
        ({"model_type": "best"}, "Value for 'model_type' not supported."),
        ({"source_lang": "NL", "glossary": "abc"}, "Value for 'glossary_id' not supported."),
        ({"source_lang": "NL", "glossary_ids": ["a"]}, "Value for 'glossary_ids' not supported."),
        ({"style_rule": "abc"}, "Value for 'style_id' not supported."),
        (
            {"translation_memory": "abc", "translation_memory_threshold": 80},
            "Value for 'translation_memory_id' not supported.",
        ),
        (
            {"custom_instructions": ["Wees kort."]},
            "Value for 'custom_instructions' not supported.",
        ),
        ({"extra_body_parameters": {"summary": 11}}, "Value for 'summary' not supported."),
        ({"extra_body_parameters": {"summary": [1]}}, "Value for 'summary' not supported."),
    ],
)
def test_what_can_not_be_had_is_a_bad_request(
    translator: deepl.DeepLClient, options: dict[str, Any], expected: str
) -> None:
    with pytest.raises(deepl.DeepLException) as failure:
        translator.translate_text("Dag.", **({"target_lang": "EN-US"} | options))
    assert failure.value.http_status_code == 400
    assert f"message: {expected}" in str(failure.value)


def test_languages(translator: deepl.DeepLClient) -> None:
    """The client asks for the targets with a form in the body of a GET."""
    assert [(language.code, language.name) for language in translator.get_source_languages()] == [
        ("NL", "Dutch")
    ]
    targets = translator.get_target_languages()
    assert [language.code for language in targets] == ["EN-GB", "EN-US"]
    assert [language.supports_formality for language in targets] == [False, False]


def test_usage_counts_what_was_translated(translator: deepl.DeepLClient) -> None:
    before = translator.get_usage()
    assert before.character.valid
    assert not before.any_limit_reached
    translator.translate_text(["Dag.", "Goedemorgen."], target_lang="EN-US")
    after = translator.get_usage()
    assert after.character.count == before.character.count + len("Dag.Goedemorgen.")


def test_glossaries_fail_cleanly(translator: deepl.DeepLClient) -> None:
    assert translator.get_glossary_languages() == []
    assert translator.list_glossaries() == []
    assert translator.list_multilingual_glossaries() == []
    with pytest.raises(deepl.DeepLException, match="Unsupported glossary"):
        translator.create_glossary("mijn", "NL", "EN", {"dag": "hello"})
    for call in (
        translator.get_glossary,
        translator.get_glossary_entries,
        translator.delete_glossary,
        translator.get_multilingual_glossary,
        translator.delete_multilingual_glossary,
    ):
        with pytest.raises(deepl.GlossaryNotFoundException):
            call("0a1b")


def test_too_much_is_refused(translator: deepl.DeepLClient) -> None:
    for texts in (["Dag."] * 61, ["Dag. " * 500]):
        with pytest.raises(deepl.DeepLException) as failure:
            translator.translate_text(texts, target_lang="EN-US")
        assert failure.value.http_status_code == 413


def test_a_slow_translation_is_asked_for_once(
    translator: deepl.DeepLClient, engine: GatedEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The client would ask again; white space keeps it waiting."""
    monkeypatch.setattr(patience, "INTERVAL_SECONDS", 0.05)
    monkeypatch.setattr(deepl.http_client, "min_connection_timeout", 3.0)  # its documented setting
    batches = len(engine.fake.batches)
    engine.gate.clear()
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(translator.translate_text, "Langzaam.", target_lang="EN-US")
        assert engine.entered.wait(WAIT_SECONDS)
        with pytest.raises(TimeoutError):
            waiting.result(3.5)
        engine.gate.set()
        result = waiting.result(WAIT_SECONDS)
    assert isinstance(result, deepl.TextResult)
    assert result.text == "LANGZAAM."
    assert len(engine.fake.batches) == batches + 1


def test_a_late_failure_is_an_error_and_not_an_empty_translation(
    translator: deepl.DeepLClient, engine: GatedEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun = threading.Event()

    class Begun(patience._PatientResponse):
        def __init__(self, task: asyncio.Future[Any]) -> None:
            super().__init__(task)
            begun.set()

    monkeypatch.setattr(patience, "INTERVAL_SECONDS", 0.02)
    monkeypatch.setattr(patience, "_PatientResponse", Begun)
    engine.gate.clear()
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(translator.translate_text, "Langzaam.", target_lang="EN-US")
        assert begun.wait(WAIT_SECONDS)
        engine.error = InferenceError("the model failed")
        engine.gate.set()
        with pytest.raises(deepl.DeepLException):
            waiting.result(WAIT_SECONDS)


def test_the_command_line(kortom: "Client") -> None:
    done = run_cli(kortom, "text", "--from", "NL", "--to", "EN-GB", "Het regent.", "Dag.")
    assert (done.returncode, done.stdout.splitlines()) == (0, ["HET REGENT.", "DAG."])
    done = run_cli(kortom, "languages")
    assert done.returncode == 0
    assert "NL: Dutch" in done.stdout
    assert "EN-US: English (American)" in done.stdout
    done = run_cli(kortom, "usage")
    assert done.returncode == 0
    assert "Characters:" in done.stdout


# The wire.


def form(client: "Client", pairs: Sequence[tuple[str, str]], method: str = "POST") -> "Reply":
    return client.send(
        client.request(
            method,
            TRANSLATE,
            urlencode(pairs).encode(),
            {"Content-Type": "application/x-www-form-urlencoded"},
        )
    )


@pytest.mark.parametrize("way", ["form", "query", "GET query", "GET form", "query and form"])
def test_every_way_to_send_fields(kortom: "Client", way: str) -> None:
    pairs = [
        ("text", "Ja & nee."),
        ("text", "Dag."),
        ("target_lang", "en-us"),
        ("auth_key", "any"),
        ("show_billed_characters", "1"),
        ("preserve_formatting", "0"),
    ]
    match way:
        case "form":
            reply = form(kortom, pairs)
        case "GET form":
            reply = form(kortom, pairs, "GET")
        case "query and form":
            request = kortom.request(
                "POST",
                f"{TRANSLATE}?{urlencode(pairs[2:])}",
                urlencode(pairs[:2]).encode(),
                {"Content-Type": "application/x-www-form-urlencoded"},
            )
            reply = kortom.send(request)
        case _:
            method = "GET" if way.startswith("GET") else "POST"
            reply = kortom.send(kortom.request(method, f"{TRANSLATE}?{urlencode(pairs)}"))
    assert reply.status == 200
    assert reply.headers["x-trace-id"] == reply.headers["x-request-id"]
    assert reply.json() == {
        "translations": [
            {
                "detected_source_language": "NL",
                "text": "JA & NEE.",
                "billed_characters": len("Ja & nee."),
            },
            {"detected_source_language": "NL", "text": "DAG.", "billed_characters": 4},
        ]
    }


def test_one_text_need_not_be_a_list(kortom: "Client") -> None:
    assert post(kortom, text="Dag.").json()["translations"][0]["text"] == "DAG."


@pytest.mark.parametrize("key", [{}, {"Authorization": "DeepL-Auth-Key any:fx"}])
def test_keys_are_taken(kortom: "Client", key: dict[str, str]) -> None:
    assert kortom.get("/v2/usage", **key).status == 200
    assert kortom.get("/v2/usage?auth_key=any", **key).status == 200


def test_languages_by_query(kortom: "Client") -> None:
    assert len(kortom.get("/v2/languages?type=target").json()) == 2
    assert len(kortom.get("/v2/languages").json()) == 1
    reply = kortom.get("/v2/languages?type=both")
    assert reply.status == 400
    assert message(reply).startswith("Parameter 'type' is invalid.")


def test_the_order_of_checks(kortom: "Client") -> None:
    """The first field that is wrong is the one that is named."""
    wrong: dict[str, Any] = {
        "source_lang": "XX",
        "target_lang": "YY",
        "text": [],
        "glossary_id": "abc",
        "split_sentences": "9",
        "preserve_formatting": "9",
        "formality": "more",
        "tag_handling": "9",
        "outline_detection": "9",
        "summary": "99",
    }
    right: dict[str, Any] = {"source_lang": "NL", "target_lang": "EN", "text": ["Dag."]}
    seen = []
    while wrong:
        reply = kortom.post(
            TRANSLATE, wrong | {name: right[name] for name in seen if name in right}
        )
        assert reply.status == 400
        text = message(reply)
        [name] = [name for name in wrong if name in text]
        assert name == next(iter(wrong))
        del wrong[name]
        seen.append(name)


def test_bullets_of_each_text(kortom: "Client") -> None:
    reply = post(kortom, text=[DUTCH, "Dag.", ""], summary=2)
    assert reply.status == 200
    answers = reply.json()["translations"]
    assert [len(answer["summary"]) for answer in answers] == [2, 1, 0]
    assert [answer["text"] for answer in answers] == [DUTCH.upper(), "DAG.", ""]
    assert all(bullet in DUTCH.upper() for bullet in answers[0]["summary"])
    for wanted, bullets in ((True, 3), ("1", 1), ("true", 3)):
        [answer] = post(kortom, text=[DUTCH], summary=wanted).json()["translations"]
        assert len(answer["summary"]) == bullets
    for wanted in (False, 0, "0", None, ""):
        [answer] = post(kortom, text=[DUTCH], summary=wanted).json()["translations"]
        assert "summary" not in answer


def test_the_routes_can_be_switched_off(
    settings: Settings, start_server: Callable[[FastAPI], AbstractContextManager["Client"]]
) -> None:
    app = create_app(settings.model_copy(update={"deepl": False}), translator=FakeTranslator())
    with start_server(app) as client:
        for path in (TRANSLATE, "/v2/usage", "/v2/languages", "/v2/document"):
            assert client.post(path, {}).status == 404


def test_a_place_that_is_not_free_is_said_to_be_taken(
    settings: Settings,
    start_server: Callable[[FastAPI], AbstractContextManager["Client"]],
) -> None:
    engine = GatedEngine()
    narrow = settings.model_copy(update={"max_queued_requests": 1})
    with start_server(create_app(narrow, translator=engine.fake)) as client:
        engine.entered.clear()
        engine.gate.clear()
        with ThreadPoolExecutor(1) as pool:
            waiting = pool.submit(post, client)
            assert engine.entered.wait(WAIT_SECONDS)
            reply = post(client)
            engine.gate.set()
            assert waiting.result(WAIT_SECONDS).status == 200
    assert reply.status == 503
    assert int(reply.headers["retry-after"]) > 0
    assert message(reply) == "every place is taken"


def test_a_model_that_fails(kortom: "Client", engine: GatedEngine) -> None:
    engine.error = InferenceError("the model failed")
    reply = post(kortom)
    assert reply.status == 500
    assert message(reply) == "the model failed"
    engine.error = None
    assert post(kortom).status == 200


@pytest.mark.parametrize(
    ("path", "method", "allowed"),
    [
        (TRANSLATE, "PUT", "GET, POST"),
        ("/v2/document", "GET", "POST"),
        ("/v2/glossary-language-pairs", "POST", "GET"),
    ],
)
def test_another_method(kortom: "Client", path: str, method: str, allowed: str) -> None:
    reply = kortom.send(kortom.request(method, path, b"{}"))
    assert reply.status == 405
    assert sorted(reply.headers["allow"].split(", ")) == sorted(allowed.split(", "))
    assert allowed.split(", ")[0] in message(reply)


def test_head_of_languages(kortom: "Client") -> None:
    reply = kortom.send(kortom.request("HEAD", "/v2/languages"))
    assert (reply.status, reply.body) == (200, b"")


def test_json_answers_are_utf_8(kortom: "Client") -> None:
    reply = post(kortom, text=["Café."])
    assert "CAFÉ." in reply.body.decode("utf-8")
    assert json.loads(reply.body)["translations"][0]["text"] == "CAFÉ."
