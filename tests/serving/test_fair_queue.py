"""Whatever callers want, and whoever leaves: all that is wanted is taken once, in fair batches."""

from hypothesis import given
from hypothesis import strategies as st

from service.serving.fair_queue import Caller, FairQueue, Item

ITEMS = st.lists(
    st.builds(Item, st.sampled_from("abcdefgh"), st.sampled_from("xy"), st.integers(1, 6)),
    max_size=8,
    unique_by=lambda item: (item.source, item.lane),
)


@given(st.lists(st.tuples(ITEMS, st.booleans()), max_size=5), st.integers(1, 10))
def test_all_that_somebody_wants_is_taken_once_and_nothing_else(
    calls: list[tuple[list[Item[str]], bool]], max_tokens: int
) -> None:
    queue: FairQueue[str, str] = FairQueue()
    callers = [(Caller[str, str](), items, leaves) for items, leaves in calls]
    tasks = [queue.add(caller, items) for caller, items, _ in callers]
    for (caller, _, leaves), own in zip(callers, tasks, strict=True):
        if leaves:
            queue.remove(caller, own)
    wanted = {(i.source, i.lane) for _, items, leaves in callers if not leaves for i in items}
    assert queue.items == len(wanted)
    taken = []
    while queue.waiting:
        batch = queue.take(max_tokens)
        assert len({task.item.lane for task in batch}) == 1
        assert len(batch) == 1 or sum(task.item.tokens for task in batch) <= max_tokens
        for task in batch:
            taken.append((task.item.source, task.item.lane))
            queue.finish(task, task.item.source.upper())
    assert sorted(taken) == sorted(wanted)
    assert (queue.items, queue.tokens, queue.callers()) == (0, 0, set())
    assert all(c.event.is_set() for c, items, leaves in callers if items and not leaves)


def test_nobody_is_passed_over_though_another_lane_is_full() -> None:
    """Each batch begins with who has waited longest; a crowd in one lane does not keep it."""
    queue: FairQueue[str, str] = FairQueue()
    for number in range(3):
        queue.add(Caller(), [Item(f"{number}-{n}", "crowd", 1) for n in range(20)])
    queue.add(Caller(), [Item("alone", "other", 1)])
    batches = [[task.item.source for task in queue.take(2)] for _ in range(4)]
    assert ["alone"] in batches
