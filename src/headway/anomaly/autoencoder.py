"""An autoencoder of windows: what a small network cannot tell of a row from itself and the last."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from headway.anomaly import lagged
from headway.errors import ConfigError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Weights = dict[str, NDArray[np.float32]]

_HIDDEN: Final = 0.15  # share of the numbers of a window that are hidden while it trains
_RATE: Final = 2e-3
_BATCH: Final = 128
_LAYERS: Final = ("in", "code", "out", "back")


class Autoencoder:
    """How far the newest point is from what a network through a narrow code makes of its window.

    It is trained in torch, anew on schedule from what is remembered, beginning with the weights it
    has; asked, it is four products of matrices.
    Source: Sakurada, Yairi (2014), "Anomaly detection using autoencoders with nonlinear
    dimensionality reduction"; with hidden inputs: Vincent et al. (2008), "Extracting and composing
    robust features with denoising autoencoders".
    """

    def __init__(
        self,
        window: int = 10,
        code: int = 12,
        steps: int = 300,
        kept: int = 8192,
        every: int = 4096,
        seed: int = 0,
    ) -> None:
        """code: numbers that a window is told in; steps: of a training of 128 windows each."""
        if not 1 <= window <= kept or min(code, steps, every) < 1:
            raise ConfigError(
                f"window must be in 1 to {kept}, code, steps and every at least 1, "
                f"got {window}, {code}, {steps}, {every}"
            )
        self.settings: dict[str, Any] = {
            "window": window, "code": code, "steps": steps, "kept": kept, "every": every,
            "seed": seed,
        }  # fmt: skip
        self.window, self.code, self.steps = window, code, steps
        self.kept, self.every, self.seed = kept, every, seed
        self.state: dict[str, NDArray[Any]] = {}

    def measure(self, at_s: Floats | float, y: Floats) -> Floats:
        """The strangeness (n,) of the point that follows."""
        if not self.state or self.state["count"][0] < lagged.FIRST:
            return np.full(len(y), np.nan)
        return lagged.strangeness(self.state, self._error(y))

    def learn(self, at_s: Floats | float, y: Floats) -> None:
        """The next point y (n,)."""
        n = len(y)
        if not self.state:
            inputs = n * lagged.length(n, self.window)
            self.state = lagged.empty(n, self.kept) | _weights(inputs, self.code, self.seed)
        count = int(self.state["count"][0])
        if count >= lagged.FIRST:
            lagged.learn_error(self.state, self._error(y))
        lagged.learn(self.state, y)
        if n and lagged.is_due(count + 1, self.every):
            lagged.rescale(self.state)
            seen = lagged.windows(self.state, self.window).astype(np.float32)
            errors = (reconstruct(self.state, seen) - seen)[:, -n:]
            off = np.abs(errors / (self.state["error"] + lagged.LEAST)).mean(axis=1)
            seen = lagged.usual(seen, off)
            steps = min(self.steps, 50 + (count + 1) // 4)
            self.state |= train(self.state, seen, steps, self.seed + count)

    def _error(self, y: Floats) -> Floats:
        """What the network is off (n,) at the newest point, NaN = not observed."""
        if not len(y):
            return y
        window = lagged.newest(self.state, y, self.window)
        said = reconstruct(self.state, window.reshape(1, -1))[0, -len(y) :]
        return np.where(np.isfinite(y), lagged.standard(self.state, y) - said, np.nan)


def reconstruct(weights: dict[str, NDArray[Any]], x: NDArray[Any]) -> NDArray[Any]:
    """What the network makes of windows x (m, inputs)."""
    for layer in _LAYERS:
        x = x @ weights[f"{layer}.weight"].T + weights[f"{layer}.bias"]
        if layer in ("in", "out"):
            x = np.maximum(x, 0.0)
    return x


def train(weights: dict[str, NDArray[Any]], seen: Any, steps: int, seed: int) -> Weights:
    """Weights after steps of Adam from those given, on windows seen (m, inputs) drawn at random."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    rng = np.random.default_rng(seed)
    try:
        layers = {
            f"{layer}.{kind}": torch.tensor(weights[f"{layer}.{kind}"], requires_grad=True)
            for layer in _LAYERS
            for kind in ("weight", "bias")
        }
        optimiser = torch.optim.Adam(layers.values(), lr=_RATE)
        for step in range(steps):
            for group in optimiser.param_groups:
                group["lr"] = _RATE * min(1.0, (step + 1) / 20) * (1.0 - step / steps)
            truth = seen[rng.integers(len(seen), size=_BATCH)]
            shown = truth * (rng.random(truth.shape, dtype=np.float32) >= _HIDDEN)
            x = torch.from_numpy(shown)
            for layer in _LAYERS:
                x = torch.nn.functional.linear(
                    x, layers[f"{layer}.weight"], layers[f"{layer}.bias"]
                )
                x = x.relu() if layer in ("in", "out") else x
            loss = torch.nn.functional.smooth_l1_loss(x, torch.from_numpy(truth))
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
    finally:
        torch.set_num_threads(threads)
    return {k: v.detach().numpy() for k, v in layers.items()}


def _weights(inputs: int, code: int, seed: int) -> Weights:
    """Weights of a network that has seen nothing: inputs -> wide -> code -> wide -> inputs."""
    rng = np.random.default_rng(seed)
    wide = max(16, min(96, inputs))
    shapes = dict(
        zip(_LAYERS, [(wide, inputs), (code, wide), (wide, code), (inputs, wide)], strict=True)
    )
    weights: Weights = {}
    for layer, (outputs, n) in shapes.items():
        bound = np.sqrt(3.0 / max(n, 1))
        weights[f"{layer}.weight"] = rng.uniform(-bound, bound, (outputs, n)).astype(np.float32)
        weights[f"{layer}.bias"] = np.zeros(outputs, dtype=np.float32)
    return weights
