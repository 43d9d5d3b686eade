#include <csignal>
#include <cstdio>
#include <iostream>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>
#include <fcntl.h>
#include <unistd.h>

#include "effnetv2/core/error.h"
#include "effnetv2/core/mapped_file.h"
#include "effnetv2/core/stop.h"
#include "effnetv2/core/version.h"
#include "effnetv2/run/environment.h"

#include "command_text.h"
#include "commands.h"
#include "failure.h"
#include "manual.h"
#include "usage.h"

namespace {

namespace cli = effnetv2::cli;

std::string versions() {
  return "effnetv2 " + effnetv2::version() + "\nrevision " + effnetv2::git_revision() + "\nLibTorch " +
         effnetv2::torch_version() + "\nOpenCV " + effnetv2::opencv_version() + "\nCUDA " + effnetv2::cuda_version() +
         "\ncompiler " + effnetv2::compiler();
}

/// Results count only once they are out: a full disk or a closed pipe at the other end is a failure.
void flush_stdout() {
  std::cout.flush();
  if (std::fflush(stdout) != 0 || std::ferror(stdout) != 0 || !std::cout) {
    throw effnetv2::EnvironmentError("cannot write to stdout: the disk is full or its reader has gone");
  }
}

/// A file that is opened while stdin, stdout or stderr is closed would get its number, and what is meant for the
/// stream.
void hold_standard_streams() {
  for (const int stream : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    if (::fcntl(stream, F_GETFD) < 0) {
      // results that cannot be written are an error, remarks are not
      (void)!::open("/dev/null", stream == STDOUT_FILENO ? O_RDONLY : O_RDWR);
    }
  }
}

int parse_and_run(const std::vector<std::string>& args) {
  CLI::App app("Train and study EfficientNetV2 from JSON configs.", "effnetv2");
  // the commands inherit it
  app.formatter_fn([](const CLI::App* command, std::string, CLI::AppFormatMode) {
    return cli::help_text(cli::command_text(*command));
  });
  app.set_help_flag("-h,--help", "this text");
  app.set_version_flag("--version", versions)->description("versions of the program and of what it is built on");
  app.require_subcommand(0, 1);

  cli::Run run;
  cli::add_train(app, run);
  cli::add_resume(app, run);
  cli::add_eval(app, run);
  cli::add_predict(app, run);
  cli::add_summary(app, run);
  cli::add_bench(app, run);
  cli::add_convert(app, run);
  cli::add_data(app, run);
  cli::add_report(app, run);
  cli::add_config(app, run);
  cli::add_docs(app, run);
  cli::add_value_rules(app);
  // after the verbs, which would inherit it
  app.footer(
      "Examples:\n"
      "  effnetv2 data synth shapes && effnetv2 train configs/quickstart.json --set data.root=shapes\n"
      "  effnetv2 resume runs/quickstart-1\n"
      "  effnetv2 eval runs/quickstart-1 --json\n"
      "Each command has its own --help.");

  try {
    app.parse(std::vector<std::string>(args.rbegin(), args.rend()));
  } catch (const CLI::Success& e) {
    return app.exit(e);  // --help and --version
  } catch (const CLI::ParseError& e) {
    throw effnetv2::ConfigError(cli::explain_usage_error(app, args, e));
  }
  if (!run) {
    std::cerr << app.help();
    return effnetv2::kExitUsage;
  }
  for (const char* verb : {"train", "resume", "eval", "predict"}) {
    if (app.got_subcommand(verb)) {
      effnetv2::install_stop_handlers();
    }
  }
  return run();
}

}  // namespace

int main(int argc, char** argv) {
  hold_standard_streams();
  std::signal(SIGPIPE, SIG_IGN);  // a run must not die because whoever read its output has gone
  std::signal(SIGXFSZ, SIG_IGN);  // a file that may not grow is an error of the write
  effnetv2::install_mapped_file_guard();
  try {
    const int code =
        parse_and_run(cli::with_repeated_set(cli::as_given(std::vector<std::string>(argv + 1, argv + argc))));
    flush_stdout();
    return code;
  } catch (...) {
    const cli::Failure failure = cli::describe_failure(std::current_exception());
    std::fflush(stdout);
    std::cerr << "error: " << failure.message << std::endl;
    return failure.exit_code;
  }
}
