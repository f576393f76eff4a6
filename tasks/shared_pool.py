"""One pool for several threads: each runs its own work as if the pool were its own, and the actors go round.

A pool is driven by one thread. Here this is a dispatcher of its own, which mixes the work of all clients, a client
being one `run` that somebody iterates. What a client gives is asked for in the client's thread only, between two of its
results, as it would be without sharing: whatever yields the work may read what handling the results has changed.
"""

from collections import deque
from collections.abc import Iterable, Iterator
from contextvars import copy_context
from dataclasses import dataclass, field, replace
from threading import Condition, Thread

from mapmerge.errors import FailedRunError
from tasks.pool import Finished, Pool, Work
from tasks.resident import one_line


@dataclass(eq=False)
class _Client:
    """Who iterates one `run`: the pieces handed over and not yet taken, and the results not yet fetched."""

    queue: deque[Work] = field(default_factory=deque)
    inbox: deque[Finished] = field(default_factory=deque)
    asking: bool = True
    """Whether its work may be asked for more; not after None until something has finished."""


class SharedPool:
    """Lets several threads iterate a `run` each, all at the same time, over the actors of one pool.

    Whenever the inner pool has room the clients take turns. Results come in the order in which they finish, each to
    whoever gave the work. Whoever stops listening early loses nothing but its own results.

    The inner pool asks for work when something has finished, and so does this one: a client that comes, or goes on,
    while others are being measured may wait for one of their results.

    Args:
        inner: the pool that measures; until `leave` nobody else may use it.
    """

    def __init__(self, inner: Pool) -> None:
        self._inner = inner
        self._clients: deque[_Client] = deque()
        self._flying: list[tuple[Work, _Client]] = []
        self._problem: BaseException | None = None
        self._changed = Condition()  # guards all of the above, and is notified of every change that somebody waits for
        # In the context of whoever opens the pool, so that progress reported by the inner pool reaches its listener; a
        # daemon, so that a process which never closes the pool can end.
        self._dispatcher = Thread(
            target=copy_context().run, args=(self._dispatch,), name="shared-pool-dispatcher", daemon=True
        )
        self._dispatcher.start()

    @property
    def actors(self) -> int:
        """How many candidates are measured at a time, of all clients together."""
        return self._inner.actors

    def run(self, work: Iterable[Work | None]) -> Iterator[Finished]:
        """Yield every piece of work exactly once; see `Pool.run`. `in_flight` counts the pieces of this client only.

        Args:
            work: asked for at most so many pieces ahead as there are actors.

        Raises:
            FailedRunError: the inner pool has failed before, or this pool was closed.
        """
        source, client = iter(work), _Client()
        with self._changed:
            if self._problem is not None:
                message = f"the pool takes no more work: {one_line(self._problem)}"
                raise FailedRunError(message) from self._problem
            self._clients.append(client)
        try:
            while self._goes_on(client):
                if client.inbox:
                    yield client.inbox.popleft()
                    client.asking = True
                else:
                    self._hand_over(client, source)
        finally:
            with self._changed:  # nobody takes from its queue now, and what is in flight comes back to nobody
                self._clients.remove(client)

    def close(self) -> None:
        """Stop sharing, and close the inner pool."""
        try:
            self.leave()
        finally:
            self._inner.close()

    def leave(self) -> None:
        """Stop sharing, for which one result may have to be waited for; the inner pool is then its owner's again.

        Whoever still iterates gets a `FailedRunError`.
        """
        with self._changed:
            self._problem = self._problem or FailedRunError("the pool was closed before all its work was measured")
            self._changed.notify_all()
        self._dispatcher.join()

    # In the threads of the clients

    def _goes_on(self, client: _Client) -> bool:
        """Wait until a client has a result to fetch or room for more work; False when neither will come."""

        def is_idle() -> bool:
            return not client.queue and not self._in_flight(client)

        def may_ask() -> bool:
            return client.asking and len(client.queue) < self.actors

        with self._changed:
            self._changed.wait_for(lambda: client.inbox or may_ask() or is_idle() or self._problem is not None)
            if client.inbox:  # results first: they are kept even if the pool has failed since
                return True
            if is_idle() and not client.asking:
                return False
            if self._problem is not None:
                raise self._problem
            return True

    def _hand_over(self, client: _Client, source: Iterator[Work | None]) -> None:
        """Ask a client's work for pieces until it has none at the moment or there are as many as actors.

        All of them are handed over at once: after the first one alone the dispatcher would begin with a single actor,
        and the others would stay idle until that piece has finished. Asking can take long: the lock is free meanwhile.
        """
        pieces: list[Work] = []
        while client.asking and len(client.queue) + len(pieces) < self.actors:
            piece = next(source, None)
            if piece is None:
                client.asking = False
            else:
                pieces.append(piece)
        with self._changed:
            client.queue.extend(pieces)
            self._changed.notify_all()

    # In the thread of the dispatcher

    def _dispatch(self) -> None:
        """Drive the inner pool as long as this one is open."""
        try:
            while self._has_work():
                for finished in self._inner.run(self._merged()):
                    self._deliver(finished)
                    if self._problem is not None:  # closed: nobody waits for what is still in flight
                        return
        except BaseException as error:  # whatever it is, the clients must hear of it, or they would wait for ever
            with self._changed:
                self._problem = self._problem or error
                self._changed.notify_all()

    def _has_work(self) -> bool:
        """Wait for work; False when the pool was closed."""
        with self._changed:
            self._changed.wait_for(lambda: self._problem is not None or any(each.queue for each in self._clients))
            return self._problem is None

    def _merged(self) -> Iterator[Work | None]:
        """Yield the work of all clients in turn; None where there is none until something has finished.

        It ends when nothing is in flight. Whoever comes just then finds the dispatcher in `_has_work` a moment later.
        """
        while True:
            with self._changed:
                piece = self._take()
                if piece is None and not self._flying:
                    return
            yield piece

    def _take(self) -> Work | None:
        for _ in range(len(self._clients)):
            client = self._clients[0]
            self._clients.rotate(-1)  # whoever had a turn is last in the next round
            if client.queue:
                piece = client.queue.popleft()
                self._flying.append((piece, client))
                self._changed.notify_all()  # the client has room for another one
                return piece
        return None

    def _deliver(self, finished: Finished) -> None:
        with self._changed:
            place = next(at for at, (piece, _) in enumerate(self._flying) if piece is finished.work)
            _, client = self._flying.pop(place)
            client.inbox.append(replace(finished, in_flight=self._in_flight(client)))
            self._changed.notify_all()

    def _in_flight(self, client: _Client) -> int:
        return sum(owner is client for _, owner in self._flying)
