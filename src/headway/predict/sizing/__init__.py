"""How many bytes to give each task, and how many after it ran out of memory."""

from headway.predict.sizing.explain import Explanation
from headway.predict.sizing.right_sizer import RightSizer
from headway.predict.sizing.sizes import Sizes, bytes_in_vain, next_bytes

__all__ = ["Explanation", "RightSizer", "Sizes", "bytes_in_vain", "next_bytes"]
