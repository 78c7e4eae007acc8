"""Connecting by TLS, with tokens, to several replicas: what works, and what is said when it does not."""

import time
from pathlib import Path

import pytest

from dagcatalog_client import (
    AsyncClient,
    CatalogError,
    Client,
    InvalidSettings,
    PermissionDenied,
    Tls,
    TlsFailed,
    Unauthenticated,
    Unavailable,
    connection,
    targets,
)
from tests.support.bearer_server import bearer_server
from tests.support.server import RunningServer
from tests.support.tls_proxy import Authority, authority, tls_proxy
from tests.support.waiting import wait_until

NAMES = ("localhost", "127.0.0.1")


@pytest.fixture(scope="module")
def ours(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return authority(tmp_path_factory.mktemp("ours"))


@pytest.fixture(scope="module")
def theirs(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return authority(tmp_path_factory.mktemp("theirs"))


def test_a_call_goes_by_tls(server: RunningServer, ours: Authority) -> None:
    with (
        tls_proxy(server.address, ours.issue(*NAMES)) as address,
        Client(address, tls=Tls(ours.ca_file)) as client,
    ):
        assert client.status().store == "sqlite"
        with client.watch(initial_state=True, timeout_s=10) as watch:
            assert next(watch).position.epoch


async def test_an_async_call_goes_by_tls_and_mtls(server: RunningServer, ours: Authority) -> None:
    tls = Tls(ours.ca_file, *ours.issue("an-airflow"))
    with tls_proxy(server.address, ours.issue(*NAMES), client_ca=ours.ca_file) as address:
        async with AsyncClient(address, tls=tls) as client:
            assert (await client.status()).store == "sqlite"
        async with AsyncClient(address, tls=Tls(ours.ca_file)) as client:
            # The refusal comes as an alert or, if it loses a race, as a closed connection.
            with pytest.raises(Unavailable, match="certificate"):
                await client.status(timeout_s=5)


def test_a_server_may_ask_for_a_client_certificate(
    server: RunningServer, ours: Authority, theirs: Authority
) -> None:
    with tls_proxy(server.address, ours.issue(*NAMES), client_ca=ours.ca_file) as address:
        with Client(address, tls=Tls(ours.ca_file, *ours.issue("an-airflow"))) as client:
            assert client.status().store == "sqlite"
        for tls in (Tls(ours.ca_file), Tls(ours.ca_file, *theirs.issue("a-stranger"))):
            told = _refused(Client(address, tls=tls), Unavailable)
            assert "certificate" in told


def test_a_certificate_that_is_not_trusted_is_said(
    server: RunningServer, ours: Authority, theirs: Authority
) -> None:
    with tls_proxy(server.address, ours.issue(*NAMES)) as address:
        told = _refused(Client(address, tls=Tls(theirs.ca_file)), TlsFailed)
        assert f"the certificate of {address} is not trusted (" in told
        assert "ca_file" in told
        assert "not trusted" in _refused(Client(address, tls=True), TlsFailed)


def test_a_certificate_for_another_name_is_said_and_can_be_named(
    server: RunningServer, ours: Authority
) -> None:
    with tls_proxy(server.address, ours.issue("catalog.example.com")) as address:
        told = _refused(Client(address, tls=Tls(ours.ca_file)), TlsFailed)
        assert "for another host name" in told
        assert "server_name" in told
        tls = Tls(ours.ca_file, server_name="catalog.example.com")
        with Client(address, tls=tls) as client:
            assert client.status().store == "sqlite"


def test_tls_at_one_end_only_is_said(server: RunningServer, ours: Authority) -> None:
    told = _refused(Client(server.address, tls=Tls(ours.ca_file)), TlsFailed)
    assert told == f"{server.address} does not speak TLS: connect without it"
    with tls_proxy(server.address, ours.issue(*NAMES)) as address:
        assert "a server with TLS closes so" in _refused(Client(address), Unavailable)
    with bearer_server(certificate=ours.issue(*NAMES)) as served:
        assert "a server with TLS closes so" in _refused(Client(served.address), Unavailable)


def test_files_that_are_no_certificates_are_said_before_anything_is_sent(
    ours: Authority, tmp_path: Path
) -> None:
    empty = tmp_path / "empty.pem"
    empty.write_text("nothing")
    chain, _ = ours.issue("an-airflow")
    _, other_key = ours.issue("another")
    assert "cannot be read: No such file" in _refused(
        Client("127.0.0.1:1", tls=Tls(tmp_path / "missing.pem")), InvalidSettings
    )
    assert "holds no certificate" in _refused(
        Client("127.0.0.1:1", tls=Tls(empty)), InvalidSettings
    )
    for pair in ((chain, other_key), (chain, empty), (empty, other_key)):
        told = _refused(Client("127.0.0.1:1", tls=Tls(None, *pair)), InvalidSettings)
        assert "are no certificate and its key" in told
    with pytest.raises(InvalidSettings, match="needs both"):
        Tls(certificate_file=chain)


def test_a_renewed_client_certificate_is_used(server: RunningServer, ours: Authority) -> None:
    stranger = authority(ours.folder / "stranger")
    chain, key = ours.issue("renewed")
    good = chain.read_bytes(), key.read_bytes()
    bad_chain, bad_key = stranger.issue("renewed")
    chain.write_bytes(bad_chain.read_bytes())
    key.write_bytes(bad_key.read_bytes())
    with (
        tls_proxy(server.address, ours.issue(*NAMES), client_ca=ours.ca_file) as address,
        Client(address, tls=Tls(ours.ca_file, chain, key)) as client,
    ):
        with pytest.raises(Unavailable):
            client.status(timeout_s=5)
        for half in (chain.unlink, lambda: chain.write_bytes(good[0])):
            half()
            with pytest.raises(Unavailable):  # half of a renewal changes nothing yet
                client.status(timeout_s=5)
        key.write_bytes(good[1])
        assert client.status().store == "sqlite"


def test_a_name_that_nobody_knows_is_said() -> None:
    told = _refused(Client("no-such-host.invalid:50051"), Unavailable)
    assert "no-such-host.invalid:50051 cannot be resolved" in told
    told = _refused(Client("no-such-host.invalid:1,neither.invalid:2"), Unavailable)
    assert told.startswith("none of no-such-host.invalid:1, neither.invalid:2 can be resolved")


def test_a_refused_connection_is_given_up_within_the_retries() -> None:
    began = time.monotonic()
    assert "Connection refused" in _refused(Client("127.0.0.1:1", tls=True), Unavailable)
    assert time.monotonic() - began < 10


def test_a_token_goes_with_every_call(ours: Authority) -> None:
    with bearer_server("secret") as served:
        with Client(served.address, token="secret\n") as client:
            client.status()
        with Client(served.address.replace("127.0.0.1", "localhost"), token="secret") as client:
            client.status()
        assert served.seen == ["Bearer secret"] * 2
    with (
        bearer_server("secret", certificate=ours.issue(*NAMES)) as served,
        Client(served.address, tls=Tls(ours.ca_file), token="secret") as client,
    ):
        client.status()
        assert served.seen == ["Bearer secret"]


async def test_a_token_goes_with_every_async_call() -> None:
    with bearer_server("secret") as served:
        async with AsyncClient(served.address, token="secret") as client:
            await client.status()
        assert served.seen == ["Bearer secret"]


def test_a_token_that_is_renewed_in_its_file_is_sent(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("first\n")
    with bearer_server("first", "second") as served, Client(served.address, token=file) as client:
        client.status()
        renewed = tmp_path / "renewed"
        renewed.write_text("second")
        renewed.replace(file)
        client.status()
        file.unlink()
        client.status()
        file.write_text("   ")
        client.status()
        assert served.seen == ["Bearer first", *["Bearer second"] * 3]


def test_a_token_file_that_never_was_is_said(tmp_path: Path) -> None:
    told = _refused(Client("127.0.0.1:1", token=tmp_path / "token"), InvalidSettings)
    assert "the token in" in told
    assert "No such file" in told


def test_a_caller_that_is_not_known_or_not_allowed_is_told() -> None:
    with bearer_server("good") as served:
        served.denied.add("reader")
        told = _refused(Client(served.address, token="old"), Unauthenticated)
        assert told == f"{served.address} does not know who calls: the token has expired"
        told = _refused(Client(served.address, token="reader"), PermissionDenied)
        assert told == f"{served.address} does not allow that: reader is not enough"
        _refused(Client(served.address), Unauthenticated)
        assert len(served.seen) == 3


@pytest.mark.parametrize("address", ["catalog:50051", "10.0.0.1:50051", "127.0.0.1:1,catalog:2"])
def test_a_token_is_not_sent_in_plaintext_over_a_network(address: str) -> None:
    with pytest.raises(InvalidSettings, match="not sent in plaintext") as caught:
        Client(address, token="secret")
    assert "secret" not in str(caught.value)


def test_calls_take_turns_between_replicas_and_leave_out_one_that_is_gone() -> None:
    with bearer_server("t") as one, bearer_server("t") as two:
        with Client([one.address, two.address, "127.0.0.1:1"], token="t") as client:
            wait_until(lambda: _both_answer(client, one.seen, two.seen))
        by_name = [each.address.replace("127.0.0.1", "localhost") for each in (one, two)]
        with Client(",".join(by_name), token="t") as client:
            wait_until(lambda: _both_answer(client, one.seen, two.seen))


def test_replicas_behind_tls_share_the_name_of_the_first(
    server: RunningServer, ours: Authority
) -> None:
    certificate = ours.issue("localhost")
    with (
        tls_proxy(server.address, certificate) as one,
        tls_proxy(server.address, certificate) as two,
        Client([one.replace("127.0.0.1", "localhost"), two], tls=Tls(ours.ca_file)) as client,
    ):
        assert client.status().store == "sqlite"


def test_a_replica_that_comes_back_elsewhere_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    with bearer_server("t") as one, bearer_server("t") as two:
        places = {"catalog-0.localhost": one.address, "catalog-1.localhost": one.address}
        monkeypatch.setattr(targets, "numbers_of", lambda host, _: [places[host]])
        monkeypatch.setattr(targets, "RESOLVE_INTERVAL_S", 0.0)
        with Client("catalog-0.localhost:1,catalog-1.localhost:1", tls=False) as client:
            _status_or_nothing(client)
            places["catalog-1.localhost"] = two.address
            wait_until(lambda: _status_or_nothing(client) or bool(two.seen))
            assert len(client._channels) == 2 <= connection.KEPT_CHANNELS


def test_a_server_of_web_pages_is_no_catalog() -> None:
    from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer  # noqa: PLC0415
    from threading import Thread  # noqa: PLC0415

    class Quiet(BaseHTTPRequestHandler):
        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Quiet) as web:
        serving = Thread(target=web.serve_forever)
        serving.start()
        address = f"127.0.0.1:{web.server_port}"
        told = _refused(Client(address), Unavailable)
        web.shutdown()
        serving.join()
    assert address in told


def _both_answer(client: Client, one: list[str], two: list[str]) -> bool:
    client.status()
    return bool(one and two)


def _status_or_nothing(client: Client) -> bool:
    try:
        client.status(timeout_s=2)
    except CatalogError:
        return False
    return False


def _refused(client: Client, kind: type[CatalogError]) -> str:
    """Ask, and return the one sentence of the refusal."""
    with client, pytest.raises(kind) as caught:
        client.status(timeout_s=10)
    told = str(caught.value)
    assert "\n" not in told
    return told
