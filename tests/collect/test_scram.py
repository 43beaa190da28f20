"""SCRAM against the exchange in the standard, and whatever a server says instead."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamgauge.collect.producing.scram import Refused, Scram

NONCE = "rOprNGfwEbeRWgbNEkqO"
SERVER_FIRST = b"r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"
SERVER_FINAL = b"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="


def login() -> Scram:
    return Scram("SCRAM-SHA-256", "user", "pencil", NONCE)


def test_the_exchange_of_rfc_7677() -> None:
    scram = login()
    assert scram.first() == b"n,,n=user,r=rOprNGfwEbeRWgbNEkqO"
    assert scram.final(SERVER_FIRST) == (
        b"c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,"
        b"p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
    )
    scram.check(SERVER_FINAL)


def test_a_name_is_written_without_what_separates() -> None:
    assert b"n=a=3Db=2Cc,r=" in Scram("SCRAM-SHA-512", "a=b,c", "pencil").first()


def test_a_login_has_a_nonce_of_its_own() -> None:
    assert (
        Scram("SCRAM-SHA-512", "user", "pencil").first() != Scram("SCRAM-SHA-512", "user", "pencil").first()
    )


@pytest.mark.parametrize(
    "answer",
    [
        SERVER_FIRST.replace(b"i=4096", b"i=4095"),
        SERVER_FIRST.replace(b"i=4096", b"i=1000001"),
        SERVER_FIRST.replace(b"i=4096", b"i=many"),
        SERVER_FIRST.replace(b"s=W22", b"s=W2"),
        SERVER_FIRST.replace(b"r=rOpr", b"r=rOpX"),
        b"r=" + NONCE.encode() + b",s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
        b"e=other-error",
        b"",
    ],
)
def test_an_answer_that_is_none_to_this_login_or_costs_too_much_is_refused(answer: bytes) -> None:
    with pytest.raises(Refused):
        login().final(answer)


@given(st.binary(max_size=60))
def test_a_server_that_does_not_know_the_password_is_refused(answer: bytes) -> None:
    scram = login()
    scram.final(SERVER_FIRST)
    with pytest.raises(Refused):
        scram.check(answer)
    with pytest.raises(Refused):
        login().check(SERVER_FINAL)
