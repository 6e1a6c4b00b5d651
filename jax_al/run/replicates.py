"""Replicates: a program for one seed, made to serve S of them in one call.

Everything is written for one seed; this is the edge at which the axis S appears. Two forms:

"map"   one seed after another inside the program: bit for bit what each gives alone.
"vmap"  all seeds at once in every operation: for accelerators that one small network leaves idle;
        rounding differs from a seed alone (sums are taken in another order).

On two CPU cores "map" costs what a loop in Python costs; "vmap" of two to eight seeds 5 to 7 times
as much, as convolutions with weights of their own become grouped ones (`benchmarks/seeds.py`). On
several devices the seeds are split among them in either form.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.sharding import Mesh, NamedSharding, PartitionSpec

FORMS = ("map", "vmap")
SPLIT, WHOLE = PartitionSpec("seed"), PartitionSpec()


class Layout(NamedTuple):
    """Where the seeds of one program are."""

    slots: int  # S: room for so many seeds, the same number on each device
    form: str  # one of FORMS
    mesh: Mesh | None  # its one axis is "seed"; None: one device

    def counts(self, num_seeds: int) -> np.ndarray:
        """Returns how many slots of each device are in use, int32 [devices], dealt out evenly."""
        devices = self.mesh.size if self.mesh else 1
        return np.full(devices, num_seeds, np.int32) // devices + (
            np.arange(devices, dtype=np.int32) < num_seeds % devices
        )

    def places(self, num_seeds: int) -> np.ndarray:
        """Returns the slots, int [num_seeds], of so many seeds: the first ones of each device."""
        counts = self.counts(num_seeds)
        each = self.slots // len(counts)
        return np.concatenate([each * i + np.arange(count) for i, count in enumerate(counts)])

    def put(self, tree: Any, spec: PartitionSpec) -> Any:
        """Returns the arrays of `tree` on the devices, split or whole."""
        return jax.device_put(tree, NamedSharding(self.mesh, spec) if self.mesh else None)

    def abstract(self, tree: Any, spec: PartitionSpec) -> Any:
        """Returns shapes as they will be: with the axis S in front if `spec` is SPLIT."""
        sharding = NamedSharding(self.mesh, spec) if self.mesh else None
        axis = (self.slots,) if spec == SPLIT else ()
        return jax.tree.map(
            lambda leaf: jax.ShapeDtypeStruct((*axis, *leaf.shape), leaf.dtype, sharding=sharding),
            tree,
        )


def make_layout(num_seeds: int, form: str, devices: Sequence[jax.Device]) -> Layout:
    """Returns the layout with the fewest slots that takes the fewest turns on `devices`."""
    turns = -(-num_seeds // len(devices))
    used = -(-num_seeds // turns)
    mesh = Mesh(np.array(devices[:used]), ("seed",)) if used > 1 else None
    return Layout(turns * used, form, mesh)


def over_seeds(
    function: Callable[..., Any], layout: Layout, shared: frozenset[int]
) -> Callable[..., Any]:
    """Returns `program(counts, *arguments)`, which applies `function` to each seed.

    Args:
      function: of one seed's arguments.
      layout: where the seeds are.
      shared: positions of the arguments that are the same for all seeds; the others get an axis S.

    Returns:
      A program whose `counts` are `layout.counts`; its results have an axis S. Slots that are not
      counted cost nothing and hold zeros in the form "map"; they mean nothing in "vmap".
    """

    def own(arguments: Sequence[Any], slot: jax.Array) -> list[Any]:
        return [
            argument if i in shared else jax.tree.map(lambda leaf: leaf[slot], argument)
            for i, argument in enumerate(arguments)
        ]

    def mapped(counts, *arguments):
        slots = next(
            jax.tree.leaves(argument)[0].shape[0]
            for i, argument in enumerate(arguments)
            if i not in shared
        )
        shapes = jax.eval_shape(function, *own(arguments, jnp.int32(0)))
        room = jax.tree.map(lambda leaf: jnp.zeros((slots, *leaf.shape), leaf.dtype), shapes)

        # A loop with a traced end, and not `lax.map`: a run that is continued may have few seeds
        # left at an episode, and pays for no others.
        def one_seed(slot, results):
            found = function(*own(arguments, slot))
            return jax.tree.map(lambda all_, one: all_.at[slot].set(one), results, found)

        return lax.fori_loop(0, counts[0], one_seed, room)

    def vmapped(counts, *arguments):
        del counts
        axes = [None if i in shared else 0 for i in range(len(arguments))]
        return jax.vmap(function, in_axes=axes)(*arguments)

    program = {"map": mapped, "vmap": vmapped}[layout.form]
    if layout.mesh is None:
        return program

    def split(counts, *arguments):
        specs = [WHOLE if i in shared else SPLIT for i in range(len(arguments))]
        return jax.shard_map(
            program,
            mesh=layout.mesh,
            in_specs=(SPLIT, *specs),
            out_specs=SPLIT,
            check_vma=False,  # loops here start from zeros, which it takes for the same everywhere
        )(counts, *arguments)

    return split


def stack(trees: Sequence[Any], layout: Layout) -> Any:
    """Returns one tree with the axis S in front from those of up to S seeds, on the devices.

    They stand at `layout.places`; room that is left is filled with the first tree. No program is
    made for it, whatever the number.
    """
    slots = [trees[0]] * layout.slots
    for place, tree in zip(layout.places(len(trees)), trees, strict=True):
        slots[place] = tree

    def put_together(*leaves):
        if jnp.issubdtype(leaves[0].dtype, jax.dtypes.prng_key):
            data = np.stack([np.asarray(jax.random.key_data(key)) for key in leaves])
            return jax.random.wrap_key_data(jnp.asarray(data), impl=jax.random.key_impl(leaves[0]))
        return np.stack([np.asarray(leaf) for leaf in leaves])

    return layout.put(jax.tree.map(put_together, *slots), SPLIT)


def one_of(tree: Any, slot: int) -> Any:
    """Returns the tree of one seed, as NumPy arrays, from one with the axis S in front."""
    return jax.tree.map(lambda leaf: np.asarray(leaf)[slot], tree)
