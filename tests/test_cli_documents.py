"""``kortom translate`` on files as people have them."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import docx
import pytest

from service.cli import main

ROOT = Path(__file__).parents[1]
SENTENCES = (ROOT / "seeds" / "sample-article.nl.txt").read_text(encoding="utf-8").splitlines()
ARTICLE = [line for line in SENTENCES if line.strip()][:3]


@dataclass(frozen=True)
class Done:
    """How the command ended and what it printed."""

    code: int
    out: str
    error: str


@pytest.fixture
def translate(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Callable[..., Done]:
    """``kortom translate`` in this process, with the demo model, in an empty directory."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("KORTOM_MODELS_DIR", str(tmp_path / "models"))
    monkeypatch.setenv("KORTOM_DEVICE", "cpu")

    def run(*arguments: object) -> Done:
        code = main(["translate", "--profile", "demo", *map(str, arguments)])
        printed = capsys.readouterr()
        return Done(code, printed.out, printed.err)

    return run


@pytest.fixture
def document(tmp_path: Path) -> Path:
    """A .docx file of the sample article's first lines, the first as a heading."""
    made = docx.Document()
    made.add_heading(ARTICLE[0], 1)
    for line in ARTICLE[1:]:
        made.add_paragraph(line, style="List Bullet")
    path = tmp_path / "artikel.docx"
    made.save(str(path))
    return path


def test_a_docx_comes_out_as_markdown_with_bullets(
    document: Path, translate: Callable[..., Done]
) -> None:
    done = translate(document, "--bullets", "1")
    assert done.code == 0, done.error
    lines = done.out.splitlines()
    assert lines[0].startswith("# ")
    assert lines[2].startswith("- ")
    assert lines[-1].startswith("* ")


def test_a_docx_comes_out_as_a_docx_with_its_styles(
    document: Path, translate: Callable[..., Done], tmp_path: Path
) -> None:
    before = document.read_bytes()
    output = tmp_path / "article.docx"
    done = translate(document, "--output", output, "--bullets", "1")
    assert done.code == 0, done.error
    assert done.out.strip().startswith("* ")
    assert document.read_bytes() == before
    paragraphs = docx.Document(str(output)).paragraphs
    assert [p.style.name for p in paragraphs] == ["Heading 1", "List Bullet", "List Bullet"]
    assert not {p.text for p in paragraphs} & set(ARTICLE)
    assert all(p.text for p in paragraphs)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["article.docx", "artikel.docx"]


@pytest.mark.parametrize(
    ("name", "arguments", "out"),
    [
        ("a.md", [], "# "),
        ("a.html", [], "<h1>"),
        ("a.txt", ["--format", "markdown"], "# "),
        ("a.txt", ["--format", "html"], "<h1>"),
    ],
)
def test_the_suffix_or_the_flag_says_the_format(
    name: str, arguments: list[str], out: str, translate: Callable[..., Done], tmp_path: Path
) -> None:
    path = tmp_path / name
    mark = {"# ": "# {}\n\n{}", "<h1>": "<h1>{}</h1><p>{}</p>"}[out]
    path.write_text(mark.format(*ARTICLE[:2]), encoding="utf-8")
    done = translate(path, "--json", *arguments)
    assert done.code == 0, done.error
    answer = json.loads(done.out)
    assert answer["translation"]["blocks"][0]["kind"] == "heading"
    assert answer["translation"]["text"].startswith(out)


def test_a_web_page_is_its_article(translate: Callable[..., Done], tmp_path: Path) -> None:
    menu = "".join(f'<li><a href="/{i}">Rubriek {i}</a></li>' for i in range(20))
    text = "".join(f"<p>{line}</p>" for line in ARTICLE)
    (tmp_path / "a.html").write_text(
        f"<!doctype html><html><body><nav><ul>{menu}</ul></nav><main>{text}</main></body></html>"
    )
    done = translate(tmp_path / "a.html")
    assert done.code == 0, done.error
    assert done.out.count("<p>") == len(ARTICLE)
    assert "href" not in done.out
    assert "whole_page" not in done.error


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["artikel.docx", "--output", "artikel.docx"], "artikel.docx: this is the file to"),
        (["artikel.docx", "--output", "link.docx"], "link.docx: this is the file to"),
        (["artikel.docx", "--output", "article.md"], "--output writes a .docx file from a .docx"),
        (["a.txt", "--output", "b.docx"], "--output writes a .docx file from a .docx"),
        (["-", "--output", "b.docx"], "--output writes a .docx file from a .docx"),
        (["artikel.docx", "--output", "no/b.docx"], "no: no such directory"),
        (["artikel.docx", "--output", "map.docx"], "map.docx: this is a directory"),
        (["artikel.docx", "--format", "html"], "artikel.docx: --format is for text"),
        (["artikel.docx", "--format", "text", "--output", "b.docx"], "--format is for text"),
        (["none.docx", "--output", "b.docx"], "none.docx: No such file or directory"),
        (["none.odt"], "none.odt: No such file or directory"),
        (["broken.docx"], "broken.docx: damaged, or no .docx file"),
        (["broken.docx", "--output", "b.docx"], "broken.docx: damaged, or no .docx file"),
        (["long.txt", "--max-article-characters", "9"], "text has 10 characters; at most 9"),
    ],
)  # fmt: skip
def test_what_can_not_be_done_is_one_line_and_writes_nothing(
    arguments: list[str],
    line: str,
    document: Path,
    translate: Callable[..., Done],
    tmp_path: Path,
) -> None:
    Path("broken.docx").write_bytes(document.read_bytes()[:500])
    Path("long.txt").write_text("Tien tekens"[:10])
    Path("a.txt").write_text("Een zin.")
    Path("link.docx").symlink_to(document)
    Path("map.docx").mkdir()
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()}
    done = translate(*arguments)
    assert done.code == 1
    assert "Traceback" not in done.error
    assert line in done.error
    assert done.out == ""
    assert {p.name: p.read_bytes() for p in tmp_path.iterdir() if p.is_file()} == before
