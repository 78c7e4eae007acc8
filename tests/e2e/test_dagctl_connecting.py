"""`dagctl` and its servers: contexts, TLS, tokens, and one sentence for each way to fail."""

import json
import stat
import subprocess
from pathlib import Path

import pytest

from tests.support.bearer_server import bearer_server
from tests.support.dagctl import DAGCTL, Dagctl
from tests.support.dags import dag_document
from tests.support.server import RunningServer
from tests.support.tls_proxy import Authority, authority, tls_proxy


@pytest.fixture
def anywhere(dagctl: Dagctl, tmp_path: Path) -> Dagctl:
    """dagctl that knows no server but those of its own context file."""
    del dagctl.environment["DAGCATALOG_ADDRESS"], dagctl.environment["DAGCATALOG_NAMESPACE"]
    dagctl.environment["DAGCATALOG_CONTEXT_FILE"] = str(tmp_path / "made" / "contexts.toml")
    return dagctl


@pytest.fixture
def ours(tmp_path: Path) -> Authority:
    return authority(tmp_path / "ours")


def test_a_context_is_set_used_shown_and_removed(
    anywhere: Dagctl, server: RunningServer, tmp_path: Path
) -> None:
    namespace = anywhere.client.namespace
    anywhere.client.put("etl", dag_document("etl"))
    made = anywhere(
        "context", "set", "here", "--address", server.address, "-n", namespace, "--token", "--use",
        stdin="secret-token\n",
    )  # fmt: skip
    assert (made.returncode, made.stderr) == (0, ""), made
    file = tmp_path / "made" / "contexts.toml"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert "secret-token" in file.read_text()
    assert anywhere("list", "-o", "name").stdout == "etl\n"
    for told in (
        anywhere("context", "list"),
        anywhere("context", "show", "here", "-o", "json"),
        anywhere("context", "show", "-o", "yaml"),
    ):
        assert "***" in told.stdout
        assert "secret-token" not in told.stdout + told.stderr
    anywhere("context", "set", "there", "--address", "127.0.0.1:1")
    assert anywhere("context", "list", "-o", "name").stdout == "here\nthere\n"
    assert anywhere("--context", "there", "status").returncode == 5
    assert anywhere("context", "use", "there").returncode == 0
    assert json.loads(anywhere("context", "list", "-o", "json").stdout)["current"] == "there"
    assert "no context is the current one" in anywhere("context", "remove", "there").stdout
    assert anywhere("context", "show", "-o", "json").stdout.count("127.0.0.1:50051") == 1


def test_a_setting_is_taken_away_again(anywhere: Dagctl) -> None:
    anywhere("context", "set", "a", "--address", "a:1,b:2", "--tls", "--server-name", "x")
    anywhere("context", "set", "a", "--unset", "server_name", "--unset", "address")
    shown = json.loads(anywhere("context", "show", "a", "-o", "json").stdout)
    assert (shown["address"], shown["server_name"], shown["tls"]) == ([], "", True)
    assert anywhere("context", "set", "a", "--unset", "colour").returncode == 2


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("context", "use", "no-such"), "has no context 'no-such'"),
        (("context", "use"), "--none"),
        (("context", "set", "a b"), "is no name for a context"),
        (("context", "set", "a", "--address", "catalog"), "write host:port"),
        (("context", "set", "a", "--address", "c:1", "--token"), "not sent in plaintext"),
        (("context", "set", "a", "--certificate-file", "x.pem"), "needs both"),
        (("--context", "no-such", "list"), "it has none"),
        (("--address", "https://catalog", "list"), "write host:port"),
        (("--address", "c:1", "--token-file", "/t", "list"), "not sent in plaintext"),
        (("--ca-file", "/no/such.pem", "list"), "cannot be read: No such file"),
    ],
)
def test_wrong_settings_are_wrong_usage(
    anywhere: Dagctl, arguments: tuple[str, ...], said: str
) -> None:
    done = anywhere(*arguments, stdin="secret")
    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_a_broken_context_file_is_said_and_is_not_in_the_way_of_an_address(
    anywhere: Dagctl, server: RunningServer, tmp_path: Path
) -> None:
    file = tmp_path / "broken.toml"
    file.write_text("[contexts")
    anywhere.environment["DAGCATALOG_CONTEXT_FILE"] = str(file)
    done = anywhere("status")
    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1)
    assert "is not TOML" in done.stderr
    assert anywhere("--address", server.address, "status").returncode == 0
    assert anywhere("completion", "zsh").returncode == 0


def test_tls_comes_from_a_context_from_options_and_from_variables(
    anywhere: Dagctl, server: RunningServer, ours: Authority
) -> None:
    chain, key = map(str, ours.issue("me"))
    ca_file = str(ours.ca_file)
    with tls_proxy(server.address, ours.issue("127.0.0.1"), client_ca=ours.ca_file) as address:
        files = ("--ca-file", ca_file, "--certificate-file", chain, "--key-file", key)
        assert anywhere("--address", address, *files, "status").returncode == 0
        anywhere("context", "set", "tls", "--address", address, *files)
        assert anywhere("--context", "tls", "status").returncode == 0
        anywhere.environment.update(
            DAGCATALOG_ADDRESS=address,
            DAGCATALOG_CA_FILE=ca_file,
            DAGCATALOG_CERTIFICATE_FILE=chain,
            DAGCATALOG_KEY_FILE=key,
        )
        assert anywhere("status").returncode == 0


def test_every_failure_of_a_connection_is_one_sentence_with_its_exit_code(
    anywhere: Dagctl, server: RunningServer, ours: Authority, tmp_path: Path
) -> None:
    stranger = authority(tmp_path / "stranger")
    token = tmp_path / "token"
    token.write_text("old")
    with (
        bearer_server("good") as bearer,
        tls_proxy(server.address, ours.issue("127.0.0.1")) as tls,
        tls_proxy(server.address, ours.issue("elsewhere.example")) as elsewhere,
    ):
        bearer.denied.add("reader")
        asked: dict[str, tuple[int, tuple[str, ...]]] = {
            "Connection refused": (5, ("--address", "127.0.0.1:1")),
            "cannot be resolved": (5, ("--address", "no-such-host.invalid:1")),
            "is not trusted": (6, ("--address", tls, "--ca-file", str(stranger.ca_file))),
            "for another host": (6, ("--address", elsewhere, "--ca-file", str(ours.ca_file))),
            "does not speak TLS": (6, ("--address", server.address, "--tls")),
            "a server with TLS": (5, ("--address", tls)),
            "the token has expired; give a token": (
                6, ("--address", bearer.address, "--token-file", str(token)),
            ),
        }  # fmt: skip
        for said, (code, options) in asked.items():
            _one_sentence(anywhere, code, said, *options)
        token.write_text("reader")
        options = ("--address", bearer.address, "--token-file", str(token))
        _one_sentence(anywhere, 6, "does not allow that: reader is not enough; ask", *options)


def test_what_is_not_there_is_answered_with_what_there_is(dagctl: Dagctl) -> None:
    for tag in ("x", "y", "z"):
        dagctl.client.put("etl_daily", dag_document("etl_daily", tags=[tag]))
    dagctl.client.put("gone", dag_document("gone"))
    dagctl.client.delete("gone")
    dagctl.client.prune(keep_versions=1)
    told = {
        ("get", "etl_dayly"): "did you mean etl_daily?",
        ("get", "zzz"): "`dagctl list` names those there are",
        ("history", "gon"): "",
        ("get", "gone"): "`dagctl restore gone` brings it back",
        ("get", "etl_daily", "-n", "no-such"): "namespace 'no-such' holds nothing; there are ",
        ("get", "etl_daily", "--version", "9"): "`dagctl history` lists",
        ("get", "etl_daily", "--version", "1"): "it was pruned",
        ("rollback", "etl_daily", "2"): "it was pruned",
    }
    for arguments, said in told.items():
        done = dagctl(*arguments)
        assert (done.returncode, len(done.stderr.splitlines())) == (3, 1), done
        assert said in done.stderr
    past = dagctl("get", "etl_daily", "--at", "1")
    assert past.returncode == 1
    assert "`dagctl status` says which revisions can be read" in past.stderr
    nothing = dagctl("list", "-n", "no-such")
    assert (nothing.returncode, nothing.stdout) == (0, "")
    assert "namespace 'no-such' holds nothing; there are " in nothing.stderr


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_shell_completes_commands_and_dag_ids(dagctl: Dagctl, shell: str) -> None:
    for name in ("etl_a", "etl_b", "other"):
        dagctl.client.put(name, dag_document(name))
    dagctl.client.delete("etl_b")
    assert "_dagctl" in dagctl("completion", shell).stdout.replace("dagctl_completion", "_dagctl")
    assert _completed(dagctl, shell, "dagctl rol") == ["rollback"]
    assert _completed(dagctl, shell, "dagctl get etl") == ["etl_a"]
    assert _completed(dagctl, shell, "dagctl restore e") == ["etl_b"]
    assert _completed(dagctl, shell, "dagctl get -n no-such e") == []
    assert _completed(dagctl, shell, "dagctl --address 127.0.0.1:1 get e") == []
    assert _completed(dagctl, shell, "dagctl --address wrong get e") == []


def test_a_real_bash_takes_the_script(dagctl: Dagctl) -> None:
    dagctl.client.put("etl_a", dag_document("etl_a"))
    script = (
        'PATH="$(dirname "$0"):$PATH"; source <("$0" completion bash);'
        "COMP_WORDS=(dagctl get et); COMP_CWORD=2; _dagctl_completion dagctl; echo ${COMPREPLY[@]}"
    )
    done = subprocess.run(
        ["bash", "-c", script, DAGCTL], env=dagctl.environment, capture_output=True, text=True,
        check=False, timeout=60,
    )  # fmt: skip
    assert (done.stdout, done.stderr) == ("etl_a\n", "")


def test_a_document_and_a_source_go_into_a_file(dagctl: Dagctl, tmp_path: Path) -> None:
    dagctl.client.put("etl", dag_document("etl", description="é"), source="# é\n")
    first = dagctl.client.get("etl")
    dagctl.client.put("etl", dag_document("etl", tags=["x"]))
    out = tmp_path / "etl.json"
    done = dagctl("get", "etl", "--content", first.summary.content_hash, "--out", str(out))
    assert (done.returncode, done.stdout, out.read_bytes()) == (0, "", first.document)
    dagctl("get", "etl", "--version", "1", "--source", "--out", str(out))
    assert out.read_text() == "# é\n"
    assert [*tmp_path.iterdir()] == [out]
    missing = dagctl("get", "etl", "--out", str(tmp_path / "no" / "such"))
    assert (missing.returncode, "cannot be written" in missing.stderr) == (1, True)


def test_a_list_takes_every_condition(dagctl: Dagctl) -> None:
    start = dagctl.client.put("a", dag_document("a")).position.revision
    dagctl.client.put("b", dag_document("b"))
    dagctl.client.delete("b")
    assert dagctl("list", "--changed-after", str(start), "-o", "name").stdout == ""
    assert dagctl("list", "--with-deleted", "-o", "name").stdout == "a\nb\n"
    assert "b (deleted)" in dagctl("list", "--with-deleted").stdout
    assert dagctl("list", "--at", str(start + 1), "-o", "name").stdout == "a\nb\n"
    assert dagctl("list", "--deleted", "--with-deleted").returncode == 2


def test_a_watch_may_be_of_one_class(dagctl: Dagctl) -> None:
    start = dagctl.client.put("a", dag_document("a")).position.revision
    dagctl.client.put("a", dag_document("a", tags=["x"]))
    dagctl.client.put("a", dag_document("a", tags=["x"], cron="1 1 * * *"))
    asked = ("watch", "--after", str(start), "--class", "schedule", "--count", "1", "-o", "json")
    assert json.loads(dagctl(*asked).stdout)["classes"] == ["SCHEDULE"]


def _one_sentence(dagctl: Dagctl, code: int, said: str, *options: str) -> None:
    done = dagctl("--timeout", "10", *options, "status")
    assert (done.returncode, done.stdout) == (code, ""), done
    assert len(done.stderr.splitlines()) == 1, done.stderr
    assert said in done.stderr


def _completed(dagctl: Dagctl, shell: str, line: str) -> list[str]:
    """Ask as the script of the shell does; return the names."""
    words = line.split(" ")
    dagctl.environment["_DAGCTL_COMPLETE"] = f"{shell}_complete"
    dagctl.environment["COMP_WORDS"] = line if shell != "fish" else " ".join(words[:-1])
    dagctl.environment["COMP_CWORD"] = words[-1] if shell == "fish" else str(len(words) - 1)
    done = dagctl()
    del dagctl.environment["_DAGCTL_COMPLETE"]
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.strip().splitlines()
    if shell == "zsh":  # a kind, a name and a help, a line each
        return [name for kind, name in zip(lines[::3], lines[1::3], strict=True) if kind == "plain"]
    return [each.partition(",")[2].split("\t")[0] for each in lines]
