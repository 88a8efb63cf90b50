from pathlib import Path

from headway.schedule import compiled as module
from headway.schedule.backfill import next_narrow


def test_kept_machine_code_depends_on_all_that_its_file_reads(tmp_path, monkeypatch):
    for folder in module.FOLDERS:
        (tmp_path / folder).mkdir()
    texts = {
        "simulate/kernel.py": "from headway.schedule import rules\nfrom headway.stats import x\n",
        "schedule/rules.py": "from headway.schedule.network import (\n    a,\n    b,\n)\n",
        "schedule/network.py": "",
        "simulate/nodes.py": "from headway.simulate.kernel import f\n",
    }
    for name, text in texts.items():
        (tmp_path / name).write_text(text)
    monkeypatch.setattr(module, "__file__", str(tmp_path / "schedule" / "compiled.py"))
    seen = {}
    for changed in ("nothing", *texts):
        if changed in texts:
            path = tmp_path / changed
            path.write_text(path.read_text() + "# changed\n")
        seen[changed] = module._version.__wrapped__(tmp_path / "simulate" / "kernel.py")
    assert len({seen["nothing"], seen["simulate/kernel.py"], seen["schedule/rules.py"]}) == 3
    assert seen["schedule/rules.py"] != seen["schedule/network.py"] == seen["simulate/nodes.py"]


def test_numba_still_has_what_keeps_stale_code_away():
    index = next_narrow._cache._cache_file
    assert index._version == module._version(Path(next_narrow.py_func.__code__.co_filename))
    assert Path(index._cache_path).parent.name == "schedule"
