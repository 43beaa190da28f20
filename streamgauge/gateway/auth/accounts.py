"""The users file: users, their credentials, and the series that each may see."""

import hashlib
import logging
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, NamedTuple

from pydantic import Field, field_validator

from streamgauge.gateway.auth.secrets import PasswordHash, check_token_hash, token_hash
from streamgauge.lru_cache import LruCache
from streamgauge.promql.syntax.parser import selector
from streamgauge.series.matchers import Matcher
from streamgauge.yaml_file import InvalidFile, Section, load

LOOK_AGAIN_S = 2.0
"""Interval between checks whether the file has changed."""
REMEMBERED = 1000
"""Checked passwords to remember, valid ones and as many invalid ones, by a hash keyed per process."""

log = logging.getLogger(__name__)


class User(Section):
    """One user."""

    password: str = ""
    """Hash of the password, for Basic authentication."""
    tokens: tuple[str, ...] = ()
    """Hashes of bearer tokens."""
    match: str = ""
    """Selector that restricts the series this user sees; empty for all series."""
    asks_for_others: bool = False
    """Whether users named in request headers, as by Grafana, have limits of their own."""

    @field_validator("password")
    @classmethod
    def _is_a_password_hash(cls, password: str) -> str:
        if password:
            PasswordHash.parse(password)
        return password

    @field_validator("tokens")
    @classmethod
    def _are_token_hashes(cls, tokens: tuple[str, ...]) -> tuple[str, ...]:
        for each in tokens:
            check_token_hash(each)
        return tokens

    @field_validator("match")
    @classmethod
    def _selects(cls, match: str) -> str:
        if match:
            selector(match)
        return match

    @property
    def enforced(self) -> tuple[Matcher, ...]:
        """Matchers that every series must satisfy."""
        return selector(self.match) if self.match else ()


class Verdict(NamedTuple):
    """Result of a password check: the user, or None if the password is wrong."""

    user: tuple[str, User] | None


class UsersFile(Section):
    """The users file."""

    users: dict[Annotated[str, Field(pattern=r"^[^:\x00-\x1f]{1,64}$")], User]


class Accounts:
    """Authenticates users; reloads the users file when it changes. Thread-safe.

    :raises InvalidFile: if the file is invalid at start. Later the last valid one stays in use.
    """

    def __init__(self, path: Path, clock: Callable[[], float] = time.monotonic) -> None:
        self._path = path
        self._clock = clock
        self._guard = threading.Lock()
        self._key = os.urandom(32)
        # apart from each other, so that no number of guesses makes a right one be checked again
        self._right: LruCache[bytes, bool] = LruCache(REMEMBERED)
        self._wrong: LruCache[bytes, bool] = LruCache(REMEMBERED)
        # unknown names take as long as known ones
        self._nobody = PasswordHash(os.urandom(16), os.urandom(32))
        self._looked = clock()
        self._stamp = self._stamped()
        self._take(load(path, UsersFile))

    def by_token(self, token: str) -> tuple[str, User] | None:
        """Return the name and entry of the user with this token."""
        self._follow()
        name = self._tokens.get(token_hash(token))
        return None if name is None else (name, self._users[name])

    def recalled(self, name: str, password: str) -> Verdict | None:
        """Return the remembered result for this password; None if it is not remembered."""
        self._follow()
        user, stored = self._entry(name)
        key = self._key_of(stored, password)
        if self._wrong.get(key):
            return Verdict(None)
        if not self._right.get(key):
            return None
        return Verdict(None if user is None else (name, user))

    def by_password(self, name: str, password: str) -> tuple[str, User] | None:
        """Return the name and entry of the user with this password; slow the first time."""
        verdict = self.recalled(name, password)
        if verdict is not None:
            return verdict.user
        user, stored = self._entry(name)
        is_right = stored.fits(password)
        checked = self._right if is_right else self._wrong
        checked.put(self._key_of(stored, password), True, 1)
        return (name, user) if is_right and user is not None else None

    def _entry(self, name: str) -> tuple[User | None, PasswordHash]:
        user = self._users.get(name)
        return user, PasswordHash.parse(user.password) if user and user.password else self._nobody

    def _key_of(self, stored: PasswordHash, password: str) -> bytes:
        """The key does not reveal the password; a new hash in the file invalidates it."""
        content = b"\xff".join([stored.text.encode(), password.encode(errors="surrogateescape")])
        return hashlib.blake2b(content, key=self._key).digest()

    def _follow(self) -> None:
        """Take the file again if it has changed."""
        with self._guard:
            now = self._clock()
            if now - self._looked < LOOK_AGAIN_S:
                return
            self._looked = now
            stamp = self._stamped()
            if stamp == self._stamp:
                return
            self._stamp = stamp
        try:
            self._take(load(self._path, UsersFile))
        except InvalidFile as fault:
            log.error("users file not reloaded: fault=%s", fault)
            return
        log.info("users file reloaded: users=%d", len(self._users))

    def _take(self, file: UsersFile) -> None:
        self._users = file.users
        self._tokens = {each: name for name, user in file.users.items() for each in user.tokens}

    def _stamped(self) -> tuple[int, int, int]:
        try:
            found = self._path.stat()
        except OSError:
            return 0, 0, 0
        return found.st_mtime_ns, found.st_size, found.st_ino
