// Errors as values. A function that can fail returns Result<T>; TRY() passes the error on in one
// word. Nothing found is std::optional, our own mistakes are assert().
#pragma once

#include <cstdint>
#include <string>
#include <type_traits>
#include <utility>

#include <tl/expected.hpp>

namespace kinglet {

enum class ErrorCode : std::uint8_t {
  kInvalidArgument,  // the caller's input is wrong: a flag, a position, a message
  kNotFound,         // a file, a symbol, a device that is not there
  kUnsupported,      // understood, and not something we do
  kCorrupt,          // bytes that are not what they claim to be
  kIo,               // the operating system said no
  kOutOfMemory,      // host or device memory
  kDeviceLost,       // the GPU went away
  kUnavailable,      // a worker or the daemon is not there (any more); a retry may help
  kNumeric,          // NaN or Inf where numbers are needed
  kCancelled,
  kTimeout,
  kInternal,  // our bug
};

struct Error {
  ErrorCode code;
  std::string message;  // the thing, the place, the way out
};

template <class T>
using Result = tl::expected<T, Error>;

/// An error to return from a function whose type is Result<T>, for any T.
inline tl::unexpected<Error> fail(ErrorCode code, std::string message) {
  return tl::unexpected(Error{code, std::move(message)});
}

namespace detail {
template <class T>
T take(Result<T>&& result) {
  if constexpr (!std::is_void_v<T>) return *std::move(result);
}
}  // namespace detail

/// Evaluates to the value of a Result or returns its error from the enclosing function. Never
/// nested and not in coroutines (a statement expression cannot hold co_await or co_return).
#define TRY(expression)                                                      \
  __extension__({                                                            \
    auto try_result_ = (expression);                                         \
    if (!try_result_) return tl::unexpected(std::move(try_result_).error()); \
    ::kinglet::detail::take(std::move(try_result_));                         \
  })

}  // namespace kinglet
