// A look at what a unit would read, before libclang reads it. libclang opens whatever an #include
// names: a FIFO hangs it, /dev/zero fills the memory, and a file elsewhere is none of ours.
#pragma once

#include "daemon/base/result.h"
#include "indexer/clang/translation_unit.h"

namespace kinglet::indexer::clang {

/// Follows the includes that are written out in files below the root. Those of macros are not
/// seen: the worker's deadline and memory limit are for them, and limit_reading() keeps it inside.
/// Errors: kUnsupported, naming the file that is not regular, or is neither below the root nor a
/// system header.
Result<void> check_inputs(const UnitRequest& request);

/// From now on this process opens files below `root` and the system's folders alone, for reading,
/// and starts no program. False: the kernel has no Landlock, and nothing changed.
bool limit_reading(const std::string& root, const std::vector<std::string>& more_folders);

}  // namespace kinglet::indexer::clang
