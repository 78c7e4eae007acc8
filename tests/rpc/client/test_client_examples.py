"""The examples in the docstrings run as they stand, in both clients."""

import ast
import inspect
import re
import textwrap
import types
from typing import Any

import pytest

import dagcatalog_client
from dagcatalog_client import AsyncClient, Client
from tests.support.dags import dag_document

CALLS = [
    name
    for name, call in inspect.getmembers(Client, inspect.isfunction)
    if "```python" in (call.__doc__ or "") and not name.startswith("_")
]


def test_there_are_examples() -> None:
    assert len(CALLS) == 21


@pytest.mark.parametrize("name", CALLS)
def test_the_example_runs(name: str, client: Client) -> None:
    client.put("etl", dag_document("etl"))
    exec(_example(Client, name), _names(client))


@pytest.mark.parametrize("name", CALLS)
async def test_the_async_example_runs(name: str, async_client: AsyncClient) -> None:
    await async_client.put("etl", dag_document("etl"))
    code = compile(_example(AsyncClient, name), name, "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    running = types.FunctionType(code, _names(async_client))()
    if inspect.isawaitable(running):
        await running


def _example(kind: type, name: str) -> str:
    found = re.search(r"```python\n(.*?)```", inspect.getdoc(getattr(kind, name)) or "", re.DOTALL)
    assert found
    return textwrap.dedent(found[1])


def _names(client: object) -> dict[str, Any]:
    return {**vars(dagcatalog_client), "client": client, "print": lambda *_: None}
