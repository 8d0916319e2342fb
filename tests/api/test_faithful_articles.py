"""Formats, glossary, languages and warnings over HTTP, by an engine that fakes its English."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any

import pytest
from fakes import FakeTranslator
from fastapi import FastAPI

from service.api.schemas import (
    ArticleAnswer,
    BulletAnswer,
    SummaryAnswer,
    TranslationAnswer,
    WarningAnswer,
)
from service.app import create_app
from service.article.document import Document
from service.article.warnings import ArticleWarning, WarningCode
from service.cli import _warnings
from service.markdown import side_by_side
from service.settings import Settings
from service.summarization.summarizer import Bullet

if TYPE_CHECKING:
    from loopback import Client

ENGLISH = {
    "De Tweede Kamer stemde maandag in Den Haag.": "The second chamber voted Monday in The Hague.",
    "Tweede Kamer": "Second Chamber",
    "Slag op Tripoli": "Battle of Tripoli",
    "Volgens Jan de Vries kost het 12.500 euro.": (
        "According to Jan de Vries it costs 12.500 euros."
    ),
    "Gebruik pip install foo om te beginnen.": "Use pip install foo to begin.",
}
HTML = (
    '<article class="nieuws"><h1>Slag op <em>Tripoli</em></h1>\n'
    "<!-- niet vertalen --><p>Volgens <a href='/v?a=1&amp;b=2'>Jan de Vries</a> kost het "
    "<b>12.500</b> euro.</p><script>var kop = '<p>Slag op Tripoli</p>';</script></article>"
)


@pytest.fixture(scope="module")
def engine() -> FakeTranslator:
    return FakeTranslator(lambda sentence: ENGLISH.get(sentence, f"Fake: {len(sentence)}"))


@pytest.fixture(scope="module")
def client(
    engine: FakeTranslator,
    settings: Settings,
    start_server: Callable[[FastAPI], AbstractContextManager["Client"]],
) -> Iterator["Client"]:
    with start_server(create_app(settings, translator=engine)) as client:
        yield client


def sentences(answer: Any) -> list[Any]:
    return [s for block in answer["translation"]["blocks"] for s in block["sentences"]]


def codes(thing: Any) -> list[str]:
    return [warning["code"] for warning in thing["warnings"]]


def test_html_keeps_everything_but_the_words(client: "Client", engine: FakeTranslator) -> None:
    answer = client.post("/v1/articles", {"html": HTML}).json()
    assert answer["translation"]["text"] == (
        '<article class="nieuws"><h1>Battle of <em>Tripoli</em></h1>\n'
        "<!-- niet vertalen --><p>According to <a href='/v?a=1&amp;b=2'>Jan de Vries</a> it costs "
        "<b>12,500</b> euros.</p><script>var kop = '<p>Slag op Tripoli</p>';</script></article>"
    )
    assert not any("var kop" in seen or "niet vertalen" in seen for seen in engine.seen)
    first, second = sentences(answer)
    assert first["source"] == "Slag op Tripoli"
    assert HTML[first["start"] : first["end"]] == "Slag op <em>Tripoli</em>"
    assert second["target"] == "According to Jan de Vries it costs 12,500 euros."
    assert answer["page"] is None


def test_markdown_keeps_everything_but_the_words(client: "Client") -> None:
    text = "# Slag op *Tripoli*\n\n> Gebruik `pip install foo` om te beginnen.\n"
    answer = client.post("/v1/articles", {"markdown": text}).json()
    assert answer["translation"]["text"] == (
        "# Battle of *Tripoli*\n\n> Use `pip install foo` to begin.\n"
    )
    assert [b["kind"] for b in answer["translation"]["blocks"]] == ["heading", "quote"]


def test_markup_whose_words_are_not_there_is_left_out_and_reported(client: "Client") -> None:
    html = '<p>Het <a href="/kabinet">kabinet</a> viel.</p>'
    answer = client.post("/v1/articles", {"html": html}).json()
    [sentence] = sentences(answer)
    assert "markup_dropped" in codes(sentence)
    [warning] = [w for w in sentence["warnings"] if w["code"] == "markup_dropped"]
    assert warning == {
        "code": "markup_dropped", "severity": "soft", "evidence": '<a href="/kabinet">',
    }  # fmt: skip
    assert "<a" not in answer["translation"]["text"]


@pytest.mark.parametrize(
    "body",
    [{}, {"text": "Dag.", "html": "<p>Dag.</p>"}, {"html": "a", "markdown": "b"}, {"title": "Dag"}],
)
def test_exactly_one_field_holds_the_article(client: "Client", body: dict[str, str]) -> None:
    reply = client.post("/v1/articles", body)
    assert reply.status == 422
    assert reply.json()["code"] == "validation_error"


@pytest.mark.parametrize("html", ["<p></p>", "<!-- -->", "<script>x</script>", "<", "</p>", "<p"])
def test_html_without_words_comes_back_as_it_is(client: "Client", html: str) -> None:
    answer = client.post("/v1/articles", {"html": html}).json()
    assert answer["translation"]["text"] == html
    assert answer["summary"]["bullets"] == []


def test_a_term_of_the_request_holds_and_its_place_is_reported(client: "Client") -> None:
    body = {
        "text": "De Tweede Kamer stemde maandag in Den Haag.",
        "glossary": {"Tweede Kamer": "House of Representatives"},
    }
    answer = client.post("/v1/articles", body).json()
    [sentence] = sentences(answer)
    assert sentence["target"] == "The House of Representatives voted Monday in The Hague."
    assert sentence["terms"] == [{"term": "Tweede Kamer", "start": 4, "end": 28}]
    assert answer["usage"]["extra_decodes"] == 1


@pytest.mark.parametrize(
    "glossary",
    [{"": "a"}, {"a": ""}, {"a": "b\nc"}, {"a" * 201: "b"}, {"geheim": "\x00"}, {"!": "b"}],
)
def test_a_bad_glossary_is_refused_without_repeating_it(
    client: "Client", glossary: dict[str, str]
) -> None:
    for route, body in (
        ("/v1/articles", {"text": "Dag."}),
        ("/v1/translate", {"texts": ["Dag."]}),
    ):
        reply = client.post(route, {**body, "glossary": glossary})
        assert reply.status == 422
        assert reply.json()["code"] == "glossary_invalid"
        assert b"geheim" not in reply.body


def test_auto_refuses_what_is_neither_dutch_nor_english(client: "Client") -> None:
    german = "Der Gemeinderat hat am Montag getagt und für die neue Brücke gestimmt, sagte er."
    reply = client.post("/v1/articles", {"text": german, "source_language": "auto"})
    assert reply.status == 422
    assert reply.json()["code"] == "language_not_served"
    assert b"Gemeinderat" not in reply.body
    answer = client.post("/v1/articles", {"text": german}).json()
    assert codes(answer) == ["source_language_suspect"]
    assert answer["warnings"][0]["evidence"] == "de"


def test_an_english_article_is_left_alone(client: "Client", engine: FakeTranslator) -> None:
    english = "The council met on Monday evening. It voted for the new bridge over the river.\n"
    engine.batches.clear()
    answer = client.post("/v1/articles", {"text": english, "source_language": "auto"}).json()
    assert answer["translation"]["text"] == english
    assert codes(answer) == ["already_english"]
    assert engine.seen == []


def test_texts_may_be_html_or_markdown(client: "Client") -> None:
    for format, text, expected in (
        ("html", "<h1>Slag op <i>Tripoli</i></h1>", "<h1>Battle of <i>Tripoli</i></h1>"),
        ("markdown", "# Slag op _Tripoli_", "# Battle of _Tripoli_"),
        ("text", "Slag op Tripoli", "Battle of Tripoli"),
    ):
        answer = client.post("/v1/translate", {"texts": [text], "format": format}).json()
        assert [made["text"] for made in answer["translations"]] == [expected]


def test_the_length_of_html_is_that_of_its_words(
    settings: Settings,
    engine: FakeTranslator,
    start_server: Callable[[FastAPI], AbstractContextManager["Client"]],
) -> None:
    small = settings.model_copy(update={"max_article_characters": 100})
    with start_server(create_app(small, translator=engine)) as client:
        long_markup = f'<p style="{"x" * 500}">Slag op Tripoli</p>'
        assert client.post("/v1/articles", {"html": long_markup}).status == 200
        reply = client.post("/v1/articles", {"html": f"<p>{'woord ' * 30}</p>"})
        assert reply.status == 413
        assert reply.json()["code"] == "content_too_large"
        assert client.post("/v1/translate", {"texts": ["Dag.", "woord " * 30]}).status == 413


@pytest.mark.parametrize(
    ("field", "text"),
    [("html", "<b>a</b>" * 60_000), ("markdown", "- a\n" * 110_000), ("html", "<" * 110_000)],
)
def test_a_body_of_nothing_but_markup_is_refused_before_it_is_read(
    client: "Client", field: str, text: str
) -> None:
    reply = client.post("/v1/articles", {field: text})
    assert reply.status == 413
    assert reply.json()["code"] == "content_too_large"
    assert reply.json()["detail"].startswith(f"{field} has ")


def test_html_in_markdown_is_translated(client: "Client") -> None:
    text = '<p align="center">Slag op <b>Tripoli</b></p>\n\n# Slag op Tripoli\n'
    answer = client.post("/v1/articles", {"markdown": text}).json()
    assert answer["translation"]["text"] == (
        '<p align="center">Battle of <b>Tripoli</b></p>\n\n# Battle of Tripoli\n'
    )


class FakeAbstractive:
    """Writes one bullet that the article carries and one that it does not; a fake, no model."""

    method = "abstractive"
    engine = "fake"

    def summarize(
        self,
        document: Document,
        bullets: int,
        *,
        max_words: int | None = None,  # noqa: ARG002 - what it writes is short
        checkpoint: Callable[[], None] = lambda: None,
    ) -> list[Bullet]:
        checkpoint()
        first = next(document.sentences())
        warnings = (ArticleWarning(WarningCode.SOURCE_ELSEWHERE, "Arnhem"),)
        bullet = Bullet("A bullet that was written.", (first.id,), 0.8, warnings, written=True)
        return [bullet][:bullets]


ENGLISH_TEXT = (
    "The council of Arnhem voted for a new bridge over the river on Monday. Work begins in May. "
    "Residents asked for a cycle path, and the alderman promised to look for the money."
)


def test_without_a_model_for_it_abstractive_is_refused(client: "Client") -> None:
    for route, body in (
        ("/v1/articles", {"text": "Dag.", "summary": {"method": "abstractive"}}),
        ("/v1/summarize", {"text": ENGLISH_TEXT, "method": "abstractive"}),
    ):
        reply = client.post(route, body)
        assert reply.status == 422
        assert reply.json()["code"] == "method_not_served"


def test_a_summary_has_a_headline_and_keeps_its_word_limit(client: "Client") -> None:
    body = {"text": ENGLISH_TEXT, "bullets": 2, "max_words": 9, "headline": True}
    summary = client.post("/v1/summarize", body).json()["summary"]
    assert summary["method"] == "extractive"
    assert len(summary["bullets"]) == 2
    assert all(len(bullet["text"].split()) <= 9 for bullet in summary["bullets"])
    assert 1 <= len(summary["headline"].split()) <= 12
    plain = client.post("/v1/summarize", {"text": ENGLISH_TEXT}).json()["summary"]
    assert plain["headline"] is None


def test_the_translated_title_is_the_headline(client: "Client") -> None:
    body = {
        "title": "Slag op Tripoli",
        "text": "De Tweede Kamer stemde maandag in Den Haag.",
        "summary": {"headline": True},
    }
    assert client.post("/v1/articles", body).json()["summary"]["headline"] == "Battle of Tripoli"


def test_written_bullets_come_with_their_warnings_and_extracts_on_request(
    settings: Settings,
    engine: FakeTranslator,
    start_server: Callable[[FastAPI], AbstractContextManager["Client"]],
) -> None:
    with start_server(
        create_app(settings, translator=engine, summarizer=FakeAbstractive())
    ) as client:
        answer = client.post("/v1/summarize", {"text": ENGLISH_TEXT}).json()
        assert answer["summary"]["method"] == "abstractive"
        [bullet] = answer["summary"]["bullets"]
        assert bullet["sources"] == ["s1"]
        assert bullet["warnings"] == [
            {"code": "source_elsewhere", "severity": "soft", "evidence": "Arnhem"}
        ]
        body = {"text": ENGLISH_TEXT, "method": "extractive"}
        extract = client.post("/v1/summarize", body).json()["summary"]
        assert extract["method"] == "extractive"
        assert all(bullet["support"] == 1 for bullet in extract["bullets"])


@pytest.mark.parametrize(
    "options", [{"max_words": 4}, {"max_words": 101}, {"bullets": 0}, {"headline": "yes"}]
)
def test_summary_options_out_of_range_are_refused(client: "Client", options: Any) -> None:
    assert client.post("/v1/summarize", {"text": ENGLISH_TEXT, **options}).status == 422


def test_what_is_wrong_with_the_title_is_said(client: "Client") -> None:
    body = {"title": "Kabinet geeft 12.500 euro", "text": "Slag op Tripoli", "summary": None}
    answer = client.post("/v1/articles", body).json()
    assert "number_mismatch" in codes(answer)


def test_warnings_of_bullets_are_printed() -> None:
    warning = WarningAnswer(
        code=WarningCode.BULLET_REPLACED, severity="notice", evidence="unsupported"
    )
    answer = ArticleAnswer.model_construct(
        title=None,
        warnings=[],
        translation=TranslationAnswer(text="", blocks=None),
        summary=SummaryAnswer(
            method="abstractive",
            headline=None,
            bullets=[
                BulletAnswer(
                    text="A.", sources=["s1"], support=1, written=False, warnings=[warning]
                )
            ],
        ),
    )
    assert list(_warnings(answer)) == ["bullet 1: bullet_replaced (unsupported)"]
    assert "A. (s1) ⚠ bullet_replaced" in side_by_side(answer)
