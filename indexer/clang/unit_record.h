// From a parsed translation unit to what the index keeps of it.
#pragma once

#include "indexer/clang/semantic_record.h"
#include "indexer/clang/translation_unit.h"

namespace kinglet::indexer::clang {

/// Files below the root only; symbols declared outside are in it where those files use them.
/// What macros wrote, and what the compiler did, is marked as implicit.
UnitRecord record_unit(const TranslationUnit& unit, const std::string& main_path);

}  // namespace kinglet::indexer::clang
