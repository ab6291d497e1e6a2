// Random JSON schemas, what a model of random weights writes under them, and what somebody else's
// validator (npm's ajv) says of it.
#pragma once

#include <cstdint>
#include <string>

namespace kinglet::test {

struct SchemaFigures {
  std::uint64_t n_schemas = 0;
  std::uint64_t n_refused = 0;        ///< that cannot be satisfied: none of them gets an output
  std::uint64_t n_small_refused = 0;  ///< limits one below the shortest text, all refused
  std::uint64_t n_outputs = 0;
  std::uint64_t n_tight = 0;  ///< of these, with a limit within 3 tokens of the shortest text
  std::uint64_t n_tokens = 0;
  std::uint64_t n_parsed = 0;
  std::uint64_t n_valid = 0;
  std::string trouble;  ///< the first outputs that are not valid, errors that should not be
};

/// Whether node and the validator are installed.
bool can_check_schemas();
/// Schemas of the seeds from `first` on. Throws std::runtime_error when the validator cannot be
/// run.
SchemaFigures check_schemas(std::uint64_t first, std::uint64_t n);

}  // namespace kinglet::test
