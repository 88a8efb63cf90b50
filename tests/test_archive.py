import numpy as np
import pytest

from headway.archive import read_archive, write_archive
from headway.errors import InputError


def test_arrays_and_words_come_back_and_the_same_give_the_same_bytes(tmp_path):
    one, other = tmp_path / "new" / "one.npz", tmp_path / "other.npz"
    for path in (one, other):
        write_archive(path, {"weights": np.arange(3.0)}, {"seed": 4})
    arrays, said = read_archive(one, "a policy file", ("weights",))
    assert arrays["weights"].tolist() == [0.0, 1.0, 2.0]
    assert said == {"seed": 4}
    assert one.read_bytes() == other.read_bytes()
    assert sorted(path.name for path in tmp_path.rglob("*.part")) == []


def test_words_may_be_left_out(tmp_path):
    write_archive(tmp_path / "a.npz", {"x": np.ones(2)})
    assert read_archive(tmp_path / "a.npz", "a policy file", ("x",))[1] == {}


def test_what_is_no_archive_is_refused_in_plain_words(tmp_path):
    path = tmp_path / "a.npz"
    write_archive(path, {"x": np.arange(1000.0)}, {})
    whole = path.read_bytes()
    lone = tmp_path / "lone.npy"
    np.save(lone, np.ones(3))
    objects = tmp_path / "objects.npz"
    np.savez(objects, weights=np.array([{}], object))
    for name, content in {
        "junk": b"junk", "empty": b"", "cut": whole[: len(whole) // 2],
        "lone": lone.read_bytes(), "objects": objects.read_bytes(),
    }.items():  # fmt: skip
        path.write_bytes(content)
        with pytest.raises(InputError, match=r"is not a policy file, or not whole$"):
            read_archive(path, "a policy file", ("weights",)), name
    with pytest.raises(InputError, match="is not a policy file: No such file"):
        read_archive(tmp_path / "nowhere.npz", "a policy file", ())
    with pytest.raises(InputError, match="is not a policy file: Is a directory"):
        read_archive(tmp_path, "a policy file", ())


def test_an_archive_of_other_arrays_is_refused_by_what_it_lacks(tmp_path):
    write_archive(tmp_path / "a.npz", {"x": np.ones(2)})
    with pytest.raises(InputError, match="is not a policy file: it has no weights, facts"):
        read_archive(tmp_path / "a.npz", "a policy file", ("weights", "x", "facts"))
