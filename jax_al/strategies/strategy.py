"""How a function becomes a strategy."""

from collections.abc import Iterable

from jax_al.errors import UsageError, did_you_mean
from jax_al.strategies.choosing import Select, answering, random_without_labels
from jax_al.types import Signals, Strategy


def strategy(
    select: Select,
    *,
    needs: Iterable[str],
    seeded: bool = True,
    embedding: str = "model",
    pseudo_labels: bool = False,
    on_host: bool = False,
    reads_files: bool = False,
    needs_label: bool = False,
    uses_labels: bool = False,
    max_points: int | None = None,
) -> Strategy:
    """Returns the strategy that asks `select` which points are next.

    An excluded point must be as if it were absent, in no mean and no cluster: that is up to
    `select`, which finds it in `pool.excluded`. What signals say of it is finite. `by_score` picks
    no such point. What the strategy promises is held by `jax_al.testing.check_strategy`.

    Args:
      select: (key, `Signals`, `PoolState`, budget) -> `Query`; pure. Traced, with a static budget,
        unless `on_host`.
      needs: names of the fields of `Signals` it looks at.
      seeded: whether the answer depends on the key; if not, the key decides nothing but ties.
      embedding: what `signals.embedding` is, where it is needed: "model", "random_net",
        "pixels_pca", "patches" or a .npy file.
      pseudo_labels: whether its queries bring some.
      on_host: never traced: it is given NumPy arrays and answers with them.
      reads_files: whether, untraced, it also takes signals that are mapped from a file (np.memmap),
        excluded points as they are, and answers with NumPy arrays.
      needs_label: while there is no label it is not asked, and points are drawn at random.
      uses_labels: whether it looks at what the labels are, and not only at which points have one.
      max_points: in a pool; a larger one is refused before anything is trained.

    Raises:
      UsageError: `needs` names what is no signal.
    """
    if isinstance(needs, str):
        raise UsageError(f"needs is {needs!r}; it must be a set of names: {{{needs!r}}}.")
    needs = frozenset(needs)
    for name in sorted(needs - set(Signals._fields)):
        raise UsageError(f"needs names {name!r}: {did_you_mean(name, Signals._fields)}")
    select = answering(select, pseudo_labels=pseudo_labels)
    if needs_label:
        select = random_without_labels(select, on_host=on_host)
    return Strategy(
        needs=needs,
        select=select,
        seeded=seeded,
        embedding=embedding,
        pseudo_labels=pseudo_labels,
        on_host=on_host,
        reads_files=reads_files,
        uses_labels=uses_labels,
        max_points=max_points,
    )
