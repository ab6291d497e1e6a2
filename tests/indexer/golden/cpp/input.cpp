#include "store/table.h"

#include <string>
#include <vector>

namespace store::detail {

constexpr int kLimit = 3;

/// A table of rows.
/// Thread-safe.
template <class Row>
class Table final : public Base<Row>, private Lock {
 public:
  using Rows = std::vector<Row>;
  enum class State { kOpen, kClosed };

  Table();
  explicit Table(std::string name) : name_(std::move(name)), state_{State::kOpen} {}
  virtual ~Table() = default;

  // Finds a row.
  const Row* find(std::string_view key) const;
  Row& operator[](size_t i) { return rows_[i]; }
  operator bool() const { return !rows_.empty(); }
  static Table<Row> open(const std::string& path, int flags = 0);

 private:
  std::string name_;
  Rows rows_;
  int* counter_ = nullptr;
  static Table* instance_;
};

template <class Row>
const Row* Table<Row>::find(std::string_view key) const {
  int local = 0;
  for (const auto& row : rows_) {
    if (row.key() == key) return &row;
  }
  return nullptr;
}

std::string& name_of(Table<int>& table);

namespace {
struct Helper {
  int value = 1;
  void run() const;
};
}  // namespace

}  // namespace store::detail

void store::detail::Helper::run() const { name_of(*this); }

typedef unsigned long ulong_type;
template <class T>
concept Named = requires(T t) { t.name(); };
#define STORE_CHECK(x) \
  if (!(x)) abort_with(#x)
extern "C" int store_version(void);
int global_count = 0;

TEST(TableTest, FindsRows) { EXPECT_EQ(1, 1); }
TEST_CASE("a table opens twice") { CHECK(true); }
