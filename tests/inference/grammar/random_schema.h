// Random JSON schemas and string patterns, of everything that is supported.
#pragma once

#include <cstdint>
#include <string>

#include <nlohmann/json.hpp>

namespace kinglet::test {

/// The same for the same seed. Some cannot be satisfied, few are left-recursive.
nlohmann::ordered_json random_schema(std::uint64_t seed);
std::string random_pattern(std::uint64_t seed);

}  // namespace kinglet::test
