"""Networks as learners: gradient steps over the labeled examples, an epoch a tick."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jax_al.errors import UsageError
from jax_al.learners.class_weights import with_class_weights
from jax_al.learners.early_stopping import stopped_early
from jax_al.learners.epoch import Trained, train_epoch
from jax_al.learners.inputs import Normalizer, fit_normalizer, normalize
from jax_al.learners.naming import called
from jax_al.learners.networks.network import Model
from jax_al.learners.networks.own import ModuleMaker, own_model
from jax_al.learners.optimizers import learning_rate, make_optimizer
from jax_al.learners.training_options import TrainingOptions, on_record, training_options
from jax_al.outside import source_hash
from jax_al.types import Examples, Fit, Learner, Outputs, Spec

MakeLearner = Callable[[Spec, int], Learner]  # (spec, number of classes C) -> Learner


class State(NamedTuple):
    """All that a network needs to predict."""

    params: Any  # nested, of float32 arrays
    normalizer: Normalizer


class Training(NamedTuple):
    """A fit under way."""

    key: jax.Array  # of the fit; each epoch's is made from it
    params: Any
    opt_state: Any
    normalizer: Normalizer
    epoch: jax.Array  # int32 [], how many are over
    fit: Fit  # of the last of them


def learner_of(
    model: Model, spec: Spec, num_classes: int, options: TrainingOptions, *, has_dropout: bool
) -> Learner:
    """Returns `model` as a learner; its Context is a `Normalizer`.

    A fit begins from the State it is given, untrained or trained, with a fresh optimizer.

    Args:
      model: takes normalised inputs float32 [B, ...].
      spec: of the pool.
      num_classes: C.
      options: how it is trained.
      has_dropout: whether a key changes what it says, so that it has stochastic draws.

    Raises:
      UsageError: examples that are no images are to be augmented.
    """
    if options.augment and not spec.is_image:
        raise UsageError(
            f"augment is True, but only images (uint8 [H, W, channels]) can be shifted and "
            f"mirrored, and an example of this pool is {describe(spec)}."
        )
    optimizer = make_optimizer(options.optimizer, options.weight_decay)
    schedule = (options.schedule, options.lr, options.gamma, options.lr_step_epochs, options.epochs)
    rates = [learning_rate(*schedule, epoch) for epoch in range(options.epochs)]

    def init(init_key: jax.Array, normalizer: Normalizer) -> State:
        return State(model.init(init_key), normalizer)

    def begin(
        train_key: jax.Array, state: State, examples: Examples, normalizer: Normalizer
    ) -> Training:
        del examples
        opt_state = optimizer.init(state.params)
        nothing = jnp.zeros((), jnp.float32)
        start = jnp.zeros((), jnp.int32)
        return Training(
            train_key, state.params, opt_state, normalizer, start, Fit(nothing, nothing)
        )

    def advance(training: Training, examples: Examples, normalizer: Normalizer) -> Training:
        trained, fit = train_epoch(
            jax.random.fold_in(training.key, training.epoch),
            Trained(training.params, training.opt_state),
            jnp.array(rates, jnp.float32)[training.epoch],
            examples,
            normalizer,
            model=model,
            optimizer=optimizer,
            batch_size=options.batch_size,
            augment=options.augment,
        )
        return training._replace(
            params=trained.params, opt_state=trained.opt_state, epoch=training.epoch + 1, fit=fit
        )

    def finish(training: Training) -> tuple[State, Fit]:
        return State(training.params, training.normalizer), training.fit

    def predict(state: State, inputs: jax.Array) -> Outputs:
        return model.apply(state.params, normalize(inputs, state.normalizer))

    def sample(key: jax.Array, draw: jax.Array, state: State, inputs: jax.Array) -> jax.Array:
        # The bits of jax.random.split(key, T)[draw] for whatever T, as a split is made of these.
        mask_key = jax.random.fold_in(key, draw)
        inputs = normalize(inputs, state.normalizer)
        return model.apply(state.params, inputs, mask_key, one_mask=True).log_probs

    learner = Learner(
        prepare=fit_normalizer,
        init=init,
        begin=begin,
        advance=advance,
        steps=options.epochs,
        finish=finish,
        predict=predict,
        sample=sample if has_dropout else None,
        draws=None if has_dropout else 0,
    )
    if options.validation_share:
        learner = stopped_early(learner, options.validation_share)
    return with_class_weights(learner, options.class_weights, num_classes)


def network(module: ModuleMaker, **training: Any) -> MakeLearner:
    """Returns a Flax NNX module of your own as a learner.

        class Net(nnx.Module):
            def __init__(self, shape, num_classes, *, rngs):
                self.hidden = nnx.Linear(shape[0], 64, rngs=rngs)
                self.dropout = nnx.Dropout(0.5, rngs=rngs)
                self.head = nnx.Linear(64, num_classes, rngs=rngs)

            def __call__(self, inputs):
                return self.head(self.dropout(nnx.relu(self.hidden(inputs))))

        learner = network(Net, epochs=20)

    The inputs are normalised float32 [B, *shape]; any pool will do. What is returned are logits
    [B, C], which strategies then take for embedding and head inputs too, or `Outputs`, to say what
    those are. Dropout is that of `nnx.Dropout` layers, switched on and off here. Layers that carry
    statistics from batch to batch (BatchNorm) are refused.

    Args:
      module: a class, or a function, called as `module(shape, num_classes, rngs=rngs)`.
      **training: see `TrainingOptions`.

    Raises:
      UsageError: an option is unknown or out of its range; or, when the learner is made, the
        module is not as above.
    """
    options = training_options("network", training)

    def make(spec: Spec, num_classes: int) -> Learner:
        model, has_dropout = own_model(module, spec.shape, num_classes)
        return learner_of(model, spec, num_classes, options, has_dropout=has_dropout)

    source = source_hash(module)
    return called(make, "network", module=source, **on_record(options))


def describe(spec: Spec) -> str:
    """Returns dtype and shape of an example in words."""
    return f"{spec.dtype} [{', '.join(map(str, spec.shape))}]"
