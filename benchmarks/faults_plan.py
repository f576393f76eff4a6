"""Which faults a campaign injects, and when: drawn from a seed."""

from dataclasses import dataclass, replace

from mapmerge.randomness import generator

CLUSTER, ALONE = "cluster", "alone"
"""Where an episode runs. `cluster`: output on S3, Ray with two nodes, a Prefect server on PostgreSQL; `alone`: output
on a small disk, no Ray, Prefect inside the command."""

KINDS = {
    "driver": (CLUSTER, 3),
    "driver alone": (ALONE, 1),
    "actor": (CLUSTER, 4),
    "raylet": (CLUSTER, 1),
    "node": (CLUSTER, 1),
    "prefect": (CLUSTER, 1),
    "postgres": (CLUSTER, 2),
    "s3 stop": (CLUSTER, 3),
    "s3 503": (CLUSTER, 3),
    "s3 slow": (CLUSTER, 2),
    "s3 cut": (CLUSTER, 3),
    "disk full": (ALONE, 1),
}
"""Where each kind happens, and how often in one turn of all kinds: those that cost a minute each are rarer."""

MEANT = {
    "driver": "SIGKILL of the process that drives the run",
    "driver alone": "the same, without servers",
    "actor": "SIGKILL of a Ray actor",
    "raylet": "SIGKILL of the raylet of the Ray head, to which the driver is attached; the cluster starts anew",
    "node": "SIGKILL of the second Ray node, with an actor on it; it joins again",
    "prefect": "SIGKILL of the Prefect server, which starts again",
    "postgres": "SIGKILL of PostgreSQL under the Prefect server, which starts again",
    "s3 stop": "SIGKILL of the S3 server, away for 1 to 3 s",
    "s3 503": "1 to 8 requests answered by 503",
    "s3 slow": "1 to 8 answers after 1.5 s",
    "s3 cut": "1 to 8 answers cut in half, or lost where they have no body",
    "disk full": "no byte left on the disk of the output, until the run has ended",
}

STARTING, ENDING = 0.2, 0.95
"""Moments below the first come while a session starts, above the second when everything has been measured."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault.

    Args:
        number: in the order drawn.
        kind: one of `KINDS`.
        moment: in 0..1, see `STARTING` and `ENDING`; between them it says how many measurements later.
        size: in 0..1, how long or how much.
    """

    number: int
    kind: str
    moment: float
    size: float

    @property
    def site(self) -> str:
        """Where it happens."""
        return KINDS[self.kind][0]

    def later(self) -> "Fault":
        """Return the fault at a moment at which there is something to hit: it found nothing when it first came."""
        return replace(self, moment=0.5)


def draw(seed: int, count: int, kinds: tuple[str, ...] = tuple(KINDS)) -> list[Fault]:
    """Draw a campaign: every kind as often as its weight says, in a random order.

    Args:
        seed: the same gives the same faults.
        count: how many.
        kinds: those that are possible here.

    >>> [fault.kind for fault in draw(0, 3, ("actor", "node"))].count("actor") >= 2
    True
    """
    random = generator(seed, "faults")
    turn = [kind for kind in kinds for _ in range(KINDS[kind][1])]
    drawn: list[str] = []
    while len(drawn) < count:
        drawn += [turn[at] for at in random.permutation(len(turn))]
    return [Fault(number, kind, *random.random(2).tolist()) for number, kind in enumerate(drawn[:count], 1)]
