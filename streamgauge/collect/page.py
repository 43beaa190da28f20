"""The collector's page: its endpoints and its targets."""

from collections.abc import Iterable
from html import escape

from streamgauge.collect.scraping.scrape import ScrapeLoop

_ENDPOINTS = (
    ("POST /api/v1/write", "Prometheus remote write 1.0"),
    ("POST /api/v1/push", "samples as JSON"),
    ("/api/v1/targets", "the targets as JSON"),
    ("/api/v1/metadata", "type and help of metrics as JSON"),
    ("/metrics", "the collector's own metrics"),
    ("/-/healthy", "liveness check"),
    ("/-/ready", "readiness check: Kafka accepts samples"),
)
_HEAD = (
    "<!doctype html><html lang=en><meta charset=utf-8><title>Streamgauge collector</title><style>"
    "body{font:15px system-ui;margin:2em;color-scheme:light dark}"
    "td,th{text-align:left;padding:.2em 1.5em .2em 0}.down{color:#c33}</style>"
)


def page(name: str, loops: Iterable[ScrapeLoop]) -> str:
    """The page as HTML."""
    endpoints = "".join(f"<tr><td>{_link(path)}<td>{text}" for path, text in _ENDPOINTS)
    targets = "".join(_target(loop.state()) for loop in loops)
    return (
        f"{_HEAD}<h1>Streamgauge collector {escape(name)}</h1><table>{endpoints}</table>"
        "<h2>Targets</h2><table><tr><th>Job<th>URL<th>Health<th>Last scrape<th>Took<th>Error"
        f"{targets}</table>"
    )


def _link(path: str) -> str:
    return path if path.startswith("POST") else f'<a href="{path}">{path}</a>'


def _target(state: dict[str, object]) -> str:
    took = f"{float(str(state['lastScrapeDuration'])) * 1000:.1f} ms"
    url = escape(str(state["scrapeUrl"]))
    cells = [escape(str(state["scrapePool"])), f'<a href="{url}">{url}</a>']
    cells += [f"<span class={state['health']}>{state['health']}</span>", str(state["lastScrape"]), took]
    cells.append(escape(str(state["lastError"])))
    return "<tr>" + "".join(f"<td>{cell}" for cell in cells)
