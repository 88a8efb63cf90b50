"""VUS-PR: the precision-recall area with soft borders, over all widths of the border.

python benchmarks/vus.py    checks hand-made cases

Source: Paparrizos, Boniol, Palpanas, Tsay, Elmore, Franklin (2022), "Volume under the surface: a
new accuracy evaluation measure for time-series anomaly detection", PVLDB 15(11). Written from the
definition: for a border of w rows, labels fall from 1 to sqrt(1/2) over w/2 rows on both sides as
sqrt(1 - distance/w); positives are the mean of hard and soft labels; recall is multiplied by the
share of (soft) anomalies of which a row was found. All thresholds are used, not 250.
"""

import numpy as np


def stretches(is_one):
    """Beginnings and ends (exclusive) of runs of ones."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], is_one.astype(int), [0]])))
    return edges[::2], edges[1::2]


def soft_labels(labels, border):
    """Labels (n,) in [0, 1] with soft borders of border/2 rows on each side."""
    soft = labels.astype(float)
    for begin, end in zip(*stretches(labels), strict=True):
        for far in range(1, border // 2 + 1):
            share = np.sqrt(1.0 - far / border)
            for at in (begin - far, end - 1 + far):
                if 0 <= at < len(labels):
                    soft[at] += share
    return np.minimum(soft, 1.0)


def area_pr(labels, scores, border=0):
    """Range-based area under the precision-recall curve; border 0 is average precision."""
    soft = soft_labels(labels, border)
    order = np.argsort(-scores, kind="stable")
    ordered = scores[order]
    last = np.append(np.flatnonzero(np.diff(ordered) != 0), len(scores) - 1)
    found = np.cumsum(soft[order])[last]
    begins, ends = stretches(soft > 0)
    highest = np.sort([-scores[b:e].max() for b, e in zip(begins, ends, strict=True)])
    existence = np.searchsorted(highest, -ordered[last], side="right") / len(highest)
    positives = 0.5 * (labels.sum() + soft.sum())
    recall = np.minimum(found / positives, 1.0) * (existence if border else 1.0)
    return float(np.sum(np.diff(recall, prepend=0.0) * found / (last + 1.0)))


def vus_pr(labels, scores, widest=100):
    """The mean of areas over borders of 0, 1, ... widest rows, each with the share of anomalies.

    A border of one row softens none: it is that of 0 rows with the share.
    """
    return float(np.mean([area_pr(labels, scores, max(w, 1)) for w in range(widest + 1)]))


def check():
    """Cases whose answer is known by hand."""
    labels = np.zeros(200, dtype=int)
    labels[50:60] = labels[120:125] = 1
    rng = np.random.default_rng(0)
    noise = rng.random(200)
    assert np.isclose(area_pr(labels, labels + 0.0), 1.0)
    assert np.isclose(area_pr(labels, np.zeros(200)), 15 / 200)
    soft = soft_labels(labels, 4)
    assert np.allclose(soft[46:51], [0, 0, np.sqrt(0.5), np.sqrt(0.75), 1])
    assert np.allclose(soft[59:63], [1, np.sqrt(0.75), np.sqrt(0.5), 0])
    # the soft labels themselves: precision 1 until the hard rows, then sinking with the softness
    assert 0.9 < area_pr(labels, soft, 4) < 1.0
    # one of two anomalies found, all rows of it first: half of the volume at most plus the rest
    half = np.where(np.arange(200) < 100, labels, 0.0)
    assert area_pr(labels, half + 1e-3 * noise, 1) < area_pr(labels, half + 1e-3 * noise) < 1.0
    # a detector that is five rows late loses all rows but is forgiven by borders
    late = np.roll(labels, 12).astype(float)
    assert vus_pr(labels, late + 1e-3 * noise, 40) > 2.0 * area_pr(labels, late + 1e-3 * noise)
    # chance is near the share of labels
    assert abs(np.mean([area_pr(labels, rng.random(200)) for _ in range(200)]) - 0.075) < 0.04
    from sklearn.metrics import average_precision_score

    for _ in range(20):
        scores = rng.integers(0, 30, 200) / 30
        assert np.isclose(area_pr(labels, scores), average_precision_score(labels, scores))
    print("hand-made cases agree")


if __name__ == "__main__":
    check()
