r"""Learners that can disagree, with strategies that go by their disagreement, beside margin.

    python benchmarks/bayesian.py --pool FILE --pool-labels FILE --test FILE --test-labels FILE
        [--size 10000] [--seeds 5] [--directory runs/bayesian]

Files as of `best_of.py`: the first `--size` rows of the pool, 128 components, so that `laplace`
inverts its Hessian whole, rows of length 1; 50 labels and six times 50 more; 20 draws of `laplace`,
the five members of `ensemble(linear)`, all with their penalties by cross-validation.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # run from a clone, installed or not

import jax_al as al
from benchmarks import best_of, setting

LEARNERS = {
    "laplace": al.laplace(scale="one"),
    "ensemble": al.ensemble(al.linear(scale="one")),
}
STRATEGIES = ("random", "margin", "bald", "epig", "committee_vote_entropy")
START, STEP, EPISODES = 50, 50, 7


def main() -> None:
    """Measures and writes."""
    arguments = best_of.options(__doc__.partition("\n")[0], "bayesian.md").parse_args()
    data, root = best_of.read(arguments, 128), arguments.directory
    with setting.written(arguments.out) as lines:
        lines += [
            "# Disagreement on features",
            "",
            f"`benchmarks/bayesian.py`: {arguments.title}, the first {len(data.pool):,} examples, "
            f"128 components, rows of length 1; {arguments.seeds} paired seeds, the "
            f"{len(data.test or ()):,} examples of the test set; {setting.machine()}. Area: mean "
            f"accuracy from {START} to {START + STEP * (EPISODES - 1)} labels.",
        ]
        for name, learner in LEARNERS.items():
            rows = al.run(
                data,
                learner=learner,
                strategies=STRATEGIES,
                initial=START,
                budget=STEP,
                episodes=EPISODES,
                seeds=range(arguments.seeds),
                directory=root and root / name,
                tell=best_of.say,
            )
            lines += ["", f"## {name}", "", *best_of.table(rows, START, STEP, EPISODES)]


if __name__ == "__main__":
    main()
