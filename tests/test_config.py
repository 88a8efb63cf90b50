import pytest

from headway.config import Config, load_config
from headway.errors import ConfigError


def test_without_a_file_the_defaults_hold(tmp_path):
    assert load_config(tmp_path) == Config()


def test_a_file_sets_what_it_names(tmp_path):
    (tmp_path / "config.toml").write_text('price_core_hour = 1\ncurrency = "EUR"\n')
    assert load_config(tmp_path) == Config(price_core_hour=1, currency="EUR")


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("price = 1", "price"),
        ("price_core_hour = true", "price_core_hour"),
        ("currency = 3", "currency"),
        ("coverage = 1.0", "coverage"),
        ("price_gb_hour = -1", "price_gb_hour"),
        ("price_gb_hour = nan", "price_gb_hour"),
        ("= broken", "config.toml"),
    ],
)
def test_a_wrong_setting_is_named(tmp_path, text, word):
    (tmp_path / "config.toml").write_text(text)
    with pytest.raises(ConfigError, match=word):
        load_config(tmp_path)
