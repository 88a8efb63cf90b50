"""PBS and Torque accounting logs."""

from tests.observe.histories import whole

from headway.observe.trace import recognise

TORQUE = (
    "10/02/2017 10:00:00;E;12.mason;user=ann group=bio account=lab jobname=align queue=batch"
    " ctime=1506938000 qtime=1506938000 etime=1506938000 start=1506938400 owner=ann@login"
    " exec_host=n1/0-3+n2/0-3 Resource_List.nodes=2:ppn=4 Resource_List.vmem=8gb"
    " Resource_List.walltime=02:00:00 session=1 total_execution_slots=8 unique_node_count=2"
    " end=1506942000 Exit_status=0 resources_used.cput=06:40:00 resources_used.mem=1048576kb"
    " resources_used.vmem=4194304kb resources_used.walltime=01:00:00\n"
)
PRO = (
    "01/05/2024 09:00:00;E;77.pbs;user=bob group=users project=_pbs_project_default jobname=sim"
    " queue=workq ctime=1704440000 qtime=1704440000 etime=1704440000 start=1704440100"
    " Resource_List.mem=16gb Resource_List.ncpus=16 Resource_List.nodect=1"
    " Resource_List.select=1:ncpus=16:mem=16gb Resource_List.walltime=00:10:00 end=1704440700"
    " Exit_status=271 resources_used.mem=2000000kb resources_used.vmem=9000000kb"
    " resources_used.ncpus=16 resources_used.walltime=00:10:00 run_count=2\n"
)


def test_ended_jobs_become_tasks_and_other_lines_are_counted(tmp_path):
    path = tmp_path / "20171002"
    path.write_text("10/02/2017 09:00:00;Q;12.mason;queue=batch\n" + TORQUE + PRO)
    assert recognise(path) == "pbs"
    tasks, bad, facts = whole(path)
    assert bad.height == 0
    first, second = tasks.rows(named=True)
    assert (first["id"], first["user"], first["project"]) == ("12.mason", "ann", "lab")
    assert (first["submitted_s"], first["started_s"]) == (1506938000, 1506938400)
    assert first["ended_s"] == 1506942000
    assert (first["cpus_requested"], first["cpus_allocated"], first["nodes"]) == (8, 8, 2)
    assert first["memory_requested_bytes"] == 8 << 30
    assert first["memory_peak_bytes"] == 4 << 30, "vmem was asked for, so vmem is the peak"
    assert (first["limit_s"], first["cpu_s"], first["state"]) == (7200, 24000, "completed")
    assert second["memory_peak_bytes"] == 2_000_000 * 1024
    assert (second["cpus_requested"], second["attempt"]) == (16, 2)
    assert second["state"] == "timeout"
    assert facts.doubts[0] == "1 lines are not of type E (ended) and were left out"


def test_broken_lines_are_set_aside(tmp_path):
    path = tmp_path / "log"
    unborn = TORQUE
    for key in ("ctime", "qtime", "etime"):
        unborn = unborn.replace(f"{key}=", "x=")
    path.write_text(
        TORQUE
        + "10/02/2017 10:0\n"
        + TORQUE.replace("start=1506938400", "start=soon")
        + TORQUE.replace("end=1506942000", "end=1506938399")
        + unborn
    )
    tasks, bad, _ = whole(path)
    assert tasks.height == 1
    assert bad.select("line", "reason").sort("line").rows() == [
        (2, "not an accounting line"),
        (3, "cannot read start"),
        (4, "end before start"),
        (5, "no submission time"),
    ]
