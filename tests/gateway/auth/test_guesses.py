"""Wrong passwords: they hold up nobody else, and an address may show so many only."""

import asyncio
import base64
import threading

import httpx
import pytest
import yaml

from streamgauge.config import Config
from streamgauge.config import Gateway as Settings
from streamgauge.gateway.auth import authentication
from streamgauge.gateway.auth.guesses import A_GUESS_S, AT_ONCE, Guesses
from streamgauge.gateway.auth.secrets import PasswordHash
from streamgauge.gateway.http.app import Gateway, application

RIGHT = PasswordHash.of("right")


class Clock:
    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now


def test_an_address_may_guess_so_often_and_again_after_a_while():
    clock = Clock()
    guesses = Guesses(clock)
    assert [guesses.take("a") for _ in range(AT_ONCE)] == [0.0] * AT_ONCE
    assert guesses.take("a") == pytest.approx(A_GUESS_S)
    assert guesses.take("b") == 0.0
    clock.now += A_GUESS_S
    assert guesses.take("a") == 0.0
    assert guesses.take("a") > 0
    # a right one is no guess
    guesses.right("a")
    assert guesses.take("a") == 0.0
    clock.now += 2 * AT_ONCE * A_GUESS_S
    assert [guesses.take("a") for _ in range(AT_ONCE)] == [0.0] * AT_ONCE
    assert guesses.take("a") > 0


def test_addresses_that_are_remembered_are_bounded(monkeypatch):
    monkeypatch.setattr("streamgauge.gateway.auth.guesses.MOST_ADDRESSES", 2)
    guesses = Guesses(Clock())
    for address in ("a", "b", "c"):
        guesses.take(address)
    assert guesses._full_at.get_all("abc").keys() == {"b", "c"}


class Checked:
    """A gateway with accounts; checks of passwords end when they may, and are in the order in which they began."""

    def __init__(self, tmp_path, monkeypatch):
        file = tmp_path / "users.yml"
        file.write_text(yaml.safe_dump({"users": {"ann": {"password": RIGHT.text}}}))
        self.app = application(Gateway(Config(gateway=Settings(users_file=file)), reader=None))
        self.may = threading.Event()
        self.checks = []
        fits = PasswordHash.fits

        def slow(stored, password):
            self.checks.append(password)
            assert self.may.wait(20)
            return fits(stored, password) if password == "right" else False

        monkeypatch.setattr(PasswordHash, "fits", slow)

    def ask(self, password, address="192.0.2.1", user="ann"):
        shown = base64.b64encode(f"{user}:{password}".encode()).decode()
        transport = httpx.ASGITransport(self.app, client=(address, 1))

        async def request():
            async with httpx.AsyncClient(transport=transport, base_url="http://gateway") as client:
                headers = {"authorization": f"Basic {shown}"}
                return await client.get("/api/v1/format_query?query=up", headers=headers)

        return asyncio.create_task(request())

    async def began(self, count):
        async with asyncio.timeout(20):
            while len(self.checks) < count:
                await asyncio.sleep(0.005)


@pytest.fixture
def checked(tmp_path, monkeypatch):
    return Checked(tmp_path, monkeypatch)


def test_a_password_that_is_known_never_waits_for_guesses(checked):
    async def run():
        checked.may.set()
        assert (await checked.ask("right")).status_code == 200
        checked.may.clear()
        guesses = [checked.ask(f"guess-{number}") for number in range(10)]
        await checked.began(2)
        # no guess has been checked to its end
        assert (await checked.ask("right")).status_code == 200
        checked.may.set()
        assert {(await each).status_code for each in guesses} == {401}
        assert (await checked.ask("guess-1")).status_code == 401
        assert checked.checks.count("guess-1") == checked.checks.count("right") == 1

    asyncio.run(run())


def test_a_password_that_is_not_known_waits_for_one_guess_of_another_address_only(checked):
    async def run():
        guesses = [checked.ask(f"guess-{number}") for number in range(10)]
        await checked.began(1)
        asked = checked.ask("right", "192.0.2.2")
        await asyncio.sleep(0)
        checked.may.set()
        assert (await asked).status_code == 200
        assert {(await each).status_code for each in guesses} == {401}
        # of the first address at most one more, whose turn it was already
        assert checked.checks.index("right") <= 2

    asyncio.run(run())


def test_an_address_that_guesses_too_often_is_told_when_to_come_again(checked):
    async def run():
        checked.may.set()
        for number in range(AT_ONCE):
            assert (await checked.ask(f"guess-{number}", user=f"user-{number}")).status_code == 401
        refused = await checked.ask("guess-20")
        assert (refused.status_code, refused.json()["errorType"]) == (429, "too_many_requests")
        assert 1 <= int(refused.headers["retry-after"]) <= A_GUESS_S
        # not even the right one, for it would be a guess; what is known already and other addresses are
        assert (await checked.ask("right")).status_code == 429
        assert (await checked.ask("guess-1", user="user-1")).status_code == 401
        assert (await checked.ask("right", "192.0.2.2")).status_code == 200
        assert (await checked.ask("right")).status_code == 200
        assert len(checked.checks) == AT_ONCE + 1

    asyncio.run(run())


def test_of_an_ipv6_network_all_addresses_are_one(checked):
    async def run():
        checked.may.set()
        for number in range(AT_ONCE):
            await checked.ask(f"guess-{number}", f"2001:db8::{number:x}")
        assert (await checked.ask("more", "2001:db8::ffff")).status_code == 429
        assert (await checked.ask("more", "2001:db8:0:1::1")).status_code == 401
        assert (await checked.ask("other", "::ffff:192.0.2.1")).status_code == 401

    asyncio.run(run())


def test_requests_that_show_the_same_at_once_are_one_guess(checked):
    async def run():
        asked = [checked.ask("right") for _ in range(3 * AT_ONCE)]
        await checked.began(1)
        checked.may.set()
        assert {(await each).status_code for each in asked} == {200}
        assert checked.checks == ["right"]

    asyncio.run(run())


def test_passwords_that_wait_are_bounded(checked, monkeypatch):
    monkeypatch.setattr(authentication, "MOST_CHECKS", 3)
    monkeypatch.setattr(authentication, "MOST_ADDRESSES", 5)

    async def run():
        # one is checked, three wait; then nobody waits with a second one, whoever has none may come
        asked = [checked.ask(f"guess-{number}", f"192.0.2.{number}") for number in range(4)]
        await checked.began(1)
        asked += [checked.ask(f"more-{number}", "192.0.2.3") for number in range(2)]
        asked += [checked.ask(f"other-{number}", f"198.51.100.{number}") for number in range(4)]
        await asyncio.sleep(0)
        checked.may.set()
        codes = [(await each).status_code for each in asked]
        assert codes == [401] * 4 + [429] * 2 + [401] * 2 + [429] * 2

    asyncio.run(run())
