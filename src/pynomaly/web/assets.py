"""Static files, compressed once and cached by browsers for good: their paths carry a digest."""

import functools
import gzip
import hashlib
import importlib.metadata
import importlib.util
import mimetypes
from dataclasses import dataclass
from pathlib import Path

from fastapi import Request, Response

_STATIC = Path(__file__).parent / "static"
_SMALL = 512
_FOREVER = "public, max-age=31536000, immutable"


@dataclass(frozen=True, slots=True)
class Asset:
    """A file as it is served."""

    raw: bytes
    zipped: bytes | None
    media_type: str

    @classmethod
    def read(cls, path: Path) -> "Asset":
        """Read and compress a file."""
        raw = path.read_bytes()
        media = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
        media = "text/javascript" if path.suffix == ".js" else media
        zipped = gzip.compress(raw, 6, mtime=0) if len(raw) > _SMALL else None
        return cls(raw, zipped, media)

    def response(self, request: Request) -> Response:
        """The file, compressed for who accepts it."""
        headers = {
            "Cache-Control": _FOREVER,
            "Vary": "Accept-Encoding",
            "X-Content-Type-Options": "nosniff",
        }
        accepts = "gzip" in request.headers.get("accept-encoding", "")
        if self.zipped is None or not accepts:
            return Response(self.raw, media_type=self.media_type, headers=headers)
        headers["Content-Encoding"] = "gzip"
        return Response(self.zipped, media_type=self.media_type, headers=headers)


class Assets:
    """The pages' own files, and the plotly.min.js of the installed plotly package.

    ``root`` is the path under which they are served; it changes when any of them does, and with
    it every relative import between modules.
    """

    def __init__(self) -> None:
        self._files = {
            path.relative_to(_STATIC).as_posix(): path
            for path in sorted(_STATIC.rglob("*"))
            if path.is_file()
        }
        digest = hashlib.blake2b(digest_size=6)
        for name, path in self._files.items():
            digest.update(name.encode())
            digest.update(path.read_bytes())
        self.root = f"/static/{digest.hexdigest()}"
        self.plotly = f"/static/plotly-{importlib.metadata.version('plotly')}.min.js"
        self._read = functools.cache(Asset.read)

    def own(self, name: str, request: Request) -> Response:
        """One of the pages' own files, or 404."""
        path = self._files.get(name)
        return self._read(path).response(request) if path else Response(status_code=404)

    def warm(self) -> None:
        """Compress the drawing library before the first page asks for it (0.3 s)."""
        self._read(plotly_path())

    def plotly_response(self, request: Request) -> Response:
        """The drawing library; 4.8 MB of it go over the wire as 1.4."""
        return self._read(plotly_path()).response(request)


def plotly_path() -> Path:
    """Where the plotly package keeps plotly.min.js (found without importing the package).

    Raises:
        FileNotFoundError: the plotly package is not installed.
    """
    found = importlib.util.find_spec("plotly")
    if found is None or found.origin is None:
        raise FileNotFoundError("the plotly package is not installed; install '.[server]'")
    return Path(found.origin).parent / "package_data" / "plotly.min.js"
