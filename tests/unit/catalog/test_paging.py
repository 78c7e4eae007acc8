"""Page tokens: they continue their own request, and nothing else."""

import base64
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dagcatalog_server.catalog.errors import InvalidArgument
from dagcatalog_server.catalog.listing import ListRequest
from dagcatalog_server.catalog.model import DagKey, Position, ScheduleKind
from dagcatalog_server.catalog.paging import check_page_size, make_token, read_token
from dagcatalog_server.catalog.query import DagFilter, DeletedFilter

REQUEST = ListRequest(DagFilter(namespace="default", tags_any=("a", "b")), "revision")
CONTENT = {"epoch": "e", "revision": 7, "key": ["default", "日本"], "after": 3, "total": 9}


def refusal(token: str, request: object = REQUEST) -> str:
    with pytest.raises(InvalidArgument) as caught:
        read_token(request, token)
    assert caught.value.violation.field == "page_token"
    return caught.value.violation.description


def test_a_token_comes_back_as_it_went() -> None:
    token = make_token(REQUEST, CONTENT)
    assert read_token(REQUEST, token) == CONTENT
    assert token.isascii()
    assert not set(token) & set("+/ \n")


def test_no_token_is_the_first_page() -> None:
    assert read_token(REQUEST, "") is None


@pytest.mark.parametrize(
    "other",
    [
        ListRequest(DagFilter(namespace="other", tags_any=("a", "b")), "revision"),
        ListRequest(DagFilter(tags_any=("a", "b")), "revision"),
        ListRequest(DagFilter(namespace="default", tags_all=("a", "b")), "revision"),
        ListRequest(DagFilter(namespace="default", tags_any=("a",)), "revision"),
        ListRequest(DagFilter("default", tags_any=("a", "b"), deleted=DeletedFilter.ONLY)),
        ListRequest(DagFilter("default", tags_any=("a", "b"), schedule_kinds=(ScheduleKind.CRON,))),
        ListRequest(DagFilter(namespace="default", tags_any=("a", "b")), "dag_id"),
        ListRequest(
            DagFilter(namespace="default", tags_any=("a", "b")), "revision", Position("e", 7)
        ),
        DagKey("default", "a"),
        ("default", None),
    ],
)
def test_a_token_of_another_request_is_refused(other: object) -> None:
    assert "another request" in refusal(make_token(other, CONTENT))


def test_an_equal_request_made_again_goes_on() -> None:
    again = ListRequest(DagFilter(namespace="default", tags_any=("a", "b")), "revision")
    assert read_token(again, make_token(REQUEST, CONTENT)) == CONTENT


@pytest.mark.parametrize(
    "token",
    [
        "x",
        "!!!!",
        "é",
        "\ud800",
        "AAAA",
        "AAAAAAAAAAAA",
        base64.urlsafe_b64encode(b"{}").decode(),
        base64.urlsafe_b64encode(b'["x",{}]').decode(),
        base64.urlsafe_b64encode(b"[" * 100_000).decode(),
        base64.urlsafe_b64encode(json.dumps(["0" * 16, CONTENT]).encode()).decode(),
    ],
)
def test_garbage_is_refused(token: str) -> None:
    assert refusal(token) == "is not a token of this service"


@given(st.integers(min_value=0, max_value=200), st.characters())
@settings(deadline=None)
def test_no_character_of_a_token_can_be_changed(place: int, character: str) -> None:
    token = make_token(REQUEST, CONTENT)
    place %= len(token)
    changed = token[:place] + character + token[place + 1 :]
    if changed != token and place < len(token) - 2:  # padding bits at the end mean nothing
        refusal(changed)


def test_a_token_that_was_cut_or_extended_is_refused() -> None:
    token = make_token(REQUEST, CONTENT)
    for changed in (token[:-4], token[4:], token + "AAAA", token + "\n", token + token):
        refusal(changed)


@given(st.text(max_size=60))
@settings(deadline=None)
def test_no_text_is_taken_for_a_token(text: str) -> None:
    if text:
        refusal(text)


@pytest.mark.parametrize(("asked", "used"), [(0, 100), (1, 1), (1000, 1000), (1001, 1000)])
def test_a_page_has_a_size_within_bounds(asked: int, used: int) -> None:
    assert check_page_size(asked) == used


def test_a_negative_page_size_is_refused() -> None:
    with pytest.raises(InvalidArgument) as caught:
        check_page_size(-1)
    assert caught.value.violation.field == "page_size"
