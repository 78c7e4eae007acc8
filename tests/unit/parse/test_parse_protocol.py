"""Answers survive the pipe; anything else is refused, never believed."""

import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dagcatalog_client.parse import protocol
from dagcatalog_client.parse.model import Answer, Failure, FailureKind, Limits, ParsedDag, Verdict
from dagcatalog_client.parse.parser import BOOTSTRAP, read_answer
from dagcatalog_client.parse.request import (
    FindRequest,
    ParseRequest,
    decode_request,
    encode_request,
)

texts = st.text(st.characters(codec=None))  # lone surrogates too: a message may hold them
dags = st.builds(ParsedDag, texts, st.binary(), st.none() | st.sampled_from(["a", "bé", ""]))
failed = st.builds(Failure, st.sampled_from(FailureKind), texts, texts, st.integers(0, 10**9))
answers = st.builds(
    Answer,
    st.lists(dags).map(tuple),
    st.lists(failed).map(tuple),
    st.lists(texts).map(tuple),
)


@given(answers)
def test_an_answer_comes_back(answer: Answer) -> None:
    assert protocol.decode_answer(protocol.encode_answer(answer)) == answer


@given(answers, st.data())
def test_an_answer_cut_off_anywhere_is_refused(answer: Answer, data: st.DataObject) -> None:
    whole = protocol.encode_answer(answer)
    cut = whole[: data.draw(st.integers(0, len(whole) - 1))]
    with pytest.raises(protocol.ProtocolError):
        protocol.decode_answer(cut)


@given(st.binary())
def test_any_other_bytes_are_refused(junk: bytes) -> None:
    with pytest.raises(protocol.ProtocolError):
        protocol.decode_answer(junk)


@given(st.binary(max_size=200))
def test_whatever_comes_back_for_a_file_is_an_outcome(junk: bytes) -> None:
    verdict = protocol.encode_verdict(Verdict(exit_code=0))
    for data in (junk, verdict + junk):
        answer, failure = read_answer(data, "/dags/a.py")
        assert failure is not None
        assert failure.kind is FailureKind.CRASH
        assert answer == Answer()


def test_a_verdict_comes_back() -> None:
    verdict = Verdict(signal=11, output="last words \udc80")
    assert protocol.split_verdict(protocol.encode_verdict(verdict) + b"rest") == (verdict, b"rest")


@pytest.mark.parametrize(
    "request_",
    [FindRequest("/dags"), ParseRequest("/dags/\udcff.py", "/dags", "b", Limits(1.5, 7), "/x")],
)
def test_a_request_comes_back(request_: FindRequest | ParseRequest) -> None:
    assert decode_request(encode_request(request_)) == request_


def test_the_zygote_imports_neither_grpc_nor_click() -> None:
    start, _, _ = BOOTSTRAP.partition("main(int")
    check = "bad = {'grpc', 'click', 'google', 'rich'} & {name.partition('.')[0] for name in sys.modules}"
    script = f"{start}\n{check}\nassert not bad, bad\n"
    package = protocol.__file__.rpartition("/parse/")[0]
    subprocess.run([sys.executable, "-I", "-c", script, package], check=True, timeout=60)
