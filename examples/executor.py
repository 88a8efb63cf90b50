"""Run calls in a drop-in for ProcessPoolExecutor that learns what they take.

The first calls get a fair share of the memory; the later ones what the earlier ones of their name
and size took. Everything is in the store: the tasks, what was foretold, what was decided.
"""

from collections import Counter

from headway import Executor, MemoryStore


def letters(megabytes: int) -> int:
    """How many letters a text of some megabytes has."""
    return len(b"ab " * (megabytes * 1_000_000 // 3)) * 2 // 3


def main() -> None:
    """Run forty calls of two sizes and say who sized them."""
    store = MemoryStore()
    with Executor(max_workers=2, memory_bytes=1_000_000_000, store=store) as executor:
        calls = [
            executor.submit_task(letters, size, name="letters", input_bytes=size * 1_000_000)
            for size in [3, 30] * 20
        ]
        print("letters in all:", sum(call.result() for call in calls))
    tasks, decisions = store.read("task"), store.read("decision")
    print("states:", dict(Counter(tasks["state"])))
    said = Counter(name.split("/")[0].split("-")[0] for name in decisions["made_by"])
    print("sized by a fair share, then by what was learned:", len(said) == 2)
    last = decisions.sort("at_s")["memory_bytes"][-1]
    print("the last one was given less than its share:", last < 500_000_000)


if __name__ == "__main__":
    main()
