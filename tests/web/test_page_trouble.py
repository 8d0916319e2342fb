"""When something goes wrong, the page says what, and the article is still there."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

import pytest
from browsers import Line, drop, watched_page
from fakes import FakeTranslator
from fastapi import FastAPI
from playwright.sync_api import Page, Request, expect

from service.app import create_app
from service.errors import InferenceError
from service.settings import Settings

PARAGRAPHS = [f"Dit is alinea nummer {number} van het lange bericht." for number in range(200)]
ARTICLE = "\n\n".join(PARAGRAPHS)
SHORT = "De ministers kwamen bijeen."
WAIT_SECONDS = 20


class Gate:
    """Lets sentences pass until one of them holds ``word``; that one waits until it is opened."""

    def __init__(self, word: str) -> None:
        self._word = word
        self.reached = threading.Event()
        self.open = threading.Event()

    def __call__(self, sentence: str) -> str:
        if self._word in sentence:
            self.reached.set()
            assert self.open.wait(WAIT_SECONDS)
        return sentence.upper()


@pytest.fixture
def gated(
    settings: Settings, start_server: Callable[[FastAPI], AbstractContextManager]
) -> Iterator:
    """A server with one place, whose (fake) engine stops at paragraph 40 until told to go on."""
    gate = Gate("nummer 40 ")
    translator = FakeTranslator(gate)
    app = create_app(settings.model_copy(update={"max_queued_requests": 1}), translator=translator)
    with start_server(app) as client:
        client.gate, client.translator = gate, translator
        try:
            yield client
        finally:
            gate.open.set()


def send(page: Page, text: str) -> None:
    page.fill("#article", text)
    page.click("#translate")


def expect_message(page: Page, heading: str, *words: str, text: str) -> None:
    """The message that is shown, and the article that is still in the form."""
    expect(page.locator("#message h2")).to_have_text(heading)
    for part in words:
        expect(page.locator("#message")).to_contain_text(part)
    expect(page.locator("#article")).to_have_value(text)


def test_an_engine_that_fails_is_said_in_words(settings, start_server, open_page) -> None:
    def fail(sentence: str) -> str:
        if "ministers" in sentence:
            raise InferenceError("the engine failed")
        return sentence

    with start_server(create_app(settings, translator=FakeTranslator(fail))) as client:
        page = open_page(client.port)
        send(page, SHORT)
        expect_message(
            page, "The server failed on this article", "still in the form", "Request ", text=SHORT
        )
        expect(page.locator("#composer")).to_have_attribute("open", "")
        expect(page.locator("#progress")).to_be_hidden()


def test_a_busy_server_says_when_to_try_again(gated, open_page) -> None:
    blocking = open_page(gated.port)
    send(blocking, ARTICLE)
    assert gated.gate.reached.wait(WAIT_SECONDS)
    page = open_page(gated.port)
    with page.expect_response("**/v1/articles") as refusal:
        send(page, SHORT)
    assert refusal.value.status == 503
    assert int(refusal.value.headers["retry-after"]) > 0
    expect_message(page, "The server is busy", "ry again", text=SHORT)
    expect(page.locator("#message .wait")).to_have_text("You can try again now.")
    gated.gate.open.set()
    expect(blocking.locator("#announcer")).to_have_text("The translation is complete.")
    page.click("#again")
    expect(page.locator("#en-s1")).to_contain_text(SHORT.upper())
    expect(page.locator("#message")).to_be_empty()


def test_stop_ends_the_work_on_the_server_and_keeps_what_arrived(gated, open_page) -> None:
    page = open_page(gated.port)
    send(page, ARTICLE)
    expect(page.locator("#en-s1")).to_contain_text(PARAGRAPHS[0].upper())
    assert gated.gate.reached.wait(WAIT_SECONDS)
    expect(page.locator("#progress")).to_contain_text("so far")
    page.click("#stop")
    expect_message(page, "Stopped", "What has arrived stays below", text=ARTICLE)
    expect(page.locator("#en-s1")).to_be_visible()
    expect(page.locator("#english-title")).to_be_focused()
    expect(page.locator("#save-json")).to_be_disabled()
    gated.gate.open.set()
    # The one place is free again as soon as the server knows: what was left is never translated.
    page.click("#composer > summary")
    page.fill("#article", SHORT)
    send_until_free(page, "#translate")
    expect(page.locator("#en-s1")).to_contain_text(SHORT.upper())
    assert PARAGRAPHS[-1] not in gated.translator.seen


def test_who_reads_on_stays_there_when_the_rest_arrives(gated, open_page) -> None:
    page = open_page(gated.port, viewport={"width": 390, "height": 700}, reduced_motion="reduce")
    send(page, ARTICLE)
    expect(page.locator("#en-s20")).to_be_visible()
    expect(page.locator("#stop")).to_be_focused()
    page.locator("#en-s20").scroll_into_view_if_needed()
    before = page.evaluate("scrollY")
    assert before > 1_000
    gated.gate.open.set()
    expect(page.locator("#announcer")).to_have_text("The translation is complete.")
    expect(page.locator("#english-title")).to_be_focused()
    expect(page.locator("#en-s20")).to_be_in_viewport()


def send_until_free(page: Page, button: str) -> None:
    """Press the button until the server's one place is free."""
    for _ in range(50):
        with page.expect_response("**/v1/articles") as answer:
            page.click(button)
        if answer.value.ok:
            return


def test_a_line_that_breaks_in_mid_stream_keeps_what_arrived(gated, open_page) -> None:
    with Line(gated.port) as line:
        page = open_page(line.port)
        send(page, ARTICLE)
        expect(page.locator("#en-s1")).to_contain_text(PARAGRAPHS[0].upper())
        assert gated.gate.reached.wait(WAIT_SECONDS)
        line.cut()
        expect_message(page, "The connection was lost", "not complete", "stays below", text=ARTICLE)
        expect(page.locator("#en-s1")).to_contain_text(PARAGRAPHS[0].upper())
        gated.gate.open.set()
        send_until_free(page, "#again")
        expect(page.locator("#announcer")).to_have_text("The translation is complete.")
        expect(page.locator("#english-title")).to_be_focused()
        assert page.locator(".pair").count() == len(PARAGRAPHS)


def test_a_server_that_is_gone_is_said_in_words(settings, start_server, open_page) -> None:
    with start_server(create_app(settings, translator=FakeTranslator())) as client:
        page = open_page(client.port)
    send(page, SHORT)
    expect_message(page, "The server can’t be reached", "still in the form", text=SHORT)


@contextmanager
def nothing_sent(page: Page) -> Iterator[None]:
    sent: list[str] = []

    def note(request: Request) -> None:
        sent.append(request.method)

    page.on("request", note)
    yield
    page.remove_listener("request", note)
    assert "POST" not in sent


@pytest.fixture(scope="module")
def shared_page(server, browser) -> Iterator[Page]:
    with watched_page(browser, server.port) as page:
        yield page


@pytest.fixture
def page(shared_page) -> Page:
    """The page with its form empty."""
    shared_page.unroute_all()
    shared_page.evaluate("document.getElementById('composer').open = true")
    shared_page.click("#clear")
    return shared_page


def type_when_limits_are_known(page: Page, text: str) -> None:
    page.fill("#article", text)
    expect(page.locator("#article-size")).to_contain_text("of at most 200,000")


def test_a_paste_of_ten_megabytes_is_refused_and_the_typed_text_stays(page) -> None:
    type_when_limits_are_known(page, SHORT)
    page.evaluate("navigator.clipboard.writeText('Tien megabyte. '.repeat(700_000))")
    page.focus("#article")
    with nothing_sent(page):
        page.keyboard.press("Control+V")
        expect_message(
            page, "This is too large for this server", "10.5 MB; at most 2 MB", text=SHORT
        )


def test_an_article_over_the_limit_is_refused_before_it_is_sent(page) -> None:
    article = "Dat is lang. " * 20_000
    type_when_limits_are_known(page, SHORT)
    with nothing_sent(page):
        send(page, article)
        expect_message(
            page,
            "The article is too long for this server",
            "260,000 characters; at most 200,000",
            "Nothing was sent",
            text=article,
        )


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("foto.jpg", b"\xff\xd8\xff\xe0\x00\x10JFIF\x00\x01"),
        ("verslag.txt", b"\x7fELF\x02\x01\x01\x00"),
        ("bericht.doc", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1\x00\x00"),
    ],
)
def test_a_binary_file_is_refused_in_words(page, name, data) -> None:
    page.fill("#article", SHORT)
    with nothing_sent(page):
        drop(page, name, data)
        expect_message(
            page, "This file can’t be used", f"{name} is not text", "is as it was", text=SHORT
        )


@pytest.mark.parametrize(
    ("name", "data", "text", "format"),
    [
        ("a.txt", "Eén café.".encode(), "Eén café.", "text"),
        ("a.txt", "Eén café.".encode("utf-16"), "Eén café.", "text"),
        ("oud.txt", "Eén café: „ja”.".encode("cp1252"), "Eén café: „ja”.", "text"),
        ("a.md", b"# Kop", "# Kop", "markdown"),
        ("a.html", "<meta charset=iso-8859-2><p>Łódź".encode("iso-8859-2"),
         "<meta charset=iso-8859-2><p>Łódź", "html"),
        ("zonder", b"<p>Een alinea.</p>", "<p>Een alinea.</p>", "auto"),
    ],
)  # fmt: skip
def test_a_dropped_text_lands_in_the_form(page, name, data, text, format) -> None:
    drop(page, name, data)
    expect(page.locator("#article")).to_have_value(text)
    expect(page.locator("#format")).to_have_value(format)


def test_pasted_web_text_keeps_its_markup_if_wanted(page) -> None:
    copied = {
        "text/plain": "Kop\n\nTekst",
        "text/html": "<html><body><!--StartFragment--><h1>Kop</h1><p>Tekst</p><!--EndFragment-->",
    }

    def paste() -> None:
        page.fill("#article", "")
        page.evaluate(
            """(flavours) => navigator.clipboard.write([new ClipboardItem(flavours)])""", copied
        )
        page.focus("#article")
        page.keyboard.press("Control+V")

    paste()
    expect(page.locator("#article")).to_have_value(copied["text/plain"])
    page.check("#paste-html")
    paste()
    expect(page.locator("#article")).to_have_value("<h1>Kop</h1><p>Tekst</p>")
    expect(page.locator("#format")).to_have_value("html")


@pytest.mark.parametrize(
    ("text", "format"),
    [
        ("Gewone tekst met 1 < 2 en <b>vet</b>.", "plain text"),
        ("Kijk: <script>alert(1)</script> en <img src=x onerror=1>", "plain text"),
        ("- een punt\n- nog een punt", "plain text"),
        ("<!doctype html><title>x</title>Tekst", "HTML"),
        ("<article><p>Tekst</p></article>", "HTML"),
        ("# Kop\n\nTekst", "Markdown"),
        ("Een [link](https://nos.nl) en **vet**.", "Markdown"),
    ],
)
def test_the_format_is_detected_and_said(page, text, format) -> None:
    page.fill("#article", text)
    expect(page.locator("#article-size")).to_contain_text(f"characters, {format}")


def test_an_empty_form_is_not_sent(page) -> None:
    with nothing_sent(page):
        page.click("#translate")
        expect(page.locator("#message h2")).to_have_text("There is no article yet")


def test_on_a_low_screen_the_message_is_in_sight_though_the_form_has_the_focus(
    server, open_page
) -> None:
    page = open_page(server.port, viewport={"width": 667, "height": 375}, reduced_motion="reduce")
    page.click("#translate")
    expect(page.locator("#message h2")).to_be_in_viewport()
    expect(page.locator("#article")).to_be_focused()


def test_what_the_server_refuses_is_said_in_its_words(page) -> None:
    invisible = "\u200b\u200b\u200b"
    send(page, invisible)
    expect_message(page, "The server can’t use this article", "no visible text", text=invisible)


def test_a_proxy_that_answers_in_html_is_understood(page) -> None:
    page.route("**/v1/articles", lambda route: route.fulfill(status=502, body="<h1>Bad</h1>"))
    send(page, SHORT)
    expect_message(page, "The server is busy", "still in the form", text=SHORT)


def stream_of(*events: tuple[str, dict]) -> str:
    return "".join(f"event: {name}\ndata: {json.dumps(data)}\n\n: \n\n" for name, data in events)


BLOCK = ("block", {"index": 0, "kind": "paragraph", "sentences": []})


def answer_with(page: Page, *events: tuple[str, dict]) -> None:
    page.route(
        "**/v1/articles",
        lambda route: route.fulfill(content_type="text/event-stream", body=stream_of(*events)),
    )
    send(page, SHORT)


def test_an_error_in_mid_stream_is_the_problem_that_it_says(page) -> None:
    problem = {"status": 504, "code": "deadline_exceeded", "detail": "too late", "instance": "r1"}
    answer_with(page, BLOCK, ("error", problem))
    expect_message(page, "It took too long", "Too late.", "stays below", "Request r1", text=SHORT)


def test_a_stream_that_ends_early_is_no_whole_answer(page) -> None:
    answer_with(page, BLOCK)
    expect_message(page, "The connection was lost", "not complete", "stays below", text=SHORT)
    expect(page.locator("#save-json")).to_be_disabled()


def test_a_server_that_falls_silent_is_given_up(gated, open_page) -> None:
    page = open_page(gated.port)
    page.clock.install()
    send(page, ARTICLE)
    assert gated.gate.reached.wait(WAIT_SECONDS)
    expect(page.locator("#en-s1")).to_be_visible()
    page.clock.fast_forward(36_000)
    expect_message(page, "The connection was lost", "stays below", text=ARTICLE)
