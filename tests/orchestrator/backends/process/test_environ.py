"""Of the host's variables a mesh gets those it needs and no other."""

from orchestrator.backends.process.environ import FIXED, KEPT, mesh_environ

HOSTILE = {
    "ALL_PROXY": "socks5://127.0.0.1:1",
    "HTTP_PROXY": "http://127.0.0.1:1",
    "LC_ALL": "xx_XX",
    "OTEL_PROPAGATORS": "none",
    "OTEL_SDK_DISABLED": "true",
    "OTEL_TRACES_SAMPLER": "always_off",
    "PYTHONDEVMODE": "1",
    "PYTHONTRACEMALLOC": "20",
    "SSL_CERT_FILE": "/no/cacert.pem",
    "WEB_CONCURRENCY": "2",
}


def test_variables_that_change_a_mesh_are_left_out() -> None:
    assert mesh_environ(HOSTILE) == FIXED


def test_where_python_is_found_and_where_spans_are_copied_stays() -> None:
    host = dict.fromkeys(KEPT, "x")
    assert mesh_environ(host | HOSTILE) == host | FIXED
