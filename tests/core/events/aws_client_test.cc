// What goes over the wire to AWS's services, and what their answers mean; a server of this process stands for them. The real
// shapes are compared in tests/events, against moto.
#include "events/aws_client.h"

#include <boost/test/unit_test.hpp>
#include <deque>
#include <nlohmann/json.hpp>
#include <optional>
#include <sstream>

#include "base/digest.h"
#include "core/events/deliveries.h"
#include "core/http/serving.h"
#include "events/messages.h"

using namespace lambed;
using namespace lambed::events;
using namespace std::chrono_literals;
using lambed::testing::answer_of;
using lambed::testing::dead_letter;
using lambed::testing::eventually;
using lambed::testing::failed_delivery;
using nlohmann::json;
using Kind = DeliveryResult::Kind;

namespace {

constexpr char kQueue[] = "arn:aws:sqs:eu-central-1:123456789012:q";
constexpr char kTopic[] = "arn:aws:sns:us-east-1:123456789012:t";
constexpr char kBus[] = "arn:aws:events:us-east-1:123456789012:event-bus/b";
constexpr char kBucket[] = "arn:aws:s3:::bucket";

// Keeps what it is asked and answers what it is told.
class Service : public http::Application {
 public:
  struct Asked {
    std::string method, target, body;
    std::vector<http::Header> headers;
    std::string header(std::string_view name) const {
      for (const http::Header& header : headers) {
        if (http::same_name(header.name, name)) return header.value;
      }
      return {};
    }
  };

  Admission admit(const http::Request&) override { return {std::nullopt, 16 << 20}; }
  void handle(http::Exchange exchange) override {
    const http::Request& request = exchange.request();
    http::Response response;
    {
      std::lock_guard lock(mutex_);
      asked_.push_back({request.method, request.target, request.body, request.headers});
      if (!answers_.empty()) {
        std::tie(response.status, response.body) = answers_.front();
        answers_.pop_front();
      } else if (silent_) {
        held_.push_back(exchange);
        return;
      } else if (asked_.back().header("X-Amz-Target") == "AmazonSQS.GetQueueUrl") {
        response.body = R"({"QueueUrl":"http://elsewhere/123456789012/q"})";
      }
    }
    exchange.respond(std::move(response));
  }
  http::Response refuse(int status, std::string_view, const http::Request*, std::uint64_t) override {
    http::Response response;
    response.status = status;
    return response;
  }

  void will_answer(int status, const std::string& body) {
    std::lock_guard lock(mutex_);
    answers_.emplace_back(status, body);
  }
  void fall_silent() {
    std::lock_guard lock(mutex_);
    silent_ = true;
  }
  void speak() {
    std::lock_guard lock(mutex_);
    silent_ = false;
    held_.clear();
  }
  std::vector<Asked> asked() {
    std::lock_guard lock(mutex_);
    return asked_;
  }

 private:
  std::mutex mutex_;  // guards what follows
  std::vector<Asked> asked_;
  std::deque<std::pair<int, std::string>> answers_;
  std::vector<http::Exchange> held_;
  bool silent_ = false;
};

// The headers that are signed and were not sent: a service refuses such a signature.
std::string unsent_of(const Service::Asked& asked) {
  const std::string authorization = asked.header("Authorization");
  const std::string mark = "SignedHeaders=";
  const auto from = authorization.find(mark) + mark.size();
  std::istringstream names(authorization.substr(from, authorization.find(',', from) - from));
  std::string unsent;
  for (std::string name; std::getline(names, name, ';');) {
    if (asked.header(name).empty()) unsent += name + " ";
  }
  return unsent;
}

std::shared_ptr<CredentialSource> keys(std::map<std::string, std::string> variables = {
                                           {"AWS_ACCESS_KEY_ID", "AKID"},
                                           {"AWS_SECRET_ACCESS_KEY", "secret"}}) {
  return std::make_shared<CredentialSource>([variables = std::move(variables)](const char* name) {
    const auto found = variables.find(name);
    return found == variables.end() ? std::string() : found->second;
  });
}

struct Bench {
  explicit Bench(std::shared_ptr<CredentialSource> credentials = keys()) : server({}, service) {
    AwsSettings settings;
    settings.endpoint_url = "http://127.0.0.1:" + std::to_string(server.port());
    settings.limits.whole = 1500ms;
    client = std::make_unique<AwsClient>(settings, std::move(credentials));
  }
  ~Bench() {
    client.reset();
    service.speak();
  }

  DeliveryResult send(const Delivery& delivery) {
    return answer_of(
        [&](auto done) { client->deliver(delivery, model::parse_target(delivery.target).value(), done); });
  }
  DeliveryResult sent_when(const std::string& target, int status, const std::string& body) {
    service.will_answer(status, body);
    return send(failed_delivery(target));
  }

  Service service;
  http::Server server;
  std::unique_ptr<AwsClient> client;
};

}  // namespace

BOOST_AUTO_TEST_SUITE(aws_client)

BOOST_AUTO_TEST_CASE(a_dead_letter_goes_to_the_url_of_its_queue) {
  Bench bench;
  BOOST_TEST((bench.send(dead_letter(kQueue)).kind == Kind::kDelivered));
  BOOST_TEST((bench.send(dead_letter(kQueue)).kind == Kind::kDelivered));
  const auto asked = bench.service.asked();
  BOOST_TEST_REQUIRE(asked.size() == 3U);  // the URL is asked for once
  BOOST_TEST(asked[0].header("X-Amz-Target") == "AmazonSQS.GetQueueUrl");
  BOOST_TEST(json::parse(asked[0].body) ==
             json::parse(R"({"QueueName":"q","QueueOwnerAWSAccountId":"123456789012"})"));
  for (const std::size_t at : {1U, 2U}) {
    BOOST_TEST(asked[at].method == "POST");
    BOOST_TEST(asked[at].target == "/");
    BOOST_TEST(asked[at].header("X-Amz-Target") == "AmazonSQS.SendMessage");
    BOOST_TEST(asked[at].header("Content-Type") == "application/x-amz-json-1.0");
    const json body = json::parse(asked[at].body);
    BOOST_TEST(body["QueueUrl"] == "http://elsewhere/123456789012/q");
    BOOST_TEST(body["MessageBody"] == dead_letter(kQueue).request_payload);
    BOOST_TEST(body["MessageAttributes"] ==
               json::parse(
                   R"({"RequestID":{"DataType":"String","StringValue":"1f1b2c3d-0000-4000-8000-000000000001"},
                               "ErrorCode":{"DataType":"Number","StringValue":"200"},
                               "ErrorMessage":{"DataType":"String","StringValue":"boom"}})"));
    const std::string authorization = asked[at].header("Authorization");
    BOOST_TEST(authorization.starts_with("AWS4-HMAC-SHA256 Credential=AKID/"), authorization);
    BOOST_TEST(authorization.find("/eu-central-1/sqs/aws4_request") != std::string::npos, authorization);
    BOOST_TEST(unsent_of(asked[at]) == "");
  }
}

BOOST_AUTO_TEST_CASE(a_session_token_is_sent_and_signed) {
  Bench bench(
      keys({{"AWS_ACCESS_KEY_ID", "AKID"}, {"AWS_SECRET_ACCESS_KEY", "s"}, {"AWS_SESSION_TOKEN", "token"}}));
  bench.send(failed_delivery(kTopic));
  const auto asked = bench.service.asked();
  BOOST_TEST_REQUIRE(asked.size() == 1U);
  BOOST_TEST(asked[0].header("X-Amz-Security-Token") == "token");
  BOOST_TEST(asked[0].header("Authorization").find("x-amz-security-token") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(an_object_is_put_by_path_with_its_digest) {
  Bench bench;
  const Delivery delivery = failed_delivery(kBucket);
  BOOST_TEST((bench.send(delivery).kind == Kind::kDelivered));
  const auto asked = bench.service.asked();
  BOOST_TEST_REQUIRE(asked.size() == 1U);
  BOOST_TEST(asked[0].method == "PUT");
  BOOST_TEST(asked[0].target == "/bucket/" + object_key_of(delivery));
  BOOST_TEST(asked[0].body == record_of(delivery));
  BOOST_TEST(asked[0].header("x-amz-content-sha256") == to_hex(sha256(asked[0].body)));
  BOOST_TEST(asked[0].header("Authorization").find("/us-east-1/s3/aws4_request") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(an_event_names_bus_and_function) {
  Bench bench;
  Delivery delivery = failed_delivery(kBus);
  delivery.trace_id = "Root=1-5759e988-bd862e3fe1be46a994272793";
  BOOST_TEST((bench.send(delivery).kind == Kind::kDelivered));
  const auto asked = bench.service.asked();
  BOOST_TEST(asked[0].header("X-Amz-Target") == "AWSEvents.PutEvents");
  const json entry = json::parse(asked[0].body)["Entries"][0];
  BOOST_TEST(entry["Source"] == "lambda");
  BOOST_TEST(entry["DetailType"] == "Lambda Function Invocation Result - Failure");
  BOOST_TEST(entry["Detail"] == record_of(delivery));
  BOOST_TEST(entry["EventBusName"] == "b");
  BOOST_TEST(entry["Resources"] == json({kBus, delivery.function_arn}));
  BOOST_TEST(entry["TraceHeader"] == delivery.trace_id);
  // Of another account it is named in full.
  bench.send(failed_delivery("arn:aws:events:us-east-1:210987654321:event-bus/b"));
  BOOST_TEST(json::parse(bench.service.asked()[1].body)["Entries"][0]["EventBusName"] ==
             "arn:aws:events:us-east-1:210987654321:event-bus/b");
}

BOOST_AUTO_TEST_CASE(a_bus_that_has_not_taken_the_event_has_not_got_it) {
  Bench bench;
  const auto failed = [](const char* code) {
    return std::string(R"({"FailedEntryCount":1,"Entries":[{"ErrorCode":")") + code +
           R"(","ErrorMessage":"m"}]})";
  };
  BOOST_TEST((bench.sent_when(kBus, 200, failed("InternalFailure")).kind == Kind::kRetryLater));
  BOOST_TEST((bench.sent_when(kBus, 200, failed("ThrottlingException")).kind == Kind::kRetryLater));
  const auto refused = bench.sent_when(kBus, 200, failed("MalformedDetail"));
  BOOST_TEST((refused.kind == Kind::kRefused));
  BOOST_TEST(refused.words == "MalformedDetail: m");
  BOOST_TEST((bench.sent_when(kBus, 200, R"({"FailedEntryCount":1})").kind == Kind::kRetryLater));
  BOOST_TEST((bench.sent_when(kBus, 200, R"({"FailedEntryCount":0,"Entries":[{"EventId":"1"}]})").kind ==
              Kind::kDelivered));
}

BOOST_AUTO_TEST_CASE(what_passes_is_told_from_what_does_not) {
  Bench bench;
  struct Case {
    int status;
    const char* body;
    Kind kind;
    const char* words;
  };
  const auto xml = [](const char* code) {
    return std::string("<ErrorResponse><Error><Type>Sender</Type><Code>") + code +
           "</Code><Message>why</Message></Error></ErrorResponse>";
  };
  for (const auto& [status, code, kind] :
       {std::tuple<int, const char*, Kind>{400, "Throttling", Kind::kRetryLater},
        {403, "ExpiredToken", Kind::kRetryLater},
        {500, "InternalFailure", Kind::kRetryLater},
        {404, "NotFound", Kind::kRefused},
        {403, "AuthorizationError", Kind::kRefused},
        {403, "InvalidClientTokenId", Kind::kRefused},
        {400, "InvalidParameter", Kind::kRefused}}) {
    const auto result = bench.sent_when(kTopic, status, xml(code));
    BOOST_TEST((result.kind == kind), code);
    BOOST_TEST(result.words == std::string(code) + ": why");
  }
  for (const Case& c :
       {Case{503, "", Kind::kRetryLater, "status 503"}, Case{429, "x", Kind::kRetryLater, "status 429"},
        Case{408, "{}", Kind::kRetryLater, "status 408"}, Case{301, "", Kind::kRefused, "status 301"},
        Case{403, R"({"__type":"com.amazon.coral.service#AccessDeniedException","Message":"m"})",
             Kind::kRefused, "AccessDeniedException: m"},
        Case{400, R"({"__type":"RequestThrottled"})", Kind::kRetryLater, "RequestThrottled"}}) {
    const auto result = bench.sent_when(kTopic, c.status, c.body);
    BOOST_TEST((result.kind == c.kind), c.words);
    BOOST_TEST(result.words == c.words);
  }
}

BOOST_AUTO_TEST_CASE(a_queue_that_was_refused_is_looked_up_again) {
  Bench bench;
  bench.service.will_answer(400,
                            R"({"__type":"com.amazonaws.sqs#QueueDoesNotExist","message":"no such queue"})");
  const auto missing = bench.send(dead_letter(kQueue));
  BOOST_TEST((missing.kind == Kind::kRefused));
  BOOST_TEST(missing.words == "QueueDoesNotExist: no such queue");
  BOOST_TEST((bench.send(dead_letter(kQueue)).kind == Kind::kDelivered));
  bench.service.will_answer(400, R"({"__type":"QueueDoesNotExist"})");
  BOOST_TEST((bench.send(dead_letter(kQueue)).kind == Kind::kRefused));
  BOOST_TEST((bench.send(dead_letter(kQueue)).kind == Kind::kDelivered));
  int lookups = 0;
  for (const auto& asked : bench.service.asked())
    lookups += asked.header("X-Amz-Target") == "AmazonSQS.GetQueueUrl" ? 1 : 0;
  BOOST_TEST(lookups == 3);
}

BOOST_AUTO_TEST_CASE(a_service_that_is_down_is_tried_later) {
  std::optional<http::Server> server;
  Service service;
  server.emplace(http::ServerOptions{}, service);
  AwsSettings settings;
  settings.endpoint_url = "http://127.0.0.1:" + std::to_string(server->port());
  server.reset();
  AwsClient client(settings, keys());
  const auto down = answer_of(
      [&](auto done) { client.deliver(failed_delivery(kTopic), model::parse_target(kTopic).value(), done); });
  BOOST_TEST((down.kind == Kind::kRetryLater));
  BOOST_TEST(down.words.find("connect") != std::string::npos, down.words);
}

BOOST_AUTO_TEST_CASE(a_service_that_does_not_answer_is_given_up_in_time) {
  Bench bench;
  bench.service.fall_silent();
  const auto start = std::chrono::steady_clock::now();
  const auto late = bench.send(failed_delivery(kTopic));
  const auto took = std::chrono::steady_clock::now() - start;
  BOOST_TEST((late.kind == Kind::kRetryLater));
  BOOST_TEST((took >= 1400ms && took < 10s));
}

BOOST_AUTO_TEST_CASE(without_credentials_aws_is_tried_later_and_an_own_endpoint_takes_any) {
  Bench bench(keys({{"AWS_SHARED_CREDENTIALS_FILE", "/nowhere/credentials"}}));
  BOOST_TEST((bench.send(failed_delivery(kTopic)).kind == Kind::kDelivered));
  BOOST_TEST(bench.service.asked()[0].header("Authorization").find("Credential=123456789012/") !=
             std::string::npos);
  AwsClient client(AwsSettings{}, keys({{"AWS_SHARED_CREDENTIALS_FILE", "/nowhere/credentials"}}));
  const auto none = answer_of(
      [&](auto done) { client.deliver(failed_delivery(kTopic), model::parse_target(kTopic).value(), done); });
  BOOST_TEST((none.kind == Kind::kRetryLater));
  BOOST_TEST(none.words.starts_with("no credentials for AWS"), none.words);
}

BOOST_AUTO_TEST_CASE(an_endpoint_that_is_no_url_is_refused_in_words) {
  AwsSettings settings;
  settings.endpoint_url = "ftp://127.0.0.1";
  AwsClient client(settings, keys());
  const auto result = answer_of(
      [&](auto done) { client.deliver(failed_delivery(kTopic), model::parse_target(kTopic).value(), done); });
  BOOST_TEST((result.kind == Kind::kRefused));
  BOOST_TEST(result.words.find("ftp") != std::string::npos, result.words);
}

BOOST_AUTO_TEST_CASE(large_messages_and_long_answers_pass) {
  Bench bench;
  Delivery delivery = failed_delivery(kTopic);
  delivery.request_payload = "\"" + std::string(1 << 20, 'x') + "\"";
  BOOST_TEST((bench.send(delivery).kind == Kind::kDelivered));
  BOOST_TEST(bench.service.asked()[0].body.size() > (1U << 20));
  BOOST_TEST((bench.sent_when(kTopic, 400, std::string(1 << 20, 'y')).kind == Kind::kRefused));
}

BOOST_AUTO_TEST_CASE(many_go_at_once_and_each_is_answered) {
  Bench bench;
  std::atomic<int> delivered{0}, others{0};
  for (int i = 0; i < 300; ++i) {
    bench.client->deliver(
        failed_delivery(kTopic), model::parse_target(kTopic).value(),
        [&](DeliveryResult result) { (result.kind == Kind::kDelivered ? delivered : others).fetch_add(1); });
  }
  BOOST_TEST(eventually([&] { return delivered + others == 300; }));
  BOOST_TEST(delivered == 300);
}

BOOST_AUTO_TEST_CASE(an_answer_may_let_go_of_the_client) {
  Bench bench;
  std::promise<void> gone;
  bench.client->deliver(failed_delivery(kTopic), model::parse_target(kTopic).value(), [&](DeliveryResult) {
    bench.client.reset();  // on the client's own thread
    gone.set_value();
  });
  BOOST_TEST((gone.get_future().wait_for(20s) == std::future_status::ready));
}

BOOST_AUTO_TEST_CASE(what_is_under_way_at_the_end_is_answered) {
  Bench bench;
  bench.service.fall_silent();
  std::atomic<int> later{0};
  for (int i = 0; i < 50; ++i) {
    bench.client->deliver(failed_delivery(kQueue), model::parse_target(kQueue).value(),
                          [&](DeliveryResult result) {
                            if (result.kind == Kind::kRetryLater) later.fetch_add(1);
                          });
  }
  BOOST_TEST(eventually([&] { return !bench.service.asked().empty(); }));
  bench.client.reset();
  BOOST_TEST(later == 50);
}

BOOST_AUTO_TEST_SUITE_END()
