"""What a line becomes: hostile lines are rows, too."""

import json
from collections.abc import Iterator

import pytest
from fakes import FakeTranslator

from service.api.articles import Articles
from service.bulk.rows import make_row, read_record
from service.errors import InferenceError, StartupError
from service.loading import load_pipeline
from service.serving.work import Work
from service.settings import Settings


@pytest.fixture(scope="module")
def articles() -> Iterator[Articles]:
    loaded = load_pipeline(Settings(profile="demo"), translator=FakeTranslator(str.upper))
    yield Articles(loaded.pipeline, loaded.models)
    loaded.close()


def test_an_article_is_a_row_with_the_answer_of_the_api(articles: Articles) -> None:
    record = read_record(b'\xef\xbb\xbf{"id": "a/1", "title": "Kop", "text": "Het regent."}\r', 1)
    row = make_row(record, articles.translate, Work())
    found = json.loads(row.line)
    assert list(found) == ["id", "article", "error"]
    assert (found["id"], found["error"], row.is_error) == ("a/1", None, False)
    assert found["article"]["title"] == "KOP"
    assert found["article"]["translation"]["text"] == "HET REGENT."
    assert row.line.count(b"\n") == 1
    assert row.line.endswith(b"}\n")


def test_without_an_id_the_number_of_the_line_is_the_id(articles: Articles) -> None:
    row = make_row(read_record(b'{"text": "Het regent."}', 17), articles.translate, Work())
    assert json.loads(row.line)["id"] == "17"
    assert not row.is_error


@pytest.mark.parametrize(
    ("line", "name", "code"),
    [
        (b"Het regent.", "5", "malformed_json"),
        (b'{"text": "Het regent."', "5", "malformed_json"),
        (b'{"text": "Het regent."} {}', "5", "malformed_json"),
        (b"\x00", "5", "malformed_json"),
        (b'{"id": "a", "text": "caf\xe9"}', "5", "malformed_json"),
        (b'{"id": "a", "text": "\xed\xa0\x80"}', "5", "malformed_json"),
        (b'{"id": "a", "text": NaN}', "5", "malformed_json"),
        (b"[" * 100_000, "5", "too_deep"),
        (b'{"id": "a", "id": "b", "text": "Ja."}', "5", "duplicate_key"),
        (b'["Het regent."]', "5", "validation_error"),
        (b"null", "5", "validation_error"),
        (b'{"id": 7, "text": "Ja."}', "5", "id_invalid"),
        (b'{"id": "a\\nb", "text": "Ja."}', "5", "id_invalid"),
        (b'{"id": "\\ud800", "text": "Ja."}', "5", "id_invalid"),
        (b'{"id": "a"}', "a", "validation_error"),
        (b'{"id": "a", "text": "\\ud800"}', "a", "invalid_unicode"),
        (b'{"id": "a", "text": " \\u200b"}', "a", "text_empty"),
        (b'{"id": "a", "tekst": "Ja.", "text": "Ja."}', "a", "unknown_field"),
    ],
)
def test_what_is_no_article_is_an_error_that_quotes_nothing(
    articles: Articles, line: bytes, name: str, code: str
) -> None:
    row = make_row(read_record(line, 5), articles.translate, Work())
    found = json.loads(row.line)
    assert row.is_error
    assert (found["id"], found["article"]) == (name, None)
    assert found["error"]["code"] == code
    assert "regent" not in row.line.decode()


def test_a_bug_is_one_article_s_error(caplog: pytest.LogCaptureFixture) -> None:
    def translate(request: str, _work: Work) -> str:
        raise KeyError(request)

    row = make_row(read_record(b'{"id": "a", "text": "Het regent."}', 1), translate, Work())
    assert json.loads(row.line)["error"]["code"] == "internal_error"
    assert b"regent" not in row.line
    assert "KeyError" in caplog.text
    assert "regent" not in caplog.text


def test_what_is_not_the_article_s_fault_is_no_row() -> None:
    def translate(_request: str, _work: Work) -> str:
        raise StartupError("no more") from InferenceError("the engine failed")

    with pytest.raises(StartupError, match="no more"):
        make_row(read_record(b'{"text": "Ja."}', 1), translate, Work())
