// How fast a file is read: what loading it is held against.
#pragma once

#include <filesystem>
#include <optional>

#include "daemon/base/result.h"

namespace kinglet::daemon {

/// Bytes a second.
struct FileRate {
  double warm = 0;                            ///< out of the page cache
  std::optional<double> cold = std::nullopt;  ///< nothing where the page cache keeps its pages
};

/// Reads the file, or much of a large one, and copies nothing but into a buffer that stays in the
/// processor's caches. Leaves what was read in the page cache. Errors: kNotFound, kIo,
/// kInvalidArgument for what is no file with bytes.
Result<FileRate> measure_file_rate(const std::filesystem::path& path);

/// Makes the next reading come from the disk. False where pages stay: while the file is mapped, on
/// file systems that live in memory.
Result<bool> drop_from_page_cache(const std::filesystem::path& path);

}  // namespace kinglet::daemon
