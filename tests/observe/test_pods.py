import gzip

import pytest

from headway.errors import InputError
from headway.observe.pods import read_nodes, read_pods

PODS = (
    "name,cpu_milli,memory_mib,num_gpu,gpu_milli,gpu_spec\na,1000,10,1,460,T4|G2\nb,2000,20,0,0,\n"
)


def test_a_list_of_pods_is_read_with_what_it_has(tmp_path):
    path = tmp_path / "pods.csv.gz"
    path.write_bytes(gzip.compress(PODS.encode()))
    pods = read_pods(path)
    assert pods.columns == ["cpu_milli", "memory_mib", "num_gpu", "gpu_milli", "gpu_spec"]
    assert pods.rows() == [(1000, 10, 1, 460, "T4|G2"), (2000, 20, 0, 0, "")]


def test_the_published_lists_are_read(data):
    folder = data / "scheduling" / "alibaba_gpu"
    nodes = read_nodes(folder / "openb_node_list_all_node.csv.gz")
    assert (nodes.height, nodes["gpu"].sum()) == (1523, 6212)
    pods = read_pods(folder / "openb_pod_list_gpuspec33.csv.gz")
    assert pods.height == 8152
    assert pods["deletion_time"].min() > 0
    assert (pods["gpu_spec"] == "T4").sum() == 1291


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (PODS.replace("memory_mib", "memory"), "it has no column memory_mib"),
        (PODS.replace("460", "much"), "gpu_milli must be a number of 0 or more"),
        (PODS.replace("460", "-460"), "gpu_milli must be a number of 0 or more"),
        (PODS.replace("2000", ""), "cpu_milli must be a number of 0 or more"),
    ],
)
def test_a_list_that_is_none_is_refused(tmp_path, text, message):
    path = tmp_path / "pods.csv"
    path.write_text(text)
    with pytest.raises(InputError, match=message):
        read_pods(path)


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(InputError, match=r"nothing\.csv cannot be read as a list of nodes"):
        read_nodes(tmp_path / "nothing.csv")
