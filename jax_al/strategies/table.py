"""The table of the strategies, by name; one from outside is named module:function."""

import inspect
import types
import typing
from collections.abc import Callable, Mapping
from typing import Any

from jax_al.errors import UsageError, did_you_mean
from jax_al.outside import function_named
from jax_al.strategies.active_transfer import active_transfer
from jax_al.strategies.atlas import atlas
from jax_al.strategies.badge import badge
from jax_al.strategies.bait import bait
from jax_al.strategies.batchbald import batchbald
from jax_al.strategies.bayesian import (
    bald,
    committee_vote_entropy,
    mean_std,
    power_bald,
    softmax_bald,
    softrank_bald,
    variation_ratios,
)
from jax_al.strategies.ceal import ceal
from jax_al.strategies.cluster_margin import cluster_margin
from jax_al.strategies.coreset import coreset
from jax_al.strategies.coreset_robust import coreset_robust
from jax_al.strategies.direct import direct
from jax_al.strategies.discriminative import discriminative
from jax_al.strategies.epig import epig
from jax_al.strategies.facility_location import facility_location
from jax_al.strategies.herding import max_herding, uncertainty_herding
from jax_al.strategies.inconsistent import alfa_mix, dropquery
from jax_al.strategies.kmeans import kmeans
from jax_al.strategies.kmedoids import kmedoids
from jax_al.strategies.lcmd import lcmd
from jax_al.strategies.model_outliers import model_outliers
from jax_al.strategies.probcover import probcover
from jax_al.strategies.random import random
from jax_al.strategies.representative import adaptive_representative, representative
from jax_al.strategies.schedule import is_schedule, schedule, stages_of
from jax_al.strategies.simulated import class_balanced, oracle_uncertainty
from jax_al.strategies.typiclust import typiclust
from jax_al.strategies.uncertainty import (
    entropy,
    least_confidence,
    margin,
    mc_entropy,
    mc_least_confidence,
    mc_margin,
    ratio,
)
from jax_al.strategies.uncertainty_coreset import uncertainty_coreset
from jax_al.types import Strategy

STRATEGIES: dict[str, Callable[..., Strategy]] = {
    "active_transfer": active_transfer,
    "adaptive_representative": adaptive_representative,
    "alfa_mix": alfa_mix,
    "atlas": atlas,
    "badge": badge,
    "bait": bait,
    "bald": bald,
    "batchbald": batchbald,
    "ceal": ceal,
    "class_balanced": class_balanced,
    "cluster_margin": cluster_margin,
    "committee_vote_entropy": committee_vote_entropy,
    "coreset": coreset,
    "coreset_robust": coreset_robust,
    "direct": direct,
    "discriminative": discriminative,
    "dropquery": dropquery,
    "entropy": entropy,
    "epig": epig,
    "facility_location": facility_location,
    "kmeans": kmeans,
    "kmedoids": kmedoids,
    "lcmd": lcmd,
    "least_confidence": least_confidence,
    "margin": margin,
    "max_herding": max_herding,
    "mc_entropy": mc_entropy,
    "mc_least_confidence": mc_least_confidence,
    "mc_margin": mc_margin,
    "mean_std": mean_std,
    "model_outliers": model_outliers,
    "oracle_uncertainty": oracle_uncertainty,
    "power_bald": power_bald,
    "probcover": probcover,
    "random": random,
    "ratio": ratio,
    "representative": representative,
    "softmax_bald": softmax_bald,
    "softrank_bald": softrank_bald,
    "typiclust": typiclust,
    "uncertainty_coreset": uncertainty_coreset,
    "uncertainty_herding": uncertainty_herding,
    "variation_ratios": variation_ratios,
}

# Those that a driver asks and that no `select` can be: by name too, and in no list of all.
DRIVEN = {"best_of": "jax_al.strategies.best_of:best_of"}


def make_strategy(name: str, **options: Any) -> Strategy:
    """Returns the strategy of that name.

    Args:
      name: one of the table, or "module:function" for one from outside: a function of an
        importable module that returns a `Strategy`, given the options, or a `Strategy`. Or several,
        "typiclust:100,margin": the first until 100 labels are owned, then the second.
      options: keyword options of that function; of several, each is given those it has.

    Raises:
      UsageError: there is no such strategy, module, function or option, a value is not of its
        type, or what the function returns is no strategy.
    """
    given = ", ".join(f"{option}={value!r}" for option, value in sorted(options.items()))
    called = f"{name}({given})"
    if is_schedule(name):
        return _scheduled(name, options)._replace(name=called)
    make = maker_named(name)
    if isinstance(make, Strategy):
        if options:
            raise UsageError(f"{name} is a strategy already, so it takes no options.")
        return make
    _check_options(name, make, options)
    made = make(**options)
    if not isinstance(made, Strategy):
        raise UsageError(
            f"{name} returns {type(made).__name__}, but must return a strategy, as "
            "jax_al.strategies.strategy makes it."
        )
    return made._replace(name=called)


def maker_named(name: str) -> Callable[..., Strategy] | Strategy:
    """Returns the function that makes the strategy of that name, which is no schedule's.

    Raises:
      UsageError: there is none.
    """
    place = DRIVEN.get(name, name)
    make = function_named("strategy", place, Strategy) if ":" in place else STRATEGIES.get(name)
    if make is None:
        raise UsageError(
            f"There is no strategy {name!r}: {did_you_mean(name, STRATEGIES)} "
            "One of your own is named module:function."
        )
    return make


def _scheduled(name: str, options: Mapping[str, Any]) -> Strategy:
    stages = stages_of(name)
    known = {}
    for part, _ in stages:
        make = maker_named(part)
        known[part] = {} if isinstance(make, Strategy) else inspect.signature(make).parameters
    for option in options:
        if not any(option in names for names in known.values()):
            names = set().union(*known.values())
            hint = did_you_mean(option, names) if names else "they take none."
            raise UsageError(f"No strategy of {name!r} has an option {option!r}: {hint}")
    parts = [
        make_strategy(part, **{o: value for o, value in options.items() if o in known[part]})
        for part, _ in stages
    ]
    return schedule(parts, [until for _, until in stages[:-1]])


def _check_options(name: str, make: Callable[..., Any], options: dict[str, Any]) -> None:
    known = inspect.signature(make).parameters
    hints = typing.get_type_hints(make)
    takes_any = any(option.kind is option.VAR_KEYWORD for option in known.values())
    for option, value in options.items():
        if option not in known and not takes_any:
            hint = did_you_mean(option, known) if known else "it takes none."
            raise UsageError(f"The strategy {name!r} has no option {option!r}: {hint}")
        if option in hints and not _fits(value, hints[option]):
            wanted = getattr(hints[option], "__name__", str(hints[option]))
            raise UsageError(f"{option} is {value!r}, but must be of type {wanted}.")
    missing = [
        option.name
        for option in known.values()
        if option.default is option.empty
        and option.kind not in (option.VAR_KEYWORD, option.VAR_POSITIONAL)
        and option.name not in options
    ]
    if missing:
        raise UsageError(f"The strategy {name!r} wants a value for the option {missing[0]!r}.")


def _fits(value: Any, hint: Any) -> bool:
    is_union = typing.get_origin(hint) in (typing.Union, types.UnionType)
    kinds = typing.get_args(hint) if is_union else (hint,)
    if Any in kinds or not all(isinstance(kind, type) for kind in kinds):
        return True  # somebody else's, that says more than a type, or less
    if isinstance(value, bool):
        return bool in kinds
    return isinstance(value, kinds) or (isinstance(value, int) and float in kinds)


def strategy_table() -> str:
    """Returns a table in Markdown, a row for each strategy, from its docstring and its fields."""
    rows = ["| name | what it picks | looks at | chance | options |", "|---|---|---|---|---|"]
    for name, constructor in sorted(STRATEGIES.items()):
        made = constructor()
        first_line = (inspect.getdoc(constructor) or "").split("\n", 1)[0].rstrip(".")
        needs = ", ".join(f"`{need}`" for need in sorted(made.needs)) or "nothing"
        options = ", ".join(
            f"`{option.name}={option.default}`"
            for option in inspect.signature(constructor).parameters.values()
        )
        chance = "seeded" if made.seeded else "none"
        rows.append(f"| `{name}` | {first_line} | {needs} | {chance} | {options} |")
    return "\n".join(rows)
