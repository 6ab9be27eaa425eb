"""Errors of a call: one class for each row of the core's table."""

import pickle

import pytest

import lambed
from lambed import _native, errors


def test_the_classes_mirror_the_table_of_the_core():
    table = _native.error_table()
    assert len(table) > 20
    for name, status, _, fault in table:
        made = getattr(errors, name)
        assert issubclass(made, errors.Error)
        assert (made.name, made.http_status, made.fault, made.__name__) == (name, status, fault, name)
        assert made.__doc__ and errors.error_class(name) is made
    assert {c.__name__ for c in errors.Error.__subclasses__()} == {name for name, *_ in table}


def test_an_error_carries_what_aws_says(gateway):
    with pytest.raises(errors.ResourceNotFoundException) as caught:
        gateway.invoke("nowhere")
    error = caught.value
    assert str(error) == error.message
    assert error.message == "Function not found: arn:aws:lambda:us-east-1:123456789012:function:nowhere:$LATEST"
    assert (error.http_status, error.name, error.reason) == (404, "ResourceNotFoundException", "")
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is type(error) and again.message == error.message


def test_each_call_raises_its_own(gateway, create):
    create("hello", "def handler(event, context): return 1")
    with pytest.raises(errors.ResourceConflictException):
        create("hello", "def handler(event, context): return 1")
    with pytest.raises(errors.InvalidParameterValueException):
        create("other", "", runtime="cobol1")
    with pytest.raises(errors.Error):
        create("other", "", memory=1)
    with pytest.raises(errors.RequestEntityTooLargeException):
        gateway.invoke("hello", "x" * 7_000_000)
    with pytest.raises(errors.PreconditionFailedException):
        gateway.update_function_code("hello", lambed.Code.inline("x"), revision_id="another")
    for call in (gateway.get_function_configuration, gateway.usage, gateway.delete_function, gateway.list_versions):
        with pytest.raises(errors.ResourceNotFoundException):
            call("nowhere")
    for wrong in ({"isolation": "proces"}, {"log_format": "json"}):
        with pytest.raises(ValueError, match="must be"):
            create("other", "", **wrong)
    with pytest.raises(TypeError, match="no argument 'qualifer'"):
        gateway.invoke("hello", qualifer="live")
    with pytest.raises(FileNotFoundError):
        lambed.Code.zip("/nonexistent/code.zip")
    for wrong in ({"quotas": "modern"}, {"log": "printer"}):
        with pytest.raises(ValueError):
            lambed.Gateway(**wrong)


def test_a_closed_gateway_says_so(create, gateway):
    create("hello", "def handler(event, context): return 1")
    gateway.close()
    gateway.close()
    with pytest.raises(errors.GatewayClosed):
        gateway.invoke("hello")


def test_a_missing_ruby_is_named_with_its_package(run_python):
    said = run_python(
        """
        import lambed
        with lambed.Gateway(log="none", host_options={"ruby": {"interpreter": "/nonexistent/ruby"}}) as gateway:
            gateway.create_function("f", runtime="ruby3.2", handler="app.handler",
                                    code=lambed.Code.inline("def handler(event:, context:) = 1"))
            try:
                gateway.invoke("f")
            except lambed.errors.HostUnavailable as error:
                print(error)
        """
    )
    assert "/nonexistent/ruby" in said and "apt install ruby" in said


def test_a_missing_node_plugin_is_named_with_its_package(run_python, package, tmp_path):
    """A machine without libnode when lambed was installed: the plugin was not built."""
    import shutil

    shutil.copytree(package, tmp_path / "lambed")
    for plugin in (tmp_path / "lambed/lib/lambed").glob("liblambed_host_nodejs*"):
        plugin.unlink()
    said = run_python(
        """
        import asyncio, lambed
        with lambed.Gateway(log="none") as gateway:
            gateway.create_function("f", runtime="nodejs20.x", handler="app.handler",
                                    code=lambed.Code.inline("exports.handler = async () => 1"))
            for call in (gateway.invoke, lambda name: asyncio.run(gateway.ainvoke(name))):
                try:
                    call("f")
                except lambed.errors.HostUnavailable as error:
                    print(error)
        """
    )
    assert said.count("apt install libnode-dev") == 2
