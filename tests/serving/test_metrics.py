"""What a server counts says nothing about its callers, and is its own."""

import math
from pathlib import Path

import pytest
from prometheus_client import generate_latest

from service.article.warnings import WarningCode
from service.serving.metrics import REJECTION_REASONS, Metrics, memory_limit_bytes

BOUNDED_LABELS = {
    "handler", "method", "status", "model", "code", "reason", "name", "revision", "engine",
    "version", "python", "generation",
}  # fmt: skip


def test_two_servers_in_one_process_count_apart() -> None:
    one, other = Metrics(), Metrics()
    one.source_tokens.inc(7)
    assert one.registry.get_sample_value("kortom_source_tokens_total") == 7
    assert other.registry.get_sample_value("kortom_source_tokens_total") == 0


def test_no_label_can_name_a_caller() -> None:
    names = {
        label
        for instrument in vars(Metrics()).values()
        for label in getattr(instrument, "_labelnames", ())
    }
    assert names <= BOUNDED_LABELS


def test_the_process_and_the_garbage_collector_are_there() -> None:
    text = generate_latest(Metrics().registry).decode()
    for name in ("process_resident_memory_bytes", "process_open_fds", "python_gc_collections"):
        assert f"\n{name}" in text
    assert "_created" not in text


def test_every_reason_and_code_has_a_series_from_the_start() -> None:
    registry = Metrics().registry
    for reason in REJECTION_REASONS:
        assert registry.get_sample_value("kortom_rejected_total", {"reason": reason}) == 0
    for code in WarningCode:
        assert registry.get_sample_value("kortom_warnings_total", {"code": code.value}) == 0


@pytest.mark.parametrize(
    ("limits", "expected"),
    [
        ({}, math.inf),
        ({".": "max\n"}, math.inf),
        ({".": "1000\n"}, 1000),
        ({"pod": "900\n", "pod/box": "max\n"}, 900),
        ({"pod": "900\n", "pod/box": "500\n"}, 500),
        ({"pod": "300\n", "pod/box": "500\n"}, 300),
        ({"elsewhere": "300\n"}, math.inf),
    ],
)
def test_the_memory_limit_is_the_least_of_the_cgroups_around(
    tmp_path: Path, limits: dict[str, str], expected: float
) -> None:
    own = tmp_path / "own"
    own.write_text("4:memory:/elsewhere\n0::/pod/box\n")
    for name, limit in limits.items():
        directory = tmp_path / "cgroups" / name
        directory.mkdir(parents=True, exist_ok=True)
        (directory / "memory.max").write_text(limit)
    assert memory_limit_bytes(own, tmp_path / "cgroups") == expected


def test_a_system_without_cgroups_has_no_memory_limit(tmp_path: Path) -> None:
    assert memory_limit_bytes(tmp_path / "missing", tmp_path) == math.inf
