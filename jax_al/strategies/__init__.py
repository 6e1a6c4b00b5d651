"""The strategies: pure functions on numbers, one a file, and the table that names them."""

import inspect
from collections.abc import Callable
from typing import Any

from jax_al.base import Strategy, UsageError, did_you_mean
from jax_al.strategies.active_transfer import active_transfer
from jax_al.strategies.atlas import atlas
from jax_al.strategies.badge import badge
from jax_al.strategies.bait import bait
from jax_al.strategies.batchbald import batchbald
from jax_al.strategies.ceal import ceal
from jax_al.strategies.cluster_margin import cluster_margin
from jax_al.strategies.coreset import coreset
from jax_al.strategies.coreset_robust import coreset_robust
from jax_al.strategies.discriminative import discriminative
from jax_al.strategies.facility_location import facility_location
from jax_al.strategies.kmeans import kmeans
from jax_al.strategies.kmedoids import kmedoids
from jax_al.strategies.model_outliers import model_outliers
from jax_al.strategies.probcover import probcover
from jax_al.strategies.random import random
from jax_al.strategies.representative import adaptive_representative, representative
from jax_al.strategies.typiclust import typiclust
from jax_al.strategies.uncertainty_coreset import uncertainty_coreset

STRATEGIES: dict[str, Callable[..., Strategy]] = {
    "active_transfer": active_transfer,
    "atlas": atlas,
    "adaptive_representative": adaptive_representative,
    "badge": badge,
    "bait": bait,
    "batchbald": batchbald,
    "ceal": ceal,
    "cluster_margin": cluster_margin,
    "coreset": coreset,
    "coreset_robust": coreset_robust,
    "discriminative": discriminative,
    "facility_location": facility_location,
    "kmeans": kmeans,
    "kmedoids": kmedoids,
    "model_outliers": model_outliers,
    "probcover": probcover,
    "random": random,
    "representative": representative,
    "typiclust": typiclust,
    "uncertainty_coreset": uncertainty_coreset,
}


def make_strategy(name: str, **options: Any) -> Strategy:
    """Returns the strategy of that name.

    Raises:
      UsageError: there is no such strategy, or it has no such option.
    """
    if name not in STRATEGIES:
        raise UsageError(f"There is no strategy {name!r}: {did_you_mean(name, STRATEGIES)}")
    known = inspect.signature(STRATEGIES[name]).parameters
    for option in options:
        if option not in known:
            has = f"it takes {', '.join(known)}" if known else "it takes none"
            raise UsageError(f"The strategy {name!r} has no option {option!r}: {has}.")
    return STRATEGIES[name](**options)
