"""The search finds an order where there is one, and none where there is none."""

import random
from collections.abc import Callable
from itertools import permutations
from math import inf

import pytest

from tests.faults.checking.linearizable import Operation, explain

Register = Operation[int]


def write(value: int, began: float, ended: float, *, required: bool = True) -> Register:
    return Operation(began, ended, lambda _: value, False, f"write {value}", required)


def read(value: int, began: float, ended: float) -> Register:
    def step(state: int) -> int | None:
        return state if state == value else None

    return Operation(began, ended, step, True, f"read {value}")


def swap(old: int, new: int, began: float, ended: float) -> Register:
    def step(state: int) -> int | None:
        return new if state == old else None

    return Operation(began, ended, step, False, f"{old} → {new}")


@pytest.mark.parametrize(
    "operations",
    [
        [],
        [write(1, 0, 1), read(1, 2, 3)],
        [write(1, 0, 5), read(0, 1, 2), read(1, 3, 4)],
        [write(1, 0, 9), write(2, 0, 9), read(2, 1, 2), read(1, 3, 4)],
        [write(1, 0, inf), read(0, 1, 2), read(1, 8, 9)],
        [write(1, 0, inf, required=False), read(0, 1, 2), read(0, 8, 9)],
        [swap(0, 1, 0, 9), swap(1, 2, 0, 9), read(2, 3, 4)],
    ],
)
def test_there_is_an_order(operations: list[Register]) -> None:
    order = explain(operations, 0)
    assert order is not None
    assert {one.name for one in operations if one.required} <= {one.name for one in order}


@pytest.mark.parametrize(
    "operations",
    [
        [write(1, 0, 1), read(0, 2, 3)],
        [read(1, 0, 1), write(1, 2, 3)],
        [write(1, 0, 5), read(1, 1, 2), read(0, 3, 4)],
        [write(1, 0, 1), write(2, 2, 3), read(1, 4, 5)],
        [write(1, 0, inf), read(1, 1, 2), read(0, 3, 4)],
        [swap(0, 1, 0, 9), swap(0, 2, 0, 9)],
        [write(1, 0, 9), write(2, 0, 9), read(1, 1, 2), read(2, 3, 4), read(1, 5, 6)],
    ],
)
def test_there_is_no_order(operations: list[Register]) -> None:
    assert explain(operations, 0) is None


def _by_trying_all(operations: list[Register]) -> bool:
    return any(_is_lawful(order) for order in permutations(operations))


def _is_lawful(order: tuple[Register, ...]) -> bool:
    state = 0
    for place, one in enumerate(order):
        if any(later.ended < one.began for later in order[place + 1 :]):
            return False
        after = one.step(state)
        if after is None:
            return False
        state = after
    return True


def _draw(source: random.Random) -> Register:
    began = source.uniform(0, 10)
    ended = began + source.choice([1.0, 4.0, inf])
    makers: list[Callable[[], Register]] = [
        lambda: write(source.randrange(3), began, ended),
        lambda: read(source.randrange(3), began, ended),
        lambda: swap(source.randrange(3), source.randrange(3), began, ended),
    ]
    return source.choice(makers)()


def test_it_agrees_with_trying_every_order() -> None:
    source = random.Random(7)
    answers = []
    for _ in range(400):
        operations = [_draw(source) for _ in range(source.randrange(1, 6))]
        found = explain(operations, 0)
        assert (found is not None) == _by_trying_all(operations)
        assert found is None or _is_lawful(tuple(found))
        answers.append(found is not None)
    assert {True, False} == set(answers)


def test_a_long_history_is_searched_quickly() -> None:
    source = random.Random(7)
    operations, state = [], 0
    for moment in range(2_000):
        made = source.randrange(1_000)
        operations += [swap(state, made, moment, moment + source.uniform(1, 5))]
        operations += [read(made, moment + 0.5, moment + 6)]
        state = made
    assert explain(operations, 0) is not None
