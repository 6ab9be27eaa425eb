// Sends dead letters and invocation records to SQS, SNS, EventBridge and S3, at AWS or at an endpoint that speaks their APIs.
//
// Threads: deliver from any thread, never blocks; `done` as OutgoingHttp says, or on the calling thread. Life: as OutgoingHttp.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "events/credentials.h"
#include "events/delivery.h"
#include "events/outgoing_http.h"
#include "model/destinations.h"

namespace lambed::events {

struct AwsSettings {
  std::string endpoint_url;  // for all services; "": AWS's own hosts
  // For one service, by the word of its variable: "SQS", "SNS", "EVENTBRIDGE", "S3".
  std::map<std::string, std::string> service_endpoints = {};
  std::string region = "us-east-1";  // of buckets, whose ARNs name none
  OutgoingHttp::Limits limits = {};

  // What AWS_ENDPOINT_URL and AWS_ENDPOINT_URL_<SERVICE> say, unless `endpoint_url` is given.
  static AwsSettings of_process(const std::string& endpoint_url, const std::string& region);
};

class AwsClient {
 public:
  AwsClient(AwsSettings settings, std::shared_ptr<CredentialSource> credentials);
  ~AwsClient();
  AwsClient(const AwsClient&) = delete;
  AwsClient& operator=(const AwsClient&) = delete;

  // `target` is delivery.target taken apart: a queue, a topic, a bus or a bucket.
  void deliver(const Delivery& delivery, const model::Target& target,
               std::function<void(DeliveryResult)> done);

 private:
  using Done = std::function<void(DeliveryResult)>;
  using Judge = std::function<void(OutgoingAnswer)>;

  void send(OutgoingRequest request, const char* service, const model::Target& target, Judge judge,
            const Done& done);
  void send_to_queue(std::shared_ptr<const Delivery> delivery, const model::Target& target, Done done);
  void send_message(const Delivery& delivery, const model::Target& target, const std::string& queue_url,
                    Done done);
  std::string endpoint_of(const char* service, const model::Target& target) const;

  const AwsSettings settings_;
  const std::shared_ptr<CredentialSource> credentials_;
  std::mutex mutex_;                               // guards queue_urls_
  std::map<std::string, std::string> queue_urls_;  // by ARN
  OutgoingHttp http_;                              // last: its thread uses what is above
};

// What an AWS service's refusal means. `code`: the error's name, "" when the answer has none.
DeliveryResult judge_failure(int status, const std::string& code, const std::string& message);
// Name and message of an error document, JSON or XML.
std::pair<std::string, std::string> error_in(const std::string& body);

}  // namespace lambed::events
