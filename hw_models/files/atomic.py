"""Files and folders that appear whole or not at all: written beside the target, then renamed."""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..errors import UserError
from .ownership import require_free


def _parent_for(target: Path) -> Path:
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _cannot_write(target, error) from error
    return target.parent


# what the disk, not the program, is the cause of
_DISK_FAULTS = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EROFS}
_FULL = {errno.ENOSPC, errno.EDQUOT}


def _cannot_write(target: Path, error: OSError) -> UserError:
    return UserError(
        f"cannot write ({error.strerror or error})",
        where=str(target),
        remedy="free some space or choose another folder"
        if error.errno in _FULL
        else "choose a folder you can write to",
    )


def _disk_fault(error: BaseException) -> OSError | None:
    """The disk's fault behind an error: HDF5 puts it into words, torch's writer fails once more while it cleans up."""
    behind: BaseException | None = error
    while behind is not None:
        for code in _DISK_FAULTS:
            if (isinstance(behind, OSError) and behind.errno == code) or os.strerror(code) in str(behind):
                return OSError(code, os.strerror(code))
        behind = behind.__cause__ or behind.__context__
    return error if isinstance(error, OSError) else None


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


@contextmanager
def atomic_file(target: str | os.PathLike[str], *, force: bool = False, own_place: bool = False) -> Iterator[Path]:
    """Gives a temporary path to write to; it becomes `target` when the block ends without an error.

    Args:
        force: replaces a file that carries the mark of `ownership`, which the writer puts in.
        own_place: the name is one that no person chose (a cache): what stands there is replaced, whatever it is.

    Raises:
        UserError: the target is not to be replaced, see `require_free`, or the place cannot be written to.
    """
    target = Path(target)
    if not own_place:
        require_free(target, force)
    parent = _parent_for(target)
    try:
        handle, name = tempfile.mkstemp(prefix=f".{target.name}.", suffix=target.suffix, dir=parent)
        os.close(handle)
    except OSError as error:
        raise _cannot_write(target, error) from error
    temporary = Path(name)
    try:
        with _disk_faults_in_one_line(target):
            yield temporary
            if not own_place:  # the work may have taken hours
                require_free(target, force)
            os.chmod(temporary, 0o666 & ~_umask())
            os.replace(temporary, target)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def atomic_directory(target: str | os.PathLike[str], listed_in: str, *, force: bool = False) -> Iterator[Path]:
    """Gives a temporary folder to fill; it becomes `target` when the block ends without an error.

    With `force`, a folder that stood there is replaced as a whole, after the new one is complete, if all that it holds
    is listed by the file `listed_in` that its writer left in it, see `ownership`.

    Raises:
        UserError: the target is not to be replaced, see `require_free`, or the place cannot be written to.
    """
    target = Path(target)
    require_free(target, force, folder=listed_in)
    parent = _parent_for(target)
    try:
        temporary = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=parent))
    except OSError as error:
        raise _cannot_write(target, error) from error
    try:
        with _disk_faults_in_one_line(target):
            yield temporary
            require_free(target, force, folder=listed_in)  # the work may have taken hours
            os.chmod(temporary, 0o777 & ~_umask())
            if os.path.lexists(target):
                old = Path(tempfile.mkdtemp(prefix=f".{target.name}.old.", dir=parent))
                os.replace(target, old / target.name)
                try:
                    os.replace(temporary, target)
                except OSError:
                    os.replace(old / target.name, target)
                    raise
                finally:
                    _remove(old)
            else:
                os.replace(temporary, target)
    finally:
        if temporary.exists():
            _remove(temporary)


@contextmanager
def _disk_faults_in_one_line(target: Path) -> Iterator[None]:
    """Makes a UserError of what a disk refuses; other errors pass."""
    try:
        yield
    except UserError:
        raise
    except Exception as error:
        fault = _disk_fault(error)
        if fault is None:
            raise
        raise _cannot_write(target, fault) from error


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
