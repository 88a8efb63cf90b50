from pathlib import Path

from headway.schedule import compiled as module
from headway.schedule.backfill import next_narrow


def test_kept_machine_code_depends_on_the_text_of_every_compiled_file(tmp_path, monkeypatch):
    for folder in module.FOLDERS:
        (tmp_path / folder).mkdir()
    (tmp_path / "schedule" / "compiled.py").write_text("")
    (tmp_path / "simulate" / "kernel.py").write_text("@compiled\ndef f(): ...")
    (tmp_path / "simulate" / "plain.py").write_text("def f(): ...")
    monkeypatch.setattr(module, "__file__", str(tmp_path / "schedule" / "compiled.py"))
    seen = []
    for changed in ("", "plain.py", "kernel.py"):
        if changed:
            path = tmp_path / "simulate" / changed
            path.write_text(path.read_text() + "\n# changed")
        seen.append(module._version.__wrapped__())
    assert seen[0] == seen[1] != seen[2]


def test_numba_still_has_what_keeps_stale_code_away():
    assert next_narrow._cache._cache_file._version == module._version()
    assert Path(next_narrow._cache._cache_file._cache_path).parent.name == "schedule"
