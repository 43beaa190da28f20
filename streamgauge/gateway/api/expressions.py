"""Endpoints that need only the text of a query: /api/v1/parse_query and /api/v1/query_exemplars."""

from streamgauge.gateway.formats.ast_json import tree
from streamgauge.gateway.formats.bodies import Body
from streamgauge.gateway.query.evaluation import expression
from streamgauge.gateway.query.queries import Answer, document
from streamgauge.gateway.request.faults import ErrorType, InvalidRequest
from streamgauge.gateway.request.parameters import MAX_MS, Form
from streamgauge.promql.syntax import parser
from streamgauge.promql.syntax.ast import VectorSelector, walk
from streamgauge.promql.syntax.invalid_expression import InvalidExpression
from streamgauge.store.reading import ReadContext

NOTHING = Answer(Body([]), [])
"""Response to requests without content: a 204."""
TREE_BYTES = 512
"""Of a character of an expression while its tree is written."""


def parsed(form: Form, reading: ReadContext) -> Answer:
    """/api/v1/parse_query

    :raises InvalidRequest: if it is not PromQL.
    """
    text = form.get("query")
    found = expression(text, "query")
    held = len(text) * TREE_BYTES
    reading.hold(held)
    return document(tree(found), reading, held=held)


def exemplars(form: Form, reading: ReadContext) -> Answer:
    """/api/v1/query_exemplars: none are kept.

    :raises InvalidRequest: if it is not PromQL, and for times that are none.
    """
    start, end = form.time("start", -MAX_MS), form.time("end", MAX_MS)
    if end < start:
        raise InvalidRequest(ErrorType.BAD_DATA, "end timestamp must not be before start timestamp")
    try:
        found = parser.parse(form.get("query"))
    except InvalidExpression as error:
        raise InvalidRequest(ErrorType.BAD_DATA, str(error)) from None
    has_series = any(isinstance(node, VectorSelector) for node in walk(found))
    return document([], reading) if has_series else NOTHING
