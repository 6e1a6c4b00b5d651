"""Every field of a run, with its unit and the reason for its value; the recipes start from it.

The values are those of the report this project reproduces, except where a comment says so.
`python launch.py --config=configs/default.py` is the digits data with them.
"""

from ml_collections import ConfigDict
from ml_collections.config_dict import placeholder


def get_config() -> ConfigDict:
    """Returns the defaults; a field that is not here does not exist."""
    config = ConfigDict()

    # What is repeated. Replicates are the seeds seed .. seed + num_seeds - 1; a seed decides the
    # initial labels, the parameters, the batches, the dropout and the chance in a strategy.
    config.seed = 0
    config.num_seeds = 1
    config.seeds_at_once = 10  # so many go through an episode together; memory grows with it
    # How a program serves them: "map", one after another, each bit for bit as it would be alone;
    # or "vmap", all in every operation, for accelerators. "map" is the faster one on a CPU.
    config.seed_axis = "map"

    # What is bought. The first episode trains on the initial labels, the last one buys nothing,
    # so a run ends with initial_size + budget * (max_episodes - 1) labels.
    config.strategy = "coreset"  # a name of jax_al.strategies.STRATEGIES
    config.strategy_args = ConfigDict()  # keyword options of that strategy
    # Strategies to run one after another on the same seeds, each in WORKDIR/NAME; () = only the
    # one above. NAME@EMBEDDING has it look at another embedding: "typiclust@pixels_pca".
    config.compare = ()
    config.initial = "random"  # or "class_balanced", which only a simulation can do
    config.initial_size = 100  # labels; 0: the strategy begins, with an untrained network
    config.budget = 100  # labels per episode
    config.max_episodes = 10

    # How a network is trained, anew each episode.
    config.epochs = 10  # passes over the labeled set per episode
    config.optimizer = "adam"  # or "rmsprop", or "sgd" (with Nesterov momentum 0.9)
    config.weight_decay = 0.0  # decoupled: this much of a parameter per step, times the step size
    config.schedule = "step"  # of the step size; or "cosine": half a cosine over the epochs
    config.lr = 1e-3  # step size
    config.gamma = 0.1  # factor of the step decay
    # Epochs between decays. The report does not tell its own. 10 is no decay within 10 epochs:
    # at these label counts training is short of steps, and an earlier decay costs accuracy.
    config.lr_step_epochs = 10
    config.batch_size = 32  # images per gradient step
    config.test_batch_size = 1000  # images looked at together; memory grows with it
    config.compute_dtype = "float32"  # or "bfloat16", for accelerators: all but the last layer
    config.warm_start = False  # True: go on from the last episode's network
    config.num_samples = 20  # stochastic passes T, for strategies that ask for them

    # What is kept: the newest so many checkpoints of each seed, None = all. Resuming needs one.
    config.keep_checkpoints = placeholder(int)

    config.model = ConfigDict()
    config.model.name = "cnn"  # a name of learners.networks.MODELS; the rest are its own options
    config.model.widths = (32, 64)  # channels of the two 3x3 convolutions
    config.model.embedding_size = 128  # units of the hidden layer, whose values are the embedding
    config.model.dropout_rates = (0.25, 0.5)  # after the pooling, after the hidden layer

    config.data = ConfigDict()
    config.data.name = "digits"  # or any image classification data set of TFDS
    config.data.data_dir = placeholder(str)  # of TFDS; None = $TFDS_DATA_DIR, then TFDS's default
    config.data.cache_dir = placeholder(str)  # decoded images; None = the user's cache, jax_al
    config.data.pool_splits = ("train",)  # put together in this order; none may overlap
    config.data.pool_size = placeholder(int)  # a fixed random subset of the pool; None = all
    config.data.test_split = "test"
    config.data.test_size = placeholder(int)  # a fixed random subset of the test set; None = all
    config.data.image_size = placeholder(int)  # pixels a side after resizing; None = as they are
    config.data.augment = False  # random shifts and mirrors in training; the report had none

    config.wandb = ConfigDict()
    config.wandb.mode = "offline"  # "online", "offline" or "disabled"; offline needs no account
    config.wandb.project = "jax_al"
    return config
