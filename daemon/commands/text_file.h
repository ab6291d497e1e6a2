// A text that a person names on the command line.
#pragma once

#include <string>

#include "daemon/base/result.h"

namespace kinglet::daemon {

/// All bytes of a file; of a pipe, too. Errors: kIo, naming the file and why it cannot be read.
Result<std::string> read_text_file(const std::string& path);

}  // namespace kinglet::daemon
