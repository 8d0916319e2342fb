"""What a server counts says nothing about its callers, and is its own."""

from prometheus_client import generate_latest

from service.article.warnings import WarningCode
from service.serving.metrics import REJECTION_REASONS, Metrics

BOUNDED_LABELS = {
    "handler", "method", "status", "model", "code", "reason", "name", "revision", "engine",
    "version", "python", "generation", "state", "outcome",
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
