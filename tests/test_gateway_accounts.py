"""Users in a file: passwords, tokens, changes, and what is no such file."""

import pytest
import yaml

from streamgauge.gateway import accounts as file_of_users
from streamgauge.gateway.accounts import LOOK_AGAIN_S, Accounts
from streamgauge.gateway.secrets import InvalidHash, PasswordHash, check_token_hash, new_token, token_hash
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
    accounts.by_password("a", "other")
    assert accounts.by_password("a", "pass wörd:")
    assert len(checks) == 4


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
    assert "users stay as they were" in caplog.text
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
        ("users: {a: {match: 'sum(x)'}}", "only a vector selector"),
        ("users: {'a:b': {}}", "users"),
        ("user: {}", "unknown key"),
    ],
)
def test_a_fault_in_the_file_names_its_place(tmp_path, content, fault):
    path = tmp_path / "users.yml"
    path.write_text(content)
    with pytest.raises(InvalidFile, match=fault):
        Accounts(path)
