import asking
import numpy as np
import pytest

import jax_al as al

N, C = 80, 3


def some_log_probs(seed=0):
    logits = 2 * np.random.default_rng(seed).normal(size=(N, C))
    return logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))


def ranking(log_probs, k):
    probs = np.exp(log_probs)
    return np.lexsort((-probs[:, k], -(probs[:, k] - probs.max(axis=1))))


def interval_and_threshold(order, classes, k):
    """Of class k, by walking along its order as the authors do; `classes` is -1 without label."""
    start, end = 0, len(order) - 1
    for place, row in enumerate(order):
        if classes[row] >= 0 and classes[row] != k:
            break
        if classes[row] == k:
            start = place
    for place in reversed(range(len(order))):
        if classes[order[place]] == k:
            break
        if classes[order[place]] >= 0:
            end = place
    right = [
        sum(classes[row] == k for row in order[:h])
        - sum(classes[row] not in (k, -1) for row in order[:h])
        + sum(classes[row] not in (k, -1) for row in order[h:])
        - sum(classes[row] == k for row in order[h:])
        for h in range(len(order) + 1)
    ]
    return start, end, int(np.argmax(right))


@pytest.mark.parametrize("seed", [0, 1])
def test_each_class_has_its_parts_in_the_interval_and_around_the_threshold(seed):
    rng = np.random.default_rng(seed)
    log_probs = some_log_probs(seed)
    labeled = rng.permutation(N)[:20]
    labels = np.where(rng.random(20) < 0.8, log_probs[labeled].argmax(axis=1), 0)
    classes = np.full(N, -1)
    classes[labeled] = labels
    pool = asking.pool_of(N, labeled, labels)
    picks = asking.ask("direct", {"log_probs": log_probs}, pool, 12).indices.tolist()
    rarest = np.argsort(np.bincount(labels, minlength=C), kind="stable")
    place = 0
    taken = set(labeled.tolist())
    for k in rarest:  # two of six for each, if the interval holds so many
        order = ranking(log_probs, k)
        start, end, _ = interval_and_threshold(order, classes, k)
        inside = set(order[start : end + 1].tolist()) - taken
        mine = picks[place : place + min(2, len(inside))]
        assert set(mine) <= inside
        place += len(mine)
        taken |= set(mine)
    rest = 12 - place
    for i, k in enumerate(rarest):
        order = ranking(log_probs, k).tolist()
        *_, threshold = interval_and_threshold(order, classes, k)
        walk = [p for d in range(N) for p in (threshold - 1 - d, threshold + d) if 0 <= p < N]
        wanted = [order[p] for p in walk if order[p] not in taken][: rest // C + (i < rest % C)]
        assert picks[place : place + len(wanted)] == wanted
        place += len(wanted)
        taken |= set(wanted)
    assert place == 12


def test_of_classes_with_equally_few_labels_chance_decides_whose_turn_it_is():
    """Two picks for three classes: one class has both parts, one in each half."""
    log_probs = np.log(np.full((N, C), 0.05) + 0.85 * np.eye(C)[np.arange(N) % C])
    pool = asking.pool_of(N, [0, 1, 2], [0, 1, 2])
    found = [asking.ask("direct", {"log_probs": log_probs}, pool, 2, key=key) for key in range(16)]
    # The pick at the threshold of class k is most often of class k, or else of one that is not.
    assert len({int(query.indices[1]) % C for query in found}) == C


def test_without_labels_probabilities_do_not_do():
    single = asking.single(some_log_probs())
    assert al.select("direct", budget=5, log_probs=single).info["random_fallback"] == 1
    assert al.select("margin", budget=5, log_probs=single).info["random_fallback"] == 0


def test_a_rare_class_is_asked_about_as_often_as_a_common_one():
    """Nine in ten are of class 0: margin asks between classes 0 and 1, where most points are."""
    rng = np.random.default_rng(0)
    logits = np.stack([rng.normal(2, 1, 900), rng.normal(2, 1, 900), np.full(900, -4.0)], axis=1)
    rare = np.stack([rng.normal(0, 1, 60), np.full(60, -4.0), rng.normal(0, 1, 60)], axis=1)
    logits = np.concatenate([logits, rare])
    log_probs = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    pool = asking.pool_of(960, [0, 1, 2, 900, 901], [0, 0, 1, 2, 0])
    given = {"log_probs": log_probs}
    found = {
        name: (asking.ask(name, given, pool, 30).indices >= 900).sum()
        for name in ("direct", "margin")
    }
    assert found["direct"] > 2 * found["margin"]
