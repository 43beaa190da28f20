"""/federate: the newest sample of each selected series, in Prometheus's text format."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from streamgauge.gateway.formats import prometheus_json as answer
from streamgauge.gateway.formats.bodies import gathered
from streamgauge.gateway.query.queries import Answer, kept
from streamgauge.gateway.request.faults import ErrorType, InvalidRequest
from streamgauge.gateway.request.parameters import Form
from streamgauge.promql.syntax.invalid_expression import InvalidExpression
from streamgauge.promql.syntax.literals import short
from streamgauge.promql.syntax.parser import selector
from streamgauge.series import ids as series_ids
from streamgauge.series.id_kernels import rows_of
from streamgauge.series.labels import NAME
from streamgauge.series.regexes import RegexAllowance
from streamgauge.series.samples import STALE_BITS
from streamgauge.store.index.kept_selections import Selection
from streamgauge.store.reader import Reader
from streamgauge.store.reading import ReadContext

INSTANCE = "instance"
LINE_BYTES = 2048
"""Of a series while its line is written: its labels are there as bytes, and one by one."""
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8; escaping="
_ALLOWS_UTF8 = re.compile(r'escaping\s*=\s*"?allow-utf-8\b')
_PLAIN = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*", re.ASCII)
_ESCAPES = str.maketrans({"\\": "\\\\", "\n": "\\n", '"': '\\"'})


class Newest(NamedTuple):
    """The newest sample of a series: its labels, its value, its time in ms."""

    labels: dict[str, str]
    value: float
    time: int


class Federation:
    """Answers from a reader.

    :param external: labels for every series that lacks them. :param lookback_ms: how old a sample may be.
    :param clock: gives the time in ms.
    """

    def __init__(
        self, reader: Reader, external: Mapping[str, str], lookback_ms: int, clock: Callable[[], int]
    ) -> None:
        self._reader = reader
        self._external = dict(sorted(({INSTANCE: ""} | dict(external)).items()))
        self._lookback_ms = lookback_ms
        self._clock = clock

    def page(self, form: Form, reading: ReadContext, as_utf8: bool) -> Answer:
        """Return the text of all series that match any `match[]`; empty without one.

        :param as_utf8: whether names that are not plain may stand in quotes; else their other characters become _.
        :raises InvalidRequest: for what is no selector.
        """
        now = self._clock()
        found: dict[bytes, bytes] = {}
        regexes = RegexAllowance()
        for text in form.selectors():
            try:
                conditions = selector(text, regexes)
            except InvalidExpression as error:
                raise InvalidRequest(ErrorType.BAD_DATA, str(error)) from None
            chosen = self._reader.select(conditions, now - self._lookback_ms, now, reading)
            found.update(zip(series_ids.split(series_ids.to_bytes(chosen.ids)), chosen.labels, strict=True))
        order = sorted(found)
        selection = Selection(series_ids.from_bytes(b"".join(order)), [found[each] for each in order])
        newest = [each for each in self._newest(selection, now, reading) if each.labels.get(NAME)]
        pieces = gathered(
            _lines(newest, self._external, as_utf8),
            lambda size: reading.hold(len(newest) * LINE_BYTES + size),
        )
        return Answer(kept(pieces, reading), [])

    def _newest(self, selection: Selection, now: int, reading: ReadContext) -> Iterator[Newest]:
        """In the order of names, then of labels; series that have ended are left out."""
        samples = self._reader.raw(selection, now - self._lookback_ms, now, reading)
        last = samples.offsets[1:] - 1
        values, times = samples.values[last], samples.timestamps[last]
        is_stale = (values.view(np.uint64) == np.uint64(STALE_BITS)).tolist()
        labels = [selection.labels[row] for row in rows_of(selection.ids, samples.ids).tolist()]
        rows = sorted(range(len(labels)), key=lambda row: answer.by_labels(labels[row]))
        kept = [row for row in rows if not is_stale[row]]
        parsed = {row: answer.label_set(labels[row]) for row in kept}
        for row in sorted(kept, key=lambda row: parsed[row].get(NAME, "")):
            yield Newest(parsed[row], float(values[row]), int(times[row]))


def content_type(accept: str) -> tuple[str, bool]:
    """The content type for an Accept header, and whether names may be UTF-8 there."""
    as_utf8 = _ALLOWS_UTF8.search(accept) is not None
    return CONTENT_TYPE + ("allow-utf-8" if as_utf8 else "underscores"), as_utf8


def _lines(found: Iterable[Newest], external: Mapping[str, str], as_utf8: bool) -> Iterator[str]:
    before = None
    for labels, value, time in found:
        name = labels[NAME]
        if name != before:
            yield f"# TYPE {_name(name, as_utf8)} untyped\n"
            before = name
        pairs = [(key, text) for key, text in labels.items() if key != NAME and text]
        pairs += [(key, text) for key, text in external.items() if key not in labels]
        yield f"{_series(name, pairs, as_utf8)} {short(value or 0.0)} {time}\n"


def _series(name: str, pairs: Sequence[tuple[str, str]], as_utf8: bool) -> str:
    inside = [f'{_name(key, as_utf8)}="{text.translate(_ESCAPES)}"' for key, text in pairs]
    shown = _name(name, as_utf8)
    if shown.startswith('"'):
        return f"{{{','.join([shown, *inside])}}}"
    return f"{shown}{{{','.join(inside)}}}"


def _name(name: str, as_utf8: bool) -> str:
    """A name of a metric or label: plain, in quotes, or with _ for what is not plain."""
    if _PLAIN.fullmatch(name):
        return name
    if as_utf8:
        return f'"{name.translate(_ESCAPES)}"'
    first, rest = re.sub(r"[^a-zA-Z_:]", "_", name[0]), re.sub(r"[^a-zA-Z0-9_:]", "_", name[1:])
    return first + rest
