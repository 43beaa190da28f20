"""Ports of a stack beside others."""

import socket
import subprocess
import sys
import threading

import pytest

from streamgauge.clients.no_redirects import get_json
from streamgauge.local.servers import ports
from streamgauge.local.servers.ports import free_ports
from streamgauge.local.servers.service import answers


def test_they_differ_are_free_and_not_the_kernels_to_give_away():
    found = free_ports(11)
    assert len(set(found)) == 11
    first = int(ports.RANGE.read_text().split()[0]) if ports.RANGE.exists() else ports.USUAL_END
    for port in found:
        assert port < first
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", port))


@pytest.fixture
def only(monkeypatch, tmp_path):
    """Lets one port be all that there is to choose from."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    monkeypatch.setattr(ports, "LOWEST", port)
    monkeypatch.setattr(ports, "RANGE", tmp_path / "unknown")
    monkeypatch.setattr(ports, "USUAL_END", port + 1)
    return port


def test_one_that_is_taken_is_not_given(only):
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", only))
        with pytest.raises(OSError, match="no 1 ports free"):
            free_ports(1)
    assert free_ports(1) == [only]


def test_one_that_was_given_is_given_to_nobody_else_while_its_process_lives(only):
    claim = f"from streamgauge.local.servers.ports import _claim; _claim({only})"
    command = [sys.executable, "-c", f"import sys; {claim}; print(flush=True); sys.stdin.read()"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        other.stdout.readline()
        with pytest.raises(OSError, match="no 1 ports free"):
            free_ports(1)
        other.stdin.close()
    assert free_ports(1) == [only]


def test_a_server_of_another_protocol_does_not_answer_over_http():
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def greet():
            for _ in range(2):
                connection, _ = listener.accept()
                with connection:
                    connection.sendall(b"\0\0\x12\4\0\0\0\0\0\0\0\0\0")
                    connection.shutdown(socket.SHUT_WR)
                    while connection.recv(4096):
                        pass

        server = threading.Thread(target=greet)
        server.start()
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/metrics"
        assert not answers(url)
        with pytest.raises(OSError, match="no HTTP"):
            get_json(url)
        server.join()
