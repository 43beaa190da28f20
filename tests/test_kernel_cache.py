import os

from streamgauge import kernel_cache


def test_the_folder_is_the_same_as_long_as_the_source_is(tmp_path):
    assert kernel_cache.folder(tmp_path) == kernel_cache.folder(tmp_path)


def test_another_source_has_another_folder_and_old_ones_go(tmp_path, monkeypatch):
    before = kernel_cache.folder(tmp_path)
    os.utime(before, (1, 1))
    (tmp_path / "schemas").mkdir()
    (tmp_path / "schemas" / "kernels.py").write_text("@njit\ndef f(): ...\n")
    monkeypatch.setattr(kernel_cache, "_ROOT", tmp_path)
    after = kernel_cache.folder(tmp_path)
    assert after != before
    assert list(after.parent.iterdir()) == [after]
