#include "events/aws_client.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <nlohmann/json.hpp>

#include "base/digest.h"
#include "events/messages.h"

namespace lambed::events {

using model::Target;
using model::TargetKind;
using nlohmann::json;

namespace {

// Application errors that pass by themselves, whatever their status. Source: the lists of retryable errors in AWS's SDKs.
constexpr std::array kPassing = {
    "Throttling", "ThrottlingException", "ThrottledException", "RequestThrottled",
    "RequestThrottledException", "TooManyRequestsException", "RequestLimitExceeded", "BandwidthLimitExceeded",
    "LimitExceededException", "SlowDown", "OverLimit", "KmsThrottled", "KMS.ThrottlingException",
    "PriorRequestNotComplete", "RequestTimeout", "RequestTimeoutException", "InternalError",
    "InternalFailure", "InternalException", "InternalServerError", "ServiceUnavailable",
    "ServiceUnavailableException",
    // Keys are renewed, clocks are set:
    "ExpiredToken", "ExpiredTokenException", "RequestExpired", "RequestTimeTooSkewed"};

// The last words of a service are shown to the operator; some repeat what was sent.
constexpr std::size_t kMostWords = 300;

std::string dns_suffix_of(const std::string& partition) {
  if (partition == "aws-cn") return "amazonaws.com.cn";
  if (partition == "aws-iso") return "c2s.ic.gov";
  if (partition == "aws-iso-b") return "sc2s.sgov.gov";
  if (partition == "aws-iso-e") return "cloud.adc-e.uk";
  if (partition == "aws-iso-f") return "csp.hci.ic.gov";
  if (partition == "aws-eusc") return "amazonaws.eu";
  return "amazonaws.com";
}

// RFC 3986, as signatures want it; a slash stays.
std::string path_encoded(std::string_view text) {
  std::string out;
  for (const char c : text) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       c == '-' || c == '.' || c == '_' || c == '~' || c == '/';
    if (plain) {
      out += c;
    } else {
      out += fmt::format("%{:02X}", static_cast<unsigned char>(c));
    }
  }
  return out;
}

void add_form(std::string& form, std::string_view name, std::string_view value) {
  if (!form.empty()) form += '&';
  form.append(name).append("=");
  for (const char c : value) {
    if (c == '/') {
      form += "%2F";
    } else {
      form += path_encoded(std::string_view(&c, 1));
    }
  }
}

std::string between(const std::string& text, std::string_view open, std::string_view close) {
  const auto from = text.find(open);
  if (from == std::string::npos) return {};
  const auto to = text.find(close, from + open.size());
  if (to == std::string::npos) return {};
  return text.substr(from + open.size(), to - from - open.size());
}

OutgoingRequest json_request(const char* operation, const char* version, const json& body) {
  OutgoingRequest request;
  request.headers = {fmt::format("Content-Type: application/x-amz-json-{}", version),
                     fmt::format("X-Amz-Target: {}", operation)};
  request.body = body.dump(-1, ' ', false, json::error_handler_t::replace);
  return request;
}

DeliveryResult verdict(const OutgoingAnswer& answer) {
  using Trouble = OutgoingAnswer::Trouble;
  if (answer.trouble == Trouble::kImpossible) return {DeliveryResult::Kind::kRefused, answer.words};
  if (answer.trouble != Trouble::kNone) return {DeliveryResult::Kind::kRetryLater, answer.words};
  if (answer.status >= 200 && answer.status < 300) return {};
  const auto [code, message] = error_in(answer.body);
  return judge_failure(answer.status, code, message);
}

OutgoingRequest publish_request(const Delivery& delivery, const Target& target) {
  std::string form;
  add_form(form, "Action", "Publish");
  add_form(form, "Version", "2010-03-31");
  add_form(form, "TopicArn", target.text);
  add_form(form, "Message", body_of(delivery));
  int number = 0;
  for (const Attribute& attribute : attributes_of(delivery)) {
    const std::string entry = fmt::format("MessageAttributes.entry.{}.", ++number);
    add_form(form, entry + "Name", attribute.name);
    add_form(form, entry + "Value.DataType", attribute.type);
    add_form(form, entry + "Value.StringValue", attribute.value);
  }
  OutgoingRequest request;
  request.headers = {"Content-Type: application/x-www-form-urlencoded; charset=utf-8"};
  request.body = std::move(form);
  return request;
}

OutgoingRequest put_events_request(const Delivery& delivery, const Target& target) {
  // Another account's bus is named by its ARN.
  const bool is_own = target.account == delivery.account && target.region == delivery.region;
  json entry = {{"Source", "lambda"},
                {"DetailType", detail_type_of(delivery)},
                {"Detail", record_of(delivery)},
                {"Resources", {target.text, delivery.function_arn}},
                {"EventBusName", is_own ? target.resource : target.text}};
  if (!delivery.trace_id.empty()) entry["TraceHeader"] = delivery.trace_id;
  return json_request("AWSEvents.PutEvents", "1.1", {{"Entries", {std::move(entry)}}});
}

// PutEvents answers 200 for an entry that it has not taken.
DeliveryResult verdict_of_events(const OutgoingAnswer& answer) {
  DeliveryResult result = verdict(answer);
  if (result.kind != DeliveryResult::Kind::kDelivered) return result;
  const json document = json::parse(answer.body, nullptr, false);
  if (!document.is_object() || document.value("FailedEntryCount", 0) == 0) return result;
  for (const json& entry : document.value("Entries", json::array())) {
    if (!entry.is_object() || !entry.contains("ErrorCode")) continue;
    return judge_failure(400, entry.value("ErrorCode", ""), entry.value("ErrorMessage", ""));
  }
  return {DeliveryResult::Kind::kRetryLater, "the bus has not taken the event and does not say why"};
}

}  // namespace

AwsSettings AwsSettings::of_process(const std::string& endpoint_url, const std::string& region) {
  AwsSettings settings;
  settings.region = region;
  settings.endpoint_url = endpoint_url;
  if (!endpoint_url.empty()) return settings;
  if (const char* url = std::getenv("AWS_ENDPOINT_URL"); url != nullptr) settings.endpoint_url = url;
  for (const char* service : {"SQS", "SNS", "EVENTBRIDGE", "S3"}) {
    const char* url = std::getenv(fmt::format("AWS_ENDPOINT_URL_{}", service).c_str());
    if (url != nullptr && *url != '\0') settings.service_endpoints[service] = url;
  }
  return settings;
}

std::pair<std::string, std::string> error_in(const std::string& body) {
  std::string code, message;
  const json document = json::parse(body, nullptr, false);
  if (document.is_object()) {
    for (const char* name : {"__type", "code", "Code"}) {
      if (const auto it = document.find(name); code.empty() && it != document.end() && it->is_string())
        code = it->get<std::string>();
    }
    for (const char* name : {"message", "Message"}) {
      if (const auto it = document.find(name); message.empty() && it != document.end() && it->is_string())
        message = it->get<std::string>();
    }
    code.erase(0, code.rfind('#') + 1);  // com.amazonaws.sqs#QueueDoesNotExist
  } else {
    code = between(body, "<Code>", "</Code>");
    message = between(body, "<Message>", "</Message>");
  }
  return {std::move(code), std::move(message)};
}

DeliveryResult judge_failure(int status, const std::string& code, const std::string& message) {
  std::string words = code.empty() ? fmt::format("status {}", status) : code;
  if (!message.empty()) words += ": " + message;
  if (words.size() > kMostWords) words.resize(kMostWords);
  const bool is_passing = std::find(kPassing.begin(), kPassing.end(), code) != kPassing.end();
  const bool passes = is_passing || status >= 500 || status == 429 || status == 408;
  return {passes ? DeliveryResult::Kind::kRetryLater : DeliveryResult::Kind::kRefused, std::move(words)};
}

AwsClient::AwsClient(AwsSettings settings, std::shared_ptr<CredentialSource> credentials)
    : settings_(std::move(settings)), credentials_(std::move(credentials)), http_(settings_.limits) {}

AwsClient::~AwsClient() = default;

std::string AwsClient::endpoint_of(const char* service, const Target& target) const {
  const auto own = settings_.service_endpoints.find(service);
  std::string url = own != settings_.service_endpoints.end() ? own->second : settings_.endpoint_url;
  while (url.ends_with('/')) url.pop_back();
  const std::string suffix = dns_suffix_of(target.partition);
  if (target.kind == TargetKind::kBucket) {
    // A certificate's wildcard covers no dots; an endpoint of one's own seldom has a name for each bucket.
    const bool by_path = !url.empty() || target.resource.find('.') != std::string::npos;
    if (url.empty()) url = fmt::format("https://s3.{}.{}", settings_.region, suffix);
    if (by_path) return fmt::format("{}/{}", url, path_encoded(target.resource));
    return fmt::format("https://{}.s3.{}.{}", target.resource, settings_.region, suffix);
  }
  if (!url.empty()) return url;
  const char* host = target.kind == TargetKind::kSqs   ? "sqs"
                     : target.kind == TargetKind::kSns ? "sns"
                                                       : "events";
  return fmt::format("https://{}.{}.{}", host, target.region, suffix);
}

void AwsClient::send(OutgoingRequest request, const char* service, const Target& target, Judge judge,
                     const Done& done) {
  const bool has_own_endpoint =
      !settings_.endpoint_url.empty() || settings_.service_endpoints.count(service) > 0;
  std::string why;
  auto credentials = credentials_->current(&why);
  if (!credentials) {
    // An endpoint of one's own takes any: nobody has to invent keys for it.
    if (!has_own_endpoint) return done({DeliveryResult::Kind::kRetryLater, why});
    credentials = Credentials{target.account.empty() ? "lambed" : target.account, "lambed", {}};
  }
  request.credentials = std::move(*credentials);
  if (request.url.empty()) request.url = endpoint_of(service, target) + "/";
  request.region = target.region.empty() ? settings_.region : target.region;
  http_.send(std::move(request), std::move(judge));
}

void AwsClient::deliver(const Delivery& delivery, const Target& target, Done done) {
  switch (target.kind) {
    case TargetKind::kSqs:
      return send_to_queue(std::make_shared<const Delivery>(delivery), target, std::move(done));
    case TargetKind::kSns: {
      OutgoingRequest request = publish_request(delivery, target);
      request.service = "sns";
      return send(
          std::move(request), "SNS", target, [done](OutgoingAnswer answer) { done(verdict(answer)); }, done);
    }
    case TargetKind::kEventBus: {
      OutgoingRequest request = put_events_request(delivery, target);
      request.service = "events";
      return send(
          std::move(request), "EVENTBRIDGE", target,
          [done](OutgoingAnswer answer) { done(verdict_of_events(answer)); }, done);
    }
    case TargetKind::kBucket: {
      OutgoingRequest request;
      request.method = "PUT";
      request.url = endpoint_of("S3", target) + "/" + path_encoded(object_key_of(delivery));
      request.body = body_of(delivery);
      request.headers = {"Content-Type: application/json",
                         "x-amz-content-sha256: " + to_hex(sha256(request.body))};
      request.service = "s3";
      return send(
          std::move(request), "S3", target, [done](OutgoingAnswer answer) { done(verdict(answer)); }, done);
    }
    case TargetKind::kLocal:
    case TargetKind::kFunction:
      break;
  }
  done({DeliveryResult::Kind::kRefused, "this target is none of AWS's services: " + target.text});
}

// ---- SQS: a message goes to a queue's URL, which only the service knows.

void AwsClient::send_to_queue(std::shared_ptr<const Delivery> delivery, const Target& target, Done done) {
  {
    std::lock_guard lock(mutex_);
    if (const auto known = queue_urls_.find(target.text); known != queue_urls_.end())
      return send_message(*delivery, target, known->second, std::move(done));
  }
  OutgoingRequest request =
      json_request("AmazonSQS.GetQueueUrl", "1.0",
                   {{"QueueName", target.resource}, {"QueueOwnerAWSAccountId", target.account}});
  request.service = "sqs";
  send(
      std::move(request), "SQS", target,
      [this, delivery, target, done](OutgoingAnswer answer) {
        DeliveryResult result = verdict(answer);
        if (result.kind != DeliveryResult::Kind::kDelivered) return done(std::move(result));
        const json document = json::parse(answer.body, nullptr, false);
        std::string url;
        if (document.is_object()) url = document.value("QueueUrl", "");
        if (url.empty()) {
          return done(
              {DeliveryResult::Kind::kRetryLater, "GetQueueUrl was answered without the URL of the queue"});
        }
        {
          std::lock_guard lock(mutex_);
          queue_urls_[target.text] = url;
        }
        send_message(*delivery, target, url, done);
      },
      done);
}

void AwsClient::send_message(const Delivery& delivery, const Target& target, const std::string& queue_url,
                             Done done) {
  json body = {{"QueueUrl", queue_url}, {"MessageBody", body_of(delivery)}};
  for (const Attribute& attribute : attributes_of(delivery)) {
    body["MessageAttributes"][attribute.name] = {{"DataType", attribute.type},
                                                 {"StringValue", attribute.value}};
  }
  OutgoingRequest request = json_request("AmazonSQS.SendMessage", "1.0", body);
  request.service = "sqs";
  send(
      std::move(request), "SQS", target,
      [this, arn = target.text, done](OutgoingAnswer answer) {
        DeliveryResult result = verdict(answer);
        if (result.kind == DeliveryResult::Kind::kRefused) {
          // The queue may have been made again since: the next attempt asks.
          std::lock_guard lock(mutex_);
          queue_urls_.erase(arn);
        }
        done(std::move(result));
      },
      done);
}

}  // namespace lambed::events
