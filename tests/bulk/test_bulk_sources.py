"""What is read: lines of any length, and folders with what people keep in them."""

import io
import json
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.bulk.files import read_lines
from service.bulk.sources import Folder, open_source
from service.errors import ServiceError, StartupError


@given(st.lists(st.binary(max_size=12)), st.integers(1, 8))
def test_lines_are_cut_where_line_feeds_are(pieces: list[bytes], max_bytes: int) -> None:
    data = b"\n".join(pieces)
    lines = list(read_lines(io.BytesIO(data), max_bytes))
    expected = data.split(b"\n")
    if not expected[-1]:
        expected.pop()
    assert [line.data for line in lines if line.is_whole] == [
        piece for piece in expected if len(piece) <= max_bytes
    ]
    assert [line.is_whole for line in lines] == [len(piece) <= max_bytes for piece in expected]
    assert all(line.is_ended for line in lines[:-1])
    assert not lines or lines[-1].is_ended == data.endswith(b"\n")
    assert not lines or lines[-1].end == len(data)


def outcomes(path: Path, max_bytes: int = 2_000) -> dict[str, str]:
    """For each id what is read, or the error's code."""
    found = {}
    with open_source(path, max_bytes) as source:
        for record, _end in source.records():
            try:
                found[record.id] = record.read()
            except ServiceError as error:
                found[record.id] = error.code
    return found


def test_blank_lines_are_no_articles_but_count(tmp_path: Path) -> None:
    path = tmp_path / "in.jsonl"
    path.write_bytes(b'\xef\xbb\xbf{"text": "Ja."}\r\n\r\n \n{"text": "Nee."}')
    assert list(outcomes(path)) == ["1", "4"]


def test_a_line_over_the_limit_is_an_error_and_the_next_is_read(tmp_path: Path) -> None:
    path = tmp_path / "in.jsonl"
    path.write_bytes(b'{"text": "' + b"a" * 10_000_000 + b'"}\n{"text": "Ja."}\n')
    assert outcomes(path) == {"1": "content_too_large", "2": '{"text": "Ja."}'}


def test_a_folder_is_walked_in_order_with_paths_for_ids(tmp_path: Path) -> None:
    for name in ("b.txt", "a/z.md", "a/b.HTML", "B.htm", "a.txt", "photo.jpg", "a/.lock"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("<p>Het regent.</p>", encoding="utf-8")
    with open_source(tmp_path, 100) as source:
        records = list(source.records())
        assert (source.total, source.skipped) == (5, 2)
    assert [record.id for record, _ in records] == ["B.htm", "a/b.HTML", "a/z.md", "a.txt", "b.txt"]
    assert [end for _, end in records] == [1, 2, 3, 4, 5]
    assert [next(iter(json.loads(record.read()))) for record, _ in records] == [
        "html", "html", "markdown", "text", "text",
    ]  # fmt: skip


def test_odd_names_are_articles_too(tmp_path: Path) -> None:
    for name in (b"new\nline.txt", b"caf\xe9.txt", "één (2).txt".encode(), b"'; rm -rf $HOME.txt"):
        (Path(os.fsdecode(os.path.join(os.fsencode(tmp_path), name)))).write_bytes(b"Ja.")  # noqa: PTH118
    assert outcomes(tmp_path) == dict.fromkeys(
        ["'; rm -rf $HOME.txt", "caf\\xe9.txt", "new\nline.txt", "één (2).txt"], '{"text": "Ja."}'
    )


def test_what_can_not_be_read_is_an_error_and_no_loop_is_walked(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "up").symlink_to(tmp_path, target_is_directory=True)
    (tmp_path / "sub" / "fine.txt").write_text("Ja.", encoding="utf-8")
    (tmp_path / "gone.txt").symlink_to(tmp_path / "nowhere")
    (tmp_path / "self.txt").symlink_to(tmp_path / "self.txt")
    (tmp_path / "link.txt").symlink_to(tmp_path / "sub" / "fine.txt")
    (tmp_path / "folder.txt").symlink_to(tmp_path / "sub", target_is_directory=True)
    os.mkfifo(tmp_path / "pipe.txt")
    (tmp_path / "empty.txt").touch()
    (tmp_path / "large.txt").write_bytes(b"a" * 2_001)
    (tmp_path / "photo.txt").write_bytes(b"\x89PNG\x00\x00")
    (tmp_path / "broken.docx").write_bytes(b"PK\x03\x04")
    assert outcomes(tmp_path) == {
        "broken.docx": "validation_error",
        "empty.txt": "text_empty",
        "folder.txt": "unreadable",
        "gone.txt": "unreadable",
        "large.txt": "content_too_large",
        "link.txt": '{"text": "Ja."}',
        "photo.txt": "validation_error",
        "pipe.txt": "unreadable",
        "self.txt": "unreadable",
        "sub/fine.txt": '{"text": "Ja."}',
    }


def test_a_folder_that_can_not_be_read_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "closed").mkdir()
    (tmp_path / "fine.txt").write_text("Ja.", encoding="utf-8")
    listing = Folder._list

    def refuse(self: Folder, folder: Path) -> object:
        if folder.name == "closed":  # root may read everything: nothing real refuses it
            raise PermissionError(13, "Permission denied")
        return listing(self, folder)

    monkeypatch.setattr(Folder, "_list", refuse)
    assert outcomes(tmp_path) == {"closed": "unreadable", "fine.txt": '{"text": "Ja."}'}


def test_an_input_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    with (
        pytest.raises(StartupError, match=r"gone\.jsonl: No such file"),
        open_source(tmp_path / "gone.jsonl", 100),
    ):
        pass
