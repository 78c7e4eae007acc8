"""Full jitter: between nothing and a bound that doubles."""

from dagcatalog_client.informer.backoff import Backoff


def waits(count: int, draw: float) -> list[float]:
    backoff = Backoff(base_s=0.5, cap_s=3.0, random=lambda: draw)
    return [backoff.next_s() for _ in range(count)]


def test_the_bound_doubles_up_to_the_cap() -> None:
    assert waits(5, 1.0) == [0.5, 1.0, 2.0, 3.0, 3.0]


def test_the_wait_is_anywhere_below_the_bound() -> None:
    assert waits(3, 0.0) == [0.0, 0.0, 0.0]
    assert waits(3, 0.5) == [0.25, 0.5, 1.0]


def test_a_success_begins_anew() -> None:
    backoff = Backoff(base_s=1.0, cap_s=8.0, random=lambda: 1.0)
    assert [backoff.next_s(), backoff.next_s()] == [1.0, 2.0]
    backoff.reset()
    assert backoff.next_s() == 1.0


def test_what_the_server_asks_for_is_waited_for_up_to_the_cap() -> None:
    backoff = Backoff(base_s=1.0, cap_s=2.0, random=lambda: 0.0)
    assert [backoff.next_s(0.5), backoff.next_s(60.0)] == [0.5, 2.0]


def test_a_thousand_failures_do_not_overflow() -> None:
    assert waits(2_000, 1.0)[-1] == 3.0
