"""The page of a server that wants keys: it asks for one, and keeps it no longer than the tab."""

import io
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing

import docx
import pytest
from axe_playwright_python.sync_playwright import Axe
from browsers import drop
from fakes import FakeTranslator
from fastapi import FastAPI
from playwright.sync_api import Page, expect
from pydantic import SecretStr

from service.app import create_app
from service.keys.store import KeyStore
from service.settings import Settings
from service.storage.database import open_database

TEXT = "De ministers kwamen bijeen."
OTHER_KEY = f"kortom_0123456789ab_{'x' * 43}"


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> str:
    return f"sqlite:///{tmp_path_factory.mktemp('keys') / 'kortom.db'}"


@pytest.fixture(scope="module")
def key(url: str) -> str:
    with closing(open_database(url)) as database:
        return KeyStore(database).create("newsroom")[1]


@pytest.fixture(scope="module")
def keyed(
    settings: Settings,
    start_server: Callable[[FastAPI], AbstractContextManager],
    url: str,
    key: str,
) -> Iterator:
    """A server that wants keys, with a (fake) engine."""
    update = {"require_keys": True, "jobs": False, "database_url": SecretStr(url)}
    app = create_app(settings.model_copy(update=update), translator=FakeTranslator(str.upper))
    with start_server(app) as client:
        yield client


@pytest.fixture
def page(keyed, open_page) -> Page:
    return open_page(keyed.port)


def translate(page: Page) -> None:
    page.fill("#article", TEXT)
    page.click("#translate")


def enter(page: Page, key: str) -> None:
    page.fill("#key", key)
    page.keyboard.press("Enter")


def expect_translation(page: Page) -> None:
    expect(page.locator("#announcer")).to_have_text("The translation is complete.")
    expect(page.locator("#en-s1")).to_have_text(TEXT.upper())


def kept(page: Page) -> list[str]:
    return page.evaluate("Object.values({...sessionStorage})")


def test_the_page_asks_for_a_key_and_translates_with_it(page, key) -> None:
    expect(page.get_by_label("Key", exact=True)).to_be_hidden()
    translate(page)
    expect(page.locator("#message h2")).to_have_text("This server wants a key")
    expect(page.get_by_label("Key", exact=True)).to_be_focused()
    expect(page.locator("#article")).to_have_value(TEXT)
    enter(page, f" {key} ")
    expect_translation(page)
    expect(page.locator("#english-title")).to_be_focused()
    expect(page.locator("#key-form")).to_be_hidden()
    assert key not in page.content()
    assert page.locator("#key").input_value() == ""
    page.click("#forget-key")
    expect(page.locator("#kept-key")).to_be_hidden()
    assert kept(page) == []


def test_the_key_holds_for_this_tab_alone_until_it_is_forgotten(page, key) -> None:
    translate(page)
    enter(page, key)
    expect_translation(page)
    page.reload()
    translate(page)
    expect_translation(page)
    assert kept(page) == [key]
    other = page.context.new_page()
    other.goto(page.url)
    assert kept(other) == []
    expect(other.locator("#kept-key")).to_be_hidden()
    page.click("#forget-key")
    page.click("#composer > summary")
    translate(page)
    expect(page.locator("#message h2")).to_have_text("This server wants a key")


def test_a_document_is_sent_with_the_key_too(page, key) -> None:
    document = docx.Document()
    document.add_paragraph(TEXT)
    file = io.BytesIO()
    document.save(file)
    drop(page, "verslag.docx", file.getvalue())
    page.click("#translate")
    expect(page.locator("#message h2")).to_have_text("This server wants a key")
    enter(page, key)
    expect_translation(page)
    page.click("#forget-key")


@pytest.mark.parametrize("wrong", ["geen sleutel", "sleutel-één", "", OTHER_KEY])
def test_what_is_no_key_is_said_and_not_kept(page, wrong) -> None:
    translate(page)
    enter(page, wrong)
    heading = "This key was refused" if wrong == OTHER_KEY else "This can’t be a key"
    expect(page.locator("#message h2")).to_have_text(heading)
    expect(page.get_by_label("Key", exact=True)).to_be_focused()
    expect(page.locator("#article")).to_have_value(TEXT)
    assert kept(page) == []


def test_axe_finds_nothing_where_a_key_is_asked_for(page) -> None:
    page.emulate_media(reduced_motion="reduce")
    translate(page)
    expect(page.locator("#key-form")).to_be_visible()
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        found = Axe().run(page).response["violations"]
        assert not found, [(rule["id"], [node["html"] for node in rule["nodes"]]) for rule in found]
