"""Users in a file: passwords, tokens, changes, and what is no such file."""

import hashlib

import pytest
import yaml

from streamgauge.gateway.auth import accounts as file_of_users
from streamgauge.gateway.auth.accounts import LOOK_AGAIN_S, Accounts
from streamgauge.gateway.auth.secrets import (
    Cost,
    InvalidHash,
    PasswordHash,
    check_token_hash,
    new_token,
    token_hash,
)
from streamgauge.yaml_file import InvalidFile

PASSWORD = PasswordHash.of("pass wörd:")


class Clock:
    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


@pytest.fixture
def write(tmp_path):
    def written(users):
        path = tmp_path / "users.yml"
        path.write_text(yaml.safe_dump({"users": users}))
        return path

    return written


def test_a_hash_fits_its_password_only():
    assert PASSWORD.fits("pass wörd:")
    assert not PASSWORD.fits("pass wörd")
    assert PasswordHash.parse(PASSWORD.text) == PASSWORD
    assert PasswordHash.of("pass wörd:").salt != PASSWORD.salt


# of "right", written before hashes told their cost
OLD = "scrypt$MDEyMzQ1Njc4OWFiY2RlZg==$oRgJ35+0Wq78Uh0vy1mkOA1Pk6LO4ROadWLSATrfZ3o="


def test_a_hash_tells_its_cost_and_one_of_another_cost_is_checked_with_that():
    assert PASSWORD.text.split("$")[:4] == ["scrypt", "32768", "8", "1"]
    cost = Cost(1024, 4, 2)
    salt = b"s" * 16
    digest = hashlib.scrypt(b"pass", salt=salt, n=cost.n, r=cost.r, p=cost.p, dklen=32)
    cheap = PasswordHash.parse(PasswordHash(salt, digest, cost).text)
    assert cheap.cost == cost
    assert cheap.fits("pass")
    assert not cheap.fits("other")
    assert not cheap._replace(cost=Cost(2048, 4, 2)).fits("pass")


def test_hashes_that_do_not_tell_their_cost_are_read_still():
    old = PasswordHash.parse(OLD)
    assert old.cost == Cost(1 << 15, 8, 1)
    assert PasswordHash.parse(old.text) == old
    assert old.fits("right")
    assert not old.fits("wrong")


@pytest.mark.parametrize(
    "cost",
    [
        "0$8$1",
        "1$8$1",
        "3$8$1",
        "1024$0$1",
        "1024$8$0",
        "1048576$8$1",
        "32768$8$99",
        "-2$8$1",
        "x$8$1",
        "2$8",
    ],
)
def test_a_cost_that_cannot_be_or_takes_too_much_is_refused(cost):
    _, salt, digest = OLD.split("$")
    with pytest.raises(InvalidHash, match="streamgauge password"):
        PasswordHash.parse(f"scrypt${cost}${salt}${digest}")


@pytest.mark.parametrize("text", ["", "scrypt$$", "scrypt$!$x", "md5$YQ==$YQ==", "scrypt$YQ==$YQ==", "pass"])
def test_what_is_no_hash_is_refused(text):
    with pytest.raises(InvalidHash, match="streamgauge password"):
        PasswordHash.parse(text)
    with pytest.raises(InvalidHash, match="streamgauge token"):
        check_token_hash(text)


def test_tokens_are_new_and_their_hashes_are_not_them():
    first, second = new_token(), new_token()
    assert first != second
    assert first not in token_hash(first)
    check_token_hash(token_hash(first))


def test_users_are_known_by_password_and_token(write):
    token = new_token()
    accounts = Accounts(
        write(
            {"a": {"password": PASSWORD.text, "match": '{tenant="a"}'}, "b": {"tokens": [token_hash(token)]}}
        )
    )
    name, user = accounts.by_password("a", "pass wörd:")
    assert (name, [(each.name, each.value) for each in user.enforced]) == ("a", [("tenant", "a")])
    assert accounts.by_token(token)[0] == "b"
    for wrong in ("", "pass wörd", token):
        assert accounts.by_password("a", wrong) is None
    for name in ("b", "nobody", ""):
        assert accounts.by_password(name, "pass wörd:") is None
        assert accounts.by_password(name, "") is None
    assert accounts.by_token(new_token()) is None
    assert accounts.by_token(token_hash(token)) is None


def test_a_password_is_checked_once(write, monkeypatch):
    checks = []
    fits = PasswordHash.fits
    monkeypatch.setattr(PasswordHash, "fits", lambda self, given: checks.append(given) or fits(self, given))
    monkeypatch.setattr(file_of_users, "REMEMBERED", 2)
    accounts = Accounts(write({"a": {"password": PASSWORD.text}}))
    for _ in range(3):
        assert accounts.by_password("a", "pass wörd:")
        assert not accounts.by_password("a", "wrong")
    assert checks == ["pass wörd:", "wrong"]
    # no number of guesses makes the right one be checked again
    for guess in ("other", "more", "wrong"):
        accounts.by_password("a", guess)
    assert accounts.by_password("a", "pass wörd:")
    assert checks == ["pass wörd:", "wrong", "other", "more", "wrong"]


def test_what_was_checked_is_recalled_at_once_and_nothing_else_is(write, monkeypatch):
    accounts = Accounts(write({"a": {"password": PASSWORD.text}}))
    assert accounts.recalled("a", "pass wörd:") is accounts.recalled("nobody", "x") is None
    accounts.by_password("a", "pass wörd:")
    accounts.by_password("a", "wrong")
    accounts.by_password("nobody", "x")
    monkeypatch.setattr(PasswordHash, "fits", lambda *_: pytest.fail("it is checked again"))
    assert accounts.recalled("a", "pass wörd:").user[0] == "a"
    assert accounts.recalled("a", "wrong").user is accounts.recalled("nobody", "x").user is None
    assert accounts.recalled("a", "other") is None


def test_a_changed_file_counts_and_a_faulty_one_does_not(write, caplog):
    clock = Clock()
    token = new_token()
    accounts = Accounts(write({"a": {"tokens": [token_hash(token)]}}), clock)
    assert accounts.by_token(token)
    path = write({"a": {"tokens": []}})
    assert accounts.by_token(token)
    clock.now += LOOK_AGAIN_S
    assert accounts.by_token(token) is None
    path.write_text("users: {a: {tokens: [nothing]}, b: 1}")
    clock.now += LOOK_AGAIN_S
    assert accounts.by_token(token) is None
    assert "users file not reloaded" in caplog.text
    write({"b": {"tokens": [token_hash(token)]}})
    clock.now += LOOK_AGAIN_S
    assert accounts.by_token(token)[0] == "b"
    path.unlink()
    clock.now += LOOK_AGAIN_S
    assert accounts.by_token(token)[0] == "b"


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        ("users: {a: {password: plain}}", "1:13: users.a.password: .*streamgauge password"),
        ("users: {a: {tokens: [plain]}}", "streamgauge token"),
        ("users: {a: {match: 'sum(x)'}}", r'1:4: parse error: unexpected "\('),
        ("users: {'a:b': {}}", "users"),
        ("user: {}", "unknown key"),
    ],
)
def test_a_fault_in_the_file_names_its_place(tmp_path, content, fault):
    path = tmp_path / "users.yml"
    path.write_text(content)
    with pytest.raises(InvalidFile, match=fault):
        Accounts(path)
