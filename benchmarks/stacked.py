"""Equal work of many seeds in one vmapped program beside a loop of single ones.

    python benchmarks/stacked.py [--seeds 20] [--small] [--out FILE]

A fit (`advance`, --epochs times) on 1,000 CIFAR-shaped images a seed and a look at 10,000 for
embedding and log-probabilities, of the recipes' CNN. Every seed has labeled images of its own; the
pool is the same. Told are seconds, compiling apart, and the largest difference between what the two
make of the same seed. It has not been run on a GPU; on a CPU, stacked convolutions are slow.
"""

import argparse
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # run from a clone, installed or not

from benchmarks import setting
from jax_al.drivers import fit
from jax_al.drivers.look import look_at
from jax_al.drivers.programs import Programs
from jax_al.pools.arrays import arrays

NUM_CLASSES, CHUNK = 10, 1_000
NEEDS = frozenset({"embedding", "log_probs"})


def timed(run: Callable[..., Any], *arguments: Any) -> tuple[float, Any]:
    """Returns the seconds of a call, and what it returns."""
    start = time.perf_counter()
    found = jax.block_until_ready(run(*arguments))
    return time.perf_counter() - start, found


def difference(one: Any, other: Any) -> float:
    """Returns the largest distance between the numbers of two trees."""
    apart = jax.tree.map(lambda a, b: float(jnp.abs(a - b).max()), one, other)
    return max(jax.tree.leaves(apart))


def main() -> None:
    """Measures, prints and writes the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--small", action="store_true", help="to see it work")
    parser.add_argument("--out", type=Path, default=setting.RESULTS / "stacked.md")
    args = parser.parse_args()
    num_pool, num_labels = (200, 32) if args.small else (10_000, 1_000)
    epochs = 1 if args.small else args.epochs

    rng = np.random.default_rng(0)
    pool = arrays(rng.integers(0, 256, (num_pool, 32, 32, 3), np.uint8))
    learner = setting.small_cnn(128, epochs=epochs)(pool.spec, NUM_CLASSES)
    programs, context = Programs(), learner.prepare(pool)
    keys = jax.random.split(jax.random.key(0), args.seeds)
    labels = rng.integers(0, NUM_CLASSES, num_labels)
    each = [
        fit.gather(pool, rng.permutation(num_pool)[:num_labels].tolist(), labels, num_labels)
        for _ in range(args.seeds)
    ]
    examples = [jax.tree.map(jnp.asarray, one) for one in each]
    stacked = jax.tree.map(lambda *leaves: jnp.stack(leaves), *each)
    images = jnp.asarray(pool.read(slice(0, num_pool)))
    look = look_at(learner, NEEDS, min(CHUNK, num_pool), 1)

    def begin(key: jax.Array, own: Any) -> Any:
        return learner.begin(key, learner.init(key, context), own, context)

    def advance(training: Any, own: Any) -> Any:
        return learner.advance(training, own, context)

    def finish_and_look(key: jax.Array, training: Any, images: jax.Array) -> Any:
        found = look(key, learner.finish(training)[0], images)
        return {name: found[name] for name in NEEDS}

    def program(form: str, name: str, function: Callable[..., Any], *arguments: Any) -> Any:
        return programs.get(name, form, function, *arguments)

    def run(form: str, key: Any, own: Any, wrap: Callable[..., Any]) -> tuple[float, float, Any]:
        """Returns the seconds of the fit and of the look, and what was seen."""
        make = program(form, "begin", wrap(begin, (0, 0)), key, own)
        training = make(key, own)
        tick = program(form, "advance", wrap(advance, (0, 0)), training, own)
        see = program(
            form, "look", wrap(finish_and_look, (0, 0, None)), key, training, images
        )  # fmt: skip

        def train(training: Any) -> Any:
            for _ in range(epochs):
                training = tick(training, own)
            return training

        fitted, training = timed(train, training)
        looked, seen = timed(see, key, training, images)
        return fitted, looked, seen

    alone = partial(run, "alone", wrap=lambda function, axes: function)
    together = partial(run, "stacked", wrap=lambda function, axes: jax.vmap(function, axes))
    alone(keys[0], examples[0])  # compiles
    before = programs.seconds
    singles = [alone(key, own) for key, own in zip(keys, examples, strict=True)]
    together(keys, stacked)
    compiled = programs.seconds - before
    fit_seconds, look_seconds, seen = together(keys, stacked)
    apart = max(
        difference(single, {name: values[place] for name, values in seen.items()})
        for place, (_, _, single) in enumerate(singles)
    )
    with setting.written(args.out) as lines:
        lines += [
            "# Seeds in a loop and stacked",
            "",
            f"`python benchmarks/stacked.py`: {setting.machine()}. {args.seeds} seeds, {epochs} "
            f"epochs over {num_labels:,} labels, a look at {num_pool:,} images; seconds.",
            "",
            "| | fit | look | compiling |",
            "|---|---:|---:|---:|",
            f"| a loop | {sum(one for one, _, _ in singles):.3g} "
            f"| {sum(two for _, two, _ in singles):.3g} | {before:.3g} |",
            f"| stacked | {fit_seconds:.3g} | {look_seconds:.3g} | {compiled:.3g} |",
            "",
            f"Largest difference of an embedding or a log-probability: {apart:.3g}.",
        ]


if __name__ == "__main__":
    main()
