"""The examples in the docstrings run as they stand, in both clients."""

import ast
import inspect
import re
import textwrap
import types
from typing import Any

import pytest

import dagcatalog_client
from dagcatalog_client import AsyncClient, AsyncInformer, Client, Informer
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


READS = [
    name
    for name in dir(Informer)
    if not name.startswith("_") and "```python" in (getattr(Informer, name).__doc__ or "")
]


def test_there_are_examples_of_an_informer() -> None:
    assert READS == [
        "by_hash",
        "by_index",
        "get",
        "list",
        "staleness_s",
        "summary",
        "wait_for",
        "wait_for_sync",
    ]


@pytest.mark.parametrize("name", READS)
def test_the_example_of_the_informer_runs(name: str, client: Client) -> None:
    client.put("etl", dag_document("etl"))
    informer = Informer(client)
    informer.add_index("owner", lambda summary: summary.owners)
    with informer:
        informer.wait_for_sync(30)
        exec(_example(Informer, name), {**_names(client), "informer": informer})


@pytest.mark.parametrize("name", READS)
async def test_the_async_example_of_the_informer_runs(name: str, async_client: AsyncClient) -> None:
    await async_client.put("etl", dag_document("etl"))
    informer = AsyncInformer(async_client)
    informer.add_index("owner", lambda summary: summary.owners)
    async with informer:
        await informer.wait_for_sync(30)
        example = _example(AsyncInformer, name)
        code = compile(example, name, "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
        names = {**_names(async_client), "informer": informer}
        running = types.FunctionType(code, names)()
        if inspect.isawaitable(running):
            await running


def _example(kind: type, name: str) -> str:
    found = re.search(r"```python\n(.*?)```", inspect.getdoc(getattr(kind, name)) or "", re.DOTALL)
    assert found
    return textwrap.dedent(found[1])


def _names(client: object) -> dict[str, Any]:
    return {**vars(dagcatalog_client), "client": client, "print": lambda *_: None}
