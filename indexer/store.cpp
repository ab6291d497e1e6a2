#include "indexer/store.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <system_error>
#include <utility>

#include <fcntl.h>
#include <sqlite3.h>
#include <sys/file.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "indexer/bytes.h"

namespace kinglet::indexer {
namespace {

// "Kngl": the file is ours. Another number for another schema or encoding of rows.
constexpr int kApplicationId = 0x4B6E676C;
constexpr std::uint64_t kFormat = 1;
constexpr int kPageBytes = 4096;
constexpr std::size_t kMaxFiles = 2'000'000;  // of a root; more is a damaged tree

constexpr std::array kSchema = {
    "CREATE TABLE files(root INTEGER, path BLOB, row BLOB, PRIMARY KEY(root, path)) WITHOUT ROWID",
    "CREATE TABLE records(id INTEGER PRIMARY KEY, key BLOB UNIQUE, used INTEGER, row BLOB)",
    "CREATE TABLE roots(id INTEGER PRIMARY KEY, path BLOB UNIQUE, used INTEGER)",
};

void append_bytes(std::string& out, std::uint64_t number) {
  std::array<char, 8> bytes{};
  std::memcpy(bytes.data(), &number, 8);
  out.append(bytes.data(), 8);
}

std::uint64_t take_bytes(std::string_view bytes) {
  std::uint64_t number = 0;
  std::memcpy(&number, bytes.data(), 8);
  return number;
}

// Over a row and where it stands: a row that moved is no row.
std::uint64_t checksum(std::string_view a, std::string_view b, std::string_view row) {
  std::string text;
  write_string(text, a);
  write_string(text, b);
  return XXH3_64bits_withSeed(row.data(), row.size(), XXH3_64bits(text.data(), text.size()));
}

std::string sealed(std::string_view a, std::string_view b, std::string row) {
  append_bytes(row, checksum(a, b, row));
  return row;
}

std::optional<std::string_view> unsealed(std::string_view a,
                                         std::string_view b,
                                         std::string_view row) {
  if (row.size() < 8) return std::nullopt;
  const std::string_view body = row.substr(0, row.size() - 8);
  if (take_bytes(row.substr(body.size())) != checksum(a, b, body)) return std::nullopt;
  return body;
}

std::string key_of(const ContentHash& hash, std::string_view language) {
  std::string key;
  append_bytes(key, hash.high);
  append_bytes(key, hash.low);
  key += language;
  return key;
}

std::string encode(const StoredFile& file) {
  std::string row;
  append_bytes(row, file.stamp);
  append_bytes(row, file.hash.high);
  append_bytes(row, file.hash.low);
  write_string(row, file.language);
  write_string(row, file.left_out);
  return row;
}

std::optional<StoredFile> decode(std::string_view path, std::string_view row) {
  if (row.size() < 24) return std::nullopt;
  ByteReader rest(row.substr(24));
  const auto language = rest.string();
  const auto left_out = rest.string();
  if (!language || !left_out || rest.n_left() != 0) return std::nullopt;
  return StoredFile{.path = std::string(path),
                    .stamp = take_bytes(row),
                    .hash = {take_bytes(row.substr(8)), take_bytes(row.substr(16))},
                    .language = std::string(*language),
                    .left_out = std::string(*left_out)};
}

bool is_damage(int error) {
  return error == SQLITE_CORRUPT || error == SQLITE_NOTADB || error == SQLITE_FORMAT ||
         error == SQLITE_MISMATCH || error == SQLITE_ERROR || error == SQLITE_SCHEMA;
}

}  // namespace

/// A prepared statement; an error stays until it is asked for.
struct Store::Statement {
  Statement(sqlite3* database, const char* sql) {
    error = sqlite3_prepare_v2(database, sql, -1, &handle, nullptr);
  }
  Statement(const Statement&) = delete;
  Statement& operator=(const Statement&) = delete;
  ~Statement() { sqlite3_finalize(handle); }

  Statement& bind(int place, std::int64_t number) {
    if (error == SQLITE_OK) error = sqlite3_bind_int64(handle, place, number);
    return *this;
  }
  /// The bytes must stay until the next step.
  Statement& bind(int place, std::string_view bytes) {
    if (error == SQLITE_OK) {
      // An empty blob, not NULL, whatever data() is.
      error = bytes.empty()
                  ? sqlite3_bind_zeroblob(handle, place, 0)
                  : sqlite3_bind_blob64(handle, place, bytes.data(), bytes.size(), SQLITE_STATIC);
    }
    return *this;
  }
  /// True for a row, false at the end and on errors.
  bool step() {
    if (error != SQLITE_OK) return false;
    const int result = sqlite3_step(handle);
    if (result == SQLITE_ROW) return true;
    error = result == SQLITE_DONE ? SQLITE_OK : result & 0xFF;
    return false;
  }
  /// Runs it and makes it ready for other values.
  bool run() {
    while (step()) {
    }
    if (handle != nullptr) sqlite3_reset(handle);
    return error == SQLITE_OK;
  }
  std::int64_t number(int column) const { return sqlite3_column_int64(handle, column); }
  std::string_view bytes(int column) {
    const void* data = sqlite3_column_blob(handle, column);
    const auto size = static_cast<std::size_t>(sqlite3_column_bytes(handle, column));
    return data == nullptr ? std::string_view()
                           : std::string_view(static_cast<const char*>(data), size);
  }

  sqlite3_stmt* handle = nullptr;
  int error = SQLITE_OK;
};

// --- opening and dropping ------------------------------------------------------------------------

Store::Store(StoreOptions options) : options_(std::move(options)) {
  const std::string lock = options_.file.string() + ".lock";
  lock_ = UniqueFd(::open(lock.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!lock_.is_open()) {
    options_.log("The index is not kept: " + lock + ": " + std::generic_category().message(errno));
    return;
  }
  if (::flock(lock_.get(), LOCK_EX | LOCK_NB) != 0) {
    options_.log("The index is not kept: another Kinglet uses " + options_.file.string());
    return;
  }
  open();
}

Store::~Store() {
  close();
}

void Store::open() {
  const char* vfs = options_.vfs.empty() ? nullptr : options_.vfs.c_str();
  const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX;
  const int error = sqlite3_open_v2(options_.file.c_str(), &database_, flags, vfs);
  if (error != SQLITE_OK) return drop(error & 0xFF, "opening it");
  // An error in it has dropped the store already.
  (void)set_up();
}

bool Store::set_up() {
  const auto version =
      static_cast<std::int64_t>(XXH3_64bits_withSeed(&options_.version, 8, kFormat) & 0x7FFFFFFF);
  sqlite3_db_config(database_, SQLITE_DBCONFIG_DEFENSIVE, 1, nullptr);
  sqlite3_db_config(database_, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, nullptr);
  // Exclusive: no shared memory file, which a full disk would turn into SIGBUS.
  const std::string pragmas =
      "PRAGMA locking_mode = EXCLUSIVE; PRAGMA page_size = " + std::to_string(kPageBytes) +
      "; PRAGMA cache_size = -2000; PRAGMA mmap_size = 0; PRAGMA temp_store = MEMORY;"
      "PRAGMA cell_size_check = ON; PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;"
      "PRAGMA journal_size_limit = 4194304; PRAGMA max_page_count = " +
      std::to_string(std::max<std::uint64_t>(options_.max_bytes / kPageBytes * 5 / 4, 64));
  if (!run(pragmas.c_str(), "opening it")) return false;
  const auto id = number("PRAGMA application_id");
  const auto stored = number("PRAGMA user_version");
  if (!id || !stored) return false;
  const bool is_new = *id == 0 && *stored == 0 && number("SELECT count(*) FROM sqlite_schema") == 0;
  if (!is_open()) return false;
  if (!is_new) {
    // Of another version: as good as empty, and nothing to tell.
    if (*id != kApplicationId || *stored != version || !is_schema_ours()) {
      if (!is_open()) return false;
      close();
      remove_files();
      if (std::exchange(was_rebuilt_, true)) return false;
      open();
      return is_open();
    }
    return true;
  }
  std::string sql = "BEGIN IMMEDIATE;";
  for (const char* table : kSchema)
    sql += std::string(table) + ";";
  sql += "PRAGMA application_id = " + std::to_string(kApplicationId) +
         "; PRAGMA user_version = " + std::to_string(version) + "; COMMIT";
  return run(sql.c_str(), "creating it");
}

bool Store::is_schema_ours() {
  std::size_t n_same = 0;
  std::size_t n_rows = 0;
  int error = SQLITE_OK;
  {
    Statement schema(database_,
                     "SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY name");
    while (n_rows <= kSchema.size() && schema.step()) {
      if (n_rows < kSchema.size() && schema.bytes(0) == kSchema.at(n_rows)) ++n_same;
      ++n_rows;
    }
    error = schema.error;
  }
  if (error != SQLITE_OK) {
    drop(error, "opening it");
    return false;
  }
  return n_same == kSchema.size() && n_rows == kSchema.size();
}

void Store::close() {
  sqlite3_close_v2(database_);
  database_ = nullptr;
  used_.clear();
}

void Store::remove_files() const {
  std::error_code ignored;
  for (const char* suffix : {"", "-wal", "-shm", "-journal"})
    std::filesystem::remove(options_.file.string() + suffix, ignored);
}

void Store::drop(int error, const char* doing) {
  std::string why = database_ != nullptr ? sqlite3_errmsg(database_) : sqlite3_errstr(error);
  close();
  // Somebody else's doing, or no right to write: the file may be good.
  const bool may_be_good = error == SQLITE_BUSY || error == SQLITE_LOCKED ||
                           error == SQLITE_READONLY || error == SQLITE_CANTOPEN ||
                           error == SQLITE_PERM || error == SQLITE_NOMEM;
  if (!may_be_good) remove_files();
  const bool rebuild = is_damage(error) && !was_rebuilt_;
  if (!std::exchange(was_logged_, true)) {
    options_.log(
        std::string(rebuild ? "The kept index is made anew: " : "The index is not kept: ") +
        options_.file.string() + ": " + why + " (" + doing + ")");
  }
  if (!rebuild) return;
  was_rebuilt_ = true;
  open();
}

bool Store::run(const char* sql, const char* doing) {
  const int error = sqlite3_exec(database_, sql, nullptr, nullptr, nullptr);
  if (error == SQLITE_OK) return true;
  drop(error & 0xFF, doing);
  return false;
}

std::optional<std::int64_t> Store::number(const char* sql) {
  if (!is_open()) return std::nullopt;
  int error = SQLITE_OK;
  {
    Statement statement(database_, sql);
    if (statement.step()) return statement.number(0);
    error = statement.error == SQLITE_OK ? SQLITE_CORRUPT : statement.error;
  }
  drop(error, "reading");
  return std::nullopt;
}

// --- reading -------------------------------------------------------------------------------------

bool Store::has_records() {
  return number("SELECT EXISTS(SELECT 1 FROM records)").value_or(0) != 0;
}

std::vector<StoredFile> Store::files(const std::string& root) {
  std::vector<StoredFile> files;
  if (!is_open()) return files;
  int error = SQLITE_OK;
  {
    Statement statement(database_,
                        "SELECT files.path, files.row FROM files JOIN roots ON "
                        "files.root = roots.id WHERE roots.path = ?1 ORDER BY files.path");
    statement.bind(1, root);
    while (statement.step()) {
      const std::string_view path = statement.bytes(0);
      const auto row = unsealed(root, path, statement.bytes(1));
      auto file = row ? decode(path, *row) : std::nullopt;
      if (file) files.push_back(*std::move(file));
      if (files.size() > kMaxFiles) statement.error = SQLITE_CORRUPT;
    }
    error = statement.error;
  }
  if (error != SQLITE_OK) drop(error, "reading");
  return files;
}

std::optional<FileRecord> Store::find(const ContentHash& hash, std::string_view language) {
  if (!is_open()) return std::nullopt;
  const std::string key = key_of(hash, language);
  std::optional<FileRecord> found;
  int error = SQLITE_OK;
  {
    Statement statement(database_, "SELECT id, used, row FROM records WHERE key = ?1");
    statement.bind(1, key);
    if (statement.step()) {
      const auto body = unsealed("", key, statement.bytes(2));
      if (body) {
        auto record = deserialize(std::as_bytes(std::span(*body)));
        if (record && record->hash == hash && record->language == language) {
          found = *std::move(record);
          if (statement.number(1) != options_.today) used_.push_back(statement.number(0));
        }
      }
    }
    error = statement.error;
  }
  if (error != SQLITE_OK) drop(error, "reading");
  return found;
}

// --- writing -------------------------------------------------------------------------------------

void Store::write(const StoreBatch& batch) {
  if (!is_open()) return;
  if (batch.records.empty() && batch.files.empty() && batch.removed.empty() && used_.empty())
    return;
  if (!run("BEGIN IMMEDIATE", "writing")) return;
  if (!write_all(batch) || !run("COMMIT", "writing")) return;
  used_.clear();
  (void)evict();
}

bool Store::write_all(const StoreBatch& batch) {
  const auto root = root_id(batch.root);
  if (!root) return false;
  int error = SQLITE_OK;
  {
    Statement put(database_,
                  "INSERT INTO records(key, used, row) VALUES(?1, ?2, ?3) "
                  "ON CONFLICT(key) DO UPDATE SET used = ?2, row = ?3");
    for (const StoredRecord& record : batch.records) {
      const std::string key = key_of(record.hash, record.language);
      const std::string row = sealed("", key, record.bytes);
      if (!put.bind(1, key).bind(2, options_.today).bind(3, row).run()) break;
    }
    Statement note(database_, "INSERT OR REPLACE INTO files(root, path, row) VALUES(?1, ?2, ?3)");
    for (const StoredFile& file : batch.files) {
      const std::string row = sealed(batch.root, file.path, encode(file));
      if (!note.bind(1, *root).bind(2, file.path).bind(3, row).run()) break;
    }
    Statement forget(database_, "DELETE FROM files WHERE root = ?1 AND path = ?2");
    for (const std::string& path : batch.removed) {
      if (!forget.bind(1, *root).bind(2, path).run()) break;
    }
    Statement use(database_, "UPDATE records SET used = ?1 WHERE id = ?2");
    for (const std::int64_t id : used_) {
      if (!use.bind(1, options_.today).bind(2, id).run()) break;
    }
    for (const Statement* statement : {&put, &note, &forget, &use}) {
      if (error == SQLITE_OK) error = statement->error;
    }
  }
  if (error != SQLITE_OK) drop(error & 0xFF, "writing");
  return error == SQLITE_OK;
}

std::optional<std::int64_t> Store::root_id(const std::string& root) {
  std::optional<std::int64_t> id;
  int error = SQLITE_OK;
  {
    Statement put(database_,
                  "INSERT INTO roots(path, used) VALUES(?1, ?2) "
                  "ON CONFLICT(path) DO UPDATE SET used = ?2 RETURNING id");
    put.bind(1, root).bind(2, options_.today);
    if (put.step()) id = put.number(0);
    error = put.error != SQLITE_OK ? put.error : id ? SQLITE_OK : SQLITE_CORRUPT;
  }
  if (error != SQLITE_OK) drop(error, "writing");
  return error == SQLITE_OK ? id : std::nullopt;
}

bool Store::evict() {
  for (int round = 0; round < 64; ++round) {
    const auto n_pages = number("PRAGMA page_count");
    const auto n_free = n_pages ? number("PRAGMA freelist_count") : std::nullopt;
    if (!n_pages || !n_free) return false;
    const auto n_used = static_cast<std::uint64_t>(std::max<std::int64_t>(*n_pages - *n_free, 0));
    // Once it is full, a tenth goes, so that not every batch has to evict.
    const std::uint64_t limit = round == 0 ? options_.max_bytes : options_.max_bytes / 10 * 9;
    if (n_used * kPageBytes <= limit) return true;
    const bool done =
        run("BEGIN IMMEDIATE;"
            "DELETE FROM records WHERE id IN (SELECT id FROM records ORDER BY used, id "
            "  LIMIT (SELECT count(*) / 16 + 1 FROM records));"
            "DELETE FROM files WHERE root IN (SELECT id FROM roots WHERE used < "
            "  (SELECT coalesce(min(used), 1 << 40) FROM records));"
            "DELETE FROM roots WHERE id NOT IN (SELECT root FROM files);"
            "COMMIT",
            "evicting");
    if (!done) return false;
  }
  return true;
}

}  // namespace kinglet::indexer
