"""Where reference suites lie: a work tree or a bare git repository somewhere under a folder."""

import subprocess
from pathlib import Path
from typing import Protocol

_DEPTH = 3


class Repository(Protocol):
    """The newest state of a repository."""

    def read(self, path: str) -> bytes:
        """The contents of a file; raises FileNotFoundError."""
        ...

    def list(self, folder: str) -> list[str]:
        """The paths of all files in a folder and below."""
        ...


class WorkTree:
    """A checked out repository."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def read(self, path: str) -> bytes:
        return (self.root / path).read_bytes()

    def list(self, folder: str) -> list[str]:
        found = (self.root / folder).rglob("*")
        return sorted(str(p.relative_to(self.root)) for p in found if p.is_file())


class BareGit:
    """A repository without a work tree, read by git at HEAD."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def read(self, path: str) -> bytes:
        done = self._git("show", f"HEAD:{path}")
        if done.returncode:
            raise FileNotFoundError(path)
        return done.stdout

    def list(self, folder: str) -> list[str]:
        done = self._git("ls-tree", "-r", "-z", "--name-only", "HEAD", folder + "/")
        return sorted(filter(None, done.stdout.decode().split("\0")))

    def _git(self, *arguments: str) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(["git", "-C", str(self.root), *arguments], capture_output=True)


def find(folder: Path, marker: str) -> Repository | None:
    """The first repository under ``folder`` that has the file or folder ``marker``."""
    for root in _folders(folder, _DEPTH):
        if (root / marker).exists():
            return WorkTree(root)
        if (root / "objects").is_dir() and (root / "HEAD").is_file():
            bare = BareGit(root)
            if bare._git("cat-file", "-e", f"HEAD:{marker}").returncode == 0:
                return bare
    return None


def _folders(root: Path, depth: int) -> list[Path]:
    found = [root]
    if depth and not (root / "objects").is_dir():
        for child in sorted(p for p in root.iterdir() if p.is_dir()):
            found += _folders(child, depth - 1)
    return found
