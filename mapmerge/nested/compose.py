"""Composed coefficients: a merge of merges is one merge from the originals."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from mapmerge.errors import BadInputError
from mapmerge.nested.tree import Node
from mapmerge.records import Array, Evaluation, Question, Sample


def axes(node: Node, chosen: Mapping[str, Array], experts: Sequence[str]) -> Array:
    """Return what the children of a node are, as merges of all experts: shape [f, k].

    An expert is itself alone; a node is what was chosen for it.

    Args:
        node: the parent, with f children.
        chosen: coefficients [k] of each child that is a node, by its name.
        experts: all experts, in the study's order.

    Raises:
        BadInputError: a child that is a node has none.

    >>> from mapmerge.nested.tree import join
    >>> pair = join(["a", "b"], "abc")
    >>> axes(join([pair, "c"], "abc"), {pair.name: np.array([0.5, 0.25, 0.0])}, "abc").tolist()
    [[0.5, 0.25, 0.0], [0.0, 0.0, 1.0]]
    """
    place = {name: index for index, name in enumerate(experts)}
    rows = []
    for child in node.children:
        if isinstance(child, str):
            rows.append(np.eye(len(experts))[place[child]])
        elif child.name not in chosen:
            raise BadInputError(f"node {node.name!r} cannot be run before coefficients of {child.name!r} are chosen")
        else:
            rows.append(chosen[child.name])
    return np.vstack(rows) + 0.0  # no -0.0: it would be another key of the same model


def lift(coefficients: Array, axes: Array) -> Array:
    """Return the merges of all experts that merges of a node's children are.

    With child i the model base + sum_j M_ij v_j, the merge a of the children is base + sum_j (sum_i a_i M_ij) v_j: one
    merge from the originals, with the coefficients a M. That holds for every merge method that is linear in fixed task
    vectors.

    Sums go in the order of the children, and each row is computed alone: the bits, which are part of an evaluation's
    key, depend neither on the other rows nor on the machine.

    Args:
        coefficients: a, of the children, shape [n, f].
        axes: M, shape [f, k].

    Returns:
        Shape [n, k].

    Raises:
        BadInputError: the shapes do not fit.

    >>> lift(np.array([[0.5, 1.0]]), np.array([[0.5, 0.25, 0.0], [0.0, 0.0, 1.0]]))
    array([[0.25 , 0.125, 1.   ]])
    """
    if coefficients.ndim != 2 or coefficients.shape[1] != len(axes):
        raise BadInputError(f"expected coefficients of shape [n, {len(axes)}], got {list(coefficients.shape)}")
    lifted = np.zeros((len(coefficients), axes.shape[1]))
    for column, axis in zip(coefficients.T, axes, strict=True):
        lifted = lifted + column[:, None] * axis
    return lifted


def lift_question(question: Question, axes: Array) -> Question:
    """Return what a node's question asks of the merges of all experts: what is measured, and what the ledger knows.

    Args:
        question: about merges of the node's children.
        axes: what these are, shape [f, k].
    """
    return replace(question, coefficients=lift(question.coefficients, axes), region=None, front=None)


def lower_answers(
    question: Question, axes: Array, answers: Sequence[Evaluation], objectives: Sequence[str]
) -> list[Evaluation]:
    """Return the answers to a lifted question in the node's own coefficients, one for each of its requests.

    Two merges of the children may be the same merge of the experts, where children are alike or one is the base; both
    then get its one measurement.

    Args:
        question: as the node asked it.
        axes: what it was lifted by, shape [f, k].
        answers: to `lift_question(question, axes)`, in any order.
        objectives: names of those that the node looks at.
    """
    known = {_place(each.coefficients, each.objective, each.sample): each for each in answers}
    asked = question.requests(objectives)
    lifted = lift_question(question, axes).requests(objectives)
    return [
        replace(known[_place(above, name, sample)], coefficients=row)
        for (row, name, sample), (above, _, _) in zip(asked, lifted, strict=True)
    ]


def _place(coefficients: Array, objective: str, sample: Sample | None) -> tuple[bytes, str, bytes]:
    return coefficients.tobytes(), objective, b"" if sample is None else sample.items.tobytes()
