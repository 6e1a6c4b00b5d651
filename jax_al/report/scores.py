"""What the number under a picked image means, for each strategy.

The strategies themselves are in a room that a report does not enter: it reads what runs have left.
A test holds this table against theirs.
"""

from collections.abc import Mapping
from typing import Any

_DISTANCE = "distance to the nearest labeled or earlier picked point"
_PASSES = "of the probabilities averaged over the dropout passes"
_BALD = (
    "the mutual information of the label and the network's weights, in nats: how much the dropout "
    "passes disagree, each being sure"
)
_SECOND_MODEL = (
    "how much a second model expects the network to be wrong; it has no unit, so only the order "
    "within an episode counts"
)
# What follows "Score: ".
SCORES = {
    "active_transfer": _SECOND_MODEL,
    "adaptive_representative": "cosine to the mean of the unlabeled points minus cosine to the "
    "mean of the labeled ones, earlier picks being among these",
    "alfa_mix": "by how much, in logits, the class changes where its features are mixed with those "
    "of a labeled class",
    "atlas": _SECOND_MODEL,
    "badge": "distance of its gradient to the nearest of those of earlier picks, of the first its "
    "length. Chance decides, the farther the likelier",
    "bait": "how much it lowered, when it was added, the trace of the pool's Fisher information "
    "over the batch's",
    "bald": _BALD,
    "batchbald": "the information on the network's weights, in nats, that its label adds to those "
    "of the picks before it",
    "class_balanced": "minus the number of labels that its class has before it",
    "cluster_margin": "minus the difference between the two highest probabilities; 0 is a tie. "
    "The clusters decide on the order",
    "committee_vote_entropy": "entropy of the votes of the dropout passes, in nats; 0: they agree",
    "coreset": _DISTANCE,
    "coreset_robust": f"{_DISTANCE}. The batch is chosen as a whole",
    "direct": "probability of the class that it was asked for minus the highest one; 0: it is the "
    "highest",
    "discriminative": "how sure a classifier is that it is not among the labeled points (its "
    "logit; 0: it cannot tell)",
    "dropquery": "share of the draws, each without some features, that change its class",
    "entropy": "entropy of the predicted probabilities, in nats; 0 is certainty",
    "epig": "the information, in nats, that its label gives on the predictions of other points",
    "facility_location": "how much it adds to the sum, over the pool, of each point's similarity "
    "to the nearest labeled or picked one",
    "kmeans": "minus the squared distance to the center of its cluster",
    "kmedoids": "minus the sum of the distances from the points of its cluster",
    "lcmd": "distance to the center of its cluster, the largest one then",
    "least_confidence": "1 minus the highest probability; 0 is certainty",
    "margin": "minus the difference between the two highest probabilities; 0 is a tie",
    "max_herding": "how much it adds to the sum, over the pool, of each point's likeness (a "
    "Gaussian of the distance) to the nearest labeled or picked one",
    "mc_entropy": f"entropy {_PASSES}, in nats; 0 is certainty",
    "mc_least_confidence": f"1 minus the highest {_PASSES}; 0 is certainty",
    "mc_margin": f"minus the difference between the two highest {_PASSES}; 0 is a tie",
    "mean_std": "standard deviation of a class's probability over the dropout passes, averaged "
    "over the classes",
    "model_outliers": "1 minus the mean rank of its activations among those of the labeled "
    "points; 1 lies below all of them",
    "oracle_uncertainty": "the network's loss on its true label, in nats",
    "power_bald": f"{_BALD}. Chance decides, the higher the likelier",
    "probcover": "how many points its ball covers that were not covered before",
    "ratio": "the second highest probability over the highest; 1 is a tie",
    "representative": "cosine to the mean of the unlabeled points minus cosine to the mean of the "
    "labeled ones",
    "softmax_bald": f"{_BALD}. Chance decides, the higher the likelier",
    "softrank_bald": f"{_BALD}. Chance decides, the higher the rank the likelier",
    "typiclust": "typicality, one over the mean distance to its nearest neighbors in its cluster; "
    "high in dense places",
    "uncertainty_coreset": f"{_DISTANCE}. Only the most uncertain points can be picked",
    "uncertainty_herding": "how much it adds to the sum, over the pool, of each point's likeness "
    "to the nearest labeled or picked one, the more the less certain that point is",
    "variation_ratios": "share of the dropout passes that do not vote for the most voted class",
}
# What follows "No score: ", for strategies whose single picks have none.
UNSCORED = {"random": "chance alone picks"}
CEAL = "entropy"  # by what it ranks if its options do not say


def score_meaning(config: Mapping[str, Any]) -> str:
    """Returns a sentence on the scores of the strategy of a config, flat as a report reads it."""
    name = str(config["strategy"])
    if name == "ceal":
        name = str(config.get("strategy_args.score") or CEAL)
    if name in UNSCORED:
        return f"No score: {UNSCORED[name]}."
    if name in SCORES:
        return f"Score: {SCORES[name]}."
    return f"Score: a number of {name}'s own, which its author explains."
