"""What several benchmarks have in common: the data, the network and how it is trained."""

from jax_al.drivers.learner import Options

from jax_al.learners.networks import Model, make_model
from jax_al.pools import load as data

OPTIONS = Options(
    budget=1,
    capacity=1_000,
    epochs=10,
    optimizer="adam",
    weight_decay=0.0,
    schedule="step",
    lr=1e-3,
    gamma=0.1,
    lr_step_epochs=10,
    batch_size=32,
    test_batch_size=1_000,
    num_samples=1,
    augment=False,
)


def load_whole(name: str) -> data.Dataset:
    """Returns the data set `name` with its whole pool and test set."""
    return data.load(
        name,
        data_dir=None,
        cache_dir=None,
        pool_splits=("train",),
        pool_size=None,
        test_split="test",
        test_size=None,
        image_size=None,
    )


def small_cnn(image_shape: tuple[int, int, int], num_classes: int, embedding_size: int) -> Model:
    """Returns the network of the recipes."""
    return make_model(
        "cnn",
        image_shape,
        num_classes,
        widths=(32, 64),
        embedding_size=embedding_size,
        dropout_rates=(0.25, 0.5),
    )
