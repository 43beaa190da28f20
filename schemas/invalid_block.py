"""The error for a block that does not decode, with its reason."""

from enum import StrEnum


class BlockFault(StrEnum):
    """How a block is damaged."""

    UNKNOWN_FORMAT = "unknown_format"
    WRONG_LENGTH = "wrong_length"
    BAD_ORDER = "bad_order"
    DAMAGED = "damaged"


class InvalidBlock(ValueError):
    """A block that does not decode.

    :param reason: the kind of damage, for counters.
    """

    def __init__(self, reason: BlockFault, detail: str) -> None:
        super().__init__(f"{reason.value}: {detail}")
        self.reason = reason
