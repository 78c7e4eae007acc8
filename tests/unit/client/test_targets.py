"""From several addresses to one target of grpc."""

from collections.abc import Sequence

import pytest

from dagcatalog_client import Unavailable
from dagcatalog_client.targets import RESOLVE_INTERVAL_S, Target, only_loopback
from tests.support.waiting import wait_until

KNOWN = {"a": ("10.0.0.1",), "b": ("10.0.0.2", "[fd00::2]"), "c": ("10.0.0.3", "10.0.0.1")}


def resolve(host: str, port: int) -> Sequence[str]:
    return [f"{number}:{port}" for number in KNOWN.get(host, ())]


def test_one_address_is_left_to_grpc() -> None:
    for address in ("a:1", "dns:///a:1", "unix:/x"):
        assert Target([address], resolve=resolve).text() == address


def test_several_names_are_all_their_numbers_each_once() -> None:
    assert Target(["a:1", "c:1"], resolve=resolve).text() == "ipv4:10.0.0.1:1,10.0.0.3:1"
    mixed = "ipv6:[::ffff:10.0.0.1]:1,[::ffff:10.0.0.2]:2,[fd00::2]:2"
    assert Target(["a:1", "b:2"], resolve=resolve).text() == mixed
    assert Target(["ipv4:10.0.0.9:9", "a:1"], resolve=resolve).text().startswith("ipv4:10.0.0.9:9")


def test_a_name_that_is_not_known_is_left_out_while_another_is() -> None:
    assert Target(["a:1", "nobody:1"], resolve=resolve).text() == "ipv4:10.0.0.1:1"
    with pytest.raises(Unavailable, match="none of nobody:1, neither:2 can be resolved"):
        Target(["nobody:1", "neither:2"], resolve=resolve).text()


def test_names_are_looked_up_again_beside_the_calls() -> None:
    now, known, asked = [0.0], dict(KNOWN), []

    def changing(host: str, port: int) -> Sequence[str]:
        asked.append(host)
        return [f"{number}:{port}" for number in known.get(host, ())]

    target = Target(["a:1", "c:1"], resolve=changing, clock=lambda: now[0])
    first = target.text()
    known["c"] = ("10.0.0.7",)
    assert target.text() == first
    now[0] += RESOLVE_INTERVAL_S
    wait_until(lambda: target.text() == "ipv4:10.0.0.1:1,10.0.0.7:1")
    assert len(asked) == 4
    known.clear()
    now[0] += RESOLVE_INTERVAL_S
    target.text()
    wait_until(lambda: len(asked) == 6)
    assert target.text() == "ipv4:10.0.0.1:1,10.0.0.7:1"


@pytest.mark.parametrize(
    ("address", "loopback"),
    [
        ("127.0.0.1:1", True), ("127.9.9.9:1", True), ("[::1]:1", True), ("localhost:1", True),
        ("unix:/x", True), ("dns:///localhost:1", True), ("ipv4:127.0.0.1:1", True),
        ("10.0.0.1:1", False), ("localhost.example.com:1", False), ("dns:///catalog:1", False),
        ("dns://127.0.0.1/catalog:1", False), ("[::]:1", False), ("127.0.0.1.example.com:1", False),
        ("dns:localhost:1", True), ("ipv4:127.0.0.1:1,10.0.0.1:1", False),
    ],
)  # fmt: skip
def test_what_never_leaves_the_machine_is_known(address: str, loopback: bool) -> None:
    assert only_loopback([address]) is loopback
