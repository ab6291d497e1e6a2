// The objects of a git repository, in files that nobody vouches for.
//
// Packs are read by libgit2. Loose objects are read here: libgit2 1.5 writes past its memory when
// one holds more than it says, and never comes back from one that is cut short.
#pragma once

#include <string>

struct git_odb;

namespace kinglet::indexer {

/// The objects in a folder ("….git/objects") and in those that it borrows from, for reading. Who
/// calls frees it; null when libgit2 does not have the memory. A loose object that is damaged is
/// not there.
git_odb* open_git_objects(const std::string& folder);

}  // namespace kinglet::indexer
