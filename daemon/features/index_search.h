// kinglet/search and kinglet/dump: what `kinglet search` and `kinglet index --dump` ask.
#pragma once

#include <cstddef>
#include <stop_token>
#include <string_view>
#include <vector>

#include "daemon/features/navigation.h"
#include "lsp/navigation.h"

namespace kinglet::daemon {

/// Text: {matches: [{uri, path, line, column, text}], truncated, problems}, lines and columns (in
/// bytes) from 1, by path and place. Files: {files: [{uri, path}]}, best first. Only indexed files
/// are looked into, as they are now. InvalidParams for a query that cannot be searched for.
lsp::Response<lsp::Json> search_files(const std::vector<NavigatedRoot>& roots,
                                      const lsp::SearchParams& params,
                                      const std::stop_token& stop);

/// {text, last}: what `page` of the indexes' dumps says, some files a page.
lsp::Json dump_page(const std::vector<indexer::Snapshot>& indexes, std::size_t page);

}  // namespace kinglet::daemon
