"""ATLAS: active transfer learning for adaptive sampling."""

from jax_al.strategies.active_transfer import transfer
from jax_al.strategies.choosing import check_whole
from jax_al.types import Strategy


def atlas(*, rounds: int = 10, penalty: float = 1.0) -> Strategy:
    """Picks as `active_transfer`, in rounds that take earlier picks for mended.

    The budget is bought in `rounds` parts that differ by one point at most. Before each, the
    second model is trained again with all points picked so far as labeled and right (target 0):
    once they are labeled, the network will have learned them. So later picks go where it is wrong
    for other reasons. With `rounds` = 1 it is `active_transfer`, which has the formula, the
    penalty and what differs from the book; `rounds` above the budget are not made.

    R. Monarch 2021, *Human-in-the-Loop Machine Learning*, chapter 5. Needs `head_inputs` and
    `log_probs`; random while there is no label. Greedy. `rounds` times the cost of
    `active_transfer`, so O(rounds (N + L + Q) D); memory as there.

    Published code (pytorch_active_learning, `get_atlas_samples`) ranks the wrong way round, most
    likely right first, and so marks as right what it already held for right. It trains again
    after every 10 picks, whatever the budget: that is `rounds` = budget / 10 here.
    """
    check_whole("rounds", rounds, 1)
    return transfer(penalty, rounds)
