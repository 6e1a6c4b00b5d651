"""`jax-al features cifar10 --features patches --out x.npy [--part K/N]`."""

import argparse
import re
from collections.abc import Sequence
from pathlib import Path

from jax_al.cli.ending import command
from jax_al.cli.parser import Parser, path_of
from jax_al.cli.picks_file import place_of, save_rows
from jax_al.cli.programs import keep_programs
from jax_al.cli.select import option_of
from jax_al.errors import UsageError
from jax_al.features.pool import fitted_features, with_features
from jax_al.pools.load import benchmark
from jax_al.pools.named import fields_told
from jax_al.pools.subset import subset
from jax_al.pools.table import SUFFIXES, unlabeled_test
from jax_al.types import Benchmark


def main(words: Sequence[str] | None = None, name: str = "jax-al features") -> int:
    """Computes features and writes them; returns the exit status.

    Args:
      words: of the command line; None: those of this process.
      name: of the command.
    """
    parser = Parser(
        prog=name,
        description="Features of a data set, fitted on its pool, as a .npy file float32 [N, F]: a "
        "row for each example. They are kept, so a run with --config.features has them at once.",
    )
    parser.add_argument(
        "data", help="digits, a TFDS data set, ./FOLDER, a .npy or .npz, or module:function"
    )
    parser.add_argument(
        "--features", required=True,
        help="patches, pixels_pca, lite0, lite1, lite2, jimm:PATH_OR_NAME, module:function, .npy",
    )  # fmt: skip
    parser.add_argument("--out", type=path_of, required=True, help=".npy file for the features")
    parser.add_argument(
        "--option", action="append", default=[], metavar="NAME=VALUE",
        help="of the features; pca, whiten, standardise and l2norm of any",
    )  # fmt: skip
    parser.add_argument("--test", action="store_true", help="write those of the test set instead")
    parser.add_argument("--labels", help="of a table: see data.labels in jax-al fields")
    parser.add_argument("--test-path", metavar="FILE", help="of a table: its test examples")
    parser.add_argument("--test-labels", help="of a table: as --labels")
    parser.add_argument(
        "--part", metavar="K/N",
        help="only the K-th of N shares of the rows; put together in order they are the whole",
    )  # fmt: skip
    parser.add_argument("--image-size", type=int, help="pixels a side after resizing")
    parser.add_argument("--data-dir", metavar="DIR", help="where TFDS keeps its data")
    parser.add_argument("--cache-dir", metavar="DIR", help="where images and features are kept")
    return command(parser, _run, words)


def _run(arguments: argparse.Namespace) -> None:
    options = dict(map(option_of, arguments.option))
    files = [arguments.data, arguments.features, arguments.test_path, *options.values()]
    given = [Path(name) for name in files if isinstance(name, str)]
    out = place_of("--out", arguments.out, given, (".npy",))
    if out.suffix != ".npy":
        raise UsageError(f"--out is {out}, but must be a .npy file")
    number, total = _share(arguments.part)
    keep_programs()
    data = _benchmark(arguments)
    source = data.test if arguments.test else data.pool
    if source is None:
        raise UsageError(f"{arguments.data} has no test set")
    if total > len(source):
        raise UsageError(f"--part is {arguments.part}, but there are {len(source):,} examples")
    features, where = arguments.features, {"cache_dir": arguments.cache_dir}
    if source is data.pool and total == 1:
        made = with_features(source, features, **where, **options)
    elif features.endswith(".npy"):
        raise UsageError(f"{features} is made already: --test and --part say nothing about it")
    else:
        start, stop = (len(source) * k // total for k in (number - 1, number))
        fitted = fitted_features(data.pool, features, **where, **options)
        made = with_features(subset(source, slice(start, stop)), fitted, **where)
    save_rows(out, made)
    print(f"{len(made):,} x {made.spec.shape[0]:,} numbers in {out}")


def _benchmark(arguments: argparse.Namespace) -> Benchmark:
    named = ("data_dir", "cache_dir", "image_size", "test_path", "labels", "test_labels")
    given = {name: getattr(arguments, name) for name in named}
    unlabeled = given.pop("test_path") if _has_unlabeled_test(arguments) else None
    with fields_told(named, lambda name: f"--{name.replace('_', '-')}"):
        data = benchmark(arguments.data, **given)
    if unlabeled is None:
        return data
    return data._replace(test=unlabeled_test(unlabeled, data.pool, arguments.data))


def _has_unlabeled_test(arguments: argparse.Namespace) -> bool:
    """Whether features are wanted of a test table that no labels are told of, nor needed."""
    if not (arguments.test and arguments.test_path and arguments.data.endswith(SUFFIXES)):
        return False
    # A key or a column of the pool's file is one of the test set's, too.
    is_beside = arguments.labels is None or arguments.labels.endswith(".npy")
    return is_beside and arguments.test_labels is None


def _share(part: str | None) -> tuple[int, int]:
    match = re.fullmatch(r"(\d+)/(\d+)", part or "1/1")
    if match is None or not 1 <= int(match[1]) <= int(match[2]):
        raise UsageError(f"--part is {part!r}, but must be K/N, from 1/N to N/N.")
    return int(match[1]), int(match[2])
