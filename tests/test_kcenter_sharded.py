"""Same picks on one device, on eight, and across two processes."""

import os
import socket
import subprocess
import sys

import numpy as np
import pytest

from jax_al.geometry.kcenter import kcenter_greedy

SOME = [row for row in range(800) if row % 7 == 1 or 100 <= row < 200]  # all rows of a device
MOST = [row for row in range(800) if row < 400 or (row % 5 > 1 and row != 503)]  # of a process too
MORE = 150  # picks from the first center on: a cold start's own first pick comes before them
# As many centers before them, where it is not the point, and so the same programs.
CASES = [
    ("cold", None, "euclidean", None),
    ("warm", [500], "euclidean", None),
    ("angles", [3], "cosine", None),
    ("cold without some", None, "euclidean", SOME),
    ("warm without some", [3, 500], "euclidean", SOME),
    ("angles without some", [3], "cosine", SOME),
    ("cold without most", None, "euclidean", MOST),
    ("warm without most", [503], "euclidean", MOST),
]
# With two processes those in which all that they tell each other plays a part.
ACROSS = [CASES[i] for i in (1, 5, 6, 7)]
PROGRAM = (
    f"CASES, ACROSS, MORE = {CASES!r}, {ACROSS!r}, {MORE}"
    """
import sys
import jax, numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec
port, processes, process, out = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
if processes > 1:
    jax.distributed.initialize(f"localhost:{port}", processes, process)
from jax_al.geometry.kcenter import kcenter_greedy
points = np.load(out + "/points.npy")
sharding = NamedSharding(Mesh(np.array(jax.devices()), ("rows",)), PartitionSpec("rows", None))

def spread(points):
    return jax.make_array_from_callback(points.shape, sharding, lambda index: points[index])

split = spread(points)
assert len(jax.devices()) == 8
assert max(shard.data.shape[0] for shard in split.addressable_shards) == len(points) // 8
for name, initial, metric, exclude in CASES if processes == 1 else ACROSS:
    held = points.copy()
    if exclude is not None:
        held[exclude[::2]], held[exclude[1::2]] = np.nan, 0.0
    result = kcenter_greedy(
        spread(held), MORE + (initial is None), initial, exclude=exclude, metric=metric
    )
    np.save(f"{out}/{name}{process}.npy", result.indices)
    np.save(f"{out}/{name}{process}_distances.npy", [*result.distances, result.radius])
    # One collective per round: 65 rows from each of 8 devices, with 3 words beside their values.
    # Before them the mean, a cold start's first pick, and the values of the first centers.
    work, is_cold = result.work, initial is None
    assert work.rounds < 50, work
    assert work.collectives == work.rounds + 2 + is_cold
    before = processes * 8 * (1 + 10 + 3 + 2 * is_cold) + 3 * 4 * len(initial or [0])
    assert work.bytes_exchanged == before + work.rounds * 8 * 65 * (3 + 3) * 4

def refused(points, said, **arguments):
    try:
        kcenter_greedy(spread(points), 5, **arguments)
    except ValueError as error:
        assert said in str(error), error
    else:
        raise AssertionError(said)

spoiled = points.copy()
spoiled[[5, 790]] = np.nan
refused(spoiled, "in rows 5, 790")
refused(spoiled, "in row 790", exclude=[5, 6])
refused(points, "both name row 6", exclude=[5, 6], initial=[6, 7])
refused(points, "exclude names all 800 rows", exclude=range(800))
refused(points, "at least", max_bytes=1_000)

by_chance = {"exclude": [5, 790], "key": jax.random.key(0)}
assert (kcenter_greedy(spread(spoiled), MORE + 1, **by_chance).indices
        == kcenter_greedy(spoiled, MORE + 1, **by_chance).indices).all()
if processes > 1:
    sys.exit()

# Centers on every device, and none of the rows excluded.
rest = kcenter_greedy(split, 3, np.arange(797))
assert set(rest.indices) == {797, 798, 799} and rest.radius == 0
there = np.arange(3, 800, 5)[: MORE + 1]  # fewer on every device than it tells the others
most = np.setdiff1d(np.arange(800), there)
few = kcenter_greedy(spread(spoiled), MORE, [3], exclude=most)
assert set(few.indices) == set(there) - {3} and few.radius == 0

from jax_al.geometry.kcenter.reading import gather
from jax_al.geometry.kcenter.sharded import ShardedPoints, programs
matrix = ShardedPoints(split)
begin, one_round = programs(split.sharding, MORE, 64)
rows = np.array([3], np.int32)
state = begin(split, matrix.mean, rows, gather(split, rows), None)
for part in state.bounds:
    assert {shard.data.shape for shard in part.addressable_shards} == {(len(points) // 8,)}
text = one_round.lower(split, matrix.mean, state, None).compile().as_text()
kinds = ("all-gather", "all-reduce", "all-to-all", "collective-permute", "reduce-scatter")
assert sum(text.count(f" {kind}(") + text.count(f" {kind}-start(") for kind in kinds) == 1
assert "u32[8,65,6]" in text
"""
)


def made_up():
    """A grid of ties next to a cloud."""
    rng = np.random.default_rng(0)
    grid = np.stack(np.meshgrid(*[np.arange(8)] * 3), -1).reshape(-1, 3)
    points = np.concatenate([grid + 1, rng.standard_normal((288, 3))])
    return points.astype(np.float32)


@pytest.mark.parametrize("processes", [1, 2])
def test_same_picks_on_eight_devices(processes, tmp_path):
    np.save(tmp_path / "points.npy", made_up())
    with socket.socket() as free:
        free.bind(("localhost", 0))
        port = free.getsockname()[1]
    flags = f"--xla_force_host_platform_device_count={8 // processes}"
    running = [
        subprocess.Popen(
            [sys.executable, "-c", PROGRAM, str(port), str(processes), str(i), str(tmp_path)],
            env=os.environ | {"XLA_FLAGS": flags, "JAX_PLATFORMS": "cpu"},
            stderr=subprocess.PIPE,
            text=True,
        )
        for i in range(processes)
    ]
    for process in running:
        _, errors = process.communicate(timeout=200)
        assert process.returncode == 0, errors
    for name, initial, metric, exclude in CASES if processes == 1 else ACROSS:
        left = np.setdiff1d(np.arange(800), exclude or [])
        start = None if initial is None else np.searchsorted(left, initial)
        alone = kcenter_greedy(made_up()[left], MORE + (start is None), start, metric=metric)
        for i in range(processes):
            picks, distances = (
                np.load(tmp_path / f"{name}{i}{part}.npy") for part in ("", "_distances")
            )
            np.testing.assert_array_equal(picks, left[alone.indices])
            np.testing.assert_array_equal(distances, [*alone.distances, alone.radius])
