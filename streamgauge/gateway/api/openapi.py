"""OpenAPI document of the API, generated from the table of endpoints."""

import json
from collections.abc import Iterable
from typing import Any

from streamgauge import __version__
from streamgauge.gateway.api.endpoints import Endpoint, Kind, Parameter
from streamgauge.gateway.request.faults import ErrorType

Schema = dict[str, Any]
_TEXT: Schema = {"type": "string"}
_FORM = "application/x-www-form-urlencoded"
_JSON = "application/json"
_SCHEMAS: dict[Kind, Schema] = {
    Kind.TEXT: _TEXT,
    Kind.PROMQL: {
        "type": "string",
        "format": "promql",
        "examples": ["sum by (job) (rate(requests_total[5m]))"],
    },
    Kind.SELECTORS: {
        "type": "array",
        "items": {"type": "string", "format": "promql-selector", "examples": ['up{job="node"}']},
    },
    Kind.TEXTS: {"type": "array", "items": _TEXT},
    Kind.TIME: {
        "type": "string",
        "format": "promql-time",
        "examples": ["1700000000.5", "2026-11-24T10:00:00Z"],
    },
    Kind.DURATION: {"type": "string", "format": "promql-duration", "examples": ["15", "1h30m"]},
    Kind.NUMBER: {"type": "integer"},
    Kind.FLAG: {"type": "boolean"},
}
_REMARKS: Schema = {"type": "array", "items": _TEXT}
_SUCCESS: Schema = {
    "type": "object",
    "required": ["status", "data"],
    "properties": {
        "status": {"const": "success"},
        "data": {},
        "explain": {},
        "warnings": _REMARKS,
        "infos": _REMARKS,
    },
    "additionalProperties": False,
}
_ERROR: Schema = {
    "type": "object",
    "required": ["status", "errorType", "error"],
    "properties": {
        "status": {"const": "error"},
        "errorType": {"enum": [each.value for each in ErrorType]},
        "error": _TEXT,
    },
    "additionalProperties": False,
}
_REFUSALS = {
    "400": "invalid parameter",
    "422": "the query cannot be evaluated, or is too expensive",
    "503": "timeout, or a backend is unavailable",
}


def document(endpoints: Iterable[Endpoint]) -> str:
    """The document as JSON."""
    return json.dumps(
        {
            "openapi": "3.1.0",
            "info": {
                "title": "Streamgauge gateway",
                "version": __version__,
                "description": "Prometheus's HTTP API over the samples and rollups of Streamgauge.",
            },
            "paths": {each.path: _path(each) for each in endpoints},
            "components": {"schemas": {"Success": _SUCCESS, "Error": _ERROR}},
        },
        indent=1,
    )


def _path(endpoint: Endpoint) -> Schema:
    in_path = [{"name": "name", "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}}]
    found: Schema = {"parameters": in_path} if "{name}" in endpoint.path else {}
    shared = {"summary": endpoint.summary, "responses": _responses()}
    found["get"] = shared | {"parameters": [_parameter(each) for each in endpoint.parameters]}
    if endpoint.takes_forms:
        found["post"] = shared | {"requestBody": _form(endpoint)}
    return found


def _parameter(parameter: Parameter) -> Schema:
    return {
        "name": parameter.name,
        "in": "query",
        "required": parameter.is_needed,
        "description": parameter.summary,
        "schema": _SCHEMAS[parameter.kind],
    }


def _form(endpoint: Endpoint) -> Schema:
    schema = {
        "type": "object",
        "properties": {
            each.name: _SCHEMAS[each.kind] | {"description": each.summary} for each in endpoint.parameters
        },
        "required": [each.name for each in endpoint.parameters if each.is_needed],
    }
    return {
        "content": {_FORM: {"schema": schema}},
        "required": any(each.is_needed for each in endpoint.parameters),
    }


def _responses() -> Schema:
    refused = {
        status: {"description": summary, "content": _content("Error")}
        for status, summary in _REFUSALS.items()
    }
    answered = {"200": {"description": "the result", "content": _content("Success")}}
    return answered | {"204": {"description": "no content"}} | refused


def _content(name: str) -> Schema:
    return {_JSON: {"schema": {"$ref": f"#/components/schemas/{name}"}}}
