"""Requests that no well-bred client sends, as the bytes on the wire.

`CASES` maps a name to a `Request`: what is sent, and which answers are right. `None` stands for a connection that is
closed without one, which is what a server may do to bytes that are no HTTP.
"""

import gzip
import itertools
import zlib
from collections.abc import Callable
from dataclasses import dataclass

from tests.service.harness import BASE, KEY, picture

BAD = frozenset({400, 411, 413, 415, 417, 422, 431})
BAD_OR_CLOSED = BAD | {None}
PATH = BASE + "/restore-gen/async"
DELIMITER = b"--b\r\n"
IMAGE = b'Content-Disposition: form-data; name="image"; filename="a.png"\r\n\r\n'


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """The bytes of one connection, and the statuses that may come back."""

    data: bytes
    right: frozenset[int | None] = BAD
    is_cut: bool = False  # more is announced than is sent


def part(name: bytes, value: bytes, more: bytes = b"") -> bytes:
    return b'--b\r\nContent-Disposition: form-data; name="%b"\r\n%b\r\n%b\r\n' % (name, more, value)


def form(*parts: bytes) -> bytes:
    return b"".join(parts) + b"--b--\r\n"


MODEL = part(b"model", b"Faces")


def image(disposition: bytes = b'filename="a.png"', data: bytes | None = None) -> bytes:
    return b'--b\r\nContent-Disposition: form-data; name="image"; %b\r\n\r\n%b\r\n' % (disposition, data or picture())


def head(*lines: bytes, method: bytes = b"POST", path: str = PATH) -> bytes:
    first = b"%b %b HTTP/1.1\r\nHost: h\r\nX-API-Key: %b\r\nConnection: close\r\n" % (
        method,
        path.encode(),
        KEY.encode(),
    )
    return first + b"".join(line + b"\r\n" for line in lines) + b"\r\n"


def post(body: bytes, *lines: bytes, kind: bytes = b"multipart/form-data; boundary=b", path: str = PATH) -> bytes:
    return head(b"Content-Type: " + kind, b"Content-Length: %d" % len(body), *lines, path=path) + body


def chunked(body: bytes, *lines: bytes) -> bytes:
    return head(b"Content-Type: multipart/form-data; boundary=b", b"Transfer-Encoding: chunked", *lines) + body


def chunks(body: bytes, size: int) -> bytes:
    pieces = [body[at : at + size] for at in range(0, len(body), size)]
    return b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"


def setting(name: bytes, value: bytes) -> bytes:
    return post(form(MODEL, part(name, value), image()))


def estimate(body: bytes) -> bytes:
    return post(body, kind=b"application/json", path=BASE + "/estimate-bulk")


def _bad(data: bytes) -> Request:
    return Request(data=data)


def _cut(data: bytes) -> Request:
    return Request(data=data, right=BAD_OR_CLOSED, is_cut=True)


def _dropped(data: bytes) -> Request:
    return Request(data=data, right=BAD_OR_CLOSED)


GOOD = form(MODEL, image())
BOMB = gzip.compress(bytes(64 * 1024 * 1024))
DEEP = b"[" * 100_000 + b"]" * 100_000

FORMS: dict[str, Callable[[], Request]] = {
    "no body": lambda: _bad(post(b"")),
    "5,000 tiny parts": lambda: _bad(post(form(*[part(b"x%d" % at, b"") for at in range(5000)], image()))),
    "5,000 parts of one name": lambda: _bad(post(form(*[part(b"x", b"")] * 5000))),
    "part header without end": lambda: _bad(post(DELIMITER + b"X: " + b"y" * 300_000)),
    "part header of 10,000 lines": lambda: _bad(post(DELIMITER + b"X: y\r\n" * 10_000 + IMAGE)),
    "preamble of 2 MB": lambda: _bad(post(b"-" * 2_000_000)),
    "boundary with a tail": lambda: _bad(post(b"--bb\r\n" + IMAGE + picture() + b"\r\n--bb--")),
    "final boundary missing": lambda: _bad(post(MODEL + image())),
    "final boundary half there": lambda: _bad(post(MODEL + image() + b"--b-")),
    "closing boundary first": lambda: _bad(post(b"--b--\r\n" + MODEL + image())),
    "bare line feeds": lambda: _bad(post(GOOD.replace(b"\r\n", b"\n"))),
    "boundary of the header is another": lambda: _bad(post(GOOD, kind=b"multipart/form-data; boundary=c")),
    "no boundary": lambda: _bad(post(GOOD, kind=b"multipart/form-data")),
    "empty boundary": lambda: _bad(post(GOOD, kind=b"multipart/form-data; boundary=")),
    "empty quoted boundary": lambda: _bad(post(GOOD, kind=b'multipart/form-data; boundary=""')),
    "boundary of 5 KB": lambda: _bad(post(GOOD, kind=b"multipart/form-data; boundary=" + b"b" * 5000)),
    "boundary beyond ASCII": lambda: _bad(post(GOOD, kind=b"multipart/form-data; boundary=\xc3\xbc")),
    "boundary of dashes": lambda: _bad(post(b"----\r\n" * 1000, kind=b"multipart/form-data; boundary=--")),
    "two boundaries": lambda: _bad(post(GOOD, kind=b"multipart/form-data; boundary=c; boundary=b")),
    "nested multipart": lambda: _bad(
        post(form(part(b"image", form(part(b"image", picture())), b"Content-Type: multipart/mixed; boundary=b\r\n")))
    ),
    "multipart/mixed": lambda: _bad(post(GOOD, kind=b"multipart/mixed; boundary=b")),
    "urlencoded": lambda: _bad(post(b"model=Faces&image=x", kind=b"application/x-www-form-urlencoded")),
    "no content type": lambda: _bad(head(b"Content-Length: %d" % len(GOOD)) + GOOD),
    "content type of 6 KB": lambda: _bad(post(GOOD, kind=b"multipart/form-data;" + b" a=b;" * 1000)),
    "two content types": lambda: _bad(post(GOOD, b"Content-Type: text/plain", kind=b"text/plain")),
    "part of no disposition": lambda: _bad(post(DELIMITER + b"\r\n" + picture() + b"\r\n--b--")),
    "part of two names": lambda: _bad(post(form(MODEL, image(b'filename="a.png"; name="model"')))),
    "image twice": lambda: _bad(post(form(MODEL, image(), image()))),
    "model twice, in capitals": lambda: _bad(post(form(part(b"Model", b"Faces"), part(b"MODEL", b"x"), image()))),
    "empty name": lambda: _bad(post(form(part(b"", b"x"), MODEL, image()))),
    "unclosed quote": lambda: _bad(post(form(MODEL, image(b'filename="a.png')))),
    "backslash before the closing quote": lambda: _bad(post(form(MODEL, image(b'filename="a.png\\"')))),
    "50,000 backslashes in a name": lambda: _bad(post(form(MODEL, image(b'filename="' + b"\\" * 50_001 + b'"')))),
    "12,000 semicolons": lambda: _bad(post(form(MODEL, image(b";" * 12_000)))),
    "15,000 spaces in a parameter": lambda: _bad(post(form(MODEL, image(b"x" + b" " * 15_000)))),
    "filename of 5 KB": lambda: _bad(post(form(MODEL, image(b'filename="' + b"n" * 5000 + b'"')))),
    "filename of 14 KB percent signs": lambda: _bad(post(form(MODEL, image(b"filename*=utf-8''" + b"%41" * 4600)))),
    "line end in a filename": lambda: _bad(post(form(MODEL, image(b'filename="a\r\nX-Evil: 1\r\n.png"')))),
    "text of 70 KB": lambda: _bad(setting(b"reference_uri", b"x" * 70_000)),
    "text that is no UTF-8": lambda: _bad(setting(b"reference_uri", b"\xff\xfe\xfd")),
    "name that is no UTF-8": lambda: _bad(post(form(part(b"\xff", b"x"), image()))),
    "half a character": lambda: _bad(setting(b"reference_uri", b"\xed\xa0\x80")),
    "image as text": lambda: _bad(post(form(MODEL, part(b"image", b"../../../etc/passwd")))),
    "two sources": lambda: _bad(post(form(MODEL, image(), part(b"source_url", b"file:///etc/passwd")))),
    "source file:///etc/passwd": lambda: _bad(post(form(MODEL, part(b"source_url", b"file:///etc/passwd")))),
    "source gopher": lambda: _bad(post(form(MODEL, part(b"source_url", b"gopher://127.0.0.1:6379/_x")))),
    "source of 169.254.169.254": lambda: _bad(
        post(form(MODEL, part(b"source_url", b"http://169.254.169.254/latest/meta-data/")))
    ),
    "source_id that is a path": lambda: _bad(post(form(MODEL, part(b"source_id", b"../../journal.jsonl")))),
}

BOXES = b"iai_packed_metadata"
SETTINGS: dict[str, Callable[[], Request]] = {
    "boxes 30,000 deep": lambda: _bad(setting(BOXES, b"[" * 30_000 + b"]" * 30_000)),
    "boxes 30,000 deep in objects": lambda: _bad(setting(BOXES, b'{"a":' * 12_000 + b"1" + b"}" * 12_000)),
    "boxes NaN": lambda: _bad(setting(BOXES, b"[NaN,1,1,1,1]")),
    "boxes Infinity": lambda: _bad(setting(BOXES, b"[1e999,1,1,1,1]")),
    "boxes of huge numbers": lambda: _bad(setting(BOXES, b"[" + b"9" * 60_000 + b",1,1,1,1]")),
    "boxes of -1e308": lambda: _bad(setting(BOXES, b"[0,0,-1e308,-1e308,1]")),
    "boxes as a number": lambda: _bad(setting(BOXES, b"5")),
    "boxes as an object": lambda: _bad(setting(BOXES, b'{"box":[1,2,3,4]}')),
    "boxes of texts": lambda: _bad(setting(BOXES, b'["1","2","3","4","5"]')),
    "boxes with a surrogate": lambda: _bad(setting(BOXES, b'["\\ud800",2,3,4,5]')),
    "boxes of a score of 2": lambda: _bad(setting(BOXES, b"[1,1,1,1,2]")),
    "boxes in a text in a text": lambda: _bad(setting(BOXES, b'"\\"[1,1,1,1,1]\\""')),
    "strength in Arabic digits": lambda: _bad(setting(b"output_width", "\N{ARABIC-INDIC DIGIT TWO}00".encode())),
    "strength NaN": lambda: _bad(setting(b"strength", b"nan")),
    "strength inf": lambda: _bad(setting(b"strength", b"-inf")),
    "strength with a tail": lambda: _bad(setting(b"strength", b"1.0; DROP TABLE")),
    "width -1": lambda: _bad(setting(b"output_width", b"-1")),
    "width 0": lambda: _bad(setting(b"output_width", b"0")),
    "width 1e9": lambda: _bad(setting(b"output_width", b"1e9")),
    "width of 60,000 digits": lambda: _bad(setting(b"output_width", b"9" * 60_000)),
    "width 0x10": lambda: _bad(setting(b"output_width", b"0x10")),
    "width over a NUL": lambda: _bad(setting(b"output_width", b"10\x00")),
    "32,000 x 32,000": lambda: _bad(
        post(form(MODEL, part(b"output_width", b"32000"), part(b"output_height", b"32000"), image()))
    ),
    "grain model that is a path": lambda: _bad(setting(b"grain_model", b"../../silver")),
    "format svg": lambda: _bad(setting(b"output_format", b"svg")),
    "model of 60 KB": lambda: _bad(post(form(part(b"model", b"F" * 60_000), image()))),
    "estimates 100,000 deep": lambda: _bad(estimate(DEEP)),
    "estimates that are no list": lambda: _bad(estimate(b'{"a":1}')),
    "estimates that are no JSON": lambda: _bad(estimate(b"\xff\xfe")),
    "a million estimates": lambda: _bad(estimate(b"[" + b"1," * 400_000 + b"1]")),
    "estimate of 2 MB": lambda: _bad(estimate(b" " * 2_000_000 + b"[]")),
}

WIRE: dict[str, Callable[[], Request]] = {
    "gzip bomb as a form": lambda: _bad(post(BOMB, b"Content-Encoding: gzip")),
    "gzip bomb as JSON": lambda: _bad(
        post(BOMB, b"Content-Encoding: gzip", kind=b"application/json", path=BASE + "/estimate")
    ),
    "deflate bomb": lambda: _bad(post(zlib.compress(bytes(64 * 1024 * 1024)), b"Content-Encoding: deflate")),
    "gzip bomb in a gzip bomb": lambda: _bad(post(gzip.compress(BOMB), b"Content-Encoding: gzip, gzip")),
    "gzip cut short": lambda: _bad(post(gzip.compress(GOOD)[:-20], b"Content-Encoding: gzip")),
    "content encoding nobody knows": lambda: _bad(post(GOOD[::-1], b"Content-Encoding: x-compress")),
    "content length too long": lambda: _cut(
        head(b"Content-Type: multipart/form-data; boundary=b", b"Content-Length: 90000") + GOOD
    ),
    "content length too short": lambda: _bad(
        head(b"Content-Type: multipart/form-data; boundary=b", b"Content-Length: 20") + GOOD
    ),
    "content length -1": lambda: _dropped(head(b"Content-Length: -1") + GOOD),
    "content length +5": lambda: _dropped(head(b"Content-Length: +5") + GOOD),
    "content length in Arabic digits": lambda: _dropped(
        head("Content-Length: \N{ARABIC-INDIC DIGIT FIVE}".encode()) + GOOD
    ),
    "content length 2^64": lambda: _dropped(head(b"Content-Length: 18446744073709551616") + GOOD),
    "content length of 5,000 digits": lambda: _dropped(head(b"Content-Length: " + b"9" * 5000) + GOOD),
    "content length of 600 MB": lambda: _bad(
        head(b"Content-Type: multipart/form-data; boundary=b", b"Content-Length: 600000000")
    ),
    "two content lengths": lambda: _dropped(post(GOOD, b"Content-Length: 3")),
    "both length and chunked": lambda: _dropped(post(chunks(GOOD, 100), b"Transfer-Encoding: chunked")),
    "transfer encoding, a space before the colon": lambda: _dropped(
        post(chunks(GOOD, 100), b"Transfer-Encoding : chunked")
    ),
    "transfer encoding twice": lambda: _dropped(chunked(chunks(GOOD, 100), b"Transfer-Encoding: identity")),
    "transfer encoding gzip": lambda: _dropped(head(b"Transfer-Encoding: gzip") + GOOD),
    "transfer encoding xchunked": lambda: _dropped(head(b"Transfer-Encoding: xchunked") + chunks(GOOD, 9)),
    "chunk size that is none": lambda: _dropped(chunked(b"zz\r\nhello\r\n0\r\n\r\n")),
    "chunk size negative": lambda: _dropped(chunked(b"-5\r\nhello\r\n0\r\n\r\n")),
    "chunk size 2^64": lambda: _dropped(chunked(b"10000000000000000\r\nhello\r\n0\r\n\r\n")),
    "chunk size 0x5": lambda: _dropped(chunked(b"0x5\r\nhello\r\n0\r\n\r\n")),
    "chunk without its line end": lambda: _dropped(chunked(b"5\r\nhelloX\r\n0\r\n\r\n")),
    "chunk extension of 100 KB": lambda: _dropped(chunked(b"5;" + b"x" * 100_000 + b"\r\nhello\r\n0\r\n\r\n")),
    "chunked, cut off": lambda: _cut(chunked(chunks(GOOD, 50)[:200])),
    "chunked, bytes of 1": lambda: _bad(chunked(chunks(MODEL * 40, 1))),
    "trailer of 100 KB": lambda: _dropped(chunked(chunks(MODEL, 50)[:-2] + b"X: " + b"y" * 100_000 + b"\r\n\r\n")),
    "header line of 100 KB": lambda: _dropped(post(GOOD, b"X: " + b"y" * 100_000)),
    "50,000 header lines": lambda: _dropped(post(GOOD, *[b"X%d: y" % at for at in range(50_000)])),
    "header name with a space": lambda: _dropped(post(GOOD, b"X Y: z")),
    "header without a colon": lambda: _dropped(post(GOOD, b"nothing")),
    "header with a NUL": lambda: _dropped(post(GOOD, b"X: a\0b")),
    "folded header": lambda: _dropped(post(form(MODEL), b"X: a\r\n b")),
    "bare return in a header": lambda: _dropped(post(form(MODEL), b"X: a\rX-API-Key: b")),
    "path of 100 KB": lambda: _dropped(head(method=b"GET", path="/" + "x" * 100_000)),
    "path with a NUL": lambda: _dropped(b"GET /a\0b HTTP/1.1\r\nHost: h\r\n\r\n"),
    "path beyond ASCII": lambda: Request(data=head(method=b"GET", path="/\u00fc"), right=BAD_OR_CLOSED | {404}),
    "path climbing": lambda: Request(
        data=head(method=b"GET", path="/files/inputs/../../../etc/passwd"), right=frozenset({400, 403, 404})
    ),
    "path climbing, encoded": lambda: Request(
        data=head(method=b"GET", path="/files/inputs/%2e%2e%2f%2e%2e%2fetc%2fpasswd?expires=9&signature=0"),
        right=frozenset({400, 403, 404}),
    ),
    "absolute path": lambda: Request(
        data=head(method=b"GET", path="http://evil/health"), right=BAD_OR_CLOSED | {200, 404}
    ),
    "id of a path": lambda: Request(
        data=head(method=b"GET", path=BASE + "/status/..%2f..%2fkeys.json"), right=frozenset({400, 404})
    ),
    "id with a surrogate": lambda: Request(
        data=head(method=b"GET", path=BASE + "/status/%ed%a0%80"), right=frozenset({400, 404})
    ),
    "method of 5 KB": lambda: _dropped(head(method=b"M" * 5000)),
    "method CONNECT": lambda: Request(
        data=head(method=b"CONNECT", path="evil:443"), right=BAD_OR_CLOSED | {401, 404, 405}
    ),
    "method TRACE": lambda: Request(data=head(method=b"TRACE", path=PATH), right=BAD | {405}),
    "HTTP/9.9": lambda: Request(data=b"GET /health HTTP/9.9\r\nHost: h\r\n\r\n", right=BAD_OR_CLOSED | {200, 505}),
    "HTTP/0.9": lambda: _dropped(b"GET /health\r\n\r\n"),
    "HTTP/2 preface": lambda: _dropped(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
    "TLS greeting": lambda: _dropped(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(500)),
    "noise": lambda: _dropped(bytes(itertools.islice(itertools.cycle(range(1, 250, 7)), 5000))),
    "zeros": lambda: _dropped(bytes(50_000)),
    "expect nobody knows": lambda: _bad(post(GOOD, b"Expect: the-spanish-inquisition")),
    "upgrade to websocket": lambda: Request(
        data=head(
            b"Upgrade: websocket", b"Connection: Upgrade", b"Sec-WebSocket-Key: x", method=b"GET", path="/health"
        ),
        right=BAD_OR_CLOSED | {200},
    ),
    "cursor in Arabic digits": lambda: _bad(head(method=b"GET", path=BASE + "/status?paginated=true&cursor=%D9%A1")),
    "cursor of 5,000 digits": lambda: _bad(
        head(method=b"GET", path=BASE + "/status?paginated=true&cursor=" + "9" * 5000)
    ),
    "cursor negative": lambda: _bad(head(method=b"GET", path=BASE + "/status?paginated=true&cursor=-1")),
    "limit 10^15": lambda: _bad(head(method=b"GET", path=BASE + "/status?paginated=true&limit=" + "9" * 15)),
    "5,000 query parameters": lambda: Request(
        data=head(method=b"GET", path=BASE + "/status?" + "a=b&" * 1500), right=BAD_OR_CLOSED | {200}
    ),
}

CASES = {**FORMS, **SETTINGS, **WIRE}

# Filenames that are kept as they are, or refused; never a path, a header or half a line of JSON.
FILENAMES = (
    b"../../../../etc/passwd",
    b"..\\..\\windows\\system32\\x.png",
    b"/etc/passwd",
    b"C:\\x.png",
    b"\\\\host\\share\\x.png",
    b"con.png",
    b"nul",
    b"aux.tif:stream",
    b".",
    b"..",
    b"",
    b" ",
    b"a\0b.png",
    b"a\nb.png",
    b"a\rb.png",
    b"a\x7fb\x1b[31m.png",
    b'a%22; name=\\"model\\".png',
    b"<script>alert(1)</script>.png",
    b"$(touch owned).png",
    b"'; DROP TABLE jobs; --.png",
    b"%s%n%x.png",
    b"{0.__class__}.png",
    "\u202egnp.exe".encode(),
    "a\u0000\u200b\ufeff.png".encode(),
    "\U0001f600.png".encode(),
    b"\xed\xa0\x80.png",
    b"\xff\xfe.png",
    b"n" * 1024,
)
