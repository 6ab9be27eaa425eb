"""A pytest plugin (on by itself once lambed is installed): the fixture `gateway`, to test Lambda handlers with.

    def test_hello(gateway):
        gateway.create_function("hello", runtime="python3.11", handler="app.handler", code="src/hello")
        result = gateway.invoke("hello", {"name": "Ada"})
        assert result.payload == {"greeting": "Hello Ada"}
        assert "Hello" in gateway.log_text("hello")

A test that fails shows what its functions logged. Override the fixture `gateway_options` to configure the gateway.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from lambed import Gateway

_GATEWAY = pytest.StashKey["Gateway"]()


@pytest.fixture
def gateway_options() -> dict[str, Any]:
    """Keyword arguments of lambed.Gateway; override it in a conftest.py or a test module."""
    return {}


@pytest.fixture
def gateway(request: pytest.FixtureRequest, gateway_options: dict[str, Any]) -> Iterator[Gateway]:
    """A lambed.Gateway of the test's own, closed after it. Its log is in memory: `gateway.logs()`, `gateway.log_text()`."""
    import lambed

    with lambed.Gateway(**{"log": "memory", **gateway_options}) as made:
        request.node.stash[_GATEWAY] = made
        yield made


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    made = item.stash.get(_GATEWAY, None)
    if made is not None and report.when == "call" and report.failed:
        try:
            text = made.log_text()
        except Exception:  # another log than the fixture's, or a forked test: the report is worth more
            text = ""
        if text:
            report.sections.append(("lambed log", text))
    return report
