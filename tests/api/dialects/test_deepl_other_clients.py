"""Other programs that speak DeepL, unmodified."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import deepl
import pytest
from deep_translator import DeeplTranslator, constants

if TYPE_CHECKING:
    from loopback import Client

DUTCH = "Dat schrijven de twee leiders in een woensdag gepubliceerde verklaring."
ENGLISH = "The two leaders wrote this in a statement published on Wednesday."

NODE = """
import * as deepl from 'deepl-node';
const [url, file, DUTCH] = process.argv.slice(1);
const client = new deepl.DeepLClient('any-key', { serverUrl: url });
const failure = async (call) => {
  try { return await call(); } catch (error) { return [error.constructor.name, error.message]; }
};
const one = await client.translateText(DUTCH, 'nl', 'en-GB');
const many = await client.translateText([DUTCH, DUTCH], null, 'en-US', {
  splitSentences: 'off', preserveFormatting: true, formality: 'prefer_more', context: 'nieuws',
  modelType: 'latency_optimized', ignoreTags: ['x', 'y'], outlineDetection: false,
});
const html = await client.translateText(`<p>${DUTCH}</p>`, 'nl', 'en-US', { tagHandling: 'html' });
const status = await client.translateDocument(file, file.replace('.txt', '.en.txt'), 'nl', 'en-US');
console.log(JSON.stringify({
  one, many, html, billed: status.billedCharacters,
  source: await client.getSourceLanguages(),
  target: await client.getTargetLanguages(),
  usage: (await client.getUsage()).character,
  glossaries: await client.listGlossaries(),
  pairs: await client.getGlossaryLanguagePairs(),
  bad: await failure(() => client.translateText(DUTCH, 'nl', 'de')),
  glossary: await failure(() => client.getGlossary('abc')),
  create: await failure(() => client.createGlossary(
    'mijn', 'nl', 'en', new deepl.GlossaryEntries({ entries: { dag: 'hello' } }))),
}));
"""


def test_deepl_node(demo: "Client", node: Callable[..., str], tmp_path: Path) -> None:
    source = tmp_path / "brief.txt"
    source.write_text(f"{DUTCH}\n", encoding="utf-8")
    url = f"http://127.0.0.1:{demo.port}"
    answer: dict[str, Any] = json.loads(node(NODE, url, str(source), DUTCH))
    assert answer["one"]["text"] == ENGLISH
    assert answer["one"]["detectedSourceLang"] == "nl"
    assert answer["one"]["billedCharacters"] == len(DUTCH)
    assert [made["text"] for made in answer["many"]] == [ENGLISH] * 2
    assert answer["html"]["text"] == f"<p>{ENGLISH}</p>"
    assert (tmp_path / "brief.en.txt").read_text(encoding="utf-8") == f"{ENGLISH}\n"
    assert answer["billed"] == len(DUTCH) + 1
    assert [language["code"] for language in answer["source"]] == ["nl"]
    assert [language["code"] for language in answer["target"]] == ["en-GB", "en-US"]
    assert answer["usage"]["count"] >= 4 * len(DUTCH)
    assert (answer["glossaries"], answer["pairs"]) == ([], [])
    assert answer["bad"][0] == "DeepLError"
    assert "Value for 'target_lang' not supported." in answer["bad"][1]
    assert answer["glossary"][0] == "GlossaryNotFoundError"
    assert "Unsupported glossary" in answer["create"][1]


def test_the_sample_article_as_a_document(
    demo: "Client", sample_article: str, tmp_path: Path
) -> None:
    source, target = tmp_path / "artikel.txt", tmp_path / "article.txt"
    source.write_text(sample_article, encoding="utf-8")
    client = deepl.DeepLClient("any-key", server_url=f"http://127.0.0.1:{demo.port}/")
    status = client.translate_document_from_filepath(source, target, target_lang="EN-GB")
    client.close()
    assert status.billed_characters == len(sample_article)
    english = target.read_text(encoding="utf-8")
    assert len(english.split("\n\n")) == len(sample_article.split("\n\n"))
    assert english != sample_article


def test_deep_translator(demo: "Client", monkeypatch: pytest.MonkeyPatch) -> None:
    """It sends everything in the query of a GET; its address is in a table."""
    url = f"http://127.0.0.1:{demo.port}/{{version}}/"
    monkeypatch.setitem(constants.BASE_URLS, "DEEPL_FREE", url)
    client = DeeplTranslator(api_key="any-key", source="nl", target="en")
    assert client.translate(DUTCH) == ENGLISH
    assert client.translate_batch([DUTCH, DUTCH]) == [ENGLISH] * 2
