"""A home with trained models on a small history of our own making."""

from tests.made_history import swf_text

from headway.history import history_of, open_traces, take_in
from headway.optimize import Prices, keep_models, optimize
from headway.store import MemoryStore, ModelStore

CREATED_S = 2e9


def make_home(folder, seed=0, created_s=CREATED_S, tasks=400):
    """Train on a made history and publish into folder/home."""
    trace = folder / f"made{seed}.swf"
    trace.write_text(swf_text(tasks, seed))
    store, traces = MemoryStore(), open_traces([trace])
    take_in(traces, store, created_s, lambda *_: None)
    read, facts = history_of(traces, store)
    prices = Prices(core_hour=1.0, gb_hour=1.0, currency="EUR")
    done = optimize(read, facts, prices=prices, coverage=0.95, progress=lambda *_: None)
    home = folder / "home"
    keep_models(done, ModelStore(home), created_s)
    return home, read, done
