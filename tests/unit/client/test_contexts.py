"""The context file: what it says, how it is written, who may read it."""

import stat
import threading
from pathlib import Path

import pytest

from dagcatalog_client import InvalidSettings, context_file, contexts
from dagcatalog_client.contexts import Contexts, StoredContext

PATH = Path("/folder/contexts.toml")
FULL = StoredContext(
    addresses=("a:1", "b:2"),
    namespace="team",
    tls=True,
    ca_file=Path("/ca.pem"),
    certificate_file=Path("/mine.pem"),
    key_file=Path("/mine.key"),
    server_name="catalog",
    token='with "quotes" and \\',
)


def test_what_is_written_reads_as_the_same() -> None:
    held = Contexts(PATH, "x.y", {"x.y": FULL, "plain": StoredContext(("c:3",), tls=False)})
    assert contexts.parse(contexts.render(held).encode(), PATH) == held
    assert contexts.parse(contexts.render(Contexts(PATH)).encode(), PATH) == Contexts(PATH)


def test_paths_are_relative_to_the_file() -> None:
    text = b'[contexts.a]\naddress = "a:1,b:2"\nca_file = "ca.pem"\ntoken_file = "~/t"\n'
    found = contexts.parse(text, PATH).by_name["a"]
    assert found.addresses == ("a:1", "b:2")
    assert found.ca_file == Path("/folder/ca.pem")
    assert found.token_file == Path("~/t").expanduser()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"\xff", "is not TOML"),
        (b"a = ", "is not TOML"),
        (b"a = 1", "something else than"),
        (b"contexts = 1", "something else than"),
        (b'current = "b"\n[contexts.a]', "has no context 'b'; it has a"),
        (b'[contexts.a]\nadress = "a:1"', "'adress' is no setting; there are address, ca_file"),
        (b"[contexts.a]\naddress = 1", "address must be a text, or a list"),
        (b'[contexts.a]\ntls = "yes"', "tls must be true or false"),
        (b"[contexts.a]\nca_file = 1", "ca_file must be a text"),
        (b'[contexts.a]\ntoken = "a"\ntoken_file = "b"', "one of them is enough"),
        (b'[contexts."a b"]', "is no name for a context"),
    ],
)
def test_what_is_wrong_in_the_file_is_named(text: bytes, said: str) -> None:
    with pytest.raises(InvalidSettings, match=r"contexts\.toml|is no name") as caught:
        contexts.parse(text, PATH)
    assert said in str(caught.value)


def test_the_file_is_where_the_variable_or_the_system_says() -> None:
    assert contexts.file_path({"DAGCATALOG_CONTEXT_FILE": "/x"}) == Path("/x")
    configured = Path("/c/dagcatalog/contexts.toml")
    assert contexts.file_path({"XDG_CONFIG_HOME": "/c"}) == configured
    assert contexts.file_path({"HOME": "/h"}) == Path("/h/.config/dagcatalog/contexts.toml")


def test_the_file_is_made_for_its_owner_and_stays_a_link(tmp_path: Path) -> None:
    real, link = tmp_path / "dotfiles" / "contexts.toml", tmp_path / "config" / "contexts.toml"
    environ = {"DAGCATALOG_CONTEXT_FILE": str(link)}
    real.parent.mkdir()
    link.parent.mkdir()
    link.symlink_to(real)
    context_file.change(lambda held: held.having("a", FULL).used("a"), environ)
    assert link.is_symlink()
    assert stat.S_IMODE(real.stat().st_mode) == 0o600
    real.chmod(0o644)
    context_file.change(lambda held: held.without("a"), environ)
    assert stat.S_IMODE(real.stat().st_mode) == 0o600
    assert contexts.load(environ) == Contexts(link)
    assert [*real.parent.iterdir()] == [real]


def test_a_change_that_fails_leaves_the_file_as_it_was(tmp_path: Path) -> None:
    environ = {"DAGCATALOG_CONTEXT_FILE": str(tmp_path / "contexts.toml")}
    before = context_file.change(lambda held: held.having("a", FULL), environ)
    with pytest.raises(InvalidSettings, match="no setting has"):
        context_file.change(lambda held: held.having("b", StoredContext(namespace="\x7f")), environ)
    with pytest.raises(InvalidSettings, match="has no context 'b'"):
        context_file.change(lambda held: held.used("b"), environ)
    assert contexts.load(environ) == before
    assert len([*tmp_path.iterdir()]) == 1


def test_changes_at_the_same_time_lose_nothing(tmp_path: Path) -> None:
    environ = {"DAGCATALOG_CONTEXT_FILE": str(tmp_path / "contexts.toml")}

    def add(number: int) -> None:
        context_file.change(lambda held: held.having(f"c{number}", StoredContext()), environ)

    threads = [threading.Thread(target=add, args=(number,)) for number in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(contexts.load(environ).by_name) == 12
