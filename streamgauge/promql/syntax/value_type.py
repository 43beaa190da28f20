"""The four types that an expression of PromQL can have."""

from enum import StrEnum


class ValueType(StrEnum):
    """What an expression evaluates to; the values are the words of the HTTP API."""

    SCALAR = "scalar"
    VECTOR = "vector"
    MATRIX = "matrix"
    STRING = "string"

    @property
    def documented(self) -> str:
        """The word of the documentation and of error texts."""
        return {"vector": "instant vector", "matrix": "range vector"}.get(self.value, self.value)
