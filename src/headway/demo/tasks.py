"""Five kinds of everyday work, each given the size of its input; nothing heavy is imported."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import random
import re
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

BLOCK = 2**18


def compress(input_bytes: int, seed: int) -> int:
    """Length of a text after zlib."""
    return len(zlib.compress(_text(input_bytes, seed), 6))


def sort(input_bytes: int, seed: int) -> float:
    """Median of random numbers by sorting them, with the order that sorts."""
    import numpy as np

    values = np.random.default_rng(seed).random(max(input_bytes // 8, 1))
    order = np.argsort(values)
    return float(np.sort(values)[len(values) // 2] - values[order[len(values) // 2]])


def multiply(input_bytes: int, seed: int) -> float:
    """Trace of the product of two square matrices that are input_bytes together."""
    import numpy as np

    side = max(int((input_bytes / 16) ** 0.5), 1)
    a, b = np.random.default_rng(seed).random((2, side, side))
    return float(np.trace(a @ b))


def digest(input_bytes: int, seed: int) -> str:
    """Two checksums of a file's worth of bytes."""
    data = random.Random(seed).randbytes(BLOCK) * max(input_bytes // BLOCK, 1)
    return hashlib.sha256(data).hexdigest() + hashlib.blake2b(data).hexdigest()


def parse(input_bytes: int, seed: int) -> int:
    """Read a table from CSV, take it through JSON, and count words in it."""
    words = _text(BLOCK, seed).decode().split()
    lines = [f"{i},{w},{i * 7919 % 1000},{w[::-1]}" for i, w in enumerate(words[:2000])]
    text = "id,word,value,note\n" + ("\n".join(lines) + "\n") * max(input_bytes // 50_000, 1)
    rows = list(csv.DictReader(io.StringIO(text)))
    again = json.loads(json.dumps(rows))
    return len(re.findall(r"[aeiou]{2,}\w", text)) + sum(int(row["value"]) for row in again)


def warm_up() -> None:
    """Load what the kinds need."""
    import numpy as np

    np.ones((8, 8)) @ np.ones((8, 8))


def _text(n_bytes: int, seed: int) -> bytes:
    """Words at random, the same block again and again with its words rotated."""
    rng = random.Random(seed)
    letters = "etaoinshrdlucmfwypvbgkjqxz"
    book = ["".join(rng.choices(letters, k=rng.randint(2, 9))) for _ in range(4000)]
    block = " ".join(rng.choices(book, k=BLOCK // 5)).encode()[:BLOCK]
    parts = (block[cut:] + block[:cut] for cut in range(0, BLOCK, 997))
    whole, taken = max(n_bytes // BLOCK, 1), []
    for _, part in zip(range(whole), parts, strict=False):
        taken.append(part)
    return b" ".join(taken)


@dataclass(frozen=True, slots=True)
class Kind:
    """How large inputs of a kind are, and what a careful user asks for it."""

    work: Callable[[int, int], object]
    median_bytes: float
    largest_bytes: float
    guess_bytes: int
    """A round number that no task of the kind needs: who asks for too little loses work."""


MB, GB = 10**6, 10**9
KINDS = {
    "compress": Kind(compress, 6 * MB, 60 * MB, GB // 2),
    "sort": Kind(sort, 10 * MB, 70 * MB, GB),
    "multiply": Kind(multiply, 24 * MB, 150 * MB, GB),
    "digest": Kind(digest, 40 * MB, 300 * MB, GB // 2),
    "parse": Kind(parse, 0.7 * MB, 8 * MB, GB),
}
