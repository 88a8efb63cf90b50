import pytest

from headway.report.trained_clusters import trained_clusters_screen


@pytest.mark.parametrize(
    ("is_proved", "sentence"),
    [
        (True, "the policy is better than keep local, saf."),
        (False, "the policy is not proved to be better than keep local, saf: do not use it."),
    ],
)
def test_the_first_sentence_says_whether_to_use_the_policy(is_proved, sentence):
    proof = {
        "is_proved": is_proved, "windows": 4, "rule": "keep local, saf", "candidate": 2.0,
        "incumbent": 3.0, "ratio": 0.7, "ratio_low_95": 0.6, "ratio_high_95": 0.8,
        "worst_window": 1.1,
    }  # fmt: skip
    document = {
        "proof": proof, "validation": {"ratio": 0.9, "windows": 3}, "algo": "multi-agent",
        "decisions": 1, "seconds": 1.0, "policy": "p.npz",
    }  # fmt: skip
    assert sentence in trained_clusters_screen(document)
