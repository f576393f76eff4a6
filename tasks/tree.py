"""The search along a merge tree: which nodes can be searched now, and what each preference chooses of them."""

from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np

from mapmerge.config import StudyConfig
from mapmerge.config.nodes import owners_of, preferences_of
from mapmerge.errors import FailedRunError
from mapmerge.fronts.indicators import Normalisation
from mapmerge.methods.units import score_noise
from mapmerge.nested.choice import choose
from mapmerge.nested.closest import Member, next_nodes
from mapmerge.nested.compose import lift
from mapmerge.nested.cost import draw
from mapmerge.nested.groups import group_weights
from mapmerge.nested.plan import NodeRun, needed
from mapmerge.nested.scale import leaf_scale, unit_score
from mapmerge.nested.tree import Node, Tree
from mapmerge.nested.written import read_tree
from mapmerge.randomness import generator
from mapmerge.records import Array, Question
from tasks.node import NodeSearch
from tasks.run import Run

UNMERGED = "unmerged"
"""Name of the question about the base and the experts as they are."""


def unmerged_question(config: StudyConfig) -> Question:
    """Return what must be known before the first node: the base on all objectives, each expert on its own.

    An objective that is nobody's is measured on all experts.
    """
    experts = [expert.name for expert in config.experts]
    belongs = owners_of(config)
    wanted = [dict.fromkeys(belongs)]
    wanted += [dict.fromkeys(name for name, owner in belongs.items() if owner in (expert, None)) for expert in experts]
    rows = np.vstack([np.zeros((1, len(experts))), np.eye(len(experts))])
    asked = [index for index, each in enumerate(wanted) if each]
    return Question(UNMERGED, "search", rows[asked], tuple(wanted[index] for index in asked))


class TreeSearch:
    """The nodes of a run that are done, and what every preference chose of them.

    Args:
        run: the run; its unmerged models are measured.

    Raises:
        FailedRunError: the base, or an objective's own expert, could not be measured.
    """

    def __init__(self, run: Run) -> None:
        self._run = run
        self._experts = [expert.name for expert in run.config.experts]
        self._belongs = owners_of(run.config)
        self._preferences = preferences_of(run.config)
        self._chosen: list[dict[str, Array]] = [{} for _ in self._preferences]
        self._done: dict[str, NodeSearch] = {}
        self._seen = run.study.history.observations
        self._scale = self._leaf_scale()
        plain = run.frozen["tree"]
        self._tree = None if plain is None else read_tree(plain, self._experts)
        self._pool = [] if self._tree else [Member(name, self._own_metric(name)) for name in self._experts]
        self._growing: list[Node] = []

    def next(self) -> tuple[NodeRun, ...]:
        """Return the nodes that can be searched now, side by side; none at the end.

        Where a node was searched already for the same children, its choices are made at once.
        """
        while True:
            runs = needed([self._ready(done) for done in self._chosen], self._chosen, self._experts)
            fresh = tuple(run for run in runs if run.key not in self._done)
            if fresh or not runs:
                return fresh
            for run in runs:
                self._choose(run)

    def take(self, searches: Sequence[NodeSearch]) -> None:
        """Take nodes that are searched, in the order in which `next` gave them."""
        for search in searches:
            self._done[search.merge.key] = search
            for question, evaluations in search.answered:
                self._run.study.adopt(question)
                self._run.study.tell(question, evaluations)
            self._choose(search.merge)

    @property
    def settled(self) -> Array:
        """What the preferences chose of the root, each merge once: shape [n, k]."""
        root = Node((), tuple(self._experts)).name  # a node is called after its experts
        return np.vstack(list({done[root].tobytes(): done[root] for done in self._chosen}.values()))

    @property
    def drawing(self) -> str:
        """The tree, with what each node cost so far."""
        evaluations: Counter[str] = Counter()
        for search in self._done.values():
            evaluations[search.merge.node.name] += sum(len(told) for _, told in search.answered)
        notes = {name: f"{count} evaluations" for name, count in evaluations.items()}
        tops = [self._tree.root] if self._tree else [m.child for m in self._pool if isinstance(m.child, Node)]
        return "\n".join(draw(Tree(top.leaves, top), notes) for top in tops)

    def _ready(self, done: Mapping[str, Array]) -> Sequence[Node]:
        """Return the nodes that a preference can go on with."""
        if self._tree:
            return self._tree.ready(done)
        fresh = next_nodes(self._pool, self._experts)
        children = {child for node in fresh for child in node.children}
        self._pool = [member for member in self._pool if member.child not in children]
        self._pool += [Member(node, None) for node in fresh]
        self._growing += fresh
        return [node for node in self._growing if node.name not in done]

    def _choose(self, run: NodeRun) -> None:
        """Let every preference that waits for a node choose of it."""
        search = self._done[run.key]
        names, scale = search.study.brief.names, self._scale
        places = [self._run.study.brief.names.index(name) for name in names]
        own = Normalisation(scale.reference[places], scale.ideal[places])
        landscape = search.study.fit().landscape()
        for number in run.waiting:
            weights = group_weights(names, self._preferences[number])
            rng = generator(self._run.config.seed, "choose", run.node.name)
            found = choose(landscape, weights, own, rule=self._run.config.nested.rule, rng=rng)
            self._chosen[number][run.node.name] = lift(found[None], run.axes)[0]
            if not self._tree:
                scores = landscape.predict(found[None])[0] * search.study.signs
                metric = float(weights @ [unit_score(*each) for each in zip(scores, search.objectives, strict=True)])
                self._pool = [Member(m.child, metric) if m.child == run.node else m for m in self._pool]

    # What is known of the unmerged models

    def _score(self, expert: str | None, column: int) -> float:
        """Return what an expert, or the base, scored on an objective; NaN where that was not, or could not be, told."""
        row = (
            np.zeros(len(self._experts)) if expert is None else np.eye(len(self._experts))[self._experts.index(expert)]
        )
        at = np.flatnonzero((self._seen.coefficients == row).all(axis=1))
        return float(self._seen.scores[at[0], column]) if len(at) else np.nan

    def _leaf_scale(self) -> Normalisation:
        """Return the scale on which every objective goes from the base to its own expert."""
        signs, ends = self._run.study.signs, np.full((2, len(self._belongs)), np.nan)
        for column, (name, owner) in enumerate(self._belongs.items()):
            best = [self._score(expert, column) * signs[column] for expert in ([owner] if owner else self._experts)]
            ends[:, column] = self._score(None, column) * signs[column], np.nanmax([*best, -np.inf])
            if not np.isfinite(ends[:, column]).all():
                what = f"the base or {f'its expert {owner!r}' if owner else 'every expert'}"
                raise FailedRunError(f"objective {name!r} has no scale: {what} could not be measured")
        return leaf_scale(ends[0], ends[1], noise=score_noise(self._seen, self._run.study.items))

    def _own_metric(self, expert: str) -> float:
        """Return the mean score of an expert on its own objectives, on the one scale of `nested.scale.unit_score`."""
        weights, scores = [], []
        for column, (name, owner) in enumerate(self._belongs.items()):
            if owner == expert:
                weights.append(self._preferences[0].get(name, 0.0))
                scores.append(unit_score(self._score(expert, column), self._run.objectives[column]))
        return float(np.average(scores, weights=weights if sum(weights) else None))
