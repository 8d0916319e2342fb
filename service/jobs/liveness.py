"""Which other runners are dead, told by this process's own clock alone."""

from collections.abc import Mapping


class SilentLeases:
    """Finds the leases whose counters stand still.

    Args:
        lease_seconds: silence after which the holder is taken for dead.
    """

    def __init__(self, lease_seconds: float) -> None:
        self._lease_seconds = lease_seconds
        self._seen: dict[str, tuple[int, float]] = {}  # the counter, and since when it stands
        self._looked = float("-inf")

    def find(self, renewals: Mapping[str, int], *, began: float, ended: float) -> list[str]:
        """Look at all counters; to be called several times within the seconds of a lease.

        After a longer pause, as when the database was away, it begins anew: the others may have
        been kept from it as well.

        Args:
            renewals: the others' counters, by lease.
            began: when the database was asked, in seconds of a monotonic clock.
            ended: when it had answered; the counters are of a moment between both.

        Returns:
            The leases that were not renewed for at least ``lease_seconds``.
        """
        if began - self._looked > 2 * self._lease_seconds / 3:
            self._seen.clear()
        self._looked = ended
        self._seen = {
            lease: seen if (seen := self._seen.get(lease)) and seen[0] == count else (count, ended)
            for lease, count in renewals.items()
        }
        return [
            lease
            for lease, (_, since) in self._seen.items()
            if began - since >= self._lease_seconds
        ]
