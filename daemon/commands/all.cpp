// The table of verbs, in the order of `kinglet --help`.
#include "daemon/commands/command.h"
#include "daemon/commands/verbs.h"

namespace kinglet::daemon {

std::span<const Command> all_commands() {
  static constexpr Command kCommands[] = {
      {"lsp",
       "Serve an editor over standard input and output",
       "kinglet lsp                  what an editor is configured to run\n"
       "kinglet lsp --standalone     without a daemon: one session, one process of its own",
       Audience::kPeople,
       lsp_command},
      {"try",
       "Complete one line of a repository and show every step",
       "kinglet try                  in this folder\n"
       "kinglet try ~/src/project --at src/main.cpp:120:14\n"
       "kinglet try ~/src/project --backend vulkan --seed 3",
       Audience::kPeople,
       try_command},
      {"index",
       "Bring a repository's index up to date, and look into it",
       "kinglet index                    of the repository here, with a progress bar\n"
       "kinglet index ~/src/project --stats --json\n"
       "kinglet index --dump > index.txt\n"
       "kinglet index --explain src/generated.c     why it is not indexed, or how",
       Audience::kPeople,
       index_command},
      {"symbols",
       "Find definitions by their names",
       "kinglet symbols DBImpl::Get\n"
       "kinglet symbols opnfil --kind function --limit 10\n"
       "kinglet symbols parse --repo ~/src/project --json",
       Audience::kPeople,
       symbols_command},
      {"refs",
       "Say what a name means at a place, and where else it is used",
       "kinglet refs src/main.cpp:120:14\n"
       "kinglet refs src/main.cpp:120:14 --json",
       Audience::kPeople,
       refs_command},
      {"search",
       "Search the text or the names of the indexed files",
       "kinglet search 'retry_count'\n"
       "kinglet search --regex '^class \\w+Error' -i\n"
       "kinglet search --files idx/res",
       Audience::kPeople,
       search_command},
      {"context",
       "Show what is packed into the prompt at a place, and why",
       "kinglet context src/main.cpp:120:14\n"
       "kinglet context src/main.cpp:120:14 --budget 2000 --explain     and each part's text\n"
       "kinglet context src/main.cpp:120:14 --diff src/main.cpp:121:1   what moving there costs\n"
       "kinglet context src/main.cpp:120:14 --diff 2000                 what half a budget holds",
       Audience::kPeople,
       context_command},
      {"eval",
       "Say how good completions are in a repository: hide pieces of it and compare",
       "kinglet eval                          60 pieces of the repository here\n"
       "kinglet eval ~/src/project --no-context         what the repository in the prompt is "
       "worth\n"
       "kinglet eval --holes 200 --budget 2000,4000     what a longer prompt is worth\n"
       "kinglet eval --compare-model other.gguf --json results.json",
       Audience::kPeople,
       eval_command},
      {"doctor",
       "Say what is wrong with this installation, and the way out",
       "kinglet doctor               exit code 0: all is well; 1: something needs you",
       Audience::kPeople,
       doctor_command},
      {"status",
       "Show the daemon, its processes, clients and model",
       "kinglet status\n"
       "kinglet status --json        for scripts",
       Audience::kPeople,
       status_command},
      {"stop",
       "Ask the daemon to finish; editors start a new one by themselves",
       "kinglet stop",
       Audience::kPeople,
       stop_command},
      {"logs",
       "Show the logs of the daemon and its workers",
       "kinglet logs                 the last 100 lines of each\n"
       "kinglet logs -f              and what comes, until Ctrl-C\n"
       "kinglet logs engine -n 20    the last 20 lines of the engine's",
       Audience::kPeople,
       logs_command},
      {"purge",
       "Delete caches and logs (never configuration or models)",
       "kinglet purge                asks first\n"
       "kinglet purge --yes          does not",
       Audience::kPeople,
       purge_command},
      {"daemon",
       "Run the daemon in the foreground (editors start it by themselves)",
       "kinglet daemon\n"
       "kinglet daemon --idle-exit 0 --log-level debug",
       Audience::kPeople,
       daemon_command},
      {"generate",
       "Continue a text with a model, for scripts and people who try one",
       "kinglet generate model.gguf -p 'int main() {' -n 64\n"
       "kinglet generate model.gguf -p 'Once' --temperature 0.8 --seed 3 --backend vulkan\n"
       "kinglet generate model.gguf -p 'def main():' --lora style.gguf=0.8",
       Audience::kPeople,
       generate_command},
      {"bench",
       "Measure models on this machine, beside what the machine allows",
       "kinglet bench model.gguf\n"
       "kinglet bench a.gguf b.gguf --backend cpu --prefill 512 --depth 0,4096 --kv q8\n"
       "kinglet bench model.gguf --json      for scripts",
       Audience::kPeople,
       bench_command},
      {"logits",
       "Write a model's logits to a file, for comparison with other programs",
       "kinglet logits model.gguf --tokens ids.txt --out logits.f32\n"
       "kinglet logits model.gguf --tokens ids.txt --out last.f32 --last 1 --kv f16",
       Audience::kPeople,
       logits_command},
      {"tokenize",
       "Turn text into a model's token ids, or back, for scripts and other people's checks",
       "kinglet tokenize model.gguf < main.c\n"
       "kinglet tokenize model.gguf < main.c | kinglet tokenize model.gguf --detokenize\n"
       "kinglet tokenize model.gguf --control --bos < prompt.txt",
       Audience::kPeople,
       tokenize_command},
      {"models",
       "List, show and test model files",
       "kinglet models list          which files there are, and which is used\n"
       "kinglet models show FILE     what is in a file, what it costs, what is not supported\n"
       "kinglet models test FILE     does it compute what it should? A red line says what is wrong",
       Audience::kPeople,
       models_command},
      {"engine", "The process that runs the model", "", Audience::kOurselves, engine_command},
      {"parse-worker",
       "The process that reads a repository's files",
       "",
       Audience::kOurselves,
       parse_worker_command},
      {"clang-worker",
       "The process that understands C and C++ by libclang",
       "",
       Audience::kOurselves,
       clang_worker_command},
  };
  return kCommands;
}

}  // namespace kinglet::daemon
