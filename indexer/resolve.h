// From a use to the definitions that it may mean, and back.
//
// Syntax does not say what a name means, but much speaks for one definition and against another:
// the scope that the use is in, what the file imports, the word before the dot, how many arguments
// there are. Each definition of the name is weighed by these signs; what remains is a confidence
// for each, and the reasons in words. A compiler knows better: its answer takes the same form
// (Source::kCompiler), and replaces ours wherever there is one.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/base/result.h"
#include "indexer/import_graph.h"
#include "indexer/index.h"
#include "indexer/reason.h"
#include "indexer/use.h"

namespace kinglet::indexer {

struct Target {
  Symbol symbol;
  float confidence = 0;         // in (0, 1]: how likely the use means this
  std::uint32_t entity = 0;     // a declaration and its definition have the same
  std::vector<Reason> reasons;  // the strongest first
};

/// A file that an import means.
struct TargetFile {
  std::string path;
  float confidence = 0;
};

struct Resolution {
  Use use;
  Source source = Source::kSyntax;
  std::vector<Target> targets;     // the likeliest first; then by path and place
  std::optional<ByteRange> local;  // declared here, in the same function: then no targets
  std::optional<ByteRange> scope;  // of `local`: the function
  std::vector<TargetFile> files;   // the place is inside an import's target
  bool is_definition = false;      // the place is a definition's own name
};

/// `text` is the whole of the file `path`, as it was indexed. Nothing when no identifier and no
/// import stands at `offset`. kCancelled.
Result<std::optional<Resolution>> resolve(const LinkedIndex& all,
                                          const std::string& path,
                                          std::string_view text,
                                          std::uint32_t offset,
                                          const std::stop_token& stop = {});

/// A use found by find_references().
struct FoundUse {
  std::string path;
  ByteRange range;
  float confidence = 0;
};

struct ReferenceOptions {
  float least_confidence = 0.2F;
  std::size_t max_files = 10'000;  // files that use the name and are looked into
  std::size_t max_uses = 100'000;
};

struct FoundUses {
  std::vector<FoundUse> uses;       // by path and place; definitions' own names are not among them
  std::size_t n_skipped_files = 0;  // not readable as they were indexed, or past a limit
};

/// The text of an indexed file if it still is what was indexed.
using ReadIndexed = std::function<std::optional<std::string>(const std::string& path)>;

/// All uses that likely mean what `resolution` found: of each, the confidence that resolve() gives
/// it there. Of a local variable the uses in its function. kCancelled.
Result<FoundUses> find_references(const LinkedIndex& all,
                                  const std::string& path,
                                  const Resolution& resolution,
                                  const ReadIndexed& read,
                                  const ReferenceOptions& options = {},
                                  const std::stop_token& stop = {});

}  // namespace kinglet::indexer
