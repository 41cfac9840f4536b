"""What a service is told is checked, whoever tells it."""

import dataclasses
import re
import tomllib
from ipaddress import ip_network
from pathlib import Path

import pytest

from engine.errors import UsageError
from engine.service.key import KeyLimits
from engine.service.settings import ServiceSettings, Tls
from engine.service.settings_file import ServiceFile, load_service_settings

SHIPPED = Path(__file__).parents[2] / "config" / "service.toml"
KEYS = frozenset({"a-key-for-tests"})


def load(options=None, file=None) -> ServiceSettings:
    return load_service_settings(options or {}, file, folder=Path("here"), keys=KEYS)


def test_the_shipped_file_says_the_defaults():
    """config/service.toml lists each setting with its true default; those without one are commented out."""
    text = SHIPPED.read_text()
    assert load(file=SHIPPED) == load()
    commented = set(re.findall(r"^# (\w+) = ", text, re.MULTILINE))
    assert commented == {name for name, field in ServiceFile.model_fields.items() if field.default is None}
    assert ServiceFile.model_fields.keys() == commented | tomllib.loads(text).keys()


def test_what_is_commented_out_is_valid():
    """Without the # each line is taken."""
    told = tomllib.loads(re.sub(r"^# (?=\w+ = )", "", SHIPPED.read_text(), flags=re.MULTILINE))
    settings = ServiceFile.model_validate(told).settings(folder=Path("here"), keys=KEYS, simulation=None)
    assert settings.tls == Tls(certificate=Path("/etc/face-recovery/cert.pem"), key=Path("/etc/face-recovery/key.pem"))
    expected = KeyLimits(rate_per_s=50.0, burst=100.0, max_unfinished_jobs=10_000, max_stored_bytes=100_000_000_000)
    assert settings.limits == expected


def test_the_defaults_are_the_services_own():
    """A file that says nothing means what a service means that is told nothing; the port alone is a fixed one here."""
    bare = ServiceSettings(folder=Path("here"), keys=KEYS)
    assert dataclasses.replace(load(), port=0) == bare
    assert load().port == 8300


def test_every_setting_is_told():
    """What an operator may set is in the file; the rest is what `serve` finds out by itself."""
    own = {"folder", "keys", "worker_command", "simulation", "retention_s", "limits", "tls"}
    here = {"retention_days", "tls_certificate", "tls_key", *KeyLimits.__slots__}
    settings = {field.name for field in dataclasses.fields(ServiceSettings)}
    assert settings - own == ServiceFile.model_fields.keys() - here


def test_options_beat_the_file(tmp_path):
    """What an option says counts, what it leaves out comes from the file, and texts mean what TOML means."""
    file = tmp_path / "s.toml"
    file.write_text('port = 1\ndrain_s = 5\nretention_days = 0.5\nallowed_networks = ["10.0.0.0/8"]\nworkers = 3')
    read = load({"port": None, "allowed_networks": None}, file)
    assert (read.port, read.drain_s, read.retention_s, read.workers) == (1, 5.0, 43_200.0, 3)
    assert read.allowed_networks == (ip_network("10.0.0.0/8"),)
    options = {"port": 2, "drain_s": "7.5", "admin_port": "9", "allowed_networks": ["fd00::/8", "192.168.1.0/24"]}
    asked = load(options, file)
    assert (asked.port, asked.drain_s, asked.admin_port, asked.workers) == (2, 7.5, 9, 3)
    assert asked.allowed_networks == (ip_network("fd00::/8"), ip_network("192.168.1.0/24"))


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("port", "65536", "--port: 65536 should be less than or equal to 65535"),
        ("workers", "257", "--workers: 257 should be less than or equal to 256"),
        ("drain_s", "soon", "--drain-s: soon should be a valid number"),
        ("drain_s", "-1", "--drain-s: -1 should be greater than or equal to 0"),
        ("admin_port", "x", "--admin-port: x should be a valid integer"),
        ("public_url", "faces.example.org", "--public-url: faces.example.org is not http:// or https://"),
        ("public_url", "https://faces.example.org/", "--public-url: https://faces.example.org/ is not http://"),
        ("public_url", "https://a:secret@b", "--public-url: the value must not hold a password"),
        ("allowed_networks", ["10.0.0.1/8"], "--allow-network: 10.0.0.1/8 is no network"),
        ("allowed_networks", ["inside"], "--allow-network: inside is no network"),
        ("tls_certificate", "c.pem", "tls_certificate and tls_key (--tls-cert, --tls-key) go together"),
        ("tls_key", "k.pem", "tls_certificate and tls_key (--tls-cert, --tls-key) go together"),
    ],
)
def test_a_bad_option_is_one_clear_line(name, value, words):
    """The error names the option, the value and what would be right."""
    with pytest.raises(UsageError) as refused:
        load({name: value})
    assert str(refused.value).startswith(words)
    assert "\n" not in str(refused.value)
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("prot = 1", "prot in {}: there is no such setting"),
        ('keys = ["k"]', "keys in {}: there is no such setting"),
        ("max_upload_bytes = 500000001", "max_upload_bytes in {}: 500000001 should be less than or equal to 500000000"),
        ("worker_memory_bytes = 3", "worker_memory_bytes in {}: 3 should be greater than or equal to 1000000000"),
        ("retention_days = nan", "retention_days in {}: nan should be"),
        ("port = ", "settings file {} is not TOML"),
        ("host = \xe9", "settings file {} is not TOML"),
    ],
)
def test_a_bad_file_is_one_clear_line(text, words, tmp_path):
    """So is what is wrong with a file, and the error names it."""
    file = tmp_path / "s.toml"
    file.write_bytes(text.encode("latin-1"))
    with pytest.raises(UsageError) as refused:
        load(file=file)
    assert str(refused.value).startswith(words.format(file))
    assert "\n" not in str(refused.value)


def test_a_file_that_is_not_there(tmp_path):
    """It is named."""
    with pytest.raises(UsageError, match=r"s\.toml can't be read: No such file"):
        load(file=tmp_path / "s.toml")
