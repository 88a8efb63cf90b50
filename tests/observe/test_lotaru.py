"""Reports without times are read as tasks that ran one after another."""

from headway.history import open_traces, tasks_of
from headway.observe.trace import recognise

COLUMNS = "Label Machine Workflow Task Realtime %cpu rss rchar cpus memory peak_rss TaskInputSize"
REPORT = f"""{COLUMNS.replace(" ", ",")},TaskInputSizeUncompressed
test,n1,eager,fastqc,60000,90.0,300,500,2,4000,350,400,2000
train-1,n1,eager,fastqc,10000,90.0,300,500,2,4000,350,40,200
test,n1,eager,damageprofiler,30000,90.0,300,500,2,4000,350,400,
"""


def tasks_from(path):
    return tasks_of(open_traces([path]), lambda what, share: None)[0]


def test_reduced_inputs_run_first_and_each_after_the_one_before(tmp_path):
    path = tmp_path / "report.csv"
    path.write_text(REPORT)
    assert recognise(path) == "lotaru"
    tasks = tasks_from(path)
    assert tasks["name"].to_list() == ["fastqc", "fastqc", "damageprofiler"]
    assert (tasks["ended_s"] - tasks["started_s"]).to_list() == [10.0, 60.0, 30.0]
    assert tasks["started_s"].to_list()[1:] == tasks["ended_s"].to_list()[:-1]
    assert tasks["queue"].unique().to_list() == ["n1"]


def test_the_size_of_the_input_is_one_that_is_known_before_the_run(tmp_path):
    path = tmp_path / "report.csv"
    path.write_text(REPORT)
    assert tasks_from(path)["input_bytes"].to_list() == [200, 2000, 400]


def test_all_reports_are_read_whole(data):
    folder = data / "prediction/lotaru/execution_reports"
    tasks = tasks_from_all(sorted(folder.glob("*/*/*.csv")))
    assert tasks.height == 10_157
    assert tasks["queue"].n_unique() == 7
    assert tasks["input_bytes"].null_count() == 0


def tasks_from_all(paths):
    return tasks_of(open_traces(paths), lambda what, share: None)[0]
