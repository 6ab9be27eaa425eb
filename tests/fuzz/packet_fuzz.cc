// Packets that leave a sandboxed environment: whatever is read as a datagram lies within its packet, and is the same when it is
// written and read again; whatever may be answered gets an answer that nobody answers.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "environments/sandbox/packets.h"
#include "fuzz/fuzz.h"

using namespace lambed;
using namespace lambed::sandbox;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const Bytes packet(data, size);
  Datagram datagram;
  const PacketKind kind = read_packet(packet, datagram);
  if (kind == PacketKind::kNothing) return 0;
  for (const Unreachable why :
       {Unreachable::kNetwork, Unreachable::kHost, Unreachable::kPort, Unreachable::kProhibited}) {
    const std::vector<std::uint8_t> answer = unreachable(packet, why);
    Datagram ignored;
    FUZZ_EXPECT(answer.size() <= 1100);
    FUZZ_EXPECT(read_packet(answer, ignored) == PacketKind::kNothing);
  }
  if (kind == PacketKind::kOther) return 0;
  FUZZ_EXPECT(is_ipv4(datagram.from.address) == is_ipv4(datagram.to.address));
  const Bytes payload = datagram.payload;
  FUZZ_EXPECT(payload.data() >= data && payload.data() + payload.size() <= data + size);
  std::vector<std::uint8_t> written = headers_for(datagram);
  written.insert(written.end(), payload.begin(), payload.end());
  Datagram again;
  FUZZ_EXPECT(read_packet(written, again) == PacketKind::kDatagram);
  FUZZ_EXPECT(again.from == datagram.from && again.to == datagram.to);
  FUZZ_EXPECT(std::equal(again.payload.begin(), again.payload.end(), payload.begin(), payload.end()));
  return 0;
}
