"""The methods of a gateway for what was sent to the target "lambed:local"."""

from collections.abc import Iterable

from lambed import _native
from lambed._results import DeadLetter, Redrive, dead_letter


class DeadLetters:
    """The part of Gateway that keeps dead letters: in memory, at most 10,000 of them with 64 MB."""

    def _own(self) -> _native.Gateway:
        raise NotImplementedError

    def list_dead_letters(self, function: str = "", *, after: str = "", limit: int = 100) -> list[DeadLetter]:
        """Without payloads, oldest first; of one function when it is named. `after` is the id that the page before ended with."""
        return [dead_letter(members) for members in self._own().list_dead_letters(function, after, limit)]

    def get_dead_letter(self, id: str) -> DeadLetter:
        """Raises ResourceNotFoundException when there is none of that id."""
        return dead_letter(self._own().get_dead_letter(id))

    def redrive_dead_letters(self, ids: Iterable[str] | None = None, *, function: str = "") -> Redrive:
        """Sends the events again, as they were called, and takes out of the table what was accepted.

        Those named by `ids`; without any those of `function`; with neither all. What was a success is left alone. Waits until
        each is accepted or refused.
        """
        named = None if ids is None else list(ids)
        if named is not None and not named:
            return Redrive(redriven=0, failed=0, failures=[])
        return Redrive(**self._own().redrive_dead_letters(named or [], function))

    def purge_dead_letters(self, ids: Iterable[str] | None = None, *, function: str = "") -> int:
        """Throws dead letters away, chosen as by `redrive_dead_letters`, and answers how many there were."""
        named = None if ids is None else list(ids)
        if named is not None and not named:
            return 0
        return self._own().purge_dead_letters(named or [], function)
