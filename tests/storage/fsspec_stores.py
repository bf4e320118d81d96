"""File systems of fsspec in memory, which behave as object storages and as servers do."""

import fsspec


class Buckets(fsspec.get_filesystem_class("memory")):
    """As S3: nothing is stored in a bucket that is not there, and `makedirs` would create it.

    Attributes:
        buckets: those that exist.
        calls: the names and paths of the calls of `ls` and `find`.
    """

    protocol = "buckets"
    cachable = False
    store, pseudo_dirs = {}, [""]
    buckets, calls, error = {"films"}, [], None
    find = fsspec.AbstractFileSystem.find

    @classmethod
    def _strip_protocol(cls, path):
        return "/" + path.removeprefix(f"{cls.protocol}://").strip("/")

    def pipe_file(self, path, value, mode="overwrite", **options):
        self._check(path)
        super().pipe_file(path, value, mode=mode, **options)

    def makedirs(self, path, exist_ok=False):
        self.buckets.add(path.strip("/").partition("/")[0])

    def ls(self, path, detail=True, **options):
        self.calls.append(("ls", path))
        self._check(path)
        return super().ls(path, detail=detail, **options)

    def _check(self, path):
        if self.error:
            raise self.error
        if path.strip("/").partition("/")[0] not in self.buckets:
            raise FileNotFoundError("The specified bucket does not exist")


class FlatBuckets(Buckets):
    """The same with a `find` of its own, as s3fs and gcsfs have."""

    protocol = "flat"

    def find(self, path, maxdepth=None, withdirs=False, detail=False, **options):
        self.calls.append(("find", path))
        self._check(path)
        below = {path, *(name for name in self.store if name.startswith(f"{path.rstrip('/')}/"))}
        found = [name for name in sorted(below) if name in self.store]
        return {name: self.info(name) for name in found}


class Server(fsspec.get_filesystem_class("memory")):
    """As SFTP: a URL has the host, and a file needs its folder."""

    protocol = "server"
    cachable = False
    store, pseudo_dirs = {}, [""]

    def __init__(self, host=None, **options):
        super().__init__(**options)

    @classmethod
    def _strip_protocol(cls, path):
        return "/" + path.partition("://")[2].partition("/")[2] if "://" in path else path

    @staticmethod
    def _get_kwargs_from_urls(url):
        return {"host": url.partition("://")[2].partition("/")[0]}

    def pipe_file(self, path, value, mode="overwrite", **options):
        if self._parent(path) not in self.pseudo_dirs:
            raise FileNotFoundError(path)
        super().pipe_file(path, value, mode=mode, **options)
