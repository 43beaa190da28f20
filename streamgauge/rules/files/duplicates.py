"""Rules of one file that would write the same series, or raise the same alerts."""

from collections.abc import Iterator, Sequence

from schemas.rule_files import Group, Rule


def duplicates(groups: Sequence[Group]) -> Iterator[tuple[Rule, int]]:
    """Each rule whose name and labels an earlier one has, with the line of that one."""
    first: dict[tuple[str, tuple[tuple[str, str], ...]], int] = {}
    for group in groups:
        for rule in group.rules:
            key = rule.name, tuple(sorted({**group.labels, **rule.labels}.items()))
            if not rule.name:
                continue
            if key in first:
                yield rule, first[key]
            else:
                first[key] = rule.line
