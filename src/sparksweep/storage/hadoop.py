"""A store on any file system of Hadoop (hdfs, wasb[s], abfs[s]), reached through the JVM of the active Spark session.

On a cluster the accounts' keys live only there, in Hadoop's configuration.
"""

from __future__ import annotations

import atexit
import builtins
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from pathlib import Path, PurePosixPath
from typing import Any

from py4j.protocol import Py4JJavaError  # type: ignore[import-untyped]

from sparksweep.errors import SessionError, StorageError
from sparksweep.redaction import redact_text
from sparksweep.session import active_session
from sparksweep.storage.failures import FULL, MISSING, NO_FOLDER, NOT_ALLOWED
from sparksweep.storage.scratch import scratch_folder
from sparksweep.storage.store import FileFacts, Log, Store, checked_path, hidden_name, joined, parent_of

__all__ = ["HadoopStore", "account_key"]

# File systems that are no object stores: hsync is durable there, and a rename is one step, also one that replaces a
# file. An object store's hsync may keep nothing, and its rename deletes what is there first; that of wasb then copies
# a folder blob by blob.
TREES = {"hdfs", "file", "viewfs"}
# Those that give a new name to one caller only, however many ask at the same moment.
EXCLUSIVE = {"hdfs"}
OF_THIS_PROCESS = ExitStack()  # the folders of copies, which go with it
atexit.register(OF_THIS_PROCESS.close)
SETTLE = 1.0  # seconds after which, elsewhere, a writer that does not stand still has written
NO_DRIVER = (
    "check the scheme, or add its jar (wasb and abfs: --set spark.jars.packages=org.apache.hadoop:hadoop-azure:3.3.4, "
    "or --packages of spark-submit)"
)
KEY_PROVIDER = "KeyProviderException"
# By a word in the Java exception's class or message: what to do.
ADVICE = (
    (KEY_PROVIDER, "mend the account's key provider in Hadoop's configuration"),
    ("AccessControl", NOT_ALLOWED),
    ("Permission denied", NOT_ALLOWED),
    ("NoSpace", FULL),
    ("No space left", FULL),
    ("QuotaExceeded", FULL),
    ("UnsupportedFileSystem", NO_DRIVER),
    ("ClassNotFound", NO_DRIVER),
    ("FileNotFound", MISSING),
    ("NotDirectory", NO_FOLDER),
    ("NotADirectory", NO_FOLDER),
    ("Not a directory", NO_FOLDER),
    ("AlreadyExists", NO_FOLDER),
    ("UnknownHost", "check the host's name and the network"),
)


class HadoopStore(Store):
    """A store below a URI of a Hadoop file system.

    Parameters
    ----------
    uri : str
        The folder, which need not exist.

    Raises
    ------
    SessionError
        No Spark session is running.
    StorageError
        Hadoop has no file system for the scheme.
    """

    def __init__(self, uri: str) -> None:
        session = active_session()
        if session is None or session._jvm is None:
            raise SessionError(f"{uri} is reached through Spark, and no session is running: start one first")
        self.root = uri if uri.endswith(":///") else uri.rstrip("/")
        self._jvm: Any = session._jvm
        self._gateway: Any = session.sparkContext._gateway
        self._conf: Any = session._jsc.hadoopConfiguration()
        with self._failures("reach", ""):
            self._fs = self._path("").getFileSystem(self._conf)
        self._context = self._file_context()

    def uri(self, path: str) -> str:
        """Return the full URI."""
        return self.shown(checked_path(path))

    def list(self, path: str) -> builtins.list[str]:
        """Return the sorted names in a folder, hidden ones left out."""
        if not self.exists(path):
            return []
        return [name for name in self._names(checked_path(path)) if not name.startswith(".")]

    def read_bytes(self, path: str) -> bytes:
        """Return what a file holds."""
        try:
            return self._read(path)
        except StorageError:
            if not self._restore(checked_path(path)):
                raise
            return self._read(path)

    def write_bytes(self, path: str, data: bytes) -> None:
        """Write a file beside its place, have the file system keep it, rename it."""
        path = checked_path(path)
        beside = hidden_name(path, "new")
        self._make_folder(parent_of(path))
        try:
            with self._failures("write", path):
                self._write(self._fs.create(self._path(beside), True), data)
            self._replace(beside, path)
        finally:
            self._discard(beside)

    def create(self, path: str, data: bytes) -> bool:
        """Write a file without replacing; where two may both do so, look a moment later whose it is."""
        path = checked_path(path)
        self._make_folder(parent_of(path))
        with self._failures("write", path):
            try:
                stream = self._fs.create(self._path(path), False)
            except Py4JJavaError:
                if self._fs.exists(self._path(path)):
                    return False
                raise
            try:
                self._write(stream, data)
            except Py4JJavaError:
                if self._is_anothers(path):
                    return False
                self._fs.delete(self._path(path), False)
                raise
        if self._scheme in EXCLUSIVE:
            return True
        time.sleep(SETTLE)
        return self.exists(path) and self.read_bytes(path) == data

    def _is_anothers(self, path: str) -> bool:
        """Tell whether a file that could not be written to its end was written by another at the same time.

        On an object store the blocks of all others are gone when the first commits its own.
        """
        if self._scheme in EXCLUSIVE:
            return False
        time.sleep(SETTLE)
        return bool(self._fs.exists(self._path(path)) and self._read(path))

    def open_log(self, path: str) -> Log | None:
        """Make a file whose appends are kept by hsync, if the file system says that it can."""
        path = checked_path(path)
        if self._scheme not in TREES:
            return None
        self._make_folder(parent_of(path))
        with self._failures("write", path):
            stream = self._fs.create(self._path(path), False)
            log = _HadoopLog(self, path, stream)
            if not stream.hasCapability("hsync"):
                log.close()
                self._fs.delete(self._path(path), False)
                return None
            stream.hsync()
        return log

    def fetch(self, path: str) -> Path:
        """Copy a file or folder to a scratch folder that goes with this process."""
        if not self.exists(path):
            raise StorageError(f"cannot find {self.shown(path)}; check the path")
        local = OF_THIS_PROCESS.enter_context(scratch_folder()) / (Path(checked_path(path)).name or "root")
        self._copy_here(path, local)
        return local

    def copy_file(self, path: str, place: Path) -> None:
        """Copy a file by Hadoop, with no other copy on the way."""
        if not self.exists(path):
            raise StorageError(f"cannot find {self.shown(path)}; check the path")
        self._copy_here(path, place)

    def publish(self, local: Path, path: str) -> None:
        """Copy a local file or folder beside its place and rename it."""
        path = checked_path(path)
        beside = hidden_name(path, "new")
        self._make_folder(parent_of(path))
        try:
            with self._failures("write", path):
                self._fs.copyFromLocalFile(False, True, self._local(local), self._path(beside))
            self._replace(beside, path)
        finally:
            self._discard(beside)

    def scratch(self) -> AbstractContextManager[Path]:
        """Give a folder in this machine's folder for temporary files."""
        return scratch_folder()

    @property
    def _scheme(self) -> str:
        return str(self._fs.getUri().getScheme()).lower()

    def _copy_here(self, path: str, place: Path) -> None:
        with self._failures("copy to this machine", path):
            # The last flag is for Hadoop's raw local file system: no .crc files beside the copies.
            self._fs.copyToLocalFile(False, self._path(path), self._local(place), True)

    def _read(self, path: str) -> bytes:
        with self._failures("read", path):
            stream = self._fs.open(self._path(path))
            try:
                return bytes(self._jvm.org.apache.commons.io.IOUtils.toByteArray(stream))
            finally:
                stream.close()

    def _write(self, stream: Any, data: bytes) -> None:
        """Write all of a new file and have the file system keep it."""
        try:
            stream.write(bytearray(data))
            stream.hsync()
        finally:
            stream.close()

    def _path(self, path: str) -> Any:
        return self._jvm.org.apache.hadoop.fs.Path(self.uri(path))

    def _local(self, local: Path) -> Any:
        return self._jvm.org.apache.hadoop.fs.Path(f"file://{local.absolute()}")

    def _present(self, path: str) -> bool:
        with self._failures("look for", path):
            return bool(self._fs.exists(self._path(path)))

    def _appears(self, path: str) -> bool:
        """Give who is replacing `path` on an object store the moment between its two renames."""
        if self._scheme in TREES:
            return False
        time.sleep(SETTLE)
        return self._present(path)

    def _move(self, source: str, target: str) -> bool:
        try:
            return self._replaced(source, target) if self._context is not None else self._moved(source, target)
        except Py4JJavaError as error:
            in_the_way = self._context is not None and self._present(target)
            if in_the_way or not self._present(source):
                return False
            raise self._failure("rename", f"{source} to {self.shown(target)}", error) from None

    def _replaced(self, source: str, target: str) -> bool:
        """Rename by FileContext, whose rename replaces a file at once; `FileSystem.rename` would not."""
        options = self._gateway.new_array(self._jvm.org.apache.hadoop.fs.Options.Rename, 1)
        options[0] = self._jvm.org.apache.hadoop.fs.Options.Rename.OVERWRITE
        self._context.rename(self._path(source), self._path(target), options)
        return True

    def _moved(self, source: str, target: str) -> bool:
        """Rename by FileSystem, which moves a thing into a folder that is there, so there must be none."""
        name = PurePosixPath(source).name
        nested = self._present(joined(source, name))
        if self._present(target):
            return False
        try:
            moved = bool(self._fs.rename(self._path(source), self._path(target)))
        except Py4JJavaError:
            self._move_back(source, target)
            raise
        if not moved or nested or not self._present(joined(target, name)):
            return moved
        # Another has made a folder of this name in the moment between.
        self._fs.rename(self._path(joined(target, name)), self._path(source))
        return False

    def _move_back(self, source: str, target: str) -> None:
        """Undo a rename that broke off: an object store may rename a folder file by file."""
        with suppress(Py4JJavaError, StorageError):
            place = len(self._fs.makeQualified(self._path(target)).toString())
            found = self._fs.listFiles(self._path(target), True)
            while found.hasNext():
                file = found.next().getPath()
                back = self._path(source + file.toString()[place:])
                self._fs.mkdirs(back.getParent())
                if not self._fs.rename(file, back) and not self._fs.exists(back):
                    return
            self._remove(target)

    def _file_context(self) -> Any:
        """Return the FileContext, None where it would not replace a file at once, or there is only a FileSystem."""
        if self._scheme not in TREES:
            return None
        try:
            return self._jvm.org.apache.hadoop.fs.FileContext.getFileContext(self._fs.getUri(), self._conf)
        except Py4JJavaError:
            return None

    def _remove(self, path: str) -> None:
        with self._failures("delete", path):
            self._fs.delete(self._path(path), True)

    def _make_folder(self, path: str) -> None:
        if not self._present(path):
            self._restore(path)
        with self._failures("make the folder", path):
            self._fs.mkdirs(self._path(path))

    def _hidden(self, path: str) -> builtins.list[str]:
        return [name for name in self._names(path) if name.startswith(".")]

    def _names(self, path: str) -> builtins.list[str]:
        return sorted(status.getPath().getName() for status in self._statuses(path))

    def _entries(self, path: str) -> dict[str, FileFacts | None]:
        return {
            status.getPath().getName(): None
            if status.isDirectory()
            else FileFacts(int(status.getLen()), status.getModificationTime() / 1000)
            for status in self._statuses(path)
        }

    def _statuses(self, path: str) -> builtins.list[Any]:
        with self._failures("list", path):
            try:
                found = self._fs.listStatus(self._path(path))
            except Py4JJavaError as error:
                if not self._fs.exists(self._path(path)):
                    return []
                if error.java_exception.getClass().getSimpleName() != "FileNotFoundException":
                    raise
                # Another has made it in the moment between.
                found = self._fs.listStatus(self._path(path))
            # Of a file it lists the file itself; a folder's own marker is nothing in it.
            place = self._fs.makeQualified(self._path(path))
            return [status for status in found if not status.getPath().equals(place)]

    @contextmanager
    def _failures(self, action: str, path: str) -> Iterator[None]:
        """Turn a Java exception of the block into a `StorageError`.

        The cause is left out: its text is Java's own, with whatever secret is in it.
        """
        try:
            yield
        except Py4JJavaError as error:
            raise self._failure(action, self.shown(path), error) from None

    def _failure(self, action: str, where: str, error: Py4JJavaError) -> StorageError:
        kind = error.java_exception.getClass().getSimpleName()
        lines = str(error.java_exception.getMessage() or "no reason given").splitlines()
        # A key provider's is the output of a program that was to print the key.
        reason = kind if kind == KEY_PROVIDER else redact_text(f"{kind}: {lines[0] if lines else ''}")
        advice = next((advice for word, advice in ADVICE if word in reason), "")
        return StorageError(f"cannot {action} {where}: {reason}{'; ' + advice if advice else ''}")


class _HadoopLog(Log):
    """A stream of the JVM, synced after each append."""

    def __init__(self, store: HadoopStore, path: str, stream: Any) -> None:
        self._store = store
        self._path = path
        self._stream = stream

    def append(self, data: bytes) -> None:
        """Write all bytes and have the file system's disks hold them."""
        if self._stream is None:
            raise StorageError(f"cannot write {self._store.shown(self._path)}: it is closed")
        with self._store._failures("write", self._path):
            self._stream.write(bytearray(data))
            self._stream.hsync()

    def close(self) -> None:
        """Close the stream."""
        if self._stream is not None:
            stream, self._stream = self._stream, None
            with self._store._failures("close", self._path):
                stream.close()


def account_key(host: str) -> str | None:
    """Return the key of a blob account as Hadoop's configuration has it, None where it has none.

    It may be encrypted there, by a key provider that only Hadoop's own classes know how to ask.

    Parameters
    ----------
    host : str
        ``ACCOUNT.blob.core.windows.net`` or ``ACCOUNT.dfs.core.windows.net``.

    Raises
    ------
    SessionError
        No Spark session is running.
    StorageError
        There is one that cannot be read.
    """
    session = active_session()
    if session is None or session._jvm is None:
        raise SessionError(f"the key of {host} is looked up through Spark, and no session is running: start one first")
    jvm, conf = session._jvm, session._jsc.hadoopConfiguration()
    try:
        for name in dict.fromkeys((host, host.replace(".dfs.", ".blob.", 1))):
            if key := _key_of(jvm, conf, name):
                return key
    except Py4JJavaError as error:
        # Its text may hold the key.
        kind = error.java_exception.getClass().getSimpleName()
        raise StorageError(
            f"cannot read the key of {host} in Hadoop's configuration: {kind}; mend its key provider, or set "
            "AZURE_STORAGE_KEY"
        ) from None
    return None


def _key_of(jvm: Any, conf: Any, host: str) -> str | None:
    if conf.get(f"fs.azure.account.keyprovider.{host}"):
        azure = jvm.org.apache.hadoop.fs
        if ".dfs." in host:
            return str(azure.azurebfs.AbfsConfiguration(conf, host).getStorageAccountKey())
        return str(azure.azure.AzureNativeFileSystemStore.getAccountKeyFromConfiguration(host, conf))
    password = conf.getPassword(f"fs.azure.account.key.{host}")  # also where a credential provider keeps it
    return None if password is None else "".join(password)
