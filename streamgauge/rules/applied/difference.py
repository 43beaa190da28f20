"""Readable difference between two sets of groups, rule by rule."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields
from typing import NamedTuple

from schemas.rule_files import Group, Rule
from streamgauge.promql.syntax.literals import duration_text

_KEYS = {"hold_ms": "for", "keep_firing_ms": "keep_firing_for", "interval_ms": "interval"}
_KEYS |= {"query_offset_ms": "query_offset"}
_SILENT = frozenset({"kind", "name", "rules", "line", "column"})


class Line(NamedTuple):
    """A line, and what it tells: "+" added, "-" removed, "~" changed."""

    mark: str
    text: str


class Count(NamedTuple):
    """How many rules are added, changed and removed, and how many groups are set otherwise."""

    added: int
    changed: int
    removed: int
    groups: int

    @property
    def is_nothing(self) -> bool:
        """Whether both are the same."""
        return not any(self)


def difference(old: Mapping[str, Group], new: Mapping[str, Group]) -> tuple[list[Line], Count]:
    """The lines that tell what changes, in the order of the groups' keys."""
    lines: list[Line] = []
    added = changed = removed = groups = 0
    for key in sorted({*old, *new}):
        before, after = old.get(key, Group("")), new.get(key, Group(""))
        own = list(_fields(before, after)) if key in old and key in new else []
        groups += bool(own)
        inside = list(own)
        for one, other in _pairs(before.rules, after.rules):
            if one is None and other is not None:
                added += 1
                inside += _whole("+", other)
            elif one is not None and other is None:
                removed += 1
                inside += _whole("-", one)
            elif one is not None and other is not None and (inner := list(_fields(one, other))):
                changed += 1
                inside.append(Line("~", f"  {_title(other)}"))
                inside += [Line(mark, f"  {text}") for mark, text in inner]
        if inside or (key in old) != (key in new):
            mark = "~" if key in old and key in new else "+" if key in new else "-"
            lines += [Line(mark, key), *inside]
    return lines, Count(added, changed, removed, groups)


def _pairs(old: Sequence[Rule], new: Sequence[Rule]) -> Iterator[tuple[Rule | None, Rule | None]]:
    """Rules of the same name belong together, the same ones first, others in their order."""
    left: dict[tuple[str, str], list[Rule]] = defaultdict(list)
    for rule in old:
        left[rule.kind, rule.name].append(rule)
    waiting = []
    for rule in new:
        same = [one for one in left[rule.kind, rule.name] if not list(_fields(one, rule))]
        if same:
            left[rule.kind, rule.name].remove(same[0])
        else:
            waiting.append(rule)
    for rule in waiting:
        others = left[rule.kind, rule.name]
        yield (others.pop(0) if others else None), rule
    yield from ((rule, None) for rules in left.values() for rule in rules)


def _title(rule: Rule) -> str:
    return f"{rule.kind.value}: {rule.name}"


def _whole(mark: str, rule: Rule) -> Iterator[Line]:
    yield Line(mark, f"  {_title(rule)}")
    yield Line(mark, f"    expr: {rule.expr.strip()}")


def _fields(old: Rule | Group, new: Rule | Group) -> Iterator[Line]:
    """The values that differ, in the words of a rule file."""
    for name in (one.name for one in fields(old) if one.name not in _SILENT):
        before, after = getattr(old, name), getattr(new, name)
        if isinstance(before, Mapping):
            for key in sorted({*before, *after}):
                yield from _sides(f"{name}: {key}", before.get(key), after.get(key))
        else:
            yield from _sides(_KEYS.get(name, name), _text(name, before), _text(name, after))


def _text(name: str, value: object) -> str | None:
    if value is None:
        return None
    return duration_text(value) if name in _KEYS and isinstance(value, int) else str(value).strip()


def _sides(name: str, old: str | None, new: str | None) -> Iterator[Line]:
    if old != new:
        yield from (
            Line(mark, f"  {name}: {text}") for mark, text in (("-", old), ("+", new)) if text is not None
        )
