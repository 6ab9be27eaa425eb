// OpenSSL and zlib, which each interpreter brings or shares, used by all of them in one process.
#include <cstdio>

#include "together/polyglot.h"
#include "together/scenarios.h"

namespace lambed::together {
namespace {

std::string long_text() {
  std::string text;
  for (int i = 0; i < 5000; ++i) text += "line " + std::to_string(i) + " of Grüße, 世界\n";
  return text;
}

}  // namespace

void agrees_on_digests(const Order& order) {
  constexpr int kRounds = 20;
  Polyglot all;
  all.start(order);
  for (int round = 0; round < kRounds; ++round) {
    std::vector<std::future<InvokeResult>> digests;
    std::vector<std::future<InvokeResult>> contexts;
    const json event = {{"text", "Grüße " + std::to_string(round)}};
    for (const std::string& language : order) {
      digests.push_back(all.call_later(language, "digest", event));
      contexts.push_back(all.call_later(language, "tls"));
    }
    const json first = Polyglot::answer_of(digests.front());
    expect(first.size() == 5, "digests: " + first.dump());
    for (std::size_t i = 1; i < digests.size(); ++i) {
      const json other = Polyglot::answer_of(digests[i]);
      expect(other == first, order[i] + " and " + order[0] + " differ: " + other.dump() + " " + first.dump());
    }
    for (std::size_t i = 0; i < contexts.size(); ++i) {
      const json context = Polyglot::answer_of(contexts[i]);
      expect(context["ciphers"].get<int>() > 0, order[i] + " made no TLS context: " + context.dump());
      if (round == 0)
        std::printf("%s: %s\n", order[i].c_str(), context["library"].get<std::string>().c_str());
    }
  }
}

void exchanges_ciphertexts(const Order& order) {
  Polyglot all;
  all.start(order);
  const std::string text = long_text();
  for (const auto& [from, to] : {std::pair{"nodejs", "ruby"}, std::pair{"ruby", "nodejs"}}) {
    const json data = all.call(from, "encrypt", {{"text", text}});
    expect(all.call(to, "decrypt", {{"data", data}}) == text,
           std::string(to) + " cannot read what " + from + " wrote");
  }
}

void exchanges_compressed_data(const Order& order) {
  Polyglot all;
  all.start(order);
  const std::string text = long_text();
  for (const auto& [pack, unpack] : {std::pair{"compress", "expand"}, std::pair{"deflate", "inflate"}}) {
    for (const std::string& from : order) {
      const json data = all.call(from, pack, {{"text", text}});
      expect(data.get<std::string>().size() < text.size() / 2, from + " does not compress");
      std::vector<std::future<InvokeResult>> texts;
      for (const std::string& to : order) texts.push_back(all.call_later(to, unpack, {{"data", data}}));
      for (std::size_t i = 0; i < texts.size(); ++i) {
        expect(Polyglot::answer_of(texts[i]) == text, order[i] + " cannot read what " + from + " compressed");
      }
    }
  }
}

}  // namespace lambed::together
