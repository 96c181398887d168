"""The worker as a server process: TLS of its own, its signals, and the address of its metrics."""

import datetime as dt
import signal
import socket
import ssl
from contextlib import closing

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.support.until import until
from tests.support.worker_process import ADMIN, worker_process
from workflow_studio.worker import tls
from workflow_studio.worker.check import check
from workflow_studio.worker.settings import load_settings

pytestmark = pytest.mark.node


def certify(folder, name="localhost", days=30, password=None):
    """Write a certificate of its own and its key; return it."""
    folder.mkdir(exist_ok=True)
    key = ec.generate_private_key(ec.SECP256R1())
    who = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(who)
        .issuer_name(who)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=60))
        .not_valid_after(now + dt.timedelta(days=days, hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    hidden = serialization.BestAvailableEncryption(password) if password else serialization.NoEncryption()
    pem, pkcs8 = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    (folder / "cert.pem").write_bytes(certificate.public_bytes(pem))
    (folder / "key.pem").write_bytes(key.private_bytes(pem, pkcs8, hidden))
    return certificate


def settings_of(folder):
    return {"TLS_CERTIFICATE": str(folder / "cert.pem"), "TLS_KEY": str(folder / "key.pem")}


def given_settings(folder, **more):
    return load_settings(tls_certificate=folder / "cert.pem", tls_key=folder / "key.pem", **more)


def presented(url):
    host, port = url.removeprefix("https://").split(":")
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with closing(context.wrap_socket(socket.create_connection((host, int(port)), timeout=20))) as connection:
        return x509.load_der_x509_certificate(connection.getpeercert(binary_form=True))


def status(url, key="", **options):
    return httpx.get(url, headers={"authorization": f"Bearer {key}"} if key else {}, **options).status_code


def connection_headers(url):
    headers = httpx.get(url).headers
    return headers.get("connection"), headers.get("keep-alive")


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return taken.getsockname()[1]


async def test_a_worker_speaks_https_by_itself_and_reads_a_renewed_certificate_on_sighup(tmp_path):
    first = certify(tmp_path / "tls")
    with worker_process(tmp_path, REQUIRE_HTTPS="true", **settings_of(tmp_path / "tls")) as worker:
        context = ssl.create_default_context(cafile=tmp_path / "tls/cert.pem")
        url = worker.url.replace("127.0.0.1", "localhost")
        assert status(f"{url}/v1/keys/current", ADMIN, verify=context) == 200
        assert presented(worker.url) == first
        (tmp_path / "tls/cert.pem").write_text("not a certificate")
        worker.process.send_signal(signal.SIGHUP)
        await until(lambda: "stays as it was" in worker.log.read_text())
        assert presented(worker.url) == first
        second = certify(tmp_path / "tls")
        worker.process.send_signal(signal.SIGHUP)
        await until(lambda: presented(worker.url) == second)
        worker.process.terminate()
        assert worker.process.wait(timeout=20) == 0


async def test_a_worker_that_was_told_to_stop_answers_for_a_while_and_says_that_it_is_not_ready(tmp_path):
    with worker_process(tmp_path, SHUTDOWN_DELAY="60", SHUTDOWN_GRACE="1") as worker:
        assert status(f"{worker.url}/v1/health/ready") == 200
        assert connection_headers(f"{worker.url}/v1/health") == (None, "timeout=75")
        worker.process.send_signal(signal.SIGTERM)
        await until(lambda: status(f"{worker.url}/v1/health/ready") == 503)
        assert connection_headers(f"{worker.url}/v1/health")[0] == "close", "the next request goes elsewhere"
        assert status(f"{worker.url}/v1/keys/current", ADMIN) == 200
        worker.process.send_signal(signal.SIGTERM)  # a second one does not wait
        assert worker.process.wait(timeout=20) == -signal.SIGTERM


def test_metrics_have_an_address_of_their_own_that_needs_no_key_and_shows_nothing_else(tmp_path):
    port = free_port()
    with worker_process(tmp_path, METRICS_ADDRESS=f"127.0.0.1:{port}") as worker:
        apart = f"http://127.0.0.1:{port}"
        assert "workflow_studio_ready 1.0" in httpx.get(f"{apart}/metrics").text
        assert httpx.get(f"{apart}/v1/executors").status_code == 404
        assert httpx.get(f"{worker.url}/metrics").status_code == 401


@pytest.mark.parametrize("wrong", ["127.0.0.1", "9464", ":9464", "host:port", "a b:1"])
def test_an_address_of_metrics_names_host_and_port(wrong):
    with pytest.raises(ValueError, match="must be host:port"):
        load_settings(metrics_address=wrong)


def test_a_certificate_needs_its_key(tmp_path):
    with pytest.raises(ValueError, match="must be set together"):
        load_settings(tls_certificate=tmp_path / "cert.pem")


def test_a_key_of_another_certificate_is_refused_and_one_that_is_encrypted_needs_its_password(tmp_path):
    certify(tmp_path / "a", password=b"the-password")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with pytest.raises(tls.TlsError, match="cannot be used together"):
        tls.load(context, given_settings(tmp_path / "a"))
    tls.load(context, given_settings(tmp_path / "a", tls_key_password="the-password"))
    certify(tmp_path / "b")
    (tmp_path / "a/key.pem").write_bytes((tmp_path / "b/key.pem").read_bytes())
    with pytest.raises(tls.TlsError, match="cannot be used together"):
        tls.load(context, given_settings(tmp_path / "a"))
    (tmp_path / "a/key.pem").unlink()
    with pytest.raises(tls.TlsError, match="cannot be read"):
        tls.load(context, given_settings(tmp_path / "a"))


@pytest.mark.parametrize(("days", "found"), [(30, None), (5, "in 5 days"), (-3, "has expired")])
def test_a_certificate_that_ends_soon_is_found_before_the_start(tmp_path, days, found):
    certify(tmp_path / "tls", days=days)
    options = {"tls_certificate": tmp_path / "tls/cert.pem", "tls_key": tmp_path / "tls/key.pem"}
    report = check(None, {"data_dir": tmp_path, "port": 0, **options})
    said = [finding.message for finding in report.findings if finding.code == "certificate_expires"]
    assert [found in message for message in said] == ([True] if found else [])
    assert report.facts["tlsDaysLeft"] == days
