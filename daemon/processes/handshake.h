// The first line each way on the daemon's socket, before anything else:
//
//   client:  KINGLET <protocol> <version> <purpose> <settings as JSON>\n
//   daemon:  KINGLET <protocol> <version>\n
//
// The lines themselves never change, so that programs of any two versions understand each other at
// least this far; what follows them may, with kSocketProtocol.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "daemon/base/result.h"

namespace kinglet::daemon {

inline constexpr int kSocketProtocol = 1;
inline constexpr std::size_t kMaxHelloBytes = 16 << 10;

enum class Purpose : std::uint8_t {
  kLsp,     // LSP frames follow, both ways
  kStatus,  // the daemon writes its status as JSON and closes
  kStop,    // the daemon finishes; the connection closes when it has
};

/// The client's line.
struct Hello {
  int protocol = kSocketProtocol;
  std::string version;
  Purpose purpose = Purpose::kLsp;
  std::string settings = "{}";  // flags of `kinglet lsp`, above all other configuration
};
std::string write_hello(const Hello& hello);
/// `line` without its end. Errors: kCorrupt for a line that is not one of these.
Result<Hello> read_hello(std::string_view line);

/// The daemon's line.
struct Welcome {
  int protocol = kSocketProtocol;
  std::string version;
};
std::string write_welcome(const Welcome& welcome);
Result<Welcome> read_welcome(std::string_view line);

/// Whether version `a` (MAJOR.MINOR.PATCH) is newer than `b`. What is no version is older than all.
bool is_newer(std::string_view a, std::string_view b);

}  // namespace kinglet::daemon
