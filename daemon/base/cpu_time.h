// Time that processors spent computing, not time that passed.
#pragma once

#include <ctime>

namespace kinglet {

namespace detail {
inline double clock_seconds(clockid_t clock) {
  timespec now = {};
  ::clock_gettime(clock, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}
}  // namespace detail

/// Of the calling thread, since it began.
inline double thread_seconds() {
  return detail::clock_seconds(CLOCK_THREAD_CPUTIME_ID);
}

/// Of all threads of this process, since it began.
inline double process_seconds() {
  return detail::clock_seconds(CLOCK_PROCESS_CPUTIME_ID);
}

}  // namespace kinglet
