#include "model/configuration.h"

#include <boost/test/unit_test.hpp>

using namespace lambed;
using namespace lambed::model;

namespace {

using Variables = std::map<std::string, std::string>;

CreateFunctionRequest request() {
  CreateFunctionRequest wanted;
  wanted.name = "f";
  wanted.runtime = "python3.11";
  wanted.handler = "app.handler";
  return wanted;
}

template <class Change>
Error refused(Change change, const Quotas& quotas = Quotas::classic()) {
  CreateFunctionRequest wanted = request();
  change(wanted);
  const auto result = configure(wanted, quotas);
  BOOST_REQUIRE(!result.ok());
  return result.error();
}

template <class Change>
FunctionConfiguration accepted(Change change, const Quotas& quotas = Quotas::classic()) {
  CreateFunctionRequest wanted = request();
  change(wanted);
  return configure(wanted, quotas).value();
}

std::string one_violation(const std::string& text) { return "1 validation error detected: " + text; }

}  // namespace

BOOST_AUTO_TEST_SUITE(configuration)

BOOST_AUTO_TEST_CASE(what_is_not_said_takes_lambdas_defaults) {
  const FunctionConfiguration made = accepted([](auto&) {});
  BOOST_TEST(made.timeout_s == 3);
  BOOST_TEST(made.memory_mb == 128);
  BOOST_TEST(made.ephemeral_storage_mb == 512);
  BOOST_TEST(made.description == "");
  BOOST_TEST(!made.environment.has_value());
  BOOST_TEST((made.log_format == LogFormat::kText));
  BOOST_TEST(made.version == "$LATEST");
}

BOOST_AUTO_TEST_CASE(the_quota_sets_are_those_of_the_design) {
  const Quotas classic = Quotas::classic(), current = Quotas::current();
  BOOST_TEST(classic.name == "classic");
  BOOST_TEST(current.name == "current");
  BOOST_TEST((classic.memory_min_mb == 128 && classic.memory_max_mb == 3008 && classic.memory_step_mb == 64));
  BOOST_TEST((current.memory_min_mb == 128 && current.memory_max_mb == 10240 && current.memory_step_mb == 1));
  BOOST_TEST((classic.async_payload == 256u * 1024 && current.async_payload == 1024u * 1024));
  BOOST_TEST((classic.tmp_max_mb == 512 && current.tmp_max_mb == 10240));
  BOOST_TEST((classic.billing_step.count() == 100 && current.billing_step.count() == 1));
  for (const Quotas& set : {classic, current}) {
    BOOST_TEST((set.timeout_min_s == 1 && set.timeout_max_s == 900 && set.timeout_default_s == 3));
    BOOST_TEST(
        (set.environment_variables == 4096 && set.resource_policy == 20480 && set.layers_per_function == 5));
    BOOST_TEST((set.sync_payload == 6u * 1024 * 1024 && set.sync_response == 6'291'556));
    BOOST_TEST((set.zip_upload == 50u * 1024 * 1024 && set.unzipped_code == 250u * 1024 * 1024));
    BOOST_TEST((set.account_concurrency == 1000 && set.unreserved_concurrency_min == 100));
    BOOST_TEST((set.file_descriptors == 1024 && set.processes_and_threads == 1024));
  }
}

BOOST_AUTO_TEST_CASE(memory_follows_the_quota_set) {
  for (const int mb : {128, 192, 1024, 2944, 3008})
    BOOST_TEST(accepted([&](auto& r) { r.memory_mb = mb; }).memory_mb == mb);
  for (const int mb : {128, 129, 1769, 10240}) {
    BOOST_TEST(accepted([&](auto& r) { r.memory_mb = mb; }, Quotas::current()).memory_mb == mb);
  }
  for (const int mb : {127, 0, -5}) {
    const Error error = refused([&](auto& r) { r.memory_mb = mb; });
    BOOST_TEST((error.code() == ErrorCode::ValidationException));
    BOOST_TEST(error.message() ==
               one_violation("Value '" + std::to_string(mb) +
                             "' at 'memorySize' failed to satisfy "
                             "constraint: Member must have value greater than or equal to 128"));
  }
  BOOST_TEST(
      refused([](auto& r) { r.memory_mb = 10241; }).message() ==
      one_violation(
          "Value '10241' at 'memorySize' failed to satisfy constraint: Member must have value less than or "
          "equal to 10240"));
  const Error account = refused([](auto& r) { r.memory_mb = 3072; });
  BOOST_TEST((account.code() == ErrorCode::InvalidParameterValueException));
  BOOST_TEST(
      account.message() ==
      "'MemorySize' value failed to satisfy constraint: Member must have value less than or equal to 3008");
  for (const int mb : {129, 191, 193, 3007}) {
    const Error step = refused([&](auto& r) { r.memory_mb = mb; });
    BOOST_TEST((step.code() == ErrorCode::InvalidParameterValueException));
    BOOST_TEST(step.message().find("multiple of 64") != std::string::npos);
  }
}

BOOST_AUTO_TEST_CASE(timeout_is_1_to_900_seconds) {
  for (const int s : {1, 900}) BOOST_TEST(accepted([&](auto& r) { r.timeout_s = s; }).timeout_s == s);
  BOOST_TEST(
      refused([](auto& r) { r.timeout_s = 0; }).message() ==
      one_violation(
          "Value '0' at 'timeout' failed to satisfy constraint: Member must have value greater than or equal "
          "to 1"));
  BOOST_TEST(
      refused([](auto& r) { r.timeout_s = 901; }).message() ==
      one_violation(
          "Value '901' at 'timeout' failed to satisfy constraint: Member must have value less than or equal "
          "to 900"));
}

BOOST_AUTO_TEST_CASE(ephemeral_storage_follows_the_quota_set) {
  BOOST_TEST(accepted([](auto& r) { r.ephemeral_storage_mb = 512; }).ephemeral_storage_mb == 512);
  BOOST_TEST(
      accepted([](auto& r) { r.ephemeral_storage_mb = 10240; }, Quotas::current()).ephemeral_storage_mb ==
      10240);
  BOOST_TEST((refused([](auto& r) { r.ephemeral_storage_mb = 513; }).code() ==
              ErrorCode::InvalidParameterValueException));
  BOOST_TEST(
      (refused([](auto& r) { r.ephemeral_storage_mb = 511; }).code() == ErrorCode::ValidationException));
  BOOST_TEST((refused([](auto& r) { r.ephemeral_storage_mb = 10241; }, Quotas::current()).code() ==
              ErrorCode::ValidationException));
}

BOOST_AUTO_TEST_CASE(texts_have_their_lengths_and_patterns) {
  BOOST_TEST(accepted([](auto& r) { r.description = std::string(256, 'd'); }).description.size() == 256u);
  BOOST_TEST(refused([](auto& r) { r.description = std::string(257, 'd'); })
                 .message()
                 .ends_with("at 'description' failed to satisfy constraint: Member must have length less "
                            "than or equal to 256"));
  BOOST_TEST(accepted([](auto& r) { r.handler = std::string(126, 'h') + ".f"; }).handler.size() == 128u);
  BOOST_TEST((refused([](auto& r) { r.handler = std::string(127, 'h') + ".f"; }).code() ==
              ErrorCode::ValidationException));
  for (const char* handler : {"a b.c", "app.handler\n", "\tapp.handler"}) {
    BOOST_TEST(refused([&](auto& r) { r.handler = handler; })
                   .message()
                   .ends_with("regular expression pattern: [^\\s]+"));
  }
  BOOST_TEST(refused([](auto& r) { r.handler = ""; }).message() ==
             one_violation("Value null at 'handler' failed to satisfy constraint: Member must not be null"));
  for (const char* role :
       {"arn:aws:iam::123456789012:role/service-role/x+=,.@-_", "arn:aws-cn:iam::123456789012:rolex", ""}) {
    BOOST_TEST(accepted([&](auto& r) { r.role = role; }).role == role);
  }
  for (const char* role : {"r1", "arn:aws:iam::12345678901:role/x", "arn:aws:iam::123456789012:user/x",
                           "arn:aws:iam::123456789012:role", "arn:aws:iam::123456789012:role/x y",
                           "arn:aws:s3::123456789012:role/x"}) {
    BOOST_TEST(refused([&](auto& r) { r.role = role; })
                   .message()
                   .starts_with("1 validation error detected: Value '" + std::string(role) + "' at 'role'"));
  }
  for (const char* bytes : {"\xff", "\xc0\xaf"}) {
    BOOST_TEST((refused([&](auto& r) { r.description = bytes; }).code() ==
                ErrorCode::InvalidParameterValueException));
    BOOST_TEST((refused([&](auto& r) {
                  r.tags = Variables{{"k", bytes}};
                }).code() == ErrorCode::InvalidParameterValueException));
  }
}

BOOST_AUTO_TEST_CASE(all_violations_of_the_model_come_in_one_error) {
  const Error error = refused([](auto& r) {
    r.timeout_s = 0;
    r.memory_mb = 1;
    r.handler = "";
  });
  BOOST_TEST(
      error.message() ==
      "3 validation errors detected: Value null at 'handler' failed to satisfy constraint: Member must not "
      "be null; Value "
      "'0' at 'timeout' failed to satisfy constraint: Member must have value greater than or equal to 1; "
      "Value '1' at "
      "'memorySize' failed to satisfy constraint: Member must have value greater than or equal to 128");
}

BOOST_AUTO_TEST_CASE(the_model_layer_speaks_before_the_business_layer) {
  BOOST_TEST((refused([](auto& r) {
                r.runtime = "cobol";
                r.timeout_s = 0;
              }).code() == ErrorCode::ValidationException));
}

BOOST_AUTO_TEST_CASE(environment_names_follow_their_pattern) {
  for (const char* name : {"ab", "A1", "Zz_9_"}) {
    BOOST_TEST(accepted([&](auto& r) {
                 r.environment = Variables{{name, "v"}};
               }).environment->count(name) == 1u);
  }
  for (const char* name : {"", "a", "1a", "_a", "a-b", "a b", "a=b",
                           "\xc3\xa9"
                           "a"}) {
    BOOST_TEST(refused([&](auto& r) {
                 r.environment = Variables{{name, "v"}};
               }).message() ==
               one_violation("Value at 'environment.variables' failed to satisfy constraint: Map keys must "
                             "satisfy constraint: "
                             "[Member must satisfy regular expression pattern: [a-zA-Z]([a-zA-Z0-9_])+]"));
  }
}

BOOST_AUTO_TEST_CASE(lambdas_own_variables_are_reserved) {
  for (const char* name :
       {"AWS_REGION", "AWS_DEFAULT_REGION", "AWS_ACCESS_KEY", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY",
        "AWS_SESSION_TOKEN", "AWS_EXECUTION_ENV", "AWS_LAMBDA_FUNCTION_NAME", "AWS_LAMBDA_FUNCTION_VERSION",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "AWS_LAMBDA_INITIALIZATION_TYPE", "AWS_LAMBDA_LOG_GROUP_NAME",
        "AWS_LAMBDA_LOG_STREAM_NAME", "AWS_LAMBDA_RUNTIME_API", "LAMBDA_TASK_ROOT", "LAMBDA_RUNTIME_DIR"}) {
    BOOST_TEST(refused([&](auto& r) {
                 r.environment = Variables{{name, "v"}, {"OK", "1"}};
               }).message() ==
               "Lambda was unable to configure your environment variables because the environment variables "
               "you have provided "
               "contains reserved keys that are currently not supported for modification. Reserved keys used "
               "in this request: " +
                   std::string(name));
  }
  BOOST_TEST(refused([](auto& r) {
               r.environment = Variables{{"LAMBDA_TASK_ROOT", ""}, {"AWS_REGION", ""}};
             })
                 .message()
                 .ends_with(": AWS_REGION, LAMBDA_TASK_ROOT"));
  for (const char* name : {"TZ", "PATH", "PYTHONPATH", "NODE_OPTIONS", "AWS_LAMBDA_EXEC_WRAPPER", "LANG"}) {
    accepted([&](auto& r) { r.environment = Variables{{name, "v"}}; });
  }
}

BOOST_AUTO_TEST_CASE(environment_may_measure_4096_bytes_as_compact_json_and_no_more) {
  // {"ab":"..."} is 9 bytes without the value.
  const auto with_value = [](std::size_t size) {
    return [size](CreateFunctionRequest& r) { r.environment = Variables{{"ab", std::string(size, 'x')}}; };
  };
  accepted(with_value(4096 - 9));
  const Error error = refused(with_value(4096 - 9 + 1));
  BOOST_TEST((error.code() == ErrorCode::InvalidParameterValueException));
  BOOST_TEST(error.message() ==
             "Lambda was unable to configure your environment variables because the environment variables "
             "you have provided "
             "exceeded the 4KB limit. String measured: {\"ab\":\"" +
                 std::string(4096 - 9 + 1, 'x') + "\"}");
  BOOST_TEST(compact_json({{"B", "\"\n"}, {"A", "\xc3\xa9"}}) == "{\"A\":\"\xc3\xa9\",\"B\":\"\\\"\\n\"}");
}

BOOST_AUTO_TEST_CASE(environment_values_are_text) {
  for (const std::string& value : {std::string("a\0b", 3), std::string("\xff")}) {
    BOOST_TEST(refused([&](auto& r) {
                 r.environment = Variables{{"KEY", value}};
               })
                   .message()
                   .find("KEY") != std::string::npos);
  }
}

BOOST_AUTO_TEST_CASE(an_environment_sent_empty_is_kept_as_empty) {
  BOOST_TEST(accepted([](auto& r) { r.environment.emplace(); }).environment.has_value());
}

BOOST_AUTO_TEST_CASE(layers_and_tags_are_counted) {
  accepted([](auto& r) { r.layers.assign(5, "/l"); });
  BOOST_TEST(refused([](auto& r) { r.layers.assign(6, "/l"); }).message() ==
             "Cannot reference more than 5 layers.");
  const auto tags = [](int count) {
    return [count](CreateFunctionRequest& r) {
      for (int i = 0; i < count; ++i) r.tags["t" + std::to_string(i)] = "";
    };
  };
  accepted(tags(50));
  BOOST_TEST(refused(tags(51)).message() == "Number of tags exceeds resource tag limit.");
  accepted([](auto& r) { r.tags = Variables{{std::string(128, 'k'), std::string(256, 'v')}}; });
  BOOST_TEST((refused([](auto& r) {
                r.tags = Variables{{std::string(129, 'k'), ""}};
              }).code() == ErrorCode::ValidationException));
  BOOST_TEST((refused([](auto& r) {
                r.tags = Variables{{"", "v"}};
              }).code() == ErrorCode::ValidationException));
  BOOST_TEST((refused([](auto& r) {
                r.tags = Variables{{"k", std::string(257, 'v')}};
              }).code() == ErrorCode::ValidationException));
  BOOST_TEST((refused([](auto& r) {
                r.tags = Variables{{"aws:x", "v"}};
              }).code() == ErrorCode::InvalidParameterValueException));
}

BOOST_AUTO_TEST_CASE(an_update_changes_what_is_set_and_checks_it) {
  const FunctionConfiguration before = accepted([](auto& r) {
    r.environment = Variables{{"KEY", "v"}};
    r.description = "d";
  });
  UpdateConfigurationRequest update;
  update.timeout_s = 30;
  update.handler = "other.f";
  const FunctionConfiguration after = reconfigure(before, update, Quotas::classic()).value();
  BOOST_TEST(after.timeout_s == 30);
  BOOST_TEST(after.handler == "other.f");
  BOOST_TEST(after.memory_mb == before.memory_mb);
  BOOST_TEST(after.description == "d");
  BOOST_TEST(after.environment->at("KEY") == "v");

  update.memory_mb = 100;
  BOOST_TEST(
      (reconfigure(before, update, Quotas::classic()).error().code() == ErrorCode::ValidationException));
  update.memory_mb.reset();
  update.runtime = "python3.7";
  BOOST_TEST((reconfigure(before, update, Quotas::classic()).error().code() ==
              ErrorCode::InvalidParameterValueException));
  update.runtime.reset();
  update.environment.emplace();
  BOOST_TEST(reconfigure(before, update, Quotas::classic())->environment->empty());
}

BOOST_AUTO_TEST_SUITE_END()
