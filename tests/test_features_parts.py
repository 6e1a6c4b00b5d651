"""A part of a pool that is read as features, and two of them in a row, are read as features too."""

import numpy as np
import pytest

import jax_al as al
from jax_al.errors import UsageError
from jax_al.pools.rows import base_of

RNG = np.random.default_rng(0)
X = (RNG.normal(size=(60, 4)) * [1, 5, 2, 9] + 3).astype(np.float32)
Y = X[:, 1] > 3
PART = np.arange(7, 31)
POOL = al.with_features(al.arrays(X), "pixels_pca", cache=False)
FEW = al.with_features(al.arrays(X[:30]), "pixels_pca", cache=False)  # of another fit


def trained(pool):
    given = {"classes": ["a", "b"], "learner": al.linear(penalty=0.1), "strategy": "random"}
    session = al.Session(pool, budget=20, **given)
    session.tell({id: "ab"[int(Y[int(id)])] for id in session.ask().ids})
    session.train()
    return session


@pytest.fixture(scope="module")
def session():
    return trained(POOL)


@pytest.fixture(scope="module")
def model(session, tmp_path_factory):
    path = tmp_path_factory.mktemp("model") / "m.model"
    session.export(path)
    return al.load_predictor(path)


def test_a_part_holds_the_rows_of_the_base_too():
    part = al.subset(al.subset(POOL, PART), [3, 1])
    al.testing.check_pool(part)
    np.testing.assert_array_equal(base_of(part).read(slice(None)), X[PART[[3, 1]]])
    np.testing.assert_array_equal(part.read(slice(None)), POOL.read(PART[[3, 1]]))
    assert list(part.ids) == [str(row) for row in PART[[3, 1]]]


def test_the_same_rows_have_the_same_probabilities_however_they_come(session, model):
    wanted = session.predict(POOL)
    whole = al.concatenate([al.subset(POOL, PART), al.subset(POOL, [0, 1])])
    for predict in (session.predict, model):
        np.testing.assert_array_equal(predict(al.subset(POOL, PART)), wanted[PART])
        np.testing.assert_array_equal(predict(whole), wanted[[*PART, 0, 1]])
        np.testing.assert_array_equal(predict(al.arrays(X)), wanted)
        np.testing.assert_array_equal(predict(FEW), wanted[:30])


def test_a_session_on_a_part_reads_other_examples_as_its_own():
    part = trained(al.subset(POOL, PART))
    found = part.predict(al.arrays(X[PART]))
    np.testing.assert_array_equal(found, part.predict(part.pool))


def test_features_of_two_fits_or_of_files_are_not_put_in_a_row(tmp_path):
    np.save(tmp_path / "f.npy", X)
    file = al.with_features(al.arrays(X), str(tmp_path / "f.npy"))
    plain = al.arrays(X, ids=[f"p{row}" for row in range(60)])
    for one, other in ((POOL, FEW), (POOL, plain), (file, file)):
        ids = [str(row) for row in range(len(one) + len(other))]
        with pytest.raises(UsageError, match="cannot be concatenated: concatenate the pools of"):
            al.concatenate([one, other], ids)


class Scaled:
    """A pool of somebody's own, which keeps another one in an attribute of this name."""

    def __init__(self, base):
        self.base, self.spec, self.ids = base, base.spec, base.ids

    def __len__(self):
        return len(self.base)

    def read(self, rows):
        return -self.base.read(rows)

    def show(self, row):
        return None


def test_a_pool_of_ones_own_may_have_an_attribute_base(tmp_path):
    session = trained(Scaled(al.arrays(X)))
    session.export(tmp_path / "m.model")
    model = al.load_predictor(tmp_path / "m.model")
    np.testing.assert_array_equal(model(session.pool), session.predict(session.pool))
    assert (session.predict(session.pool).argmax(axis=1) == Y).mean() > 0.9


def test_ids_of_a_file_may_be_bytes_of_any_letters(tmp_path):
    names = [f"é{row}" for row in range(60)]
    np.save(tmp_path / "f.npy", X[::-1])
    np.save(tmp_path / "ids.npy", np.char.encode(names[::-1], "utf-8"))
    pool = al.with_features(
        al.arrays(X, ids=names), str(tmp_path / "f.npy"), ids=str(tmp_path / "ids.npy")
    )
    np.testing.assert_array_equal(pool.read(slice(None)), X)
    np.save(tmp_path / "ids.npy", np.array([b"\xff" + str(row).encode() for row in range(60)]))
    with pytest.raises(UsageError, match="ids that are no UTF-8"):
        al.with_features(al.arrays(X), str(tmp_path / "f.npy"), ids=str(tmp_path / "ids.npy"))
