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


def test_home_is_empty_and_keys_are_hidden() -> None:
    assert list(Path.home().iterdir()) == []
    assert not [name for name in os.environ if name.endswith("_API_KEY")]
