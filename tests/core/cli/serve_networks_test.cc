// `lambed serve --isolation process`: what functions reach, on this machine and out of a VPC.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <boost/test/unit_test.hpp>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>

#include "core/cli/served_program.h"
#include "core/cli/temporary_folder.h"

using namespace lambed::testing;
using nlohmann::json;
namespace http = lambed::http;

namespace {

// Sends nothing: connecting a UDP socket only asks which address is one's own on the way there.
constexpr char kCaller[] = R"(import socket

def attempt(kind, address, port):
    with socket.socket(socket.AF_INET, kind) as s:
        s.settimeout(5)
        try:
            s.connect((address, port))
            return s.getsockname()[0]
        except OSError as error:
            return error.__class__.__name__ + ' ' + str(error.errno)

def handler(event, context):
    return [attempt(socket.SOCK_STREAM if kind == 'tcp' else socket.SOCK_DGRAM, address, port)
            for kind, address, port in event.get('calls', [])]
)";

constexpr char kNetworks[] = R"({"Vpcs": [{"VpcId": "vpc-1",
  "Subnets": [{"SubnetId": "subnet-small", "CidrBlock": "10.123.1.0/28"}],
  "SecurityGroups": [{"GroupId": "sg-one", "IpPermissionsEgress": [
    {"IpProtocol": "udp", "FromPort": 443, "ToPort": 443, "IpRanges": [{"CidrIp": "192.0.2.0/24"}]}]}]}]})";

class Listener {
 public:
  Listener() : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in here{};
    here.sin_family = AF_INET;
    here.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof here;
    BOOST_REQUIRE(::bind(socket_, reinterpret_cast<sockaddr*>(&here), size) == 0);
    BOOST_REQUIRE(::listen(socket_, 16) == 0);
    ::getsockname(socket_, reinterpret_cast<sockaddr*>(&here), &size);
    port_ = ntohs(here.sin_port);
  }
  ~Listener() { ::close(socket_); }
  int port() const { return port_; }

 private:
  const int socket_;
  int port_ = 0;
};

void create(const ServedProgram& server, const json& more = json::object()) {
  json request = create_request("caller", kCaller);
  request.update(more);
  const auto made = ask(server.port(), "POST", kFunctions, request.dump());
  BOOST_REQUIRE_MESSAGE(made.status == 201, made.body);
}

std::string first_answer(const ServedProgram& server, const char* kind, const char* address, int port) {
  const http::Response answer =
      server.invoke("caller", json{{"calls", json::array({{kind, address, port}})}}.dump());
  const json document = json::parse(answer.body, nullptr, false);
  return document.is_array() && !document.empty() ? document[0].get<std::string>() : answer.body;
}

const json kInVpc = {{"VpcConfig", {{"SubnetIds", {"subnet-small"}}, {"SecurityGroupIds", {"sg-one"}}}}};

}  // namespace

BOOST_AUTO_TEST_SUITE(program_serve_networks)

BOOST_AUTO_TEST_CASE(a_function_reaches_what_listens_on_the_machine_only_when_that_is_allowed) {
  const Listener listener;
  {
    ServedProgram server({"--isolation", "process"});
    create(server);
    const std::string refused = first_answer(server, "tcp", "127.0.0.1", listener.port());
    BOOST_TEST((refused == "ConnectionRefusedError 111" || refused == "PermissionError 1"), refused);
  }
  ServedProgram server({"--isolation", "process", "--allow-host-loopback"});
  create(server);
  BOOST_TEST(first_answer(server, "tcp", "127.0.0.1", listener.port()) == "127.0.0.1");
}

BOOST_AUTO_TEST_CASE(a_function_in_a_vpc_has_an_address_of_its_subnet_and_the_rules_of_its_group) {
  const TemporaryFolder folder;
  ServedProgram server({"--isolation", "process", "--networks", folder.file("networks.json", kNetworks)});
  create(server, kInVpc);
  if (::geteuid() == 0 && std::filesystem::exists("/dev/net/tun"))
    BOOST_TEST(first_answer(server, "udp", "192.0.2.1", 443).starts_with("10.123.1."));
  BOOST_TEST(first_answer(server, "udp", "192.0.2.1", 444) == "PermissionError 1");
  BOOST_TEST(first_answer(server, "tcp", "192.0.2.1", 443) == "PermissionError 1");
  BOOST_TEST(first_answer(server, "tcp", "10.123.1.9", 443) == "OSError 113");
}

BOOST_AUTO_TEST_CASE(a_subnet_without_addresses_left_answers_as_aws_does_until_one_is_given_back) {
  const TemporaryFolder folder;
  ServedProgram server({"--isolation", "process", "--networks", folder.file("networks.json", kNetworks)});
  create(server, kInVpc);
  constexpr int kAddresses = 11;
  const std::string function = std::string(kFunctions) + "/caller";
  BOOST_REQUIRE(eventually([&] {
    return ask(server.port(), "POST", function + "/versions", "{}").status == 201;  // once it is active
  }));
  const std::string provisioned = "/2019-09-30/functions/caller/provisioned-concurrency?Qualifier=1";
  const std::string all = json{{"ProvisionedConcurrentExecutions", kAddresses}}.dump();
  BOOST_REQUIRE(ask(server.port(), "PUT", provisioned, all).status == 202);
  BOOST_REQUIRE(eventually(
      [&] { return json::parse(ask(server.port(), "GET", provisioned).body)["Status"] == "READY"; }));
  const http::Response refused = server.invoke("caller");
  BOOST_TEST(refused.status == 502);
  BOOST_TEST(header_of(refused, "x-amzn-ErrorType") == "SubnetIPAddressLimitReachedException");

  BOOST_REQUIRE(ask(server.port(), "DELETE", provisioned).status == 204);
  BOOST_REQUIRE(ask(server.port(), "DELETE", function + "?Qualifier=1").status == 204);
  BOOST_TEST(eventually([&] { return server.invoke("caller").status == 200; }));
}

BOOST_AUTO_TEST_SUITE_END()
