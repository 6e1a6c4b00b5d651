import asking
import numpy as np
import pytest


def drawn(seed=0, T=5, N=40, C=3):
    rng = np.random.default_rng(seed)
    return rng.dirichlet(np.ones(C), (T, N)).astype(np.float32)


def plain(probs, targets):
    """In float64, one pair of points after the other: H(y) + H(y') - H(y, y')."""
    probs = probs.astype(np.float64)

    def entropy(p):
        return -np.sum(p[p > 0] * np.log(p[p > 0]))

    T, N, _ = probs.shape
    found = np.zeros(N)
    for row in range(N):
        for target in targets:
            joint = np.einsum("tc,td->cd", probs[:, row], probs[:, target]) / T
            apart = entropy(joint.sum(axis=0)) + entropy(joint.sum(axis=1))
            found[row] += (apart - entropy(joint)) / len(targets)
    return found


@pytest.mark.parametrize("excluded", [[], [2, 9, 30]])
def test_it_is_the_mean_information_about_all_that_are_there(excluded):
    probs = drawn()
    probs[:, 5] = np.eye(3)[1]  # sure in every draw: a label tells nothing
    pool = asking.pool_of(40, [3, 17], excluded=excluded)
    query = asking.ask("epig", {"sampled_probs": probs}, pool, 35 if not excluded else 32)
    expected = plain(probs, np.setdiff1d(np.arange(40), excluded))
    np.testing.assert_allclose(query.scores, expected[query.indices], rtol=1e-3, atol=2e-6)
    assert (np.diff(query.scores) <= 0).all()
    left = np.setdiff1d(np.arange(40), [3, 17, *excluded])
    best = left[np.argsort(-expected[left])][:6]
    assert query.indices[:6].tolist() == best.tolist()


def test_what_no_other_point_depends_on_is_not_asked_though_the_draws_disagree():
    T, rng = 400, np.random.default_rng(2)
    fair = rng.integers(0, 2, T)
    probs = np.zeros((T, 20, 2), np.float32)
    probs[:, :, 0] = 0.5 + 0.4 * (2 * fair[:, None] - 1)  # all but one say the same in each draw
    probs[:, 7, 0] = rng.integers(0, 2, T)  # surest of itself, and on its own
    probs[:, :, 1] = 1 - probs[:, :, 0]
    pool, given = asking.pool_of(20, [0]), {"sampled_probs": probs}
    assert asking.ask("epig", given, pool, 19).indices[-1] == 7
    terms = np.where(probs > 0, probs * np.log(np.maximum(probs, 1e-9)), 0)
    more = {"mc_probs": probs.mean(0), "mc_mean_entropy": -terms.sum(axis=2).mean(axis=0)}
    assert asking.ask("bald", more, pool, 1).indices.tolist() == [7]


def test_a_sample_of_targets_is_drawn_only_where_the_pool_is_larger():
    pool, given = asking.pool_of(40, [3]), {"sampled_probs": drawn()}
    found = {
        (most, tuple(asking.ask("epig", given, pool, 5, key=key, max_targets=most).indices))
        for most in (40, 4)
        for key in range(3)
    }
    assert len([one for one in found if one[0] == 40]) == 1
    assert len([one for one in found if one[0] == 4]) > 1
