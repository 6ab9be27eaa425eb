"""Networks that functions are put into, and what they may reach. Nothing is sent: UDP sockets are connected only."""

import textwrap

import pytest

import lambed
from lambed import VpcConfig, errors

NETWORKS = {
    "Vpcs": [
        {
            "VpcId": "vpc-1",
            "Subnets": [{"SubnetId": "subnet-1", "CidrBlock": "10.123.9.0/24"}],
            "SecurityGroups": [{"GroupId": "sg-1", "IpPermissionsEgress": []}],
        }
    ]
}
INSIDE = VpcConfig(["subnet-1"], ["sg-1"])
CALLER = """
    import socket
    def handler(event, context):
        try:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s: s.connect(("192.0.2.1", 9))
        except OSError as error: return error.errno
"""


def test_a_function_is_put_into_a_network_whose_group_lets_nothing_out():
    with lambed.Gateway(log="none", networks=NETWORKS) as gateway:
        made = gateway.create_function(
            "f",
            runtime="python3.11",
            handler="app.handler",
            code=lambed.Code.inline(textwrap.dedent(CALLER)),
            isolation="process",
            vpc_config=INSIDE,
        )
        assert made.vpc_config == VpcConfig(["subnet-1"], ["sg-1"], False, "vpc-1")
        assert gateway.invoke("f").unwrap() == 1
        with pytest.raises(errors.InvalidParameterValueException, match="'subnet-2' does not exist"):
            gateway.update_function_configuration("f", vpc_config=VpcConfig(["subnet-2"], ["sg-1"]))
        assert gateway.update_function_configuration("f", description="d").vpc_config == made.vpc_config
        assert gateway.update_function_configuration("f", vpc_config=VpcConfig()).vpc_config == VpcConfig()


def test_a_function_inside_the_process_has_its_network():
    with (
        lambed.Gateway(log="none", networks=NETWORKS) as gateway,
        pytest.raises(errors.InvalidParameterValueException, match="isolation 'process'"),
    ):
        gateway.create_function("f", code=lambda event, context: None, vpc_config=INSIDE)


@pytest.mark.parametrize("networks", [{}, {"Vpcs": [{"VpcId": "v", "Subnets": [{"SubnetId": "s", "CidrBlock": "10.0.0.1/24"}]}]}])
def test_what_cannot_be_a_network_makes_no_gateway(networks):
    with pytest.raises(errors.InvalidParameterValueException):
        lambed.Gateway(log="none", networks=networks)
