"""Where a client connects, and as whom: arguments, variables, contexts, defaults."""

from pathlib import Path

import pytest

from dagcatalog_client import InvalidSettings, Tls, settings
from dagcatalog_client.settings import Settings

FILE = """
current = "prod"

[contexts.prod]
address = ["catalog-0.example.com:443", "catalog-1.example.com:443"]
namespace = "team"
ca_file = "prod-ca.pem"
token = "of-prod"

[contexts.here]
address = "localhost:50051"
"""


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    file = tmp_path / "contexts.toml"
    file.write_text(FILE)
    return {"DAGCATALOG_CONTEXT_FILE": str(file)}


def test_without_anything_it_is_this_machine(tmp_path: Path) -> None:
    nothing = {"XDG_CONFIG_HOME": str(tmp_path)}
    assert settings.resolve(None, None, environ=nothing) == Settings("127.0.0.1:50051", "default")


def test_the_current_context_counts_where_nothing_else_is_named(environ: dict[str, str]) -> None:
    found = settings.resolve(None, None, environ=environ)
    assert found.addresses == ("catalog-0.example.com:443", "catalog-1.example.com:443")
    folder = Path(environ["DAGCATALOG_CONTEXT_FILE"]).parent
    assert found.tls == Tls(folder / "prod-ca.pem")
    assert (found.namespace, found.token, found.context) == ("team", "of-prod", "prod")
    assert "of-prod" not in repr(found)


def test_an_argument_is_stronger_than_a_variable_and_that_than_the_context(
    environ: dict[str, str],
) -> None:
    environ["DAGCATALOG_NAMESPACE"] = "from-variable"
    environ["DAGCATALOG_TOKEN"] = "from-variable"
    found = settings.resolve(None, None, environ=environ)
    assert (found.namespace, found.token) == ("from-variable", "from-variable")
    found = settings.resolve(None, "given", token="given", context="here", environ=environ)
    assert found == Settings("localhost:50051", "given", None, "given", "here")


def test_the_token_of_one_server_never_goes_to_another(environ: dict[str, str]) -> None:
    assert settings.resolve("elsewhere:1", None, environ=environ).token is None
    by_variable = {**environ, "DAGCATALOG_ADDRESS": "elsewhere:1"}
    assert settings.resolve(None, None, environ=by_variable) == Settings("elsewhere:1", "default")
    named = {**environ, "DAGCATALOG_CONTEXT": "prod"}
    assert settings.resolve("elsewhere:1", None, environ=named).token is None


def test_a_context_may_be_reached_by_another_way(environ: dict[str, str]) -> None:
    found = settings.resolve("127.0.0.1:8443", None, context="prod", environ=environ)
    assert (found.address, found.token) == ("127.0.0.1:8443", "of-prod")
    beside = {**environ, "DAGCATALOG_CONTEXT": "prod", "DAGCATALOG_ADDRESS": "127.0.0.1:8443"}
    found = settings.resolve(None, None, environ=beside)
    assert (found.address, found.token, found.context) == ("127.0.0.1:8443", "of-prod", "prod")


def test_every_variable_has_its_place(tmp_path: Path) -> None:
    environ = {
        "DAGCATALOG_ADDRESS": "a:1, b:2",
        "DAGCATALOG_NAMESPACE": "team",
        "DAGCATALOG_CA_FILE": "/ca.pem",
        "DAGCATALOG_CERTIFICATE_FILE": "/mine.pem",
        "DAGCATALOG_KEY_FILE": "/mine.key",
        "DAGCATALOG_SERVER_NAME": "catalog",
        "DAGCATALOG_TOKEN_FILE": "/token",
    }
    found = settings.resolve(None, None, environ=environ)
    assert found.addresses == ("a:1", "b:2")
    mine = Tls(Path("/ca.pem"), Path("/mine.pem"), Path("/mine.key"), "catalog")
    assert (found.tls, found.token) == (mine, Path("/token"))
    plain = settings.resolve("127.0.0.1:1", None, environ={**environ, "DAGCATALOG_TLS": "false"})
    assert plain.tls is None


@pytest.mark.parametrize(
    ("environ", "said"),
    [
        ({"DAGCATALOG_TLS": "perhaps"}, "DAGCATALOG_TLS is 'perhaps': write true or false"),
        ({"DAGCATALOG_TOKEN": "a", "DAGCATALOG_TOKEN_FILE": "/b"}, "not both"),
        ({"DAGCATALOG_TOKEN": "two words"}, "take it anew"),
        ({"DAGCATALOG_CERTIFICATE_FILE": "/mine.pem"}, "needs both"),
        ({"DAGCATALOG_CONTEXT": "no-such"}, "has no context 'no-such'; it has none"),
        ({"DAGCATALOG_ADDRESS": "https://catalog"}, "is no gRPC address: write host:port"),
        ({"DAGCATALOG_ADDRESS": "catalog"}, "is no address: write host:port"),
        ({"DAGCATALOG_ADDRESS": "a:1,dns:///b:2"}, "stands for all replicas behind it"),
        ({"DAGCATALOG_ADDRESS": "a:99999"}, "is no address"),
        ({"DAGCATALOG_ADDRESS": " , "}, "1 to 64 addresses"),
    ],
)
def test_what_cannot_be_is_said_in_one_sentence(
    environ: dict[str, str], said: str, tmp_path: Path
) -> None:
    nowhere = {"DAGCATALOG_CONTEXT_FILE": str(tmp_path / "none.toml")}
    with pytest.raises(InvalidSettings) as caught:
        settings.resolve(None, None, environ={**nowhere, **environ})
    assert said in str(caught.value)
    assert isinstance(caught.value, ValueError)


@pytest.mark.parametrize(
    "address",
    [
        "catalog:50051", "[::1]:50051", "dns:///catalog-headless:50051", "unix:/run/catalog.sock",
        "ipv4:10.0.0.1:1", "dns://8.8.8.8/catalog:1", "a_b.example.com:1",
    ],
)  # fmt: skip
def test_an_address_is_what_grpc_takes(address: str) -> None:
    assert settings.resolve(address, None, environ={}).address == address
