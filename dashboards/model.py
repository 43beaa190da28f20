"""What a dashboard consists of, and how Grafana writes it."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

COLUMNS = 24
"""The width of Grafana's grid."""
SCHEMA_VERSION = 41
SOURCE = {"type": "prometheus", "uid": "${datasource}"}


@dataclass(frozen=True)
class Query:
    """An expression and how its series are named; without a legend Grafana shows their labels."""

    expr: str
    legend: str = ""


@dataclass(frozen=True)
class Panel:
    """A graph over time.

    text: what it means, and what to do when it looks wrong. unit: as Grafana names it. floor, ceiling: of the axis.
    """

    title: str
    queries: tuple[Query, ...]
    text: str
    unit: str = "short"
    stacked: bool = False
    floor: float | None = 0
    ceiling: float | None = None
    width: int = 8
    height: int = 7

    def json(self) -> dict[str, Any]:
        """Without its place."""
        custom: dict[str, Any] = {
            "lineWidth": 1,
            "fillOpacity": 25 if self.stacked else 8,
            "showPoints": "never",
        }
        if self.stacked:
            custom["stacking"] = {"mode": "normal", "group": "A"}
        return {
            "type": "timeseries",
            "title": self.title,
            "description": self.text,
            "datasource": SOURCE,
            "targets": _targets(self.queries),
            "fieldConfig": {
                "defaults": {"unit": self.unit, "custom": custom, **_bounds(self.floor, self.ceiling)},
                "overrides": [],
            },
            "options": {
                "legend": {"displayMode": "list", "placement": "bottom", "showLegend": True},
                "tooltip": {"mode": "multi", "sort": "desc"},
            },
        }


@dataclass(frozen=True)
class Figure:
    """One number, coloured by the thresholds it has passed: (from which value on, colour), rising."""

    title: str
    queries: tuple[Query, ...]
    text: str
    unit: str = "short"
    thresholds: tuple[tuple[float, str], ...] = ()
    width: int = 4
    height: int = 4

    def json(self) -> dict[str, Any]:
        """Without its place."""
        steps: list[dict[str, Any]] = [{"color": "green", "value": None}]
        steps += [{"color": colour, "value": value} for value, colour in self.thresholds]
        return {
            "type": "stat",
            "title": self.title,
            "description": self.text,
            "datasource": SOURCE,
            "targets": _targets(self.queries),
            "fieldConfig": {
                "defaults": {"unit": self.unit, "thresholds": {"mode": "absolute", "steps": steps}},
                "overrides": [],
            },
            "options": {
                "colorMode": "value" if self.thresholds else "none",
                "graphMode": "area",
                "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False},
            },
        }


@dataclass(frozen=True)
class Row:
    """Panels under a title, from left to right and then below."""

    title: str
    panels: tuple[Panel | Figure, ...]


@dataclass(frozen=True)
class Variable:
    """A label by whose values a reader chooses, all of them unless they do. metric: whose label it is."""

    name: str
    metric: str


@dataclass(frozen=True)
class Dashboard:
    """A page of Grafana. uid: in its address, the same wherever it is provisioned."""

    uid: str
    title: str
    text: str
    rows: tuple[Row, ...]
    variables: tuple[Variable, ...] = ()
    tags: tuple[str, ...] = field(default=("streamgauge",))

    def json(self) -> dict[str, Any]:
        """As Grafana exports it."""
        return {
            "uid": self.uid,
            "title": self.title,
            "description": self.text,
            "tags": list(self.tags),
            "schemaVersion": SCHEMA_VERSION,
            "version": 1,
            "editable": True,
            "graphTooltip": 1,
            "refresh": "10s",
            "time": {"from": "now-1h", "to": "now"},
            "timezone": "browser",
            "templating": {"list": [_source_variable(), *(_variable(each) for each in self.variables)]},
            "panels": list(self._placed()),
        }

    def queries(self) -> Iterator[Query]:
        """Every query of every panel."""
        for row in self.rows:
            for panel in row.panels:
                yield from panel.queries

    def _placed(self) -> Iterator[dict[str, Any]]:
        number = y = 0
        for row in self.rows:
            number += 1
            place = {"x": 0, "y": y, "w": COLUMNS, "h": 1}
            yield {
                "id": number,
                "type": "row",
                "title": row.title,
                "collapsed": False,
                "panels": [],
                "gridPos": place,
            }
            y += 1
            x = height = 0
            for panel in row.panels:
                if x + panel.width > COLUMNS:
                    x, y, height = 0, y + height, 0
                number += 1
                place = {"x": x, "y": y, "w": panel.width, "h": panel.height}
                yield {"id": number, **panel.json(), "gridPos": place}
                x, height = x + panel.width, max(height, panel.height)
            y += height


def _targets(queries: tuple[Query, ...]) -> list[dict[str, Any]]:
    return [
        {
            "refId": chr(ord("A") + at),
            "datasource": SOURCE,
            "expr": query.expr,
            "legendFormat": query.legend or "__auto",
            "range": True,
        }
        for at, query in enumerate(queries)
    ]


def _bounds(floor: float | None, ceiling: float | None) -> dict[str, float]:
    return {name: value for name, value in (("min", floor), ("max", ceiling)) if value is not None}


def _source_variable() -> dict[str, Any]:
    return {"name": "datasource", "label": "Data source", "type": "datasource", "query": "prometheus"}


def _variable(variable: Variable) -> dict[str, Any]:
    query = f"label_values({variable.metric}, {variable.name})"
    return {
        "name": variable.name,
        "type": "query",
        "datasource": SOURCE,
        "query": {"query": query, "refId": variable.name},
        "definition": query,
        "refresh": 2,
        "sort": 1,
        "multi": True,
        "includeAll": True,
        "allValue": ".+",
        "current": {"text": "All", "value": "$__all"},
    }
