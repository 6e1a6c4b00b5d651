"""Our own learners keep what `check_learner` asks, and broken ones are told apart."""

import numpy as np
import pytest
from flax import nnx
from sklearn.ensemble import BaggingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression

from jax_al.learners import cnn, host_learner, linear, network, resnet18, vgg16
from jax_al.testing.learner import check_learner
from jax_al.types import Spec

TABLE = Spec((5,), np.dtype(np.float32))
LARGER = Spec((32, 32, 1), np.dtype(np.uint8))
FEW = {"epochs": 2, "batch_size": 8}


class Net(nnx.Module):
    def __init__(self, shape, num_classes, *, rngs):
        self.hidden = nnx.Linear(shape[0], 8, rngs=rngs)
        self.dropout = nnx.Dropout(0.5, rngs=rngs)
        self.head = nnx.Linear(8, num_classes, rngs=rngs)

    def __call__(self, inputs):
        return self.head(self.dropout(nnx.relu(self.hidden(inputs))))


LEARNERS = {
    "cnn": (cnn(widths=(2, 4), embedding_size=8, augment=True, **FEW), None),
    "cnn_bfloat16": (
        cnn(widths=(2, 4), embedding_size=8, compute_dtype="bfloat16", **FEW | {"epochs": 1}),
        None,
    ),
    "vgg16": (vgg16(width=1, embedding_size=4, **FEW | {"epochs": 1}), LARGER),
    "resnet18": (resnet18(width=2, **FEW | {"epochs": 1}), None),
    "linear": (linear(), TABLE),
    "linear_images": (linear(), None),
    "own": (network(Net, **FEW), TABLE),
    "forest": (host_learner(RandomForestClassifier(4)), TABLE),
    "bagging": (host_learner(BaggingClassifier(LogisticRegression(), 3, max_features=3)), TABLE),
    "logistic": (host_learner(LogisticRegression()), None),
}


@pytest.mark.parametrize("name", LEARNERS)
def test_our_own_learners_keep_the_promises(name):
    make, spec = LEARNERS[name]
    check_learner(make, spec=spec)
