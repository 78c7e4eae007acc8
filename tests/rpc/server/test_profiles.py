"""Documents without what a webserver or a scheduler does not need."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import zstandard
from grpc import StatusCode
from pydantic import ValidationError

from dagcatalog.v1 import catalog_service_pb2 as pb
from dagcatalog.v1 import resources_pb2 as res
from dagcatalog_server.config import ProfileFields, Profiles, load_config
from dagcatalog_server.config_text import render_config
from tests.support.dags import produces
from tests.support.wire import (
    Api,
    connected,
    next_changes,
    put,
    read_state,
    refusal_of,
    serving,
    watching,
)

FULL, WEBSERVER, SCHEDULER = (
    res.DAG_PROFILE_FULL,
    res.DAG_PROFILE_WEBSERVER,
    res.DAG_PROFILE_SCHEDULER,
)
DOCUMENT, READABLE = res.DAG_VIEW_DOCUMENT, res.DAG_VIEW_READABLE
# Of what `put` makes: padding is doc_md.
LEFT_OUT: dict[int, set[str]] = {
    FULL: set(),
    WEBSERVER: {"dag_dependencies"},
    SCHEDULER: {"dag_dependencies", "doc_md"},
}
PROFILES = sorted(LEFT_OUT)


@pytest.fixture(params=["memory", "store"])
async def api(request: pytest.FixtureRequest) -> AsyncIterator[Api]:
    memory_dags = 200_000 if request.param == "memory" else 1
    async with serving(memory_dags=memory_dags) as address, connected(address) as stub:
        yield stub


async def fill(api: Api) -> dict[str, Any]:
    for name in ("b", "a"):
        request = put("", name, padding="x" * 5_000, edges=[produces(name, "x")])
        await api.Put(request)
    document: dict[str, Any] = json.loads(request.item.document)
    return document


def without(document: dict[str, Any], profile: int) -> dict[str, Any]:
    dag = {name: one for name, one in document["dag"].items() if name not in LEFT_OUT[profile]}
    return {**document, "dag": dag}


@pytest.mark.parametrize("profile", PROFILES)
async def test_get_sends_what_the_profile_needs(api: Api, profile: Any) -> None:
    document = await fill(api)
    for _ in range(2):  # encoded, and kept
        for asked in (profile, FULL):
            dag = (await api.Get(pb.GetRequest(dag_id="a", profile=asked))).dag
            assert json.loads(dag.document) == without(document, asked)
    whole = (await api.Get(pb.GetRequest(dag_id="a"))).dag
    assert dag.summary == whole.summary  # it is that of the whole document
    readable = (await api.Get(pb.GetRequest(dag_id="a", profile=profile, view=READABLE))).dag
    shown: Any = readable.readable["dag"]
    assert set(shown) == set(without(document, profile)["dag"])
    packed = pb.GetRequest(
        dag_id="a", profile=profile, accept_encodings=[res.DOCUMENT_ENCODING_ZSTD]
    )
    raw = zstandard.ZstdDecompressor().decompress((await api.Get(packed)).dag.document)
    assert json.loads(raw) == without(document, profile)
    unchanged = pb.GetRequest(dag_id="a", profile=profile, if_none_match=whole.summary.content_hash)
    assert (await api.Get(unchanged)).not_modified


@pytest.mark.parametrize("profile", PROFILES)
async def test_get_batch_sends_what_the_profile_needs(api: Api, profile: Any) -> None:
    document = await fill(api)
    request = pb.GetBatchRequest(selectors=[pb.DagSelector(dag_id="a")], profile=profile)
    (answer,) = [one async for one in api.GetBatch(request)]
    assert json.loads(answer.items[0].dag.document) == without(document, profile)


@pytest.mark.parametrize("profile", PROFILES)
async def test_a_watch_sends_what_the_profile_needs(api: Api, profile: Any) -> None:
    document = await fill(api)
    request = pb.WatchRequest(initial_state=True, view=DOCUMENT, profile=profile)
    whole = pb.WatchRequest(view=DOCUMENT)
    async with watching(api, whole) as of_all, watching(api, request) as watch:
        dags, _ = await read_state(watch)
        assert json.loads(dags[0].document) == without(document, profile)
        await api.Put(put("", "a", padding="y", edges=[produces("a", "x")]))
        document["dag"]["doc_md"] = "y"
        for one, asked in ((watch, profile), (of_all, FULL)):
            (event,) = await next_changes(one)
            (change,) = event.change_set.changes
            assert json.loads(change.dag.document) == without(document, asked)


async def test_a_profile_of_another_release_is_refused(api: Api) -> None:
    strange: Any = 9
    for call in (
        api.Get(pb.GetRequest(dag_id="a", profile=strange)),
        api.GetBatch(pb.GetBatchRequest(profile=strange)).read(),
        api.Watch(pb.WatchRequest(profile=strange)).read(),
    ):
        refusal = await refusal_of(call)
        assert (refusal.code, refusal.fields) == (StatusCode.INVALID_ARGUMENT, ["profile"])


async def test_an_operator_says_what_a_profile_needs() -> None:
    profiles = Profiles(scheduler=ProfileFields(exclude=("dag.tags", "dag.tasks[].owner")))
    async with serving(profiles=profiles) as address, connected(address) as api:
        document = await fill(api)
        dag = (await api.Get(pb.GetRequest(dag_id="a", profile=SCHEDULER))).dag
        del document["dag"]["tags"], document["dag"]["tasks"][0]["__var"]["owner"]
        assert json.loads(dag.document) == document


def test_a_file_says_it_in_tables(tmp_path: Path) -> None:
    file = tmp_path / "catalog.toml"
    file.write_text('[profiles.scheduler]\nexclude = ["dag.doc_md"]\n')
    config = load_config(file)
    assert config.profiles.scheduler == ProfileFields(exclude=("dag.doc_md",))
    assert config.profiles.webserver == Profiles().webserver
    printed = tmp_path / "printed.toml"
    printed.write_text(render_config(config))
    assert load_config(printed).model_dump() == config.model_dump()


@pytest.mark.parametrize("path", ["dag.dag_id", "no path"])
def test_a_file_that_would_leave_no_document_is_refused(tmp_path: Path, path: str) -> None:
    file = tmp_path / "catalog.toml"
    file.write_text(f'[profiles.webserver]\nexclude = ["{path}"]\n')
    with pytest.raises(ValidationError, match=r"profiles\.webserver"):
        load_config(file)
