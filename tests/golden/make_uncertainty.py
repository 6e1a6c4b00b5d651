"""Writes uncertainty.npz: the scores of scikit-activeml and baal for one pass and for T of them.

Run with the `bench` extra installed: python tests/golden/make_uncertainty.py
Made with scikit-activeml 1.0.1 and baal 2.1.0. The last two points are extremes: of one all passes
are certain and agree, of the other they are certain and disagree.
"""

import pathlib

import numpy as np
from baal.active.heuristics import BALD, Certainty, Entropy, Margin, Variance
from baal.active.heuristics.stochastics import (
    GibbsSampling,
    PowerSampling,
    RankBasedSampling,
)
from skactiveml.pool import uncertainty_scores
from skactiveml.pool._query_by_committee import average_kl_divergence, variation_ratios

N, T, C = 12, 8, 4


def main() -> None:
    rng = np.random.default_rng(0)
    logits = 2 * rng.normal(size=(N - 2, C)) + rng.normal(size=(T, N - 2, C))
    passes = np.exp(logits) / np.exp(logits).sum(axis=2, keepdims=True)
    extremes = np.zeros((T, 2, C))
    extremes[:, 0, 1] = 1
    extremes[np.arange(T), 1, np.arange(T) % 2] = 1
    passes = np.concatenate([passes, extremes], axis=1)
    mean = passes.mean(axis=0)
    committee = np.moveaxis(passes, 0, 2)  # as baal wants them: [N, C, T]
    # Passes that agree, in the float32 of a network: what is left is rounding.
    agreeing = np.repeat(np.float32(mean)[:, :, None], 20, axis=2)
    few = np.repeat([[1.0, 0.0]], 6, axis=0)[:, :, None].repeat(2, axis=2)
    few[:2, :, 1] = [0.0, 1.0]  # two points of six with a score above 0
    found = {
        "skactiveml_entropy": uncertainty_scores(mean, method="entropy"),
        "skactiveml_margin": uncertainty_scores(mean, method="margin_sampling"),
        "skactiveml_least_confidence": uncertainty_scores(mean, method="least_confident"),
        "skactiveml_variation_ratios": variation_ratios(passes.argmax(axis=2).T),
        "skactiveml_kl_divergence": average_kl_divergence(passes.copy()),
        "baal_entropy": Entropy().get_uncertainties(committee),
        "baal_margin": Margin().get_uncertainties(committee),
        "baal_certainty": Certainty().get_uncertainties(committee),
        "baal_variance": Variance().get_uncertainties(committee),
        "baal_bald": BALD().get_uncertainties(committee),
        "baal_bald_agreeing": BALD().get_uncertainties(agreeing),
        "baal_power": PowerSampling(BALD(), 2, temperature=0.5).get_ranks(committee)[1],
        "baal_softmax": GibbsSampling(BALD(), 2, temperature=0.25).get_ranks(committee)[1],
        "baal_softrank": RankBasedSampling(BALD(), 2).get_ranks(committee)[1],
        "baal_power_of_few": PowerSampling(BALD(), 3).get_ranks(few)[1],
    }
    path = pathlib.Path(__file__).with_name("uncertainty.npz")
    np.savez(path, passes=passes, agreeing=agreeing, few=few, **found)


if __name__ == "__main__":
    main()
