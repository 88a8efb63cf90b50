import pytest

from headway.report.trained import trained_screen


@pytest.mark.parametrize(
    ("ratio", "windows", "sentence"),
    [
        (0.9, 3, "On 3 later windows that chose among weights, the mean slowdown is 10.0% lower "
         "than that of saf."),
        (1.1, 3, "the mean slowdown is 10.0% higher than that of saf: do not use it."),
        (1.0, 1, "On 1 later window that chose among weights, training found nothing better "
         "than saf."),
    ],
)  # fmt: skip
def test_the_screen_says_what_training_brought(ratio, windows, sentence):
    validation = {"ratio": ratio, "windows": windows, "of": "the mean slowdown", "against": "saf"}
    document = {
        "validation": validation, "proof": [], "algo": "search", "decisions": 1, "seconds": 1.0,
        "policy": "p.npz",
    }  # fmt: skip
    screen = trained_screen(document)
    assert sentence in screen
    assert screen.endswith("--policy saf,learned:p.npz --runtimes predicted")
