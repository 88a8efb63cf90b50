import pytest
from tests.respond.made_up import alert

from headway.errors import ConfigError
from headway.respond import load_rules


def test_the_rules_that_headway_ships_answer_every_kind_of_alert_of_tasks():
    rules = load_rules()
    found = {
        kind: rules.rule_for(alert(kind)).actions[0]
        for kind in ("out_of_memory", "stuck", "leak", "slow_node", "failing", "drift")
    }
    assert found == {
        "out_of_memory": "retry_with_memory", "stuck": "requeue", "leak": "requeue",
        "slow_node": "drain", "failing": "hold", "drift": "roll_back",
    }  # fmt: skip


def test_the_first_rule_that_fits_decides_by_severity_and_score(tmp_path):
    path = tmp_path / "rules.toml"
    path.write_text(
        '[[rule]]\nname = "loud"\nkinds = ["stuck"]\nactions = ["cancel"]\nseverity = "critical"\n'
        '[[rule]]\nname = "sure"\nkinds = ["stuck"]\nactions = ["requeue"]\nleast_score = 0.9\n'
    )
    rules = load_rules(path)
    assert rules.rule_for(alert(severity="critical")).name == "loud"
    assert rules.rule_for(alert(score=0.95)).name == "sure"
    assert rules.rule_for(alert(score=0.5)) is None


RULE = '[[rule]]\nname = "r"\nkinds = ["stuck"]\nactions = ["requeue"]\n'


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("[[rule]]\nname = 1", "name in .* must be a str"),
        ('[[rule]]\nname = "r"', "lacks kinds, actions"),
        (RULE + 'mode = "yolo"', "mode of rule r must be one of"),
        (RULE + "cooldown = 1", "unknown setting 'cooldown'"),
        (RULE + "cooldown_s = -1", "cooldown_s"),
        ("[rule]\nname = 1", r"begin with \[\[rule\]\]"),
        ("[limits]\nqueue_share = 1.5", "queue_share"),
        ("[limits]\nnodes_at_once = 1.5", "must be a int"),
        ("[limits]\nnodes_share = 1.5", "must be in"),
        ("[hooks]", "unknown part 'hooks'"),
        ('[commands]\ndrain = "scontrol"', "must be a list of words"),
        ("[[", "cannot read the rules"),
    ],
)
def test_a_rule_file_that_is_wrong_is_refused_with_the_reason(tmp_path, text, sentence):
    path = tmp_path / "rules.toml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=sentence):
        load_rules(path)
