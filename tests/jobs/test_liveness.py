"""Who is taken for dead: whose counter was seen to stand still, by this process's own clock."""

from hypothesis import given
from hypothesis import strategies as st

from service.jobs.liveness import SilentLeases

LEASE_SECONDS = 3.0


def test_a_counter_that_stands_still_is_found() -> None:
    silent = SilentLeases(LEASE_SECONDS)
    for second in range(3):
        assert silent.find({"a": 7, "b": second}, began=second, ended=second) == []
    assert silent.find({"a": 7, "b": 3}, began=3, ended=3) == ["a"]


def test_a_slow_answer_is_held_against_nobody() -> None:
    """Its counters may be as old as the question, or as new as the answer."""
    silent = SilentLeases(LEASE_SECONDS)
    assert silent.find({"a": 7}, began=0, ended=2.5) == []
    assert silent.find({"a": 7}, began=3, ended=5) == []
    assert silent.find({"a": 7}, began=5.5, ended=5.5) == ["a"]


def test_after_a_pause_it_begins_anew() -> None:
    """The database may have been away for the others as well."""
    silent = SilentLeases(LEASE_SECONDS)
    assert silent.find({"a": 7}, began=0, ended=0) == []
    assert silent.find({"a": 7}, began=100, ended=100) == []


@given(st.lists(st.tuples(st.floats(0, 2), st.floats(0, 2), st.booleans()), max_size=20))
def test_whoever_renews_in_time_is_never_found(
    looks: list[tuple[float, float, bool]],
) -> None:
    """However the looks fall, who was seen with a new counter within the lease is alive."""
    silent = SilentLeases(LEASE_SECONDS)
    now, renewals, changed_at = 0.0, 0, 0.0
    for pause, answer_seconds, renewed in looks:
        began = now + pause
        if renewed:
            renewals, changed_at = renewals + 1, began
        now = began + answer_seconds
        found = silent.find({"a": renewals}, began=began, ended=now)
        if began - changed_at < LEASE_SECONDS:
            assert found == []
