"""Programs that speak LibreTranslate, unmodified, with nothing changed but the address."""

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.error import HTTPError

import pytest
from deep_translator import LibreTranslator
from libretranslate_aio import AsyncLibreTranslate, LibreTranslate, LibreTranslateError, cli
from libretranslatepy import LibreTranslateAPI

if TYPE_CHECKING:
    from loopback import Client

DUTCH = "Dat schrijven de twee leiders in een woensdag gepubliceerde verklaring."
ENGLISH = "The two leaders wrote this in a statement published on Wednesday."
LANGUAGES = [
    {"code": "en", "name": "English", "targets": ["en"]},
    {"code": "nl", "name": "Dutch", "targets": ["en"]},
]


@pytest.fixture
def url(demo: "Client") -> str:
    return f"http://127.0.0.1:{demo.port}"


def test_the_demo_knows_the_sentence(demo: "Client") -> None:
    reply = demo.post("/v1/translate", {"texts": [DUTCH]})
    assert [made["text"] for made in reply.json()["translations"]] == [ENGLISH]


@pytest.mark.parametrize("key", [None, "a-key"])
def test_libretranslatepy(url: str, key: str | None) -> None:
    client = LibreTranslateAPI(f"{url}/", api_key=key)
    assert client.translate(DUTCH, "nl", "en") == ENGLISH
    assert client.detect(DUTCH)[0]["language"] == "nl"
    # This one sends a form with GET.
    assert client.languages() == LANGUAGES
    with pytest.raises(HTTPError) as caught:
        client.translate(ENGLISH, "en", "nl")
    with caught.value as answer:
        assert answer.code == 400
        assert json.load(answer) == {
            "error": "Dutch (nl) is not available as a target language from English (en)"
        }


def test_deep_translator(url: str) -> None:
    """It sends everything in the query, and knows no Dutch."""
    client = LibreTranslator(source="auto", target="en", api_key="a-key", custom_url=f"{url}/")
    assert client.translate(DUTCH) == ENGLISH
    assert client.translate_batch([DUTCH, DUTCH]) == [ENGLISH] * 2


def test_libretranslate_aio(url: str) -> None:
    with LibreTranslate(url) as client:
        assert client.translate(DUTCH, source="nl", target="en").translated_text == ENGLISH
        # A list goes out as a field that comes more than once.
        batch: Any = client.translate([DUTCH, DUTCH], source="auto", target="en", alternatives=3)
        assert batch.translated_text == [ENGLISH] * 2
        assert [language.code for language in client.languages()] == ["en", "nl"]
        assert client.detect(DUTCH)[0].language == "nl"
        with pytest.raises(LibreTranslateError, match="es is not supported"):
            client.translate(DUTCH, source="nl", target="es")


def test_libretranslate_aio_in_a_loop(url: str) -> None:
    async def translate() -> Any:
        async with AsyncLibreTranslate(url) as client:
            return await asyncio.gather(
                *(client.translate(DUTCH, source="nl", target="en") for _ in range(4))
            )

    assert [made.translated_text for made in asyncio.run(translate())] == [ENGLISH] * 4


def test_libretranslate_aio_on_the_command_line(
    url: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert cli.main(["--url", url, "translate", DUTCH, "--target", "en"]) == 0
    assert capsys.readouterr().out == f"{ENGLISH}\n"
    article, output = tmp_path / "artikel.html", tmp_path / "article.html"
    article.write_text(f"<p class=x>{DUTCH}</p>", encoding="utf-8")
    arguments = ["--url", url, "translate-file", str(article), "--target", "en"]
    assert cli.main([*arguments, "--output", str(output)]) == 0
    assert output.read_text(encoding="utf-8") == f"<p class=x>{ENGLISH}</p>"
    capsys.readouterr()
    assert cli.main(["--url", url, "languages"]) == 0
    assert capsys.readouterr().out == "en\tEnglish\nnl\tDutch\n"


def test_libretranslate_on_node(url: str, node: Callable[..., str]) -> None:
    script = """
        import libretranslate from "libretranslate";
        const [apiurl, query] = process.argv.slice(1);
        const ask = (more) => libretranslate.translate({apiurl, query, target: "en", ...more});
        const said = [await ask({source: "nl"}), await ask({}), await ask({format: "html"})];
        const refused = await ask({target: "es"}).catch((error) => error.message);
        console.log(JSON.stringify([...said, refused]));
    """
    assert json.loads(node(script, url, DUTCH)) == [
        *[ENGLISH] * 3,
        "This language was not found/does not exist.",
    ]


def test_translate_on_node(url: str, node: Callable[..., str]) -> None:
    script = """
        import translate from "translate";
        const [url, text] = process.argv.slice(1);
        Object.assign(translate, {engine: "libre", url, key: "a-key", from: "nl"});
        const said = await translate(text, "en");
        const refused = await translate(text, "es").catch((error) => error.message);
        console.log(JSON.stringify([said, refused]));
    """
    assert json.loads(node(script, f"{url}/translate", DUTCH)) == [ENGLISH, "es is not supported"]
