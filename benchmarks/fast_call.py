"""One row through LightGBM's single-row fast call: a baseline of `prediction_speed`.

Source: LightGBM C API, LGBM_BoosterPredictForMatSingleRowFastInit.
"""

from __future__ import annotations

import ctypes
import weakref
from typing import TYPE_CHECKING, Any, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

_NORMAL: Final = 0  # C_API_PREDICT_NORMAL
_FLOAT64: Final = 1  # C_API_DTYPE_FLOAT64


class FastCall:
    """The answers of several models with the same columns to one row; not for several threads."""

    def __init__(self, boosters: Sequence[Any], columns: int) -> None:
        """Prepare the calls; the models must not change afterwards."""
        import lightgbm.basic

        basic: Any = lightgbm.basic
        self._boosters = tuple(boosters)  # keeps their handles alive
        self._library = basic._LIB
        self._configs: list[ctypes.c_void_p] = []
        for booster in self._boosters:
            config = ctypes.c_void_p()
            basic._safe_call(
                self._library.LGBM_BoosterPredictForMatSingleRowFastInit(
                    booster._handle, _NORMAL, 0, -1, _FLOAT64, columns, b"num_threads=1",
                    ctypes.byref(config),
                )
            )  # fmt: skip
            self._configs.append(config)
        weakref.finalize(self, _free, self._library, tuple(self._configs))
        self._row, self._answer = np.zeros(columns), np.zeros(len(boosters))
        self._length = ctypes.byref(ctypes.c_int64())
        self._row_at = ctypes.c_void_p(self._row.ctypes.data)
        self._calls = [
            (config, ctypes.c_void_p(self._answer.ctypes.data + 8 * i))
            for i, config in enumerate(self._configs)
        ]

    def predict(self, row: NDArray[np.float64]) -> NDArray[np.float64]:
        """The answer of each model (k,) to a row (d,)."""
        self._row[:] = row
        call = self._library.LGBM_BoosterPredictForMatSingleRowFast
        for config, answer_at in self._calls:
            call(config, self._row_at, self._length, answer_at)
        return self._answer.copy()


def _free(library: Any, configs: tuple[ctypes.c_void_p, ...]) -> None:
    """Give the prepared calls back."""
    for config in configs:
        library.LGBM_FastConfigFree(config)
