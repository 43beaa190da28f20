"""Evaluation intervals of groups of rules."""

from schemas.rule_files import Group

INTERVAL_MS = 60_000
"""Of groups that name none."""


def interval_of(group: Group) -> int:
    """How many ms lie between two ticks of a group; they are the multiples of it."""
    return group.interval_ms or INTERVAL_MS
