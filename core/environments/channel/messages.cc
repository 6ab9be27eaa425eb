#include "environments/channel/messages.h"

#include <bit>

#include "environments/channel/packet.h"

namespace lambed::channel {
namespace {

// One list of members for both directions: writing and reading cannot differ.
class Out {
 public:
  explicit Out(MessageKind kind) { writer_.number(static_cast<std::uint64_t>(kind)); }
  void operator()(const std::string& value) { writer_.text(value); }
  void operator()(std::uint64_t value) { writer_.number(value); }
  void operator()(std::int64_t value) { writer_.number(static_cast<std::uint64_t>(value)); }
  void operator()(int value) { writer_.number(static_cast<std::uint64_t>(std::int64_t{value})); }
  void operator()(bool value) { writer_.number(value ? 1 : 0); }
  void operator()(double value) { writer_.number(std::bit_cast<std::uint64_t>(value)); }
  void operator()(Deed value) { writer_.number(static_cast<std::uint64_t>(value)); }
  void operator()(const std::vector<std::string>& values) {
    writer_.number(values.size());
    for (const std::string& value : values) writer_.text(value);
  }
  void operator()(const Pairs& values) {
    writer_.number(values.size());
    for (const auto& [name, value] : values) writer_.text(name).text(value);
  }
  std::string take() { return writer_.take(); }

 private:
  PacketWriter writer_;
};

class In {
 public:
  explicit In(std::string_view bytes) : reader_(bytes) {}
  bool is(MessageKind kind) { return reader_.number() == static_cast<std::uint64_t>(kind); }
  void operator()(std::string& value) { value = reader_.text(); }
  void operator()(std::uint64_t& value) { value = reader_.number(); }
  void operator()(std::int64_t& value) { value = static_cast<std::int64_t>(reader_.number()); }
  void operator()(int& value) { value = static_cast<int>(static_cast<std::int64_t>(reader_.number())); }
  void operator()(bool& value) { value = reader_.number() != 0; }
  void operator()(double& value) { value = std::bit_cast<double>(reader_.number()); }
  void operator()(Deed& value) { value = static_cast<Deed>(reader_.number()); }
  void operator()(std::vector<std::string>& values) {
    values.resize(reader_.count());
    for (std::string& value : values) value = reader_.text();
  }
  void operator()(Pairs& values) {
    values.resize(reader_.count());
    for (auto& [name, value] : values) {
      name = reader_.text();
      value = reader_.text();
    }
  }
  bool ok() const { return reader_.ok(); }

 private:
  PacketReader reader_;
};

template <typename Message, typename Visit>
void visit_hello(Message& m, Visit& visit) {
  visit(m.version);
  visit(m.plugin_path);
  visit(m.options);
  visit(m.server);
  visit(m.worker_stock);
}

template <typename Message, typename Visit>
void visit_ready(Message& m, Visit& visit) {
  visit(m.ok);
  visit(m.message);
  visit(m.language);
  visit(m.interpreter_version);
  visit(m.interpreter_path);
  visit(m.layer);
  visit(m.soft_limits);
  visit(m.notices);
}

template <typename Message, typename Visit>
void visit_spawn(Message& m, Visit& visit) {
  visit(m.id);
  visit(m.function_name);
  visit(m.function_version);
  visit(m.function_id);
  visit(m.code_id);
  visit(m.runtime);
  visit(m.handler);
  visit(m.task_root);
  visit(m.layers);
  visit(m.variables);
  visit(m.memory_limit);
  visit(m.tmp_bytes);
  visit(m.cores);
  visit(m.init_deadline);
  visit(m.log_group);
  visit(m.log_stream);
  visit(m.json_logs);
  visit(m.host_loopback);
  visit(m.address);
  visit(m.egress);
  visit(m.unreachable);
}

template <typename Message, typename Visit>
void visit_act(Message& m, Visit& visit) {
  visit(m.id);
  visit(m.deed);
}

template <typename Message, typename Visit>
void visit_started(Message& m, Visit& visit) {
  visit(m.id);
  visit(m.pid);
}

template <typename Message, typename Visit>
void visit_ended(Message& m, Visit& visit) {
  visit(m.id);
  visit(m.exit_code);
  visit(m.signal);
  visit(m.out_of_memory);
  visit(m.memory_peak);
  visit(m.problem);
}

template <typename Message, typename VisitMembers>
std::optional<Message> decoded(std::string_view bytes, MessageKind kind, VisitMembers visit_members) {
  In in(bytes);
  Message message;
  if (!in.is(kind)) return std::nullopt;
  visit_members(message, in);
  if (!in.ok()) return std::nullopt;
  return message;
}

template <typename Message, typename VisitMembers>
std::string encoded(const Message& message, MessageKind kind, VisitMembers visit_members) {
  Out out(kind);
  visit_members(message, out);
  return out.take();
}

}  // namespace

#define LAMBED_MESSAGE(Type, name)                                                                    \
  std::string encode(const Type& message) {                                                           \
    return encoded(message, MessageKind::k##Type, [](const Type& m, Out& v) { visit_##name(m, v); }); \
  }                                                                                                   \
  std::optional<Type> decode_##name(std::string_view bytes) {                                         \
    return decoded<Type>(bytes, MessageKind::k##Type, [](Type& m, In& v) { visit_##name(m, v); });    \
  }

LAMBED_MESSAGE(Hello, hello)
LAMBED_MESSAGE(Ready, ready)
LAMBED_MESSAGE(Spawn, spawn)
LAMBED_MESSAGE(Act, act)
LAMBED_MESSAGE(Started, started)
LAMBED_MESSAGE(Ended, ended)

std::optional<MessageKind> kind_of(std::string_view bytes) {
  PacketReader reader(bytes);
  const std::uint64_t kind = reader.number();
  if (!reader.ok()) return std::nullopt;
  return static_cast<MessageKind>(kind);
}

}  // namespace lambed::channel
