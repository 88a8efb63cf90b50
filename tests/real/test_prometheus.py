"""Series from a Prometheus that scrapes itself."""

import shutil
import subprocess
import time

import numpy as np
import pytest
from tests.real.object_store import free_port

from headway.errors import ClusterError, InputError
from headway.observe.prometheus import ask_prometheus

CONFIG = """
global: {{scrape_interval: 1s}}
scrape_configs:
- job_name: self
  static_configs: [{{targets: ["127.0.0.1:{port}"]}}]
"""


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    program, port = shutil.which("prometheus"), free_port()
    assert program, "no prometheus: apt-get install prometheus"
    folder = tmp_path_factory.mktemp("prometheus")
    (folder / "config.yml").write_text(CONFIG.format(port=port))
    server = subprocess.Popen(
        [
            program,
            f"--config.file={folder / 'config.yml'}",
            f"--storage.tsdb.path={folder / 'tsdb'}",
            f"--web.listen-address=127.0.0.1:{port}",
        ],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        address = f"http://127.0.0.1:{port}"
        for _ in range(600):
            if has_scraped(address):
                break
            time.sleep(0.2)
        yield address
    finally:
        server.terminate()
        server.wait()


def has_scraped(address):
    """Are there five scrapes to read."""
    try:
        panel = ask_prometheus(address, "up", time.time() - 60, time.time(), 1.0)
    except (InputError, ClusterError):
        return False
    return np.isfinite(panel.y).sum() >= 5


def test_a_gauge_of_a_running_server_is_read(address):
    now_s = time.time()
    panel = ask_prometheus(address, "up", now_s - 4, now_s, 1.0)
    assert panel.names[0].startswith('up{instance="127.0.0.1:')
    assert len(panel.at_s) <= 5
    assert np.nanmax(panel.y) == 1.0
    assert abs(panel.at_s[-1] - now_s) < 1.5


def test_a_counter_of_a_running_server_is_what_it_rose_by(address):
    metric, now_s = "prometheus_tsdb_head_samples_appended_total", time.time()
    panel = ask_prometheus(address, metric, now_s - 4, now_s, 1.0)
    known = panel.y[np.isfinite(panel.y)]
    assert len(known)
    assert (known >= 0).all()
    assert known.max() > 10  # a scrape of itself is hundreds of samples


def test_a_query_that_is_none_is_told_in_its_own_words(address):
    with pytest.raises(InputError, match="parse error"):
        ask_prometheus(address, "up{", time.time() - 5, time.time(), 1.0)


def test_the_server_takes_as_many_points_as_are_asked_at_once(address):
    now_s = time.time()
    panel = ask_prometheus(address, "vector(1)", now_s - 25_000, now_s, 1.0)
    assert len(panel.at_s) == 25_001
    assert (panel.y == 1.0).all()
