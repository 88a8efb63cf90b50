"""A learned policy as an ONNX model, for schedulers that are not written in Python.

Inputs: x (tasks, FEATURES) of those that wait and common (1, COMMON), as `schedule.observation`
documents them; output: scores (tasks,), the highest of those that may start goes next. Single
precision, so that scores are those of Headway to about six digits.
Source: ONNX operator set 13 (Gemm, MatMul, Add, Relu), https://onnx.ai/onnx/operators/.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from headway.errors import ConfigError
from headway.schedule.observation import COMMON, FEATURES, VERSION

if TYPE_CHECKING:
    from pathlib import Path

    from headway.schedule.learned import Learned

OPSET: Final = 13
IR: Final = 8  # version of the format that goes with it


def write_onnx(learned: Learned, path: Path) -> None:
    """Write the scores of a policy as an ONNX model; needs `pip install headway[schedulers]`.

    ConfigError if a controller moves its weights.
    """
    if len(learned.controller):
        raise ConfigError("a policy whose weights follow the load cannot be written as one model")
    import onnx
    from onnx import helper, numpy_helper

    network, features = learned.network, len(FEATURES)
    weights = {
        "of_task": network.first[:features], "of_all": network.first[features:],
        "first_bias": network.first_bias, "second": network.second,
        "second_bias": network.second_bias, "last": network.last, "linear": network.linear,
    }  # fmt: skip
    nodes = [
        ("MatMul", ["x", "of_task"], "alone"),
        ("MatMul", ["common", "of_all"], "together"),
        ("Add", ["alone", "together"], "both"),
        ("Add", ["both", "first_bias"], "biased"),
        ("Relu", ["biased"], "hidden"),
        ("Gemm", ["hidden", "second", "second_bias"], "deeper"),
        ("Relu", ["deeper"], "last_hidden"),
        ("MatMul", ["last_hidden", "last"], "bent"),
        ("MatMul", ["x", "linear"], "straight"),
        ("Add", ["straight", "bent"], "scores"),
    ]
    graph = helper.make_graph(
        [helper.make_node(kind, given, [made]) for kind, given, made in nodes],
        "headway_scheduler",
        [_tensor("x", ["tasks", features]), _tensor("common", [1, len(COMMON)])],
        [_tensor("scores", ["tasks"])],
        [numpy_helper.from_array(w.astype(np.float32), name) for name, w in weights.items()],
    )
    model = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR,
        producer_name="headway",
    )  # fmt: skip
    said = {"features": ",".join(FEATURES), "common": ",".join(COMMON), "version": VERSION}
    helper.set_model_props(model, said)
    onnx.checker.check_model(model, full_check=True)
    partial = path.with_name(path.name + ".part")
    partial.write_bytes(model.SerializeToString())
    partial.replace(path)


def _tensor(name: str, shape: list[Any]) -> Any:
    from onnx import TensorProto, helper

    return helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
