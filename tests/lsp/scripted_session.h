// A server with a handful of methods, small enough to predict: what transcripts, the fuzzer and the
// server's own tests talk to.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "lsp/documents.h"
#include "lsp/server.h"

namespace kinglet::lsp::test {

/// Methods beside the standard's life cycle and document notifications:
///   textDocument/inlineCompletion  proposes the text before the cursor on its line; streams it
///                                  first if there is a partialResultToken
///   test/text {uri}                what the server believes the document holds
///   test/later                     waits for the notification test/release or for cancellation
///   test/stubborn                  waits for test/release, deaf to cancellation
///   test/throw, test/drop          handlers that misbehave
///   test/ask {method}              asks the client and answers with its answer
class ScriptedSession {
 public:
  ScriptedSession();
  ~ScriptedSession();

  Server& server();
  /// The messages sent since the last call, one JSON text each; also "log: …" lines.
  std::vector<std::string> take_output();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace kinglet::lsp::test
