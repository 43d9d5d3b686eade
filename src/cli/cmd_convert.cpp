#include <iostream>
#include <memory>

#include <CLI/CLI.hpp>

#include "effnetv2/core/error.h"
#include "effnetv2/run/conversion.h"

#include "commands.h"

namespace effnetv2::cli {
namespace {

struct Options {
  std::string in, out, checkpoint = "best";
  CommonOptions common;
};

int run_convert(const Options& options) {
  std::cout << convert_weights(options.in, options.out, options.checkpoint) << "\n";
  return kExitDone;
}

}  // namespace

void add_convert(CLI::App& app, Run& run) {
  auto* verb = app.add_subcommand("convert", "turn weights from one kind of file into another");
  const auto options = std::make_shared<Options>();
  verb->add_option("IN", options->in, "a .safetensors, .pth or .pt file, or a run directory")
      ->required()
      ->type_name("");
  verb->add_option("OUT", options->out, "the file to write; its extension decides")->required()->type_name("");
  verb->add_option("--checkpoint", options->checkpoint, "which weights of the run; the averaged ones if it has an EMA")
      ->check(CLI::IsMember({"best", "last"}))
      ->capture_default_str();
  add_common(*verb, options->common);
  verb->footer(
      "Examples:\n"
      "  effnetv2 convert runs/imagenette-32-1 best.pth\n"
      "  effnetv2 convert efficientnet_v2_s-dd5fe13b.pth s.safetensors\n"
      "In Python: model.load_state_dict(torch.load(\"best.pth\", weights_only=True)).");
  verb->callback([options, &run] { run = [options] { return run_convert(*options); }; });
}

}  // namespace effnetv2::cli
