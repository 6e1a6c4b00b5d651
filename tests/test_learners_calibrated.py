"""Temperature scaling, against SciPy."""

import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from labeled_digits import Digits, fitted
from scipy.optimize import minimize_scalar
from sklearn.linear_model import LogisticRegression

import jax_al as al
from jax_al.errors import UsageError
from jax_al.learners import calibrated, host_learner, linear, mlp
from jax_al.learners.calibrated import best_temperature
from jax_al.learners.held_out import dealt, only
from jax_al.learners.logistic import in_blocks
from jax_al.testing.learner import check_learner
from jax_al.types import Spec

C = 4
DIGITS = Digits(width=40, num_classes=C)
ROWS = np.arange(150)
SURE = linear(penalty=1e-3)  # far too sure of labels that are partly noise
FOLDS = 3
LEARNER = calibrated(SURE, folds=FOLDS)(DIGITS.spec, C)
CONTEXT = LEARNER.prepare(DIGITS)


def noisy(count, capacity):
    rng = np.random.default_rng(0)
    examples = DIGITS.examples(ROWS[:count], rng.uniform(0.5, 2, count), capacity)
    noise = rng.random(capacity) < 0.3
    labels = np.where(noise, rng.integers(0, C, capacity), examples.labels)
    return examples._replace(labels=jnp.asarray(labels, jnp.int32))


def objective(temperature, log_probs, labels, weights):
    scaled = log_probs / temperature
    scaled = scaled - np.log(np.exp(scaled).sum(axis=1, keepdims=True))
    losses = -scaled[np.arange(len(labels)), labels]
    return (weights * losses).sum() + 1 / temperature + np.log(temperature), losses


def said(log_probs, labels, weights):
    count = len(labels)
    like = DIGITS.examples(np.arange(count), weights, count)
    there = like._replace(inputs=jnp.asarray(log_probs, jnp.float32), labels=jnp.asarray(labels))
    return in_blocks(there)


@pytest.mark.parametrize("sharpness", [0.2, 1.0, 6.0])
def test_the_temperature_is_the_minimum_that_scipy_finds(sharpness):
    rng = np.random.default_rng(1)
    logits = rng.normal(size=(180, C))  # in two blocks
    labels = (logits + rng.gumbel(size=logits.shape)).argmax(axis=1).astype(np.int32)
    weights = rng.uniform(0.5, 2, 180)
    log_probs = sharpness * logits
    log_probs -= np.log(np.exp(log_probs).sum(axis=1, keepdims=True))
    best = minimize_scalar(
        lambda t: objective(np.exp(t), log_probs, labels, weights)[0],
        bounds=(-4, 4),
        method="bounded",
        options={"xatol": 1e-8},
    )
    found = float(best_temperature(said(log_probs, labels, weights)))
    assert found == pytest.approx(np.exp(best.x), rel=1e-3)
    assert found == pytest.approx(sharpness, rel=0.4)  # labels were drawn at 1


def test_few_labels_all_right_want_no_certainty():
    log_probs = np.log(np.full((3, C), 0.01) + 0.96 * np.eye(C)[:3])
    found = float(best_temperature(said(log_probs, np.arange(3, dtype=np.int32), np.ones(3))))
    assert 0.2 < found < 1


def test_it_guesses_as_the_bare_learner_and_is_better_calibrated():
    examples = noisy(150, 160)
    state, fit = fitted(LEARNER, examples, CONTEXT)
    bare = SURE(DIGITS.spec, C)
    bare_state, bare_fit = fitted(bare, examples, CONTEXT)
    few = jnp.asarray(DIGITS.X[ROWS[-1] + 1 :])
    outputs, theirs = LEARNER.predict(state, few), bare.predict(bare_state, few)
    scaled = jax.nn.log_softmax(theirs.log_probs / state.temperature)
    np.testing.assert_allclose(outputs.log_probs, scaled, atol=1e-2)
    assert float(fit.loss) == pytest.approx(float(bare_fit.loss), rel=1e-3)
    assert float(state.temperature) == float(fit.info["temperature"]) > 1.5
    assert fit.info["held_nll_after"] < fit.info["held_nll_before"] - 0.1

    truth = DIGITS.Y[ROWS[-1] + 1 :]
    before, after = (
        -np.asarray(x)[np.arange(len(truth)), truth].mean()
        for x in (theirs.log_probs, outputs.log_probs)
    )
    assert after < before


def test_what_is_told_is_of_fits_that_did_not_see_it():
    examples = noisy(150, 160)
    _, fit = fitted(LEARNER, examples, CONTEXT)
    held_key = jax.random.fold_in(jax.random.key(0), 2**32 - 1)
    fold_of = np.asarray(dealt(held_key, examples, FOLDS))
    is_there = np.arange(160) < 150
    bare, of_all = SURE(DIGITS.spec, C), []
    for fold in range(FOLDS):
        taught = only(examples, jnp.asarray(is_there & (fold_of != fold)))
        held = only(examples, jnp.asarray(fold_of == fold))
        assert int(taught.count) + int(held.count) == 150
        state, _ = fitted(bare, taught, CONTEXT)
        log_probs = np.asarray(bare.predict(state, held.inputs).log_probs, np.float64)
        count = int(held.count)
        of_all.append((log_probs[:count], held.labels[:count], held.weights[:count]))
    log_probs, labels, weights = (np.concatenate(arrays) for arrays in zip(*of_all, strict=True))
    assert len(labels) == 150 - C  # all but the first of each class
    for name, temperature in (("before", 1.0), ("after", float(fit.info["temperature"]))):
        _, losses = objective(temperature, log_probs, labels, weights)
        expected = np.average(losses, weights=weights)
        assert float(fit.info[f"held_nll_{name}"]) == pytest.approx(expected, rel=1e-2)


@pytest.mark.parametrize(("count", "folds"), [(0, 2), (1, 2), (4, 3), (37, 5), (150, 4)])
def test_each_but_the_first_of_a_class_is_held_out_once_and_folds_are_alike(count, folds):
    examples = DIGITS.examples(ROWS[:count], np.ones(count), 160)
    labels = np.asarray(examples.labels)[:count]
    found = [np.asarray(dealt(jax.random.key(key), examples, folds)) for key in (0, 1)]
    for fold_of in found:
        assert (fold_of[count:] == -1).all()
        for name in set(labels):
            of_class = fold_of[:count][labels == name]
            assert (of_class == -1).sum() == 1
            sizes = np.bincount(of_class[of_class >= 0], minlength=folds)
            assert sizes.max() - sizes.min() <= 1
        sizes = np.bincount(fold_of[fold_of >= 0], minlength=folds)
        assert sizes.max() - sizes.min() <= 1
    if count == 150:
        assert (found[0] != found[1]).any()


def test_with_few_labels_the_temperature_hardly_depends_on_chance():
    # By a single fifth of eighty labels, a third of them noise, it went from 1.1 to 9.8.
    examples = noisy(80, 96)
    learner = calibrated(SURE)(DIGITS.spec, C)
    found = [float(fitted(learner, examples, CONTEXT, key)[0].temperature) for key in range(6)]
    assert max(found) < 2 * min(found)


def test_of_a_single_label_nothing_is_held_out_and_the_temperature_is_1():
    _, fit = fitted(LEARNER, noisy(1, 160), CONTEXT)
    assert float(fit.info["temperature"]) == pytest.approx(1, abs=1e-4)


def test_it_keeps_the_promises():
    make = calibrated(mlp(widths=(4,), epochs=2, batch_size=8))  # with draws, and keys that matter
    check_learner(make, spec=Spec((5,), np.dtype(np.float32)))


def test_how_it_went_is_in_the_record(tmp_path):
    pool = al.arrays(DIGITS.X)
    data = al.Benchmark(pool, DIGITS.Y, tuple("0123"), pool, DIGITS.Y)
    al.run(
        data, learner=calibrated(SURE), strategies=["random"], initial=30, budget=5, episodes=1,
        seeds=[0], directory=tmp_path / "run",
    )  # fmt: skip
    (line,) = (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()
    found = json.loads(line)["fit_info"]
    assert set(found) == {"temperature", "held_nll_before", "held_nll_after"}
    assert found["temperature"] > 0


def test_mistakes():
    for folds in (1, 2.0, True):
        with pytest.raises(UsageError, match=f"folds is {folds}, but must be a whole number"):
            calibrated(SURE, folds=folds)
    with pytest.raises(UsageError, match="on the host: take scikit-learn's CalibratedClassifierCV"):
        calibrated(host_learner(LogisticRegression()))(DIGITS.spec, C)
