"""How long a store is waited for: what one try may take, the pauses between tries, and when to give up."""

import random
import time
from collections.abc import Iterator
from dataclasses import dataclass

_CHANCE = random.SystemRandom()  # pauses are no part of any result, and must differ between processes of one seed


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a store is waited for, all in seconds.

    Args:
        connect: until a connection stands; a server that lives answers in a fraction of this.
        silence: between two pieces of an answer; a busy server may think for some seconds.
        call: for one try as a whole, so that a trickle of bytes does not hold a run up for ever.
        in_all: from the first failed try until no further one is made. A server that restarts, or whose place another
            one takes, is back within minutes; an outage that is longer should be told to a person.
        pause: before the second try; each further pause may be twice as long.
        longest_pause: so that a server that is back is noticed soon.

    >>> Patience(in_all=0.0).in_all, list(Patience(in_all=0.0).pauses())
    (0.0, [])
    """

    connect: float = 5.0
    silence: float = 20.0
    call: float = 300.0
    in_all: float = 300.0
    pause: float = 0.2
    longest_pause: float = 10.0

    def pauses(self) -> Iterator[float]:
        """Yield how long to pause before each further try, from the first failure until the patience has ended.

        Each pause is between half and all of what it might be: processes that were refused at once do not come back at
        once.
        """
        end, pause = time.monotonic() + self.in_all, self.pause
        while (left := end - time.monotonic()) > 0:
            yield min(left, _CHANCE.uniform(pause / 2, pause))
            pause = min(2 * pause, self.longest_pause)


HASTY = Patience(call=10.0, in_all=0.0)
"""One try, and no long one: for those who come again by themselves."""
