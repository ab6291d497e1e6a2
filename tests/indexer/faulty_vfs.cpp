#include "tests/indexer/faulty_vfs.h"

#include <algorithm>
#include <cstring>
#include <optional>

#include <sqlite3.h>

namespace kinglet::indexer {
namespace {

struct Plan {
  std::optional<std::uint64_t> at;
  int error = SQLITE_IOERR;
  std::uint64_t n_calls = 0;
  bool has_failed = false;
};
Plan plan;

/// SQLITE_OK, or the error that this call is to give.
int next(bool writes) {
  const std::uint64_t call = plan.n_calls++;
  if (!plan.at || call < *plan.at) return SQLITE_OK;
  const bool goes_on = plan.error == SQLITE_FULL && plan.has_failed && writes;
  const bool begins = !plan.has_failed && (plan.error != SQLITE_FULL || writes);
  if (!goes_on && !begins) return SQLITE_OK;
  plan.has_failed = true;
  return plan.error;
}

struct File {
  sqlite3_file base;
  sqlite3_file* real;
};
sqlite3_file* real(sqlite3_file* file) {
  return reinterpret_cast<File*>(file)->real;
}

sqlite3_vfs* original() {
  return sqlite3_vfs_find("unix");
}

const sqlite3_io_methods kMethods = {
    .iVersion = 1,
    .xClose =
        [](sqlite3_file* file) {
          const int result = real(file)->pMethods->xClose(real(file));
          sqlite3_free(real(file));
          return result;
        },
    .xRead =
        [](sqlite3_file* file, void* to, int n, sqlite3_int64 at) {
          if (const int error = next(false)) return error;
          return real(file)->pMethods->xRead(real(file), to, n, at);
        },
    .xWrite =
        [](sqlite3_file* file, const void* from, int n, sqlite3_int64 at) {
          if (const int error = next(true)) return error;
          return real(file)->pMethods->xWrite(real(file), from, n, at);
        },
    .xTruncate =
        [](sqlite3_file* file, sqlite3_int64 size) {
          if (const int error = next(true)) return error;
          return real(file)->pMethods->xTruncate(real(file), size);
        },
    .xSync =
        [](sqlite3_file* file, int flags) {
          if (const int error = next(true)) return error;
          return real(file)->pMethods->xSync(real(file), flags);
        },
    .xFileSize =
        [](sqlite3_file* file, sqlite3_int64* size) {
          if (const int error = next(false)) return error;
          return real(file)->pMethods->xFileSize(real(file), size);
        },
    .xLock =
        [](sqlite3_file* file, int level) {
          if (const int error = next(false)) return error;
          return real(file)->pMethods->xLock(real(file), level);
        },
    .xUnlock = [](sqlite3_file* file,
                  int level) { return real(file)->pMethods->xUnlock(real(file), level); },
    .xCheckReservedLock =
        [](sqlite3_file* file, int* result) {
          return real(file)->pMethods->xCheckReservedLock(real(file), result);
        },
    .xFileControl =
        [](sqlite3_file* file, int op, void* argument) {
          return real(file)->pMethods->xFileControl(real(file), op, argument);
        },
    .xSectorSize = [](sqlite3_file* file) { return real(file)->pMethods->xSectorSize(real(file)); },
    .xDeviceCharacteristics =
        [](sqlite3_file* file) { return real(file)->pMethods->xDeviceCharacteristics(real(file)); },
    // Version 1 has no shared memory: the store does not want any.
    .xShmMap = nullptr,
    .xShmLock = nullptr,
    .xShmBarrier = nullptr,
    .xShmUnmap = nullptr,
    .xFetch = nullptr,
    .xUnfetch = nullptr,
};

int open(sqlite3_vfs*, const char* name, sqlite3_file* file, int flags, int* out_flags) {
  file->pMethods = nullptr;
  if (const int error = next(false)) return error == SQLITE_IOERR ? SQLITE_CANTOPEN : error;
  sqlite3_vfs* vfs = original();
  auto* inner = static_cast<sqlite3_file*>(sqlite3_malloc(vfs->szOsFile));
  std::memset(inner, 0, static_cast<std::size_t>(vfs->szOsFile));
  const int result = vfs->xOpen(vfs, name, inner, flags, out_flags);
  if (result != SQLITE_OK) {
    sqlite3_free(inner);
    return result;
  }
  reinterpret_cast<File*>(file)->real = inner;
  file->pMethods = &kMethods;
  return SQLITE_OK;
}

sqlite3_vfs faulty;

}  // namespace

FaultyVfs::FaultyVfs() {
  faulty = *original();
  faulty.zName = name();
  faulty.szOsFile = sizeof(File);
  faulty.xOpen = open;
  faulty.pNext = nullptr;
  sqlite3_vfs_register(&faulty, 0);
  plan = {};
}

FaultyVfs::~FaultyVfs() {
  sqlite3_vfs_unregister(&faulty);
}

std::vector<int> FaultyVfs::errors() {
  return {SQLITE_IOERR, SQLITE_FULL, SQLITE_BUSY, SQLITE_READONLY, SQLITE_CORRUPT, SQLITE_NOMEM};
}

void FaultyVfs::fail_at(std::uint64_t call, int error) {
  plan = {.at = call, .error = error, .n_calls = 0, .has_failed = false};
}

void FaultyVfs::fail_never() {
  plan.at.reset();
}

bool FaultyVfs::has_failed() const {
  return plan.has_failed;
}

std::string damaged(const std::string& good, std::mt19937_64& random) {
  constexpr std::size_t kPage = 4096;
  std::string bytes = good;
  const auto below = [&](std::size_t limit) { return random() % std::max<std::size_t>(limit, 1); };
  const auto noise = [&](std::size_t begin, std::size_t n) {
    for (std::size_t i = begin; i < std::min(bytes.size(), begin + n); ++i)
      bytes[i] = static_cast<char>(random());
  };
  switch (below(8)) {
    case 0:  // single bits
      for (std::size_t n = 1 + below(20); n > 0; --n)
        bytes[below(bytes.size())] ^= static_cast<char>(1 << below(8));
      break;
    case 1:  // in the header and the schema
      bytes[below(kPage)] ^= static_cast<char>(1 << below(8));
      break;
    case 2:
      bytes.resize(below(bytes.size()));
      break;
    case 3:
      noise(below(bytes.size()), 1 + below(2 * kPage));
      break;
    case 4: {  // a page in another's place
      const std::size_t n_pages = bytes.size() / kPage;
      bytes.replace(below(n_pages) * kPage, kPage, good.substr(below(n_pages) * kPage, kPage));
      break;
    }
    case 5:
      std::fill_n(bytes.begin() + static_cast<std::ptrdiff_t>(below(bytes.size())), 1, '\0');
      std::fill_n(bytes.begin() + static_cast<std::ptrdiff_t>(below(bytes.size() / kPage) * kPage),
                  kPage,
                  '\0');
      break;
    case 6:
      bytes.resize(below(64 << 10));
      noise(0, bytes.size());
      break;
    default:  // flips in every page's head
      for (std::size_t page = 0; page < bytes.size(); page += kPage)
        bytes[page + below(std::min(kPage, bytes.size() - page))] ^=
            static_cast<char>(1 + below(255));
  }
  return bytes;
}

}  // namespace kinglet::indexer
