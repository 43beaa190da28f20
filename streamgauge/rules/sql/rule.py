"""A rule in SQL, read without faults."""

from collections.abc import Sequence
from dataclasses import dataclass

import xxhash

from schemas.rule_files import Group, Rule
from schemas.rule_messages import SQL
from streamgauge.rules.sql.statement import SamplesCall, Statement


@dataclass(frozen=True, slots=True)
class SqlRule:
    """A rule. every_ms: how far apart its ticks are. rule: what it says, its expr is the SELECT without the header."""

    file: str
    rule: Rule
    every_ms: int
    statement: Statement

    @property
    def key(self) -> str:
        """Of its group, which has no other rule."""
        return f"/{SQL}/{self.rule.name}"

    @property
    def group(self) -> Group:
        """Its group."""
        return Group(self.rule.name, [self.rule], self.every_ms)

    @property
    def version(self) -> str:
        """The same for the same file."""
        return xxhash.xxh3_128_hexdigest(f"{self.every_ms} {self.statement.text}".encode())


def distinct(rules: Sequence[SqlRule]) -> list[SamplesCall]:
    """The selectors of all rules, each once, in the order of the rules."""
    return list({call.matchers: call for one in rules for call in one.statement.calls}.values())
