from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from harness.errors import WorkloadError
from harness.workloads.inputs import find_files, hash_files


def touch(folder: Path, *names: str) -> None:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(name.encode())


def below(folder: Path, files: tuple[Path, ...]) -> list[str]:
    return [file.relative_to(folder).as_posix() for file in files]


def test_a_folder_gives_its_photos_sorted_by_path(tmp_path: Path) -> None:
    touch(tmp_path, "b.JPG", "a.png", "sub/c.webp", "truth.csv", ".hidden.jpg", ".cache/d.jpg", "e.heic")
    (tmp_path / "folder.jpg").mkdir()
    assert below(tmp_path, find_files([str(tmp_path)])) == ["a.png", "b.JPG", "e.heic", "sub/c.webp"]


def test_globs_and_files_take_any_suffix_and_count_once(tmp_path: Path) -> None:
    touch(tmp_path, "a.dat", "b.dat", "sub/c.dat", ".d.dat")
    given = [str(tmp_path / "*.dat"), str(tmp_path / "a.dat"), str(tmp_path / "sub" / ".." / "b.dat")]
    assert below(tmp_path, find_files(given)) == ["a.dat", "b.dat"]
    assert below(tmp_path, find_files([str(tmp_path / "**" / "*.dat")])) == ["a.dat", "b.dat", "sub/c.dat"]


def test_a_file_whose_name_looks_like_a_glob_is_a_file(tmp_path: Path) -> None:
    touch(tmp_path, "IMG[1].jpg", "IMG1.jpg")
    assert below(tmp_path, find_files([str(tmp_path / "IMG[1].jpg")])) == ["IMG[1].jpg"]


def test_relative_paths_count_from_the_current_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    touch(tmp_path, "photos/a.jpg")
    monkeypatch.chdir(tmp_path)
    assert find_files(["photos"]) == find_files(["photos/*.jpg"]) == (tmp_path / "photos" / "a.jpg",)


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ("empty", "the folder holds no photos"),
        ("nowhere", "no such file or folder"),
        ("nowhere.jpg", "no such file or folder"),
        ("*.nothing", "no file matches"),
        ("emp*", "no file matches"),
    ],
)
def test_what_gives_no_input_is_named(tmp_path: Path, given: str, problem: str) -> None:
    touch(tmp_path, "empty/notes.txt")
    with pytest.raises(WorkloadError, match=problem) as caught:
        find_files([str(tmp_path / given)])
    assert caught.value.where == str(tmp_path / given)


def test_no_input_at_all() -> None:
    with pytest.raises(WorkloadError, match="no inputs are given"):
        find_files([])


def test_names_are_paths_below_the_shared_folder(tmp_path: Path) -> None:
    touch(tmp_path, "x/one/a.jpg", "x/two/a.jpg")
    originals, skipped = hash_files(find_files([str(tmp_path)]))
    assert [item.name for item in originals] == ["one/a.jpg", "two/a.jpg"]
    assert [item.sha256 for item in originals] == [
        hashlib.sha256(name).hexdigest() for name in (b"x/one/a.jpg", b"x/two/a.jpg")
    ]
    assert skipped == []


def test_a_second_copy_is_skipped_and_says_of_what(tmp_path: Path) -> None:
    touch(tmp_path, "a.jpg")
    (tmp_path / "b.jpg").write_bytes(b"a.jpg")
    originals, skipped = hash_files(find_files([str(tmp_path)]))
    assert [item.name for item in originals] == ["a.jpg"]
    assert [(item.file, item.reason) for item in skipped] == [
        (str(tmp_path / "b.jpg"), "the same bytes as a.jpg")
    ]


def test_what_is_not_a_regular_file_is_skipped_without_waiting(tmp_path: Path) -> None:
    touch(tmp_path, "a.jpg")
    os.mkfifo(tmp_path / "pipe.jpg")
    (tmp_path / "broken.jpg").symlink_to(tmp_path / "gone.jpg")
    originals, skipped = hash_files(find_files([str(tmp_path)]))
    assert [item.name for item in originals] == ["a.jpg"]
    assert [Path(item.file).name for item in skipped] == ["broken.jpg", "pipe.jpg"]
    assert {item.reason for item in skipped} == {"cannot be read: not a regular file"}
