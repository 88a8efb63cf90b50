"""Every error that Headway raises on purpose: five, so that a caller can name them all."""


class HeadwayError(Exception):
    """Anything Headway says no to; its message names the value, what is allowed and what to do."""


class ConfigError(HeadwayError):
    """The request is wrong: an unknown name, a value out of range, options that clash."""


class InputError(HeadwayError):
    """A file or stream cannot be read as what it claims to be; nothing of it was stored."""


class NotEnoughData(HeadwayError):
    """The question needs more history than there is; the message says how much."""


class StoreError(HeadwayError):
    """The log could not be read or written; what was stored before is intact."""


class ClusterError(HeadwayError):
    """A cluster did not carry out a decision or could not be asked."""
