# SPDX-License-Identifier: MIT
"""Files that the package replaces: what is left of what was there."""

from __future__ import annotations

import errno
import os
import stat

import numpy as np
import pytest

import linear_regions as lr
from linear_regions._replacing import replacing

NET = lr.Network(2, [lr.Affine([[1.0, 2.0], [3.0, -1.0]], [0.5, 0.0]), lr.relu()])

posix = pytest.mark.skipif(os.name != "posix", reason="rights, links and pipes of POSIX")


def save(path):
    lr.save(NET, path)


def save_regions(path):
    lr.save(lr.regions(NET, lr.Box(-1, 1)), path)


def checkpoint(path):
    lr.count(NET, lr.Box(-1, 1), checkpoint=path)


def shard(path):
    lr.count_shard(NET, lr.Box(-1, 1), shard=(1, 2), out=path)


writers = pytest.mark.parametrize("write", [save, save_regions, checkpoint, shard])


def rights(path):
    return stat.S_IMODE(path.stat().st_mode)


@posix
@writers
def test_new_file_has_the_rights_of_any_new_file(write, tmp_path):
    plain = tmp_path / "plain"
    plain.write_bytes(b"")
    write(tmp_path / "file")
    assert rights(tmp_path / "file") == rights(plain)


@posix
@writers
def test_file_that_was_there_keeps_its_rights(write, tmp_path):
    path = tmp_path / "file"
    write(path)
    path.chmod(0o640)
    if write in (checkpoint, shard):  # a finished one is not written again: go on from a part
        path.unlink()
        lr.count(NET, lr.Box(-1, 1), checkpoint=path, limit=1)
        path.chmod(0o640)
        checkpoint(path)
    else:
        write(path)
    assert rights(path) == 0o640


@posix
@writers
@pytest.mark.parametrize("there", [False, True])
def test_link_stays_a_link(write, there, tmp_path):
    (tmp_path / "far").mkdir()
    target, link = tmp_path / "far" / "file", tmp_path / "link"
    if there:
        write(target)
    link.symlink_to(target)
    write(link)
    assert link.is_symlink()
    assert target.is_file()
    assert sorted(p.name for p in tmp_path.rglob("*")) == ["far", "file", "link"]


@writers
def test_umask_of_the_process_is_never_touched(write, tmp_path, monkeypatch):
    def touched(mask):
        raise AssertionError("another thread may create a file, or do the same, meanwhile")

    monkeypatch.setattr(os, "umask", touched)
    write(tmp_path / "file")


@posix
@pytest.mark.parametrize("write", [save, save_regions])
def test_pipe_is_not_replaced_by_a_file(write, tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with pytest.raises(OSError, match="no ordinary file"):
        write(pipe)
    assert stat.S_ISFIFO(pipe.stat().st_mode)
    assert os.listdir(tmp_path) == ["pipe"]


@posix
@pytest.mark.parametrize("write", [checkpoint, shard])
def test_checkpoint_in_a_pipe_or_device_is_refused_at_once(write, tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    for path in (pipe, "/dev/null", "/dev/zero"):  # one waits, one is empty, one never ends
        with pytest.raises(lr.CheckpointError, match="no ordinary file"):
            write(path)


def test_large_file_that_is_no_checkpoint_is_not_read(tmp_path):
    path = tmp_path / "large"
    with path.open("wb") as file:
        file.truncate(1 << 36)
    with pytest.raises(lr.CorruptFile, match="not a checkpoint"):
        checkpoint(path)
    with pytest.raises(lr.CorruptFile, match="not a checkpoint"):
        lr.merge_counts([path])


@posix
@writers
def test_name_may_be_as_long_as_the_system_allows(write, tmp_path):
    path = tmp_path / ("x" * os.pathconf(tmp_path, "PC_NAME_MAX"))
    write(path)
    assert path.is_file()


def test_block_that_raises_leaves_the_old_file_and_nothing_beside_it(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"old")
    with pytest.raises(TypeError), replacing(path) as file:
        file.writelines([b"new", 3])
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["file"]


def test_error_names_the_file_that_was_meant(tmp_path):
    with pytest.raises(FileNotFoundError, match="there/file"):
        save(tmp_path / "there" / "file")
    with pytest.raises(FileNotFoundError, match="''"):
        save("")
    with pytest.raises(IsADirectoryError):
        save(tmp_path)


def test_path_as_bytes_is_written(tmp_path):
    save(os.fsencode(tmp_path / "file"))
    assert np.array_equal(lr.load(tmp_path / "file").layers[0].weight, NET.layers[0].weight)


@pytest.mark.parametrize(("number", "room"), [(errno.ENOSPC, True), (errno.EACCES, False)])
def test_room_is_asked_for_where_there_is_none(number, room, tmp_path, monkeypatch):
    def refuse(*args, **kwargs):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "replace", refuse)
    with pytest.raises(lr.CheckpointError, match="untouched") as caught:
        checkpoint(tmp_path / "file")
    assert ("make room" in str(caught.value)) == room
    assert os.listdir(tmp_path) == []


def test_file_in_place_of_a_folder_is_named(tmp_path):
    checkpoint(tmp_path / "file")
    with pytest.raises(lr.CheckpointError, match="is a file: lists of regions"):
        lr.count(NET, lr.Box(-1, 1), what="linear", checkpoint=tmp_path / "file")
