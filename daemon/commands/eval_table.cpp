#include "daemon/commands/eval_table.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <optional>
#include <set>
#include <string_view>

#include "daemon/commands/screen.h"
#include "daemon/eval/intervals.h"

namespace kinglet::daemon {

using lsp::Json;

namespace {

struct Measure {
  const char* key;    // of a row
  const char* label;  // for people
  double scale;       // from the row's unit to the table's
  int decimals;
};
constexpr std::array<Measure, 8> kMeasures = {{
    {"exact", "exact match, %", 100, 1},
    {"edit_similarity", "edit similarity, %", 100, 1},
    {"chrf", "chrF, %", 100, 1},
    {"identifier_f1", "identifiers, F1, %", 100, 1},
    {"parses", "parses as before, %", 100, 1},
    {"kept", "characters kept", 1, 1},
    {"first_token_seconds", "first token, ms", 1e3, 0},
    {"seconds", "all of it, ms", 1e3, 0},
}};

// Nothing: the row has no such value, such as the time of a token that never came.
std::optional<double> value_of(const Json& row, const char* key) {
  const Json& value = row.at(key);
  if (value.is_boolean()) return value.get<bool>() ? 1 : 0;
  if (value.is_number()) return value.get<double>();
  return std::nullopt;
}

Json to_json(const std::optional<Interval>& interval) {
  if (!interval) return nullptr;
  return {{"mean", interval->mean}, {"low", interval->low}, {"high", interval->high}};
}

Json summarize_kind(const EvalResults& results, const std::string& kind) {
  std::vector<std::size_t> holes;
  std::set<std::string> files;
  const std::vector<Json>& first = results.rows.front();
  for (std::size_t i = 0; i < first.size(); ++i) {
    if (!kind.empty() && first[i].at("kind") != kind) continue;
    holes.push_back(i);
    files.insert(first[i].at("path").get<std::string>());
  }
  Json measures = Json::array();
  for (const Measure& measure : kMeasures) {
    Json variants = Json::array();
    Json differences = Json::array();
    for (const std::vector<Json>& rows : results.rows) {
      std::vector<Sample> values;
      std::vector<Sample> less_first;
      for (const std::size_t i : holes) {
        const auto path = rows[i].at("path").get<std::string>();
        const auto value = value_of(rows[i], measure.key);
        const auto base = value_of(first[i], measure.key);
        if (value) values.push_back({path, *value});
        if (value && base) less_first.push_back({path, *value - *base});
      }
      variants.push_back(to_json(mean_by_file(values, results.seed)));
      if (&rows != &first) differences.push_back(to_json(mean_by_file(less_first, results.seed)));
    }
    measures.push_back(
        {{"measure", measure.key}, {"variants", variants}, {"differences", differences}});
  }
  return {{"kind", kind}, {"holes", holes.size()}, {"files", files.size()}, {"measures", measures}};
}

enum class Sign : std::uint8_t { kIfMinus, kAlways };

std::string cell_of(const Json& interval, const Measure& measure, Sign sign) {
  if (interval.is_null()) return "-";
  const char* const format =
      sign == Sign::kAlways ? "%+.*f (%+.*f to %+.*f)" : "%.*f (%.*f to %.*f)";
  std::array<char, 96> text{};
  std::snprintf(text.data(),
                text.size(),
                format,
                measure.decimals,
                measure.scale * interval["mean"].get<double>(),
                measure.decimals,
                measure.scale * interval["low"].get<double>(),
                measure.decimals,
                measure.scale * interval["high"].get<double>());
  return text.data();
}

using Row = std::vector<std::string>;

void print_rows(const std::vector<Row>& rows) {
  std::vector<std::size_t> widths(rows.front().size());
  for (const Row& row : rows) {
    for (std::size_t i = 0; i < row.size(); ++i)
      widths[i] = std::max(widths[i], row[i].size());
  }
  const Screen screen;
  for (const Row& row : rows) {
    const bool is_head = &row == &rows.front();
    std::string line;
    for (std::size_t i = 0; i < row.size(); ++i) {
      line += row[i];
      if (i + 1 < row.size()) line.append(widths[i] + 2 - row[i].size(), ' ');
    }
    std::printf(
        "%s%s%s\n", is_head ? screen.bold() : "", line.c_str(), is_head ? screen.plain() : "");
  }
}

std::string counted(std::size_t n, const char* noun) {
  return std::to_string(n) + " " + noun + (n == 1 ? "" : "s");
}

}  // namespace

Json summarize(const EvalResults& results) {
  std::set<std::string> kinds = {""};
  for (const Json& row : results.rows.front())
    kinds.insert(row.at("kind").get<std::string>());
  Json summary = Json::array();
  for (const std::string& kind : kinds)
    summary.push_back(summarize_kind(results, kind));
  return summary;
}

void print_summary(const std::vector<std::string>& variants, const Json& summary) {
  std::puts("Means, and in brackets their 95 % intervals by file.");
  for (const Json& part : summary) {
    const auto kind = part["kind"].get<std::string>();
    std::vector<Row> rows = {{(kind.empty() ? "all" : kind) + ": " +
                              counted(part["holes"].get<std::size_t>(), "hole") + " of " +
                              counted(part["files"].get<std::size_t>(), "file")}};
    rows[0].insert(rows[0].end(), variants.begin(), variants.end());
    for (std::size_t i = 1; i < variants.size(); ++i)
      rows[0].push_back(variants[i] + " less " + variants[0]);
    for (std::size_t i = 0; i < kMeasures.size(); ++i) {
      const Json& measure = part["measures"][i];
      Row row = {kMeasures[i].label};
      for (const Json& interval : measure["variants"])
        row.push_back(cell_of(interval, kMeasures[i], Sign::kIfMinus));
      for (const Json& interval : measure["differences"])
        row.push_back(cell_of(interval, kMeasures[i], Sign::kAlways));
      rows.push_back(std::move(row));
    }
    std::puts("");
    print_rows(rows);
  }
}

}  // namespace kinglet::daemon
