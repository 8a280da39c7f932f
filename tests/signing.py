"""Certificates made on the spot by openssl, and a timestamp server, for tests that sign."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

PASSWORD = "se cret\"'$ö"

_AUTHORITY = """\
[ca]
default_ca = test
[test]
database = index.txt
serial = serial
new_certs_dir = .
default_md = sha256
policy = any
x509_extensions = code
[any]
commonName = supplied
[code]
extendedKeyUsage = codeSigning
[tsa]
serial = serial
signer_digest = sha256
default_policy = 1.2.3.4
digests = sha256
accuracy = secs:1
"""


@dataclass(frozen=True)
class Certificate:
    """A PKCS#12 file and its password."""

    path: Path
    password: str = PASSWORD

    @property
    def environ(self) -> dict[str, str]:
        """What tells aotwin about it."""
        return {
            "AOTWIN_SIGN_CERTIFICATE": str(self.path),
            "AOTWIN_SIGN_PASSWORD": self.password,
        }


def make_certificate(
    folder: Path, *, name: str = "Test signer", usage: str = "codeSigning", key: str = "rsa:2048",
    password: str = PASSWORD,
) -> Certificate:  # fmt: skip
    """A self-signed certificate with its key."""
    folder.mkdir(parents=True, exist_ok=True)
    options = ["-pkeyopt", "ec_paramgen_curve:P-256"] if key == "ec" else []
    _openssl(
        folder, "req", "-x509", "-newkey", key, *options, "-nodes", "-keyout", "key.pem",
        "-out", "certificate.pem", "-days", "30", "-subj", f"/CN={name}",
        "-addext", f"extendedKeyUsage={usage}",
    )  # fmt: skip
    return _bundle(folder, password)


def make_expired_certificate(folder: Path) -> Certificate:
    """A certificate that was valid in the year 2020."""
    make_certificate(folder, name="Old signer")
    (folder / "ca.cnf").write_text(_AUTHORITY)
    (folder / "index.txt").touch()
    (folder / "serial").write_text("01\n")
    request = ["-new", "-key", "key.pem", "-subj", "/CN=Old signer", "-out", "request.pem"]
    _openssl(folder, "req", *request)
    _openssl(
        folder, "ca", "-batch", "-config", "ca.cnf", "-selfsign", "-keyfile", "key.pem", "-notext",
        "-in", "request.pem", "-out", "certificate.pem", "-startdate", "20200101000000Z",
        "-enddate", "20201231000000Z",
    )  # fmt: skip
    return _bundle(folder, PASSWORD)


def osslsigncode(*arguments: str | Path, stdin: str = "") -> subprocess.CompletedProcess[str]:
    """Run osslsigncode itself, as somebody else would."""
    return subprocess.run(
        ["osslsigncode", *map(str, arguments)],
        input=stdin, capture_output=True, text=True, check=False,
    )  # fmt: skip


def sign_by_hand(certificate: Certificate, unsigned: Path, signed: Path, *options: str) -> Path:
    """Sign a file without aotwin."""
    result = osslsigncode(
        "sign", "-pkcs12", certificate.path, "-readpass", "/dev/stdin", "-h", "sha256", *options,
        "-in", unsigned, "-out", signed, stdin=certificate.password,
    )  # fmt: skip
    assert result.returncode == 0, result.stdout + result.stderr
    return signed


@contextmanager
def timestamp_server(folder: Path) -> Iterator[str]:
    """An RFC 3161 server on this machine; its URL."""
    make_certificate(folder, name="Test clock", usage="critical,timeStamping")
    (folder / "ca.cnf").write_text(_AUTHORITY)
    (folder / "serial").write_text("01\n")

    class Answer(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            length = int(self.headers["Content-Length"])
            (folder / "query").write_bytes(self.rfile.read(length))
            _openssl(
                folder, "ts", "-reply", "-config", "ca.cnf", "-section", "tsa", "-queryfile",
                "query", "-signer", "certificate.pem", "-inkey", "key.pem", "-out", "reply",
            )  # fmt: skip
            reply = (folder / "reply").read_bytes()
            self.send_response(200)
            self.send_header("Content-Type", "application/timestamp-reply")
            self.send_header("Content-Length", str(len(reply)))
            self.end_headers()
            self.wfile.write(reply)

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _bundle(folder: Path, password: str) -> Certificate:
    path = folder / "certificate.p12"
    _openssl(
        folder, "pkcs12", "-export", "-inkey", "key.pem", "-in", "certificate.pem",
        "-out", str(path), "-passout", "stdin", stdin=password + "\n",
    )  # fmt: skip
    return Certificate(path, password)


def _openssl(folder: Path, *arguments: str, stdin: str = "") -> None:
    result = subprocess.run(
        ["openssl", *arguments], cwd=folder, input=stdin, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
