"""Made-up signals and pools, in NumPy: what a strategy is tried on."""

from typing import Any

import numpy as np

from jax_al.types import NOT_OF_POINTS, NOTHING, UNKNOWN, PoolState, Signals

D, T = 5, 6  # of an embedding; stochastic draws


def pool_of(
    num_points: int,
    labeled: np.ndarray,
    labels: np.ndarray,
    excluded: np.ndarray,
    capacity: int,
) -> PoolState:
    """Returns the state of a pool before its first query, in NumPy.

    Args:
      num_points: N.
      labeled: int [n], rows in the order bought.
      labels: int [n].
      excluded: int [m], rows.
      capacity: L.
    """
    has_label, is_out = np.zeros(num_points, bool), np.zeros(num_points, bool)
    has_label[labeled], is_out[excluded] = True, True
    told = np.full(num_points, UNKNOWN, np.int32)
    told[labeled] = labels
    order = np.full(capacity, NOTHING, np.int32)
    order[: len(labeled)] = labeled
    count = np.array(len(labeled), np.int32)
    fields = (has_label, is_out, told, order, count, count, np.array(0, np.int32))
    return PoolState(*fields)  # type: ignore[arg-type]


def general(seed: int, num_points: int, num_classes: int) -> Signals:
    """Returns signals of points in general position: no two alike, no two scores equal."""
    rng = np.random.default_rng(seed)
    signals = _signals(
        rng.normal(size=(num_points, D)),
        2 * rng.normal(size=(num_points, num_classes)),
        2 * rng.normal(size=(T, num_points, num_classes)),
    )
    # T votes have only T levels; those of infinitely many draws are all different.
    votes = rng.dirichlet(np.ones(num_classes), num_points)
    return signals._replace(mc_votes=votes.astype(np.float32))  # type: ignore[arg-type]


def alike(seed: int, num_points: int, num_classes: int) -> Signals:
    """Returns signals of a network that says the same of every point."""
    return take(general(seed, num_points, num_classes), np.zeros(num_points, int))


def duplicates(seed: int, num_points: int, num_classes: int) -> Signals:
    """Returns signals of points that are there four times each."""
    return take(general(seed, num_points, num_classes), np.arange(num_points) // 4)


def saturated(seed: int, num_points: int, num_classes: int) -> Signals:
    """Returns signals of a network so sure that the other classes have probability zero."""
    rng = np.random.default_rng(seed)
    logits = 1e4 * np.eye(num_classes)[np.arange(num_points) % num_classes]
    return _signals(
        rng.normal(size=(num_points, D)),
        logits,
        np.broadcast_to(logits, (T, num_points, num_classes)),
    )


def take(signals: Signals, rows: np.ndarray) -> Signals:
    """Returns the signals of `rows` int [n]."""
    return Signals(
        **{
            name: values
            if name in NOT_OF_POINTS
            else (values[:, rows] if name == "sampled_probs" else values[rows])
            for name, values in signals._asdict().items()
            if values is not None
        }
    )


def replaced(signals: Signals, rows: np.ndarray, others: Signals) -> Signals:
    """Returns `signals` with what `others` say of `rows`."""
    found: dict[str, Any] = {}
    for name, values in signals._asdict().items():
        if values is not None:
            found[name] = np.array(values)
        if values is not None and name not in NOT_OF_POINTS:
            place = (slice(None), rows) if name == "sampled_probs" else rows
            found[name][place] = getattr(others, name)[place]
    return Signals(**found)


def filled(signals: Signals, value: float) -> Signals:
    """Returns signals of the same shapes that say `value` of every point; 0 for true labels."""
    return Signals(
        **{
            name: np.full_like(values, 0 if name == "true_labels" else value)
            for name, values in signals._asdict().items()
            if values is not None
        }
    )


def _signals(embedding: np.ndarray, logits: np.ndarray, sampled_logits: np.ndarray) -> Signals:
    """Everything a network could say: `logits` [N, C] and those of T draws [T, N, C]."""
    log_probs, sampled_log_probs = _log_softmax(logits), _log_softmax(sampled_logits)
    sampled = np.exp(sampled_log_probs)
    C = logits.shape[1]
    found: dict[str, Any] = {
        "embedding": embedding,
        "head_inputs": np.maximum(embedding, 0),
        "log_probs": log_probs,
        "mc_probs": sampled.mean(axis=0),
        "mc_mean_entropy": -(sampled * sampled_log_probs).sum(axis=2).mean(axis=0),
        "mc_std": sampled.std(axis=0),
        "mc_votes": np.eye(C)[sampled.argmax(axis=2)].mean(axis=0),
        "sampled_probs": sampled,
    }
    truth = np.arange(len(logits), dtype=np.int32) % C
    return Signals(
        **{name: values.astype(np.float32) for name, values in found.items()},
        true_labels=truth,
        head=np.random.default_rng(C).normal(size=(D + 1, C)).astype(np.float32),  # type: ignore[arg-type]
    )


def _log_softmax(logits: np.ndarray) -> np.ndarray:
    shifted = logits - logits.max(axis=-1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
