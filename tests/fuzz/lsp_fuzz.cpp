// Bytes from a hostile client against framing, JSON, dispatch and documents. Built twice: with
// -fsanitize=fuzzer it is a fuzz target, and its function also runs on seeded mutations in the
// normal tests (tests/lsp/fuzz_smoke_test.cpp).
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "lsp/json.h"
#include "tests/lsp/scripted_session.h"

using kinglet::lsp::Json;
using kinglet::lsp::parse_json;
using kinglet::lsp::test::ScriptedSession;

namespace {

void require(bool holds) {
  if (!holds) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  ScriptedSession session;
  // The first byte says how the rest is cut into reads.
  const std::size_t piece = data[0] % 4 == 0 ? 1 : std::size_t{data[0]} * 8;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  for (std::size_t at = 0; at < bytes.size(); at += piece) {
    session.server().feed(bytes.substr(at, piece));
  }
  session.server().end_of_input();
  require(session.server().exit_code().has_value());
  require(session.server().n_requests_in_flight() == 0);
  for (const std::string& message : session.take_output()) {
    if (message.rfind("log: ", 0) == 0) continue;
    const auto json = parse_json(message);
    require(json.has_value());
    require(json->is_object() && json->at("jsonrpc") == "2.0");
    // A reply has one outcome; what is no reply has a method.
    require(json->contains("method") || json->contains("result") != json->contains("error"));
  }
  return 0;
}
