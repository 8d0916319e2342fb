"""What a person sees and does on the page, in a real browser."""

import io
import json
import re
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import docx
import pytest
from axe_playwright_python.sync_playwright import Axe
from browsers import drop, watched_page
from fastapi import FastAPI
from playwright.sync_api import Page, expect

from service.api.schemas import ArticleAnswer
from service.app import create_app
from service.markdown import side_by_side
from service.settings import Settings

ROOT = Path(__file__).parents[2]
TITLE = "Slag op Tripoli"
STRANGE = (
    "Minister Schouten zei woensdag niet dat 12.500 boeren 3 miljoen euro krijgen.\n\n"
    "De gemeente vergadert op 3 mei over de huizen."
)
"""The demo model does not know it: its translation fails checks."""
HOSTILE = (
    "Dit is <script>alert(1)</script> geen code.\n\n"
    'Een plaatje <img src=x onerror="alert(2)"> ook niet &lt;b&gt;. '
    "[klik](javascript:alert(3)) {{constructor}}"
)
ENGLISH = '[data-sentence][id^="en-"]'
DUTCH = '[data-sentence][id^="nl-"]'


@pytest.fixture(scope="module")
def demo(start_server: Callable[[FastAPI], AbstractContextManager]) -> Iterator:
    """The demo profile, whose model knows the articles of seeds/."""
    with start_server(create_app(Settings(profile="demo", intra_threads=1))) as client:
        yield client


@pytest.fixture
def page(demo, open_page) -> Page:
    return open_page(demo.port)


@pytest.fixture(scope="module")
def sample(demo, browser, sample_article) -> Iterator[Page]:
    """The page with the sample article translated."""
    with watched_page(browser, demo.port) as page:
        translate(page, sample_article, TITLE)
        yield page


@pytest.fixture(scope="module")
def answer(demo, sample_article) -> dict:
    """The plain answer to the sample article."""
    return demo.post("/v1/articles", {"text": sample_article, "title": TITLE}).json()


def translate(page: Page, text: str, title: str = "") -> None:
    """Fill in the form, send it, and wait until all has arrived."""
    page.fill("#title", title)
    page.fill("#article", text)
    page.click("#translate")
    expect(page.locator("#announcer")).to_have_text("The translation is complete.")


def lit(page: Page, language: str) -> list[str]:
    return page.eval_on_selector_all(
        f'.lit[data-sentence][id^="{language}-"]', "all => all.map(one => one.dataset.sentence)"
    )


def without_times(answer: dict) -> dict:
    return {key: answer[key] for key in answer.keys() - {"id", "timing_ms"}}


def test_the_sample_article_is_translated_side_by_side_with_bullets_on_top(sample, answer) -> None:
    expect(sample.locator("#english-title")).to_have_text("Battle for Tripoli")
    expect(sample.locator("#dutch-title")).to_have_text(TITLE)
    assert sample.locator(".bullet-text").all_inner_texts() == [
        bullet["text"] for bullet in answer["summary"]["bullets"]
    ]
    sentences = [s for block in answer["translation"]["blocks"] for s in block["sentences"]]
    for selector, key in ((DUTCH, "source"), (ENGLISH, "target")):
        shown = sample.eval_on_selector_all(selector, "all => all.map(one => one.textContent)")
        assert shown == [sentence[key] for sentence in sentences]
    for pair in sample.locator(".pair").all():
        dutch, english = (pair.locator(f'[lang="{code}"]').bounding_box() for code in ("nl", "en"))
        assert dutch["y"] == english["y"]
        assert dutch["x"] + dutch["width"] <= english["x"]
    bullets, first = (sample.locator(part).first.bounding_box() for part in ("#summary", ".pair"))
    assert bullets["y"] + bullets["height"] <= first["y"]
    expect(sample.locator("#notices")).to_contain_text("demo model")
    expect(sample.locator("#composer")).not_to_have_attribute("open", "")


def test_pointing_at_a_bullet_lights_up_its_sentences_in_both_columns(sample) -> None:
    bullet = sample.locator(".bullet").nth(1)
    bullet.hover()
    sources = bullet.get_attribute("data-sources").split()
    assert lit(sample, "en") == lit(sample, "nl") == sources
    sample.hover("h1")
    assert lit(sample, "en") == []


def test_pointing_at_a_sentence_lights_up_its_partner_and_its_bullets(sample) -> None:
    sample.hover("#nl-s2")
    assert lit(sample, "en") == lit(sample, "nl") == ["s2"]
    assert sample.locator(".bullet.lit").get_attribute("data-sources") == "s2"
    sample.hover("#en-s4")
    assert lit(sample, "en") == lit(sample, "nl") == ["s4"]
    # Not by colour alone.
    style = sample.locator("#nl-s4").evaluate("one => getComputedStyle(one).textDecorationLine")
    assert style == "underline"


def test_the_downloads_are_the_answer_and_its_table(sample, answer) -> None:
    saved = {}
    for name in ("json", "markdown"):
        with sample.expect_download() as download:
            sample.click(f"#save-{name}")
        saved[name] = Path(download.value.path()).read_text(encoding="utf-8")
        assert download.value.suggested_filename.startswith("battle-for-tripoli.")
    downloaded = json.loads(saved["json"])
    assert list(downloaded) == list(answer)
    assert without_times(downloaded) == without_times(answer)
    assert saved["markdown"] == side_by_side(ArticleAnswer.model_validate(downloaded)) + "\n"


@pytest.mark.parametrize("secure", [True, False], ids=["clipboard", "plain HTTP"])
def test_english_and_bullets_can_be_copied(sample, answer, secure) -> None:
    if not secure:
        sample.evaluate("Object.defineProperty(navigator, 'clipboard', {value: undefined})")
    bullets = [f"• {bullet['text']}" for bullet in answer["summary"]["bullets"]]
    sample.evaluate("document.getElementById('composer').open = true")
    for button, text in (
        ("#copy-text", f"{answer['title']}\n\n{answer['translation']['text'].strip()}"),
        ("#copy-bullets", "\n".join(bullets)),
    ):
        sample.evaluate("document.getElementById('announcer').textContent = ''")
        sample.click(button)
        expect(sample.locator("#announcer")).to_have_text("Copied")
        sample.fill("#article", "")
        sample.keyboard.press("Control+V")
        expect(sample.locator("#article")).to_have_value(text)


def test_a_button_clicked_twice_keeps_its_name(sample) -> None:
    sample.evaluate("[window.real, window.timers] = [setTimeout, []]")
    sample.evaluate("void (window.setTimeout = (call) => timers.push(call))")
    try:
        for _ in range(2):
            sample.evaluate("document.getElementById('announcer').textContent = ''")
            sample.click("#copy-text")
            expect(sample.locator("#announcer")).to_have_text("Copied")
        sample.evaluate("timers.forEach((call) => call())")
    finally:
        sample.evaluate("void (window.setTimeout = real)")
    expect(sample.locator("#copy-text")).to_have_text("Copy English")


def test_a_copy_that_failed_is_not_called_one(sample) -> None:
    sample.evaluate("Object.defineProperty(navigator, 'clipboard', {value: undefined})")
    sample.evaluate("document.execCommand = () => false")
    sample.click("#copy-bullets")
    expect(sample.locator("#announcer")).to_have_text("Can’t be copied here")
    sample.evaluate("delete document.execCommand")


def test_everything_can_be_done_by_keyboard(page, sample_article) -> None:
    page.keyboard.press("Tab")
    expect(page.locator(".skip")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#article")).to_be_focused()
    page.keyboard.insert_text(sample_article)
    page.keyboard.press("Control+Enter")
    expect(page.locator("#announcer")).to_have_text("The translation is complete.")
    # The form that held the focus is folded away: the focus is at the top of the answer.
    expect(page.locator("#english-title")).to_be_focused()
    for _ in range(5):  # four buttons, the first bullet
        page.keyboard.press("Tab")
    bullet = page.locator(".bullet").first
    expect(bullet).to_be_focused()
    source = bullet.get_attribute("data-sources").split()[0]
    assert lit(page, "nl") == [source]
    page.keyboard.press("Enter")
    expect(page.locator(f"#en-{source}")).to_be_focused()
    page.keyboard.press("ArrowLeft")
    expect(page.locator(f"#nl-{source}")).to_be_focused()
    page.keyboard.press("ArrowDown")
    following = f"s{int(source[1:]) + 1}"
    expect(page.locator(f"#nl-{following}")).to_be_focused()
    assert lit(page, "en") == [following]
    page.keyboard.press("End")
    expect(page.locator(DUTCH).last).to_be_focused()


def test_a_screen_reader_hears_the_partner_and_the_warnings_of_a_sentence(page) -> None:
    translate(page, STRANGE)
    for element in page.locator("[data-sentence], [data-sources]").all():
        for identifier in element.get_attribute("aria-describedby").split():
            assert page.locator(f"#{identifier}").count() == 1
    described = page.locator("#en-s1").get_attribute("aria-describedby").split()
    assert described[0] == "nl-s1"
    assert "note-s1-number_mismatch" in described
    assert page.locator("#announcer").get_attribute("aria-live") == "polite"


def test_warnings_stand_beside_their_sentences_and_are_counted(demo, page) -> None:
    translate(page, STRANGE)
    answer = demo.post("/v1/articles", {"text": STRANGE}).json()
    found = [
        w for b in answer["translation"]["blocks"] for s in b["sentences"] for w in s["warnings"]
    ]
    everything = (
        found
        + answer["warnings"]
        + [w for bullet in answer["summary"]["bullets"] for w in bullet["warnings"]]
    )
    assert page.locator(".pair .notes li").count() == len(found)
    note = page.locator("#note-s1-number_mismatch")
    expect(note).to_contain_text("Probably wrong: The numbers differ. 12.500")
    assert note.bounding_box()["y"] > page.locator("#en-s1").bounding_box()["y"]
    hard = sum(warning["severity"] == "hard" for warning in everything)
    expect(page.locator("#warnings-counts")).to_contain_text(f"{hard} probably wrong")
    page.click('#warnings [data-goto="s1"]')
    expect(page.locator("#en-s1")).to_be_focused()


def test_the_number_of_a_sentence_does_not_cover_the_dash_of_its_list_item(page) -> None:
    translate(page, "De gemeente vergadert.\n\n- Er komen 12 huizen.\n- Er komt een park.")
    # Where the number begins, to the right of the dash: both are laid out by the paragraph.
    indents = page.eval_on_selector_all(
        ".pair.list_item .sentence",
        "all => all.map(one => getComputedStyle(one, '::before').textIndent)",
    )
    assert indents == ["0px"] * 4


def test_in_forced_colours_only_what_is_marked_or_pointed_at_is_underlined(demo, open_page) -> None:
    """There every line that is drawn is seen, whatever colour it was given."""
    page = open_page(demo.port, forced_colors="active")
    translate(page, STRANGE)
    page.hover("#nl-s1")
    lines = "all => all.map(one => [one.id, getComputedStyle(one).textDecorationLine])"
    assert dict(page.eval_on_selector_all("[data-sentence]", lines)) == {
        "nl-s1": "underline",
        "en-s1": "underline",
        "nl-s2": "none",
        "en-s2": "underline",
    }


def test_every_warning_is_explained() -> None:
    from service.article.warnings import Severity, WarningCode

    words = (ROOT / "service/web/words.js").read_text(encoding="utf-8")
    for name in (*WarningCode, *Severity):
        assert re.search(rf"^  {name}:", words, re.MULTILINE), name


def test_markup_in_an_article_stays_text(page) -> None:
    translate(page, HOSTILE, '<img src=x onerror="alert(4)">')
    shown = page.eval_on_selector_all(DUTCH, "all => all.map(one => one.textContent).join(' ')")
    assert "<script>alert(1)</script>" in shown
    assert '<img src=x onerror="alert(2)">' in shown
    assert page.locator("#result :is(script, img, iframe, style)").count() == 0
    expect(page.locator("#dutch-title")).to_have_text('<img src=x onerror="alert(4)">')


def test_a_dropped_word_file_is_translated_and_can_be_taken_off_again(page) -> None:
    document = docx.Document()
    document.add_heading("Slag op Tripoli", 1)
    file = io.BytesIO()
    document.save(file)
    page.fill("#article", "Wat al getypt was.")
    drop(page, "verslag.docx", file.getvalue())
    expect(page.locator("#attachment")).to_contain_text("verslag.docx")
    page.click("#translate")
    expect(page.locator("#pairs h4")).to_have_text(["Slag op Tripoli", "Battle for Tripoli"])
    page.click("#composer > summary")
    page.click("#detach")
    expect(page.locator("#article")).to_have_value("Wat al getypt was.")
    expect(page.locator("#article")).to_be_visible()


def test_a_damaged_word_file_is_said_in_words(page) -> None:
    drop(page, "verslag.docx", b"PK\x03\x04 damaged")
    page.click("#translate")
    expect(page.locator("#message h2")).to_have_text("The server can’t use this article")
    expect(page.locator("#message")).to_contain_text("damaged, or no .docx file")


def test_the_options_say_how_many_bullets_and_whether_a_headline(page, sample_article) -> None:
    page.fill("#bullets", "1")
    page.check("#headline")
    translate(page, sample_article)
    expect(page.locator(".bullet")).to_have_count(1)
    expect(page.locator("#short-headline")).to_be_visible()
    page.click("#composer > summary")
    page.fill("#bullets", "0")
    page.click("#translate")
    expect(page.locator("#summary")).to_be_hidden()
    expect(page.locator("#copy-bullets")).to_be_disabled()


def assert_accessible(page: Page) -> None:
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        found = Axe().run(page).response["violations"]
        assert not found, [(rule["id"], [node["html"] for node in rule["nodes"]]) for rule in found]


@pytest.mark.parametrize("width", [1280, 390], ids=["desktop", "phone"])
def test_axe_finds_nothing(demo, open_page, width) -> None:
    viewport = {"width": width, "height": 800}
    page = open_page(demo.port, viewport=viewport, reduced_motion="reduce")
    assert_accessible(page)
    translate(page, STRANGE, "Kop")
    page.focus("#en-s1")
    assert_accessible(page)
    page.click("#composer > summary")
    page.fill("#article", "")
    page.click("#translate")
    expect(page.locator("#message h2")).to_be_visible()
    assert_accessible(page)


def test_on_a_phone_english_and_dutch_stand_under_each_other(
    demo, open_page, sample_article
) -> None:
    page = open_page(demo.port, viewport={"width": 360, "height": 740})
    translate(page, sample_article)
    pair = page.locator(".pair").nth(1)
    dutch, english = (pair.locator(f'[lang="{code}"]').bounding_box() for code in ("nl", "en"))
    assert english["y"] + english["height"] <= dutch["y"]
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
