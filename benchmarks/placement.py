"""Where should tasks with CPU, memory and GPU shares go, and what does a learned placement add?

`placement.py admit NODES PODS [--weights FOLDER] [--generations 30]`: pods are drawn from the last
30 % of a list until they ask for 130 % of the GPUs of the nodes; each policy places the same ten
draws, on nodes in an order of their own. Known of the shapes of pods is what the first 60 % of the
list show; on draws from these weights of learned placements are searched, five times (--trained),
and kept in FOLDER (read from there the next time).
`placement.py paper NODES PODS`: the same with draws from the whole list and its shapes known, nodes
in the order of the list and shuffled (Weng et al. 2023); nothing is learned.
"""

import argparse
import time
from pathlib import Path

import numpy as np

from headway.observe.pods import read_nodes, read_pods
from headway.schedule.fragmentation import Nodes
from headway.simulate.nodes import admit
from headway.simulate.pods import allocated, inflate, nodes_of, shapes_of
from headway.train.placement import LOAD, search

RULES = (
    "random", "worst-fit", "least-dot", "best-fit", "tetris", "first-fit", "gpu-packing",
    "fgd-exact", "fgd",
)  # fmt: skip
EARLY, LATE = 0.6, 0.7  # of a list: until the one is learned from, from the other on judged
JUDGED = range(10)
T_975 = {10: 2.262, 5: 2.776}


def shuffled(nodes, seed):
    """The same nodes in another order, so that no policy profits from that of a list."""
    order = np.random.default_rng(500 + seed).permutation(len(nodes.gpus))
    return Nodes(*(values[order] for values in nodes))


def parts_of(arguments):
    """Nodes, models, pods, shapes known from the first part, and each pod's shape in both parts."""
    nodes, models = nodes_of(read_nodes(arguments.nodes))
    pods = read_pods(arguments.pods)
    early, late = int(EARLY * len(pods)), int(LATE * len(pods))
    shapes, shape = shapes_of(pods, models, known=pods[:early])
    return nodes, pods, shapes, shape[:early], shape[late:], late


def trained(arguments, nodes, shapes, early):
    """The weights of each training seed."""
    folder = arguments.weights
    folder.mkdir(parents=True, exist_ok=True)
    found = []
    for seed in range(arguments.trained):
        kept = folder / f"{arguments.pods.name.split('.')[0]}-{arguments.generations}-{seed}.npy"
        if not kept.exists():
            cpu_s = time.process_time()
            searched = search(
                shuffled(nodes, 100 + seed), shapes, early, seed=seed,
                generations=arguments.generations,
            )  # fmt: skip
            np.save(kept, searched.weights)
            tenths = [f"{100 * part.mean():+.2f}" for part in np.array_split(searched.curve, 6)]
            print(
                f"training seed {seed}: {searched.placements:,} placements, "
                f"{time.process_time() - cpu_s:.0f} CPU s, points over fgd by sixths of the "
                f"generations {' '.join(tenths)}",
                flush=True,
            )
        found.append(np.load(kept))
    return found


def judged(nodes, shapes, source, policy, weights=None, shuffle=True):
    """Per judged seed: allocated %, GPUs lost to fragmentation, refused %, placements per s."""
    rows = []
    for seed in JUDGED:
        mine = shuffled(nodes, seed) if shuffle else nodes
        rng = np.random.default_rng(9000 + seed)
        tasks = inflate(rng, shapes, source, int(nodes.gpus.sum()), LOAD)
        began = time.process_time()
        placed = admit(mine, shapes, tasks, policy, weights=weights, seed=seed)
        speed = len(tasks) / (time.process_time() - began)
        rows.append(
            (
                100 * allocated(mine, shapes, tasks, placed),
                placed.room.lost.sum() / 1000,
                100 * np.mean(placed.node < 0),
                speed,
            )
        )
    return np.array(rows)


def paired(mine, other):
    """A difference of means with its 95 % interval over paired seeds, in words."""
    difference = mine - other
    half = T_975[len(difference)] * difference.std(ddof=1) / np.sqrt(len(difference))
    mean = difference.mean()
    return f"{mean:+.2f} ({mean - half:+.2f} to {mean + half:+.2f})"


def table(rows, gpus):
    """Print one line a policy, against fgd."""
    print("| policy | GPUs allocated, % | against fgd | GPUs free | lost | refused, % | pods/s |")
    print("|---|---|---|---|---|---|---|")
    fgd = rows["fgd"][:, 0]
    for policy, row in rows.items():
        share = row[:, 0]
        against = "" if policy == "fgd" else paired(share, fgd)
        print(
            f"| {policy} | {share.mean():.2f} ± {share.std(ddof=1):.2f} | {against} | "
            f"{gpus * (1 - share.mean() / 100):.0f} | {row[:, 1].mean():.0f} | "
            f"{row[:, 2].mean():.1f} | {np.median(row[:, 3]):,.0f} |"
        )


def measure_admission(arguments):
    """Held-out draws; the learned row is the mean over training seeds of each judged draw."""
    nodes, _, shapes, early, late, _ = parts_of(arguments)
    judged(nodes, shapes, late[:50], "fgd")  # compiles
    weights = trained(arguments, nodes, shapes, early)
    rows = {policy: judged(nodes, shapes, late, policy) for policy in RULES}
    each = np.stack([judged(nodes, shapes, late, "learned", mine) for mine in weights])
    rows["learned"] = each.mean(axis=0)
    table(rows, int(nodes.gpus.sum()))
    by_seed = each[:, :, 0].mean(axis=1)
    print(f"learned, by training seed: {' '.join(f'{share:.2f}' for share in by_seed)}")
    over = (each[:, :, 0] > rows["fgd"][:, 0]).mean()
    print(f"better than fgd in {over:.0%} of {each[:, :, 0].size} pairs of training and draw")


def measure_paper(arguments):
    """All of the list is drawn from and known."""
    nodes, models = nodes_of(read_nodes(arguments.nodes))
    shapes, shape = shapes_of(read_pods(arguments.pods), models)
    judged(nodes, shapes, shape[:50], "fgd")
    for shuffle in (False, True):
        print(f"nodes {'shuffled' if shuffle else 'in the order of the list'}")
        rows = {p: judged(nodes, shapes, shape, p, shuffle=shuffle) for p in RULES}
        table(rows, int(nodes.gpus.sum()))


def main():
    """Read the arguments; run one question."""
    parser = argparse.ArgumentParser()
    parser.add_argument("question", choices=("admit", "paper"))
    parser.add_argument("nodes", type=Path)
    parser.add_argument("pods", type=Path)
    parser.add_argument("--weights", type=Path, default=Path("placement-weights"))
    parser.add_argument("--generations", type=int, default=30)
    parser.add_argument("--trained", type=int, default=5, help="searches, each with its own seed")
    arguments = parser.parse_args()
    {"admit": measure_admission, "paper": measure_paper}[arguments.question](arguments)


if __name__ == "__main__":
    main()
