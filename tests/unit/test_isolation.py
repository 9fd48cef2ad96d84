"""The rules of tests/conftest.py hold."""

import os
import socket
from pathlib import Path

import pytest


def test_a_connection_to_another_machine_is_refused() -> None:
    with socket.socket() as outside, pytest.raises(pytest.fail.Exception, match="loopback only"):
        outside.connect(("192.0.2.1", 80))


def test_a_name_of_another_machine_is_not_resolved() -> None:
    with pytest.raises(pytest.fail.Exception, match="loopback only"):
        socket.getaddrinfo("example.invalid", 80)


def test_home_is_a_temporary_folder(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Other tests may have left a cache in it, so it need not be empty."""
    assert Path.home().is_relative_to(tmp_path_factory.getbasetemp())


def test_keys_and_settings_are_hidden() -> None:
    assert not [name for name in os.environ if name.endswith("_API_KEY") or name.startswith(("POINTSMAN_", "XDG_"))]
