// The prompt for a place in a document: the repository packed around it, as tokens.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <stop_token>
#include <string>
#include <vector>

#include "daemon/base/result.h"
#include "daemon/base/text.h"
#include "daemon/features/prompt.h"
#include "indexer/context/packer.h"
#include "indexer/history.h"
#include "indexer/index.h"
#include "lsp/text_buffer.h"

namespace kinglet::daemon {

/// Everything packing needs, so that it can run on any thread while the session goes on.
struct PackJob {
  std::filesystem::path root;  // of the repository; empty: the document belongs to none
  std::string repository;      // its name
  std::string path;            // of the document, relative to the root
  indexer::Snapshot index;
  std::shared_ptr<const indexer::ChangeHistory> history = {};  // of the repository, if known
  /// Texts of other open documents where the index has them and not what is on the disk, by path.
  std::map<std::string, std::shared_ptr<const lsp::TextBuffer>> open_texts = {};
  std::shared_ptr<const lsp::TextBuffer> text;
  ByteOffset cursor{0};
  std::size_t budget_tokens = 0;
  indexer::PackMethod method = indexer::PackMethod::kKinglet;
  std::uint64_t max_file_bytes = 0;
  std::shared_ptr<const PromptWriter> writer;
  std::vector<indexer::RecentPlace> recent = {};  // where someone was lately, the newest first
  std::uint64_t edits_elsewhere = 0;              // Overlays::edits_besides()
  /// Layouts made for this document before: the first that still holds is used again.
  std::vector<std::shared_ptr<const indexer::Pack>> kept = {};
};

struct PackedPrompt {
  std::shared_ptr<const indexer::Pack> pack;
  std::shared_ptr<const indexer::Pack> layout;  // that it is of: a kept one, or itself
  Prompt prompt;
  std::size_t budget_tokens = 0;
  double seconds = 0;  // what packing took
};

/// Errors: kInvalidArgument (a budget too small for the prompt's own markers), kCancelled.
Result<PackedPrompt> pack_prompt(const PackJob& job, const std::stop_token& stop);

}  // namespace kinglet::daemon
