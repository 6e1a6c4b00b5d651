import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax_al.drivers.replicates import FORMS, Layout, make_layout, one_of, over_seeds, stack


def walk(key, state, rate):
    """Something with a loop whose end depends on the seed, and a tree as its result."""
    steps = state["steps"]

    def step(i, x):
        return x + rate * jax.random.normal(jax.random.fold_in(key, i), x.shape)

    return {"x": jax.lax.fori_loop(0, steps, step, state["x"]), "steps": steps + 1}


def states(count):
    x = np.arange(3, dtype=np.float32)
    return [{"x": x + seed, "steps": np.int32(seed % 3)} for seed in range(count)]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("count", [1, 3, 4])
def test_each_seed_gets_what_it_would_get_alone(form, count):
    layout = make_layout(4, form, jax.devices())
    program = jax.jit(over_seeds(walk, layout, frozenset({2})))
    keys = [jax.random.key(seed) for seed in range(count)]
    rate = jnp.float32(0.1)
    found = program(layout.counts(count), stack(keys, layout), stack(states(count), layout), rate)
    alone = jax.jit(walk)
    for slot in range(count):
        expected = alone(keys[slot], states(count)[slot], rate)
        compare = np.testing.assert_array_equal
        jax.tree.map(compare, one_of(found, slot), expected)
    if form == "map":
        assert not np.asarray(found["steps"])[count:].any()


def test_empty_slots_cost_nothing_in_the_form_map():
    ran = []

    def function(x):
        return jax.pure_callback(lambda y: ran.append(1) or y, x, x)

    layout = make_layout(5, "map", jax.devices())
    program = jax.jit(over_seeds(function, layout, frozenset()))
    jax.block_until_ready(program(layout.counts(2), jnp.arange(5.0)))
    assert len(ran) == 2


@pytest.mark.parametrize(
    ("num_seeds", "num_devices", "slots", "used"),
    [(1, 1, 1, 1), (5, 1, 5, 1), (1, 4, 1, 1), (5, 4, 6, 3), (8, 4, 8, 4), (3, 8, 3, 3)],
)
def test_a_layout_takes_the_fewest_turns_and_devices(num_seeds, num_devices, slots, used):
    layout = make_layout(num_seeds, "map", jax.devices() * num_devices)
    assert layout.slots == slots
    assert (layout.mesh.size if layout.mesh else 1) == used
    turns = layout.counts(num_seeds)
    assert turns.sum() == num_seeds
    assert turns.max() == -(-num_seeds // num_devices)


def test_few_seeds_are_dealt_evenly_over_the_devices():
    layout = make_layout(8, "map", jax.devices() * 4)
    for count in range(9):
        used = layout.counts(count)
        assert used.sum() == count
        assert used.max() - used.min() <= 1
        places = layout.places(count)
        assert len(set(places.tolist())) == count
        for device, number in enumerate(used):  # the first slots of each, as the loop takes them
            own = places[places // 2 == device] - 2 * device
            assert own.tolist() == list(range(number))


def test_stack_fills_the_room_that_is_left():
    layout = Layout(3, "map", None)
    np.testing.assert_array_equal(stack([np.float32(1), np.float32(2)], layout), [1, 2, 1])
    keys = stack([jax.random.key(7)], layout)
    assert keys.shape == (3,)
    assert jnp.issubdtype(keys.dtype, jax.dtypes.prng_key)
    np.testing.assert_array_equal(
        jax.random.key_data(keys)[2], jax.random.key_data(jax.random.key(7))
    )
