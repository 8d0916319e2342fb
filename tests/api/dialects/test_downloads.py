"""Translated files that wait to be fetched."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.api.dialects.downloads import Downloads
from service.errors import ContentTooLarge, NotFound


class Clock:
    """A fake clock, in seconds."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_file_can_be_fetched_until_its_time_is_over() -> None:
    clock = Clock()
    downloads = Downloads(max_age_seconds=60, clock=clock)
    first = downloads.add("a.txt", b"1")
    clock.now = 30
    second = downloads.add("a.txt", b"2")
    clock.now = 60
    assert [downloads.get(first), downloads.get(first), downloads.get(second)] == [b"1", b"1", b"2"]
    clock.now = 61
    assert downloads.get(second) == b"2"
    with pytest.raises(NotFound):
        downloads.get(first)


def test_the_name_alone_fetches_nothing() -> None:
    downloads = Downloads()
    secret = downloads.add("a.txt", b"1")
    assert secret.endswith(".a.txt")
    assert secret != downloads.add("a.txt", b"1")
    for guess in ("a.txt", "", secret.upper(), secret[:-1]):
        with pytest.raises(NotFound):
            downloads.get(guess)


def test_a_file_that_is_too_large_drives_no_other_out() -> None:
    downloads = Downloads(max_bytes=10)
    secret = downloads.add("a.txt", b"1")
    with pytest.raises(ContentTooLarge):
        downloads.add("b.txt", bytes(11))
    assert downloads.get(secret) == b"1"


@given(st.lists(st.integers(0, 10), max_size=20))
def test_the_newest_files_that_fit_are_kept(sizes: list[int]) -> None:
    downloads = Downloads(max_files=4, max_bytes=20)
    secrets = [downloads.add("a.txt", bytes(size)) for size in sizes]
    kept = []
    for secret, size in zip(secrets, sizes, strict=True):
        try:
            assert downloads.get(secret) == bytes(size)
            kept.append(size)
        except NotFound:
            assert not kept  # the oldest went first
    assert len(kept) <= 4
    assert sum(kept) <= 20
    dropped = sizes[: len(sizes) - len(kept)]
    assert not dropped or len(kept) == 4 or sum(kept) + dropped[-1] > 20
