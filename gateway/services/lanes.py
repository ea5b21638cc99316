"""Bulkheads of a worker: an account that answers slowly, or not at all, keeps a few threads and never all of them."""

from collections import Counter, deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from datetime import datetime, timedelta

from gateway.domain.order import Task


class Lanes:
    """
    Which tasks of a worker run, and which wait because their account has all the threads it may have.

    Tasks without an account ask nobody outside and have no lane. Used by the worker's own thread alone.
    """

    def __init__(self, *, threads: int, per_account: int) -> None:
        self._threads = threads
        self._per_account = per_account
        self._running: dict[Future[None], str | None] = {}
        self._waiting: deque[Task] = deque()

    def free(self) -> int:
        """How many more tasks may be taken; those that wait hold no thread."""
        self._running = {future: account for future, account in self._running.items() if not future.done()}
        return self._threads - len(self._running)

    def busy(self) -> Sequence[str]:
        """Accounts of which no more tasks may be taken."""
        held = Counter(account for account in self._running.values() if account is not None)
        held.update(task.account for task in self._waiting if task.account is not None)
        return sorted(account for account, count in held.items() if count >= self._per_account)

    def take(self, tasks: Sequence[Task]) -> None:
        """Keep claimed tasks; a claimed task is due again when its lease ends."""
        self._waiting.extend(tasks)

    def ready(self, now: datetime, *, needs: timedelta = timedelta()) -> Iterator[Task]:
        """
        Those that may run now; one whose lease has run out is no longer ours and is forgotten.

        Args:
            needs: So long a task may run: one whose lease has less left would still run when another worker has it.
        """
        held = Counter(self._running.values())
        waiting, self._waiting = self._waiting, deque()
        for task in waiting:
            if now >= task.due_at - needs:
                continue
            if task.account is not None and held[task.account] >= self._per_account:
                self._waiting.append(task)
                continue
            held[task.account] += 1
            yield task

    def began(self, task: Task, future: Future[None]) -> None:
        """A task runs until its future is done."""
        self._running[future] = task.account
