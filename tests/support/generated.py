"""Documents of every shape that the formats know, the same ones at every run."""

from collections.abc import Callable, Iterator
from random import Random
from typing import Any

from tests.support.documents import Edit, Tree, edited, format_1, format_3, set_dag

WORDS = (
    "a",
    "Z",
    "é",
    "🌙",
    "\0",
    '"',
    "\\",
    "\n",
    "\u2028",
    "",
    "load",
    "x",
    "<a at 0x7f0123456789>",
)
NUMBERS = (
    0,
    -1,
    2**53,
    2**63,
    2**64,
    10**30,
    0.0,
    -0.0,
    0.5,
    300.0,
    1e16,
    1e22,
    1e-7,
    1e-5,
    5e-324,
)
MARKS = ("set", "dict", "tuple", "timedelta", "asset")
SETS = ("downstream_task_ids", "upstream_group_ids", "tags", "op_args")


def generated_documents(count: int) -> Iterator[Tree]:
    """Make so many documents of `nightly`, each as the number that it has always had."""
    for number in range(count):
        yield _document(Random(number))


def _document(chance: Random) -> Tree:
    tree = chance.choice((format_1, format_3))()
    for _ in range(chance.randrange(6)):
        tree = edited(tree, chance.choice(_EDITS)(chance))
    return tree


def _text(chance: Random) -> str:
    return "".join(chance.choice(WORDS) for _ in range(chance.randrange(4)))


def _texts(chance: Random) -> list[str]:
    return [_text(chance) for _ in range(chance.randrange(5))]


def _value(chance: Random, depth: int = 0) -> Any:  # JSON
    match chance.randrange(9 if depth < 4 else 5):
        case 0:
            return chance.choice((None, True, False))
        case 1:
            return chance.choice(NUMBERS)
        case 2 | 3:
            return _text(chance)
        case 4:
            return _texts(chance)
        case 5:
            return [_value(chance, depth + 1) for _ in range(chance.randrange(4))]
        case 6:
            return {"__type": chance.choice(MARKS), "__var": _value(chance, depth + 1)}
        case 7:
            members = [_value(chance, depth + 2) for _ in range(chance.randrange(4))]
            return {"__type": "set", "__var": members}
    return {_text(chance): _value(chance, depth + 1) for _ in range(chance.randrange(4))}


def _set_field(chance: Random) -> Edit:
    known = (format_1()["dag"].keys() | format_3()["dag"].keys()) - {"dag_id"}
    return set_dag(**{chance.choice([*sorted(known), "extra", "é"]): _value(chance)})


def _set_outside(chance: Random) -> Edit:
    name, value = chance.choice(("__version", "aside", "zz", "Ä")), _value(chance)
    return lambda tree: tree.update({name: value})


def _add_tasks(chance: Random) -> Edit:
    tasks = [_task(chance) for _ in range(chance.randrange(1, 5))]

    def add(tree: Tree) -> None:
        old = tree["dag"].get("tasks")
        tree["dag"]["tasks"] = [*tasks, *(old if isinstance(old, list) else ())]

    return add


def _task(chance: Random) -> Any:  # JSON
    if chance.random() < 0.1:
        return _value(chance)
    fields = {name: _texts(chance) for name in chance.sample(SETS, 2)}
    inner: Tree = {"task_id": _text(chance), "doc": _value(chance), **fields}
    return inner if chance.random() < 0.4 else {"__type": "operator", "__var": inner}


def _set_group(chance: Random) -> Edit:
    name, group = chance.choice(("task_group", "_task_group")), _group(chance, 0)
    return set_dag(**{name: group})


def _group(chance: Random, depth: int) -> Any:  # JSON
    if chance.random() < 0.1:
        return _value(chance)
    sets = (
        "upstream_task_ids",
        "downstream_task_ids",
        "upstream_group_ids",
        "downstream_group_ids",
    )
    made: Tree = {name: _texts(chance) for name in chance.sample(sets, 3)}
    if depth < 3:
        made["children"] = {
            _text(chance): _child(chance, depth + 1) for _ in range(chance.randrange(4))
        }
    return made


def _child(chance: Random, depth: int) -> Any:  # JSON
    match chance.randrange(3):
        case 0:
            return ["operator", _text(chance)]
        case 1:
            return ["taskgroup", _group(chance, depth)]
    return _group(chance, depth)


_EDITS: tuple[Callable[[Random], Edit], ...] = (
    _set_field,
    _set_field,
    _set_outside,
    _add_tasks,
    _set_group,
)
